package datasets

import (
	"slices"
	"strconv"
	"strings"
)

// Facet is one way to group items: by brand, by category, by genre, by decade.
type Facet struct {
	Name string // one of FacetNames, or "facet 9" and so on
	// Labels has the labels of each item, by item id, as indices into Values; an
	// item without labels has none.
	Labels [][]int32
	Values []string // the name of each label
}

// facetLevels is how deep a category path is followed. Below that, categories are
// so small that most items are alone in theirs.
const facetLevels = 3

// FacetNames are the facets that metadata can have: brand, the levels of the category
// path, genre, and the decade of the year; and the first facets of generated data.
func FacetNames() []string {
	names := []string{"brand"}
	for k := range facetLevels {
		names = append(names, categoryFacet(k))
	}
	return slices.Concat(names, []string{"genre", "decade"}, facetNouns)
}

// categoryFacet names level k of the category path, from 0.
func categoryFacet(k int) string { return "category " + strconv.Itoa(k+1) }

// Facets returns those of [FacetNames], in that order, that divide the items: that have at
// least two labels in the metadata, of which not one is on nearly all items. Generated data
// can have more facets, named "facet 9" and so on.
//
// S3-Rec's attribute ids have no names and no kinds. An id that only ever
// occurs as the first attribute of an item is taken for a brand, except NoBrand; the
// attributes after it are the item's category path. Metadata without names has both from
// the ids; metadata that names categories but no brands has only the brands from them.
func (m *Metadata) Facets() []Facet {
	var out []Facet
	add := func(name string, items int, labels func(item int) []string) {
		f := Facet{Name: name, Labels: make([][]int32, items)}
		index := map[string]int32{}
		for i := range items {
			for _, label := range labels(i) {
				if label == "" {
					continue
				}
				n, ok := index[label]
				if !ok {
					n = int32(len(f.Values))
					index[label] = n
					f.Values = append(f.Values, label)
				}
				f.Labels[i] = append(f.Labels[i], n)
			}
		}
		if divides(f) {
			out = append(out, f)
		}
	}
	level := func(path []string, k int) []string {
		if k < len(path) {
			return path[k : k+1]
		}
		return nil
	}
	brands, paths := m.Brand, m.Categories
	namesBrands := slices.ContainsFunc(brands, func(s string) bool { return s != "" })
	namesCategories := slices.ContainsFunc(paths, func(path []string) bool { return len(path) > 0 })
	if m.Attributes != nil && !namesBrands {
		var pathIDs [][]string
		brands, pathIDs = splitAttributes(m.Attributes, m.NoBrand)
		if !namesCategories {
			paths = pathIDs
		}
	}
	add("brand", len(brands), func(i int) []string { return brands[i : i+1] })
	for k := range facetLevels {
		add(categoryFacet(k), len(paths), func(i int) []string { return level(paths[i], k) })
	}
	add("genre", len(m.Genres), func(i int) []string { return m.Genres[i] })
	add("decade", len(m.Year), func(i int) []string { return []string{decade(m.Year[i])} })
	if len(m.Generated) > 1 {
		for f := range m.Generated[1] {
			add(worldFacet(f), len(m.Generated), func(i int) []string { return level(m.Generated[i], f) })
		}
	}
	return out
}

// divides reports whether a facet tells items apart: whether at least one in a hundred of the
// labelled items has a label other than the most frequent one. In Toys, all items but five are in
// "Toys & Games", and a head that learned this would make all rows alike.
func divides(f Facet) bool {
	of := make([]int, len(f.Values)) // items of each label
	for _, labels := range f.Labels {
		for _, label := range labels {
			of[label]++
		}
	}
	if len(of) < 2 {
		return false
	}
	frequent := int32(slices.Index(of, slices.Max(of)))
	labelled, others := 0, 0 // items
	for _, labels := range f.Labels {
		labelled += min(1, len(labels))
		if slices.ContainsFunc(labels, func(label int32) bool { return label != frequent }) {
			others++
		}
	}
	return 100*others >= labelled
}

// decade of a year, such as "1990s"; "" for none.
func decade(year int32) string {
	if year <= 0 {
		return ""
	}
	return strconv.Itoa(int(year/10*10)) + "s"
}

// splitAttributes divides each item's attributes into its brand, "" for none,
// and its category path. noBrand is an id that stands for no brand.
func splitAttributes(attributes [][]int32, noBrand int32) (brands []string, paths [][]string) {
	later := map[int32]bool{} // ids that occur after the first place in some item
	for _, ids := range attributes {
		for _, a := range ids[min(1, len(ids)):] {
			later[a] = true
		}
	}
	brands, paths = make([]string, len(attributes)), make([][]string, len(attributes))
	for i, ids := range attributes {
		if len(ids) > 0 && !later[ids[0]] {
			if ids[0] != noBrand {
				brands[i] = attributeName(ids[0])
			}
			ids = ids[1:]
		}
		for _, a := range ids {
			paths[i] = append(paths[i], attributeName(a))
		}
	}
	return brands, paths
}

// Named reports whether the labels have names. Attribute ids such as "#12" are none.
func (f Facet) Named() bool {
	return slices.ContainsFunc(f.Values, func(label string) bool {
		id, hasID := strings.CutPrefix(label, "#")
		n, err := strconv.ParseInt(id, 10, 32)
		return !hasID || err != nil || label != attributeName(int32(n))
	})
}

// attributeName names an attribute that has only a number.
func attributeName(id int32) string { return "#" + strconv.Itoa(int(id)) }
