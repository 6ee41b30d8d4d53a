package plan

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

const cellsConfig = `[datasets.small]
format = "facets"
world = { users = 9, items = 30 }
[datasets.large]
format = "facets"
world = { users = 9, items = 40 }
[suites.s]
kind = "cost"
models = ["fame"]
datasets = ["small", "large"]
`

func loadCells(t *testing.T, more string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	tinytest.Write(t, path, cellsConfig+more)
	return Load(path, nil, registry.Models)
}

// Axes and data sets in the key alone are varied on their own; a suite with steps measures each
// place once, with the configured batch.
func TestAlone(t *testing.T) {
	c, err := loadCells(t, "steps = 5\ngrid = true\nalone = [\"hidden\", \"large\"]\nseeds = [3, 4]\naxes.heads = [1, 4]\naxes.hidden = [32, 64]\naxes.experts = [2, 4]\n")
	if err != nil {
		t.Fatal(err)
	}
	_, p := planned(t, c)
	var got []string
	for _, r := range p.Runs {
		got = append(got, r.Job.Spec.Dataset.Name+": "+r.At)
		if r.Job.Steps != 5 || r.Job.Spec.Seed != 3 || r.Job.Spec.Train["batch_targets"] != nil {
			t.Errorf("%+v", r.Job)
		}
	}
	want := []string{"small: heads = 1, experts = 2", "small: heads = 4, experts = 2", "small: heads = 1, experts = 4", "small: heads = 4, experts = 4",
		"small: hidden = 32", "large: "} // hidden = 64 is the configured value, which the grid has
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// The command line cannot choose a model that is not trained, either.
func TestStepsOfModelsThatAreNotTrained(t *testing.T) {
	c, err := loadCells(t, "steps = 5\n")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("s")
	if _, err := c.Choose(s, []string{"popularity"}, nil, nil); err == nil || err.Error() != "-models: popularity has no training steps to time" {
		t.Errorf("%v", err)
	}
}

func TestAloneErrors(t *testing.T) {
	for more, want := range map[string]string{
		"grid = true\nalone = [\"hiden\"]\naxes.hidden = [32]\n":            `experiments.toml:12: suites.s.alone: the suite has no axis or data set "hiden"; did you mean "hidden"?`,
		"grid = true\nalone = [\"large\", \"large\"]\naxes.hidden = [32]\n": `suites.s.alone: "large" is listed twice`,
		"alone = [\"hidden\"]\naxes.hidden = [32]\n":                        `suites.s.alone: expected grid = true with this key`,
		"steps = -1\n":        `suites.s.steps: -1: expected 1 to 100000 training steps, or 0 for an epoch`,
		"steps = 1_000_000\n": `suites.s.steps: 1000000: expected 1 to 100000`,
		"steps = 5\n[suites.u]\nmodels = [\"sasrec\"]\ndatasets = [\"small\"]\nsteps = 5\n":       `suites.u.steps: only suites of kind "cost" have this key`,
		"[suites.u]\nmodels = [\"sasrec\"]\ndatasets = [\"small\"]\nalone = [\"small\"]\n":        `suites.u.alone: only suites of kind "cost" have this key`,
		"[suites.u]\nkind = \"cost\"\nmodels = [\"markov\"]\ndatasets = [\"small\"]\nsteps = 5\n": `suites.u.models: markov has no training steps to time`,
	} {
		if _, err := loadCells(t, more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", more, err, want)
		}
	}
}
