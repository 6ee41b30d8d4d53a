package rank

import (
	"math"
	"slices"
	"sort"
)

// topLists are the best items of a row under both rules.
type topLists struct{ kept, removed topList }

func newTopLists(k int) topLists { return topLists{newTopList(k), newTopList(k)} }

// top gives the best items of the row that w.rank has just ranked. The target is
// put in last, so that it comes behind all that do not score below it.
func (w *worker) top(scores []float32, target int32) (kept, removed []int32) {
	w.list(&w.best, scores, target)
	w.best.kept.add(target, scores[target])
	w.best.removed.add(target, scores[target])
	return slices.Clone(w.best.kept.items), slices.Clone(w.best.removed.items)
}

// list fills l from a row, item except (0 for none) left out. Equal scores go to
// the lower item id, and a NaN counts as the highest score, as it does against
// the target. It is a scan with a bound, the worst score that is in the list of
// unseen items: those are some of all items, so what does not pass their bound
// cannot be among the best of all either.
func (w *worker) list(l *topLists, scores []float32, except int32) {
	l.kept.clear()
	l.removed.clear()
	bound := l.removed.bound()
	for v := 1; v < len(scores); v++ {
		s := scores[v]
		if s <= bound || int32(v) == except {
			continue
		}
		if math.IsNaN(float64(s)) {
			s = float32(math.Inf(1))
		}
		l.kept.add(int32(v), s)
		if w.seenIn[v] != w.row {
			l.removed.add(int32(v), s)
			bound = l.removed.bound()
		}
	}
}

// Top returns the k items with the highest scores of a row, best first, without padding
// and the items seen. Equal scores go to the lower item id, and a NaN counts as the
// highest score, as in Evaluate.
func Top(scores []float32, seen []int32, k int) []int32 {
	l := newTopList(k)
	for v := 1; v < len(scores); v++ {
		s := scores[v]
		if s <= l.bound() || slices.Contains(seen, int32(v)) {
			continue
		}
		if math.IsNaN(float64(s)) {
			s = float32(math.Inf(1))
		}
		l.add(int32(v), s)
	}
	return l.items
}

// topList holds the k best items of those added so far, best first.
type topList struct {
	k      int
	items  []int32
	scores []float32 // of the items
}

func newTopList(k int) topList {
	return topList{k: k, items: make([]int32, 0, k), scores: make([]float32, 0, k)}
}

func (l *topList) clear() { l.items, l.scores = l.items[:0], l.scores[:0] }

// bound gives the score that another item must exceed to get into the list: NaN,
// which nothing is at or below, until the list is full.
func (l *topList) bound() float32 {
	if len(l.items) < l.k {
		return float32(math.NaN())
	}
	return l.scores[l.k-1]
}

// add puts item v where it belongs: behind those of the same score that are there.
func (l *topList) add(v int32, s float32) {
	if s <= l.bound() {
		return
	}
	if len(l.items) < l.k {
		l.items, l.scores = append(l.items, 0), append(l.scores, 0)
	}
	last := len(l.items) - 1 // the new place, or that of the item that drops out
	i := sort.Search(last, func(i int) bool { return l.scores[i] < s })
	copy(l.items[i+1:], l.items[i:last])
	copy(l.scores[i+1:], l.scores[i:last])
	l.items[i], l.scores[i] = v, s
}
