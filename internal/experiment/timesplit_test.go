package experiment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/record"
)

// With split = "time", changed times change the split, although users, items and their
// order stay as they are. The run then has another id, and an old record is not used.
// The values were computed by hand, from the boundaries at 80 % and 90 % of the sorted
// times and training counts before the first.
func TestTimesOfATimeSplitArePartOfTheID(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileName), `
[datasets.mine]
format = "csv"
path = "log.csv"
columns = { user = "user", item = "item", time = "time" }
split = "time"
[suites.t]
models = ["popularity"]
datasets = ["mine"]
`)
	var ids []string
	var jobs []Job
	for _, want := range []struct{ log, removed, kept string }{
		{"time-split-before.csv", "0.3226", "0.1505"},
		{"time-split-after.csv", "0.3023", "0.0000"},
	} {
		log, err := os.ReadFile(filepath.Join("testdata", want.log))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "log.csv"), string(log))
		p, r := tinyPlan(t, dir, "t")
		if o := r.Run(context.Background(), p.Runs)[0]; o.Status != OutcomeDone {
			t.Fatalf("%s: %s %s", want.log, o.Status, o.Reason)
		}
		rec, err := r.Store.Read(p.Runs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		removed, kept := fmt.Sprintf("%.4f", rec.Result.Test.Removed["NDCG@10"]), fmt.Sprintf("%.4f", rec.Result.Test.Kept["NDCG@10"])
		if removed != want.removed || kept != want.kept {
			t.Errorf("%s: NDCG@10 %s removed, %s kept; want %s, %s", want.log, removed, kept, want.removed, want.kept)
		}
		ids, jobs = append(ids, p.Runs[0].ID), append(jobs, p.Runs[0].Job)
	}
	if ids[0] == ids[1] {
		t.Errorf("both splits have id %s", ids[0])
	}
	if a, b := jobs[0].Spec.Dataset.Fingerprint, jobs[1].Spec.Dataset.Fingerprint; a != b {
		t.Errorf("the sequences are equal, but their fingerprints %s and %s differ", a, b)
	}
	// A job that was planned on the first split does not run on the second.
	if _, err := jobs[0].load(&record.Measured{}, newEmitter(os.Stderr)); err == nil || !strings.Contains(err.Error(), "its times changed") {
		t.Errorf("a run on changed times: %v", err)
	}
}

// Leave-one-out needs no hash of its own, so ids made before there was one stay.
func TestLeaveOneOutHasNoSplitHash(t *testing.T) {
	p, _ := tinyPlan(t, tinyFolder(t), "quick")
	if s := p.Runs[0].Job.Spec; s.Dataset.Split != "" || s.Protocol != datasets.LeaveOneOut {
		t.Errorf("split hash %q of a %s split", s.Dataset.Split, s.Protocol)
	}
}
