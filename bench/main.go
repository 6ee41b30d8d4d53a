// Command bench trains and ranks sequential recommenders and prints tables that
// anybody can rerun. A suite of experiments.toml names models, data sets and
// seeds; bench goes through it as one pipeline:
//
//	plan     internal/plan       the suite's runs, each with an id hashed from all that decides its result
//	launch   internal/launch     one child process per run, several at a time with -jobs
//	run      internal/run        what a child does: load the data, initialise, train, rank, record
//	load     datasets            sequences, splits, statistics
//	init     pretrain            item embeddings from the items' texts (FAME+); texts by internal/bert
//	train    internal/train      early stopping on validation items; models by internal/registry
//	rank     internal/rank       full ranking of the test items, under both seen-item rules
//	record   internal/record     one immutable file per run, under results/
//	compare  internal/aggregate  means, tests, published numbers, from records and nothing else
//	render   internal/report     tables of these for the terminal and for papers;
//	         internal/figure, internal/page   figures, and a page with everything
//
// What has a record is not run again, so an interrupted suite goes on where it
// was. Type "bench -help" for flags, examples and exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"famebench/internal/escape"
	"famebench/internal/plan"
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
	stderr := standardError()
	ctx, kill := catchSignals(stderr)
	end(command(ctx, kill, os.Args[1:], standardOutput(), stderr), stderr)
}

// command does what the command line asks for. Tables and JSON go to stdout,
// everything else to stderr. Cancelling ctx stops after the current step;
// closing kill ends a child that does not. Where nothing can be written to stdout,
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
	}
	suite, err := b.config.Suite(o.suite)
	if err != nil {
		return usageError{err}
	}
	if suite, err = b.config.Choose(suite, o.models, o.datasets, o.seeds); err != nil {
		return usageError{err}
	}
	if err := o.checkKind(suite); err != nil {
		return usageError{err}
	}
	place := plan.Options{Device: o.device, Threads: o.threads, Out: b.store.Dir, Source: b.source, Strict: o.strict, Again: o.again}
	if o.report {
		place.Recorded = sync.OnceValues(b.recorded)
	}
	if suite.Kind == plan.KindTune {
		return b.tune(ctx, suite, place)
	}
	todo, err := b.config.Plan(suite, place)
	if err != nil {
		return usageError{err}
	}
	b.announce(todo)
	switch {
	case o.dryRun:
		return b.dryRun(todo)
	case suite.Kind == plan.KindCost:
		return b.cost(ctx, todo)
	case o.report:
		return b.report(todo)
	}
	return b.suite(ctx, todo)
}

// announce prints the data sets' warnings, how texts are encoded, and what of the suite
// cannot be run.
func (b *bench) announce(todo *plan.Plan) {
	for _, d := range todo.Data {
		for _, w := range d.Warnings {
			fmt.Fprintf(b.stderr, "warning: %s\n", w)
		}
	}
	if len(todo.Changed) > 0 && !b.options.report {
		fmt.Fprintf(b.stderr, "note: uncommitted changes in %s: records that other code made are not used, and these runs are trained again\n", strings.Join(todo.Changed, ", "))
	}
	for _, line := range todo.Encoders {
		fmt.Fprintf(b.stderr, "text encoder %s\n", line)
	}
	for _, s := range todo.Skipped {
		fmt.Fprintf(b.stderr, "skipped: %s: %s\n", s.What, s.Reason)
	}
}
