package rank

import (
	"math"
	"slices"
	"sort"

	"famebench/datasets"
)

// topLists are the best items of a row under both rules.
type topLists struct{ kept, removed topList }

func newTopLists(k int) topLists { return topLists{newTopList(k), newTopList(k)} }

// top gives the best items of c's row. The target is put in last, so that it comes behind
// all that do not score below it.
func (w *worker) top(scores []float32, c datasets.Case) (kept, removed []int32) {
	w.list(&w.best, scores, c, c.Target)
	w.best.kept.add(c.Target, scores[c.Target])
	w.best.removed.add(c.Target, scores[c.Target])
	return slices.Clone(w.best.kept.items), slices.Clone(w.best.removed.items)
}

// list fills l from c's row, whose seen items w.seenIn has; item except (0 for none) is left
// out. Equal scores go to the lower item id, and a NaN counts as the highest score, as it
// does against the target.
//
// Few items are looked at: those that are not below a bound which enough items reach. If
// so many of these are seen that the list of unseen ones is not full, all are looked at.
func (w *worker) list(l *topLists, scores []float32, c datasets.Case, except int32) {
	enough := l.kept.k + 1 + min(len(c.History), 16) // 1 for except
	if !w.fill(l, scores, w.candidates.above(scores, enough), except) {
		w.fill(l, scores, w.candidates.above(scores, len(scores)), except)
	}
}

// fill fills l from the given items and reports whether both lists are full.
func (w *worker) fill(l *topLists, scores []float32, items []int32, except int32) bool {
	l.kept.clear()
	l.removed.clear()
	for _, v := range items {
		if v == except {
			continue
		}
		s := scores[v]
		if math.IsNaN(float64(s)) {
			s = float32(math.Inf(1))
		}
		l.kept.add(v, s)
		if w.seenIn[v] != w.row {
			l.removed.add(v, s)
		}
	}
	return len(l.kept.items) == l.kept.k && len(l.removed.items) == l.removed.k
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
