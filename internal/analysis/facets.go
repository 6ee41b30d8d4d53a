package analysis

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"famebench/datasets"
)

// Facet says what the heads' lists have to do with one facet of the items.
type Facet struct {
	Name   string `json:"name"`
	Labels int    `json:"labels"`
	// MutualInformation is what knowing the head tells about the label of an item in
	// a top list, in bits: 0 when all heads recommend the same kinds of items.
	MutualInformation Tested  `json:"mutual_information"`
	Heads             []Taste `json:"heads"`
}

// Taste is what one head prefers.
type Taste struct {
	// Divergence is Kullback and Leibler's of the labels in the head's lists from
	// those in all heads' lists, in bits. Weighted by the heads' shares they add up to
	// the mutual information.
	Divergence Tested   `json:"divergence"`
	Prefers    []Prefer `json:"prefers"` // the labels most over-represented
}

// Prefer is a label that a head recommends more than all heads together do.
type Prefer struct {
	Label string  `json:"label"`
	Share float64 `json:"share"` // of the head's items that have a label
	All   float64 `json:"all"`   // of all heads'
}

// Tested is a number beside what it is by chance: with the labels dealt to the
// items at random. Heads that each like items of their own, whatever these are,
// tell something about any labels; only what exceeds that is about the facet.
type Tested struct {
	Value   float64 `json:"value"`
	Control float64 `json:"control"` // mean over the shuffles
	P       float64 `json:"p"`       // share of shuffles that reach the value, itself counted
}

// specialisation tests whether the heads' lists differ in one facet.
func specialisation(f datasets.Facet, lists [][][]int32, H int) Facet {
	out := Facet{Name: f.Name, Labels: len(f.Values), Heads: make([]Taste, H)}
	counts := count(f, lists, H)
	info, divergence := information(counts)
	reached, reachedBy := 1, make([]int, H)
	controlBy := make([]float64, H)
	r := rand.New(rand.NewPCG(99, uint64(H)))
	for range shuffles {
		i, d := information(count(deal(f, r), lists, H))
		out.MutualInformation.Control += i / shuffles
		if i >= info {
			reached++
		}
		for h := range H {
			controlBy[h] += d[h] / shuffles
			if d[h] >= divergence[h] {
				reachedBy[h]++
			}
		}
	}
	out.MutualInformation.Value, out.MutualInformation.P = info, float64(reached)/(shuffles+1)
	for h := range H {
		out.Heads[h].Divergence = Tested{divergence[h], controlBy[h], float64(1+reachedBy[h]) / (shuffles + 1)}
		out.Heads[h].Prefers = prefers(f, counts, h)
	}
	return out
}

// deal gives the labels of the items that have any to these items at random.
func deal(f datasets.Facet, r *rand.Rand) datasets.Facet {
	var items []int
	for v, labels := range f.Labels {
		if len(labels) > 0 {
			items = append(items, v)
		}
	}
	out := f
	out.Labels = slices.Clone(f.Labels)
	for i, j := range r.Perm(len(items)) {
		out.Labels[items[i]] = f.Labels[items[j]]
	}
	return out
}

// count adds up the labels in each head's lists: [head][label]. An item counts 1,
// spread over its labels.
func count(f datasets.Facet, lists [][][]int32, H int) [][]float64 {
	counts := make([][]float64, H)
	for h := range counts {
		counts[h] = make([]float64, len(f.Values))
	}
	for _, user := range lists {
		for h, list := range user {
			for _, v := range list {
				labels := f.Labels[v]
				for _, l := range labels {
					counts[h][l] += 1 / float64(len(labels))
				}
			}
		}
	}
	return counts
}

// information is the mutual information of head and label, and the divergence of
// each head's labels from all heads', in bits.
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

// prefers are the three labels that add the most to a head's divergence.
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
