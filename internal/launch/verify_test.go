package launch

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

func TestVerify(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "popularity done, markov done" {
		t.Fatal(got)
	}
	id := p.Runs[1].ID
	for _, tt := range []struct {
		name   string
		factor float64 // on a recorded metric
		want   string
		words  string
	}{
		{"untouched", 1, run.Equal, ""},
		{"a little off", 1.01, run.Within, "0.99 %"},
		{"far off", 1.5, run.Different, "33.33 %"},
	} {
		rec, err := r.Store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		rec.Result.Test.Kept["MRR"] *= tt.factor
		if rec.ResultSHA256, err = rec.Result.Hash(); err != nil {
			t.Fatal(err)
		}
		v, o, err := r.Verify(context.Background(), rec, plan.RecordedJob(rec, dir, "", plan.Source{}))
		if err != nil || o.Status != OutcomeDone {
			t.Fatalf("%s: %v, %s %s", tt.name, err, o.Status, o.Reason)
		}
		text := strings.Join(v.Differences, "\n")
		if v.Result != tt.want || !strings.Contains(text, tt.words) || (tt.factor == 1) != (text == "") {
			t.Errorf("%s: %s\n%s\nwant %s with %q", tt.name, v.Result, text, tt.want, tt.words)
		}
		if tt.factor != 1 && !strings.Contains(text, "test MRR, seen items kept") {
			t.Errorf("%s: the metric is not named:\n%s", tt.name, text)
		}
	}
}

func TestVerifyRefusesOtherVersions(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	rec := &record.Record{ID: p.Runs[0].ID, Result: record.Result{Spec: p.Runs[0].Job.Spec}}
	rec.Result.Spec.Versions.Model = 7
	rec.ID, _ = rec.Result.Spec.ID()
	_, o, err := r.Verify(context.Background(), rec, plan.RecordedJob(rec, dir, "", plan.Source{}))
	if err != nil || o.Status != OutcomeFailed || !strings.Contains(o.Reason, "versions model 7") {
		t.Errorf("%v, %s: %s", err, o.Status, o.Reason)
	}
}

func TestChangedDataIsRefused(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	f, err := os.OpenFile(filepath.Join(dir, "tiny.csv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("u0,i19\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	o := r.Run(context.Background(), p.Runs)[0]
	if o.Status != OutcomeEnvironment || !strings.Contains(o.Reason, "the data changed; put the old data back, or run the suite again") {
		t.Errorf("%s: %s", o.Status, o.Reason)
	}
}
