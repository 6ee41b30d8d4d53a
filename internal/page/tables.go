package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// sheet is a table of the page.
type sheet struct {
	Caption string // empty where a heading says it
	Place   string // of the table in the data, as "0.1"; empty: its cells have no runs
	Rule    string // which numbers of a run its cells show: "removed", "kept" or "training"
	Columns []column
	Rows    []sheetRow
	Foot    []sheetCell // a last row that stays where it is
}

type column struct {
	Title string
	Key   string // of the number, as "NDCG@10"; empty: no run has it
	Text  bool   // to the left, sorts as text unless all its cells have a number
	Hint  string
}

type sheetRow struct {
	Index int
	Class string
	Cells []sheetCell
}

type sheetCell struct {
	Text  string
	Small string // after it, as "± .0014"
	Sort  string // number to sort by; empty: sorts last, or by text
	Class string // best, second
	Mark  string // behind the text, raised
	Ref   string // to a cell with runs, where the sheet has none of its own
	Link  string
}

// seenRules are the two blocks of a comparison.
var seenRules = []struct {
	key, title string
	of         func(*aggregate.Row) *aggregate.Rule
	on         func(*aggregate.BreakdownRow) []map[string]aggregate.Estimate
}{
	{"removed", "Test, seen items removed", func(r *aggregate.Row) *aggregate.Rule { return &r.Removed }, func(r *aggregate.BreakdownRow) []map[string]aggregate.Estimate { return r.Removed }},
	{"kept", "Test, seen items kept", func(r *aggregate.Row) *aggregate.Rule { return &r.Kept }, func(r *aggregate.BreakdownRow) []map[string]aggregate.Estimate { return r.Kept }},
}

// axisCells are a row's places on the axes, axisColumns their titles.
func axisColumns(axes []string) []column {
	var out []column
	for _, a := range axes {
		out = append(out, column{Title: a, Text: true})
	}
	return out
}

func axisCells(axes []string, r *aggregate.Row) []sheetCell {
	var out []sheetCell
	for _, a := range axes {
		switch v := r.At[a].(type) {
		case nil:
			out = append(out, sheetCell{Text: "–"})
		case string, bool:
			out = append(out, sheetCell{Text: fmt.Sprint(v)})
		default:
			out = append(out, sheetCell{Text: fmt.Sprint(v), Sort: fmt.Sprint(v)})
		}
	}
	return out
}

func newSheet(axes []string, place, rule, caption string) *sheet {
	return &sheet{Caption: caption, Place: place, Rule: rule, Columns: append([]column{{Title: "model", Text: true}}, axisColumns(axes)...)}
}

// begin starts a row with its name and places.
func (s *sheet) begin(axes []string, i int, r *aggregate.Row, marks, baseline string) sheetRow {
	row := sheetRow{Index: i, Cells: append([]sheetCell{{Text: r.Label, Mark: marks}}, axisCells(axes, r)...)}
	if r.Label == baseline {
		row.Class = "baseline"
	}
	return row
}

func testSheet(axes []string, t *aggregate.Table, place, key, title string, of func(*aggregate.Row) *aggregate.Rule, notes *footnotes) *sheet {
	s := newSheet(axes, place, key, title)
	metrics := slices.DeleteFunc(slices.Clone(aggregate.Columns), func(m string) bool {
		return !slices.ContainsFunc(t.Rows, func(r aggregate.Row) bool { _, ok := of(&r).Metrics[m]; return ok })
	})
	for _, m := range metrics {
		s.Columns = append(s.Columns, column{Title: strings.Replace(m, "Coverage", "Cov", 1), Key: m})
	}
	if t.Baseline != "" {
		s.Columns = append(s.Columns, column{Title: "over " + t.Baseline + ", %", Key: aggregate.Tested,
			Hint: "gain in NDCG@10 with its 95 % interval"})
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		own := of(r)
		row := s.begin(axes, i, r, notes.marks[i], t.Baseline)
		for _, m := range metrics {
			c := own.Metrics[m]
			cell := valueCell(c)
			if m == aggregate.Tested && own.Test != nil && own.Test.Significant {
				cell.Mark = "†"
			}
			row.Cells = append(row.Cells, cell)
		}
		if t.Baseline != "" {
			row.Cells = append(row.Cells, gainCell(t, r, own, of))
		}
		s.Rows = append(s.Rows, row)
		if r.Label == t.Proposed && t.Baseline != "" {
			s.Foot = []sheetCell{{Text: t.Proposed + " over " + t.Baseline + ", %"}}
			for range axes {
				s.Foot = append(s.Foot, sheetCell{})
			}
			for _, m := range metrics {
				s.Foot = append(s.Foot, sheetCell{Text: gained(own.Metrics[m].Gain)})
			}
			s.Foot = append(s.Foot, sheetCell{})
		}
	}
	return s
}

func valueCell(c aggregate.Cell) sheetCell {
	if c.N == 0 || !finite(c.Mean) {
		return sheetCell{Text: "–"}
	}
	out := sheetCell{Text: decimals(c.Mean), Sort: plain(c.Mean, 6)}
	if c.N > 1 {
		out.Small = "± " + decimals(c.SD)
	}
	switch {
	case c.Best:
		out.Class = "best"
	case c.Second:
		out.Class = "second"
	}
	return out
}

// meanText is a mean with its deviation on one line.
func meanText(c aggregate.Cell) string {
	text := decimals(c.Mean)
	if c.N > 1 {
		text += " ± " + decimals(c.SD)
	}
	return text
}

func gainCell(t *aggregate.Table, r *aggregate.Row, own *aggregate.Rule, of func(*aggregate.Row) *aggregate.Rule) sheetCell {
	if r.Label == t.Baseline {
		return sheetCell{Text: "baseline", Sort: "0"}
	}
	gain := own.Metrics[aggregate.Tested].Gain
	if gain == nil {
		return sheetCell{Text: "–"}
	}
	cell := sheetCell{Text: signed(*gain), Sort: plain(*gain, 4)}
	if own.Test == nil {
		return cell
	}
	for i := range t.Rows {
		if base := of(&t.Rows[i]).Metrics[aggregate.Tested].Mean; t.Rows[i].Label == t.Baseline && base > 0 {
			cell.Small = fmt.Sprintf("[%s, %s]", signed(100*own.Test.Low/base), signed(100*own.Test.High/base))
		}
	}
	return cell
}

func trainingSheet(axes []string, t *aggregate.Table, place string, notes *footnotes) *sheet {
	s := newSheet(axes, place, "training", "Validation and cost")
	s.Columns = append(s.Columns,
		column{Title: "validation NDCG@10", Key: "valid", Hint: "of the best epoch, seen items removed"},
		column{Title: "parameters", Key: "parameters"},
		column{Title: "training, s", Key: "train_seconds", Hint: "until training stopped, validation included"},
		column{Title: "targets/s", Key: "targets_per_s", Hint: "items to predict in a second of training, validation left out"},
		column{Title: "peak memory, MB", Key: "peak_rss_mb", Hint: "most memory that the process held"},
		column{Title: "epochs", Key: "epochs"})
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Floor {
			continue
		}
		row := s.begin(axes, i, r, notes.marks[i], t.Baseline)
		c := r.Cost
		row.Cells = append(row.Cells, valueCell(r.Valid), countCell(float64(c.Parameters)), countCell(c.TrainSeconds), countCell(c.TargetsPerSecond),
			countCell(c.PeakRSSMB), sheetCell{Text: plain(c.Epochs, 1), Sort: plain(c.Epochs, 1)})
		s.Rows = append(s.Rows, row)
	}
	return s
}

func countCell(v float64) sheetCell {
	if !finite(v) {
		return sheetCell{Text: "–"}
	}
	return sheetCell{Text: thousands(int(math.Round(v))), Sort: plain(v, 1)}
}

// headSheet holds what the heads of starts from texts learned; nil if there are none.
func headSheet(t *aggregate.Table) *sheet {
	s := &sheet{Caption: "What pre-training learned, on held-out items", Columns: []column{{Title: "model", Text: true}, {Title: "head"},
		{Title: "facet", Text: true}, {Title: "learned from", Text: true}, {Title: "labels", Hint: "that more than one item has"},
		{Title: "purity by chance", Hint: "share of random items that have a label in common"},
		{Title: "purity, text", Hint: "share of the 10 nearest by text vector that have a label in common"},
		{Title: "purity, head", Hint: "share of the 10 nearest by the head's vector that have a label in common"},
		{Title: "alignment, text", Hint: "mean distance of items with a label in common; lower is nearer"}, {Title: "alignment, head"},
		{Title: "uniformity, text", Hint: "log mean exp(−2 distance²) over all pairs; lower is more even"}, {Title: "uniformity, head"}}}
	for i := range t.Rows {
		r := &t.Rows[i]
		for h, head := range r.Heads {
			row := sheetRow{Index: len(s.Rows), Cells: []sheetCell{{Text: r.Label}, {Text: strconv.Itoa(h + 1)}, {Text: cmp.Or(head.Facet, "–")}, {Text: head.Learned}, countCell(float64(head.Labels))}}
			for _, c := range head.Cells() {
				cell := sheetCell{Text: "–"}
				if c.N > 0 {
					cell = fixedCell(c.Mean, 3)
				}
				row.Cells = append(row.Cells, cell)
			}
			s.Rows = append(s.Rows, row)
		}
	}
	if len(s.Rows) == 0 {
		return nil
	}
	return s
}

// breakdownSheets hold NDCG@10 on groups of users, a sheet for each grouping and rule.
func breakdownSheets(t *aggregate.Table) []*sheet {
	var out []*sheet
	for _, b := range t.Breakdowns {
		for _, rule := range seenRules {
			s := &sheet{Caption: fmt.Sprintf("%s by %s, seen items %s", aggregate.Tested, b.By, rule.key), Columns: []column{{Title: "model", Text: true}}}
			for _, g := range b.Groups {
				s.Columns = append(s.Columns, column{Title: g.Label, Hint: thousands(g.Users) + " test users"})
			}
			for i := range b.Rows {
				row := sheetRow{Index: i, Cells: []sheetCell{{Text: b.Rows[i].Label}}}
				for k, of := range rule.on(&b.Rows[i]) {
					e, cell := of[aggregate.Tested], sheetCell{Text: "–"}
					if e.N > 0 {
						cell = sheetCell{Text: decimals(e.Mean), Sort: plain(e.Mean, 6)}
					}
					if b.Groups[k].Users > 1 {
						cell.Small = fmt.Sprintf("[%s, %s]", decimals(e.Low), decimals(e.High))
					}
					row.Cells = append(row.Cells, cell)
				}
				s.Rows = append(s.Rows, row)
			}
			s.Foot = []sheetCell{{Text: "test users"}}
			for _, g := range b.Groups {
				s.Foot = append(s.Foot, sheetCell{Text: thousands(g.Users)})
			}
			out = append(out, s)
		}
	}
	return out
}

// curveSheet holds what the training curves show; nil if there are none.
func curveSheet(t *aggregate.Table) *sheet {
	s := &sheet{Caption: "Validation NDCG@10 by epoch, mean ± standard deviation over the seeds that reached it", Columns: []column{{Title: "epoch"}}}
	at := map[int]*sheetRow{}
	var epochs []int
	for i := range t.Rows {
		r := &t.Rows[i]
		if len(r.Curve) == 0 {
			continue
		}
		s.Columns = append(s.Columns, column{Title: r.Label})
		for _, c := range r.Curve {
			if c.Valid.N == 0 {
				continue
			}
			if at[c.Epoch] == nil {
				at[c.Epoch] = &sheetRow{Index: c.Epoch, Cells: []sheetCell{{Text: strconv.Itoa(c.Epoch)}}}
				epochs = append(epochs, c.Epoch)
			}
			row := at[c.Epoch]
			for len(row.Cells) < len(s.Columns)-1 {
				row.Cells = append(row.Cells, sheetCell{})
			}
			row.Cells = append(row.Cells, sheetCell{Text: meanText(c.Valid)})
		}
	}
	if len(epochs) == 0 {
		return nil
	}
	slices.Sort(epochs)
	for _, e := range epochs {
		row := at[e]
		for len(row.Cells) < len(s.Columns) {
			row.Cells = append(row.Cells, sheetCell{})
		}
		s.Rows = append(s.Rows, *row)
	}
	return s
}

// trialSheet lists what a search tried; nil for other suites.
func trialSheet(from *aggregate.Suite) *sheet {
	if len(from.Trials) == 0 {
		return nil
	}
	s := &sheet{Columns: []column{{Title: "data set", Text: true}, {Title: "model", Text: true}, {Title: "tried", Text: true},
		{Title: "short run", Hint: "best validation NDCG@10 of a short run"}, {Title: "to the end", Hint: "of the finalists"}, {Title: "epochs"}, {Title: "choice", Text: true}}}
	short := slices.ContainsFunc(from.Trials, record.Trial.HasShort)
	if !short { // every trial was trained to the end
		s.Columns = slices.Delete(s.Columns, 3, 4)
	}
	link := func(v float64, id string) sheetCell {
		if id == "" {
			return sheetCell{}
		}
		return sheetCell{Text: decimals(v), Sort: plain(v, 6), Link: "runs/" + id + ".json"}
	}
	for i, t := range from.Trials {
		row := sheetRow{Index: i, Cells: []sheetCell{{Text: t.Dataset}, {Text: t.Model}, {Text: cmp.Or(t.At, "as configured")}, link(t.Short, t.ShortID), link(t.Full, t.FullID), {}, {}}}
		if t.FullID != "" {
			row.Cells[5] = countCell(float64(t.Epochs))
		}
		if t.Chosen {
			row.Cells[6].Text, row.Class = "chosen", "baseline"
		}
		if !short {
			row.Cells = slices.Delete(row.Cells, 3, 4)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// dataSheet has the statistics of a suite's data; nil for a search, whose suite has
// none.
func dataSheet(from *aggregate.Suite) *sheet {
	if len(from.Datasets) == 0 {
		return nil
	}
	s := &sheet{Caption: "Data", Columns: []column{{Title: "data set", Text: true}, {Title: "users"}, {Title: "items"}, {Title: "interactions"},
		{Title: "density %"}, {Title: "avg length"}, {Title: "tie rule", Text: true}, {Title: "tied %"}, {Title: "tied tests"}, {Title: "leak %"}}}
	for i, d := range from.Datasets {
		row := sheetRow{Index: i, Cells: []sheetCell{{Text: d.Name, Link: fmt.Sprintf("datasets/%s-%.8s.json", d.Name, d.Fingerprint)},
			countCell(float64(d.Users)), countCell(float64(d.Items)), countCell(float64(d.Interactions)),
			fixedCell(100*d.Density, 3), fixedCell(d.AvgLength, 1), {Text: "–"}, {Text: "–"}, {Text: "–"}, {Text: "–"}}}
		if d.Timed { // else nobody knows
			copy(row.Cells[6:], []sheetCell{{Text: d.Ties}, fixedCell(100*d.TiedShare, 1), countCell(float64(d.TiedTestUsers)), fixedCell(100*d.Leak, 1)})
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func fixedCell(v float64, decimals int) sheetCell {
	if !finite(v) {
		return sheetCell{Text: "–"}
	}
	return sheetCell{Text: strconv.FormatFloat(v, 'f', decimals, 64), Sort: plain(v, decimals)}
}

func checkSheet(from *aggregate.Suite, place int) *sheet {
	if len(from.Checks) == 0 {
		return nil
	}
	s := &sheet{}
	for _, title := range []string{"data set", "model", "metric", "seen items"} {
		s.Columns = append(s.Columns, column{Title: title, Text: true})
	}
	s.Columns = append(s.Columns, column{Title: "published"}, column{Title: "ours"}, column{Title: "difference, %"})
	for _, title := range []string{"verdict", "source", "loss", "cold items"} {
		s.Columns = append(s.Columns, column{Title: title, Text: true})
	}
	for i, c := range from.Checks {
		ours, difference := valueCell(c.Ours), sheetCell{Text: "–"}
		ours.Class = ""
		if c.Rule == "unknown" && c.Ours.N > 0 {
			ours.Small = strings.TrimSpace(ours.Small + " " + c.OurRule)
		}
		ours.Ref = refer(from, place, c.Dataset, c.OurRule, c.Metric, func(r *aggregate.Row, own aggregate.Cell) bool { return r.Label == c.OurLabel })
		if c.Comparable {
			difference = sheetCell{Text: signed(c.Percent), Sort: plain(c.Percent, 4)}
		}
		source := c.Source
		if c.Note != "" {
			source += " (" + c.Note + ")"
		}
		s.Rows = append(s.Rows, sheetRow{Index: i, Cells: []sheetCell{{Text: c.Dataset}, {Text: c.Model}, {Text: c.Metric}, {Text: c.Rule},
			{Text: decimals(c.Published), Sort: plain(c.Published, 6)}, ours, difference, verdict(c), {Text: source}, {Text: c.Loss}, {Text: c.ColdItems}}})
	}
	return s
}

// verdict says whether ours is the published number, where that can be said.
func verdict(c aggregate.Check) sheetCell {
	v := sheetCell{Text: "outside ±5 %", Class: "bad"}
	if c.Within {
		v = sheetCell{Text: "inside ±5 %", Class: "good"}
	}
	switch {
	case c.Ours.N == 0:
		return sheetCell{Text: "not run", Class: "open"}
	case !c.Comparable:
		return sheetCell{Text: "other data", Class: "open"}
	case !c.Same:
		v.Text, v.Class = "("+v.Text+")", "open"
	}
	return v
}

func claims(from *aggregate.Suite, place int) []claim {
	var out []claim
	for _, c := range from.Claims {
		pc := claim{Claim: c, Class: map[string]string{"reproduced": "good", "not reproduced": "bad"}[c.Verdict]}
		if pc.Class == "" {
			pc.Class = "open"
		}
		if c.Low != 0 || c.High != 0 {
			pc.Claimed = signed(c.Low) + " to " + signed(c.High) + " %"
		}
		for _, e := range c.Found {
			ref := refer(from, place, e.Dataset, e.Rule, c.Metric, func(r *aggregate.Row, own aggregate.Cell) bool {
				return r.Model == c.Model && sameGain(own.Gain, e.Gain)
			})
			pc.Found = append(pc.Found, evidence{e, percentage(e.Gain), ref})
		}
		out = append(out, pc)
	}
	return out
}

// refer finds the cell of a table that a number was taken from, as
// SUITE.TABLE.ROW/RULE/METRIC; empty if there is none.
func refer(s *aggregate.Suite, place int, data, rule, metric string, from func(*aggregate.Row, aggregate.Cell) bool) string {
	for k := range s.Tables {
		t := &s.Tables[k]
		if t.Dataset != data {
			continue
		}
		for i := range t.Rows {
			for _, r := range seenRules {
				if c, ok := r.of(&t.Rows[i]).Metrics[metric]; ok && r.key == rule && from(&t.Rows[i], c) {
					return fmt.Sprintf("%d.%d.%d/%s/%s", place, k, i, rule, metric)
				}
			}
		}
	}
	return ""
}

// decimals writes a share as the papers do: .0555.
func decimals(v float64) string {
	if !finite(v) {
		return "–"
	}
	return strings.TrimPrefix(fmt.Sprintf("%.4f", v), "0")
}

// finite tells numbers from what a division by zero leaves; the latter are shown as –.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// thousands writes 22363 as 22,363.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// footnotes numbers the notes of a table's rows; equal notes share a number.
type footnotes struct {
	texts []string
	marks []string // by row, as "1,3"
}

func newFootnotes(t *aggregate.Table) *footnotes {
	n := &footnotes{}
	for _, r := range t.Rows {
		var marks []string
		for _, text := range r.Notes {
			i := slices.Index(n.texts, text)
			if i < 0 {
				i = len(n.texts)
				n.texts = append(n.texts, text)
			}
			marks = append(marks, strconv.Itoa(i+1))
		}
		n.marks = append(n.marks, strings.Join(marks, ","))
	}
	return n
}

func sameGain(a, b *float64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// gained writes a gain; a note of the table says why there is none.
func gained(gain *float64) string {
	if gain == nil {
		return "–"
	}
	return signed(*gain)
}

func percentage(gain *float64) string {
	if gain == nil {
		return "no gain to state, as the baseline has 0,"
	}
	return signed(*gain) + " %"
}

// signed writes a percentage with its sign: +1.6, −0.8, 0.0.
func signed(v float64) string {
	if !finite(v) {
		return "–"
	}
	if math.Abs(v) < .05 {
		return "0.0"
	}
	return strings.Replace(fmt.Sprintf("%+.1f", v), "-", "\u2212", 1)
}

// plain writes a number with at most so many decimals, for machines.
func plain(v float64, decimals int) string {
	p := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(v*p)/p, 'f', -1, 64)
}
