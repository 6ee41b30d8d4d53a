package aggregate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
)

// Version is raised by hand when this package computes something else from the
// same records: summaries of suites are then made again.
const Version = 19

// Columns are the metrics of the comparison table.
var Columns = []string{"HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20", "MRR", "Coverage@10"}

// Tested is the metric that models are tested by: on test items user by user, and
// on validation items for the choice of the baseline.
const Tested = rank.Deciding

// FewSeeds is the number of seeds below which a mean gets a footnote, and no significance
// mark: the spread over users then says little about the spread over trainings.
const FewSeeds = 3

// Input is what a suite is made from.
type Input struct {
	Name, Summary string
	Hypothesis    string             // as Suite.Hypothesis
	Axes          []string           // as Suite.Axes
	EqualWithin   float64            // as Suite.EqualWithin
	Average       string             // as Table.Average
	Pairs         [][]string         // labels of two rows each: the second is compared with the first
	Interaction   string             // axis whose effect may depend on the data set; "": the suite does not ask
	ByEntropy     bool               // tables have a Complexity
	Proposals     []string           // models that are no baselines: FAME and its variants, or those that the suite names
	Baseline      string             // model that the suite names as the baseline; "": the one that is best on validation
	Own           bool               // the suite names its proposals or its baseline
	Planned       []Planned          // the suite's runs
	Records       []*record.Record   // of these runs, in the order of tables; Match finds them
	ImportedNames []string           // rows of other programs' lists that the suite shows
	Imported      []*record.Imported // the lists of these rows
	Stale         []Stale
	Older         map[string]string // by data set: its records are of older versions, as this line says; see OlderVersions
	Skipped       []string          // what of the suite cannot be run, and why
	MissingData   []string          // data sets of the suite that are not here, so that no runs of theirs are planned
	Datasets      []datasets.Stats
	Published     *Published // nil: no numbers to compare with
	// Tuning is what the searches gained whose values the suite has, by data set of the suite.
	Tuning map[string][]Tuning
	// Code has hashes of each model's code: of the running program, and of code with the same
	// numbers. A row whose records were made by other code gets a note. Records that name no
	// code are older than the hash and get none.
	Code  map[string][]string
	Store record.Store // where the ranks of the records lie, and the test cases of their data

	madeUp bool // in tests: the metrics of records are not those of their ranks
}

// Planned is a run that the suite asks for.
type Planned struct {
	Spec    record.Spec
	Failure string // why the last attempt left no record, "" if there was none
	Source  bool   `json:",omitempty"` // in the plan only because another run begins with its weights
	// Configured: the run has the settings that are configured, and none of an axis.
	Configured bool `json:",omitempty"`
}

// group is a row with the records behind it.
type group struct {
	Row
	key           string // its records' spec but for the seed, see rowKey
	anyDevice     string // shared by rows that differ in the device only, see keyOfAnyDevice
	training      string // shared by rows that depend on the same trainings, see trainingKey
	records       []*record.Record
	imported      []*record.Imported // in place of records: another program's lists
	removed, kept [][]int32          // [seed][case] ranks
	units         units              // the users of the cases
	stands        bool               // for its model, see Input.setStands
}

// ranks are the ranks [seed][case] under a seen-item rule.
func (g *group) ranks(rule string) [][]int32 {
	if rule == "kept" {
		return g.kept
	}
	return g.removed
}

// Make aggregates records. Rows are grouped by everything that decides a result but
// the seed, device included, and keep the order in which their first record comes. A
// run that its time limit stopped is named and left out.
func Make(in Input) (*Suite, error) {
	s := &Suite{Name: in.Name, Summary: in.Summary, Hypothesis: in.Hypothesis, Axes: in.Axes, Datasets: []datasets.Stats{}, Tables: []Table{}}
	var order []string
	byData := map[string][]*record.Record{}
	for _, r := range in.Records {
		if r.Result.Status == record.Time {
			continue
		}
		key := dataKey(r.Result.Spec)
		if byData[key] == nil {
			order = append(order, key)
		}
		byData[key] = append(byData[key], r)
	}
	var all, withImported [][]*group
	for _, key := range order {
		t, rows, err := in.table(byData[key])
		if err != nil {
			return nil, err
		}
		if t.Breakdowns == nil {
			in.Skipped = append(in.Skipped, in.noBreakdown(byData[key][0]))
		}
		if in.ByEntropy && t.Complexity == nil {
			in.Skipped = append(in.Skipped, in.noEntropy(byData[key][0]))
		}
		s.Tables, withImported = append(s.Tables, t), append(withImported, rows)
		all = append(all, slices.DeleteFunc(slices.Clone(rows), func(g *group) bool { return g.imported != nil }))
	}
	for _, d := range in.Datasets {
		if slices.ContainsFunc(s.Tables, func(t Table) bool { return t.Dataset == d.Name }) {
			s.Datasets = append(s.Datasets, d)
		}
	}
	if in.Published != nil {
		s.Checks = in.Published.checks(in.Planned, s.Tables, all)
		var err error
		if !in.Own { // the papers claim something about their proposals and the best of the others
			if s.Claims, err = in.Published.claims(in, s.Tables, all); err != nil {
				return nil, err
			}
			s.Contrasts = in.Published.contrasts(in, s.Tables, all)
		}
	}
	if in.EqualWithin > 0 {
		s.EqualWithin = in.EqualWithin
		for i, groups := range all {
			equal, err := in.equality(s.Tables[i].Dataset, groups)
			if err != nil {
				return nil, err
			}
			s.Equality = append(s.Equality, equal...)
		}
	}
	if in.Interaction != "" {
		s.Interactions = interactions(in.Interaction, s.Tables)
	}
	s.Notes = append(in.notes(), in.importedNotes(s.Tables)...)
	var err error
	s.Pairs, err = in.pairs(s.Tables, withImported)
	return s, err
}

// dataKey is shared by runs that are in one table: of the same data, split in the same way.
func dataKey(s record.Spec) string {
	return strings.Join([]string{s.Dataset.Name, s.Dataset.Fingerprint, s.Protocol, s.Dataset.Split}, "\x00")
}

// table compares the records of one data set. It returns the table's rows, those of other
// programs' lists last.
func (in Input) table(records []*record.Record) (Table, []*group, error) {
	first := records[0].Result
	t := Table{Dataset: first.Spec.Dataset.Name, Protocol: first.Spec.Protocol, Users: first.Users, Items: first.Items}
	if err := in.checkSizes(records); err != nil {
		return t, nil, err
	}
	groups, err := groupBySeed(records)
	if err != nil {
		return t, nil, err
	}
	shown := label(groups, in.Axes)
	for i, g := range groups {
		g.fill(in.Axes, in.Proposals)
		g.Notes = slices.Concat(g.notes(shown[i]), in.codeNotes(g), in.sourceNotes(g))
	}
	if err := errors.Join(findSources(groups), in.setStands(groups)); err != nil {
		return t, nil, err
	}
	if err := in.readRanks(groups); err != nil {
		return t, nil, err
	}
	cases, users, err := in.readCases(groups)
	if err != nil {
		return t, nil, err
	}
	var lists []*record.Imported
	for _, m := range in.Imported {
		if ofImport(m) == dataKey(first.Spec) {
			lists = append(lists, m)
		}
	}
	imported, err := importedGroups(lists, first.Users, first.Items)
	if err != nil {
		return t, nil, err
	}
	rows := slices.Concat(groups, imported)
	ranked := markRows(rows)
	t.Proposed, t.Baseline = bestOnValidation(groups, false), bestOnValidation(groups, true)
	if in.Baseline != "" {
		t.Baseline, t.BaselineNamed = "", true
		if g := standing(groups, in.Baseline); g != nil { // an ablation is not the baseline that was named
			t.Baseline = g.Label
		}
	}
	if t.Baseline != "" {
		if err := compare(ranked, t.Baseline); err != nil {
			return t, nil, err
		}
	}
	if t.Breakdowns, err = breakdownsOf(cases, groups); err != nil {
		return t, nil, err
	}
	if in.ByEntropy {
		if t.Complexity, err = in.complexity(t, groups, cases); err != nil {
			return t, nil, err
		}
	}
	labels, err := in.beyond(groups)
	if err != nil {
		return t, nil, err
	}
	for _, g := range rows {
		t.Rows = append(t.Rows, g.Row)
	}
	t.shareOfOracle(repeating(first.Spec))
	t.Notes = slices.Concat(tableNotes(records), labels, in.noBaseline(t))
	in.tableSplit(&t, records[0], users)
	if older := in.Older[t.Dataset]; older != "" {
		t.Notes = append([]string{older}, t.Notes...)
	}
	if t.Baseline != "" {
		t.Notes = append(append(t.Notes, gainNotes(rows, t.Baseline)...), seedNotes(rows, t.Baseline)...)
	}
	if err := in.pictures(&t, groups); err != nil {
		return t, nil, err
	}
	return t, rows, nil
}

// checkSizes makes sure that the records of one data set ranked the same users among the
// same items, those of its statistics.
func (in Input) checkSizes(records []*record.Record) error {
	first := records[0].Result
	users, items, from := first.Users, first.Items, records[0].ID
	for _, d := range in.Datasets {
		if d.Name == first.Spec.Dataset.Name && d.Fingerprint == first.Spec.Dataset.Fingerprint {
			items, from = d.Items, "the statistics of the data"
		}
	}
	for _, r := range records {
		if r.Result.Users != users || r.Result.Items != items {
			return fmt.Errorf("%s has %d users and %d items, expected %d and %d as in %s: restore it, or delete it to run it again",
				in.Store.RecordPath(r.ID), r.Result.Users, r.Result.Items, users, items, from)
		}
	}
	return nil
}

// markRows marks the best rows in every metric, and returns those that are ranked: references are not.
func markRows(rows []*group) (ranked []*group) {
	ranked = slices.DeleteFunc(slices.Clone(rows), func(g *group) bool { return g.Reference })
	for _, metric := range Columns {
		for _, rule := range SeenItemRules {
			markBest(ranked, func(g *group) map[string]Cell { return g.Under(rule).Metrics }, metric)
		}
	}
	return ranked
}

// markBest marks the highest mean of a metric, and in tables of three or more rows
// the second highest. Equal means share their mark; the sums behind them depend on the
// order of the seeds in their last bits, so means are equal up to sameMean.
func markBest(groups []*group, cells func(*group) map[string]Cell, metric string) {
	if len(groups) < 2 {
		return
	}
	best, second := -1., -1. // below all shares
	for _, g := range groups {
		c, ok := cells(g)[metric]
		switch mean := c.Mean; {
		case !ok:
		case equalMeans(mean, best):
		case mean > best:
			best, second = mean, best
		case mean > second:
			second = mean
		}
	}
	for _, g := range groups {
		c, ok := cells(g)[metric]
		if !ok { // the lists of an imported row are too short
			continue
		}
		c.Best, c.Second = equalMeans(c.Mean, best), equalMeans(c.Mean, second) && len(groups) > 2
		cells(g)[metric] = c
	}
}

// sameMean is how far means over seeds can be apart by rounding, as a share of the
// larger: a thousand times less than one user's rank makes in a million.
const sameMean = 1e-12

func equalMeans(a, b float64) bool {
	return a == b || math.Abs(a-b) <= sameMean*max(math.Abs(a), math.Abs(b))
}

// bestOnValidation gives the label of the best baseline, or proposal, on the
// validation items: the choice looks at no test item. Floors are baselines too, but
// nothing is chosen by them, so they have no validation value and are never it. A
// proposal with fewer seeds than another is not it either: an ablation that was
// lucky once must not stand for the paper.
func bestOnValidation(groups []*group, baseline bool) string {
	label, best, seeds := "", 0., 0
	for _, g := range groups {
		n := g.Valid.N
		if g.Baseline != baseline || n == 0 || !baseline && n < seeds {
			continue
		}
		if label == "" || g.Valid.Mean > best || !baseline && n > seeds {
			label, best, seeds = g.Label, g.Valid.Mean, n
		}
	}
	return label
}

// part is the model's or the training's part of a run's settings.
type part struct {
	prefix   string
	settings record.Settings
}

// parts gives the settings of a spec that are not at their default. The parameters of generated
// data are those of the data set.
func parts(s record.Spec) []part {
	params := maps.Clone(s.Params)
	delete(params, record.World)
	p := []part{{"", params}, {"train.", s.Train}}
	if s.Init != nil {
		p = append(p, part{"pretrain.", s.Init.Settings})
	}
	return p
}

// settingOf names the setting of a model that an axis varies: "heads" and
// "fame.heads" are both FAME's heads. It is not ok for an axis of another model.
func settingOf(axis, model string) (name string, ok bool) {
	name = strings.TrimPrefix(strings.TrimPrefix(axis, "models."), model+".")
	return name, !strings.Contains(name, ".") || strings.HasPrefix(name, "train.") || strings.HasPrefix(name, "pretrain.")
}

// setting gives the value of a setting such as "heads" or "train.learning_rate"; nil
// if the model has none of that name.
func setting(r *record.Record, name string) json.RawMessage {
	section, spec := "params", r.Result.Spec.Params
	if key, ok := strings.CutPrefix(name, "train."); ok {
		name, section, spec = key, "train", r.Result.Spec.Train
	} else if key, ok := strings.CutPrefix(name, "pretrain."); ok {
		name, section, spec = key, "pretrain", nil
		if s := r.Result.Spec.Init; s != nil {
			spec = s.Settings
		}
	}
	if v, ok := r.Resolved[section][name]; ok {
		return v
	}
	return spec[name]
}

// value is a setting as plain data; settings are valid JSON.
func value(text json.RawMessage) any {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return string(text)
	}
	return v
}

// plain writes a setting for people: strings without quotes.
func plain(text json.RawMessage) string {
	var s string
	if json.Unmarshal(text, &s) == nil {
		return s
	}
	return string(text)
}

// settingsText writes settings that are not at their default as "key = value, …",
// those named in without left out.
func settingsText(s record.Spec, without []string) string {
	var out []string
	for _, p := range parts(s) {
		for _, key := range slices.Sorted(maps.Keys(p.settings)) {
			if name := p.prefix + key; !slices.Contains(without, name) {
				out = append(out, fmt.Sprintf("%s = %s", name, plain(p.settings[key])))
			}
		}
	}
	return strings.Join(out, ", ")
}
