package view

import (
	"fmt"
	"strconv"

	"famebench/internal/aggregate"
)

// Complexity shows what rows gain over the lowest value of an axis, for users with simple and
// with varied histories.
func Complexity(t *aggregate.Table) Section {
	s := Section{}
	c := t.Complexity
	if c == nil {
		return s
	}
	who := testUnits(t)
	equalLength, lengths := false, false // what the notes have to explain
	for _, d := range c.Divisions {
		if len(d.Rows) > 0 {
			s.Tables = append(s.Tables, gains(d, who)...)
			equalLength, lengths = equalLength || d.EqualLength, lengths || d.Lengths != nil
		}
	}
	if len(s.Tables) == 0 {
		return s
	}
	s.Title = fmt.Sprintf("Test %s of %s by the entropy of the labels of %q in the training histories", who, t.Dataset, c.Facet)
	s.Notes = []string{
		"seeds: those that the row and the one that it is compared with have in common, on the same device; all numbers are of these",
		fmt.Sprintf("gain: difference in %s, mean over users and seeds, with its 95 %% interval in brackets (bootstrap over users and seeds, users paired, 2,000 draws)", aggregate.Tested),
		"last group minus first: mean over seeds, with its 95 % interval in brackets (Student's t over the seeds, paired)",
		"groups: thirds of the " + who + " of this data set in the order of their entropies; " + who + " with equal entropies are in one group. A long history can have a higher entropy than a short one, so the groups also differ in length",
	}
	if equalLength {
		s.Notes = append(s.Notes, "histories of equal length: thirds by the place of a user's entropy among those of the users whose histories have as many items, so the groups hardly differ in length; a user whose length nobody else has is in the middle one")
	}
	if lengths {
		s.Notes = append(s.Notes, "items: mean number of items before the target")
	}
	if c.Without > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("in no group: %s %s without a labelled item in the training history", Thousands(c.Without), who))
	}
	return s
}

// gains are the tables of one division of the users or test cases, for each seen-item rule.
func gains(d aggregate.Division, who string) (tables []Table) {
	for _, rule := range aggregate.SeenItemRules {
		out := Table{Caption: fmt.Sprintf("Gain in %s, seen items %s", aggregate.Tested, rule), Columns: Columns("<row", "<over", "seeds")}
		if d.EqualLength {
			out.Caption += ", histories of equal length"
		}
		for k, g := range d.Groups {
			in := Thousands(g.Users) + " " + who
			if d.Lengths != nil {
				in += fmt.Sprintf(", %.1f items", d.Lengths[k])
			}
			out.Columns = append(out.Columns, Column{Title: fmt.Sprintf("%s\n(%s)", g.Label, in), Long: g.Label, Hint: in})
		}
		out.Columns = append(out.Columns, Column{Title: "last group\nminus first", Hint: "does the gain grow with the entropy?"})
		for i := range d.Rows {
			gains := d.Rows[i].Under(rule)
			cells := Texts(d.Rows[i].Label, d.Rows[i].Than, strconv.Itoa(d.Rows[i].Seeds))
			for _, g := range gains.Groups {
				cell := Cell{Text: none}
				if g != nil {
					cell = Cell{Text: Difference(g.Difference), Sort: sortable(g.Difference, 6), Low: Difference(g.Low), High: Difference(g.High)}
				}
				cells = append(cells, cell)
			}
			out.Add(append(cells, trend(gains.Trend))...)
		}
		tables = append(tables, out)
	}
	return tables
}

// trend is a mean over seeds with its interval.
func trend(m aggregate.SeedMean) Cell {
	if m.Seeds == 0 {
		return Cell{Text: none}
	}
	c := Cell{Text: Difference(m.Mean), Sort: sortable(m.Mean, 6)}
	if m.Seeds > 1 {
		c.Low, c.High = Difference(m.Low), Difference(m.High)
	}
	return c
}
