package rank

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"testing"

	"famebench/datasets"
)

// The expected values are those of RecTools and RecBole: scripts/beyond-fixture.py.
func TestBeyond(t *testing.T) {
	text, err := os.ReadFile("testdata/beyond.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Items                   int
		Train, Histories, Lists [][]int32
		Facets                  [][][]int32
		Values                  []int
		Expected                map[string]float64
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	split := &datasets.Split{Data: &datasets.Dataset{NumItems: f.Items}, Train: f.Train}
	for _, h := range f.Histories {
		split.Test = append(split.Test, datasets.Case{History: h})
	}
	var facets []datasets.Facet
	for i, labels := range f.Facets {
		facets = append(facets, datasets.Facet{Labels: labels, Values: make([]string, f.Values[i])})
	}
	c := NewCatalogue(split, facets)
	got := c.Beyond(f.Lists)
	got["history"] = c.HistoryPopularity(split.Test)
	if len(got) != 5 || len(f.Expected) != 5 {
		t.Errorf("got %d values, expected %d: 5 of both", len(got), len(f.Expected))
	}
	for name, want := range f.Expected {
		if v, ok := got[name]; !ok || math.Abs(v-want) > 1e-12 {
			t.Errorf("%s: got %v, expected %v", name, v, want)
		}
	}
}

// What the references do not have: items without labels, and lists that are short.
func TestBeyondByHand(t *testing.T) {
	split := &datasets.Split{Data: &datasets.Dataset{NumItems: 4}, Train: [][]int32{{1, 1, 2}, {1}, {}}}
	genre := datasets.Facet{Labels: [][]int32{nil, {0}, {0, 1}, {2}, nil}, Values: make([]string, 3)}
	c := NewCatalogue(split, []datasets.Facet{genre})
	if c.People != 2 || !reflect.DeepEqual(c.Count, []int{0, 3, 1, 0, 0}) || !reflect.DeepEqual(c.Users, []int{0, 2, 1, 0, 0}) {
		t.Errorf("%+v", c)
	}
	// Items 1 and 2 have one of two labels in common, 3 none with either; 4 has none. The second
	// list has no pair with labels. 1: one bit less than 2 or 3, which count as if one user had them.
	for _, tt := range []struct {
		lists [][]int32
		want  Metrics
	}{
		{[][]int32{{1, 2, 4}, {3, 4}}, Metrics{Gini: (-3*1 - 1*1 + 1*1 + 3*2) / 4. / 5, Popularity: (4./3 + 0) / 2, Novelty: (2./3 + 1) / 2, Diversity: .5}},
		{[][]int32{{1, 2, 3}}, Metrics{Gini: .25, Popularity: 4. / 3, Novelty: 2. / 3, Diversity: (.5 + 1 + 1) / 3}},
		{[][]int32{{1}, {1}, {}}, Metrics{Gini: .75, Popularity: 3, Novelty: 0}}, // no pairs
	} {
		got := c.Beyond(tt.lists)
		if len(got) != len(tt.want) {
			t.Errorf("%v: got %v, expected %v", tt.lists, got, tt.want)
		}
		for name, want := range tt.want {
			if math.Abs(got[name]-want) > 1e-15 {
				t.Errorf("%v: %s is %v, expected %v", tt.lists, name, got[name], want)
			}
		}
	}
	if _, ok := NewCatalogue(split, nil).Beyond([][]int32{{1, 2}})[Diversity]; ok {
		t.Error("a diversity without labels")
	}
	// Items 1, 1 and 3, and padding, which is none.
	if got := c.HistoryPopularity([]datasets.Case{{History: []int32{0, 1, 1, 3}}}); got != 2 {
		t.Errorf("popularity of the history: %v, expected 2", got)
	}
}
