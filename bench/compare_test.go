package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/audit"
)

// Two baselines are run and compared, the lists of one are imported as if another program had
// made them, and the folder is checked, before and after a change.
func TestCompareImportCheck(t *testing.T) {
	dir := tiny(t)
	results := filepath.Join(dir, "results")
	if _, stderr, err := runBench(t, dir, "-models", "popularity,markov"); err != nil {
		t.Fatal(err, stderr)
	}
	var ids []string
	for _, model := range []string{"popularity", "markov"} {
		paths, err := filepath.Glob(filepath.Join(results, "runs", "tiny-"+model+"-*.json"))
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		ids = append(ids, strings.TrimSuffix(filepath.Base(paths[0]), ".json"))
	}
	compare := func(args ...string) aggregate.Comparison {
		t.Helper()
		stdout, stderr, err := runBench(t, dir, append(args, "-json")...)
		var c aggregate.Comparison
		if err == nil {
			err = json.Unmarshal([]byte(stdout), &c)
		}
		if err != nil {
			t.Fatal(args, err, stderr)
		}
		return c
	}
	byID, byRow := compare("-compare", ids[0], ids[1]), compare("-compare", "quick/popularity", "quick/markov")
	if len(byID.Lines) != 16 || len(byRow.Lines) != 16 || byID.Lines[0].Test.P != byRow.Lines[0].Test.P || byID.Lines[0].Test.Low != byRow.Lines[0].Test.Low || byID.Warnings != nil {
		t.Errorf("by id\n%+v\nby row\n%+v", byID, byRow)
	}
	if stdout, _, err := runBench(t, dir, "-compare", ids[0], ids[1]); err != nil || !strings.Contains(stdout, "B, "+ids[1]+", against A, "+ids[0]) {
		t.Errorf("%v\n%s", err, stdout)
	}
	if _, _, err := runBench(t, dir, "-compare", ids[0], "nothing"); exitCode(err) != exitUsage {
		t.Error(err)
	}

	if _, stderr, err := runBench(t, dir, "-trec", ids[1], "-top", "10"); err != nil {
		t.Fatal(err, stderr)
	}
	lists := filepath.Join(results, "trec", ids[1]+".removed.run")
	stdout, stderr, err := runBench(t, dir, "-import", "other", lists, "-datasets", "tiny", "-seen", "removed")
	if err != nil || !strings.Contains(stdout, "other on tiny, seed 0: imported lists of 10 items") || !strings.Contains(stderr, `imported = ["other"]`) {
		t.Errorf("%v\n%s\n%s", err, stdout, stderr)
	}
	for _, l := range compare("-compare", ids[1], "imported/other").Lines {
		if l.B != nil && l.A.Mean != l.B.Mean || l.Rule != "removed" || (l.B == nil) == slices.Contains([]string{"HR@5", "HR@10", "NDCG@5", "NDCG@10"}, l.Metric) {
			t.Errorf("its own lists: %+v", l)
		}
	}
	// The last one is stored, and the first one would then have another problem.
	for _, tt := range [][2]string{
		{"other -datasets tiny -seen kept " + lists, "has the same lists, with seed 0 and seen items removed"},
		{"sasrec -datasets tiny -seen kept " + lists, `"sasrec" is a model of this program`},
		{"a/b -datasets tiny -seen kept " + lists, "expected a name of letters"},
		{"other -datasets none -seen kept " + lists, "none"},
		{"other -datasets tiny -seen kept missing.run", "missing.run"},
		{"other -datasets tiny -seen kept " + results, "is a directory"},
		{"other -datasets tiny -seen kept " + filepath.Join(results, "trec", ids[1]+".kept.run"), ""},
	} {
		args, want := tt[0], tt[1]
		f := strings.Fields(args)
		_, _, err := runBench(t, dir, append([]string{"-import", f[0], f[len(f)-1]}, f[1:len(f)-1]...)...)
		if want == "" != (err == nil) || err != nil && (exitCode(err) != exitUsage || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}

	// Its row in the tables.
	path := filepath.Join(dir, "experiments.toml")
	write(t, path, strings.Replace(read(t, path), `datasets = ["tiny"]`, `datasets = ["tiny"]`+"\nimported = [\"other\"]", 1))
	stdout, stderr, err = runBench(t, dir, "-models", "popularity,markov", "-report")
	if err != nil || !strings.Contains(stdout, "│ other ") || !strings.Contains(stdout, "imported: seen items removed, seed 0: lists of 10 items of another program") {
		t.Errorf("%v\n%s\n%s", err, stdout, stderr)
	}

	if stdout, _, err := runBench(t, dir, "-check", results); err != nil || !strings.Contains(stdout, "no problems in 2 records, 2 imported records") {
		t.Errorf("%v\n%s", err, stdout)
	}
	record := filepath.Join(results, "runs", ids[0]+".json")
	write(t, record, string(bytes.Replace([]byte(read(t, record)), []byte(`"users"`), []byte(`"Users"`), 1)))
	stdout, _, err = runBench(t, dir, "-check", results, "-json")
	var r audit.Report
	if jsonErr := json.Unmarshal([]byte(stdout), &r); jsonErr != nil || exitCode(err) != exitFailed || r.OK || len(r.Problems) == 0 {
		t.Errorf("%v, %v\n%s", err, jsonErr, stdout)
	}
	if _, _, err := runBench(t, dir, "-check", dir); exitCode(err) != exitUsage {
		t.Errorf("a folder without results: %v", err)
	}
}
