package aggregate

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"famebench/internal/rank"
	"famebench/internal/record"
)

func TestMatchAndStale(t *testing.T) {
	f := newFixture(t)
	first := f.add("sasrec", 0, .1, .1, same(1), nil)
	gpu := f.add("sasrec", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Device = "cuda" }) // another machine's
	threads := f.add("sasrec", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Threads = 8 }) // an older version's
	old := f.add("sasrec", 1, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Versions = record.Versions{Model: 1, Train: 1, Rank: 2} })
	data := f.add("core", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Dataset.Fingerprint = "ffeeddccbb" })
	foreign := f.add("core", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Params = record.Settings{"heads": json.RawMessage("4")} })
	plan := func(model string, seed int64) Planned {
		s := first.Result.Spec
		s.Model, s.Seed, s.Versions.Model = model, seed, 1
		return Planned{Spec: s}
	}
	planned := []Planned{plan("core", 0), plan("sasrec", 1), plan("sasrec", 0)}
	found, stale, err := Match(planned, []*record.Record{threads, gpu, first, old, data, foreign})
	if err != nil || !slices.Equal(found, []*record.Record{gpu, first}) {
		t.Errorf("found %v, %v", found, err)
	}
	const twice = "there is a record of the same run with another number of threads"
	want := []Stale{{old.ID, "ranking version 2, now 1"}, {data.ID, "data ffeeddcc, now 00112233"}, {threads.ID, twice}}

	// A start from other texts, or by other code, is stale too; one by other settings is
	// another question.
	start := func(texts, facets string, version int, s record.Settings) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Init = &record.Init{Settings: s, Texts: texts, Facets: facets, Encoder: "e", Version: version}
		}
	}
	wanted := f.add("fame-plus", 0, .1, .1, same(1), start("aa", "bb", 1, nil))
	texts := f.add("fame-plus", 0, .1, .1, same(1), start("ab", "bb", 1, nil))
	labels := f.add("fame-plus", 0, .1, .1, same(1), start("aa", "", 2, nil))
	settings := f.add("fame-plus", 0, .1, .1, same(1), start("aa", "bb", 1, record.Settings{"epochs": json.RawMessage("4")}))
	_, others, err := Match([]Planned{{Spec: wanted.Result.Spec}}, []*record.Record{texts, labels, settings})
	if err != nil || !slices.Equal(others, []Stale{{texts.ID, "texts ab, now aa"}, {labels.ID, "pre-training version 2, now 1; labels unknown, now bb"}}) {
		t.Errorf("stale starts %v, %v", others, err)
	}
	if !slices.Equal(stale, want) {
		t.Errorf("stale %v, want %v", stale, want)
	}

	planned[0].Failure = "killed by signal 9"
	for _, model := range []string{"core", "sasrec"} { // nothing of a data set is named at once
		p := plan(model, 0)
		p.Spec.Dataset.Name = "toys"
		planned = append(planned, p)
	}
	f.Planned, f.Records, f.Stale, f.Skipped = planned, found, stale, []string{"ml-1m: it is not here"}
	notes := strings.Join(f.make().Notes, "\n")
	for _, want := range []string{
		"missing: 4 of 5 runs: all on toys, core on beauty (seed 0), sasrec on beauty (seed 1)",
		"skipped: ml-1m: it is not here",
		"failed: core on beauty, seed 0: killed by signal 9",
		"stale, in no table (ranking version 2, now 1): " + old.ID,
		"stale, in no table (data ffeeddcc, now 00112233): " + data.ID,
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
}

func TestTimeLimitEntersNoTable(t *testing.T) {
	f := newFixture(t)
	r := f.add("sasrec", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Status = record.Time })
	s := f.make()
	if len(s.Tables) != 0 || !slices.Equal(s.Notes, []string{r.ID + " is left out: its time limit stopped it"}) {
		t.Errorf("%+v", s)
	}
}

func TestRanksMustBelongToTheirRecords(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .1, .1, same(1), nil)
	r := f.add("core", 0, .2, .1, same(1), nil)
	path := f.Store.RanksPath(r.ID)
	if _, err := rank.WriteRanks(path, same(2), same(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), path+" does not belong to its record") {
		t.Errorf("other ranks: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), "delete the record of "+r.ID) {
		t.Errorf("no ranks: %v", err)
	}
}
