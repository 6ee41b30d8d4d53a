package aggregate

import (
	"slices"
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
