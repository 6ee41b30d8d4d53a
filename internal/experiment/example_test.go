package experiment

import (
	"context"
	"os"
	"strings"
	"testing"

	"famebench/internal/example"
	"famebench/internal/record"
	"famebench/internal/train"
)

// exampleEntry is the registry's line in docs/adding-a-model.md.
var exampleEntry = Entry{Name: "fism", Summary: "mean of the history's factors (Kabbur et al. 2013)", Version: 1,
	Defaults: example.FISMDefaults(), Objectives: []string{train.AllPositions, train.Prefix}, Neural: neural(example.NewFISM)}

// The model that the page on adding models shows learns through the whole harness.
func TestExampleModel(t *testing.T) {
	p, r := tinyPlan(t, tinyFolder(t), "example")
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

// The page shows the file that is tested, but for its package, and the line.
func TestExampleIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/adding-a-model.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("../example/fism.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(code), "\npackage example\n")
	if body == "" || !strings.Contains(string(page), "```go\npackage baselines\n"+body+"```") {
		t.Error("docs/adding-a-model.md does not show internal/example/fism.go")
	}
	test, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(test), "\nvar exampleEntry = Entry")
	line, _, _ = strings.Cut(line, "\n\n")
	line = strings.ReplaceAll(line, "example.", "baselines.")
	if !strings.Contains(string(page), "```go\n"+line+",\n```") {
		t.Errorf("docs/adding-a-model.md does not show the line\n%s", line)
	}
}

// The page on models names every one.
func TestModelsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/models.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range Registry {
		if !strings.Contains(string(page), "`"+e.Name+"`") {
			t.Errorf("docs/models.md does not describe `%s`: add it there", e.Name)
		}
	}
}
