package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
)

// CSV files hold all that tables show, unrounded, a header line first. A field that
// does not apply is empty. Text that a spreadsheet would take for a formula begins with
// an apostrophe (escape.CSV).

// ComparisonCSV has a line for each data set, seen-item rule, row and metric. Tests
// stand in the lines of the metric that is tested.
func ComparisonCSV(s *aggregate.Suite) []byte {
	head := append([]string{"dataset", "protocol", "rule", "model", "label"}, s.Axes...)
	lines := [][]string{append(head, "metric", "mean", "sd", "n", "baseline", "gain", "diff", "low", "high", "p", "p_holm", "significant")}
	for _, t := range s.Tables {
		for _, rule := range rules {
			for _, row := range t.Rows {
				of := rule.of(row)
				for _, metric := range aggregate.Columns {
					line := []string{t.Dataset, t.Protocol, rule.name, row.Model, row.Label}
					for _, axis := range s.Axes {
						at := ""
						if v, ok := row.At[axis]; ok {
							at = fmt.Sprint(v)
						}
						line = append(line, at)
					}
					c := of.Metrics[metric]
					line = append(line, metric, number64(c.Mean), number64(c.SD), strconv.Itoa(c.N), t.Baseline)
					if t.Baseline != "" && row.Label != t.Baseline {
						line = append(line, gain64(c.Gain))
					} else {
						line = append(line, "")
					}
					if test := of.Test; test != nil && metric == aggregate.Tested {
						line = append(line, number64(test.Difference), number64(test.Low), number64(test.High),
							number64(test.P), number64(test.PHolm), strconv.FormatBool(test.Significant))
					} else {
						line = append(line, "", "", "", "", "", "")
					}
					lines = append(lines, line)
				}
			}
		}
	}
	return csvText(lines)
}

// BreakdownCSV has a line for each data set, breakdown, seen-item rule, row, group of
// users and metric; nil if there are no breakdowns. A group without users has no mean.
func BreakdownCSV(s *aggregate.Suite) []byte {
	lines := [][]string{{"dataset", "protocol", "by", "rule", "model", "label", "group", "users", "metric", "mean", "sd", "n", "low", "high"}}
	for _, t := range s.Tables {
		for _, b := range t.Breakdowns {
			for _, rule := range rules {
				for i, row := range b.Rows {
					for g, of := range rule.on(row) {
						for _, metric := range aggregate.BreakdownColumns {
							e, numbers := of[metric], []string{"", "", "0", "", ""}
							if e.N > 0 {
								numbers = []string{number64(e.Mean), number64(e.SD), strconv.Itoa(e.N), number64(e.Low), number64(e.High)}
							}
							line := []string{t.Dataset, t.Protocol, b.By, rule.name, t.Rows[i].Model, row.Label, b.Groups[g].Label, strconv.Itoa(b.Groups[g].Users), metric}
							lines = append(lines, append(line, numbers...))
						}
					}
				}
			}
		}
	}
	if len(lines) == 1 {
		return nil
	}
	return csvText(lines)
}

// PretrainCSV has a line for each head of each row that starts from texts; nil if none
// does.
func PretrainCSV(s *aggregate.Suite) []byte {
	lines := [][]string{{"dataset", "protocol", "model", "label", "head", "facet", "learned", "labels", "seeds",
		"chance", "purity_text", "purity_head", "alignment_text", "alignment_head", "uniformity_text", "uniformity_head"}}
	for _, t := range s.Tables {
		for _, r := range t.Rows {
			for h, head := range r.Heads {
				line := []string{t.Dataset, t.Protocol, r.Model, r.Label, strconv.Itoa(h + 1), head.Facet, head.Learned, strconv.Itoa(head.Labels), strconv.Itoa(head.Purity.After.N)}
				for _, c := range head.Cells() {
					text := ""
					if c.N > 0 {
						text = number64(c.Mean)
					}
					line = append(line, text)
				}
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 1 {
		return nil
	}
	return csvText(lines)
}

// DatasetsCSV has a line for each data set.
func DatasetsCSV(stats []datasets.Stats) []byte {
	lines := [][]string{{"dataset", "users", "items", "interactions", "density", "avg_length", "ties", "tied_share", "tied_test_users", "leak", "fingerprint"}}
	for _, s := range stats {
		timed := []string{"", "", "", ""}
		if s.Timed {
			timed = []string{s.Ties, number64(s.TiedShare), strconv.Itoa(s.TiedTestUsers), number64(s.Leak)}
		}
		line := []string{s.Name, strconv.Itoa(s.Users), strconv.Itoa(s.Items), strconv.Itoa(s.Interactions), number64(s.Density), number64(s.AvgLength)}
		lines = append(lines, append(append(line, timed...), s.Fingerprint))
	}
	return csvText(lines)
}

// PublishedCSV has a line for each published number; nil if there is none.
func PublishedCSV(checks []aggregate.Check) []byte {
	if len(checks) == 0 {
		return nil
	}
	lines := [][]string{{"dataset", "model", "metric", "seen_items", "loss", "cold_items", "published", "ours", "n", "our_rule", "our_loss", "our_label",
		"percent", "within", "comparable", "same_terms", "source", "note"}}
	for _, c := range checks {
		ours := []string{"", "", "", "", "", "", ""}
		if c.Ours.N > 0 {
			ours = []string{number64(c.Ours.Mean), strconv.Itoa(c.Ours.N), c.OurRule, c.OurLoss, c.OurLabel, "", ""}
		}
		if c.Comparable {
			ours[5], ours[6] = number64(c.Percent), strconv.FormatBool(c.Within)
		}
		line := append([]string{c.Dataset, c.Model, c.Metric, c.Rule, c.Loss, c.ColdItems, number64(c.Published)}, ours...)
		lines = append(lines, append(line, strconv.FormatBool(c.Comparable), strconv.FormatBool(c.Same), c.Source, c.Note))
	}
	return csvText(lines)
}

// ClaimsCSV has a line for each piece of evidence on a claim, and one for a claim
// without any; nil if nothing is claimed.
func ClaimsCSV(claims []aggregate.Claim) []byte {
	if len(claims) == 0 {
		return nil
	}
	lines := [][]string{{"paper", "model", "metric", "low", "high", "verdict", "dataset", "rule", "baseline", "gain", "significantly_better", "seeds"}}
	for _, c := range claims {
		claim := []string{c.Paper, c.Model, c.Metric, number64(c.Low), number64(c.High), c.Verdict}
		if len(c.Found) == 0 {
			lines = append(lines, append(claim, "", "", "", "", "", ""))
		}
		for _, e := range c.Found {
			lines = append(lines, append(claim[:len(claim):len(claim)], e.Dataset, e.Rule, e.Baseline, gain64(e.Gain), strconv.FormatBool(e.Significant), strconv.Itoa(e.Seeds)))
		}
	}
	return csvText(lines)
}

// CostsCSV has a line for each measurement.
func CostsCSV(costs []record.Cost) []byte {
	lines := [][]string{{"model", "dataset", "batch_targets", "targets_per_s", "loss_gflops", "loss_share", "product_gflops", "eval_users_per_s", "p50_ms", "p95_ms", "p99_ms", "parameters", "peak_rss_mb"}}
	for _, c := range costs {
		batch, rate, params := "", "", ""
		if c.BatchTargets > 0 {
			batch, rate, params = strconv.Itoa(c.BatchTargets), number64(c.TargetsPerSecond), strconv.FormatInt(c.Parameters, 10)
		}
		loss := []string{"", "", ""}
		if c.ProductGFLOPS > 0 {
			loss = []string{number64(c.LossGFLOPS), number64(c.LossShare), number64(c.ProductGFLOPS)}
		}
		lines = append(lines, []string{c.Model, c.Dataset, batch, rate, loss[0], loss[1], loss[2], number64(c.EvalUsersPerSec),
			number64(c.Latency.P50), number64(c.Latency.P95), number64(c.Latency.P99), params, number64(c.PeakRSSMB)})
	}
	return csvText(lines)
}

func gain64(gain *float64) string {
	if gain == nil {
		return ""
	}
	return number64(*gain)
}

func number64(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func csvText(lines [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, line := range lines {
		safe := make([]string, len(line))
		for i, text := range line {
			safe[i] = escape.CSV(text)
		}
		_ = w.Write(safe) // a buffer takes everything
	}
	w.Flush()
	return b.Bytes()
}
