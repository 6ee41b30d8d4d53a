package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// matchLists measures what each head's lists say about each facet, and matches heads with
// facets. lists are [head][case], labels [facet][item]. It returns the facet of each head,
// -1 for none, and what the lists say about shuffled labels: [shuffle][head·F + facet].
func (t *Truth) matchLists(lists [][][]int32, labels [][]int32) (match []int, shuffled [][]float64) {
	F := len(labels)
	values := t.informations(lists, labels)
	shuffled = make([][]float64, truthShuffles)
	items := make([]int, len(labels[0])-1) // an item keeps its labels together
	for i := range items {
		items[i] = i + 1
	}
	dealt := make([][]int32, F)
	for f := range dealt {
		dealt[f] = slices.Clone(labels[f])
	}
	r := rand.New(rand.NewPCG(truthShuffles, 1))
	for i := range shuffled {
		r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		for f := range dealt {
			for v, from := range items {
				dealt[f][v+1] = labels[f][from]
			}
		}
		shuffled[i] = t.informations(lists, dealt)
	}
	comparisons := compare(values, shuffled)
	best := func(values []float64) (match []int, mean float64) {
		excess := make([]float64, len(values))
		for i, v := range values {
			excess[i] = v - comparisons[i].Control
		}
		match = bestMatch(rows(excess, F))
		return match, meanOfPairs(rows(values, F), match)
	}
	match, mean := best(values)
	byChance := make([][]float64, truthShuffles)
	for i := range shuffled {
		_, x := best(shuffled[i])
		byChance[i] = []float64{x}
	}
	t.Lists = compare([]float64{mean}, byChance)[0]
	for h, f := range match {
		head := &t.Heads[h]
		for _, c := range comparisons[h*F : (h+1)*F] {
			head.Excess = append(head.Excess, c.Excess())
		}
		if f >= 0 {
			head.Facet, head.List = t.Facets[f], &comparisons[h*F+f]
		}
	}
	return match, shuffled
}

// compareHeads measures whether different heads know different facets. There are two ways in
// which they may not. All heads may know all facets equally well: then the heads of a user can
// change places. Or they differ in something else than facets, such as which popular items each
// lists, and so in the labels that they happen to list: then the items' labels can be shuffled.
// The stricter of the two comparisons counts. users are those of the cases, and several cases of a
// user keep the same heads, since they are not independent of each other. ofShuffled is what
// matchLists returns.
func (t *Truth) compareHeads(lists [][][]int32, users []int32, labels [][]int32, ofShuffled [][]float64) {
	H, F := len(lists), len(labels)
	if H < 2 || F < 2 {
		return
	}
	measure := func(informations []float64) []float64 {
		x := interaction(rows(informations, F))
		return []float64{meanOfPairs(x, bestMatch(x))}
	}
	dealt := make([][][]int32, H)
	for h := range dealt {
		dealt[h] = slices.Clone(lists[h])
	}
	var exchanged, ofLabels [][]float64
	r := rand.New(rand.NewPCG(truthShuffles, 2))
	for _, informations := range ofShuffled {
		for first, last := 0, 0; first < len(users); first = last {
			for last = first; last < len(users) && users[last] == users[first]; last++ {
			}
			r.Shuffle(H, func(i, j int) {
				for u := first; u < last; u++ {
					dealt[i][u], dealt[j][u] = dealt[j][u], dealt[i][u]
				}
			})
		}
		exchanged, ofLabels = append(exchanged, measure(t.informations(dealt, labels))), append(ofLabels, measure(informations))
	}
	value := measure(t.informations(lists, labels))
	c, other := compare(value, exchanged)[0], compare(value, ofLabels)[0]
	p := max(c.P, other.P)
	if other.Control > c.Control {
		c = other
	}
	c.P = p
	t.Specialised = &c
}

// informations returns what each head's lists say about each facet: [head·F + facet].
// Heads are counted at the same time, because this takes most of the time of an analysis.
func (t *Truth) informations(lists [][][]int32, labels [][]int32) []float64 {
	F := len(labels)
	out := make([]float64, len(lists)*F)
	var heads sync.WaitGroup
	for h := range lists {
		heads.Go(func() {
			for f := range labels {
				out[h*F+f] = listInformation(lists[h], labels[f], t.Labels)
			}
		})
	}
	heads.Wait()
	return out
}

// rows divides values into rows of n.
func rows(values []float64, n int) [][]float64 { return slices.Collect(slices.Chunk(values, n)) }

func meanOfPairs(values [][]float64, match []int) float64 {
	sum, pairs := 0.0, 0
	for h, f := range match {
		if f >= 0 {
			sum += values[h][f]
			pairs++
		}
	}
	return sum / float64(pairs)
}

// interaction subtracts from each value what is usual for its row and its column: the
// means of both, less the mean of all.
func interaction(values [][]float64) [][]float64 {
	H, F := float64(len(values)), float64(len(values[0]))
	byRow, byColumn, all := make([]float64, len(values)), make([]float64, len(values[0])), 0.0
	for h, row := range values {
		for f, x := range row {
			byRow[h] += x / F
			byColumn[f] += x / H
			all += x / (H * F)
		}
	}
	out := make([][]float64, len(values))
	for h, row := range values {
		for f, x := range row {
			out[h] = append(out[h], x-byRow[h]-byColumn[f]+all)
		}
	}
	return out
}

// listInformation returns the mutual information of list and label, in bits, for an item
// drawn from all lists. labels has the label of each item, below n.
func listInformation(lists [][]int32, labels []int32, n int) float64 {
	longest := 0
	for _, list := range lists {
		longest = max(longest, len(list))
	}
	// With counts n, Σ n/N log2(n·N / (n of the list · n of the label)). The sum of n log2 n
	// over the labels of a list is the sum of the steps by which it grows with each item, so
	// it is enough to count the steps.
	all, own := make([]int32, n), make([]int32, n)
	steps, lengths := make([]int, longest+1), make([]int, longest+1)
	for _, list := range lists {
		for _, v := range list {
			l := labels[v]
			all[l]++
			steps[own[l]]++ // a count grows by 1
			own[l]++
		}
		for _, v := range list {
			own[labels[v]] = 0
		}
		lengths[len(list)]++
	}
	xlogx := func(n int) float64 { return float64(n) * math.Log2(max(1, float64(n))) }
	sum, total := 0.0, 0
	for k, times := range steps {
		sum += float64(times) * (xlogx(k+1) - xlogx(k))
		sum -= float64(lengths[k]) * xlogx(k)
		total += lengths[k] * k
	}
	for _, n := range all {
		sum -= xlogx(int(n))
	}
	return (sum + xlogx(total)) / float64(max(1, total))
}
