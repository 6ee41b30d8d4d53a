package launch

import (
	"context"
	"testing"

	"famebench/internal/record"
	"famebench/internal/tinytest"
)

// The model of docs/adding-a-model.md learns when it is trained through the whole
// harness.
func TestExampleModel(t *testing.T) {
	p, r := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "example")
	outcomes := r.Run(context.Background(), p.Runs)
	if got := statuses(outcomes); got != "fism done" {
		t.Fatalf("%s: %s", got, outcomes[0].Reason)
	}
	rec, err := r.Store.Read(p.Runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if string(rec.Result.Spec.Params["dropout"]) != "0.1" || len(rec.Result.Spec.Params) != 1 {
		t.Errorf("the record's settings are %v", rec.Result.Spec.Params)
	}
	curve := rec.Result.Curve
	if len(curve) != 40 || rec.Result.Status != record.Epochs {
		t.Fatalf("%d epochs, ended by %s", len(curve), rec.Result.Status)
	}
	if first, last := curve[0].Loss, curve[len(curve)-1].Loss; last > first-.3 {
		t.Errorf("loss from %v to %v: it did not learn", first, last)
	}
	if curve[0].Uniformity >= 0 {
		t.Errorf("uniformity %v", curve[0].Uniformity)
	}
}
