package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"famebench/internal/analysis"
	"famebench/internal/escape"
	"famebench/internal/view"
)

// WriteAnalyses renders analyses for a terminal and, if there are several, a table of
// all of them.
func WriteAnalyses(w io.Writer, d analysis.Digest) error {
	for _, run := range d.Runs {
		if err := writeSections(w, analysisSections(run)...); err != nil {
			return err
		}
	}
	if d.Summaries == nil {
		return nil
	}
	sections := []view.Section{summarySection(d.Summaries)}
	if truth, ok := truthSummarySection(d.Summaries); ok {
		sections = append(sections, truth)
	}
	return writeSections(w, sections...)
}

func analysisSections(a analysis.RunDigest) []view.Section {
	heads := headSection(a)
	if a.Overlap == nil {
		heads.Below = append(heads.Below, "This gate concatenates the heads, so no head scores items on its own.")
		return []view.Section{heads}
	}
	lists := listSection(a)
	sections := []view.Section{heads, lists}
	if len(a.Facets) == 0 {
		sections[1].Below = append(lists.Below, "The data set has no facets of its items.")
	} else {
		sections = append(sections, facetSection(a))
	}
	if a.Truth != nil {
		sections = append(sections, truthSection(a))
	}
	return sections
}

// places is how many of the last items of a history the terminal shows attention to.
const places = 4

// headSection shows what gate, router and attention do.
func headSection(a analysis.RunDigest) view.Section {
	s := view.Section{Title: a.ID, About: view.Thousands(a.Users) + " validation cases"}
	if a.MoELayers > 1 {
		s.Intro = []string{fmt.Sprintf("The model has %d layers with experts; experts and attention are those of the last one.", a.MoELayers)}
	}
	t := view.Table{Broken: true, Columns: view.Columns("head", "gate\nmean", "10–90 %\nof users", "chosen", "load of\nexperts", "router\nentropy", "dead", "attn.\nlast", "attn.\n2nd", "attn.\n3rd", "attn.\n4th")}
	for h, head := range a.Heads {
		gate, users, chosen := "–", "–", "–"
		if g := head.Gate; g != nil {
			gate, users, chosen = view.Short(g.Mean), view.Short(g.P10)+"–"+view.Short(g.P90), view.Short(head.Chosen)
		}
		load, router := view.Short(a.Spread[h].LeastLoad), "–"
		if len(head.Experts) > 1 {
			load += "–" + view.Short(a.Spread[h].MostLoad)
			router = view.Short(head.RouterEntropy)
		}
		row := []string{fmt.Sprint(h + 1), gate, users, chosen, load, router, fmt.Sprint(head.Dead)}
		for back := range places {
			if back < len(head.Attention) {
				row = append(row, view.Short(head.Attention[back]))
			} else {
				row = append(row, "–")
			}
		}
		t.Add(view.Texts(row...)...)
	}
	s.Tables = []view.Table{t}
	if a.Heads[0].Gate != nil {
		s.Below = append(s.Below, fmt.Sprintf("Entropy of the gate: %s (1: it weighs all heads equally). Chosen: share of users for whom the head has the largest weight.", view.Short(a.GateEntropy)))
	}
	if n := len(a.Heads[0].Experts); n > 1 {
		s.Below = append(s.Below, fmt.Sprintf("Load: lowest and highest of a head's %d experts; imbalance %.3f (1: even, %d: one expert takes all).", n, a.Imbalance, n))
	}
	var reach []string
	for _, users := range a.Reach[:min(places, len(a.Reach))] {
		reach = append(reach, view.Thousands(users))
	}
	s.Below = append(s.Below, "Attention: to the last items, beginning with the last one, each over the users whose history is long enough: "+strings.Join(reach, "; ")+".")
	return s
}

// listSection compares what the heads would recommend alone.
func listSection(a analysis.RunDigest) view.Section {
	t := view.Table{Broken: true, Columns: view.Columns("head", "overlap:\nother heads", "at\nmost", "overlap:\nthe model", fmt.Sprintf("HR@%d\nalone", a.ListLen))}
	for h, head := range a.Heads {
		t.Add(view.Texts(fmt.Sprint(h+1), view.Short(a.Spread[h].MeanOverlap), view.Short(a.Spread[h].MostOverlap), view.Short(head.Alone.ModelOverlap), view.Short(head.Alone.HitRate))...)
	}
	t.Add(view.Texts("model", "", "", "", view.Short(a.HitRate))...)
	return view.Section{
		Title:  fmt.Sprintf("Top-%d lists of %s users if each head scored alone, seen items left out", a.ListLen, view.Thousands(a.ListUsers)),
		Tables: []view.Table{t},
		Below:  []string{"Overlap: items in both lists as a share of the items in either (Jaccard index). HR: on all validation cases."},
	}
}

// likesWidth is what the other columns leave: a label and its two shares.
const likesWidth = 33

// facetSection shows what the heads' lists have to do with the facets of the items.
func facetSection(a analysis.RunDigest) view.Section {
	t := view.Table{Broken: true, Columns: view.Columns("facet", "head", "value", "by\nchance", "excess", "p", "Holm", "<prefers: share\n(of all heads')")}
	add := func(facet, head string, t0 analysis.Tested, likes []string) {
		text := strings.Join(likes, ", ")
		if utf8.RuneCountInString(text) > likesWidth {
			text = strings.Join(likes, "\n")
		}
		t.Add(view.Texts(facet, head, millibits(t0.Value), millibits(t0.Control), millibits(t0.Excess()), view.Probability(t0.P), view.Probability(t0.Holm), text)...)
	}
	for _, f := range a.Facets {
		add(clip(f.Name, 10), "all", f.MutualInformation, nil)
		for h, preference := range f.Heads {
			var likes []string
			for _, p := range preference.Prefers[:min(2, len(preference.Prefers))] {
				likes = append(likes, fmt.Sprintf("%s: %.0f %% (%.0f)", clip(p.Label, labelLen), 100*p.Share, 100*p.All))
			}
			add("", fmt.Sprint(h+1), preference.Divergence, likes)
		}
	}
	below := []string{"All: mutual information of head and label. A single head: divergence of the labels in its lists from those in the lists of all heads. " +
		"By chance: the same with labels that were shuffled among the items, mean of many shuffles. Holm: p corrected for all tests of this table."}
	var unnamed []string
	for _, f := range a.Facets {
		if f.Unnamed {
			unnamed = append(unnamed, f.Name)
		}
	}
	if unnamed != nil {
		below = append(below, "The data have no names for the labels of "+strings.Join(unnamed, ", ")+": # and a number are ids.")
	}
	return view.Section{
		Title:  "What the heads' lists reveal about the items, in millibits",
		Tables: []view.Table{t},
		Below:  below,
	}
}

// summarySection is a table of all analyses.
func summarySection(all []analysis.Summary) view.Section {
	t := view.Table{Broken: true, Columns: view.Columns("runs", "gate\nentropy", "most\nchosen", "router\nentropy", "least,\nmost\nload", "dead", "overlap", "<beyond chance, mbit\n(seeds with p < .05)")}
	for _, s := range all {
		var label, facets []string
		for _, text := range summaryLabel(s) {
			label = append(label, wrap(escape.Line(text), labelWidth, "")...)
		}
		for _, f := range s.Facets {
			facets = append(facets, fmt.Sprintf("%-10s %6s (%d/%d)", clip(f.Name, 10), millibits(f.Excess), f.Significant, s.Seeds))
		}
		t.Add(view.Texts(strings.Join(label, "\n"), view.Short(s.GateEntropy), view.Short(s.MostChosen), view.Short(s.RouterEntropy),
			view.Short(s.LeastLoad)+"\n"+view.Short(s.MostLoad), fmt.Sprintf("%.1f", s.Dead), view.Short(s.Overlap), strings.Join(facets, "\n"))...)
	}
	return view.Section{
		Title:  "All analyses: means over seeds",
		Tables: []view.Table{t},
		Below: []string{"Most chosen: share of users for whom the most chosen head has the largest weight. Load: of any expert of any head. Overlap: of the top lists of two heads. " +
			"Beyond chance: mutual information of head and label, minus that of shuffled labels; p after Holm's correction."},
	}
}

// summaryLabel says which runs a summary is of.
func summaryLabel(s analysis.Summary) []string {
	label := []string{s.Dataset, s.Model, s.At, fmt.Sprintf("%d seeds", s.Seeds)}
	if s.Seeds == 1 {
		label[3] = "1 seed"
	}
	return slices.DeleteFunc(label, func(text string) bool { return text == "" })
}

// WriteExplanation renders an explanation for a terminal.
func WriteExplanation(w io.Writer, e *analysis.Explanation) error {
	s := view.Section{Title: fmt.Sprintf("User %s, %s, the last ones:", e.User, pastItems(len(e.History)))}
	for _, it := range e.History[max(0, len(e.History)-5):] {
		s.Intro = append(s.Intro, "  "+clip(itemText(it), 96))
	}
	if e.Gate != nil {
		text := "Weights of the heads, from the first:"
		for _, g := range e.Gate {
			text += " " + view.Short(g)
		}
		s.Intro = append(s.Intro, text)
	}
	t := view.Table{Broken: true, Columns: view.Columns("recommended", "score", "head", "expert", "<because of", "<shared")}
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
			because = append(because, fmt.Sprintf("%s %s", view.Short(c.Weight), clip(itemText(c.Item), 17)))
		}
		shares := make([]string, len(r.Shares))
		for i, s := range r.Shares {
			shares[i] = clip(s, labelLen)
		}
		t.Add(view.Texts(clip(itemText(r.Item), 18), fmt.Sprintf("%.2f", r.Score), head, expert, strings.Join(because, "\n"), strings.Join(shares, "\n"))...)
	}
	s.Tables = []view.Table{t}
	return writeSections(w, s)
}

// WriteRecommendations renders what a run recommends for histories.
func WriteRecommendations(w io.Writer, run string, all []analysis.Recommended) error {
	for _, r := range all {
		s := view.Section{Title: fmt.Sprintf("%s, %s, the last ones:", run, pastItems(len(r.History)))}
		for _, it := range r.History[max(0, len(r.History)-5):] {
			s.Intro = append(s.Intro, "  "+clip(itemText(it), 96))
		}
		t := view.Table{Broken: true, Columns: view.Columns("place", "<item", "<title", "score")}
		for i, c := range r.Items {
			t.Add(view.Texts(fmt.Sprint(i+1), clip(c.Item.ID, 30), clip(c.Item.Title, 36), fmt.Sprintf("%.4g", c.Score))...)
		}
		s.Tables = []view.Table{t}
		if err := writeSections(w, s); err != nil {
			return err
		}
	}
	return nil
}

func itemText(it analysis.Item) string {
	if it.Title != "" {
		return it.Title
	}
	return it.ID
}

// labelLen is how much of a label is shown: "category 3: #1234" is 17 characters.
const labelLen = 20

func millibits(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
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

func pastItems(n int) string {
	if n == 1 {
		return "1 past item"
	}
	return fmt.Sprintf("%d past items", n)
}
