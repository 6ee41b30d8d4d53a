package report

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"famebench/internal/aggregate"
)

// generated has the oracle in its first table, an interaction of each kind, analysed and with a
// missing cell, and pairs of rows. By hand: fame has 70 % of the oracle's NDCG@10 of .2 with seeds of 60,
// 70 and 80 %, and markov 25 %.
func generated() *aggregate.Suite {
	rule := func(ndcg, share, sd float64, n int) aggregate.Rule {
		r := aggregate.Rule{Metrics: map[string]aggregate.Cell{}, OfOracle: &aggregate.Cell{Mean: share, SD: sd, N: n}}
		for _, name := range aggregate.Columns {
			r.Metrics[name] = aggregate.Cell{Mean: ndcg, SD: sd / 100 * .2, N: n}
		}
		return r
	}
	row := func(model string, ndcg, share, sd float64, n int) aggregate.Row {
		return aggregate.Row{Model: model, Label: model, Removed: rule(ndcg, share, sd, n), Kept: rule(ndcg/2, share, sd, n)}
	}
	oracle, markov, fame := row("oracle", .2, 100, 0, 1), row("markov", .05, 25, 0, 1), row("fame", .14, 70, 10, 3)
	oracle.Reference, oracle.NonNeural, markov.NonNeural = true, true, true
	fame.At = map[string]any{"fame.experts": 4.}
	cell := func(mean, sd float64) aggregate.Cell { return aggregate.Cell{Mean: mean, SD: sd, N: 3} }
	in := aggregate.Interaction{Axis: "fame.experts", Model: "fame", Rule: "removed", OfOracle: true, Places: []any{1., 4.}, Seeds: 3,
		Rows: []aggregate.InteractionRow{
			{Dataset: "preferred-1", Cells: []aggregate.Cell{cell(72.04, 1.26), cell(70, 10)}, Best: 1., Low: 1., High: 4., Within: 7.127},
			{Dataset: "preferred-8", Cells: []aggregate.Cell{cell(41, .5), cell(45.56, .26)}, Best: 4., Low: 4., High: 4., Within: .399}},
		Uneven: true,
		Sources: []aggregate.Variation{{Source: "data set", DF: 1, SS: 1650.5338, F: 1528.272, P: 5e-26}, {Source: "fame.experts", DF: 1, SS: 5.00972, F: 3.0924, P: .04601},
			{Source: "interaction", DF: 1, SS: 63.81277, F: 19.6953, P: 3.47e-08}, {Source: "seeds", DF: 8, SS: 12.96}}}
	other := in
	other.Rule, other.OfOracle, other.Sources, other.Untested = "kept", false, nil, "no record of fame with fame.experts = 4 on preferred-8"
	other.Rows = []aggregate.InteractionRow{
		{Dataset: "preferred-1", Cells: []aggregate.Cell{cell(.0604, .0012), cell(.07, .01)}, Best: 4., Low: 4., High: 4.},
		{Dataset: "preferred-8", Cells: []aggregate.Cell{cell(.041, .0005), {}}}}
	pairs := &aggregate.Comparison{Notes: []string{`preferred-8 has no row "fame" for the pair "markov" and "fame"; its rows: "markov"`}}
	for _, rule := range aggregate.SeenItemRules {
		a, b := markov.Under(rule).Metrics[aggregate.Tested], fame.Under(rule).Metrics[aggregate.Tested]
		pairs.Lines = append(pairs.Lines, aggregate.ComparedMetric{Dataset: "preferred-1", RowA: "markov", RowB: "fame", Rule: rule, Metric: aggregate.Tested, A: &a, B: &b, Percent: new(180.),
			Test: &aggregate.Test{Difference: b.Mean - a.Mean, Low: .01, High: .12, P: .002, PHolm: .004, Significant: true, GainLow: new(20.), GainHigh: new(240.)}})
	}
	pairs.Lines = append(pairs.Lines, aggregate.ComparedMetric{Dataset: "preferred-1", RowA: "oracle", RowB: "fame", Rule: "kept", Metric: aggregate.Tested, Percent: new(-30.), Untested: "there is one test user only"})
	return &aggregate.Suite{Name: "experts", Summary: "experts by complexity", Hypothesis: "the best number of experts grows", Axes: []string{"fame.experts"},
		Tables:       []aggregate.Table{{Dataset: "preferred-1", Protocol: "leave-one-out", Users: 2000, Items: 500, Rows: []aggregate.Row{oracle, markov, fame}}},
		Interactions: []aggregate.Interaction{in, other}, Pairs: pairs}
}

// Shares of the oracle and interactions are in every format.
func TestGeneratedGolden(t *testing.T) {
	s := generated()
	var text, markdown, latex bytes.Buffer
	if err := WriteSuite(&text, s); err != nil {
		t.Fatal(err)
	}
	MarkdownSuite(&markdown, s)
	LatexSuite(&latex, s)
	checkWidth(t, "generated.txt", text.String())
	for name, got := range map[string]string{"generated.txt": text.String(), "generated.md": markdown.String(), "generated.tex": latex.String(),
		"generated.csv": string(ComparisonCSV(s, aggregate.Columns)), "generated.interaction.csv": string(InteractionCSV(s.Interactions)), "generated.pairs.csv": string(PairsCSV(s.Pairs))} {
		checkGolden(t, name, got)
		if strings.HasSuffix(name, ".csv") { // a line with another number of fields is an error
			if _, err := csv.NewReader(strings.NewReader(got)).ReadAll(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, got := range [][]byte{InteractionCSV(nil), PairsCSV(nil)} {
		if got != nil {
			t.Errorf("expected no file, got %q", got)
		}
	}
}
