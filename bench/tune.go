package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"famebench/internal/experiment"
	"famebench/internal/report"
)

// tune searches in two stages and writes the values that are best on the
// validation items to tuned.toml, where suites with the key "tuned" find them.
func (b *bench) tune(ctx context.Context, s experiment.Suite, o experiment.Options) error {
	first, err := b.config.PlanTrials(s, o)
	if err != nil {
		return usageError{err}
	}
	b.announce(first)
	stage := func(plan *experiment.Plan) error {
		if b.options.report {
			return nil
		}
		outcomes, err := b.runs(ctx, plan)
		return errors.Join(err, b.verdictOn(outcomes))
	}
	if b.options.dryRun {
		if err := b.dryRun(first); err != nil {
			return err
		}
		fmt.Fprintf(b.stderr, "then the best %d trials of each model on each data set and the configured settings, trained to the end\n", s.Finalists)
		return nil
	}
	if err := errors.Join(b.store.Make(), first.WriteData(b.store)); err != nil {
		return err
	}
	if err := stage(first); err != nil {
		return err
	}
	trials, err := experiment.Trials(first, b.store)
	if err != nil {
		return err
	}
	if len(trials) == 0 {
		return fmt.Errorf("no trial of suite %s has a record in %s: run it first, without -report", s.Name, b.store.Dir)
	}
	second, err := b.config.PlanFinals(s, o, trials)
	if err != nil {
		return err
	}
	if err := stage(second); err != nil {
		return err
	}
	if err := experiment.Choose(trials, second, b.store); err != nil {
		return err
	}
	if err := b.config.WriteTuned(filepath.Join(b.store.Dir, experiment.TunedName), s, trials); err != nil {
		return err
	}
	if b.json {
		return b.writeJSON(trials)
	}
	if err := report.WriteTrials(b.stdout, trials); err != nil {
		return err
	}
	var markdown, latex bytes.Buffer
	report.MarkdownTrials(&markdown, s.Name, s.Summary, trials)
	report.LatexTrials(&latex, s.Name, trials)
	return b.writeTables(s.Name, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.TrialsCSV(trials)}})
}
