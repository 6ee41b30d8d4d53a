package suite

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
)

const committed = "../../results"

func env(t *testing.T) (Env, plan.Options) {
	t.Helper()
	c, err := plan.Load("../../experiments.toml", nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	e := Env{Config: c, Store: record.Store{Dir: committed}, Log: io.Discard}
	return e, plan.Options{Out: committed, Recorded: sync.OnceValues(func() ([]*record.Record, error) { return Recorded(e.Store) })}
}

// The rows of models that the suite does not list, but its models begin with, are proposals and
// have known code as any other row: sasrec-plus reads texts, so it is not the best baseline.
func TestSourcesOfASuite(t *testing.T) {
	e, o := env(t)
	s, err := e.Config.Suite("main")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = e.Config.Choose(s, []string{"duorec", "fame-plus-warm"}, []string{"beauty"}, nil); err != nil {
		t.Fatal(err)
	}
	todo, err := e.Config.Plan(s, o)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Find(e.Store, todo)
	if err != nil {
		t.Fatal(err)
	}
	in, err := e.input(Place{Name: s.Name}, todo, found)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"fame-plus-warm", "sasrec-plus"}; !slices.Equal(in.Proposals, want) || len(in.Code["sasrec-plus"]) == 0 {
		t.Errorf("proposals %q, want %q; code of the source %q", in.Proposals, want, in.Code["sasrec-plus"])
	}
	for _, p := range in.Planned {
		if p.Source != (p.Spec.Model == "sasrec-plus") {
			t.Errorf("%s: a source: %v", p.Spec.Model, p.Source)
		}
	}
}

// Of committed records, the p-values are SciPy's, and means and intervals those of another
// implementation (scripts/compare-fixture.py made the file, and says how).
func TestCompareCommitted(t *testing.T) {
	b, err := os.ReadFile("testdata/compare.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Suite, A, B string
		Lines       []struct {
			Rule, Metric             string
			A, B, Percent, Low, High float64
			P                        float64
			PHolm                    float64 `json:"p_holm"`
		}
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	e, o := env(t)
	c, err := e.Compare(want.Suite+"/"+want.A, want.Suite+"/"+want.B, o)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-10*max(1, math.Abs(want))) {
			t.Errorf("%s: got %v, expected %v", what, got, want)
		}
	}
	if len(want.Lines) != 14 || len(c.Lines) != 16 { // and coverage under both rules
		t.Fatalf("%d lines, expected %d", len(c.Lines), len(want.Lines))
	}
	for _, w := range want.Lines {
		i := slices.IndexFunc(c.Lines, func(l aggregate.ComparedMetric) bool { return l.Rule == w.Rule && l.Metric == w.Metric })
		l, what := c.Lines[i], w.Metric+", seen items "+w.Rule
		near(what+", A", l.A.Mean, w.A)
		near(what+", B", l.B.Mean, w.B)
		near(what+", percent", *l.Percent, w.Percent)
		near(what+", low", l.Test.Low, w.Low)
		near(what+", high", l.Test.High, w.High)
		near(what+", p", l.Test.P, w.P)
		near(what+", p after Holm's correction", l.Test.PHolm, w.PHolm)
		if significant := w.PHolm < .05 && (w.Low > 0 || w.High < 0); l.Test.Significant != significant || l.A.N != 3 || l.B.N != 3 {
			t.Errorf("%s: %+v", what, l.Test)
		}
	}
	if len(c.Warnings) == 0 || c.Warnings[0].What != "heads" {
		t.Errorf("SASRec and FAME have other numbers of heads: %+v", c.Warnings)
	}
}

// Against the baseline of a table, differences, intervals and p-values are the table's, to the
// last bit.
func TestCompareIsTheTable(t *testing.T) {
	s, err := ReadSummary(record.Store{Dir: committed}.SummaryPath("metadata-movies"))
	if err != nil {
		t.Fatal(err)
	}
	table := s.Tables[0]
	e, o := env(t)
	for _, row := range []aggregate.Row{table.Rows[0], table.Rows[len(table.Rows)-1]} {
		c, err := e.Compare("metadata-movies/"+table.Baseline, "metadata-movies/"+row.Label, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range aggregate.SeenItemRules {
			i := slices.IndexFunc(c.Lines, func(l aggregate.ComparedMetric) bool { return l.Rule == rule && l.Metric == aggregate.Tested })
			got, want := c.Lines[i].Test, row.Under(rule).Test
			if got.Difference != want.Difference || got.Low != want.Low || got.High != want.High || got.P != want.P || got.FewSeeds != want.FewSeeds {
				t.Errorf("%s, %s: %+v, the table has %+v", row.Label, rule, got, want)
			}
		}
	}
}

// What a side may be, and what is refused.
func TestSides(t *testing.T) {
	e, o := env(t)
	dir := t.TempDir()
	store := record.Store{Dir: dir}
	if err := store.Make(); err != nil {
		t.Fatal(err)
	}
	const id = "ml-100k-fame-s0-cbc22ba0"
	for _, name := range []string{id + ".json", id + ".ranks.tsv.gz"} {
		b, err := os.ReadFile(filepath.Join(committed, "runs", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "runs", name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := store.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	n := r.Result.Users
	lists := &record.Imported{Spec: record.ImportSpec{Name: "other", Dataset: r.Result.Spec.Dataset, Protocol: r.Result.Spec.Protocol, Rule: "kept", SHA256: "5a"},
		Users: n, Items: r.Result.Items, Length: 5, Ranks: slices.Repeat([]int32{2}, n)}
	lists.Test = aggregate.ListMetrics(lists.Ranks, 5)
	if err := store.WriteImported(lists); err != nil {
		t.Fatal(err)
	}
	local := Env{Config: e.Config, Store: store, Log: io.Discard}
	for _, b := range []string{"imported/other", lists.ID} {
		c, err := local.Compare(id, b, o)
		if err != nil || len(c.Lines) == 0 || c.Lines[0].RowB != "other" {
			t.Errorf("%s: %+v, %v", b, c, err)
		}
	}
	if c, err := local.Compare(dir, dir+"/.", o); err != nil || len(c.Warnings) != 0 || c.Lines[0].RowA != "fame" || *c.Lines[0].Percent != 0 || c.Lines[0].Test != nil || !strings.HasPrefix(c.Lines[0].Untested, "both sides have the same run") {
		t.Errorf("two folders: %+v, %v", c, err)
	}
	for _, tt := range []struct{ a, b, want string }{
		{id, id, "is compared with itself"},
		{id, "nothing", `"nothing": expected the id of a run, SUITE, SUITE/ROW, imported/NAME, or a results folder; there is none of these`},
		{id, "imported/none", "there are no such imported lists"},
		{id, "metadata-movies", "a whole suite or folder is compared with another one"},
		{id, "tune", `suite tune is of kind "tune", which ranks no test items`},
		{id, "metadata-movies/nothing", "metadata-movies/nothing has no rows"},
		{id, t.TempDir(), "expected a results folder with records"},
		{"beauty-fame-s100-e96f0468", id, "is a trial of a search, which ranks no test items"},
	} {
		if _, err := e.Compare(tt.a, tt.b, o); !errors.As(err, &ArgumentError{}) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: expected %q, got %v", tt.a, tt.b, tt.want, err)
		}
	}
}
