package rank

import (
	"slices"

	"famebench/datasets"
)

// topK is the length of the lists that Coverage@10 looks at.
const topK = 10

// Coverage is the metric that Options.Coverage adds: the share of all items
// that are in at least one user's top 10.
const Coverage = "Coverage@10"

// itemSet holds for each item, by id, whether it is in the set.
type itemSet []bool

func newItemSet(numItems int) itemSet { return make(itemSet, numItems+1) }

func (s itemSet) union(t itemSet) {
	for v, in := range t {
		if in {
			s[v] = true
		}
	}
}

// share gives the size of the set over the number of items.
func (s itemSet) share() float64 {
	n := 0
	for _, in := range s {
		if in {
			n++
		}
	}
	return float64(n) / float64(len(s)-1)
}

// addTop adds the ten best items of the row of case number i, c, under both rules.
func (w *worker) addTop(r *Result, i int, scores []float32, c datasets.Case) {
	w.list(&w.covering, scores, c, 0)
	r.TenKept[i], r.TenRemoved[i] = slices.Clone(w.covering.kept.items), slices.Clone(w.covering.removed.items)
	for _, v := range w.covering.kept.items {
		w.topKept[v] = true
	}
	for _, v := range w.covering.removed.items {
		w.topRemoved[v] = true
	}
}
