package datasets

import (
	"bytes"
	"html"
	"io"
	"maps"
)

// readS3Rec reads the layout of the S3-Rec authors: one line per user, "user
// item item …", oldest first, positive decimal ids. If items.tsv is next to it
// (see readItems), its ASINs become the item ids.
func readS3Rec(_ Config, src *source, lg *interactions) error {
	l, err := openLines(src.file(src.main))
	if err != nil {
		return err
	}
	defer l.Close()
	seen := map[string]int{} // user → line
	for {
		line, err := l.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		user, rest := cutField(line)
		if _, ok := parseID(user); !ok {
			return l.errorf("user id %s is not a positive whole number", excerpt(user))
		}
		if first, dup := seen[string(user)]; dup {
			return l.errorf("user %s was already on line %d; a line holds all items of a user", printable(user), first)
		}
		seen[string(user)] = l.n
		if len(rest) == 0 {
			return l.errorf("user %s has no items", user)
		}
		for len(rest) > 0 {
			var item []byte
			item, rest = cutField(rest)
			if _, ok := parseID(item); !ok {
				return l.errorf("item id %s is not a positive whole number (0 is padding)", excerpt(item))
			}
			if err := lg.add(user, item); err != nil {
				return l.errorf("%v", err)
			}
		}
	}
	// S3-Rec's ids become the original ids of the source.
	return readItems(src, func(l itemLine) error {
		if i, ok := lg.items.ids[string(l.item)]; ok {
			lg.items.names[i] = string(l.asin)
		}
		return nil
	})
}

// cutField returns the first field of a line separated by blanks, and the rest.
func cutField(line []byte) (field, rest []byte) {
	line = bytes.TrimLeft(line, " \t")
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		return line[:i], bytes.TrimLeft(line[i:], " \t")
	}
	return line, nil
}

// itemLine is a line of items.tsv. title and categories are nil if the file has no such
// column.
type itemLine struct {
	n                 int // from 1
	item, asin        []byte
	title, categories []byte
}

// readItems calls each for the lines of items.tsv, if there is one. Its columns are
// item_id, asin, and possibly title and categories: a path from broad to narrow, joined
// by " > ".
func readItems(src *source, each func(itemLine) error) error {
	f, ok, err := src.find("items.tsv")
	if err != nil || !ok {
		return err
	}
	t, err := openTable(f, tableFormat{sep: "\t", header: true})
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.require([]column{{"the item id", "item_id"}, {"the ASIN", "asin"}}); err != nil {
		return err
	}
	itemAt, asinAt, titleAt, categoriesAt := t.place("item_id"), t.place("asin"), t.place("title"), t.place("categories")
	items, asins := map[string]int{}, map[string]int{} // → line
	return t.each(func(fields [][]byte) error {
		item, asin := fields[itemAt], fields[asinAt]
		if _, ok := parseID(item); !ok {
			return t.errorf("item id %s is not a positive whole number (0 is padding)", excerpt(item))
		}
		if len(asin) == 0 {
			return t.errorf("item %s has no ASIN", printable(item))
		}
		if first, dup := items[string(item)]; dup {
			return t.errorf("item %s was already on line %d", printable(item), first)
		}
		if first, dup := asins[string(asin)]; dup {
			return t.errorf("ASIN %s was already on line %d", printable(asin), first)
		}
		items[string(item)], asins[string(asin)] = t.n, t.n
		line := itemLine{n: t.n, item: item, asin: asin}
		if titleAt >= 0 {
			line.title = fields[titleAt]
		}
		if categoriesAt >= 0 {
			line.categories = fields[categoriesAt]
		}
		if err := each(line); err != nil {
			return t.errorf("%v", err)
		}
		return nil
	})
}

// s3recItems reads titles and categories (items.tsv), attribute ids and, if the
// configuration names one, an Amazon metadata file.
func s3recItems(c Config, src *source, m *metadataBuilder) error {
	ids := maps.Clone(m.index) // S3-Rec's item id → id here
	categories := listColumn{what: "categories", sep: " > "}
	err := readItems(src, func(l itemLine) error {
		id, ok := m.index[string(l.asin)]
		if !ok {
			return nil // filtered out
		}
		ids[string(l.item)] = id
		if l.title != nil {
			m.title(id, html.UnescapeString(string(l.title)))
		}
		if l.categories != nil {
			return categories.add(id, l.n, string(l.categories))
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.warn(categories.finish(m.categories)...)
	f := src.attrs
	if f == nil {
		found, ok, err := src.find("item2attributes.json", glob(stem(src.main, ".txt"))+"_item2attributes.json")
		if err != nil {
			return err
		}
		if ok {
			f = &found
		}
	}
	if f != nil {
		if err := readAttributes(*f, ids, m); err != nil {
			return err
		}
	}
	if src.items != nil {
		return readAmazonMeta(*src.items, m)
	}
	return nil
}

// readAttributes reads {"item": [attribute id, …], …}.
func readAttributes(f file, ids map[string]int32, m *metadataBuilder) error {
	l, err := openLines(f)
	if err != nil {
		return err
	}
	defer l.Close()
	text, err := l.all()
	if err != nil {
		return err
	}
	p := literal{b: text}
	var attributes []int32
	err = p.dict(func(item []byte) error {
		if _, ok := parseID(item); !ok {
			return p.errorf("item id %s is not a positive whole number (0 is padding)", excerpt(item))
		}
		id, wanted := ids[string(item)] // before the next token overwrites item
		attributes = attributes[:0]
		err := p.list(func() error {
			n, err := p.number()
			if err != nil {
				return err
			}
			a, ok := parseID(n)
			if !ok {
				return p.errorf("attribute id %s is not a positive whole number", excerpt(n))
			}
			attributes = append(attributes, a)
			return nil
		})
		if err == nil && wanted {
			m.attributes(id, attributes)
		}
		return err
	})
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return &ParseError{File: f.show, Line: 1 + bytes.Count(text[:p.i], []byte{'\n'}), Msg: err.Error()}
	}
	return nil
}
