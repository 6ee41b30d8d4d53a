package view

import (
	"fmt"
	"strconv"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// Comparing shows two sides next to each other, one line for each data set and metric under
// each seen-item rule.
func Comparing(c *aggregate.Comparison) Section {
	s := Section{Title: fmt.Sprintf("B, %s, against A, %s", c.B, c.A)}
	several := false // pairs of rows
	for _, l := range c.Lines {
		several = several || l.RowA != c.Lines[0].RowA || l.RowB != c.Lines[0].RowB
	}
	for _, rule := range aggregate.SeenItemRules {
		out := Table{Caption: "Test, seen items " + rule, Columns: Columns("<data set", "metric", "A", "B", "difference\n%", "interval, %", "p", "seeds\nA, B")}
		if several {
			out.Columns = append(Columns("<rows"), out.Columns...)
		}
		add := func(rowA, rowB string, cells []Cell) {
			if several {
				cells = append(Texts(rows(rowA, rowB)), cells...)
			}
			out.Add(cells...)
		}
		for _, l := range c.Lines {
			if l.Rule == rule {
				add(l.RowA, l.RowB, compared(l))
			}
		}
		for _, m := range c.Means {
			if m.Rule == rule {
				add(m.RowA, m.RowB, Texts("geomean", m.Metric, Share(m.A), Share(m.B), Percent(m.Percent), none, none, none))
			}
		}
		s.Tables = append(s.Tables, filled(out)...)
	}
	s.Marks = testOfPairs("all lines of the table") + "; geomean: geometric mean over the data sets of the table"
	for _, w := range c.Warnings {
		s.Below = append(s.Below, "Warning: "+w.Text())
	}
	s.Notes = c.Notes
	return s
}

// testOfPairs explains the columns of two rows that are compared. family is what Holm's correction
// is for.
func testOfPairs(family string) string {
	return fmt.Sprintf("difference: B above A in percent of A; ~: not significant (it needs p < .05, an interval without 0, both in the same direction, and %d seeds or more of both sides); interval: 95 %%, bootstrap over users and seeds, 10,000 draws; p: Wilcoxon's signed-rank test of the users' values, averaged over seeds, two-sided, after Holm's correction for %s",
		aggregate.FewSeeds, family)
}

// Pairs shows the comparisons of two rows that a suite asks for. Their means are in the tables of
// the data sets.
func Pairs(c *aggregate.Comparison) Section {
	s := Section{Title: "Pairs of rows that the suite compares", Marks: testOfPairs("all pairs under the rule"), Notes: c.Notes}
	for _, rule := range aggregate.SeenItemRules {
		out := Table{Caption: fmt.Sprintf("%s, seen items %s", aggregate.Tested, rule), Columns: Columns("<data set", "<rows A / B", "difference\n%", "interval, %", "p")}
		for _, l := range c.Lines {
			if l.Rule == rule {
				out.Add(append(Texts(l.Dataset, rows(l.RowA, l.RowB)), tested(l)...)...)
			}
		}
		s.Tables = append(s.Tables, filled(out)...)
	}
	return s
}

// rows names a pair of rows.
func rows(a, b string) string {
	if a == b {
		return a
	}
	return a + " / " + b
}

// compared is a line of a comparison.
func compared(l aggregate.ComparedMetric) []Cell {
	metric := func(c *aggregate.Cell) string {
		if c == nil {
			return none
		}
		return Share(c.Mean)
	}
	seeds := func(c *aggregate.Cell) string {
		if c == nil {
			return none
		}
		return strconv.Itoa(c.N)
	}
	cells := append(Texts(l.Dataset, l.Metric, metric(l.A), metric(l.B)), tested(l)...)
	return append(cells, Cell{Text: seeds(l.A) + ", " + seeds(l.B)})
}

// tested are the difference, its interval and p.
func tested(l aggregate.ComparedMetric) []Cell {
	difference, interval, p := percent(l.Percent), none, Cell{Text: none}
	if t := l.Test; t != nil {
		p = number(t.PHolm, Probability(t.PHolm), 6)
		if t.GainLow != nil {
			interval = Percent(*t.GainLow) + " to " + Percent(*t.GainHigh)
		}
		if !t.Significant {
			difference.After = "~"
		}
	} else if l.Percent != nil {
		difference.After = "~"
	}
	return []Cell{difference, {Text: interval}, p}
}

// Imported shows the metrics of imported lists.
func Imported(m *record.Imported, path string) Section {
	s := Section{Title: fmt.Sprintf("%s on %s, seed %d", m.Spec.Name, m.Spec.Dataset.Name, m.Spec.Seed),
		About: fmt.Sprintf("imported lists of %d items for %s test users, seen items %s", m.Length, Thousands(m.Users), m.Spec.Rule)}
	t := Table{Columns: Columns("<")}
	cells := Texts("test")
	for _, metric := range aggregate.Columns {
		if v, ok := m.Test[metric]; ok {
			t.Columns, cells = append(t.Columns, Column{Title: metric}), append(cells, Cell{Text: Share(v)})
		}
	}
	if len(cells) > 1 {
		t.Add(cells...)
		s.Tables = []Table{t}
	}
	s.Notes = []string{"written: " + path, "metrics beyond the length of the lists, MRR and coverage do not follow from them and are absent"}
	return s
}
