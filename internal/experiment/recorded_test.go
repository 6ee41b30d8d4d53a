package experiment

import (
	"reflect"
	"testing"

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
