package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/analysis"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/suite"
)

const committed = "../../results"

// The committed results are sound.
func TestCommitted(t *testing.T) {
	r, err := Folder(committed, record.Store{Dir: committed})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Records < 200 || r.Summaries < 10 || r.Tables < 50 {
		t.Errorf("%d records, %d summaries, %d table files, problems %+v", r.Records, r.Summaries, r.Tables, r.Problems)
	}
	// Nor do they tell where their author keeps files.
	paths, err := filepath.Glob(filepath.Join(committed, "runs", "*.json"))
	if err != nil || len(paths) < r.Records {
		t.Fatal(len(paths), err)
	}
	folder := regexp.MustCompile(`[ "=(]/[A-Za-z]+/[^"]*`)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if found := folder.Find(b); found != nil {
			t.Errorf("%s names a folder of one machine: %s", path, found)
		}
	}
}

func TestNoResults(t *testing.T) {
	if _, err := Folder(t.TempDir(), record.Store{}); err == nil || !strings.Contains(err.Error(), "expected a results folder") {
		t.Error(err)
	}
}

// folder is a results folder with one suite, as bytes by path, so that it can be restored.
type folder struct {
	t     *testing.T
	dir   string
	files map[string][]byte
}

const copiedSuite = "metadata-movies"

// newFolder copies a suite of the committed results. Its records are written again, so that
// they have all hashes, and imported lists are added.
func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir(), files: map[string][]byte{}}
	from, to := record.Store{Dir: committed}, record.Store{Dir: f.dir}
	if err := to.Make(); err != nil {
		t.Fatal(err)
	}
	s, err := suite.ReadSummary(from.SummaryPath(copiedSuite))
	if err != nil {
		t.Fatal(err)
	}
	copied := []string{from.SummaryPath(copiedSuite)}
	tables, err := filepath.Glob(from.TablePath(copiedSuite, ".*"))
	if err != nil || len(tables) < 5 {
		t.Fatal(tables, err)
	}
	copied = append(copied, tables...)
	var first *record.Record
	for _, row := range s.Tables[0].Rows {
		for _, run := range row.Runs {
			r, err := from.Read(run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := to.Write(r); err != nil {
				t.Fatal(err)
			}
			copied = append(copied, from.RanksPath(r.ID), from.CurvePath(r.ID), from.BeyondPath(r.ID))
			first = r
		}
	}
	spec := first.Result.Spec
	stats := from.DatasetPath(spec.Dataset.Name, spec.Dataset.Fingerprint)
	d, err := plan.ReadStats(stats, spec.Dataset.Name, spec.Dataset.Fingerprint)
	if err == nil { // the committed file is older than checksums
		err = record.WriteSealed(to.DatasetPath(spec.Dataset.Name, spec.Dataset.Fingerprint), d)
	}
	if err != nil {
		t.Fatal(err)
	}
	copied = append(copied, from.CasesPath(spec.Dataset, spec.Protocol), filepath.Join(committed, "tune.toml"))
	for _, path := range copied {
		rel, err := filepath.Rel(committed, path)
		if err == nil {
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(f.dir, rel)), 0o755), os.WriteFile(filepath.Join(f.dir, rel), b, 0o644))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(f.dir, "analysis"), 0o755), record.WriteSealed(filepath.Join(f.dir, "analysis", first.ID+".json"), map[string]any{"id": first.ID, "version": analysis.Version, "result_sha256": first.ResultSHA256, "gate": .5})); err != nil {
		t.Fatal(err)
	}
	kept, _, _, err := rank.ReadRanks(to.RanksPath(first.ID))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range kept {
		if r > 10 {
			kept[i] = record.Unlisted
		}
	}
	if err := to.WriteImported(&record.Imported{Spec: record.ImportSpec{Name: "other", Dataset: spec.Dataset, Protocol: spec.Protocol, Rule: "kept", SHA256: "5a"},
		Users: len(kept), Items: first.Result.Items, Length: 10, Ranks: kept, Test: aggregate.ListMetrics(kept, 10)}); err != nil {
		t.Fatal(err)
	}
	f.files = f.read()
	return f
}

func (f *folder) read() map[string][]byte {
	f.t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// restore makes the folder what it was.
func (f *folder) restore() {
	f.t.Helper()
	now := f.read()
	for path := range now {
		if _, ok := f.files[path]; !ok {
			f.do(os.Remove(path))
		}
	}
	for path, b := range f.files {
		if !bytes.Equal(now[path], b) {
			f.do(os.WriteFile(path, b, 0o644))
		}
	}
}

func (f *folder) do(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// one chooses a file of a folder that ends in end.
func (f *folder) one(random *rand.Rand, in, end string) string {
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(f.files)) {
		if filepath.Base(filepath.Dir(path)) == in && strings.HasSuffix(path, end) {
			paths = append(paths, path)
		}
	}
	if paths == nil {
		f.t.Fatalf("no file %s/*%s", in, end)
	}
	return paths[random.IntN(len(paths))]
}

// record chooses a record.
func (f *folder) record(random *rand.Rand) *record.Record {
	f.t.Helper()
	r, err := record.Store{Dir: f.dir}.Read(strings.TrimSuffix(filepath.Base(f.one(random, "runs", ".json")), ".json"))
	f.do(err)
	return r
}

// A manipulation changes a folder and says what it did.
type manipulation struct {
	name  string
	times int
	do    func(f *folder, random *rand.Rand) string
}

func flip(in, end string) func(*folder, *rand.Rand) string {
	return func(f *folder, random *rand.Rand) string {
		path := f.one(random, in, end)
		b := slices.Clone(f.files[path])
		at, bit := random.IntN(len(b)), random.IntN(8)
		b[at] ^= 1 << bit
		f.do(os.WriteFile(path, b, 0o644))
		return fmt.Sprintf("%s, bit %d of byte %d", path, bit, at)
	}
}

func remove(in, end string) func(*folder, *rand.Rand) string {
	return func(f *folder, random *rand.Rand) string {
		path := f.one(random, in, end)
		f.do(os.Remove(path))
		return path
	}
}

func rename(in, end string) func(*folder, *rand.Rand) string {
	return func(f *folder, random *rand.Rand) string {
		path := f.one(random, in, end)
		to := filepath.Join(filepath.Dir(path), "x-"+filepath.Base(path))
		f.do(os.Rename(path, to))
		return to
	}
}

// rewrite changes a record and gives it the id and the hashes of its new content.
func rewrite(change func(*record.Record, *rand.Rand)) func(*folder, *rand.Rand) string {
	return func(f *folder, random *rand.Rand) string {
		r := f.record(random)
		store, was := record.Store{Dir: f.dir}, r.ID
		change(r, random)
		f.do(store.Write(r))
		if r.ID != was { // its other files go with it
			for _, path := range []func(string) string{store.RanksPath, store.CurvePath} {
				f.do(os.WriteFile(path(r.ID), f.files[path(was)], 0o644))
			}
		}
		return was + ", now " + r.ID
	}
}

// resum changes a summary and gives it the checksum of its new content.
func resum(change func(*aggregate.Row, *rand.Rand)) func(*folder, *rand.Rand) string {
	return func(f *folder, random *rand.Rand) string {
		path := record.Store{Dir: f.dir}.SummaryPath(copiedSuite)
		s, err := suite.ReadSummary(path)
		f.do(err)
		row := &s.Tables[0].Rows[2+random.IntN(len(s.Tables[0].Rows)-2)] // not the baseline
		change(row, random)
		f.do(s.Write(path))
		return row.Label
	}
}

// redo changes a summary, and makes its checksum and its tables those of the new content.
func redo(change func(*aggregate.Suite, *aggregate.Row)) func(*folder, *rand.Rand) string {
	return func(f *folder, random *rand.Rand) string {
		store := record.Store{Dir: f.dir}
		s, err := suite.ReadSummary(store.SummaryPath(copiedSuite))
		f.do(err)
		row := &s.Tables[0].Rows[2+random.IntN(len(s.Tables[0].Rows)-2)] // not the baseline
		change(s.Suite, row)
		f.do(s.Write(store.SummaryPath(copiedSuite)))
		for _, file := range suite.TableFiles(s.Suite, nil) {
			if file.Text != nil {
				f.do(os.WriteFile(store.TablePath(copiedSuite, file.Ext), file.Content(), 0o644))
			}
		}
		return row.Label
	}
}

func metric(random *rand.Rand) string { return aggregate.Columns[random.IntN(7)] } // all but coverage

var manipulations = []manipulation{
	{"a bit of a record", 14, flip("runs", ".json")},
	{"a bit of ranks", 12, flip("runs", ".gz")},
	{"a bit of a summary", 5, flip("summaries", ".json")},
	{"a bit of a table", 8, flip("tables", "")},
	{"a bit of statistics", 4, flip("datasets", ".json")},
	{"a bit of test cases", 4, flip("datasets", ".gz")},
	{"a bit of an imported record", 3, flip("imported", "")},
	{"a record is renamed", 3, rename("runs", ".json")},
	{"ranks are renamed", 3, rename("runs", ".gz")},
	{"a curve is renamed", 2, rename("curves", "")},
	{"statistics are renamed", 1, rename("datasets", ".json")},
	{"a table is renamed", 2, rename("tables", "")},
	{"a record is missing", 3, remove("runs", ".json")},
	{"ranks are missing", 3, remove("runs", ".gz")},
	{"a curve is missing", 2, remove("curves", "")},
	{"statistics are missing", 1, remove("datasets", ".json")},
	{"test cases are missing", 1, remove("datasets", ".gz")},
	{"a summary is missing", 1, remove("summaries", "")},
	{"a table is missing", 2, remove("tables", "")},
	{"a metric, hashes made right", 6, rewrite(func(r *record.Record, random *rand.Rand) { r.Result.Test.Removed[metric(random)] += 1e-5 })},
	{"the id, in all files", 2, func(f *folder, random *rand.Rand) string {
		r, store := f.record(random), record.Store{Dir: f.dir}
		id := aggregate.Stem(r.ID) + fmt.Sprintf("%08x", random.Uint32())
		for _, path := range []func(string) string{store.RecordPath, store.RanksPath, store.CurvePath} {
			f.do(os.Remove(path(r.ID)))
			f.do(os.WriteFile(path(id), bytes.ReplaceAll(f.files[path(r.ID)], []byte(r.ID), []byte(id)), 0o644))
		}
		return r.ID + ", now " + id
	}},
	{"the fingerprint, id and hashes made right", 3, rewrite(func(r *record.Record, random *rand.Rand) {
		r.Result.Spec.Dataset.Fingerprint = fmt.Sprintf("%064x", random.Uint64())
	})},
	{"a seed is duplicated, id and hashes made right", 4, rewrite(func(r *record.Record, random *rand.Rand) { r.Result.Spec.Seed += 100 + random.Int64N(9) })},
	{"a loss of the curve", 2, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "curves", "")
		f.do(os.WriteFile(path, bytes.Replace(f.files[path], []byte(`"loss":`), []byte(`"loss":1`), 1), 0o644))
		return path
	}},
	{"ranks are swapped", 3, func(f *folder, random *rand.Rand) string {
		a, b := f.one(random, "runs", ".gz"), f.one(random, "runs", ".gz")
		for a == b {
			b = f.one(random, "runs", ".gz")
		}
		f.do(os.WriteFile(a, f.files[b], 0o644))
		f.do(os.WriteFile(b, f.files[a], 0o644))
		return a + " and " + b
	}},
	{"a rank, hashes made right", 2, func(f *folder, random *rand.Rand) string {
		r, store := f.record(random), record.Store{Dir: f.dir}
		kept, removed, _, err := rank.ReadRanks(store.RanksPath(r.ID))
		f.do(err)
		u := random.IntN(len(kept))
		kept[u], removed[u] = kept[u]%100+1, 1
		r.Result.RanksSHA256, err = rank.WriteRanks(store.RanksPath(r.ID), kept, removed)
		f.do(err)
		f.do(store.Write(r))
		return fmt.Sprintf("%s, user %d", r.ID, u)
	}},
	{"a mean of a summary, checksum made right", 2, resum(func(r *aggregate.Row, random *rand.Rand) {
		name := metric(random)
		c := r.Removed.Metrics[name]
		c.Mean += 1e-5
		r.Removed.Metrics[name] = c
	})},
	{"a p-value of a summary, checksum made right", 1, resum(func(r *aggregate.Row, _ *rand.Rand) { r.Kept.Test.PHolm /= 2 })},
	{"an interval of a summary, checksum made right", 1, resum(func(r *aggregate.Row, _ *rand.Rand) { r.Kept.Test.Low += 1e-5 })},
	{"a mark, with its table", 2, redo(func(_ *aggregate.Suite, r *aggregate.Row) {
		c := r.Kept.Metrics["HR@5"]
		c.Best = !c.Best
		r.Kept.Metrics["HR@5"] = c
	})},
	{"a share of an oracle, with its table", 1, redo(func(_ *aggregate.Suite, r *aggregate.Row) { r.Kept.OfOracle = &aggregate.Cell{Mean: 50, N: 1} })},
	{"a metric beyond accuracy, with its table", 1, redo(func(_ *aggregate.Suite, r *aggregate.Row) {
		r.Removed.Beyond = map[string]aggregate.Cell{rank.Gini: {Mean: .5, N: 1}}
	})},
	{"the size of the data, with its table", 1, redo(func(s *aggregate.Suite, _ *aggregate.Row) { s.Datasets[0].ShortUsers++ })},
	{"the number of test users, with its table", 1, redo(func(s *aggregate.Suite, _ *aggregate.Row) { s.Tables[0].Users++ })},
	{"the best proposal, with its table", 1, redo(func(s *aggregate.Suite, r *aggregate.Row) {
		s.Tables[0].Proposed = s.Tables[0].Rows[0].Label
	})},
	{"a bit of an analysis", 3, flip("analysis", "")},
	{"the version of an analysis, checksum made right", 1, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "analysis", ".json")
		var a map[string]any
		f.do(json.Unmarshal(f.files[path], &a))
		delete(a, "sha256")
		a["version"] = 99
		f.do(record.WriteSealed(path, a))
		return path
	}},
	{"a line after a curve that is too long to read", 1, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "curves", "")
		f.do(os.WriteFile(path, append(slices.Clone(f.files[path]), bytes.Repeat([]byte("x"), 1<<17)...), 0o644))
		return path
	}},
	{"a number of a table", 2, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "tables", ".md")
		b := f.files[path]
		i := bytes.LastIndexAny(b, "0123456789")
		f.do(os.WriteFile(path, append(append(slices.Clone(b[:i]), '0'+(b[i]-'0'+1)%10), b[i+1:]...), 0o644))
		return path
	}},
	{"the file of imported lists, checksum made right", 1, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "imported", ".json")
		var m record.Imported
		f.do(json.Unmarshal(f.files[path], &m))
		m.Spec.SHA256 = "5b"
		f.do(record.WriteSealed(path, m))
		return path
	}},
	{"the label of a row, summary's checksum made right", 1, resum(func(row *aggregate.Row, _ *rand.Rand) { row.Label += " (best)" })},
	{"a place on an axis, summary's checksum made right", 1, resum(func(row *aggregate.Row, _ *rand.Rand) {
		row.At = map[string]any{"pretrain.template": "{title} by nobody"}
	})},
	{"the machine of a run, summary's checksum made right", 1, resum(func(row *aggregate.Row, _ *rand.Rand) { row.Runs[0].CPU = "a faster one" })},
	{"a setting of a run, summary's checksum made right", 1, resum(func(row *aggregate.Row, _ *rand.Rand) {
		row.Runs[0].Settings = map[string]any{"heads": 99.}
	})},
	{"imported lists as those of another seed", 1, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "imported", ".json")
		store := record.Store{Dir: f.dir}
		m, err := store.ReadImported(strings.TrimSuffix(filepath.Base(path), ".json"))
		f.do(err)
		m.Spec.Seed, m.Spec.SHA256 = 1, "5b"
		f.do(store.WriteImported(m))
		return m.ID
	}},
	{"another setting than that of the spec, without the hash that covers it", 1, func(f *folder, random *rand.Rand) string {
		store := record.Store{Dir: f.dir}
		for _, path := range slices.Sorted(maps.Keys(f.files)) {
			r, err := store.Read(strings.TrimSuffix(filepath.Base(path), ".json"))
			if filepath.Base(filepath.Dir(path)) != "runs" || err != nil || r.Result.Spec.Params["dropout"] == nil {
				continue
			}
			r.Resolved["params"]["dropout"] = json.RawMessage("0.99")
			f.do(store.Write(r))
			b, err := os.ReadFile(path)
			f.do(err)
			f.do(os.WriteFile(path, regexp.MustCompile(` *"measured_sha256": "[0-9a-f]{64}",\n`).ReplaceAll(b, nil), 0o644))
			return path
		}
		f.t.Fatal("no record has a dropout of its own")
		return ""
	}},
	{"an analysis of an earlier training", 1, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "analysis", ".json")
		var a map[string]any
		f.do(json.Unmarshal(f.files[path], &a))
		a["result_sha256"] = strings.Repeat("0", 64)
		f.do(record.WriteSealed(path, a))
		return path
	}},
	{"an analysis without a checksum", 1, func(f *folder, random *rand.Rand) string {
		path := f.one(random, "analysis", ".json")
		var a map[string]any
		f.do(json.Unmarshal(f.files[path], &a))
		delete(a, "sha256")
		f.do(record.WriteJSON(path, a))
		return path
	}},
	{"an unknown file among the records", 1, func(f *folder, _ *rand.Rand) string {
		f.do(os.WriteFile(filepath.Join(f.dir, "runs", "notes.txt"), nil, 0o644))
		return "notes.txt"
	}},
}

// Every one of a hundred manipulations is found, and the folder without them is sound. The seed
// decides which files, bytes and bits.
func TestManipulations(t *testing.T) {
	f := newFolder(t)
	sound := func() *Report {
		t.Helper()
		r, err := Folder(f.dir, record.Store{Dir: committed})
		f.do(err)
		return r
	}
	if r := sound(); !r.OK || r.Records == 0 || r.Imported != 1 || r.Summaries != 1 {
		t.Fatalf("untouched: %+v", r)
	}
	random := rand.New(rand.NewPCG(21, 0))
	redo(func(*aggregate.Suite, *aggregate.Row) {})(f, random)
	if r := sound(); !r.OK {
		t.Fatalf("with tables that were rendered again: %+v", r.Problems)
	}
	f.restore()
	n := 0
	for _, m := range manipulations {
		for range m.times {
			n++
			what := m.do(f, random)
			if r := sound(); r.OK {
				t.Errorf("%s: %s: not found", m.name, what)
			}
			f.restore()
		}
	}
	if n < 100 {
		t.Errorf("%d manipulations, expected 100", n)
	}
	if r := sound(); !r.OK {
		t.Errorf("restored: %+v", r.Problems)
	}
}

// A run that began with other weights than its source's record has says so, or is a problem.
func TestOtherSource(t *testing.T) {
	for _, c := range []struct {
		weights  string // of the source's record
		from     record.Inherited
		problems int
	}{
		{"a", record.Inherited{ID: "sasrec", Weights: "a"}, 0},
		{"b", record.Inherited{ID: "sasrec", Weights: "a"}, 1},
		{"b", record.Inherited{ID: "sasrec", Weights: "a", Differ: true}, 0},
		{"", record.Inherited{ID: "sasrec", Weights: "a"}, 0},   // older than the hash
		{"b", record.Inherited{ID: "another", Weights: "a"}, 0}, // not in the folder
	} {
		a := auditor{report: &Report{}, records: map[string]*record.Record{
			"sasrec": {ID: "sasrec", Measured: record.Measured{Weights: c.weights}},
			"fame":   {ID: "fame", Measured: record.Measured{Source: &c.from}},
		}}
		a.sources()
		if got := a.report.Problems; len(got) != c.problems || c.problems == 1 && !strings.Contains(got[0].Text, "other weights than sasrec") {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// Files of a run that has a checkpoint, and no record yet, are no problem.
func TestUnfinishedRun(t *testing.T) {
	f := newFolder(t)
	store, id := record.Store{Dir: f.dir}, "beauty-fame-plus-s9-0123abcd"
	files := []string{filepath.Join(f.dir, "curves", id+".jsonl"), filepath.Join(f.dir, "pictures", id+".json.gz"), store.CheckpointPath(id)}
	for _, path := range files {
		f.do(os.MkdirAll(filepath.Dir(path), 0o755))
		f.do(os.WriteFile(path, []byte("x"), 0o644))
	}
	r, err := Folder(f.dir, record.Store{Dir: committed})
	f.do(err)
	if !r.OK {
		t.Errorf("%+v", r.Problems)
	}
	f.do(os.Remove(files[2]))
	r, err = Folder(f.dir, record.Store{Dir: committed})
	f.do(err)
	if len(r.Problems) != 2 {
		t.Errorf("without a checkpoint: %+v", r.Problems)
	}
}

// Trials are as their records, of which a complete one stands for a shorter run, and one with
// cold validation cases decides by these.
func TestTrials(t *testing.T) {
	at := func(v float64) record.Metrics { return record.Metrics{aggregate.Tested: v} }
	whole := &record.Record{ID: "whole", Result: record.Result{Epochs: 30, BestEpoch: 30,
		Curve: []record.Point{{Epoch: 10, Valid: at(.1)}, {Epoch: 20, Valid: at(.3)}, {Epoch: 25, Valid: at(.2)}, {Epoch: 30, Valid: at(.4)}}}}
	cold := &record.Record{ID: "cold", Result: record.Result{Epochs: 5, BestEpoch: 5,
		Curve: []record.Point{{Epoch: 5, Valid: at(.4)}}, ColdValidation: &record.ColdValidation{Cold: at(.05), Usual: at(.4)}}}
	for _, tt := range []struct {
		rung  record.Rung
		sound bool
	}{
		{record.Rung{ID: "whole", Limit: 20, Epochs: 20, Valid: .3}, true},
		{record.Rung{ID: "whole", Limit: 50, Epochs: 30, Valid: .4}, true},
		{record.Rung{ID: "whole", Epochs: 30, Valid: .4}, true},
		{record.Rung{ID: "whole", Limit: 20, Epochs: 30, Valid: .4}, false},
		{record.Rung{ID: "whole", Limit: 20, Epochs: 20, Valid: .4}, false},
		{record.Rung{ID: "whole", Epochs: 30, Valid: .3}, false},
		{record.Rung{ID: "cold", Epochs: 5, Valid: .05, Usual: .4}, true},
		{record.Rung{ID: "cold", Epochs: 5, Valid: .4, Usual: .4}, false},
		{record.Rung{ID: "cold", Epochs: 5, Valid: .05, Usual: .3}, false},
		{record.Rung{ID: "gone", Epochs: 5, Valid: .05}, false},
	} {
		a := auditor{report: &Report{}, records: map[string]*record.Record{"whole": whole, "cold": cold}}
		a.trials("tune.json", []record.Trial{{Model: "sasrec", Rungs: []record.Rung{tt.rung}}})
		if sound := len(a.report.Problems) == 0; sound != tt.sound {
			t.Errorf("%+v: problems %v", tt.rung, a.report.Problems)
		}
	}
}

// A search ranks no test item, so no record says how many test cases its data have: with
// cold_validation, fewer than users. Such files are sound unless they were changed.
func TestDataOfASearch(t *testing.T) {
	f := newFolder(t)
	const cases = "datasets/beauty-cold-start-7ff6614c.leave-one-out.cases.tsv.gz"
	for _, name := range []string{"datasets/beauty-cold-start-7ff6614c.json", cases} {
		b, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(f.dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	problems := func() []Problem {
		r, err := Folder(f.dir, record.Store{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Problems
	}
	if got := problems(); len(got) > 0 {
		t.Errorf("%v", got)
	}
	if err := os.WriteFile(filepath.Join(f.dir, cases), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := problems(); len(got) != 1 || got[0].File != cases || !strings.Contains(got[0].Text, "no record has test users of these data, and they are not sound") {
		t.Errorf("a changed file: %v", got)
	}
}

// The same with a split by shares of the interactions, whose name has a hash.
func TestDataOfASplit(t *testing.T) {
	f := newFolder(t)
	path := filepath.Join(t.TempDir(), plan.FileName)
	if err := os.WriteFile(path, []byte(`
[datasets.world]
format = "facets"
world = { users = 60, items = 40 }
split = "ratio"
[suites.s]
models = ["popularity"]
datasets = ["world"]
`), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := plan.Load(path, nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	todo, err := c.Plan(s, plan.Options{Out: f.dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := todo.WriteData(record.Store{Dir: f.dir}); err != nil {
		t.Fatal(err)
	}
	cases, err := filepath.Glob(filepath.Join(f.dir, "datasets", "world-*.ratio-*.cases.tsv.gz"))
	if err != nil || len(cases) != 1 {
		t.Fatal(cases, err)
	}
	if r, err := Folder(f.dir, record.Store{}); err != nil || len(r.Problems) > 0 {
		t.Errorf("%v, %v", r.Problems, err)
	}
	if err := os.WriteFile(cases[0], []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := Folder(f.dir, record.Store{}); err != nil || len(r.Problems) != 1 {
		t.Errorf("a changed file: %v, %v", r.Problems, err)
	}
}
