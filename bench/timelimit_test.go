package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/record"
)

// Where the time limit stopped all runs there is no table, which is an error and not silence.
func TestAllStoppedByTheirTimeLimit(t *testing.T) {
	dir := tiny(t)
	run := []string{"-models", "sasrec"}
	if _, stderr, err := runBench(t, dir, run...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	ids, err := store.IDs()
	if err != nil || len(ids) != 1 {
		t.Fatalf("%q, %v", ids, err)
	}
	r, err := store.Read(ids[0])
	if err == nil {
		r.Result.Status = record.Time
		err = store.Write(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, err := runBench(t, dir, append(run, "-report")...)
	if exitCode(err) != exitFailed || !strings.Contains(fmt.Sprint(err), "train.time_limit stopped every run") || stdout != "" {
		t.Errorf("%v\n%s", err, stdout)
	}
}

// Measurements are not kept, so a command that is stopped says something else, with the same code.
func TestStoppedMeasurements(t *testing.T) {
	if err := fmt.Errorf("x: %w", stopped("interrupted after 1 of 2 measurements")); exitCode(err) != exitInterrupted || !errors.Is(err, errInterrupted) || strings.Contains(err.Error(), "are kept") {
		t.Errorf("%v: exit code %d", err, exitCode(err))
	}
}
