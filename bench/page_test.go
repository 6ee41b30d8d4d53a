package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/plan"
)

// TestPage: two suites are rendered; the page has both, in the order of the
// configuration, also where only the tables and the records of one are left.
func TestPage(t *testing.T) {
	dir := tiny(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+`
[suites.floors]
summary = "what counts"
models = ["popularity", "markov"]
datasets = ["tiny"]
[suites.another]
summary = "the most popular"
models = ["popularity"]
datasets = ["other"]
`)
	results := filepath.Join(dir, "results")
	index := filepath.Join(results, "index.html")
	for _, suite := range []string{"another", "floors", "another"} {
		if suite == "another" {
			if err := os.RemoveAll(filepath.Join(results, "aggregates")); err != nil {
				t.Fatal(err)
			}
		}
		_, stderr, err := runBench(t, dir, "-suite", suite)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stderr, index) {
			t.Errorf("it does not say where the page is: %s", stderr)
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

// TestPageDraws: a suite with trained models has figures beside its tables.
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
