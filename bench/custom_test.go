package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"famebench/internal/plan"
)

// customConfig has a suite of each kind that takes little time.
const customConfig = `
[suites.search]
kind = "tune"
models = ["sasrec"]
datasets = ["tiny"]
seeds = [100]
grid = false
rungs = [0]
[suites.search.axes]
dropout = [0.1]
[suites.ci]
kind = "ci"
models = ["popularity", "markov"]
datasets = ["tiny"]
[suites.cost]
kind = "cost"
models = ["popularity", "markov"]
datasets = ["tiny"]
[suites.two]
models = ["popularity"]
datasets = ["tiny", "other"]
`

// committed are the files of a results folder that suites write, and git keeps.
func committed(t *testing.T, results string) tree {
	t.Helper()
	files := tree{}
	for path, text := range readTree(t, results) {
		rel, _ := filepath.Rel(results, path)
		dir, _, _ := strings.Cut(rel, string(filepath.Separator))
		switch dir {
		case "custom", "aggregates", "state", "weights", "runs", "curves", "beyond", "datasets":
		default:
			files[rel] = text
		}
	}
	return files
}

// unchanged compares a results folder with what was in it before.
func (want tree) unchanged(t *testing.T, results, after string) {
	t.Helper()
	now := committed(t, results)
	for name, text := range want {
		if now[name] != text {
			t.Errorf("%s: %s is not what it was", after, name)
		}
		delete(now, name)
	}
	for name := range now {
		t.Errorf("%s: there is a new file %s", after, name)
	}
}

// emptyCustom removes what earlier commands wrote under names of their own.
func emptyCustom(t *testing.T, results string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(results, "custom")); err != nil {
		t.Fatal(err)
	}
}

// Commands that a user makes up leave every file of the suites as it is. They write under a
// name of their own, say which and why, and the same command has the same name.
func TestOwnCommandsReplaceNothing(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+customConfig)
	results := filepath.Join(dir, "results")
	for _, suite := range []string{"quick", "search", "cost", "ci"} {
		args := []string{"-suite", suite}
		if suite == "ci" {
			args = append(args, "-expect")
		}
		if _, stderr, err := runBench(t, dir, args...); err != nil || strings.Contains(stderr, "custom") {
			t.Fatalf("%s: %v\n%s", suite, err, stderr)
		}
	}
	whole := committed(t, results)
	names := map[string]string{}
	for _, tt := range []struct {
		args  []string
		files []string // in the folder of the name, NAME in place of it
		title string   // in the Markdown
	}{
		{[]string{"-models", "popularity,sasrec", "-set", "train.epochs=1"}, []string{"tables/NAME.md", "tables/NAME.csv", "summaries/NAME.json", "index.html"},
			"suite quick, with -models popularity,sasrec -set train.epochs=1\n"},
		{[]string{"-set", "train.epochs=1", "-set", "train.negatives=50", "-set", "bert4rec.heads=4"}, nil, "suite quick, with -set train.epochs=1: three models on a tiny log"},
		{[]string{"-models", "popularity,sasrec"}, []string{"figures/NAME/tiny-curves.svg"}, "with -models popularity,sasrec"},
		{[]string{"-models", "popularity", "-report"}, nil, "with -models popularity"},
		{[]string{"-datasets", "other", "-models", "markov"}, nil, "with -models markov -datasets other"},
		{[]string{"-models", "markov,popularity,sasrec"}, nil, "with -models markov,popularity,sasrec"}, // other rows come first
		{[]string{"-seeds", "0,1"}, nil, "with -seeds 0,1"},
		{[]string{"-set", "quick.models=[\"markov\"]", "-json"}, []string{"summaries/NAME.json"}, ""},
		{[]string{"-set", "train.time_limit=60", "-report"}, nil, "with -set train.time_limit=60"},
		{[]string{"-set", "train.epochs=4", "-set", "models.*.train.epochs=4"}, nil, "with -set models.*.train.epochs=4"}, // the weaker is idle
		{[]string{"-suite", "search", "-datasets", "other"}, []string{"NAME.toml", "tables/NAME.tex", "index.html"}, "suite search, with -datasets other"},
		{[]string{"-suite", "cost", "-models", "popularity"}, []string{"cost.json", "tables/NAME.md"}, "suite cost, with -models popularity"},
		{[]string{"-suite", "ci", "-models", "popularity"}, []string{"tables/NAME.md"}, "with -models popularity"},
	} {
		what := strings.Join(tt.args, " ")
		emptyCustom(t, results)
		_, stderr, err := runBench(t, dir, tt.args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, stderr)
		}
		out, name := custom(t, results)
		if strings.Contains(what, "negatives") != strings.Contains(stderr, "note: -set train.negatives=50 changes nothing of suite quick\nnote: -set bert4rec.heads=4 changes nothing of suite quick\n") {
			t.Errorf("%s: what changes nothing:\n%s", what, stderr)
		}
		if strings.Count(stderr, "note: suite ") != 1 || !strings.Contains(stderr, "go to "+out+"\n") || !regexp.MustCompile(`^(quick|search|cost|ci)-[0-9a-f]{8}$`).MatchString(name) {
			t.Errorf("%s: name %s\n%s", what, name, stderr)
		}
		if before, ok := names[name]; ok {
			t.Errorf("%s has the name of %s", what, before)
		}
		names[name] = what
		for _, file := range tt.files {
			if _, err := os.Stat(filepath.Join(out, strings.ReplaceAll(file, "NAME", name))); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if tt.title != "" && !strings.Contains(unescaped(customTable(t, results)), tt.title) {
			t.Errorf("%s: no %q in\n%s", what, tt.title, customTable(t, results))
		}
		checkLinks(t, filepath.Join(out, "index.html"))
		whole.unchanged(t, results, what)
		if _, stderr, err := runBench(t, dir, tt.args...); err != nil {
			t.Errorf("%s, again: %v\n%s", what, err, stderr)
		}
		if _, again := custom(t, results); again != name {
			t.Errorf("%s: the name is %s, then %s", what, name, again)
		}
	}
}

// unescaped is Markdown without backslashes.
func unescaped(markdown string) string { return strings.ReplaceAll(markdown, `\`, "") }

// checkLinks follows the links of a page to files. A search and costs may have no page.
func checkLinks(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return
	}
	n := 0
	for _, link := range regexp.MustCompile(`href="([^"#$]+)"`).FindAllStringSubmatch(read(t, path), -1) {
		n++
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n == 0 || !strings.Contains(read(t, path), `"results":"../../"`) {
		t.Errorf("%s: %d links", path, n)
	}
}

// What does not change what a suite asks for keeps its name: where it is computed, flags
// that say what the suite says, and places of files.
func TestSamePlanKeepsItsName(t *testing.T) {
	dir := tiny(t)
	results := filepath.Join(dir, "results")
	copied := filepath.Join(dir, "copy.csv")
	write(t, copied, read(t, filepath.Join(dir, "tiny.csv")))
	for _, args := range [][]string{
		nil,
		{"-threads", "2", "-jobs", "2"},
		{"-report", "-device", "cuda", "-threads", "7"},
		{"-report", "-models", "popularity,markov,sasrec", "-datasets", "tiny", "-seeds", "0"},
		{"-report", "-set", "quick.seeds=[0]"},
		{"-report", "-set", "datasets.tiny.path=" + copied},
		{"-out", filepath.Join(dir, "elsewhere")},
	} {
		_, stderr, err := runBench(t, dir, args...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		}
		if _, err := os.Stat(filepath.Join(results, "custom")); err == nil || strings.Contains(stderr, "note: suite") {
			t.Fatalf("%v: another name\n%s", args, stderr)
		}
	}
	for _, name := range []string{"results", "elsewhere"} {
		if _, err := os.Stat(filepath.Join(dir, name, "tables", "quick.md")); err != nil {
			t.Error(err)
		}
	}
}

// A suite that was changed, or other data, replaces the suite's files only when its summary
// was deleted. The message says so.
func TestChangedSuite(t *testing.T) {
	dir := tiny(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+customConfig)
	results := filepath.Join(dir, "results")
	if _, stderr, err := runBench(t, dir, "-suite", "two"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	whole := committed(t, results)
	summary := filepath.Join(results, "summaries", "two.json")
	log := read(t, filepath.Join(dir, "tiny.csv"))
	restore := func() {
		write(t, config, tinyConfig+customConfig)
		write(t, filepath.Join(dir, "tiny.csv"), log)
	}
	for what, change := range map[string]func(){
		"another model": func() {
			write(t, config, strings.Replace(read(t, config), "[suites.two]\nmodels = [\"popularity\"]", "[suites.two]\nmodels = [\"markov\"]", 1))
		},
		"a summary": func() {
			write(t, config, strings.Replace(read(t, config), "[suites.two]\n", "[suites.two]\nsummary = \"x\"\n", 1))
		},
		"another filter": func() {
			write(t, config, strings.Replace(read(t, config), "max_users = 10", "max_users = 9", 1))
		},
		"other data":   func() { write(t, filepath.Join(dir, "tiny.csv"), log+"u30,i1\nu30,i2\nu30,i3\n") },
		"missing data": func() { moveOther(t, config) },
	} {
		emptyCustom(t, results)
		change()
		_, stderr, err := runBench(t, dir, "-suite", "two")
		if err != nil || !strings.Contains(stderr, "to replace the files of the suite, delete "+summary) {
			t.Errorf("%s: %v\n%s", what, err, stderr)
			restore()
			continue
		}
		custom(t, results)
		whole.unchanged(t, results, what)
		restore()
	}
	// Without the summary the changed suite takes its place.
	write(t, config, strings.Replace(read(t, config), "[suites.two]\n", "[suites.two]\nsummary = \"a new summary\"\n", 1))
	if err := os.Remove(summary); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := runBench(t, dir, "-suite", "two"); err != nil || strings.Contains(stderr, "custom") || !strings.Contains(read(t, filepath.Join(results, "tables", "two.md")), "a new summary") {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// moveOther makes the data set "other" one that is not here.
func moveOther(t *testing.T, config string) {
	t.Helper()
	before, other, _ := strings.Cut(read(t, config), "[datasets.other]")
	write(t, config, before+"[datasets.other]"+strings.Replace(other, "tiny.csv", "gone.csv", 1))
}

// A data set that comes to a suite's others completes its tables.
func TestMoreDataKeepsTheName(t *testing.T) {
	dir := tiny(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+customConfig)
	moveOther(t, config)
	if _, stderr, err := runBench(t, dir, "-suite", "two"); err != nil || !strings.Contains(stderr, "skipped: other") || strings.Contains(stderr, "custom") {
		t.Fatalf("%v\n%s", err, stderr)
	}
	write(t, config, tinyConfig+customConfig)
	table := filepath.Join(dir, "results", "tables", "two.md")
	if _, stderr, err := runBench(t, dir, "-suite", "two"); err != nil || strings.Contains(stderr, "custom") || !strings.Contains(read(t, table), "other") {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// Expectations of a part of a suite would replace those of the whole.
func TestExpectOfAPart(t *testing.T) {
	dir := tiny(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+strings.Replace(customConfig, "\"markov\"]\ndatasets = [\"tiny\"]", "\"markov\"]\ndatasets = [\"tiny\", \"other\"]", 1))
	for _, args := range [][]string{{"-models", "popularity"}, {"-datasets", "tiny"}, {"-set", "datasets.tiny.k_core=2"}} {
		args := append([]string{"-suite", "ci", "-expect"}, args...)
		if _, _, err := runBench(t, dir, args...); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "got one with "+args[3]) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, stderr, err := runBench(t, dir, "-suite", "ci", "-expect", "-seeds", "0,1"); err != nil || !strings.Contains(stderr, "expectations of 4 settings") {
		t.Errorf("with more seeds: %v\n%s", err, stderr)
	}
	moveOther(t, config)
	if _, _, err := runBench(t, dir, "-suite", "ci", "-expect"); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "other is missing") {
		t.Errorf("without a data set: %v", err)
	}
}
