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
	"slices"
	"strings"
	"time"

	"famebench/internal/aggregate"
	"famebench/internal/analysis"
	"famebench/internal/launch"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
)

// bench is the command with its configuration read.
type bench struct {
	options
	config *plan.Config
	store  record.Store
	source plan.Source
	// published are the numbers of others, beside experiments.toml wherever ours go
	published *aggregate.Published
	kill      <-chan struct{}
	stdout    io.Writer
	stderr    io.Writer
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
	if b.published, err = aggregate.ReadPublished(filepath.Join(b.config.Root, "results", "published.toml")); err != nil {
		return nil, err
	}
	b.source = launch.ReadSource(b.config.Root, b.store.Dir)
	return b, nil
}

func (b *bench) runner(p *progress) *launch.Runner {
	return &launch.Runner{Store: b.store, Jobs: b.jobs, Retry: b.retryFailed, Observe: p.observe, Kill: b.kill, Poll: 2 * time.Second}
}

// suite does the runs of a plan that have no record, then renders.
func (b *bench) suite(ctx context.Context, todo *plan.Plan) error {
	if err := b.makeStore(); err != nil {
		return err
	}
	if err := todo.WriteData(b.store); err != nil {
		return err
	}
	outcomes, err := b.runs(ctx, todo)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // who asked to stop waits for no table
		return b.verdictOn(ctx, outcomes)
	}
	at := map[string]string{} // place on the axes, by id
	for _, o := range outcomes {
		at[o.Run.ID] = o.Run.At
	}
	records, stale, err := b.find(todo)
	records = slices.DeleteFunc(records, func(r *record.Record) bool { _, ok := at[r.ID]; return !ok }) // another machine's
	var analyses []*analysis.Analysis
	if b.options.analyse {
		var failed error
		analyses, failed = b.analyse(records, at)
		err = errors.Join(err, failed)
	}
	err = errors.Join(err, b.render(todo, records, stale, outcomes, analyses))
	if verdict := b.verdictOn(ctx, outcomes); err != nil || verdict != nil {
		return errors.Join(err, verdict)
	}
	if todo.Suite.Kind == plan.KindCI {
		return b.checkExpected(todo)
	}
	return nil
}

// longest is how long a plan may take before it must be asked for with -yes.
const longest = 12 * time.Hour

// runs does the runs of a plan that have no record.
func (b *bench) runs(ctx context.Context, todo *plan.Plan) ([]launch.Outcome, error) {
	left, err := b.remaining(todo)
	if err != nil {
		return nil, err
	}
	if left.runs > 0 {
		if err := b.store.CheckLocks(); err != nil {
			return nil, err
		}
		fmt.Fprintln(b.stderr, left)
	}
	if left.time > longest && !b.yes {
		return nil, usageError{fmt.Errorf("suite %s takes more than %v here; add -yes to start it (it can be stopped and goes on where it was), or choose with -datasets, -models and -seeds", todo.Suite.Name, longest)}
	}
	p := newProgress(b.stderr, b.store, left.each, b.jobs)
	defer p.finish()
	working.Lock()
	defer working.Unlock()
	return b.runner(p).Run(ctx, todo.Runs), nil
}

// remaining is what is left to do of a plan.
type remaining struct {
	runs, unknown int
	time          time.Duration
	each          []time.Duration // of every run of the plan; 0: done or unknown
}

func (r remaining) String() string {
	text := fmt.Sprintf("%d runs to do", r.runs)
	if r.time > 0 {
		text += fmt.Sprintf(", about %v by the records of earlier ones", max(r.time.Round(time.Minute), time.Minute))
	}
	if r.unknown > 0 {
		text += fmt.Sprintf(" (no record tells how long %d of them take)", r.unknown)
	}
	return text
}

func (b *bench) remaining(todo *plan.Plan) (remaining, error) {
	r := remaining{each: make([]time.Duration, len(todo.Runs))}
	if todo.Suite.Kind == plan.KindCost { // measured again each time
		return r, nil
	}
	e, err := launch.NewEstimator(b.store, registry.Models)
	if err != nil {
		return r, err
	}
	for i, one := range todo.Runs {
		st, err := one.State(b.store)
		if err != nil {
			return r, err
		}
		if st.Status == plan.StateDone || st.Status == plan.StateTime || st.Status == plan.StateFailed && !b.retryFailed {
			continue
		}
		r.runs++
		d, ok := e.Of(todo, one)
		if !ok {
			r.unknown++
		}
		r.each[i] = d
		r.time += d / time.Duration(b.jobs)
	}
	return r, nil
}

// checkExpected compares a plan's records with what is expected of them, or, with
// -expect, writes them down as that.
func (b *bench) checkExpected(todo *plan.Plan) error {
	path := b.config.Abs(todo.Suite.Expected)
	if b.expect {
		e, err := todo.Expect(b.store)
		if err == nil {
			err = record.WriteSealed(path, e)
		}
		if err == nil {
			fmt.Fprintf(b.stderr, "expectations of %d settings: %s\n", len(e.Runs), path)
		}
		return err
	}
	e, err := plan.ReadExpectations(path)
	if err != nil {
		return err
	}
	if err := e.Check(todo, b.store); err != nil {
		return fmt.Errorf("suite %s is not as expected:\n%w", todo.Suite.Name, err)
	}
	fmt.Fprintf(b.stderr, "all %d runs are as expected\n", len(todo.Runs))
	return nil
}

// verdictOn tells what went wrong, and returns the error that decides the exit
// code.
func (b *bench) verdictOn(ctx context.Context, outcomes []launch.Outcome) error {
	var failed, interrupted, kept int
	for _, o := range outcomes {
		switch o.Status {
		case launch.OutcomeFailed:
			failed++
			fmt.Fprintf(b.stderr, "failed: %s: %s\n", o.Run.ID, o.Reason)
			if f, err := b.store.ReadFailure(o.Run.ID); err == nil && f != nil && f.Stderr != "" {
				fmt.Fprintf(b.stderr, "  its last words (all in %s):\n", b.store.FailurePath(o.Run.ID))
				lines := strings.Split(strings.TrimSpace(f.Stderr), "\n")
				for _, line := range lines[max(0, len(lines)-5):] {
					fmt.Fprintf(b.stderr, "  | %s\n", line)
				}
			}
		case launch.OutcomeEnvironment:
			kept++
			fmt.Fprintf(b.stderr, "not done: %s: %s\n", o.Run.ID, o.Reason)
		case launch.OutcomeInterrupted:
			interrupted++
		}
	}
	switch {
	case interrupted > 0:
		return fmt.Errorf("%d of %d runs are not done: %w", interrupted+failed+kept, len(outcomes), errInterrupted)
	case ctx.Err() != nil:
		return errInterrupted
	case failed > 0 && kept > 0:
		return fmt.Errorf("%d of %d runs failed; -retry-failed tries them again. %d could not be done here; the same command tries them again", failed, len(outcomes), kept)
	case kept > 0:
		return fmt.Errorf("%d of %d runs could not be done here; the same command tries them again", kept, len(outcomes))
	case failed > 0:
		return fmt.Errorf("%d of %d runs failed; -retry-failed tries them again", failed, len(outcomes))
	}
	return nil
}

// records reads the records among ids that exist.
func (b *bench) records(ids []string) ([]*record.Record, error) {
	var out []*record.Record
	var errs []error
	for _, id := range ids {
		r, err := b.store.Read(id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		default:
			out = append(out, r)
			errs = append(errs, plan.Complete(r))
		}
	}
	return out, errors.Join(errs...)
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
