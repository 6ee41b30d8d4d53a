package suite

import (
	"slices"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// A search says that its trials ran on several processors, or began with other weights than those
// recorded: here in copies of committed records, of which one is changed.
func TestSearchNotes(t *testing.T) {
	e, o := env(t)
	s, err := e.Config.Suite("tune-check")
	if err != nil {
		t.Fatal(err)
	}
	first, err := e.Config.PlanRung(s, o, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := alike(e.Store, first)
	if err != nil {
		t.Fatal(err)
	}
	e.Store = record.Store{Dir: t.TempDir()}
	if err := e.Store.Make(); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if err := e.Store.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	search := func() *aggregate.Suite {
		t.Helper()
		tried, unwritten, err := e.Search(Place{Store: e.Store, Name: s.Name}, Search{Suite: s, Options: o, First: first}, nil)
		if err != nil || unwritten != nil {
			t.Fatal(err, unwritten)
		}
		return tried
	}
	before := search()
	id := before.Trials[1].Rungs[0].ID
	r, err := e.Store.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	was := r.Measured.CPU
	r.Measured.CPU, r.Measured.Source = "another", &record.Inherited{ID: id, Weights: "x", Differ: true}
	if err := e.Store.Write(r); err != nil {
		t.Fatal(err)
	}
	tried := search()
	for _, want := range []string{
		"beauty: sasrec begins with weights that were trained again and differ from those of the recorded source (1 of 12 trials)",
		"beauty: records with different processors: " + was + " (23 of 24 trials), another (1 of 24 trials)",
	} {
		if slices.Contains(before.Notes, want) || !slices.Contains(tried.Notes, want) {
			t.Errorf("expected %q in\n%q\nand not in\n%q", want, tried.Notes, before.Notes)
		}
	}
	if kept, err := ReadSummary(e.Store.SummaryPath(s.Name)); err != nil || !slices.Equal(kept.Notes, tried.Notes) {
		t.Errorf("the summary has other notes: %v", err)
	}
}
