// Package tinytest holds a small log, its configuration and a registry for tests of several
// packages. It does not depend on plans and runs, so that their own tests can use it.
package tinytest

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/example"
	"famebench/internal/rank"
	"famebench/internal/registry"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Entries has real models and some that fail, each in its own way.
var Entries = []registry.Entry{
	{Name: "popularity", Version: 1, NonNeural: baselines.NewPopularity},
	{Name: "markov", Version: 1, NonNeural: baselines.NewMarkov},
	{Name: "sasrec", Version: 1, Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: registry.Constructor(baselines.NewSASRec)},
	{Name: "killed", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) {
		fmt.Fprintln(os.Stderr, "about to run out of memory")
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}},
	{Name: "panics", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) { panic("no such thing") }},
	{Name: "fails", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) { return nil, errors.New("cannot count") }},
	{Name: "full-disk", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) {
		return nil, fmt.Errorf("writing: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	}},
	{Name: "big", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) {
		return nil, &torch.Error{Op: "zeros", Reason: "no memory for 51539607552 bytes"}
	}},
	{Name: "out-of-memory", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) {
		// As Go's runtime ends: the trace is longer than the tail that is kept.
		fmt.Fprint(os.Stderr, "runtime: out of memory: cannot allocate 4194304-byte block\nfatal error: out of memory\n", strings.Repeat("goroutine 1 [running]:\n", 2000))
		os.Exit(2)
		return nil, nil
	}},
	{Name: "bad-alloc", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) {
		fmt.Fprint(os.Stderr, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\nSIGABRT: abort\n")
		os.Exit(2)
		return nil, nil
	}},
	{Name: "stubborn", Version: 1, NonNeural: func(*datasets.Split) (rank.Scorer, error) {
		fmt.Printf("{\"kind\":%q,\"message\":\"%d\"}\n", "warning", os.Getpid())
		select {}
	}},
	{Name: "diverges", Version: 1, Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions}, Neural: func(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error) {
		m, err := registry.Constructor(baselines.NewSASRec)(rt, config, t, numItems)
		return divergingModel{m}, err
	}},
	{Name: "fragile", Version: 1, Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions}, Neural: fragile},
	{Name: "left", Version: 1, NonNeural: meets("left", "right")},
	{Name: "right", Version: 1, NonNeural: meets("right", "left")},
	exampleEntry,
	{Name: "fame-warm", Version: 1, Defaults: models.FAMEDefaults(), InitFrom: "sasrec", Objectives: []string{train.AllPositions}, Neural: registry.Constructor(models.NewFAME)},
	{Name: "bert4rec", Version: 1, Defaults: baselines.BERT4RecDefaults(), Objectives: []string{train.Cloze}, Neural: registry.Constructor(baselines.NewBERT4Rec)},
}

// meets makes a model whose run ends only while that of another model of the same parent
// process is running.
func meets(own, other string) func(*datasets.Split) (rank.Scorer, error) {
	return func(s *datasets.Split) (rank.Scorer, error) {
		marker := func(name string) string {
			return filepath.Join(os.TempDir(), fmt.Sprintf("famebench-meets-%d-%s", os.Getppid(), name))
		}
		if err := os.WriteFile(marker(own), nil, 0o600); err != nil {
			return nil, err
		}
		for range 6000 {
			if _, err := os.Stat(marker(other)); err == nil {
				return baselines.NewPopularity(s)
			}
			time.Sleep(10 * time.Millisecond)
		}
		return nil, fmt.Errorf("the run of %s has not begun within a minute", other)
	}
}

// divergingModel is a model whose loss is NaN.
type divergingModel struct{ models.Model }

func (m divergingModel) Loss(b *models.Batch) torch.Tensor { return m.Model.Loss(b).Scale(math.NaN()) }

// fragile is SASRec that kills its process in the middle of an epoch, the first
// time.
type fragileModel struct {
	models.Model
	steps int
}

// FragileMarker is the environment variable that names a file. The model "fragile"
// creates the file and kills its process, unless the file exists.
const FragileMarker = "LAUNCH_TEST_MARKER"

func fragile(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error) {
	m, err := registry.Constructor(baselines.NewSASRec)(rt, config, t, numItems)
	return &fragileModel{Model: m}, err
}

func (m *fragileModel) Loss(b *models.Batch) torch.Tensor {
	m.steps++
	marker := os.Getenv(FragileMarker)
	if _, err := os.Stat(marker); err != nil && m.steps == 8 {
		_ = os.WriteFile(marker, nil, 0o644)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return m.Model.Loss(b)
}

// Config has suites of Entries on the log of Folder.
const Config = `
[train]
batch_targets = 16
epochs = 3
checkpoint_every = 0.001

[models.sasrec]
hidden = 8
dropout = 0.2
[models.sasrec.datasets.tiny]
dropout = 0.1
[models.fragile]
hidden = 8

[models.fame-warm]
hidden = 8

[models.fism]
dropout = 0.1
[models.fism.train]
epochs = 40
patience = 40
learning_rate = 0.01

[datasets.tiny]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }

[suites.quick]
models = ["popularity", "markov"]
datasets = ["tiny"]
[suites.neural]
models = ["sasrec"]
datasets = ["tiny"]
seeds = [0, 1]
[suites.neural.train]
epochs = 2
[suites.bad]
models = ["panics", "fails", "diverges", "popularity"]
datasets = ["tiny"]
[suites.environment]
models = ["full-disk", "big", "out-of-memory", "bad-alloc", "killed", "popularity"]
datasets = ["tiny"]
[suites.stubborn]
models = ["stubborn"]
datasets = ["tiny"]
[suites.meeting]
models = ["left", "right"]
datasets = ["tiny"]
[suites.example]
models = ["fism"]
datasets = ["tiny"]
[suites.fragile]
models = ["fragile"]
datasets = ["tiny"]
[suites.warm]
models = ["fame-warm", "sasrec"]
datasets = ["tiny"]
seeds = [0, 1, 2]
`

// Folder makes a folder with a configuration and a log, tiny.csv: 30 users with 6 items
// each, of 20 items.
func Folder(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("u,i\n")
	for u := range 30 {
		for i := range 6 {
			fmt.Fprintf(&csv, "u%d,i%d\n", u, (u*3+i*i)%20)
		}
	}
	Write(t, filepath.Join(dir, "tiny.csv"), csv.String())
	Write(t, filepath.Join(dir, "experiments.toml"), config)
	return dir
}

// Write writes a file.
func Write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// exampleEntry is the registry's line in docs/adding-a-model.md.
var exampleEntry = registry.Entry{Name: "fism", Summary: "mean of the history's factors (Kabbur et al. 2013)", Version: 1,
	Defaults: example.FISMDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: registry.Constructor(example.NewFISM)}
