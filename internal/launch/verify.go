package launch

import (
	"context"
	"os"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
)

// Verify repeats a recorded run by its RecordedJob, with its own spec, in a folder of its
// own, and compares the results. It does not touch the original record. If the original's
// weights are missing or damaged (they are not in git), those of the repeated run replace
// them.
func (r *Runner) Verify(ctx context.Context, original *record.Record, job plan.Job) (run.Verdict, Outcome, error) {
	dir, err := os.MkdirTemp("", "famebench-verify-")
	if err != nil {
		return run.Verdict{}, Outcome{}, err
	}
	defer os.RemoveAll(dir)
	again := &Runner{Store: record.Store{Dir: dir}, Command: r.Command, Observe: r.Observe, Kill: r.Kill, Poll: r.Poll}
	if err := again.Store.Make(); err != nil {
		return run.Verdict{}, Outcome{}, err
	}
	if err := again.Store.CheckLocks(); err != nil {
		return run.Verdict{}, Outcome{}, err
	}
	job.Out, job.WeightsIn = dir, r.Store.Dir
	o := again.Run(ctx, []plan.Run{{ID: original.ID, Job: job}})[0]
	if o.Status != OutcomeDone {
		return run.Verdict{}, o, nil
	}
	repeated, err := again.Store.Read(original.ID)
	if err != nil {
		return run.Verdict{}, o, err
	}
	v, err := run.Compare(original, repeated, r.Store, again.Store)
	return v, o, err
}
