package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakes stand for Slurm's commands. They keep the queue in a file, and log their arguments.
var fakes = map[string]string{
	"sbatch": `echo "sbatch $*" >>"$FAKE/log"
[ ! -e "$FAKE/refuse" ] || { cat "$FAKE/refuse" >&2; exit 1; }
for script; do :; done
id=$(($(cat "$FAKE/last" 2>/dev/null || echo 10) + 1)); echo $id >"$FAKE/last"
name=$(sed -n 's/^#SBATCH --job-name=//p' "$script"); last=$(sed -n 's/^#SBATCH --array=0-//p' "$script")
if [ -n "$last" ]; then for i in $(seq 0 $last); do echo "${id}_$i|$name|PENDING|0:00|(Priority)" >>"$FAKE/queue"; done
else echo "$id|$name|PENDING|0:00|(Dependency)" >>"$FAKE/queue"; fi
echo "$id;cluster"`,
	"squeue": `echo "squeue $*" >>"$FAKE/log"
[ ! -e "$FAKE/down" ] || { echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1; }
cat "$FAKE/queue" 2>/dev/null || true`,
	"scancel": `echo "scancel $*" >>"$FAKE/log"
for id; do sed -i "/^$id|/d" "$FAKE/queue"; done`,
}

// fakeSlurm puts the fakes in the place of all programs but a shell's.
func fakeSlurm(t *testing.T) (s Slurm, file func(name, text string), log func() string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("FAKE", dir)
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	for name, text := range fakes {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file = func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log = func() string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, "log"))
		return string(b)
	}
	results := t.TempDir()
	if err := os.Mkdir(filepath.Join(results, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	s = Slurm{Suite: Suite{Name: "full", Results: results, Workers: 3,
		Worker: []string{"/clone/.bin/bench", "-suite", "full", "-set", "a='b c'", "-worker"}, Report: []string{"/clone/.bin/bench", "-report"}}, Options: "--partition=cpu --time=04:00:00"}
	return s, file, log
}

func submit(t *testing.T, s Slurm) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Submit(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Called again, Submit adds what is missing and never a second copy.
func TestSubmit(t *testing.T) {
	s, _, log := fakeSlurm(t)
	if out := submit(t, s); !strings.HasPrefix(out, "submitted 3 workers of suite full as job 11; logs: ") {
		t.Error(out)
	}
	if got := log(); strings.Count(got, "sbatch --parsable") != 2 || !strings.Contains(got, "--dependency=afterany:11 ") || strings.Contains(got, "scancel") {
		t.Error(got)
	}
	if out := submit(t, s); out != "3 workers of suite full queued or running\nnothing to submit\n" {
		t.Error(out)
	}
	if got := log(); strings.Contains(got, "sbatch") {
		t.Error(got)
	}
	more := s
	more.Workers = 4
	if out := submit(t, more); !strings.Contains(out, "\nsubmitted 1 worker of suite full as job 13;") {
		t.Error(out)
	}
	// The report waits for the new worker, too.
	if got := log(); !strings.Contains(got, "scancel 12\n") || !strings.Contains(got, "--dependency=afterany:11:13 ") {
		t.Error(got)
	}
	// Other runs of the suite are another job, and so are those in another folder.
	seeds, elsewhere := s, s
	seeds.Worker = append([]string{}, append(s.Worker, "-seeds", "1")...)
	elsewhere.Results = t.TempDir()
	for _, other := range []Slurm{seeds, elsewhere} {
		if out := submit(t, other); !strings.HasPrefix(out, "submitted 3 workers") {
			t.Error(out)
		}
	}
	log()
	// A whole suite in a folder is cancelled, and nothing else.
	jobs, err := s.Cancel(context.Background())
	if err != nil || len(jobs) != 3+1+1+3+1 {
		t.Fatalf("%v, %v", jobs, err)
	}
	if jobs, err = elsewhere.Jobs(context.Background()); err != nil || len(jobs) != 4 {
		t.Errorf("the jobs of another folder: %v, %v", jobs, err)
	}
	if jobs, err = s.Cancel(context.Background()); err != nil || len(jobs) != 0 {
		t.Errorf("cancelled again: %v, %v", jobs, err)
	}
	// Only the report is missing.
	submit(t, s)
	jobs, err = s.Jobs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slurm(context.Background(), "scancel", jobs[3].ID); err != nil || !jobs[3].IsReport() {
		t.Fatalf("%+v, %v", jobs[3], err)
	}
	if out := submit(t, s); strings.Contains(out, "submitted 3") || !strings.Contains(out, "submitted the report") {
		t.Error(out)
	}
}

// What Slurm refuses is named, with what to do.
func TestSlurmFails(t *testing.T) {
	ctx := context.Background()
	s, file, log := fakeSlurm(t)
	file("refuse", "sbatch: error: invalid partition specified: cpu\n")
	err := s.Submit(ctx, &bytes.Buffer{})
	if !errors.Is(err, ErrRefused) || err.Error() != "no worker was submitted: sbatch refused: sbatch: error: invalid partition specified: cpu: change -slurm or -workers" {
		t.Error(err)
	}
	file("refuse", "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n")
	if err = s.Submit(ctx, &bytes.Buffer{}); errors.Is(err, ErrRefused) || err == nil || !strings.Contains(err.Error(), `sbatch cannot reach Slurm's controller (sbatch: error: Batch`) {
		t.Error(err)
	}
	log()
	file("down", "")
	if err = s.Submit(ctx, &bytes.Buffer{}); err == nil || !strings.HasPrefix(err.Error(), "nothing was submitted: squeue cannot reach Slurm's controller") || !strings.Contains(err.Error(), "scontrol ping") {
		t.Error(err)
	}
	if got := log(); strings.Contains(got, "sbatch") {
		t.Errorf("submitted without knowing the queue: %s", got)
	}
	t.Setenv("PATH", t.TempDir())
	if err = s.Submit(ctx, &bytes.Buffer{}); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "there is no squeue here: run this on a login node") {
		t.Error(err)
	}
}

func TestOptionsOfSbatch(t *testing.T) {
	for options, want := range map[string]string{
		"":                                "",
		"--partition=cpu --time=04:00:00": "",
		"-p cpu -t 60 --comment=\"a b\"":  "",
		"--array=0-3":                     "-slurm: bench sets --array itself: leave it out",
		"-p cpu -a0-3":                    "-slurm: bench sets -a itself: leave it out",
		"--signal=TERM@60":                "bench sets --signal itself",
		"cpu":                             `expected options of sbatch such as --partition=cpu, got "cpu"`,
		"-p cpu\nrm -r /":                 "expected options of sbatch on one line",
	} {
		err := CheckOptions(options)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected %q", options, err, want)
		}
	}
	for dir, ok := range map[string]bool{"/home/me/my results": true, "/home/50%": false, `/home/"me"`: false} {
		if err := CheckFolder(dir); (err == nil) != ok {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// The scripts are run by bash, with a worker that ends in different ways.
func TestWorkerScript(t *testing.T) {
	s, _, log := fakeSlurm(t)
	fake := os.Getenv("FAKE")
	for name, text := range map[string]string{
		"scontrol": `echo "scontrol $*" >>"$FAKE/log"`,
		// It says how it was called, lets its parent get a signal, and ends as asked for.
		"bench": `for a; do echo "<$a>"; done
trap 'exit 130' TERM
[ -z "$SEND" ] || { kill -s "$SEND" $PPID; for i in $(seq 100); do sleep .1; done; }
[ -z "$DIE" ] || kill -9 $$
exit ${CODE:-0}`,
	} {
		if err := os.WriteFile(filepath.Join(fake, name), []byte("#!/bin/bash\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.Worker[0] = filepath.Join(fake, "bench")
	submit(t, s)
	script := filepath.Join(s.dir(), s.job()+".sh")
	for _, tt := range []struct {
		name, env string
		code      int
		out, log  string
	}{
		{"done", "SLURM_CPUS_PER_TASK=2", 0, "<-set>\n<a='b c'>\n<-worker>\n<-threads>\n<2>\n", ""},
		{"a run failed", "CODE=1", 1, "<-threads>\n<1>\n", ""},
		{"time limit", "SEND=USR1", 0, "the time limit is near", "scontrol requeue 11_2\n"},
		{"cancelled", "SEND=TERM", 130, "", ""},
		{"killed", "DIE=1", 137, "killed by signal 9", ""},
	} {
		log()
		cmd := exec.Command("bash", script)
		cmd.Env = append(os.Environ(), "SLURM_ARRAY_JOB_ID=11", "SLURM_ARRAY_TASK_ID=2", tt.env)
		out, _ := cmd.CombinedOutput()
		if got := log(); cmd.ProcessState.ExitCode() != tt.code || !strings.Contains(string(out), tt.out) || got != tt.log {
			t.Errorf("%s: exit code %d, expected %d; log %q, expected %q; output\n%s", tt.name, cmd.ProcessState.ExitCode(), tt.code, got, tt.log, out)
		}
	}
	// On a node that does not see the folder, the script says so.
	_, report := s.Scripts()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(script); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", string(text))
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "expected a results folder that all nodes share (-out)") {
		t.Errorf("exit code %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
	if !strings.Contains(report, "\n#SBATCH --partition=cpu --time=04:00:00\n") || !strings.HasSuffix(report, "\nexec /clone/.bin/bench -report\n") {
		t.Error(report)
	}
}
