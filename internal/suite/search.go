package suite

import (
	"fmt"
	"maps"
	"slices"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// Search is a suite that searches in two stages.
type Search struct {
	Suite   plan.Suite
	Options plan.Options
	First   *plan.Plan // its first stage
}

// Search goes through the stages of a search, each done by stage, or from the records of
// whatever machine did them if stage is nil. It writes the values that were chosen, for
// suites with the key "tuned", and a summary of the trials. unwritten says which file could
// not be written.
func (e Env) Search(p Place, s Search, stage func(*plan.Plan) error) (tried *aggregate.Suite, unwritten, err error) {
	find, older := plan.FindIn(e.Store), aggregate.Older{}
	if stage == nil {
		all, err := alike(e.Store, s.First) // the second stage has the same data, models and seeds
		if err != nil {
			return nil, nil, err
		}
		if find, older, err = findOlder(s.First, all); err != nil {
			return nil, nil, err
		}
		stage = func(*plan.Plan) error { return nil }
	}
	trials, err := s.run(e.Config, find, stage)
	if err != nil {
		return nil, nil, err
	}
	if len(trials) == 0 {
		return nil, nil, fmt.Errorf("no trial of suite %s has a record in %s: run it first, without -report", s.Suite.Name, e.Store.Dir)
	}
	tried = &aggregate.Suite{Name: p.Name, Summary: p.Summary}
	notes := older.Notes()
	for _, dataset := range slices.Sorted(maps.Keys(notes)) {
		tried.Notes = append(tried.Notes, dataset+": "+notes[dataset])
	}
	for _, t := range trials {
		tried.Trials = append(tried.Trials, t.Trial)
	}
	if unwritten = e.keep(p, tried, ""); unwritten == nil {
		unwritten = e.Config.WriteTuned(plan.TunedPath(p.Store.Dir, p.Name), s.Suite, trials)
	}
	return tried, unwritten, nil
}

// findOlder finds the runs of a search among all records. Where the records are of older
// versions of the code, both stages are of the same ones.
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

// run returns what was tried and chosen; nothing if no trial has a record.
func (s Search) run(c *plan.Config, find plan.Finder, stage func(*plan.Plan) error) ([]plan.Trial, error) {
	if err := stage(s.First); err != nil {
		return nil, err
	}
	trials, err := plan.Trials(s.First, find)
	if err != nil || len(trials) == 0 {
		return nil, err
	}
	if s.Suite.TrialEpochs == 0 {
		return trials, plan.Choose(trials, s.First, find)
	}
	second, err := c.PlanFinals(s.Suite, s.Options, trials)
	if err != nil {
		return nil, err
	}
	if err := stage(second); err != nil {
		return nil, err
	}
	return trials, plan.Choose(trials, second, find)
}
