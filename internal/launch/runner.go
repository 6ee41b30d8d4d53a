// Package launch spreads runs over child processes.
//
// A Runner starts a child process for each run that has no record yet. The child does the
// run with package run and writes the record. The Runner passes on the child's progress,
// asks it to stop, and records its death. Verify repeats a recorded run.
package launch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
)

// Runner does runs in child processes.
type Runner struct {
	Store record.Store
	Jobs  int // child processes at a time; 0 is one
	// Retry tries failed runs again.
	Retry bool
	// Measured are the cells of a suite of kind "cost" with steps that are not measured again:
	// the seconds that each took, by the run's id.
	Measured map[string]float64
	// Command starts a child; nil is this binary with ChildCommand.
	Command []string
	// Observe sees every event of every run, one at a time; index counts in the list
	// of runs.
	Observe func(index int, r plan.Run, e run.Event)
	// Kill, when closed, ends the child at once. Cancelling Run's context asks
	// it to stop and keep a checkpoint.
	Kill <-chan struct{}
	// Poll is how often a run that another process holds is checked again.
	Poll time.Duration
	// Spread begins anywhere in the list of runs, so that many workers that start at the same
	// time do not all want the same run.
	Spread bool

	mu        sync.Mutex // one call of Observe at a time
	providing sync.Mutex // held while the weights of a source are trained again
}

// Outcome is the outcome of a run.
type Outcome struct {
	Run    plan.Run
	Status string
	Reason string       // of OutcomeFailed and OutcomeEnvironment
	Cost   *record.Cost // of a cost job that timed a whole epoch
}

// fail is the outcome of a run that could not begin.
func (o *Outcome) fail(err error) {
	o.Status, o.Reason = OutcomeFailed, err.Error()
	if run.IsEnvironment(err) {
		o.Status = OutcomeEnvironment
	}
}

// The ways a run can end for its parent.
const (
	OutcomeDone        = "done"        // a new record
	OutcomeReused      = "reused"      // there was a record, or a measured cell, already
	OutcomeFailed      = "failed"      // because of the run itself, see Reason
	OutcomeEnvironment = "environment" // because of the machine, see Reason; the same command tries it again
	OutcomeInterrupted = "interrupted" // or not begun
)

// Run does the runs that have no record yet. A failed run does not keep the others from
// running, but for those that begin with its weights, which come after it. Runs that another
// process holds come last: the Runner waits for them and uses their records. There is one
// outcome per run, in order.
func (r *Runner) Run(ctx context.Context, runs []plan.Run) []Outcome {
	t := newTurns(runs)
	if r.Spread && len(runs) > 0 {
		t.first = rand.IntN(len(runs))
	}
	for round := 0; t.left() > 0; round++ {
		if round > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(r.Poll):
			}
		}
		var workers sync.WaitGroup
		for range min(max(1, r.Jobs), t.left()) {
			workers.Go(func() {
				for i, ok := t.next(); ok; i, ok = t.next() {
					o, busy := r.one(ctx, i, runs[i], t.source(i))
					t.end(i, o, busy)
				}
			})
		}
		workers.Wait()
		t.again()
	}
	return t.outcomes
}

// one does one run, unless it has a record or another process works on it. source is the
// outcome of the run whose weights it begins with, nil if that is not one of the runs.
func (r *Runner) one(ctx context.Context, index int, one plan.Run, source *Outcome) (o Outcome, busy bool) {
	o = Outcome{Run: one}
	if ctx.Err() != nil {
		o.Status = OutcomeInterrupted
		return o, false
	}
	if _, ok := r.Measured[one.ID]; ok {
		o.Status = OutcomeReused
		return o, false
	}
	if one.Job.Kind != plan.KindCost {
		if busy = r.before(index, &o); busy || o.Status != "" {
			return o, busy
		}
		if o, busy = r.provide(ctx, index, one, source); busy || o.Status != "" {
			return o, busy
		}
	}
	e := r.child(ctx, index, one)
	if e.signaled { // a terminal sends Ctrl-C to the child too, which may have been faster
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	switch {
	case e.reason == "" && e.last.Kind == run.EventBusy:
		return o, true
	case e.reason == "" && e.last.Kind == run.EventReused:
		o.Status = OutcomeReused
		return o, false
	case e.reason == "":
		o.Status, o.Cost = OutcomeDone, e.last.Cost
		return o, false
	case ctx.Err() != nil: // it was asked to stop, and stopped or was killed
		o.Status = OutcomeInterrupted
		return o, false
	}
	o.Status, o.Reason = OutcomeFailed, e.reason
	if e.environment {
		o.Status = OutcomeEnvironment
	}
	if one.Job.Kind != plan.KindCost {
		f := record.Failure{ID: one.ID, Spec: one.Job.Spec, Reason: e.reason, Environment: e.environment, Stderr: e.stderr, Host: run.Hostname(), Time: time.Now()}
		limit, err := one.Job.TimeLimit()
		f.TimeLimit = limit
		if err := errors.Join(err, r.Store.WriteFailure(f)); err != nil && !e.environment { // a full disk cannot record its own failure
			o.Reason += fmt.Sprintf(" (and it could not be recorded: %v)", err)
		}
	}
	r.observe(index, one, run.Event{Kind: run.EventFailed, Message: e.reason})
	return o, false
}

// before checks whether a run needs to be done. If not, it fills in the outcome. It
// reports whether another process works on the run.
func (r *Runner) before(index int, o *Outcome) (busy bool) {
	one := o.Run
	done, err := one.Job.Record(r.Store, one.ID)
	if err != nil {
		o.fail(err)
		return false
	}
	if done != nil {
		o.Status = OutcomeReused
		return false
	}
	held, holder, err := r.Store.Busy(one.ID)
	if err == nil && held {
		r.observe(index, one, run.Event{Kind: run.EventBusy, Message: holder.String()})
		return true
	}
	if err != nil {
		o.Status, o.Reason = OutcomeEnvironment, err.Error()
		return false
	}
	if r.Retry {
		return false
	}
	f, err := one.Job.Failure(r.Store, one.ID)
	switch {
	case err != nil:
		o.fail(err)
	case f != nil:
		o.Status, o.Reason = OutcomeFailed, "failed before, see -retry-failed: "+f.Reason
	}
	return false
}

func (r *Runner) observe(index int, one plan.Run, e run.Event) {
	if r.Observe == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Observe(index, one, e)
}

// child starts a child process for a run and follows it to its end.
func (r *Runner) child(ctx context.Context, index int, one plan.Run) (e ending) {
	// Pdeathsig reacts to the death of the thread that forked, not of the
	// process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	command := r.Command
	if command == nil {
		exe, err := os.Executable()
		if err != nil {
			return notStarted("finding this program", err)
		}
		command = []string{exe, run.ChildCommand}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.SysProcAttr = childAttributes()
	var stderr tailWriter
	cmd.Stderr = &stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return notStarted("starting a child process", err)
	}
	if err := cmd.Start(); err != nil {
		return notStarted("starting a child process", err)
	}
	stopped := make(chan struct{})
	go r.forwardStop(ctx, cmd.Process, stopped)
	// The pipe stays open: its end tells the child that this process is gone.
	if err := json.NewEncoder(stdin).Encode(one.Job); err != nil {
		stderr.Write([]byte(err.Error() + "\n"))
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		var event run.Event
		if json.Unmarshal(line, &event) == nil && event.Kind != "" {
			e.last = event
			if event.Kind != run.EventFailed { // reported once
				r.observe(index, one, event)
			}
		} else {
			stderr.Write(line) // a library that prints
		}
		if err != nil {
			break
		}
	}
	err := cmd.Wait()
	close(stopped)
	e.stderr, e.crash = stderr.String(), stderr.crash
	e.explain(cmd.ProcessState, err)
	return e
}

// forwardStop passes a request to stop on to the child, and kills it at a
// second request.
func (r *Runner) forwardStop(ctx context.Context, child *os.Process, stopped <-chan struct{}) {
	select {
	case <-stopped:
		return
	case <-ctx.Done():
		_ = child.Signal(os.Interrupt) // it may have just ended
	}
	select {
	case <-stopped:
	case <-r.Kill:
		_ = child.Kill()
	}
}

// tailWriter keeps the last lines that are written to it, and the line that says why the
// process crashed.
type tailWriter struct {
	mutex sync.Mutex // the child's stderr is written by a goroutine of os/exec
	buf   []byte
	line  []byte // not ended yet
	crash string
}

const tailBytes = 8 << 10

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for line := range bytes.Lines(p) {
		t.line = append(t.line, line[:min(len(line), tailBytes-len(t.line))]...)
		if line[len(line)-1] == '\n' {
			t.crash = crashLine(t.crash, string(t.line))
			t.line = t.line[:0]
		}
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailBytes {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailBytes:]...)
	}
	return len(p), nil
}

// String begins at the beginning of a line.
func (t *tailWriter) String() string {
	b := t.buf
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
		if _, rest, ok := bytes.Cut(b, []byte("\n")); ok {
			b = rest
		}
	}
	return string(b)
}

var _ io.Writer = (*tailWriter)(nil)
