// Package rank measures a recommender by full ranking: for every test case
// the held-out item is ranked among all items, none sampled, and the ranks are
// averaged over cases to HR, NDCG and MRR.
//
// Every case is ranked under both rules of the literature from one pass over
// its scores. Kept: all items are candidates, including those that the user has
// already seen (as in RecBole's sequential models). Removed: the items of the
// user's history are not candidates (S3-Rec, RecTools). The target is always a
// candidate, even if the user saw it before. Padding (item 0) never is.
//
// The rank is 1 + the number of other candidates whose score is not below the
// target's: ties count against the target, and so does a NaN, so that a model
// cannot gain by giving equal or broken scores. Nothing is sorted: the items that
// are not below are counted, and the seen ones are subtracted. A scorer hands out its
// scores some rows at a time, on the thread that has just computed them, so that they are
// counted while they are in that core's cache.
package rank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"famebench/datasets"
)

// Version is raised by hand when a change here moves a rank or a metric. It is
// part of every run's id.
const Version = 2

// Scorer scores all items for some cases.
type Scorer interface {
	// Score gives the scores of all cases to visit, each case once, any number of cases at a
	// time. It may call visit from several goroutines at the same time.
	Score(cases []datasets.Case, visit Visit) error
}

// Visit receives the scores of the cases from number first on: numItems+1 per case,
// row-major, so the score of item v after case first+i is at i*(numItems+1)+v. Column 0
// (padding) is ignored. Visit neither changes the scores nor keeps them.
type Visit func(first int, scores []float32)

// Options says how Evaluate works; none of them changes a rank or a metric.
type Options struct {
	Coverage bool                  // also Coverage@10, which costs a second pass over the scores
	Top      int                   // also the lists of so many best items, which cost another; 0 for none
	Block    int                   // cases per call of Score; 0 means 4,096
	Progress func(done, total int) // called after each block, in cases; nil for none
}

// Result holds the metrics and ranks under both rules.
type Result struct {
	Kept, Removed           Metrics
	RanksKept, RanksRemoved []int32 // from 1; by case, in the order of the cases given
	// TopKept and TopRemoved hold the Options.Top best candidates of each case, or all
	// if there are fewer, best first. A target comes after all items that do not score
	// below it, so its place in the list, if it is in it, is its rank. Other items with
	// equal scores are ordered by their ids; a NaN counts as the highest score.
	TopKept, TopRemoved [][]int32
	// TenKept and TenRemoved are the lists of which Options.Coverage counts the items: the ten
	// best candidates of each case, best first, equal scores in the order of the ids.
	TenKept, TenRemoved [][]int32
}

// bucketLen is the longest input of the models here: longer histories cost a
// Scorer no more than this.
const bucketLen = 50

// Evaluate ranks the target of every case among the items 1…numItems. The cases
// go to s in the order of their history lengths, so that models encode histories of
// similar length together; the ranks come back in the order of cases. s is called from
// the caller's goroutine only. An item outside 1…numItems, a target whose score is NaN or
// infinite, a failing Scorer and a cancelled ctx are errors; the first two name
// the case by its index. A 0 in a history is padding and is passed over.
func Evaluate(ctx context.Context, s Scorer, cases []datasets.Case, numItems int, o Options) (*Result, error) {
	if err := check(cases, numItems); err != nil {
		return nil, err
	}
	if o.Block < 0 || o.Top < 0 {
		return nil, fmt.Errorf("rank: blocks of %d cases and lists of %d, expected 0 (default) or more", o.Block, o.Top)
	}
	o.Top = min(o.Top, numItems)
	e := &evaluation{
		numItems: numItems, options: o,
		result: &Result{RanksKept: make([]int32, len(cases)), RanksRemoved: make([]int32, len(cases))},
	}
	if o.Top > 0 {
		e.result.TopKept, e.result.TopRemoved = make([][]int32, len(cases)), make([][]int32, len(cases))
	}
	if o.Coverage {
		e.result.TenKept, e.result.TenRemoved = make([][]int32, len(cases)), make([][]int32, len(cases))
	}
	done := 0
	for indices := range slices.Chunk(byLength(cases), cmp.Or(o.Block, 4096)) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rank: stopped after %d of %d cases: %w", done, len(cases), err)
		}
		if err := e.block(s, cases, indices); err != nil {
			return nil, err
		}
		done += len(indices)
		if o.Progress != nil {
			o.Progress(done, len(cases))
		}
	}
	r := e.result
	r.Kept, r.Removed = averages(r.RanksKept), averages(r.RanksRemoved)
	if o.Coverage {
		kept, removed := newItemSet(numItems), newItemSet(numItems)
		for _, w := range e.idle {
			kept.union(w.topKept)
			removed.union(w.topRemoved)
		}
		r.Kept[Coverage], r.Removed[Coverage] = kept.share(), removed.share()
	}
	return r, nil
}

// check makes sure that every item of the cases exists, so that no later loop
// has to.
func check(cases []datasets.Case, numItems int) error {
	if len(cases) == 0 {
		return errors.New("rank: no cases to rank")
	}
	if numItems < 1 {
		return fmt.Errorf("rank: %d items, expected 1 or more", numItems)
	}
	for i, c := range cases {
		if c.Target < 1 || int(c.Target) > numItems {
			return fmt.Errorf("rank: case %d (user %d): target is item %d, expected 1…%d", i, c.User, c.Target, numItems)
		}
		for _, v := range c.History {
			if v < 0 || int(v) > numItems {
				return fmt.Errorf("rank: case %d (user %d): history holds item %d, expected 1…%d", i, c.User, v, numItems)
			}
		}
	}
	return nil
}

// byLength gives the indices of the cases from short histories to long ones.
func byLength(cases []datasets.Case) []int {
	indices := make([]int, len(cases))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int {
		return cmp.Compare(min(len(cases[a].History), bucketLen), min(len(cases[b].History), bucketLen))
	})
	return indices
}

// evaluation is an Evaluate under way.
type evaluation struct {
	numItems int
	options  Options
	result   *Result

	mu      sync.Mutex
	idle    []*worker // all of them between blocks
	visited int       // cases of the block whose scores have come
	badAt   int       // place in the block of the first case with an error
	bad     error
}

// block ranks the cases of these indices.
func (e *evaluation) block(s Scorer, cases []datasets.Case, indices []int) error {
	block := make([]datasets.Case, len(indices))
	for b, i := range indices {
		block[b] = cases[i]
	}
	e.visited = 0
	err := s.Score(block, func(first int, scores []float32) {
		n := len(scores) / (e.numItems + 1)
		if n*(e.numItems+1) != len(scores) || n == 0 || first < 0 || first+n > len(block) {
			e.fail(0, fmt.Errorf("rank: the scorer gave %d scores from case %d of %d on, expected rows of %d: one for each of %d items and padding", len(scores), first, len(block), e.numItems+1, e.numItems))
			return
		}
		w := e.take()
		if at, err := w.rankRows(e.result, block[first:first+n], indices[first:first+n], scores); err != nil {
			e.fail(first+at, err)
		}
		e.release(w, n)
	})
	if err != nil {
		return fmt.Errorf("rank: scores of %d cases: %w", len(block), err)
	}
	if e.bad != nil {
		return e.bad
	}
	if e.visited != len(block) {
		return fmt.Errorf("rank: the scorer gave scores for %d cases, expected %d", e.visited, len(block))
	}
	return nil
}

// fail keeps the error of the first case that has one, whatever the order of the visits.
func (e *evaluation) fail(at int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bad == nil || at < e.badAt {
		e.badAt, e.bad = at, err
	}
}

// take gives the caller a worker of its own until it is released.
func (e *evaluation) take() *worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := len(e.idle) - 1; last >= 0 {
		w := e.idle[last]
		e.idle = e.idle[:last]
		return w
	}
	return newWorker(e.numItems, e.options)
}

// release takes a worker back that has ranked n cases.
func (e *evaluation) release(w *worker, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = append(e.idle, w)
	e.visited += n
}

// worker is what one goroutine needs to rank rows.
type worker struct {
	// seenIn[v] == row says that item v is in the history of the row at hand: a
	// set that is emptied by counting row up.
	seenIn []int64
	row    int64

	targets, counts []int32 // of the rows at hand

	candidates          candidates
	covering            topLists // of the row at hand, for coverage
	topKept, topRemoved itemSet  // items of all those lists so far; nil without coverage

	best topLists // of the row at hand, for Options.Top
}

func newWorker(numItems int, o Options) *worker {
	w := &worker{seenIn: make([]int64, numItems+1), best: newTopLists(o.Top)}
	if o.Coverage {
		w.covering = newTopLists(topK)
		w.topKept, w.topRemoved = newItemSet(numItems), newItemSet(numItems)
	}
	return w
}

// rankRows ranks the targets of some cases and puts ranks and lists at the cases' indices
// in r. An error comes with the number of its case.
func (w *worker) rankRows(r *Result, cases []datasets.Case, indices []int, scores []float32) (int, error) {
	n, width := len(cases), len(scores)/len(cases)
	w.targets, w.counts = w.targets[:0], slices.Grow(w.counts[:0], n)[:n]
	for _, c := range cases {
		w.targets = append(w.targets, c.Target)
	}
	countNotBelow(scores, w.targets, w.counts)
	for b, c := range cases {
		i, row := indices[b], scores[b*width:(b+1)*width]
		if t := float64(row[c.Target]); math.IsNaN(t) || math.IsInf(t, 0) {
			return b, fmt.Errorf("rank: case %d (user %d): the target, item %d, has score %v: the model has diverged", i, c.User, c.Target, t)
		}
		// The target is not below itself: it is the 1 of 1 + the others.
		r.RanksKept[i] = w.counts[b]
		r.RanksRemoved[i] = w.counts[b] - w.seenNotBelow(row, c)
		if w.topKept != nil {
			w.addTop(r, i, row, c)
		}
		if r.TopKept != nil {
			r.TopKept[i], r.TopRemoved[i] = w.top(row, c)
		}
	}
	return 0, nil
}

// seenNotBelow counts the items of the history, each once and the target left out, that do
// not score below the target.
func (w *worker) seenNotBelow(scores []float32, c datasets.Case) (n int32) {
	w.row++
	for _, v := range c.History {
		if v == 0 || v == c.Target || w.seenIn[v] == w.row {
			continue
		}
		w.seenIn[v] = w.row
		if !(scores[v] < scores[c.Target]) {
			n++
		}
	}
	return n
}
