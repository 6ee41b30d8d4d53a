package aggregate

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name        string
		gain, high  *float64
		significant bool
		seeds       int
		want        string
	}{
		{"the lowest claimed gain", new(4.2), new(9.), true, 3, Reproduced},
		{"two seeds", new(9.), new(12.), true, 2, Undecided},
		{"no gain with two seeds", new(-9.), new(-5.), false, 2, Undecided},
		{"less, but more is possible", new(4.1), new(4.2), true, 3, Undecided},
		{"more is not possible", new(2.), new(4.1), true, 3, Excluded},
		{"worse", new(-5.), new(-3.), false, 3, Excluded},
		{"by chance", new(5.), new(11.), false, 3, Undecided},
		{"a baseline of 0", nil, nil, true, 3, Undecided},
		{"no interval", new(2.), nil, false, 3, Undecided},
	} {
		e := ClaimEvidence{Gain: tt.gain, GainHigh: tt.high, Significant: tt.significant, Seeds: tt.seeds}
		if got := e.judge(4.2); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestOverall(t *testing.T) {
	for _, tt := range []struct {
		parts []string
		want  string
	}{
		{nil, NotRun},
		{[]string{NotRun, NotRun}, NotRun},
		{[]string{Reproduced, Reproduced}, Reproduced},
		{[]string{Excluded, Excluded}, Excluded},
		{[]string{Reproduced, Excluded}, Undecided},
		{[]string{Excluded, Reproduced}, Undecided},
		{[]string{Reproduced, NotRun}, Undecided},
		{[]string{Excluded, Undecided}, Undecided},
		{[]string{NotClaimed, Excluded, NotClaimed, Excluded}, Excluded},
		{[]string{NotClaimed, NotClaimed}, NotClaimed},
		{[]string{NotClaimed, NotRun}, NotRun},
	} {
		if got := overall(tt.parts); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.parts, got, tt.want)
		}
	}
}

func (f *fixture) publish(edit func(string) string) {
	f.t.Helper()
	text := somePublished
	if edit != nil {
		text = edit(text)
	}
	var err error
	if f.Published, err = parsePublished("p.toml", []byte(text)); err != nil {
		f.t.Fatal(err)
	}
}

// hit8 are ranks of which 8 of 12 count for HR@20, and none for NDCG@10.
func hit8() []int32 { return slices.Concat(slices.Repeat([]int32{15}, 8), same(90)[8:]) }

// The interval is that of the claimed metric. All twelve users are hit by one model at
// rank 15, and eight by the other. How many of a draw the other misses is binomial, with n = 12
// and p = 1/3, whose 2.5 and 97.5 percentiles are 1 and 7 of 12: so it hits 11 to 5, and the
// gain of the first is 12/11 − 1 to 12/5 − 1.
func TestClaimInterval(t *testing.T) {
	for _, tt := range []struct {
		sasrec, fame   []int32
		gain, low      float64 // the gain is that of the records' HR@20
		high           float64
		verdict, ahead string
	}{
		{hit8(), same(15), 10, 100. / 11, 700. / 5, Undecided, "fame"}, // no better in NDCG@10
		{same(15), hit8(), 10, -700. / 12, -100. / 12, Excluded, "sasrec"},
		{hit8(), hit8(), 10, 0, 0, Excluded, ""},
	} {
		f := newFixture(t)
		f.publish(nil)
		for seed := range int64(3) {
			f.add("sasrec", seed, .1, .10, tt.sasrec, nil)
			f.add("fame", seed, .2, .11, tt.fame, nil)
		}
		c := f.make().Claims[0]
		e := c.Found[0]
		if len(c.Found) != 2 || e.Rule != "removed" || e.Baseline != "sasrec" || e.Label != "fame" || e.Seeds != 3 || e.Verdict != tt.verdict || c.Verdict != tt.verdict || e.Ahead != tt.ahead {
			t.Errorf("%+v", c)
		}
		for what, x := range map[string][2]float64{"gain": {*e.Gain, tt.gain}, "low": {*e.GainLow, tt.low}, "high": {*e.GainHigh, tt.high}} {
			if math.Abs(x[0]-x[1]) > 1e-9 {
				t.Errorf("%s: got %v, want %v", what, x[0], x[1])
			}
		}
	}
	// Each rule has its own ranks.
	f := newFixture(t)
	f.publish(nil)
	f.kept = hit8()
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, hit8(), nil)
		f.add("fame", seed, .2, .11, same(15), nil)
	}
	if c := f.make().Claims[0]; c.Found[0].Ahead != "fame" || *c.Found[1].GainLow != 0 || *c.Found[1].GainHigh != 0 || c.Found[1].Verdict != Excluded {
		t.Errorf("removed %+v, kept %+v", c.Found[0], c.Found[1])
	}
}

// For a claim about the tested metric, the interval is that of the table's test, but for what
// interpolation between two draws does to the inverse of a gain.
func TestClaimIntervalIsTheTables(t *testing.T) {
	f := newFixture(t)
	f.publish(replace(`metric = "HR@20"`, `metric = "NDCG@10"`))
	ranks := func(model, seed int32) []int32 {
		out := same(1)
		for u := range out {
			out[u] += (7*int32(u) + 5*model + 3*seed) % 13
		}
		return out
	}
	for seed := range int64(3) {
		f.add("core", seed, .05, .05, ranks(1, int32(seed)), nil)
		f.add("sasrec", seed, .1, .10, ranks(2, int32(seed)), nil)
		f.add("fame", seed, .2, .11, ranks(3, int32(seed)), nil)
	}
	s := f.make()
	fame := s.Tables[0].Rows[2]
	for i, rule := range SeenItemRules {
		e, test := s.Claims[0].Found[i], fame.Under(rule).Test
		if *e.GainLow >= *e.GainHigh || math.Abs(*e.GainLow-*test.GainLow) > 1e-5 || math.Abs(*e.GainHigh-*test.GainHigh) > 1e-5 {
			t.Errorf("seen items %s: got %v to %v, the table has %v to %v", rule, *e.GainLow, *e.GainHigh, *test.GainLow, *test.GainHigh)
		}
	}
}

// FAME gains 10 % in HR@20 over sasrec, and is first for all users. Either has two seeds or
// three.
func TestClaimsNeedSeeds(t *testing.T) {
	for _, tt := range []struct {
		sasrec, fame int64
		want         string
	}{{3, 3, Reproduced}, {2, 3, Undecided}, {3, 2, Undecided}} {
		f := newFixture(t)
		f.publish(nil)
		for seed := range tt.sasrec {
			f.add("sasrec", seed, .1, .10, same(3), nil)
		}
		for seed := range tt.fame {
			f.add("fame", seed, .2, .11, same(2), nil)
		}
		c := f.make().Claims[0]
		for _, e := range c.Found {
			if e.Verdict != tt.want || e.Significant != (tt.want == Reproduced) || math.Abs(*e.Gain-10) > 1e-9 || e.GainLow == nil || e.Seeds != int(min(tt.sasrec, tt.fame)) {
				t.Errorf("%d and %d seeds: %+v, want %s", tt.sasrec, tt.fame, e, tt.want)
			}
		}
		if len(c.Found) != 2 || c.Verdict != tt.want {
			t.Errorf("%d and %d seeds: %+v", tt.sasrec, tt.fame, c)
		}
	}
}

// A row with fewer seeds than another one of the model does not stand for it, however good it was.
func TestClaimsOfRowsWithMostSeeds(t *testing.T) {
	f := newFixture(t)
	f.Axes = []string{"fame.experts"}
	f.publish(nil)
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(3), nil)
		f.add("fame", seed, .2, .11, same(2), nil)
	}
	f.add("fame", 0, .3, .20, same(1), func(r *record.Record) {
		r.Result.Spec.Params = record.Settings{"experts": json.RawMessage("9")}
		r.Resolved["params"] = record.Settings{"experts": json.RawMessage("9")}
	})
	for _, e := range f.make().Claims[0].Found {
		if e.Verdict != Reproduced || strings.Contains(e.Label, "9") || e.Seeds != 3 {
			t.Errorf("%+v", e)
		}
	}
}

// Nothing is reproduced while a planned baseline has no record: it may be the best one.
func TestClaimsNeedEveryBaseline(t *testing.T) {
	f := newFixture(t)
	f.publish(nil)
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(3), nil)
		f.add("fame", seed, .2, .11, same(2), nil)
	}
	missing := f.Planned[0]
	for model, want := range map[string]string{"duorec": Undecided, "fame-plain": Reproduced} { // the latter is no baseline
		missing.Spec.Model = model
		g := *f
		g.Planned = append(slices.Clone(f.Planned), missing)
		if c := g.make().Claims[0]; c.Verdict != want {
			t.Errorf("without records of %s: %s, expected %s", model, c.Verdict, want)
		}
	}
	// Other settings of a model that has records are another row. The plan's device does not count.
	for heads, want := range map[string]string{"": Reproduced, "8": Undecided} {
		missing := f.Planned[0]
		missing.Spec.Device = "cuda"
		if heads != "" {
			missing.Spec.Params = record.Settings{"heads": []byte(heads)}
		}
		g := *f
		g.Planned = append(slices.Clone(f.Planned), missing)
		if c := g.make().Claims[0]; c.Verdict != want {
			t.Errorf("sasrec with heads %q is planned: %s, expected %s", heads, c.Verdict, want)
		}
	}
}

// A gain over SASRec alone is none over the best baseline: without DuoRec, which the claim is about,
// nothing is reproduced, and the part says so. What is excluded remains so.
func TestClaimsNeedTheirBaselines(t *testing.T) {
	for ndcg, want := range map[float64]string{.11: Undecided, .09: Excluded} {
		f := newFixture(t)
		f.publish(replace(`baselines = ["sasrec"]`, `baselines = ["duorec", "core", "sasrec"]`))
		ranks := same(2)
		if ndcg < .1 {
			ranks = same(4)
		}
		for seed := range int64(3) {
			f.add("sasrec", seed, .1, .10, same(3), nil)
			f.add("core", seed, .05, .05, same(9), nil)
			f.add("fame", seed, .2, ndcg, ranks, nil)
		}
		for _, e := range f.make().Claims[0].Found {
			if lacks := strings.Join(e.Lacks, " "); e.Verdict != want || (lacks == "duorec") != (want == Undecided) {
				t.Errorf("%+v, expected %s", e, want)
			}
		}
		for seed := range int64(3) {
			f.add("duorec", seed, .05, .05, same(9), nil)
		}
		if e := f.make().Claims[0].Found[0]; want == Undecided && (e.Verdict != Reproduced || e.Lacks != nil) {
			t.Errorf("with DuoRec: %+v", e)
		}
	}
}

// What was not run has parts too, so that a claim is not reproduced on some data sets only.
// A suite without the model has no claim.
func TestClaimsNotRun(t *testing.T) {
	f := newFixture(t)
	f.publish(nil)
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(3), nil)
		f.add("fame", seed, .2, .11, same(2), nil)
	}
	f.publish(func(text string) string {
		text = replace("[numbers.a]", "[data.toys]\nusers = 9\nitems = 99\n[data.sports]\nusers = 9\nitems = 99\n[data.movies]\nusers = 9\nitems = 99\n[numbers.a]")(text)
		return replace(`datasets = ["beauty"]`, `datasets = ["beauty", "toys", "sports"]`)(text)
	})
	f.MissingData = []string{"sports", "movies"} // not on this machine
	spec := f.Planned[1].Spec
	for _, name := range []string{"toys", "movies", "mine"} { // the paper has not the second one, and no paper the last
		spec.Dataset = record.Dataset{Name: name, Fingerprint: "44"}
		f.Planned = append(f.Planned, Planned{Spec: spec})
	}
	c := f.make().Claims[0]
	var got []string
	for _, e := range c.Found {
		got = append(got, e.Dataset+" "+e.Rule+" "+e.Verdict)
	}
	want := "beauty removed reproduced, beauty kept reproduced, toys removed not run, toys kept not run, sports removed not run, sports kept not run"
	if strings.Join(got, ", ") != want || c.Verdict != Undecided {
		t.Errorf("%s: %v", c.Verdict, got)
	}

	f = newFixture(t)
	f.publish(nil)
	f.add("sasrec", 0, .1, .1, same(3), nil)
	if s := f.make(); s.Claims != nil {
		t.Errorf("a claim about a model that the suite does not have: %+v", s.Claims)
	}
	spec = f.Planned[0].Spec
	spec.Model = "fame"
	f.Planned = append(f.Planned, Planned{Spec: spec})
	if c := f.make().Claims[0]; c.Verdict != NotRun || len(c.Found) != 2 || c.Found[0].Verdict != NotRun || c.Found[0].Label != "" {
		t.Errorf("planned, without a record: %+v", c)
	}

	f = newFixture(t)
	f.publish(nil)
	f.add("fame", 0, .1, .1, same(3), nil)
	if c := f.make().Claims[0]; c.Verdict != Undecided || c.Found[0].Gain != nil || c.Found[0].Seeds != 0 {
		t.Errorf("no baseline: %+v", c)
	}

	f = newFixture(t)
	f.publish(nil)
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(3), takeOut)
		f.add("fame", seed, .2, .11, same(2), takeOut)
	}
	if s := f.make(); s.Claims[0].Verdict != NotRun || s.Claims[0].Found != nil || !slices.Contains(s.Tables[0].Notes, "data settings: cold_items = 0.05") {
		t.Errorf("a claim says nothing of items taken out: %+v, %q", s.Claims[0], s.Tables[0].Notes)
	}

	f = newFixture(t)
	f.publish(nil)
	f.add("fame", 0, .2, .11, same(2), func(r *record.Record) {
		r.Result.Spec.Dataset.Config = record.Settings{"format": json.RawMessage(`"facets"`)}
	})
	if s := f.make(); s.Claims != nil {
		t.Errorf("a claim says nothing of generated data: %+v", s.Claims)
	}
}

// On a data set that the paper does not use, the gain has no verdict, and the claim as a whole is about
// the others.
func TestClaimsOfOtherData(t *testing.T) {
	f := newFixture(t)
	f.publish(func(text string) string {
		text = replace(`baselines = ["sasrec"]`, `baselines = ["sasrec", "duorec"]`)(text) // the latter has no records
		return replace(`datasets = ["beauty"]`, `datasets = ["toys"]`)(replace("[numbers.a]", "[data.toys]\nusers = 9\nitems = 99\n[numbers.a]")(text))
	})
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(3), nil)
		f.add("fame", seed, .2, .11, same(2), nil)
	}
	c := f.make().Claims[0]
	if e := c.Found[0]; c.Verdict != NotClaimed || len(c.Found) != 2 || e.Verdict != NotClaimed || e.Lacks != nil || e.Gain == nil || math.Abs(*e.Gain-10) > 1e-9 {
		t.Errorf("%+v", c)
	}
	spec := f.Planned[1].Spec
	spec.Dataset = record.Dataset{Name: "toys", Fingerprint: "44"}
	f.Planned = append(f.Planned, Planned{Spec: spec})
	if c := f.make().Claims[0]; c.Verdict != NotRun || len(c.Found) != 4 {
		t.Errorf("with a data set of the paper: %+v", c)
	}
}

// The claim is about the best of its baselines. A better model that the paper does not know, such as a
// control, excludes nothing: HR@20 of FAME is 10 % above that of SASRec, and below duorec-warm's. But
// to be significantly better, FAME has to be it in the table.
func TestBaselineOfAClaim(t *testing.T) {
	f := newFixture(t)
	f.publish(replace(`baselines = ["sasrec"]`, `baselines = ["sasrec", "core"]`))
	for seed := range int64(3) {
		f.add("core", seed, .05, .05, same(9), nil)
		f.add("sasrec", seed, .1, .10, same(90), nil)
		f.add("duorec-warm", seed, .3, .30, same(1), nil)
		f.add("fame", seed, .2, .11, same(2), nil)
	}
	s := f.make()
	for _, e := range s.Claims[0].Found {
		if s.Tables[0].Baseline != "duorec-warm" || e.Baseline != "sasrec" || e.TableBaseline != "duorec-warm" || e.Verdict != Undecided || math.Abs(*e.Gain-10) > 1e-9 || e.Significant {
			t.Errorf("%+v", e)
		}
	}
	f.publish(replace(`baselines = ["sasrec"]`, `baselines = ["bert4rec"]`))
	if e := f.make().Claims[0].Found[0]; e.Baseline != "" || e.Verdict != Undecided || e.Gain != nil {
		t.Errorf("none of its baselines: %+v", e)
	}
}

// FAME's HR@20 is .22, core's .04 in the records. FAME hits all users, core eight of twelve, as in
// TestClaimInterval. duorec was not run.
func TestControls(t *testing.T) {
	f := newFixture(t)
	f.publish(replace(`"core" = "no facets"`, `"duorec" = "b", "core" = "a"`))
	for seed := range int64(3) {
		f.add("sasrec", seed, .1, .10, same(3), nil)
		f.add("fame", seed, .2, .11, same(2), nil)
	}
	f.add("core", 0, .05, .02, hit8(), nil)
	e := f.make().Claims[0].Found[0]
	if len(e.Controls) != 2 {
		t.Fatalf("%+v", e.Controls)
	}
	if got, want := e.Controls[0], (Control{Model: "duorec", Shares: "b"}); got != want {
		t.Errorf("not run: got %+v, want %+v", got, want)
	}
	core := e.Controls[1]
	if core.Model != "core" || core.Shares != "a" || core.Label != "core" || core.Seeds != 1 ||
		math.Abs(*core.Gain-450) > 1e-9 || math.Abs(*core.GainLow-100./11) > 1e-9 || math.Abs(*core.GainHigh-700./5) > 1e-9 {
		t.Errorf("%+v: gain %v [%v, %v]", core, *core.Gain, *core.GainLow, *core.GainHigh)
	}
}

// withHeads changes the number of heads of a record.
func withHeads(n string) func(*record.Record) {
	return func(r *record.Record) {
		r.Result.Spec.Params = record.Settings{"heads": []byte(n)}
		r.Resolved["params"]["heads"] = []byte(n)
	}
}

// A control that the model begins with is the row of its source, not one of the same model that is
// better on validation.
func TestControlOfSource(t *testing.T) {
	for warm, want := range []string{"sasrec heads=2", "sasrec heads=4"} {
		f := newFixture(t)
		f.publish(replace(`"core" = "no facets"`, `"sasrec" = "a"`))
		f.add("sasrec", 0, .3, .1, same(3), withHeads("2"))
		four := f.add("sasrec", 0, .1, .1, same(3), withHeads("4"))
		f.add("fame", 0, .2, .1, same(3), func(r *record.Record) {
			if warm == 1 {
				r.Result.Spec.Source = four.Result.Spec.AsSource()
			}
		})
		if e := f.make().Claims[0].Found[0]; len(e.Controls) != 1 || e.Controls[0].Label != want {
			t.Errorf("got %+v, want %s", e.Controls, want)
		}
	}
}

// A control that begins with other weights than the claim's model says so.
func TestControlOfAnotherSource(t *testing.T) {
	for equal, want := range map[bool]string{true: "a", false: "a; but fame begins with sasrec heads=4, and core with sasrec heads=2"} {
		f := newFixture(t)
		f.publish(replace(`"core" = "no facets"`, `"core" = "a"`))
		two, four := f.add("sasrec", 0, .3, .1, same(3), withHeads("2")), f.add("sasrec", 0, .1, .1, same(3), withHeads("4"))
		if equal {
			two = four
		}
		f.add("fame", 0, .2, .1, same(3), func(r *record.Record) { r.Result.Spec.Source = four.Result.Spec.AsSource() })
		f.add("core", 0, .2, .1, same(3), func(r *record.Record) { r.Result.Spec.Source = two.Result.Spec.AsSource() })
		if e := f.make().Claims[0].Found[0]; len(e.Controls) != 1 || e.Controls[0].Shares != want {
			t.Errorf("got %+v, want %q", e.Controls, want)
		}
	}
}

// A row whose source was recorded again after it says so, and one that says already that it began
// with other weights does not say it twice.
func TestSourceTrainedAgain(t *testing.T) {
	f := newFixture(t)
	for seed := range int64(2) {
		source := f.add("sasrec", seed, .1, .1, same(3), func(r *record.Record) { r.Measured.Weights = "new" })
		for model, from := range map[string]record.Inherited{"fame": {Weights: "new"}, "core": {Weights: "old"}, "duorec": {Weights: "old", Differ: true}} {
			f.add(model, seed, .1, .1, same(3), func(r *record.Record) {
				from.ID = source.ID
				if seed == 1 {
					from.Weights = "new"
				}
				r.Result.Spec.Source, r.Measured.Source = source.Result.Spec.AsSource(), &from
			})
		}
	}
	for _, r := range f.make().Tables[0].Rows {
		said := slices.Contains(r.Notes, "began with other weights than its source has now, which was trained again since (1 of 2 seeds)")
		if said != (r.Model == "core") {
			t.Errorf("%s: %q", r.Model, r.Notes)
		}
	}
}

// A part says what searches gained for its model and its baseline, on its data set.
func TestTuningOfClaims(t *testing.T) {
	f := newFixture(t)
	f.publish(nil)
	f.add("sasrec", 0, .1, .1, same(3), nil)
	f.add("core", 0, .05, .1, same(3), nil)
	f.add("fame", 0, .2, .1, same(2), nil)
	fame, sasrec := Tuning{Model: "fame", Dataset: "beauty", Gain: 2}, Tuning{Model: "sasrec", Dataset: "beauty", Gain: 1}
	f.Tuning = map[string][]Tuning{"beauty": {sasrec, {Model: "core", Dataset: "beauty", Gain: 3}, fame}, "toys": {{Model: "fame", Dataset: "toys"}}}
	for _, e := range f.make().Claims[0].Found {
		if !slices.Equal(e.Tuning, []Tuning{fame, sasrec}) {
			t.Errorf("%s: %+v", e.Rule, e.Tuning)
		}
	}
}

// A row that begins with trained weights names the row of its source: the one of the same
// settings and data, and not another one of the same model.
func TestSourceRow(t *testing.T) {
	from := func(source *record.Source) func(*record.Record) {
		return func(r *record.Record) { r.Result.Spec.Source = source }
	}
	f := newFixture(t)
	two := f.add("sasrec", 0, .1, .1, same(3), withHeads("2"))
	four := f.add("sasrec", 1, .1, .1, same(3), withHeads("4"))
	warm := f.add("fame", 0, .1, .1, same(3), from(four.Result.Spec.AsSource()))
	f.add("fame-plain", 0, .1, .1, same(3), from(warm.Result.Spec.AsSource()))
	missing := two.Result.Spec.AsSource()
	missing.Params = record.Settings{"heads": []byte("8")}
	f.add("core", 0, .1, .1, same(3), from(missing))
	want := map[string]Row{"sasrec heads=2": {}, "sasrec heads=4": {}, "fame": {Warm: true, Source: "sasrec heads=4"}, "fame-plain": {Warm: true, Source: "fame"}, "core": {Warm: true}}
	for _, r := range f.make().Tables[0].Rows {
		if w, ok := want[r.Label]; !ok || r.Warm != w.Warm || r.Source != w.Source {
			t.Errorf("%s: warm %v, source %q; want %v, %q", r.Label, r.Warm, r.Source, w.Warm, w.Source)
		}
	}
}

// The row with the configured settings stands for a model, however good those of an axis are: they
// may be ablations. Without its records the model was not run.
func TestClaimsOfConfiguredRow(t *testing.T) {
	for _, ran := range []bool{true, false} {
		f := newFixture(t)
		f.publish(nil)
		for seed := range int64(3) {
			f.add("sasrec", seed, .1, .10, same(3), nil)
			f.add("fame", seed, .3, .12, same(1), func(r *record.Record) {
				r.Result.Spec.Params = record.Settings{"experts": []byte("1")}
			})
			if ran {
				f.add("fame", seed, .05, .09, same(4), nil)
			}
		}
		own := f.Planned[0]
		own.Spec.Model, own.Spec.Device, own.Configured = "fame", "cuda", true // on any device
		f.Planned = append(f.Planned, own)
		e := f.make().Claims[0].Found[0]
		if ran && (e.Verdict != Excluded || e.Label != "fame") || !ran && (e.Verdict != NotRun || e.Label != "") {
			t.Errorf("configured row run: %t: %+v", ran, e)
		}
	}
}
