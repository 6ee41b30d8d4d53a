package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"famebench/datasets"
	"famebench/internal/analysis"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/report"
	"famebench/internal/run"
	"famebench/models"
)

// analyse looks into each FAME among the records and keeps what it finds beside its
// record. at tells the runs' places on the suite's axes, by id.
func (b *bench) analyse(records []*record.Record, at map[string]string) ([]*analysis.Analysis, error) {
	var errs []error
	var all []*analysis.Analysis
	for _, r := range records {
		if !isFAME(r) {
			continue
		}
		fmt.Fprintf(b.stderr, "analysing %s\n", r.ID)
		a, err := b.analyseOne(r, at[r.ID])
		if err != nil {
			errs = append(errs, fmt.Errorf("-analyse: %w", err))
			continue
		}
		all = append(all, a)
	}
	if len(all)+len(errs) == 0 {
		return nil, errors.New("-analyse: no run here is of FAME")
	}
	return all, errors.Join(errs...)
}

func (b *bench) analyseOne(r *record.Record, at string) (*analysis.Analysis, error) {
	var a *analysis.Analysis
	err := b.withFAME(r, func(t run.Trained, m *models.FAME) error {
		meta, err := t.Split.Data.Metadata()
		if err != nil {
			return err
		}
		for _, w := range meta.Warnings {
			fmt.Fprintf(b.stderr, "warning: %s\n", w)
		}
		a, err = analysis.Of(t.Runtime, m, t.Split, meta.Facets(), t.Train.MaxLen)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.ID, a.Dataset, a.Model, a.At = r.ID, r.Result.Spec.Dataset.Name, r.Result.Spec.Model, at
	return a, record.WriteSealed(b.store.AnalysisPath(r.ID), a)
}

// isFAME tells whether a run is of FAME or a variant, which have heads to look into.
func isFAME(r *record.Record) bool {
	return registry.BaseOf(registry.Models, r.Result.Spec.Model) == "fame"
}

// withFAME calls f with the model of a run of FAME.
func (b *bench) withFAME(r *record.Record, f func(run.Trained, *models.FAME) error) error {
	return run.WithTrained(r, b.recordedJob(r), registry.Models, func(t run.Trained) error {
		return f(t, t.Model.(*models.FAME))
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
	if !isFAME(r) {
		return usageError{fmt.Errorf("-explain: %s is a run of %s, which has no heads to explain; name one of FAME or a variant", r.ID, r.Result.Spec.Model)}
	}
	return b.withFAME(r, func(t run.Trained, m *models.FAME) error {
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
	if err := record.CheckID(id); err != nil {
		return nil, usageError{err}
	}
	r, err := b.store.Read(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("no record %q in %s; the names of the files there, without .json, are the ids", id, filepath.Join(b.store.Dir, "runs"))}
	}
	return r, err
}

// recordedJob is the job that uses a recorded run again.
func (b *bench) recordedJob(r *record.Record) plan.Job {
	return b.config.RecordedJob(r, b.store.Dir, b.source)
}
