package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/registry"
)

// Suite is a named selection of runs.
type Suite struct {
	Name    string `toml:"-" json:"name"`
	Kind    string `toml:"kind" json:"kind"`
	Summary string `toml:"summary" json:"summary"`
	// Hypothesis says, before the runs, what is expected, which number decides and how many
	// seeds there will be.
	Hypothesis string   `toml:"hypothesis" json:"hypothesis,omitempty"`
	Models     []string `toml:"models" json:"models"`
	Datasets   []string `toml:"datasets" json:"datasets"`
	Seeds      []int64  `toml:"seeds" json:"seeds"`
	// SeedsOf are the seeds of some data sets, in place of Seeds.
	SeedsOf map[string][]int64 `toml:"-" json:"seeds_of,omitempty"`
	// SeedsOfModels are the seeds of some models on a data set, in place of these.
	SeedsOfModels map[string]map[string][]int64 `toml:"-" json:"seeds_of_models,omitempty"`
	Axes          []Axis                        `toml:"-" json:"axes,omitempty"`
	Grid          bool                          `toml:"grid" json:"grid,omitempty"` // all combinations of the axes' values, not one axis at a time; kind "tune": trials are sampled from them, default
	// Alone are axes that are varied on their own although Grid is set, and data sets on which
	// no axis is varied. Kind "cost".
	Alone []string `toml:"alone" json:"alone,omitempty"`
	Tuned []string `toml:"tuned" json:"tuned,omitempty"` // files of values that suites of kind "tune" chose; later ones are stronger

	Trials  int      `toml:"trials" json:"trials,omitempty"`     // kind "tune": settings tried for each model
	Rungs   []int    `toml:"rungs" json:"rungs,omitempty"`       // kind "tune": epochs after which half of the trials survive, ascending; 0, the last one, is to the end
	AlsoFor []string `toml:"also_for" json:"also_for,omitempty"` // kind "tune": other data sets whose runs get the values chosen on the suite's only one

	// EqualWithin is the margin, in percent of validation NDCG@10, within which a place on the
	// axes gives the same results as the first one; 0: the suite does not ask. Kind "compare".
	EqualWithin float64 `toml:"equal_within" json:"equal_within,omitempty"`

	// Average is "user" for metrics that are averaged over each user's test cases first, where
	// a split has several of a user; "": over all test cases. Kind "compare".
	Average string `toml:"average" json:"average,omitempty"`

	// Interaction names the suite's axis if the suite asks whether its effect depends on the
	// data set; "": it does not. Kind "compare".
	Interaction string `toml:"interaction" json:"interaction,omitempty"`
	// Pairs are labels of two rows each, the second of which is compared with the first. Kind
	// "compare".
	Pairs [][]string `toml:"pairs" json:"pairs,omitempty"`
	// ByEntropy asks for tables of the users in three groups, by the entropy of their histories.
	// Kind "compare".
	ByEntropy bool `toml:"by_entropy" json:"by_entropy,omitempty"`
	Steps     int  `toml:"steps" json:"steps,omitempty"` // kind "cost": training steps that are timed, see Job.Steps; 0: a whole epoch is

	Expected string `toml:"expected" json:"expected,omitempty"` // kind "ci": file of expected results

	// Imported are rows of other programs' lists (-import) in the tables. Kind "compare".
	Imported []string `toml:"imported" json:"imported,omitempty"`

	Comparison
}

// Kinds of suite.
const (
	KindCompare = "compare" // train and rank every model on every data set with every seed
	KindCost    = "cost"    // measure speed and memory; no records
	KindTune    = "tune"    // search the axes on validation and write the best values to a file
	KindCI      = "ci"      // compare, and fail if a result is below its expectation
)

var kinds = []string{KindCompare, KindCost, KindTune, KindCI}

// kindDefaults fills in the keys that only suites of some kind have (kindKeys).
func (s *Suite) kindDefaults() {
	switch s.Kind {
	case KindTune:
		s.Grid, s.Trials, s.Rungs = true, 8, DefaultRungs()
	case KindCI:
		s.Expected = "results/expected-" + s.Name + ".json"
	}
}

// DefaultRungs are the rungs of a search that sets none.
func DefaultRungs() []int { return []int{20, 50, 0} }

// kindKeys are the keys that only one kind has.
var kindKeys = map[string]string{"trials": KindTune, "rungs": KindTune, "also_for": KindTune, "expected": KindCI, "equal_within": KindCompare, "average": KindCompare, "interaction": KindCompare, "pairs": KindCompare, "by_entropy": KindCompare, "imported": KindCompare, "alone": KindCost, "steps": KindCost}

// readSuites decodes and checks all suites.
func (c *Config) readSuites() error {
	var errs []error
	var order []string
	for _, layer := range c.layers() {
		n, _ := layer.Sub("suites")
		for _, name := range n.Keys() {
			if !slices.Contains(order, name) {
				order = append(order, name)
			}
		}
	}
	for _, name := range order {
		s, err := c.readSuite(name)
		errs = append(errs, err)
		c.suites = append(c.suites, s)
	}
	return once(errs)
}

// readSuite decodes and checks one suite.
func (c *Config) readSuite(name string) (Suite, error) {
	s := Suite{Name: name, Kind: KindCompare, Seeds: []int64{0}}
	if err := c.decodeSuite(&s); err != nil {
		return s, err
	}
	s.kindDefaults() // and what the tables say again, since these are weaker
	if err := errors.Join(c.decodeSuite(&s), c.checkTrain("suites", name, "train"), c.checkInit("suites", name, "pretrain")); err != nil {
		return s, err
	}
	at := c.suitePlaces(name)
	if err := c.readSeedsOf(&s); err != nil {
		return s, err
	}
	if err := errors.Join(c.checkSuiteKeys(s, at), c.checkSearch(s, at)); err != nil {
		return s, err
	}
	if err := c.checkTrained(at.of("models"), s); err != nil {
		return s, err
	}
	var err error
	s.Axes, err = c.readAxes(s)
	if err == nil && s.EqualWithin > 0 && len(s.Axes) == 0 {
		err = at.of("equal_within").Errorf("expected an axis whose values are compared: [suites.%s.axes]", name)
	}
	if err == nil && s.Interaction != "" {
		err = s.checkInteraction(at.of("interaction"))
	}
	if err == nil {
		err = c.checkPairs(s, at.of("pairs"))
	}
	if err == nil && s.ByEntropy && len(s.Axes) != 1 { // rows of another axis would be compared with this one's lowest, too
		err = at.of("by_entropy").Errorf("expected an axis with numbers, the suite's only one, whose lowest number the others are compared with; its axes: %s", s.axisNames())
	}
	if err == nil && s.Kind == KindTune && len(s.Axes) == 0 {
		err = at.suite.Errorf("a suite of kind %q needs axes to search: [suites.%s.axes]", KindTune, name)
	}
	if err == nil {
		err = s.checkAlone(at)
	}
	if err == nil {
		err = c.checkSize(at.suite, s)
	}
	return s, err
}

// checkInteraction makes sure that an interaction is of the suite's only axis, because other
// axes would put several results into a cell, and of several data sets.
func (s Suite) checkInteraction(n *conf.Node) error {
	if len(s.Axes) != 1 || s.Axes[0].Name != s.Interaction {
		return n.Errorf("expected the suite's only axis, got %s; its axes: %s", conf.Quote(s.Interaction), s.axisNames())
	}
	if len(s.Datasets) < 2 {
		return n.Errorf("expected at least 2 data sets, on which the axis may have other effects, got %d", len(s.Datasets))
	}
	return nil
}

// checkPairs checks what is known before there are records. The label of a row begins with a model,
// which need not be one of the suite's: runs may begin with its weights.
func (c *Config) checkPairs(s Suite, n *conf.Node) error {
	for i, p := range s.Pairs {
		if len(p) != 2 || p[0] == p[1] {
			return n.Errorf("expected two different rows in each pair, as in [[\"sasrec\", \"fame\"]], got %s", conf.Quote(strings.Join(p, ", ")))
		}
		if slices.ContainsFunc(s.Pairs[:i], func(q []string) bool { return slices.Equal(p, q) }) {
			return n.Errorf("the pair %q, %q is listed twice", p[0], p[1])
		}
		for _, label := range p {
			model, _, _ := strings.Cut(label, " ")
			if known := slices.Concat(registry.Names(c.registry), s.Imported); !slices.Contains(known, model) {
				return n.Errorf("expected labels of rows, such as \"sasrec heads=4\": %s begins with no model%s", conf.Quote(label), conf.Hint(model, known))
			}
		}
	}
	return nil
}

// axisNames lists the axes for people.
func (s Suite) axisNames() string {
	var names []string
	for _, a := range s.Axes {
		names = append(names, strconv.Quote(a.Name))
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// checkTrained refuses models that are not trained where training is what the suite is about.
func (c *Config) checkTrained(n *conf.Node, s Suite) error {
	for _, model := range s.Models {
		switch e, _ := registry.Find(c.registry, model); {
		case s.Kind == KindTune && e.Neural == nil:
			return n.Errorf("%s has nothing to tune", model)
		case s.Steps > 0 && e.Neural == nil:
			return n.Errorf("%s has no training steps to time", model)
		}
	}
	return nil
}

// checkAlone checks the names in Alone.
func (s Suite) checkAlone(at suitePlaces) error {
	known := slices.Clone(s.Datasets)
	for _, a := range s.Axes {
		known = append(known, a.Name)
	}
	for i, name := range s.Alone {
		if !slices.Contains(known, name) {
			return at.of("alone").Errorf("the suite has no axis or data set %s%s", conf.Quote(name), conf.Hint(name, known))
		}
		if slices.Contains(s.Alone[:i], name) {
			return at.of("alone").Errorf("%q is listed twice", name)
		}
	}
	if len(s.Alone) > 0 && !s.Grid {
		return at.of("alone").Errorf("expected grid = true with this key: without it every axis is varied on its own")
	}
	return nil
}

// decodeSuite sets the keys that any layer sets.
func (c *Config) decodeSuite(s *Suite) error {
	for _, layer := range c.layers() {
		n, err := layer.Sub("suites", s.Name)
		if err != nil {
			return err
		}
		for _, key := range []string{"trial_epochs", "finalists"} {
			if n != nil && n.Table[key] != nil {
				return n.Table[key].Errorf("this setting is gone: write rungs = [20, 50, 0], the epochs after which half of the trials survive (0: to the end)")
			}
		}
		if err := conf.Decode(n.Without(suiteSubtable...), s); err != nil {
			return err
		}
	}
	return nil
}

// suitePlaces says where errors about a suite point.
type suitePlaces struct {
	suite     *conf.Node // the suite as a whole
	set, file *conf.Node // its tables; nil: there is none
}

func (c *Config) suitePlaces(name string) suitePlaces {
	p := suitePlaces{suite: c.set}
	for _, layer := range c.layers() {
		if n, _ := layer.Sub("suites", name); n != nil && p.suite == c.set {
			p.suite = n
		}
	}
	p.set, _ = c.set.Sub("suites", name)
	p.file, _ = c.file.Sub("suites", name)
	return p
}

// of is the place of an error about a key.
func (p suitePlaces) of(key string) *conf.Node {
	for _, n := range []*conf.Node{p.set, p.file} {
		if n != nil && n.Table[key] != nil {
			return n.Table[key]
		}
	}
	return p.suite
}

// has reports whether a layer sets the key.
func (p suitePlaces) has(key string) bool { return p.of(key) != p.suite }

// checkSuiteKeys checks the keys of a suite of any kind.
func (c *Config) checkSuiteKeys(s Suite, at suitePlaces) error {
	var errs []error
	if !slices.Contains(kinds, s.Kind) {
		errs = append(errs, at.of("kind").Errorf("unknown kind %s%s", conf.Quote(s.Kind), conf.Hint(s.Kind, kinds)))
	}
	for _, key := range slices.Sorted(maps.Keys(kindKeys)) {
		if at.has(key) && s.Kind != kindKeys[key] {
			errs = append(errs, at.of(key).Errorf("only suites of kind %q have this key", kindKeys[key]))
		}
	}
	if at.has("equal_within") && !(s.EqualWithin > 0 && s.EqualWithin <= 100) {
		errs = append(errs, at.of("equal_within").Errorf("%v: expected a share of validation NDCG@10 in percent, more than 0 and at most 100", s.EqualWithin))
	}
	if at.has("average") && s.Average != "user" {
		errs = append(errs, at.of("average").Errorf("%s: expected \"user\", or no such key for averages over test cases", conf.Quote(s.Average)))
	}
	for i, name := range s.Imported {
		if err := CheckImportedName(name, c.registry); err != nil {
			errs = append(errs, at.of("imported").Errorf("%v", err))
		} else if slices.Contains(s.Imported[:i], name) {
			errs = append(errs, at.of("imported").Errorf("%q is listed twice", name))
		}
	}
	if s.Steps < 0 || s.Steps > mostSteps {
		errs = append(errs, at.of("steps").Errorf("%d: expected 1 to %d training steps, or 0 for an epoch", s.Steps, mostSteps))
	}
	errs = append(errs, c.checkComparison(s, at),
		checkNames(at.of("models"), "model", s.Models, registry.Names(c.registry)),
		checkNames(at.of("datasets"), "data set", s.Datasets, c.Datasets()),
		checkSeeds(at.of("seeds"), s.Seeds))
	for key, paths := range map[string][]string{"tuned": s.Tuned, "expected": {s.Expected}} {
		if at.file != nil && at.file.Table[key] == at.of(key) {
			for _, path := range paths {
				errs = append(errs, checkPath(at.of(key), path))
			}
		}
	}
	return errors.Join(errs...)
}

// mostSteps is more than any step needs to be timed.
const mostSteps = 100_000

// mostRungs is more than any search needs: 2^10 trials would be halved to one.
const mostRungs = 10

// checkSearch checks the keys of a suite of kind "tune".
func (c *Config) checkSearch(s Suite, at suitePlaces) error {
	if s.Kind != KindTune {
		return nil
	}
	var errs []error
	if s.Name == "published" {
		errs = append(errs, fmt.Errorf("%s: suite %q: expected another name: a search would overwrite results/published.toml, the published numbers", at.suite.Where, s.Name))
	}
	if s.Trials < 1 {
		errs = append(errs, at.of("trials").Errorf("%d: expected at least 1", s.Trials))
	}
	if n := len(s.Rungs); n == 0 || n > mostRungs {
		errs = append(errs, at.of("rungs").Errorf("expected 1 to %d rungs, got %d", mostRungs, n))
	}
	for i, epochs := range s.Rungs {
		last := i+1 == len(s.Rungs)
		if epochs < 0 || epochs == 0 && !last || i > 0 && epochs <= s.Rungs[i-1] && epochs != 0 {
			errs = append(errs, at.of("rungs").Errorf("%d: expected ascending numbers of epochs; 0, as the last one, is to the end", s.Rungs))
			break
		}
	}
	errs = append(errs, s.checkOneSeed(at.of("seeds")))
	if at.has("also_for") {
		errs = append(errs, checkNames(at.of("also_for"), "data set", s.AlsoFor, c.Datasets()))
		if len(s.Datasets) != 1 || slices.Contains(s.AlsoFor, s.Datasets[0]) {
			errs = append(errs, at.of("also_for").Errorf("expected data sets other than the suite's only one, whose values they get"))
		}
	}
	return errors.Join(errs...)
}

// CheckImportedName refuses names of imported rows that are no names of files, or that a
// reader would take for a model of this program.
func CheckImportedName(name string, entries []registry.Entry) error {
	if slices.Contains(registry.Names(entries), name) {
		return fmt.Errorf("%q is a model of this program: expected another name for imported lists, such as recbole-%s", name, name)
	}
	return record.CheckName("imported row", name)
}

func checkNames(n *conf.Node, what string, given, known []string) error {
	if len(given) == 0 {
		return n.Errorf("the suite has no %s: it would run nothing", what)
	}
	for i, name := range given {
		if !slices.Contains(known, name) {
			return n.Errorf("unknown %s %s%s", what, conf.Quote(name), conf.Hint(name, known))
		}
		if slices.Contains(given[:i], name) {
			return n.Errorf("%s %q is listed twice", what, name)
		}
	}
	return nil
}

// MostRuns is the maximum number of runs of a suite: more than any machine does, and few
// enough that a plan is made in seconds.
const MostRuns = 100_000

// checkSize counts a suite's runs without listing them.
func (c *Config) checkSize(n *conf.Node, s Suite) error {
	seeds := len(s.Seeds)
	for _, own := range s.SeedsOf {
		seeds = max(seeds, len(own))
	}
	for _, models := range s.SeedsOfModels {
		for _, own := range models {
			seeds = max(seeds, len(own))
		}
	}
	var runs float64 // never overflows: axes are few and short
	for _, model := range s.Models {
		e, _ := registry.Find(c.registry, model)
		points := 1.
		for _, a := range s.Axes {
			switch _, ok := c.axisPath(s, e, a); {
			case !ok:
			case s.combines(a):
				points *= float64(len(a.Values))
			default:
				points += float64(len(a.Values))
			}
		}
		if e.Neural != nil {
			points *= float64(seeds)
		}
		runs += points * float64(len(s.Datasets))
	}
	if runs > MostRuns {
		return n.Errorf("expected at most %d runs, got %.7g: give the suite fewer seeds, or its axes fewer values", MostRuns, runs)
	}
	return nil
}

// Suites lists the suites in the order of the file.
func (c *Config) Suites() []Suite { return c.suites }

// Suite returns a suite by name.
func (c *Config) Suite(name string) (Suite, error) {
	var known []string
	for _, s := range c.suites {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return Suite{}, fmt.Errorf("%s: unknown suite %q%s", c.Path, name, conf.Hint(name, known))
}

// Choose replaces the models, data sets and seeds of a suite by those of the
// command line; nil keeps the suite's own.
func (c *Config) Choose(s Suite, models, data []string, seeds []int64) (Suite, error) {
	flag := func(name string) *conf.Node { return &conf.Node{Where: "-" + name} }
	if models != nil {
		s.Models = models
	}
	if data != nil && !slices.Equal(data, s.Datasets) {
		s.Datasets, s.AlsoFor = data, nil // it says who gets the values of the suite's own data set
	}
	if seeds != nil {
		s.Seeds, s.SeedsOf, s.SeedsOfModels = seeds, nil, nil
	}
	if err := errors.Join(
		checkNames(flag("models"), "model", s.Models, registry.Names(c.registry)),
		checkNames(flag("datasets"), "data set", s.Datasets, c.Datasets()),
		checkSeeds(flag("seeds"), s.Seeds), s.checkOneSeed(flag("seeds"))); err != nil {
		return s, err
	}
	if err := c.checkTrained(flag("models"), s); err != nil {
		return s, err
	}
	// An axis of models that were not chosen varies nothing.
	s.Axes = slices.DeleteFunc(slices.Clone(s.Axes), func(a Axis) bool { return !c.anyHas(s, a) })
	return s, c.checkSize(&conf.Node{Where: "suite " + s.Name}, s)
}
