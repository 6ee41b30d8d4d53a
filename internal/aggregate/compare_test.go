package aggregate

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// Four of twelve users are hit by fame at rank 1, nobody by the baseline. Four
// differences that agree are two of 2⁴ sign patterns: p = .125, no finding, though the
// normal approximation has .046 and the interval leaves out 0.
func TestFewUsers(t *testing.T) {
	f := newFixture(t)
	hits := slices.Concat(slices.Repeat([]int32{1}, 4), slices.Repeat([]int32{90}, users-4))
	for seed := range int64(3) {
		f.add("sasrec", seed, .03, 0, same(90), nil)
		f.add("fame", seed, .02, 4./users, hits, nil)
	}
	s := f.make()
	if s.Tables[0].Baseline != "sasrec" {
		t.Fatalf("the baseline is %s, want sasrec", s.Tables[0].Baseline)
	}
	fame := s.Tables[0].Rows[1]
	for _, rule := range []Rule{fame.Removed, fame.Kept} {
		if test := rule.Test; test == nil || test.P != .125 || test.PHolm != .125 || test.Significant || test.Low <= 0 {
			t.Errorf("%+v, want p .125, not significant, and an interval above 0", test)
		}
	}
}

// Every user is better with fame. The mark needs three seeds of row and baseline; the
// interval does not.
func TestMarksNeedSeeds(t *testing.T) {
	const few = "no † for rows with fewer than 3 seeds: the spread over users says nothing about the spread over trainings"
	const none = "no † in this table: it needs 3 seeds, and the baseline sasrec has 2; the spread over users says nothing about the spread over trainings"
	for _, tt := range []struct {
		name                 string
		sasrec, core, fame   int // seeds
		marked, markovMarked bool
		note                 string
	}{
		{"enough", 3, 3, 3, true, true, ""},
		{"two of the row", 3, 3, 2, false, true, few},
		{"two of another row", 3, 1, 3, true, true, few},
		{"two of the baseline", 2, 3, 3, false, false, none},
		{"few everywhere", 2, 1, 1, false, false, none},
	} {
		f := newFixture(t)
		f.add("markov", 0, 0, .05, same(40), nil)
		for model, seeds := range map[string]int{"sasrec": tt.sasrec, "core": tt.core, "fame": tt.fame} {
			for seed := range seeds {
				f.add(model, int64(seed), map[string]float64{"sasrec": .03, "core": .02, "fame": .03}[model], .1,
					map[string][]int32{"sasrec": same(5), "core": same(5), "fame": same(1)}[model], nil)
			}
		}
		table := f.make().Tables[0]
		for _, r := range table.Rows {
			want := map[string]bool{"fame": tt.marked, "markov": tt.markovMarked}[r.Label]
			for _, rule := range SeenItemRules {
				test := r.Under(rule).Test
				if r.Label == "sasrec" || r.Label == "core" {
					continue // the baseline, and a row like it
				}
				if test.Significant != want || test.FewSeeds != !want || test.GainLow == nil || test.PHolm >= level || test.Low*test.High <= 0 {
					t.Errorf("%s: %s with seen items %s: %+v, want a mark: %v, and a test", tt.name, r.Label, rule, test, want)
				}
			}
		}
		var got string
		for _, note := range table.Notes {
			if strings.Contains(note, "†") {
				got += note
			}
		}
		if got != tt.note {
			t.Errorf("%s: note %q, want %q", tt.name, got, tt.note)
		}
	}
}

// Ranks 1, 3, 10, 11 and 21, by the definitions.
func TestUserValues(t *testing.T) {
	for metric, want := range map[string][]float64{
		"HR@10": {1, 1, 1, 0, 0}, "HR@20": {1, 1, 1, 1, 0}, "HR@5": {1, 1, 0, 0, 0},
		"NDCG@10": {1, .5, 1 / math.Log2(11), 0, 0}, "NDCG@20": {1, .5, 1 / math.Log2(11), 1 / math.Log2(12), 0},
		"MRR": {1, 1. / 3, .1, 1. / 11, 1. / 21},
	} {
		if got := ofCases(metric, []int32{1, 3, 10, 11, 21}); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", metric, got, want)
		}
	}
	for _, metric := range []string{"Coverage@10", "HR", "HR@x", ""} {
		if caseValue(metric) != nil {
			t.Errorf("users have values of %q", metric)
		}
	}
}

// (.1 + .2 + .3) / 3 and (.3 + .2 + .1) / 3 differ in the last bit. Rows with the same
// seeds' values in another order are equally good.
func TestMarkBestIgnoresRounding(t *testing.T) {
	up, down := newCell([]float64{.1, .2, .3}), newCell([]float64{.3, .2, .1})
	if up.Mean == down.Mean {
		t.Fatal("the means do not differ: nothing is tested")
	}
	for _, means := range [][]float64{{up.Mean, down.Mean, .1}, {down.Mean, up.Mean, .1}} {
		var groups []*group
		for _, m := range means {
			g := &group{}
			g.Kept.Metrics = map[string]Cell{"MRR": {Mean: m}}
			groups = append(groups, g)
		}
		markBest(groups, func(g *group) map[string]Cell { return g.Kept.Metrics }, "MRR")
		for i, want := range []Cell{{Best: true}, {Best: true}, {Second: true}} {
			if got := groups[i].Kept.Metrics["MRR"]; got.Best != want.Best || got.Second != want.Second {
				t.Errorf("%v: row %d best %v, second %v; want %v, %v", means, i, got.Best, got.Second, want.Best, want.Second)
			}
		}
	}
}
