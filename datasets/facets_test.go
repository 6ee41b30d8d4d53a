package datasets

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// The counts were taken from the files by an independent script.
func TestEmbeddedFacets(t *testing.T) {
	for name, want := range map[string]struct{ brands, items int }{
		"amazon-beauty": {435, 7492}, "amazon-toys": {657, 9548}, "amazon-sports": {1153, 10947},
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

// The ids of records with FAME+ depend on the facets and titles of these data sets, which
// are those of the version that made the records.
func TestFacetsOfRecordsRemain(t *testing.T) {
	for name, want := range map[string]string{
		"amazon-beauty": "ad6ac2ccb94e326e2de482264d139f3ca1163e050cc7f04e23c6bee52541bb59",
		"amazon-sports": "6dddef65a1f67d1d5beb30a86a930549052737374df84a1bca7f298f16de2425",
	} {
		d, err := Open(Config{Name: name}, "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q %q", m.Facets(), m.Title))); got != want {
			t.Errorf("%s: facets and titles have the SHA-256 %s, want %s", name, got, want)
		}
	}
}

// Facets of Toys: brands by the attribute ids, categories by name. The values were counted
// in the plain files with Python.
func TestToysFacets(t *testing.T) {
	d, err := Open(Config{Name: "amazon-toys"}, "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Metadata()
	if err != nil || len(m.Warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, m.Warnings)
	}
	facets := map[string]Facet{}
	names := []string{}
	for _, f := range m.Facets() {
		facets[f.Name] = f
		names = append(names, f.Name)
	}
	// "category 1" is "Toys & Games" for all items but five.
	if want := []string{"brand", "category 2", "category 3"}; !slices.Equal(names, want) {
		t.Errorf("facets %q, want %q", names, want)
	}
	if of := facets["brand"].Labels[11924]; of != nil { // "#1": its brand is missing
		t.Errorf("brand of item 11924: %v", of)
	}
	for name, want := range map[string]struct {
		labels, items int
		largest       map[string]int // items of a label
		of            map[int]string // label of an item
	}{
		"brand": {657, 9548, map[string]int{"#1": 0, "#178": 663, "#63": 640}, map[int]string{1: "#399", 100: "#637"}},
		"category 2": {23, 11579, map[string]int{"Action Figures & Statues": 1269, "Games": 1241, "Building Toys": 901},
			map[int]string{1: "Dolls & Accessories", 2: "Building Toys", 100: "Baby & Toddler Toys", 11924: "Hobbies"}},
		"category 3": {172, 11140, map[string]int{"Building Sets": 822, "Board Games": 788, "Dolls": 689},
			map[int]string{1: "Dolls", 2: "Building Sets", 100: "Bath Toys", 11924: "RC Vehicles & Parts"}},
	} {
		f := facets[name]
		items, count := 0, map[string]int{}
		for _, labels := range f.Labels {
			items += len(labels)
			for _, label := range labels {
				count[f.Values[label]]++
			}
		}
		if len(f.Values) != want.labels || items != want.items {
			t.Errorf("%s: %d labels on %d items, want %d on %d", name, len(f.Values), items, want.labels, want.items)
		}
		for label, n := range want.largest {
			if count[label] != n {
				t.Errorf("%s: %d items have %q, want %d", name, count[label], label, n)
			}
		}
		for item, label := range want.of {
			if got := f.Labels[item]; len(got) != 1 || f.Values[got[0]] != label {
				t.Errorf("%s of item %d: %v, want %q", name, item, got, label)
			}
		}
	}
	if m.Title[1] != "Pocoyo And Friends Swiggle Traks Feature Track With Bridge" || m.Title[11924] != "Hercules Unbreakable Glow In the Dark 3.5CH RC Helicopter" {
		t.Errorf("titles %q and %q", m.Title[1], m.Title[11924])
	}
}

// Attribute ids are not names, whether of brands or categories.
func TestNamed(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   bool
	}{{[]string{"#5", "#12"}, false}, {[]string{"#5", "Dolls"}, true}, {[]string{"#", "#x"}, true}, {[]string{"#05"}, true}, {[]string{"7"}, true}} {
		if got := (Facet{Values: c.values}).Named(); got != c.want {
			t.Errorf("%q: %v, expected %v", c.values, got, c.want)
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
		"attribute ids and names of categories": { // 5 is a brand; 1 is not, though the names say nothing of it
			Metadata{
				Attributes: [][]int32{nil, {5, 1, 2}, {1, 3}, {6, 1}},
				Categories: [][]string{nil, {"all", "soap"}, {"all", "hair", "oil"}, {"all", "soap"}},
			},
			[]Facet{
				{"brand", [][]int32{nil, {0}, nil, {1}}, []string{"#5", "#6"}},
				{"category 2", [][]int32{nil, {0}, {1}, {0}}, []string{"soap", "hair"}},
			},
		},
		"one item of many labels": { // one item in two hundred has another genre than drama
			Metadata{Genres: append(slices.Repeat([][]string{{"drama"}}, 200), []string{"drama", "war", "crime", "noir"})},
			nil,
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
