package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
//	pictures/ID.json.gz      what the heads of a start from texts make of held-out items
//	analysis/ID.json         what a trained FAME does, where that was asked for
//	trec/ID.kept.run, ID.removed.run, ID.qrels
//	                         test users' lists for other evaluators, where that was asked for (not for git)
//	datasets/NAME-HASH.json  statistics of the data
//	aggregates/SUITE.json    what is computed from the above for a suite (not for git)
//	tables/SUITE.md          what is rendered from that; also .tex and .csv
//	figures/SUITE/DATASET-KIND.svg, .png
//	index.html               all suites in one page
//	weights/ID.safetensors   best weights (not for git)
//	state/                   checkpoints and locks (not for git)
type Store struct{ Dir string }

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

// TRECPath is where the file of a run for other evaluators lies: kind is
// "kept.run" or "removed.run", the lists under the seen-item rules, or "qrels".
func (s Store) TRECPath(id, kind string) string {
	return filepath.Join(s.Dir, "trec", id+"."+kind)
}

// DatasetPath is where the statistics of a data set lie.
func (s Store) DatasetPath(name, fingerprint string) string {
	return filepath.Join(s.Dir, "datasets", fmt.Sprintf("%s-%.8s.json", name, fingerprint))
}

// AggregatePath is where lies what tables and plots of a suite are rendered from.
func (s Store) AggregatePath(suite string) string {
	return filepath.Join(s.Dir, "aggregates", suite+".json")
}

// TablePath is where the tables of a suite lie in one format, such as ".md".
func (s Store) TablePath(suite, ext string) string {
	return filepath.Join(s.Dir, "tables", suite+ext)
}

// AggregatesDir is where what is shown of each suite lies, FiguresDir where the
// figures of a suite lie, and PagePath where the page of all suites is.
func (s Store) AggregatesDir() string          { return filepath.Join(s.Dir, "aggregates") }
func (s Store) FiguresDir(suite string) string { return filepath.Join(s.Dir, "figures", suite) }
func (s Store) PagePath() string               { return filepath.Join(s.Dir, "index.html") }

// Make creates the folders of the store.
func (s Store) Make() error {
	for _, dir := range []string{"runs", "curves", "pictures", "analysis", "datasets", "aggregates", "tables", "weights", "state"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
			return fmt.Errorf("record: results folder: %w", err)
		}
	}
	return nil
}

// Write stores a record, filling in its id and hash, and clears what a failed
// attempt left. The run's ranks must be on disk already: a record that exists is
// complete.
func (s Store) Write(r *Record) (err error) {
	if r.ID, err = r.Result.Spec.ID(); err != nil {
		return err
	}
	if r.ResultSHA256, err = r.Result.Hash(); err != nil {
		return fmt.Errorf("record: %s: %w", r.ID, err)
	}
	if err := WriteJSON(s.RecordPath(r.ID), r); err != nil {
		return err
	}
	return s.clearFailure(r.ID)
}

// Read returns the record of a run. Without one the error is fs.ErrNotExist; a
// record whose result does not have the hash that it states is refused.
func (s Store) Read(id string) (*Record, error) {
	path := s.RecordPath(id)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var r Record
	var raw struct {
		Result json.RawMessage `json:"result"`
	}
	if err := errors.Join(json.Unmarshal(b, &r), json.Unmarshal(b, &raw)); err != nil {
		return nil, fmt.Errorf("record: %s: %w; delete the file to run it again", path, err)
	}
	// The raw JSON is hashed, not the struct: fields that only a newer build
	// knows must not make its records look damaged.
	sum, err := hash(raw.Result)
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w", path, err)
	}
	if r.ID != id || sum != r.ResultSHA256 {
		return nil, fmt.Errorf("record: %s was changed after it was written (id %s, its result hashes to %.8s, not %.8s); restore it, or delete it to run it again",
			path, r.ID, sum, r.ResultSHA256)
	}
	return &r, nil
}

// RemoveRecord removes the record of a run, if there is one, and keeps its other files.
func (s Store) RemoveRecord(id string) error {
	if err := os.Remove(s.RecordPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
		if id := strings.TrimSuffix(filepath.Base(p), ".json"); !strings.HasSuffix(id, ".failed") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// globQuote escapes what would be a pattern in a folder's name.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// WriteFailure records why an attempt at a run left no record.
func (s Store) WriteFailure(f Failure) error { return WriteJSON(s.FailurePath(f.ID), f) }

// ReadFailure returns the last failure of a run, nil if there is none.
func (s Store) ReadFailure(id string) (*Failure, error) {
	b, err := os.ReadFile(s.FailurePath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var f Failure
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w", s.FailurePath(id), err)
	}
	return &f, nil
}

func (s Store) clearFailure(id string) error {
	if err := os.Remove(s.FailurePath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// WriteJSON writes v to a file at once and completely, as readable JSON with
// sorted keys.
func WriteJSON(path string, v any) error {
	b, err := Canonical(v)
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(pretty(bytes.TrimSpace(b)))
		return err
	})
}
