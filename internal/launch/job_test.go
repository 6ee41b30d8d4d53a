package launch

import (
	"context"
	"slices"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/tinytest"
)

func TestCost(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "neural", "suites.neural.kind=cost", "suites.neural.models=[\"markov\", \"sasrec\"]")
	var costs []record.Cost
	for _, o := range r.Run(context.Background(), p.Runs) {
		if o.Status != OutcomeDone || o.Cost == nil {
			t.Fatalf("%s: %s %s", o.Run.ID, o.Status, o.Reason)
		}
		costs = append(costs, *o.Cost)
	}
	for i, c := range costs {
		trained := i > 0
		if c.EvalUsersPerSec <= 0 || c.Latency.P50 <= 0 || c.Latency.P99 < c.Latency.P50 || c.PeakRSSMB < 1 ||
			(c.TargetsPerSecond > 0) != trained || (c.Parameters > 0) != trained {
			t.Errorf("%+v", c)
		}
	}
	if len(costs) != 3 || costs[1].BatchTargets != 16 || costs[2].BatchTargets != plan.PaperBatch {
		t.Errorf("%+v", costs)
	}
	if ids, err := r.Store.IDs(); len(ids) != 0 || err != nil {
		t.Errorf("a cost left records: %v, %v", ids, err)
	}
}

// A record that other code made is used, unless its run is to be done again.
func TestRecordsOfOtherCode(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	id := p.Runs[0].ID
	read := func() *record.Record {
		t.Helper()
		rec, err := r.Store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	status := func(again bool) string {
		t.Helper()
		runs := slices.Clone(p.Runs[:1])
		runs[0].Job.Again = again
		return r.Run(context.Background(), runs)[0].Status
	}
	if s := status(false); s != OutcomeDone || read().Measured.Code == "" {
		t.Fatalf("first run: %s, code %q", s, read().Measured.Code)
	}
	own := read().Measured.Code
	for _, step := range []struct {
		code  string // of the stored record
		again bool
		want  string
	}{
		{own, false, OutcomeReused}, {own, true, OutcomeReused},
		{"other", false, OutcomeReused}, {"other", true, OutcomeDone},
		{"", false, OutcomeReused}, {"", true, OutcomeDone}, // older than the hash
	} {
		rec := read()
		rec.Measured.Code = step.code
		if err := r.Store.Write(rec); err != nil {
			t.Fatal(err)
		}
		if got := status(step.again); got != step.want {
			t.Errorf("code %q, again %v: %s, want %s", step.code, step.again, got, step.want)
		}
		if got := read().Measured.Code; step.want == OutcomeDone && got != own {
			t.Errorf("code %q, again %v: the new record has code %q", step.code, step.again, got)
		}
	}
}
