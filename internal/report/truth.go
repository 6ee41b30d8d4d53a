package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"famebench/internal/analysis"
	"famebench/internal/view"
)

// constant is shown for a part of a model that is the same for every user.
const constant = "constant"

// truthSection compares the heads of a run with the facets that its data were generated
// from.
func truthSection(a analysis.RunDigest) view.Section {
	truth := a.Truth
	t := view.Table{Broken: true, Columns: view.Columns("head", "<facet", "list", "by chance", "beyond\nchance", "other\nfacets", "p", "router", "by chance", "p")}
	add := func(head, facet string, list *analysis.Comparison, others string, router *analysis.Comparison) {
		row := []string{head, facet}
		row = append(append(row, listCells(list)...), others, probability(list))
		row = append(row, routerCells(router)...)
		t.Add(view.Texts(row...)...)
	}
	for h, head := range truth.Heads {
		var others []float64
		for f, x := range head.Excess {
			if truth.Facets[f] != head.Facet {
				others = append(others, x)
			}
		}
		most, facet := "–", "–"
		if others != nil {
			most = signed(slices.Max(others))
		}
		if head.Facet != "" {
			facet = clip(head.Facet, 10)
		}
		add(fmt.Sprint(h+1), facet, head.List, most, head.Router)
	}
	add("mean", "", &truth.Lists, "", truth.Router)
	return view.Section{
		Title:  "What the heads know of the true facets, in bits",
		Tables: []view.Table{t},
		Below:  append(truthNotes(truth, a.ListLen), gateNote(truth.Gate)),
	}
}

func listCells(c *analysis.Comparison) []string {
	if c == nil {
		return []string{"–", "–", "–"}
	}
	return []string{signed(c.Value), signed(c.Control) + " ±" + view.Short(c.SD), signed(c.Excess())}
}

func probability(c *analysis.Comparison) string {
	if c == nil {
		return "–"
	}
	return view.Probability(c.P)
}

func routerCells(c *analysis.Comparison) []string {
	switch {
	case c == nil:
		return []string{"–", "–", "–"}
	case c.Constant:
		return []string{constant, "", ""}
	}
	return []string{signed(c.Value), signed(c.Control) + " ±" + view.Short(c.SD), view.Probability(c.P)}
}

// truthNotes explain the columns.
func truthNotes(t *analysis.Truth, listLen int) []string {
	var without []string // facets without a head
	for _, f := range t.Facets {
		if !slices.ContainsFunc(t.Heads, func(h analysis.HeadTruth) bool { return h.Facet == f }) {
			without = append(without, f)
		}
	}
	match := "Heads and facets are matched one to one, in the way in which the lists say the most about their facets."
	switch {
	case without != nil:
		match += " Facets without a head: " + strings.Join(without, ", ") + "."
	case len(t.Heads) > len(t.Facets):
		match += " There are more heads than facets, so some heads have none."
	}
	notes := []string{match,
		fmt.Sprintf("List: how much the facet's label says about whose top-%d list of this head an item is in (mutual information; at most %.2f for %d labels). "+
			"Few items per list make the estimate too high, so only what is beyond chance counts. By chance: with labels that were shuffled among the items, mean and deviation of %d shuffles; "+
			"in the last row, matched again in each shuffle. Other facets: the most that the same lists say about another facet, beyond chance.", listLen, math.Log2(float64(t.Labels)), t.Labels, t.Shuffles)}
	if s := t.Specialised; s != nil {
		notes = append(notes, fmt.Sprintf("Specialised: %s bits, mean of how much more a head's lists say about its facet than is usual for the head and for the facet. By chance: %s ± %s, with the heads of each user exchanged or with shuffled labels, whichever says more; p, the higher of both, %s. "+
			"If it is no more than by chance, all heads know the same and the match is arbitrary.", signed(s.Value), signed(s.Control), view.Short(s.SD), view.Probability(s.P)))
	}
	if t.Router != nil {
		notes = append(notes, "Router: how much the head's strongest expert says about the label of the facet that the user prefers. By chance: with users' preferences that were shuffled. "+
			"constant: the strongest expert is the same for every user.")
	}
	return append(notes, "p: share of shuffles in which any head gets as far beyond chance; in the last row, in which the mean does.")
}

// gateNote says whether the gate follows the importances.
func gateNote(g *analysis.GateTruth) string {
	switch {
	case g == nil:
		return "Gate: with one pair of head and facet, the importances have no order."
	case g.Constant:
		return fmt.Sprintf("Gate: constant. It gives the heads the same weights for every user, so it follows nobody's importances. labels-known reaches a rank correlation of %s.", signed(g.Known))
	}
	return fmt.Sprintf("Gate: rank correlation %s ± %s with the user's true importances of the facets (mean of %s users, 95 %% interval); with shuffled users %s ± %s, p %s. "+
		"labels-known, which estimates the importances from the labels in the history, reaches %s.",
		signed(g.Value), view.Short(g.HalfWidth), view.Thousands(g.Users), signed(g.Control), view.Short(g.SD), view.Probability(g.P), signed(g.Known))
}

// truthSummarySection is a table of all analyses of generated data; not ok if there is none.
func truthSummarySection(all []analysis.Summary) (s view.Section, ok bool) {
	t := view.Table{Columns: view.Columns("runs", "lists,\nbits", "specialised,\nbits", "gate,\ncorrelation", "labels-known", "router,\nbits")}
	for _, s := range all {
		if s.Truth == nil {
			continue
		}
		ok = true
		known := view.Cell{Text: "–"}
		if s.Truth.Gate != nil {
			known.Text = signed(s.Truth.Known)
		}
		t.Add(view.Cell{Text: strings.Join(summaryLabel(s), ", ")}, summaryCell(s.Truth.Lists), summaryCell(s.Truth.Specialised), summaryCell(s.Truth.Gate), known, summaryCell(s.Truth.Router))
	}
	return view.Section{
		Title:  "Do heads find the true facets, and does the gate weigh them? Means over seeds",
		Tables: []view.Table{t},
		Below: []string{"What is beyond chance, ± standard deviation over seeds; in brackets the seeds with p < .05. constant: the same for every user, so it follows none. –: the model does not have this part. Models that concatenate the heads have no lists and are left out.",
			"Lists: how much the label of the matched facet says about whose list of a head an item is in, mean of the heads. " +
				"Specialised: how much more the lists say about that facet than is usual for the head and the facet. If it is about 0, all heads know the same and the match is arbitrary; then gate and router cannot be judged by it.",
			"Gate: rank correlation of a user's weights with the true importances, each relative to its mean over users; mean of the users. labels-known: the correlation that importances reach if they are estimated from the labels of the items that the model sees. " +
				"Router: how much a head's strongest expert says about the label that the user prefers, mean of the heads."},
	}, ok
}

// summaryCell is a comparison over seeds.
func summaryCell(c *analysis.ComparisonSummary) view.Cell {
	switch {
	case c == nil:
		return view.Cell{Text: "–"}
	case c.Constant:
		return view.Cell{Text: constant}
	}
	cell := view.Cell{Text: signed(c.Mean), After: fmt.Sprintf("(%d/%d)", c.Significant, c.Seeds)}
	if c.Seeds > 1 {
		cell.SD = view.Short(c.SD)
	}
	return cell
}

// MarkdownTruth writes the table of all analyses of generated data.
func MarkdownTruth(w io.Writer, suite, summary string, d analysis.Digest) {
	if s, ok := truthSummarySection(d.Summaries); ok {
		markdown(w, suite, summary, s)
	}
}

// TruthCSV has a line for each model of generated data and each number about it; nil if
// there is none. Means are beyond chance.
func TruthCSV(d analysis.Digest) []byte {
	var lines [][]any
	for _, s := range d.Summaries {
		if s.Truth == nil {
			continue
		}
		for _, part := range []struct {
			number string
			*analysis.ComparisonSummary
		}{{"lists", s.Truth.Lists}, {"specialised", s.Truth.Specialised}, {"gate", s.Truth.Gate}, {"router", s.Truth.Router}} {
			c := part.ComparisonSummary
			if c == nil {
				continue
			}
			line := []any{s.Dataset, s.Model, s.At, part.number, c.Seeds, c.Constant, nil, nil, nil, nil}
			if !c.Constant {
				line[6], line[7], line[8] = c.Mean, c.SD, c.Significant
			}
			if part.number == "gate" {
				line[9] = s.Truth.Known
			}
			lines = append(lines, line)
		}
	}
	return unlessEmpty([]string{"dataset", "model", "at", "number", "seeds", "constant", "mean", "sd", "significant", "labels_known"}, lines)
}

// signed writes a number that may be negative with three decimals: .055, -.055, 4.322.
func signed(x float64) string {
	sign, text := "", view.Short(math.Abs(x))
	if x < 0 && text != ".000" {
		sign = "-"
	}
	return sign + text
}
