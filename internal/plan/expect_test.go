package plan

import (
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/record"
	"famebench/internal/tinytest"
)

func TestExpectations(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, store := planTiny(t, dir, "neural", "neural.seeds=[0, 1, 2, 3, 4]")
	write1 := func(run Run, ndcg float64, still ...string) {
		t.Helper()
		rec := &record.Record{Result: record.Result{Spec: run.Job.Spec, Status: record.Epochs, Still: still,
			Test: record.Rules{Removed: record.Metrics{"NDCG@10": ndcg}}}}
		if err := store.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	for i, ndcg := range []float64{.6, .7, .8, .9, 1} { // mean .8, deviation .158
		write1(p.Runs[i], ndcg)
	}
	e, err := p.Expect(store)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "expected.json")
	if err := record.WriteJSON(path, e); err != nil {
		t.Fatal(err)
	}
	if e, err = ReadExpectations(path); err != nil || len(e.Runs) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	one, _ := planTiny(t, dir, "neural", "neural.seeds=[0]")
	gpu := *one // the same run on another device
	gpu.Runs = []Run{one.Runs[0]}
	gpu.Runs[0].Job.Spec.Device = "cuda"
	gpu.Runs[0].ID, _ = gpu.Runs[0].Job.Spec.ID()
	for _, tt := range []struct {
		plan  *Plan
		ndcg  float64
		still []string
		want  string // "": as expected
	}{
		{one, .8, nil, ""},
		{one, .9, nil, ""}, // a better result is not a fault
		{one, .33, nil, ""},
		{one, .32, nil, "less than the expected 0.8000 - 3 × 0.1581 (5 seeds)"},
		{one, .8, []string{"a", "b"}, "did not change a, b"},
		{&gpu, .32, nil, "less than the expected"},
	} {
		write1(tt.plan.Runs[0], tt.ndcg, tt.still...)
		err := e.Check(tt.plan, store)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v %v: %v, want %q", tt.ndcg, tt.still, err, tt.want)
		}
	}
	// Nor does a run that its time limit stopped, and it raises no expectation.
	rec, err := store.Read(one.Runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	rec.Result.Status, rec.Result.Test.Removed["NDCG@10"] = record.Time, .9
	rec.Result.Epochs, rec.Result.BestEpoch = 1, 1
	rec.Result.Curve = []record.Point{{Epoch: 1, Steps: 1, Loss: 1, Valid: record.Metrics{"NDCG@10": .1}}}
	if err := store.Write(rec); err != nil {
		t.Fatal(err)
	}
	const stopped = "train.time_limit stopped it (epochs: 1)"
	if err := e.Check(one, store); err == nil || !strings.Contains(err.Error(), stopped) {
		t.Errorf("stopped by its limit: %v", err)
	}
	if _, err := p.Expect(store); err == nil || !strings.Contains(err.Error(), stopped) {
		t.Errorf("an expectation of it: %v", err)
	}
	write1(one.Runs[0], .8)
	// A run without an expectation does not pass.
	if err := (Expectations{}).Check(one, store); err == nil || !strings.Contains(err.Error(), "-expect") {
		t.Errorf("without expectations: %v", err)
	}
	if _, err := one.Expect(store); err == nil || !strings.Contains(err.Error(), "expected at least 5 seeds") {
		t.Errorf("an expectation of one seed: %v", err)
	}
	if e, err := ReadExpectations(filepath.Join(dir, "no.json")); err != nil || len(e.Runs) != 0 {
		t.Errorf("no file: %+v, %v", e, err)
	}
	tinytest.Write(t, path, "{")
	if _, err := ReadExpectations(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v", err)
	}
}
