package view

import (
	"fmt"
	"slices"

	"famebench/internal/aggregate"
)

const ofOracleMeans = "of oracle: " + aggregate.Tested + " in percent of that of oracle, an upper bound: it knows preferences that a history reveals only in part"

func hasOracle(t *aggregate.Table) bool {
	return slices.ContainsFunc(t.Rows, func(r aggregate.Row) bool { return r.Removed.OfOracle != nil || r.Kept.OfOracle != nil })
}

// share is a share in percent, over seeds.
func share(c *aggregate.Cell) Cell {
	if c == nil || c.N == 0 {
		return Cell{Text: none}
	}
	out := fixed(c.Mean, 1)
	if c.N > 1 {
		out.SD = fixed(c.SD, 1).Text
	}
	return out
}

// ofOracle shows the rows' shares of the oracle, which have no room in a terminal's table of
// metrics.
func ofOracle(t *aggregate.Table) Table {
	out := Table{Caption: aggregate.Tested + " in % of oracle", Columns: Columns("<model", "removed", "kept")}
	for i := range t.Rows {
		r := &t.Rows[i]
		out.Add(Cell{Text: r.Label}, share(r.Removed.OfOracle), share(r.Kept.OfOracle))
	}
	return out
}

// Measure says what the values of an interaction are.
func Measure(in aggregate.Interaction) string {
	if in.OfOracle {
		return aggregate.Tested + " in % of oracle"
	}
	return aggregate.Tested
}

// Interactions has a section for each axis and model: the results by data set and value of
// the axis, and the analysis of variance, under both seen-item rules.
func Interactions(s *aggregate.Suite) []Section {
	var out []Section
	for i := range s.Interactions {
		in := &s.Interactions[i]
		title := fmt.Sprintf("Effect of %s on %s by data set", in.Axis, in.Model)
		if len(out) == 0 || out[len(out)-1].Title != title {
			out = append(out, Section{Title: title, Notes: []string{
				"best: the value with the highest mean; best of seeds: the lowest and the highest value that is best for a single seed",
				"analysis of variance: two factors, data set and axis, with the seeds as replicates, of the logarithms of the values. A small p of the interaction says that the effect of the axis, in percent, differs between these data sets; the column best says how. It assumes that seeds are independent, and that their logarithms are normally distributed with equal variance in all cells; SD within: of the logarithms of the seeds within the cells of a data set, in percent",
			}})
		}
		sec := &out[len(out)-1]
		sec.Tables = append(sec.Tables, cells(in))
		if in.Uneven {
			sec.Notes = append(sec.Notes, fmt.Sprintf("seen items %s: the standard deviation within cells differs by more than %d times between data sets, which the analysis assumes it does not: its p is too small if differences are largest where seeds vary most", in.Rule, aggregate.MaxUneven))
		}
		if in.Untested != "" {
			sec.Notes = append(sec.Notes, fmt.Sprintf("seen items %s: no test of the interaction: %s", in.Rule, in.Untested))
		}
		sec.Tables = append(sec.Tables, filled(sources(in))...)
	}
	return out
}

// cells shows the means of an interaction.
func cells(in *aggregate.Interaction) Table {
	t := Table{Caption: fmt.Sprintf("%s by %s, seen items %s", Measure(*in), in.Axis, in.Rule), Columns: labelColumns(nil)}
	t.Columns[0].Title = "data set"
	for _, place := range in.Places {
		t.Columns = append(t.Columns, Column{Title: fmt.Sprint(place)})
	}
	t.Columns = append(t.Columns, Columns("best", "best of\nseeds", "SD\nwithin %")...)
	t.Columns[len(t.Columns)-1].Long = "SD within cells, %"
	value := mean
	if in.OfOracle {
		value = func(c aggregate.Cell) Cell { return share(&c) }
	}
	for _, row := range in.Rows {
		line := Texts(row.Dataset)
		for _, c := range row.Cells {
			line = append(line, value(c))
		}
		seeds := none
		if row.Low != nil {
			seeds = fmt.Sprint(row.Low)
			if high := fmt.Sprint(row.High); high != seeds {
				seeds += " to " + high
			}
		}
		best := none
		if row.Best != nil {
			best = fmt.Sprint(row.Best)
		}
		within := Cell{Text: none}
		if row.Within > 0 {
			within = share(&aggregate.Cell{Mean: row.Within, N: 1})
		}
		t.Add(append(line, Cell{Text: best}, Cell{Text: seeds}, within)...)
	}
	return t
}

// sources shows the analysis of variance.
func sources(in *aggregate.Interaction) Table {
	t := Table{Caption: fmt.Sprintf("Analysis of variance with %s, seen items %s", Seeds(in.Seeds), in.Rule),
		Columns: Columns("<source", "degrees of\nfreedom", "sum of\nsquares", "F", "p")}
	for _, s := range in.Sources {
		f, p := Cell{Text: none}, Cell{Text: none}
		if s.Source != aggregate.Residual {
			f, p = fixed(s.F, 2), Cell{Text: Probability(s.P)}
		}
		t.Add(Cell{Text: s.Source}, count(float64(s.DF)), number(s.SS, formatted("%.4g", s.SS), 9), f, p)
	}
	return t
}
