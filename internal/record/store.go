package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/atomicfile"
)

// Store is a results folder. Any number of processes may share one.
//
//	runs/ID.json             record (immutable)
//	runs/ID.ranks.tsv.gz     test rank of every user
//	runs/ID.failed.json      why the last attempt left no record
//	curves/ID.jsonl          training curve with times
//	pictures/ID.json.gz      held-out items in two dimensions, as the heads of pre-training place them
//	analysis/ID.json         what -analyse found in a trained FAME
//	analysis/SUITE.md, .csv  the table of all of a suite's, for generated data
//	beyond/ID.json           metrics beyond accuracy of a run's lists of ten items
//	imported/ID.json, ID.ranks.tsv.gz
//	                         lists of another program, from -import, and the ranks in them
//	trec/ID.kept.run, ID.removed.run, ID.qrels
//	                         test users' lists for other evaluators, from -trec (not for git)
//	datasets/NAME-HASH.json  statistics of the data
//	datasets/NAME-HASH.SPLIT.cases.tsv.gz
//	                         of every test case: how often its target occurs in training, length of the history
//	summaries/SUITE.json     what is computed from the above for a suite
//	aggregates/SUITE.json    what its summary was made from (not for git)
//	tables/SUITE.md          what is rendered from the summary; also .tex and .csv
//	figures/SUITE/DATASET-KIND.svg, .png
//	costs/SUITE.json         what a suite of kind "cost" with steps has measured
//	index.html               all suites in one page
//	custom/NAME/             summary, tables, figures and page of a plan that is no suite's (not for git)
//	weights/ID.safetensors   best weights (not for git)
//	state/                   checkpoints, locks, logs of workers (not for git)
type Store struct {
	Dir string
	// Notice is called with a message about an unusable file that nothing depends on;
	// nil ignores these.
	Notice func(string)
}

// folders are those that any command that writes may need.
var folders = []string{"runs", "curves", "pictures", "analysis", "datasets", "summaries", "aggregates", "tables", "weights", "state"}

// Paths of the files of a run.
func (s Store) RecordPath(id string) string   { return filepath.Join(s.Dir, "runs", id+".json") }
func (s Store) FailurePath(id string) string  { return filepath.Join(s.Dir, "runs", id+".failed.json") }
func (s Store) RanksPath(id string) string    { return filepath.Join(s.Dir, "runs", id+".ranks.tsv.gz") }
func (s Store) CurvePath(id string) string    { return filepath.Join(s.Dir, "curves", id+".jsonl") }
func (s Store) AnalysisPath(id string) string { return filepath.Join(s.Dir, "analysis", id+".json") }
func (s Store) PicturesPath(id string) string { return filepath.Join(s.Dir, "pictures", id+".json.gz") }
func (s Store) WeightsPath(id string) string {
	return filepath.Join(s.Dir, "weights", id+".safetensors")
}
func (s Store) CheckpointPath(id string) string {
	return filepath.Join(s.Dir, "state", id+".checkpoint")
}
func (s Store) lockPath(id string) string { return filepath.Join(s.Dir, "state", id+".lock") }

// TRECPath is the path of a run's file for other evaluators. kind is "kept.run"
// or "removed.run", the lists under the seen-item rules, or "qrels".
func (s Store) TRECPath(id, kind string) string {
	return filepath.Join(s.Dir, "trec", id+"."+kind)
}

// DatasetPath is the path of the statistics of a data set.
func (s Store) DatasetPath(name, fingerprint string) string {
	return filepath.Join(s.Dir, "datasets", fmt.Sprintf("%s-%.8s.json", name, fingerprint))
}

// SummaryPath is the file of what tables, figures and the page show of a suite, and
// AggregatePath the file of what that was made from.
func (s Store) SummaryPath(suite string) string {
	return filepath.Join(s.SummariesDir(), suite+".json")
}
func (s Store) AggregatePath(suite string) string {
	return filepath.Join(s.Dir, "aggregates", suite+".json")
}

// TablePath is the path of a suite's tables in one format, such as ".md".
func (s Store) TablePath(suite, ext string) string {
	return filepath.Join(s.Dir, "tables", suite+ext)
}

// AnalysesPath is the table of all analyses of a suite.
func (s Store) AnalysesPath(suite, ext string) string {
	return filepath.Join(s.Dir, "analysis", suite+ext)
}

// SummariesDir is the folder of the summaries of all suites, FiguresDir that of the figures
// of one, and PagePath the page of all suites.
func (s Store) SummariesDir() string           { return filepath.Join(s.Dir, "summaries") }
func (s Store) FiguresDir(suite string) string { return filepath.Join(s.Dir, "figures", suite) }
func (s Store) PagePath() string               { return filepath.Join(s.Dir, "index.html") }

// Make creates the folders of the store.
func (s Store) Make() error {
	for _, dir := range folders {
		if err := s.MakeFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// ErrLink is about a folder of the store that is a symbolic link.
var ErrLink = errors.New("it is a symbolic link, expected a folder: files would be replaced in another place; name that place with -out, or mount it")

// MakeFolder creates a folder of the store. The store itself may be a symbolic link,
// which is the user's choice. Within it, nothing is written through a link, because
// others may share the folder.
func (s Store) MakeFolder(dir string) error {
	if err := s.NoLink(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
		return fmt.Errorf("record: results folder: %w", err)
	}
	return nil
}

// NoLink refuses a folder of the store that is a symbolic link.
func (s Store) NoLink(dir string) error {
	path := filepath.Join(s.Dir, dir)
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("record: %s: %w", path, ErrLink)
	}
	return nil
}

// Sweep removes temporary files that killed writers left in the store, if they
// are so old that nobody writes them any more.
func (s Store) Sweep() {
	ours := func(name string) bool {
		return slices.Contains([]string{".html", ".json", ".toml"}, filepath.Ext(name))
	}
	atomicfile.Sweep(s.Dir, atomicfile.Abandoned, ours) // the store may be any folder, such as a home
	figures, _ := filepath.Glob(filepath.Join(globQuote(s.Dir), "figures", "*"))
	for _, dir := range append(figures, s.inside(append([]string{"trec", "beyond", cellsDir, importedDir}, folders...))...) {
		atomicfile.Sweep(dir, atomicfile.Abandoned, nil)
	}
}

// SweepRun removes temporary files of a run that killed writers left. The holder of the
// run's lock calls it. Nobody else writes these files, so their age does not matter.
func (s Store) SweepRun(id string) {
	own := func(name string) bool {
		// The parent of another process's child writes its failure without the
		// lock.
		return strings.HasPrefix(name, id+".") && name != filepath.Base(s.FailurePath(id))
	}
	for _, dir := range s.inside([]string{"runs", "curves", "pictures", "beyond", "state", "weights"}) {
		atomicfile.Sweep(dir, 0, own)
	}
}

func (s Store) inside(folders []string) (paths []string) {
	for _, dir := range folders {
		paths = append(paths, filepath.Join(s.Dir, dir))
	}
	return paths
}

// Write stores a record, fills in its id and hash, and removes the failure of an
// earlier attempt. The run's ranks must already be on disk, so that every
// existing record is complete.
func (s Store) Write(r *Record) (err error) {
	if r.ID, err = r.Result.Spec.ID(); err != nil {
		return err
	}
	if r.ResultSHA256, err = r.Result.Hash(); err != nil {
		return fmt.Errorf("record: %s: %w", r.ID, err)
	}
	if r.MeasuredSHA256, err = hash(measuredPart{r.Measured, r.Resolved}); err != nil {
		return fmt.Errorf("record: %s: %w", r.ID, err)
	}
	if err := WriteJSON(s.RecordPath(r.ID), r); err != nil {
		return err
	}
	return s.ClearFailure(r.ID)
}

// measuredPart is what MeasuredSHA256 hashes; the types are those of a record, or
// of raw JSON.
type measuredPart struct {
	Measured any `json:"measured"`
	Resolved any `json:"resolved"`
}

// Read returns the record of a run. Without one the error is fs.ErrNotExist. A record
// is refused if its result does not have its hash, if its spec does not have its id,
// or if it has content that no run writes (see check).
func (s Store) Read(id string) (*Record, error) {
	if err := CheckID(id); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	path := s.RecordPath(id)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var r Record
	var raw struct {
		Result   json.RawMessage `json:"result"`
		Measured json.RawMessage `json:"measured"`
		Resolved json.RawMessage `json:"resolved"`
	}
	if err := errors.Join(json.Unmarshal(b, &r), json.Unmarshal(b, &raw)); err != nil {
		return nil, fmt.Errorf("record: %s: %w; delete the file to run it again", path, err)
	}
	// The raw JSON is hashed, not the struct: fields that only a newer build
	// knows must not make its records look damaged.
	sum, err := hash(raw.Result)
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w; delete the file to run it again", path, err)
	}
	if r.ID != id && sum == r.ResultSHA256 {
		return nil, fmt.Errorf("record: %s is the record of %.99q: its name was changed; restore it, or delete the file", path, r.ID)
	}
	if r.ID != id || sum != r.ResultSHA256 {
		return nil, fmt.Errorf("record: %s was changed after it was written (id %.99q, its result hashes to %.8s, not %.8q); restore it, or delete it to run it again",
			path, r.ID, sum, r.ResultSHA256)
	}
	if r.MeasuredSHA256 != "" {
		sum, err := hash(measuredPart{raw.Measured, raw.Resolved})
		if err != nil || sum != r.MeasuredSHA256 {
			return nil, fmt.Errorf("record: %s was changed after it was written (what was measured hashes to %.8s, not %.8q); restore it, or delete it to run it again", path, sum, r.MeasuredSHA256)
		}
	}
	if err := r.check(raw.Result); err != nil {
		return nil, fmt.Errorf("record: %s: %w; restore the file, or delete it to run it again", path, err)
	}
	return &r, nil
}

// RemoveRecord removes the record of a run, if there is one, and keeps its other files.
func (s Store) RemoveRecord(id string) error {
	return remove(s.RecordPath(id))
}

// remove removes a file if it exists.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// IDs lists the runs that have records, sorted.
func (s Store) IDs() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(globQuote(s.Dir), "runs", "*.json"))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, p := range paths {
		if id := strings.TrimSuffix(filepath.Base(p), ".json"); !strings.HasSuffix(id, ".failed") && CheckID(id) == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// globQuote escapes the characters of a pattern in a folder's name.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// WriteFailure records why an attempt at a run left no record.
func (s Store) WriteFailure(f Failure) error { return WriteJSON(s.FailurePath(f.ID), f) }

// ReadFailure returns the last failure of a run, nil if there is none. A damaged file,
// or one about another run, is set aside with a notice, because only the reason of a
// failure is lost.
func (s Store) ReadFailure(id string) (*Failure, error) {
	path := s.FailurePath(id)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var f Failure
	if err = json.Unmarshal(b, &f); err == nil && f.ID != id {
		err = fmt.Errorf("expected the id %q, got %.99q", id, f.ID)
	}
	if err == nil {
		return &f, nil
	}
	aside := path + ".damaged"
	text := fmt.Sprintf("%s does not say why the run failed: %v", path, err)
	if err := os.Rename(path, aside); err != nil {
		text += fmt.Sprintf("; it cannot be set aside (%v): delete it", err)
	} else {
		text += "; it is kept as " + filepath.Base(aside)
	}
	if s.Notice != nil {
		s.Notice(text)
	}
	return nil, nil
}

// ClearFailure forgets the failure of a run, if there is one.
func (s Store) ClearFailure(id string) error { return remove(s.FailurePath(id)) }
