package plan

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/tinytest"
)

// A record that is older than a setting has its default, or the value that its variant
// fixes. Its recorded values do not change.
func TestComplete(t *testing.T) {
	r := &record.Record{Resolved: map[string]record.Settings{"params": {"hidden": []byte("8")}, "train": {}}}
	r.Result.Spec.Model, r.Result.Spec.Start = "fame-plus-pca", &record.Start{}
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

// The committed statistics, which have no checksum, are accepted. Without a checksum, a
// number that contradicts the others is refused; with one, any changed number is.
func TestStatisticsAreChecked(t *testing.T) {
	paths, err := filepath.Glob("../../results/datasets/*.json")
	if err != nil || len(paths) < 4 {
		t.Fatalf("%q, %v", paths, err)
	}
	for _, path := range paths {
		var s datasets.Stats
		if whole, err := record.ReadSealed(path, &s); err != nil || whole {
			t.Fatalf("%s: %v, %v", path, whole, err)
		}
		if _, err := ReadStats(path, s.Name, s.Fingerprint); err != nil {
			t.Error(err)
		}
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
}

func TestTunedValuesAreChecked(t *testing.T) {
	body := "# Written by bench -suite tune\n[models.sasrec]\nheads = 2\n"
	sealed := tunedSum + tunedHash([]byte(body)) + "\n" + body
	for text, ok := range map[string]bool{
		body: true, sealed: true, "": true, // an older file, ours, none
		strings.Replace(sealed, "= 2", "= 4", 1): false, sealed[:len(sealed)-3]: false, tunedSum + "\n" + body: false, tunedSum: false,
	} {
		if err := checkTuned("tune.toml", []byte(text)); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "tune.toml") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
