package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// cellsSuite has four cells, three numbers of heads and a larger catalogue; the suite single has one.
const cellsSuite = `
[train]
batch_targets = 64
[models.fame]
hidden = 4
[datasets.small]
format = "facets"
world = { users = 30, items = 25 }
[datasets.large]
format = "facets"
world = { users = 30, items = 2000 }
[suites.cells]
kind = "cost"
summary = "four cells"
hypothesis = "H costs nothing"
models = ["fame"]
datasets = ["small", "large"]
steps = 5
grid = true
alone = ["large"]
axes.heads = [1, 2, 4]
[suites.single]
kind = "cost"
models = ["fame"]
datasets = ["small"]
steps = 5
`

// A suite with steps measures every cell once, stores it, and renders what is stored.
func TestCells(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, plan.FileName), cellsSuite)
	store := record.Store{Dir: filepath.Join(dir, "results")}
	bench := func(args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, err := runBench(t, dir, append([]string{"-suite", "cells"}, args...)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, stderr)
		}
		return stdout, stderr
	}
	if _, _, err := runBench(t, dir, "-suite", "cells", "-report"); err == nil || !strings.Contains(err.Error(), "nothing is measured yet; bench -suite cells measures it") {
		t.Errorf("a report of nothing: %v", err)
	}
	if stdout, _ := bench("-dry-run"); strings.Count(stdout, " to run") != 4 || !strings.Contains(stdout, "4 runs to do") {
		t.Errorf("dry run:\n%s", stdout)
	}
	stdout, stderr := bench()
	if strings.Count(stderr, ": done in") != 4 || !strings.Contains(stdout, "Growth: fame on small, hidden size 4, 25 items") || !strings.Contains(stdout, "H costs nothing") {
		t.Errorf("%s\n%s", stderr, stdout)
	}
	cells, err := store.ReadCells("cells")
	if err != nil || len(cells.Cells) != 4 || cells.CPU == "" || cells.Steps != 5 || cells.Threads != 1 {
		t.Fatalf("%+v, %v", cells, err)
	}
	if items := cells.Cells[3].Items; items != 2000 { // 30 users interact with far fewer
		t.Errorf("the item table of the larger catalogue has %d items", items)
	}
	for _, file := range []string{"tables/cells.md", "tables/cells.tex", "tables/cells.csv", "tables/cells.growth.csv", "figures/cells/small-heads.svg", "figures/cells/small-heads.png", "summaries/cells.json"} {
		if _, err := os.Stat(filepath.Join(store.Dir, file)); err != nil {
			t.Error(err)
		}
	}

	whole := committed(t, store.Dir)
	if _, stderr := bench(); strings.Contains(stderr, "started") {
		t.Errorf("a cell was measured again:\n%s", stderr)
	}
	bench("-report", "-threads", "5")
	whole.unchanged(t, store.Dir, "the same again, and a report")
	bench("-set", "fame.layers=1", "-datasets", "large")
	whole.unchanged(t, store.Dir, "another command")

	// What is missing is measured, and nothing else.
	cells.Cells = slices.Delete(cells.Cells, 2, 3)
	if err := store.WriteCells(cells); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := bench("-report"); !strings.Contains(stdout, "not measured: fame on small with heads = 4") {
		t.Errorf("a report does not name what is missing:\n%s", stdout)
	}
	if stdout, _ := bench("-dry-run"); !strings.Contains(stdout, "4 runs, 3 done already") {
		t.Errorf("dry run:\n%s", stdout)
	}
	stdout, stderr = bench("-json")
	var shown aggregate.Cells
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || len(shown.Cells) != 4 || len(shown.Missing) != 0 || strings.Count(stderr, ": done in") != 1 {
		t.Errorf("%+v, %v\n%s", shown, err, stderr)
	}
}

// What was measured elsewhere is not mixed with what is measured here, and a file that somebody
// changed is refused.
func TestCellsOfAnotherMachine(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, plan.FileName), cellsSuite)
	store := record.Store{Dir: filepath.Join(dir, "results")}
	elsewhere := &record.Cells{Suite: "single", CPU: "another CPU", Device: "cpu", Threads: 3, Steps: 5, Cells: []record.Cell{{ID: "small-fame-s0-00000000"}}}
	if err := store.WriteCells(elsewhere); err != nil {
		t.Fatal(err)
	}
	_, stderr, err := runBench(t, dir, "-suite", "single")
	if err != nil || strings.Count(stderr, ": done in") != 1 || !strings.Contains(stderr, "has measurements of 5 steps on another CPU, 3 threads, which") {
		t.Errorf("%v\n%s", err, stderr)
	}
	cells, err := store.ReadCells("single")
	if err != nil || len(cells.Cells) != 1 || cells.CPU == "another CPU" || cells.Threads != 1 {
		t.Fatalf("%+v, %v", cells, err)
	}
	cells.CPU = "another CPU"
	if err := store.WriteCells(cells); err != nil {
		t.Fatal(err)
	}
	if stdout, _, err := runBench(t, dir, "-suite", "single", "-report"); err != nil || !strings.Contains(stdout, "measured on another CPU, 1 thread") {
		t.Errorf("report: %v\n%s", err, stdout)
	}
	path := store.CellsPath("single")
	write(t, path, strings.Replace(read(t, path), `"p50": `, `"p50": 1`, 1))
	if _, _, err := runBench(t, dir, "-suite", "single"); exitCode(err) != exitFailed || !strings.Contains(err.Error(), path+" was changed after it was written") {
		t.Errorf("a changed file: %v", err)
	}
}

// An interrupted command keeps the cells that it has measured.
func TestInterruptedCells(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, plan.FileName), cellsSuite)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var stdout bytes.Buffer
	stderr := &stopAt{text: ": done in", stop: stop}
	err := command(ctx, nil, inFolder(dir, []string{"-suite", "cells", "-datasets", "small"}), &stdout, stderr)
	if exitCode(err) != exitInterrupted || stdout.Len() > 0 {
		t.Errorf("%v\n%s%s", err, &stderr.written, &stdout)
	}
	folder, name := custom(t, filepath.Join(dir, "results"))
	cells, err := record.Store{Dir: folder}.ReadCells(name)
	if err != nil || len(cells.Cells) != 1 {
		t.Errorf("%+v, %v", cells, err)
	}
}

// stopAt calls stop when a text is written.
type stopAt struct {
	written bytes.Buffer
	text    string
	stop    func()
}

func (s *stopAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.text)) {
		s.stop()
	}
	return s.written.Write(p)
}
