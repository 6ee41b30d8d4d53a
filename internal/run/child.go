// Package run does one run in its process: it opens the data, initialises the model,
// trains it, ranks the test cases and writes the record. It also measures costs, opens
// the models of recorded runs, and compares a repeated run with its record.
//
// It gets a run as a plan.Job and knows nothing about suites. Child is the whole life
// of a child process, which package launch starts and watches.
package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"famebench/internal/atomicfile"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/torch"
)

// ChildCommand is the hidden first argument that makes the binary a child.
const ChildCommand = "run-child"

// Exit codes of a child. Only its parent sees them.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// Child does one job: it reads the job from stdin, reports its progress on
// stdout and returns the exit code. The child, not its parent, holds the run's
// lock and writes the record. So the lock lives exactly as long as the process
// that works, and nothing large goes through the pipe. The parent writes only
// what a child cannot: a record of the child's death.
func Child(stdin io.Reader, stdout io.Writer, entries []registry.Entry) int {
	out := newEmitter(stdout)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go stopWhenAsked(cancel, out)
	in := bufio.NewReader(stdin)
	line, err := in.ReadBytes('\n')
	var job plan.Job
	if err == nil {
		err = json.Unmarshal(line, &job)
	}
	if err != nil {
		out.emit(Event{Kind: EventFailed, Message: fmt.Sprintf("reading the job: %v", err)})
		return exitFailed
	}
	go dieWithParent(in)
	return runJob(ctx, job, entries, out)
}

// training is held while there is a checkpoint to keep. A child process does one run, so
// one lock is enough.
var training sync.Mutex

// stopWhenAsked waits for the first signal. During training it causes a checkpoint. At any
// other time, such as when data are read, there is nothing to keep, and the process ends at
// once. Later signals change nothing, because a terminal sends Ctrl-C to the child too and
// the parent forwards its own.
func stopWhenAsked(cancel context.CancelFunc, out *emitter) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, StopSignals()...)
	<-signals
	cancel() // first, because the holder of the lock checks the context when it releases it
	if training.TryLock() {
		atomicfile.Abandon()
		out.emit(Event{Kind: EventInterrupted})
		os.Exit(exitInterrupted)
	}
}

// StopSignals are the signals that ask the program to stop. A signal that was already
// ignored when the process started, such as SIGHUP under nohup, stays ignored. The
// exception is Ctrl-C, which shells ignore for background jobs of a script.
func StopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// dieWithParent ends the process when its standard input ends: the parent keeps
// the pipe open as long as it lives. (On Linux the kernel kills the child, see
// childAttributes; this is for all other systems.) The checkpoint on disk is
// the same as after a kill.
func dieWithParent(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	os.Exit(exitFailed)
}

func runJob(ctx context.Context, job plan.Job, entries []registry.Entry, out *emitter) int {
	err := doJob(ctx, job, entries, out)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errBusy):
		return 0 // the event says so
	case errors.Is(err, record.ErrLost):
		out.emit(Event{Kind: EventBusy, Message: err.Error()})
		return 0
	case errors.Is(err, context.Canceled):
		out.emit(Event{Kind: EventInterrupted})
		return exitInterrupted
	}
	out.emit(Event{Kind: EventFailed, Message: err.Error(), Environment: IsEnvironment(err)})
	return exitFailed
}

var errBusy = errors.New("another process works on this run")

func doJob(ctx context.Context, job plan.Job, entries []registry.Entry, out *emitter) error {
	entry, err := EntryOf(job.Spec, entries)
	if err != nil {
		return err
	}
	version, err := entry.Code()
	if err != nil {
		return err
	}
	job.Code = version.Hash
	if entry.Neural != nil {
		if err := openDevice(job.Device); err != nil {
			return err
		}
	}
	if job.Kind == plan.KindCost && job.Steps > 0 {
		cell, err := measureSteps(ctx, job, entry, out)
		if err == nil {
			out.emit(Event{Kind: EventCost, Cell: cell})
		}
		return err
	}
	if job.Kind == plan.KindCost {
		cost, err := measureCost(ctx, job, entry, out)
		if err == nil {
			out.emit(Event{Kind: EventCost, Cost: cost})
		}
		return err
	}
	store := record.Store{Dir: job.Out, Notice: func(text string) { out.emit(Event{Kind: EventWarning, Message: text}) }}
	id, err := job.Spec.ID()
	if err != nil {
		return err
	}
	lock, holder, err := store.Lock(id)
	if err != nil {
		return environmentError{err} // a lock error of any kind says nothing about the run
	}
	if lock == nil {
		out.emit(Event{Kind: EventBusy, Message: holder.String()})
		return errBusy
	}
	defer lock.Release()
	go giveUpWhenLost(lock, out)
	// Another process may have finished it between the plan and the lock.
	if done, err := job.Record(store, id); err != nil || done != nil {
		if err == nil {
			out.emit(Event{Kind: EventReused})
		}
		return err
	}
	if lock.From.PID != 0 {
		out.emit(Event{Kind: EventWarning, Message: fmt.Sprintf("begun by %v, which ended without finishing it", lock.From)})
	}
	store.SweepRun(id)
	r, err := execute(ctx, job, entry, lock, out)
	if err != nil {
		return err
	}
	if entry.Neural != nil { // other models use no device
		r.Measured.GPU = gpuModel(job.Device)
	}
	if err := lock.Confirm(); err != nil {
		return err
	}
	if err := store.Write(r); err != nil {
		return err
	}
	if r.Result.Status != record.Time && !job.KeepCheckpoint { // else another run continues from there
		_ = os.Remove(store.CheckpointPath(id))
	}
	out.emit(Event{Kind: EventDone})
	return nil
}

// openDevice makes sure that a device can be used, before anything is computed. libtorch looks
// for CUDA once, when it is used first, and encoding and pre-training run on the CPU before a
// model does on a GPU.
func openDevice(device string) error {
	err := torch.Run(torch.Config{Device: device, Threads: 1}, func(*torch.Runtime) error { return nil })
	if err != nil {
		return environmentError{err}
	}
	return nil
}

// giveUpWhenLost ends the process when another one has taken over its run. Its work is
// discarded: no file that it is writing is completed.
func giveUpWhenLost(lock *record.Lock, out *emitter) {
	<-lock.Lost()
	atomicfile.Abandon()
	out.emit(Event{Kind: EventBusy, Message: record.ErrLost.Error()})
	os.Exit(0)
}

// EntryOf finds the model of a run and makes sure that this build has the
// versions of the spec.
func EntryOf(s record.Spec, entries []registry.Entry) (registry.Entry, error) {
	e, ok := registry.Find(entries, s.Model)
	if !ok {
		return e, fmt.Errorf("model %q is not in this build", s.Model)
	}
	if have := e.Versions(); have != s.Versions {
		return e, fmt.Errorf("the run is of versions %s, this build has %s: check out the commit that the record names to repeat it",
			s.Versions, have)
	}
	return e, nil
}
