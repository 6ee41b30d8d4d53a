package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/report"
)

// tune searches in two stages and writes the values that are best on the
// validation items to SUITE.toml, where suites with the key "tuned" find them.
func (b *bench) tune(ctx context.Context, s plan.Suite, o plan.Options) error {
	first, err := b.config.PlanTrials(s, o)
	if err != nil {
		return usageError{err}
	}
	b.announce(first)
	if b.options.dryRun {
		if err := b.dryRun(first); err != nil {
			return err
		}
		if s.TrialEpochs > 0 {
			fmt.Fprintf(b.stderr, "then the best %d of each model's trials on each data set, and the configured settings, are trained to the end\n", s.Finalists)
		}
		return nil
	}
	if err := b.makeStore(); err != nil {
		return err
	}
	unwritten := first.WriteData(b.store)
	if unwritten != nil && !b.options.report {
		return unwritten
	}
	var trials []plan.Trial
	if b.options.report {
		trials, err = b.searchedBefore(s, o, first)
	} else {
		trials, err = b.search(s, o, first, plan.FindIn(b.store), func(todo *plan.Plan) error {
			outcomes, err := b.runs(ctx, todo)
			return errors.Join(err, b.verdictOn(ctx, outcomes))
		})
	}
	if err != nil {
		return err
	}
	if len(trials) == 0 {
		return fmt.Errorf("no trial of suite %s has a record in %s: run it first, without -report", s.Name, b.store.Dir)
	}
	unwritten = errors.Join(unwritten, b.config.WriteTuned(plan.TunedPath(b.store.Dir, s), s, trials))
	suite := searched(s, trials)
	origin, err := b.origin(first)
	if err != nil {
		return err
	}
	b.keep(suite, origin)
	if b.json {
		return errors.Join(b.writeJSON(suite.Trials), unwritten)
	}
	if err := report.WriteTrials(b.stdout, suite.Trials); err != nil {
		return err
	}
	var markdown, latex bytes.Buffer
	report.MarkdownTrials(&markdown, s.Name, s.Summary, suite.Trials)
	report.LatexTrials(&latex, s.Name, suite.Trials)
	return errors.Join(
		b.writeTables(s.Name, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.TrialsCSV(suite.Trials)}}),
		b.page(suite), unwritten)
}

// search goes through the stages of a search, each done by stage, and returns what
// was tried and chosen; nothing if no trial has a record.
func (b *bench) search(s plan.Suite, o plan.Options, first *plan.Plan, find plan.Finder, stage func(*plan.Plan) error) ([]plan.Trial, error) {
	if err := stage(first); err != nil {
		return nil, err
	}
	trials, err := plan.Trials(first, find)
	if err != nil || len(trials) == 0 {
		return nil, err
	}
	if s.TrialEpochs == 0 {
		return trials, plan.Choose(trials, first, find)
	}
	second, err := b.config.PlanFinals(s, o, trials)
	if err != nil {
		return nil, err
	}
	if err := stage(second); err != nil {
		return nil, err
	}
	return trials, plan.Choose(trials, second, find)
}

// searchedBefore goes through the stages of a search from the records of whatever
// machine did them.
func (b *bench) searchedBefore(s plan.Suite, o plan.Options, first *plan.Plan) ([]plan.Trial, error) {
	all, err := b.like(first) // the second stage has the same data, models and seeds
	if err != nil {
		return nil, err
	}
	find, err := plan.FindLike(all)
	if err != nil {
		return nil, err
	}
	return b.search(s, o, first, find, func(*plan.Plan) error { return nil })
}

// searched is what is shown of a search.
func searched(s plan.Suite, trials []plan.Trial) *aggregate.Suite {
	suite := &aggregate.Suite{Name: s.Name, Summary: s.Summary}
	for _, t := range trials {
		suite.Trials = append(suite.Trials, t.Trial)
	}
	return suite
}
