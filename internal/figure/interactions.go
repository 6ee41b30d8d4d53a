package figure

import (
	"fmt"
	"math"
	"slices"

	"famebench/internal/aggregate"
	"famebench/internal/view"
)

// interactions draws, for each axis and model, the results along the axis, one line for each
// data set. The panels are the seen-item rules.
func interactions(all []aggregate.Interaction) []*Figure {
	var out []*Figure
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Axis == all[0].Axis && all[n].Model == all[0].Model {
			n++
		}
		if len(all[0].Places) > 1 && len(all[0].Rows) > 1 {
			out = append(out, interaction(all[:n]))
		}
		all = all[n:]
	}
	return out
}

func interaction(rules []aggregate.Interaction) *Figure {
	first := rules[0]
	pic := picture{height: 210}
	s := scaleOf(first.Places)
	seeds := false
	for k, in := range rules {
		p := newPanel(in.Model+", seen items "+in.Rule, s.label(in.Axis), view.Measure(in), horizontal)
		s.axis(&p.X)
		low, high := math.Inf(1), math.Inf(-1)
		for i, row := range in.Rows {
			var places []any
			var cells []aggregate.Cell
			for j, c := range row.Cells {
				if c.N == 0 {
					continue
				}
				places, cells = append(places, in.Places[j]), append(cells, c)
				seeds = seeds || c.N > 1
				low, high = min(low, c.Mean-c.SD), max(high, c.Mean+c.SD)
			}
			st := styleOf(i)
			s.draw(p, st, s.shift(i, len(in.Rows)), places, cells)
			if k == 0 {
				pic.legend = append(pic.legend, st.entry(row.Dataset, s.numeric))
			}
		}
		spread(&p.Y, low, high)
		pic.panels = append(pic.panels, p)
	}
	measure := view.Measure(first)
	if slices.ContainsFunc(rules, func(in aggregate.Interaction) bool { return view.Measure(in) != measure }) {
		measure = aggregate.Tested // the panels name their own
	}
	f := &Figure{Name: first.Model + "-" + first.Axis, Dataset: fmt.Sprintf("%d data sets", len(first.Rows)), picture: pic,
		Title:   first.Model + " by " + first.Axis,
		Caption: fmt.Sprintf("%s of %s by %s, one line for each data set. Where lines are not parallel, the effect of %s depends on the data set.", measure, first.Model, first.Axis, first.Axis)}
	if seeds {
		f.Caption += " Mean over seeds; error bars are ± one standard deviation."
	}
	f.Caption += " The vertical axis does not begin at 0."
	return f
}
