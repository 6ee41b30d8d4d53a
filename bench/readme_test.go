package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/registry"
	"famebench/internal/suite"
)

// TestReadmeShowsTheRecords renders the committed records again: the tables in
// results/tables, the figures, and the comparisons in docs/results.md and the README
// must be what comes out.
func TestReadmeShowsTheRecords(t *testing.T) {
	out := render(t, "main")
	render(t, "ablation")
	render(t, "sweep")
	var comparisons strings.Builder
	for _, section := range strings.Split(read(t, filepath.Join(out, "tables", "main.md")), "\n## ")[1:] {
		if title, _, _ := strings.Cut(section, "\n"); strings.Contains(title, " test users, ") {
			fmt.Fprintf(&comparisons, "### %s\n\n", strings.TrimSpace(section))
		}
	}
	if comparisons.Len() == 0 {
		t.Fatal("no comparison")
	}
	const by = ", by go test ./bench -run Readme -update"
	compareRegion(t, "../docs/results.md", "results/tables/main.md"+by, comparisons.String())
	compareRegion(t, "../docs/results.md", "results/tables/speed.md", strings.TrimSpace(read(t, "../results/tables/speed.md"))+"\n\n")
	compareRegion(t, "../README.md", "results/tables/main.csv"+by, shortTable(t, filepath.Join(out, "tables", "main.csv")))
}

// compareRegion compares what a page has between the comments "of SOURCE" and "end".
func compareRegion(t *testing.T, page, source, want string) {
	t.Helper()
	begin, end := "<!-- of "+source+" -->\n", "<!-- end -->\n"
	text := read(t, page)
	before, rest, ok1 := strings.Cut(text, begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks the lines %q and %q", page, begin, end)
	}
	want = "\n" + want
	if shown == want {
		return
	}
	if !*update {
		t.Errorf("%s does not show the tables below; go test ./bench -run Readme -update writes them\n%s", page, want)
	} else if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// shortTable is the README's table: two metrics of every model on Beauty. A second row of a
// model, which others begin with, is left out.
func shortTable(t *testing.T, path string) string {
	lines, err := csv.NewReader(strings.NewReader(read(t, path))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range lines[0] {
		at[name] = i
	}
	var models []string // in the order of the suite
	labels, cells, seeds := map[string]string{}, map[string]string{}, map[string]string{}
	for _, line := range lines[1:] {
		if line[at["dataset"]] != "beauty" {
			continue
		}
		model, label := line[at["model"]], line[at["label"]]
		if _, ok := labels[model]; !ok {
			models, labels[model], seeds[model] = append(models, model), label, line[at["n"]]
		}
		if label != labels[model] {
			continue
		}
		text := fourDecimals(t, line[at["mean"]])
		if line[at["n"]] != "1" {
			text += " ± " + fourDecimals(t, line[at["sd"]])
		}
		cells[model+line[at["rule"]]+line[at["metric"]]] = text
	}
	var b strings.Builder
	b.WriteString("| model | seeds | HR@10, seen items removed | NDCG@10, removed | HR@10, seen items kept | NDCG@10, kept |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, m := range models {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", m, seeds[m], cells[m+"removedHR@10"],
			cells[m+"removedNDCG@10"], cells[m+"keptHR@10"], cells[m+"keptNDCG@10"])
	}
	return b.String() + "\n"
}

func fourDecimals(t *testing.T, number string) string {
	t.Helper()
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(fmt.Sprintf("%.4f", value), "0")
}

// The README stays short: results belong in docs/results.md.
func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(read(t, "../README.md"), "\n"); n > 150 {
		t.Errorf("the README has %d lines, expected at most 150", n)
	}
}

// TestReadmeOfFAMEPlus compares the table of FAME+'s parts in docs/results.md with the
// suite's.
func TestReadmeOfFAMEPlus(t *testing.T) {
	lines, err := csv.NewReader(strings.NewReader(read(t, "../results/tables/pretrain.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	shown, seeds := map[string]string{}, map[string]string{} // by rule and model; by model
	for _, line := range lines[1:] {
		at := func(name string) string { return line[column[name]] }
		if at("dataset") != "beauty" || at("metric") != "NDCG@10" {
			continue
		}
		shown[at("rule")+at("model")] = fourDecimals(t, at("mean"))
		seeds[at("model")] = map[string]string{"1": "one seed", "3": "three seeds"}[at("n")]
	}
	_, section, _ := strings.Cut(read(t, "../docs/results.md"), "<!-- of results/tables/pretrain.csv -->\n")
	section, _, _ = strings.Cut(section, "<!-- end -->\n")
	rows := strings.Split(strings.TrimSpace(section), "\n")
	if len(rows) < 2+7 {
		t.Fatalf("the table of FAME+'s parts in docs/results.md has %d lines", len(rows))
	}
	for _, row := range rows[2:] {
		cells := strings.Split(row, " | ")
		model, ok := strings.CutPrefix(cells[0], "| `")
		if !ok || len(cells) != 4 {
			t.Errorf("expected the row of a model, got %q", row)
			continue
		}
		model = strings.TrimSuffix(model, "`")
		want := fmt.Sprintf("%s / %s | %s |", shown["removed"+model], shown["kept"+model], seeds[model])
		if got := strings.Join(cells[2:], " | "); got != want {
			t.Errorf("%s: docs/results.md says %q, results/tables/pretrain.csv %q", model, got, want)
		}
	}
}

// The committed summaries are whole, and of the suites as they are configured: otherwise
// the suites' own commands would not replace their files.
func TestCommittedSummaries(t *testing.T) {
	c, err := plan.Load("../experiments.toml", nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob("../results/tables/*.tex")
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		name := strings.TrimSuffix(filepath.Base(table), ".tex")
		path := filepath.Join("../results/summaries", name+".json")
		s, err := suite.ReadSummary(path)
		if err != nil {
			t.Errorf("%v; run: go run ./bench -suite %s -report", err, name)
			continue
		}
		configured, err := c.Suite(name)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if asked, err := c.Asked(configured); err != nil || asked != s.Plan.Asked {
			t.Errorf("%v: suite %s of experiments.toml is not that of %s; delete it, and run: go run ./bench -suite %s -report", err, name, path, name)
		}
	}
}

// render makes the tables and figures of a suite from the committed records, in a
// folder of their own, and compares them with the committed ones.
func render(t *testing.T, suite string) (out string) {
	t.Helper()
	out = t.TempDir()
	if err := os.CopyFS(out, os.DirFS("../results")); err != nil {
		t.Fatal(err)
	}
	committed, err := filepath.Glob(filepath.Join("../results/tables", suite+".*"))
	if err != nil || len(committed) == 0 {
		t.Fatalf("no tables, %v: run bench -suite %s", err, suite)
	}
	for _, dir := range []string{"tables", "figures", "aggregates"} { // all is made from records
		if err := os.RemoveAll(filepath.Join(out, dir)); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if err := command(context.Background(), nil, []string{"-config", "../experiments.toml", "-suite", suite, "-report", "-out", out}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	made, err := filepath.Glob(filepath.Join(out, "tables", suite+".*"))
	if err != nil || len(made) != len(committed) {
		t.Errorf("%d files were rendered, %d are committed", len(made), len(committed))
	}
	for _, path := range committed {
		if want, got := read(t, path), read(t, filepath.Join(out, "tables", filepath.Base(path))); got != want {
			t.Errorf("%s is not what its records give; run: go run ./bench -suite %s -report\n%s", path, suite, got)
		}
	}
	summary := filepath.Join("summaries", suite+".json")
	if read(t, filepath.Join(out, summary)) != read(t, filepath.Join("../results", summary)) {
		t.Errorf("results/%s is not what its records give; run: go run ./bench -suite %s -report", summary, suite)
	}
	figures, err := filepath.Glob(filepath.Join("../results/figures", suite, "*.svg"))
	if err != nil || len(figures) == 0 {
		t.Errorf("no figures, %v", err)
	}
	drawn, err := filepath.Glob(filepath.Join(out, "figures", suite, "*.svg"))
	if err != nil || len(drawn) != len(figures) {
		t.Errorf("%d figures were drawn, %d are committed", len(drawn), len(figures))
	}
	for _, path := range figures {
		if read(t, path) != read(t, filepath.Join(out, "figures", suite, filepath.Base(path))) {
			t.Errorf("%s is not what its records give; run: go run ./bench -suite %s -report", path, suite)
		}
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
