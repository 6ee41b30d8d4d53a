package analysis

import (
	"math"
	"testing"
)

func TestSummarise(t *testing.T) {
	run := func(dataset, model string, entropy float64, holm float64) *Analysis {
		return &Analysis{Dataset: dataset, Model: model, GateEntropy: entropy,
			Heads: []Head{
				{Gate: &Distribution{}, Chosen: .75, RouterEntropy: entropy, Dead: 1, Experts: []Expert{{Load: 1 - entropy}, {Load: entropy}}},
				{Gate: &Distribution{}, Chosen: .25, RouterEntropy: 1, Dead: 1, Experts: []Expert{{Load: .5}, {Load: .5}}},
			},
			Overlap: [][]float64{{1, entropy}, {entropy, 1}},
			Facets:  []Facet{{Name: "brand", MutualInformation: Tested{Value: .5, Control: entropy, Holm: holm}}},
		}
	}
	concat := &Analysis{Dataset: "d", Model: "fame-concat", Heads: []Head{{Experts: []Expert{{Load: 1}}}}}
	eight := run("d", "fame", 0, 1)
	eight.At = "fame.heads = 8"
	got := Summarise([]*Analysis{run("d", "fame", .9, .04), concat, run("d", "fame", .7, .05), run("e", "fame", .5, .01), eight})
	if len(got) != 4 || got[3].At != eight.At || got[0].Dataset+got[1].Model+got[2].Dataset != "dfame-concate" || got[0].Seeds != 2 || got[2].Seeds != 1 {
		t.Fatalf("%+v", got)
	}
	s := got[0]
	for what, c := range map[string][2]float64{
		"gate entropy": {s.GateEntropy, .8}, "most chosen": {s.MostChosen, .75}, "router entropy": {s.RouterEntropy, .9}, "least load": {s.LeastLoad, .2},
		"most load": {s.MostLoad, .8}, "dead": {s.Dead, 2}, "overlap": {s.Overlap, .8}, "excess": {s.Facets[0].Excess, -.3}, "significant": {float64(s.Facets[0].Significant), 1},
	} {
		equal(t, what, c[0], c[1])
	}
	for what, x := range map[string]float64{"gate entropy": got[1].GateEntropy, "most chosen": got[1].MostChosen, "router entropy": got[1].RouterEntropy, "overlap": got[1].Overlap} {
		if !math.IsNaN(x) {
			t.Errorf("%s of fame-concat with one expert: %v, want none", what, x)
		}
	}
}

// What a head's experts and its list have in common with others, by hand.
func TestNewDigest(t *testing.T) {
	a := &Analysis{Heads: []Head{{Experts: []Expert{{Load: .5}, {Load: .2}, {Load: .3}}}, {Experts: []Expert{{Load: 1}}}, {Experts: []Expert{{Load: .4}, {Load: .6}}}},
		Overlap: [][]float64{{1, .1, .3}, {.1, 1, .5}, {.3, .5, 1}}}
	d := NewDigest([]*Analysis{a})
	if len(d.Runs) != 1 || d.Runs[0].Analysis != a || d.Summaries != nil {
		t.Fatalf("%+v", d)
	}
	for h, want := range []Spread{{.2, .5, .2, .3}, {1, 1, .3, .5}, {.4, .6, .4, .5}} {
		got := d.Runs[0].Spread[h]
		equal(t, "least load", got.LeastLoad, want.LeastLoad)
		equal(t, "most load", got.MostLoad, want.MostLoad)
		equal(t, "mean overlap", got.MeanOverlap, want.MeanOverlap)
		equal(t, "most overlap", got.MostOverlap, want.MostOverlap)
	}
	concat := &Analysis{Model: "fame-concat", Heads: []Head{{Experts: []Expert{{Load: 1}}}}}
	d = NewDigest([]*Analysis{a, concat})
	if got := d.Runs[1].Spread[0]; !math.IsNaN(got.MeanOverlap) || !math.IsNaN(got.MostOverlap) {
		t.Errorf("overlap of a head without lists: %+v", got)
	}
	if len(d.Summaries) != 2 {
		t.Errorf("%d summaries, expected 2", len(d.Summaries))
	}
}
