package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"famebench/internal/plan"
)

// A flag that a mode does not use is an error. If it were ignored, a user would believe that
// it had an effect.

// mode is named after the flag that chooses it; "" runs a suite.
type mode string

// Flags that several modes use. Every mode uses -config, -set and -json.
const (
	chooseRuns = "suite datasets models seeds device threads strict "
	carryOut   = "jobs retry-failed again yes expect "
	onCluster  = "engine workers slurm "
)

// uses lists the flags of each mode.
var uses = map[mode]string{
	"":        chooseRuns + carryOut + "out analyse format metrics worker " + onCluster,
	"dry-run": chooseRuns + carryOut + "out " + onCluster, // the plan of the command without -dry-run
	"report":  chooseRuns + "out format metrics",
	"status":  chooseRuns + "out engine",
	"cancel":  "suite out engine",
	"list":    "",
	"verify":  "out",
	"explain": "out run",
	"trec":    "out top",
	"compare": "out",
	"import":  "out datasets seeds seen",
	"check":   "",

	"recommend": "out run history histories keep-seen top",
}

// unusedBy lists the flags of running a suite that suites of a kind do not use.
var unusedBy = map[string]string{
	plan.KindCompare: "expect",
	plan.KindCI:      "engine worker", // the check of the results needs a command that waits for them
	plan.KindTune:    "expect analyse metrics",
	plan.KindCost:    "expect analyse jobs retry-failed again yes report metrics worker engine status",
}

// unusedBySteps are the flags that suites of kind "cost" with steps do not use: their
// measurements are stored.
const unusedBySteps = "expect analyse jobs retry-failed yes metrics worker engine status"

// checkMode finds the mode of a command line, and refuses flags that it does not use.
func (o *options) checkMode() error {
	var modes []string
	for _, m := range []mode{"dry-run", "status", "cancel", "list", "report", "verify", "explain", "trec", "recommend", "compare", "import", "check"} {
		if o.given[string(m)] {
			modes = append(modes, "-"+string(m))
		}
	}
	if len(modes) > 1 {
		return fmt.Errorf("%s exclude each other", strings.Join(modes, " and "))
	}
	m, what := mode(""), "running a suite"
	if len(modes) == 1 {
		m, what = mode(modes[0][1:]), modes[0]
	}
	used := strings.Fields(uses[m] + " config set json help h " + string(m))
	var unused []string
	for _, name := range slices.Sorted(maps.Keys(o.given)) {
		if !slices.Contains(used, name) {
			unused = append(unused, "-"+name+goesWith(name))
		}
	}
	if len(unused) > 0 {
		return fmt.Errorf("%s does not use %s: leave it out", what, strings.Join(unused, ", "))
	}
	if m == "cancel" && o.json {
		return errors.New("-cancel prints no JSON: leave out -json")
	}
	if m == "explain" && !o.given["run"] {
		return fmt.Errorf("-explain USER and -run ID go together")
	}
	if m == "recommend" && (!o.given["run"] || o.given["history"] == o.given["histories"]) {
		return fmt.Errorf("-recommend goes with -run ID, and with -history ITEMS or -histories FILE")
	}
	if err := o.checkValues(m); err != nil {
		return err
	}
	if strings.Contains(uses[m], "suite") {
		return nil
	}
	for _, s := range o.sets { // the settings of a recorded run are those of its record
		key, _, _ := strings.Cut(s, "=")
		if m != "list" && !strings.HasPrefix(key, "datasets.") && !strings.HasSuffix(key, "pretrain.encoder") {
			return fmt.Errorf("%s does not use -set %s: it uses the settings of the record; only datasets.NAME.KEY and pretrain.encoder, which say where files are, may be set", what, s)
		}
	}
	return nil
}

// checkValues checks the values of flags that have two, and of those that go with -import.
func (o *options) checkValues(m mode) error {
	switch {
	case m == "compare" && o.second == "":
		return fmt.Errorf("-compare: expected two values, as in -compare main/duorec main/fame, got %q only", o.compare)
	case m == "import" && o.second == "":
		return fmt.Errorf("-import: expected a name and a file, as in -import recbole-sasrec lists.run, got %q only", o.imports)
	case m != "import":
		return nil
	case len(o.datasets) != 1:
		return fmt.Errorf("-import: expected the data set of the lists, as in -datasets beauty, got %d", len(o.datasets))
	case o.seen != "removed" && o.seen != "kept":
		return fmt.Errorf("-import: expected the rule for items of the user's history, -seen removed or -seen kept, got %q", o.seen)
	case len(o.seeds) > 1 || len(o.seeds) == 1 && o.seeds[0] < 0:
		return fmt.Errorf("-import: expected the seed of the training behind the lists, 0 or more, as in -seeds 1, got %d", o.seeds)
	}
	return nil
}

// goesWith names the one or two modes that use a flag; "" if there are more, or if running a
// suite is one of them.
func goesWith(name string) string {
	var with []string
	for _, m := range slices.Sorted(maps.Keys(uses)) {
		if slices.Contains(strings.Fields(uses[m]), name) {
			with = append(with, "-"+string(m))
		}
	}
	if n := len(with); n == 0 || n > 2 || with[0] == "-" {
		return ""
	}
	return fmt.Sprintf(" (it goes with %s)", strings.Join(with, " or "))
}

// checkKind refuses flags that suites of a kind do not use.
func (o *options) checkKind(s plan.Suite) error {
	if s.Kind == plan.KindTune && o.engine != "" && o.retryFailed {
		return fmt.Errorf("suite %s is of kind %q, which does not use -retry-failed with -engine: retry the failed runs here first", s.Name, s.Kind)
	}
	if s.Kind == plan.KindCost && len(o.seeds) > 1 {
		return fmt.Errorf("-seeds: suite %s is of kind %q, which measures with one seed, got %d", s.Name, s.Kind, len(o.seeds))
	}
	if unused := o.givenOf("analyse format metrics json yes"); s.Kind == plan.KindCompare && o.worker && unused != "" { // searches end as without it
		return fmt.Errorf("-worker does not use %s, since it renders nothing and asks for nothing: leave it out, and render with -report", unused)
	}
	unusedHere := unusedBy[s.Kind]
	if s.Steps > 0 {
		unusedHere = unusedBySteps
	}
	if unused := o.givenOf(unusedHere); unused != "" {
		return fmt.Errorf("suite %s is of kind %q, which does not use %s: leave it out", s.Name, s.Kind, unused)
	}
	return nil
}

// givenOf lists those of some flags that were given; "" if none was.
func (o *options) givenOf(names string) string {
	var given []string
	for _, name := range strings.Fields(names) {
		if o.given[name] {
			given = append(given, "-"+name)
		}
	}
	return strings.Join(given, ", ")
}
