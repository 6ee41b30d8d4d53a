package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"famebench/datasets"
	"famebench/internal/analysis"
	"famebench/internal/experiment"
	"famebench/internal/record"
	"famebench/internal/report"
	"famebench/models"
)

// analyse writes what each FAME among the records does beside its record, and
// prints it.
func (b *bench) analyse(records []*record.Record) error {
	var errs []error
	all := []*analysis.Analysis{}
	for _, r := range records {
		if experiment.BaseOf(experiment.Registry, r.Result.Spec.Model) != "fame" {
			continue
		}
		fmt.Fprintf(b.stderr, "analysing %s\n", r.ID)
		a, err := b.analyseOne(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("-analyse: %w", err))
			continue
		}
		all = append(all, a)
	}
	if len(all)+len(errs) == 0 {
		return errors.New("-analyse: no run here is of FAME")
	}
	if b.json {
		return errors.Join(append(errs, b.writeJSON(all))...)
	}
	for _, a := range all {
		errs = append(errs, report.WriteAnalysis(b.stdout, a))
	}
	return errors.Join(errs...)
}

func (b *bench) analyseOne(r *record.Record) (*analysis.Analysis, error) {
	var a *analysis.Analysis
	err := b.withFAME(r, func(t experiment.Trained, m *models.FAME) error {
		meta, err := t.Split.Data.Metadata()
		if err != nil {
			return err
		}
		a, err = analysis.Of(t.Runtime, m, t.Split, meta.Facets(), t.Train.MaxLen)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.ID = r.ID
	return a, record.WriteJSON(b.store.AnalysisPath(r.ID), a)
}

func (b *bench) withFAME(r *record.Record, f func(experiment.Trained, *models.FAME) error) error {
	return experiment.WithTrained(r, b.store, b.config.Root, experiment.Registry, func(t experiment.Trained) error {
		m, ok := t.Model.(*models.FAME)
		if !ok {
			return fmt.Errorf("%s is no run of FAME: %s has no heads to explain", r.ID, r.Result.Spec.Model)
		}
		return f(t, m)
	})
}

// explained is how many recommendations -explain shows.
const explained = 10

// explain prints why a user gets what a recorded run recommends.
func (b *bench) explain() error {
	r, err := b.readRecord(b.run)
	if err != nil {
		return err
	}
	return b.withFAME(r, func(t experiment.Trained, m *models.FAME) error {
		d := t.Split.Data
		u := slices.Index(d.UserIDs, b.options.explain)
		if u < 0 {
			return usageError{fmt.Errorf("-explain: data set %s has no user %q; its first is %q", r.Result.Spec.Dataset.Name, b.options.explain, d.UserIDs[0])}
		}
		// The test case: what the user had before the item that is held out for it.
		i := slices.IndexFunc(t.Split.Test, func(c datasets.Case) bool { return int(c.User) == u })
		if i < 0 {
			return usageError{fmt.Errorf("-explain: user %q has too few items to be tested", b.options.explain)}
		}
		e, err := analysis.Explain(t.Runtime, m, d, t.Split.Test[i], explained, t.Train.MaxLen)
		if err != nil {
			return err
		}
		if b.json {
			return b.writeJSON(e)
		}
		return report.WriteExplanation(b.stdout, e)
	})
}

// readRecord reads the record that the command line names.
func (b *bench) readRecord(id string) (*record.Record, error) {
	r, err := b.store.Read(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("no record %q in %s; the names of the files there, without .json, are the ids", id, filepath.Join(b.store.Dir, "runs"))}
	}
	return r, err
}
