package report

import (
	"fmt"
	"io"
	"strings"

	"famebench/internal/analysis"
)

// WriteAnalysis renders an analysis for a terminal.
func WriteAnalysis(w io.Writer, a *analysis.Analysis) error {
	fmt.Fprintf(w, "\n%s: %s validation users\n", a.ID, thousands(a.Users))
	var rows [][]string
	for h, head := range a.Heads {
		gate, spread := "–", "–"
		if g := head.Gate; g != nil {
			gate, spread = number(g.Mean), number(g.P10)+"–"+number(g.P90)
		}
		var load []string
		for _, e := range head.Experts {
			load = append(load, number(e.Load))
		}
		near, rest := 0., 0. // attention of the last item, of the three before it
		for back, weight := range head.Attention {
			switch {
			case back == 0:
				near = weight
			case back < 4:
				rest += weight
			}
		}
		rows = append(rows, []string{fmt.Sprint(h + 1), gate, spread, strings.Join(load, " "), number(head.RouterEntropy), fmt.Sprint(head.Dead), number(near), number(rest)})
	}
	if err := writeTable(w, []string{"head", "gate\nmean", "10–90 %\nof users", "load of\neach expert", "router\nentropy", "dead", "attention\nlast item", "three\nbefore"}, rows); err != nil {
		return err
	}
	if a.Overlap == nil {
		fmt.Fprintln(w, "This gate joins the heads: they score nothing on their own.")
		return nil
	}
	fmt.Fprintf(w, "Entropy of the gate: %s (1: it does not choose).\n", number(a.GateEntropy))
	header, rows := []string{"overlap"}, nil
	for i, row := range a.Overlap {
		header = append(header, fmt.Sprintf("head %d", i+1))
		cells := []string{fmt.Sprintf("head %d", i+1)}
		for _, x := range row {
			cells = append(cells, number(x))
		}
		rows = append(rows, cells)
	}
	fmt.Fprintf(w, "\nTop-%d lists of %s users: shared items (Jaccard), seen ones left out\n", a.ListLen, thousands(a.ListUsers))
	if err := writeTable(w, header, rows); err != nil {
		return err
	}
	if len(a.Facets) == 0 {
		fmt.Fprintln(w, "The data set names no facets of its items.")
		return nil
	}
	fmt.Fprint(w, "\nWhat the heads' lists tell about the items, in millibits; by chance; p\n")
	rows = nil
	for _, f := range a.Facets {
		rows = append(rows, []string{f.Name, "all", millibits(f.MutualInformation.Value), millibits(f.MutualInformation.Control), fmt.Sprintf("%.2f", f.MutualInformation.P), ""})
		for h, taste := range f.Heads {
			var likes []string
			for _, p := range taste.Prefers {
				likes = append(likes, fmt.Sprintf("%s %.0f %% (%.0f)", clip(p.Label, 18), 100*p.Share, 100*p.All))
			}
			d := taste.Divergence
			rows = append(rows, []string{"", fmt.Sprint(h + 1), millibits(d.Value), millibits(d.Control), fmt.Sprintf("%.2f", d.P), strings.Join(likes[:min(2, len(likes))], ", ")})
		}
	}
	if err := writeTable(w, []string{"facet", "head", "tells", "chance", "p", "prefers: share (of all heads')"}, rows, 5); err != nil {
		return err
	}
	fmt.Fprint(w, "all: mutual information of head and label. A head: how far the labels in its lists are from\nthose in all heads'. By chance: the labels dealt to the items at random, 99 times.\n")
	return nil
}

// WriteExplanation renders an explanation for a terminal.
func WriteExplanation(w io.Writer, e *analysis.Explanation) error {
	fmt.Fprintf(w, "\nUser %s, %d past items, the last ones:\n", e.User, len(e.History))
	for _, it := range e.History[max(0, len(e.History)-5):] {
		fmt.Fprintf(w, "  %s\n", clip(itemText(it), 96))
	}
	if e.Gate != nil {
		fmt.Fprint(w, "Weights of the heads:")
		for h, g := range e.Gate {
			fmt.Fprintf(w, " %d: %s", h+1, number(g))
		}
		fmt.Fprintln(w)
	}
	var rows [][]string
	for _, r := range e.Items {
		head, expert := "–", "–"
		if r.Head > 0 {
			head, expert = fmt.Sprintf("%d: %.2f", r.Head, r.Parts[r.Head-1]), fmt.Sprint(r.Expert)
		}
		var because []string
		for _, c := range r.Because {
			because = append(because, fmt.Sprintf("%s %s", number(c.Weight), clip(itemText(c.Item), 20)))
		}
		shares := make([]string, len(r.Shares))
		for i, s := range r.Shares {
			shares[i] = clip(s, 16)
		}
		rows = append(rows, []string{clip(itemText(r.Item), 22), fmt.Sprintf("%.2f", r.Score), head, expert, strings.Join(because, "\n"), strings.Join(shares, "\n")})
	}
	return writeTable(w, []string{"recommended", "score", "head", "expert", "because of", "shared"}, rows, 4, 5)
}

func itemText(it analysis.Item) string {
	if it.Title != "" {
		return it.Title
	}
	return it.ID
}

// number writes a share as tables do: .123.
func number(x float64) string { return strings.TrimPrefix(fmt.Sprintf("%.3f", x), "0") }

func millibits(x float64) string { return fmt.Sprintf("%.1f", 1000*x) }

// clip shortens a text to so many characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
