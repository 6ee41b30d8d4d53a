package aggregate

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"famebench/internal/record"
)

func TestFootnotes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		seeds  int
		change func(*record.Record)
		want   []string
	}{
		{"none", 3, nil, nil},
		{"two seeds", 2, nil, []string{"2 seeds only"}},
		{"one seed at the budget", 1, func(r *record.Record) { r.Result.Status, r.Result.Epochs = record.Epochs, 30 },
			[]string{"stopped at the epoch budget of 30, not by patience", "1 seed only"}},
		{"two at the budget", 3, func(r *record.Record) {
			if r.Result.Spec.Seed > 0 {
				r.Result.Status = record.Epochs
			}
		}, []string{"stopped at the epoch budget of 2, not by patience (2 of 3 seeds)"}},
		{"dirty", 3, func(r *record.Record) { r.Measured.Dirty = r.Result.Spec.Seed == 1 }, []string{"run with uncommitted changes (1 of 3 seeds)"}},
		{"commits", 3, func(r *record.Record) { r.Measured.Commit = fmt.Sprint(r.Result.Spec.Seed/2, "-234567890") },
			[]string{"seeds from different commits: 0-234567, 1-234567"}},
		{"settings", 3, func(r *record.Record) {
			r.Result.Spec.Params = record.Settings{"loss": json.RawMessage(`"bce"`)}
			r.Result.Spec.Train = record.Settings{"epochs": json.RawMessage("3")}
		}, []string{"non-default settings: loss = bce, train.epochs = 3"}},
		{"a dead part", 3, func(r *record.Record) { r.Result.Still = []string{"gate.bias"} }, []string{"parameters that training did not change: gate.bias"}},
		{"items without text", 3, func(r *record.Record) {
			r.Result.Pretrain = &record.Pretrain{Items: 14, WithoutText: 7, WithoutLabels: 2}
		},
			[]string{"7 of 14 items have no text", "2 of 14 items have a text, but no label to learn from"}},
		{"all items with text", 3, func(r *record.Record) { r.Result.Pretrain = &record.Pretrain{Items: 14} }, nil},
		{"random, which reads no texts", 3, func(r *record.Record) { r.Result.Pretrain = &record.Pretrain{Items: 14, WithoutText: 14} }, nil},
		{"a floor of a dirty tree", 1, func(r *record.Record) { r.Result.Spec.NonNeural, r.Measured.Dirty = true, true },
			[]string{"run with uncommitted changes"}},
	} {
		f := newFixture(t)
		for seed := range tt.seeds {
			f.add("sasrec", int64(seed), .1, .1, same(1), tt.change)
		}
		table := f.make().Tables[0]
		if got := table.Rows[0].Notes; !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if len(table.Notes) != 0 {
			t.Errorf("%s: a note about a row is among the notes of the table: %q", tt.name, table.Notes)
		}
	}
}

func TestTableNotes(t *testing.T) {
	f := newFixture(t)
	f.add("markov", 0, 0, .1, same(1), func(r *record.Record) {
		r.Result.Spec.Dataset.Config = record.Settings{"max_users": json.RawMessage("40"), "path": json.RawMessage(`"x"`)}
		r.Measured.Warnings = []string{"beauty has another fingerprint"}
	})
	f.add("sasrec", 0, .1, .1, same(1), func(r *record.Record) { r.Measured.Libtorch = "2.12.0" })
	f.add("core", 0, .1, .1, same(1), func(r *record.Record) { r.Measured.Threads, r.Measured.Commit = 4, "another" })
	want := []string{"data settings: max_users = 40", "records with different thread counts: 2, 4",
		"records with different versions of libtorch: 2.11.0, 2.12.0", "beauty has another fingerprint",
		"no † in this table: it needs 3 seeds, and the baseline sasrec has 1; the spread over users says nothing about the spread over trainings"}
	if got := f.make().Tables[0].Notes; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A search says what a comparison says of its rows and records, by data set and of all rungs.
func TestTrialNotes(t *testing.T) {
	f := newFixture(t)
	var trials []record.Trial
	add := func(data, model string, change func(*record.Record)) {
		t := record.Trial{Dataset: data, Model: model}
		for rung := range 2 {
			r := f.add(model, int64(len(f.Records)), .1, .1, same(1), func(r *record.Record) {
				r.Measured.CPU = "one"
				if rung == 1 && change != nil {
					change(r)
				}
			})
			t.Rungs = append(t.Rungs, record.Rung{ID: r.ID})
		}
		trials = append(trials, t)
	}
	add("beauty", "fame", nil)
	add("beauty", "fame-warm", func(r *record.Record) {
		r.Measured.CPU, r.Measured.Source = "another", &record.Inherited{Differ: true}
	})
	add("beauty", "fame-warm", func(r *record.Record) {
		r.Measured.Threads, r.Measured.Source, r.Measured.Warnings = 4, &record.Inherited{}, []string{"times are tied"}
	})
	add("toys", "fame", func(r *record.Record) {
		r.Measured.GPU = "an accelerator"
		r.Measured.Environment = []string{"OMP_X=1"}
	})
	add("sports", "fame", nil)
	read := func(id string) (*record.Record, error) {
		i := slices.IndexFunc(f.Records, func(r *record.Record) bool { return r.ID == id })
		return f.Records[i], nil
	}
	got, err := TrialNotes(trials, read)
	want := []string{
		"beauty: fame-warm begins with weights that were trained again and differ from those of the recorded source (1 of 2 trials)",
		"beauty: records with different thread counts: 2 (3 of 3 trials), 4 (1 of 3 trials)",
		"beauty: records with different processors: one (3 of 3 trials), another (1 of 3 trials)",
		"beauty: times are tied (1 of 3 trials)",
		"toys: records with different processors: one, an accelerator",
		"toys: environment variables that change rounding were set: OMP_X=1",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, got  %q\nwant %q", err, got, want)
	}
}
