package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
)

// Standard output has the format and the columns that were asked for. The files have all.
func TestFormats(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "popularity,markov"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	report := func(args ...string) string {
		t.Helper()
		stdout, stderr, err := runBench(t, dir, append([]string{"-report", "-models", "popularity,markov"}, args...)...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		}
		return stdout
	}
	plain := report()
	tables, err := filepath.Glob(filepath.Join(dir, "results", "custom", "*", "tables", "*"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%q, %v", tables, err)
	}
	before := map[string]string{}
	for _, path := range tables {
		before[path] = read(t, path)
	}
	if report("-format", "text") != plain {
		t.Error("-format text differs from the default")
	}
	if text := report("-format", "latex", "-metrics", "NDCG@10,MRR"); !strings.HasPrefix(text, "% Comparisons of the suite quick-") || !strings.Contains(text, "model & NDCG@10 & MRR \\\\\n") {
		t.Errorf("LaTeX: %s", text)
	}
	if text := report("-format", "markdown", "-metrics", "MRR"); !strings.HasPrefix(text, "# Suite quick-") || !strings.Contains(text, "| model | MRR |\n") {
		t.Errorf("Markdown: %s", text)
	}
	lines, err := csv.NewReader(strings.NewReader(report("-format", "csv", "-metrics", "MRR,Gini@10"))).ReadAll()
	if err != nil || len(lines) != 1+2*2*2 || lines[1][5] != "MRR" || lines[2][5] != "Gini@10" { // two rules, two rows, two metrics
		t.Errorf("CSV: %q, %v", lines, err)
	}
	lines, err = csv.NewReader(strings.NewReader(report("-format", "csv", "-metrics", "gain"))).ReadAll()
	if err != nil || len(lines) != 1+2*2 || lines[1][5] != "NDCG@10" || !slices.Contains(lines[0], "gain") {
		t.Errorf("CSV of the gain: %q, %v", lines, err)
	}
	text := report("-format", "json")
	if text != report("-json") || !json.Valid([]byte(text)) {
		t.Errorf("JSON: %s", text)
	}
	if text := report("-metrics", "beyond"); !strings.Contains(text, "novelty") || strings.Contains(text, "HR@5") || strings.Contains(text, "older records") {
		t.Errorf("-metrics beyond: %s", text)
	}
	for path, text := range before {
		if read(t, path) != text {
			t.Errorf("%s was changed by what standard output shows", path)
		}
	}
}

func TestFormatErrors(t *testing.T) {
	dir := tiny(t)
	for _, tt := range []struct{ args, want string }{
		{"-report -format tex", `-format: unknown format "tex"; did you mean "text"?`},
		{"-report -json -format csv", "-json and -format csv exclude each other"},
		{"-report -json -metrics MRR", "-metrics: JSON has all metrics: leave it out"},
		{"-report -metrics NDGC@10", `-metrics: unknown metric "NDGC@10"; did you mean "NDCG@10"?`},
		{"-report -metrics MRR,MRR", "-metrics: MRR is listed twice"},
		{"-list -format csv", "-list does not use -format: leave it out"},
		{"-analyse -format csv", "-format csv does not show what -analyse finds"},
	} {
		_, _, err := runBench(t, dir, strings.Fields(tt.args)...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &usageError{}) {
			t.Errorf("%s: %v, expected %q", tt.args, err, tt.want)
		}
	}
}

// The columns of a suite are those of its Markdown and of standard output; -metrics overrides
// them there. They make no other plan, so the suite's files stay its own.
func TestColumnsOfASuite(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-set", "quick.models=[\"popularity\", \"markov\"]"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	config := filepath.Join(dir, plan.FileName)
	write(t, config, strings.Replace(tinyConfig, `models = ["popularity", "markov", "sasrec"]`, "models = [\"popularity\", \"markov\"]\nproposed = [\"markov\"]\nbaseline = \"popularity\"\ncolumns = [\"NDCG@10\", \"gain\"]", 1))
	stdout, stderr, err := runBench(t, dir, "-report")
	if err != nil || strings.Contains(stderr, "custom") {
		t.Fatalf("%v\n%s", err, stderr)
	}
	const files = "| model | NDCG@10 | gain % |\n"
	path := filepath.Join(dir, "results", "tables", "quick.md")
	text := read(t, path)
	if !strings.Contains(text, files) || !strings.Contains(text, "over popularity, the baseline that the suite names") || strings.Contains(stdout, "HR@5") {
		t.Errorf("the tables do not have the suite's columns:\n%s\n%s", text, stdout)
	}
	write(t, config, strings.Replace(read(t, config), `"gain"]`, `"MRR"]`, 1))
	stdout, stderr, err = runBench(t, dir, "-report", "-metrics", "HR@5")
	if err != nil || strings.Contains(stderr, "custom") || strings.Contains(stdout, "MRR") || !strings.Contains(stdout, "HR@5") {
		t.Errorf("%v\n%s\n%s", err, stderr, stdout)
	}
	if text := read(t, path); !strings.Contains(text, "| model | NDCG@10 | MRR |\n") {
		t.Errorf("with other columns: %s", text)
	}
}

// A run keeps its metrics beyond accuracy. Without the file the table says that they are
// missing, and -trec writes the same file again; a changed one is refused by name.
func TestBeyondFile(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "markov"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	id := idsOf(t, dir)["markov"]
	path := filepath.Join(dir, "results", "beyond", id+".json")
	text := read(t, path)
	shown := func() (string, error) {
		stdout, _, err := runBench(t, dir, "-models", "markov", "-report", "-metrics", "beyond")
		return stdout, err
	}
	whole, err := shown()
	if err != nil || strings.Contains(whole, "older records") {
		t.Errorf("%v\n%s", err, whole)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if without, err := shown(); err != nil || !strings.Contains(without, "older records lack the metrics beyond accuracy (all rows)") || !strings.Contains(without, id) {
		t.Errorf("%v\n%s", err, without)
	}
	stdout, stderr, err := runBench(t, dir, "-trec", id, "-json")
	if err != nil || !strings.Contains(stdout, path) || !strings.Contains(stderr, path) || read(t, path) != text {
		t.Errorf("%v\n%s%s", err, stdout, stderr)
	}
	if again, err := shown(); err != nil || again != whole {
		t.Errorf("%v\n%s", err, again)
	}
	if stdout, _, err := runBench(t, dir, "-trec", id, "-json"); err != nil || strings.Contains(stdout, path) {
		t.Errorf("what is there was written again: %v\n%s", err, stdout)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	rec, err := store.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := store.ReadBeyond(rec)
	if err != nil {
		t.Fatal(err)
	}
	changed.LabelsSHA256 = "of other labels"
	if err := store.WriteBeyond(changed); err != nil {
		t.Fatal(err)
	}
	if stdout, _, err := runBench(t, dir, "-trec", id, "-json"); err != nil || !strings.Contains(stdout, path) || read(t, path) != text {
		t.Errorf("what was computed with other labels was not written again: %v\n%s", err, stdout)
	}
	write(t, path, strings.Replace(text, `"Gini@10": 0.`, `"Gini@10": 0.0`, 1))
	if _, err := shown(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "bench -trec "+id+" writes it again") {
		t.Errorf("a changed file: %v", err)
	}
}
