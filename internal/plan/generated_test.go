package plan

import (
	"encoding/json"
	"testing"

	"famebench/internal/registry"
	"famebench/models"
)

// The grids of experiments.toml are what their summaries say: the worlds of a suite differ in
// one parameter, whose values are those of the axis, and FAME's other number is that of the
// worlds.
func TestGridsOfGeneratedData(t *testing.T) {
	c, err := Load("../../experiments.toml", nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	fame, _ := registry.Find(registry.Models, "fame")
	for suite, heads := range map[string]bool{"facets-experts": false, "facets-heads": true} {
		s, err := c.Suite(suite)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Axes) != 1 || s.Interaction != s.Axes[0].Name || len(s.Axes[0].Values) != len(s.Datasets) {
			t.Fatalf("%s: %+v", suite, s)
		}
		rest := "" // the other parameters of the worlds
		for i, name := range s.Datasets {
			d, err := c.Dataset(name)
			if err != nil {
				t.Fatal(err)
			}
			params, err := c.Params(fame, name)
			if err != nil {
				t.Fatal(err)
			}
			w, p := d.World, params.(*models.FAMEConfig)
			varied, fixed, of := w.Preferred, p.Heads, w.Facets
			if heads {
				varied, fixed, of = w.Facets, p.Experts, w.Preferred
			}
			if s.Axes[0].Values[i] != int64(varied) || fixed != of {
				t.Errorf("%s, %s: the world has %d of what varies, and the axis %v; FAME has %d of the other, and the world %d", suite, name, varied, s.Axes[0].Values[i], fixed, of)
			}
			if heads {
				w.Facets = 0
			} else {
				w.Preferred = 0
			}
			others, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 && string(others) != rest {
				t.Errorf("%s: %s differs from %s in %s, expected %s", suite, name, s.Datasets[0], others, rest)
			}
			rest = string(others)
		}
	}
}
