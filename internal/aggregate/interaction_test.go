package aggregate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// world adds records of a model on a data set, one per seed.
func (f *fixture) world(data, model string, experts int, tests ...float64) {
	f.t.Helper()
	for seed, test := range tests {
		valid := .1
		if slices.Contains(References, model) {
			valid = 0 // nothing is trained
		}
		f.add(model, int64(seed), valid, test, same(3), func(r *record.Record) {
			r.Result.Spec.Dataset.Name, r.Result.Spec.Dataset.Fingerprint = data, fmt.Sprintf("%x", data)
			if experts > 0 {
				text := json.RawMessage(fmt.Sprint(experts))
				r.Result.Spec.Params = record.Settings{"experts": text}
				r.Resolved["params"]["experts"] = text
			}
		})
	}
}

// By hand: the oracle has an NDCG@10 of .5, and the seeds of fame .3, .35 and .4: 60, 70 and
// 80 % of it, 70 ± 10. With seen items kept, the fixture has a tenth less of everything, so
// that shares are equal. Beauty has no oracle.
func TestShareOfOracle(t *testing.T) {
	f := newFixture(t)
	f.world("generated", "oracle", 0, .5)
	f.world("generated", "labels-known", 0, .45)
	f.world("generated", "fame", 0, .3, .35, .4)
	f.world("generated", "sasrec", 0, .2)
	f.world("generated", "core", 0, .1)
	f.add("sasrec", 0, .1, .2, same(3), nil)
	s := f.make()
	for _, rule := range SeenItemRules {
		for i, want := range []Cell{{Mean: 100, N: 1}, {Mean: 90, N: 1}, {Mean: 70, SD: 10, N: 3}, {Mean: 40, N: 1}, {Mean: 20, N: 1}} {
			got := s.Tables[0].Rows[i].Under(rule).OfOracle
			if got == nil || math.Abs(got.Mean-want.Mean) > 1e-12 || math.Abs(got.SD-want.SD) > 1e-12 || got.N != want.N {
				t.Errorf("%s, seen items %s: %+v, expected %+v", s.Tables[0].Rows[i].Label, rule, got, want)
			}
		}
		if got := s.Tables[1].Rows[0].Under(rule).OfOracle; got != nil {
			t.Errorf("without an oracle: %+v", got)
		}
	}
	// References are not ranked among the models.
	for i, want := range []string{"reference", "reference", "best", "second", ""} {
		r := s.Tables[0].Rows[i]
		got := ""
		switch c := r.Removed.Metrics[Tested]; {
		case r.Reference && !c.Best && !c.Second:
			got = "reference"
		case c.Best:
			got = "best"
		case c.Second:
			got = "second"
		}
		if got != want {
			t.Errorf("%s: %q, expected %q", r.Label, got, want)
		}
	}
}

// References are not tested against the baseline, nor do they count in Holm's correction:
// the other models have the same p-values without them.
func TestReferencesAreNotTested(t *testing.T) {
	p := func(references bool) []float64 {
		f := newFixture(t)
		if references {
			f.world("generated", "oracle", 0, .5)
			f.world("generated", "labels-known", 0, .4)
		}
		f.world("generated", "sasrec", 0, .2)
		for i, model := range []string{"fame", "fame-plain"} {
			ranks := same(3)
			ranks[i], ranks[5], ranks[6], ranks[7], ranks[8] = 9, 1, 1, 1, 1
			f.add(model, 0, .1, .1, ranks, func(r *record.Record) {
				r.Result.Spec.Dataset.Name, r.Result.Spec.Dataset.Fingerprint = "generated", fmt.Sprintf("%x", "generated")
			})
		}
		var out []float64
		for _, r := range f.make().Tables[0].Rows {
			if r.Reference && (r.Removed.Test != nil || r.Removed.Metrics[Tested].Gain != nil) {
				t.Errorf("%s is compared with the baseline: %+v", r.Label, r.Removed)
			}
			if r.Removed.Test != nil {
				out = append(out, r.Removed.Test.PHolm)
			}
		}
		return out
	}
	if with, without := p(true), p(false); len(with) != 2 || !slices.Equal(with, without) || with[0] == 1 {
		t.Errorf("p-values %v, and without references %v", with, without)
	}
}

// Where items repeat and seen items are removed, the oracle's ranking is not the best one.
func TestNoShareWhereItemsRepeat(t *testing.T) {
	f := newFixture(t)
	for i, model := range []string{"oracle", "sasrec"} {
		f.add(model, 0, float64(i)/10, .5, same(3), func(r *record.Record) {
			r.Result.Spec.Dataset.Config = record.Settings{"format": json.RawMessage(`"facets"`), "world": json.RawMessage(`{"repeats": true}`)}
		})
	}
	r := f.make().Tables[0].Rows[1]
	if r.Removed.OfOracle != nil || r.Kept.OfOracle == nil {
		t.Errorf("removed %+v, kept %+v", r.Removed.OfOracle, r.Kept.OfOracle)
	}
}

// An oracle that finds nothing is no measure.
func TestShareOfAnOracleThatFindsNothing(t *testing.T) {
	f := newFixture(t)
	f.world("generated", "oracle", 0, 0)
	f.world("generated", "sasrec", 0, 0)
	if got := f.make().Tables[0].Rows[1].Removed.OfOracle; got != nil {
		t.Errorf("%+v", got)
	}
}

// shares of the oracle's NDCG@10 in percent: data set, experts (1, 2, 4, 8), seed.
var shares = [][][]float64{
	{{71.2, 70.5, 71.9}, {70.1, 69.4, 70.8}, {68.9, 69.9, 69.0}, {67.5, 68.8, 68.0}},
	{{62.0, 61.1, 62.9}, {63.4, 64.1, 63.0}, {62.8, 63.9, 62.2}, {61.5, 62.6, 61.0}},
	{{50.3, 49.6, 51.2}, {52.2, 51.5, 53.1}, {54.9, 53.8, 54.4}, {55.6, 54.7, 56.3}},
}

// grid has records of shares, for which the oracle's NDCG@10 is .5, .4 and .8; without it,
// the same values are NDCG@10 in percent.
func grid(t *testing.T, oracle bool, change func(data, experts int, values []float64) []float64) *fixture {
	f := newFixture(t)
	f.Axes, f.Interaction = []string{"fame.experts"}, "fame.experts"
	for i, best := range []float64{.5, .4, .8} {
		data := fmt.Sprintf("preferred-%d", 1<<i)
		if oracle {
			f.world(data, "oracle", 0, best)
		} else {
			best = 1
		}
		for _, k := range []int{2, 0, 1, 3} { // in no order
			var tests []float64
			for _, share := range shares[i][k] {
				tests = append(tests, share/100*best)
			}
			if change != nil {
				tests = change(i, 1<<k, tests)
			}
			f.world(data, "fame", 1<<k, tests...)
		}
	}
	return f
}

// The analysis of variance of the shares' logarithms was calculated in Python, with SciPy's distribution
// of F; its sums for the shares themselves are those of statsmodels in TestAnalyseTwoWay of package stats.
// By hand, the best numbers of experts are 1, 2 and 8 for the means. For the seeds they are
// 1, 1, 1, then 2, 2, 2 (64.1 over 63.9, 63.0 over 62.9), then 8, 8, 8.
func TestInteraction(t *testing.T) {
	s := grid(t, true, nil).make()
	if len(s.Interactions) != 2 {
		t.Fatalf("%+v", s.Interactions)
	}
	for i, rule := range SeenItemRules {
		in := s.Interactions[i]
		if in.Rule != rule || in.Model != "fame" || in.Axis != "fame.experts" || !in.OfOracle || in.Seeds != 3 || in.Untested != "" || fmt.Sprint(in.Places) != "[1 2 4 8]" {
			t.Errorf("%+v", in)
		}
		for k, want := range []Variation{
			{"data set", 2, 0.44857381114432116, 1494.1603495938618, 6.542148949135848e-26},
			{"fame.experts", 3, 0.002294596275341527, 5.0954004116511795, 0.007181060233147636},
			{"interaction", 6, 0.019335548804350622, 21.468343777060653, 1.4989371044916164e-08},
			{"seeds", 24, 0.0036026158338327034, 0, 0},
		} {
			got := in.Sources[k]
			if got.Source != want.Source || got.DF != want.DF || math.Abs(got.SS-want.SS) > 1e-9*want.SS || math.Abs(got.F-want.F) > 1e-9*want.F || math.Abs(got.P-want.P) > 1e-9*want.P {
				t.Errorf("seen items %s: %+v, expected %+v", rule, got, want)
			}
		}
		for k, want := range []struct {
			data            string
			best, low, high any
		}{{"preferred-1", 1., 1., 1.}, {"preferred-2", 2., 2., 2.}, {"preferred-4", 8., 8., 8.}} {
			row := in.Rows[k]
			if row.Dataset != want.data || row.Best != want.best || row.Low != want.low || row.High != want.high {
				t.Errorf("%+v, expected %+v", row, want)
			}
			if c, mean := row.Cells[3], (shares[k][3][0]+shares[k][3][1]+shares[k][3][2])/3; math.Abs(c.Mean-mean) > 1e-9 || c.N != 3 {
				t.Errorf("%s with 8 experts: %+v, expected a mean of %v", row.Dataset, c, mean)
			}
		}
	}
	// The standard deviation of the logarithms within the cells of the first data set, from Python, in percent.
	if got, want := s.Interactions[0].Rows[0].Within, .9378966587082883; math.Abs(got-want) > 1e-9 || s.Interactions[0].Uneven {
		t.Errorf("within cells %v, expected %v; uneven: %v", got, want, s.Interactions[0].Uneven)
	}
	// Three times as much on one data set is uneven.
	uneven := grid(t, true, func(data, _ int, values []float64) []float64 {
		if data == 2 {
			mean := newCell(values).Mean
			for i := range values {
				values[i] = mean + 3*(values[i]-mean)
			}
		}
		return values
	}).make().Interactions[0]
	if !uneven.Uneven || uneven.Sources == nil {
		t.Errorf("%+v", uneven)
	}
	f := grid(t, true, nil)
	f.Interaction = ""
	if got := f.make().Interactions; got != nil {
		t.Errorf("a suite that does not ask: %+v", got)
	}
}

// Without an oracle, NDCG@10 is analysed. Its values are a hundredth of the shares, and its logarithms
// differ from theirs by a constant, so the analysis is the same.
func TestInteractionWithoutOracle(t *testing.T) {
	in := grid(t, false, nil).make().Interactions[0]
	if in.OfOracle || math.Abs(in.Sources[2].SS-0.019335548804350622) > 1e-12 || math.Abs(in.Sources[2].F-21.468343777060653) > 1e-8 {
		t.Errorf("%+v", in)
	}
}

// Each further place on the axis costs as many percent on every data set, whose levels differ: no
// interaction. Of the shares themselves, F would be 28.2 and p 1e-9 (Python).
func TestEqualRelativeEffectsAreNoInteraction(t *testing.T) {
	in := grid(t, true, func(data, experts int, values []float64) []float64 {
		effect := map[int]float64{1: 1, 2: .95, 4: .9, 8: .85}[experts]
		level := []float64{80, 50, 30}[data] / 100 * []float64{.5, .4, .8}[data] // a share of the oracle's
		return []float64{level * effect * .99, level * effect, level * effect * 1.01}
	}).make().Interactions[0]
	if got := in.Sources[2]; got.F > 1e-9 || got.P < .999 {
		t.Errorf("%+v", got)
	}
	if got := in.Sources[1]; math.Abs(got.F-440.2599779956397) > 1e-6 {
		t.Errorf("%+v", got)
	}
}

// Seeds can disagree about the best value, and then their best ones are an interval.
func TestInteractionInterval(t *testing.T) {
	f := grid(t, true, func(data, experts int, values []float64) []float64 {
		if data == 0 && experts == 4 {
			values[1] = .4 // 80 % for the second seed: 4 experts are best for it, and on average
		}
		return values
	})
	row := f.make().Interactions[0].Rows[0]
	if row.Best != 4. || row.Low != 1. || row.High != 4. {
		t.Errorf("%+v", row)
	}
}

// A difference between data sets could be one between versions of the code.
func TestInteractionOfSeveralVersions(t *testing.T) {
	f := grid(t, true, nil)
	for i, r := range f.Records {
		if r.Result.Spec.Dataset.Name == "preferred-4" && r.Result.Spec.Model == "fame" {
			spec := r.Result.Spec
			spec.Versions.Train = 2
			f.Records[i].Result.Spec, f.Planned[i].Spec = spec, spec
		}
	}
	if in := f.make().Interactions[0]; !strings.Contains(in.Untested, "several versions of the code") || in.Sources != nil {
		t.Errorf("%+v", in)
	}
}

// Nothing is tested where a test would mean something else, and the reason is kept.
func TestInteractionUntested(t *testing.T) {
	for name, c := range map[string]struct {
		change func(data, experts int, values []float64) []float64
		want   string
		best   any // of the last data set
	}{
		"one seed":              {func(_, _ int, v []float64) []float64 { return v[:1] }, "it takes at least two seeds that all cells have in common, and there are 1", 8.},
		"a cell with one seed":  {func(d, n int, v []float64) []float64 { return v[:3-2*(d/2)*(n/8)] }, "it takes at least two seeds that all cells have in common, and there are 1", 8.},
		"a missing cell":        {func(d, n int, v []float64) []float64 { return v[:3-3*(d/2)*(n/8)] }, "no record of fame with fame.experts = 8 on preferred-4", nil},
		"one data set":          {func(d, _ int, v []float64) []float64 { return v[:3*(d/2)] }, "there are records of one data set only", 8.},
		"one number of experts": {func(_, n int, v []float64) []float64 { return v[:3*(n/8)] }, "there are records of one place on the axis only", 8.},
		"nothing found":         {func(d, n int, v []float64) []float64 { v[0] *= float64(1 - (d/2)*(n/8)); return v }, "an NDCG@10 is 0, and logarithms are analysed", 4.},
		"equal seeds":           {func(_, _ int, v []float64) []float64 { return []float64{v[0], v[0]} }, "the results do not differ between seeds", 8.},
	} {
		in := grid(t, true, c.change).make().Interactions[0]
		if in.Untested != c.want || in.Sources != nil {
			t.Errorf("%s: %q, expected %q; %+v", name, in.Untested, c.want, in.Sources)
		}
		if got := in.Rows[len(in.Rows)-1].Best; got != c.best {
			t.Errorf("%s: the best of the last data set is %v, expected %v", name, got, c.best)
		}
	}
	f := grid(t, true, nil)
	f.add("fame", 0, .1, .3, same(3), func(r *record.Record) {
		*r = *f.Records[len(f.Records)-1]
		r.Result.Spec.Device = "cuda"
	})
	if got, want := f.make().Interactions[0].Untested, "fame has several rows with fame.experts = 8 on preferred-4, for instance of several devices"; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}

// Two of three seeds are enough, and only the common ones are analysed: without the last seed
// the residual has 12 degrees of freedom.
func TestInteractionOfCommonSeeds(t *testing.T) {
	in := grid(t, true, func(data, experts int, values []float64) []float64 {
		if data == 1 && experts == 2 {
			return values[:2]
		}
		return values
	}).make().Interactions[0]
	if in.Seeds != 2 || in.Sources[3].DF != 12 || in.Rows[1].Cells[1].N != 2 || in.Rows[0].Cells[0].N != 2 {
		t.Errorf("%+v", in)
	}
}

// What is best is best for the seeds that are analysed. With all of its seeds, one expert has the
// highest mean (.110); of the first two, which eight experts have, each is worse (.100 and .101
// against .105 and .106).
func TestInteractionBestOfCommonSeeds(t *testing.T) {
	f := newFixture(t)
	f.Axes, f.Interaction = []string{"fame.experts"}, "fame.experts"
	for _, data := range []string{"preferred-1", "preferred-2"} {
		f.world(data, "fame", 1, .100, .101, .130)
		f.world(data, "fame", 8, .105, .106)
	}
	in := f.make().Interactions[0]
	for _, row := range in.Rows {
		if row.Best != 8. || row.Low != 8. || row.High != 8. || row.Cells[0].N != 2 || math.Abs(row.Cells[0].Mean-.1005) > 1e-12 {
			t.Errorf("%+v", row)
		}
	}
	// Without a seed in common, cells have their own means, and nothing is best.
	f = newFixture(t)
	f.Axes, f.Interaction = []string{"fame.experts"}, "fame.experts"
	f.world("preferred-1", "fame", 1, .1, .3)
	row := f.make().Interactions[0].Rows[0]
	if row.Cells[0].N != 2 || math.Abs(row.Cells[0].Mean-.2) > 1e-12 {
		t.Errorf("%+v", row)
	}
}

// The values of an axis may be lists, which have no order but that of the axis.
func TestInteractionOfLists(t *testing.T) {
	f := newFixture(t)
	f.Axes, f.Interaction = []string{"pretrain.facets"}, "pretrain.facets"
	for i, data := range []string{"beauty", "toys"} {
		for k, facets := range []string{`["brand"]`, `["brand","category 1"]`} {
			for seed := range int64(2) {
				f.add("fame-plus", seed, .1, .1+float64(i+k)/100+float64(seed)/1000, same(3), func(r *record.Record) {
					r.Result.Spec.Dataset.Name, r.Result.Spec.Dataset.Fingerprint = data, fmt.Sprintf("%x", data)
					r.Result.Spec.Init = &record.Init{Settings: record.Settings{"facets": json.RawMessage(facets)}}
				})
			}
		}
	}
	in := f.make().Interactions[0]
	if fmt.Sprint(in.Places) != "[[brand] [brand category 1]]" || fmt.Sprint(in.Rows[0].Best, in.Rows[1].Low) != "[brand category 1] [brand category 1]" || in.Untested != "" {
		t.Errorf("%+v", in)
	}
}

// The key changes with what the suite asks, so that its summary is made again.
func TestInteractionKey(t *testing.T) {
	f := newFixture(t)
	f.add("fame", 0, .1, .2, same(3), nil)
	before := f.key()
	f.Interaction = "fame.experts"
	if f.key() == before {
		t.Error("the same key")
	}
}

// Where items repeat, a model can exceed the oracle with seen items removed: then NDCG@10 is
// analysed, and its share of the oracle's only with seen items kept.
func TestInteractionWhereItemsRepeat(t *testing.T) {
	f := newFixture(t)
	f.Axes, f.Interaction = []string{"fame.experts"}, "fame.experts"
	for _, data := range []string{"a", "b"} {
		f.world(data, "oracle", 0, .5)
		f.world(data, "fame", 1, .2, .25)
		f.world(data, "fame", 2, .3, .4)
	}
	for _, r := range f.Records {
		r.Result.Spec.Dataset.Config = record.Settings{"format": json.RawMessage(`"facets"`), "world": json.RawMessage(`{"repeats": true}`)}
	}
	got := f.make().Interactions
	removed, kept := got[0], got[1]
	if removed.OfOracle || !kept.OfOracle || removed.Untested != "" {
		t.Errorf("removed %+v, kept %+v", removed, kept)
	}
	near(t, "NDCG@10", removed.Rows[0].Cells[1].Mean, .35)
	near(t, "share of the oracle's", kept.Rows[0].Cells[1].Mean, 70)
}
