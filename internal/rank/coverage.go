package rank

import "math"

// topK is the length of the lists that Coverage@10 looks at.
const topK = 10

// coverageName is the metric that Options.Coverage adds: the share of all items
// that stand in at least one user's top 10.
const coverageName = "Coverage@10"

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

// addTop adds one row's ten best items under both rules. Equal scores go to the
// lower item id, and a NaN counts as the highest score, as it does against the
// target. It is a scan with a bound, the tenth best score so far among the
// unseen items: those are some of all items, so what does not pass their bound
// cannot be among the ten best of all either.
func (w *worker) addTop(scores []float32) {
	var kept, removed topList
	bound := removed.bound()
	for v := 1; v < len(scores); v++ {
		s := scores[v]
		if s <= bound {
			continue
		}
		if math.IsNaN(float64(s)) {
			s = float32(math.Inf(1))
		}
		kept.add(int32(v), s)
		if w.seenIn[v] != w.row {
			removed.add(int32(v), s)
			bound = removed.bound()
		}
	}
	for _, v := range kept.items[:kept.n] {
		w.topKept[v] = true
	}
	for _, v := range removed.items[:removed.n] {
		w.topRemoved[v] = true
	}
}

// topList holds the best items of those added so far, best first.
type topList struct {
	n      int
	items  [topK]int32
	scores [topK]float32
}

// bound gives the score that an item with a higher id must exceed to get into
// the list: NaN, which nothing is at or below, until the list is full.
func (l *topList) bound() float32 {
	if l.n < topK {
		return float32(math.NaN())
	}
	return l.scores[topK-1]
}

// add puts item v where it belongs. Items come in the order of their ids, so an
// equal score goes behind those that are there.
func (l *topList) add(v int32, s float32) {
	if s <= l.bound() {
		return
	}
	if l.n < topK {
		l.n++
	}
	i := l.n - 1
	for ; i > 0 && s > l.scores[i-1]; i-- {
		l.items[i], l.scores[i] = l.items[i-1], l.scores[i-1]
	}
	l.items[i], l.scores[i] = v, s
}
