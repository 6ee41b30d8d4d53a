package aggregate

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
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
	if c == nil || c.Facet != "genre" || c.Without != 1 || len(c.Divisions) != 1 || len(c.Divisions[0].Rows) != 2 {
		t.Fatalf("%+v", c) // the lengths of the histories are not stored
	}
	d := c.Divisions[0]
	if want := []UserGroup{{"up to 0.000 bits", 4}, {"up to 1.000 bits", 4}, {"> 1.000 bits", 3}}; !slices.Equal(d.Groups, want) || d.Lengths != nil {
		t.Errorf("groups %v, want %v; lengths %v", d.Groups, want, d.Lengths)
	}
	row := d.Rows[0]
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
	four := d.Rows[1]
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
	if c := f.make().Tables[0].Complexity; c == nil || len(c.Divisions[0].Rows) != 1 || f.key() == without {
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
	if g := c.Divisions[0].Groups; g[0].Users != users || g[1].Users+g[2].Users != 0 {
		t.Fatalf("%+v", g)
	}
	gains := c.Divisions[0].Rows[0].Removed
	if gains.Groups[0] == nil || gains.Groups[1] != nil || gains.Groups[2] != nil || gains.Trend.Seeds != 0 {
		t.Errorf("%+v", gains)
	}
}

// Users are divided a second time within the lengths of their histories. By hand: of six users with
// three items, two have each of three entropies; three have nine items and different entropies; two
// have one item and so the same one.
func TestComplexityOfEqualLengths(t *testing.T) {
	f := newFixture(t)
	f.ByEntropy, f.Axes = true, []string{"fame.experts"}
	data := record.Dataset{Name: "beauty", Fingerprint: "0011223344"}
	e := &record.Entropy{Facet: "genre", Millibits: []int32{0, 0, 918, 918, 1585, 1585, 2000, 2500, 3000, 0, 0, -1}}
	c := &record.Cases{Dataset: data, Protocol: "leave-one-out", Training: same(1), History: []int32{3, 3, 3, 3, 3, 3, 9, 9, 9, 1, 1, 9}}
	if err := errors.Join(f.Store.WriteEntropy(data, "leave-one-out", e), f.Store.WriteCases(c)); err != nil {
		t.Fatal(err)
	}
	f.add("fame", 0, .1, .1, same(11), experts("1"))
	// Two experts find the items of the highest third: users 4, 5 and 8.
	f.add("fame", 0, .1, .1, []int32{11, 11, 11, 11, 1, 1, 11, 11, 1, 11, 11, 1}, experts("2"))
	all := f.make().Tables[0].Complexity.Divisions
	if len(all) != 2 || all[0].EqualLength || !all[1].EqualLength {
		t.Fatalf("%+v", all)
	}
	d := all[1]
	if want := []UserGroup{{"lowest third", 3}, {"middle third", 5}, {"highest third", 3}}; !slices.Equal(d.Groups, want) {
		t.Errorf("groups %v, want %v", d.Groups, want)
	}
	if want := []float64{5, 3.4, 5}; !slices.Equal(d.Lengths, want) {
		t.Errorf("lengths %v, want %v", d.Lengths, want)
	}
	for k, want := range []float64{0, 0, 1} {
		near(t, "difference", d.Rows[0].Removed.Groups[k].Difference, want)
	}
	near(t, "trend", d.Rows[0].Removed.Trend.Mean, 1)
	// Among all users, the entropy alone decides, and with it the length.
	if want := []float64{2, 3, 9}; !slices.Equal(all[0].Lengths, want) {
		t.Errorf("lengths %v, want %v", all[0].Lengths, want)
	}
}

// With other splits, the history before a test item has items that the entropy is not of.
func TestComplexityOfOtherSplits(t *testing.T) {
	f := newFixture(t)
	f.ByEntropy, f.Axes = true, []string{"fame.experts"}
	data := record.Dataset{Name: "beauty", Fingerprint: "0011223344"}
	const split = datasets.TimeSplit
	c := &record.Cases{Dataset: data, Protocol: split, Training: same(1), History: same(5)}
	if err := errors.Join(f.Store.WriteEntropy(data, split, &record.Entropy{Facet: "genre", Millibits: same(7)}), f.Store.WriteCases(c)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"1", "2"} {
		f.add("fame", 0, .1, .1, same(11), func(r *record.Record) { experts(n)(r); r.Result.Spec.Protocol = split })
	}
	if got := f.make().Tables[0].Complexity.Divisions; len(got) != 1 || got[0].EqualLength {
		t.Errorf("%+v", got)
	}
}

// Gains are of the seeds that both rows have, as the trend is. By hand: with seed 0 two experts
// find all items and one expert none; the seeds that only one row has would change both means.
func TestComplexityOfCommonSeeds(t *testing.T) {
	f := newFixture(t)
	grouped(f)
	f.add("fame", 0, .1, .1, same(1), experts("2"))
	f.add("fame", 1, .1, .1, same(11), experts("2"))
	f.add("fame", 0, .1, .1, same(11), experts("1"))
	f.add("fame", 2, .1, .1, same(1), experts("1"))
	f.add("fame", 7, .1, .1, same(1), experts("4"))
	rows := f.make().Tables[0].Complexity.Divisions[0].Rows
	two, four := rows[0], rows[1]
	if two.Seeds != 1 || two.Removed.Trend.Seeds != 1 {
		t.Errorf("%d seeds, %d of the trend, expected one of each", two.Seeds, two.Removed.Trend.Seeds)
	}
	for _, g := range two.Removed.Groups {
		near(t, "of the lowest", g.Than, 0)
		near(t, "difference", g.Difference, 1)
	}
	if four.Seeds != 0 || len(four.Removed.Groups) != 3 || four.Removed.Groups[0] != nil || four.Kept.Groups[2] != nil || four.Removed.Trend.Seeds != 0 {
		t.Errorf("no common seed: %+v", four)
	}
}

// Rows whose runs begin with the same trainings draw the seeds of these together, and a seed that only
// one of them has changes nothing. With seed 0 no item is found, and otherwise rank 1 takes the place
// of rank 3, so only seeds that are drawn apart give an interval with 0.
func TestComplexityOfSharedTrainings(t *testing.T) {
	for _, shared := range []bool{true, false} {
		f := newFixture(t)
		grouped(f)
		for seed := range int64(4) {
			source := f.add("sasrec", seed, .1, .1, same(3), nil)
			at := func(n string) func(*record.Record) {
				return func(r *record.Record) {
					experts(n)(r)
					if shared {
						r.Result.Spec.Source = source.Result.Spec.AsSource()
					}
				}
			}
			one, four := same(3), same(1)
			if seed == 0 {
				one, four = same(60), same(60)
			}
			f.add("fame", seed, .1, .1, one, at("1"))
			if seed < 3 {
				f.add("fame", seed, .1, .1, four, at("4"))
			}
		}
		row := f.make().Tables[0].Complexity.Divisions[0].Rows[0]
		if gain := row.Removed.Groups[0]; row.Seeds != 3 || (gain.Low >= 0) != shared {
			t.Errorf("shared trainings: %t: %d seeds, %+v", shared, row.Seeds, gain)
		}
	}
}

// A row is compared with the lowest one of its own device, whichever comes first. Where that has
// no records on the device, there are no gains.
func TestComplexityByDevice(t *testing.T) {
	f := newFixture(t)
	grouped(f)
	on := func(device, n string) func(*record.Record) {
		return func(r *record.Record) {
			experts(n)(r)
			r.Result.Spec.Device = device
		}
	}
	f.add("fame", 0, .1, .1, same(1), on("cpu", "1"))
	f.add("fame", 0, .1, .1, same(11), on("cuda", "1"))
	f.add("fame", 0, .1, .1, same(1), on("cuda", "2"))
	f.add("fame", 0, .1, .1, same(1), on("mps", "2"))
	rows := f.make().Tables[0].Complexity.Divisions[0].Rows
	if len(rows) != 2 || rows[0].Seeds != 1 || !strings.Contains(rows[0].Than, "cuda") {
		t.Fatalf("%+v", rows)
	}
	near(t, "gain on cuda", rows[0].Removed.Groups[0].Difference, 1)
	if rows[1].Seeds != 0 || rows[1].Removed.Groups[0] != nil {
		t.Errorf("compared across devices: %+v", rows[1])
	}
}

// Test cases of unknown users are not taken for independent, so there are no intervals.
func TestComplexityOfUnknownUsers(t *testing.T) {
	f := newFixture(t)
	grouped(f)
	e := &record.Entropy{Facet: "genre", Millibits: []int32{0, 0, 0, 0, 1000, 1000, 1000, 1000, 2000, 2000, 2000, -1}}
	if err := f.Store.WriteEntropy(record.Dataset{Name: "beauty", Fingerprint: "0011223344"}, datasets.GivenSplit, e); err != nil {
		t.Fatal(err)
	}
	for n, rank := range map[string]int32{"1": 11, "2": 1} {
		f.add("fame", 0, .1, .1, same(rank), func(r *record.Record) {
			experts(n)(r)
			r.Result.Spec.Protocol = datasets.GivenSplit
		})
	}
	rows := f.make().Tables[0].Complexity.Divisions[0].Rows
	if len(rows) != 1 || len(rows[0].Removed.Groups) != 3 || rows[0].Removed.Groups[0] != nil || rows[0].Removed.Trend.Seeds != 0 {
		t.Errorf("%+v", rows)
	}
}
