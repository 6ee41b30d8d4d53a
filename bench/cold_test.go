package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/launch"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// coldConfig has data with two parts of items that no model is trained on, and a search of the
// rules for them.
const coldConfig = tinyConfig + textConfig + `
[datasets.texts-cold]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
items = "items.csv"
item_columns = { item = "i", title = "t", brand = "b" }
cold_items = 0.25
cold_validation = 0.25
[suites.rules]
kind = "tune"
models = ["fame-plus"]
datasets = ["texts-cold"]
grid = false
rungs = [0]
[suites.rules.axes]
pretrain.untrained_items = ["neighbours", "scaled-neighbours", "nearest", "projection", "ridge"]
[suites.rules.train]
learning_rate = 0.05
`

// A search of the rules for untrained items is decided by the cold validation cases. It trains
// once, and never ranks a test item.
func TestTuneUntrainedItems(t *testing.T) {
	dir, encoder := textFolder(t)
	write(t, filepath.Join(dir, plan.FileName), coldConfig)
	store := record.Store{Dir: filepath.Join(dir, "results")}
	args := []string{"-suite", "rules", "-set", "pretrain.encoder=" + encoder, "-json"}
	out, stderr, err := runBench(t, dir, args...)
	var trials []record.Trial
	if err != nil || json.Unmarshal([]byte(out), &trials) != nil || len(trials) != 6 {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	best, chosen := 0, -1
	var first *record.Record
	tables := map[string]bool{}
	for i, trial := range trials {
		r, err := store.Read(trial.Rungs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = r
		}
		if a, b := fmt.Sprint(first.Result.Curve), fmt.Sprint(r.Result.Curve); a != b || r.Measured.Resumed != (i > 0) {
			t.Errorf("%q: another curve than the first trial, or trained again (%v)", trial.At, !r.Measured.Resumed)
		}
		c := r.Result.ColdValidation
		if c == nil || c.Cases < 1 || trial.Rungs[0].Valid != c.Cold["NDCG@10"] || trial.Rungs[0].Usual != c.Usual["NDCG@10"] {
			t.Fatalf("%q: %+v, %+v", trial.At, trial.Rungs, c)
		}
		if (c.Penalty > 0) != strings.HasSuffix(trial.At, "ridge") || r.Result.Users != 0 || len(r.Result.Test.Removed) != 0 {
			t.Errorf("%q: penalty %v, %d test users", trial.At, c.Penalty, r.Result.Users)
		}
		if i == 0 && c.Usual["NDCG@10"] != r.Result.BestValidation()["NDCG@10"] {
			t.Errorf("as trained, the usual cases have %v, in training they had %v", c.Usual, r.Result.BestValidation())
		}
		if trial.Rungs[0].Valid > trials[best].Rungs[0].Valid {
			best = i
		}
		if trial.Chosen {
			chosen = i
		}
		tables[fmt.Sprint(c.Cold, c.Usual)] = true
	}
	if chosen != best || len(tables) < 3 {
		t.Errorf("trial %d is chosen, the best is %d; %d different results", chosen, best, len(tables))
	}
	if left, _ := filepath.Glob(filepath.Join(store.Dir, "state", "*.checkpoint*")); len(left) > 0 {
		t.Errorf("checkpoints are left: %q", left)
	}
	if _, stderr, err := runBench(t, dir, args[:len(args)-1]...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	table := read(t, filepath.Join(store.Dir, "tables", "rules.md"))
	if !strings.Contains(table, "Cold validation NDCG@10") || !strings.Contains(table, "decided by the cold validation cases") {
		t.Errorf("the table does not say which cases decided:\n%s", table)
	}
	if text := read(t, filepath.Join(store.Dir, "rules.toml")); !strings.Contains(text, "cold validation NDCG@10") {
		t.Errorf("the chosen values do not say which cases decided:\n%s", text)
	}
	if lines := strings.Split(read(t, filepath.Join(store.Dir, "tables", "rules.csv")), "\n"); lines[0] != "dataset,model,tried,to_the_end,usual,epochs,chosen" {
		t.Errorf("columns %q", lines[0])
	}
}

// Runs that differ after training only share one, to the same results as without.
func TestSharedTraining(t *testing.T) {
	dir, encoder := textFolder(t)
	write(t, filepath.Join(dir, plan.FileName), coldConfig+`
[suites.shared]
models = ["fame-plus"]
datasets = ["texts-cold"]
[suites.shared.axes]
pretrain.untrained_items = ["nearest"]
`)
	set := []string{"-set", "pretrain.encoder=" + encoder}
	if _, stderr, err := runBench(t, dir, append(set, "-suite", "shared")...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	alone := record.Store{Dir: filepath.Join(dir, "alone")}
	if _, stderr, err := runBench(t, dir, append(set, "-suite", "text", "-models", "fame-plus", "-datasets", "texts-cold", "-set", "pretrain.untrained_items=nearest", "-out", alone.Dir)...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids, err := alone.IDs()
	if err != nil || len(ids) != 1 {
		t.Fatalf("%q, %v", ids, err)
	}
	want, err := alone.Read(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	got, err := store.Read(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if got.ResultSHA256 != want.ResultSHA256 || !got.Measured.Resumed || want.Measured.Resumed {
		t.Errorf("shared (%v): %s, alone (%v): %s", got.Measured.Resumed, got.ResultSHA256, want.Measured.Resumed, want.ResultSHA256)
	}
	if left, _ := filepath.Glob(filepath.Join(store.Dir, "state", "*.checkpoint*")); len(left) > 0 {
		t.Errorf("checkpoints are left: %q", left)
	}

	// What is left to do counts the training once: the second run takes as long as loading and ranking.
	out, stderr, err := runBench(t, dir, append(set, "-suite", "shared", "-set", "train.learning_rate=0.04", "-dry-run", "-json")...)
	var left launch.Preview
	if err != nil || json.Unmarshal([]byte(out), &left) != nil || len(left.Runs) != 2 {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	first, second := left.Runs[0], left.Runs[1]
	m := got.Measured
	if around := m.LoadSeconds + m.RankSeconds; first.State != plan.StateToRun || second.State != plan.StateToRun ||
		first.Seconds <= second.Seconds || second.Seconds > 3*around+1 {
		t.Errorf("expected %v s and %v s, states %q and %q; loading and ranking took %v s", first.Seconds, second.Seconds, first.State, second.State, around)
	}
}

// Every model says what it does with cold validation cases; without them there is nothing to
// choose by.
func TestColdValidationOfARun(t *testing.T) {
	dir, encoder := textFolder(t)
	write(t, filepath.Join(dir, plan.FileName), coldConfig)
	if _, stderr, err := runBench(t, dir, "-suite", "quick", "-datasets", "texts-cold", "-models", "popularity,sasrec"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	ids, err := store.IDs()
	if err != nil || len(ids) != 2 {
		t.Fatalf("%q, %v", ids, err)
	}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Result.ColdValidation
		if c == nil || len(c.Cold) == 0 || len(c.Usual) == 0 {
			t.Fatalf("%s: %+v", id, c)
		}
		if v := r.Result.BestValidation(); v != nil && math.Abs(v["NDCG@10"]-c.Usual["NDCG@10"]) > 0 {
			t.Errorf("%s: %v at the end, %v in training", id, c.Usual, v)
		}
	}
	encode := []string{"-set", "pretrain.encoder=" + encoder, "-dry-run"}
	for want, args := range map[string][]string{
		"set datasets.texts.cold_validation, or leave out the data set": {"-suite", "rules", "-datasets", "texts"},
		"which do not decide train.learning_rate":                       {"-suite", "rules", "-set", "rules.axes.train.learning_rate=[0.1]"},
		"pretrain.untrained_items makes no difference to sasrec":        {"-suite", "rules", "-models", "sasrec,fame-plus"},
		"set datasets.texts.cold_validation, or another rule":           {"-suite", "text", "-models", "fame-plus", "-set", "pretrain.untrained_items=ridge"},
	} {
		_, _, err := runBench(t, dir, slices.Concat(args, encode)...)
		if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// text-knn is ranked from the texts, its record can be repeated and exported, and without an
// encoder it is skipped.
func TestTextKNN(t *testing.T) {
	dir, encoder := textFolder(t)
	store := record.Store{Dir: filepath.Join(dir, "results")}
	set := []string{"-set", "pretrain.encoder=" + encoder}
	args := append(set, "-suite", "text", "-models", "text-knn,fame", "-seeds", "0,1")
	if _, stderr, err := runBench(t, dir, args...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	paths, err := filepath.Glob(filepath.Join(store.Dir, "runs", "texts-text-knn-*.json"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%q, %v: expected one run, whatever the seeds", paths, err)
	}
	id := strings.TrimSuffix(filepath.Base(paths[0]), ".json")
	r, err := store.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Result.Spec
	if s.Init == nil || s.Init.Texts == "" || s.Init.Encoder == "" || s.Init.Facets != "" || !s.NonNeural || len(s.Params)+len(s.Train) > 0 {
		t.Errorf("%+v, %+v", s, s.Init)
	}
	if got := fmt.Sprint(slices.Sorted(maps.Keys(s.Init.Settings))); got != "[start template]" {
		t.Errorf("settings %s: expected those of the texts only", got)
	}
	if out, stderr, err := runBench(t, dir, append(set, "-verify", id)...); err != nil || !strings.Contains(out, ": equal") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	if out, stderr, err := runBench(t, dir, append(set, "-trec", id)...); err != nil {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	nothing := slices.Clone(args)
	nothing[slices.Index(args, "pretrain.encoder="+encoder)] = "pretrain.encoder=nothing"
	if _, stderr, err := runBench(t, dir, append(nothing, "-dry-run")...); err != nil || !strings.Contains(stderr, "skipped: text-knn on texts: text-knn needs a text encoder") {
		t.Errorf("%v\n%s", err, stderr)
	}
	if _, _, err := runBench(t, dir, append(args, "-set", "pretrain.start=texts", "-dry-run")...); err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "pretrain.start = texts") {
		t.Errorf("a table cannot be initialised so: %v", err)
	}
}

// An axis can have lists as its values, such as the facets that the heads learn.
func TestFacetsAxis(t *testing.T) {
	dir, encoder := textFolder(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+textConfig+`
[suites.facets]
models = ["fame-plus"]
datasets = ["texts"]
[suites.facets.axes]
fame-plus.pretrain.facets = [["brand"]]
`)
	if _, stderr, err := runBench(t, dir, "-suite", "facets", "-set", "pretrain.encoder="+encoder); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	rows := strings.Split(strings.TrimSpace(read(t, filepath.Join(dir, "results", "tables", "facets.datasets.csv"))), "\n")
	table := read(t, filepath.Join(dir, "results", "tables", "facets.md"))
	if len(rows) != 2 || strings.Count(table, "brand") < 2 {
		t.Errorf("%q\n%s", rows, table)
	}
}
