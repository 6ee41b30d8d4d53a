package suite

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

// What a search gained is read from its summary: chosen against configured settings after the
// last rung. Other data sets that have its values have its gains, and a later search of the same
// model counts.
func TestTuning(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, plan.FileName)
	tinytest.Write(t, path, `
[datasets.beauty]
name = "amazon-beauty"
[datasets.toys]
name = "amazon-toys"
[suites.search]
kind = "tune"
models = ["fame", "sasrec", "core", "duorec"]
datasets = ["beauty"]
also_for = ["toys"]
[suites.search.axes]
dropout = [0.1, 0.2]
[suites.later]
kind = "tune"
models = ["sasrec"]
datasets = ["toys"]
[suites.later.axes]
dropout = [0.1, 0.2]
[suites.never-run]
kind = "tune"
models = ["sasrec"]
datasets = ["beauty"]
[suites.never-run.axes]
dropout = [0.1, 0.2]
[suites.s]
models = ["fame"]
datasets = ["beauty", "toys"]
tuned = ["by-hand.toml", "results/search.toml", "results/later.toml", "results/never-run.toml"]
`)
	c, err := plan.Load(path, nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	searched := record.Store{Dir: filepath.Join(dir, "results")}
	e := Env{Config: c, Store: searched}
	if err := e.Store.MakeFolder("summaries"); err != nil {
		t.Fatal(err)
	}
	trial := func(dataset, model, at string, chosen bool, valid ...float64) record.Trial {
		out := record.Trial{Dataset: dataset, Model: model, At: at, Chosen: chosen}
		for _, v := range valid {
			out.Rungs = append(out.Rungs, record.Rung{Valid: v})
		}
		return out
	}
	keep := func(name string, trials ...record.Trial) {
		t.Helper()
		s := &Summary{Version: aggregate.Version, Suite: &aggregate.Suite{Name: name, Trials: trials}}
		if err := s.Write(e.Store.SummaryPath(name)); err != nil {
			t.Fatal(err)
		}
	}
	keep("search",
		trial("beauty", "fame", "", false, .5, .8), trial("beauty", "fame", "a", true, .4, 1), trial("beauty", "fame", "b", false, .9),
		trial("beauty", "sasrec", "", true, .5, .6),
		trial("beauty", "core", "a", true, .5, .6), // the configured one failed
		trial("beauty", "duorec", "", false, .5), trial("beauty", "duorec", "a", true, .5, .6))
	keep("later", trial("toys", "sasrec", "", false, .5), trial("toys", "sasrec", "a", true, .625))
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	e.Store.Dir = t.TempDir() // of the suite, elsewhere
	got, err := e.tuning(s)
	fame := aggregate.Tuning{Model: "fame", Dataset: "beauty", Gain: 25}
	want := map[string][]aggregate.Tuning{
		"beauty": {fame, {Model: "sasrec", Dataset: "beauty"}},
		"toys":   {fame, {Model: "sasrec", Dataset: "toys", Gain: 25}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if err := os.WriteFile(searched.SummaryPath("search"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := e.tuning(s); err == nil {
		t.Error("a damaged summary was accepted")
	}
}
