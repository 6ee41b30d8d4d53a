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
)

// Marks in the README between which the comparisons of the suite main stand.
const beginMain, endMain = "<!-- of results/tables/main.md, by go test ./bench -run Readme -update -->\n", "<!-- end -->\n"

// TestReadmeShowsTheRecords renders the committed records anew: the tables in
// results/tables, the figures and the comparisons in the README must be what comes out.
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
	readme := read(t, "../README.md")
	before, rest, ok1 := strings.Cut(readme, beginMain)
	shown, after, ok2 := strings.Cut(rest, endMain)
	if !ok1 || !ok2 {
		t.Fatalf("the README lacks the lines %q and %q", beginMain, endMain)
	}
	if want := "\n" + comparisons.String(); shown != want {
		if !*update {
			t.Errorf("the README does not show the tables below; go test ./bench -run Readme -update writes them\n%s", want)
		} else if err := os.WriteFile("../README.md", []byte(before+beginMain+want+endMain+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if speed := read(t, "../results/tables/speed.md"); !strings.Contains(readme, strings.TrimSpace(speed)) {
		t.Errorf("the README does not show this table:\n%s", speed)
	}
}

// TestReadmeOfFAMEPlus compares the README's table of FAME+'s parts with the suite's.
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
		mean, err := strconv.ParseFloat(at("mean"), 64)
		if err != nil {
			t.Fatal(err)
		}
		shown[at("rule")+at("model")] = strings.TrimPrefix(fmt.Sprintf("%.4f", mean), "0")
		seeds[at("model")] = map[string]string{"1": "one seed", "3": "three seeds"}[at("n")]
	}
	_, section, _ := strings.Cut(read(t, "../README.md"), "### FAME+\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for _, row := range strings.Split(section, "\n") {
		cells := strings.Split(row, " | ")
		model, ok := strings.CutPrefix(cells[0], "| `")
		if !ok || len(cells) != 4 {
			continue
		}
		rows++
		model = strings.TrimSuffix(model, "`")
		want := fmt.Sprintf("%s / %s | %s |", shown["removed"+model], shown["kept"+model], seeds[model])
		if got := strings.Join(cells[2:], " | "); got != want {
			t.Errorf("%s: the README says %q, results/tables/pretrain.csv %q", model, got, want)
		}
	}
	if rows < 7 {
		t.Errorf("the README's table of FAME+'s parts has %d rows", rows)
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
