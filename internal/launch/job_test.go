package launch

import (
	"context"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
	"famebench/internal/tinytest"
	"famebench/internal/train"
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

// A suite of kind "cost" with steps measures each cell once: with the heads scored separately, too,
// if the model has any.
func TestCells(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "neural", "suites.neural.kind=cost", "suites.neural.steps=30", "suites.neural.models=[\"sasrec\", \"fame-warm\"]")
	cells := map[string]record.Cell{}
	r.Observe = func(_ int, one plan.Run, e run.Event) {
		if e.Kind == run.EventCost {
			cells[one.Job.Spec.Model] = *e.Cell
		}
	}
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "sasrec done, fame-warm done" {
		t.Fatal(got)
	}
	sasrec, fame := cells["sasrec"], cells["fame-warm"]
	if sasrec.Separate != nil || sasrec.Heads != 0 || sasrec.Loss != "ce" || fame.Separate == nil || fame.Heads != 4 || fame.Experts != 4 || fame.Hidden != 8 {
		t.Errorf("%+v\n%+v", sasrec, fame)
	}
	for i, c := range []record.Cell{sasrec, fame} {
		scorings := []record.Scoring{c.Scoring}
		if c.Separate != nil {
			scorings = append(scorings, *c.Separate)
		}
		for _, s := range scorings {
			if s.UsersPerSecond <= 0 || s.Latency.P50 <= 0 || s.Latency.P99 < s.Latency.P50 || s.PeakRSSMB < c.Scoring.PeakRSSMB {
				t.Errorf("%+v", c)
			}
		}
		if c.ID != p.Runs[i].ID || c.Items != 20 || c.BatchTargets != 16 || c.Step.P25 <= 0 || c.Step.P50 < c.Step.P25 || c.Step.P75 < c.Step.P50 ||
			c.Parameters < 100 || c.Seconds <= 0 || c.Code == "" {
			t.Errorf("%+v", c)
		}
	}
	if ids, err := r.Store.IDs(); len(ids) != 0 || err != nil {
		t.Errorf("cells left records: %v, %v", ids, err)
	}
	r.Measured = map[string]float64{fame.ID: 8}
	left, err := r.Remaining(p)
	if err != nil || left.Runs != 1 || left.Time != 8*time.Second || left.states[1].Status != plan.StateDone {
		t.Errorf("%+v, %v", left, err)
	}
	r.Measured[sasrec.ID] = 1
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "sasrec reused, fame-warm reused" {
		t.Error(got)
	}
}

// Before any cell is measured, records of the same model say how long it takes: here a record with
// 10 seconds for an epoch of 90 targets and 20 items, on twice as many threads.
func TestOfSteps(t *testing.T) {
	p, _ := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "neural", "suites.neural.kind=cost", "suites.neural.steps=9", "suites.neural.models=[\"sasrec\", \"fame-warm\"]")
	e := &Estimator{tinytest.Entries, []pace{{model: "sasrec", targets: 90, items: 10, threads: 2, epochs: 5, perEpoch: 10}, {model: "sasrec", threads: 2, epochs: 5, perEpoch: 1}}}
	// 9 steps of 16 targets, 20 items.
	if d, ok := e.OfSteps(p, p.Runs[0]); !ok || (d-scoringTime-64*time.Second).Abs() > time.Millisecond {
		t.Errorf("%v, %v; want 64 s more than %v", d, ok, scoringTime)
	}
	if d, ok := e.OfSteps(p, p.Runs[1]); ok {
		t.Errorf("without a record: %v", d)
	}
}

// The records that are most like a run say how long it takes. Each of these is less like it than the
// one before, and takes longer.
func TestEstimate(t *testing.T) {
	p, _ := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "neural", `suites.neural.models=["fame-warm"]`, "train.epochs=8", "train.patience=2")
	one := p.Runs[slices.IndexFunc(p.Runs, func(r plan.Run) bool { return r.Job.Spec.Model == "fame-warm" })]
	spec, targets := one.Job.Spec, trainTargets(p.Data[0].Stats)
	own := pace{device: spec.Device, model: spec.Model, fingerprint: spec.Dataset.Fingerprint, precision: train.Float32, hidden: hiddenSize(registry.Models, spec), version: spec.Versions.Train,
		targets: targets, threads: 1, epochs: 5, perEpoch: 1, around: 2}
	runs := []pace{own}
	for _, change := range []func(p *pace){
		func(p *pace) { p.version++ },
		func(p *pace) { p.precision = train.BFloat16 },
		func(p *pace) { p.cutShort = true },
		func(p *pace) { p.hidden *= 4 },
		func(p *pace) { p.fingerprint = "other"; p.targets *= 2 },
		func(p *pace) { p.model = "fame" },
		func(p *pace) { p.device = "cuda" },
	} {
		less := own
		less.perEpoch = 2 * runs[len(runs)-1].perEpoch
		change(&less)
		runs = append(runs, less)
	}
	for model, want := range map[string]int{"fame": 64, "markov": 0} { // the default, and none
		if got := hiddenSize(registry.Models, record.Spec{Model: model}); got != want {
			t.Errorf("hidden size of %s: %d, want %d", model, got, want)
		}
	}
	for i, want := range []float64{7, 12, 22, 42, 2 + 16*5/4., 2 + 32*5/2, 2 + 64*5, 2 + 128*5} {
		// Twice, so that the mean is of those alone that are most alike.
		e := &Estimator{registry.Models, slices.Concat(runs[i:], runs[i:])}
		if d, ok := e.Of(p, one, false); !ok || math.Abs(d.Seconds()-want) > 1e-6 {
			t.Errorf("without the first %d records: %v, %t, want %v s", i, d, ok, want)
		}
	}
	long := own
	long.epochs, long.cutShort = 9, true // by a budget that is not below this run's, of 8 epochs
	e := &Estimator{registry.Models, []pace{long}}
	if d, ok := e.Of(p, one, false); !ok || d != 10*time.Second {
		t.Errorf("%v, %t", d, ok)
	}
	// No run ends before its patience does.
	patient := one
	patient.Job.Spec.Train = maps.Clone(one.Job.Spec.Train)
	patient.Job.Spec.Train["epochs"], patient.Job.Spec.Train["patience"], patient.Job.Spec.Train["patience_after"] = []byte("900"), []byte("20"), []byte("300")
	if d, ok := e.Of(p, patient, false); !ok || d != (2+300+20)*time.Second {
		t.Errorf("%v, %t, expected 322 s", d, ok)
	}
	if d, ok := e.Of(p, one, true); !ok || d != 2*time.Second {
		t.Errorf("trained already: %v, %t", d, ok)
	}
	e.runs[0].model = "duorec"
	if d, ok := e.Of(p, one, false); ok {
		t.Errorf("another model: %v", d)
	}
}

// What a time limit stopped after a few epochs says nothing about a whole run.
func TestEstimateWithoutStoppedRuns(t *testing.T) {
	p, _ := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "neural")
	store := record.Store{Dir: t.TempDir()}
	if err := store.Make(); err != nil {
		t.Fatal(err)
	}
	for status, want := range map[record.Status]bool{record.Time: false, record.Patience: true} {
		r := &record.Record{Result: record.Result{Spec: p.Runs[0].Job.Spec, Status: status, Epochs: 1, BestEpoch: 1, Curve: []record.Point{{Epoch: 1, Steps: 1, Loss: 1, Valid: record.Metrics{"NDCG@10": .1}}}}}
		if err := store.Write(r); err != nil {
			t.Fatal(err)
		}
		e, err := NewEstimator(store, registry.Models)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := e.Of(p, p.Runs[0], false); ok != want {
			t.Errorf("%s: an estimate: %t", status, ok)
		}
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
	same, err := registry.CodesOf(registry.Models, read().Result.Spec.Model)
	if err != nil {
		t.Fatal(err)
	}
	if same = slices.DeleteFunc(slices.Clone(same), func(c string) bool { return c == own }); len(same) == 0 {
		t.Fatal("no other code is known to compute the same numbers, so this test shows less than it should")
	}
	for _, step := range []struct {
		code  string // of the stored record
		again bool
		want  string
	}{
		{own, false, OutcomeReused}, {own, true, OutcomeReused},
		{"other", false, OutcomeReused}, {"other", true, OutcomeDone},
		{same[0], false, OutcomeReused}, {same[0], true, OutcomeReused},
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
