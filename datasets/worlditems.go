package datasets

import (
	"slices"
	"strconv"
)

// How the items of generated data are described. The references know the labels by their
// numbers, so nothing here changes their results.

// facetNouns name the first facets of a world.
var facetNouns = []string{"colour", "shape", "material", "size", "style", "pattern", "origin", "season"}

// worldFacet names facet f of a world, from 0: "colour", …, and "facet 9" where the nouns
// end.
func worldFacet(f int) string {
	if f < len(facetNouns) {
		return facetNouns[f]
	}
	return "facet " + strconv.Itoa(f+1)
}

// FacetName names facet f of the world, from 0, as [Metadata.Facets] does.
func (w *World) FacetName(f int) string { return worldFacet(f) }

// labelText is a label of facet f in the text of an item: "colour 7", "facet 9 label 7".
func labelText(f int, label string) string {
	if f < len(facetNouns) {
		return worldFacet(f) + " " + label
	}
	return worldFacet(f) + " label " + label
}

// IsFacetName reports whether there can be a facet of that name: one of [FacetNames], or
// "facet 9" and so on.
func IsFacetName(name string) bool {
	for f := range maxFacets {
		if name == worldFacet(f) {
			return true
		}
	}
	return slices.Contains(FacetNames(), name)
}

// worldItems describes the items by their labels, whose names are their numbers, from 1.
func worldItems(c Config, _ *source, m *metadataBuilder) error {
	w := newWorld(c.World)
	m.out.Generated = make([][]string, len(m.known))
	for v := 1; v <= c.World.Items; v++ {
		id, ok := m.find([]byte(strconv.Itoa(v)))
		if !ok {
			continue // no user has it
		}
		labels, text := make([]string, c.World.Facets), ""
		for f, l := range w.Labels[v] {
			labels[f] = m.share(strconv.Itoa(int(l) + 1))
			if f > 0 {
				text += ", "
			}
			text += labelText(f, labels[f])
		}
		m.out.Generated[id] = labels
		m.title(id, text)
	}
	return nil
}
