package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"famebench/internal/analysis"
	"famebench/internal/record"
)

// ofRuns finds files that belong to no record, and checks pictures.
func (a *auditor) ofRuns() error {
	for _, kind := range []struct{ folder, end string }{{"curves", ".jsonl"}, {"analysis", ".json"}, {"pictures", ".json.gz"}, {"beyond", ".json"}} {
		names, err := a.files(kind.folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			path := filepath.Join(a.store.Dir, kind.folder, name)
			id, ok := strings.CutSuffix(name, kind.end)
			if suite, found := ofSuite(name); found && kind.folder == "analysis" {
				if _, err := os.Lstat(a.store.SummaryPath(suite)); err != nil {
					a.problem(path, "there is no summary of suite %s", suite)
				}
				continue
			}
			if _, err := os.Lstat(a.store.CheckpointPath(id)); ok && err == nil && (kind.folder == "curves" || kind.folder == "pictures") && record.CheckID(id) == nil {
				a.note("%s is not finished", id)
				continue
			}
			if _, err := os.Lstat(a.store.RecordPath(id)); !ok || record.CheckID(id) != nil || err != nil {
				a.problem(path, "there is no record %s.json of this file", id)
				continue
			}
			r := a.records[id]
			if r == nil {
				continue
			}
			switch kind.folder {
			case "pictures":
				_, err = a.store.ReadPictures(r)
			case "beyond":
				_, err = a.store.ReadBeyond(r)
			case "analysis":
				var of struct {
					ID           string `json:"id"`
					Version      int    `json:"version"`
					ResultSHA256 string `json:"result_sha256"`
				}
				sealed := false
				sealed, err = record.ReadSealed(path, &of)
				switch version := cmp.Or(of.Version, 1); {
				case err != nil:
				case !sealed:
					err = errors.New("it has no checksum: -analyse makes it again")
				case of.ID != id:
					err = fmt.Errorf("it is the analysis of %.80q", of.ID)
				case version != analysis.Version:
					err = fmt.Errorf("it is of version %d of the analysis, whose numbers mean something else than those of version %d: -analyse makes it again", version, analysis.Version)
				case of.ResultSHA256 != r.ResultSHA256:
					err = errors.New("it is of an earlier training of this run: -analyse makes it again")
				}
			}
			if err != nil {
				a.problem(path, "%v", err)
			}
		}
	}
	return nil
}

// ofSuite tells the tables of all analyses of a suite from the analyses of single runs.
func ofSuite(name string) (suite string, ok bool) {
	for _, end := range []string{".md", ".csv"} {
		if suite, ok = strings.CutSuffix(name, end); ok {
			return suite, true
		}
	}
	return "", false
}

// curve compares the file of a training curve with the record, which has no times.
func (a *auditor) curve(r *record.Record) {
	path := a.store.CurvePath(r.ID)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if len(r.Result.Curve) > 0 {
			a.problem(path, "missing: %s was trained, so it has a curve", r.ID)
		}
		return
	case err != nil:
		a.problem(path, "%v", err)
		return
	}
	n := 0
	lines := bufio.NewScanner(bytes.NewReader(b))
	for ; lines.Scan(); n++ {
		var p record.Point
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			a.problem(path, "line %d: %v", n+1, err)
			return
		}
		if n >= len(r.Result.Curve) || !reflect.DeepEqual(p, r.Result.Curve[n]) {
			a.problem(path, "line %d: it is not point %d of the record's curve", n+1, n+1)
			return
		}
	}
	if err := lines.Err(); err != nil {
		a.problem(path, "line %d: %v", n+1, err)
	} else if n != len(r.Result.Curve) {
		a.problem(path, "expected %d epochs, as in the record, got %d", len(r.Result.Curve), n)
	}
}
