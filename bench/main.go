// Command bench trains and ranks sequential recommenders and prints tables that
// anybody can rerun. A suite of experiments.toml names models, data sets and
// seeds; bench plans its runs, does those that have no record, and renders the
// tables from the records. docs/architecture.md shows the packages that it calls.
//
// An interrupted suite continues where it stopped. Type "bench -help" for flags,
// examples and exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"famebench/internal/escape"
	"famebench/internal/plan"
	"famebench/internal/process"
	"famebench/internal/registry"
	"famebench/internal/run"
)

// Exit codes of the built binary ("go run" turns every failure into 1).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// usageError is a fault in the command line, the configuration or what they name: nothing
// ran, and -verify compared nothing.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errInterrupted ends a command that was asked to stop.
var errInterrupted = errors.New("interrupted; finished runs are kept, the same command goes on")

// stopped ends a command as errInterrupted does, with another text.
type stopped string

func (i stopped) Error() string        { return string(i) }
func (i stopped) Is(target error) bool { return target == errInterrupted }

// exitCode translates what run returns.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usageError{}):
		return exitUsage
	}
	return exitFailed
}

func main() {
	signal.Ignore(syscall.SIGXFSZ) // a write beyond "ulimit -f" is then an error like that of a full disk
	if len(os.Args) > 1 && os.Args[1] == run.ChildCommand {
		os.Exit(run.Child(os.Stdin, os.Stdout, registry.Models))
	}
	// Without this, writing to a closed pipe would end the process before its files are
	// written; now the write fails, which run reports.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	stderr := process.Stderr()
	ctx, kill := catchSignals(stderr)
	end(command(ctx, kill, os.Args[1:], process.Stdout(), stderr), stderr)
}

// command does what the command line asks for. Tables and JSON go to stdout,
// everything else to stderr. Cancelling ctx stops after the current step;
// closing kill ends a child that does not. If nothing can be written to stdout,
// all else is done, and the error says so.
func command(ctx context.Context, kill <-chan struct{}, args []string, stdout, stderr io.Writer) error {
	out, messages := &escape.Writer{To: stdout}, &escape.Writer{To: stderr}
	err := dispatch(ctx, kill, args, out, messages)
	_ = messages.Err() // nowhere is left to complain about it
	if failed := out.Err(); failed != nil {
		err = errors.Join(err, fmt.Errorf("standard output is incomplete: %w", failed))
	}
	return err
}

func dispatch(ctx context.Context, kill <-chan struct{}, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stdout)
	if err != nil || o.help {
		return err
	}
	b, err := newBench(o, kill, stdout, stderr)
	if err != nil {
		return usageError{err}
	}
	switch {
	case o.list:
		return b.list()
	case o.verify != "":
		return b.verify(ctx)
	case o.explain != "":
		return b.explain()
	case o.trec != "":
		return b.trec(ctx)
	case o.recommend:
		return b.recommend()
	case o.compare != "":
		return b.compare()
	case o.check != "":
		return b.check()
	case o.imports != "":
		return b.importLists()
	}
	s, err := b.config.Suite(o.suite)
	if err != nil {
		return usageError{err}
	}
	if s, err = b.config.Choose(s, o.models, o.datasets, o.seeds); err != nil {
		return usageError{err}
	}
	if err := o.checkKind(s); err != nil {
		return usageError{err}
	}
	switch {
	case o.cancel:
		return b.cancel(ctx, s)
	case o.engine == engineKubernetes:
		return b.printKubernetes(s)
	}
	place := plan.Options{Device: o.device, Threads: o.threads, Out: b.store.Dir, Source: b.source, Strict: o.strict, Again: o.again}
	if o.report {
		place.Recorded = b.recorded()
	}
	if o.status {
		return b.status(ctx, s, place)
	}
	if s.Kind == plan.KindTune {
		return b.tune(ctx, s, place)
	}
	todo, err := b.config.Plan(s, place)
	if err == nil { // the plan has refused what cannot be
		err = b.findIdle(s)
	}
	if err != nil {
		return usageError{err}
	}
	todo.Announce(b.stderr, o.report)
	switch {
	case o.engine != "":
		return b.submit(ctx, todo)
	case o.dryRun:
		return b.dryRun(todo)
	case s.Steps > 0:
		return b.cells(ctx, todo)
	case s.Kind == plan.KindCost:
		return b.cost(ctx, todo)
	case o.report:
		return b.report(todo)
	}
	return b.suite(ctx, todo)
}
