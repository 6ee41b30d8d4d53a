package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"famebench/internal/plan"
)

// full is a disk with no space left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

const stdoutConfig = `
[suites.one]
models = ["popularity"]
datasets = ["tiny"]
[suites.cost]
kind = "cost"
models = ["popularity"]
datasets = ["tiny"]
[suites.search]
kind = "tune"
models = ["sasrec"]
datasets = ["tiny"]
trials = 2
rungs = [0]
[suites.search.axes]
dropout = [0.1, 0.2]
`

// In every mode a standard output that takes nothing is an error, and everything else
// is done.
func TestStdoutIsChecked(t *testing.T) {
	dir := tiny(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+stdoutConfig)
	_, stderr, err := runBench(t, dir, "-models", "popularity,fame", "-set", "fame.hidden=8")
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`tiny-popularity-s0-[0-9a-f]{8}`).FindString(stderr)
	fame := regexp.MustCompile(`tiny-fame-s0-[0-9a-f]{8}`).FindString(stderr)
	one := []string{"-suite", "one", "-out", filepath.Join(dir, "one")}
	for _, tt := range []struct {
		args  []string
		files []string // that are there afterwards
	}{
		{[]string{"-help"}, nil},
		{[]string{"-list"}, nil},
		{[]string{"-list", "-json"}, nil},
		{[]string{"-dry-run"}, nil},
		{[]string{"-dry-run", "-json"}, nil},
		{one, []string{"one/tables/one.md", "one/tables/one.tex", "one/tables/one.csv", "one/index.html"}},
		{append(one, "-json"), nil},
		{append(one, "-report"), []string{"one/tables/one.md"}},
		{[]string{"-models", "popularity,fame", "-set", "fame.hidden=8", "-analyse"}, []string{"results/analysis/" + fame + ".json"}},
		{[]string{"-verify", id}, nil},
		{[]string{"-verify", id, "-json"}, nil},
		{[]string{"-trec", id}, []string{"results/trec/" + id + ".qrels"}},
		{[]string{"-explain", "u7", "-run", fame}, nil},
		{[]string{"-suite", "cost"}, []string{"results/cost.json", "results/tables/cost.md"}},
		{[]string{"-suite", "search"}, []string{"results/search.toml", "results/tables/search.md"}},
	} {
		for _, name := range tt.files {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		err := command(context.Background(), nil, inFolder(dir, tt.args), full{}, io.Discard)
		if exitCode(err) != exitFailed || !strings.Contains(err.Error(), "standard output is incomplete: no space left on device") {
			t.Errorf("%q: exit code %d, %v", tt.args, exitCode(err), err)
		}
		for _, name := range tt.files {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%q: %v", tt.args, err)
			}
		}
	}
	// What is wrong with the command line comes first.
	if err := command(context.Background(), nil, []string{"-config", config, "-suite", "nosuch"}, full{}, io.Discard); exitCode(err) != exitUsage {
		t.Errorf("a wrong suite: %v", err)
	}
}

// A closed pipe does not end the process before its files are written.
func TestClosedPipe(t *testing.T) {
	dir := tiny(t)
	for _, args := range [][]string{{"-list"}, {"-help"}, {"-models", "popularity"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd := built(t, dir, args...)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = w, &stderr
		_ = cmd.Run()
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "standard output is incomplete") {
			t.Errorf("%q: exit code %d\n%s", args, code, &stderr)
		}
	}
	out, name := custom(t, filepath.Join(dir, "results"))
	for _, file := range []string{"tables/" + name + ".md", "index.html"} {
		if _, err := os.Stat(filepath.Join(out, file)); err != nil {
			t.Error(err)
		}
	}
}
