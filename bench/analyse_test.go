package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/analysis"
	"famebench/internal/tinytest"
)

var analysed = []string{"-models", "markov,sasrec,fame,fame-concat", "-analyse", "-set", "fame.hidden=16"}

// -analyse writes and prints what FAMEs do.
func TestAnalyse(t *testing.T) {
	dir := tiny(t)
	stdout, stderr, err := runBench(t, dir, analysed...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for _, want := range []string{"30 validation cases", "router", "overlap", "has no facets", "no head scores items on its own", "All analyses"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the analysis has no %q:\n%s", want, stdout)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "results", "analysis", "tiny-fame*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	var a analysis.Analysis
	if err := json.Unmarshal([]byte(read(t, files[1])), &a); err != nil || a.Users != 30 || len(a.Heads) != 4 {
		t.Errorf("%+v, %v", a, err)
	}
	if a.Dataset != "tiny" || a.Model != "fame" || a.HitRate <= 0 {
		t.Errorf("%+v", a)
	}
	id := a.ID
	// Tables and analyses are one document.
	stdout, _, err = runBench(t, dir, append(analysed, "-json")...)
	var all struct {
		Tables   []json.RawMessage
		Runs     []struct{ ID, Status string }
		Analyses []analysis.Analysis
	}
	if err != nil || json.Unmarshal([]byte(stdout), &all) != nil || len(all.Tables) != 1 || len(all.Runs) != 4 || len(all.Analyses) != 2 || all.Analyses[0].ID != id {
		t.Errorf("%v, %+v", err, all)
	}
	for want, args := range map[string][]string{
		"does not use -analys": {"-analyse", "-report"},
		"-analyse: no run her": {"-models", "popularity", "-analyse"},
	} {
		if _, _, err := runBench(t, dir, args...); exitCode(err) != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}

// Analyses of generated data compare each model with the truth, and all models in one table.
func TestAnalyseGenerated(t *testing.T) {
	dir := tinytest.Folder(t, tinyConfig+`
[models.fame]
hidden = 8
[datasets.world]
format = "facets"
world = { users = 60, items = 30, facets = 3, labels = 4, length = 8 }
max_users = 50
[suites.heads]
models = ["fame", "fame-static-gate"]
datasets = ["world"]
`)
	stdout, stderr, err := runBench(t, dir, "-suite", "heads", "-analyse")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for _, want := range []string{"What the heads know of the true facets", "Gate: rank correlation", "Gate: constant.", "Do heads find the true facets", "labels-known"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the analysis has no %q:\n%s", want, stdout)
		}
	}
	for i, line := range strings.Split(stdout, "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("line %d is wider than a terminal: %s", i+1, line)
		}
	}
	if table := read(t, filepath.Join(dir, "results", "analysis", "heads.csv")); !strings.Contains(table, "world,fame,,specialised,1,false,") || !strings.Contains(table, "world,fame-static-gate,,gate,1,true,,,,") {
		t.Errorf("the table of all analyses is\n%s", table)
	}
	if table := read(t, filepath.Join(dir, "results", "analysis", "heads.md")); !strings.Contains(table, "| world, fame, 1 seed |") {
		t.Errorf("the table of all analyses is\n%s", table)
	}
	var a analysis.Analysis
	text := read(t, filepath.Join(dir, "results", "analysis", idsOf(t, dir)["fame"]+".json"))
	if err := json.Unmarshal([]byte(text), &a); err != nil || a.Truth == nil {
		t.Fatalf("%v: %s", err, text)
	}
	if got := a.Truth; strings.Join(got.Facets, " ") != "colour shape material" || len(got.Heads) != 4 || got.Gate == nil || got.Gate.Users != 50 || got.Router == nil || got.Specialised == nil {
		t.Errorf("%s", text)
	}
}

// -explain explains one user's list, and says what to do when the weights are gone.
func TestExplain(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "markov,sasrec,fame", "-set", "fame.hidden=16"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids := idsOf(t, dir)
	id := ids["fame"]
	stdout, _, err := runBench(t, dir, "-explain", "u7", "-run", id)
	if err != nil || !strings.Contains(stdout, "User u7, 5 past items") || !strings.Contains(stdout, "because of") {
		t.Errorf("%v\n%s", err, stdout)
	}
	for _, line := range strings.Split(stdout, "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("wider than a terminal: %s", line)
		}
	}
	var e analysis.Explanation
	if stdout, _, err = runBench(t, dir, "-explain", "u7", "-run", id, "-json"); err != nil || json.Unmarshal([]byte(stdout), &e) != nil || len(e.Items) != 10 {
		t.Errorf("%v, %d items", err, len(e.Items))
	}
	for want, args := range map[string][]string{
		`no user "nobody"`: {"-explain", "nobody", "-run", id},
		"no record":        {"-explain", "u7", "-run", "tiny-fame-s9-00000000"},
		"go together":      {"-explain", "u7"},
		"is a run of sasrec, which has no heads to explain": {"-explain", "u7", "-run", ids["sasrec"]},
		"is a run of markov, which has no heads to explain": {"-explain", "u7", "-run", ids["markov"]},
	} {
		if _, _, err := runBench(t, dir, args...); exitCode(err) != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if _, _, err := runBench(t, dir, "-explain", "nobody", "-run", id); !errors.As(err, &usageError{}) {
		t.Errorf("an unknown user is not a fault in the command line: %v", err)
	}

	weights := filepath.Join(dir, "results", "weights", id+".safetensors")
	before := read(t, weights)
	if err := os.Remove(weights); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runBench(t, dir, "-explain", "u7", "-run", id); err == nil || !strings.Contains(err.Error(), "bench -verify "+id) {
		t.Errorf("without weights: %v", err)
	}
	if _, _, err := runBench(t, dir, "-verify", id); err != nil {
		t.Fatal(err)
	}
	if read(t, weights) != before {
		t.Error("-verify put other weights back")
	}
}
