package pretrain

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"famebench/datasets"
)

// FAME+ takes part in generated data: an item's text is the names of its labels, and the
// facets are those of the world, all of them or the ones that are chosen.
func TestReadsGeneratedData(t *testing.T) {
	d, err := datasets.Open(datasets.Config{Name: "world", Format: "facets", World: datasets.WorldConfig{Users: 60, Items: 30, Labels: 5}}, "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.World()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		facets, want []string
	}{{nil, []string{"colour", "shape", "material", "size"}}, {[]string{"size", "colour"}, []string{"size", "colour"}}} {
		s := SpecInit()
		s.Facets = c.facets
		if err := s.validate(); err != nil {
			t.Fatal(err)
		}
		texts, facets, err := s.Read(d)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range facets {
			names = append(names, f.Name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("facets %q, expected %q", names, c.want)
		}
		for v := 1; v <= d.NumItems; v++ {
			var words []string
			for f := range w.Labels[v] {
				number := strconv.Itoa(int(w.Labels[v][f]) + 1)
				words = append(words, w.FacetName(f)+" "+number)
				at := slices.Index(c.want, w.FacetName(f))
				if at < 0 {
					continue // not chosen
				}
				if got := facets[at].Labels[v]; len(got) != 1 || facets[at].Values[got[0]] != number {
					t.Fatalf("item %d: labels %v of %s, expected the one named %s", v, got, facets[at].Name, number)
				}
			}
			if want := strings.Join(words, ", "); texts[v] != want {
				t.Fatalf("item %d has the text %q, expected %q", v, texts[v], want)
			}
		}
	}
	s := SpecInit()
	s.Facets = []string{"color"}
	if err := s.validate(); err == nil || !strings.Contains(err.Error(), `did you mean "colour"?`) {
		t.Errorf("a misspelt facet: %v", err)
	}
}
