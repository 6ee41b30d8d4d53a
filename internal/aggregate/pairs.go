package aggregate

import (
	"fmt"
	"slices"
)

// pairs sets the second row of each pair that the suite names against the first, in Tested, on
// every data set. So a hypothesis about two rows is decided in the tables, whatever their
// baseline is. Intervals are those of -compare; Holm's correction is for all pairs of the suite
// under one seen-item rule. Without pairs it is nil.
func (in Input) pairs(tables []Table, all [][]*group) (*Comparison, error) {
	if in.Pairs == nil {
		return nil, nil
	}
	c := &Comparison{Lines: []ComparedMetric{}}
	for i, rows := range all {
		data := tables[i].Dataset
		for _, labelled := range in.Pairs {
			p := pair{dataset: data, table: rows}
			for k, row := range []**group{&p.a, &p.b} {
				if at := slices.IndexFunc(rows, func(g *group) bool { return g.Label == labelled[k] }); at >= 0 {
					*row = rows[at]
				} else {
					c.Notes = append(c.Notes, fmt.Sprintf("%s has no row %q for the pair %q and %q; its rows: %s", data, labelled[k], labelled[0], labelled[1], labels(rows, "")))
				}
			}
			if p.a == nil || p.b == nil {
				continue
			}
			p.untested = untested(p.a, p.b)
			lines, err := p.lines([]string{Tested})
			if err != nil {
				return nil, err
			}
			c.Lines = append(c.Lines, lines...)
			for _, note := range p.notImported() {
				c.Notes = appendNew(c.Notes, note)
			}
		}
	}
	if err := c.correct(); err != nil {
		return nil, err
	}
	c.explain()
	return c, nil
}
