package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// ArgumentError is about what the user asked for, not about the records.
type ArgumentError struct{ error }

func (e ArgumentError) Unwrap() error { return e.error }

func argumentError(format string, args ...any) error {
	return ArgumentError{fmt.Errorf(format, args...)}
}

// importedSide begins the name of a side that is an imported row.
const importedSide = "imported/"

// Compare sets what b names against what a names. Each is the id of a run or of imported
// lists, SUITE, SUITE/ROW, imported/NAME, or a results folder.
func (e Env) Compare(a, b string, o plan.Options) (*aggregate.Comparison, error) {
	if a == b {
		return nil, argumentError("%s is compared with itself: expected two different ones", a)
	}
	from, err := e.side(a, o)
	if err != nil {
		return nil, err
	}
	to, err := e.side(b, o)
	if err != nil {
		return nil, err
	}
	if from.Whole != to.Whole {
		return nil, argumentError("%s and %s: a whole suite or folder is compared with another one, and a single row (a run, SUITE/ROW or imported/NAME) with a row", a, b)
	}
	fmt.Fprintln(e.Log, "comparing: intervals take some seconds for each pair of rows")
	c, err := aggregate.Compare(from, to)
	if errors.As(err, &aggregate.SidesError{}) {
		err = ArgumentError{err}
	}
	return c, err
}

// side finds what a name means. A path that begins with "." or "/" is a folder, whatever runs
// and suites there are.
func (e Env) side(name string, o plan.Options) (aggregate.Side, error) {
	if strings.HasPrefix(name, ".") || filepath.IsAbs(name) {
		return e.folder(name)
	}
	if row, ok := strings.CutPrefix(name, importedSide); ok {
		return e.imported(name, func(m *record.Imported) bool { return m.Spec.Name == row })
	}
	s := aggregate.Side{Name: name, Store: e.Store}
	if record.CheckID(name) == nil {
		r, err := e.Store.Read(name)
		if err == nil {
			return e.run(s, r)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		if ids, err := e.Store.ImportedIDs(); err != nil || slices.Contains(ids, name) {
			return e.imported(name, func(m *record.Imported) bool { return m.ID == name })
		}
	}
	suite, row, _ := strings.Cut(name, "/")
	known := slices.ContainsFunc(e.Config.Suites(), func(s plan.Suite) bool { return s.Name == suite })
	if known {
		return e.ofSuite(name, suite, row, o)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return e.folder(name)
	}
	return s, argumentError("%q: expected the id of a run, SUITE, SUITE/ROW, imported/NAME, or a results folder; there is none of these", name)
}

func (e Env) run(s aggregate.Side, r *record.Record) (aggregate.Side, error) {
	if r.Result.Spec.ValidationOnly {
		return s, argumentError("%s is a trial of a search, which ranks no test items: nothing can be compared", r.ID)
	}
	if r.Result.Status == record.Time {
		return s, argumentError("%s was stopped by its time limit: run it to the end first", r.ID)
	}
	s.Records = []*record.Record{r}
	return s, plan.Complete(r)
}

func (e Env) imported(name string, is func(*record.Imported) bool) (aggregate.Side, error) {
	s := aggregate.Side{Name: name, Store: e.Store}
	all, err := e.Store.AllImported()
	if err != nil {
		return s, err
	}
	for _, m := range all {
		if is(m) {
			s.Imported = append(s.Imported, m)
		}
	}
	if s.Imported == nil {
		return s, argumentError("%q: there are no such imported lists in %s: import them with -import", name, e.Store.Dir)
	}
	return s, nil
}

// ofSuite has the records of a suite, or of one of its rows, whatever machine made them.
func (e Env) ofSuite(name, suite, row string, o plan.Options) (aggregate.Side, error) {
	side := aggregate.Side{Name: name, Suite: suite, Row: row, Whole: row == "", Store: e.Store}
	s, err := e.Config.Suite(suite)
	if err != nil {
		return side, ArgumentError{err}
	}
	if s.Kind != plan.KindCompare && s.Kind != plan.KindCI {
		return side, argumentError("suite %s is of kind %q, which ranks no test items: nothing can be compared", suite, s.Kind)
	}
	todo, err := e.Config.Plan(s, o)
	if err != nil {
		return side, ArgumentError{err}
	}
	found, err := Find(e.Store, todo)
	if err != nil {
		return side, err
	}
	if err := found.Check(suite, e.Store); err != nil {
		return side, ArgumentError{err}
	}
	side.Records, side.Average = found.Records, s.Average
	older := found.Older.Notes()
	for _, dataset := range slices.Sorted(maps.Keys(older)) {
		side.Notes = append(side.Notes, fmt.Sprintf("%s on %s: %s", suite, dataset, older[dataset]))
	}
	for _, a := range todo.Suite.Axes {
		side.Axes = append(side.Axes, a.Name)
	}
	side.Imported, err = e.importedRows(s.Imported)
	return side, err
}

// importedRows reads the lists of the imported rows of a suite.
func (e Env) importedRows(names []string) (lists []*record.Imported, err error) {
	if names == nil { // damaged lists that the suite does not show do not matter
		return nil, nil
	}
	all, err := e.Store.AllImported()
	for _, name := range names {
		for _, m := range all {
			if m.Spec.Name == name {
				lists = append(lists, m)
			}
		}
	}
	return lists, err
}

// folder has all records of a results folder. Where ids of older versions depend on the number
// of threads, a run may have several: the newest counts, as in the tables.
func (e Env) folder(dir string) (aggregate.Side, error) {
	s := aggregate.Side{Name: dir, Whole: true, Store: record.Store{Dir: dir}}
	ids, err := s.Store.IDs()
	if err != nil {
		return s, err
	}
	all, err := read(s.Store, ids)
	if err != nil {
		return s, err
	}
	if s.Records, err = aggregate.Newest(all); err != nil {
		return s, err
	}
	if s.Imported, err = s.Store.AllImported(); err != nil {
		return s, err
	}
	if len(s.Records)+len(s.Imported) == 0 {
		return s, argumentError("%s: expected a results folder with records in %s, got none", dir, filepath.Join(dir, "runs"))
	}
	return s, nil
}
