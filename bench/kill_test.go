package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

// TestKilledPlanEndsTheSame kills a suite ten times at random moments, as kill -9
// does, lets it end, and compares records and tables with those of a run in peace.
// With BENCH_KILL_TEST=full it does so with all models on the three embedded data
// sets, cut to 2,000 users.
func TestKilledPlanEndsTheSame(t *testing.T) {
	dir, encoder := textFolder(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, tinyConfig+textConfig+killedPlan)
	args := []string{"-config", config, "-suite", "killed", "-set", "pretrain.encoder=" + encoder}
	longest := 3 * time.Second
	if os.Getenv("BENCH_KILL_TEST") == "full" {
		// A copy: tables tell of commits and changes of the tree, which may have some meanwhile.
		write(t, config, read(t, "../experiments.toml"))
		args = []string{"-config", config, "-suite", "full", "-set", "pretrain.encoder=" + encoder, "-datasets", "beauty,sports,toys", "-seeds", "0", "-set", "full.train.epochs=2"}
		for _, name := range []string{"beauty", "sports", "toys"} {
			args = append(args, "-set", "datasets."+name+".max_users=2000")
		}
		longest = 20 * time.Second
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
	for range 10 {
		cmd, _ := start(killed)
		after := time.Duration(rand.Int64N(int64(longest)))
		time.Sleep(after)
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		kills = append(kills, after.Round(time.Millisecond).String())
	}
	for _, out := range []string{killed, peace} {
		cmd, stderr := start(out)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s, killed after %v: %v\n%s", filepath.Base(out), kills, err, stderr)
		}
	}
	hashes := func(out string) map[string]string {
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
	got, want := hashes(killed), hashes(peace)
	t.Logf("%d runs, killed after %v", len(want), kills)
	if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("records after kills\n%v\nin peace\n%v", got, want)
	}
	tables, err := filepath.Glob(filepath.Join(peace, "tables", "*"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	for _, path := range tables {
		name := filepath.Join("tables", filepath.Base(path))
		if read(t, filepath.Join(killed, name)) != read(t, path) {
			t.Errorf("%s is another than in peace", name)
		}
	}
}
