package suite

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/stats"
)

// Search is a suite that searches.
type Search struct {
	Suite   plan.Suite
	Options plan.Options
	First   *plan.Plan // its first rung
}

// Search goes through the rungs of a search, each done by do, or from the records of whatever
// machine did them if do is nil. It writes the values that were chosen, for suites with the
// key "tuned", and a summary of the trials. unwritten says which file could not be written.
func (e Env) Search(p Place, s Search, do func(*plan.Plan) error) (tried *aggregate.Suite, unwritten, err error) {
	find, older := plan.FindIn(e.Store), aggregate.Older{}
	done := do == nil
	if done {
		all, err := alike(e.Store, s.First) // the other rungs have the same data, models and seeds
		if err != nil {
			return nil, nil, err
		}
		if find, older, err = findOlder(s.First, all); err != nil {
			return nil, nil, err
		}
		do = func(*plan.Plan) error { return nil }
	}
	trials, err := s.run(e.Config, find, do)
	if err != nil {
		return nil, nil, err
	}
	if !done {
		e.removeCheckpoints(trials)
	}
	tried = &aggregate.Suite{Name: p.Name, Summary: p.Summary, Hypothesis: s.Suite.Hypothesis}
	notes := older.Notes()
	for _, dataset := range slices.Sorted(maps.Keys(notes)) {
		tried.Notes = append(tried.Notes, dataset+": "+notes[dataset])
	}
	for _, t := range trials {
		tried.Trials = append(tried.Trials, t.Trial)
	}
	about, err := aggregate.TrialNotes(tried.Trials, e.Store.Read)
	if err != nil {
		return nil, nil, err
	}
	tried.Notes = append(tried.Notes, about...)
	if s.Suite.ByCold() {
		tried.Notes = append(tried.Notes, "decided by the cold validation cases, whose items no model was trained on; usual: the usual validation cases, with the same item table")
	} else {
		check, err := e.checkHalving(tried.Trials)
		if err != nil {
			return nil, nil, err
		}
		tried.Notes = append(tried.Notes, check...)
	}
	if unwritten = e.keep(p, tried, ""); unwritten == nil {
		unwritten = e.Config.WriteTuned(plan.TunedPath(p.Store.Dir, p.Name), s.Suite, trials)
	}
	return tried, unwritten, nil
}

// findOlder finds the runs of a search among all records. Where the records are of older
// versions of the code, all rungs are of the same ones.
func findOlder(first *plan.Plan, all []*record.Record) (plan.Finder, aggregate.Older, error) {
	var planned []aggregate.Planned
	for _, r := range first.Runs {
		planned = append(planned, aggregate.Planned{Spec: r.Job.Spec})
	}
	older, err := aggregate.OlderVersions(planned, all)
	if err != nil {
		return nil, nil, err
	}
	find, err := plan.FindLike(all)
	return func(r plan.Run) (*record.Record, error) {
		r.Job.Spec = older.Show(r.Job.Spec)
		return find(r)
	}, older, err
}

// run returns what was tried and chosen.
func (s Search) run(c *plan.Config, find plan.Finder, do func(*plan.Plan) error) (trials []plan.Trial, err error) {
	for rung := range s.Suite.Rungs {
		todo := s.First
		if rung > 0 {
			if todo, err = c.PlanRung(s.Suite, s.Options, rung, trials); err != nil {
				return nil, err
			}
		}
		left, _, err := todo.Unknown(find)
		if err != nil {
			return nil, err
		}
		if err := do(left); err != nil {
			return nil, err
		}
		if trials, err = plan.ReadRung(trials, todo, rung, find); err != nil {
			return nil, err
		}
	}
	plan.Choose(trials, s.Suite)
	return trials, nil
}

// removeCheckpoints removes the checkpoints that trials kept for the next rung.
func (e Env) removeCheckpoints(trials []plan.Trial) {
	for _, t := range trials {
		for _, r := range t.Rungs {
			_ = os.Remove(e.Store.CheckpointPath(r.ID)) // the last rung has none
		}
	}
}

// RemoveShared removes the checkpoints that finished runs of a plan kept for others. A run that
// did not finish continues from its own.
func (e Env) RemoveShared(todo *plan.Plan) {
	for _, r := range todo.Runs {
		if !r.Job.KeepCheckpoint {
			continue
		}
		if done, err := r.Job.Record(e.Store, r.ID); err == nil && done != nil && done.Result.Status != record.Time {
			_ = os.Remove(e.Store.CheckpointPath(r.ID)) // an older record has none
		}
	}
}

// fewestChecked is the number of trials from which a rank correlation says something.
const fewestChecked = 4

// checkHalving says for each model whose trials were all trained to the end whether the best
// trial would have survived successive halving, and how the order of the trials after some
// epochs correlates with that at the end. A run with a budget of so many epochs is the
// beginning of the complete one, so the curves tell.
func (e Env) checkHalving(trials []record.Trial) (notes []string, err error) {
	var order []string
	groups := map[string][]record.Trial{}
	for _, t := range trials {
		key := t.Model + " on " + t.Dataset
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], t)
	}
	for _, key := range order {
		g := groups[key]
		if len(g) < fewestChecked || slices.ContainsFunc(g, func(t record.Trial) bool { return t.Rungs[0].Limit != 0 }) {
			continue
		}
		rungs := plan.DefaultRungs()
		rungs = rungs[:len(rungs)-1] // the last one is the end
		after, err := e.bestAfter(g, rungs)
		if err != nil {
			return nil, err
		}
		var end []float64
		best := 0
		for i, t := range g {
			end = append(end, t.Rungs[0].Valid)
			if t.Rungs[0].Valid > end[best] {
				best = i
			}
		}
		would := "would have"
		if !survives(g, after, best) {
			would = "would not have"
		}
		text := fmt.Sprintf("of %d trials of %s, the best %s survived rungs of %s epochs", len(g), key, would, strings.Trim(strings.ReplaceAll(fmt.Sprint(rungs), " ", " and "), "[]"))
		for k, epochs := range rungs {
			if rho, ok := stats.Spearman(after[k], end); ok {
				text += fmt.Sprintf("; rank correlation of %d epochs with the end: %.2f", epochs, rho)
			}
		}
		notes = append(notes, text)
	}
	return notes, nil
}

// bestAfter gives the best validation result of each trial after so many epochs, by rung and
// trial.
func (e Env) bestAfter(trials []record.Trial, rungs []int) ([][]float64, error) {
	after := make([][]float64, len(rungs))
	for _, t := range trials {
		r, err := e.Store.Read(t.Rungs[0].ID)
		if err != nil {
			return nil, err
		}
		for k, epochs := range rungs {
			best, _ := r.Result.BestUpTo(epochs, aggregate.Tested)
			after[k] = append(after[k], best)
		}
	}
	return after, nil
}

// survives reports whether a trial survives all rungs, by the results after each of them.
func survives(trials []record.Trial, after [][]float64, trial int) bool {
	var in []int
	for i := range trials {
		in = append(in, i)
	}
	for _, valid := range after {
		in = plan.Halve(in, func(i int) float64 { return valid[i] }, func(i int) bool { return trials[i].At == "" })
		slices.Sort(in) // equal trials keep their order
	}
	return slices.Contains(in, trial)
}
