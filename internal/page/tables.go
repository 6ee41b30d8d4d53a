package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/aggregate"
)

// sheet is a table of the page.
type sheet struct {
	Caption string // empty where a heading says it
	Place   string // of the table in the data, as "0.1"; empty: its cells have no runs
	Rule    string // which numbers of a run its cells show: "removed", "kept" or "training"
	Columns []column
	Rows    []sheetRow
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
}{
	{"removed", "Test, seen items removed", func(r *aggregate.Row) *aggregate.Rule { return &r.Removed }},
	{"kept", "Test, seen items kept", func(r *aggregate.Row) *aggregate.Rule { return &r.Kept }},
}

// testedMetric is the one that tests compare.
const testedMetric = "NDCG@10"

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

// rowName is what a row is called beside its places on the axes.
func rowName(axes []string, r *aggregate.Row) string {
	if len(axes) > 0 {
		return r.Model
	}
	return r.Label
}

func newSheet(axes []string, place, rule, caption string) *sheet {
	return &sheet{Caption: caption, Place: place, Rule: rule, Columns: append([]column{{Title: "model", Text: true}}, axisColumns(axes)...)}
}

// begin starts a row with its name and places.
func (s *sheet) begin(axes []string, i int, r *aggregate.Row, marks, baseline string) sheetRow {
	row := sheetRow{Index: i, Cells: append([]sheetCell{{Text: rowName(axes, r), Mark: marks}}, axisCells(axes, r)...)}
	if r.Label == baseline {
		row.Class = "baseline"
	}
	return row
}

func testSheet(axes []string, t *aggregate.Table, place, key, title string, of func(*aggregate.Row) *aggregate.Rule, notes *footnotes) *sheet {
	s := newSheet(axes, place, key, title)
	metrics := slices.DeleteFunc(slices.Clone(Columns), func(m string) bool {
		return !slices.ContainsFunc(t.Rows, func(r aggregate.Row) bool { _, ok := of(&r).Metrics[m]; return ok })
	})
	for _, m := range metrics {
		s.Columns = append(s.Columns, column{Title: strings.Replace(m, "Coverage", "Cov", 1), Key: m})
	}
	if t.Baseline != "" {
		s.Columns = append(s.Columns, column{Title: "over " + t.Baseline + ", %", Key: testedMetric,
			Hint: "gain in NDCG@10 with its 95 % interval"})
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		own := of(r)
		row := s.begin(axes, i, r, notes.marks[i], t.Baseline)
		for _, m := range metrics {
			c := own.Metrics[m]
			cell := valueCell(c)
			if m == testedMetric && own.Test != nil && own.Test.Significant {
				cell.Mark = "*"
			}
			row.Cells = append(row.Cells, cell)
		}
		if t.Baseline != "" {
			row.Cells = append(row.Cells, gainCell(t, r, own, of))
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func valueCell(c aggregate.Cell) sheetCell {
	if c.N == 0 {
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
	gain := own.Metrics[testedMetric].Gain
	cell := sheetCell{Text: signed(gain), Sort: plain(gain, 4)}
	if own.Test == nil {
		return cell
	}
	for i := range t.Rows {
		if base := of(&t.Rows[i]).Metrics[testedMetric].Mean; t.Rows[i].Label == t.Baseline && base > 0 {
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
	if v == 0 {
		return sheetCell{Text: "–"}
	}
	return sheetCell{Text: thousands(int(math.Round(v))), Sort: plain(v, 1)}
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

func dataSheet(suite *aggregate.Suite) *sheet {
	s := &sheet{Caption: "Data"}
	for i, title := range datasetTitles {
		s.Columns = append(s.Columns, column{Title: strings.ReplaceAll(title, "\n", " "), Text: i == 0 || strings.HasPrefix(title, "tie\n")})
	}
	for i, cells := range datasetRows(suite.Datasets) {
		row := sheetRow{Index: i}
		for k, text := range cells {
			c := sheetCell{Text: text}
			if number := strings.ReplaceAll(text, ",", ""); isNumber(number) {
				c.Sort = number
			}
			if k == 0 {
				d := suite.Datasets[i]
				c.Link = fmt.Sprintf("datasets/%s-%.8s.json", d.Name, d.Fingerprint)
			}
			row.Cells = append(row.Cells, c)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func checkSheet(suite *aggregate.Suite, place int) *sheet {
	if len(suite.Checks) == 0 {
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
	for i, c := range suite.Checks {
		ours, difference := valueCell(c.Ours), sheetCell{Text: "–"}
		ours.Class = ""
		verdict := sheetCell{Text: "not run", Class: "open"}
		if c.Ours.N > 0 {
			ours.Ref = refer(suite, place, c.Dataset, c.Model, c.Rule, c.Metric, func(own aggregate.Cell) bool { return own.Mean == c.Ours.Mean })
			difference = sheetCell{Text: signed(c.Percent), Sort: plain(c.Percent, 4)}
			verdict = sheetCell{Text: "differs", Class: "bad"}
			if c.Within {
				verdict = sheetCell{Text: "within 5 %", Class: "good"}
			}
			if !c.Same {
				verdict.Text += ", terms not known to be ours"
			}
		}
		source := c.Source
		if c.Note != "" {
			source += " (" + c.Note + ")"
		}
		s.Rows = append(s.Rows, sheetRow{Index: i, Cells: []sheetCell{{Text: c.Dataset}, {Text: c.Model}, {Text: c.Metric}, {Text: c.Rule},
			{Text: decimals(c.Published), Sort: plain(c.Published, 6)}, ours, difference, verdict, {Text: source}, {Text: c.Loss}, {Text: c.ColdItems}}})
	}
	return s
}

func claims(suite *aggregate.Suite, place int) []claim {
	var out []claim
	for _, c := range suite.Claims {
		pc := claim{Claim: c, Class: map[string]string{"reproduced": "good", "not reproduced": "bad"}[c.Verdict]}
		if pc.Class == "" {
			pc.Class = "open"
		}
		if c.Low != 0 || c.High != 0 {
			pc.Claimed = signed(c.Low) + " to " + signed(c.High) + " %"
		}
		for _, e := range c.Found {
			ref := refer(suite, place, e.Dataset, c.Model, e.Rule, c.Metric, func(own aggregate.Cell) bool { return own.Gain == e.Gain })
			pc.Found = append(pc.Found, evidence{e, signed(e.Gain) + " %", ref})
		}
		out = append(out, pc)
	}
	return out
}

// refer finds the cell of a table that a number was taken from, as
// SUITE.TABLE.ROW/RULE/METRIC; empty if that is not certain.
func refer(s *aggregate.Suite, place int, data, model, rule, metric string, same func(aggregate.Cell) bool) string {
	var likely, certain []string
	for k := range s.Tables {
		t := &s.Tables[k]
		if t.Dataset != data {
			continue
		}
		for i := range t.Rows {
			for _, r := range seenRules {
				if t.Rows[i].Model != model || rule != r.key && rule != "unknown" {
					continue
				}
				ref := fmt.Sprintf("%d.%d.%d/%s/%s", place, k, i, r.key, metric)
				likely = append(likely, ref)
				if same(r.of(&t.Rows[i]).Metrics[metric]) {
					certain = append(certain, ref)
				}
			}
		}
	}
	for _, refs := range [][]string{certain, likely} {
		if len(refs) == 1 {
			return refs[0]
		}
	}
	return ""
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

// signed writes a percentage with its sign: +1.6, −0.8, 0.0.
func signed(v float64) string {
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
