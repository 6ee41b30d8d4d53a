package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/cluster"
)

// fakeCommands puts shell scripts in the place of Slurm's commands.
func fakeCommands(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

// Workers do the runs and render nothing; the report of the cluster's last job does.
func TestWorker(t *testing.T) {
	dir := tiny(t)
	stdout, stderr, err := runBench(t, dir, "-worker", "-models", "popularity,markov")
	if err != nil || stdout != "" || strings.Count(stderr, ": done in") != 2 {
		t.Fatalf("%v\n%s\n%s", err, stdout, stderr)
	}
	if tables, _ := filepath.Glob(filepath.Join(dir, "results", "tables", "*")); len(tables) > 0 {
		t.Errorf("a worker wrote %q", tables)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "results", "state", "worker-*")); len(left) > 0 {
		t.Errorf("a worker left %q", left)
	}
	want, _, err := runBench(t, tiny(t), "-models", "popularity,markov")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := runBench(t, dir, "-report", "-models", "popularity,markov")
	if first, _, _ := strings.Cut(got, "as Markdown"); err != nil || !strings.HasPrefix(want, first) || !strings.Contains(first, "popularity") {
		t.Errorf("%v\n%s\nexpected\n%s", err, got, want)
	}
}

func TestSlurmEngine(t *testing.T) {
	dir := tiny(t)
	engine := func(args ...string) (string, string, error) {
		t.Helper()
		return runBench(t, dir, append(args, "-engine", "slurm")...)
	}
	fakeCommands(t, map[string]string{"squeue": "exit 0", "sbatch": "echo 7", "scancel": "exit 0"})
	// Three runs need no more than three workers. Nothing is written.
	stdout, _, err := engine("-workers", "32", "-slurm", "--partition=cpu", "-set", "sasrec.dropout=0.3", "-seeds", "4,5", "-models", "sasrec,markov", "-dry-run")
	for _, want := range []string{"#SBATCH --array=0-2\n", "#SBATCH --partition=cpu\n", "-models sasrec,markov -seeds 4,5 -set sasrec.dropout=0.3 -worker -threads 1 &\n", "-set sasrec.dropout=0.3 -report\n"} {
		if err != nil || !strings.Contains(stdout, want) {
			t.Fatalf("%v, expected %q in\n%s", err, want, stdout)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "results")); err == nil {
		t.Error("-dry-run wrote results")
	}
	if stdout, stderr, err := engine("-workers", "2"); err != nil || stdout != "" || !strings.Contains(stderr, "submitted 2 workers of suite quick as job 7;") {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	// A run that failed is tried again once, not once per worker.
	if _, _, err := runBench(t, dir, "-models", "popularity,markov"); err != nil {
		t.Fatal(err)
	}
	stdout, _, err = runBench(t, dir, "-dry-run", "-json")
	var p struct{ Runs []struct{ ID, State string } }
	if err := json.Unmarshal([]byte(stdout), &p); err != nil || len(p.Runs) != 3 || p.Runs[2].State != "to run" {
		t.Fatalf("%v, %+v", err, p)
	}
	failure := filepath.Join(dir, "results", "runs", p.Runs[2].ID+".failed.json")
	write(t, failure, `{"id": "`+p.Runs[2].ID+`", "reason": "NaN"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := engine("-workers", "2"); err != nil || !strings.Contains(stderr, "nothing to submit: no run of suite quick is left to do") {
		t.Errorf("%v\n%s", err, stderr)
	}
	stdout, _, err = runBench(t, dir, "-status")
	if want := p.Runs[2].ID + "  failed  NaN\nsuite quick: 3 runs: 0 queued, 0 running, 2 done, 1 failed; results in "; err != nil || !strings.HasPrefix(stdout, want) {
		t.Errorf("%v\n%s\nexpected\n%s", err, stdout, want)
	}
	if _, stderr, err := engine("-workers", "2", "-retry-failed"); err != nil || !strings.Contains(stderr, "submitted 1 worker of") {
		t.Errorf("%v\n%s", err, stderr)
	}
	if _, err := os.Stat(failure); err == nil {
		t.Error("the failure is kept, so no worker tries the run again")
	}
}

func TestStatusAndCancel(t *testing.T) {
	dir := tiny(t)
	stdout, _, err := runBench(t, dir, "-engine", "slurm", "-workers", "1", "-dry-run")
	_, after, _ := strings.Cut(stdout, "--job-name=")
	name, _, ok := strings.Cut(after, "\n")
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, stdout)
	}
	queue := "12_0|" + name + "|RUNNING|1:02|node7\n12_1|" + name + "|PENDING|0:00|(Resources)\n13|" + name + "-report|PENDING|0:00|(Dependency)\n14|mine|RUNNING|9:00|node1"
	fakeCommands(t, map[string]string{"squeue": "cat <<'E'\n" + queue + "\nE", "scancel": `echo "$*" >>"` + dir + `/cancelled"`})
	stdout, _, err = runBench(t, dir, "-status")
	for _, want := range []string{"worker 12_0", "running  node7, for 1:02\n", "report 13", "suite quick: 3 runs: 3 queued, 0 running, 0 done, 0 failed; results in "} {
		if err != nil || !strings.Contains(stdout, want) || strings.Contains(stdout, "mine") {
			t.Fatalf("%v, expected %q in\n%s", err, want, stdout)
		}
	}
	stdout, _, err = runBench(t, dir, "-status", "-json")
	var st cluster.Status
	if err := json.Unmarshal([]byte(stdout), &st); err != nil || len(st.Jobs) != 3 || st.Workers() != 2 || st.Count[cluster.Queued] != 3 || len(st.Runs) != 3 {
		t.Errorf("%v, %+v", err, st)
	}
	if err != nil {
		t.Error(err)
	}
	err = command(t.Context(), nil, []string{"-config", filepath.Join(dir, "experiments.toml"), "-cancel"}, &strings.Builder{}, &strings.Builder{})
	if got := read(t, filepath.Join(dir, "cancelled")); err != nil || got != "12_0 12_1 13\n" {
		t.Errorf("%v, cancelled %q", err, got)
	}
	// Without the controller the runs are shown all the same.
	fakeCommands(t, map[string]string{"squeue": "echo 'Unable to contact slurm controller' >&2; exit 1"})
	stdout, _, err = runBench(t, dir, "-status")
	if exitCode(err) != exitFailed || !strings.Contains(err.Error(), "cannot reach Slurm's controller") || !strings.Contains(stdout, "3 queued") {
		t.Errorf("%v\n%s", err, stdout)
	}
}

func TestEngineFlags(t *testing.T) {
	dir := tiny(t)
	fakeCommands(t, map[string]string{"squeue": "exit 0", "sbatch": "echo 'sbatch: error: Invalid account' >&2; exit 1"})
	for args, want := range map[string]string{
		"-workers 2":                              "-workers and -slurm go with -engine",
		"-engine pbs":                             `expected slurm or k8s, got "pbs"`,
		"-engine slurm":                           "-workers: expected 1 to 100000 workers, got 0",
		"-engine slurm -workers 2 -yes":           "-engine does not use -yes",
		"-engine slurm -workers 2 -json":          "-engine prints JSON with -status only",
		"-engine k8s -workers 2 -dry-run -json":   "-engine prints JSON with -status only",
		"-engine slurm -workers 2 -format csv":    "-engine does not use -format",
		"-engine slurm -workers 2 -metrics HR@10": "-engine does not use -metrics",
		"-worker -analyse":                        "-worker does not use -analyse",
		"-worker -json":                           "-worker does not use -json",
		"-worker -metrics gain":                   "-worker does not use -metrics",
		"-engine slurm -workers 2 -list":          "-list does not use -engine, -workers",
		"-engine k8s -workers 2":                  "-engine k8s only prints a Job for kubectl: expected -dry-run",
		"-engine slurm -workers 2 -suite":         "flag needs an argument",
		"-engine slurm -workers 2":                "sbatch refused: sbatch: error: Invalid account: change -slurm or -workers",
		"-status -jobs 2":                         "-status does not use -jobs",
		"-cancel -models fame":                    "-cancel does not use -models",
		"-report -worker":                         "-report does not use -worker",
	} {
		err := command(t.Context(), nil, append([]string{"-config", filepath.Join(dir, "experiments.toml")}, strings.Fields(args)...), &strings.Builder{}, &strings.Builder{})
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", args, err, want)
		}
	}
	stdout, _, err := runBench(t, dir, "-engine", "k8s", "-workers", "2", "-out", "/data/results", "-dry-run")
	if err != nil || !strings.Contains(stdout, `"-out","/data/results"`) || !strings.Contains(stdout, "completions: 2\n") {
		t.Errorf("%v\n%s", err, stdout)
	}
}
