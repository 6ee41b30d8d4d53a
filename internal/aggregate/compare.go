package aggregate

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/stats"
)

// Constants of the tests. The draws are pseudo-random with a fixed seed: the same
// records give the same intervals.
const (
	draws    = 10_000
	drawSeed = 1
	level    = .05
)

// compare sets every row of a table against its baseline: gains of all metrics, and
// tests of the users' NDCG@10. The family of Holm's correction is all other rows
// under one seen-item rule.
func compare(groups []*group, baseline string) error {
	base := slices.IndexFunc(groups, func(g *group) bool { return g.Label == baseline })
	values, drawn := map[string][][][]float64{}, map[string][][][]float64{} // [rule][row][seed][user]
	tested := map[string][]*group{}                                         // rows that have values
	for _, g := range groups {
		for _, rule := range SeenItemRules {
			for metric, c := range g.Under(rule).Metrics {
				if b := groups[base].Under(rule).Metrics[metric].Mean; b > 0 {
					c.Gain = new(100 * (c.Mean/b - 1))
				}
				g.Under(rule).Metrics[metric] = c
			}
			if _, ok := g.Under(rule).Metrics[Tested]; !ok {
				continue // an imported row without lists under this rule, or with short ones
			}
			var paired, draws [][]float64
			for _, ranks := range g.ranks(rule) {
				paired, draws = append(paired, g.units.values(Tested, ranks)), append(draws, g.units.drawn(Tested, ranks))
			}
			values[rule], drawn[rule], tested[rule] = append(values[rule], paired), append(drawn[rule], draws), append(tested[rule], g)
		}
	}
	if len(values["kept"][base][0]) < 2 || len(groups) < 2 || groups[base].units.unknown {
		return nil // too few users or rows for a test
	}
	for _, rule := range SeenItemRules {
		if len(tested[rule]) < 2 {
			continue
		}
		all, err := tests(values[rule], drawn[rule], likeSeeds(tested[rule]), base) // imported rows are the last ones, so base is the same
		if err != nil {
			return err
		}
		for i, g := range tested[rule] {
			test := all[i]
			g.Under(rule).Test = test
			if test == nil {
				continue
			}
			if test.FewSeeds = g.fewSeeds(rule) || groups[base].fewSeeds(rule); test.FewSeeds {
				test.Significant = false
			}
		}
	}
	return nil
}

// fewSeeds reports whether a row has too few seeds for a significance mark. A non-neural
// baseline is deterministic, so one run shows all of its trainings.
func (g *group) fewSeeds(rule string) bool { return !g.NonNeural && len(g.ranks(rule)) < FewSeeds }

// seedNotes say why rows have no significance mark: they or the baseline have too few seeds.
// Which rows these are is in their own footnotes.
func seedNotes(groups []*group, baseline string) []string {
	const why = "the spread over users says nothing about the spread over trainings"
	if len(groups) < 2 {
		return nil
	}
	some := false
	for _, g := range groups {
		if g.Label == baseline && g.fewSeeds("removed") {
			return []string{fmt.Sprintf("no † in this table: it needs %d seeds, and the baseline %s has %d; %s", FewSeeds, baseline, len(g.records), why)}
		}
		some = some || g.fewSeeds("removed") || g.fewSeeds("kept")
	}
	if !some {
		return nil
	}
	return []string{fmt.Sprintf("no † for rows with fewer than %d seeds: %s", FewSeeds, why)}
}

// noBaseline says that the baseline that the suite names has no records.
func (in Input) noBaseline(t Table) []string {
	if in.Baseline == "" || t.Baseline != "" {
		return nil
	}
	return []string{fmt.Sprintf("no gains and no tests: %s, the baseline that the suite names, has no records of its configured settings here", in.Baseline)}
}

// gainNotes say why rows have no gain: the baseline has a metric of 0.
func gainNotes(groups []*group, baseline string) []string {
	base := slices.IndexFunc(groups, func(g *group) bool { return g.Label == baseline })
	if len(groups) < 2 {
		return nil
	}
	var notes []string
	for _, rule := range []struct {
		name     string
		of       Rule
		measured record.Metrics
	}{
		{"removed", groups[base].Removed, groups[base].records[0].Result.Test.Removed},
		{"kept", groups[base].Kept, groups[base].records[0].Result.Test.Kept},
	} {
		none := slices.DeleteFunc(slices.Clone(Columns), func(metric string) bool {
			_, measured := rule.measured[metric]
			return !measured || rule.of.Metrics[metric].Mean > 0
		})
		if len(none) > 0 {
			notes = append(notes, fmt.Sprintf("no gain (–): the baseline %s scores 0 in %s with seen items %s", baseline, strings.Join(none, ", "), rule.name))
		}
	}
	return notes
}

// readRanks fills in the users' ranks of all rows, and compares the metrics of their
// records with them.
func (in Input) readRanks(groups []*group) error {
	for _, g := range groups {
		for _, r := range g.records {
			check := checkMetrics
			if in.madeUp {
				check = func(*record.Record, []int32, []int32) error { return nil }
			}
			kept, removed, err := readRanks(in.Store, r, check)
			if err != nil {
				return err
			}
			g.kept, g.removed = append(g.kept, kept), append(g.removed, removed)
		}
	}
	return nil
}

// CheckRanks compares a record with its ranks: their hash, their number, and every metric that
// follows from them.
func CheckRanks(store record.Store, r *record.Record) error {
	_, _, err := readRanks(store, r, checkMetrics)
	return err
}

func readRanks(store record.Store, r *record.Record, check func(r *record.Record, kept, removed []int32) error) (kept, removed []int32, err error) {
	path := store.RanksPath(r.ID)
	kept, removed, sum, err := rank.ReadRanks(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; restore the file, or delete the record of %s to run it again", err, r.ID)
	}
	if sum != r.Result.RanksSHA256 || len(kept) != r.Result.Users {
		return nil, nil, fmt.Errorf("%s does not belong to its record (%d users, hash %.8s; the record says %d, %.8s): restore it, or delete the record of %s to run it again",
			path, len(kept), sum, r.Result.Users, r.Result.RanksSHA256, r.ID)
	}
	if err := check(r, kept, removed); err != nil {
		return nil, nil, fmt.Errorf("%s and %s contradict each other: %w; restore both, or delete the record to run it again", store.RecordPath(r.ID), path, err)
	}
	return kept, removed, nil
}

func checkMetrics(r *record.Record, kept, removed []int32) error {
	exact := strings.HasSuffix(r.Measured.OS, "/"+runtime.GOARCH)
	if err := rank.Check(rank.Metrics(r.Result.Test.Kept), kept, r.Result.Items, "kept", exact); err != nil {
		return err
	}
	return rank.Check(rank.Metrics(r.Result.Test.Removed), removed, r.Result.Items, "removed", exact)
}

// tests compares the rows' values [row][seed][user] with those of the baseline, which
// itself has no test (nil). The intervals are of other values of the same means, see
// units.drawn.
func tests(values, drawn [][][]float64, like []int, base int) ([]*Test, error) {
	intervals, err := stats.Bootstrap(drawn, like, base, draws, drawSeed)
	if err != nil {
		return nil, err
	}
	out := make([]*Test, len(values))
	signed := make([]stats.Signed, len(values))
	var p []float64
	reference := overSeeds(values[base])
	for i, seeds := range values {
		if i == base {
			continue
		}
		if signed[i], err = stats.Wilcoxon(overSeeds(seeds), reference); err != nil {
			return nil, err
		}
		p = append(p, signed[i].Exact)
	}
	corrected, err := stats.Holm(p)
	if err != nil {
		return nil, err
	}
	for i := range values {
		if i == base {
			continue
		}
		t := newTest(intervals[i])
		t.P, t.PHolm = signed[i].Exact, corrected[0]
		corrected = corrected[1:]
		t.Significant = significant(t, signed[i].Z)
		out[i] = t
	}
	return out, nil
}

// newTest is a test with an interval, still without p-values.
func newTest(i stats.Interval) *Test {
	t := &Test{Difference: i.Mean, Low: i.Lo, High: i.Hi}
	if !math.IsNaN(i.GainLo) {
		t.GainLow, t.GainHigh = new(100*i.GainLo), new(100*i.GainHi)
	}
	return t
}

// likeSeeds tells the bootstrap which rows depend on the same trainings: those that begin with the
// weights of the same runs, these runs, and runs that differ in what comes after training.
func likeSeeds(rows []*group) (like []int) {
	for i, g := range rows {
		first := slices.IndexFunc(rows[:i], func(h *group) bool {
			return g.training != "" && g.training == h.training && slices.EqualFunc(g.records, h.records, func(a, b *record.Record) bool {
				return a.Result.Spec.Seed == b.Result.Spec.Seed
			})
		})
		if first < 0 {
			first = i
		}
		like = append(like, first)
	}
	return like
}

// significant requires that the corrected p, the interval and both directions agree: if
// differences are skewed, ranks (z) and mean can point in opposite directions.
func significant(t *Test, z float64) bool {
	return t.PHolm < level && (t.Low > 0 && z > 0 || t.High < 0 && z < 0)
}

// caseValue gives a test case's value of a metric from the rank of the one relevant item, so
// the ideal DCG is 1. It is nil for metrics that single cases do not have.
func caseValue(metric string) func(rank int32) float64 {
	if metric == "MRR" {
		return func(rank int32) float64 { return 1 / float64(rank) }
	}
	name, cutoff, _ := strings.Cut(metric, "@")
	k, err := strconv.Atoi(cutoff)
	value := map[string]func(int32) float64{
		"HR":   func(int32) float64 { return 1 },
		"NDCG": func(rank int32) float64 { return 1 / math.Log2(float64(rank)+1) },
	}[name]
	if err != nil || value == nil {
		return nil
	}
	return func(rank int32) float64 {
		if int(rank) > k {
			return 0
		}
		return value(rank)
	}
}

// ofCases is every test case's value of a metric that single cases have.
func ofCases(metric string, ranks []int32) []float64 {
	value, out := caseValue(metric), make([]float64, len(ranks))
	for u, r := range ranks {
		out[u] = value(r)
	}
	return out
}

// overSeeds averages [seed][user] for every user.
func overSeeds(seeds [][]float64) []float64 {
	out := make([]float64, len(seeds[0]))
	for _, values := range seeds {
		for u, v := range values {
			out[u] += v
		}
	}
	for u := range out {
		out[u] /= float64(len(seeds))
	}
	return out
}
