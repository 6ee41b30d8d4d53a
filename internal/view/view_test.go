package view

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
)

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 22363: "22,363", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	got := fmt.Sprint(Share(.05551), Share(1), " ", Difference(.003), Difference(-.05), Difference(0), " ", Probability(.0009), Probability(.0123), Probability(1))
	if want := ".05551.0000 +.0030-.0500+.0000 <.001.0121.000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = fmt.Sprint(Percent(1.55), Percent(-.76), " ", Percent(.049), Percent(-.049), " ", Gain(nil), Gain(new(-12.)), " ", Minus("-1.2"), Minus("+1.2"))
	if want := "+1.6-0.8 0.00.0 –-12.0 \u22121.2+1.2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A value that is not a number is shown as a dash and sorts last.
func TestNoNumber(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for name, got := range map[string]string{"share": Share(v), "short": Short(v), "difference": Difference(v), "percent": Percent(v), "speed": speed(v)} {
			if got != none {
				t.Errorf("%s of %v: %q", name, v, got)
			}
		}
		for name, got := range map[string]Cell{"mean": mean(aggregate.Cell{Mean: v, N: 3}), "fixed": fixed(v, 1), "count": count(v), "percent": percent(&v)} {
			if got.Text != none || got.Sort != "" {
				t.Errorf("%s of %v: %+v", name, v, got)
			}
		}
	}
}

// text writes a table with bars between its cells.
func text(t Table) string {
	var b strings.Builder
	for _, c := range t.Columns {
		b.WriteString(OneLine(c.Title) + "|")
	}
	for _, row := range t.Rows {
		b.WriteString("\n")
		for _, c := range row.Cells {
			b.WriteString(c.Text + "|")
		}
	}
	return b.String()
}

// Every row has a cell for each column, whatever the medium.
func TestRowsFit(t *testing.T) {
	for _, s := range aggregatetest.Suites() {
		for _, m := range []Medium{Terminal, Document, Page} {
			all := append(Suite(s, m), Published(s, s.Checks, m))
			for k := range s.Tables {
				all = append(all, Comparison(&s.Tables[k], s.Axes, m), Groups(&s.Tables[k], m), Heads(&s.Tables[k]), Curves(&s.Tables[k]))
			}
			for _, sec := range all {
				for _, table := range sec.Tables {
					for _, row := range table.Rows {
						if len(row.Cells) != len(table.Columns) {
							t.Errorf("%s, %s: a row of %d cells and %d columns", s.Name, table.Caption, len(row.Cells), len(table.Columns))
						}
					}
					if table.Foot != nil && len(table.Foot) != len(table.Columns) {
						t.Errorf("%s, %s: a foot of %d cells and %d columns", s.Name, table.Caption, len(table.Foot), len(table.Columns))
					}
				}
			}
		}
	}
}

// The page shows the mark of a test at the metric, and the interval of the gain; elsewhere
// the gain has the mark, and a table of its own has the interval.
func TestComparisonByMedium(t *testing.T) {
	table := &aggregatetest.Suites()[0].Tables[0]
	page, terminal := Comparison(table, nil, Page), Comparison(table, nil, Terminal)
	captions := func(s Section) string {
		var out []string
		for _, t := range s.Tables {
			out = append(out, t.Caption)
		}
		return strings.Join(out, "; ")
	}
	if got, want := captions(page), "Test, seen items removed; Test, seen items kept; Validation and cost"; got != want {
		t.Errorf("page: got %s, want %s", got, want)
	}
	if got, want := captions(terminal), "Test, seen items removed; Test, seen items kept; NDCG@10 against duorec"; got != want {
		t.Errorf("terminal: got %s, want %s", got, want)
	}
	metric := 1 + slices.Index(aggregate.Columns, aggregate.Tested)
	gain := 1 + len(aggregate.Columns)
	test := table.Rows[0].Removed.Test // popularity is significantly worse
	p, c := page.Tables[0].Rows[0].Cells, terminal.Tables[0].Rows[0].Cells
	if p[metric].Mark != "†" || p[gain].Mark != "" || c[metric].Mark != "" || c[gain].Mark != "†" {
		t.Errorf("marks: page %q and %q, terminal %q and %q", p[metric].Mark, p[gain].Mark, c[metric].Mark, c[gain].Mark)
	}
	if p[gain].Low != fmt.Sprintf("%+.1f", *test.GainLow) || p[gain].High != fmt.Sprintf("%+.1f", *test.GainHigh) || c[gain].Low != "" {
		t.Errorf("intervals %s to %s on the page, %s on the terminal; the test has %v to %v", p[gain].Low, p[gain].High, c[gain].Low, *test.GainLow, *test.GainHigh)
	}
	if p[gain].Text != c[gain].Text || p[metric].Text != c[metric].Text {
		t.Errorf("numbers differ: %+v and %+v", p, c)
	}
}

// Rows share footnotes with the same text, in the order of the rows, in all tables.
func TestFootnotes(t *testing.T) {
	table := &aggregate.Table{Rows: []aggregate.Row{{Label: "a", Notes: []string{"x", "y"}}, {Label: "b"}, {Label: "c", Notes: []string{"z", "y"}}}}
	s := Comparison(table, nil, Page)
	if got, want := s.Footnotes, []string{"x", "y", "z"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, out := range s.Tables {
		var numbers [][]int
		for _, row := range out.Rows {
			numbers = append(numbers, row.Cells[0].Footnotes)
		}
		if want := [][]int{{1, 2}, nil, {3, 2}}; !reflect.DeepEqual(numbers, want) {
			t.Errorf("%s: got %v, want %v", out.Caption, numbers, want)
		}
	}
}

// The page lists all published numbers in one table, documents one for each data set, and
// the terminal those on our terms.
func TestPublishedByMedium(t *testing.T) {
	s := aggregatetest.Suites()[0]
	page := Published(s, s.Checks, Page)
	var rows []int
	for _, sec := range publishedByData(s, Document) {
		for _, table := range sec.Tables {
			rows = append(rows, len(table.Rows))
			if got := OneLine(table.Columns[0].Title); got != "model" {
				t.Errorf("the first column is %s", got)
			}
		}
	}
	if len(page.Tables[0].Rows) != len(s.Checks) || !slices.Equal(rows, []int{2, 2, 1}) {
		t.Errorf("%d rows on the page, %v in documents", len(page.Tables[0].Rows), rows)
	}
	terminal := publishedByData(s, Terminal)
	if got := text(terminal[0].Tables[0]); strings.Count(got, "\n") != 1 || !strings.Contains(got, "sasrec|kept|ce|kept|NDCG@10|.0405|") ||
		!strings.Contains(strings.Join(terminal[0].Notes, ""), "in the Markdown file only: 1") {
		t.Errorf("terminal: %s\n%q", got, terminal[0].Notes)
	}
	if got := page.Tables[0].Rows[0].Cells[5].Ref; got == nil || got.String() != "0.2/kept/NDCG@10" {
		t.Errorf("ours comes from %v, expected sasrec's cell", got)
	}
	var verdicts []string
	for _, row := range page.Tables[0].Rows {
		verdicts = append(verdicts, row.Cells[7].Text)
	}
	if got, want := strings.Join(verdicts, "; "), "inside ±5 %; (inside ±5 %); (outside ±5 %); other data; not run"; got != want {
		t.Errorf("verdicts: got %s, want %s", got, want)
	}
}

func TestTestCases(t *testing.T) {
	for want, table := range map[string]aggregate.Table{
		"1,000 test users": {Users: 1000},
		"2,000 test cases of 1,000 users (metrics: mean over cases)":                              {Users: 1000, Cases: 2000},
		"2,000 test cases of 1,000 users (metrics: mean over users of the mean over their cases)": {Users: 1000, Cases: 2000, Average: aggregate.ByUser},
		"2,000 test cases": {Cases: 2000}, // whose they are is not known
	} {
		if got := testCases(&table); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The table of gains by entropy says how many seeds they are of.
func TestComplexitySeeds(t *testing.T) {
	gains := aggregate.GroupGains{Groups: []*aggregate.GroupGain{{Difference: .25, Low: .125, High: .5}}}
	s := Complexity(&aggregate.Table{Complexity: &aggregate.Complexity{Divisions: []aggregate.Division{{Groups: []aggregate.UserGroup{{Label: "all", Users: 9}},
		Rows: []aggregate.ComplexityRow{{Label: "two", Than: "one", Seeds: 3, Removed: gains, Kept: gains}, {Label: "four", Than: "one", Removed: aggregate.GroupGains{Groups: []*aggregate.GroupGain{nil}}}}}}}})
	if notes := strings.Join(s.Notes, "\n"); strings.Contains(notes, "equal length") || strings.Contains(notes, "items:") {
		t.Errorf("notes on lengths, which are not known: %s", notes)
	}
	table := s.Tables[0]
	at := slices.IndexFunc(table.Columns, func(c Column) bool { return c.Title == "seeds" })
	if at < 0 || table.Rows[0].Cells[at].Text != "3" || table.Rows[1].Cells[at].Text != "0" || table.Rows[1].Cells[at+1].Text != none {
		t.Errorf("%+v", table)
	}
}

// Numbers sort as numbers: what a column shows for several rows has its value.
func TestNumbersSort(t *testing.T) {
	s := &aggregate.Suite{Contrasts: []aggregate.Contrast{{Found: []aggregate.ContrastEvidence{
		{Dataset: "beauty", Rule: "kept", Label: "a", Than: "b", Gain: 12.04, GainAtZero: -2.14, Difference: aggregate.SeedMean{Mean: 14.18, Seeds: 3}, Verdict: aggregate.Undecided}}}}}
	var sorted []string
	for _, c := range Contrasts(s).Tables[0].Rows[0].Cells {
		if c.Sort != "" {
			sorted = append(sorted, c.Sort)
		}
	}
	if want := "12.04 -2.14 14.18 3"; strings.Join(sorted, " ") != want {
		t.Errorf("contrasts sort by %q, want %q", sorted, want)
	}
	sorted = nil
	pair := aggregate.ComparedMetric{Dataset: "beauty", RowA: "a", RowB: "b", Rule: "kept", Percent: new(-14.26), Test: &aggregate.Test{PHolm: .00004, GainLow: new(-19.9), GainHigh: new(-9.)}}
	for _, c := range Pairs(&aggregate.Comparison{Lines: []aggregate.ComparedMetric{pair}}).Tables[0].Rows[0].Cells {
		sorted = append(sorted, c.Text+" "+c.Sort)
	}
	if want := "beauty , a / b , -14.3 -14.26, -19.9 to -9.0 , <.001 0.00004"; strings.Join(sorted, ", ") != want {
		t.Errorf("pairs sort by %q, want %q", sorted, want)
	}
	curve := func(valid ...float64) (out []aggregate.CurvePoint) {
		for i, v := range valid {
			out = append(out, aggregate.CurvePoint{Epoch: i + 9, Valid: aggregate.Cell{Mean: v, N: 1}})
		}
		return out
	}
	table := &aggregate.Table{Rows: []aggregate.Row{{Label: "a", Curve: curve(.05, .06)}, {Label: "b", Curve: curve(.04)}}}
	var cells []string
	for _, r := range Curves(table).Tables[0].Rows {
		for _, c := range r.Cells {
			cells = append(cells, c.Sort)
		}
	}
	if want := "9 0.05 0.04 10 0.06 "; strings.Join(cells, " ") != want {
		t.Errorf("curves sort by %q, want %q", cells, want)
	}
}
