package figure

import (
	"math"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// The figure has a panel for the training step and one for each way to score, and a line for each
// number of experts.
func TestCellsFigure(t *testing.T) {
	grid := aggregate.Grid{Model: "fame", Dataset: "cat.12k", Hidden: 64, Items: 12000}
	for _, n := range []int{1, 4} {
		for _, h := range []int{1, 2, 64} {
			grid.Cells = append(grid.Cells, record.Cell{Heads: h, Experts: n, Step: record.Quartiles{P50: 20 * math.Sqrt(float64(h))},
				Scoring: record.Scoring{Latency: record.Latency{P50: .5}}, Separate: &record.Scoring{Latency: record.Latency{P50: .5 * float64(h)}}})
		}
	}
	of := func(g ...aggregate.Grid) []*Figure {
		return OfCells(&aggregate.Cells{CPU: "a CPU", Threads: 1, Device: "cpu", Steps: 200, Grids: g})
	}
	figures := of(grid)
	if len(figures) != 1 || figures[0].Name != "cat-12k-heads" || !strings.Contains(figures[0].Caption, "Measured on a CPU, 1 thread.") {
		t.Fatalf("%+v", figures[0])
	}
	svg, err := figures[0].SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">training step<", ">latency, folded<", ">latency, separate<", ">N = 1<", ">N = 4<", ">64<", ">heads H (log scale)<"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the figure lacks %s", want)
		}
	}
	if png, err := figures[0].PNG(); err != nil || len(png) < 1000 {
		t.Errorf("a PNG of %d bytes, %v", len(png), err)
	}

	// Latencies that the clock did not measure have a place on the logarithmic scale, and models
	// without facets have no separate heads.
	coarse := grid
	coarse.Cells = []record.Cell{{Heads: 1, Experts: 1, Step: record.Quartiles{P50: 1}}, {Heads: 2, Experts: 1, Step: record.Quartiles{P50: 1}}}
	figures = of(grid, coarse)
	if len(figures) != 2 || figures[0].Name != "cat-12k-heads-1" || figures[1].Name != "cat-12k-heads-2" {
		t.Fatalf("%+v", figures)
	}
	if svg, err = figures[1].SVG(); err != nil || strings.Contains(string(svg), "separate<") || strings.Contains(string(svg), "NaN") {
		t.Errorf("%v\n%s", err, svg)
	}
}
