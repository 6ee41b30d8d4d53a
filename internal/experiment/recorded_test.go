package experiment

import (
	"reflect"
	"testing"
	"time"

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
