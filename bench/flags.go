package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/report"
	"famebench/internal/torch"
)

// options are the parsed command line.
type options struct {
	suite, config, out, device, verify string
	explain, run, trec                 string
	compare, imports, check, seen      string
	second                             string // B of -compare A B, FILE of -import NAME FILE
	top                                int
	models, datasets, metrics          []string
	format, history, histories         string
	recommend, keepSeen                bool
	seeds                              []int64
	threads                            int
	sets                               []string
	jobs                               int
	dryRun, list, json, report, help   bool
	analyse, strict, yes, again        bool
	retryFailed, expect                bool
	engine, slurm                      string
	workers                            int
	worker, status, cancel             bool
	given                              map[string]bool // the flags on the command line
}

//go:embed help.txt
var helpText string

// parseFlags reads the command line. With -help it prints the help to w.
func parseFlags(args []string, w io.Writer) (options, error) {
	var o options
	var models, data, seeds, metrics string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error is printed once, by main
	fs.StringVar(&o.suite, "suite", "quick", "`NAME` of a suite in experiments.toml")
	fs.StringVar(&o.config, "config", "", "configuration `FILE` (default: experiments.toml here or in a parent folder)")
	fs.StringVar(&data, "datasets", "", "comma-separated `NAMES` of data sets instead of the suite's")
	fs.StringVar(&models, "models", "", "comma-separated `NAMES` of models instead of the suite's")
	fs.StringVar(&seeds, "seeds", "", "comma-separated `NUMBERS` instead of the suite's seeds")
	fs.StringVar(&o.out, "out", "", "results `FOLDER` (default: results next to experiments.toml)")
	fs.StringVar(&o.device, "device", "cpu", "`DEVICE` to compute on: cpu, cuda or cuda:N")
	fs.IntVar(&o.threads, "threads", 0, "`NUMBER` of threads per run, which changes its result by rounding only (default: all cores)")
	fs.Func("set", "`KEY=VALUE` that overrides the file, as in train.epochs=2; may be repeated", func(s string) error {
		o.sets = append(o.sets, s)
		return nil
	})
	fs.IntVar(&o.jobs, "jobs", 1, "`NUMBER` of runs at a time; if more than 1, give each run fewer -threads")
	fs.BoolVar(&o.retryFailed, "retry-failed", false, "try runs again that failed before")
	fs.BoolVar(&o.again, "again", false, "train runs again if their records were made by other code than this program's")
	fs.BoolVar(&o.strict, "strict", false, "a missing data set is an error; otherwise it is skipped if the suite has others")
	fs.BoolVar(&o.yes, "yes", false, "run even if it will take more than 12 hours")
	fs.BoolVar(&o.expect, "expect", false, "suites of kind ci: write the results of the runs as their expectation")
	fs.BoolVar(&o.dryRun, "dry-run", false, "print the plan, or with -engine the batch script, and do nothing")
	fs.StringVar(&o.engine, "engine", "", "submit workers to a `CLUSTER` instead of running here: slurm, or k8s with -dry-run, which prints a Job for kubectl")
	fs.IntVar(&o.workers, "workers", 0, "`NUMBER` of workers that -engine submits; each takes the next run until none is left")
	fs.StringVar(&o.slurm, "slurm", "", "`OPTIONS` of sbatch for the workers, as in \"--partition=cpu --cpus-per-task=2 --time=04:00:00\"")
	fs.BoolVar(&o.worker, "worker", false, "be one of several workers on a shared results folder: do runs until none is left, ask for no -yes and render nothing")
	fs.BoolVar(&o.status, "status", false, "print which runs of the suite are queued, running, done and failed, and its jobs on Slurm")
	fs.BoolVar(&o.cancel, "cancel", false, "end all jobs of the suite on Slurm, and nothing else")
	fs.BoolVar(&o.list, "list", false, "print suites, models and data sets")
	fs.BoolVar(&o.json, "json", false, "print the plan, list, tables, status or verdict as JSON")
	fs.StringVar(&o.format, "format", "text", "`FORMAT` of standard output: text, markdown, latex (tables for a paper), csv, or json, which is -json")
	fs.StringVar(&metrics, "metrics", "", "comma-separated `NAMES` of the columns on standard output, such as NDCG@10,HR@20,gain; beyond: metrics beyond accuracy")
	fs.BoolVar(&o.report, "report", false, "render the suite's tables from records and run nothing")
	fs.BoolVar(&o.analyse, "analyse", false, "also analyse the suite's runs of FAME: gate, experts, attention, preferences of each head")
	fs.StringVar(&o.explain, "explain", "", "explain the recommendations for `USER` (an id of the data set) by the run given with -run")
	fs.StringVar(&o.run, "run", "", "`ID` of the recorded run that -explain and -recommend use")
	fs.BoolVar(&o.recommend, "recommend", false, "print what the run given with -run recommends for -history or -histories")
	fs.StringVar(&o.history, "history", "", "comma-separated `ITEMS` (ids of the data set), oldest first, for -recommend")
	fs.StringVar(&o.histories, "histories", "", "`FILE` for -recommend with a history in each line, as in -history")
	fs.BoolVar(&o.keepSeen, "keep-seen", false, "-recommend may also recommend items of the history")
	fs.StringVar(&o.verify, "verify", "", "repeat the recorded run `ID` and say whether the result is the same; restores missing weights")
	fs.StringVar(&o.trec, "trec", "", "write the recommendations of the recorded run `ID` for all test users as TREC run and qrels files")
	fs.IntVar(&o.top, "top", defaultTop, fmt.Sprintf("`NUMBER` of items per user that -trec writes, or per history that -recommend prints, 1 to %d", maxTop))
	fs.StringVar(&o.compare, "compare", "", "compare `A B`: two runs, rows of suites (SUITE/ROW), imported rows (imported/NAME), suites or results folders")
	fs.StringVar(&o.imports, "import", "", "import `NAME FILE`: another program's lists, a TREC run file, as the row NAME; with -datasets and -seen, and -seeds for a seed other than 0")
	fs.StringVar(&o.seen, "seen", "", "`RULE` of the lists that -import reads: removed, if items of the user's history are left out, or kept")
	fs.StringVar(&o.check, "check", "", "check the results folder `FOLDER`: hashes, ids, fingerprints, metrics, tables; compute nothing new")
	args, o.second = takeSecond(args)
	given, err := conf.ParseFlags(fs, args, "set")
	o.given = given
	if errors.Is(err, flag.ErrHelp) {
		return options{help: true}, report.WriteColumns(w, func(w io.Writer) error {
			before, after, _ := strings.Cut(helpText, "{flags}\n")
			io.WriteString(w, before)
			fs.SetOutput(w)
			fs.PrintDefaults()
			_, err := io.WriteString(w, after)
			return err
		})
	}
	if err == nil {
		err = o.checkFormat(metrics)
	}
	if err == nil {
		err = o.validate(fs, models, data, seeds)
	}
	if err != nil {
		return o, usageError{fmt.Errorf("%w\nTry: bench -help", err)}
	}
	return o, nil
}

var devicePattern = regexp.MustCompile(`^(cpu|cuda(:[0-9]+)?)$`)

// takeSecond takes out the second value of the flags that have two, which package flag does
// not know.
func takeSecond(args []string) (rest []string, second string) {
	for i, arg := range args {
		name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		at := i + 2
		if joined {
			at = i + 1
		}
		if strings.HasPrefix(arg, "-") && slices.Contains(twoValues, name) && at < len(args) && !strings.HasPrefix(args[at], "-") {
			return slices.Delete(slices.Clone(args), at, at+1), args[at]
		}
	}
	return args, ""
}

// twoValues are the flags that have two values.
var twoValues = []string{"compare", "import"}

func (o *options) validate(fs *flag.FlagSet, models, data, seeds string) error {
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag", fs.Arg(0))
	}
	if err := checkValues(fs); err != nil {
		return err
	}
	o.models, o.datasets = splitList(models), splitList(data)
	for _, s := range splitList(seeds) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("-seeds: expected integers such as 0,1,2, got %q", s)
		}
		o.seeds = append(o.seeds, n)
	}
	if !devicePattern.MatchString(o.device) {
		return fmt.Errorf("-device: expected cpu, cuda or cuda:N, got %q", o.device)
	}
	if o.jobs < 1 || o.jobs > most {
		return fmt.Errorf("-jobs: expected 1 to %d runs at a time, got %d", most, o.jobs)
	}
	if o.threads < 0 || o.threads > most {
		return fmt.Errorf("-threads: expected 1 to %d threads, or 0 for all cores, got %d", most, o.threads)
	}
	if o.top < 1 || o.top > maxTop {
		return fmt.Errorf("-top: expected 1 to %d items, got %d", maxTop, o.top)
	}
	if err := torch.ChooseProducts(); err != nil {
		return err
	}
	if err := o.checkEngine(); err != nil {
		return err
	}
	return o.checkMode()
}

// checkValues finds flags whose value was forgotten, so that the next flag is taken for it.
func checkValues(fs *flag.FlagSet) (err error) {
	fs.Visit(func(f *flag.Flag) {
		value := f.Value.String()
		name, _, _ := strings.Cut(strings.TrimLeft(value, "-"), "=")
		if f.Name != "slurm" && strings.HasPrefix(value, "-") && fs.Lookup(name) != nil {
			err = fmt.Errorf("-%s: expected a value, got the flag %s", f.Name, value)
		}
	})
	return err
}

// most is far above what any machine can use: a larger number is a typing error.
const most = 1024

// splitList splits a comma-separated flag; nil if it is not given.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		out = append(out, strings.TrimSpace(part))
	}
	return out
}
