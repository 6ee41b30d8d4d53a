package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"famebench/internal/cluster"
	"famebench/internal/plan"
)

// The values of -engine.
const (
	engineSlurm      = "slurm"
	engineKubernetes = "k8s"
)

// mostWorkers is far above what a suite needs: a larger number is a typing error.
const mostWorkers = 100_000

// checkEngine refuses flags that do not go with -engine, or not without it.
func (o *options) checkEngine() error {
	switch o.engine {
	case engineSlurm, engineKubernetes:
	case "":
		if o.given["workers"] || o.given["slurm"] {
			return errors.New("-workers and -slurm go with -engine: expected -engine slurm or -engine k8s")
		}
		return nil
	default:
		return fmt.Errorf("-engine: expected slurm or k8s, got %q", o.engine)
	}
	if unused := o.givenOf("worker analyse expect yes format metrics"); unused != "" {
		return fmt.Errorf("-engine does not use %s: leave it out", unused)
	}
	if o.json && !o.status {
		return errors.New("-engine prints JSON with -status only: leave out -json")
	}
	if o.engine == engineKubernetes && (!o.dryRun || o.given["slurm"] || o.retryFailed) {
		return errors.New("-engine k8s only prints a Job for kubectl: expected -dry-run, and neither -slurm nor -retry-failed")
	}
	if o.status || o.cancel {
		return nil
	}
	if o.workers < 1 || o.workers > mostWorkers {
		return fmt.Errorf("-workers: expected 1 to %d workers, got %d", mostWorkers, o.workers)
	}
	if o.jobs > 1 && o.threads == 0 {
		return errors.New("-jobs on a cluster: expected -threads, the number of threads of each run, too")
	}
	return cluster.CheckOptions(o.slurm)
}

// goRun is where "go run" puts a program. It is gone before a worker starts.
var goRun = regexp.MustCompile(`/go-build[^/]*/b\d+/exe/`)

// onSlurm describes a suite for Slurm.
func (b *bench) onSlurm(s plan.Suite) (cluster.Slurm, error) {
	none := cluster.Slurm{}
	program, err := os.Executable()
	if err != nil {
		return none, err
	}
	file := b.options.config
	if file == "" {
		if file, err = plan.Find("."); err != nil {
			return none, usageError{err}
		}
	}
	if file, err = filepath.Abs(file); err != nil {
		return none, err
	}
	if err := cluster.CheckFolder(b.store.Dir); err != nil {
		return none, usageError{err}
	}
	common := append([]string{program, "-suite", s.Name, "-config", file, "-out", b.store.Dir}, b.options.chosen()...)
	return cluster.Slurm{
		Suite: cluster.Suite{
			Name: s.Name, Results: b.store.Dir, Workers: b.workers,
			Worker: append(append([]string{}, common...), b.options.ofWorker()...),
			Report: append(append([]string{}, common...), "-report"),
		},
		Options: b.options.slurm, Threads: b.options.threads,
	}, nil
}

// chosen are the flags that choose runs, as workers and the report get them.
func (o *options) chosen() (args []string) {
	for _, f := range []struct{ name, value string }{
		{"datasets", strings.Join(o.datasets, ",")}, {"models", strings.Join(o.models, ",")},
		{"seeds", strings.ReplaceAll(strings.Trim(fmt.Sprint(o.seeds), "[]"), " ", ",")}, {"device", o.device},
	} {
		if o.given[f.name] && f.value != "" {
			args = append(args, "-"+f.name, f.value)
		}
	}
	if o.strict {
		args = append(args, "-strict")
	}
	for _, s := range o.sets {
		args = append(args, "-set", s)
	}
	return args
}

// ofWorker are the flags that only workers get.
func (o *options) ofWorker() []string {
	args := []string{"-worker"}
	if o.jobs > 1 {
		args = append(args, "-jobs", strconv.Itoa(o.jobs))
	}
	if o.again {
		args = append(args, "-again")
	}
	return args
}

// printKubernetes prints the workers of a suite for kubectl.
func (b *bench) printKubernetes(s plan.Suite) error {
	results := "/results"
	if b.out != "" {
		results = b.store.Dir
	}
	args := []string{"/opt/famebench/.bin/bench", "-suite", s.Name, "-out", results}
	if b.options.config != "" {
		args = append(args, "-config", b.options.config)
	}
	args = append(append(args, b.chosen()...), b.ofWorker()...)
	threads := b.threads
	if threads == 0 {
		threads = 2
	}
	return cluster.WriteKubernetes(b.stdout, cluster.Suite{Name: s.Name, Results: results, Worker: args, Workers: b.workers}, threads)
}

// submit gives the runs of a plan that have no record to the workers of a cluster.
func (b *bench) submit(ctx context.Context, todo *plan.Plan) error {
	s, err := b.onSlurm(todo.Suite)
	if err != nil {
		return err
	}
	if goRun.MatchString(s.Worker[0]) {
		return usageError{errors.New(`-engine: a cluster needs a program that stays where it is, not one that "go run" made: build it with "make build" and use .bin/bench`)}
	}
	left, err := b.runner(nil).Remaining(todo)
	if err != nil {
		return err
	}
	if todo.Suite.Kind != plan.KindTune { // whose later rungs are not known yet
		s.Workers = min(s.Workers, left.Runs)
	}
	if b.options.dryRun {
		s.Workers = max(1, s.Workers)
		return b.printScripts(s)
	}
	if s.Workers == 0 {
		fmt.Fprintf(b.stderr, "nothing to submit: no run of suite %s is left to do; bench -suite %s -report renders the tables\n", todo.Suite.Name, todo.Suite.Name)
		return nil
	}
	if _, err := b.place(todo); err != nil {
		return err
	}
	lock, holder, err := b.store.Lock("submit") // two commands at a time would submit twice
	if err != nil {
		return err
	}
	if lock == nil {
		return fmt.Errorf("%v is submitting to a cluster from %s: repeat this command when it has ended", holder, b.store.Dir)
	}
	defer lock.Release()
	if b.retryFailed { // once, and not once per worker
		for _, r := range todo.Runs {
			if err := b.store.ClearFailure(r.ID); err != nil {
				return err
			}
		}
	}
	fmt.Fprintln(b.stderr, left)
	return asUsage(s.Submit(ctx, b.stderr))
}

// asUsage marks the errors that another command line avoids.
func asUsage(err error) error {
	if errors.Is(err, cluster.ErrRefused) || errors.Is(err, exec.ErrNotFound) {
		return usageError{err}
	}
	return err
}

func (b *bench) printScripts(s cluster.Slurm) error {
	worker, report := s.Scripts()
	if b.json {
		return b.writeJSON(struct {
			Workers int    `json:"workers"`
			Worker  string `json:"worker_script"`
			Report  string `json:"report_script"`
		}{s.Workers, worker, report})
	}
	_, err := fmt.Fprintf(b.stdout, "%s\n%s", worker, report)
	return err
}

// status prints how far a suite is, from its records and from the queue.
func (b *bench) status(ctx context.Context, s plan.Suite, place plan.Options) error {
	runs, err := b.planned(s, place)
	if err != nil {
		return usageError{err}
	}
	st, err := cluster.NewStatus(s.Name, b.store, runs)
	if err != nil {
		return err
	}
	on, err := b.onSlurm(s)
	if err != nil {
		return err
	}
	jobs, failed := on.Jobs(ctx)
	if failed != nil {
		failed = fmt.Errorf("the workers are not known: %w", failed)
		st.Problem = failed.Error()
	} else {
		st.Jobs = jobs
	}
	if errors.Is(failed, exec.ErrNotFound) { // workers may be of another scheduler
		fmt.Fprintln(b.stderr, "note:", failed)
		failed = nil
	}
	if b.json {
		err = b.writeJSON(st)
	} else {
		err = st.Write(b.stdout)
	}
	return errors.Join(err, failed)
}

// planned lists the runs of a suite. Those of a search are known up to the first rung that is
// not done.
func (b *bench) planned(s plan.Suite, place plan.Options) (runs []plan.Run, err error) {
	if s.Kind != plan.KindTune {
		todo, err := b.config.Plan(s, place)
		if err != nil {
			return nil, err
		}
		return todo.Runs, nil
	}
	var trials []plan.Trial
	for rung := range s.Rungs {
		todo, err := b.config.PlanRung(s, place, rung, trials)
		if err != nil {
			return nil, err
		}
		unknown, _, err := todo.Unknown(plan.FindIn(b.store))
		if err != nil {
			return nil, err
		}
		runs = append(runs, unknown.Runs...)
		left, err := b.runner(nil).Remaining(unknown)
		if err != nil || left.Runs > 0 {
			return runs, err
		}
		if trials, err = plan.ReadRung(trials, todo, rung, plan.FindIn(b.store)); err != nil || len(trials) == 0 {
			return runs, err
		}
	}
	return runs, nil
}

// cancel ends the jobs of a suite on the cluster.
func (b *bench) cancel(ctx context.Context, s plan.Suite) error {
	on, err := b.onSlurm(s)
	if err != nil {
		return err
	}
	jobs, err := on.Cancel(ctx)
	if err != nil {
		return asUsage(err)
	}
	if len(jobs) == 0 {
		fmt.Fprintf(b.stderr, "no job of suite %s in %s is queued or running\n", s.Name, b.store.Dir)
	}
	for _, j := range jobs {
		fmt.Fprintf(b.stderr, "cancelled %s (%s)\n", j.ID, strings.ToLower(j.State))
	}
	return nil
}
