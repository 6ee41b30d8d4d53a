package aggregate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// By hand: rank 3 is an NDCG of .5, rank 1 of 1. Every user agrees, so the intervals are points,
// and of twelve signs that agree p = 2/2^12, twice that for two pairs.
func TestPairsByHand(t *testing.T) {
	f := newFixture(t)
	for seed := range int64(3) {
		f.add("sasrec", seed, .03, 0, same(3), nil)
		f.add("duorec", seed, .02, 0, same(7), nil)
		f.add("fame", seed, .04, 0, same(1), nil)
	}
	f.side("") // the metrics of the ranks
	f.Pairs = [][]string{{"sasrec", "fame"}, {"fame", "duorec"}, {"duorec", "fame heads=3"}}
	s := f.make()
	if len(s.Pairs.Lines) != 4 {
		t.Fatalf("%+v", s.Pairs)
	}
	c := &Comparison{Lines: slices.DeleteFunc(slices.Clone(s.Pairs.Lines), func(l ComparedMetric) bool { return l.RowA != "sasrec" })}
	for _, rule := range SeenItemRules {
		l := line(t, c, "beauty", rule, Tested)
		near(t, "low", *l.Test.GainLow, 100)
		near(t, "high", *l.Test.GainHigh, 100)
		near(t, "difference", l.Test.Difference, .5)
		near(t, "p", l.Test.P, 2/math.Pow(2, users))
		near(t, "p after Holm's correction of two pairs", l.Test.PHolm, 2*2/math.Pow(2, users))
		if !l.Test.Significant || l.A.N != 3 {
			t.Errorf("%+v, %+v", l, l.Test)
		}
	}
	if l := s.Pairs.Lines[2]; l.RowA != "fame" || l.RowB != "duorec" || math.Abs(l.Test.Difference-(1./3-1)) > 1e-12 || !l.Test.Significant {
		t.Errorf("%+v, %+v", l, l.Test)
	}
	if want := `beauty has no row "fame heads=3" for the pair "duorec" and "fame heads=3"; its rows: "sasrec", "duorec", "fame"`; !slices.Contains(s.Pairs.Notes, want) {
		t.Errorf("%q, expected %q", s.Pairs.Notes, want)
	}
}

// A pair with the baseline has the difference and the interval of the table, and any pair those of
// -compare.
func TestPairsAgree(t *testing.T) {
	f := newFixture(t)
	ranks := func(seed int64, shift int) []int32 {
		out := make([]int32, users)
		for u := range out {
			out[u] = int32(1 + (u*7+int(seed)*3+shift*5)%11)
		}
		return out
	}
	for seed := range int64(3) {
		f.add("sasrec", seed, .03, 0, ranks(seed, 0), nil)
		f.add("duorec", seed, .02, 0, ranks(seed, 1), nil)
		f.add("fame", seed, .04, 0, ranks(seed, 2), nil)
	}
	f.side("")
	f.Pairs = [][]string{{"sasrec", "fame"}, {"duorec", "fame"}}
	s := f.make()
	want, got := s.Tables[0].Rows[2].Removed.Test, s.Pairs.Lines[0].Test
	if s.Tables[0].Baseline != "sasrec" || got.Difference != want.Difference || got.Low != want.Low || got.High != want.High || got.P != want.P {
		t.Errorf("%+v, in the table %+v", got, want)
	}
	if got.Low >= got.High {
		t.Errorf("no interval: %+v", got)
	}
	a, b := f.side("s/duorec"), f.side("s/fame")
	a.Suite, a.Row, b.Suite, b.Row = "s", "duorec", "s", "fame"
	c, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	l := line(t, c, "beauty", "kept", Tested)
	if got := s.Pairs.Lines[3]; got.Rule != "kept" || got.Test.Difference != l.Test.Difference || got.Test.Low != l.Test.Low || got.Test.High != l.Test.High || got.Test.P != l.Test.P {
		t.Errorf("%+v, with -compare %+v", got.Test, l.Test)
	}
}

// Pairs need seeds, as all tests do, and are part of what a summary was made from.
func TestPairsOfFewSeeds(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .03, 0, same(3), nil)
	f.add("fame", 0, .04, 0, same(1), nil)
	before := f.key()
	f.Pairs = [][]string{{"sasrec", "fame"}}
	if f.key() == before {
		t.Error("a summary without pairs would count as one with them")
	}
	s := f.make()
	if l := s.Pairs.Lines[0]; l.Test == nil || l.Test.Significant || !l.Test.FewSeeds {
		t.Errorf("%+v, %+v", l, l.Test)
	}
	if !strings.Contains(strings.Join(s.Pairs.Notes, "\n"), "fewer than 3 seeds") {
		t.Errorf("%q", s.Pairs.Notes)
	}
}

// Rows whose runs begin with the same trainings draw their seeds together, and so do the row of these
// trainings and rows that differ in the rule for untrained items. Users have rank 1 with the second
// row of a pair and rank 3 with the first, but ranks far behind with seed 0, so only seeds that are
// drawn apart give an interval with 0. The table's interval is that of the pair.
func TestPairsOfSharedTrainings(t *testing.T) {
	f := newFixture(t)
	texts := func(rule string) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Init = &record.Init{Settings: record.Settings{"scale": []byte("4")}}
			if rule != "" {
				r.Result.Spec.Init.Settings[record.UntrainedItems] = []byte(rule)
			}
		}
	}
	for seed := range int64(4) {
		ranks := func(usual int32) []int32 {
			if seed == 0 {
				return same(60)
			}
			return same(usual)
		}
		source := f.add("sasrec", seed, .09, 0, ranks(3), nil)
		from := func(r *record.Record) { r.Result.Spec.Source = source.Result.Spec.AsSource() }
		f.add("sasrec-continued", seed, .03, 0, ranks(3), from)
		warm := f.add("fame-warm", seed, .04, 0, ranks(1), from)
		f.add("fame-plain-warm", seed, .04, 0, ranks(1), func(r *record.Record) { r.Result.Spec.Source = warm.Result.Spec.AsSource() })
		f.add("fame", seed, .04, 0, ranks(1), nil)
		f.add("sasrec-plus", seed, .04, 0, ranks(3), texts(""))
		f.add("sasrec-plus", seed, .04, 0, ranks(1), texts(`"nearest"`))
	}
	f.side("")
	f.Axes = []string{"pretrain.untrained_items"}
	shared := [][]string{{"sasrec", "fame-warm"}, {"sasrec-continued", "fame-warm"}, {"sasrec", "fame-plain-warm"}, {"sasrec-plus", "sasrec-plus pretrain.untrained_items=nearest"}}
	f.Pairs = append(shared, []string{"sasrec", "fame"})
	s := f.make()
	if len(s.Pairs.Notes) > 0 || len(s.Pairs.Lines) != 10 {
		t.Fatalf("%+v", s.Pairs)
	}
	for _, l := range s.Pairs.Lines {
		if l.RowB != "fame" && !(l.Test.Low > .1 && l.Test.Low < l.Test.High) {
			t.Errorf("%s and %s share their trainings: %+v", l.RowA, l.RowB, l.Test)
		}
		if l.RowB == "fame" && l.Test.Low >= 0 {
			t.Errorf("sasrec and fame share nothing: %+v", l.Test)
		}
	}
	want, got := s.Tables[0].Rows[2].Removed.Test, s.Pairs.Lines[0].Test
	if s.Tables[0].Baseline != "sasrec" || want.Low != got.Low || want.High != got.High {
		t.Errorf("%+v, in the table %+v", got, want)
	}
}
