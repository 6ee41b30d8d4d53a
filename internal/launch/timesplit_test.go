package launch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

// With split = "time", changed times change the split, although users, items and their
// order do not change. The run then has another id, and an old record is not used. The
// values were computed by hand, from the boundaries at 80 % and 90 % of the sorted
// times and training counts before the first.
func TestTimesOfATimeSplitArePartOfTheID(t *testing.T) {
	dir := t.TempDir()
	tinytest.Write(t, filepath.Join(dir, plan.FileName), `
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
	var jobs []plan.Job
	var first *record.Record
	for _, want := range []struct{ log, removed, kept string }{
		{"time-split-before.csv", "0.3226", "0.1505"},
		{"time-split-after.csv", "0.3023", "0.0000"},
	} {
		log, err := os.ReadFile(filepath.Join("testdata", want.log))
		if err != nil {
			t.Fatal(err)
		}
		tinytest.Write(t, filepath.Join(dir, "log.csv"), string(log))
		p, r := tinyPlan(t, dir, "t")
		if o := r.Run(context.Background(), p.Runs)[0]; o.Status != OutcomeDone {
			t.Fatalf("%s: %s %s", want.log, o.Status, o.Reason)
		}
		rec, err := r.Store.Read(p.Runs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		first = cmp.Or(first, rec)
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
	if err := run.WithScorer(first, jobs[0], tinytest.Entries, nil); err == nil || !strings.Contains(err.Error(), "the data changed") {
		t.Errorf("a run on changed times: %v", err)
	}
}
