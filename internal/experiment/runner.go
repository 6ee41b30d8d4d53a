package experiment

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"famebench/internal/record"
)

// Runner takes runs through child processes.
type Runner struct {
	Store record.Store
	Jobs  int // child processes at a time; 0 is one
	// Retry tries runs again that failed before.
	Retry bool
	// Command starts a child; nil is this binary with ChildCommand.
	Command []string
	// Observe sees every event of every run, one at a time; index counts in the list
	// of runs.
	Observe func(index int, r Run, e Event)
	// Kill, when closed, ends the child at once. Cancelling Run's context asks
	// it to stop and keep a checkpoint.
	Kill <-chan struct{}
	// Poll is how often a run that another process holds is looked at again.
	Poll time.Duration

	mu sync.Mutex // one Observe at a time
}

// Outcome is what became of a run.
type Outcome struct {
	Run    Run
	Status string
	Reason string       // of OutcomeFailed
	Cost   *record.Cost // of a cost job
}

// The ways a run can end for its parent.
const (
	OutcomeDone        = "done"        // a new record
	OutcomeReused      = "reused"      // there was a record already
	OutcomeFailed      = "failed"      // see Reason
	OutcomeInterrupted = "interrupted" // or not begun
)

// Run does the runs that have no record yet. A failed run does not keep the
// others from running. Runs that another process holds come last: they are
// waited for, and its record is used. There is one outcome a run, in order.
func (r *Runner) Run(ctx context.Context, runs []Run) []Outcome {
	outcomes := make([]Outcome, len(runs))
	var waiting []int
	for i := range runs {
		waiting = append(waiting, i)
	}
	for round := 0; len(waiting) > 0; round++ {
		if round > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(r.Poll):
			}
		}
		busy := make([]bool, len(runs))
		queue := make(chan int)
		var workers sync.WaitGroup
		for range min(max(1, r.Jobs), len(waiting)) {
			workers.Go(func() {
				for i := range queue {
					outcomes[i], busy[i] = r.one(ctx, i, runs[i])
				}
			})
		}
		for _, i := range waiting {
			queue <- i
		}
		close(queue)
		workers.Wait()
		waiting = slices.DeleteFunc(waiting, func(i int) bool { return !busy[i] })
	}
	return outcomes
}

// one does one run, unless it has a record or another process is at it.
func (r *Runner) one(ctx context.Context, index int, run Run) (o Outcome, busy bool) {
	o = Outcome{Run: run}
	if ctx.Err() != nil {
		o.Status = OutcomeInterrupted
		return o, false
	}
	if run.Job.Kind != KindCost {
		done, err := run.Job.record(r.Store, run.ID)
		if err != nil {
			o.Status, o.Reason = OutcomeFailed, err.Error()
			return o, false
		}
		if done != nil {
			o.Status = OutcomeReused
			return o, false
		}
		held, holder, err := r.Store.Busy(run.ID)
		if err == nil && held {
			r.observe(index, run, Event{Kind: EventBusy, Message: holder.String()})
			return o, true
		}
		if !r.Retry {
			f, err := run.Job.failure(r.Store, run.ID)
			if f != nil || err != nil {
				o.Status = OutcomeFailed
				if err != nil {
					o.Reason = err.Error()
				} else {
					o.Reason = "failed before, see -retry-failed: " + f.Reason
				}
				return o, false
			}
		}
	}
	last, reason, tail := r.child(ctx, index, run)
	switch {
	case reason == "" && last.Kind == EventBusy:
		return o, true
	case reason == "":
		o.Status, o.Cost = OutcomeDone, last.Cost
	case ctx.Err() != nil: // it stopped because it was asked to, or killed for not stopping
		o.Status = OutcomeInterrupted
	default:
		o.Status, o.Reason = OutcomeFailed, reason
		if run.Job.Kind != KindCost {
			f := record.Failure{ID: run.ID, Spec: run.Job.Spec, Reason: reason, Stderr: tail, Host: hostname(), Time: time.Now()}
			limit, err := run.Job.timeLimit()
			f.TimeLimit = limit
			if err := errors.Join(err, r.Store.WriteFailure(f)); err != nil {
				o.Reason += fmt.Sprintf(" (and it could not be recorded: %v)", err)
			}
		}
		r.observe(index, run, Event{Kind: EventFailed, Message: reason})
	}
	return o, false
}

func (r *Runner) observe(index int, run Run, e Event) {
	if r.Observe == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Observe(index, run, e)
}

// child starts a child process for a run and follows it to its end. An empty
// reason means that it did its job; tail is the end of its standard error.
func (r *Runner) child(ctx context.Context, index int, run Run) (last Event, reason, tail string) {
	// Pdeathsig counts the death of the thread that forked, not of the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	command := r.Command
	if command == nil {
		exe, err := os.Executable()
		if err != nil {
			return last, fmt.Sprintf("finding this program: %v", err), ""
		}
		command = []string{exe, ChildCommand}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.SysProcAttr = childAttributes()
	var stderr tailWriter
	cmd.Stderr = &stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return last, err.Error(), ""
	}
	if err := cmd.Start(); err != nil {
		return last, fmt.Sprintf("starting a child process: %v", err), ""
	}
	stopped := make(chan struct{})
	go r.forwardStop(ctx, cmd.Process, stopped)
	// The pipe stays open: its end tells the child that this process is gone.
	if err := json.NewEncoder(stdin).Encode(run.Job); err != nil {
		stderr.Write([]byte(err.Error() + "\n"))
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		var e Event
		if json.Unmarshal(line, &e) == nil && e.Kind != "" {
			last = e
			if e.Kind != EventFailed { // reported once, by one
				r.observe(index, run, e)
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
	return last, deathReason(cmd.ProcessState, last, err, stderr.String()), stderr.String()
}

// forwardStop passes a request to stop on to the child, and a second one as a
// kill.
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

// deathReason says in words why a child did not do its job, "" if it did.
func deathReason(state *os.ProcessState, last Event, waitErr error, stderr string) string {
	if waitErr == nil {
		switch last.Kind {
		case EventDone, EventBusy, EventCost:
			return ""
		}
		return "the child process ended without a result"
	}
	if last.Kind == EventFailed {
		return last.Message
	}
	if last.Kind == EventInterrupted {
		return "interrupted by a signal of its own"
	}
	if state == nil {
		return waitErr.Error()
	}
	ws, _ := state.Sys().(syscall.WaitStatus)
	if !ws.Signaled() {
		reason := fmt.Sprintf("the child process ended with exit code %d", state.ExitCode())
		for line := range strings.Lines(stderr) {
			if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
				return reason + ": " + strings.TrimSpace(line)
			}
		}
		return reason
	}
	reason := fmt.Sprintf("the child process was killed by signal %d (%v)", ws.Signal(), ws.Signal())
	if u, ok := state.SysUsage().(*syscall.Rusage); ok {
		reason += fmt.Sprintf("; it had used up to %d MB of memory", maxRSS(u)>>20)
	}
	if ws.Signal() == syscall.SIGKILL {
		reason += "; if nobody killed it, the machine ran out of memory"
	}
	return reason
}

// tailWriter keeps the last lines of what is written to it.
type tailWriter struct{ buf []byte }

const tailBytes = 8 << 10

func (t *tailWriter) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailBytes {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailBytes:]...)
	}
	return len(p), nil
}

// String begins with a whole line.
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
