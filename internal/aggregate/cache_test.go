package aggregate

import (
	"os"
	"slices"
	"testing"
)

// The key is another if anything changes that Make's result depends on.
func TestKey(t *testing.T) {
	f := newFixture(t)
	f.Axes = []string{"heads"}
	f.add("sasrec", 0, .1, .1, same(2), nil)
	f.add("core", 0, .2, .1, same(3), nil)
	for _, r := range f.Records {
		if err := f.Store.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	key := func(change func(*Input)) string {
		in := f.Input
		in.Planned, in.Records = slices.Clone(in.Planned), slices.Clone(in.Records)
		r := *in.Records[0]
		in.Records[0] = &r
		change(&in)
		k, err := in.Key()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	now := key(func(*Input) {})
	for name, tt := range map[string]struct {
		change func(*Input)
		hit    bool
	}{
		"nothing":         {func(*Input) {}, true},
		"other machine":   {func(in *Input) { in.Planned[0].Spec.Device = "cuda" }, true},
		"other result":    {func(in *Input) { in.Records[0].ResultSHA256 = "x" }, false},
		"other measures":  {func(in *Input) { in.Records[0].Measured.TrainSeconds++ }, false},
		"a record less":   {func(in *Input) { in.Records = in.Records[1:] }, false},
		"other order":     {func(in *Input) { slices.Reverse(in.Records) }, false},
		"a run more":      {func(in *Input) { in.Planned = append(in.Planned, Planned{}) }, false},
		"a failure":       {func(in *Input) { in.Planned[0].Failure = "x" }, false},
		"stale":           {func(in *Input) { in.Stale = []Stale{{"a", "b"}} }, false},
		"skipped":         {func(in *Input) { in.Skipped = []string{"a"} }, false},
		"axes":            {func(in *Input) { in.Axes = nil }, false},
		"proposals":       {func(in *Input) { in.Proposals = nil }, false},
		"equal_within":    {func(in *Input) { in.EqualWithin = 2 }, false},
		"average":         {func(in *Input) { in.Average = ByUser }, false},
		"published bytes": {func(in *Input) { in.Published = &Published{sha256: "x"} }, false},
	} {
		if hit := now == key(tt.change); hit != tt.hit {
			t.Errorf("%s: hit %v, want %v", name, hit, tt.hit)
		}
	}
	for what, change := range map[string]string{
		"a record": f.Store.RecordPath(f.Records[0].ID), "ranks": f.Store.RanksPath(f.Records[1].ID), "new pictures": f.Store.PicturesPath(f.Records[0].ID),
		"new test cases": f.Store.CasesPath(f.Records[0].Result.Spec.Dataset, "leave-one-out"),
	} {
		old, missing := os.ReadFile(change)
		if err := os.WriteFile(change, append(slices.Clone(old), 'x'), 0o644); err != nil {
			t.Fatal(err)
		}
		if key(func(*Input) {}) == now {
			t.Errorf("%s changed, but the key did not", what)
		}
		if missing != nil {
			_ = os.Remove(change)
		} else if err := os.WriteFile(change, old, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if key(func(*Input) {}) != now {
		t.Error("the key is another after files were put back")
	}
}
