// Package audit checks a results folder that somebody sends: whether every file is what its
// record says, whether ids, hashes and fingerprints fit, and whether metrics, means and tables
// are those of the ranks. It opens no data and trains nothing.
package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// Problem is what is wrong with a file.
type Problem struct {
	File string `json:"file"` // its path in the folder
	Text string `json:"problem"`
}

// Report says what was checked and what is wrong.
type Report struct {
	Folder    string    `json:"folder"`
	OK        bool      `json:"ok"`
	Records   int       `json:"records"`
	Imported  int       `json:"imported"`
	Summaries int       `json:"summaries"`
	Tables    int       `json:"tables"` // files
	Problems  []Problem `json:"problems"`
	Notes     []string  `json:"notes"` // what was not checked
}

// auditor checks one folder.
type auditor struct {
	store    record.Store
	report   *Report
	records  map[string]*record.Record // sound ones
	imported []*record.Imported
}

// Folder checks a results folder. Its data are compared with those of another folder, known,
// that the reader trusts. A folder that holds no results is an error.
func Folder(dir string, known record.Store) (*Report, error) {
	if info, err := os.Stat(filepath.Join(dir, "runs")); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: expected a results folder with the folder runs in it, got none", dir)
	}
	a := auditor{store: record.Store{Dir: dir}, report: &Report{Folder: dir, Problems: []Problem{}, Notes: []string{}}, records: map[string]*record.Record{}}
	for _, check := range []func() error{a.runs, a.lists, a.ofRuns, a.data, a.summaries, a.settings} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	a.seeds()
	a.sources()
	a.compareData(known)
	r := a.report
	slices.SortStableFunc(r.Problems, func(p, q Problem) int { return cmp.Compare(p.File, q.File) })
	r.OK = len(r.Problems) == 0
	r.Notes = append(r.Notes, "not computed again: bootstrap intervals, breakdowns, groups by entropy, notes, published numbers, claims, contrasts, equality, interactions, pairs, figures and the page, nor whether rows or seeds are missing; bench -suite NAME -report does, from the same records")
	return r, nil
}

func (a *auditor) problem(path, format string, args ...any) {
	name, err := filepath.Rel(a.store.Dir, path)
	if err != nil {
		name = path
	}
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), a.store.Dir+string(filepath.Separator), "")
	a.report.Problems = append(a.report.Problems, Problem{filepath.ToSlash(name), text})
}

func (a *auditor) note(format string, args ...any) {
	a.report.Notes = append(a.report.Notes, fmt.Sprintf(format, args...))
}

// files lists the files of a folder of the store; none if there is no such folder.
func (a *auditor) files(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(a.store.Dir, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			a.problem(filepath.Join(a.store.Dir, folder, e.Name()), "expected a file")
			continue
		}
		names = append(names, e.Name())
	}
	return names, nil
}

const ranksEnd = ".ranks.tsv.gz"

// runs checks every record with its ranks and its curve.
func (a *auditor) runs() error {
	names, err := a.files("runs")
	if err != nil {
		return err
	}
	unhashed := 0
	for _, name := range names {
		path := filepath.Join(a.store.Dir, "runs", name)
		id, isRecord := strings.CutSuffix(name, ".json")
		of, isRanks := strings.CutSuffix(name, ranksEnd)
		failed, isFailure := strings.CutSuffix(id, ".failed")
		switch {
		case isRecord && isFailure && record.CheckID(failed) == nil: // says why there is no record, and enters no table
		case isRanks && slices.Contains(names, of+".json"): // checked with its record
		case isRanks:
			a.problem(path, "there is no record of these ranks")
		case !isRecord || record.CheckID(id) != nil:
			a.problem(path, "unexpected file: expected ID.json, ID%s or ID.failed.json", ranksEnd)
		default:
			a.report.Records++
			r, err := a.store.Read(id)
			if err != nil {
				a.problem(path, "%v", err)
				continue
			}
			a.records[id] = r
			a.keys(path, "id", "result", "measured", "resolved", "result_sha256", "measured_sha256")
			a.ranks(r)
			a.curve(r)
			if r.MeasuredSHA256 == "" {
				unhashed++
			}
		}
	}
	if unhashed > 0 {
		a.note("%d of %d records are older than the hash of what was measured: their times, machines, versions of libraries and default settings were not checked", unhashed, a.report.Records)
	}
	return nil
}

// keys refuses keys of a JSON object that differ from known ones in upper and lower case alone.
// A reader takes one for the other, and a hash does not cover the keys of the whole file. It
// returns the object.
func (a *auditor) keys(path string, known ...string) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &object)
	}
	if err != nil {
		a.problem(path, "%v", err)
	}
	for key := range object {
		for _, name := range known {
			if strings.EqualFold(key, name) && key != name {
				a.problem(path, "the key %.40q was changed: expected %q", key, name)
			}
		}
	}
	return object
}

func (a *auditor) ranks(r *record.Record) {
	path := a.store.RanksPath(r.ID)
	if r.Result.Spec.ValidationOnly {
		if _, err := os.Lstat(path); err == nil {
			a.problem(path, "%s ranked no test items: expected no ranks", r.ID)
		}
		return
	}
	if err := aggregate.CheckRanks(a.store, r); err != nil {
		a.problem(path, "%v", err)
		return
	}
	a.gzipHeader(path, 0)
}

// gzipHeader refuses a header that this program does not write. It has no checksum, but nothing
// in it changes the content.
func (a *auditor) gzipHeader(path string, level byte) {
	want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level, 255}
	got := make([]byte, len(want))
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		_, err = f.Read(got)
	}
	if err != nil || !bytes.Equal(got, want) {
		a.problem(path, "the header of the compressed file was changed: expected % x, got % x", want, got)
	}
}

// lists checks imported records.
func (a *auditor) lists() error {
	names, err := a.files("imported")
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(a.store.Dir, "imported", name)
		id, isRecord := strings.CutSuffix(name, ".json")
		of, isRanks := strings.CutSuffix(name, ranksEnd)
		switch {
		case isRanks && slices.Contains(names, of+".json"):
			a.gzipHeader(path, 0)
		case isRanks:
			a.problem(path, "there is no imported record of these ranks")
		case !isRecord:
			a.problem(path, "unexpected file: expected ID.json or ID%s", ranksEnd)
		default:
			a.report.Imported++
			m, err := a.store.ReadImported(id)
			if err == nil {
				err = aggregate.CheckImported(m)
			}
			if err != nil {
				a.problem(path, "%v", err)
				continue
			}
			a.imported = append(a.imported, m)
		}
	}
	return nil
}

// data checks statistics and test cases, and that all records of the same data have the sizes
// that these say.
func (a *auditor) data() error {
	names, err := a.files("datasets")
	if err != nil {
		return err
	}
	items, users := map[string]int{}, map[string]int{} // by file; 0: it cannot be used
	for _, r := range a.sorted() {
		spec, res := r.Result.Spec, r.Result
		stats := a.store.DatasetPath(spec.Dataset.Name, spec.Dataset.Fingerprint)
		if _, ok := items[stats]; !ok {
			s, err := plan.ReadStats(stats, spec.Dataset.Name, spec.Dataset.Fingerprint)
			if err != nil {
				a.problem(stats, "%v", err)
			}
			items[stats] = s.Items
			if err != nil {
				items[stats] = 0
			} else if object := a.keys(stats, "sha256"); object["sha256"] == nil {
				a.note("%s is older than checksums: only the consistency of its numbers was checked", filepath.Base(stats))
			}
		}
		if n := items[stats]; n > 0 && res.Items != n {
			a.problem(a.store.RecordPath(r.ID), "it has %d items: expected %d, as in %s", res.Items, n, filepath.Base(stats))
		}
		cases := a.store.CasesPath(spec.Dataset, spec.Protocol)
		if spec.ValidationOnly { // it has no test users
			continue
		}
		if _, ok := users[cases]; !ok {
			users[cases] = res.Users
			if _, err := a.store.ReadCases(spec.Dataset, spec.Protocol, res.Users); err != nil {
				users[cases] = 0
				a.problem(cases, "%v", err)
			} else {
				a.gzipHeader(cases, 2)
			}
		}
		if path := a.store.EntropyPath(spec.Dataset, spec.Protocol); users[path] == 0 && slices.Contains(names, filepath.Base(path)) {
			users[path] = res.Users
			if _, err := a.store.ReadEntropy(spec.Dataset, spec.Protocol, res.Users); err != nil {
				a.problem(path, "%v", err)
			}
		}
		if n := users[cases]; n > 0 && res.Users != n {
			a.problem(a.store.RecordPath(r.ID), "it has %d test users: expected %d, as in %s", res.Users, n, filepath.Base(cases))
		}
	}
	for _, name := range names {
		path := filepath.Join(a.store.Dir, "datasets", name)
		_, isStats := items[path]
		_, isCases := users[path]
		if !isStats && !isCases {
			a.unused(path, name)
		}
	}
	return nil
}

// unused checks a file about data whose test items no record has ranked, such as those of a search, or
// of a suite whose runs were not done.
func (a *auditor) unused(path, name string) {
	stem, cases, isCases := strings.Cut(strings.TrimSuffix(name, ".json"), ".")
	var says struct{ Name, Fingerprint string }
	b, err := os.ReadFile(filepath.Join(a.store.Dir, "datasets", stem+".json"))
	if err == nil {
		err = json.Unmarshal(b, &says)
	}
	s := datasets.Stats{}
	if err == nil {
		s, err = plan.ReadStats(a.store.DatasetPath(says.Name, says.Fingerprint), says.Name, says.Fingerprint)
	}
	if err == nil && filepath.Base(a.store.DatasetPath(says.Name, says.Fingerprint)) != stem+".json" {
		err = fmt.Errorf("expected statistics of %s, got those of %.40q, %.8q", stem, says.Name, says.Fingerprint)
	}
	if err == nil && isCases {
		d := record.Dataset{Name: says.Name, Fingerprint: says.Fingerprint}
		protocol, isEntropy := strings.CutSuffix(strings.TrimSuffix(cases, ".cases.tsv.gz"), ".entropy")
		if of := s.Split; of != nil && protocol == fmt.Sprintf("%s-%.8s", of.Kind, of.Fingerprint) {
			protocol, d.Split = of.Kind, of.Fingerprint
		}
		var c *record.Cases
		if c, err = a.store.ReadCasesUpTo(d, protocol, s.Interactions); err == nil && isEntropy {
			_, err = a.store.ReadEntropy(d, protocol, len(c.Training))
		}
	}
	if err != nil {
		a.problem(path, "no record has test users of these data, and they are not sound: %v", err)
	}
}

// sorted are the sound records in the order of their ids.
func (a *auditor) sorted() []*record.Record {
	var out []*record.Record
	for _, r := range a.records {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y *record.Record) int { return cmp.Compare(x.ID, y.ID) })
	return out
}

// sources finds runs that began with other weights than those of their source's record, and do
// not say so.
func (a *auditor) sources() {
	for _, r := range a.sorted() {
		from := r.Measured.Source
		if from == nil || from.Differ {
			continue
		}
		if source := a.records[from.ID]; source != nil && from.DiffersFrom(source) {
			a.problem(a.store.RecordPath(r.ID), "it began with other weights than %s has now, which was recorded again since", from.ID)
		}
	}
}

// seeds finds one training that is recorded as several: records that differ in the seed alone
// never have the same ranks or losses.
func (a *auditor) seeds() {
	first := map[string]*record.Record{}
	for _, r := range a.sorted() {
		spec := r.Result.Spec
		if spec.NonNeural {
			continue // it is deterministic, and suites with other first seeds run it again
		}
		key, err := spec.ExperimentKey()
		if err != nil {
			a.problem(a.store.RecordPath(r.ID), "%v", err)
			continue
		}
		result := r.Result.RanksSHA256
		if spec.ValidationOnly {
			b, err := record.Canonical(r.Result.Curve)
			if err != nil {
				continue
			}
			result = string(b)
		}
		key = strings.Join([]string{key, spec.Dataset.Name, result}, "\x00")
		if other := first[key]; other != nil && other.Result.Spec.Seed != spec.Seed {
			a.problem(a.store.RecordPath(r.ID), "it has the result of %s, of another seed, to the last bit: one of them is a copy", other.ID)
		} else if other == nil {
			first[key] = r
		}
	}
	for _, name := range a.imported {
		for _, other := range a.imported {
			if other.ID >= name.ID || other.Spec.Seed == name.Spec.Seed {
				continue
			}
			x, y := other.Spec, name.Spec
			x.Seed, x.SHA256 = y.Seed, y.SHA256
			switch {
			case other.Spec.SHA256 == name.Spec.SHA256:
				a.problem(a.store.ImportedPath(name.ID), "it is of the same file as %s, of another seed", other.ID)
			case reflect.DeepEqual(x, y) && other.RanksSHA256 == name.RanksSHA256:
				a.problem(a.store.ImportedPath(name.ID), "it has the ranks of %s, of another seed: one of them is a copy", other.ID)
			}
		}
	}
}

// compareData notes data sets that the reader does not have.
func (a *auditor) compareData(known record.Store) {
	said := map[string]bool{}
	for _, r := range a.sorted() {
		d := r.Result.Spec.Dataset
		path := known.DatasetPath(d.Name, d.Fingerprint)
		if _, err := os.Stat(path); err != nil && !said[path] {
			said[path] = true
			a.note("%s with the fingerprint %.8s is not among the data sets of %s: it was not compared", d.Name, d.Fingerprint, known.Dir)
		}
	}
}

// Write writes a report for people: a line for each problem.
func Write(w io.Writer, r *Report) error {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s: %s\n", p.File, p.Text)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	verdict := "no problems"
	if n := len(r.Problems); n > 0 {
		verdict = fmt.Sprintf("%d problems", n)
	}
	_, err := fmt.Fprintf(w, "%s: %s in %d records, %d imported records, %d summaries, %d table files\n", r.Folder, verdict, r.Records, r.Imported, r.Summaries, r.Tables)
	return err
}
