package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"famebench/internal/plan"
	"famebench/internal/record"
)

// killedPlan is the suite of TestKilledPlanEndsTheSame: every model, for two
// epochs, and starts from texts where there are any.
const killedPlan = `
[suites.killed]
models = ["popularity", "markov", "sasrec", "bert4rec", "core", "duorec", "fame", "fame-top1-gate", "fame-plus", "fame-plus-frozen"]
datasets = ["tiny", "texts"]
[suites.killed.train]
epochs = 2
checkpoint_every = 0.01
`

// unfinished reports whether a run that was begun since has no record: its lease says when.
func unfinished(t *testing.T, out string, since time.Time) bool {
	t.Helper()
	leases, err := filepath.Glob(filepath.Join(out, "state", "*.lease", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range leases {
		var h record.Holder
		b, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(b, &h) != nil || h.Started.Before(since) {
			continue
		}
		id := strings.TrimSuffix(filepath.Base(filepath.Dir(path)), ".lease")
		if _, err := os.Stat(record.Store{Dir: out}.RecordPath(id)); err != nil {
			return true
		}
	}
	return false
}

// waitFor returns when is is true or the process has ended.
func waitFor(ended <-chan struct{}, is func() bool) {
	for !is() {
		select {
		case <-ended:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestKilledPlanEndsTheSame kills a suite ten times, as kill -9 does, lets it end, and
// compares records and tables with those of an undisturbed run. Each kill comes at a
// seeded time after a run has begun, since a kill between runs would show nothing.
// With BENCH_KILL_TEST=full it does so with all models on the three embedded data
// sets, cut to 2,000 users.
func TestKilledPlanEndsTheSame(t *testing.T) {
	dir, encoder := textFolder(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+textConfig+killedPlan)
	longest := 30 * time.Millisecond // from the beginning of a run to its kill: less than it takes
	args := []string{"-config", config, "-suite", "killed", "-set", "pretrain.encoder=" + encoder}
	if os.Getenv("BENCH_KILL_TEST") == "full" {
		longest = 20 * time.Second
		// A copy: tables tell of commits and changes of the tree, which may have some meanwhile.
		write(t, config, read(t, "../experiments.toml"))
		args = []string{"-config", config, "-suite", "full", "-set", "pretrain.encoder=" + encoder, "-datasets", "beauty,sports,toys", "-seeds", "0", "-set", "full.train.epochs=2"}
		for _, name := range []string{"beauty", "sports", "toys"} {
			args = append(args, "-set", "datasets."+name+".max_users=2000")
		}
	}
	start := func(out string) (*exec.Cmd, *bytes.Buffer) {
		t.Helper()
		cmd := exec.Command(os.Args[0], append(args, "-out", out)...)
		cmd.Env = append(os.Environ(), "BENCH_TEST_MAIN=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &stderr
	}
	killed, peace := filepath.Join(dir, "killed"), filepath.Join(dir, "peace")
	var kills []string
	finish := func(out string) {
		t.Helper()
		cmd, stderr := start(out)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s, killed after %v: %v\n%s", filepath.Base(out), kills, err, stderr)
		}
	}
	finish(peace)
	const times = 10
	r := rand.New(rand.NewPCG(7, 7))
	interrupted := 0 // kills that found a run at work
	for range times {
		began := time.Now()
		cmd, _ := start(killed)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		waitFor(ended, func() bool { return unfinished(t, killed, began) })
		after := time.Duration(r.Int64N(int64(longest)))
		time.Sleep(after)
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if cmd.ProcessState.Exited() { // by itself
			continue
		}
		if unfinished(t, killed, began) {
			interrupted++
		}
		kills = append(kills, after.Round(time.Millisecond).String())
	}
	if interrupted < times/2 {
		t.Errorf("%d of %d kills interrupted a run, %v after it began: expected at least half", interrupted, times, kills)
	}
	finish(killed)
	got, want := resultHashes(t, killed), resultHashes(t, peace)
	t.Logf("%d runs; %d of %d kills interrupted one, %v after it began", len(want), interrupted, times, kills)
	if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("records after kills\n%v\nin peace\n%v", got, want)
	}
	checkSameTables(t, killed, peace)
}

// resultHashes are the hashes of the results in a folder, by id.
func resultHashes(t *testing.T, out string) map[string]string {
	t.Helper()
	store := record.Store{Dir: out}
	ids, err := store.IDs()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		all[id] = r.ResultSHA256
	}
	return all
}

// checkSameTables compares the tables of two folders.
func checkSameTables(t *testing.T, killed, peace string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(peace, "tables", "*"))
	ofAPart, _ := filepath.Glob(filepath.Join(peace, "custom", "*", "tables", "*"))
	tables = append(tables, ofAPart...)
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	for _, path := range tables {
		name, _ := filepath.Rel(peace, path)
		if read(t, filepath.Join(killed, name)) != read(t, path) {
			t.Errorf("%s is another than in peace", name)
		}
	}
}
