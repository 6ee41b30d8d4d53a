package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/plan"
)

// A suite that groups users by entropy writes the entropies of its data, and a table of gains.
// A report without the data reads them back.
func TestComplexity(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+`
[datasets.genres]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
items = "genres.csv"
item_columns = { item = "i", genres = "g" }
[models.fame]
hidden = 8
heads = 2
experts = 2
[suites.complex]
models = ["fame"]
datasets = ["genres"]
by_entropy = true
[suites.complex.axes]
fame.experts = [1]
`)
	items := "i,g\n"
	for i := range 20 {
		items += fmt.Sprintf("i%d,g%d|g%d\n", i, i%3, i%4)
	}
	write(t, filepath.Join(dir, "genres.csv"), items)
	if _, stderr, err := runBench(t, dir, "-suite", "complex"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	found, err := filepath.Glob(filepath.Join(dir, "results", "datasets", "*.entropy.json"))
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "genres-") {
		t.Fatalf("%q, %v", found, err)
	}
	table := filepath.Join(dir, "results", "tables", "complex.complexity.csv")
	before := read(t, table)
	// Two experts over one: three groups and the trend, two rules, two divisions.
	if lines := strings.Split(strings.TrimSpace(before), "\n"); len(lines) != 1+4*2*2 || !strings.HasPrefix(lines[1], "genres,genre,all,removed,fame,") || !strings.HasPrefix(lines[9], "genres,genre,equal length,removed,fame,") {
		t.Errorf("%s", before)
	}
	if text := read(t, filepath.Join(dir, "results", "tables", "complex.md")); !strings.Contains(text, "by the entropy of the labels of \"genre\"") {
		t.Errorf("the table is missing:\n%s", text)
	}
	if _, stderr, err := runBench(t, dir, "-suite", "complex", "-datasets", "tiny", "-dry-run"); err != nil || !strings.Contains(stderr, "skipped: tiny: its users are not grouped by entropy") {
		t.Errorf("%v\n%s", err, stderr)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "tiny.csv")), os.Remove(table)); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := runBench(t, dir, "-suite", "complex", "-report"); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
	if read(t, table) != before {
		t.Error("the report changed the table")
	}
	_, _, err = runBench(t, dir, "-suite", "quick", "-set", "quick.by_entropy=true", "-dry-run")
	if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "expected an axis with numbers") {
		t.Error(err)
	}
}
