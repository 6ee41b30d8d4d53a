package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/suite"
)

// ofScripts are tables that scripts write, not suites.
var ofScripts = map[string]bool{"speed.md": true}

// summaries checks the summary of every suite against the records, and its tables against the
// summary.
func (a *auditor) summaries() error {
	names, err := a.files("summaries")
	if err != nil {
		return err
	}
	for _, r := range a.records { // as a report does
		if err := plan.Complete(r); err != nil {
			a.problem(a.store.RecordPath(r.ID), "%v", err)
		}
	}
	rendered := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(a.store.Dir, "summaries", name)
		if !strings.HasSuffix(name, ".json") {
			a.problem(path, "unexpected file: expected SUITE.json")
			continue
		}
		a.report.Summaries++
		s, err := suite.ReadSummary(path)
		if err != nil {
			a.problem(path, "%v", err)
			continue
		}
		if s.Version != aggregate.Version {
			a.problem(path, "it was computed by version %d, this program is version %d: render the suite again with bench -suite %s -report", s.Version, aggregate.Version, s.Name)
			continue
		}
		for i := range s.Tables {
			for _, text := range s.Tables[i].Verify(a.store, a.records, a.imported, s.Axes) {
				a.problem(path, "%s", text)
			}
		}
		for _, d := range s.Datasets {
			if stats, err := plan.ReadStats(a.store.DatasetPath(d.Name, d.Fingerprint), d.Name, d.Fingerprint); err == nil && !reflect.DeepEqual(stats, d) {
				a.problem(path, "%s: its statistics are not those in %s", d.Name, filepath.Base(a.store.DatasetPath(d.Name, d.Fingerprint)))
			}
		}
		a.trials(path, s.Trials)
		var costs []record.Cost
		if len(s.Tables)+len(s.Trials) == 0 {
			if a.cells(s.Name, rendered) {
				continue
			}
			b, err := os.ReadFile(filepath.Join(a.store.Dir, "cost.json"))
			if err == nil {
				err = json.Unmarshal(b, &costs)
			}
			if err != nil {
				a.problem(path, "it is about costs, and cost.json cannot be read: %v", err)
				continue
			}
		}
		for _, f := range suite.TableFiles(s.Suite, costs) {
			if f.Text != nil {
				table := a.store.TablePath(s.Name, f.Ext)
				rendered[filepath.Base(table)] = true
				a.table(table, f.Content(), name)
			}
		}
	}
	if names, err = a.files("tables"); err != nil {
		return err
	}
	for _, name := range names {
		if !rendered[name] && !ofScripts[name] {
			a.problem(filepath.Join(a.store.Dir, "tables", name), "no sound summary says what is in this table")
		}
	}
	return nil
}

// cells checks the measurements of a suite of kind "cost" that has steps; false if there are
// none. Their tables also say what the plan lacks, so they cannot be rendered without it.
func (a *auditor) cells(name string, rendered map[string]bool) bool {
	c, err := a.store.ReadCells(name)
	switch {
	case err != nil:
		a.problem(a.store.CellsPath(name), "%v", err)
	case c == nil:
		return false
	default:
		a.note("the tables of %s are of measurements, not of records: they were not rendered again", name)
	}
	for _, f := range suite.CellFiles(&aggregate.Cells{}) {
		rendered[filepath.Base(a.store.TablePath(name, f.Ext))] = true
	}
	return true
}

// trials compares what a search shows of its trials with their records.
func (a *auditor) trials(path string, trials []record.Trial) {
	for _, t := range trials {
		for _, rung := range t.Rungs {
			r := a.records[rung.ID]
			if r == nil {
				a.problem(path, "a trial of %s names the run %s, which has no sound record", t.Model, rung.ID)
				continue
			}
			if want, _ := r.Rung(rung.Limit, aggregate.Tested, rung.Usual > 0); want != rung {
				a.problem(path, "a trial of %s: %s has validation %v after %d epochs, expected %v after %d, as in its record", t.Model, rung.ID, rung.Valid, rung.Epochs, want.Valid, want.Epochs)
			}
		}
	}
}

// table compares a file with what the summary gives.
func (a *auditor) table(path string, want []byte, summary string) {
	a.report.Tables++
	got, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			a.problem(path, "missing: summaries/%s has this table", summary)
		} else {
			a.problem(path, "%v", err)
		}
		return
	}
	if bytes.Equal(got, want) {
		return
	}
	line := 1
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			break
		}
		if got[i] == '\n' {
			line++
		}
	}
	a.problem(path, "line %d is not what this program writes from summaries/%s: the table was edited, or rendered by another version of the program", line, summary)
}

// settings checks the files of searches and of expected results.
func (a *auditor) settings() error {
	entries, err := os.ReadDir(a.store.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(a.store.Dir, e.Name())
		var err error
		switch {
		case strings.HasPrefix(name, "expected-") && strings.HasSuffix(name, ".json"):
			_, err = plan.ReadExpectations(path)
		case strings.HasSuffix(name, ".toml") && name != "published.toml":
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				err = plan.CheckTuned(path, b)
			}
		}
		if err != nil {
			a.problem(path, "%v", err)
		}
	}
	return nil
}
