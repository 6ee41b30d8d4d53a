package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
)

// turns says which run is next: the first one that is not begun and whose source, if it has
// one among the runs, has ended.
type turns struct {
	mu       sync.Mutex
	ended    *sync.Cond // signals the end of a run
	sources  []int      // of each run; -1: not among the runs
	first    int        // run that is looked at first
	states   []turn
	outcomes []Outcome
}

type turn int

const (
	turnWaiting turn = iota
	turnRunning
	turnBusy // another process works on it: it waits for the next round
	turnEnded
)

func newTurns(runs []plan.Run) *turns {
	t := &turns{states: make([]turn, len(runs)), outcomes: make([]Outcome, len(runs))}
	t.ended = sync.NewCond(&t.mu)
	at := map[string]int{}
	for i, r := range runs {
		at[r.ID] = i
	}
	for _, r := range runs {
		source := -1
		if r.Source != nil {
			if i, ok := at[r.Source.ID]; ok {
				source = i
			}
		}
		t.sources = append(t.sources, source)
	}
	return t
}

// next takes a run. It waits for a source that is running. It is not ok if all other runs
// are taken, or wait for another process.
func (t *turns) next() (i int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		later := false
		for n := range t.states {
			i := (t.first + n) % len(t.states)
			if t.states[i] != turnWaiting {
				continue
			}
			if from := t.sources[i]; from < 0 || t.states[from] == turnEnded {
				t.states[i] = turnRunning
				return i, true
			}
			later = true
		}
		if !later || !slices.Contains(t.states, turnRunning) {
			return 0, false
		}
		t.ended.Wait()
	}
}

// source is the outcome of a run's source, nil if that is not among the runs.
func (t *turns) source(i int) *Outcome {
	if t.sources[i] < 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return &t.outcomes[t.sources[i]]
}

// end notes how a run ended, or that another process works on it.
func (t *turns) end(i int, o Outcome, busy bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes[i], t.states[i] = o, turnEnded
	if busy {
		t.states[i] = turnBusy
	}
	t.ended.Broadcast()
}

// again lets the runs that another process works on have a turn.
func (t *turns) again() {
	for i, state := range t.states {
		if state == turnBusy {
			t.states[i] = turnWaiting
		}
	}
}

// left is how many runs have not ended.
func (t *turns) left() (n int) {
	for _, state := range t.states {
		if state != turnEnded {
			n++
		}
	}
	return n
}

// provide makes sure that the weights are there with which a run begins. They are not in git,
// so a source that has a record may have no weights; then it is trained again, in a folder of
// its own, and its record stays as it is. The outcome has a status if the run cannot begin.
func (r *Runner) provide(ctx context.Context, index int, one plan.Run, source *Outcome) (o Outcome, busy bool) {
	o.Run = one
	o.Status, o.Reason, busy = r.weights(ctx, index, one, source, false)
	return o, busy
}

// weights does the work of provide. locked says whether the caller holds the lock under which
// weights are trained again, once.
func (r *Runner) weights(ctx context.Context, index int, one plan.Run, source *Outcome, locked bool) (status, reason string, busy bool) {
	job := one.Job.SourceJob()
	if job == nil {
		return "", "", false
	}
	from := plan.Run{Job: *job}
	if one.Source != nil { // it knows more, such as the text encoder
		from = *one.Source
	}
	var err error
	if from.ID, err = from.Job.Spec.ID(); err != nil {
		return OutcomeFailed, err.Error(), false
	}
	begins := fmt.Sprintf("it begins with the weights of %s", from.ID)
	if source != nil && source.Status != OutcomeDone && source.Status != OutcomeReused {
		return source.Status, fmt.Sprintf("%s (%s: %s)", begins, source.Status, source.Reason), false
	}
	store := record.Store{Dir: one.Job.Sources()}
	if rec, err := store.Read(from.ID); err == nil {
		if rec.Result.Status == record.Time {
			return OutcomeEnvironment, begins + ", which its time limit stopped: raise train.time_limit to train it to the end", false
		}
		from.Job.Threads = cmp.Or(rec.Measured.Threads, from.Job.Threads) // their number decides how sums are rounded
	}
	if run.HasWeights(store, from.ID) {
		return "", "", false
	}
	if !locked { // another run with the same source may be training it
		r.providing.Lock()
		defer r.providing.Unlock()
		if run.HasWeights(store, from.ID) {
			return "", "", false
		}
	}
	again := record.Store{Dir: filepath.Join(store.Dir, "state", "sources")}
	if err := errors.Join(again.Make(), again.RemoveRecord(from.ID)); err != nil { // a record is one of weights that are gone
		return OutcomeEnvironment, err.Error(), false
	}
	from.Job.Out, from.Job.WeightsIn = again.Dir, store.Dir
	// Without a time limit: weights of training that was cut short are not those of the source.
	from.Job.Local = maps.Clone(from.Job.Local)
	delete(from.Job.Local, "time_limit")
	if status, reason, busy = r.weights(ctx, index, from, nil, true); status != "" || busy { // its own source
		return status, reason, busy
	}
	r.observe(index, one, run.Event{Kind: run.EventWarning, Message: fmt.Sprintf("the weights of %s, with which it begins, are not here: they are trained again", from.ID)})
	trainer := &Runner{Command: r.Command, Kill: r.Kill, Observe: func(_ int, source plan.Run, e run.Event) {
		if slices.Contains([]string{run.EventProgress, run.EventWarning, run.EventBusy}, e.Kind) { // its end is not that of the run
			r.observe(index, source, e)
		}
	}}
	e := trainer.child(ctx, index, from)
	switch {
	case e.reason == "" && e.last.Kind == run.EventBusy:
		return "", "", true
	case e.reason != "" && ctx.Err() != nil:
		return OutcomeInterrupted, "", false
	case e.reason != "":
		return OutcomeEnvironment, fmt.Sprintf("%s; they are missing, and training them again failed: %s", begins, e.reason), false
	}
	if err := run.KeepWeights(store, again, from.ID); err != nil {
		return OutcomeEnvironment, err.Error(), false
	}
	return "", "", false
}
