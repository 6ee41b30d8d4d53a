package aggregate

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// Cells is what is shown of a suite of kind "cost" with steps.
type Cells struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	// Hypothesis was written before the measurements; "": there is none.
	Hypothesis string        `json:"hypothesis,omitempty"`
	CPU        string        `json:"cpu"`
	Device     string        `json:"device"`
	Threads    int           `json:"threads"`
	Steps      int           `json:"steps"`
	Cells      []record.Cell `json:"cells"` // in the order of the plan
	Missing    []string      `json:"missing,omitempty"`
	Grids      []Grid        `json:"grids,omitempty"`
}

// Machine is what the cells were measured on, in words.
func (c *Cells) Machine() string {
	m := c.CPU + ", " + Run{Threads: c.Threads}.ThreadsText()
	if c.Device != "cpu" {
		m = c.Device + " with " + m
	}
	return m
}

// Grid is the cells of a model that differ in H and N only, with what these numbers do to
// times and memory.
type Grid struct {
	Model   string        `json:"model"`
	Dataset string        `json:"dataset"`
	Hidden  int           `json:"hidden"`
	Items   int           `json:"items"`
	Cells   []record.Cell `json:"cells"`
	Growth  []Growth      `json:"growth"`
}

// Growth says how a quantity grows with H and with N: as a power of each, whose exponent is the
// slope of the fit of its logarithm to theirs.
type Growth struct {
	What    string `json:"what"`
	Heads   *Slope `json:"heads,omitempty"`   // nil: H is the same in all cells
	Experts *Slope `json:"experts,omitempty"` // nil: N is
	Cells   int    `json:"cells"`
}

// Slope is the exponent of a growth, with its 95 % interval.
type Slope = stats.Slope

// grown are the quantities whose growth is fitted; a value of 0 is none.
var grown = []struct {
	what  string
	value func(record.Cell) float64
}{
	{"training step, median", func(c record.Cell) float64 { return c.Step.P50 }},
	{"latency, p50, folded", func(c record.Cell) float64 { return c.Scoring.Latency.P50 }},
	{"latency, p50, heads separately", func(c record.Cell) float64 {
		if c.Separate == nil {
			return 0
		}
		return c.Separate.Latency.P50
	}},
	{"peak memory, training and folded scoring", func(c record.Cell) float64 { return c.Scoring.PeakRSSMB }},
}

// PlannedCell is a cell of a plan.
type PlannedCell struct {
	ID   string
	What string // model, data set and place on the axes, for people
}

// MakeCells computes what is shown of the measured cells of a plan.
func MakeCells(file *record.Cells, plan []PlannedCell) *Cells {
	out := &Cells{CPU: file.CPU, Device: file.Device, Threads: file.Threads, Steps: file.Steps}
	for _, p := range plan {
		if c := file.Find(p.ID); c != nil {
			out.Cells = append(out.Cells, *c)
		} else {
			out.Missing = append(out.Missing, p.What)
		}
	}
	for _, c := range out.Cells {
		if c.Heads == 0 {
			continue
		}
		i := slices.IndexFunc(out.Grids, func(g Grid) bool { return g.has(c) })
		if i < 0 {
			i = len(out.Grids)
			out.Grids = append(out.Grids, Grid{Model: c.Model, Dataset: c.Dataset, Hidden: c.Hidden, Items: c.Items})
		}
		out.Grids[i].Cells = append(out.Grids[i].Cells, c)
	}
	out.Grids = slices.DeleteFunc(out.Grids, func(g Grid) bool { return len(g.Cells) < 2 })
	for i := range out.Grids {
		out.Grids[i].fit()
	}
	return out
}

// has reports whether a cell differs from those of the grid in H and N only.
func (g *Grid) has(c record.Cell) bool {
	if g.Model != c.Model || g.Dataset != c.Dataset || g.Hidden != c.Hidden || g.Items != c.Items {
		return false
	}
	first := g.Cells[0]
	return first.Loss == c.Loss && first.Negatives == c.Negatives && first.BatchTargets == c.BatchTargets && elsewhere(first) == elsewhere(c)
}

// elsewhere is the place of a cell on axes other than heads and experts.
func elsewhere(c record.Cell) string {
	return strings.Join(slices.DeleteFunc(strings.Split(c.At, ", "), func(at string) bool {
		axis, _, _ := strings.Cut(at, " = ")
		return axis == "" || axis == "heads" || axis == "experts" || strings.HasSuffix(axis, ".heads") || strings.HasSuffix(axis, ".experts")
	}), ", ")
}

// fit fills in the growth of every quantity that all cells have.
func (g *Grid) fit() {
	slices.SortStableFunc(g.Cells, func(a, b record.Cell) int {
		return cmp.Or(cmp.Compare(a.Experts, b.Experts), cmp.Compare(a.Heads, b.Heads))
	})
	logs := func(value func(record.Cell) float64) []float64 {
		var out []float64
		for _, c := range g.Cells {
			out = append(out, math.Log(value(c)))
		}
		return out
	}
	heads := logs(func(c record.Cell) float64 { return float64(c.Heads) })
	experts := logs(func(c record.Cell) float64 { return float64(c.Experts) })
	var x [][]float64
	for _, v := range [][]float64{heads, experts} {
		if slices.Max(v) > slices.Min(v) {
			x = append(x, v)
		}
	}
	for _, q := range grown {
		y := logs(q.value)
		if slices.Contains(y, math.Inf(-1)) {
			continue
		}
		slopes, err := stats.Slopes(y, x...)
		if err != nil { // too few cells, or they do not tell H and N apart
			return
		}
		growth := Growth{What: q.what, Cells: len(y)}
		if slices.Max(heads) > slices.Min(heads) {
			growth.Heads, slopes = &slopes[0], slopes[1:]
		}
		if len(slopes) > 0 {
			growth.Experts = &slopes[0]
		}
		g.Growth = append(g.Growth, growth)
	}
}
