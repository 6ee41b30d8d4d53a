package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"famebench/internal/experiment"
	"famebench/internal/record"
)

// bench is the command with its configuration read.
type bench struct {
	options
	config *experiment.Config
	store  record.Store
	source experiment.Source
	kill   <-chan struct{}
	stdout io.Writer
	stderr io.Writer
}

func newBench(o options, kill <-chan struct{}, stdout, stderr io.Writer) (*bench, error) {
	b := &bench{options: o, kill: kill, stdout: stdout, stderr: stderr}
	path, err := o.config, error(nil)
	if path == "" {
		if path, err = experiment.Find("."); err != nil {
			return nil, err
		}
	}
	if b.config, err = experiment.Load(path, o.sets, experiment.Registry); err != nil {
		return nil, err
	}
	out := o.out
	if out == "" {
		out = filepath.Join(b.config.Root, "results")
	}
	if b.store.Dir, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	b.source = experiment.ReadSource(b.config.Root, b.store.Dir)
	return b, nil
}

func (b *bench) runner(p *progress) *experiment.Runner {
	return &experiment.Runner{Store: b.store, Jobs: b.jobs, Retry: b.retryFailed, Observe: p.observe, Kill: b.kill, Poll: 2 * time.Second}
}

// suite does the runs of a plan that have no record, then renders.
func (b *bench) suite(ctx context.Context, plan *experiment.Plan) error {
	if err := b.store.Make(); err != nil {
		return err
	}
	if err := plan.WriteData(b.store); err != nil {
		return err
	}
	p := newProgress(b.stderr, len(plan.Runs))
	outcomes := b.runner(p).Run(ctx, plan.Runs)
	p.finish()

	var ids []string
	for _, o := range outcomes {
		ids = append(ids, o.Run.ID)
	}
	records, err := b.records(ids)
	err = errors.Join(err, b.render(plan, records, outcomes))
	if b.options.analyse {
		err = errors.Join(err, b.analyse(records))
	}
	return errors.Join(err, b.verdictOn(outcomes))
}

// verdictOn tells what went wrong, and returns the error that decides the exit
// code.
func (b *bench) verdictOn(outcomes []experiment.Outcome) error {
	var failed, interrupted int
	for _, o := range outcomes {
		switch o.Status {
		case experiment.OutcomeFailed:
			failed++
			fmt.Fprintf(b.stderr, "failed: %s: %s\n", o.Run.ID, o.Reason)
			if f, err := b.store.ReadFailure(o.Run.ID); err == nil && f != nil && f.Stderr != "" {
				fmt.Fprintf(b.stderr, "  its last words (all in %s):\n", b.store.FailurePath(o.Run.ID))
				lines := strings.Split(strings.TrimSpace(f.Stderr), "\n")
				for _, line := range lines[max(0, len(lines)-5):] {
					fmt.Fprintf(b.stderr, "  | %s\n", line)
				}
			}
		case experiment.OutcomeInterrupted:
			interrupted++
		}
	}
	switch {
	case interrupted > 0:
		return fmt.Errorf("%d of %d runs are not done: %w", interrupted+failed, len(outcomes), errInterrupted)
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
		}
	}
	return out, errors.Join(errs...)
}

// verify repeats a recorded run.
func (b *bench) verify(ctx context.Context) error {
	original, err := b.readRecord(b.options.verify)
	if err != nil {
		return err
	}
	p := newProgress(b.stderr, 1)
	v, o, err := b.runner(p).Verify(ctx, original, b.config.Root, b.source)
	p.finish()
	if err != nil {
		return err
	}
	if o.Status != experiment.OutcomeDone {
		return b.verdictOn([]experiment.Outcome{o})
	}
	if b.json {
		err = b.writeJSON(v)
	} else {
		experiment.WriteVerdict(b.stdout, v)
	}
	if err == nil && v.Result == experiment.Different {
		err = fmt.Errorf("%s: the result is different", v.ID)
	}
	return err
}

func (b *bench) writeJSON(v any) error {
	e := json.NewEncoder(b.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
