package report

import (
	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// exampleCells are cells of FAME with one exponent that could not be fitted, of a model without
// heads, and one that is missing.
func exampleCells() *aggregate.Cells {
	scoring := func(users, p50, peak float64) record.Scoring {
		return record.Scoring{UsersPerSecond: users, Latency: record.Latency{P50: p50, P95: 2 * p50, P99: 3 * p50}, PeakRSSMB: peak}
	}
	separate := scoring(418.4, 1.181, 620.4)
	fame := record.Cell{ID: "catalogue-fame-s0-1", Model: "fame", Dataset: "catalogue", Heads: 64, Experts: 4, Hidden: 64, Items: 12000, Loss: "ce", BatchTargets: 512,
		Step: record.Quartiles{P25: 30.123, P50: 31.456, P75: 35.5}, Scoring: scoring(6745.2, .514, 286.4), Separate: &separate, Parameters: 853908, Seconds: 21.5, Commit: "0123456789abcdef", Dirty: true}
	sampled := fame
	sampled.ID, sampled.Heads, sampled.Items, sampled.Loss, sampled.Negatives, sampled.Commit, sampled.Dirty = "large-fame-s0-2", 4, 1_000_000, "sampled-softmax", 256, "fedcba9876543210", false
	sampled.Scoring, sampled.Parameters = scoring(66.7, 134.06, 1246), 64085908
	return &aggregate.Cells{
		Name: "cells", Summary: "what heads cost", Hypothesis: "heads cost little", CPU: "Some CPU", Device: "cpu", Threads: 2, Steps: 200,
		Cells: []record.Cell{fame, sampled, {ID: "catalogue-sasrec-s0-3", Model: "sasrec", Dataset: "catalogue", Items: 12000, Loss: "bce", Negatives: 1, BatchTargets: 256,
			Step: record.Quartiles{P25: 1, P50: 2, P75: 3}, Scoring: scoring(9000, .001, 200), Parameters: 800000}},
		Missing: []string{"fame on catalogue with heads = 8"},
		Grids: []aggregate.Grid{{Model: "fame", Dataset: "catalogue", Hidden: 64, Items: 12000, Growth: []aggregate.Growth{
			{What: "training step, median", Heads: &aggregate.Slope{Value: .1234, Low: -.01, High: .2568}, Experts: &aggregate.Slope{Value: -.05, Low: -.1, High: 0}, Cells: 35},
			{What: "latency, p50, folded", Heads: &aggregate.Slope{Value: .01, Low: -.002, High: .022}, Cells: 7},
		}}},
	}
}
