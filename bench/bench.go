package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"famebench/internal/aggregate"
	"famebench/internal/analysis"
	"famebench/internal/export"
	"famebench/internal/launch"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/report"
	"famebench/internal/run"
	"famebench/internal/suite"
)

// bench is the command with its configuration read.
type bench struct {
	options
	config *plan.Config
	store  record.Store
	source plan.Source
	env    suite.Env
	kill   <-chan struct{}
	stdout io.Writer
	stderr io.Writer
	idle   []string // those of sets that change nothing of the suite
}

func newBench(o options, kill <-chan struct{}, stdout, stderr io.Writer) (*bench, error) {
	b := &bench{options: o, kill: kill, stdout: stdout, stderr: stderr}
	path, err := o.config, error(nil)
	if path == "" {
		if path, err = plan.Find("."); err != nil {
			return nil, err
		}
	}
	if b.config, err = plan.Load(path, o.sets, registry.Models); err != nil {
		return nil, err
	}
	out := o.out
	if out == "" {
		out = filepath.Join(b.config.Root, "results")
	}
	if b.store.Dir, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if info, err := os.Stat(b.store.Dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("-out: %s is a file, expected a folder for results", b.store.Dir)
	}
	b.store.Notice = func(text string) { fmt.Fprintf(stderr, "notice: %s\n", text) }
	// The numbers of others are next to experiments.toml, wherever ours go.
	published, err := aggregate.ReadPublished(filepath.Join(b.config.Root, "results", "published.toml"))
	if err == nil {
		err = published.CheckModels(registry.Names(registry.Models))
	}
	if err != nil {
		return nil, err
	}
	b.env = suite.Env{Config: b.config, Store: b.store, Published: published, Log: stderr}
	b.source = launch.ReadSource(b.config.Root, b.store.Dir)
	return b, nil
}

func (b *bench) runner(p *progress) *launch.Runner {
	return &launch.Runner{Store: b.store, Jobs: b.jobs, Retry: b.retryFailed, Observe: p.observe, Kill: b.kill, Poll: 5 * time.Second, Spread: b.worker}
}

// longest is how long a plan may take before it must be asked for with -yes.
const longest = 12 * time.Hour

// runs does the runs of a plan that have no record.
func (b *bench) runs(ctx context.Context, todo *plan.Plan) ([]launch.Outcome, error) {
	left, err := b.runner(nil).Remaining(todo)
	if err != nil {
		return nil, err
	}
	if left.Runs > 0 {
		if err := b.store.CheckLocks(); err != nil {
			return nil, err
		}
		fmt.Fprintln(b.stderr, left)
	}
	if b.worker {
		w, found, err := b.store.JoinWorkers(ctx)
		if err != nil {
			return nil, err
		}
		defer w.Leave()
		if found != "" {
			fmt.Fprintln(b.stderr, found)
		}
	}
	if left.Time > longest && !b.yes && !b.worker {
		return nil, usageError{fmt.Errorf("suite %s takes more than %v here; add -yes to start it (it can be stopped and goes on where it was), or choose with -datasets, -models and -seeds", todo.Suite.Name, longest)}
	}
	p := newProgress(b.stderr, b.store, left.Each, b.jobs)
	defer p.finish()
	working.Lock()
	defer working.Unlock()
	return b.runner(p).Run(ctx, todo.Runs), nil
}

// verdictOn prints what was not done, and returns the error that decides the exit code.
func (b *bench) verdictOn(ctx context.Context, outcomes []launch.Outcome) error {
	launch.WriteFailures(b.stderr, b.store, outcomes)
	count := map[string]int{}
	for _, o := range outcomes {
		count[o.Status]++
	}
	again := "-retry-failed tries them again"
	if len(outcomes) > 0 && outcomes[0].Run.Job.Kind == plan.KindCost { // failures of measurements are not recorded
		again = "the same command tries them again"
	}
	failed, interrupted, kept := count[launch.OutcomeFailed], count[launch.OutcomeInterrupted], count[launch.OutcomeEnvironment]
	switch {
	case interrupted > 0:
		return fmt.Errorf("%d of %d runs are not done: %w", interrupted+failed+kept, len(outcomes), errInterrupted)
	case ctx.Err() != nil:
		return errInterrupted
	case failed > 0 && kept > 0:
		return fmt.Errorf("%d of %d runs failed; %s. %d could not be done here; the same command tries them again", failed, len(outcomes), again, kept)
	case kept > 0:
		return fmt.Errorf("%d of %d runs could not be done here; the same command tries them again", kept, len(outcomes))
	case failed > 0:
		return fmt.Errorf("%d of %d runs failed; %s", failed, len(outcomes), again)
	}
	return nil
}

// verify repeats a recorded run. Whatever kept it from a comparison is a usageError, so
// that exit code 1 means a different result and nothing else.
func (b *bench) verify(ctx context.Context) error {
	original, err := b.readRecord(b.options.verify)
	if err != nil {
		return usageError{err}
	}
	v, err := b.repeat(ctx, original)
	if err != nil {
		return usageError{fmt.Errorf("-verify: %s was not compared: %w", original.ID, err)}
	}
	if b.json {
		err = b.writeJSON(v)
	} else {
		run.WriteVerdict(b.stdout, v)
	}
	if err != nil {
		return usageError{err}
	}
	if v.Result == run.Different {
		return fmt.Errorf("%s: the result is different", v.ID)
	}
	return nil
}

func (b *bench) repeat(ctx context.Context, original *record.Record) (run.Verdict, error) {
	working.Lock() // also for the temporary folder, which a signal would leave behind
	defer working.Unlock()
	p := newProgress(b.stderr, b.store, make([]time.Duration, 1), 1)
	defer p.finish()
	v, o, err := b.runner(p).Verify(ctx, original, b.recordedJob(original))
	switch {
	case err != nil && v.Result != "": // compared, but the weights could not be put back
		fmt.Fprintf(b.stderr, "warning: the weights of %s were not kept: %v\n", original.ID, err)
	case err != nil:
		return v, err
	case o.Status == launch.OutcomeInterrupted, ctx.Err() != nil:
		return v, errInterrupted
	case o.Status != launch.OutcomeDone:
		return v, errors.New(o.Reason)
	}
	return v, nil
}

func (b *bench) writeJSON(v any) error {
	e := json.NewEncoder(b.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (b *bench) list() error {
	l, err := b.config.List()
	if err != nil {
		return usageError{err}
	}
	if b.json {
		return b.writeJSON(l)
	}
	return report.WriteColumns(b.stdout, l.Write)
}

// dryRun prints what is left to do of a plan.
func (b *bench) dryRun(todo *plan.Plan) error {
	runner := b.runner(nil)
	if todo.Suite.Steps > 0 {
		place, err := b.env.Place(todo, b.changes(""))
		if err != nil {
			return err
		}
		cells, err := b.env.Cells(place, b.machine(todo), false)
		if err != nil {
			return err
		}
		runner.Measured = b.measured(cells)
	}
	p, err := runner.Preview(todo)
	switch {
	case err != nil:
		return err
	case b.json:
		return b.writeJSON(p)
	}
	return report.WriteColumns(b.stdout, func(w io.Writer) error { return p.Write(w, b.device, todo.Threads) })
}

// explain explains what a recorded run recommends to a user.
func (b *bench) explain() error {
	r, err := b.readRecord(b.run)
	if err != nil {
		return err
	}
	e, err := analysis.ExplainRun(r, b.recordedJob(r), registry.Models, b.options.explain)
	switch {
	case errors.As(err, &analysis.InputError{}):
		return usageError{fmt.Errorf("-explain: %w", err)}
	case err != nil:
		return err
	case b.json:
		return b.writeJSON(e)
	}
	return report.WriteExplanation(b.stdout, e)
}

// The lists of -trec: the default is the longest cut-off of the metrics, the maximum
// the usual depth of a TREC run.
const (
	defaultTop = 20
	maxTop     = 1000
)

// trec ranks with a recorded run again and writes every test user's list for other
// evaluators.
func (b *bench) trec(ctx context.Context) error {
	r, err := b.readRecord(b.options.trec)
	if err != nil {
		return err
	}
	if r.Result.Spec.ValidationOnly {
		return usageError{fmt.Errorf("-trec: %s is a trial of a search, which ranks no test items: run the suite with what the search chose", r.ID)}
	}
	p := newProgress(b.stderr, b.store, make([]time.Duration, 1), 1)
	tell := func(event run.Event) { p.observe(0, plan.Run{ID: r.ID}, event) }
	e, err := export.TREC(ctx, r, b.recordedJob(r), registry.Models, b.top, func(name string) func(done, total int) {
		tell(run.Event{Kind: run.EventPhase, Phase: name})
		return func(done, total int) {
			tell(run.Event{Kind: run.EventProgress, Progress: &run.Progress{Step: done, Steps: total}})
		}
	})
	p.finish()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("-trec: %w", errInterrupted)
	}
	if err != nil {
		return err
	}
	tell(run.Event{Kind: run.EventDone})
	if !e.AsRecorded {
		fmt.Fprintf(b.stderr, "warning: %s: the lists do not give the ranks of the record: the weights or the machine differ from those of the record\n", r.ID)
		for _, d := range e.Differences {
			fmt.Fprintf(b.stderr, "  %s\n", d)
		}
	}
	for _, text := range e.Warnings {
		fmt.Fprintf(b.stderr, "warning: %s\n", text)
	}
	if e.Beyond != "" {
		fmt.Fprintf(b.stderr, "metrics beyond accuracy, which the record did not have: %s\n", e.Beyond)
	}
	if b.json {
		return b.writeJSON(e)
	}
	_, err = fmt.Fprintf(b.stdout, "%s\n%s\n%s\n", e.Kept, e.Removed, e.Qrels)
	return err
}

// readRecord reads the record that the command line names, of a run that this build can repeat.
func (b *bench) readRecord(id string) (*record.Record, error) {
	if err := record.CheckID(id); err != nil {
		return nil, usageError{err}
	}
	r, err := b.store.Read(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usageError{fmt.Errorf("no record %q in %s; the names of the files there, without .json, are the ids", id, filepath.Join(b.store.Dir, "runs"))}
	case err != nil:
		return nil, err
	}
	if _, err := run.EntryOf(r.Result.Spec, registry.Models); err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", id, err)}
	}
	return r, nil
}

// recordedJob is the job that uses a recorded run again.
func (b *bench) recordedJob(r *record.Record) plan.Job {
	return b.config.RecordedJob(r, b.store.Dir, b.source)
}
