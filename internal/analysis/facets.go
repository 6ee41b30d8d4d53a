package analysis

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"famebench/datasets"
	"famebench/internal/stats"
)

// Facet says how the heads' lists depend on one facet of the items.
type Facet struct {
	Name   string `json:"name"`
	Labels int    `json:"labels"`
	// Unnamed means that the data have ids of the labels and no names.
	Unnamed bool `json:"unnamed,omitempty"`
	// MutualInformation is that of the head and the label of an item in a top list,
	// in bits: 0 if all heads recommend the same kinds of items.
	MutualInformation Tested       `json:"mutual_information"`
	Heads             []Preference `json:"heads"`
}

// Preference is what one head prefers.
type Preference struct {
	// Divergence is the Kullback-Leibler divergence of the labels in the head's lists
	// from those in all heads' lists, in bits. Weighted by the heads' shares, the
	// divergences add up to the mutual information.
	Divergence Tested   `json:"divergence"`
	Prefers    []Prefer `json:"prefers"` // the labels most over-represented
}

// Prefer is a label that a head recommends more often than all heads together
// do.
type Prefer struct {
	Label string  `json:"label"`
	Share float64 `json:"share"` // of the head's items that have a label
	All   float64 `json:"all"`   // of all heads'
}

// Tested is a number next to its value by chance, with the labels shuffled over
// the items. Heads that prefer different items, whatever these are, say
// something about any labels; only the excess is about the facet.
type Tested struct {
	Value   float64 `json:"value"`
	Control float64 `json:"control"` // mean over the shuffles
	P       float64 `json:"p"`       // share of shuffles that reach the value, itself counted
	// Holm is P after Holm's correction for all tests of the analysis: every facet,
	// for all heads together and for each one.
	Holm float64 `json:"p_holm"`
}

// Excess is the part of the value that is beyond chance.
func (t Tested) Excess() float64 { return t.Value - t.Control }

// sameBits is the tolerance for the information of the same counts, added up in another
// order.
const sameBits = 1e-12

// shufflesFor is how many shuffles so many tests need. The least p is one of them, and Holm's
// correction multiplies it by the number of tests: it can then be .025.
func shufflesFor(tests int) int { return max(999, 40*tests-1) }

// specialisation tests whether the heads' lists differ in one facet. listed is how
// often each head lists each item: [head][item].
func specialisation(f datasets.Facet, listed [][]float64, shuffles int) Facet {
	H := len(listed)
	out := Facet{Name: f.Name, Labels: len(f.Values), Unnamed: !f.Named(), Heads: make([]Preference, H)}
	counts := count(listed, f.Labels, len(f.Values))
	info, divergence := information(counts)
	reached, reachedBy := 1, make([]int, H)
	controlBy := make([]float64, H)
	var items []int // that have a label
	for v, labels := range f.Labels {
		if len(labels) > 0 {
			items = append(items, v)
		}
	}
	dealt := slices.Clone(f.Labels)
	r := rand.New(rand.NewPCG(99, uint64(H)))
	for range shuffles {
		r.Shuffle(len(items), func(i, j int) {
			v, w := items[i], items[j]
			dealt[v], dealt[w] = dealt[w], dealt[v]
		})
		i, d := information(count(listed, dealt, len(f.Values)))
		out.MutualInformation.Control += i / float64(shuffles)
		if i >= info-sameBits {
			reached++
		}
		for h := range H {
			controlBy[h] += d[h] / float64(shuffles)
			if d[h] >= divergence[h]-sameBits {
				reachedBy[h]++
			}
		}
	}
	out.MutualInformation.Value, out.MutualInformation.P = info, float64(reached)/float64(shuffles+1)
	for h := range H {
		out.Heads[h].Divergence = Tested{Value: divergence[h], Control: controlBy[h], P: float64(1+reachedBy[h]) / float64(shuffles+1)}
		out.Heads[h].Prefers = prefers(f, counts, h)
	}
	return out
}

// correct fills in Holm of every test of the analysis.
func (a *Analysis) correct() error {
	var tests []*Tested
	for i := range a.Facets {
		f := &a.Facets[i]
		tests = append(tests, &f.MutualInformation)
		for h := range f.Heads {
			tests = append(tests, &f.Heads[h].Divergence)
		}
	}
	p := make([]float64, len(tests))
	for i, t := range tests {
		p[i] = t.P
	}
	adjusted, err := stats.Holm(p)
	for i, v := range adjusted {
		tests[i].Holm = v
	}
	return err
}

// itemCounts returns how often each of H heads lists each of n items:
// [head][item].
func itemCounts(lists [][][]int32, H, n int) [][]float64 {
	counts := make([][]float64, H)
	for h := range counts {
		counts[h] = make([]float64, n)
		for _, user := range lists {
			for _, v := range user[h] {
				counts[h][v]++
			}
		}
	}
	return counts
}

// count adds up the n labels of the items that each head lists: [head][label]. An
// item counts 1 each time, divided equally among its labels.
func count(listed [][]float64, labels [][]int32, n int) [][]float64 {
	counts := make([][]float64, len(listed))
	for h := range counts {
		counts[h] = make([]float64, n)
		for v, times := range listed[h] {
			if times > 0 {
				for _, l := range labels[v] {
					counts[h][l] += times / float64(len(labels[v]))
				}
			}
		}
	}
	return counts
}

// information returns the mutual information of head and label, and the
// divergence of each head's labels from all heads', in bits.
func information(counts [][]float64) (info float64, divergence []float64) {
	all, byHead := make([]float64, len(counts[0])), make([]float64, len(counts))
	var total float64
	for h, row := range counts {
		for l, n := range row {
			all[l] += n
			byHead[h] += n
			total += n
		}
	}
	divergence = make([]float64, len(counts))
	for h, row := range counts {
		for l, n := range row {
			if n > 0 {
				p := n / byHead[h]
				divergence[h] += p * math.Log2(p/(all[l]/total))
			}
		}
		if total > 0 {
			info += byHead[h] / total * divergence[h]
		}
	}
	return info, divergence
}

// prefers returns the three labels that add the most to a head's divergence.
func prefers(f datasets.Facet, counts [][]float64, h int) []Prefer {
	all := make([]float64, len(f.Values))
	var total, own float64
	for _, row := range counts {
		for l, n := range row {
			all[l] += n
			total += n
		}
	}
	for _, n := range counts[h] {
		own += n
	}
	out := []Prefer{}
	for l, n := range counts[h] {
		if share, rest := n/own, all[l]/total; n > 0 && share > rest {
			out = append(out, Prefer{f.Values[l], share, rest})
		}
	}
	gain := func(p Prefer) float64 { return p.Share * math.Log2(p.Share/p.All) }
	slices.SortStableFunc(out, func(a, b Prefer) int { return cmp.Compare(gain(b), gain(a)) })
	return out[:min(3, len(out))]
}
