package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/plan"
)

// Records are shared between machines, so their data need not be where they were: the data
// set of that name in experiments.toml is opened, if its fingerprint is the record's.
func TestMovedData(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "markov,fame", "-set", "fame.hidden=16", "-set", "train.epochs=1"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var markov, fame string
	paths, err := filepath.Glob(filepath.Join(dir, "results", "runs", "tiny-*.json"))
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	fame, markov = strings.TrimSuffix(filepath.Base(paths[0]), ".json"), strings.TrimSuffix(filepath.Base(paths[1]), ".json")
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(dir, "there", "log.csv")
	if err := os.Rename(filepath.Join(dir, "tiny.csv"), moved); err != nil {
		t.Fatal(err)
	}

	// Neither place has the data: nothing was compared, and the message names both.
	_, _, err = runBench(t, dir, "-verify", markov, "-set", "datasets.tiny.path=elsewhere.csv")
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "tiny.csv") || !strings.Contains(err.Error(), "elsewhere.csv") {
		t.Errorf("no data: exit code %d, %v; want %d", exitCode(err), err, exitUsage)
	}
	if _, _, err := runBench(t, dir, "-verify", markov); exitCode(err) != exitUsage { // the file names the old place
		t.Errorf("no data: exit code %d, %v; want %d", exitCode(err), err, exitUsage)
	}

	config := filepath.Join(dir, plan.FileName)
	write(t, config, strings.ReplaceAll(read(t, config), `"tiny.csv"`, `"there/log.csv"`))
	for _, args := range [][]string{{"-verify", markov}, {"-verify", fame}, {"-trec", markov}, {"-trec", fame}, {"-explain", "u7", "-run", fame}} {
		if stdout, stderr, err := runBench(t, dir, args...); err != nil || args[0] == "-verify" && stdout != args[1]+": equal\n" {
			t.Errorf("%v: %v\n%s%s", args, err, stderr, stdout)
		}
	}
	stdout, stderr, err := runBench(t, dir, "-models", "fame", "-set", "fame.hidden=16", "-set", "train.epochs=1", "-analyse")
	if err != nil || !strings.Contains(stdout, "30 validation cases") || strings.Contains(stderr, "done in") {
		t.Errorf("-analyse: %v\n%s%s", err, stderr, stdout)
	}

	// Other data at the new place are not taken for the record's.
	write(t, moved, read(t, moved)+"u0,i19\n")
	_, _, err = runBench(t, dir, "-verify", markov)
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "there/log.csv: expected fingerprint ") || !strings.Contains(err.Error(), "the data changed") {
		t.Errorf("changed data: exit code %d, %v", exitCode(err), err)
	}
	// Other data at the old place do not hide those at the new one.
	write(t, filepath.Join(dir, "tiny.csv"), read(t, moved))
	write(t, moved, strings.TrimSuffix(read(t, moved), "u0,i19\n"))
	if stdout, _, err := runBench(t, dir, "-verify", markov); err != nil || stdout != markov+": equal\n" {
		t.Errorf("other data at the old place: %v\n%s", err, stdout)
	}
}
