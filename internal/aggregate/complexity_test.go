package aggregate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// Of the fixture's users, 0–3 have the entropy 0, 4–7 one bit, 8–10 two bits, and 11 has none.
func grouped(f *fixture) {
	f.t.Helper()
	f.ByEntropy, f.Axes = true, []string{"fame.experts"}
	e := &record.Entropy{Facet: "genre", Millibits: []int32{0, 0, 0, 0, 1000, 1000, 1000, 1000, 2000, 2000, 2000, -1}}
	if err := f.Store.WriteEntropy(record.Dataset{Name: "beauty", Fingerprint: "0011223344"}, "leave-one-out", e); err != nil {
		f.t.Fatal(err)
	}
}

func experts(n string) func(*record.Record) {
	return func(r *record.Record) {
		r.Result.Spec.Params = record.Settings{"experts": json.RawMessage(n)}
		r.Resolved["params"]["experts"] = json.RawMessage(n)
	}
}

func TestComplexityByHand(t *testing.T) {
	f := newFixture(t)
	grouped(f)
	f.add("sasrec", 0, .1, .1, same(1), nil)
	// Two experts find all items of the second group, and with seed 0 those of the third.
	f.add("fame", 0, .1, .1, []int32{11, 11, 11, 11, 1, 1, 1, 1, 1, 1, 1, 1}, experts("2"))
	f.add("fame", 1, .1, .1, []int32{11, 11, 11, 11, 1, 1, 1, 1, 11, 11, 11, 1}, experts("2"))
	f.add("fame", 0, .1, .1, same(11), experts("1"))
	f.add("fame", 1, .1, .1, same(11), experts("1"))
	f.kept = same(3)
	f.add("fame", 1, .1, .1, same(1), experts("4"))
	c := f.make().Tables[0].Complexity
	if c == nil || c.Facet != "genre" || c.Without != 1 || len(c.Rows) != 2 {
		t.Fatalf("%+v", c)
	}
	if want := []UserGroup{{"up to 0.000 bits", 4}, {"up to 1.000 bits", 4}, {"> 1.000 bits", 3}}; !slices.Equal(c.Groups, want) {
		t.Errorf("groups %v, want %v", c.Groups, want)
	}
	row := c.Rows[0]
	if !strings.Contains(row.Label, "2") || !strings.Contains(row.Than, "1") || row.Model != "fame" {
		t.Errorf("%q over %q", row.Label, row.Than)
	}
	for k, want := range []GroupGain{{0, 0, 0, 0}, {0, 1, 1, 1}, {0, .5, 0, 1}} {
		got := row.Removed.Groups[k]
		near(t, "of the lowest", got.Than, want.Than)
		near(t, "difference", got.Difference, want.Difference)
		near(t, "low", got.Low, want.Low)
		near(t, "high", got.High, want.High)
	}
	// By seed the trend is 1 and 0. Their standard deviation is √½, and t of one degree of
	// freedom 12.7062.
	trend := row.Removed.Trend
	near(t, "trend", trend.Mean, .5)
	if trend.Seeds != 2 || trend.High < 6.853 || trend.High > 6.8532 || trend.Low < -5.8532 || trend.Low > -5.853 {
		t.Errorf("trend %+v, want .5 ± 6.3531", trend)
	}
	four := c.Rows[1]
	near(t, "kept, rank 3 and not found", four.Kept.Groups[0].Difference, .5)
	if four.Kept.Trend.Seeds != 1 || four.Kept.Trend.Low != four.Kept.Trend.Mean || four.Removed.Groups[2].Difference != 1 {
		t.Errorf("one seed: %+v, %+v", four.Kept.Trend, four.Removed.Groups[2])
	}
}

func TestComplexityNeedsEntropies(t *testing.T) {
	f := newFixture(t)
	f.ByEntropy, f.Axes = true, []string{"fame.experts"}
	f.add("fame", 0, .1, .1, same(1), experts("1"))
	f.add("fame", 0, .1, .1, same(2), experts("2"))
	s, without := f.make(), f.key()
	want := "skipped: beauty: its users were not grouped by entropy, since datasets/beauty-00112233.leave-one-out.entropy.json is missing; a report where the data is writes it"
	if s.Tables[0].Complexity != nil || !slices.Contains(s.Notes, want) {
		t.Errorf("%+v, %q", s.Tables[0].Complexity, s.Notes)
	}
	grouped(f)
	if c := f.make().Tables[0].Complexity; c == nil || len(c.Rows) != 1 || f.key() == without {
		t.Errorf("%+v", c)
	}
	f.ByEntropy = false
	if c := f.make().Tables[0].Complexity; c != nil {
		t.Errorf("not asked for: %+v", c)
	}
}

// Equal entropies are not divided, whatever the thirds, and a group without users has no gain.
func TestComplexityOfEqualUsers(t *testing.T) {
	f := newFixture(t)
	grouped(f)
	e := &record.Entropy{Facet: "genre", Millibits: slices.Repeat([]int32{1585}, users)}
	if err := f.Store.WriteEntropy(record.Dataset{Name: "beauty", Fingerprint: "0011223344"}, "leave-one-out", e); err != nil {
		t.Fatal(err)
	}
	f.add("fame", 0, .1, .1, same(1), experts("1"))
	f.add("fame", 0, .1, .1, same(2), experts("2"))
	c := f.make().Tables[0].Complexity
	if c.Groups[0].Users != users || c.Groups[1].Users+c.Groups[2].Users != 0 {
		t.Fatalf("%+v", c.Groups)
	}
	gains := c.Rows[0].Removed
	if gains.Groups[0] == nil || gains.Groups[1] != nil || gains.Groups[2] != nil || gains.Trend.Seeds != 0 {
		t.Errorf("%+v", gains)
	}
}
