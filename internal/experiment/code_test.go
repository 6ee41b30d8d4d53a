package experiment

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
	"famebench/internal/torch"
)

// What a model refers to is part of its code; other models are not.
func TestCodeOfModels(t *testing.T) {
	shared := []string{"datasets/split.go", "internal/rank/rank.go", "internal/experiment/execute.go"}
	trained := append([]string{"internal/train/fit.go", "internal/torch/native.cpp", "internal/torch/ops.go"}, shared...)
	for _, tt := range []struct {
		model    string
		has, not []string
	}{
		{"popularity", append([]string{"baselines/popularity.go"}, shared...), []string{"baselines/sasrec.go", "internal/train/fit.go", "models/fame.go"}},
		{"sasrec", append([]string{"baselines/sasrec.go", "models/transformer.go", "models/loss.go"}, trained...), []string{"baselines/duorec.go", "baselines/bert4rec.go", "models/fame.go", "pretrain/train.go"}},
		{"duorec", append([]string{"baselines/duorec.go", "baselines/sasrec.go", "models/transformer.go"}, trained...), []string{"baselines/core.go", "models/fame.go"}},
		{"fame-plain", append([]string{"models/fame.go", "models/transformer.go"}, trained...), []string{"baselines/sasrec.go", "pretrain/train.go"}},
		{"fame-plus", append([]string{"models/fame.go", "pretrain/train.go", "pretrain/bert.go"}, trained...), []string{"baselines/sasrec.go"}},
	} {
		e, _ := find(Registry, tt.model)
		v, err := e.code()
		if err != nil || len(v.Hash) != 64 {
			t.Fatalf("%s: %q, %v", tt.model, v.Hash, err)
		}
		for _, file := range tt.has {
			if !slices.Contains(v.Files, file) {
				t.Errorf("%s: the code lacks %s", tt.model, file)
			}
		}
		for _, file := range tt.not {
			if slices.Contains(v.Files, file) {
				t.Errorf("%s: the code has %s", tt.model, file)
			}
		}
		for _, file := range v.Files {
			if _, err := os.Stat(filepath.Join("..", "..", file)); err != nil {
				t.Errorf("%s: %v", tt.model, err)
			}
		}
	}
}

// Every file of package torch is hashed; they are listed one by one.
func TestSourcesOfTorchAreComplete(t *testing.T) {
	entries, err := os.ReadDir("../torch")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), "_test.go") || e.Name() == "sources.go" {
			continue
		}
		if _, err := fs.Stat(torch.Sources, e.Name()); err != nil {
			t.Errorf("torch.Sources: %v", err)
		}
	}
}

// A record that other code made is used, unless its run is to be done again.
func TestRecordsOfOtherCode(t *testing.T) {
	dir := tinyFolder(t)
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

// While a model is developed, its records of other code are not used; those of other
// models are.
func TestUncommittedChangesOfAModel(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileName), `
[datasets.d]
format = "csv"
path = "d.csv"
columns = { user = "u", item = "i" }
[suites.s]
models = ["sasrec", "duorec", "fame"]
datasets = ["d"]
`)
	write(t, filepath.Join(dir, "d.csv"), "u,i\n1,a\n1,b\n1,c\n2,a\n2,c\n2,b\n")
	c, err := Load(filepath.Join(dir, FileName), nil, Registry)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		changed []string
		again   string
		told    []string
	}{
		{nil, "", nil},
		{[]string{"README.md", "models/fame_test.go"}, "", nil},
		{[]string{"baselines/sasrec.go"}, "sasrec duorec", []string{"baselines/sasrec.go"}},
		{[]string{"tools/famebench/models/fame.go"}, "fame", []string{"models/fame.go"}},
		{[]string{"internal/train/fit.go"}, "sasrec duorec fame", []string{"internal/train/fit.go"}},
	} {
		p, err := c.Plan(s, Options{Threads: 1, Source: Source{Changed: tt.changed}})
		if err != nil {
			t.Fatal(err)
		}
		var again []string
		for _, r := range p.Runs {
			if m := r.Job.Spec.Model; r.Job.Again && !slices.Contains(again, m) {
				again = append(again, m)
			}
		}
		if got := strings.Join(again, " "); got != tt.again || !slices.Equal(p.Changed, tt.told) {
			t.Errorf("%q changed: %q again, %q told; want %q, %q", tt.changed, got, p.Changed, tt.again, tt.told)
		}
	}
}
