package aggregate

import (
	"encoding/json"
	"strings"
	"testing"

	"famebench/internal/record"
)

// By hand, validation NDCG@10 of two seeds: .04 and .06 (mean .05), and on the other place of
// the axis .0401 and .0603. The differences are .2 % and .6 % of the mean: mean .4, standard
// deviation √.08, half width 12.7062·√.08/√2 = 2.54124.
func TestEquality(t *testing.T) {
	make := func(within float64, other ...float64) *Suite {
		f := newFixture(t)
		f.Axes, f.EqualWithin = []string{"train.precision"}, within
		at := func(v string) func(*record.Record) {
			return func(r *record.Record) {
				r.Result.Spec.Train = record.Settings{"precision": json.RawMessage(`"` + v + `"`)}
				r.Resolved["train"]["precision"] = json.RawMessage(`"` + v + `"`)
			}
		}
		for seed, valid := range []float64{.04, .06, .9} {
			if seed == 2 && len(other) < 3 { // a seed that the other place does not have
				f.add("sasrec", 7, valid, .5, same(3), at("float32"))
				break
			}
			f.add("sasrec", int64(seed), valid, .5, same(3), at("float32"))
		}
		for seed, valid := range other {
			f.add("sasrec", int64(seed), valid, .51, same(3), at("bfloat16"))
		}
		return f.make()
	}
	s := make(3, .0401, .0603)
	if len(s.Equality) != 1 {
		t.Fatalf("%+v", s.Equality)
	}
	e := s.Equality[0]
	near(t, "difference", e.Difference, .4)
	near(t, "test", e.Removed, 2)
	if d := e.High - .4 - 2.541241; d > 1e-5 || d < -1e-5 || e.Verdict != EqualResults || e.Seeds != 2 || e.Label != "sasrec train.precision=bfloat16" || e.Than != "sasrec train.precision=float32" {
		t.Errorf("%+v", e)
	}
	for _, c := range []struct {
		within float64
		other  []float64
		want   string
	}{
		{2, []float64{.0401, .0603}, UndecidedEqual},
		{2, []float64{.05, .07}, UnequalResults}, // 20 % each
		{50, []float64{.05}, UndecidedEqual},     // one seed
	} {
		if got := make(c.within, c.other...).Equality[0].Verdict; got != c.want {
			t.Errorf("%v within %v %%: %s, expected %s", c.other, c.within, got, c.want)
		}
	}
	if s := make(0, .04, .06); s.Equality != nil {
		t.Errorf("a suite that does not ask: %+v", s.Equality)
	}
}

// Rows are compared with the one that is planned first, whichever has records, and with nothing
// if that one has none, no seed in common, or a validation of 0.
func TestEqualityWithNothing(t *testing.T) {
	for name, c := range map[string]struct {
		valid  float64 // of the first row
		seed   int64   // its first one
		remove bool
		than   string
	}{
		"no record":        {.05, 0, true, ""},
		"no common seed":   {.05, 5, false, "sasrec train.precision=float32"},
		"validation is 0":  {1e-300, 0, false, "sasrec train.precision=float32"},
		"two common seeds": {.05, 0, false, "sasrec train.precision=float32"},
	} {
		f := newFixture(t)
		f.Axes, f.EqualWithin = []string{"train.precision"}, 2
		for _, v := range []string{"float32", "bfloat16", "float16"} {
			for seed := range int64(2) {
				valid := .05
				if v == "float32" {
					valid, seed = c.valid, seed+c.seed
				}
				f.add("sasrec", seed, valid, .5, same(3), func(r *record.Record) {
					r.Result.Spec.Train = record.Settings{"precision": json.RawMessage(`"` + v + `"`)}
					r.Resolved["train"]["precision"] = json.RawMessage(`"` + v + `"`)
					if c.valid < 1e-9 && v == "float32" {
						r.Result.Curve[0].Valid[Tested] = 0
					}
				})
			}
		}
		if c.remove {
			f.Records = f.Records[2:]
		}
		s := f.make()
		if len(s.Equality) != 2 {
			t.Fatalf("%s: %+v", name, s.Equality)
		}
		for _, e := range s.Equality {
			ok := e.Seeds == 0 && e.Verdict == UndecidedEqual && e.Difference == 0
			if name == "two common seeds" {
				ok = e.Seeds == 2 && e.Verdict == EqualResults
			}
			if !ok || e.Than != c.than {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

// A row that another model begins with is no place on the axis, and no other row is compared
// with it, even if it is planned first.
func TestEqualityLeavesOutSources(t *testing.T) {
	f := newFixture(t)
	f.Axes, f.EqualWithin = []string{"train.precision"}, 2
	set := func(heads, precision string) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Params = record.Settings{"heads": json.RawMessage(heads)}
			r.Resolved["params"]["heads"] = json.RawMessage(heads)
			r.Result.Spec.Train = record.Settings{"precision": json.RawMessage(`"` + precision + `"`)}
			r.Resolved["train"]["precision"] = json.RawMessage(`"` + precision + `"`)
		}
	}
	for seed := range int64(2) {
		f.add("sasrec", seed, .05, .5, same(3), set("4", "float32"))
		f.Planned[len(f.Planned)-1].Source = true
		f.add("sasrec", seed, .05, .5, same(3), set("2", "float32"))
		f.add("sasrec", seed, .05, .5, same(3), set("2", "bfloat16"))
	}
	got := f.make().Equality
	if len(got) != 1 || !strings.Contains(got[0].Label, "train.precision=bfloat16 heads=2") || !strings.Contains(got[0].Than, "train.precision=float32 heads=2") || got[0].Verdict != EqualResults {
		t.Errorf("%+v", got)
	}
}

// What the plan names as device is that of the command and changes nothing. Rows are compared with
// the first row of their own device.
func TestEqualityOnAnyDevice(t *testing.T) {
	f := newFixture(t)
	f.Axes, f.EqualWithin = []string{"train.precision"}, 2
	for _, device := range []string{"cpu", "cuda"} {
		for _, v := range []string{"float32", "bfloat16"} {
			for seed := range int64(2) {
				f.add("sasrec", seed, .05, .5, same(3), func(r *record.Record) {
					r.Result.Spec.Device = device
					r.Result.Spec.Train = record.Settings{"precision": json.RawMessage(`"` + v + `"`)}
					r.Resolved["train"]["precision"] = json.RawMessage(`"` + v + `"`)
				})
			}
		}
	}
	f.add("sasrec", 0, .05, .5, same(3), func(r *record.Record) { // without the first row on its device
		r.Result.Spec.Device = "mps"
		r.Result.Spec.Train = record.Settings{"precision": json.RawMessage(`"bfloat16"`)}
		r.Resolved["train"]["precision"] = json.RawMessage(`"bfloat16"`)
	})
	for _, device := range []string{"cpu", "cuda", "mps", "another"} {
		for i := range f.Planned {
			f.Planned[i].Spec.Device = device
		}
		got := f.make().Equality
		if len(got) != 3 {
			t.Fatalf("planned for %s: %+v", device, got)
		}
		for i, want := range []struct {
			on, verdict string
			seeds       int
		}{{"cpu", EqualResults, 2}, {"cuda", EqualResults, 2}, {"mps", UndecidedEqual, 0}} {
			e := got[i]
			if !strings.Contains(e.Label, want.on) || e.Verdict != want.verdict || e.Seeds != want.seeds || (e.Than == "") != (want.seeds == 0) || want.seeds > 0 && !strings.Contains(e.Than, want.on) {
				t.Errorf("planned for %s: %+v, expected %+v", device, e, want)
			}
		}
	}
}
