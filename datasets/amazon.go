package datasets

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"
)

// releases is a set of the releases of UCSD's Amazon data.
type releases uint

const (
	release2014 releases = 1 << iota
	release2018
	release2023
	anyRelease = release2014 | release2018 | release2023
)

func (r releases) String() string {
	var names []string
	for i, name := range []string{"2014", "2018", "2023"} {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// reviewFields and itemFields list the releases that have each field, which tells
// them apart.
var (
	reviewFields = map[string]releases{
		"reviewerID": release2014 | release2018, "overall": release2014 | release2018, "unixReviewTime": release2014 | release2018,
		"helpful": release2014, "verified": release2018,
		"asin": anyRelease, "user_id": release2023, "parent_asin": release2023, "rating": release2023, "timestamp": release2023,
	}
	itemFields = map[string]releases{
		"asin": anyRelease, "brand": anyRelease, "title": anyRelease, "description": anyRelease, "details": anyRelease,
		"categories": release2014 | release2023, "category": release2018,
		"parent_asin": release2023, "store": release2023, "main_category": release2023,
	}
)

// releaseReader reads the objects of a file and finds out which release it
// belongs to.
type releaseReader struct {
	fields map[string]releases
	file   releases // those that fit the lines read so far
	seen   map[string]bool
}

// object calls value for each key of an object; value must read the key's value.
func (r *releaseReader) object(p *literal, value func(key []byte) error) error {
	clear(r.seen)
	return p.dict(func(key []byte) error {
		of, ok := r.fields[string(key)]
		if !ok {
			return value(key)
		}
		if r.seen[string(key)] {
			return p.errorf("the field %s occurs twice", key)
		}
		if r.file&of == 0 {
			return p.errorf("the field %s belongs to the release of %s, the lines before it to that of %s; expected one release in a file", key, of, r.file)
		}
		r.seen[string(key)] = true
		r.file &= of
		return value(key)
	})
}

// require returns an error that names the first of the fields that the object lacks.
// A field may have two names: one in the releases of 2014 and 2018, and one in that
// of 2023. Only the release of 2023 has parent_asin, in every object.
func (r *releaseReader) require(what string, fields [][2]string) error {
	if r.seen["asin"] && !r.seen["parent_asin"] && r.file != release2023 {
		r.file &= release2014 | release2018
	}
	for _, f := range fields {
		name := f[0]
		switch {
		case r.file == release2023:
			name = f[1]
		case r.file == anyRelease && f[0] != f[1]:
			name += " (releases of 2014 and 2018) and no " + f[1] + " (release of 2023)"
		}
		switch {
		case r.seen[name]:
		case r.file == anyRelease:
			return fmt.Errorf("the %s has no %s", what, name)
		default:
			return fmt.Errorf("the %s has no %s; its other fields are those of the release of %s", what, name, r.file)
		}
	}
	return nil
}

// readAmazon reads reviews of UCSD's Amazon releases of 2014, 2018 and 2023, with
// one JSON object per line. Times are in seconds, in the release of 2023 in
// milliseconds. The item of a review of 2023 is its parent_asin, which is the id in
// the metadata.
func readAmazon(_ Config, src *source, lg *interactions) error {
	var user, item []byte
	r := &releaseReader{fields: reviewFields, file: anyRelease, seen: map[string]bool{}}
	return eachObject(src.file(src.main), func(p *literal) error {
		var asin []byte
		user, item = user[:0], item[:0]
		rating, at := 0.0, instant{}
		err := r.object(p, func(key []byte) (err error) {
			switch string(key) {
			case "reviewerID", "user_id":
				user, err = p.appendStr(user)
			case "parent_asin":
				item, err = p.appendStr(item)
			case "asin":
				asin, err = p.appendStr(asin)
			case "overall", "rating":
				rating, err = p.float()
			case "unixReviewTime", "timestamp":
				at, err = p.time()
			default:
				err = p.skip()
			}
			return err
		})
		if err == nil {
			err = r.require("review", [][2]string{{"reviewerID", "user_id"}, {"asin", "parent_asin"}, {"overall", "rating"}, {"unixReviewTime", "timestamp"}})
		}
		if err != nil {
			return err
		}
		if r.file != release2023 {
			item = asin
		}
		lg.line = p.line
		return lg.addAt(user, item, rating, at)
	})
}

// amazonItems reads the file that the configuration names, or the metadata file of
// the same category next to the reviews: meta_Beauty.json for reviews_Beauty_5.json
// (2014) or Beauty_5.json (2018), meta_All_Beauty.jsonl for All_Beauty.jsonl (2023).
func amazonItems(_ Config, src *source, m *metadataBuilder) error {
	f := src.items
	if f == nil {
		category := strings.TrimSuffix(stem(src.main, ".json"), ".jsonl")
		category = glob(strings.TrimSuffix(strings.TrimPrefix(category, "reviews_"), "_5"))
		found, ok, err := src.find("meta_"+category+".json", "meta_"+category+".jsonl")
		if err != nil || !ok {
			return err
		}
		f = &found
	}
	return readAmazonMeta(*f, m)
}

// readAmazonMeta reads metadata of the same releases, with one object per line:
// a Python dict in the release of 2014, JSON in the others. HTML entities in
// texts are resolved.
func readAmazonMeta(f file, m *metadataBuilder) error {
	var asin, parent []byte
	r := &releaseReader{fields: itemFields, file: anyRelease, seen: map[string]bool{}}
	m.open(f.show)
	err := eachObject(f, func(p *literal) error {
		asin, parent = asin[:0], parent[:0]
		var title, brand, store, maker, description string
		var paths [][]string
		err := r.object(p, func(key []byte) (err error) {
			switch string(key) {
			case "asin":
				asin, err = p.appendStr(asin)
			case "parent_asin":
				parent, err = p.appendStr(parent)
			case "title":
				title, err = p.text()
			case "brand":
				brand, err = p.text()
			case "store":
				store, err = p.text()
			case "details":
				maker, err = p.maker()
			case "description":
				description, err = p.text()
			case "categories", "category":
				paths, err = p.paths()
			default:
				err = p.skip()
			}
			return err
		})
		if err == nil {
			err = r.require("item", [][2]string{{"asin", "parent_asin"}})
		}
		if err != nil {
			return err
		}
		if r.file == release2023 {
			asin = parent
			brand = cmp.Or(brand, store, maker)
		}
		asin := bytes.TrimSpace(asin)
		if len(asin) == 0 {
			return fmt.Errorf("the item has an empty id")
		}
		id, ok := m.find(asin)
		if !ok {
			return nil // not in the log
		}
		m.title(id, title)
		m.brand(id, brand)
		m.description(id, description)
		m.categories(id, paths)
		return nil
	})
	if err != nil {
		return err
	}
	return m.close()
}

// eachObject calls read for each line of a file of JSON objects or Python
// dicts and puts file and line before its errors.
func eachObject(f file, read func(p *literal) error) error {
	l, err := openLines(f)
	if err != nil {
		return err
	}
	defer l.Close()
	p := &literal{}
	for {
		line, err := l.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if layout := otherLayout(line); layout != "" {
			return l.errorf("expected an object on each line, got %s", layout)
		}
		p.b, p.i, p.depth, p.line = line, 0, 0, l.n
		err = read(p)
		if err == nil && p.peek() == '{' {
			return l.errorf("expected one object on each line, got another at column %d; put each on a line of its own, for example with jq -c .", p.i+1)
		}
		if err == nil {
			err = p.end()
		}
		if err != nil {
			return l.errorf("%v", err)
		}
	}
}

// otherLayout describes a line that cannot be an object and whose layout is known:
// the file holds one list, or it is indented for human readers. It returns "" for all
// others.
func otherLayout(line []byte) string {
	switch line = bytes.TrimSpace(line); {
	case line[0] == '[':
		return "a list; put each of its objects on a line of its own, for example with jq -c '.[]'"
	case len(line) == 1 && line[0] == '{':
		return "one that continues on the next line; put each on a line of its own, for example with jq -c ."
	case line[0] != '{':
		return excerpt(line) + "; is this the format of the file?"
	}
	return ""
}

// appendStr appends a string value to dst.
func (p *literal) appendStr(dst []byte) ([]byte, error) {
	s, err := p.str()
	return append(dst, s...), err
}

// float reads a number.
func (p *literal) float() (float64, error) {
	text, err := p.number()
	if err != nil {
		return 0, err
	}
	v, ok := parseNumber(text)
	if !ok {
		return 0, p.errorf("number %s is out of range", excerpt(text))
	}
	return v, nil
}

// time reads a time, which is a number.
func (p *literal) time() (instant, error) {
	text, err := p.number()
	if err != nil {
		return instant{}, err
	}
	at, err := parseInstant(text)
	if err != nil {
		return at, p.errorf("time %s %v", excerpt(text), err)
	}
	return at, nil
}

// text reads a string, a number or a list of texts, and resolves HTML entities.
// Anything else counts as no text.
func (p *literal) text() (string, error) {
	switch c := p.peek(); {
	case p.atString():
		s, err := p.str()
		return value(html.UnescapeString(string(s))), err
	case c >= '0' && c <= '9':
		n, err := p.number()
		return string(n), err
	case c == '[' || c == '(':
		var texts []string
		err := p.list(func() error {
			s, err := p.text()
			texts = append(texts, s)
			return err
		})
		return joinTexts(texts), err
	}
	return "", p.skip()
}

// paths reads a category path [category, subcategory, …], or a list of them.
func (p *literal) paths() (paths [][]string, err error) {
	if p.peek(); p.atString() { // the text of a list, if the file was converted from a table
		s, err := p.str()
		text := known(html.UnescapeString(string(s)))
		if err != nil || text == "" {
			return nil, err
		}
		paths, _, listed, err := readNames(text)
		if err != nil {
			return nil, fmt.Errorf("categories %s: %w", excerpt([]byte(text)), err)
		}
		if listed {
			return paths, nil
		}
		return [][]string{{text}}, nil
	}
	if c := p.peek(); c != '[' && c != '(' {
		name, err := p.text()
		return [][]string{{name}}, err
	}
	var path []string
	err = p.list(func() error {
		if c := p.peek(); c == '[' || c == '(' {
			var inner []string
			err := p.list(func() error {
				name, err := p.text()
				inner = append(inner, name)
				return err
			})
			paths = append(paths, inner)
			return err
		}
		name, err := p.text()
		path = append(path, name)
		return err
	})
	return append([][]string{path}, paths...), err
}

// maker reads the details of an item, which are a dict or the JSON text of one, and
// returns the brand that they name.
func (p *literal) maker() (brand string, err error) {
	c := p.peek()
	if p.atString() {
		text, err := p.str()
		if err != nil {
			return "", err
		}
		inner := &literal{b: bytes.Clone(text)}
		brand, _ := inner.maker() // any other text names no brand
		return brand, nil
	}
	if c != '{' {
		return "", p.skip()
	}
	err = p.dict(func(key []byte) (err error) {
		if string(key) != "Brand" {
			return p.skip()
		}
		brand, err = p.text()
		return err
	})
	return brand, err
}
