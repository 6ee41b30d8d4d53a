package aggregate

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"famebench/internal/rank"
	"famebench/internal/record"
)

// side gives the records of a fixture the metrics of their ranks, since a comparison checks
// them, and returns a side.
func (f *fixture) side(name string) Side {
	f.t.Helper()
	for _, r := range f.Records {
		kept, removed, _, err := rank.ReadRanks(f.Store.RanksPath(r.ID))
		if err != nil {
			f.t.Fatal(err)
		}
		of := func(ranks []int32) record.Metrics {
			m := ListMetrics(ranks, 100)
			mrr := 0.
			for _, r := range ranks {
				mrr += 1 / float64(r)
			}
			m["MRR"], m["Coverage@10"] = mrr/float64(len(ranks)), .5
			return m
		}
		r.Result.Test = record.Rules{Kept: of(kept), Removed: of(removed)}
	}
	return Side{Name: name, Store: f.Store, Records: f.Records}
}

func line(t *testing.T, c *Comparison, dataset, rule, metric string) ComparedMetric {
	t.Helper()
	i := slices.IndexFunc(c.Lines, func(l ComparedMetric) bool {
		return l.Dataset == dataset && l.Rule == rule && l.Metric == metric
	})
	if i < 0 {
		t.Fatalf("no line of %s on %s, seen items %s", metric, dataset, rule)
	}
	return c.Lines[i]
}

// By hand: every user has rank 3 (NDCG .5) with A and rank 1 (NDCG 1) with B, so every draw has
// the same difference: the gain is 100 % in NDCG and its interval is a point. Twelve signs that
// agree have p = 2/2^12. Five of the seven tested metrics differ so: HR is 1 for all users.
func TestCompareByHand(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	for _, data := range []string{"beauty", "toys"} {
		rename := func(r *record.Record) { r.Result.Spec.Dataset.Name = data }
		for seed := range int64(3) {
			a.add("sasrec", seed, .03, 0, same(3), rename)
			b.add("fame", seed, .03, 0, same(1), rename)
		}
	}
	c, err := Compare(a.side("x"), b.side("y"))
	if err != nil {
		t.Fatal(err)
	}
	l := line(t, c, "toys", "kept", Tested)
	near(t, "A", l.A.Mean, .5)
	near(t, "B", l.B.Mean, 1)
	near(t, "percent", *l.Percent, 100)
	near(t, "low", *l.Test.GainLow, 100)
	near(t, "high", *l.Test.GainHigh, 100)
	near(t, "p", l.Test.P, 2/math.Pow(2, users))
	near(t, "p after Holm's correction of 14 lines", l.Test.PHolm, 14*2/math.Pow(2, users))
	if l.A.N != 3 || l.B.N != 3 || !l.Test.Significant || l.Test.FewSeeds {
		t.Errorf("%+v, %+v", l, l.Test)
	}
	if l := line(t, c, "toys", "kept", "HR@5"); l.Test.P != 1 || l.Test.Significant || *l.Percent != 0 {
		t.Errorf("HR@5: %+v, %+v", l, l.Test)
	}
	if l := line(t, c, "toys", "kept", "Coverage@10"); l.Test != nil || l.Untested == "" {
		t.Errorf("Coverage@10 has no users: %+v", l)
	}
	i := slices.IndexFunc(c.Means, func(m ComparedMean) bool { return m.Rule == "removed" && m.Metric == "MRR" })
	if m := c.Means[i]; m.Datasets != 2 || math.Abs(m.A-1./3) > 1e-12 || m.B != 1 || math.Abs(m.Percent-200) > 1e-9 {
		t.Errorf("geometric mean: %+v", m)
	}
	if c.Warnings != nil {
		t.Errorf("warnings about models that differ in nothing else: %+v", c.Warnings)
	}
}

// A difference is no finding without three seeds on both sides.
func TestCompareNeedsSeeds(t *testing.T) {
	for seeds, want := range map[int]bool{2: false, 3: true} {
		a, b := newFixture(t), newFixture(t)
		for seed := range 3 {
			a.add("sasrec", int64(seed), .03, 0, same(3), nil)
			if seed < seeds {
				b.add("fame", int64(seed), .03, 0, same(1), nil)
			}
		}
		c, err := Compare(a.side("x"), b.side("y"))
		if err != nil {
			t.Fatal(err)
		}
		l := line(t, c, "beauty", "removed", Tested)
		if l.Test.Significant != want || l.Test.FewSeeds == want || l.Test.Low <= 0 {
			t.Errorf("%d seeds: %+v", seeds, l.Test)
		}
		if noted := strings.Contains(strings.Join(c.Notes, "\n"), "fewer than 3 seeds"); noted == want {
			t.Errorf("%d seeds: notes %q", seeds, c.Notes)
		}
	}
}

// Each dimension in which two runs of a model may differ has one warning, and no other.
func TestHiddenDimensions(t *testing.T) {
	train := func(key, value string) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Train = record.Settings{key: json.RawMessage(value)}
			r.Resolved["train"] = record.Settings{"loss": json.RawMessage(`"ce"`), "batch_targets": json.RawMessage("512"), "precision": json.RawMessage(`"float32"`)}
			r.Resolved["train"][key] = json.RawMessage(value)
		}
	}
	start := func(change func(*record.Init)) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Init = &record.Init{Texts: "t", Facets: "f", Encoder: "e", Version: 1}
			change(r.Result.Spec.Init)
		}
	}
	same1 := train("loss", `"ce"`)
	plain := start(func(*record.Init) {})
	type change = func(*record.Record)
	for what, changes := range map[string][2]change{
		"data fingerprint":                    {nil, func(r *record.Record) { r.Result.Spec.Dataset.Fingerprint = "99" }},
		"split":                               {nil, func(r *record.Record) { r.Result.Spec.Protocol = "time" }},
		"parts of the split":                  {nil, func(r *record.Record) { r.Result.Spec.Dataset.Split = "77" }},
		"data setting k_core":                 {nil, func(r *record.Record) { r.Result.Spec.Dataset.Config = record.Settings{"k_core": json.RawMessage("5")} }},
		"train.loss":                          {same1, train("loss", `"bce"`)},
		"train.batch_targets":                 {same1, train("batch_targets", "256")},
		"train.precision":                     {same1, train("precision", `"bfloat16"`)},
		"heads":                               {nil, func(r *record.Record) { r.Resolved["params"] = record.Settings{"heads": json.RawMessage("4")} }},
		"version of the model's code":         {nil, func(r *record.Record) { r.Result.Spec.Versions.Model = 2 }},
		"version of the training code":        {nil, func(r *record.Record) { r.Result.Spec.Versions.Train = 2 }},
		"version of the ranking code":         {nil, func(r *record.Record) { r.Result.Spec.Versions.Rank = 2 }},
		"device":                              {nil, func(r *record.Record) { r.Result.Spec.Device = "cuda" }},
		"seeds":                               {nil, func(r *record.Record) { r.Result.Spec.Seed = 7 }},
		"end of training":                     {nil, func(r *record.Record) { r.Result.Status = record.Epochs }},
		"initialisation from texts":           {nil, plain},
		"texts":                               {plain, start(func(s *record.Init) { s.Texts = "u" })},
		"labels":                              {plain, start(func(s *record.Init) { s.Facets = "u" })},
		"text encoder":                        {plain, start(func(s *record.Init) { s.Encoder = "u" })},
		"version of the pre-training code":    {plain, start(func(s *record.Init) { s.Version = 2 })},
		"trained weights that it begins with": {nil, func(r *record.Record) { r.Result.Spec.Source = &record.Source{Model: "sasrec"} }},
		"uncommitted changes":                 {nil, func(r *record.Record) { r.Measured.Dirty = true }},
		"libtorch":                            {nil, func(r *record.Record) { r.Measured.Libtorch = "3.0.0" }},
		"matrix products":                     {nil, func(r *record.Record) { r.Measured.Products = "avx512" }},
		"processor":                           {nil, func(r *record.Record) { r.Measured.CPU = "other" }},
		"threads":                             {nil, func(r *record.Record) { r.Measured.Threads = 5 }},
		"environment variables":               {nil, func(r *record.Record) { r.Measured.Environment = []string{"FAMEBENCH_PRODUCTS=avx2"} }},
		"code of the model":                   {nil, func(r *record.Record) { r.Measured.Code = "c0de" }},
	} {
		a, b := newFixture(t), newFixture(t)
		a.add("fame", 0, .03, 0, same(3), changes[0])
		b.add("fame", 0, .03, 0, same(1), changes[1])
		c, err := Compare(a.side("x"), b.side("y"))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(c.Warnings) != 1 || c.Warnings[0].What != what || c.Warnings[0].A == c.Warnings[0].B || !slices.Equal(c.Warnings[0].Where, []string{"beauty"}) {
			t.Errorf("%s: warnings %+v", what, c.Warnings)
		}
		l := line(t, c, "beauty", "removed", Tested)
		if other := slices.Contains([]string{"data fingerprint", "split", "parts of the split"}, what); other != (l.Test == nil) || other != (l.Untested != "") || l.Percent == nil {
			t.Errorf("%s: %+v: users of other data or splits are not paired, all others are", what, l)
		}
	}
}

// Rows of whole sides are paired by their settings, then by their model; others are named. A
// label that the user writes says what is compared.
func TestPairsOfRows(t *testing.T) {
	heads := func(n string) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Params = record.Settings{"heads": json.RawMessage(n)}
			r.Resolved["params"] = r.Result.Spec.Params
		}
	}
	a, b := newFixture(t), newFixture(t)
	a.add("fame", 0, .03, 0, same(3), heads("4"))
	a.add("fame", 0, .03, 0, same(4), heads("8"))
	a.add("core", 0, .03, 0, same(4), nil)
	b.add("core", 0, .03, 0, same(2), func(r *record.Record) { r.Measured.Threads = 9 })
	b.add("fame", 0, .03, 0, same(2), heads("8"))
	b.add("fame", 0, .03, 0, same(2), heads("16"))
	b.add("sasrec", 0, .03, 0, same(2), nil)
	x, y := a.side("x"), b.side("y")
	x.Whole, y.Whole = true, true
	c, err := Compare(x, y)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range c.Lines {
		got = appendNew(got, l.RowA+" / "+l.RowB)
	}
	if want := []string{"fame heads=8 / fame heads=8", "core / core", "fame heads=4 / fame heads=16"}; !slices.Equal(got, want) {
		t.Errorf("pairs %q, want %q", got, want)
	}
	if notes := strings.Join(c.Notes, "\n"); !strings.Contains(notes, "only in y: sasrec on beauty") || strings.Contains(notes, "only in x") {
		t.Errorf("notes: %s", notes)
	}
	if len(c.Warnings) != 2 || c.Warnings[0].Where[0] != "core on beauty" || c.Warnings[1].What != "heads" {
		t.Errorf("warnings: %+v", c.Warnings)
	}
	x, y = a.side("s/fame heads=4"), a.side("s/fame heads=8")
	x.Suite, x.Row, y.Suite, y.Row = "s", "fame heads=4", "s", "fame heads=8"
	if c, err = Compare(x, y); err != nil || c.Warnings != nil {
		t.Errorf("%v; the heads are what is compared: %+v", err, c.Warnings)
	}
	x.Row = "fame"
	if _, err = Compare(x, y); !errors.As(err, &SidesError{}) || !strings.Contains(err.Error(), `there are 2 rows of fame on beauty: name one of "s/fame heads=4", "s/fame heads=8"`) {
		t.Errorf("several rows: %v", err)
	}
	z := newFixture(t)
	z.add("fame", 0, .03, 0, same(1), func(r *record.Record) { r.Result.Spec.Dataset = record.Dataset{Name: "toys", Fingerprint: "1"} })
	if _, err = Compare(y, z.side("z")); !errors.As(err, &SidesError{}) || !strings.Contains(err.Error(), "fame heads=8 on beauty, and z has fame on toys") {
		t.Errorf("no common data set: %v", err)
	}
}

// A row is compared with the one of the same version of the code, if there is one.
func TestCompareTheSameVersion(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	version := func(n int) func(*record.Record) {
		return func(r *record.Record) { r.Result.Spec.Versions.Train = n }
	}
	a.add("sasrec", 0, .03, 0, same(3), version(1))
	a.add("sasrec", 0, .03, 0, same(2), version(2))
	b.add("sasrec", 0, .03, 0, same(2), version(2))
	x, y := a.side("x"), b.side("y")
	x.Whole, y.Whole = true, true
	c, err := Compare(x, y)
	if err != nil {
		t.Fatal(err)
	}
	if l := line(t, c, "beauty", "removed", Tested); l.A.Mean != l.B.Mean || c.Warnings != nil || len(c.Lines) == 0 {
		t.Errorf("%+v, warnings %+v", l, c.Warnings)
	}
}

// Of a run that older versions recorded with several numbers of threads, the newest counts.
func TestNewest(t *testing.T) {
	f := newFixture(t)
	threads := func(n int, day int) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Threads, r.Measured.Started = n, time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
		}
	}
	f.add("fame", 0, .03, 0, same(1), threads(2, 1))
	f.add("fame", 0, .03, 0, same(1), threads(4, 2))
	f.add("fame", 1, .03, 0, same(1), threads(2, 1))
	got, err := Newest(f.Records)
	if err != nil || len(got) != 2 || got[0].Result.Spec.Threads != 4 || got[1].Result.Spec.Seed != 1 {
		t.Errorf("%v, %v", got, err)
	}
}
