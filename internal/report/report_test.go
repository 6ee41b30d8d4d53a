package report

import (
	"bytes"
	"encoding/csv"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
	"famebench/internal/view"
)

var update = flag.Bool("update", false, "write the golden files")

// example is a small made-up suite with all that a report can show: a sweep with
// non-neural baselines, baseline and proposal, gains with and without a mark, footnotes
// that rows share, a table of one row, published numbers on every kind of terms, claims,
// and runs that are in no table.
func example() *aggregate.Suite {
	return &aggregate.Suite{
		Name: "sweep_1", Summary: "heads & experts: 100% of <all> | of them", Axes: []string{"heads"},
		Datasets: []datasets.Stats{
			{Name: "beauty", Users: 22363, Items: 12101, Interactions: 198502, Density: 198502. / 22363 / 12101, AvgLength: 198502. / 22363, Fingerprint: "00ff"},
			{Name: "ml-100k", Users: 943, Items: 1682, Interactions: 100000, Density: 100000. / 943 / 1682, AvgLength: 100000. / 943,
				Timed: true, Ties: "file", Tied: 76000, TiedShare: .76, TiedTestUsers: 415, Leak: .456},
		},
		Tables: []aggregate.Table{
			{Dataset: "beauty", Protocol: "leave-one-out", Users: 22363, Items: 12101, Baseline: "sasrec", Proposed: "fame heads=4", Rows: exampleRows(),
				Notes:      []string{"records with different thread counts: 2, 4", "no † for rows with fewer than 3 seeds: the spread over users says nothing about the spread over trainings"},
				Breakdowns: []aggregate.Breakdown{exampleBreakdown(aggregate.ByTarget), exampleBreakdown(aggregate.ByHistory)}},
			{Dataset: "ml-100k", Protocol: "time", Users: 943, Items: 1682, Rows: []aggregate.Row{
				{Model: "popularity", Label: "popularity", NonNeural: true, Baseline: true, Runs: exampleRuns("i"), Removed: exampleRule(.01, 0, 0, 1, nil), Kept: exampleRule(0, 0, 0, 1, nil)},
			}, Notes: []string{"data settings: max_users = 500"}},
		},
		Checks: exampleChecks(),
		Claims: []aggregate.Claim{
			{Paper: "arXiv 2411.01457", Text: "FAME: HR@20 +4.2 % to +8.9 %", Model: "fame", Metric: "HR@20", Low: 4.2, High: 8.9, Verdict: "undecided",
				Found: []aggregate.ClaimEvidence{
					{Dataset: "beauty", Rule: "removed", Verdict: "reproduced", Label: "fame heads=4", Baseline: "sasrec", Gain: new(13.53), GainLow: new(11.2), GainHigh: new(15.04),
						Significant: true, Seeds: 3, Ahead: "fame heads=4", Controls: []aggregate.Control{
							{Model: "fame-average-gate", Shares: "average & gate", Label: "fame-average-gate heads=16", Gain: new(8.), GainLow: new(-5.), GainHigh: new(11.123), Seeds: 1},
							{Model: "fame-long", Shares: "long training"}}},
					{Dataset: "beauty", Rule: "kept", Verdict: "excluded", Label: "fame heads=4", Baseline: "sasrec", Gain: new(2.), GainLow: new(-1.), GainHigh: new(4.1), Seeds: 3},
					{Dataset: "ml-100k", Rule: "removed", Verdict: "not run"}, {Dataset: "ml-100k", Rule: "kept", Verdict: "not run"}}},
			{Paper: "arXiv 2601.12301", Text: "FAME+, initialised from a trained SASRec with texts: NDCG@20 +3.98 % to +12.97 % over the best baseline", Model: "fame-plus", Metric: "NDCG@20", Low: 3.98, High: 12.97, Verdict: "not run"},
		},
		Notes: []string{"missing: 2 of 11 runs: sasrec on ml-100k (seeds 0, 1)", "stale, in no table (model version 1, now 2): beauty-fame-s0-00000000, beauty-fame-s1-00000000, beauty-fame-s2-00000000"},
	}
}

func exampleRule(v, sd, gain float64, n int, test *aggregate.Test) aggregate.Rule {
	r := aggregate.Rule{Metrics: map[string]aggregate.Cell{}, Test: test}
	for i, name := range aggregate.Columns {
		r.Metrics[name] = aggregate.Cell{Mean: v + float64(i)/1000, SD: sd, N: n, Gain: &gain}
	}
	return r
}

func best(r aggregate.Rule) aggregate.Rule {
	for name, c := range r.Metrics {
		c.Best = true
		r.Metrics[name] = c
	}
	return r
}

func second(r aggregate.Rule) aggregate.Rule {
	for name, c := range r.Metrics {
		c.Second = true
		r.Metrics[name] = c
	}
	return r
}

func exampleRuns(ids ...string) []aggregate.Run {
	var out []aggregate.Run
	for _, id := range ids {
		out = append(out, aggregate.Run{ID: id})
	}
	return out
}

func exampleRows() []aggregate.Row {
	budget := "stopped at the epoch budget of 30, not by patience (2 of 3 seeds)"
	better := &aggregate.Test{Difference: .00812, Low: .00123, High: .01567, P: 1e-12, PHolm: 3e-12, Significant: true}
	maybe := &aggregate.Test{Difference: .001, Low: -.0005, High: .0025, P: .2, PHolm: .4}
	few := &aggregate.Test{Difference: -.01, Low: -.02, High: -.005, P: 1e-5, PHolm: 2e-5, FewSeeds: true}
	worse := &aggregate.Test{Difference: -.05, Low: -.0612, High: -.0401, PHolm: .0123, Significant: true}
	heads := []aggregate.Head{{Facet: "brand", Learned: "any facet", Labels: 1435, Chance: aggregate.Cell{Mean: .0123456, SD: .001, N: 3},
		Purity:     aggregate.Change{Before: aggregate.Cell{Mean: .3, N: 3}, After: aggregate.Cell{Mean: .5123456, SD: .01, N: 3}},
		Alignment:  aggregate.Change{Before: aggregate.Cell{Mean: 1.1, N: 3}, After: aggregate.Cell{Mean: .75, N: 3}},
		Uniformity: aggregate.Change{Before: aggregate.Cell{Mean: -2.5, N: 3}, After: aggregate.Cell{Mean: -3.25, N: 3}}}, {Learned: "dropout"}}
	return []aggregate.Row{
		{Model: "popularity", Label: "popularity", NonNeural: true, Baseline: true, Runs: exampleRuns("a"),
			Removed: exampleRule(.0123, 0, -79.5, 1, worse), Kept: exampleRule(.0023, 0, -95.4, 1, worse)},
		{Model: "sasrec", Label: "sasrec", Baseline: true, Notes: []string{budget, "run with uncommitted changes (1 of 3 seeds)"}, Runs: exampleRuns("b", "c", "d"),
			Removed: second(exampleRule(.06, .01, 0, 3, nil)), Kept: best(exampleRule(.05, .01, 0, 3, nil))},
		{Model: "fame", Label: "fame heads=4", At: map[string]any{"heads": 4.}, Notes: []string{budget}, Heads: heads, Runs: exampleRuns("e", "f", "g"),
			Removed: best(exampleRule(.068, .002, 13.53, 3, better)), Kept: second(exampleRule(.05, .002, 2, 3, maybe))},
		{Model: "fame-average-gate", Label: "fame-average-gate heads=16", At: map[string]any{"heads": 16.}, Notes: []string{"1 seed only", "non-default settings: dropout = 0.3"}, Runs: exampleRuns("h"),
			Removed: exampleRule(.05, 0, -1, 1, few), Kept: exampleRule(.04, 0, -1, 1, few)},
	}
}

// exampleBreakdown has a group without users, one of one user, one that no row hits, and
// one that is as usual.
func exampleBreakdown(by string) aggregate.Breakdown {
	b := aggregate.Breakdown{By: by, Groups: []aggregate.UserGroup{{Label: "0", Users: 0}, {Label: "1-5", Users: 1}, {Label: "6-20", Users: 33}, {Label: "> 20", Users: 22329}}}
	one := aggregate.Estimate{Mean: .5, N: 3, Low: .5, High: .5}
	usual := aggregate.Estimate{Mean: .06123456, SD: .001, N: 3, Low: .0599, High: .0634}
	for i, label := range []string{"popularity", "sasrec", "fame heads=4", "fame-average-gate heads=16"} {
		row := aggregate.BreakdownRow{Label: label}
		for _, e := range []aggregate.Estimate{{}, one, {N: 3}, usual} {
			e.Mean *= float64(i) / 3
			row.Removed = append(row.Removed, map[string]aggregate.Estimate{"NDCG@10": e, "HR@10": e})
			e.Mean /= 2
			row.Kept = append(row.Kept, map[string]aggregate.Estimate{"NDCG@10": e, "HR@10": e})
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

func exampleChecks() []aggregate.Check {
	return []aggregate.Check{
		{Dataset: "beauty", Model: "sasrec", Metric: "HR@10", Rule: "kept", Loss: "ce", ColdItems: "kept", Source: "A & B", Note: "one seed", Published: .0842,
			Ours: aggregate.Cell{Mean: .0825, N: 3}, OurRule: "kept", OurLoss: "ce", OurLabel: "sasrec", Percent: -2.02, Within: true, Comparable: true, Same: true},
		{Dataset: "beauty", Model: "fame", Metric: "NDCG@10", Rule: "removed", Loss: "sampled-softmax", ColdItems: "dropped", Source: "C_1", Published: .04,
			Ours: aggregate.Cell{Mean: .068, N: 3}, OurRule: "removed", OurLoss: "ce", OurLabel: "fame heads=4", Percent: 70, Comparable: true},
		{Dataset: "beauty", Model: "sasrec", Metric: "NDCG@10", Rule: "unknown", Loss: "unknown", ColdItems: "unknown", Source: "C_1", Published: .05,
			Ours: aggregate.Cell{Mean: .05, N: 3}, OurRule: "kept", OurLoss: "ce", OurLabel: "sasrec", Comparable: true, Within: true},
		{Dataset: "beauty", Model: "sasrec", Metric: "HR@20", Rule: "removed", Loss: "ce", ColdItems: "unknown", Source: "C_1", Published: .05,
			Ours: aggregate.Cell{Mean: .1, N: 3}, OurRule: "removed", OurLoss: "ce", OurLabel: "sasrec"},
		{Dataset: "ml-100k", Model: "sasrec", Metric: "HR@10", Rule: "kept", Loss: "ce", ColdItems: "kept", Source: "A & B", Published: .1198},
	}
}

var exampleCosts = []record.Cost{
	{Model: "sasrec", Dataset: "beauty", BatchTargets: 1024, TargetsPerSecond: 9123.6, LossGFLOPS: 61.27, LossShare: .6243, ProductGFLOPS: 166.4, EvalUsersPerSec: 11888.4,
		Latency: record.Latency{P50: 1.234, P95: 2.345, P99: 10}, Parameters: 877824, PeakRSSMB: 812.3},
	{Model: "popularity", Dataset: "beauty", EvalUsersPerSec: 46000, Latency: record.Latency{P50: .0001, P95: .0002, P99: .01}, PeakRSSMB: 140},
}

var exampleTrials = &aggregate.Suite{Name: "tune", Summary: "search", Trials: []record.Trial{
	{Dataset: "beauty", Model: "sasrec", Rungs: []record.Rung{{Limit: 20, Valid: .0412, ID: "a", Epochs: 20}}},
	{Dataset: "beauty", Model: "duorec", At: "dropout = 0.5, duorec.temperature = 0.1, train.learning_rate = 0.001",
		Rungs: []record.Rung{{Limit: 20, Valid: .0432, ID: "b", Epochs: 20}, {Valid: .0591, ID: "c", Epochs: 44}}, Chosen: true},
}, Notes: []string{"of 2 trials of duorec on beauty, a note"}}

// Where every trial is trained to the end, no column is left empty.
func TestTrialsToTheEnd(t *testing.T) {
	var out strings.Builder
	MarkdownTrials(&out, &aggregate.Suite{Name: "reasons", Trials: []record.Trial{{Dataset: "beauty", Model: "fame", Rungs: []record.Rung{{Valid: .0687, ID: "a", Epochs: 54}}, Chosen: true}}})
	if got := out.String(); strings.Contains(got, "20 epochs") || !strings.Contains(got, "| as configured | .0687 | 54 | chosen |") {
		t.Errorf("%s", got)
	}
}

// An equality is rendered as text, Markdown and CSV; a suite that does not ask has none.
func TestEquality(t *testing.T) {
	s := &aggregate.Suite{Name: "precision", EqualWithin: 2, Equality: []aggregate.Equality{{Dataset: "beauty", Label: "sasrec train.precision=bfloat16", Than: "sasrec train.precision=float32",
		Seeds: 5, Difference: -.31, Low: -1.2, High: .58, Verdict: aggregate.EqualResults, Removed: .4, Kept: -.5}}}
	var md bytes.Buffer
	MarkdownSuite(&md, s)
	if want := "| sasrec train.precision=bfloat16 | beauty | 5 | -0.31 | -1.20 to 0.58 | equal | 0.40 | -0.50 |"; !strings.Contains(strings.ReplaceAll(md.String(), "−", "-"), want) {
		t.Errorf("expected %q, got\n%s", want, md.String())
	}
	want := "dataset,row,compared_with,seeds,difference,low,high,verdict,test_removed,test_kept\nbeauty,sasrec train.precision=bfloat16,sasrec train.precision=float32,5,-0.31,-1.2,0.58,equal,0.4,-0.5\n"
	if got := string(EqualityCSV(s.Equality)); got != want {
		t.Errorf("expected %q, got %q", want, got)
	}
	if got := EqualityCSV(nil); got != nil {
		t.Errorf("expected no file, got %q", got)
	}
}

func TestGolden(t *testing.T) {
	s := example()
	for _, tt := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"suite.txt", func(b *bytes.Buffer) error { return WriteSuite(b, s) }},
		{"suite.md", func(b *bytes.Buffer) error { MarkdownSuite(b, s); return nil }},
		{"suite.tex", func(b *bytes.Buffer) error { LatexSuite(b, s); return nil }},
		{"suite.csv", func(b *bytes.Buffer) error { b.Write(ComparisonCSV(s, aggregate.Columns)); return nil }},
		{"suite.breakdown.csv", func(b *bytes.Buffer) error { b.Write(BreakdownCSV(s)); return nil }},
		{"suite.pretrain.csv", func(b *bytes.Buffer) error { b.Write(PretrainCSV(s)); return nil }},
		{"suite.datasets.csv", func(b *bytes.Buffer) error { b.Write(DatasetsCSV(s.Datasets)); return nil }},
		{"suite.published.csv", func(b *bytes.Buffer) error { b.Write(PublishedCSV(s.Checks)); return nil }},
		{"suite.claims.csv", func(b *bytes.Buffer) error { b.Write(ClaimsCSV(s.Claims)); return nil }},
		{"cost.txt", func(b *bytes.Buffer) error { return WriteCosts(b, exampleCosts) }},
		{"cost.md", func(b *bytes.Buffer) error { MarkdownCosts(b, "cost", "speed", exampleCosts); return nil }},
		{"cost.tex", func(b *bytes.Buffer) error { LatexCosts(b, "cost", exampleCosts); return nil }},
		{"trials.txt", func(b *bytes.Buffer) error { return WriteTrials(b, exampleTrials) }},
		{"trials.md", func(b *bytes.Buffer) error { MarkdownTrials(b, exampleTrials); return nil }},
		{"trials.tex", func(b *bytes.Buffer) error { LatexTrials(b, exampleTrials); return nil }},
		{"trials.csv", func(b *bytes.Buffer) error { b.Write(TrialsCSV(exampleTrials.Trials)); return nil }},
		{"cells.txt", func(b *bytes.Buffer) error { return WriteCells(b, exampleCells()) }},
		{"cells.md", func(b *bytes.Buffer) error { MarkdownCells(b, exampleCells()); return nil }},
		{"cells.tex", func(b *bytes.Buffer) error { LatexCells(b, exampleCells()); return nil }},
		{"cells.csv", func(b *bytes.Buffer) error { b.Write(CellsCSV(exampleCells())); return nil }},
		{"cells.growth.csv", func(b *bytes.Buffer) error { b.Write(GrowthCSV(exampleCells())); return nil }},
		{"cost.csv", func(b *bytes.Buffer) error { b.Write(CostsCSV(exampleCosts)); return nil }},
	} {
		var b bytes.Buffer
		if err := tt.write(&b); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, tt.name, b.String())
		switch filepath.Ext(tt.name) {
		case ".txt":
			checkWidth(t, tt.name, b.String())
		case ".csv": // a line with another number of fields is an error
			if lines, err := csv.NewReader(&b).ReadAll(); err != nil || len(lines) < 2 {
				t.Errorf("%s: %d lines, %v", tt.name, len(lines), err)
			}
		case ".tex": // what compiles needs no more, but can be checked without TeX
			if text := b.String(); strings.Count(text, "{")-2*strings.Count(text, `\{`) != strings.Count(text, "}")-2*strings.Count(text, `\}`) {
				t.Errorf("%s: braces do not match", tt.name)
			}
			if i := slices.IndexFunc(b.Bytes(), func(c byte) bool { return c > 127 }); i >= 0 {
				t.Errorf("%s: a character that LaTeX may not know: %q", tt.name, b.String()[i:i+8])
			}
		}
	}
}

// checkGolden compares text with a file of testdata.
func checkGolden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
	}
}

// checkWidth finds lines that a terminal breaks.
func checkWidth(t *testing.T, name, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > lineWidth {
			t.Errorf("%s: a line of %d columns, at most %d fit:\n%s", name, n, lineWidth, line)
		}
	}
}

// The terminal leaves out published numbers on other terms, and says so.
func TestBriefShowsSameTermsOnly(t *testing.T) {
	var b bytes.Buffer
	if err := WriteSuite(&b, example()); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "C_1") || !strings.Contains(text, "Note: numbers on other or unknown terms, in the Markdown file only: 3.") || !strings.Contains(text, "A & B (one seed)") {
		t.Errorf("got\n%s", text)
	}
}

// A suite without breakdowns has neither a section nor a file of them.
func TestNoBreakdown(t *testing.T) {
	s := example()
	s.Tables = s.Tables[1:]
	var b bytes.Buffer
	MarkdownSuite(&b, s)
	if got := BreakdownCSV(s); got != nil || strings.Contains(b.String(), "target frequency") {
		t.Errorf("got %q and\n%s", got, b.String())
	}
}

func TestEscapeLatex(t *testing.T) {
	for in, want := range map[string]string{
		"a_b & 5 %":           `a\_b \& 5 \%`,
		`\{x}^2~$#`:           `\textbackslash{}\{x\}\textasciicircum{}2\textasciitilde{}\$\#`,
		"p < .05 – ±1† | \"a": `p $<$ .05 -- $\pm$1$^\dagger$ $|$ ''a`,
	} {
		if got := escape.Latex(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"-5.0†": `$-$5.0$^\dagger$`, "-.01 to -.02": `$-$.01 to $-$.02`, "fame-top1-gate": "fame-top1-gate", "ml-100k": "ml-100k", "–": "--",
	} {
		if got := latexCell(view.Cell{Text: in}); got != want {
			t.Errorf("cell %q: got %q, want %q", in, got, want)
		}
	}
	if got := latexCell(view.Cell{Text: ".1", SD: ".01", Footnotes: []int{1, 3}, Second: true}); got != `\underline{.1}{\scriptsize$\pm$.01}\textsuperscript{1,3}` {
		t.Error(got)
	}
}

func TestMarkdownCell(t *testing.T) {
	for want, c := range map[string]view.Cell{
		"**.1 ± .01** [1,2]": {Text: ".1", SD: ".01", Footnotes: []int{1, 2}, Best: true},
		"*.1*":               {Text: ".1", Second: true},
		`a\|b &lt;c> \*`:     {Text: "a|b <c> *"},
	} {
		if got := markdownCell(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for in, want := range map[string]string{
		"sasrec":                        "sasrec",
		"fame heads=4":                  "fame heads=4",
		"fame-average-gate":             "fame-average-|gate",
		"fame-average-gate heads=16":    "fame-average-|gate heads=16",
		"sasrec train.learning_rate=.1": "sasrec train.|learning_rate=|.1",
		"train_learning_rates":          "train_|learning_rates",
		"sasrecwithoutanysign":          "sasrecwithoutanysign", // nowhere to break
		"fame over sasrec heads=4, %":   "fame over|sasrec|heads=4, %",
		"(outside ±5 %)":                "(outside ±5 %)", // 14 characters in 15 bytes
	} {
		if got := strings.Join(wrap(in, 14, ""), "|"); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// A value that is not a number is an empty field of a CSV file, and a missing gain is shown
// as a dash.
func TestNoNumber(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := field(v); got != "" {
			t.Errorf("CSV of %v: %q", v, got)
		}
		if got := millibits(v); got != "–" {
			t.Errorf("millibits of %v: %q", v, got)
		}
	}
	s := example()
	s.Checks, s.Claims = nil, nil // gains of theirs are numbers
	for _, rule := range aggregate.SeenItemRules {
		for i := range s.Tables[0].Rows {
			metrics := s.Tables[0].Rows[i].Under(rule).Metrics
			for name, c := range metrics {
				c.Gain = nil
				metrics[name] = c
			}
		}
	}
	s.Tables[0].Notes = append(s.Tables[0].Notes, "no gain (–): the baseline sasrec scores 0")
	var b bytes.Buffer
	if err := WriteSuite(&b, s); err != nil {
		t.Fatal(err)
	}
	MarkdownSuite(&b, s)
	LatexSuite(&b, s)
	b.Write(ComparisonCSV(s, aggregate.Columns))
	for _, bad := range []string{"NaN", "Inf", " 0.0 ", "%!"} {
		if i := strings.Index(b.String(), bad); i >= 0 {
			t.Errorf("the report has %s: %q", bad, b.String()[max(0, i-100):i+20])
		}
	}
}

// A formula in a label stays text.
func TestCSVHasNoFormulas(t *testing.T) {
	s := example()
	s.Tables[0].Rows[0].Label = `=HYPERLINK("http://example.org","x")`
	if text := string(ComparisonCSV(s, aggregate.Columns)); strings.Contains(text, ",\"=") || !strings.Contains(text, `,"'=HYPERLINK(""`) {
		t.Errorf("got\n%s", text)
	}
}

func TestWriteColumns(t *testing.T) {
	long := strings.Repeat("word ", 20) + "end"
	var got strings.Builder
	err := WriteColumns(&got, func(w io.Writer) error {
		_, err := io.WriteString(w, "name  state  short\nname  state  "+long+"\nresults in "+long+"\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "name  state  short\nname  state  " + strings.TrimSpace(strings.Repeat("word ", 17)) + "\n             word word word end\nresults in " + long + "\n"
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}
