package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestMain lets the test binary be the command, for exit codes and signals, and
// a child of it.
func TestMain(m *testing.M) {
	if os.Getenv(eatMemory) != "" {
		eat()
	}
	if os.Getenv("BENCH_TEST_MAIN") != "" || len(os.Args) > 1 && os.Args[1] == run.ChildCommand {
		main()
	}
	os.Exit(m.Run())
}

const tinyConfig = `
[train]
batch_targets = 16
epochs = 2

[models.sasrec]
hidden = 8

[datasets.tiny]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
[datasets.other]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
max_users = 10

[suites.quick]
summary = "three models on a tiny log"
models = ["popularity", "markov", "sasrec"]
datasets = ["tiny"]
[suites.empty-handed]
summary = "a data set that is not there"
models = ["popularity"]
datasets = ["missing"]
[datasets.missing]
format = "csv"
path = "missing.csv"
columns = { user = "u", item = "i" }
`

// tiny makes a folder with the configuration and a small log.
func tiny(t *testing.T) string {
	t.Helper()
	return tinytest.Folder(t, tinyConfig)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// bench runs the command in the tiny folder.
func runBench(t *testing.T, dir string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = command(context.Background(), nil, inFolder(dir, args), &out, &errs)
	return out.String(), errs.String(), err
}

// inFolder adds the configuration of a folder to arguments, and one thread for the modes
// that take it.
func inFolder(dir string, args []string) []string {
	first := []string{"-config", filepath.Join(dir, plan.FileName)}
	if !slices.ContainsFunc(args, func(a string) bool {
		return slices.Contains([]string{"-threads", "-list", "-verify", "-explain", "-trec", "-recommend", "-compare", "-import", "-check"}, a)
	}) {
		first = append(first, "-threads", "1")
	}
	return append(first, args...)
}

// golden compares text with a file of testdata, the folder of the test replaced.
func golden(t *testing.T, name, dir, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, dir, "DIR")
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, text)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%s\nexpected\n%s\nIf the change is meant: go test ./bench -run '%s' -update", name, text, want, t.Name())
	}
}

func TestGolden(t *testing.T) {
	dir := tiny(t)
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"help.txt", []string{"-help"}},
		{"list.txt", []string{"-list"}},
		{"list.json", []string{"-list", "-json"}},
		{"dry-run.txt", []string{"-dry-run"}},
		{"dry-run.json", []string{"-dry-run", "-json", "-models", "popularity,sasrec", "-seeds", "3,4"}},
	} {
		stdout, stderr, err := runBench(t, dir, tt.args...)
		if err != nil || stderr != "" {
			t.Errorf("%s: %v, stderr %q", tt.name, err, stderr)
		}
		golden(t, tt.name, dir, stdout)
	}
}

// The list of what is configured needs nothing that is yet to be fetched.
func TestListOfOurs(t *testing.T) {
	var stdout, stderr bytes.Buffer
	err := command(context.Background(), nil, []string{"-config", "../experiments.toml", "-list"}, &stdout, &stderr)
	if err != nil || !strings.Contains(strings.Join(strings.Fields(stdout.String()), " "), "texts read from data/amazon-beauty") {
		t.Errorf("%v\n%s", err, stdout.String())
	}
}

// TestWholeSuite takes the tiny suite through everything: run, table, Markdown,
// a second run that repeats nothing, report, JSON, verification.
func TestWholeSuite(t *testing.T) {
	dir := tiny(t)
	// SASRec's numbers depend on the processor, those of the floors do not.
	floors, _, err := runBench(t, dir, "-models", "popularity,markov", "-out", filepath.Join(dir, "floors"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", dir, floors)
	stdout, stderr, err := runBench(t, dir)
	if err != nil || strings.Count(stdout, "│ sasrec") != 2 {
		t.Fatalf("%v\n%s%s", err, stderr, stdout)
	}
	markdown, err := os.ReadFile(filepath.Join(dir, "results", "tables", "quick.md"))
	if err != nil || !strings.Contains(string(markdown), "| popularity |") {
		t.Errorf("Markdown: %v\n%s", err, markdown)
	}
	if n := strings.Count(stderr, ": done in"); n != 3 {
		t.Errorf("%d runs were done, want 3:\n%s", n, stderr)
	}

	// Threads are no part of a run: with another number nothing is done again.
	if out, stderr, err := runBench(t, dir, "-threads", "2"); err != nil || out != stdout || strings.Contains(stderr, "done in") {
		t.Errorf("with two threads: %v, stderr %s\nstdout %s", err, stderr, out)
	}
	again, stderr, err := runBench(t, dir)
	if err != nil || again != stdout || strings.Contains(stderr, "done in") {
		t.Errorf("second time: %v, stderr %s\nstdout %s", err, stderr, again)
	}
	if out, _, err := runBench(t, dir, "-dry-run"); err != nil || strings.Count(out, "  done\n") != 3 || strings.Contains(out, "to do") {
		t.Errorf("dry run afterwards: %v\n%s", err, out)
	}
	// A report finds records made with another thread count.
	if out, _, err := runBench(t, dir, "-report", "-threads", "7"); err != nil || out != stdout {
		t.Errorf("report: %v\n%s", err, out)
	}
	for _, ext := range []string{".md", ".tex", ".csv", ".datasets.csv"} {
		if _, err := os.Stat(filepath.Join(dir, "results", "tables", "quick"+ext)); err != nil {
			t.Error(err)
		}
	}
	if out, _, err := runBench(t, dir, "-json", "-models", "popularity"); err != nil || !strings.Contains(out, `"status": "reused"`) || !strings.Contains(out, `"mean": 0.`) {
		t.Errorf("JSON: %v\n%s", err, out)
	}
	id := regexp.MustCompile(`tiny-sasrec-s0-[0-9a-f]{8}`).FindString(stderrOf(t, dir))
	if out, _, err := runBench(t, dir, "-verify", id); err != nil || out != id+": equal\n" {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// TestReportIsCached: what needs the records' ranks is computed once, until
// something that it was made from is another.
func TestReportIsCached(t *testing.T) {
	dir := tiny(t)
	floors := []string{"-models", "popularity,markov"}
	const computing = "comparing 2 records"
	if _, stderr, err := runBench(t, dir, floors...); err != nil || !strings.Contains(stderr, computing) {
		t.Fatalf("%v\n%s", err, stderr)
	}
	report := append(floors, "-report")
	first, stderr, err := runBench(t, dir, report...)
	if err != nil || strings.Contains(stderr, computing) {
		t.Errorf("nothing changed: %v\n%s", err, stderr)
	}
	write(t, filepath.Join(dir, "results", "published.toml"), "[data.tiny]\nusers = 30\nitems = 20\n"+
		"[numbers.a]\nmodel = \"markov\"\nloss = \"unknown\"\nseen_items = \"kept\"\ncold_items = \"kept\"\nsource = \"S\"\non.tiny = { \"HR@10\" = 0.2 }\n")
	second, stderr, err := runBench(t, dir, report...)
	if err != nil || !strings.Contains(stderr, computing) || !strings.HasPrefix(second, first) || !strings.Contains(second, "Published numbers on tiny") {
		t.Errorf("other published numbers: %v\n%s%s", err, stderr, second)
	}
	write(t, filepath.Join(dir, "results", "published.toml"), "[number.a]")
	if _, _, err := runBench(t, dir, report...); exitCode(err) != exitUsage || !strings.Contains(fmt.Sprint(err), `published.toml:1: number: unknown key; did you mean "numbers"?`) {
		t.Errorf("unknown key: %v", err)
	}
}

// TestStaleRecords: data that changed makes new runs, and reports name the old ones.
func TestStaleRecords(t *testing.T) {
	dir := tiny(t)
	if _, _, err := runBench(t, dir, "-models", "popularity"); err != nil {
		t.Fatal(err)
	}
	old, err := filepath.Glob(filepath.Join(dir, "results", "runs", "tiny-popularity-*.json"))
	if err != nil || len(old) != 1 {
		t.Fatal(old, err)
	}
	id := strings.TrimSuffix(filepath.Base(old[0]), ".json")
	csv := filepath.Join(dir, "tiny.csv")
	text, err := os.ReadFile(csv)
	if err != nil {
		t.Fatal(err)
	}
	write(t, csv, string(text)+"u30,i1\nu30,i2\nu30,i3\n")
	if _, _, err := runBench(t, dir, "-models", "popularity", "-report"); exitCode(err) != exitFailed || !strings.Contains(err.Error(), "1 records are stale, such as "+id+": data ") {
		t.Errorf("only a stale record: %v", err)
	}
	stdout, stderr, err := runBench(t, dir, "-models", "popularity")
	if err != nil || !strings.Contains(stderr, "done in") || !strings.Contains(stdout, "tiny: 31 test users") ||
		!strings.Contains(stdout, "Note: stale, in no table (data ") || !strings.Contains(stdout, id) {
		t.Errorf("%v\n%s%s", err, stderr, stdout)
	}
	if strings.Contains(stdout, "tiny: 30 test users") {
		t.Errorf("a stale record is in a table:\n%s", stdout)
	}
}

// custom gives the folder and the name of what a command wrote that is no suite's: the only
// one in a results folder.
func custom(t *testing.T, results string) (dir, name string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(results, "custom", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("expected one folder in %s/custom, got %q, %v", results, dirs, err)
	}
	return dirs[0], filepath.Base(dirs[0])
}

// customTable is the Markdown of what custom finds.
func customTable(t *testing.T, results string) string {
	t.Helper()
	dir, name := custom(t, results)
	return read(t, filepath.Join(dir, "tables", name+".md"))
}

// stderrOf returns a text with the ids of the suite in it.
func stderrOf(t *testing.T, dir string) string {
	t.Helper()
	out, _, err := runBench(t, dir, "-dry-run")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExitCodes(t *testing.T) {
	dir := tiny(t)
	// Weights that cannot be written keep a run from ending, through no fault of its own.
	id := regexp.MustCompile(`tiny-sasrec-s0-[0-9a-f]{8}`).FindString(stderrOf(t, dir))
	if err := os.MkdirAll(filepath.Join(dir, "results", "weights", id+".safetensors", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"floors", []string{"-models", "popularity,markov"}, 0, "done in"},
		{"the folder fails a run, not the others", nil, 1, "1 of 3 runs could not be done here; the same command tries them again"},
		{"a run fails, the others do not", []string{"-set", "train.time_limit=0.000001", "-seeds", "5"}, 1, "1 of 3 runs failed; -retry-failed tries them again"},
		{"no such flag", []string{"-suit", "quick"}, 2, "flag provided but not defined: -suit"},
		{"an argument", []string{"quick"}, 2, `unexpected argument "quick"`},
		{"no such suite", []string{"-suite", "quik"}, 2, `did you mean "quick"?`},
		{"no such model", []string{"-models", "sasrek"}, 2, `-models: unknown model "sasrek"; did you mean "sasrec"?`},
		{"no such data set", []string{"-datasets", "tinny"}, 2, `-datasets: unknown data set "tinny"; did you mean "tiny"?`},
		{"no such seed", []string{"-seeds", "0,x"}, 2, `-seeds: expected integers such as 0,1,2, got "x"`},
		{"a seed twice", []string{"-seeds", "1,1"}, 2, `seed 1 is listed twice`},
		{"no such device", []string{"-device", "gpu"}, 2, `-device: expected cpu, cuda or cuda:N, got "gpu"`},
		{"threads", []string{"-threads", "-1"}, 2, `-threads: expected 1 to 1024 threads, or 0 for all cores, got -1`},
		{"no such setting", []string{"-set", "train.epoch=2"}, 2, `did you mean "epochs"?`},
		{"no such file", []string{"-config", "no.toml"}, 2, "no.toml"},
		{"data that is not there", []string{"-suite", "empty-handed"}, 2, "missing.csv"},
		{"two modes", []string{"-list", "-dry-run"}, 2, "-dry-run and -list exclude each other"},
		{"no such record", []string{"-verify", "tiny-x-s0-00000000"}, 2, "no record"},
		{"nothing to report", []string{"-report", "-seeds", "77", "-models", "sasrec"}, 1, "run it first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr, err := runBench(t, dir, tt.args...)
			if code := exitCode(err); code != tt.code || !strings.Contains(fmt.Sprint(stderr, err), tt.want) {
				t.Errorf("exit code %d, want %d; %v\nstderr %s\nwant %q", code, tt.code, err, stderr, tt.want)
			}
		})
	}
}

// built starts the command as a process of its own.
func built(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BENCH_TEST_MAIN=1")
	return cmd
}

func TestExitCodesOfTheBinary(t *testing.T) {
	dir := tiny(t)
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"-list"}, 0},
		{[]string{"-models", "popularity"}, 0},
		{[]string{"-models", "nobody"}, 2},
		{[]string{"-report", "-seeds", "77"}, 1},
	} {
		out, err := built(t, dir, tt.args...).CombinedOutput()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != tt.code {
			t.Errorf("%v: exit code %d, want %d\n%s", tt.args, code, tt.code, out)
		}
	}
}

func TestInterruptedBinary(t *testing.T) {
	dir := tiny(t)
	cmd := built(t, dir, "-models", "popularity,sasrec", "-set", "train.epochs=1000000", "-set", "train.patience=1000000")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&log, lines.Text())
		if strings.Contains(lines.Text(), "epoch 1/") {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v, want exit code 130\n%s", err, &log)
	}
	for _, want := range []string{"stopped, checkpoint kept", "1 of 2 runs are not done", "finished runs are kept"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, &log)
		}
	}
	// What was finished is kept.
	records, err := filepath.Glob(filepath.Join(dir, "results", "runs", "tiny-popularity-*.json"))
	if err != nil || len(records) != 1 {
		t.Errorf("records %v, %v", records, err)
	}
}

// TestExamplesOfHelp runs the examples' command lines up to the point where work
// would begin, on the configuration of the repository.
func TestExamplesOfHelp(t *testing.T) {
	_, examples, _ := strings.Cut(helpText, "Examples:\n")
	n := 0
	for line := range strings.Lines(examples) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "   ")
		args, ok := strings.CutPrefix(command+" ", "bench ")
		if !ok || !strings.HasPrefix(line, "  ") {
			continue
		}
		n++
		o, err := parseFlags(shellWords(args), io.Discard)
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		o.config = filepath.Join("..", plan.FileName)
		b, err := newBench(o, nil, io.Discard, io.Discard)
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		s, err := b.config.Suite(o.suite)
		if err == nil {
			_, err = b.config.Choose(s, o.models, o.datasets, o.seeds)
		}
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
	if n < 8 {
		t.Errorf("%d examples found, want all", n)
	}
}
