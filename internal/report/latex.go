package report

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
)

// LatexSuite renders a suite as LaTeX tables, for \input into a document that uses
// the package booktabs. As in the papers, the best is bold, the second underlined.
func LatexSuite(w io.Writer, s *aggregate.Suite) {
	latexSections(w, s.Name, sections(s, false))
}

// LatexCosts renders the cost table of a suite as LaTeX.
func LatexCosts(w io.Writer, suite string, costs []record.Cost) {
	latexSections(w, suite, []section{costSection(costs)})
}

func latexSections(w io.Writer, suite string, all []section) {
	fmt.Fprintf(w, "%% Tables of the suite %s, written by bench. Needs \\usepackage{booktabs}.\n", escape.Line(suite))
	number := 0
	for _, s := range all {
		if len(s.source) > 0 {
			fmt.Fprintf(w, "\n%% Records: %s\n", escape.Line(strings.Join(s.source, ", ")))
		}
		for _, sh := range s.sheets {
			number++
			latexTable(w, s, sh, fmt.Sprintf("tab:%s-%d", suite, number))
		}
		if len(s.sheets) == 0 {
			for _, text := range s.notes {
				fmt.Fprintf(w, "\n%% %s: %s\n", escape.Line(s.title), escape.Line(text))
			}
		}
	}
}

func latexTable(w io.Writer, s section, sh sheet, label string) {
	caption := s.title
	if sh.caption != "" {
		caption += "; " + sh.caption
	}
	align := ""
	var titles []string
	for i, title := range sh.head {
		a := "r"
		if i == 0 || slices.Contains(sh.left, i) {
			a = "l"
		}
		align += a
		titles = append(titles, escape.Latex(oneLine(title)))
	}
	fmt.Fprintf(w, "\n\\begin{table*}[t]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}\n\\caption{%s.}\\label{%s}\n\\begin{tabular}{%s}\n\\toprule\n%s \\\\\n\\midrule\n",
		escape.Latex(caption), label, align, strings.Join(titles, " & "))
	var used []int
	line := func(row []cell) {
		var cells []string
		for _, c := range row {
			cells = append(cells, latexCell(c))
			used = append(used, c.refs...)
		}
		fmt.Fprintf(w, "%s \\\\\n", strings.Join(cells, " & "))
	}
	for _, row := range sh.rows {
		line(row)
	}
	if sh.foot != nil {
		fmt.Fprint(w, "\\midrule\n")
		line(sh.foot)
	}
	fmt.Fprint(w, "\\bottomrule\n\\end{tabular}\n")
	var below []string
	for i, text := range s.refs {
		if slices.Contains(used, i+1) {
			below = append(below, fmt.Sprintf("\\textsuperscript{%d} %s.", i+1, escape.Latex(text)))
		}
	}
	if sh.ranked {
		below = append(below, "Bold: best; underlined: second best.")
	}
	for _, text := range append([]string{s.marks}, append(slices.Clone(sh.about), s.notes...)...) {
		if text != "" {
			below = append(below, escape.Latex(sentence(text))+".")
		}
	}
	if below != nil {
		fmt.Fprintf(w, "\\par\\smallskip\\parbox{\\linewidth}{\\scriptsize\n%s}\n", strings.Join(below, "\n"))
	}
	fmt.Fprint(w, "\\end{table*}\n")
}

func latexCell(c cell) string {
	text := minus.ReplaceAllString(escape.Latex(c.text), "$1$$-$$$2")
	switch {
	case c.best:
		text = `\textbf{` + text + `}`
	case c.second:
		text = `\underline{` + text + `}`
	}
	if c.sd != "" {
		text += `{\scriptsize$\pm$` + escape.Latex(c.sd) + `}`
	}
	if len(c.refs) > 0 {
		text += `\textsuperscript{` + joinInts(c.refs) + `}`
	}
	return text
}

// minus is the hyphen before a number, which is not set as one.
var minus = regexp.MustCompile(`(^| )-([.0-9])`)
