package analysis

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
	"famebench/models"
)

// InputError is about what the user asks for, such as a user that the data do not have.
type InputError struct{ error }

// IsFAME reports whether a model is FAME or a variant, which have heads to look into.
func IsFAME(model string, entries []registry.Entry) bool {
	return registry.BaseOf(entries, model) == "fame"
}

// OfRuns looks into each FAME among records, opened by job, and writes to log what it does.
// at has the runs' places on the suite's axes, by id.
func OfRuns(records []*record.Record, at map[string]string, job func(*record.Record) plan.Job, entries []registry.Entry, log io.Writer) ([]*Analysis, error) {
	var errs []error
	var all []*Analysis
	for _, r := range records {
		if !IsFAME(r.Result.Spec.Model, entries) {
			continue
		}
		fmt.Fprintf(log, "analysing %s\n", r.ID)
		a, err := ofRun(r, at[r.ID], job(r), entries, log)
		if err != nil {
			errs = append(errs, fmt.Errorf("-analyse: %w", err))
			continue
		}
		all = append(all, a)
	}
	if len(all)+len(errs) == 0 {
		return nil, errors.New("-analyse: no run of FAME has a record")
	}
	return all, errors.Join(errs...)
}

// ofRun looks into the model of a recorded run of FAME and keeps what it finds next to the
// record.
func ofRun(r *record.Record, at string, job plan.Job, entries []registry.Entry, log io.Writer) (*Analysis, error) {
	var a *Analysis
	err := run.WithTrained(r, job, entries, func(t run.Trained) error {
		meta, err := t.Split.Data.Metadata()
		if err != nil {
			return err
		}
		for _, w := range meta.Warnings {
			fmt.Fprintf(log, "warning: %s\n", w)
		}
		a, err = Of(t.Runtime, t.Model.(*models.FAME), t.Split, meta.Facets(), t.Train.MaxLen)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.ID, a.ResultSHA256, a.Dataset, a.Model, a.At = r.ID, r.ResultSHA256, r.Result.Spec.Dataset.Name, r.Result.Spec.Model, at
	return a, record.WriteSealed(record.Store{Dir: job.Out}.AnalysisPath(r.ID), a)
}

// explained is the number of recommendations that ExplainRun explains.
const explained = 10

// ExplainRun explains what a recorded run of FAME recommends to a user.
func ExplainRun(r *record.Record, job plan.Job, entries []registry.Entry, user string) (e *Explanation, err error) {
	if !IsFAME(r.Result.Spec.Model, entries) {
		return nil, InputError{fmt.Errorf("%s is a run of %s, which has no heads to explain; name one of FAME or a variant", r.ID, r.Result.Spec.Model)}
	}
	err = run.WithTrained(r, job, entries, func(t run.Trained) error {
		d := t.Split.Data
		if !slices.Contains(d.UserIDs, user) {
			return InputError{fmt.Errorf("data set %s has no user %q; its first is %q", r.Result.Spec.Dataset.Name, user, d.UserIDs[0])}
		}
		// The test case: the user's items before the one that is held out. Of several, the last.
		i := len(t.Split.Test) - 1
		for i >= 0 && d.UserIDs[t.Split.Test[i].User] != user {
			i--
		}
		if i < 0 {
			return InputError{fmt.Errorf("user %q has no test case: too few items, or none that are tested", user)}
		}
		e, err = Explain(t.Runtime, t.Model.(*models.FAME), d, t.Split.Test[i], explained, t.Train.MaxLen)
		return err
	})
	return e, err
}
