package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
	"famebench/internal/view"
)

// CSV files hold all that tables show, unrounded, a header line first. A field that
// does not apply is empty. Text that a spreadsheet would take for a formula begins with
// an apostrophe (escape.CSV).

// ComparisonCSV has a line for each data set, seen-item rule, row and metric, nil if there is
// none: records may lack metrics beyond accuracy. Tests are in the lines of the metric that is
// tested; "significant" is empty where there are too few seeds for a verdict. Where a table has the
// oracle, shares of it are one more metric.
func ComparisonCSV(s *aggregate.Suite, metrics []string) []byte {
	var lines [][]any
	for _, t := range s.Tables {
		for _, rule := range aggregate.SeenItemRules {
			for i := range t.Rows {
				row, of := &t.Rows[i], t.Rows[i].Under(rule)
				place := []any{t.Dataset, t.Protocol, rule, row.Model, row.Label}
				for _, axis := range s.Axes {
					place = append(place, row.At[axis])
				}
				for _, metric := range metrics {
					c := of.Metric(metric)
					if c.N == 0 { // of older records, or the lists of an imported row are too short
						continue
					}
					line := slices.Clone(place)
					line = append(line, metric, c.Mean, c.SD, c.N, t.Baseline)
					if t.Baseline == "" || row.Label == t.Baseline {
						c.Gain = nil
					}
					line = append(line, c.Gain)
					if test := of.Test; test != nil && metric == aggregate.Tested {
						line = append(line, test.Difference, test.Low, test.High, test.P, test.PHolm)
						if !test.FewSeeds {
							line = append(line, test.Significant)
						}
					}
					lines = append(lines, line)
				}
				if c := of.OfOracle; c != nil && slices.Contains(metrics, aggregate.Tested) {
					lines = append(lines, append(place, aggregate.Tested+" in % of oracle", c.Mean, c.SD, c.N))
				}
			}
		}
	}
	names := slices.Concat([]string{"dataset", "protocol", "rule", "model", "label"}, s.Axes,
		[]string{"metric", "mean", "sd", "n", "baseline", "gain", "diff", "low", "high", "p", "p_holm", "significant"})
	return unlessEmpty(names, lines)
}

// BreakdownCSV has a line for each data set, breakdown, seen-item rule, row, group of
// users and metric; nil if there are no breakdowns. A group without users has no mean.
func BreakdownCSV(s *aggregate.Suite) []byte {
	var lines [][]any
	for _, t := range s.Tables {
		for _, b := range t.Breakdowns {
			for _, rule := range aggregate.SeenItemRules {
				for i, row := range b.Rows {
					for g, of := range row.Under(rule) {
						for _, metric := range aggregate.BreakdownColumns {
							e, numbers := of[metric], []any{nil, nil, 0}
							if e.N > 0 {
								numbers = []any{e.Mean, e.SD, e.N, e.Low, e.High}
							}
							line := []any{t.Dataset, t.Protocol, b.By, rule, t.Rows[i].Model, row.Label, b.Groups[g].Label, b.Groups[g].Users, metric}
							lines = append(lines, append(line, numbers...))
						}
					}
				}
			}
		}
	}
	return unlessEmpty([]string{"dataset", "protocol", "by", "rule", "model", "label", "group", "users", "metric", "mean", "sd", "n", "low", "high"}, lines)
}

// ComplexityCSV has a line for each data set, way to divide its users by entropy, seen-item rule, row
// and group of users, and one for the last group minus the first one; nil if no table is grouped by
// entropy.
func ComplexityCSV(s *aggregate.Suite) []byte {
	var lines [][]any
	for _, t := range s.Tables {
		if t.Complexity == nil {
			continue
		}
		for _, d := range t.Complexity.Divisions {
			among := "all"
			if d.EqualLength {
				among = "equal length"
			}
			for _, rule := range aggregate.SeenItemRules {
				for _, row := range d.Rows {
					gains := row.Under(rule)
					begin := []any{t.Dataset, t.Complexity.Facet, among, rule, row.Model, row.Label, row.Than, row.Seeds}
					for k, g := range gains.Groups {
						line := slices.Concat(begin, []any{d.Groups[k].Label, d.Groups[k].Users, nil})
						if d.Lengths != nil {
							line[len(line)-1] = d.Lengths[k]
						}
						if g != nil {
							line = append(line, g.Than, g.Difference, g.Low, g.High)
						}
						lines = append(lines, line)
					}
					if m := gains.Trend; m.Seeds > 0 {
						lines = append(lines, slices.Concat(begin, []any{"last minus first", nil, nil, nil}, seedMean(m)))
					}
				}
			}
		}
	}
	return unlessEmpty([]string{"dataset", "facet", "among", "rule", "model", "row", "over", "seeds", "group", "users", "items", "ndcg_of_over", "gain", "low", "high"}, lines)
}

// seedMean gives a mean and its interval, which one seed does not have.
func seedMean(m aggregate.SeedMean) []any {
	if m.Seeds < 2 {
		return []any{m.Mean, nil, nil}
	}
	return []any{m.Mean, m.Low, m.High}
}

// PretrainCSV has a line for each head of each row that is initialised from texts; nil if
// none is.
func PretrainCSV(s *aggregate.Suite) []byte {
	var lines [][]any
	for _, t := range s.Tables {
		for _, r := range t.Rows {
			for h, head := range r.Heads {
				line := []any{t.Dataset, t.Protocol, r.Model, r.Label, h + 1, head.Facet, head.Learned, head.Labels, head.Purity.After.N}
				for _, c := range head.Cells() {
					if c.N > 0 {
						line = append(line, c.Mean)
					} else {
						line = append(line, nil)
					}
				}
				lines = append(lines, line)
			}
		}
	}
	return unlessEmpty([]string{"dataset", "protocol", "model", "label", "head", "facet", "learned", "labels", "seeds",
		"chance", "purity_text", "purity_head", "alignment_text", "alignment_head", "uniformity_text", "uniformity_head"}, lines)
}

// DatasetsCSV has a line for each data set.
func DatasetsCSV(stats []datasets.Stats) []byte {
	var lines [][]any
	for _, s := range stats {
		timed := make([]any, 4)
		if s.Timed {
			tied, leak := s.TestCases()
			timed = []any{s.Ties, s.TiedShare, tied, leak}
		}
		lines = append(lines, slices.Concat([]any{s.Name, s.Users, s.Items, s.Interactions, s.Density, s.AvgLength}, timed, []any{s.Fingerprint}))
	}
	return csvText([]string{"dataset", "users", "items", "interactions", "density", "avg_length", "ties", "tied_share", "tied_test_users", "leak", "fingerprint"}, lines)
}

// PublishedCSV has a line for each published number; nil if there is none.
func PublishedCSV(checks []aggregate.Check) []byte {
	var lines [][]any
	for _, c := range checks {
		ours := make([]any, 7)
		if c.Ours.N > 0 {
			copy(ours, []any{c.Ours.Mean, c.Ours.N, c.OurRule, c.OurLoss, c.OurLabel})
		}
		if c.Comparable {
			ours[5], ours[6] = c.Percent, c.Within
		}
		lines = append(lines, slices.Concat([]any{c.Dataset, c.Model, c.Metric, c.Rule, c.Loss, c.ColdItems, c.Published}, ours,
			[]any{c.Comparable, c.Same, c.Source, c.Note}))
	}
	return unlessEmpty([]string{"dataset", "model", "metric", "seen_items", "loss", "cold_items", "published", "ours", "n", "our_rule", "our_loss", "our_label",
		"percent", "within", "comparable", "same_terms", "source", "note"}, lines)
}

// ClaimsCSV has a line for each part of a claim, one for each control of a part, and one for
// a claim without parts; nil if nothing is claimed. The gain of a control's line is over the
// control, otherwise over the baseline.
func ClaimsCSV(claims []aggregate.Claim) []byte {
	var lines [][]any
	for _, c := range claims {
		claim := []any{c.Paper, c.Model, c.Metric, c.Low, c.High, c.Verdict}
		if len(c.Found) == 0 {
			lines = append(lines, claim)
		}
		for _, e := range c.Found {
			part := slices.Concat(claim, []any{e.Dataset, e.Rule, e.Label})
			line := slices.Concat(part, []any{e.Verdict, e.Baseline, nil, nil, e.Gain, e.GainLow, e.GainHigh, e.Seeds})
			if e.Label != "" { // run
				line = append(line, e.Significant, e.Ahead, strings.Join(e.Lacks, " "))
			}
			lines = append(lines, line)
			for _, k := range e.Controls {
				lines = append(lines, slices.Concat(part, []any{nil, nil, k.Model, k.Shares, k.Gain, k.GainLow, k.GainHigh, k.Seeds}))
			}
		}
	}
	return unlessEmpty([]string{"paper", "model", "metric", "low", "high", "verdict", "dataset", "rule", "label", "part_verdict", "baseline", "control", "shares",
		"gain", "gain_low", "gain_high", "seeds", "significantly_better", "ahead", "lacks"}, lines)
}

// ContrastsCSV has a line for each part of a contrast; nil if there are none.
func ContrastsCSV(all []aggregate.Contrast) []byte {
	var lines [][]any
	for _, c := range all {
		for _, e := range c.Found {
			line := []any{c.Paper, c.Model, c.Over, c.Metric, c.Axis, c.At, c.Verdict, e.Dataset, e.Rule, e.Verdict, e.Label, e.Than}
			if d := e.Difference; d.Seeds > 0 {
				line = slices.Concat(line, []any{e.Gain, e.GainAtZero}, seedMean(d), []any{d.Seeds})
			}
			lines = append(lines, line)
		}
	}
	return unlessEmpty([]string{"paper", "model", "over", "metric", "axis", "at", "verdict", "dataset", "rule", "part_verdict", "label", "label_at_zero",
		"gain", "gain_at_zero", "difference", "low", "high", "seeds"}, lines)
}

// CostsCSV has a line for each measurement.
func CostsCSV(costs []record.Cost) []byte {
	var lines [][]any
	for _, c := range costs {
		line := []any{c.Model, c.Dataset, nil, nil, nil, nil, nil, c.EvalUsersPerSec, c.Latency.P50, c.Latency.P95, c.Latency.P99, nil, c.PeakRSSMB}
		if c.ProductGFLOPS > 0 {
			line[4], line[5], line[6] = c.LossGFLOPS, c.LossShare, c.ProductGFLOPS
		}
		if c.BatchTargets > 0 {
			line[2], line[3], line[11] = c.BatchTargets, c.TargetsPerSecond, c.Parameters
		}
		lines = append(lines, line)
	}
	return csvText([]string{"model", "dataset", "batch_targets", "targets_per_s", "loss_gflops", "loss_share", "product_gflops", "eval_users_per_s", "p50_ms", "p95_ms", "p99_ms", "parameters", "peak_rss_mb"}, lines)
}

// CellsCSV has a line for each cell of a suite of kind "cost" with steps.
func CellsCSV(c *aggregate.Cells) []byte {
	var lines [][]any
	for _, one := range c.Cells {
		line := []any{one.Model, one.Dataset, nil, nil, nil, one.Items, one.Loss, one.Negatives, one.BatchTargets, one.Parameters,
			one.Step.P50, one.Step.P25, one.Step.P75, one.Scoring.UsersPerSecond, one.Scoring.Latency.P50, one.Scoring.Latency.P95, one.Scoring.Latency.P99, one.Scoring.PeakRSSMB}
		if one.Heads > 0 {
			line[2], line[3], line[4] = one.Heads, one.Experts, one.Hidden
		}
		if s := one.Separate; s != nil {
			line = append(line, s.UsersPerSecond, s.Latency.P50, s.Latency.P95, s.Latency.P99, s.PeakRSSMB)
		}
		lines = append(lines, line)
	}
	return csvText([]string{"model", "dataset", "heads", "experts", "hidden", "items", "loss", "negatives", "batch_targets", "parameters",
		"step_ms", "step_p25_ms", "step_p75_ms", "users_per_s", "p50_ms", "p95_ms", "p99_ms", "peak_rss_mb",
		"separate_users_per_s", "separate_p50_ms", "separate_p95_ms", "separate_p99_ms", "separate_peak_rss_mb"}, lines)
}

// GrowthCSV has a line for each fitted quantity of each grid; nil if there is none.
func GrowthCSV(c *aggregate.Cells) []byte {
	var lines [][]any
	for _, g := range c.Grids {
		for _, one := range g.Growth {
			line := []any{g.Model, g.Dataset, g.Hidden, g.Items, one.What, one.Cells}
			for _, s := range []*aggregate.Slope{one.Heads, one.Experts} {
				if s == nil {
					line = append(line, nil, nil, nil)
				} else {
					line = append(line, s.Value, s.Low, s.High)
				}
			}
			lines = append(lines, line)
		}
	}
	return unlessEmpty([]string{"model", "dataset", "hidden", "items", "quantity", "cells", "heads_exponent", "heads_low", "heads_high",
		"experts_exponent", "experts_low", "experts_high"}, lines)
}

// EqualityCSV has a line for each row that is compared with the first one of its model; nil
// if none is.
func EqualityCSV(all []aggregate.Equality) []byte {
	var lines [][]any
	for _, e := range all {
		line := []any{e.Dataset, e.Label, e.Than, e.Seeds, e.Difference, e.Low, e.High, e.Verdict, e.Removed, e.Kept}
		if e.Seeds < 2 {
			line[5], line[6] = nil, nil
		}
		if e.Seeds == 0 {
			line[4], line[8], line[9] = nil, nil, nil
		}
		lines = append(lines, line)
	}
	return unlessEmpty([]string{"dataset", "row", "compared_with", "seeds", "difference", "low", "high", "verdict", "test_removed", "test_kept"}, lines)
}

// InteractionCSV has a line for each cell of each interaction, by data set and place on the
// axis, and one for each source of variation; nil if there is no interaction.
func InteractionCSV(all []aggregate.Interaction) []byte {
	var lines [][]any
	for _, in := range all {
		what := []any{in.Axis, in.Model, in.Rule, view.Measure(in)}
		for _, row := range in.Rows {
			for i, c := range row.Cells {
				cell := []any{row.Dataset, in.Places[i], nil, nil, 0, row.Best, row.Low, row.High, nil}
				if row.Within > 0 {
					cell[8] = row.Within
				}
				if c.N > 0 {
					cell[2], cell[3], cell[4] = c.Mean, c.SD, c.N
				}
				lines = append(lines, slices.Concat(what, cell))
			}
		}
		for _, s := range in.Sources {
			line := slices.Concat(what, make([]any, 9), []any{in.Seeds, s.Source, s.DF, s.SS})
			if s.Source != aggregate.Residual {
				line = append(line, s.F, s.P)
			}
			lines = append(lines, line)
		}
	}
	return unlessEmpty([]string{"axis", "model", "rule", "measure", "dataset", "place", "mean", "sd", "n", "best", "best_low", "best_high", "sd_within",
		"seeds", "source", "df", "sum_of_squares", "f", "p"}, lines)
}

// PairsCSV has a line for each pair of rows that the suite compares, on each data set under each
// seen-item rule; nil if there is none.
func PairsCSV(c *aggregate.Comparison) []byte {
	if c == nil {
		return nil
	}
	var lines [][]any
	for _, l := range c.Lines {
		line := []any{l.Dataset, l.RowA, l.RowB, l.Rule, l.Metric}
		for _, c := range []*aggregate.Cell{l.A, l.B} {
			if c == nil {
				line = append(line, nil, nil, 0)
			} else {
				line = append(line, c.Mean, c.SD, c.N)
			}
		}
		line = append(line, l.Percent)
		if t := l.Test; t != nil {
			line = append(line, t.GainLow, t.GainHigh, t.Difference, t.Low, t.High, t.P, t.PHolm, t.Significant)
		} else {
			line = append(append(line, make([]any, 8)...), l.Untested)
		}
		lines = append(lines, line)
	}
	return unlessEmpty([]string{"dataset", "a", "b", "rule", "metric", "a_mean", "a_sd", "a_n", "b_mean", "b_sd", "b_n", "gain", "gain_low", "gain_high",
		"diff", "low", "high", "p", "p_holm", "significant", "untested"}, lines)
}

// TrialsCSV has a line for each trial, with a column for each rung.
func TrialsCSV(trials []record.Trial) []byte {
	limits := view.Rungs(trials)
	names := []string{"dataset", "model", "tried"}
	for _, limit := range limits {
		if limit == 0 {
			names = append(names, "to_the_end")
		} else {
			names = append(names, fmt.Sprintf("after_%d", limit))
		}
	}
	cold := slices.ContainsFunc(trials, view.HasUsual)
	if cold {
		names = append(names, "usual")
	}
	var lines [][]any
	for _, t := range trials {
		line := []any{t.Dataset, t.Model, t.At}
		for _, limit := range limits {
			if r := t.Rung(limit); r != nil {
				line = append(line, r.Valid)
			} else {
				line = append(line, nil)
			}
		}
		var epochs any
		var usual any
		if n := len(t.Rungs); n > 0 {
			epochs, usual = t.Rungs[n-1].Epochs, t.Rungs[n-1].Usual
		}
		if cold {
			line = append(line, usual)
		}
		lines = append(lines, append(line, epochs, t.Chosen))
	}
	return csvText(append(names, "epochs", "chosen"), lines)
}

// unlessEmpty is csvText, and nil without lines.
func unlessEmpty(names []string, lines [][]any) []byte {
	if lines == nil {
		return nil
	}
	return csvText(names, lines)
}

// csvText writes names and lines; fields that a line lacks at its end are empty.
func csvText(names []string, lines [][]any) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(names) // a buffer takes everything
	for _, line := range lines {
		texts := make([]string, len(names))
		for i, v := range line {
			texts[i] = escape.CSV(field(v))
		}
		_ = w.Write(texts)
	}
	w.Flush()
	return b.Bytes()
}

// field writes a value; nothing for nil and what is not a number.
func field(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case *float64:
		if v == nil {
			return ""
		}
		return field(*v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}
