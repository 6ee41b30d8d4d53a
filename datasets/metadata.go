package datasets

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Metadata describes the items. Every slice is indexed by item id, with an
// empty entry for padding and for items that the source does not describe. A
// slice is nil if the source has no such field at all.
type Metadata struct {
	Title       []string
	Brand       []string
	Description []string
	Categories  [][]string // one path, broad to narrow; "" is a level that is missing
	Genres      [][]string
	Year        []int32    // of publication, 0 unknown
	Attributes  [][]int32  // S3-Rec attribute ids in the order of the file: the brand (if it is a frequent one), then categories, broad to narrow
	Generated   [][]string // the number of the label in each facet, of data of format "facets"
	NoBrand     int32      // the attribute id of items whose brand is missing; 0: none

	Missing  int      // items that are not in the metadata file
	Warnings []string // for the user, one sentence each; e.g. dates without a year
}

// Metadata reads the metadata of the items. It does so once, at the first call,
// because training does not need them and the files may be large. For a source
// without metadata, all slices are nil.
func (d *Dataset) Metadata() (*Metadata, error) {
	if d.metadata == nil {
		return &Metadata{Missing: d.NumItems}, nil
	}
	return d.metadata()
}

func attachMetadata(d *Dataset, c Config, src *source) {
	name, ids := d.Name, d.ItemIDs
	d.metadata = sync.OnceValues(func() (*Metadata, error) {
		m := newMetadataBuilder(ids)
		src.warnings = nil // warnings about the log belong to the data set
		if err := formats[c.Format].items(c, src, m); err != nil {
			return nil, fmt.Errorf("datasets: %s: %w", name, err)
		}
		m.warn(src.warnings...)
		if c.Format == "embedded" {
			m.out.NoBrand = knownSets[c.Name].noBrand
		}
		return m.finish(), nil
	})
}

// metadataBuilder fills a Metadata item by item. Lines of one item complete each
// other: a missing value never replaces another. If two values differ, the first
// counts, and a warning says so.
type metadataBuilder struct {
	out    Metadata
	ids    []string         // original ids by item id
	index  map[string]int32 // original id → item id
	known  []bool           // by item id
	shared map[string]string

	file    string // the item's name in messages
	first   string // id of the first item in the file
	items   int    // in the file
	matched int    // of these, in the log

	differ      []bool // items with values that differ, by item id
	differFirst string // how the first of them differs
	noYear      int    // dates in which no year was found
	noYearFirst string
}

func newMetadataBuilder(itemIDs []string) *metadataBuilder {
	n := len(itemIDs)
	m := &metadataBuilder{ids: itemIDs, index: make(map[string]int32, n), known: make([]bool, n), differ: make([]bool, n), shared: map[string]string{}}
	for id, name := range itemIDs[1:] {
		m.index[name] = int32(id + 1)
	}
	return m
}

// open begins a file. Its items are then looked up with find.
func (m *metadataBuilder) open(file string) {
	m.file, m.first, m.items, m.matched = file, "", 0, 0
}

// find returns the item of an original id; ok is false for one that is not in the
// log.
func (m *metadataBuilder) find(name []byte) (id int32, ok bool) {
	if m.items == 0 {
		m.first = string(name)
	}
	m.items++
	if id, ok = m.index[string(name)]; ok {
		m.matched++
	}
	return id, ok
}

// close ends a file. If it has none of the items of the log, it is the wrong file,
// or one of the two files lost part of its ids.
func (m *metadataBuilder) close() error {
	if m.items == 0 {
		return &ParseError{File: m.file, Msg: "the file holds no items"}
	}
	if m.matched > 0 {
		return nil
	}
	// The edit distance of two long ids is slow to compute, and a catalogue has
	// many.
	const mostCompared, longest = 10_000, 64
	short := slices.DeleteFunc(slices.Clone(m.ids[1:min(len(m.ids), mostCompared)]), func(id string) bool { return len(id) > longest })
	example := nearest(m.first[:min(len(m.first), longest)], short)
	if example == "" {
		example = slices.Min(m.ids[1:])
	}
	return fmt.Errorf("none of the %d items of the log is in %s (first id there %s, in the log %s)",
		len(m.ids)-1, m.file, excerpt([]byte(m.first)), excerpt([]byte(example)))
}

func (m *metadataBuilder) finish() *Metadata {
	for _, known := range m.known[1:] {
		if !known {
			m.out.Missing++
		}
	}
	n := 0
	for _, differ := range m.differ {
		if differ {
			n++
		}
	}
	if n > 0 {
		m.warn(fmt.Sprintf("the metadata has several values for %d items, such as %s; the first counts", n, m.differFirst))
	}
	if m.noYear > 0 {
		m.warn(fmt.Sprintf("%d items have a year or date, such as %s, in which no year of four digits was found", m.noYear, m.noYearFirst))
	}
	return &m.out
}

func (m *metadataBuilder) warn(warnings ...string) {
	m.out.Warnings = append(m.out.Warnings, warnings...)
}

// put stores a value, and makes the slice at the first value of a field. Empty
// values are ignored, and an earlier value stays.
func put[T any](m *metadataBuilder, field *[]T, id int32, v T, is func(a, b T) bool) {
	if *field == nil {
		*field = make([]T, len(m.known))
	}
	m.known[id] = true
	var none T
	switch old := (*field)[id]; {
	case is(v, none):
	case is(old, none):
		(*field)[id] = v
	case !is(old, v):
		if m.differFirst == "" {
			m.differFirst = fmt.Sprintf("%s and %s for %s", excerpt([]byte(fmt.Sprint(old))), excerpt([]byte(fmt.Sprint(v))), excerpt([]byte(m.ids[id])))
		}
		m.differ[id] = true
	}
}

func equal[T comparable](a, b T) bool { return a == b }

func (m *metadataBuilder) title(id int32, s string) {
	put(m, &m.out.Title, id, value(s), equal)
}

func (m *metadataBuilder) brand(id int32, s string) {
	put(m, &m.out.Brand, id, m.share(value(s)), equal)
}

func (m *metadataBuilder) description(id int32, s string) {
	put(m, &m.out.Description, id, value(s), equal)
}

// categories takes the first path that is not empty, which is the item's main
// one. A missing name within it keeps its level.
func (m *metadataBuilder) categories(id int32, paths [][]string) {
	var path []string
	for _, path = range paths {
		for len(path) > 0 && path[len(path)-1] == "" {
			path = path[:len(path)-1]
		}
		if len(path) > 0 {
			break
		}
	}
	put(m, &m.out.Categories, id, m.shareAll(path), slices.Equal)
}

// genres takes the names of all lists, each once.
func (m *metadataBuilder) genres(id int32, lists [][]string) {
	var names []string
	seen := map[string]bool{"": true}
	for _, list := range lists {
		for _, name := range list {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	put(m, &m.out.Genres, id, m.shareAll(names), slices.Equal)
}

func (m *metadataBuilder) year(id int32, year int32) { put(m, &m.out.Year, id, year, equal) }

// date takes the year from a year or a date.
func (m *metadataBuilder) date(id int32, s string) {
	s = value(s)
	year, ok := parseYear(s)
	if !ok {
		year = 0
		if s != "" {
			if m.noYear++; m.noYear == 1 {
				m.noYearFirst = excerpt([]byte(s))
			}
		}
	}
	m.year(id, year)
}

func (m *metadataBuilder) attributes(id int32, attributes []int32) {
	put(m, &m.out.Attributes, id, slices.Clone(attributes), slices.Equal)
}

// share returns one copy of equal strings: brands and categories repeat.
func (m *metadataBuilder) share(s string) string {
	if t, ok := m.shared[s]; ok {
		return t
	}
	s = strings.Clone(s)
	m.shared[s] = s
	return s
}

func (m *metadataBuilder) shareAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = m.share(s)
	}
	return out
}
