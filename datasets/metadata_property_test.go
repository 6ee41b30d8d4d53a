package datasets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// facts are the metadata of an item; fields may be empty.
type facts struct {
	id, title, brand, description string
	path, genres                  []string
	year                          int
}

// writer writes metadata in every form that is documented as readable.
type metadataWriter struct{ *rand.Rand }

func pick[T any](w metadataWriter, from ...T) T { return from[w.IntN(len(from))] }

// name makes a random name that has none of the characters of without.
func (w metadataWriter) name(without string) string {
	parts := []string{"Acme", "Clothing, Shoes", "& Jewelry", "Women's", `27" TV`, "R&D", "a;b", "x|y", "café", "Ünï", "日本", "€5", "😀",
		`back\slash`, "(new)", "[a]", "{b}", "Pots", "0", "1980", ">", ":", "'q'", `"q"`, "&lt;", "#1", "-", "None of it", "no. 5,"}
	for {
		var words []string
		for range 1 + w.IntN(3) {
			words = append(words, pick(w, parts...))
		}
		s := strings.Join(words, " ")
		if !strings.ContainsAny(s, without) && s == value(s) && !strings.ContainsAny(s[:1], "[{('\"(") {
			return s
		}
	}
}

// draw makes random metadata of some items.
func (w metadataWriter) draw(n int, without string) []facts {
	brands := []string{w.name(without), w.name(without), "Brand"}
	var out []facts
	for i := range n {
		f := facts{id: strconv.Itoa(i + 1)}
		if w.IntN(5) > 0 {
			f.title = w.name(without)
		}
		if w.IntN(4) > 0 {
			f.brand = pick(w, brands...)
		}
		if w.IntN(4) > 0 {
			f.description = w.name(without)
		}
		if w.IntN(4) > 0 {
			f.path = []string{"Root", pick(w, brands...), w.name(without)}[:1+w.IntN(3)]
		}
		if w.IntN(4) > 0 {
			f.genres = []string{"War", "Film Noir", w.name(without)}[:1+w.IntN(3)]
		}
		if w.IntN(4) > 0 {
			f.year = 1900 + w.IntN(120)
		}
		out = append(out, f)
	}
	return out
}

// lines gives the lines of the items in random order: for each item a complete line,
// sometimes twice, and sometimes lines with parts of it.
func (w metadataWriter) lines(all []facts) []facts {
	var out []facts
	for _, f := range all {
		out = append(out, f)
		for range w.IntN(3) {
			g := f
			for _, wipe := range []func(){func() { g.title = "" }, func() { g.brand = "" }, func() { g.description = "" },
				func() { g.path = nil }, func() { g.genres = nil }, func() { g.year = 0 }} {
				if w.IntN(2) == 0 {
					wipe()
				}
			}
			out = append(out, g)
		}
	}
	w.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// python writes a string as Python's repr does, or with more escapes.
func (w metadataWriter) python(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	escape := w.IntN(2) == 0
	out := []byte(pick(w, "", "", "u"))
	out = append(out, q)
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			out = append(out, '\\', byte(r))
		case r < 128 || !escape:
			out = append(out, string(r)...)
		case r < 256:
			out = fmt.Appendf(out, `\x%02x`, r)
		case r < 1<<16:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = fmt.Appendf(out, `\U%08x`, r)
		}
	}
	return string(append(out, q))
}

func (w metadataWriter) json(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(w.IntN(2) == 0)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	s := strings.TrimSuffix(b.String(), "\n")
	if w.IntN(2) == 0 { // as json.dumps with ensure_ascii
		ascii := ""
		for _, u := range s {
			if u < 128 {
				ascii += string(u)
			} else {
				q := strconv.QuoteToASCII(string(u))
				if strings.HasPrefix(q, `"\U`) {
					r := u - 0x10000
					q = fmt.Sprintf(`"\u%04x\u%04x"`, 0xd800+r>>10, 0xdc00+r&0x3ff)
				}
				if strings.HasPrefix(q, `"\x`) {
					q = fmt.Sprintf(`"\u%04x"`, u)
				}
				ascii += q[1 : len(q)-1]
			}
		}
		s = ascii
	}
	return s
}

// list writes names as a list of Python or JSON, or without its brackets.
func (w metadataWriter) list(names []string) string {
	var quoted []string
	for _, s := range names {
		quoted = append(quoted, w.python(s))
	}
	joined := strings.Join(quoted, pick(w, ", ", ","))
	switch w.IntN(6) {
	case 0:
		return w.json(names)
	case 1:
		return "(" + joined + ",)"
	case 2:
		return joined
	case 3:
		return "[" + strings.Join(quoted, " ") + "]"
	case 4:
		return w.json([][]string{names})
	}
	return "[" + joined + "]"
}

func (w metadataWriter) blanks(s string) string {
	return pick(w, "", "", " ", "\u00a0") + s + pick(w, "", "", " ", "\u00a0")
}

// missing writes a missing value.
func (w metadataWriter) missing() string {
	return pick(w, "", "nan", "NaN", "None", "NULL", " ", "<NA>")
}

func (w metadataWriter) text(s string) string {
	if s == "" {
		return w.missing()
	}
	return w.blanks(s)
}

func (w metadataWriter) names(names []string, sep string) string {
	switch {
	case names == nil:
		return pick(w, w.missing(), "[]", "['']")
	case sep != "":
		return strings.Join(names, sep)
	}
	return w.list(names)
}

func (w metadataWriter) date(year int) string {
	if year == 0 {
		return w.missing()
	}
	return fmt.Sprintf(pick(w, "%d", "%d.0", "%d-05-01", "01-Jan-%d", "May %d", "%d0501", "%d-12-31 23:59:59", "5/1/%d"), year)
}

// fields are the values of a line of a table.
func (w metadataWriter) fields(f facts, sep string) []string {
	return []string{w.blanks(f.id), w.text(f.title), w.text(f.brand), w.names(f.path, sep), w.text(f.description), w.names(f.genres, sep), w.date(f.year)}
}

// entities writes some characters as HTML does.
func (w metadataWriter) entities(s string) string {
	if w.IntN(2) == 0 && html.UnescapeString(s) == s {
		return s
	}
	return html.EscapeString(s)
}

// dict writes an object, its fields in any order, as Python or JSON.
func (w metadataWriter) dict(fields map[string]any, python bool) string {
	write := w.json
	if python {
		var value func(v any) string
		value = func(v any) string {
			switch v := v.(type) {
			case nil:
				return "None"
			case string:
				return w.python(v)
			case []string:
				var list []string
				for _, s := range v {
					list = append(list, value(s))
				}
				return "[" + strings.Join(list, ", ") + "]"
			case [][]string:
				var list []string
				for _, s := range v {
					list = append(list, value(s))
				}
				return "[" + strings.Join(list, ", ") + "]"
			}
			panic(v)
		}
		write = value
	}
	var parts []string
	for key, v := range fields {
		parts = append(parts, write(key)+": "+write(v))
	}
	w.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ", ") + "}\n"
}

// orNull is a value, or one of the spellings of a missing one.
func (w metadataWriter) orNull(missing bool, v any) any {
	if missing {
		return pick[any](w, nil, "", nil)
	}
	return v
}

func (w metadataWriter) amazon(f facts, release string) string {
	var path []string
	for _, s := range f.path {
		path = append(path, w.entities(s))
	}
	fields := map[string]any{"title": w.orNull(f.title == "", w.entities(f.title))}
	brand := w.orNull(f.brand == "", w.entities(f.brand))
	description := []string{w.entities(f.description), ""}
	switch release {
	case "2014":
		fields["asin"], fields["brand"], fields["description"] = f.id, brand, w.orNull(f.description == "", description[0])
		fields["categories"] = w.orNull(path == nil, [][]string{path, {"Other"}})
		return w.dict(fields, true)
	case "2018":
		fields["asin"], fields["brand"], fields["description"], fields["category"] = f.id, brand, description, append([]string{}, path...)
	case "2023":
		fields["parent_asin"], fields["main_category"], fields["description"], fields["categories"] = f.id, "All", description, append([]string{}, path...)
		fields["store"], fields["details"] = brand, map[string]any{"Brand": brand, "Color": "red"}
		if w.IntN(2) == 0 {
			fields["store"] = nil
		}
	}
	return w.dict(fields, false)
}

// Metadata that are written in any format are read back unchanged.
func TestMetadataComesBack(t *testing.T) {
	formats := []string{"csv", "csv bars", "tsv", "recbole", "recbole bars", "recbole commas", "2014", "2018", "2023", "s3rec", "20m", "1m", "100k"}
	for round := range 40 * len(formats) {
		w := metadataWriter{rand.New(rand.NewPCG(1, uint64(round)))}
		format := formats[round%len(formats)]
		without := map[string]string{"csv bars": "|", "recbole bars": "|", "recbole commas": "|,;>", "20m": "|", "1m": "|:日本€😀", "100k": "|日本€😀", "tsv": "\""}[format]
		all := w.draw(2+w.IntN(12), without)
		files, c := w.files(format, all)
		d, m := loadMetadata(t, c, files)
		if got, want := describeFacts(d, m), describeWanted(all, format); got != want {
			t.Fatalf("round %d, %s:\ngot\n%s\nwant\n%s\nof %q", round, format, got, want, files)
		}
		if len(m.Warnings) > 0 {
			t.Fatalf("round %d, %s: %q, of %q", round, format, m.Warnings, files)
		}
	}
}

func (w metadataWriter) titleAndYear(f facts) string {
	if f.title != "" && f.year > 0 {
		return fmt.Sprintf("%s (%d)", f.title, f.year)
	}
	return f.title
}

func (w metadataWriter) movieGenres(f facts) string {
	if f.genres == nil {
		return "(no genres listed)"
	}
	return strings.Join(f.genres, "|")
}

func latin1(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func loadMetadata(t *testing.T, c Config, files map[string]string) (*Dataset, *Metadata) {
	t.Helper()
	c.Name = "test"
	c, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	d, err := load(c, &source{fsys: fsys, main: c.Path, items: &file{fsys: fsys, name: c.Items, show: c.Items}})
	if err != nil {
		t.Fatalf("%v\n%q", err, files)
	}
	m, err := d.Metadata()
	if err != nil {
		t.Fatalf("%v\n%q", err, files)
	}
	return d, m
}

// describeFacts and describeWanted write metadata and facets item by item, one from
// what was read, the other from what was written.
func describeFacts(d *Dataset, m *Metadata) string {
	var out strings.Builder
	facets := map[string]Facet{}
	for _, f := range m.Facets() {
		facets[f.Name] = f
	}
	for v := 1; v <= d.NumItems; v++ {
		f := facts{id: d.ItemIDs[v], path: at(m.Categories, v), genres: at(m.Genres, v), title: at(m.Title, v),
			brand: at(m.Brand, v), description: at(m.Description, v), year: int(at(m.Year, v))}
		fmt.Fprintf(&out, "%s\n", f)
		for _, name := range FacetNames() {
			var labels []string
			if f, ok := facets[name]; ok {
				for _, l := range f.Labels[v] {
					labels = append(labels, f.Values[l])
				}
			}
			fmt.Fprintf(&out, " %s %q", name, labels)
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

func at[T any](list []T, v int) (none T) {
	if v < len(list) {
		return list[v]
	}
	return none
}

func (f facts) String() string {
	return fmt.Sprintf("%s %q by %q in %q of %q, %d: %q", f.id, f.title, f.brand, f.path, f.genres, f.year, f.description)
}

func describeWanted(all []facts, format string) string {
	all = slices.Clone(all)
	for i := range all {
		f := &all[i]
		switch format {
		case "2014", "2018", "2023", "s3rec":
			f.genres, f.year = nil, 0
		case "20m", "1m", "100k":
			f.brand, f.description, f.path = "", "", nil
			if f.title == "" {
				f.year = 0
			}
		}
	}
	labels := func(f facts, name string) []string {
		one := func(s string) []string {
			if s == "" {
				return nil
			}
			return []string{s}
		}
		switch name {
		case "brand":
			return one(f.brand)
		case "genre":
			return f.genres
		case "decade":
			if f.year > 0 {
				return one(fmt.Sprintf("%.3s0s", strconv.Itoa(f.year)))
			}
			return nil
		}
		if !strings.HasPrefix(name, "category ") { // of generated data
			return nil
		}
		level := int(name[len("category ")] - '1')
		return f.path[min(level, len(f.path)):min(level+1, len(f.path))]
	}
	var out strings.Builder
	for _, f := range all {
		fmt.Fprintf(&out, "%s\n", f)
		for _, name := range FacetNames() {
			values := map[string]bool{}
			for _, other := range all {
				for _, l := range labels(other, name) {
					values[l] = true
				}
			}
			var own []string
			if len(values) > 1 {
				own = labels(f, name)
			}
			fmt.Fprintf(&out, " %s %q", name, own)
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

// Damaged lists are refused or read completely: a truncated list never becomes a
// shorter one.
func TestCutLists(t *testing.T) {
	for round := range 300 {
		w := metadataWriter{rand.New(rand.NewPCG(2, uint64(round)))}
		names := []string{w.name(""), w.name(""), w.name("")}
		text := pick(w, w.json(names), "["+w.python(names[0])+", "+w.python(names[1])+"]")
		cut := text[:1+w.IntN(len(text)-1)]
		c := &listColumn{what: "categories", sep: "|"}
		if c.add(1, 2, cut) != nil {
			continue
		}
		c.finish(func(_ int32, paths [][]string) {
			if len(paths) != 1 || len(paths[0]) > 1 || !reflect.DeepEqual(strings.Join(paths[0], ""), known(cut)) {
				t.Errorf("%q of %q was read as %q", cut, text, paths)
			}
		})
	}
}
