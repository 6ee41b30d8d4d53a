package aggregatetest

import (
	"fmt"
	"math"
	"slices"

	"famebench/datasets"
	"famebench/internal/aggregate"
)

// generated is a suite of generated data sets with the references: FAME by number of
// experts, whose best number grows with the complexity of the preferences, and the analysis
// of that.
func generated() *aggregate.Suite {
	s := &aggregate.Suite{Name: "generated", Summary: "FAME's experts by complexity of the preferences", Axes: []string{"fame.experts"}}
	in := aggregate.Interaction{Axis: "fame.experts", Model: "fame", OfOracle: true, Places: []any{1, 2, 4, 8}, Seeds: 3}
	for _, rule := range aggregate.SeenItemRules {
		i := in
		i.Rule = rule
		i.Sources = []aggregate.Variation{{Source: aggregate.ByDataset, DF: 2, SS: 1650.534, F: 1528.27, P: 5e-26}, {Source: in.Axis, DF: 3, SS: 5.0097, F: 3.0924, P: .046014},
			{Source: aggregate.ByInteraction, DF: 6, SS: 63.8128, F: 19.6953, P: 3.5e-8}, {Source: aggregate.Residual, DF: 24, SS: 12.96}}
		s.Interactions = append(s.Interactions, i)
	}
	for i, preferred := range []int{1, 2, 4} {
		d := data{fmt.Sprintf("world-preferred-%d", preferred), 2000, 500, 1}
		s.Datasets = append(s.Datasets, datasets.Stats{Name: d.name, Users: 2000, Items: 500, Interactions: 40000, Density: .04, AvgLength: 20, Fingerprint: fmt.Sprintf("%064x", i)})
		best := .42 - .08*float64(i)
		models := []model{{name: "oracle", removed: best, kept: best, coverage: 1}, {name: "labels-known", removed: .8 * best, kept: .8 * best, coverage: .9}}
		for _, experts := range []int{1, 2, 4, 8} {
			m := compared[6]
			m.label, m.at = fmt.Sprintf("fame experts=%d", experts), map[string]any{"fame.experts": experts}
			m.removed = best * (.72 - .01*math.Abs(math.Log2(float64(experts))-float64(i)))
			m.kept = .9 * m.removed
			models = append(models, m)
		}
		t := table(d, models, []int64{0, 1, 2}, "")
		for k, rule := range aggregate.SeenItemRules {
			row := aggregate.InteractionRow{Dataset: d.name, Best: preferred, Low: preferred, High: min(8, 2*preferred)}
			whole := t.Rows[0].Under(rule).Metrics[aggregate.Tested].Mean
			for r := range t.Rows {
				c := t.Rows[r].Under(rule).Metrics[aggregate.Tested]
				share := aggregate.Cell{Mean: 100 * c.Mean / whole, SD: 100 * c.SD / whole, N: c.N}
				t.Rows[r].Under(rule).OfOracle, t.Rows[r].Reference = &share, r < 2
				if r >= 2 {
					row.Cells = append(row.Cells, share)
				}
			}
			s.Interactions[k].Rows = append(s.Interactions[k].Rows, row)
		}
		s.Tables = append(s.Tables, t)
	}
	s.Pairs = pairs(s, [][2]string{{"fame experts=1", "fame experts=2"}, {"fame experts=1", "fame experts=8"}})
	return s
}

// pairs compares rows, with made-up intervals.
func pairs(s *aggregate.Suite, of [][2]string) *aggregate.Comparison {
	c := &aggregate.Comparison{}
	for i := range s.Tables {
		t := &s.Tables[i]
		find := func(label string) *aggregate.Row {
			return &t.Rows[slices.IndexFunc(t.Rows, func(r aggregate.Row) bool { return r.Label == label })]
		}
		for _, p := range of {
			for _, rule := range aggregate.SeenItemRules {
				a, b := find(p[0]).Under(rule).Metrics[aggregate.Tested], find(p[1]).Under(rule).Metrics[aggregate.Tested]
				gain := 100 * (b.Mean/a.Mean - 1)
				test := &aggregate.Test{Difference: b.Mean - a.Mean, Low: b.Mean - a.Mean - .002, High: b.Mean - a.Mean + .002, P: .004, PHolm: .024,
					Significant: math.Abs(b.Mean-a.Mean) > .002, GainLow: new(gain - .2/a.Mean), GainHigh: new(gain + .2/a.Mean)}
				c.Lines = append(c.Lines, aggregate.ComparedMetric{Dataset: t.Dataset, RowA: p[0], RowB: p[1], Rule: rule, Metric: aggregate.Tested, A: &a, B: &b, Percent: &gain, Test: test})
			}
		}
	}
	return c
}
