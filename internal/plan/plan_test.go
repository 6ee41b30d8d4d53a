package plan

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

// TestPlan pins the ids of a tiny data set. An id that changes orphans records:
// only a raised train.Version or rank.Version is a reason to pin new ones.
func TestPlan(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	for _, tt := range []struct {
		suite string
		sets  []string
		want  string
	}{
		{"quick", nil, "tiny-popularity-s0-bb64152b tiny-markov-s0-024a77f3"},
		{"neural", nil, "tiny-sasrec-s0-8f3ad67e tiny-sasrec-s1-788da552"},
		{"neural", []string{"suites.neural.seeds=[1]"}, "tiny-sasrec-s1-788da552"},
		// When a run stops or saves does not change what it computes.
		{"neural", []string{"train.time_limit=9", "train.checkpoint_every=5"}, "tiny-sasrec-s0-8f3ad67e tiny-sasrec-s1-788da552"},
		// A value that is set to the default is the default.
		{"neural", []string{"sasrec.heads=2", "train.patience=10"}, "tiny-sasrec-s0-8f3ad67e tiny-sasrec-s1-788da552"},
		// A non-neural baseline has one seed, because it uses no random
		// numbers.
		{"quick", []string{"suites.quick.seeds=[3, 4]", "suites.quick.models=[\"popularity\"]"}, "tiny-popularity-s3-aaf2cf07"},
	} {
		p, _ := planTiny(t, dir, tt.suite, tt.sets...)
		var ids []string
		for _, r := range p.Runs {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%s %v: got %s\nwant %s", tt.suite, tt.sets, got, tt.want)
		}
	}
}

func TestCostPlanAddsThePapersBatch(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, _ := planTiny(t, dir, "neural", "suites.neural.kind=cost")
	var batches []string
	for _, r := range p.Runs {
		batches = append(batches, string(r.Job.Spec.Train["batch_targets"]))
	}
	if got := strings.Join(batches, " "); got != "16 256" {
		t.Errorf("batches %s, want 16 256 for the first seed only", got)
	}
}

func TestTimeLimitedRecordIsDoneUntilThereIsMoreTime(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, store := planTiny(t, dir, "neural")
	rec := &record.Record{Result: record.Result{Spec: p.Runs[0].Job.Spec, Status: record.Time}, Measured: record.Measured{TimeLimit: 10}}
	if err := store.Write(rec); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string]string{"5": StateTime, "10": StateTime, "11": StateToRun, "0": StateToRun} {
		p, _ := planTiny(t, dir, "neural", "train.time_limit="+limit)
		if st, err := p.Runs[0].State(store); err != nil || st.Status != want {
			t.Errorf("limit %s: %+v, %v; want %s", limit, st, err, want)
		}
	}
}

// While a model has uncommitted changes, its records of other code are not used;
// those of other models are. A model that begins with its weights belongs to it.
func TestUncommittedChangesOfAModel(t *testing.T) {
	dir := t.TempDir()
	tinytest.Write(t, filepath.Join(dir, FileName), `
[datasets.d]
format = "csv"
path = "d.csv"
columns = { user = "u", item = "i" }
[suites.s]
models = ["sasrec", "duorec", "fame", "fame-warm"]
datasets = ["d"]
`)
	tinytest.Write(t, filepath.Join(dir, "d.csv"), "u,i\n1,a\n1,b\n1,c\n2,a\n2,c\n2,b\n")
	c, err := Load(filepath.Join(dir, FileName), nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		changed  []string
		again    string
		reported []string
	}{
		{nil, "", nil},
		{[]string{"README.md", "models/fame_test.go"}, "", nil},
		{[]string{"baselines/sasrec.go"}, "sasrec duorec fame-warm", []string{"baselines/sasrec.go"}},
		{[]string{"tools/famebench/models/fame.go"}, "fame fame-warm", []string{"models/fame.go"}},
		{[]string{"internal/train/fit.go"}, "sasrec duorec fame fame-warm", []string{"internal/train/fit.go"}},
	} {
		p, err := c.Plan(s, Options{Threads: 1, Source: Source{Changed: tt.changed}})
		if err != nil {
			t.Fatal(err)
		}
		var again []string
		for _, r := range p.Runs {
			if m := r.Job.Spec.Model; r.Job.Again && !slices.Contains(again, m) {
				again = append(again, m)
			}
		}
		if got := strings.Join(again, " "); got != tt.again || !slices.Equal(p.Changed, tt.reported) {
			t.Errorf("%q changed: %q again, %q reported; want %q, %q", tt.changed, got, p.Changed, tt.again, tt.reported)
		}
	}
}

// Leave-one-out needs no hash of its own, so older ids do not change.
func TestLeaveOneOutHasNoSplitHash(t *testing.T) {
	p, _ := planTiny(t, tinytest.Folder(t, tinytest.Config), "quick")
	if s := p.Runs[0].Job.Spec; s.Dataset.Split != "" || s.Protocol != datasets.LeaveOneOut {
		t.Errorf("split hash %q of a %s split", s.Dataset.Split, s.Protocol)
	}
}
