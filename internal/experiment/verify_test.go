package experiment

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"famebench/internal/record"
	"famebench/internal/train"
	"famebench/pretrain"
)

func TestVerify(t *testing.T) {
	dir := tinyFolder(t)
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
		{"untouched", 1, Equal, ""},
		{"a little off", 1.01, Within, "0.99 %"},
		{"far off", 1.5, Different, "33.33 %"},
	} {
		rec, err := r.Store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		rec.Result.Test.Kept["MRR"] *= tt.factor
		if rec.ResultSHA256, err = rec.Result.Hash(); err != nil {
			t.Fatal(err)
		}
		v, o, err := r.Verify(context.Background(), rec, RecordedJob(rec, dir, "", Source{}))
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
	dir := tinyFolder(t)
	p, r := tinyPlan(t, dir, "quick")
	rec := &record.Record{ID: p.Runs[0].ID, Result: record.Result{Spec: p.Runs[0].Job.Spec}}
	rec.Result.Spec.Versions.Model = 7
	rec.ID, _ = rec.Result.Spec.ID()
	_, o, err := r.Verify(context.Background(), rec, RecordedJob(rec, dir, "", Source{}))
	if err != nil || o.Status != OutcomeFailed || !strings.Contains(o.Reason, "versions model 7") {
		t.Errorf("%v, %s: %s", err, o.Status, o.Reason)
	}
}

func TestChangedDataIsRefused(t *testing.T) {
	dir := tinyFolder(t)
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

func TestCompareNamesWhereTheCurveParts(t *testing.T) {
	a := &record.Record{ResultSHA256: "a", Result: record.Result{Status: record.Patience, Epochs: 2, BestEpoch: 1,
		Curve: []record.Point{{Epoch: 1, Loss: 9}, {Epoch: 2, Loss: 8, Valid: record.Metrics{"MRR": 0.1}}}}}
	b := &record.Record{ResultSHA256: "b", Result: record.Result{Status: record.Epochs, Epochs: 2, BestEpoch: 2,
		Curve: []record.Point{{Epoch: 1, Loss: 9}, {Epoch: 2, Loss: 8, Valid: record.Metrics{"MRR": 0.2}}}}}
	v := compare(a, b)
	want := `training ended by patience, now by epochs
2 epochs with the best at 1, now 2 with the best at 2
the training curve first differs in epoch 2: validation MRR 0.100000, now 0.200000`
	if got := strings.Join(v.Differences, "\n"); v.Result != Within || got != want {
		t.Errorf("%s\n%s\nwant\n%s", v.Result, got, want)
	}
}

func TestCost(t *testing.T) {
	dir := tinyFolder(t)
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
	if len(costs) != 3 || costs[1].BatchTargets != 16 || costs[2].BatchTargets != PaperBatch {
		t.Errorf("%+v", costs)
	}
	if ids, err := r.Store.IDs(); len(ids) != 0 || err != nil {
		t.Errorf("a cost left records: %v, %v", ids, err)
	}
}

func TestReadSource(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "mine")
	if s := ReadSource(dir, out); !reflect.DeepEqual(s, Source{}) {
		t.Errorf("no repository: %+v", s)
	}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, b)
		}
	}
	git("init", "-q")
	write(t, filepath.Join(dir, "a.go"), "package a\n")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	for _, step := range []struct {
		name    string
		do      func()
		changed []string
	}{
		{"clean", func() {}, nil},
		{"results", func() { mkdirWrite(t, filepath.Join(dir, "results"), "x.json") }, nil},
		{"results elsewhere", func() { mkdirWrite(t, out, "y.json") }, nil},
		{"changed source", func() { write(t, filepath.Join(dir, "a.go"), "package b\n") }, []string{"a.go"}},
		{"untracked source", func() { mkdirWrite(t, filepath.Join(dir, "sub"), "ä b.go") }, []string{"a.go", "sub/ä b.go"}},
	} {
		step.do()
		s := ReadSource(dir, out)
		if len(s.Commit) != 40 || s.Dirty != (step.changed != nil) || !reflect.DeepEqual(s.Changed, step.changed) {
			t.Errorf("%s: %+v, want changed %q", step.name, s, step.changed)
		}
	}
}

func mkdirWrite(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name), "{}\n")
}

// TestDefaultsArePinned: ids leave out settings at their default, so a default that
// changes would give another run an old id. Whoever changes one raises the version of the
// model, or train.Version. The file is generated: with -update, new models and settings
// are added, and a version that was raised takes its new defaults; a default that changed
// without one is still an error.
func TestDefaultsArePinned(t *testing.T) {
	type pin struct {
		Version   int             `json:"version"`
		Objective string          `json:"objective,omitempty"` // of a model: default of train.objective
		Settings  record.Settings `json:"settings"`
	}
	defaults, starts := train.Defaults(), specStart()
	now := map[string]pin{"train": {train.Version, "", nil}, "pretrain": {pretrain.Version, "", nil}}
	structs := map[string]any{"train": &defaults, "pretrain": &starts}
	for _, e := range Registry {
		if e.Defaults != nil && !e.Text { // a model initialised from texts has its base's
			now[e.Name], structs[e.Name] = pin{e.Version, e.trainDefaults().Objective, nil}, e.Defaults
		}
	}
	pinned := map[string]pin{}
	path := filepath.Join("testdata", "defaults.json")
	readPins(t, path, &pinned)
	for name, n := range now {
		var err error
		if n.Settings, err = record.All(structs[name]); err != nil {
			t.Fatal(err)
		}
		now[name] = n
		p, ok := pinned[name]
		switch {
		case !ok && !*update:
			t.Errorf("%s is a new model: pin its defaults with %s", name, updateCommand)
			continue
		case !ok || *update && p.Version != n.Version:
			continue
		case p.Version != n.Version:
			t.Errorf("%s: expected the defaults of version %d, got version %d: pin them with %s", name, p.Version, n.Version, updateCommand)
		case p.Objective != n.Objective:
			t.Errorf("%s: expected the default objective %q, got %q: raise the version, then run %s", name, p.Objective, n.Objective, updateCommand)
		}
		for key, v := range n.Settings {
			switch was := p.Settings[key]; {
			case was == nil && !*update:
				t.Errorf("%s: the setting %q is new: pin its default with %s", name, key, updateCommand)
			case was != nil && string(was) != string(v):
				t.Errorf("%s.%s: expected the default %s of version %d, got %s: raise the version, then run %s", name, key, was, p.Version, v, updateCommand)
			}
		}
	}
	if *update && !t.Failed() {
		writePins(t, path, now)
	}
}
