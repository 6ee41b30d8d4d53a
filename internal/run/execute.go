package run

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
	"famebench/internal/train"
	"famebench/models"
	"famebench/pretrain"
)

// task is a run in progress.
type task struct {
	job    plan.Job
	entry  registry.Entry
	store  record.Store
	lock   *record.Lock // confirmed before a file is written that belongs to the result
	out    *emitter
	params any // hyper-parameters of the model
	train  train.Config
	split  *datasets.Split
	record *record.Record
	ranked *rank.Result // nil: no test items were ranked
}

// execute does a run from data to metrics and returns its record. It writes
// ranks, curve and weights; the caller writes the record itself.
func execute(ctx context.Context, job plan.Job, e registry.Entry, lock *record.Lock, out *emitter) (*record.Record, error) {
	began := time.Now()
	r := &record.Record{ID: lock.ID, Result: record.Result{Spec: job.Spec, Status: record.Done}}
	m := &r.Measured
	m.Started, m.Host, m.CPU, m.OS, m.Go = began.UTC(), Hostname(), CPUModel(), system(), runtime.Version()
	m.Environment = environment
	m.Threads, m.Code, m.Commit, m.Dirty = job.Threads, job.Code, job.Source.Commit, job.Source.Dirty

	params, t, err := job.Settings(e)
	if err != nil {
		return nil, err
	}
	out.phase("load")
	split, err := load(job, m, out)
	if err != nil {
		return nil, err
	}
	m.LoadSeconds = time.Since(began).Seconds()

	k := &task{job: job, entry: e, store: lock.Store, lock: lock, out: out, params: params, train: t, split: split, record: r}
	if e.Neural == nil {
		s, warnings, err := nonNeural(ctx, job, e, split, out)
		if err != nil {
			return nil, err
		}
		m.Warnings = slices.Concat(m.Warnings, warnings)
		if e.FromTexts != nil { // libtorch has encoded the texts
			m.Libtorch = torch.Version()
		}
		if err := errors.Join(k.validateCold(ctx, s, 0), k.rank(ctx, s)); err != nil {
			return nil, err
		}
	} else if err := k.neural(ctx); err != nil {
		return nil, err
	}
	m.Seconds = time.Since(began).Seconds()
	m.PeakRSSMB = float64(peakRSS()) / (1 << 20)
	if k.ranked != nil { // after the measurements, because it reads the items' labels
		if err := lock.Confirm(); err != nil {
			return nil, err
		}
		err = WriteBeyond(lock.Store, r, split, k.ranked, func(text string) { out.emit(Event{Kind: EventWarning, Message: text}) })
	}
	return r, err
}

// load opens the data of a job and makes sure that it is what was planned.
func load(j plan.Job, m *record.Measured, out *emitter) (*datasets.Split, error) {
	split, err := open(j)
	if err != nil {
		return nil, environmentError{err} // not the run's fault
	}
	m.Warnings = split.Data.Warnings
	for _, w := range m.Warnings {
		out.emit(Event{Kind: EventWarning, Message: w})
	}
	return split, nil
}

// neural initialises a model, trains it and ranks with it.
func (k *task) neural(ctx context.Context) (err error) {
	r, m := k.record, &k.record.Measured
	if r.Resolved, err = plan.Resolved(k.params, k.train); err != nil {
		return err
	}
	var from *initial
	if k.job.Spec.Init != nil {
		started := time.Now()
		if from, err = initialise(ctx, k.job, k.params, k.split.Data, k.out); err != nil {
			return err
		}
		m.Warnings = slices.Concat(m.Warnings, from.warnings)
		m.PretrainSeconds = time.Since(started).Seconds()
		if err := from.addTo(r, k.store); err != nil {
			return err
		}
	}
	c := torch.Config{Device: k.job.Device, Threads: k.job.Threads, Seed: uint64(k.job.Spec.Seed)}
	return torch.RunTeam(c, func(team *torch.Team) error { return k.fit(ctx, team, from) })
}

// fit trains a model, keeps its best weights and ranks with them. from is the
// initial item table of a model that is initialised from texts, nil for others.
func (k *task) fit(ctx context.Context, team *torch.Team, from *initial) error {
	t, split, store, out := k.train, k.split, k.store, k.out
	model, err := replicas(team, k.entry, k.params, t, split.Data.NumItems)
	if err != nil {
		return err
	}
	m, res, id := &k.record.Measured, &k.record.Result, k.record.ID
	if k.job.Device == "cpu" {
		bfloat16 := t.Precision == train.BFloat16
		m.Products = torch.Products(bfloat16)
		if bfloat16 && !torch.BFloat16IsFast() {
			out.emit(Event{Kind: EventWarning, Message: slowBFloat16})
		}
	}
	m.Libtorch, m.Threads, m.Parameters, m.TimeLimit = torch.Version(), team.Size(), model.Params().Count(), t.TimeLimit

	var frozen []string
	if from != nil {
		if err := from.set(model); err != nil {
			return err
		}
		if from.config.Frozen {
			frozen = []string{itemTable}
		}
	}
	if res.Spec.Source != nil {
		if m.Source, err = inherit(model, k.job); err != nil {
			return err
		}
	}
	if err := scaleItems(model, t.ItemScale); err != nil {
		return err
	}
	out.phase("train")
	before := sums(model.Params().View())
	code := m.Code
	if m.Source != nil { // a checkpoint of training that began with other weights is of no use either
		code += " " + m.Source.Weights
	}
	code += " " + cmp.Or(m.Products, Processor(k.job.Device)) // a record names one kind of processor
	training.Lock()
	fit, err := train.Fit(ctx, model, split, t, train.Options{
		Frozen: frozen, Shorter: train.Shorter{Run: k.job.ContinueFrom, Checkpoint: store.CheckpointPath(k.job.ContinueFrom)},
		Seed: res.Spec.Seed, Run: id, Code: code, Checkpoint: store.CheckpointPath(id), Curve: store.CurvePath(id),
		Notice:   store.Notice,
		Progress: out.progress,
	})
	training.Unlock()
	if err != nil {
		return err
	}
	switch {
	case fit.Status == train.StopInterrupt:
		return context.Canceled
	case fit.Status == train.StopNaN:
		return fmt.Errorf("the loss became NaN or infinite in epoch %d: try a lower learning rate", len(fit.Curve)+1)
	case fit.BestEpoch == 0:
		return fmt.Errorf("training ended (%s) before any validation, so there are no weights to rank", fit.Status)
	}
	m.TrainSeconds, m.Resumed = fit.Seconds, fit.Resumed
	m.ThreadsBefore = slices.DeleteFunc(fit.Threads, func(n int) bool { return n == m.Threads })
	m.TargetsPerSecond = train.PerSecond(fit.Targets, fit.Seconds-fit.EvalSeconds)
	res.Status, res.Epochs, res.BestEpoch, res.Targets, res.Curve = fit.Status, len(fit.Curve), fit.BestEpoch, fit.Targets, fit.Curve
	res.Still = slices.DeleteFunc(still(before, sums(model.Params().View())), func(name string) bool { return slices.Contains(frozen, name) })
	scorer, penalty := train.NewScorer(model, split.Data.NumItems, t.MaxLen), 0.
	if from != nil && from.config.Untrained != pretrain.AsTrained { // the outcome of training is checked above
		if penalty, err = k.fillUntrained(ctx, from, model, scorer); err != nil {
			return err
		}
	}
	if err := k.lock.Confirm(); err != nil {
		return err
	}
	if m.Weights, err = writeWeights(store.WeightsPath(id), id, model.Params().View()); err != nil {
		return err
	}
	if err := k.validateCold(ctx, scorer, penalty); err != nil {
		return err
	}
	if res.Spec.ValidationOnly {
		res.Users, res.Items = 0, split.Data.NumItems
		return nil
	}
	return k.rank(ctx, scorer)
}

const slowBFloat16 = `train.precision = "bfloat16" is slow here: famebench has no bfloat16 products for this processor (they need AMX, or AVX512-BF16 and a processor that is not Intel's), so numbers are rounded and multiplied in float32`

// sums are checksums of tensors, which take less memory than a copy.
func sums(tensors map[string]safetensors.Tensor) map[string][sha256.Size]byte {
	out := make(map[string][sha256.Size]byte, len(tensors))
	for name, t := range tensors {
		out[name] = sha256.Sum256(t.Data)
	}
	return out
}

// still returns the names of unmoved parameters.
func still(before, after map[string][sha256.Size]byte) []string {
	var names []string
	for name, sum := range after {
		if before[name] == sum {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// rank ranks the test cases, once, and stores ranks and metrics.
func (k *task) rank(ctx context.Context, s rank.Scorer) error {
	r, split, store, out := k.record, k.split, k.store, k.out
	out.phase("rank")
	start := time.Now()
	got, err := rank.Evaluate(ctx, s, split.Test, split.Data.NumItems, rank.Options{
		Coverage: true,
		Progress: func(done, total int) { out.progress(Progress{Step: done, Steps: total}) },
	})
	if err != nil {
		return err
	}
	r.Measured.RankSeconds = time.Since(start).Seconds()
	r.Measured.EvalUsersPerSec = train.PerSecond(int64(len(split.Test)), r.Measured.RankSeconds)
	r.Result.Users, r.Result.Items = len(split.Test), split.Data.NumItems
	r.Result.Test = record.Rules{Kept: record.Metrics(got.Kept), Removed: record.Metrics(got.Removed)}
	if err := k.lock.Confirm(); err != nil {
		return err
	}
	// A record that is replaced must not be found next to the new ranks.
	if err := store.RemoveRecord(r.ID); err != nil {
		return err
	}
	k.ranked = got
	r.Result.RanksSHA256, err = rank.WriteRanks(store.RanksPath(r.ID), got.RanksKept, got.RanksRemoved)
	return err
}

// replicas builds a model on every member of a team.
func replicas(team *torch.Team, e registry.Entry, params any, t train.Config, numItems int) (*train.Replicas, error) {
	return train.NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
		return e.Neural(rt, params, t, numItems)
	})
}
