// Package rank measures a recommender by full ranking: for every user the
// held-out item is ranked among all items, none sampled, and the ranks are
// averaged to HR, NDCG and MRR.
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
// are not below are counted, and the seen ones are subtracted.
package rank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"famebench/datasets"
)

// Version is raised by hand when a change here moves a rank or a metric. It is
// part of every run's id.
const Version = 1

// Scorer scores all items for a block of cases.
type Scorer interface {
	// Scores returns len(cases) rows of numItems+1 scores, row-major: the score
	// of item v after case i is at i*(numItems+1)+v. Column 0 (padding) is
	// ignored. The slice is valid until the next call, and the caller may
	// overwrite it.
	Scores(cases []datasets.Case) ([]float32, error)
}

// Options says how Evaluate works; none of them changes a rank or a metric.
type Options struct {
	Threads  int                   // goroutines that count; 0 means GOMAXPROCS
	Coverage bool                  // also Coverage@10, which costs a second pass over the scores
	Top      int                   // also the lists of so many best items, which cost another; 0 for none
	Block    int                   // cases per call of Scores; 0 means 256
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
}

// bucketLen is the longest input of the models here: longer histories cost a
// Scorer no more than this.
const bucketLen = 50

// Evaluate ranks the target of every case among the items 1…numItems. The cases
// go to s in blocks of similar history length, so that models pad little; the
// ranks come back in the order of cases. s is called from the caller's
// goroutine only. An item outside 1…numItems, a target whose score is NaN or
// infinite, a failing Scorer and a cancelled ctx are errors; the first two name
// the case by its index. A 0 in a history is padding and is passed over.
func Evaluate(ctx context.Context, s Scorer, cases []datasets.Case, numItems int, o Options) (*Result, error) {
	if err := check(cases, numItems); err != nil {
		return nil, err
	}
	if o.Threads < 0 || o.Block < 0 || o.Top < 0 {
		return nil, fmt.Errorf("rank: %d threads, blocks of %d cases and lists of %d, expected 0 (default) or more", o.Threads, o.Block, o.Top)
	}
	o.Top = min(o.Top, numItems)
	workers := make([]*worker, cmp.Or(o.Threads, runtime.GOMAXPROCS(0)))
	for i := range workers {
		workers[i] = newWorker(numItems, o)
	}
	r := &Result{RanksKept: make([]int32, len(cases)), RanksRemoved: make([]int32, len(cases))}
	if o.Top > 0 {
		r.TopKept, r.TopRemoved = make([][]int32, len(cases)), make([][]int32, len(cases))
	}
	var block []datasets.Case
	done := 0
	for indices := range slices.Chunk(byLength(cases), cmp.Or(o.Block, 256)) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rank: stopped after %d of %d cases: %w", done, len(cases), err)
		}
		block = block[:0]
		for _, i := range indices {
			block = append(block, cases[i])
		}
		scores, err := s.Scores(block)
		if err != nil {
			return nil, fmt.Errorf("rank: scores of %d cases: %w", len(block), err)
		}
		if want := len(block) * (numItems + 1); len(scores) != want {
			return nil, fmt.Errorf("rank: the scorer gave %d scores for %d cases, expected %d: one for each of %d items and padding", len(scores), len(block), want, numItems)
		}
		if err := rankBlock(workers, block, indices, scores, r); err != nil {
			return nil, err
		}
		done += len(block)
		if o.Progress != nil {
			o.Progress(done, len(cases))
		}
	}
	r.Kept, r.Removed = averages(r.RanksKept), averages(r.RanksRemoved)
	if o.Coverage {
		kept, removed := newItemSet(numItems), newItemSet(numItems)
		for _, w := range workers {
			kept.union(w.topKept)
			removed.union(w.topRemoved)
		}
		r.Kept[coverageName], r.Removed[coverageName] = kept.share(), removed.share()
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

// rankBlock splits the rows of one block over the workers and puts each rank and
// list at its case's index.
func rankBlock(workers []*worker, block []datasets.Case, indices []int, scores []float32, r *Result) error {
	width := len(scores) / len(block)
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for w, worker := range workers {
		first, last := w*len(block)/len(workers), (w+1)*len(block)/len(workers)
		wg.Go(func() {
			for b := first; b < last; b++ {
				i, row := indices[b], scores[b*width:(b+1)*width]
				kept, removed, err := worker.rank(row, block[b])
				if err != nil {
					errs[w] = fmt.Errorf("rank: case %d (user %d): %w", i, block[b].User, err)
					return
				}
				r.RanksKept[i], r.RanksRemoved[i] = kept, removed
				if r.TopKept != nil {
					r.TopKept[i], r.TopRemoved[i] = worker.top(row, block[b].Target)
				}
			}
		})
	}
	wg.Wait()
	// The workers hold the rows in order, so this is the block's first error
	// whatever their number.
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// worker is what one goroutine needs to rank rows.
type worker struct {
	// seenIn[v] == row says that item v is in the history of the row at hand: a
	// set that is emptied by counting row up.
	seenIn []int64
	row    int64

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

// rank gives the rank of c's target under both rules. scores holds one row,
// indexed by item.
func (w *worker) rank(scores []float32, c datasets.Case) (kept, removed int32, err error) {
	target := scores[c.Target]
	if math.IsNaN(float64(target)) || math.IsInf(float64(target), 0) {
		return 0, 0, fmt.Errorf("the target, item %d, has score %v: the model has diverged", c.Target, target)
	}
	// The target is not below itself: it is the 1 of 1 + the others.
	kept = int32(countNotBelow(scores[1:], target))
	removed = kept
	w.row++
	for _, v := range c.History {
		if v == 0 || v == c.Target || w.seenIn[v] == w.row {
			continue
		}
		w.seenIn[v] = w.row
		if !(scores[v] < target) {
			removed--
		}
	}
	if w.topKept != nil {
		w.addTop(scores)
	}
	return kept, removed, nil
}

// countNotBelow counts the scores that are not below t: higher, equal or NaN.
// This is where evaluation spends its time; the compiler makes the loop
// branch-free.
func countNotBelow(row []float32, t float32) int {
	n := 0
	for _, s := range row {
		if !(s < t) {
			n++
		}
	}
	return n
}
