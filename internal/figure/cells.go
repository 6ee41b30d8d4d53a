package figure

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// OfCells returns the figures of a suite of kind "cost" with steps, one for each grid of cells:
// the time of a training step, and the latency with folded and with separate heads, against the
// number of heads, with one line for each number of experts.
func OfCells(c *aggregate.Cells) []*Figure {
	var out []*Figure
	for i, g := range c.Grids {
		f := &Figure{
			Name: unsafe.ReplaceAllString(g.Dataset+"-"+part("heads", i, len(c.Grids)), "-"), Dataset: g.Dataset, Table: i,
			Title: "Cost by number of heads and experts", picture: picture{height: 200},
			Caption: fmt.Sprintf("%s with a hidden size of %d and %d items, by number of heads H and of experts N. Left: time of a training step, median of %d. "+
				"Then: time from one user's history to the scores of all items, median, with the heads folded into one user vector and with one score matrix for each head. "+
				"All scales are logarithmic. Measured on %s.", g.Model, g.Hidden, g.Items, c.Steps, c.Machine()),
		}
		latencies := []timed{{"latency, folded", func(c record.Cell) float64 { return c.Scoring.Latency.P50 }}}
		if !slices.ContainsFunc(g.Cells, func(c record.Cell) bool { return c.Separate == nil }) {
			latencies = append(latencies, timed{"latency, separate", func(c record.Cell) float64 { return c.Separate.Latency.P50 }})
		}
		f.picture.panels = append(againstHeads(g, timed{"training step", func(c record.Cell) float64 { return c.Step.P50 }}), againstHeads(g, latencies...)...)
		for k, n := range numbers(g.Cells, experts) {
			f.picture.legend = append(f.picture.legend, styleOf(k).entry(fmt.Sprintf("N = %d", n), true))
		}
		f.picture.clean()
		out = append(out, f)
	}
	return out
}

// timed is a time of a cell, in milliseconds.
type timed struct {
	title string
	of    func(record.Cell) float64
}

func heads(c record.Cell) int   { return c.Heads }
func experts(c record.Cell) int { return c.Experts }

// numbers lists the different numbers of cells, ascending.
func numbers(cells []record.Cell, of func(record.Cell) int) []int {
	var all []int
	for _, c := range cells {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// againstHeads draws a panel for each time, all with the same vertical axis.
func againstHeads(g aggregate.Grid, times ...timed) []*plot.Plot {
	low, high := math.Inf(1), math.Inf(-1)
	for _, t := range times {
		for _, c := range g.Cells {
			low, high = min(low, t.of(c)), max(high, t.of(c))
		}
	}
	low = max(low, 1e-3) // a clock may be too coarse to measure it
	var panels []*plot.Plot
	for _, t := range times {
		p := newPanel(t.title, "heads H (log scale)", "ms (log scale)", horizontal)
		for k, n := range numbers(g.Cells, experts) {
			var line plotter.XYs
			for _, c := range g.Cells {
				if c.Experts == n {
					line = append(line, plotter.XY{X: float64(c.Heads), Y: max(low, t.of(c))})
				}
			}
			s := styleOf(k)
			p.Add(&plotter.Line{XYs: line, LineStyle: s.line}, &plotter.Scatter{XYs: line, GlyphStyle: s.glyph})
		}
		spreadLog(&p.Y, low, max(high, low))
		var m marks
		for _, h := range numbers(g.Cells, heads) {
			m = append(m, plot.Tick{Value: float64(h), Label: fmt.Sprint(h)})
		}
		p.X.Min, p.X.Max, p.X.Tick.Marker, p.X.Scale = m[0].Value/1.2, m[len(m)-1].Value*1.2, m, plot.LogScale{}
		panels = append(panels, p)
	}
	return panels
}
