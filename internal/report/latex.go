package report

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"famebench/internal/escape"
	"famebench/internal/view"
)

func latex(w io.Writer, suite string, sections ...view.Section) {
	fmt.Fprintf(w, "%% Tables of the suite %s, written by bench. Needs \\usepackage{booktabs}.\n", escape.Line(suite))
	number := 0
	for _, s := range sections {
		if len(s.Runs) > 0 {
			fmt.Fprintf(w, "\n%% Records: %s\n", escape.Line(strings.Join(s.Runs, ", ")))
		}
		for _, t := range s.Tables {
			number++
			latexTable(w, s, t, fmt.Sprintf("tab:%s-%d", suite, number))
		}
		if len(s.Tables) == 0 {
			for _, text := range s.Notes {
				fmt.Fprintf(w, "\n%% %s: %s\n", escape.Line(s.Title), escape.Line(text))
			}
		}
	}
}

func latexTable(w io.Writer, s view.Section, t view.Table, label string) {
	caption := title(s)
	if t.Caption != "" {
		caption += ". " + t.Caption
	}
	align := ""
	var titles []string
	for i, c := range t.Columns {
		a := "r"
		if left(t, i) {
			a = "l"
		}
		align += a
		titles = append(titles, escape.Latex(view.OneLine(c.Title)))
	}
	fmt.Fprintf(w, "\n\\begin{table*}[t]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}\n\\caption{%s.}\\label{%s}\n\\begin{tabular}{%s}\n\\toprule\n%s \\\\\n\\midrule\n",
		escape.Latex(caption), label, align, strings.Join(titles, " & "))
	var used []int
	line := func(row []view.Cell) {
		var cells []string
		for _, c := range row {
			cells = append(cells, latexCell(c))
			used = append(used, c.Footnotes...)
		}
		fmt.Fprintf(w, "%s \\\\\n", strings.Join(cells, " & "))
	}
	for _, row := range t.Rows {
		line(row.Cells)
	}
	if t.Foot != nil {
		fmt.Fprint(w, "\\midrule\n")
		line(t.Foot)
	}
	fmt.Fprint(w, "\\bottomrule\n\\end{tabular}\n")
	var below []string
	for i, text := range s.Footnotes {
		if slices.Contains(used, i+1) {
			below = append(below, fmt.Sprintf("\\textsuperscript{%d} %s.", i+1, escape.Latex(text)))
		}
	}
	if t.Ranked {
		below = append(below, "Bold: best; underlined: second best.")
	}
	for _, text := range slices.Concat([]string{s.Marks}, t.About, s.Notes) {
		if text != "" {
			below = append(below, escape.Latex(view.Sentence(text))+".")
		}
	}
	if below != nil {
		fmt.Fprintf(w, "\\par\\smallskip\\parbox{\\linewidth}{\\scriptsize\n%s}\n", strings.Join(below, "\n"))
	}
	fmt.Fprint(w, "\\end{table*}\n")
}

func latexCell(c view.Cell) string {
	text := minus.ReplaceAllString(escape.Latex(value(c)), "$1$$-$$$2")
	switch {
	case c.Best:
		text = `\textbf{` + text + `}`
	case c.Second:
		text = `\underline{` + text + `}`
	}
	if c.SD != "" {
		text += `{\scriptsize$\pm$` + escape.Latex(c.SD) + `}`
	}
	if len(c.Footnotes) > 0 {
		text += `\textsuperscript{` + footnotes(c.Footnotes) + `}`
	}
	return text
}

// minus is the hyphen before a number, which is set as a minus.
var minus = regexp.MustCompile(`(^| )-([.0-9])`)
