package report

import (
	"fmt"
	"io"
	"strings"
	"sync"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/view"
)

// LatexPaper writes a suite's comparisons as they are printed in papers: a table for each data
// set, in one column of the page if it fits, otherwise in both.
func LatexPaper(w io.Writer, s *aggregate.Suite) {
	fmt.Fprintf(w, "%% Comparisons of the suite %s, written by bench -format latex. Needs \\usepackage{booktabs,graphicx}.\n", escape.Line(s.Name))
	for k := range s.Tables {
		latexPaper(w, view.Paper(&s.Tables[k], s.Axes), fmt.Sprintf("tab:%s-%s", s.Name, s.Tables[k].Dataset))
	}
}

// Widths in points of a two-column page of acmart (sigconf), which is a little narrower than
// that of IEEEtran.
const (
	columnWidth = 241
	pageWidth   = 506
)

// Sizes in points of \footnotesize and \scriptsize, at most. Those of acmart are smaller.
const (
	tableSize  = 8
	smallSize  = 6
	columnsGap = 6 // between columns: twice \tabcolsep
)

func latexPaper(w io.Writer, s view.Section, label string) {
	environment, fit, end := "table", "", ""
	switch width := paperWidth(s.Tables); {
	case width > pageWidth:
		fmt.Fprintf(w, "\n%% The next table is scaled to fit, from about %.0f to %d pt: -metrics chooses fewer columns.\n", width, pageWidth)
		environment, fit, end = "table*", `\resizebox{\textwidth}{!}{`, "}"
	case width > columnWidth:
		environment = "table*"
	}
	var align string
	var titles []string
	for i, c := range s.Tables[0].Columns {
		if left(s.Tables[0], i) {
			align += "l"
		} else {
			align += "r"
		}
		titles = append(titles, escape.Latex(view.OneLine(c.Title)))
	}
	fmt.Fprintf(w, "\n%% Records: %s\n", escape.Line(strings.Join(s.Runs, ", ")))
	fmt.Fprintf(w, "\\begin{%s}[t]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{%dpt}\n\\caption{%s.}\\label{%s}\n%s\\begin{tabular}{@{}%s@{}}\n\\toprule\n%s \\\\\n",
		environment, columnsGap/2, escape.Latex("Test results on "+title(s)), label, fit, align, strings.Join(titles, " & "))
	for _, t := range s.Tables {
		fmt.Fprintf(w, "\\midrule\n\\multicolumn{%d}{@{}l}{\\emph{%s}} \\\\\n", len(t.Columns), escape.Latex(group(t)))
		for _, row := range lines(t) {
			var cells []string
			for _, c := range row {
				cells = append(cells, latexCell(c))
			}
			fmt.Fprintf(w, "%s \\\\\n", strings.Join(cells, " & "))
		}
	}
	fmt.Fprintf(w, "\\bottomrule\n\\end{tabular}%s\n", end)
	var notes []string
	if s.Tables[0].Ranked {
		notes = append(notes, "Bold: best; underlined: second best.")
	}
	for _, text := range append([]string{s.Marks}, s.Notes...) {
		if text != "" {
			notes = append(notes, escape.Latex(view.Sentence(text))+".")
		}
	}
	if notes != nil {
		fmt.Fprintf(w, "\\par\\smallskip\\parbox{\\linewidth}{\\scriptsize\n%s}\n", strings.Join(notes, "\n"))
	}
	fmt.Fprintf(w, "\\end{%s}\n", environment)
}

// group is the heading of the rows under a seen-item rule.
func group(t view.Table) string { return "Seen items " + t.Rule }

// paperWidth estimates the width of a table of these parts in points.
func paperWidth(parts []view.Table) float64 {
	var width float64
	for i, c := range parts[0].Columns {
		widest := textWidthOf(view.OneLine(c.Title), tableSize, false)
		for _, t := range parts {
			for _, row := range lines(t) {
				own := textWidthOf(value(row[i]), tableSize, row[i].Best)
				if row[i].SD != "" {
					own += textWidthOf("±"+row[i].SD, smallSize, false)
				}
				widest = max(widest, own)
			}
		}
		width += widest
	}
	return width + columnsGap*float64(len(parts[0].Columns)-1)
}

// times has the widths of Times. LaTeX's own letters are wider by a few percent than acmart's
// Libertine, and about as wide as these.
var times = sync.OnceValue(func() *font.Cache { return font.NewCache(liberation.Collection()) })

func textWidthOf(text string, size float64, bold bool) float64 {
	f := font.Font{Typeface: "Liberation", Variant: "Serif"}
	if bold {
		f.Weight = xfont.WeightBold
	}
	face := times().Lookup(f, font.Length(size))
	return float64(face.Width(text))
}
