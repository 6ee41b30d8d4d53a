package aggregate

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
)

// fixture makes records with ranks in a store of its own.
type fixture struct {
	t *testing.T
	Input
	kept []int32 // ranks of the runs to come with seen items kept; nil: as removed
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, Input: Input{Name: "s", Store: record.Store{Dir: t.TempDir()}, Proposals: []string{"fame", "fame-plain"}, madeUp: true}}
	if err := f.Store.Make(); err != nil {
		t.Fatal(err)
	}
	return f
}

// users of the fixture's data.
const users = 12

// same are the ranks of users who all have their item at rank r.
func same(r int32) []int32 { return slices.Repeat([]int32{r}, users) }

// add makes a planned run with a record: its validation and test NDCG@10 (v and x,
// seen items removed; kept has a tenth less), and the users' ranks under both rules.
func (f *fixture) add(model string, seed int64, valid, test float64, ranks []int32, change func(*record.Record)) *record.Record {
	f.t.Helper()
	r := &record.Record{
		Result: record.Result{
			Spec: record.Spec{Dataset: record.Dataset{Name: "beauty", Fingerprint: "0011223344"}, Protocol: "leave-one-out", Model: model,
				Seed: seed, Device: "cpu", Versions: record.Versions{Model: 1, Train: 1, Rank: 1}},
			Status: record.Patience, Epochs: 2, BestEpoch: 1, Users: users, Items: 100,
			Curve: []record.Point{
				{Epoch: 1, Loss: 9, Valid: record.Metrics{Tested: valid}, Alignment: .5, Uniformity: -2},
				{Epoch: 2, Loss: 8},
			},
			Test: record.Rules{Kept: record.Metrics{Tested: test * .9, "HR@20": test}, Removed: record.Metrics{Tested: test, "HR@20": 2 * test}},
		},
		Measured: record.Measured{Threads: 2, Commit: "0123456789abcdef", Libtorch: "2.11.0", Parameters: 7, TrainSeconds: 10 + float64(seed)},
		Resolved: map[string]record.Settings{"params": {"heads": json.RawMessage("2")}, "train": {"loss": json.RawMessage(`"ce"`)}},
	}
	if valid == 0 { // a floor
		r.Result.Spec.NonNeural, r.Result.Curve, r.Resolved, r.Result.Status = true, nil, nil, record.Done
	}
	if change != nil {
		change(r)
	}
	id, err := r.Result.Spec.ID()
	if err != nil {
		f.t.Fatal(err)
	}
	kept := ranks
	if f.kept != nil {
		kept = f.kept
	}
	if r.Result.RanksSHA256, err = rank.WriteRanks(f.Store.RanksPath(id), kept, ranks); err != nil {
		f.t.Fatal(err)
	}
	r.ID = id
	if r.ResultSHA256, err = r.Result.Hash(); err != nil {
		f.t.Fatal(err)
	}
	f.Records = append(f.Records, r)
	f.Planned = append(f.Planned, Planned{Spec: r.Result.Spec})
	return r
}

func (f *fixture) make() *Suite {
	f.t.Helper()
	s, err := Make(f.Input)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fixture) key() string {
	f.t.Helper()
	k, err := f.Key()
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Validation prefers core, test sasrec: the baseline is core, whatever test says.
func TestMakeByHand(t *testing.T) {
	f := newFixture(t)
	f.add("markov", 0, 0, .045, same(20), nil)
	for seed, test := range []float64{.05, .06, .07} {
		f.add("sasrec", int64(seed), .08, test, same(5), nil)
	}
	f.add("core", 0, .09, .04, same(8), nil)
	f.add("core", 1, .09, .06, same(8), nil)
	f.add("core", 2, .09, .05, same(8), nil)
	for seed := range int64(3) {
		f.add("fame", seed, .10, .055, same(1), nil)
	}
	f.add("fame-plain", 0, .02, .01, same(8), nil)
	s := f.make()
	if len(s.Tables) != 1 || len(s.Tables[0].Rows) != 5 {
		t.Fatalf("%+v", s.Tables)
	}
	table := s.Tables[0]
	if table.Baseline != "core" || table.Proposed != "fame" {
		t.Errorf("baseline %q, proposed %q; want those that are best on validation, core and fame", table.Baseline, table.Proposed)
	}
	markov, sasrec, core, fame, plain := table.Rows[0], table.Rows[1], table.Rows[2], table.Rows[3], table.Rows[4]
	if !markov.Baseline || !markov.NonNeural || markov.Valid.N != 0 || !sasrec.Baseline || sasrec.NonNeural || fame.Baseline {
		t.Errorf("floors and baselines: %+v", table.Rows)
	}
	c := sasrec.Removed.Metrics[Tested]
	near(t, "mean", c.Mean, .06)
	near(t, "deviation", c.SD, .01)
	near(t, "gain", *c.Gain, 20) // of .06 over .05
	near(t, "gain, kept", *sasrec.Kept.Metrics[Tested].Gain, 20)
	near(t, "gain of another metric", *fame.Removed.Metrics["HR@20"].Gain, 10)
	near(t, "gain of the baseline", *core.Removed.Metrics[Tested].Gain, 0)
	// Every user's item is first with fame and eighth with core, so all draws agree.
	for _, test := range []*Test{fame.Removed.Test, fame.Kept.Test} {
		if want := 100 * (math.Log2(9) - 1); math.Abs(*test.GainLow-want) > 1e-9 || math.Abs(*test.GainHigh-want) > 1e-9 {
			t.Errorf("interval of the gain: got %v to %v, want %v", *test.GainLow, *test.GainHigh, want)
		}
	}
	near(t, "validation", core.Valid.Mean, .09)
	if c.N != 3 || !c.Best || c.Second || fame.Removed.Metrics[Tested].Best || !fame.Removed.Metrics[Tested].Second {
		t.Errorf("best %+v, second %+v", c, fame.Removed.Metrics[Tested])
	}
	near(t, "train seconds", sasrec.Cost.TrainSeconds, 11)
	if run := sasrec.Runs[2]; run.Seed != 2 || run.Valid != .08 || run.Cost.TrainSeconds != 12 || run.Removed[Tested] != .07 {
		t.Errorf("run %+v", run)
	}

	// Ranks 1 and 8 of every user: NDCG@10 is 1 and 1/log2(9).
	test := fame.Removed.Test
	near(t, "difference", test.Difference, 1-1/math.Log2(9))
	near(t, "low", test.Low, test.Difference) // all users and seeds are alike
	if !test.Significant || test.PHolm < test.P || test.PHolm > .02 {
		t.Errorf("all users are better: %+v", test)
	}
	near(t, "rank 20 counts nothing", markov.Removed.Test.Difference, -1/math.Log2(9))
	if test := markov.Removed.Test; !test.Significant || test.FewSeeds {
		t.Errorf("one run of a deterministic model is enough: %+v", test)
	}
	if test := plain.Removed.Test; test.Significant || test.P != 1 || test.Difference != 0 {
		t.Errorf("no user differs: %+v", test)
	}
	if core.Removed.Test != nil || core.Kept.Test != nil {
		t.Error("the baseline was tested against itself")
	}
}

func TestCurveIsOverSeedsThatReachedAnEpoch(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .1, .1, same(1), nil)
	f.add("sasrec", 1, .3, .1, same(1), func(r *record.Record) { r.Result.Curve = r.Result.Curve[:1] })
	curve := f.make().Tables[0].Rows[0].Curve
	if len(curve) != 2 || curve[0].Loss.N != 2 || curve[1].Loss.N != 1 || curve[1].Valid != (Cell{}) || curve[1].Alignment.N != 0 {
		t.Fatalf("%+v", curve)
	}
	near(t, "validation", curve[0].Valid.Mean, .2)
	near(t, "uniformity", curve[0].Uniformity.Mean, -2)
}

func TestSuiteWithoutFAMEOrWithoutBaselines(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .1, .1, same(2), nil)
	f.add("core", 0, .2, .1, same(3), nil)
	if table := f.make().Tables[0]; table.Baseline != "core" || table.Proposed != "" || table.Rows[0].Removed.Test == nil {
		t.Errorf("baselines alone are tested against the best of them: %+v", table)
	}
	f = newFixture(t)
	f.add("fame", 0, .1, .1, same(2), nil)
	f.add("markov", 0, 0, .1, same(2), nil)
	if table := f.make().Tables[0]; table.Baseline != "" || table.Rows[0].Removed.Test != nil || table.Rows[0].Removed.Metrics[Tested].Gain != nil {
		t.Errorf("a floor has no validation, so nothing is tested: %+v", table)
	}
}

func TestMarkBest(t *testing.T) {
	for _, tt := range []struct {
		means        []float64
		best, second string // a mark a row
	}{
		{[]float64{1}, "-", "-"},
		{[]float64{1, 2}, "-x", "--"}, // of two, the other needs no mark
		{[]float64{1, 3, 2}, "-x-", "--x"},
		{[]float64{2, 2, 1, 1}, "xx--", "--xx"},
		{[]float64{2, 2, 2}, "xxx", "---"},
	} {
		var groups []*group
		for _, m := range tt.means {
			g := &group{}
			g.Kept.Metrics = map[string]Cell{"MRR": {Mean: m}}
			groups = append(groups, g)
		}
		markBest(groups, func(g *group) map[string]Cell { return g.Kept.Metrics }, "MRR")
		best, second := "", ""
		for _, g := range groups {
			mark := map[bool]string{true: "x", false: "-"}
			best, second = best+mark[g.Kept.Metrics["MRR"].Best], second+mark[g.Kept.Metrics["MRR"].Second]
		}
		if best != tt.best || second != tt.second {
			t.Errorf("%v: best %s, second %s; want %s, %s", tt.means, best, second, tt.best, tt.second)
		}
	}
}

func TestSignificant(t *testing.T) {
	for _, tt := range []struct {
		name string
		test Test
		z    float64
		want bool
	}{
		{"better", Test{Low: .1, High: .3, PHolm: .049}, 2, true},
		{"worse", Test{Low: -.3, High: -.1, PHolm: .049}, -2, true},
		{"p at the level", Test{Low: .1, High: .3, PHolm: .05}, 2, false},
		{"interval holds 0", Test{Low: -.1, High: .3, PHolm: .001}, 2, false},
		{"interval ends at 0", Test{Low: 0, High: .3, PHolm: .001}, 2, false},
		{"ranks and mean differ", Test{Low: .1, High: .3, PHolm: .001}, -4, false},
	} {
		if got := significant(&tt.test, tt.z); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// Seeds with different thread counts are one row, with a note, also where older versions
// have the count in the spec. A seed counts once: the newest record of an older version.
func TestThreadCountsShareARow(t *testing.T) {
	f := newFixture(t)
	threads := func(inSpec, n, hour int) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Threads, r.Measured.Threads = inSpec, n
			r.Measured.Started = time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
		}
	}
	f.add("sasrec", 0, .1, .1, same(1), threads(0, 1, 0))
	f.add("sasrec", 1, .1, .1, same(1), threads(0, 2, 0))
	f.add("sasrec", 2, .1, .1, same(1), threads(1, 1, 0))
	older := f.add("core", 0, .1, .1, same(1), threads(2, 2, 0))
	newer := f.add("core", 0, .1, .1, same(1), threads(1, 1, 1))
	for _, stored := range [][]*record.Record{{older, newer}, {newer, older}} {
		found, stale, err := Match(f.Planned, stored)
		if err != nil || !slices.Equal(found, []*record.Record{newer}) || len(stale) != 1 || stale[0].ID != older.ID {
			t.Errorf("found %v, stale %v, %v", found, stale, err)
		}
	}
	f.Records = f.Records[:3]
	rows := f.make().Tables[0].Rows
	if len(rows) != 1 || len(rows[0].Runs) != 3 || !slices.Contains(rows[0].Notes, "seeds of different thread counts: 1, 2") {
		t.Errorf("rows %+v", rows)
	}
	f.Records = f.Records[2:]
	if notes := f.make().Tables[0].Rows[0].Notes; slices.ContainsFunc(notes, func(s string) bool { return strings.Contains(s, "thread") }) {
		t.Errorf("one count has a note: %q", notes)
	}
}

// All records of one table ranked the same users among the same items, those of the data:
// a record that says otherwise was edited, and its number of items would head the table.
func TestRecordsOfATableHaveOneSize(t *testing.T) {
	f := newFixture(t)
	a := f.add("sasrec", 0, .1, .1, same(2), nil)
	r := f.add("core", 0, .2, .1, same(3), nil)
	f.Datasets = []datasets.Stats{{Name: a.Result.Spec.Dataset.Name, Fingerprint: a.Result.Spec.Dataset.Fingerprint, Items: a.Result.Items}}
	f.make()
	items := a.Result.Items
	r.Result.Items = 2 * items
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d items, expected", 2*items)) || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("one record: %v", err)
	}
	a.Result.Items = 2 * items
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), "the statistics of the data") {
		t.Errorf("all records: %v", err)
	}
}

// Metrics that are not those of the ranks are refused, with the names of both files.
// The values of two users at ranks 2 and 4 are: HR@1 0, HR@5 1, NDCG@5 (1/log2(3) +
// 1/log2(5)) / 2, MRR (1/2 + 1/4) / 2.
func TestMetricsMustBeThoseOfTheRanks(t *testing.T) {
	third, fifth := 1/math.Log2(3), 1/math.Log2(5)
	good := func() record.Metrics {
		m := record.Metrics{"MRR": .375, "Coverage@10": .25}
		for k, hits := range map[int]float64{1: 0, 5: 1, 10: 1, 20: 1} {
			m[fmt.Sprintf("HR@%d", k)], m[fmt.Sprintf("NDCG@%d", k)] = hits, hits*(third+fifth)/2
		}
		return m
	}
	for name, tt := range map[string]struct {
		change func(*record.Record)
		want   string
	}{
		"right": {func(*record.Record) {}, ""},
		"the last bit": {func(r *record.Record) {
			r.Result.Test.Kept["NDCG@10"] = math.Nextafter(r.Result.Test.Kept["NDCG@10"], 0)
		}, "seen items kept: NDCG@10 is 0.5308"},
		"another metric":    {func(r *record.Record) { r.Result.Test.Removed["HR@1"] = .5 }, "seen items removed: HR@1 is 0.5, expected 0"},
		"a metric less":     {func(r *record.Record) { delete(r.Result.Test.Removed, "MRR") }, "there is no MRR"},
		"a metric more":     {func(r *record.Record) { r.Result.Test.Removed["HR@50"] = 1 }, `unknown metric "HR@50"`},
		"users":             {func(r *record.Record) { r.Result.Users = 3 }, "does not belong to its record"},
		"fewer items":       {func(r *record.Record) { r.Result.Items = 3 }, "rank 4, expected 1 to 3"},
		"coverage too high": {func(r *record.Record) { r.Result.Items, r.Result.Test.Kept["Coverage@10"] = 100, .21 }, "Coverage@10 is 0.21, expected the share of 1 to 20 of 100 items"},
		"part of an item":   {func(r *record.Record) { r.Result.Test.Kept["Coverage@10"] = .26 }, "Coverage@10 is 0.26"},
		"no coverage":       {func(r *record.Record) { r.Result.Test.Kept["Coverage@10"] = 0 }, "Coverage@10 is 0"},
		"another processor": {func(r *record.Record) {
			r.Measured.OS = "linux/other"
			r.Result.Test.Kept["NDCG@10"] = math.Nextafter(r.Result.Test.Kept["NDCG@10"], 0)
		}, ""},
		"another, and wrong": {func(r *record.Record) { r.Measured.OS, r.Result.Test.Kept["NDCG@10"] = "linux/other", .5307 }, "NDCG@10"},
	} {
		f := newFixture(t)
		f.madeUp = false
		r := f.add("markov", 0, 0, 0, []int32{2, 4}, func(r *record.Record) {
			r.Result.Users, r.Result.Items, r.Measured.OS = 2, 8, "linux/"+runtime.GOARCH
			r.Result.Test = record.Rules{Kept: good(), Removed: good()}
			tt.change(r)
		})
		_, err := Make(f.Input)
		if tt.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), f.Store.RanksPath(r.ID)) || !strings.Contains(err.Error(), r.ID)) {
			t.Errorf("%s: error %v, want %q and the names of both files", name, err, tt.want)
		}
	}
}

// Nothing is a percentage of 0: a baseline that hits nobody leaves no gains, in numbers or
// JSON, and a note says so.
func TestNoGainOverZero(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .09, 0, same(30), nil)
	f.add("fame", 0, .10, .05, same(3), nil)
	s := f.make()
	table := s.Tables[0]
	if table.Baseline != "sasrec" {
		t.Fatalf("baseline %q", table.Baseline)
	}
	for _, r := range table.Rows {
		if c := r.Removed.Metrics[Tested]; c.Gain != nil {
			t.Errorf("%s: a gain of %v over 0", r.Label, *c.Gain)
		}
	}
	if test := table.Rows[1].Removed.Test; test == nil || test.Difference <= 0 || test.GainLow != nil || test.GainHigh != nil {
		t.Errorf("the difference is a number: %+v", test)
	}
	if notes := strings.Join(table.Notes, "\n"); !strings.Contains(notes, "no gain (–): the baseline sasrec scores 0 in") || !strings.Contains(notes, Tested) {
		t.Errorf("notes %q", notes)
	}
	text, err := json.Marshal(s)
	if err != nil || strings.Contains(string(text), `"gain"`) {
		t.Errorf("%v: JSON with a gain:\n%s", err, text)
	}
}
