package analysis

import (
	"math"
	"slices"

	"famebench/internal/stats"
)

// Digest is what tables show of analyses.
type Digest struct {
	Runs      []RunDigest
	Summaries []Summary // of all; none of a single analysis
}

// RunDigest is an analysis, with what is computed from it.
type RunDigest struct {
	*Analysis
	Spread []Spread // by head
}

// Spread is how a head's experts share the load, and how much its top list overlaps with
// those of the other heads: NaN without other heads or lists.
type Spread struct {
	LeastLoad, MostLoad      float64
	MeanOverlap, MostOverlap float64
}

// NewDigest computes what tables show of analyses.
func NewDigest(all []*Analysis) Digest {
	var d Digest
	for _, a := range all {
		run := RunDigest{Analysis: a}
		for h, head := range a.Heads {
			s := Spread{LeastLoad: 1, MeanOverlap: math.NaN(), MostOverlap: math.NaN()}
			for _, e := range head.Experts {
				s.LeastLoad, s.MostLoad = min(s.LeastLoad, e.Load), max(s.MostLoad, e.Load)
			}
			if a.Overlap != nil && len(a.Heads) > 1 {
				others := slices.Delete(slices.Clone(a.Overlap[h]), h, h+1)
				s.MeanOverlap, _ = stats.MeanSD(others)
				s.MostOverlap = slices.Max(others)
			}
			run.Spread = append(run.Spread, s)
		}
		d.Runs = append(d.Runs, run)
	}
	if len(all) > 1 {
		d.Summaries = Summarise(all)
	}
	return d
}

// Summary holds means over the seeds of a model on a data set. A value that the
// model does not have is NaN.
type Summary struct {
	Dataset, Model, At string
	Seeds              int
	GateEntropy        float64
	MostChosen         float64 // share of users of the head that is the highest for most of them
	RouterEntropy      float64 // mean over heads
	LeastLoad          float64 // of any expert of any head
	MostLoad           float64
	Dead               float64 // of all heads
	Overlap            float64 // mean over pairs of heads
	Facets             []FacetSummary
	Truth              *TruthSummary // of generated data
}

// FacetSummary is about all heads together and one facet.
type FacetSummary struct {
	Name        string
	Excess      float64 // bits beyond chance, mean over seeds
	Significant int     // seeds with p < .05 after Holm's correction
}

// Summarise returns a summary for each data set, model and place on the axes, in
// the order of the analyses.
func Summarise(all []*Analysis) []Summary {
	type key struct{ dataset, model, at string }
	groups := map[key][]*Analysis{}
	var order []key
	for _, a := range all {
		k := key{a.Dataset, a.Model, a.At}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], a)
	}
	var out []Summary
	for _, k := range order {
		out = append(out, summary(groups[k]))
	}
	return out
}

// summary summarises runs that differ in their seeds.
func summary(runs []*Analysis) Summary {
	first := runs[0]
	s := Summary{Dataset: first.Dataset, Model: first.Model, At: first.At, Seeds: len(runs)}
	n := float64(len(runs))
	for _, a := range runs {
		var chosen, router, dead float64
		least, most := 1., 0.
		for _, h := range a.Heads {
			chosen = max(chosen, h.Chosen)
			router += h.RouterEntropy / float64(len(a.Heads))
			dead += float64(h.Dead)
			for _, e := range h.Experts {
				least, most = min(least, e.Load), max(most, e.Load)
			}
		}
		gate := a.GateEntropy
		if a.Heads[0].Gate == nil {
			gate, chosen = math.NaN(), math.NaN()
		}
		if len(a.Heads[0].Experts) == 1 {
			router = math.NaN()
		}
		s.GateEntropy += gate / n
		s.MostChosen += chosen / n
		s.RouterEntropy += router / n
		s.LeastLoad += least / n
		s.MostLoad += most / n
		s.Dead += dead / n
		s.Overlap += meanOverlap(a.Overlap) / n
	}
	for i, f := range first.Facets { // the same for all runs of a data set
		x := FacetSummary{Name: f.Name}
		for _, a := range runs {
			mi := a.Facets[i].MutualInformation
			x.Excess += mi.Excess() / n
			if mi.Holm < .05 {
				x.Significant++
			}
		}
		s.Facets = append(s.Facets, x)
	}
	if first.Truth != nil { // then all runs have one, with the same parts
		s.Truth = summariseTruth(runs)
	}
	return s
}

// meanOverlap is the mean over pairs of heads, NaN if there is none.
func meanOverlap(overlap [][]float64) float64 {
	var sum, pairs float64
	for i, row := range overlap {
		for _, x := range row[:i] {
			sum += x
			pairs++
		}
	}
	return sum / pairs
}

// TruthSummary summarises the comparisons of several seeds.
type TruthSummary struct {
	Lists                     *ComparisonSummary
	Specialised, Gate, Router *ComparisonSummary // nil if the model does not have the part
	Known                     float64            // mean of GateTruth.Known
}

// ComparisonSummary summarises a comparison over seeds.
type ComparisonSummary struct {
	Constant           bool    // for every seed
	Mean, SD           float64 // of the excess
	Significant, Seeds int     // seeds with p < .05, and all
}

func summariseTruth(runs []*Analysis) *TruthSummary {
	t := &TruthSummary{Lists: summariseComparison(runs, func(t *Truth) *Comparison { return &t.Lists })}
	t.Gate = summariseComparison(runs, func(t *Truth) *Comparison {
		if t.Gate == nil {
			return nil
		}
		return &t.Gate.Comparison
	})
	t.Specialised = summariseComparison(runs, func(t *Truth) *Comparison { return t.Specialised })
	t.Router = summariseComparison(runs, func(t *Truth) *Comparison { return t.Router })
	if t.Gate != nil {
		for _, a := range runs {
			t.Known += a.Truth.Gate.Known / float64(len(runs))
		}
	}
	return t
}

// summariseComparison summarises one part of the truth, nil if the model does not have it.
func summariseComparison(runs []*Analysis, part func(*Truth) *Comparison) *ComparisonSummary {
	s := &ComparisonSummary{Constant: true, Seeds: len(runs)}
	var excess []float64
	for _, a := range runs {
		c := part(a.Truth)
		if c == nil {
			return nil
		}
		s.Constant = s.Constant && c.Constant
		excess = append(excess, c.Excess())
		if c.P < .05 {
			s.Significant++
		}
	}
	s.Mean, s.SD = stats.MeanSD(excess)
	return s
}
