package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/suite"
)

const pageConfig = `
[suites.floors]
summary = "what counts"
models = ["popularity", "markov"]
datasets = ["tiny"]
[suites.another]
summary = "the most popular"
models = ["popularity"]
datasets = ["other"]
`

// TestPage: two suites are rendered; the page has both, in the order of the
// configuration, also in a clone, which has their summaries, but not the records of one.
func TestPage(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+pageConfig)
	results := filepath.Join(dir, "results")
	index := filepath.Join(results, "index.html")
	for _, suite := range []string{"another", "floors", "another"} {
		if suite == "another" {
			if err := os.RemoveAll(filepath.Join(results, "aggregates")); err != nil {
				t.Fatal(err)
			}
			records, _ := filepath.Glob(filepath.Join(results, "runs", "tiny-*"))
			for _, path := range records {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, stderr, err := runBench(t, dir, "-suite", suite)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stderr, index) {
			t.Errorf("it does not say where the page is: %s", stderr)
		}
		if strings.Contains(stderr, "suite floors") || strings.Contains(stderr, "suite another") {
			t.Errorf("it says something about other suites: %s", stderr)
		}
	}
	page := read(t, index)
	floors, another := strings.Index(page, "Suite floors"), strings.Index(page, "Suite another")
	if floors < 0 || another < floors {
		t.Errorf("suites at %d and %d of the page, want both in the configuration's order", floors, another)
	}
	if _, err := os.Stat(filepath.Join(results, "figures")); err == nil {
		t.Error("floors have figures")
	}
}

// The page does without a damaged summary, and says how to make it again.
func TestPageReadsNothingUnchecked(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+pageConfig)
	results := filepath.Join(dir, "results")
	for _, name := range []string{"floors", "another"} {
		if _, stderr, err := runBench(t, dir, "-suite", name); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	}
	page, summary := filepath.Join(results, "index.html"), filepath.Join(results, "summaries", "floors.json")
	want, good := read(t, page), read(t, summary)
	damaged := regexp.MustCompile(`"mean":0\.\d+`).ReplaceAllString(good, `"mean":0.9`)
	if damaged == good {
		t.Fatalf("nothing to damage in\n%s", good)
	}
	for _, text := range []string{damaged, "", good[:len(good)/2], read(t, filepath.Join(results, "summaries", "another.json"))} {
		write(t, summary, text)
		_, stderr, err := runBench(t, dir, "-suite", "another", "-report")
		if now := read(t, page); err != nil || strings.Contains(now, "Suite floors") || !strings.Contains(now, "Suite another") ||
			!strings.Contains(stderr, "notice: the page lacks suite floors: "+summary) || !strings.Contains(stderr, "bench -suite floors -report makes it again") {
			t.Errorf("a damaged summary: %v\n%s", err, stderr)
		}
		if read(t, summary) != text {
			t.Error("another suite's report changed the summary")
		}
		// Its own report makes it again, from the records.
		_, stderr, err = runBench(t, dir, "-suite", "floors", "-report")
		if err != nil || read(t, summary) != good || read(t, page) != want || !strings.Contains(stderr, "notice: "+summary) {
			t.Errorf("made again: %v\n%s", err, stderr)
		}
	}
	// One of an older version may lack what is shown now.
	old, err := suite.ReadSummary(summary)
	if err != nil {
		t.Fatal(err)
	}
	old.Version--
	if err := old.Write(summary); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, stderr, err := runBench(t, dir, "-suite", "another", "-report")
		if err != nil || strings.Contains(read(t, page), "Suite floors") || !strings.Contains(stderr, "notice: the page lacks suite floors: "+summary+" is of version") {
			t.Errorf("a summary of an older version: %v\n%s", err, stderr)
		}
	}
	if _, stderr, err := runBench(t, dir, "-suite", "floors", "-report"); err != nil || read(t, summary) != good || read(t, page) != want {
		t.Errorf("made again: %v\n%s", err, stderr)
	}
	// Without its state, as in a clone, a summary is computed again, and stays what it is.
	if err := os.RemoveAll(filepath.Join(results, "aggregates")); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(summary)
	_, stderr, err := runBench(t, dir, "-suite", "floors", "-report")
	if after, _ := os.Stat(summary); err != nil || !os.SameFile(before, after) || !strings.Contains(stderr, "comparing 2 records") {
		t.Errorf("in a clone: %v\n%s", err, stderr)
	}
}

// TestPageDraws: a suite with trained models has figures next to its tables.
func TestPageDraws(t *testing.T) {
	dir := tiny(t)
	if _, _, err := runBench(t, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tiny-curves.svg", "tiny-curves.png"} {
		if _, err := os.Stat(filepath.Join(dir, "results", "figures", "quick", name)); err != nil {
			t.Error(err)
		}
	}
}
