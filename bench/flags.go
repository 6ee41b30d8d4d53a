package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// options are the parsed command line.
type options struct {
	suite, config, out, device, verify string
	explain, run, trec                 string
	top                                int
	models, datasets                   []string
	seeds                              []int64
	threads                            int
	sets                               []string
	jobs                               int
	dryRun, list, json, report, help   bool
	analyse, strict, yes, again        bool
	retryFailed, expect                bool
	given                              map[string]bool // the flags on the command line
}

const helpText = `bench trains and ranks sequential recommenders and prints comparison tables.

Usage: bench [-suite NAME] [flags]

Without flags it runs the suite "quick": popularity, Markov and SASRec on the
embedded Amazon Beauty. A run that has a record under results/ is not repeated.
So after an interruption the same command continues, and when all runs are done
it only prints the tables.

Examples:
  bench                                            the quick suite
  bench -dry-run                                   what it would run, and what is already done
  bench -list                                      suites, models and data sets
  bench -datasets beauty,toys -seeds 0,1,2         the same models on more data, with three seeds
  bench -set train.epochs=2 -set sasrec.dropout=0.3    other settings (all keys: experiments.toml)
  bench -models popularity -out try                one model, results elsewhere
  bench -suite sweep -dry-run                      FAME by heads and experts; experiments.toml explains sweeps
  bench -suite tune                                search settings on validation, equally for all models
  bench -suite cost                                measure speed, latency and memory on this machine
  bench -report -json                              only render the tables of existing records
  bench -verify beauty-sasrec-s0-1a2b3c4d          repeat a recorded run and compare
  bench -models fame -analyse                      analyse FAME's gate, experts and heads
  bench -explain 17 -run beauty-fame-s0-1a2b3c4d   explain the recommendations for user 17
  bench -trec beauty-markov-s0-1a2b3c4d            export its ranked lists for trec_eval and other evaluators

Flags:
`

const helpEnd = `
Results go to results/ next to experiments.toml, or to -out:
  runs/ID.json          record of a run: spec, curve, metrics, and where it was measured
  runs/ID.ranks.tsv.gz  test rank of every user
  tables/SUITE.md       the tables, as Markdown; SUITE.tex and SUITE*.csv too
  figures/, index.html  figures as SVG and PNG; one page with all suites and the runs behind each number
  SUITE.toml            the settings that a suite of kind tune chose
  analysis/ID.json      what -analyse prints
  trec/ID.*             what -trec writes (not for git)
  curves/, datasets/    training curves with times; statistics and test cases of the data
  weights/, state/, aggregates/   best weights; checkpoints and locks; a cache (not for git)
Tables are printed on stdout, progress on stderr.

Ctrl-C, SIGTERM and SIGHUP stop training after the current step and keep a checkpoint. A
second signal stops at once. Outside training, the first one does.
If the machine stopped a run (disk full, no memory, killed), the same command tries it
again. A run that failed by itself is tried again only with -retry-failed.
A flag that a mode does not use is an error.

Exit codes of the built binary ("go run" turns every failure into 1):
  0    all runs done; with -verify: equal or within tolerance
  1    a run failed or the machine stopped it; with -verify: the result is different
  2    wrong flags, configuration or input, and nothing ran; with -verify: nothing could be
       compared, for example because the data are missing
  130  interrupted
`

// parseFlags reads the command line. With -help it prints the help to w.
func parseFlags(args []string, w io.Writer) (options, error) {
	var o options
	var models, data, seeds string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error is printed once, by main
	fs.StringVar(&o.suite, "suite", "quick", "`NAME` of a suite in experiments.toml")
	fs.StringVar(&o.config, "config", "", "configuration `FILE` (default: experiments.toml here or in a parent folder)")
	fs.StringVar(&data, "datasets", "", "comma-separated `NAMES` of data sets instead of the suite's")
	fs.StringVar(&models, "models", "", "comma-separated `NAMES` of models instead of the suite's")
	fs.StringVar(&seeds, "seeds", "", "comma-separated `NUMBERS` instead of the suite's seeds")
	fs.StringVar(&o.out, "out", "", "results `FOLDER` (default: results next to experiments.toml)")
	fs.StringVar(&o.device, "device", "cpu", "`DEVICE` to compute on: cpu, cuda or cuda:N")
	fs.IntVar(&o.threads, "threads", 0, "`NUMBER` of threads per run, part of its id (default: all cores)")
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
	fs.BoolVar(&o.dryRun, "dry-run", false, "print the plan and do nothing")
	fs.BoolVar(&o.list, "list", false, "print suites, models and data sets")
	fs.BoolVar(&o.json, "json", false, "print the plan, list, tables or verdict as JSON")
	fs.BoolVar(&o.report, "report", false, "render the suite's tables from records and run nothing")
	fs.BoolVar(&o.analyse, "analyse", false, "also analyse the suite's runs of FAME: gate, experts, attention, preferences of each head")
	fs.StringVar(&o.explain, "explain", "", "explain the recommendations for `USER` (an id of the data set) by the run given with -run")
	fs.StringVar(&o.run, "run", "", "`ID` of the recorded run that -explain uses")
	fs.StringVar(&o.verify, "verify", "", "repeat the recorded run `ID` and say whether the result is the same; restores missing weights")
	fs.StringVar(&o.trec, "trec", "", "write the recommendations of the recorded run `ID` for all test users as TREC run and qrels files")
	fs.IntVar(&o.top, "top", defaultTop, fmt.Sprintf("`NUMBER` of items per user that -trec writes, 1 to %d", maxTop))
	given, err := parseOnce(fs, args)
	o.given = given
	if errors.Is(err, flag.ErrHelp) {
		io.WriteString(w, helpText)
		fs.SetOutput(w)
		fs.PrintDefaults()
		io.WriteString(w, helpEnd)
		return options{help: true}, nil
	}
	if err == nil {
		err = o.check(fs, models, data, seeds)
	}
	if err != nil {
		return o, usageError{fmt.Errorf("%w\nTry: bench -help", err)}
	}
	return o, nil
}

var devicePattern = regexp.MustCompile(`^(cpu|cuda(:[0-9]+)?)$`)

func (o *options) check(fs *flag.FlagSet, models, data, seeds string) error {
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag", fs.Arg(0))
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
	return o.checkMode()
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
