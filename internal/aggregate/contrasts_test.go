package aggregate

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"famebench/internal/record"
)

const sparseWords = `
[data.beauty]
users = 12
items = 100
[contrasts.words]
paper = "arXiv 2601.12301"
text = "most with two words"
model = "fame-plus"
over = "fame"
metric = "NDCG@10"
axis = "pretrain.max_words"
at = 2
datasets = ["beauty"]
`

// words makes a record one of a row with so many words of each text.
func words(n string, dropped string) func(*record.Record) {
	return func(r *record.Record) {
		r.Result.Spec.Init = &record.Init{Settings: record.Settings{}, Texts: "of " + n}
		r.Resolved["pretrain"] = record.Settings{"max_words": json.RawMessage(n), "drop_text": json.RawMessage(dropped)}
		for key, text := range r.Resolved["pretrain"] {
			if string(text) != "0" {
				r.Result.Spec.Init.Settings[key] = text
			}
		}
	}
}

func sparse(t *testing.T, seeds int, over, few, full [3]float64) *fixture {
	t.Helper()
	f := newFixture(t)
	f.Proposals = append(f.Proposals, "fame-plus")
	f.Axes = []string{"pretrain.max_words", "pretrain.drop_text"}
	f.publish(func(string) string { return sparseWords })
	for seed := range seeds {
		f.add("fame", int64(seed), .1, over[seed], same(1), nil)
		f.add("fame-plus", int64(seed), .1, .99, same(1), words("0", "0.5")) // differs in something else
		f.add("fame-plus", int64(seed), .1, full[seed], same(1), words("0", "0"))
		f.add("fame-plus", int64(seed), .1, few[seed], same(1), words("2", "0"))
	}
	return f
}

// With FAME at .1, the gains are 20, 30 and 40 % with two words, and 10, 10 and 20 % with all of
// them. The differences 10, 20 and 20 have the mean 16.67 and the standard deviation 5.7735; t of two
// degrees of freedom is 4.302653, so half the interval is 14.3422.
func TestContrastByHand(t *testing.T) {
	over, high, low := [3]float64{.1, .1, .1}, [3]float64{.12, .13, .14}, [3]float64{.11, .11, .12}
	for _, c := range []struct {
		what      string
		few, full [3]float64
		seeds     int
		want      string
		sign      float64
	}{
		{"more with two words", high, low, 3, Reproduced, 1},
		{"less", low, high, 3, Excluded, -1},
		{"two seeds", high, low, 2, Undecided, 0},
		{"the same", low, low, 3, Undecided, 0},
	} {
		s := sparse(t, c.seeds, over, c.few, c.full).make()
		if len(s.Contrasts) != 1 || len(s.Contrasts[0].Found) != 2 || s.Contrasts[0].Verdict != c.want {
			t.Fatalf("%s: %+v", c.what, s.Contrasts)
		}
		for _, e := range s.Contrasts[0].Found {
			d := e.Difference
			if e.Verdict != c.want || d.Seeds != c.seeds || !strings.Contains(e.Label, "2") || e.Label == e.Than || strings.Contains(e.Than, "0.5") {
				t.Errorf("%s: %+v", c.what, e)
			}
			if c.sign == 0 {
				continue
			}
			for what, x := range map[string][2]float64{"mean": {d.Mean, c.sign * 50 / 3.}, "half": {d.High - d.Mean, 14.3422}, "low": {d.Mean - d.Low, 14.3422},
				"gain": {max(e.Gain, e.GainAtZero), 30}, "the other gain": {min(e.Gain, e.GainAtZero), 40 / 3.}} {
				if math.Abs(x[0]-x[1]) > 1e-3 {
					t.Errorf("%s, %s: %s %v, want %v", c.what, e.Rule, what, x[0], x[1])
				}
			}
		}
	}
}

// Where both gains are losses, the smaller loss is no larger gain.
// A run on another device cannot be paired, and does not stand in for those that can.
func TestContrastNextToAnotherDevice(t *testing.T) {
	f := sparse(t, 3, [3]float64{.1, .1, .1}, [3]float64{.12, .13, .14}, [3]float64{.11, .11, .12})
	want := f.make().Contrasts[0].Found[0]
	f.add("fame", 0, .2, .1, same(1), func(r *record.Record) { r.Result.Spec.Device = "cuda" })
	got := f.make().Contrasts[0].Found[0]
	if want.Verdict == Undecided || got.Verdict != want.Verdict || got.Difference != want.Difference {
		t.Errorf("%+v, without the other device %+v", got, want)
	}
}

func TestContrastOfLosses(t *testing.T) {
	s := sparse(t, 3, [3]float64{.1, .1, .1}, [3]float64{.09, .091, .092}, [3]float64{.05, .051, .052}).make()
	if c := s.Contrasts[0]; c.Verdict != Undecided || c.Found[0].Difference.Low < 0 {
		t.Errorf("%+v", c)
	}
}

// Claims and contrasts of papers are about their data and split.
func TestOtherDataDecideNoContrast(t *testing.T) {
	for name, change := range map[string]func(*fixture, *record.Record){
		"generated data": func(f *fixture, r *record.Record) {
			r.Result.Spec.Dataset.Config = record.Settings{"format": json.RawMessage(`"facets"`)}
		},
		"cold items": func(f *fixture, r *record.Record) {
			r.Result.Spec.Dataset.Config = record.Settings{"cold_items": json.RawMessage("0.1")}
		},
		"another split":     func(f *fixture, r *record.Record) { r.Result.Spec.Protocol = "time" },
		"unknown data":      func(f *fixture, r *record.Record) { r.Result.Spec.Dataset.Name = "shop" },
		"another size":      func(f *fixture, r *record.Record) { r.Result.Items = 99 },
		"own proposals":     func(f *fixture, r *record.Record) { f.Own = true },
		"none of the above": nil,
	} {
		f := newFixture(t)
		f.Proposals = append(f.Proposals, "fame-plus")
		f.Axes = []string{"pretrain.max_words"}
		f.publish(func(text string) string {
			return text + strings.Replace(sparseWords, "[data.beauty]\nusers = 12\nitems = 100\n", "", 1)
		})
		edit := func(more func(*record.Record)) func(*record.Record) {
			return func(r *record.Record) {
				if more != nil {
					more(r)
				}
				if change != nil {
					change(f, r)
				}
			}
		}
		for seed := range int64(3) {
			f.add("sasrec", seed, .1, .1, same(1), edit(nil))
			f.add("fame", seed, .1, .2, same(1), edit(nil))
			f.add("fame-plus", seed, .1, .2, same(1), edit(words("0", "0")))
			f.add("fame-plus", seed, .1, .3, same(1), edit(words("2", "0")))
		}
		s := f.make()
		if want := change == nil; (s.Contrasts != nil) != want || (s.Claims != nil) != want && name != "cold items" {
			t.Errorf("%s: contrasts %+v, claims %+v", name, s.Contrasts, s.Claims)
		}
	}
}

// A contrast that the suite does not plan is not shown; one without its records is not run.
func TestContrastWithoutRows(t *testing.T) {
	f := newFixture(t)
	f.publish(func(string) string { return sparseWords })
	f.add("fame", 0, .1, .1, same(1), nil)
	if s := f.make(); s.Contrasts != nil {
		t.Errorf("not planned: %+v", s.Contrasts)
	}
	r := f.add("fame-plus", 0, .1, .1, same(1), words("2", "0"))
	if s := f.make(); len(s.Contrasts) != 1 || s.Contrasts[0].Verdict != NotRun || s.Contrasts[0].Found[1].Rule != "kept" {
		t.Errorf("without the row at 0: %+v", s.Contrasts)
	}
	f.Records = f.Records[:1]
	if s := f.make(); len(s.Contrasts) != 1 || s.Contrasts[0].Verdict != NotRun || r.ID == "" {
		t.Errorf("not run: %+v", s.Contrasts)
	}
	none := sparse(t, 3, [3]float64{.1, 0, .1}, [3]float64{.1, .1, .1}, [3]float64{.1, .1, .1})
	if s := none.make(); s.Contrasts[0].Verdict != Undecided || s.Contrasts[0].Found[0].Difference.Seeds != 0 {
		t.Errorf("over a row with 0: %+v", s.Contrasts)
	}
}

func TestContrastErrors(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`over = "fame"`, ``, "over is missing"},
		{`over = "fame"`, `over = "fame-plus"`, "expected another model"},
		{`"NDCG@10"`, `"NDCG@11"`, "unknown metric"},
		{`"pretrain.max_words"`, `"heads"`, "expected a setting of pre-training"},
		{`at = 2`, `at = 0`, "expected a value of the axis above 0"},
		{`at = 2`, `at = "two"`, "at"},
	} {
		_, err := parsePublished("p.toml", []byte(strings.Replace(sparseWords, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "p.toml:") {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
}
