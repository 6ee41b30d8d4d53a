package experiment

import (
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"famebench/datasets"

	"famebench/internal/record"
)

// A record from before there was a setting has its default, or what its variant fixes;
// what it tells stays.
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

// A file that was changed has records of both states. Without it, those of the newest
// are reported, whichever id comes first.
func TestNewestRecordedState(t *testing.T) {
	dc := datasets.Config{Name: "mine", Format: "csv", Path: "log.csv", Columns: datasets.Columns{User: "u", Item: "i"}}
	out := t.TempDir()
	store := record.Store{Dir: out}
	if err := store.Make(); err != nil {
		t.Fatal(err)
	}
	var all []*record.Record
	for day, fingerprint := range []string{2: "aaaaaaaaaa", 9: "bbbbbbbbbb", 5: "cccccccccc"} {
		if fingerprint == "" {
			continue
		}
		r := &record.Record{}
		r.Measured.Started = time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
		var err error
		if r.Result.Spec.Dataset, err = datasetSpec("mine", dc, fingerprint); err != nil {
			t.Fatal(err)
		}
		if err := record.WriteJSON(store.DatasetPath("mine", fingerprint), datasets.Stats{Fingerprint: fingerprint}); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	for range all {
		all = append(all[1:], all[0]) // every order
		o := Options{Out: out, Recorded: func() ([]*record.Record, error) { return all, nil }}
		spec, info, err := o.recordedData("mine", dc, fs.ErrNotExist)
		if err != nil || spec.Dataset.Fingerprint != "bbbbbbbbbb" || info.Stats.Fingerprint != "bbbbbbbbbb" {
			t.Errorf("%s, %s, %v; want the data of the newest record", spec.Dataset.Fingerprint, info.Stats.Fingerprint, err)
		}
	}
	o := Options{Out: out, Recorded: func() ([]*record.Record, error) { return all, nil }}
	if err := record.WriteJSON(store.DatasetPath("mine", "bbbbbbbbbb"), datasets.Stats{Users: 5, Fingerprint: "cccccccccc"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.recordedData("mine", dc, fs.ErrNotExist); err == nil || !strings.Contains(err.Error(), "expected those of the data bbbbbbbb, got cccccccc") {
		t.Errorf("error %v, want one about statistics of other data", err)
	}
	dc.KCore = 5 // nothing is recorded of that
	if _, _, err := o.recordedData("mine", dc, fs.ErrNotExist); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that the data is missing", err)
	}
}
