// Package export writes what a recorded run recommends, for other evaluators.
package export

import (
	"context"
	"fmt"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
)

// Files says what TREC wrote.
type Files struct {
	ID      string `json:"id"`
	Top     int    `json:"top"` // items per user; fewer if there are fewer candidates
	Users   int    `json:"users"`
	Kept    string `json:"kept"` // paths
	Removed string `json:"removed"`
	Qrels   string `json:"qrels"`
	// AsRecorded: ranking again gave every user's rank as recorded.
	AsRecorded bool `json:"as_recorded"`
	// Beyond is the path of the metrics beyond accuracy, if the record, which is older than
	// they are, had none.
	Beyond string `json:"beyond,omitempty"`
	// Differences are the metrics that are not as recorded.
	Differences []string `json:"-"`
	Warnings    []string `json:"-"` // about Beyond
}

// TREC ranks with a recorded run again and writes the top items of every test user
// for other evaluators. phase is called when a part of the work begins, and returns the
// function that is called with its progress.
func TREC(ctx context.Context, r *record.Record, job plan.Job, entries []registry.Entry, top int, phase func(string) func(done, total int)) (Files, error) {
	store := record.Store{Dir: job.Out}
	e := Files{
		ID: r.ID, Top: top, Users: r.Result.Users,
		Kept: store.TRECPath(r.ID, "kept.run"), Removed: store.TRECPath(r.ID, "removed.run"), Qrels: store.TRECPath(r.ID, "qrels"),
	}
	phase("load")
	var got *rank.Result
	old, err := store.ReadBeyond(r)
	if err != nil {
		return e, err
	}
	err = run.WithScorer(r, job, entries, func(s rank.Scorer, split *datasets.Split) (err error) {
		data, cases := split.Data, split.Test
		if old != nil && run.OtherLabels(old, split) {
			old = nil
		}
		got, err = rank.Evaluate(ctx, s, cases, data.NumItems, rank.Options{Top: top, Coverage: old == nil, Progress: phase("rank")})
		if err != nil {
			return err
		}
		if err := store.MakeFolder("trec"); err != nil {
			return err
		}
		list := rank.Run{Tag: r.ID, Data: data, Cases: cases, Lists: got.TopKept}
		if err := list.Write(ctx, e.Kept, phase("write")); err != nil {
			return err
		}
		list.Lists = got.TopRemoved
		if err := list.Write(ctx, e.Removed, phase("write")); err != nil {
			return err
		}
		if err := rank.WriteQrels(e.Qrels, data, cases); err != nil {
			return err
		}
		e.AsRecorded = rank.RanksSum(got.RanksKept, got.RanksRemoved) == r.Result.RanksSHA256
		if old != nil || !e.AsRecorded || got.Kept[rank.Coverage] != r.Result.Test.Kept[rank.Coverage] || got.Removed[rank.Coverage] != r.Result.Test.Removed[rank.Coverage] {
			return nil // the lists are not known to be those of the record
		}
		e.Beyond = store.BeyondPath(r.ID)
		return run.WriteBeyond(store, r, split, got, func(text string) { e.Warnings = append(e.Warnings, text) })
	})
	if err != nil {
		return e, err
	}
	if e.AsRecorded {
		return e, run.SealWeights(store, r.ID)
	}
	e.Differences = append(unlike("kept", r.Result.Test.Kept, got.Kept), unlike("removed", r.Result.Test.Removed, got.Removed)...)
	return e, nil
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
