package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"famebench/internal/analysis"
	"famebench/internal/escape"
)

// WriteAnalyses renders analyses for a terminal, and, where there are several, a
// table of all.
func WriteAnalyses(w io.Writer, all []*analysis.Analysis) error {
	for _, a := range all {
		if err := WriteAnalysis(w, a); err != nil {
			return err
		}
	}
	if len(all) < 2 {
		return nil
	}
	return writeSummaries(w, analysis.Summarise(all))
}

// WriteAnalysis renders an analysis for a terminal.
func WriteAnalysis(w io.Writer, a *analysis.Analysis) error {
	fmt.Fprintf(w, "\n%s: %s validation users\n", escape.Line(a.ID), thousands(a.Users))
	if a.MoELayers > 1 {
		fmt.Fprintf(w, "Experts and attention are those of the last of %d layers of experts alone.\n", a.MoELayers)
	}
	if err := writeHeads(w, a); err != nil {
		return err
	}
	if a.Overlap == nil {
		fmt.Fprintln(w, "This gate joins the heads: they score nothing on their own.")
		return nil
	}
	if err := writeLists(w, a); err != nil {
		return err
	}
	if len(a.Facets) == 0 {
		fmt.Fprintln(w, "The data set names no facets of its items.")
		return nil
	}
	return writeFacets(w, a)
}

// places is how many of the last items of a history the terminal shows attention to.
const places = 4

// writeHeads tells what gate, router and attention do.
func writeHeads(w io.Writer, a *analysis.Analysis) error {
	var rows [][]string
	for h, head := range a.Heads {
		gate, spread, chosen := "–", "–", "–"
		if g := head.Gate; g != nil {
			gate, spread, chosen = number(g.Mean), number(g.P10)+"–"+number(g.P90), number(head.Chosen)
		}
		load, router := number(head.Experts[0].Load), "–"
		if len(head.Experts) > 1 {
			byLoad := func(x, y analysis.Expert) int { return cmp.Compare(x.Load, y.Load) }
			load = number(slices.MinFunc(head.Experts, byLoad).Load) + "–" + number(slices.MaxFunc(head.Experts, byLoad).Load)
			router = number(head.RouterEntropy)
		}
		row := []string{fmt.Sprint(h + 1), gate, spread, chosen, load, router, fmt.Sprint(head.Dead)}
		for back := range places {
			if back < len(head.Attention) {
				row = append(row, number(head.Attention[back]))
			} else {
				row = append(row, "–")
			}
		}
		rows = append(rows, row)
	}
	header := []string{"head", "gate\nmean", "10–90 %\nof users", "chosen", "load of\nexperts", "router\nentropy", "dead", "attn.\nlast", "attn.\n2nd", "attn.\n3rd", "attn.\n4th"}
	if err := writeTable(w, header, rows); err != nil {
		return err
	}
	if a.Heads[0].Gate != nil {
		fmt.Fprintf(w, "Entropy of the gate: %s (1: it does not choose). Chosen: users for whom the head weighs most.\n", number(a.GateEntropy))
	}
	if n := len(a.Heads[0].Experts); n > 1 {
		fmt.Fprintf(w, "Load: least and most of a head's %d experts; imbalance %.3f (1: even, %d: one has it all).\n", n, a.Imbalance, n)
	}
	var reach []string
	for _, users := range a.Reach[:min(places, len(a.Reach))] {
		reach = append(reach, thousands(users))
	}
	writeWrapped(w, "Attention to the last items, the last one first, each over the users whose history reaches that far: "+strings.Join(reach, "; ")+".", "")
	return nil
}

// writeLists compares what the heads would recommend alone.
func writeLists(w io.Writer, a *analysis.Analysis) error {
	var rows [][]string
	for h, head := range a.Heads {
		mean, most := "–", "–"
		if others := slices.Delete(slices.Clone(a.Overlap[h]), h, h+1); len(others) > 0 {
			var sum float64
			for _, x := range others {
				sum += x
			}
			mean, most = number(sum/float64(len(others))), number(slices.Max(others))
		}
		rows = append(rows, []string{fmt.Sprint(h + 1), mean, most, number(head.Alone.ModelOverlap), number(head.Alone.HitRate)})
	}
	rows = append(rows, []string{"model", "", "", "", number(a.HitRate)})
	fmt.Fprintf(w, "\nTop-%d lists of %s users if each head scored alone, seen items left out\n", a.ListLen, thousands(a.ListUsers))
	header := []string{"head", "overlap:\nother heads", "at\nmost", "overlap:\nthe model", fmt.Sprintf("HR@%d\nalone", a.ListLen)}
	if err := writeTable(w, header, rows); err != nil {
		return err
	}
	fmt.Fprintln(w, "Overlap: items of both lists among those of either (Jaccard). HR: on all validation users.")
	return nil
}

// likesWidth is what the other columns leave: a label and its two shares.
const likesWidth = 33

// writeFacets tells what the heads' lists have to do with the facets of the items.
func writeFacets(w io.Writer, a *analysis.Analysis) error {
	var rows [][]string
	add := func(facet, head string, t analysis.Tested, likes []string) {
		text := strings.Join(likes, ", ")
		if utf8.RuneCountInString(text) > likesWidth {
			text = strings.Join(likes, "\n")
		}
		rows = append(rows, []string{facet, head, millibits(t.Value), millibits(t.Control), millibits(t.Excess()), probability(t.P), probability(t.Holm), text})
	}
	for _, f := range a.Facets {
		add(clip(f.Name, 10), "all", f.MutualInformation, nil)
		for h, taste := range f.Heads {
			var likes []string
			for _, p := range taste.Prefers[:min(2, len(taste.Prefers))] {
				likes = append(likes, fmt.Sprintf("%s %.0f %% (%.0f)", clip(p.Label, labelLen), 100*p.Share, 100*p.All))
			}
			add("", fmt.Sprint(h+1), taste.Divergence, likes)
		}
	}
	fmt.Fprint(w, "\nWhat the heads' lists tell about the items, in millibits\n")
	if err := writeTable(w, []string{"facet", "head", "tells", "by\nchance", "excess", "p", "Holm", "prefers: share\n(of all heads')"}, rows, 7); err != nil {
		return err
	}
	writeWrapped(w, "All: mutual information of head and label. A head: how far the labels in its lists are from those in all heads'. By chance: the labels dealt to the items at random, 999 times. Holm: p corrected for all tests of this table.", "")
	return nil
}

// writeSummaries renders a table of all analyses.
func writeSummaries(w io.Writer, all []analysis.Summary) error {
	var rows [][]string
	for _, s := range all {
		label := slices.Concat(wrapLabel(escape.Line(s.Dataset), labelWidth), wrapLabel(escape.Line(s.Model), labelWidth), wrapLabel(escape.Line(s.At), labelWidth), []string{fmt.Sprintf("%d seeds", s.Seeds)})
		if s.Seeds == 1 {
			label[len(label)-1] = "1 seed"
		}
		var facets []string
		for _, f := range s.Facets {
			facets = append(facets, fmt.Sprintf("%-10s %6s (%d/%d)", clip(f.Name, 10), millibits(f.Excess), f.Significant, s.Seeds))
		}
		rows = append(rows, []string{strings.Join(label, "\n"), number(s.GateEntropy), number(s.MostChosen), number(s.RouterEntropy),
			number(s.LeastLoad) + "\n" + number(s.MostLoad), fmt.Sprintf("%.1f", s.Dead), number(s.Overlap), strings.Join(facets, "\n")})
	}
	fmt.Fprint(w, "\nAll analyses: means over seeds\n")
	header := []string{"runs", "gate\nentropy", "most\nchosen", "router\nentropy", "least,\nmost\nload", "dead", "overlap", "beyond chance, mbit\n(seeds with p < .05)"}
	if err := writeTable(w, header, rows, 7); err != nil {
		return err
	}
	writeWrapped(w, "Most chosen: users of the head that most often weighs the most. Load: of any expert of any head. Overlap: of two heads' top lists. Beyond chance: mutual information of head and label less what shuffled labels have; p after Holm's correction.", "")
	return nil
}

// WriteExplanation renders an explanation for a terminal.
func WriteExplanation(w io.Writer, e *analysis.Explanation) error {
	fmt.Fprintf(w, "\nUser %s, %d past items, the last ones:\n", escape.Line(e.User), len(e.History))
	for _, it := range e.History[max(0, len(e.History)-5):] {
		fmt.Fprintf(w, "  %s\n", clip(itemText(it), 96))
	}
	if e.Gate != nil {
		text := "Weights of the heads, from the first:"
		for _, g := range e.Gate {
			text += " " + number(g)
		}
		writeWrapped(w, text, "  ")
	}
	var rows [][]string
	for _, r := range e.Items {
		head, expert := "–", "–"
		if r.Head > 0 {
			head = fmt.Sprintf("%d: %.2f", r.Head, r.Parts[r.Head-1])
		}
		if r.Expert > 0 {
			expert = fmt.Sprint(r.Expert)
		}
		var because []string
		for _, c := range r.Because {
			because = append(because, fmt.Sprintf("%s %s", number(c.Weight), clip(itemText(c.Item), 17)))
		}
		shares := make([]string, len(r.Shares))
		for i, s := range r.Shares {
			shares[i] = clip(s, labelLen)
		}
		rows = append(rows, []string{clip(itemText(r.Item), 18), fmt.Sprintf("%.2f", r.Score), head, expert, strings.Join(because, "\n"), strings.Join(shares, "\n")})
	}
	return writeTable(w, []string{"recommended", "score", "head", "expert", "because of", "shared"}, rows, 4, 5)
}

func itemText(it analysis.Item) string {
	if it.Title != "" {
		return it.Title
	}
	return it.ID
}

// labelLen is how much of a label is shown: "category 3: #1234" is 17 characters.
const labelLen = 20

// number writes a share as tables do: .123, and – where there is none.
func number(x float64) string {
	if !finite(x) {
		return "–"
	}
	return strings.TrimPrefix(fmt.Sprintf("%.3f", x), "0")
}

func millibits(x float64) string {
	if !finite(x) {
		return "–"
	}
	return fmt.Sprintf("%.1f", 1000*x)
}

// clip shortens a text from the data to so many characters of one line.
func clip(s string, n int) string {
	s = escape.Line(s)
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
