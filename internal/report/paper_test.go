package report

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/view"
)

// The widths are those of Times: 500 thousandths of the size for digits, 250 for a full stop,
// 564 for +, 722 for N, D and G, 667 for C, 333 for a hyphen, 921 for @.
func TestTextWidth(t *testing.T) {
	for text, want := range map[string]float64{".0555": 2.25, "+.0014": 2.814, "NDCG@10": .722*2 + .667 + .722 + .921 + 1, "-": .333} {
		if got := textWidthOf(text, 8, false); math.Abs(got-8*want) > .05 {
			t.Errorf("%s: %.2f pt, expected %.2f", text, got, 8*want)
		}
	}
	if plain, bold := textWidthOf("fame", 8, false), textWidthOf("fame", 8, true); !(bold > plain) {
		t.Errorf("bold letters are %.2f wide, plain ones %.2f", bold, plain)
	}
}

// Tables go into one column of a page, into both, or are scaled, by their width. With LaTeX,
// the class acmart sets them without a line that is too long.
func TestPaperFits(t *testing.T) {
	all := append(aggregatetest.Suites(), example())
	var document strings.Builder
	seen := map[string]bool{}
	for _, s := range all {
		for _, names := range [][]string{nil, {"NDCG@10", "HR@20", "gain"}, {"NDCG@10", "HR@10", "HR@20", "MRR", "NDCG@20", "gain"}, {"NDCG@10", "HR@10", "HR@20", "MRR", "NDCG@20", "NDCG@5", "HR@5", "gain", "beyond"}} {
			if err := s.Show(names); err != nil {
				t.Fatal(err)
			}
			for k := range s.Tables {
				width := paperWidth(view.Paper(&s.Tables[k], s.Axes).Tables)
				var b bytes.Buffer
				latexPaper(&b, view.Paper(&s.Tables[k], s.Axes), "tab:x")
				text := b.String()
				scaled, both := strings.Contains(text, `\resizebox{\textwidth}`), strings.Contains(text, `\begin{table*}`)
				if scaled != (width > pageWidth) || both != (width > columnWidth) {
					t.Errorf("%s, %q: a table of %.0f pt: in both columns %v, scaled %v", s.Name, names, width, both, scaled)
				}
				seen[map[bool]string{true: "both"}[both]+map[bool]string{true: " scaled"}[scaled]] = true
			}
			var b bytes.Buffer
			LatexPaper(&b, s)
			checkPaper(t, b.String())
			document.WriteString(b.String() + "\\clearpage\n")
		}
	}
	if len(seen) != 3 {
		t.Errorf("tables in one column, in both and scaled: got %v", seen)
	}
	compile(t, document.String())
}

// checkPaper finds what LaTeX would refuse.
func checkPaper(t *testing.T, text string) {
	t.Helper()
	begun := regexp.MustCompile(`\\begin\{(table\*?|tabular)\}`).FindAllString(text, -1)
	ended := regexp.MustCompile(`\\end\{(table\*?|tabular)\}`).FindAllString(text, -1)
	if len(begun) == 0 || len(begun) != len(ended) || strings.Count(text, "{")-strings.Count(text, `\{`) != strings.Count(text, "}")-strings.Count(text, `\}`) {
		t.Errorf("environments or braces are not closed: %d, %d", len(begun), len(ended))
	}
	columns := 0
	for line := range strings.Lines(text) {
		if m := regexp.MustCompile(`\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}`).FindStringSubmatch(line); m != nil {
			columns = len(m[1])
		}
		row, is := strings.CutSuffix(strings.TrimSpace(line), ` \\`)
		if is && !strings.HasPrefix(row, `\multicolumn`) && strings.Count(strings.ReplaceAll(row, `\&`, ""), "&") != columns-1 {
			t.Errorf("a row that has not %d columns: %s", columns, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
			t.Errorf("not ASCII: %q", line)
		}
	}
}

// compile sets the tables with acmart if that is installed; their widths are checked anyway.
func compile(t *testing.T, tables string) {
	t.Helper()
	latex, err := exec.LookPath("pdflatex")
	if err != nil || exec.Command("kpsewhich", "acmart.cls").Run() != nil {
		t.Log("acmart is not installed: the widths are estimated only")
		return
	}
	dir := t.TempDir()
	text := "\\documentclass[sigconf,nonacm]{acmart}\n\\begin{document}\n\\title{T}\\author{A}\\maketitle\n" + tables + "\\end{document}\n"
	if err := os.WriteFile(filepath.Join(dir, "p.tex"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(latex, "-interaction=nonstopmode", "-halt-on-error", "p.tex")
	run.Dir = dir
	out, err := run.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("Overfull \\hbox")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// One note replaces the same footnote in each row, and no row has a footnote.
func TestPaperNotes(t *testing.T) {
	s := example()
	if err := s.Show([]string{"NDCG@10", "gain"}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	LatexPaper(&b, s)
	text := b.String()
	for _, want := range []string{
		"\nStopped at the epoch budget of 30, not by patience (2 of 3 seeds) (sasrec, fame heads=4).\n",
		"\nImprovement: of fame heads=4 over sasrec.\n",
		`\caption{Test results on beauty: 22,363 test users`, `\label{tab:sweep_1-beauty}`,
		"\\midrule\n\\multicolumn{3}{@{}l}{\\emph{Seen items kept}} \\\\\n",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("expected %q once, got\n%s", want, text)
		}
	}
	if strings.Contains(text, `\textsuperscript`) {
		t.Errorf("a footnote:\n%s", text)
	}
}

// A CSV of metrics beyond accuracy has only the records that have them.
func TestBeyondCSV(t *testing.T) {
	s := example()
	if got := ComparisonCSV(s, aggregate.Beyond); got != nil {
		t.Errorf("expected no file, got %q", got)
	}
	s.Tables[0].Rows[2].Removed.Beyond = map[string]aggregate.Cell{"Gini@10": {Mean: .25, SD: .125, N: 3}}
	want := "dataset,protocol,rule,model,label,heads,metric,mean,sd,n,baseline,gain,diff,low,high,p,p_holm,significant\n" +
		"beauty,leave-one-out,removed,fame,fame heads=4,4,Gini@10,0.25,0.125,3,sasrec,,,,,,,\n"
	if got := string(ComparisonCSV(s, aggregate.Beyond)); got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}
