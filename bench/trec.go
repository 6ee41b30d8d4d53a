package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
)

// The lists of -trec: the default is the longest cut-off of the metrics, the maximum
// the usual depth of a TREC run.
const (
	defaultTop = 20
	maxTop     = 1000
)

// export is what -trec tells about the files that it wrote.
type export struct {
	ID      string `json:"id"`
	Top     int    `json:"top"` // items a user, fewer where there are fewer candidates
	Users   int    `json:"users"`
	Kept    string `json:"kept"` // paths
	Removed string `json:"removed"`
	Qrels   string `json:"qrels"`
	// AsRecorded: ranking again gave every user's rank as recorded.
	AsRecorded bool `json:"as_recorded"`
}

// trec ranks with a recorded run again and writes every test user's list for other
// evaluators.
func (b *bench) trec(ctx context.Context) error {
	r, err := b.readRecord(b.options.trec)
	if err != nil {
		return err
	}
	if r.Result.Spec.Untested {
		return usageError{fmt.Errorf("-trec: %s is a trial of a search, which ranks no test items: run the suite with what the search chose", r.ID)}
	}
	path := func(kind string) string { return b.store.TRECPath(r.ID, kind) }
	e := export{
		ID: r.ID, Top: b.top, Users: r.Result.Users,
		Kept: path("kept.run"), Removed: path("removed.run"), Qrels: path("qrels"),
	}
	p := newProgress(b.stderr, b.store, make([]time.Duration, 1), 1)
	tell := func(event run.Event) { p.observe(0, plan.Run{ID: r.ID}, event) }
	phase := func(name string) func(done, total int) {
		tell(run.Event{Kind: run.EventPhase, Phase: name})
		return func(done, total int) {
			tell(run.Event{Kind: run.EventProgress, Progress: &run.Progress{Step: done, Steps: total}})
		}
	}
	phase("load")
	var got *rank.Result
	rankAndWrite := func(s rank.Scorer, split *datasets.Split) (err error) {
		data, cases := split.Data, split.Test
		got, err = rank.Evaluate(ctx, s, cases, data.NumItems, rank.Options{Top: b.top, Progress: phase("rank")})
		if err != nil {
			return err
		}
		if err := b.store.MakeFolder("trec"); err != nil {
			return err
		}
		if err := rank.WriteRun(ctx, e.Kept, data, cases, got.TopKept, r.ID, phase("write")); err != nil {
			return err
		}
		if err := rank.WriteRun(ctx, e.Removed, data, cases, got.TopRemoved, r.ID, phase("write")); err != nil {
			return err
		}
		return rank.WriteQrels(e.Qrels, data, cases)
	}
	err = run.WithScorer(r, b.recordedJob(r), registry.Models, rankAndWrite)
	p.finish()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("-trec: %w", errInterrupted)
	}
	if err != nil {
		return err
	}
	tell(run.Event{Kind: run.EventDone})
	e.AsRecorded = rank.RanksSum(got.RanksKept, got.RanksRemoved) == r.Result.RanksSHA256
	if e.AsRecorded {
		err = run.SealWeights(b.store, r.ID)
	} else {
		fmt.Fprintf(b.stderr, "warning: %s: the lists do not give the ranks of the record: the weights or the machine differ from those of the record\n", r.ID)
		for _, d := range append(unlike("kept", r.Result.Test.Kept, got.Kept), unlike("removed", r.Result.Test.Removed, got.Removed)...) {
			fmt.Fprintf(b.stderr, "  %s\n", d)
		}
	}
	if err != nil {
		return err
	}
	if b.json {
		return b.writeJSON(e)
	}
	_, err = fmt.Fprintf(b.stdout, "%s\n%s\n%s\n", e.Kept, e.Removed, e.Qrels)
	return err
}

// unlike names the metrics that are not as recorded.
func unlike(rule string, recorded record.Metrics, got rank.Metrics) []string {
	var out []string
	for _, name := range rank.MetricNames() {
		if v, ok := got[name]; ok && v != recorded[name] {
			out = append(out, fmt.Sprintf("%s, seen items %s: %.6f, recorded %.6f", name, rule, v, recorded[name]))
		}
	}
	return out
}
