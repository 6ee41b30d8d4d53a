package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"famebench/internal/aggregate"
	"famebench/internal/experiment"
	"famebench/internal/report"
)

// tune searches in two stages and writes the values that are best on the
// validation items to SUITE.toml, where suites with the key "tuned" find them.
func (b *bench) tune(ctx context.Context, s experiment.Suite, o experiment.Options) error {
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
	var trials []experiment.Trial
	if b.options.report {
		trials, err = b.searchedBefore(s, o, first)
	} else {
		trials, err = b.search(s, o, first, experiment.FindIn(b.store), func(plan *experiment.Plan) error {
			outcomes, err := b.runs(ctx, plan)
			return errors.Join(err, b.verdictOn(ctx, outcomes))
		})
	}
	if err != nil {
		return err
	}
	if len(trials) == 0 {
		return fmt.Errorf("no trial of suite %s has a record in %s: run it first, without -report", s.Name, b.store.Dir)
	}
	unwritten = errors.Join(unwritten, b.config.WriteTuned(experiment.TunedPath(b.store.Dir, s), s, trials))
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
func (b *bench) search(s experiment.Suite, o experiment.Options, first *experiment.Plan, find experiment.Finder, stage func(*experiment.Plan) error) ([]experiment.Trial, error) {
	if err := stage(first); err != nil {
		return nil, err
	}
	trials, err := experiment.Trials(first, find)
	if err != nil || len(trials) == 0 {
		return nil, err
	}
	if s.TrialEpochs == 0 {
		return trials, experiment.Choose(trials, first, find)
	}
	second, err := b.config.PlanFinals(s, o, trials)
	if err != nil {
		return nil, err
	}
	if err := stage(second); err != nil {
		return nil, err
	}
	return trials, experiment.Choose(trials, second, find)
}

// searchedBefore goes through the stages of a search from the records of whatever
// machine did them.
func (b *bench) searchedBefore(s experiment.Suite, o experiment.Options, first *experiment.Plan) ([]experiment.Trial, error) {
	all, err := b.like(first) // the second stage has the same data, models and seeds
	if err != nil {
		return nil, err
	}
	find, err := experiment.FindLike(all)
	if err != nil {
		return nil, err
	}
	return b.search(s, o, first, find, func(*experiment.Plan) error { return nil })
}

// searched is what is shown of a search.
func searched(s experiment.Suite, trials []experiment.Trial) *aggregate.Suite {
	suite := &aggregate.Suite{Name: s.Name, Summary: s.Summary}
	for _, t := range trials {
		suite.Trials = append(suite.Trials, t.Trial)
	}
	return suite
}
