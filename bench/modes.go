package main

import (
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
	"":        chooseRuns + carryOut + "out analyse worker " + onCluster,
	"dry-run": chooseRuns + carryOut + "out " + onCluster, // the plan of the command without -dry-run
	"report":  chooseRuns + "out",
	"status":  chooseRuns + "out engine",
	"cancel":  "suite out engine",
	"list":    "",
	"verify":  "out",
	"explain": "out run",
	"trec":    "out top",
}

// unusedBy lists the flags of running a suite that suites of a kind do not use.
var unusedBy = map[string]string{
	plan.KindCompare: "expect",
	plan.KindCI:      "engine worker", // the check of the results needs a command that waits for them
	plan.KindTune:    "expect analyse",
	plan.KindCost:    "expect analyse jobs retry-failed again yes report worker engine status",
}

// checkMode finds the mode of a command line, and refuses flags that it does not use.
func (o *options) checkMode() error {
	var modes []string
	for _, m := range []mode{"dry-run", "status", "cancel", "list", "report", "verify", "explain", "trec"} {
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
	if m == "explain" && !o.given["run"] {
		return fmt.Errorf("-explain USER and -run ID go together")
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

// goesWith names the one mode that uses a flag; "" if there are several.
func goesWith(name string) string {
	var with []mode
	for m, flags := range uses {
		if slices.Contains(strings.Fields(flags), name) {
			with = append(with, m)
		}
	}
	if len(with) != 1 || with[0] == "" {
		return ""
	}
	return fmt.Sprintf(" (it goes with -%s)", with[0])
}

// checkKind refuses flags that suites of a kind do not use.
func (o *options) checkKind(s plan.Suite) error {
	if s.Kind == plan.KindTune && o.engine != "" && o.retryFailed {
		return fmt.Errorf("suite %s is of kind %q, which does not use -retry-failed with -engine: retry the failed runs here first", s.Name, s.Kind)
	}
	if s.Kind == plan.KindCost && len(o.seeds) > 1 {
		return fmt.Errorf("-seeds: suite %s is of kind %q, which measures with one seed, got %d", s.Name, s.Kind, len(o.seeds))
	}
	var unused []string
	for _, name := range strings.Fields(unusedBy[s.Kind]) {
		if o.given[name] {
			unused = append(unused, "-"+name)
		}
	}
	if len(unused) > 0 {
		return fmt.Errorf("suite %s is of kind %q, which does not use %s: leave it out", s.Name, s.Kind, strings.Join(unused, ", "))
	}
	return nil
}
