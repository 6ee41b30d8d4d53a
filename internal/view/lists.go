package view

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// Published compares some of a suite's published numbers with ours.
func Published(s *aggregate.Suite, checks []aggregate.Check, m Medium) Section {
	out := Section{Title: "Published numbers"}
	t := Table{Columns: Columns("<data set", "<model", "<metric", "<seen\nitems", "published", "ours", "diff.\n%", "<verdict", "<source", "<loss", "<cold\nitems")}
	t.Columns[6].Long = "difference, %"
	t.About = []string{
		"in brackets: the seen-item rule, the loss or the rule for cold items of the source is unknown or differs from ours (we keep cold items), the version of its data is unknown, or an epoch budget ended our training",
		"where the seen-item rule is unknown, the nearer of our two numbers is compared",
		"ours is the row with the published loss, if there is one; among several, the row with the configured settings, or else the one that is best on validation",
	}
	others := 0
	for i, c := range checks {
		if m == Terminal && !c.Same {
			others++
			continue
		}
		source := c.Source
		if c.Note != "" {
			source += " (" + c.Note + ")"
		}
		published := Cell{Text: Share(c.Published), Sort: sortable(c.Published, 6)}
		ours, difference := mean(c.Ours), Cell{Text: none}
		if c.Rule == "unknown" && c.Ours.N > 0 {
			ours.After = c.OurRule
		}
		if c.Comparable {
			difference = percent(&c.Percent)
		}
		ours.Best, ours.Second = false, false
		if m == Page {
			ours.Ref = ref(s, c.Dataset, c.OurRule, c.Metric, func(r *aggregate.Row, _ aggregate.Cell) bool { return r.Label == c.OurLabel })
		} else {
			published.Footnotes, ours.SD = []int{out.footnote(source)}, ""
			if c.Ours.N > 0 && c.OurLabel != c.Model {
				if note := fmt.Sprintf("ours of %s is the row %s", c.Model, c.OurLabel); !slices.Contains(out.Notes, note) {
					out.Notes = append(out.Notes, note)
				}
			}
		}
		t.Rows = append(t.Rows, Row{Index: i, Cells: []Cell{{Text: c.Dataset}, {Text: c.Model}, {Text: c.Metric}, {Text: c.Rule}, published, ours, difference,
			verdict(c), {Text: source}, {Text: c.Loss}, {Text: c.ColdItems}}})
	}
	if m != Page {
		t.arrange(1, 3, 9, 10, 2, 4, 5, 6, 7) // the title has the data set, a footnote the source
	}
	out.Tables = filled(t)
	if others > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("numbers on other or unknown terms, in the Markdown file only: %d", others))
	}
	return out
}

// arrange keeps some columns, in an order.
func (t *Table) arrange(keep ...int) {
	all, rows := t.Columns, t.Rows
	t.Columns, t.Rows = nil, nil
	for _, k := range keep {
		t.Columns = append(t.Columns, all[k])
	}
	for _, row := range rows {
		cells := row.Cells
		row.Cells = nil
		for _, k := range keep {
			row.Cells = append(row.Cells, cells[k])
		}
		t.Rows = append(t.Rows, row)
	}
}

// publishedByData has a section for each data set.
func publishedByData(s *aggregate.Suite, m Medium) []Section {
	var out []Section
	var seen []string
	for _, c := range s.Checks {
		if slices.Contains(seen, c.Dataset) {
			continue
		}
		seen = append(seen, c.Dataset)
		sec := Published(s, slices.DeleteFunc(slices.Clone(s.Checks), func(d aggregate.Check) bool { return d.Dataset != c.Dataset }), m)
		sec.Title += " on " + c.Dataset
		out = append(out, sec)
	}
	return out
}

// verdict says whether ours is the published number, where that can be said.
func verdict(c aggregate.Check) Cell {
	out := Cell{Text: "outside ±5 %", Verdict: Bad}
	if c.Within {
		out = Cell{Text: "inside ±5 %", Verdict: Good}
	}
	switch {
	case c.Ours.N == 0:
		return Cell{Text: "not run", Verdict: Open}
	case !c.Comparable:
		return Cell{Text: "other data", Verdict: Open}
	case !c.Same:
		return Cell{Text: "(" + out.Text + ")", Verdict: Open}
	}
	return out
}

// ref finds the cell of a comparison that a number was taken from; nil if there is none.
func ref(s *aggregate.Suite, data, rule, metric string, from func(*aggregate.Row, aggregate.Cell) bool) *Ref {
	for k := range s.Tables {
		if s.Tables[k].Dataset != data || !slices.Contains(aggregate.SeenItemRules, rule) {
			continue
		}
		for i := range s.Tables[k].Rows {
			r := &s.Tables[k].Rows[i]
			if c, ok := r.Under(rule).Metrics[metric]; ok && from(r, c) {
				return &Ref{k, i, rule, metric}
			}
		}
	}
	return nil
}

// Equality shows which rows have the same results as the row of their model that is planned first.
func Equality(s *aggregate.Suite) Section {
	t := Table{Columns: Columns("<row", "<data set", "seeds", "diff.\n%", "95 % interval", "<verdict", "test\nremoved", "test\nkept")}
	var than, missing []string
	for i, e := range s.Equality {
		switch {
		case e.Than == "":
			missing = append(missing, e.Label)
		case !slices.Contains(than, e.Than):
			than = append(than, e.Than)
		}
		diff, interval, removed, kept := fixed(e.Difference, 2), Cell{Text: fmt.Sprintf("%.2f to %.2f", e.Low, e.High)}, fixed(e.Removed, 2), fixed(e.Kept, 2)
		if e.Seeds < 2 {
			interval = Cell{Text: none}
		}
		if e.Seeds == 0 {
			diff, removed, kept = interval, interval, interval
		}
		t.Rows = append(t.Rows, Row{Index: i, Cells: append(Texts(e.Label, e.Dataset, strconv.Itoa(e.Seeds)),
			diff, interval, Cell{Text: e.Verdict}, removed, kept)})
	}
	t.About = []string{
		fmt.Sprintf("diff.: how much higher validation %s is than in the first row of the model, paired by seed, in percent; equal: the 95 %% interval (Student's t over the seeds) lies within ±%g %%; different: it lies outside; undecided: neither", aggregate.Tested, s.EqualWithin),
		fmt.Sprintf("test: the same of test %s with seen items removed and kept, which decides nothing", aggregate.Tested),
	}
	if than != nil {
		t.About = append(t.About, "first rows: "+strings.Join(than, ", "))
	}
	if missing != nil {
		t.About = append(t.About, "without records of the first row: "+strings.Join(missing, ", "))
	}
	return Section{Title: "Are the results equal?", Tables: filled(t)}
}

// Trials lists what a search tried, with a column for each rung.
func Trials(s *aggregate.Suite) Section {
	limits := Rungs(s.Trials)
	t := Table{Columns: Columns("<data set", "<model", "<tried")}
	for _, limit := range limits {
		title := fmt.Sprintf("%d\nepochs", limit)
		if limit == 0 {
			title = "to the\nend"
		}
		t.Columns = append(t.Columns, Column{Title: title, Hint: "best validation " + aggregate.Tested})
	}
	title, cold := "Validation "+aggregate.Tested, slices.ContainsFunc(s.Trials, HasUsual)
	if cold {
		title = "Cold validation " + aggregate.Tested
		t.Columns = append(t.Columns, Column{Title: "usual", Hint: "usual validation " + aggregate.Tested})
	}
	t.Columns = append(t.Columns, Columns("epochs", "<choice")...)
	for i, trial := range s.Trials {
		row := Row{Index: i, Chosen: trial.Chosen, Cells: Texts(trial.Dataset, trial.Model, cmp.Or(trial.At, "as configured"))}
		for _, limit := range limits {
			c := Cell{}
			if r := trial.Rung(limit); r != nil {
				c = Cell{Text: Share(r.Valid), Sort: sortable(r.Valid, 6), Link: "runs/" + r.ID + ".json"}
			}
			row.Cells = append(row.Cells, c)
		}
		epochs, choice := Cell{}, Cell{}
		if n := len(trial.Rungs); n > 0 {
			if cold {
				usual := trial.Rungs[n-1].Usual
				row.Cells = append(row.Cells, Cell{Text: Share(usual), Sort: sortable(usual, 6)})
			}
			epochs = count(float64(trial.Rungs[n-1].Epochs))
		}
		if trial.Chosen {
			choice.Text = "chosen"
		}
		row.Cells = append(row.Cells, epochs, choice)
		t.Rows = append(t.Rows, row)
	}
	return Section{Title: title + ", seen items removed; the test items were not ranked", Tables: filled(t), Notes: s.Notes}
}

// HasUsual reports whether a trial was judged by cold validation cases.
func HasUsual(t record.Trial) bool {
	return slices.ContainsFunc(t.Rungs, func(r record.Rung) bool { return r.Usual > 0 })
}

// Rungs lists the limits of the rungs that trials reached, in epochs, ascending; 0, to the end,
// is the last one.
func Rungs(trials []record.Trial) []int {
	var limits []int
	for _, t := range trials {
		for _, r := range t.Rungs {
			if !slices.Contains(limits, r.Limit) {
				limits = append(limits, r.Limit)
			}
		}
	}
	slices.SortFunc(limits, func(a, b int) int {
		if (a == 0) != (b == 0) {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
	return limits
}

// Costs shows what was measured on this machine.
func Costs(costs []record.Cost) Section {
	t := Table{Columns: Columns("<model", "data set", "batch", "targets/s", "users/s", "p50\nms", "p95\nms", "p99\nms", "params", "peak\nMB")}
	loss := Table{Caption: "the loss", Columns: Columns("<model", "data set", "batch", "loss\nGFLOP/s", "% of\ntraining", "product\nGFLOP/s")}
	for _, c := range costs {
		batch, rate, params := none, none, none
		if c.BatchTargets > 0 {
			batch, rate, params = Thousands(c.BatchTargets), speed(c.TargetsPerSecond), Thousands(int(c.Parameters))
		}
		t.Add(Texts(c.Model, c.Dataset, batch, rate, speed(c.EvalUsersPerSec),
			milliseconds(c.Latency.P50), milliseconds(c.Latency.P95), milliseconds(c.Latency.P99), params, formatted("%.0f", c.PeakRSSMB))...)
		if c.ProductGFLOPS > 0 {
			loss.Add(Texts(c.Model, c.Dataset, batch, speed(c.LossGFLOPS), formatted("%.1f", 100*c.LossShare), speed(c.ProductGFLOPS))...)
		}
	}
	t.About = []string{
		"batch: targets per training step; targets/s: training, validation excluded; users/s: full ranking under both seen-item rules; ms: from one user's history to the scores of all items; peak: highest memory use of the process",
	}
	loss.About = []string{
		"loss: speed of its matrix products over its whole time, softmax included; product: how fast this machine multiplies matrices of the loss's sizes, measured right after training",
	}
	if len(loss.Rows) == 0 {
		return Section{Title: "Cost", Tables: []Table{t}}
	}
	return Section{Title: "Cost", Tables: []Table{t, loss}}
}

// speed is a number per second; 0 is one that the clock could not measure.
func speed(v float64) string {
	if v == 0 {
		return none
	}
	return count(v).Text
}

func milliseconds(ms float64) string {
	if ms < 0.005 {
		return "<0.01"
	}
	return formatted("%.2f", ms)
}
