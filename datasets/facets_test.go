package datasets

import (
	"reflect"
	"slices"
	"testing"
)

// The counts were taken from the files by an independent script.
func TestEmbeddedFacets(t *testing.T) {
	for name, want := range map[string]struct{ brands, items int }{
		"amazon-beauty": {435, 7492}, "amazon-toys": {658, 11923}, "amazon-sports": {1154, 18210},
	} {
		d, err := Open(Config{Name: name}, "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		facets := m.Facets()
		if len(facets) < 3 || facets[0].Name != "brand" {
			t.Fatalf("%s: %d facets", name, len(facets))
		}
		for _, f := range facets {
			items := 0
			for _, labels := range f.Labels {
				if len(labels) > 1 {
					t.Errorf("%s, %s: an item has labels %v", name, f.Name, labels)
				}
				items += len(labels)
			}
			if f.Name == "brand" && (len(f.Values) != want.brands || items != want.items) {
				t.Errorf("%s: %d brands on %d items, want %d on %d", name, len(f.Values), items, want.brands, want.items)
			}
			if len(f.Labels) != d.NumItems+1 || f.Labels[0] != nil {
				t.Errorf("%s, %s: labels of %d items", name, f.Name, len(f.Labels))
			}
			t.Logf("%s: %s, %d labels on %d of %d items", name, f.Name, len(f.Values), items, d.NumItems)
		}
	}
}

func TestFacets(t *testing.T) {
	for name, c := range map[string]struct {
		m    Metadata
		want []Facet
	}{
		"named": {
			Metadata{
				Brand:      []string{"", "x", "", "y"},
				Categories: [][]string{nil, {"all", "soap"}, {"all", "hair", "oil"}, {"all"}},
			},
			[]Facet{
				{"brand", [][]int32{nil, {0}, nil, {1}}, []string{"x", "y"}},
				{"category 2", [][]int32{nil, {0}, {1}, nil}, []string{"soap", "hair"}},
			}, // "category 1" and "category 3" have one label
		},
		"genres": {
			Metadata{Genres: [][]string{nil, {"drama", "war"}, {"war"}}},
			[]Facet{{"genre", [][]int32{nil, {0, 1}, {1}}, []string{"drama", "war"}}},
		},
		"years": {
			Metadata{Year: []int32{0, 1994, 1999, 0, 2000}},
			[]Facet{{"decade", [][]int32{nil, {0}, {0}, nil, {1}}, []string{"1990s", "2000s"}}},
		},
		"attribute ids": { // 5 and 6 are brands; 1 is not, because it is also the second of an item
			Metadata{Attributes: [][]int32{nil, {5, 1, 2}, {1, 3}, {6, 1}, nil}},
			[]Facet{
				{"brand", [][]int32{nil, {0}, nil, {1}, nil}, []string{"#5", "#6"}},
				{"category 2", [][]int32{nil, {0}, {1}, nil, nil}, []string{"#2", "#3"}},
			},
		},
		"nothing": {Metadata{}, nil},
	} {
		if got := c.m.Facets(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		names := FacetNames()
		for _, f := range c.m.Facets() {
			at := slices.Index(names, f.Name)
			if at < 0 {
				t.Fatalf("%s: facet %q is not of FacetNames, or out of order", name, f.Name)
			}
			names = names[at+1:]
		}
	}
}
