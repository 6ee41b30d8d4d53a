package registry

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/torch"
)

// The files that a model refers to are part of its code; other models are not.
func TestCodeOfModels(t *testing.T) {
	shared := []string{"datasets/split.go", "internal/rank/rank.go", "internal/run/execute.go", "internal/run/init.go", "internal/run/untrained.go"}
	trained := append([]string{"internal/train/fit.go", "internal/torch/native.cpp", "internal/torch/ops.go"}, shared...)
	for _, tt := range []struct {
		model    string
		has, not []string
	}{
		{"popularity", append([]string{"baselines/popularity.go"}, shared...), []string{"baselines/sasrec.go", "internal/train/fit.go", "models/fame.go", "datasets/world.go", "internal/facets/oracle.go"}},
		{"oracle", append([]string{"internal/facets/oracle.go", "datasets/world.go"}, shared...), []string{"baselines/popularity.go", "internal/train/fit.go"}},
		{"sasrec", append([]string{"baselines/sasrec.go", "models/transformer.go", "models/loss.go"}, trained...), []string{"baselines/duorec.go", "baselines/bert4rec.go", "models/fame.go", "pretrain/train.go"}},
		{"duorec", append([]string{"baselines/duorec.go", "baselines/sasrec.go", "models/transformer.go"}, trained...), []string{"baselines/core.go", "models/fame.go"}},
		{"fame-plain", append([]string{"models/fame.go", "models/transformer.go"}, trained...), []string{"baselines/sasrec.go", "pretrain/train.go"}},
		{"fame-plus", append([]string{"models/fame.go", "pretrain/train.go", "internal/bert/bert.go", "pretrain/settings.go"}, trained...), []string{"baselines/sasrec.go"}},
	} {
		e, _ := Find(Models, tt.model)
		v, err := e.Code()
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
