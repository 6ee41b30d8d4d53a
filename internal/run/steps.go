package run

import (
	"context"
	"fmt"
	"math"
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
	"famebench/models"
)

// How a cell is measured, in addition to the constants of measureCost.
const (
	warmUpSteps = 20   // before those that are timed
	rankedUsers = 1000 // at most, for the speed of ranking
	warmUpUsers = 64   // that are ranked before those, and whose scores are compared
)

// measureSteps measures one model with its settings, in a process of its own, because peak
// memory is measured per process: Job.Steps training steps one by one, then full ranking and
// the scores of single users. For FAME the latter two are measured a second time with the
// heads scored separately, on the same users and after the same training.
func measureSteps(ctx context.Context, job plan.Job, e registry.Entry, out *emitter) (*record.Cell, error) {
	began := time.Now()
	params, t, err := job.Settings(e)
	if err != nil {
		return nil, err
	}
	out.phase("load")
	split, err := load(job, &record.Measured{}, out)
	if err != nil {
		return nil, err
	}
	split = withCatalogue(split)
	items := split.Data.NumItems
	c := &record.Cell{
		Model: job.Spec.Model, Dataset: job.Spec.Dataset.Name, Items: items, Loss: t.Loss, Negatives: t.ItemLoss().SampledNegatives(),
		BatchTargets: t.BatchTargets, Code: job.Code, Commit: job.Source.Commit, Dirty: job.Source.Dirty,
	}
	if c.ID, err = job.Spec.ID(); err != nil {
		return nil, err
	}
	config := torch.Config{Device: job.Device, Threads: job.Threads, Seed: uint64(job.Spec.Seed)}
	err = torch.RunTeam(config, func(team *torch.Team) error {
		fames := make([]*models.FAME, team.Size())
		model, err := train.NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
			m, err := e.Neural(rt, params, t, items)
			fame, ok := m.(*models.FAME)
			if i := slices.Index(fames, nil); ok && err == nil {
				fames[i] = fame // members build in their order
			}
			return m, err
		})
		if err != nil {
			return err
		}
		c.Parameters = model.Params().Count()
		out.phase("train")
		ms, err := timeSteps(ctx, model, split, t, stepsOptions{job.Spec.Seed, job.Steps, out})
		if err != nil {
			return err
		}
		c.Step = record.Quartiles{P25: stats.NearestRank(ms, 25), P50: stats.NearestRank(ms, 50), P75: stats.NearestRank(ms, 75)}
		folded := train.NewScorer(model, items, t.MaxLen)
		if err := measureScoring(ctx, &c.Scoring, folded, split, out); err != nil || fames[0] == nil {
			return err
		}
		settings := fames[0].Config()
		c.Heads, c.Experts, c.Hidden = settings.Heads, settings.Experts, settings.Hidden
		if settings.Gate == models.GateConcat { // there are no heads to score
			return nil
		}
		separate, err := newSeparateScorer(team, fames, items, t.MaxLen)
		if err != nil {
			return err
		}
		if err := sameScores(folded, separate, split.Valid[:min(warmUpUsers, len(split.Valid))]); err != nil {
			return err
		}
		c.Separate = &record.Scoring{}
		return measureScoring(ctx, c.Separate, separate, split, out)
	})
	c.Seconds = time.Since(began).Seconds()
	return c, err
}

// withCatalogue gives a split of generated data the whole catalogue of its world. A few users
// interact with a part of a large one, and the rest have the ids after NumItems.
func withCatalogue(s *datasets.Split) *datasets.Split {
	data, split := *s.Data, *s
	data.NumItems = max(data.NumItems, data.Config.World.Items)
	split.Data = &data
	return &split
}

// stepsOptions are how many steps of which run are timed, and who hears of it.
type stepsOptions struct {
	seed  int64
	steps int
	out   *emitter
}

// timeSteps trains until so many steps are timed, and returns their times in milliseconds,
// ascending. It never evaluates on the validation items.
func timeSteps(ctx context.Context, model *train.Replicas, split *datasets.Split, t train.Config, o stepsOptions) ([]float64, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	t.Epochs, t.EvalEvery, t.TimeLimit = 1<<30, 1<<30, 0
	var ms []float64
	var last time.Time
	done := 0
	r, err := train.Fit(ctx, model, split, t, train.Options{Seed: o.seed, Progress: func(p train.Progress) {
		now := time.Now()
		defer func() { last = time.Now() }()
		if p.EpochDone { // not a step
			return
		}
		if done++; done > warmUpSteps {
			ms = append(ms, 1000*now.Sub(last).Seconds())
		}
		if len(ms) == o.steps {
			stop()
		}
		o.out.progress(Progress{Step: done, Steps: warmUpSteps + o.steps})
	}})
	switch {
	case err != nil:
		return nil, err
	case len(ms) == o.steps:
		slices.Sort(ms)
		return ms, nil
	case r.Status == train.StopInterrupt:
		return nil, context.Canceled
	}
	return nil, fmt.Errorf("training ended by %s within the measured steps", r.Status)
}

// measureScoring fills in the speed of full ranking, the latency of single users and, last,
// the peak memory of everything up to then.
func measureScoring(ctx context.Context, c *record.Scoring, s rank.Scorer, split *datasets.Split, out *emitter) error {
	items := split.Data.NumItems
	if _, err := rank.Evaluate(ctx, s, split.Valid[:min(warmUpUsers, len(split.Valid))], items, rank.Options{}); err != nil {
		return err
	}
	out.phase("rank")
	users := split.Valid[:min(rankedUsers, len(split.Valid))]
	start := time.Now()
	_, err := rank.Evaluate(ctx, s, users, items, rank.Options{Block: 2 * warmUpUsers, Progress: func(done, total int) {
		out.progress(Progress{Step: done, Steps: total})
	}})
	if err != nil {
		return err
	}
	c.UsersPerSecond = train.PerSecond(int64(len(users)), time.Since(start).Seconds())
	out.phase("latency")
	c.Latency, err = measureLatency(ctx, s, split.Test)
	c.PeakRSSMB = float64(peakRSS()) / (1 << 20)
	return err
}

// sameScores is an error if two scorers do not give the same scores, up to rounding: then one
// of them computes something else, and their times must not be compared.
func sameScores(a, b rank.Scorer, cases []datasets.Case) error {
	const most = 1e-4 // of the largest score
	x, err := allScores(a, cases)
	if err != nil {
		return err
	}
	y, err := allScores(b, cases)
	if err != nil {
		return err
	}
	largest, apart := 0., 0.
	for i, row := range x {
		for v := 1; v < len(row); v++ {
			largest = max(largest, math.Abs(float64(row[v])))
			apart = max(apart, math.Abs(float64(row[v])-float64(y[i][v])))
		}
	}
	if !(apart <= most*largest) { // negated, so that NaN is refused too
		return fmt.Errorf("the heads scored separately give other scores than the folded user vector: expected differences of at most %g, got %g", most*largest, apart)
	}
	return nil
}

// allScores copies the scores of some cases, one by one.
func allScores(s rank.Scorer, cases []datasets.Case) ([][]float32, error) {
	rows := make([][]float32, len(cases))
	for i := range cases {
		err := s.Score(cases[i:i+1], func(_ int, scores []float32) { rows[i] = slices.Clone(scores) })
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}
