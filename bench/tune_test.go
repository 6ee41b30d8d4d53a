package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
)

const searchSuites = `
[suites.search]
kind = "tune"
models = ["sasrec", "core"]
datasets = ["tiny"]
seeds = [100]
trials = 4
rungs = [1, 2, 0]
[suites.search.axes]
dropout = [0.1, 0.3, 0.5]
core.temperature = [0.05, 0.1]
train.learning_rate = [0.001, 0.01]
[suites.tuned]
models = ["sasrec", "core"]
datasets = ["tiny"]
tuned = ["results/search.toml"]
`

// A search tries as many settings of each model, never ranks the test items, goes
// on where it was, and writes a file that other suites read.
func TestTune(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+searchSuites)
	stdout, stderr, err := runBench(t, dir, "-suite", "search", "-dry-run")
	if err != nil || strings.Count(stdout, "to run") != 8 || !strings.Contains(stderr, "the better half of each model's trials") {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	if _, _, err := runBench(t, dir, "-suite", "tuned"); err == nil || exitCode(err) != exitUsage {
		t.Errorf("without tuned values: %v", err)
	}
	if stdout, stderr, err = runBench(t, dir, "-suite", "search"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	done := strings.Count(stderr, ": done in")
	// Of each model 4 trials, then 2 and the configured one, then half of these and that one.
	// A complete run has 2 epochs, so the second rung and the last one are the same runs.
	if done < 8+4 || done > 8+6 || strings.Count(stdout, "chosen") != 2 || strings.Count(stdout, "as configured") != 2 {
		t.Errorf("8 short and 4 to 6 long runs were wanted, the configured settings among them:\n%s%s", stderr, stdout)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	ids, err := store.IDs()
	if err != nil || len(ids) != done {
		t.Fatalf("%d records, %v", len(ids), err)
	}
	checkNothingRanked(t, store, ids)
	again, stderr, err := runBench(t, dir, "-suite", "search")
	if err != nil || again != stdout || strings.Contains(stderr, "done in") {
		t.Errorf("second time: %v\n%s%s", err, stderr, again)
	}
	if again, _, err := runBench(t, dir, "-suite", "search", "-report", "-threads", "3"); err != nil || again != stdout {
		t.Errorf("report of records with another number of threads: %v\n%s", err, again)
	}

	checkSearchOnPage(t, dir)

	// A trial whose record is damaged is no trial less: another setting might be chosen.
	victim := store.RecordPath(ids[0])
	good := read(t, victim)
	write(t, victim, good[:len(good)/2])
	if out, _, err := runBench(t, dir, "-suite", "search", "-report"); exitCode(err) != exitFailed || !strings.Contains(fmt.Sprint(err), victim) || out != "" {
		t.Errorf("a damaged trial: %v\n%s", err, out)
	}
	write(t, victim, good)

	var trials []record.Trial
	if out, _, err := runBench(t, dir, "-suite", "search", "-json"); err != nil || json.Unmarshal([]byte(out), &trials) != nil || len(trials) != 8 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, model := range []string{"sasrec", "core"} {
		checkChosen(t, dir, model, trials)
	}
	checkUnfinishedSearch(t, dir, trials)
	checkTunedElsewhere(t, dir)
	if text := read(t, filepath.Join(store.Dir, "search.toml")); !strings.Contains(text, trials[0].Dataset) || !strings.Contains(text, "[models.core.datasets.tiny") && !strings.Contains(text, "# core on tiny: as configured") {
		t.Errorf("search.toml:\n%s", text)
	}
}

// checkUnfinishedSearch: nothing is chosen or written if the best trial of a search has no record.
func checkUnfinishedSearch(t *testing.T, dir string, trials []record.Trial) {
	t.Helper()
	store := record.Store{Dir: filepath.Join(dir, "results")}
	best := trials[slices.IndexFunc(trials, func(trial record.Trial) bool { return trial.Chosen })]
	path, tuned := store.RecordPath(best.Rung(0).ID), filepath.Join(store.Dir, "search.toml")
	saved, chosen := read(t, path), read(t, tuned)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	out, _, err := runBench(t, dir, "-suite", "search", "-report")
	if err == nil || !strings.Contains(err.Error(), "1 of ") || !strings.Contains(err.Error(), "have no record") || out != "" {
		t.Errorf("a missing trial: %v\n%s", err, out)
	}
	if read(t, tuned) != chosen {
		t.Error("an unfinished search changed search.toml")
	}
	write(t, path, saved)
}

// checkTunedElsewhere: a suite with results in another folder has the values of its own file, and says
// so if that folder has others.
func checkTunedElsewhere(t *testing.T, dir string) {
	t.Helper()
	out := t.TempDir()
	for text, want := range map[string]bool{read(t, filepath.Join(dir, "results", "search.toml")): false, "# other values\n": true} {
		write(t, filepath.Join(out, "search.toml"), text)
		_, stderr, err := runBench(t, dir, "-suite", "tuned", "-out", out, "-dry-run")
		if said := strings.Contains(stderr, "note: suite tuned takes its values from "); err != nil || said != want {
			t.Errorf("%v, expected a note: %t\n%s", err, want, stderr)
		}
	}
}

// checkNothingRanked: the test items were not ranked.
func checkNothingRanked(t *testing.T, store record.Store, ids []string) {
	t.Helper()
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		if r.Result.Test.Kept != nil || r.Result.Test.Removed != nil || r.Result.Users != 0 {
			t.Errorf("%s has ranked test items: %+v", id, r.Result.Test)
		}
		if _, err := os.Stat(store.RanksPath(id)); err == nil {
			t.Errorf("%s has ranks", id)
		}
	}
}

// checkSearchOnPage: the page shows the trials, in a clone, too, which has no aggregates.
func checkSearchOnPage(t *testing.T, dir string) {
	t.Helper()
	store := record.Store{Dir: filepath.Join(dir, "results")}
	for range 2 {
		if page := read(t, store.PagePath()); !strings.Contains(page, "Suite search") || !strings.Contains(page, ">chosen<") {
			t.Error("the page does not show the search")
		}
		if err := os.RemoveAll(filepath.Join(store.Dir, "aggregates")); err != nil {
			t.Fatal(err)
		}
		if _, stderr, err := runBench(t, dir, "-suite", "quick"); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	}
}

// valid is the result of a trial in the last rung, 0 if it did not reach it.
func valid(t record.Trial) float64 {
	if r := t.Rung(0); r != nil {
		return r.Valid
	}
	return 0
}

// checkChosen: the best of the long runs of a model is the chosen one, and what the suite
// "tuned" runs.
func checkChosen(t *testing.T, dir, model string, trials []record.Trial) {
	t.Helper()
	store := record.Store{Dir: filepath.Join(dir, "results")}
	var best, chosen record.Trial
	for _, trial := range trials {
		if trial.Model == model && valid(trial) > valid(best) {
			best = trial
		}
		if trial.Model == model && trial.Chosen {
			chosen = trial
		}
	}
	if best.At != chosen.At || valid(best) == 0 {
		t.Errorf("%s: chosen %+v, best %+v", model, chosen, best)
	}
	final, err := store.Read(chosen.Rung(0).ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := runBench(t, dir, "-suite", "tuned", "-models", model, "-seeds", "100"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	matches, err := filepath.Glob(filepath.Join(store.Dir, "runs", "tiny-"+model+"-s100-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, path := range matches {
		r, err := store.Read(strings.TrimSuffix(filepath.Base(path), ".json"))
		if err != nil {
			t.Fatal(err)
		}
		// The same training, and the test items ranked.
		found = found || !r.Result.Spec.ValidationOnly && len(r.Result.Curve) == len(final.Result.Curve) && r.Result.Curve[0].Loss == final.Result.Curve[0].Loss
	}
	if !found {
		t.Errorf("%s: no run of the suite tuned has the chosen settings", model)
	}
}

// One setting at a time, each to the end: one stage, nothing drawn.
func TestTuneOneAtATime(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+`
[suites.reasons]
kind = "tune"
models = ["sasrec"]
datasets = ["tiny"]
seeds = [100]
grid = false
rungs = [0]
[suites.reasons.axes]
dropout = [0.1, 0.5]
train.learning_rate = [0.001, 0.01]
[suites.tuned]
models = ["sasrec"]
datasets = ["tiny"]
tuned = ["results/reasons.toml"]
`)
	out, stderr, err := runBench(t, dir, "-suite", "reasons", "-json")
	var trials []record.Trial
	if err != nil || json.Unmarshal([]byte(out), &trials) != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	var at []string
	chosen := -1
	for i, trial := range trials {
		at = append(at, trial.At)
		if len(trial.Rungs) != 1 || trial.Rung(0) == nil || trial.Rung(0).Epochs != 2 {
			t.Errorf("%+v", trial)
		}
		if trial.Chosen {
			chosen = i
		}
	}
	// 0.5 and 0.001 are the configured values.
	if want := []string{"", "dropout = 0.1", "train.learning_rate = 0.01"}; !slices.Equal(at, want) {
		t.Errorf("tried %q, want %q", at, want)
	}
	for i, trial := range trials {
		if chosen < 0 || valid(trial) > valid(trials[chosen]) {
			t.Errorf("trial %d is better than the chosen %d", i, chosen)
		}
	}
	table, stderr, err := runBench(t, dir, "-suite", "reasons")
	if err != nil || strings.Contains(stderr, "done in") || strings.Contains(table, ".0000") || strings.Count(table, "chosen") != 1 {
		t.Errorf("again: %v\n%s%s", err, stderr, table)
	}
	if _, stderr, err := runBench(t, dir, "-suite", "tuned", "-dry-run"); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// Trials that were trained to the end, here by the same search with one rung, are not trained again
// for the rungs, and the search comes to the results that it has without them. A rung that ends
// between two evaluations evaluates once more than the complete run, so its trials are trained.
func TestTuneUsesCompleteRuns(t *testing.T) {
	search := func(dir string, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, err := runBench(t, dir, append([]string{"-suite", "search", "-set", "train.epochs=3"}, args...)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		return stdout, stderr
	}
	results := func(text string) (of []string) {
		t.Helper()
		var trials []record.Trial
		if err := json.Unmarshal([]byte(text), &trials); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, trial := range trials {
			line := fmt.Sprint(trial.Model, " ", trial.At, trial.Chosen)
			for _, r := range trial.Rungs {
				line += fmt.Sprint(" ", r.Limit, r.Valid, r.Epochs)
			}
			of = append(of, line)
		}
		return of
	}
	fresh := tiny(t)
	write(t, filepath.Join(fresh, plan.FileName), tinyConfig+searchSuites)
	want, _ := search(fresh, "-json")

	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+searchSuites)
	search(dir, "-set", "search.rungs=[0]")
	if out, stderr := search(dir, "-dry-run"); strings.Contains(out, "to run") || !strings.Contains(stderr, "8 trials were trained to the end already") {
		t.Errorf("dry run:\n%s%s", out, stderr)
	}
	got, stderr := search(dir, "-json")
	if strings.Contains(stderr, "done in") || !slices.Equal(results(got), results(want)) {
		t.Errorf("got\n%s\nwant\n%s\n%s", strings.Join(results(got), "\n"), strings.Join(results(want), "\n"), stderr)
	}
	if again, _ := search(dir, "-json", "-report", "-threads", "3"); again != got {
		t.Errorf("report: got\n%s\nwant\n%s", again, got)
	}
	search(dir, "-set", "search.rungs=[0]", "-set", "train.eval_every=2")
	if out, _ := search(dir, "-dry-run", "-set", "train.eval_every=2"); strings.Count(out, "to run") != 8 {
		t.Errorf("with a rung between two evaluations:\n%s", out)
	}
}
