package cluster

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"famebench/internal/atomicfile"
)

// Slurm submits the workers of a suite to Slurm.
type Slurm struct {
	Suite
	Options string // of sbatch, as the user wrote them
	Threads int    // of a worker; 0: the processors that Slurm gives it
}

// ErrRefused is about a submission that Slurm does not accept.
var ErrRefused = errors.New("change -slurm or -workers")

//go:embed worker.sh.tmpl
var workerText string

//go:embed report.sh.tmpl
var reportText string

// ours are the options of sbatch that the scripts set.
var ours = []string{"--array", "-a", "--dependency", "-d", "--job-name", "-J", "--open-mode", "--output", "-o", "--error", "-e",
	"--requeue", "--no-requeue", "--signal", "--parsable", "--wrap", "--wait", "-W", "--chdir", "-D"}

// CheckFolder refuses results folders that cannot be named in a batch script.
func CheckFolder(dir string) error {
	if strings.ContainsAny(dir, "\"\\%\n\r") {
		return fmt.Errorf("-out: %q cannot be named in a batch script: expected a path without quotes, backslashes and %%", dir)
	}
	return nil
}

// CheckOptions refuses options of sbatch that would break the scripts.
func CheckOptions(options string) error {
	if strings.ContainsAny(options, "\n\r") {
		return errors.New("-slurm: expected options of sbatch on one line")
	}
	words := strings.Fields(options)
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		return fmt.Errorf("-slurm: expected options of sbatch such as --partition=cpu, got %q", words[0])
	}
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		if len(name) > 2 && name[0] == '-' && name[1] != '-' { // -a0-3
			name = name[:2]
		}
		if slices.Contains(ours, name) {
			return fmt.Errorf("-slurm: bench sets %s itself: leave it out", name)
		}
	}
	return nil
}

// dir is where scripts and logs are.
func (s Slurm) dir() string { return filepath.Join(s.Results, "state", "slurm") }

// Scripts are the batch scripts of the workers and of the report.
func (s Slurm) Scripts() (worker, report string) {
	return s.script(workerText, s.job()), s.script(reportText, s.job()+reportSuffix)
}

func (s Slurm) script(text, name string) string {
	t := template.Must(template.New("").Funcs(template.FuncMap{"quote": quote, "command": command}).Parse(text))
	var b strings.Builder
	err := t.Execute(&b, map[string]any{
		"Job": name, "Suite": s.Name, "Last": s.Workers - 1, "Options": s.Options, "Dir": s.dir(),
		"Script": filepath.Join(s.dir(), name+".sh"), "Binary": s.Worker[0], "Worker": s.Worker, "Report": s.Report, "Threads": s.Threads,
	})
	if err != nil {
		panic(err) // the text is part of this program
	}
	return b.String()
}

// Job is a job in the queue of Slurm: a worker, or the report.
type Job struct {
	ID     string `json:"id"` // a task of an array: 17_3
	Name   string `json:"name"`
	State  string `json:"state"`
	Time   string `json:"time"`  // that it has been running
	Reason string `json:"where"` // the node, or why it waits
}

// IsReport reports whether a job renders the tables.
func (j Job) IsReport() bool { return strings.HasSuffix(j.Name, reportSuffix) }

// Jobs lists the jobs of the suite and its results folder that are queued or running.
func (s Slurm) Jobs(ctx context.Context) ([]Job, error) {
	out, err := slurm(ctx, "squeue", "--user="+strconv.Itoa(os.Getuid()), "--noheader", "--array", "--format=%i|%j|%T|%M|%R")
	if err != nil {
		return nil, err
	}
	jobs := []Job{}
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSpace(line), "|", 5)
		if len(f) == 5 && strings.HasPrefix(f[1], s.family()) {
			jobs = append(jobs, Job{f[0], f[1], f[2], f[3], f[4]})
		}
	}
	return jobs, nil
}

// Submit submits the workers that are missing, and a report job that waits for all workers. It
// writes what it does to w. Workers that are queued or running are not submitted again.
func (s Slurm) Submit(ctx context.Context, w io.Writer) error {
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return fmt.Errorf("nothing was submitted: %w", err)
	}
	var arrays, reports []string
	there := 0
	for _, j := range jobs {
		switch array, _, _ := strings.Cut(j.ID, "_"); j.Name {
		case s.job():
			there++
			if !slices.Contains(arrays, array) {
				arrays = append(arrays, array)
			}
		case s.job() + reportSuffix:
			reports = append(reports, j.ID)
		}
	}
	missing := s.Workers - there
	if there > 0 {
		fmt.Fprintf(w, "%s of suite %s queued or running\n", workers(there), s.Name)
	}
	if missing <= 0 && len(reports) > 0 {
		fmt.Fprintln(w, "nothing to submit")
		return nil
	}
	if err := os.MkdirAll(s.dir(), 0o755); err != nil {
		return err
	}
	add := s
	add.Workers = max(1, missing)
	worker, report := add.Scripts()
	if missing > 0 {
		id, err := s.sbatch(ctx, s.job(), worker)
		if err != nil {
			return fmt.Errorf("no worker was submitted: %w", err)
		}
		arrays = append(arrays, id)
		fmt.Fprintf(w, "submitted %s of suite %s as job %s; logs: %s\n", workers(missing), s.Name, id, filepath.Join(s.dir(), id+"_*.log"))
	}
	if len(reports) > 0 { // it does not wait for the new workers
		if _, err := slurm(ctx, "scancel", reports...); err != nil {
			return err
		}
	}
	id, err := s.sbatch(ctx, s.job()+reportSuffix, report, "--dependency=afterany:"+strings.Join(arrays, ":"))
	if err != nil {
		return fmt.Errorf("the workers are submitted, but not the job that renders the tables (bench -suite %s -report does it, too): %w", s.Name, err)
	}
	fmt.Fprintf(w, "submitted the report as job %s, after the workers\n", id)
	return nil
}

func workers(n int) string {
	if n == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", n)
}

// sbatch writes a script to the results folder, where every node must see it, and submits it.
func (s Slurm) sbatch(ctx context.Context, name, script string, options ...string) (id string, err error) {
	path := filepath.Join(s.dir(), name+".sh")
	if err := atomicfile.Update(path, []byte(script)); err != nil {
		return "", err
	}
	out, err := slurm(ctx, "sbatch", append(append([]string{"--parsable"}, options...), path)...)
	if err != nil {
		return "", err
	}
	id, _, _ = strings.Cut(strings.TrimSpace(out), ";") // "id;cluster"
	if _, err := strconv.Atoi(id); err != nil {
		return "", fmt.Errorf("sbatch: expected the number of the job, got %q; squeue shows whether it was submitted", strings.TrimSpace(out))
	}
	return id, nil
}

// Cancel ends all jobs of the suite in its results folder, and nothing else. It returns them.
func (s Slurm) Cancel(ctx context.Context) ([]Job, error) {
	jobs, err := s.Jobs(ctx)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	var ids []string
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	_, err = slurm(ctx, "scancel", ids...)
	return jobs, err
}

// patience is how long a command of Slurm may take. A controller that cannot be reached makes it
// wait for minutes.
const patience = 2 * time.Minute

// unreachable are the words with which Slurm's commands say that they did not reach the controller.
var unreachable = []string{"unable to contact slurm controller", "connection refused", "connection timed out", "socket timed out", "connect failure"}

// slurm runs a command of Slurm and returns what it prints.
func slurm(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	said := strings.Join(strings.Fields(stderr.String()), " ")
	switch {
	case err == nil:
		return stdout.String(), nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no %s here: run this on a login node of the cluster (%w)", name, exec.ErrNotFound)
	case ctx.Err() != nil || slices.ContainsFunc(unreachable, func(s string) bool { return strings.Contains(strings.ToLower(said), s) }):
		return "", fmt.Errorf("%s cannot reach Slurm's controller (%s): \"scontrol ping\" shows when it is back; then repeat this command", name, cmp.Or(said, "no answer"))
	case name == "sbatch":
		return "", fmt.Errorf("sbatch refused: %s: %w", cmp.Or(said, err.Error()), ErrRefused)
	}
	return "", fmt.Errorf("%s: %s", name, cmp.Or(said, err.Error()))
}
