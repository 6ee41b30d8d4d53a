package datasets

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// The writers below make files as programs and people make them: with any
// separator, quoting, line ends, encoding and notation of times.

// event is an interaction as it happened.
type event struct {
	user, item string
	at         int64 // nanoseconds since 1970
}

// randomIDs returns n different ids: numbers, or words with characters that
// break readers.
func randomIDs(r *rand.Rand, n int, numbers bool) []string {
	words := []string{"a", "b", "Z", "7", "0", "10", "-", "_", ".", " ", ",", ";", "|", "'", "\"", "::", "é", "ü", "’", "#", "{", "$", "x y"}
	if r.IntN(2) == 0 {
		words = append(words, "中", "ł", "я", "🙂")
	}
	seen := map[string]bool{}
	var ids []string
	for len(ids) < n {
		id := strconv.Itoa(1 + r.IntN(50))
		if !numbers {
			var s strings.Builder
			for range 1 + r.IntN(4) {
				s.WriteString(words[r.IntN(len(words))])
			}
			id = strings.TrimSpace(s.String())
		}
		if id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// randomEvents returns a log in the order of its file; step is the resolution of
// its times.
func randomEvents(r *rand.Rand, numbers bool, step time.Duration) []event {
	users, items := randomIDs(r, 1+r.IntN(4), numbers), randomIDs(r, 1+r.IntN(6), numbers)
	from := int64(1_400_000_000+r.IntN(400_000_000)) * int64(time.Second)
	events := make([]event, 2+r.IntN(20))
	for i := range events {
		events[i] = event{users[r.IntN(len(users))], items[r.IntN(len(items))], from + int64(r.IntN(1000))*int64(step)}
	}
	return events
}

// sequencesOf returns the sequences that a reader should find in a log, in the
// notation of original, ties in the order of the file.
func sequencesOf(events []event) string {
	var users []string
	for _, e := range events {
		if !slices.Contains(users, e.user) {
			users = append(users, e.user)
		}
	}
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	var out []string
	for _, u := range users {
		line := u + ":"
		for _, e := range sorted {
			if e.user == u {
				line += " " + e.item
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

var timeSteps = []time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond}

// timeWriters write a time in full if it is a multiple of the step.
var timeWriters = []struct {
	name  string
	step  time.Duration
	write func(at int64) string
}{
	{"seconds", time.Second, func(at int64) string { return strconv.FormatInt(at/1e9, 10) }},
	{"milliseconds", time.Millisecond, func(at int64) string { return strconv.FormatInt(at/1e6, 10) }},
	{"microseconds", time.Microsecond, func(at int64) string { return strconv.FormatInt(at/1e3, 10) }},
	{"nanoseconds", time.Nanosecond, func(at int64) string { return strconv.FormatInt(at, 10) }},
	{"decimal seconds", time.Nanosecond, decimalSeconds},
	{"as few decimals as there are", time.Nanosecond, func(at int64) string { return strings.TrimRight(strings.TrimRight(decimalSeconds(at), "0"), ".") }},
	{"float64", time.Microsecond, func(at int64) string { return strconv.FormatFloat(float64(at)/1e9, 'f', 6, 64) }},
	{"scientific", time.Microsecond, func(at int64) string { return strconv.FormatFloat(float64(at)/1e9, 'e', 15, 64) }},
	{"ISO", time.Nanosecond, func(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339Nano) }},
	{"pandas", time.Nanosecond, func(at int64) string { return time.Unix(0, at).UTC().Format("2006-01-02 15:04:05.999999999") }},
	{"another zone", time.Nanosecond, func(at int64) string {
		return time.Unix(0, at).In(time.FixedZone("", 5400+int(at/1e9%3)*3600)).Format("2006-01-02T15:04:05.000000000-07:00")
	}},
}

func decimalSeconds(at int64) string { return fmt.Sprintf("%d.%09d", at/1e9, at%1e9) }

// tableStyle is how a delimited file is written.
type tableStyle struct {
	sep     string
	end     string // of lines
	quoting string // "least", "needed" or "all"
	blanks  bool   // around fields
	header  bool
	charset string // see encoded
}

func randomStyle(r *rand.Rand) tableStyle {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	return tableStyle{
		sep: pick(",", ",", ";", "\t", "|", "::", " ; "), end: pick("\n", "\n", "\r\n"), quoting: pick("least", "needed", "needed", "all"),
		blanks: r.IntN(4) == 0, header: r.IntN(3) > 0,
		charset: pick("UTF-8", "UTF-8", "mark", "UTF-16LE", "UTF-16BE", "UTF-16LE, no mark", "UTF-16BE, no mark", "Latin-1"),
	}
}

// row writes a record.
func (s tableStyle) row(r *rand.Rand, fields ...string) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		before, after := "", ""
		if s.blanks {
			before, after = strings.Repeat(" ", r.IntN(3)), strings.Repeat(" ", r.IntN(3))
		}
		// A field that begins with a quote, or that would end early, must be
		// quoted.
		early := strings.Index(before+f+after+s.sep, s.sep) < len(before+f+after)
		if s.quoting == "all" || early || strings.HasPrefix(f, `"`) || s.quoting == "needed" && strings.ContainsAny(f, "\"\n\r") {
			f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
		out[i] = before + f + after
	}
	return strings.Join(out, s.sep) + s.end
}

// encoded returns text in a character set; ok is false if the set lacks a
// character of the text.
func encoded(text, charset string) (out string, ok bool) {
	order := unicode.LittleEndian
	if strings.HasPrefix(charset, "UTF-16BE") {
		order = unicode.BigEndian
	}
	var err error
	switch {
	case charset == "mark":
		text = "\ufeff" + text
	case charset == "Latin-1":
		text, err = charmap.Windows1252.NewEncoder().String(text)
	case strings.HasSuffix(charset, "no mark"):
		text, err = unicode.UTF16(order, unicode.IgnoreBOM).NewEncoder().String(text)
	case strings.HasPrefix(charset, "UTF-16"):
		text, err = unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
	}
	return text, err == nil
}

// randomCSV writes a log as csv and returns the configuration that reads it. note
// is a column that is not read.
func randomCSV(r *rand.Rand, events []event, write func(int64) string) (c Config, text string, s tableStyle) {
	s = randomStyle(r)
	c = Config{Format: "csv", Path: "log", Separator: s.sep, Header: &s.header, Columns: Columns{User: "user", Item: "item", Time: "time"}}
	var b strings.Builder
	if s.header {
		b.WriteString(s.row(r, "time", "user", "note", "item"))
	} else {
		c.Columns = Columns{User: "2", Item: "4", Time: "1"}
	}
	notes := []string{"", "fine", "a \"b\"", "1,2", "é", "x;y", "é\nü \"quoted\"\n", "NA"}
	for _, e := range events {
		note := notes[r.IntN(len(notes))]
		if s.quoting == "least" || s.sep == "\t" {
			note = strings.ReplaceAll(note, "\n", " ")
		}
		b.WriteString(s.row(r, write(e.at), e.user, note, e.item))
		if r.IntN(10) == 0 {
			b.WriteString(s.end)
		}
	}
	text = b.String()
	if r.IntN(3) == 0 {
		text = strings.TrimSuffix(text, s.end)
	}
	return c, text, s
}

// spoil damages a file in a realistic way. It should be refused unless it reads
// the same.
func spoil(r *rand.Rand, c Config, text string, s tableStyle) (Config, string, string) {
	lines := strings.SplitAfter(text, s.end)
	switch kind := r.IntN(8); kind {
	case 0:
		for _, sep := range []string{",", ";", "\t", "|"} {
			if sep != s.sep && r.IntN(2) == 0 {
				c.Separator = sep
				break
			}
		}
		return c, text, "another separator"
	case 1:
		wrong := !s.header
		c.Header = &wrong
		if c.Columns = (Columns{User: "2", Item: "4", Time: "1"}); s.header == wrong {
			panic("not another header")
		}
		return c, text, "another header"
	case 2:
		if s.header {
			text += s.end + lines[0]
		}
		return c, text, "header at the end"
	case 3:
		return c, strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r"), "CR"
	case 4:
		return c, text + "\x00", "NUL"
	case 5:
		return c, gzipped(text)[:20+r.IntN(20)], "gzip that is cut"
	case 6:
		return c, gzipped(gzipped(text)), "gzip in gzip"
	}
	return c, "PK\x03\x04" + text, "zip"
}
