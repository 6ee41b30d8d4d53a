package datasets

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Metadata describes the items. Every slice is indexed by item id, with an
// empty entry for padding and for items of which the source says nothing; a
// slice is nil where the source has no such field at all.
type Metadata struct {
	Title       []string
	Brand       []string
	Description []string
	Categories  [][]string // one path, broad to narrow
	Genres      [][]string
	Year        []int32   // of publication, 0 unknown
	Attributes  [][]int32 // S3-Rec attribute ids in the order of the file: the brand (if it is a frequent one), then categories, broad to narrow

	Missing int // items that the metadata file does not know
}

// Metadata reads the metadata of the items: once, when it is first asked for,
// since training does not need it and the files may be large. A source without
// metadata gives a Metadata of nil slices.
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
		if err := formats[c.Format].items(c, src, m); err != nil {
			return nil, fmt.Errorf("datasets: %s: %w", name, err)
		}
		return m.finish(), nil
	})
}

// metadataBuilder fills a Metadata item by item.
type metadataBuilder struct {
	out    Metadata
	index  map[string]int32 // original id → item id
	known  []bool           // by item id
	shared map[string]string
}

func newMetadataBuilder(itemIDs []string) *metadataBuilder {
	m := &metadataBuilder{index: make(map[string]int32, len(itemIDs)), known: make([]bool, len(itemIDs)), shared: map[string]string{}}
	for id, name := range itemIDs[1:] {
		m.index[name] = int32(id + 1)
	}
	return m
}

func (m *metadataBuilder) finish() *Metadata {
	for _, known := range m.known[1:] {
		if !known {
			m.out.Missing++
		}
	}
	return &m.out
}

// put stores a value, making the slice when the field is first seen.
func put[T any](m *metadataBuilder, field *[]T, id int32, v T) {
	if *field == nil {
		*field = make([]T, len(m.known))
	}
	(*field)[id] = v
	m.known[id] = true
}

// The setters leave what an earlier file said where a later one says nothing.

func (m *metadataBuilder) title(id int32, s string) {
	if m.out.Title == nil || m.out.Title[id] == "" {
		put(m, &m.out.Title, id, s)
	}
}

func (m *metadataBuilder) brand(id int32, s string) { put(m, &m.out.Brand, id, m.share(s)) }

func (m *metadataBuilder) description(id int32, s string) { put(m, &m.out.Description, id, s) }

func (m *metadataBuilder) categories(id int32, path []string) {
	put(m, &m.out.Categories, id, m.shareAll(path))
}

func (m *metadataBuilder) genres(id int32, names []string) {
	put(m, &m.out.Genres, id, m.shareAll(names))
}

func (m *metadataBuilder) year(id int32, year int32) { put(m, &m.out.Year, id, year) }

func (m *metadataBuilder) attributes(id int32, attributes []int32) {
	put(m, &m.out.Attributes, id, slices.Clone(attributes))
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
