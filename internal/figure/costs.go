package figure

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"famebench/internal/aggregate"
)

// costs draws NDCG@10 against training time: one point per row, one style per model.
func costs(t *aggregate.Table) []*Figure {
	var models, machines []string
	byModel := map[string][]*aggregate.Row{}
	n := 0
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Cost.TrainSeconds <= 0 {
			continue
		}
		n++
		if byModel[r.Model] == nil {
			models = append(models, r.Model)
		}
		byModel[r.Model] = append(byModel[r.Model], r)
		for _, run := range r.Runs {
			m := run.CPU + ", " + run.ThreadsText()
			if run.Device != "cpu" {
				m = run.Device + " with " + m
			}
			if !slices.Contains(machines, m) {
				machines = append(machines, m)
			}
		}
	}
	if n < 2 {
		return nil
	}
	p := newPanel(t.Dataset+", seen items removed", "training time in seconds, validation included (log scale)", metric, horizontal)
	pic := picture{height: 215}
	low, high := math.Inf(1), math.Inf(-1)
	fast, slow := math.Inf(1), math.Inf(-1)
	style := 0
	warm, unknown := false, false
	for _, m := range models {
		s := styleOf(style)
		name := m
		if len(byModel[m]) == 1 && byModel[m][0].Label == t.Baseline {
			s, name = styleOf(-1), m+" (baseline)"
		} else {
			style++
		}
		if first := byModel[m][0]; first.Warm && sourceOf(t, first) == nil {
			unknown, name = true, name+", after another model"
		}
		s.glyph.Radius = 3.4
		pts := errorPoints{colour: s.line.Color}
		for _, r := range byModel[m] {
			c, seconds := r.Removed.Metrics[metric], trainSeconds(t, r)
			warm = warm || seconds > r.Cost.TrainSeconds
			pts.XYs = append(pts.XYs, plotter.XY{X: seconds, Y: c.Mean})
			pts.sd = append(pts.sd, c.SD)
			low, high = min(low, c.Mean-c.SD), max(high, c.Mean+c.SD)
			fast, slow = min(fast, seconds), max(slow, seconds)
		}
		p.Add(pts, &plotter.Scatter{XYs: pts.XYs, GlyphStyle: s.glyph})
		pic.legend = append(pic.legend, s.entry(name, false))
	}
	spreadLog(&p.X, fast, slow)
	dash := [][]vg.Length{{3, 3}, {1, 2}}
	floors := 0
	for _, r := range t.Rows {
		m := r.Removed.Metrics[metric].Mean
		if !r.NonNeural || m < low-(high-low) { // a baseline far below would only squeeze the rest
			continue
		}
		line := draw.LineStyle{Color: pale, Width: 1.1, Dashes: dash[floors%len(dash)]}
		floors++
		p.Add(&plotter.Line{XYs: plotter.XYs{{X: p.X.Min, Y: m}, {X: p.X.Max, Y: m}}, LineStyle: line})
		low, high = min(low, m), max(high, m)
		name := r.Label + " (counts only)"
		if r.Reference {
			name = r.Label + " (reference)"
		}
		pic.legend = append(pic.legend, entry{name, func(c draw.Canvas) { strokeAcross(c, line) }, long})
	}
	spread(&p.Y, low, high)
	pic.panels = append(pic.panels, p)
	f := &Figure{Name: "cost", Title: "Accuracy against cost", picture: pic,
		Caption: metric + ", seen items removed, against training time until patience ends it, validation included, without pre-training from texts. Mean over seeds; error bars are ± one standard deviation of " + metric + ". The vertical axis does not begin at 0. "}
	if warm {
		f.Caption += "A model that begins with the weights of a trained one has the time of that training, too. "
	}
	if unknown {
		f.Caption += "“After another model”: that model is not in the table, and its training is not counted. "
	}
	if len(machines) == 1 {
		f.Caption += "Measured on " + machines[0] + "."
	} else {
		f.Caption += "Measured on different machines, so times are only roughly comparable: " + strings.Join(machines, "; ") + "."
	}
	return []*Figure{f}
}

// sourceOf is the row whose weights a row begins with; nil if the table has none.
func sourceOf(t *aggregate.Table, r *aggregate.Row) *aggregate.Row {
	for i := range t.Rows {
		if r.Source != "" && t.Rows[i].Label == r.Source {
			return &t.Rows[i]
		}
	}
	return nil
}

// trainSeconds is the time of a row's training and of those of the rows that it begins with.
func trainSeconds(t *aggregate.Table, r *aggregate.Row) float64 {
	if source := sourceOf(t, r); source != nil {
		return r.Cost.TrainSeconds + trainSeconds(t, source)
	}
	return r.Cost.TrainSeconds
}
