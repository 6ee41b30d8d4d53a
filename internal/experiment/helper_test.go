package experiment

import (
	"context"
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
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// testRegistry has real models and some that end badly, each in its own way.
var testRegistry = []Entry{
	{Name: "popularity", Version: 1, Floor: baselines.NewPopularity},
	{Name: "markov", Version: 1, Floor: baselines.NewMarkov},
	{Name: "sasrec", Version: 1, Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: neural(baselines.NewSASRec)},
	{Name: "killed", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) {
		fmt.Fprintln(os.Stderr, "about to run out of memory")
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}},
	{Name: "panics", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) { panic("no such thing") }},
	{Name: "fails", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) { return nil, errors.New("cannot count") }},
	{Name: "full-disk", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) {
		return nil, fmt.Errorf("writing: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	}},
	{Name: "big", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) {
		return nil, &torch.Error{Op: "zeros", Reason: "no memory for 51539607552 bytes"}
	}},
	{Name: "out-of-memory", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) {
		// As Go's runtime does it: the trace is longer than the last lines that are kept.
		fmt.Fprint(os.Stderr, "runtime: out of memory: cannot allocate 4194304-byte block\nfatal error: out of memory\n", strings.Repeat("goroutine 1 [running]:\n", 2000))
		os.Exit(2)
		return nil, nil
	}},
	{Name: "bad-alloc", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) {
		fmt.Fprint(os.Stderr, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\nSIGABRT: abort\n")
		os.Exit(2)
		return nil, nil
	}},
	{Name: "stubborn", Version: 1, Floor: func(*datasets.Split) (rank.Scorer, error) {
		fmt.Printf("{\"kind\":%q,\"message\":\"%d\"}\n", EventWarning, os.Getpid())
		select {}
	}},
	{Name: "diverges", Version: 1, Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions}, Neural: func(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error) {
		m, err := neural(baselines.NewSASRec)(rt, config, t, numItems)
		return divergingModel{m}, err
	}},
	{Name: "fragile", Version: 1, Defaults: baselines.SASRecDefaults(), Objectives: []string{train.AllPositions}, Neural: fragile},
	exampleEntry,
}

// divergingModel is a model whose loss is no number.
type divergingModel struct{ models.Model }

func (m divergingModel) Loss(b *models.Batch) torch.Tensor { return m.Model.Loss(b).Scale(math.NaN()) }

// fragile is SASRec that kills its process in the middle of an epoch, the first
// time.
type fragileModel struct {
	models.Model
	steps int
}

const fragileMarker = "EXPERIMENT_TEST_MARKER"

func fragile(rt *torch.Runtime, config any, t train.Config, numItems int) (models.Model, error) {
	m, err := neural(baselines.NewSASRec)(rt, config, t, numItems)
	return &fragileModel{Model: m}, err
}

func (m *fragileModel) Loss(b *models.Batch) torch.Tensor {
	m.steps++
	marker := os.Getenv(fragileMarker)
	if _, err := os.Stat(marker); err != nil && m.steps == 8 {
		_ = os.WriteFile(marker, nil, 0o644)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return m.Model.Loss(b)
}

// TestMain lets the test binary play a child, and a parent to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		registry := testRegistry
		if how := os.Getenv(brokenModel); how != "" {
			registry = breakModels(how)
		}
		os.Exit(RunChild(os.Stdin, os.Stdout, registry))
	}
	if dir := os.Getenv("EXPERIMENT_TEST_PARENT"); dir != "" {
		os.Exit(playParent(dir))
	}
	os.Exit(m.Run())
}

const tinyConfig = `
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
[suites.example]
models = ["fism"]
datasets = ["tiny"]
[suites.fragile]
models = ["fragile"]
datasets = ["tiny"]
`

// tinyFolder makes a folder with a configuration and 30 users of 6 items each.
func tinyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("u,i\n")
	for u := range 30 {
		for i := range 6 {
			fmt.Fprintf(&csv, "u%d,i%d\n", u, (u*3+i*i)%20)
		}
	}
	write(t, filepath.Join(dir, "tiny.csv"), csv.String())
	write(t, filepath.Join(dir, FileName), tinyConfig)
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tinyPlan plans a suite of the tiny configuration, with one thread.
func tinyPlan(t *testing.T, dir, suite string, sets ...string) (*Plan, *Runner) {
	t.Helper()
	p, r, err := makePlan(dir, suite, sets...)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

func makePlan(dir, suite string, sets ...string) (*Plan, *Runner, error) {
	c, err := Load(filepath.Join(dir, FileName), sets, testRegistry)
	if err != nil {
		return nil, nil, err
	}
	s, err := c.Suite(suite)
	if err != nil {
		return nil, nil, err
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	if err := store.Make(); err != nil {
		return nil, nil, err
	}
	p, err := c.Plan(s, Options{Threads: 1, Out: store.Dir})
	return p, &Runner{Store: store, Poll: 10 * time.Millisecond}, err
}

func playParent(dir string) int {
	p, r, err := makePlan(dir, "stubborn")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	r.Observe = func(_ int, run Run, e Event) {
		if e.Kind == EventWarning {
			fmt.Println(run.ID)
		}
	}
	r.Run(context.Background(), p.Runs)
	return 0
}

func statuses(outcomes []Outcome) string {
	var s []string
	for _, o := range outcomes {
		s = append(s, o.Run.Job.Spec.Model+" "+o.Status)
	}
	return strings.Join(s, ", ")
}
