package aggregate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// own is a fixture in which a newcomer's model, core, is best on validation and on test.
func own(t *testing.T) *fixture {
	f := newFixture(t)
	f.publish(nil)
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(5), nil)
		f.add("duorec", seed, .15, .12, same(4), nil)
		f.add("core", seed, .3, .2, same(1), nil)
		f.add("fame", seed, .2, .15, same(3), nil)
	}
	f.add("popularity", 0, 0, .01, same(90), nil)
	return f
}

// Without the keys a model of one's own that wins on validation is the baseline, so that it
// gets neither gain nor test. Named as the proposal it has both, FAME is a baseline like
// the others, and no claim of a paper is judged.
func TestProposed(t *testing.T) {
	f := own(t)
	s := f.make()
	if b := s.Tables[0]; b.Baseline != "core" || b.Proposed != "fame" || b.BaselineNamed || s.Claims == nil {
		t.Errorf("by default: baseline %s, proposed %s, %d claims", b.Baseline, b.Proposed, len(s.Claims))
	}
	f.Proposals, f.Own = []string{"core"}, true
	s = f.make()
	b := s.Tables[0]
	core := b.Rows[slices.IndexFunc(b.Rows, func(r Row) bool { return r.Label == "core" })]
	if b.Baseline != "fame" || b.Proposed != "core" || b.BaselineNamed || s.Claims != nil {
		t.Errorf("baseline %s, proposed %s, %d claims", b.Baseline, b.Proposed, len(s.Claims))
	}
	if test := core.Removed.Test; core.Baseline || test == nil || !test.Significant || *core.Removed.Metrics[Tested].Gain < 30 {
		t.Errorf("core, %+v, has no gain or no test", core)
	}
}

func TestNamedBaseline(t *testing.T) {
	for _, tt := range []struct{ name, want, note string }{
		{"sasrec", "sasrec", ""},
		{"popularity", "popularity", ""},
		{"bert4rec", "", "no gains and no tests: bert4rec, the baseline that the suite names, has no records of its configured settings here"},
	} {
		f := own(t)
		before, err := f.Key()
		if err != nil {
			t.Fatal(err)
		}
		f.Baseline, f.Own = tt.name, true
		b := f.make().Tables[0]
		if b.Baseline != tt.want || !b.BaselineNamed || !strings.Contains(strings.Join(b.Notes, "\n"), tt.note) {
			t.Errorf("%s: baseline %q, named %v, notes %q", tt.name, b.Baseline, b.BaselineNamed, b.Notes)
		}
		for _, r := range b.Rows {
			if has := r.Removed.Test != nil; has != (tt.want != "" && r.Label != tt.want) {
				t.Errorf("baseline %s: %s has a test: %v", tt.name, r.Label, has)
			}
		}
		if after, err := f.Key(); err != nil || after == before {
			t.Errorf("%s: the key of the summary is the same with the baseline and without: %v", tt.name, err)
		}
	}
}

// Of several rows of the named model, the one that is best on validation is the baseline.
func TestNamedBaselineOfSeveralRows(t *testing.T) {
	f := newFixture(t)
	for heads, valid := range map[string]float64{"1": .1, "2": .3, "4": .2} {
		f.add("sasrec", 0, valid, .1, same(3), func(r *record.Record) {
			r.Result.Spec.Params = record.Settings{"heads": []byte(heads)}
			r.Resolved["params"]["heads"] = []byte(heads)
		})
	}
	f.Axes, f.Baseline = []string{"heads"}, "sasrec"
	if b := f.make().Tables[0].Baseline; b != "sasrec heads=2" {
		t.Errorf("the baseline is %q", b)
	}
	// Where the configured settings are planned, no other row takes their place.
	own := f.Planned[0]
	own.Spec.Params, own.Configured = nil, true
	f.Planned = append(f.Planned, own)
	s := f.make()
	if b := s.Tables[0].Baseline; b != "" || !slices.ContainsFunc(s.Tables[0].Notes, func(n string) bool { return strings.Contains(n, "has no records of its configured settings here") }) {
		t.Errorf("without records of the configured settings: %q, %q", b, s.Tables[0].Notes)
	}
	f.add("sasrec", 0, .05, .1, same(3), nil)
	if s := f.make(); s.Tables[0].Baseline == "" || s.Tables[0].Baseline == "sasrec heads=2" {
		t.Errorf("with these: %q", s.Tables[0].Baseline)
	}
}

// Claims are about the papers' data sets: with other users, as of a filter, it is another one.
func TestClaimsKnowTheirData(t *testing.T) {
	f := own(t)
	f.publish(replace("users = 12", "users = 13"))
	if s := f.make(); s.Claims != nil {
		t.Errorf("claims on other data: %+v", s.Claims)
	}
}

// Metrics beyond accuracy are means over the seeds whose records have them. The lift is of each
// record: 30 over 20 and 10 over 20 are +50 and -50 %, so 0 on average.
func TestBeyond(t *testing.T) {
	f := newFixture(t)
	write := func(r *record.Record, popularity float64, ranks string) {
		m := record.Metrics{"Popularity@10": popularity, "Gini@10": popularity / 100}
		if err := f.Store.WriteBeyond(&record.Beyond{ID: r.ID, RanksSHA256: ranks, HistoryPopularity: 20, Kept: m, Removed: m}); err != nil {
			t.Fatal(err)
		}
	}
	f.add("fame", 0, .1, .1, same(3), nil)
	plain := f.make()
	before, err := f.Key()
	if err != nil || plain.Tables[0].Rows[0].Removed.Beyond != nil {
		t.Errorf("%+v, %v", plain.Tables[0].Rows[0].Removed.Beyond, err)
	}
	for seed, popularity := range map[int64]float64{1: 30, 2: 10} {
		r := f.add("fame", seed, .1, .1, same(3), nil)
		write(r, popularity, r.Result.RanksSHA256)
	}
	got := f.make().Tables[0].Rows[0].Kept
	if c := got.Metric("Popularity@10"); c.Mean != 20 || c.N != 2 || math.Abs(c.SD-math.Sqrt(200)) > 1e-12 {
		t.Errorf("popularity: %+v", c)
	}
	if c := got.Metric(Lift); math.Abs(c.Mean) > 1e-12 || c.N != 2 || math.Abs(c.SD-math.Sqrt(5000)) > 1e-9 {
		t.Errorf("lift: %+v", c)
	}
	if c := got.Metric("Diversity@10"); c.N != 0 {
		t.Errorf("a diversity without labels: %+v", c)
	}
	if after, err := f.Key(); err != nil || after == before {
		t.Errorf("the key of the summary is the same with the files and without: %v", err)
	}
	if notes := strings.Join(f.make().Tables[0].Notes, "; "); strings.Contains(notes, "labels") {
		t.Errorf("notes %q", notes)
	}
	// Items whose labels were changed between two runs: their lists cannot be compared.
	for i, labels := range []string{"", "a", "b"} {
		r := f.Records[i]
		m := record.Metrics{"Popularity@10": 20, "Diversity@10": .5}
		if err := f.Store.WriteBeyond(&record.Beyond{ID: r.ID, RanksSHA256: r.Result.RanksSHA256, Labels: []string{"genre"}, LabelsSHA256: labels, HistoryPopularity: 20, Kept: m, Removed: m}); err != nil {
			t.Fatal(err)
		}
		table := f.make().Tables[0]
		kept, notes := table.Rows[0].Kept, strings.Join(table.Notes, "; ")
		if i == 0 { // two records have no labels yet
			continue
		}
		changed := i == 2
		if n := kept.Metric("Diversity@10").N; kept.Metric("Popularity@10").N != 3 || changed && n != 0 {
			t.Errorf("labels %q: diversity over %d seeds, popularity over %d", labels, n, kept.Metric("Popularity@10").N)
		}
		if want := "the labels of the items were others in " + r.ID + " than in " + f.Records[1].ID; changed && !strings.Contains(notes, want) {
			t.Errorf("notes %q, expected %q", notes, want)
		}
	}
	write(f.Records[0], 10, "of other ranks")
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), f.Store.BeyondPath(f.Records[0].ID)) {
		t.Errorf("metrics of other lists: %v", err)
	}
}

func TestCheckModels(t *testing.T) {
	f := newFixture(t)
	f.publish(replace(`"core" = "no facets"`, `"cora" = "no facets", "sasrec" = "a"`))
	if err := f.Published.CheckModels([]string{"sasrec", "core"}); err == nil || err.Error() != `p.toml:19: claims.c.controls.cora: unknown model "cora"; did you mean "core"?` {
		t.Errorf("got %v", err)
	}
	if err := f.Published.CheckModels([]string{"core", "cora"}); err == nil || !strings.HasPrefix(err.Error(), `p.toml:20: claims.c.baselines: unknown model "sasrec"; known: core, cora`) {
		t.Errorf("got %v", err)
	}
	if err := f.Published.CheckModels([]string{"sasrec", "cora"}); err != nil {
		t.Error(err)
	}
	if err := (*Published)(nil).CheckModels(nil); err != nil { // there is no file
		t.Error(err)
	}
}

func TestShown(t *testing.T) {
	for _, tt := range []struct {
		names     []string
		want, err string
	}{
		{nil, "HR@5 HR@10 HR@20 NDCG@5 NDCG@10 NDCG@20 MRR Coverage@10 gain", ""},
		{[]string{"NDCG@10", "gain", "HR@20"}, "NDCG@10 gain HR@20", ""},
		{[]string{"NDCG@10", "beyond"}, "NDCG@10 Coverage@10 Gini@10 Popularity@10 Lift@10 Novelty@10 Diversity@10", ""},
		{[]string{"NDGC@10"}, "", `unknown metric "NDGC@10"; did you mean "NDCG@10"?`},
		{[]string{"Gini@10", "beyond"}, "", "Gini@10 is listed twice"},
		{[]string{}, "", "expected at least one metric"},
	} {
		got, err := Shown(tt.names)
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%q: got %q, %v", tt.names, got, err)
		}
	}
}
