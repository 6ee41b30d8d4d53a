package view

import (
	"fmt"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/rank"
)

// shown are the columns of a comparison: on the page all that every table has, elsewhere
// those that were chosen. Without a baseline there is no gain.
func shown(t *aggregate.Table, m Medium) []string {
	columns := t.Columns
	if columns == nil || m == Page {
		columns, _ = aggregate.Shown(nil) // these names are known
	}
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return name == aggregate.GainColumn && t.Baseline == "" })
}

// markedColumn is the column with the marks of significance: the gain, if it is shown, and
// otherwise the tested metric, as on the page, where the gain has an interval.
func markedColumn(columns []string, m Medium) string {
	if m != Page && slices.Contains(columns, aggregate.GainColumn) {
		return aggregate.GainColumn
	}
	return aggregate.Tested
}

// marks says what the marks of a comparison mean; "" if none of its columns has any.
func marks(t *aggregate.Table) string {
	columns := shown(t, Document)
	if t.Baseline == "" || !slices.Contains(columns, markedColumn(columns, Document)) {
		return ""
	}
	const significant = "significant (p < .05 after Holm's correction, the interval excludes 0, and both have %d seeds or more)"
	if !slices.Contains(columns, aggregate.GainColumn) {
		return fmt.Sprintf("†: the difference from %s, %s, is "+significant, t.Baseline, t.WhyBaseline(), aggregate.FewSeeds)
	}
	return fmt.Sprintf("gain: of %s over %s, %s; †: "+significant, aggregate.Tested, t.Baseline, t.WhyBaseline(), aggregate.FewSeeds)
}

// beyondColumns are the titles of metrics beyond accuracy.
var beyondColumns = map[string]Column{
	rank.Gini:       {Title: "Gini\n@10", Hint: "inequality of how often items are recommended; 0: all equally often"},
	rank.Popularity: {Title: "popul.\n@10", Long: "popularity@10", Hint: "how often the recommended items occur in training"},
	aggregate.Lift:  {Title: "lift@10\n%", Long: "popularity lift@10, %", Hint: "how much more popular recommended items are than those of the users' histories"},
	rank.Novelty:    {Title: "novelty\n@10", Hint: "mean self-information of the recommended items, bits"},
	rank.Diversity:  {Title: "divers.\n@10", Long: "diversity@10", Hint: "mean distance of a list's items by their categories or genres"},
}

// beyondMeans explains them.
var beyondMeans = []string{
	"Gini: Gini index of how often each item of the catalogue is in a list of ten, 0 if all are equally often",
	"popularity: how often the items of a list occur in training, mean; lift: how much higher it is than that of the items of the users' histories; novelty: -log2 of the share of the training users who have the item, mean, in bits",
	"diversity: mean distance of a list's items, 1 less the share of their labels (categories, genres) that they have in common; –: the items have no labels",
}

// column describes a column of a comparison.
func column(t *aggregate.Table, name string) Column {
	if name == aggregate.GainColumn {
		return Column{Title: "gain\n%", Long: "over " + t.Baseline + ", %", Key: aggregate.Tested,
			Hint: "gain in " + aggregate.Tested + " with its 95 % interval"}
	}
	if c, ok := beyondColumns[name]; ok {
		return c
	}
	title := strings.Replace(name, "Coverage", "Cov", 1)
	return Column{Title: strings.Replace(title, "NDCG@", "NDCG\n@", 1), Key: name}
}

// metric is a metric over seeds, in the format of the metric.
func metric(name string, r *aggregate.Rule) Cell {
	c := r.Metric(name)
	var format func(float64) Cell
	switch name {
	case rank.Popularity:
		format = func(v float64) Cell { return fixed(v, 1) }
	case aggregate.Lift:
		format = func(v float64) Cell { return number(v, Percent(v), 4) }
	case rank.Novelty:
		format = func(v float64) Cell { return fixed(v, 2) }
	default:
		return mean(c)
	}
	if c.N == 0 {
		return Cell{Text: none}
	}
	out := format(c.Mean)
	if c.N > 1 {
		out.SD = strings.TrimPrefix(format(c.SD).Text, "+")
	}
	return out
}

// gain is a row's gain in the tested metric; on the page it has an interval.
func gain(r *aggregate.Rule, baseline bool, m Medium) Cell {
	switch {
	case baseline && m == Page:
		return Cell{Text: "baseline", Sort: "0"}
	case baseline:
		return Cell{Text: none}
	}
	out := percent(r.Metrics[aggregate.Tested].Gain)
	if test := r.Test; m == Page && test != nil && test.GainLow != nil && test.GainHigh != nil {
		out.Low, out.High = Percent(*test.GainLow), Percent(*test.GainHigh)
	}
	return out
}

// Beyond shows the metrics beyond accuracy of a table, if any of its records has them.
func Beyond(t *aggregate.Table) Section {
	s := Section{Title: "Beyond accuracy"}
	if !slices.ContainsFunc(t.Rows, func(r aggregate.Row) bool { return r.Removed.Beyond != nil }) {
		return s
	}
	own := *t
	own.Baseline = "" // no gains
	own.Columns = append([]string{rank.Coverage}, aggregate.Beyond...)
	for _, rule := range aggregate.SeenItemRules {
		b := s.metrics(&own, nil, rule, Document)
		b.Rule = "" // the panel of a run does not have them
		for i := range b.Columns {
			b.Columns[i].Key = ""
		}
		s.Tables = append(s.Tables, b)
	}
	s.Footnotes = nil // they are in the comparison
	for k := range s.Tables {
		for i := range s.Tables[k].Rows {
			s.Tables[k].Rows[i].Cells[0].Footnotes = nil
		}
	}
	s.Notes = append(slices.Clone(beyondMeans), withoutBeyond(t)...)
	return s
}

// beyondNotes explain metrics beyond accuracy, if a comparison shows any.
func beyondNotes(t *aggregate.Table) []string {
	if !slices.ContainsFunc(t.Columns, func(name string) bool { return slices.Contains(aggregate.Beyond, name) }) {
		return nil
	}
	return append(slices.Clone(beyondMeans), withoutBeyond(t)...)
}

// withoutBeyond names the rows that have records without metrics beyond accuracy.
func withoutBeyond(t *aggregate.Table) []string {
	var rows []string
	id := ""
	for _, r := range t.Rows {
		if n := r.Removed.Beyond[rank.Gini].N; n < len(r.Runs) {
			if rows = append(rows, r.Label); id == "" && n == 0 { // else it may be another of the row's runs
				id = ", such as " + r.Runs[0].ID + ","
			}
		}
	}
	which := strings.Join(rows, ", ")
	switch len(rows) {
	case 0:
		return nil
	case len(t.Rows):
		which = "all rows"
	}
	return []string{fmt.Sprintf("older records lack the metrics beyond accuracy (%s); bench -trec ID%s computes them for a run whose weights are here", which, id)}
}
