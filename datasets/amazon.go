package datasets

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"strings"
)

// readAmazon reads reviews of the UCSD Amazon 2014 release: a JSON object a
// line, of which reviewerID, asin, overall and unixReviewTime matter.
func readAmazon(_ Config, src *source, lg *interactions) error {
	var user, item []byte
	return eachObject(src.file(src.main), func(p *literal) error {
		user, item = user[:0], item[:0]
		rating, at := 0.0, instant{}
		rated, timed := false, false
		err := p.dict(func(key []byte) (err error) {
			switch string(key) {
			case "reviewerID":
				user, err = p.appendStr(user)
			case "asin":
				item, err = p.appendStr(item)
			case "overall":
				rating, err = p.float()
				rated = true
			case "unixReviewTime":
				at, err = p.time()
				timed = true
			default:
				err = p.skip()
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, field := range []struct {
			name    string
			missing bool
		}{{"reviewerID", len(user) == 0}, {"asin", len(item) == 0}, {"overall", !rated}, {"unixReviewTime", !timed}} {
			if field.missing {
				return fmt.Errorf("the review has no %s", field.name)
			}
		}
		lg.line = p.line
		return lg.addAt(user, item, rating, at)
	})
}

// amazonItems reads meta_X.json[.gz] beside reviews_X_5.json[.gz], or the
// file that the configuration names.
func amazonItems(_ Config, src *source, m *metadataBuilder) error {
	f := src.items
	if f == nil {
		category := strings.TrimPrefix(stem(src.main, ".json"), "reviews_")
		category = strings.TrimSuffix(category, "_5")
		found, ok, err := src.find("meta_" + glob(category) + ".json")
		if err != nil || !ok {
			return err
		}
		f = &found
	}
	return readAmazonMeta(*f, m)
}

// readAmazonMeta reads metadata of the same release: a Python dict a line.
// Items without a title, brand, … keep theirs empty; entities of HTML in
// texts are resolved.
func readAmazonMeta(f file, m *metadataBuilder) error {
	var asin []byte
	var title, brand, description string
	var path []string
	return eachObject(f, func(p *literal) error {
		asin, title, brand, description, path = asin[:0], "", "", "", path[:0]
		err := p.dict(func(key []byte) (err error) {
			switch string(key) {
			case "asin":
				asin, err = p.appendStr(asin)
			case "title":
				title, err = p.text()
			case "brand":
				brand, err = p.text()
			case "description":
				description, err = p.text()
			case "categories":
				path, err = p.firstPath(path)
			default:
				err = p.skip()
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(asin) == 0 {
			return fmt.Errorf("the item has no asin")
		}
		id, ok := m.index[string(asin)]
		if !ok {
			return nil // not in the log
		}
		m.title(id, title)
		m.brand(id, brand)
		m.description(id, description)
		m.categories(id, path)
		return nil
	})
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
		p.b, p.i, p.depth, p.line = line, 0, 0, l.n
		if err = read(p); err == nil {
			err = p.end()
		}
		if err != nil {
			return l.errorf("%v", err)
		}
	}
}

// appendStr appends a string value to dst.
func (p *literal) appendStr(dst []byte) ([]byte, error) {
	s, err := p.str()
	return append(dst, s...), err
}

// float consumes a number.
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

// time consumes a time, a number.
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

// text consumes a string, or anything else as no text, and resolves HTML
// entities.
func (p *literal) text() (string, error) {
	p.peek()
	if !p.atString() {
		return "", p.skip()
	}
	s, err := p.str()
	if err != nil {
		return "", err
	}
	return html.UnescapeString(string(bytes.TrimSpace(s))), nil
}

// firstPath consumes [[category, subcategory, …], …] and appends the first
// path to dst: the one under which the item is filed first.
func (p *literal) firstPath(dst []string) ([]string, error) {
	if c := p.peek(); c != '[' && c != '(' {
		return dst, p.skip()
	}
	n := 0
	err := p.list(func() error {
		if n++; n > 1 {
			return p.skip()
		}
		if c := p.peek(); c != '[' && c != '(' {
			return p.skip()
		}
		return p.list(func() error {
			s, err := p.text()
			dst = append(dst, s)
			return err
		})
	})
	return dst, err
}
