package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// Found are the records that belong to a plan.
type Found struct {
	Planned []aggregate.Planned
	Records []*record.Record // in the order of the plan
	Stale   []aggregate.Stale
	Older   aggregate.Older // data sets whose records are of older versions of the code
}

// Find reads the records of a plan's runs, on whatever machine they were made, and names
// the stale ones.
func Find(store record.Store, todo *plan.Plan) (Found, error) {
	stored, damaged := alike(store, todo)
	var f Found
	var err error
	if f.Planned, err = planned(store, todo); err != nil {
		return f, err
	}
	if f.Older, err = aggregate.OlderVersions(f.Planned, stored); err != nil {
		return f, err
	}
	var own []*record.Record // of the present versions, where older ones are shown
	if len(f.Older) > 0 {
		if own, _, err = aggregate.Match(f.Planned, stored); err != nil {
			return f, err
		}
	}
	for i := range f.Planned {
		f.Planned[i].Spec = f.Older.Show(f.Planned[i].Spec)
	}
	f.Records, f.Stale, err = aggregate.Match(f.Planned, stored)
	// They are not stale, and are counted elsewhere.
	f.Stale = slices.DeleteFunc(f.Stale, func(s aggregate.Stale) bool {
		return slices.ContainsFunc(own, func(r *record.Record) bool { return r.ID == s.ID })
	})
	return f, errors.Join(damaged, err)
}

// Check is an error if there are no records of a suite in a store.
func (f Found) Check(suite string, store record.Store) error {
	if len(f.Records) > 0 {
		return nil
	}
	err := fmt.Errorf("no records of suite %s in %s: run it first, without -report", suite, store.Dir)
	if n := len(f.Stale); n > 0 {
		err = fmt.Errorf("%w\n(%d records are stale, such as %s: %s)", err, n, f.Stale[0].ID, f.Stale[0].Reason)
	}
	return err
}

// Keep leaves out the records of all runs but some. Where older versions are shown, none
// of the runs is among them, and all records stay.
func (f *Found) Keep(ids map[string]string) {
	f.Records = slices.DeleteFunc(f.Records, func(r *record.Record) bool {
		_, older := f.Older[r.Result.Spec.Dataset.Name]
		_, ok := ids[r.ID]
		return !older && !ok
	})
}

// alike reads the records whose ids differ from those of a plan's runs in the hash alone.
// A damaged one among them is an error: without it, a table or the choice of a search
// would differ.
func alike(store record.Store, todo *plan.Plan) ([]*record.Record, error) {
	wanted := map[string]bool{}
	for _, r := range todo.Runs {
		wanted[aggregate.Stem(r.ID)] = true
	}
	all, err := store.IDs()
	if err != nil {
		return nil, err
	}
	return read(store, slices.DeleteFunc(all, func(id string) bool { return !wanted[aggregate.Stem(id)] }))
}

// read reads the records among ids that exist.
func read(store record.Store, ids []string) ([]*record.Record, error) {
	var out []*record.Record
	var errs []error
	for _, id := range ids {
		r, err := store.Read(id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		default:
			out = append(out, r)
			errs = append(errs, plan.Complete(r))
		}
	}
	return out, errors.Join(errs...)
}

// Recorded reads all records of a results folder. Damaged ones are left out: what depends
// on them reads them again, and refuses them.
func Recorded(store record.Store) ([]*record.Record, error) {
	ids, err := store.IDs()
	if err != nil {
		return nil, err
	}
	stored, _ := read(store, ids)
	return stored, nil
}

// planned lists the runs of a plan, with the failures of those that have no record.
func planned(store record.Store, todo *plan.Plan) ([]aggregate.Planned, error) {
	var out []aggregate.Planned
	for _, r := range todo.Runs {
		p := aggregate.Planned{Spec: r.Job.Spec, Source: r.For != "", Configured: r.Configured}
		f, err := store.ReadFailure(r.ID)
		if err != nil {
			return nil, err
		}
		switch {
		case f != nil && f.Environment:
			// The reason may hold paths of that machine, which have no place in a table.
			p.Failure = "the machine kept it from ending, see runs/" + r.ID + ".failed.json; the same command tries it again"
		case f != nil:
			p.Failure = f.Reason
		}
		out = append(out, p)
	}
	return out, nil
}
