package aggregate

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/record"
)

// divided is a hand-made split of the fixture's users: the targets of users 0–2 are
// never trained, those of 3–6 five times, of 7–10 six times, of 11 21 times; the
// lengths of the histories stand at both ends of each group.
func divided() *datasets.Split {
	s := &datasets.Split{Data: &datasets.Dataset{Name: "beauty", NumItems: 4}, Kind: datasets.LeaveOneOut}
	for item, n := range map[int32]int{2: 5, 3: 6, 4: 21} {
		s.Train = append(s.Train, slices.Repeat([]int32{item}, n-1), []int32{item})
	}
	lengths := []int{1, 5, 6, 10, 11, 20, 21, 50, 51, 204, 5, 6}
	for u, target := range []int32{1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4} {
		s.Test = append(s.Test, datasets.Case{User: int32(u), History: make([]int32, lengths[u]), Target: target})
	}
	return s
}

func (f *fixture) divide(s *datasets.Split) func(*record.Record) {
	f.Split = func(string) (*datasets.Split, error) { return s, nil }
	return func(r *record.Record) { r.Result.Spec.Dataset.Fingerprint = divided().Data.Fingerprint() }
}

func TestBreakdownByHand(t *testing.T) {
	f := newFixture(t)
	data := f.divide(divided())
	// Of seed 0, one of the four users with a target of six is hit, of seed 1 all.
	f.add("sasrec", 0, .1, .1, []int32{20, 20, 20, 1, 1, 1, 1, 1, 11, 11, 11, 8}, data)
	f.kept = same(20)
	f.add("sasrec", 1, .1, .1, []int32{20, 20, 20, 1, 1, 1, 1, 1, 1, 1, 1, 8}, data)
	f.kept = nil
	f.add("markov", 0, 0, .1, same(2), data)
	table := f.make().Tables[0]
	if len(table.Breakdowns) != 2 || table.Breakdowns[0].By != ByTarget || table.Breakdowns[1].By != ByHistory {
		t.Fatalf("%+v", table.Breakdowns)
	}
	if want := []UserGroup{{"0", 3}, {"1-5", 4}, {"6-20", 4}, {"> 20", 1}}; !slices.Equal(table.Breakdowns[0].Groups, want) {
		t.Errorf("by target: %v, want %v", table.Breakdowns[0].Groups, want)
	}
	if want := []UserGroup{{"0-5", 3}, {"6-10", 3}, {"11-20", 2}, {"21-50", 2}, {"> 50", 2}}; !slices.Equal(table.Breakdowns[1].Groups, want) {
		t.Errorf("by history: %v, want %v", table.Breakdowns[1].Groups, want)
	}
	rows := table.Breakdowns[0].Rows
	if len(rows) != 2 || rows[0].Label != "sasrec" || rows[1].Label != "markov" {
		t.Fatalf("rows %+v", rows)
	}
	third, half := 1/math.Log2(9), math.Sqrt2*.375 // the deviation of .25 and 1
	for i, want := range []map[string]Estimate{
		{"NDCG@10": {N: 2}, "HR@10": {N: 2}},
		{"NDCG@10": {1, 0, 2, 1, 1}, "HR@10": {1, 0, 2, 1, 1}},
		{"NDCG@10": {.625, half, 2, -1, -1}, "HR@10": {.625, half, 2, -1, -1}}, // bounds below
		{"NDCG@10": {third, 0, 2, third, third}, "HR@10": {1, 0, 2, 1, 1}},
	} {
		for _, metric := range BreakdownColumns {
			got, want := rows[0].Removed[i][metric], want[metric]
			near(t, metric, got.Mean, want.Mean)
			near(t, metric+" deviation", got.SD, want.SD)
			if want.Low < 0 {
				// Seed 0 twice and no hit among the users drawn: (3/4)⁴/4 of the draws.
				if !(got.Low == 0 && got.High == 1) {
					t.Errorf("%s: interval %v to %v, want 0 to 1", metric, got.Low, got.High)
				}
				continue
			}
			near(t, metric+" low", got.Low, want.Low)
			near(t, metric+" high", got.High, want.High)
			if got.N != want.N {
				t.Errorf("%s: %d seeds", metric, got.N)
			}
		}
	}
	near(t, "kept", rows[0].Kept[1]["HR@10"].Mean, .5) // by seed: all, none
	near(t, "the other row", rows[1].Kept[0]["NDCG@10"].Mean, 1/math.Log2(3))
	// Whatever the groups, together they are the table.
	for _, b := range table.Breakdowns {
		sum := 0.
		for i, g := range b.Groups {
			sum += float64(g.Users) * b.Rows[0].Removed[i]["HR@10"].Mean
		}
		near(t, b.By, sum/users, (6./12+9./12)/2)
	}
}

// A table of floors has no baseline, but groups.
func TestBreakdownWithoutBaseline(t *testing.T) {
	f := newFixture(t)
	f.add("markov", 0, 0, .1, same(1), f.divide(divided()))
	if table := f.make().Tables[0]; table.Baseline != "" || len(table.Breakdowns) != 2 || table.Breakdowns[0].Rows[0].Kept[3]["HR@10"].Mean != 1 {
		t.Errorf("%+v", table)
	}
}

func TestBreakdownEmptyGroup(t *testing.T) {
	s := divided()
	for i := range s.Test {
		s.Test[i].Target = 4
	}
	f := newFixture(t)
	f.add("markov", 0, 0, .1, same(1), f.divide(s))
	b := f.make().Tables[0].Breakdowns[0]
	if b.Groups[0].Users != 0 || b.Groups[3].Users != users || b.Rows[0].Removed[0]["NDCG@10"] != (Estimate{}) {
		t.Errorf("%+v", b)
	}
}

func TestBreakdownNeedsTheDataOfTheRecords(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*datasets.Split)
		want   string
	}{
		{"a user less", func(s *datasets.Split) { s.Test = s.Test[1:] }, "beauty is not the data of its records: leave-one-out split, 11 test users"},
		{"another split", func(s *datasets.Split) { s.Kind = datasets.TimeSplit }, "time split"},
		{"other data", func(s *datasets.Split) { s.Data.Seqs = [][]int32{{1}} }, "fingerprint"},
	} {
		f, s := newFixture(t), divided()
		tt.change(s)
		f.add("markov", 0, 0, .1, same(1), f.divide(s))
		if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	f := newFixture(t)
	f.add("markov", 0, 0, .1, same(1), nil)
	f.Split = func(string) (*datasets.Split, error) { return nil, errors.New("it is gone") }
	if _, err := Make(f.Input); err == nil || err.Error() != "it is gone" {
		t.Errorf("no data: %v", err)
	}
}
