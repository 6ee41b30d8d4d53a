package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

// TestMain lets the test binary act as a child, and as a parent that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == run.ChildCommand {
		entries := tinytest.Entries
		if how := os.Getenv(brokenModel); how != "" {
			entries = breakModels(how)
		}
		os.Exit(run.Child(os.Stdin, os.Stdout, entries))
	}
	if dir := os.Getenv("LAUNCH_TEST_PARENT"); dir != "" {
		os.Exit(playParent(dir))
	}
	os.Exit(m.Run())
}

// tinyPlan plans a suite of the tiny configuration, with one thread.
func tinyPlan(t *testing.T, dir, suite string, sets ...string) (*plan.Plan, *Runner) {
	t.Helper()
	p, r, err := makePlan(dir, suite, sets...)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

func makePlan(dir, suite string, sets ...string) (*plan.Plan, *Runner, error) {
	c, err := plan.Load(filepath.Join(dir, plan.FileName), sets, tinytest.Entries)
	if err != nil {
		return nil, nil, err
	}
	s, err := c.Suite(suite)
	if err != nil {
		return nil, nil, err
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	if err := store.Make(); err != nil {
		return nil, nil, err
	}
	p, err := c.Plan(s, plan.Options{Threads: 1, Out: store.Dir})
	return p, &Runner{Store: store, Poll: 10 * time.Millisecond}, err
}

func playParent(dir string) int {
	p, r, err := makePlan(dir, "stubborn")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	r.Observe = func(_ int, one plan.Run, e run.Event) {
		if e.Kind == run.EventWarning {
			fmt.Println(one.ID)
		}
	}
	r.Run(context.Background(), p.Runs)
	return 0
}

func statuses(outcomes []Outcome) string {
	var s []string
	for _, o := range outcomes {
		s = append(s, o.Run.Job.Spec.Model+" "+o.Status)
	}
	return strings.Join(s, ", ")
}
