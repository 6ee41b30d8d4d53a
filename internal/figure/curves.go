package figure

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"famebench/internal/aggregate"
)

// most is the number of lines in a panel, the baseline included, that the eye can tell apart.
const most = 8

// curves draws validation NDCG@10 by epoch, one line per row.
func curves(axes []string, t *aggregate.Table) []*Figure {
	var rows []*aggregate.Row
	var base *aggregate.Row
	for i := range t.Rows {
		switch r := &t.Rows[i]; {
		case len(validated(r)) < 2:
		case r.Label == t.Baseline:
			base = r
		default:
			rows = append(rows, r)
		}
	}
	parts := split(axes, rows)
	if len(rows) == 0 && base != nil {
		parts = []group{{}}
	}
	var out []*Figure
	for i, g := range parts {
		title := t.Dataset
		if g.name != "" {
			title += ": " + g.name
		}
		p := newPanel(title, "epoch", "validation "+metric+", seen items removed", horizontal)
		pic := picture{height: 235}
		spreadSeeds, after, unknown, top, last := false, false, false, 0., 0.
		all := g.rows
		if base != nil {
			all = append([]*aggregate.Row{base}, g.rows...)
		}
		var sources []*aggregate.Row // of these rows, with lines in other panels
		for k, r := range all {
			s := styleOf(k)
			if base != nil {
				s = styleOf(k - 1)
			}
			before := lineage(t, r)
			begin := epochs(before)
			for i, source := range before {
				if !slices.Contains(all, source) && !slices.Contains(sources, source) {
					sources = append(sources, source)
					p.Add(&plotter.Line{XYs: shifted(validated(source), epochs(before[:i])), LineStyle: ofSource})
				}
			}
			points := validated(r)
			line := shifted(points, begin)
			if points[0].Valid.N > 1 {
				spreadSeeds = true
				p.Add(&plotter.Polygon{XYs: []plotter.XYs{band(points, begin)}, Color: translucent(s.line.Color)})
			}
			// The markers of a line are where those of the others are not.
			every := max(2, len(points)/5)
			var marked plotter.XYs
			for i := (k * every / len(all)) % every; i < len(line); i += every {
				marked = append(marked, line[i])
			}
			p.Add(&plotter.Line{XYs: line, LineStyle: s.line}, &plotter.Scatter{XYs: marked, GlyphStyle: s.glyph})
			name := r.Label
			switch {
			case begin > 0:
				after, name = true, name+", after "+r.Source
			case r.Warm:
				unknown, name = true, name+", after another model"
			}
			if r == base {
				name += " (baseline)"
			}
			pic.legend = append(pic.legend, s.entry(name, true))
			for i, c := range points {
				top, last = max(top, c.Valid.Mean+c.Valid.SD), max(last, line[i].X)
			}
		}
		for _, source := range sources {
			pic.legend = append(pic.legend, entry{source.Label + ", before others", func(c draw.Canvas) { strokeAcross(c, ofSource) }, long})
		}
		spread(&p.X, 0, last)
		wholeMarks(&p.X)
		p.X.Max = last
		spread(&p.Y, 0, top)
		pic.panels = append(pic.panels, p)
		out = append(out, &Figure{Name: part("curves", i, len(parts)), Title: "Training curves", picture: pic, Caption: curvesCaption(spreadSeeds, after, unknown)})
	}
	return out
}

// curvesCaption explains curves: over several seeds, after the models that they begin with,
// and of models that begin with one that is not in the table.
func curvesCaption(seeds, after, unknown bool) string {
	text := metric + " on the validation items after each epoch, seen items removed."
	if seeds {
		text += " Mean over seeds with a band of ± one standard deviation; a line ends where the first of its seeds stopped training."
	}
	if after {
		text += " A model that begins with the weights of a trained one is drawn after all epochs of that model (mean over seeds, those after the best epoch included), whose curve is dotted where it has no other line in the figure."
	}
	if unknown {
		text += " “After another model”: that model is not in the table, and its epochs are not counted."
	}
	return text
}

// lineage gives the rows that were trained before a row, the first one first.
func lineage(t *aggregate.Table, r *aggregate.Row) []*aggregate.Row {
	if source := sourceOf(t, r); source != nil {
		return append(lineage(t, source), source)
	}
	return nil
}

// epochs is how long rows were trained together.
func epochs(rows []*aggregate.Row) (sum float64) {
	for _, r := range rows {
		sum += r.Cost.Epochs
	}
	return sum
}

// ofSource is the line of a row that others begin with and that has none of its own in their panel.
var ofSource = draw.LineStyle{Color: pale, Width: 1.1, Dashes: []vg.Length{1.5, 1.5}}

// shifted puts points on a line that begins after so many epochs.
func shifted(points []aggregate.CurvePoint, begin float64) plotter.XYs {
	return xys(len(points), func(i int) (x, y float64) { return begin + float64(points[i].Epoch), points[i].Valid.Mean })
}

// band is the outline of one standard deviation around points.
func band(points []aggregate.CurvePoint, begin float64) plotter.XYs {
	above := shifted(points, begin)
	below := slices.Clone(above)
	for i, c := range points {
		above[i].Y += c.Valid.SD
		below[i].Y = max(0, below[i].Y-c.Valid.SD)
	}
	slices.Reverse(below)
	return append(above, below...)
}

// validated returns the points of a row's curve that all of its seeds reached
// and measured: a mean over fewer would jump where a seed drops out.
func validated(r *aggregate.Row) []aggregate.CurvePoint {
	seeds := 0
	for _, c := range r.Curve {
		seeds = max(seeds, c.Valid.N)
	}
	var out []aggregate.CurvePoint
	for _, c := range r.Curve {
		if c.Valid.N > 0 && c.Valid.N == seeds {
			out = append(out, c)
		}
	}
	return out
}

// group is the rows of one part of a figure.
type group struct {
	name string // what they have in common; empty: nothing
	rows []*aggregate.Row
}

// split shares rows out among figures with at most most-1 lines each: by the
// value of the first axis where that gives groups worth a figure, or else evenly.
func split(axes []string, rows []*aggregate.Row) []group {
	if len(rows) < most {
		if len(rows) == 0 {
			return nil
		}
		return []group{{"", rows}}
	}
	if len(axes) > 0 {
		var groups []group
		for _, r := range rows {
			name := fmt.Sprintf("%s = %v", axes[0], r.At[axes[0]])
			if r.At[axes[0]] == nil {
				name = ""
			}
			i := 0
			for i < len(groups) && groups[i].name != name {
				i++
			}
			if i == len(groups) {
				groups = append(groups, group{name: name})
			}
			groups[i].rows = append(groups[i].rows, r)
		}
		if len(groups) > 1 && len(rows) >= 3*len(groups) {
			var out []group
			for _, g := range groups {
				for _, rows := range evenly(g.rows) {
					out = append(out, group{g.name, rows})
				}
			}
			return out
		}
	}
	var out []group
	for _, rows := range evenly(rows) {
		out = append(out, group{"", rows})
	}
	return out
}

func evenly(rows []*aggregate.Row) [][]*aggregate.Row {
	n := (len(rows) + most - 2) / (most - 1)
	var out [][]*aggregate.Row
	for i := range n {
		out = append(out, rows[i*len(rows)/n:(i+1)*len(rows)/n])
	}
	return out
}

func translucent(c color.Color) color.Color {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = 0x2c
	return n
}

// panelTitle is that of a panel with test metrics under a seen-item rule.
func panelTitle(t *aggregate.Table, rule string) string { return t.Dataset + ", seen items " + rule }

// metric that the figures show.
const metric = aggregate.Tested

// capWidth is half the width of the caps of error bars.
const capWidth = 3 * vg.Length(1)
