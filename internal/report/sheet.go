// Package report shows what package aggregate found, and what bench measured: on
// the terminal, as Markdown, LaTeX (booktabs) and CSV.
//
// It computes nothing. What is to be shown becomes sections of sheets, tables of
// text without any format; a writer for each format draws these. Numbers are rounded
// on the way into a sheet and nowhere else, and CSV files, which are for programs,
// are written from the unrounded data. What a reader must know about a number (few
// seeds, a budget that ended training, a tree with uncommitted changes) travels with
// it as a footnote.
package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// section is a part of a report: tables with one title and common footnotes.
type section struct {
	title  string
	sheets []sheet
	refs   []string // footnotes, numbered from 1
	marks  string   // what marks beside numbers mean, but for best and second best
	notes  []string
	source []string // ids of the records
}

// sheet is a table as it is shown, whatever the format.
type sheet struct {
	caption string
	head    []string // a line break makes a column narrow where that matters
	left    []int    // columns of text, besides the first
	rows    [][]cell
	foot    []cell   // a last row, set off
	ranked  bool     // best and second best are marked
	about   []string // explains columns, in documents
}

type cell struct {
	text         string
	sd           string
	refs         []int // footnotes
	best, second bool
}

func plain(texts ...string) []cell {
	var out []cell
	for _, t := range texts {
		out = append(out, cell{text: t})
	}
	return out
}

// refer gives the number of a footnote, a new one if the text is.
func (s *section) refer(text string) int {
	for i, t := range s.refs {
		if t == text {
			return i + 1
		}
	}
	s.refs = append(s.refs, text)
	return len(s.refs)
}

// sections lists all of a suite. brief, for the terminal, leaves out breakdowns, heads
// of pre-training and published numbers whose terms are not known to be ours.
func sections(s *aggregate.Suite, brief bool) []section {
	var out []section
	if len(s.Datasets) > 0 {
		out = append(out, dataSection(s.Datasets))
	}
	for _, t := range s.Tables {
		out = append(out, comparison(t))
		if brief {
			continue
		}
		if sh := heads(t); len(sh.rows) > 0 {
			out = append(out, section{title: "What pre-training learned on " + t.Dataset, sheets: []sheet{sh}})
		}
		if len(t.Breakdowns) > 0 {
			out = append(out, breakdown(t))
		}
	}
	out = append(out, published(s.Checks, brief)...)
	if len(s.Claims) > 0 {
		out = append(out, claims(s.Claims))
	}
	if len(s.Notes) > 0 {
		out = append(out, section{title: "Runs that are in no table", notes: s.Notes})
	}
	return out
}

func dataSection(stats []datasets.Stats) section {
	// The millions of ML-20M fit into 100 columns too.
	sh := sheet{head: []string{"data set", "users", "items", "interactions", "density\n%", "avg\nlength", "tie\nrule", "tied\n%", "tied\ntests", "leak\n%"}}
	for _, s := range stats {
		rule, tied, tests, leak := "–", "–", "–", "–"
		if s.Timed {
			rule, tied, tests, leak = s.Ties, percent(s.TiedShare), thousands(s.TiedTestUsers), percent(s.Leak)
		}
		sh.rows = append(sh.rows, plain(s.Name, thousands(s.Users), thousands(s.Items), thousands(s.Interactions),
			formatted("%.3f", 100*s.Density), formatted("%.1f", s.AvgLength), rule, tied, tests, leak))
	}
	sh.about = []string{
		"tied: interactions whose user has another one at the same second; tied tests: users whose test item shares its second with the one before it; tie rule: what orders those",
		"leak: share of leave-one-out's training interactions later than the median test interaction",
		"–: the source has no times",
	}
	return section{title: "Data", sheets: []sheet{sh}}
}

// rules are the two halves of a comparison.
var rules = []struct {
	name string
	of   func(aggregate.Row) aggregate.Rule
	on   func(aggregate.BreakdownRow) []map[string]aggregate.Estimate
}{
	{"removed", func(r aggregate.Row) aggregate.Rule { return r.Removed }, func(r aggregate.BreakdownRow) []map[string]aggregate.Estimate { return r.Removed }},
	{"kept", func(r aggregate.Row) aggregate.Rule { return r.Kept }, func(r aggregate.BreakdownRow) []map[string]aggregate.Estimate { return r.Kept }},
}

// columnTitles are the short headers of aggregate.Columns.
func columnTitles() []string {
	var out []string
	for _, name := range aggregate.Columns {
		name = strings.Replace(name, "Coverage", "Cov", 1)
		if strings.HasPrefix(name, "NDCG") {
			name = strings.Replace(name, "@", "\n@", 1)
		}
		out = append(out, name)
	}
	return out
}

func comparison(t aggregate.Table) section {
	s := section{
		title: fmt.Sprintf("%s: %s test users, full ranking of %s items (%s)", t.Dataset, thousands(t.Users), thousands(t.Items), t.Protocol),
		notes: t.Notes,
	}
	for _, r := range t.Rows {
		for _, run := range r.Runs {
			s.source = append(s.source, run.ID)
		}
	}
	for _, rule := range rules {
		sh := sheet{caption: "seen items " + rule.name, head: append([]string{"model"}, columnTitles()...), ranked: len(t.Rows) > 1}
		if t.Baseline != "" {
			sh.head = append(sh.head, "gain\n%")
		}
		for _, row := range t.Rows {
			label := cell{text: row.Label}
			for _, note := range row.Notes {
				label.refs = append(label.refs, s.refer(note))
			}
			cells, of := []cell{label}, rule.of(row)
			for _, metric := range aggregate.Columns {
				m := of.Metrics[metric]
				c := cell{text: decimals(m.Mean), best: m.Best, second: m.Second}
				if m.N > 1 {
					c.sd = decimals(m.SD)
				}
				cells = append(cells, c)
			}
			if t.Baseline != "" {
				cells = append(cells, cell{text: gain(of, row.Label == t.Baseline)})
			}
			sh.rows = append(sh.rows, cells)
			if row.Label == t.Proposed && t.Baseline != "" {
				sh.foot = plain(fmt.Sprintf("%s over %s, %%", t.Proposed, t.Baseline))
				for _, metric := range aggregate.Columns {
					sh.foot = append(sh.foot, cell{text: gained(of.Metrics[metric].Gain)})
				}
				sh.foot = append(sh.foot, cell{})
			}
		}
		s.sheets = append(s.sheets, sh)
	}
	if t.Baseline != "" {
		s.marks = fmt.Sprintf("gain: of %s over %s, which is the best baseline on validation; †: different from it (p < .05 after Holm's correction, and the interval leaves out 0)",
			aggregate.Tested, t.Baseline)
	}
	if sh := tests(t); len(sh.rows) > 0 {
		sh.about = []string{"difference: of the users' " + aggregate.Tested + ", averaged over seeds; interval: 95 %, bootstrap over users and seeds, 10,000 draws; p: Wilcoxon's signed-rank test, two-sided, after Holm's correction for all models of the table"}
		s.sheets = append(s.sheets, sh)
	}
	return s
}

// gain is that of the tested metric, with a mark where it is significant.
func gain(r aggregate.Rule, isBaseline bool) string {
	if isBaseline {
		return "–"
	}
	text := gained(r.Metrics[aggregate.Tested].Gain)
	if r.Test != nil && r.Test.Significant {
		text += "†"
	}
	return text
}

// gained writes a gain in percent; a note of the table says why there is none.
func gained(gain *float64) string {
	if gain == nil {
		return "–"
	}
	return formatted("%+.1f", *gain)
}

// tests shows what stands behind the marks.
func tests(t aggregate.Table) sheet {
	sh := sheet{caption: fmt.Sprintf("%s against %s", aggregate.Tested, t.Baseline), head: []string{"model"}}
	for _, rule := range rules {
		for _, title := range []string{"diff.", "interval", "p"} {
			sh.head = append(sh.head, rule.name+"\n"+title)
		}
	}
	for _, row := range t.Rows {
		cells, tested := plain(row.Label), false
		for _, rule := range rules {
			test := rule.of(row).Test
			if test == nil {
				cells = append(cells, plain("–", "–", "–")...)
				continue
			}
			tested = true
			mark := ""
			if test.Significant {
				mark = "†"
			}
			cells = append(cells, plain(signed(test.Difference)+mark, signed(test.Low)+" to "+signed(test.High), probability(test.PHolm))...)
		}
		if tested {
			sh.rows = append(sh.rows, cells)
		}
	}
	return sh
}

// heads shows how well the heads of starts from texts tell labels apart.
func heads(t aggregate.Table) sheet {
	sh := sheet{head: []string{"model", "head", "facet", "learned from", "labels", "chance", "purity\ntext", "purity\nhead", "alignment\ntext", "alignment\nhead", "uniformity\ntext", "uniformity\nhead"}, left: []int{2, 3}}
	for _, r := range t.Rows {
		for h, head := range r.Heads {
			cells := plain(r.Label, strconv.Itoa(h+1), cmp.Or(head.Facet, "–"), head.Learned, thousands(head.Labels))
			for _, c := range head.Cells() {
				text := "–"
				if c.N > 0 {
					text = formatted("%.3f", c.Mean)
				}
				cells = append(cells, cell{text: text})
			}
			sh.rows = append(sh.rows, cells)
		}
	}
	sh.about = []string{
		"on held-out items, which no step of pre-training saw; means over seeds; text: of the text vectors, head: of what the head makes of them",
		"labels: that more than one item has; purity: share of the ten nearest items that have a label of the facet in common; chance: of random items",
		"alignment: mean distance of items with a label in common; uniformity: log of the mean of exp(-2 d d) over the distances d of all pairs; lower is more even",
	}
	return sh
}

// breakdown shows the tested metric on groups of users.
func breakdown(t aggregate.Table) section {
	s := section{title: fmt.Sprintf("Where %s comes from on %s", aggregate.Tested, t.Dataset)}
	for _, b := range t.Breakdowns {
		head := []string{"model"}
		for _, g := range b.Groups {
			head = append(head, fmt.Sprintf("%s (%s)", g.Label, thousands(g.Users)))
		}
		for _, rule := range rules {
			sh := sheet{caption: b.By + ", seen items " + rule.name, head: head}
			for _, row := range b.Rows {
				cells := plain(row.Label)
				for i, of := range rule.on(row) {
					e, text := of[aggregate.Tested], "–"
					if e.N > 0 {
						text = decimals(e.Mean)
					}
					if b.Groups[i].Users > 1 {
						text += fmt.Sprintf(" (%s–%s)", decimals(e.Low), decimals(e.High))
					}
					cells = append(cells, cell{text: text})
				}
				sh.rows = append(sh.rows, cells)
			}
			s.sheets = append(s.sheets, sh)
		}
	}
	s.notes = []string{
		"columns: groups of test users, in brackets their number; cells: mean over users and seeds, in brackets its 95 % interval, bootstrap over users and seeds, 2,000 draws",
		"where no user of a group is hit, draws cannot tell how rare a hit is, and the interval has no width; an HR@10 of up to about 3 / users goes with that (95 %, one seed)",
		"HR@10 by group, and deviations over seeds, are in the file that ends in .breakdown.csv",
	}
	return s
}

// published lists the checks of each data set.
func published(checks []aggregate.Check, brief bool) []section {
	var out []section
	var order []string
	byData := map[string][]aggregate.Check{}
	for _, c := range checks {
		if byData[c.Dataset] == nil {
			order = append(order, c.Dataset)
		}
		byData[c.Dataset] = append(byData[c.Dataset], c)
	}
	for _, data := range order {
		s := section{title: "Published numbers on " + data}
		sh := sheet{head: []string{"model", "seen\nitems", "loss", "cold\nitems", "metric", "published", "ours", "diff.\n%", "±5 %"}, left: []int{1, 2, 3, 4, 8}}
		sh.about = []string{
			"in brackets: seen-item rule, loss or cold-item rule are not known to be ours (cold items: kept)",
			"where the seen-item rule is unknown, the nearer of ours is compared",
		}
		others := 0
		for _, c := range byData[data] {
			if brief && !c.Same {
				others++
				continue
			}
			source := c.Source
			if c.Note != "" {
				source += " (" + c.Note + ")"
			}
			ours, diff := "–", "–"
			if c.Ours.N > 0 {
				ours = decimals(c.Ours.Mean)
				if c.Rule == "unknown" {
					ours += " " + c.OurRule
				}
				if c.OurLabel != c.Model {
					s.notes = addNew(s.notes, fmt.Sprintf("ours of %s is the row %s", c.Model, c.OurLabel))
				}
			}
			if c.Comparable {
				diff = formatted("%+.1f", c.Percent)
			}
			cells := plain(c.Model, c.Rule, c.Loss, c.ColdItems, c.Metric, decimals(c.Published), ours, diff, inside(c))
			cells[5].refs = []int{s.refer(source)}
			sh.rows = append(sh.rows, cells)
		}
		if len(sh.rows) > 0 {
			s.sheets = []sheet{sh}
		}
		if others > 0 {
			s.notes = append(s.notes, fmt.Sprintf("on other or unknown terms, in the Markdown file only: %d", others))
		}
		out = append(out, s)
	}
	return out
}

// inside is the verdict on a published number.
func inside(c aggregate.Check) string {
	text := "outside"
	if c.Within {
		text = "inside"
	}
	switch {
	case c.Ours.N == 0:
		return "not run"
	case !c.Comparable:
		return "other data"
	case !c.Same:
		return "(" + text + ")"
	}
	return text
}

func claims(all []aggregate.Claim) section {
	s := section{title: "Claims of the papers"}
	verdicts := sheet{head: []string{"claim", "verdict"}, left: []int{1}, about: []string{
		"reproduced: on every data set that model and baseline were run on with three seeds or more, under both seen-item rules, the gain over the baseline that is best on validation is at least the lowest claimed, and the model is significantly better in " + aggregate.Tested,
	}}
	found := sheet{caption: "what was found", head: []string{"model", "data set", "seen items", "metric", "baseline", "gain\n%", "significantly\nbetter", "seeds"}, left: []int{1, 2, 3, 4, 6}}
	for _, c := range all {
		verdicts.rows = append(verdicts.rows, []cell{{text: c.Text, refs: []int{s.refer(c.Paper)}}, {text: c.Verdict}})
		for _, e := range c.Found {
			better := "no"
			if e.Significant {
				better = "yes"
			}
			found.rows = append(found.rows, plain(c.Model, e.Dataset, e.Rule, c.Metric, e.Baseline, gained(e.Gain), better, strconv.Itoa(e.Seeds)))
		}
	}
	s.sheets = []sheet{verdicts}
	if len(found.rows) > 0 {
		s.sheets = append(s.sheets, found)
	}
	return s
}

func costSection(costs []record.Cost) section {
	sh := sheet{head: []string{"model", "data set", "batch", "targets/s", "loss\nGFLOP/s", "loss\n%", "product\nGFLOP/s", "users/s", "p50\nms", "p95\nms", "p99\nms", "params", "peak\nMB"}}
	for _, c := range costs {
		batch, rate, params := "–", "–", "–"
		if c.BatchTargets > 0 {
			batch, rate, params = thousands(c.BatchTargets), rounded(c.TargetsPerSecond), thousands(int(c.Parameters))
		}
		loss, share := rounded(c.LossGFLOPS), "–"
		if c.LossShare > 0 {
			share = percent(c.LossShare)
		}
		sh.rows = append(sh.rows, plain(c.Model, c.Dataset, batch, rate, loss, share, rounded(c.ProductGFLOPS), rounded(c.EvalUsersPerSec),
			milliseconds(c.Latency.P50), milliseconds(c.Latency.P95), milliseconds(c.Latency.P99), params, formatted("%.0f", c.PeakRSSMB)))
	}
	sh.about = []string{
		"batch: targets of a training step; targets/s: training, validation left out; loss: the speed of its matrix products over its whole time, softmax included, and its share of the time of training; product: how fast this machine multiplies matrices of the loss's sizes, measured right after training; users/s: full ranking under both seen-item rules; ms: from one user's history to the scores of all items; peak: most memory that the process held",
	}
	return section{title: "Cost", sheets: []sheet{sh}}
}

func milliseconds(ms float64) string {
	if ms < 0.005 {
		return "<0.01"
	}
	return formatted("%.2f", ms)
}

// finite tells numbers from what a division by zero leaves; the latter are shown as –.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// formatted writes a number in a format of package fmt.
func formatted(format string, v float64) string {
	if !finite(v) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// decimals writes a share as the papers do: .0555.
func decimals(v float64) string { return strings.TrimPrefix(formatted("%.4f", v), "0") }

// signed writes a difference of shares: +.0030.
func signed(v float64) string { return strings.Replace(formatted("%+.4f", v), "0.", ".", 1) }

// probability writes a p-value.
func probability(p float64) string {
	if p < .001 {
		return "<.001"
	}
	return strings.TrimPrefix(formatted("%.3f", p), "0")
}

// thousands writes 22363 as 22,363.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rounded writes a speed without decimals; 0 is one that the clock could not tell.
func rounded(v float64) string {
	if !finite(v) || v == 0 {
		return "–"
	}
	return thousands(int(v + .5))
}

func percent(share float64) string { return formatted("%.1f", 100*share) }

func addNew(list []string, s string) []string {
	for _, t := range list {
		if t == s {
			return list
		}
	}
	return append(list, s)
}
