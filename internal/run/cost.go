package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/stats"
	"famebench/internal/torch"
	"famebench/internal/train"
)

// How costs are measured.
const (
	warmUpSeconds = 3    // of training before the measured epoch
	latencyUsers  = 1000 // whose scores are timed one by one
	latencyWarmUp = 50   // before that
)

// measureCost measures one model with one batch size, in a process of its own,
// because peak memory is measured per process. It measures a whole epoch of
// training after a warm-up, so that short and long sequences have their share; in the
// same epoch the loss, and right after it, for half a second, the matrix products that it
// could be as fast as; one ranking of all validation users; and the scores of single
// users one after the other.
func measureCost(ctx context.Context, job plan.Job, e registry.Entry, out *emitter) (*record.Cost, error) {
	params, t, err := job.Settings(e)
	if err != nil {
		return nil, err
	}
	out.phase("load")
	split, err := load(job, &record.Measured{}, out)
	if err != nil {
		return nil, err
	}
	c := &record.Cost{Model: job.Spec.Model, Dataset: job.Spec.Dataset.Name, Device: job.Device, Threads: job.Threads, CPU: CPUModel()}
	if e.Neural == nil {
		s, _, err := nonNeural(ctx, job, e, split, out)
		if err != nil {
			return nil, err
		}
		err = measureRanking(ctx, c, s, split, out)
		return c, err
	}
	c.CPU = Processor(job.Device)
	config := torch.Config{Device: job.Device, Threads: job.Threads, Seed: uint64(job.Spec.Seed)}
	err = torch.RunTeam(config, func(team *torch.Team) error {
		model, err := replicas(team, e, params, t, split.Data.NumItems)
		if err != nil {
			return err
		}
		c.BatchTargets, c.Parameters = t.BatchTargets, model.Params().Count()
		fit := func(epochs int, limit float64) (*train.Result, error) {
			t := t
			t.Epochs, t.TimeLimit = epochs, limit
			r, err := train.Fit(ctx, model, split, t, train.Options{
				Seed: job.Spec.Seed, Progress: out.progress,
			})
			if err == nil && r.Status == train.StopInterrupt {
				err = context.Canceled
			}
			return r, err
		}
		out.phase("train")
		if _, err := fit(1, warmUpSeconds); err != nil {
			return err
		}
		before := team.LossWork()
		r, err := fit(1, 0)
		if err != nil {
			return err
		}
		if r.Status != record.Epochs {
			return fmt.Errorf("training ended by %s within the measured epoch", r.Status)
		}
		seconds := r.Seconds - r.EvalSeconds
		c.TargetsPerSecond = train.PerSecond(r.Targets, seconds)
		if err := measureLoss(c, team, before, seconds, model, t.Precision == train.BFloat16); err != nil {
			return err
		}
		return measureRanking(ctx, c, train.NewScorer(model, split.Data.NumItems, t.MaxLen), split, out)
	})
	return c, err
}

// measureLoss fills in the speed of the loss since `before`, its share of the seconds of
// training, and how fast the machine multiplies matrices of its sizes: those of one thread
// in a step.
func measureLoss(c *record.Cost, team *torch.Team, before torch.Work, seconds float64, model *train.Replicas, bfloat16 bool) error {
	work := team.LossWork()
	work.FLOP -= before.FLOP
	work.Seconds -= before.Seconds
	if work.FLOP == 0 { // a sampled loss
		return nil
	}
	c.LossGFLOPS = 1e-9 * work.FLOP / work.Seconds
	c.LossShare = work.Seconds / seconds
	table := model.Params().Get(itemTable).Shape() // [V+1, d]
	rows := max(1, int64(c.BatchTargets/team.Size()))
	var err error
	c.ProductGFLOPS, err = team.ProductRate(rows, table[0], table[1], bfloat16)
	return err
}

// measureRanking fills in the speed of full ranking, the latency of single users
// and, last, the peak memory of everything.
func measureRanking(ctx context.Context, c *record.Cost, s rank.Scorer, split *datasets.Split, out *emitter) error {
	out.phase("rank")
	start := time.Now()
	_, err := rank.Evaluate(ctx, s, split.Valid, split.Data.NumItems, rank.Options{
		Progress: func(done, total int) { out.progress(Progress{Step: done, Steps: total}) },
	})
	if err != nil {
		return err
	}
	c.EvalUsersPerSec = train.PerSecond(int64(len(split.Valid)), time.Since(start).Seconds())

	out.phase("latency")
	c.Latency, err = measureLatency(ctx, s, split.Test)
	c.PeakRSSMB = float64(peakRSS()) / (1 << 20)
	return err
}

// measureLatency scores single users one after the other.
func measureLatency(ctx context.Context, s rank.Scorer, cases []datasets.Case) (record.Latency, error) {
	var ms []float64
	for i := range latencyWarmUp + latencyUsers {
		if err := ctx.Err(); err != nil {
			return record.Latency{}, err
		}
		n := i % len(cases) // small data are used repeatedly
		start := time.Now()
		if err := s.Score(cases[n:n+1], func(int, []float32) {}); err != nil {
			return record.Latency{}, err
		}
		if i >= latencyWarmUp {
			ms = append(ms, 1000*time.Since(start).Seconds())
		}
	}
	slices.Sort(ms)
	return record.Latency{P50: stats.NearestRank(ms, 50), P95: stats.NearestRank(ms, 95), P99: stats.NearestRank(ms, 99)}, nil
}
