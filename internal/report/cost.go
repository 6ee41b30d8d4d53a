package report

import (
	"fmt"
	"io"

	"famebench/internal/record"
)

var costTitles = []string{"model", "data set", "batch", "targets/s", "users/s", "p50\nms", "p95\nms", "p99\nms", "params", "peak\nMB"}

// WriteCosts renders the cost table for a terminal.
func WriteCosts(w io.Writer, costs []record.Cost) error {
	fmt.Fprintln(w)
	return writeTable(w, costTitles, costRows(costs))
}

// MarkdownCosts renders the cost table as Markdown.
func MarkdownCosts(w io.Writer, costs []record.Cost) {
	fmt.Fprint(w, "## Cost\n\n")
	markdownTable(w, costTitles, costRows(costs))
	fmt.Fprint(w, `- batch: targets of a training step; targets/s: training, validation left out; users/s: full ranking
  under both seen-item rules; ms: from one user's history to the scores of all items; peak: most
  memory that the process held.

`)
}

func costRows(costs []record.Cost) [][]string {
	var rows [][]string
	for _, c := range costs {
		batch, rate, params := "–", "–", "–"
		if c.BatchTargets > 0 {
			batch, rate, params = thousands(c.BatchTargets), thousands(int(c.TargetsPerSecond+.5)), thousands(int(c.Parameters))
		}
		rows = append(rows, []string{c.Model, c.Dataset, batch, rate, thousands(int(c.EvalUsersPerSec + .5)),
			milliseconds(c.Latency.P50), milliseconds(c.Latency.P95), milliseconds(c.Latency.P99), params, fmt.Sprintf("%.0f", c.PeakRSSMB)})
	}
	return rows
}

func milliseconds(ms float64) string {
	if ms < 0.005 {
		return "<0.01"
	}
	return fmt.Sprintf("%.2f", ms)
}
