package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
)

// Aggregate computes all that is shown of a plan's records and keeps it as a summary. If
// nothing behind the summary has changed, it is read instead. unwritten says why the
// summary could not be kept.
func (e Env) Aggregate(p Place, todo *plan.Plan, found Found) (s *aggregate.Suite, unwritten, err error) {
	in, err := e.input(p, todo, found)
	if err != nil {
		return nil, nil, err
	}
	e.announceCode(in)
	key, err := in.Key()
	if err != nil {
		return nil, nil, err
	}
	if p.kept != nil && readState(p) == (state{key, p.kept.sha256}) {
		if p.kept.Version == aggregate.Version && reflect.DeepEqual(p.kept.Plan, shown(p.Plan, p.kept.Suite)) {
			return p.kept.Suite, nil, nil
		}
		return p.kept.Suite, e.keep(p, p.kept.Suite, key), nil
	}
	fmt.Fprintf(e.Log, "comparing %d records: intervals and tests take some seconds once\n", len(in.Records))
	if s, err = aggregate.Make(in); err != nil {
		return nil, nil, err
	}
	if len(s.Tables) == 0 { // nothing finished: what is there stays
		return s, nil, nil
	}
	return s, e.keep(p, s, key), nil
}

// input is what a plan's tables are computed from.
func (e Env) input(p Place, todo *plan.Plan, found Found) (aggregate.Input, error) {
	in := aggregate.Input{
		Name: p.Name, Summary: p.Summary, Planned: found.Planned, Records: found.Records, Stale: found.Stale, Older: found.Older.Notes(), EqualWithin: todo.Suite.EqualWithin, Average: todo.Suite.Average, Hypothesis: todo.Suite.Hypothesis, Interaction: todo.Suite.Interaction, Pairs: todo.Suite.Pairs, ByEntropy: todo.Suite.ByEntropy,
		Published: e.Published, Store: e.Store, Code: map[string][]string{},
	}
	var err error
	in.ImportedNames = todo.Suite.Imported
	if in.Imported, err = e.importedRows(in.ImportedNames); err != nil {
		return in, err
	}
	if in.Tuning, err = e.tuning(todo.Suite); err != nil {
		return in, err
	}
	for _, d := range todo.Data {
		in.Datasets = append(in.Datasets, d.Stats)
	}
	for _, a := range todo.Suite.Axes {
		in.Axes = append(in.Axes, a.Name)
	}
	for _, k := range todo.Skipped {
		if k.Missing && slices.Contains(todo.Suite.Datasets, k.What) {
			in.MissingData = append(in.MissingData, k.What)
		}
		if k.Missing { // the reason holds paths of this machine, which have no place in a table
			k.Reason = "not here, so its records were not looked for"
		}
		in.Skipped = append(in.Skipped, k.What+": "+k.Reason)
	}
	for _, name := range todo.Models() {
		if in.Code[name], err = registry.CodesOf(registry.Models, name); err != nil {
			return in, err
		}
	}
	in.Proposals = todo.Suite.Proposals(registry.Models, todo.Models())
	in.Baseline, in.Own = todo.Suite.Baseline, todo.Suite.Proposed != nil || todo.Suite.Baseline != ""
	return in, nil
}

// tuning is what the searches gained whose values a suite has, by data set. If several searched a
// model's settings, the last one counts, as it does for the values. The summary of a search is next
// to its values, which may be elsewhere than the suite's results.
func (e Env) tuning(s plan.Suite) (map[string][]aggregate.Tuning, error) {
	out := map[string][]aggregate.Tuning{}
	for _, path := range s.Tuned {
		name := strings.TrimSuffix(filepath.Base(path), ".toml")
		search, err := e.Config.Suite(name)
		if err != nil {
			continue // written by hand, or by a suite of another configuration
		}
		searched := record.Store{Dir: filepath.Dir(e.Config.Abs(path))}
		found, err := ReadSummary(searched.SummaryPath(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, t := range found.Suite.Trials {
			gain, ok := gainOf(t, found.Suite.Trials)
			if !ok {
				continue
			}
			for _, dataset := range append([]string{t.Dataset}, search.AlsoFor...) {
				others := slices.DeleteFunc(out[dataset], func(o aggregate.Tuning) bool { return o.Model == t.Model })
				out[dataset] = append(others, aggregate.Tuning{Model: t.Model, Dataset: t.Dataset, Gain: gain})
			}
		}
	}
	return out, nil
}

// gainOf is the gain in percent of a chosen trial over the configured settings, after the same
// rung; false if the trial was not chosen or the other one has no result.
func gainOf(t record.Trial, all []record.Trial) (percent float64, ok bool) {
	i := slices.IndexFunc(all, func(o record.Trial) bool { return o.Dataset == t.Dataset && o.Model == t.Model && o.At == "" })
	if !t.Chosen || i < 0 || len(all[i].Rungs) != len(t.Rungs) {
		return 0, false
	}
	last := len(t.Rungs) - 1
	return 100 * (t.Rungs[last].Valid/all[i].Rungs[last].Valid - 1), all[i].Rungs[last].Valid > 0
}

// announceCode says, in one line, which records were made by other code.
func (e Env) announceCode(in aggregate.Input) {
	var made []string
	models := map[string]bool{}
	for _, r := range in.Records {
		if in.OtherCode(r) {
			made = append(made, r.ID)
			models[r.Result.Spec.Model] = true
		}
	}
	if made == nil {
		return
	}
	fmt.Fprintf(e.Log, "note: the code of %s has changed since %d of %d records were made, such as %s; -again trains them again, -verify ID compares\n",
		strings.Join(slices.Sorted(maps.Keys(models)), ", "), len(made), len(in.Records), made[0])
}

// state says what a summary was made from: it is current while both hashes are the same.
// Git does not keep it, so a summary changes only if its content does.
type state struct {
	Key     string `json:"key"`     // of aggregate.Input
	Summary string `json:"summary"` // of the file
}

// readState reads the state of a summary. Without one, or with a damaged one, the summary
// is made again.
func readState(p Place) (s state) {
	b, err := os.ReadFile(p.Store.AggregatePath(p.Name))
	if err != nil || json.Unmarshal(b, &s) != nil {
		return state{}
	}
	return s
}

// shown is the identity of a plan without the inputs of which a suite has no results yet:
// where they are missing, nothing is lost.
func shown(id plan.Identity, s *aggregate.Suite) plan.Identity {
	if len(s.Tables)+len(s.Trials) == 0 { // costs
		return id
	}
	has := map[string]bool{}
	for _, t := range s.Tables {
		has[t.Dataset] = true
		for _, r := range t.Rows {
			has[plan.TextsOf(r.Model, t.Dataset)] = true
		}
	}
	for _, t := range s.Trials {
		has[t.Dataset], has[plan.TextsOf(t.Model, t.Dataset)] = true, true
	}
	id.Inputs = maps.Clone(id.Inputs)
	maps.DeleteFunc(id.Inputs, func(name, _ string) bool { return !has[name] })
	return id
}

// keep writes the summary of a suite, and its state unless key is empty.
func (e Env) keep(p Place, s *aggregate.Suite, key string) error {
	if err := p.Store.MakeFolder("summaries"); err != nil {
		return err
	}
	summary := &Summary{Version: aggregate.Version, Plan: shown(p.Plan, s), Suite: s}
	if err := summary.Write(p.Store.SummaryPath(p.Name)); err != nil {
		return err
	}
	now := state{key, summary.sha256}
	if key == "" || readState(p) == now {
		return nil
	}
	err := p.Store.MakeFolder("aggregates")
	if err == nil {
		err = record.WriteJSON(p.Store.AggregatePath(p.Name), now)
	}
	if err != nil { // the summary is made again next time
		fmt.Fprintf(e.Log, "warning: that the summary of suite %s is current is not kept: %v\n", p.Name, err)
	}
	return nil
}
