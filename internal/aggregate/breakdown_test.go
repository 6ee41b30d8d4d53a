package aggregate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// divided are hand-made test cases of the fixture's users: the targets of users 0–2 are
// never trained, those of 3–6 five times, of 7–10 six times, of 11 21 times; the
// lengths of the histories are at both ends of each group.
func divided() *record.Cases {
	return &record.Cases{Dataset: record.Dataset{Name: "beauty", Fingerprint: "0011223344"}, Protocol: "leave-one-out",
		Training: []int32{0, 0, 0, 5, 5, 5, 5, 6, 6, 6, 6, 21}, History: []int32{1, 5, 6, 10, 11, 20, 21, 50, 51, 204, 5, 6}}
}

// divide stores test cases.
func (f *fixture) divide(c *record.Cases) {
	f.t.Helper()
	if err := f.Store.WriteCases(c); err != nil {
		f.t.Fatal(err)
	}
}

func TestBreakdownByHand(t *testing.T) {
	f := newFixture(t)
	f.divide(divided())
	// Of seed 0, one of the four users with a target of six is hit, of seed 1 all.
	f.add("sasrec", 0, .1, .1, []int32{20, 20, 20, 1, 1, 1, 1, 1, 11, 11, 11, 8}, nil)
	f.kept = same(20)
	f.add("sasrec", 1, .1, .1, []int32{20, 20, 20, 1, 1, 1, 1, 1, 1, 1, 1, 8}, nil)
	f.kept = nil
	f.add("markov", 0, 0, .1, same(2), nil)
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
	f.divide(divided())
	f.add("markov", 0, 0, .1, same(1), nil)
	if table := f.make().Tables[0]; table.Baseline != "" || len(table.Breakdowns) != 2 || table.Breakdowns[0].Rows[0].Kept[3]["HR@10"].Mean != 1 {
		t.Errorf("%+v", table)
	}
}

func TestBreakdownEmptyGroup(t *testing.T) {
	c := divided()
	c.Training = slices.Repeat([]int32{21}, users)
	f := newFixture(t)
	f.divide(c)
	f.add("markov", 0, 0, .1, same(1), nil)
	b := f.make().Tables[0].Breakdowns[0]
	if b.Groups[0].Users != 0 || b.Groups[3].Users != users || b.Rows[0].Removed[0]["NDCG@10"] != (Estimate{}) {
		t.Errorf("%+v", b)
	}
}

// Records of a time split have test cases of their own.
func TestBreakdownOfATimeSplit(t *testing.T) {
	f := newFixture(t)
	f.divide(divided())
	byTime := func(hash string) func(*record.Record) {
		return func(r *record.Record) { r.Result.Spec.Protocol, r.Result.Spec.Dataset.Split = "time", hash }
	}
	f.add("markov", 0, 0, .1, same(1), byTime("aaaaaaaaaa"))
	if s := f.make(); s.Tables[0].Breakdowns != nil {
		t.Errorf("cases of another split were used: %+v", s.Tables[0].Breakdowns)
	}
	c := divided()
	c.Protocol, c.Dataset.Split, c.Training[0] = "time", "aaaaaaaaaa", 1
	f.divide(c)
	if b := f.make().Tables[0].Breakdowns; len(b) != 2 || b[0].Groups[0].Users != 2 {
		t.Errorf("%+v", b)
	}
}

// Without the stored test cases there is no breakdown, and a note says so. Whatever happens
// to the file, the suite has another key.
func TestBreakdownNeedsTheCasesOfTheRecords(t *testing.T) {
	f := newFixture(t)
	f.add("markov", 0, 0, .1, same(1), nil)
	s := f.make()
	want := "skipped: beauty: its users were not divided into groups, since datasets/beauty-00112233.leave-one-out.cases.tsv.gz is missing; a report where the data is writes it"
	if s.Tables[0].Breakdowns != nil || !slices.Contains(s.Notes, want) {
		t.Errorf("no test cases: %+v, %q", s.Tables[0].Breakdowns, s.Notes)
	}
	keys := []string{f.key()}
	f.divide(divided())
	if s = f.make(); s.Tables[0].Breakdowns == nil || len(s.Notes) != 0 {
		t.Errorf("stored test cases: %+v, %q", s.Tables[0].Breakdowns, s.Notes)
	}
	keys = append(keys, f.key())
	path := f.Store.CasesPath(divided().Dataset, "leave-one-out")
	less := divided()
	less.Training, less.History = less.Training[1:], less.History[1:]
	f.divide(less)
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "expected 12 test cases as in the records, got 11") {
		t.Errorf("a user less: %v", err)
	}
	key, err := f.Key()
	if keys = append(keys, key); err != nil || keys[0] == keys[1] || keys[1] == keys[2] || keys[0] == keys[2] {
		t.Errorf("keys %q, %v; want three different ones", keys, err)
	}
}
