package plan

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

// A record that is older than a setting has its default, or the value that its variant
// fixes. Its recorded values do not change, and a setting that is gone is left out.
func TestComplete(t *testing.T) {
	r := &record.Record{Resolved: map[string]record.Settings{"params": {"hidden": []byte("8")}, "train": {}, "pretrain": {"unescape": []byte("true")}}}
	r.Result.Spec.Model, r.Result.Spec.Init = "fame-plus-pca", &record.Init{}
	if err := Complete(r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ section, key, value string }{
		{"params", "hidden", "8"}, {"params", "experts", "4"}, {"train", "epochs", "200"}, {"pretrain", "scale", "1"}, {"pretrain", "start", `"pca"`},
	} {
		if got := string(r.Resolved[want.section][want.key]); got != want.value {
			t.Errorf("%s.%s = %s, want %s", want.section, want.key, got, want.value)
		}
	}
	if _, ok := r.Resolved["pretrain"]["unescape"]; ok {
		t.Error("a setting that is gone is still there")
	}
	for _, model := range []string{"popularity", "somebody's"} {
		r := &record.Record{}
		r.Result.Spec.Model = model
		if err := Complete(r); err != nil || !reflect.DeepEqual(r.Resolved, map[string]record.Settings(nil)) {
			t.Errorf("%s: %v, %v", model, r.Resolved, err)
		}
	}
}

// A changed file has records of both states. Without the file, those of the newest
// state are reported, whichever id comes first.
func TestNewestRecordedState(t *testing.T) {
	var all []*record.Record
	for _, r := range []struct {
		day         int
		fingerprint string
	}{{2, "a"}, {9, "b"}, {5, "c"}} {
		made := &record.Record{}
		made.Measured.Started = time.Date(2026, 1, r.day, 0, 0, 0, 0, time.UTC)
		made.Result.Spec.Dataset.Fingerprint = r.fingerprint
		all = append(all, made)
	}
	any := func(record.Spec) bool { return true }
	for range all {
		all = append(all[1:], all[0]) // every order
		o := Options{Recorded: func() ([]*record.Record, error) { return all, nil }}
		if got, err := o.lastRecorded(any); err != nil || got == nil || got.Dataset.Fingerprint != "b" {
			t.Errorf("%+v, %v; want the newest record's", got, err)
		}
		if got, err := o.lastRecorded(func(s record.Spec) bool { return s.Dataset.Fingerprint != "b" }); err != nil || got == nil || got.Dataset.Fingerprint != "c" {
			t.Errorf("%+v, %v; want the newest of those that fit", got, err)
		}
		if got, err := o.lastRecorded(func(record.Spec) bool { return false }); err != nil || got != nil {
			t.Errorf("%+v, %v; want none", got, err)
		}
	}
	if got, err := (Options{}).lastRecorded(any); err != nil || got != nil {
		t.Errorf("%+v, %v; want none where records are not to be used", got, err)
	}
}

// A report without a record of a model with texts says that its runs are missing, and is the
// same with and without the encoder. With a record, a report takes what the record says; a
// plan of runs skips the model.
func TestReportIsTheSameWithoutTheEncoder(t *testing.T) {
	dir, encoder := textsFolder(t)
	nowhere := filepath.Join(dir, "nowhere")
	planned := func(encoder string, records ...*record.Record) (ids []string, skipped int) {
		t.Helper()
		o := Options{Threads: 1, Out: t.TempDir(), Recorded: func() ([]*record.Record, error) { return records, nil }}
		p, err := planWith(dir, "text", o, "pretrain.encoder="+encoder)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Runs {
			ids = append(ids, r.ID)
		}
		return ids, len(p.Skipped)
	}
	with, skipped := planned(encoder)
	without, skippedWithout := planned(nowhere)
	if len(with) != 2 || skipped+skippedWithout != 0 || !slices.Equal(with, without) {
		t.Errorf("no records: runs %q with an encoder, %q without; %d and %d skipped", with, without, skipped, skippedWithout)
	}

	todo := mustPlan(t, dir, "text", "pretrain.encoder="+encoder)
	made := &record.Record{}
	made.Result.Spec = todo.Runs[1].Job.Spec
	if made.Result.Spec.Init == nil || made.Result.Spec.Init.Texts == "" {
		t.Fatalf("%+v", made.Result.Spec)
	}
	for _, enc := range []string{encoder, nowhere} {
		if ids, skipped := planned(enc, made); skipped != 0 || !slices.Equal(ids, []string{todo.Runs[0].ID, todo.Runs[1].ID}) {
			t.Errorf("%s: runs %q, %d skipped; want the recorded run %s", enc, ids, skipped, todo.Runs[1].ID)
		}
	}
	if p := mustPlan(t, dir, "text", "pretrain.encoder="+nowhere); len(p.Runs) != 1 || len(p.Skipped) != 1 {
		t.Errorf("runs to do without an encoder: %d, skipped %+v", len(p.Runs), p.Skipped)
	}
}

// A source is recorded as trained, and the rule for untrained items that its settings have reads no
// file: without the encoder, the texts of its record are found all the same.
func TestRecordedTextsOfASource(t *testing.T) {
	dir, encoder := textsFolder(t)
	sets := []string{`suites.text.models=["fame-plus-warm"]`, `pretrain.untrained_items="nearest"`}
	todo := mustPlan(t, dir, "text", append(sets, "pretrain.encoder="+encoder)...)
	var records []*record.Record
	for _, r := range todo.Runs {
		made := &record.Record{}
		made.Result.Spec = r.Job.Spec
		records = append(records, made)
	}
	o := Options{Threads: 1, Out: t.TempDir(), Recorded: func() ([]*record.Record, error) { return records, nil }}
	for _, enc := range []string{encoder, filepath.Join(dir, "nowhere")} {
		p, err := planWith(dir, "text", o, append(sets, "pretrain.encoder="+enc)...)
		if err != nil || len(todo.Runs) != 2 || len(p.Runs) != 2 {
			t.Fatalf("%v: %+v", err, p)
		}
		for i, r := range p.Runs {
			if r.ID != todo.Runs[i].ID {
				t.Errorf("%s: run %s, expected the recorded %s", enc, r.ID, todo.Runs[i].ID)
			}
		}
	}
}

// The committed statistics, the older of which have no checksum, are accepted. Without a checksum, a
// number that contradicts the others is refused; with one, any changed number is.
func TestStatisticsAreChecked(t *testing.T) {
	paths, err := filepath.Glob("../../results/datasets/*.json")
	if err != nil || len(paths) < 4 {
		t.Fatalf("%q, %v", paths, err)
	}
	unsealed := 0
	for _, path := range paths {
		var s datasets.Stats
		whole, err := record.ReadSealed(path, &s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadStats(path, s.Name, s.Fingerprint); err != nil {
			t.Error(err)
		}
		if whole { // with a checksum
			continue
		}
		unsealed++
		if _, err := ReadStats(path, "another", s.Fingerprint); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("another data set's: %v", err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "stats.json")
		for _, key := range []string{"users", "items", "interactions", "density", "avg_length", "tied_share"} {
			tinytest.Write(t, copied, regexp.MustCompile(`"`+key+`": [0-9.]+`).ReplaceAllString(string(text), `"`+key+`": 3`))
			if _, err := ReadStats(copied, s.Name, s.Fingerprint); err == nil || !strings.Contains(err.Error(), copied) {
				t.Errorf("%s of %s is 3: %v", key, path, err)
			}
		}
		if err := record.WriteSealed(copied, s); err != nil {
			t.Fatal(err)
		}
		sealed, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		tinytest.Write(t, copied, strings.Replace(string(sealed), `"max_length": `, `"max_length": 1`, 1))
		if _, err := ReadStats(copied, s.Name, s.Fingerprint); err == nil || !strings.Contains(err.Error(), "was changed after it was written") {
			t.Errorf("an edited checksummed file: %v", err)
		}
	}
	if unsealed < 4 {
		t.Errorf("%d files without a checksum, expected the 4 that are committed or more", unsealed)
	}
}

func TestTunedValuesAreChecked(t *testing.T) {
	body := "# Written by bench -suite tune\n[models.sasrec]\nheads = 2\n"
	sealed := tunedSum + tunedHash([]byte(body)) + "\n" + body
	for text, ok := range map[string]bool{
		body: true, sealed: true, "": true, // an older file, ours, none
		strings.Replace(sealed, "= 2", "= 4", 1): false, sealed[:len(sealed)-3]: false, tunedSum + "\n" + body: false, tunedSum: false,
	} {
		if err := CheckTuned("tune.toml", []byte(text)); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "tune.toml") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCasesByHand(t *testing.T) {
	s := &datasets.Split{Data: &datasets.Dataset{NumItems: 3, UserIDs: []string{"a", "b"}}, Kind: datasets.LeaveOneOut, Train: [][]int32{{1, 2, 1}, {1}},
		Valid: []datasets.Case{{User: 0, History: []int32{1, 2, 1}, Target: 3}},
		Test:  []datasets.Case{{User: 0, History: []int32{1, 2, 1, 3}, Target: 1}, {User: 1, History: []int32{1}, Target: 3}}}
	d := record.Dataset{Name: "hand", Fingerprint: "ab"}
	want := &record.Cases{Dataset: d, Protocol: "leave-one-out", Training: []int32{3, 0}, History: []int32{4, 1}}
	if got := newCases(d, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// Sequences 1 and 2 are of one user.
	s.Data.UserIDs = []string{"a", "b", "b"}
	s.Test = append(s.Test, datasets.Case{User: 2, History: []int32{2}, Target: 1})
	want = &record.Cases{Dataset: d, Protocol: "leave-one-out", Training: []int32{3, 0, 3}, History: []int32{4, 1, 1}, Users: []int32{0, 1, 1}}
	if got := newCases(d, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The committed test cases are those of the data that are here. Those of all data fit the
// statistics: a history of leave-one-out is a whole sequence without its last item.
func TestCommittedCases(t *testing.T) {
	store := record.Store{Dir: "../../results"}
	c, err := Load("../../experiments.toml", nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("../../results/datasets/*.json")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%q, %v", paths, err)
	}
	compared := 0
	for _, path := range paths {
		var s datasets.Stats
		if _, err := record.ReadSealed(path, &s); err != nil {
			t.Fatal(err)
		}
		dc, err := c.Dataset(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		_, _, info, err := c.open(s.Name, dc, Options{})
		here := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		cases := s.Users
		if here { // users whose last item is one of cold_validation have no test case
			cases = len(info.cases.History)
		}
		if cases != s.Users && dc.ColdValidation == 0 {
			t.Errorf("%s: %d users have %d test cases", s.Name, s.Users, cases)
		}
		got, err := store.ReadCases(record.Dataset{Name: s.Name, Fingerprint: s.Fingerprint}, datasets.LeaveOneOut, cases)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, n := range got.History {
			sum += int(n)
		}
		if want := s.Interactions - s.Users; cases == s.Users && sum != want || s.ShortUsers > 0 {
			t.Errorf("%s: histories of %d items in all, want %d", path, sum, want)
		}
		if !here {
			continue
		}
		compared++
		if !slices.Equal(got.Training, info.cases.Training) || !slices.Equal(got.History, info.cases.History) {
			t.Errorf("%s: the committed test cases are not those of the data", s.Name)
		}
	}
	if compared < 4 {
		t.Errorf("%d data sets were compared, want the 4 that are embedded", compared)
	}
}
