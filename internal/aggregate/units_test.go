package aggregate

import (
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/stats"
)

// Five cases of two users: HR@10 of user 0 is 1, 0, 0 and of user 1 1, 1.
func TestUnitsByHand(t *testing.T) {
	ranks, of := []int32{1, 11, 10, 12, 2}, []int32{0, 0, 1, 0, 1}
	for _, tc := range []struct {
		u            units
		values, mean []float64
	}{
		{units{}, []float64{1, 0, 1, 0, 1}, []float64{3. / 5}},
		{units{of: of, users: 2}, []float64{1 * 2. / 5, 2 * 2. / 5}, []float64{3. / 5}},
		{units{of: of, users: 2, perUser: true}, []float64{1. / 3, 1}, []float64{2. / 3}},
	} {
		got := tc.u.values("HR@10", ranks)
		if !slices.EqualFunc(got, tc.values, equalMeans) || !equalMeans(mean(got), tc.mean[0]) {
			t.Errorf("%+v: %v, expected %v", tc.u, got, tc.values)
		}
		if drawn := tc.u.drawn("HR@10", ranks); !equalMeans(mean(drawn), tc.mean[0]) {
			t.Errorf("%+v: the mean of %v is not %v", tc.u, drawn, tc.mean[0])
		}
	}
	among := units{of: of, users: 2}.among([]int{2, 3, 4})
	if among.users != 2 || !slices.Equal(among.of, []int32{0, 1, 0}) {
		t.Errorf("%+v", among)
	}
}

// If every case has the same value, no choice of users changes the mean over cases, however
// many each of them has: the interval has no width.
func TestIntervalOfARatio(t *testing.T) {
	u := units{of: []int32{0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3}, users: 4}
	hits := slices.Repeat([]int32{1}, len(u.of))
	got, err := stats.Bootstrap([][][]float64{{make([]float64, 4)}, {u.drawn("HR@10", hits)}}, nil, 0, 100, 1)
	if err != nil || !equalMeans(got[1].Mean, 1) || !equalMeans(got[1].Lo, 1) || !equalMeans(got[1].Hi, 1) {
		t.Errorf("%+v, %v; expected 1 without width", got, err)
	}
}

// casesOf is a fixture of two models with three seeds under a split; of says whose the 12
// cases are. nil: this is not stored.
func casesOf(t *testing.T, protocol string, of []int32) *fixture {
	f := newFixture(t)
	ranks := map[string][]int32{"sasrec": {1, 11, 3, 4, 50, 6, 7, 8, 9, 10, 11, 12}, "fame": {2, 1, 3, 2, 5, 60, 1, 8, 1, 10, 1, 1}}
	for _, model := range []string{"sasrec", "fame"} {
		for seed := range int64(3) {
			f.add(model, seed, .4, mean(ofCases(Tested, ranks[model])), ranks[model], func(r *record.Record) { r.Result.Spec.Protocol = protocol })
		}
	}
	if of != nil {
		c := divided()
		if c.Protocol = protocol; protocol != datasets.LeaveOneOut {
			c.Users = of
		}
		f.divide(c)
	}
	return f
}

func TestSeveralCasesOfAUser(t *testing.T) {
	pairs := []int32{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}
	whole, table := casesOf(t, datasets.LeaveOneOut, pairs).make().Tables[0], casesOf(t, datasets.GivenSplit, pairs).make().Tables[0]
	if whole.Users != 12 || whole.Cases != 0 || table.Users != 6 || table.Cases != 12 || table.Average != "" {
		t.Errorf("%d users, %d cases, average %q", table.Users, table.Cases, table.Average)
	}
	a, b := table.Rows[1].Removed, whole.Rows[1].Removed
	if a.Metrics[Tested].Mean != b.Metrics[Tested].Mean || !equalMeans(a.Test.Difference, b.Test.Difference) {
		t.Errorf("%+v, %+v: expected the means over cases", a, b)
	}
	if a.Test.P == b.Test.P || a.Test.Low == b.Test.Low {
		t.Errorf("%+v, %+v: expected users to be paired and drawn, not cases", a.Test, b.Test)
	}
	// By hand: Wilcoxon over 6 users whose differences have one sign has p = 2/2^6 at the least.
	if a.Test.P < 2./64 {
		t.Errorf("p = %v with 6 users", a.Test.P)
	}
	if got, want := table.Breakdowns[0].Groups, whole.Breakdowns[0].Groups; !slices.Equal(got, want) {
		t.Errorf("groups %v, expected %v", got, want)
	}
}

func TestAverageByUser(t *testing.T) {
	f := casesOf(t, datasets.GivenSplit, []int32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Average = ByUser
	table := f.make().Tables[0]
	// HR@10 of sasrec: 8 of the 11 cases of user 0, none of the one of user 1.
	got := table.Rows[0].Removed.Metrics["HR@10"]
	if table.Average != ByUser || !equalMeans(got.Mean, 8./22) || got.N != 3 || !equalMeans(table.Rows[0].Runs[2].Removed["HR@10"], 8./22) {
		t.Errorf("average %q, HR@10 %+v, expected %v", table.Average, got, 8./22)
	}
	if r := f.Records[0].Result.Test.Removed; r["HR@10"] != 0 { // which the fixture does not set
		t.Errorf("the record was changed: %v", r)
	}
}

// Without the file that says whose the cases are, they are not taken for independent.
func TestUnknownUsers(t *testing.T) {
	f := casesOf(t, datasets.GivenSplit, nil)
	table := f.make().Tables[0]
	if table.Users != 0 || table.Cases != 12 || !strings.Contains(strings.Join(table.Notes, " "), "no tests and no intervals: datasets/beauty-00112233.given.cases.tsv.gz is missing") {
		t.Errorf("%d users, notes %q", table.Users, table.Notes)
	}
	for _, row := range table.Rows {
		if row.Removed.Test != nil || row.Kept.Test != nil {
			t.Errorf("%s has a test", row.Label)
		}
	}
	f.Average = ByUser
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), `average = "user" needs`) {
		t.Error(err)
	}
}

func TestSplitNotes(t *testing.T) {
	loo, given := record.Spec{Protocol: datasets.LeaveOneOut}, record.Spec{Protocol: datasets.RatioSplit, Dataset: record.Dataset{Split: "ab"}}
	d := datasets.Stats{Users: 105, ShortUsers: 5, Timed: true, Ties: "file", TiedTestUsers: 6, Leak: .25}
	split := d
	split.Split = &datasets.SplitStats{Kind: datasets.RatioSplit, Fingerprint: "ab", Test: 200, Tied: 20, Leak: .5}
	parts := d
	parts.Split = &datasets.SplitStats{Kind: datasets.GivenSplit, Fingerprint: "ab", Test: 200, Tied: 20}
	few := d
	few.TiedTestUsers = 5
	for _, tc := range []struct {
		d    datasets.Stats
		spec record.Spec
		want string
	}{
		{d, loo, `6.0 % of the test cases have the time of an interaction next to them: the rule for equal times (ties = "file") decides which item is tested|leak of the leave-one-out split: 25.0 % of the training interactions are later than the median test interaction`},
		{few, loo, "leak of the leave-one-out split: 25.0 % of the training interactions are later than the median test interaction"},
		{split, given, `10.0 % of the test cases have the time of an interaction next to them: the rule for equal times (ties = "file") decides which item is tested|leak of the ratio split: 50.0 % of the training interactions are later than the median test interaction`},
		{parts, record.Spec{Protocol: datasets.GivenSplit, Dataset: record.Dataset{Split: "ab"}},
			`10.0 % of the test cases have the time of an interaction next to them: the rule for equal times (ties = "file") decides in which order they are tested`},
		{d, given, ""},
		{split, record.Spec{Protocol: datasets.RatioSplit, Dataset: record.Dataset{Split: "cd"}}, ""},
		{datasets.Stats{Users: 10}, loo, ""},
	} {
		if got := strings.Join(splitNotes(tc.d, tc.spec), "|"); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

// A comparison averages as the table of its suite does, and says so if the two sides do not.
func TestCompareAveragesByUser(t *testing.T) {
	f := casesOf(t, datasets.GivenSplit, []int32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	side := func(model, average string) Side {
		s := f.side("s/" + model)
		s.Suite, s.Row, s.Average = "s", model, average
		return s
	}
	c, err := Compare(side("sasrec", ByUser), side("fame", ByUser))
	if err != nil {
		t.Fatal(err)
	}
	if l := line(t, c, "beauty", "removed", "HR@10"); !equalMeans(l.A.Mean, 8./22) || strings.Contains(strings.Join(c.Notes, " "), "average") {
		t.Errorf("%+v, notes %q", l, c.Notes)
	}
	tests := func(c *Comparison) (n int) {
		for _, l := range c.Lines {
			if l.Test != nil {
				n++
			}
		}
		return n
	}
	all := tests(c)
	if c, err = Compare(side("sasrec", ByUser), side("fame", "")); err != nil || !strings.Contains(strings.Join(c.Notes, " "), `averages of s/sasrec are over users, and those of s/fame over test cases`) {
		t.Errorf("%v, notes %q", err, c.Notes)
	}
	if n := tests(c); n > 0 || all == 0 || line(t, c, "beauty", "removed", "HR@10").Untested != "one is an average over users, the other over test cases" {
		t.Errorf("%d of %d lines are tested although the averages differ", n, all)
	}
	// What belongs to no suite has the average of the other side.
	run := side("fame", "")
	run.Suite = ""
	if c, err = Compare(side("sasrec", ByUser), run); err != nil || tests(c) != all || strings.Contains(strings.Join(c.Notes, " "), "averages") {
		t.Errorf("%v, %d of %d lines are tested, notes %q", err, tests(c), all, c.Notes)
	}
}

// All metrics of a run that cases have are averaged in the same way, also those that no column
// shows. A note names the metrics that are not.
func TestAllMetricsByUser(t *testing.T) {
	f := casesOf(t, datasets.GivenSplit, []int32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	for _, r := range f.Records {
		r.Result.Test.Removed["HR@1"], r.Result.Test.Removed["Coverage@10"] = 1./12, .25
		b := record.Metrics{"Coverage@10": .25, "Popularity@10": 30, "Gini@10": .5}
		kept := record.Metrics{"Popularity@10": 30, "Gini@10": .5}
		if err := f.Store.WriteBeyond(&record.Beyond{ID: r.ID, RanksSHA256: r.Result.RanksSHA256, Kept: kept, Removed: b}); err != nil {
			t.Fatal(err)
		}
	}
	const note = "means over test cases, not over users: Popularity@10"
	if notes := f.make().Tables[0].Notes; slices.Contains(notes, note) {
		t.Errorf("all metrics are means over cases: %q", notes)
	}
	f.Average = ByUser
	table := f.make().Tables[0]
	// Of sasrec, the first of the 11 cases of user 0 is at rank 1, and not the one of user 1.
	if got := table.Rows[0].Runs[0].Removed; !equalMeans(got["HR@1"], 1./22) || got["Coverage@10"] != .25 {
		t.Errorf("HR@1 %v, expected %v; coverage %v", got["HR@1"], 1./22, got["Coverage@10"])
	}
	if got := table.Rows[0].Removed.Metrics["HR@1"]; got.N != 0 {
		t.Errorf("no column shows HR@1: %+v", got)
	}
	if !slices.Contains(table.Notes, note) {
		t.Errorf("%q lack %q", table.Notes, note)
	}
}
