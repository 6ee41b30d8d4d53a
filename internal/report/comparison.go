package report

import (
	"fmt"
	"io"
	"strings"
)

// columnTitles are the headers of Columns; the last is shortened to keep the
// table within 100 columns.
func columnTitles() []string {
	titles := append([]string{"model"}, Columns...)
	titles[len(titles)-1] = "Cov@10"
	return titles
}

// rules are the two blocks of a comparison.
var rules = []struct {
	title string
	cells func(Row) map[string]Cell
}{
	{"seen items removed", func(r Row) map[string]Cell { return r.Removed }},
	{"seen items kept", func(r Row) map[string]Cell { return r.Kept }},
}

// WriteComparisons renders comparison tables for a terminal, at most 100
// columns wide. The best value of a column has a star.
func WriteComparisons(w io.Writer, tables []Comparison) error {
	for _, c := range tables {
		notes := newFootnotes(c)
		fmt.Fprintf(w, "\n%s\n", heading(c))
		for _, rule := range rules {
			fmt.Fprintf(w, "%s\n", rule.title)
			var rows [][]string
			for i, row := range c.Rows {
				cells := []string{row.Model + notes.mark(i)}
				for _, metric := range Columns {
					cells = append(cells, terminalCell(rule.cells(row)[metric]))
				}
				rows = append(rows, cells)
			}
			if err := writeTable(w, columnTitles(), rows); err != nil {
				return err
			}
		}
		for i, text := range notes.texts {
			fmt.Fprintf(w, "[%d] %s\n", i+1, text)
		}
		for _, text := range c.Notes {
			fmt.Fprintf(w, "Note: %s.\n", text)
		}
	}
	return nil
}

// MarkdownComparisons renders comparison tables as Markdown. The best value of
// a column is bold.
func MarkdownComparisons(w io.Writer, tables []Comparison) {
	for _, c := range tables {
		notes := newFootnotes(c)
		fmt.Fprintf(w, "## %s\n\n", heading(c))
		for _, rule := range rules {
			fmt.Fprintf(w, "**%s**\n\n", strings.ToUpper(rule.title[:1])+rule.title[1:])
			var rows [][]string
			for i, row := range c.Rows {
				cells := []string{row.Model + notes.mark(i)}
				for _, metric := range Columns {
					cells = append(cells, markdownCell(rule.cells(row)[metric]))
				}
				rows = append(rows, cells)
			}
			markdownTable(w, columnTitles(), rows)
		}
		for i, text := range notes.texts {
			fmt.Fprintf(w, "- [%d] %s\n", i+1, text)
		}
		for _, text := range c.Notes {
			fmt.Fprintf(w, "- %s.\n", text)
		}
		fmt.Fprintf(w, "- Records: `%s`\n\n", strings.Join(c.IDs, "`, `"))
	}
}

func heading(c Comparison) string {
	return fmt.Sprintf("%s: %s test users, full ranking of %s items (%s)", c.Dataset, thousands(c.Users), thousands(c.Items), c.Protocol)
}

// footnotes numbers the notes of a table's rows; equal notes share a number.
type footnotes struct {
	texts []string
	marks [][]string // by row
}

func newFootnotes(c Comparison) footnotes {
	f := footnotes{marks: make([][]string, len(c.Rows))}
	for i, row := range c.Rows {
		for _, text := range row.Notes {
			n := 0
			for n < len(f.texts) && f.texts[n] != text {
				n++
			}
			if n == len(f.texts) {
				f.texts = append(f.texts, text)
			}
			f.marks[i] = append(f.marks[i], fmt.Sprint(n+1))
		}
	}
	return f
}

func (f footnotes) mark(row int) string {
	if len(f.marks[row]) == 0 {
		return ""
	}
	return " [" + strings.Join(f.marks[row], ",") + "]"
}

// terminalCell puts the deviation on a second line: eight metrics with their
// deviations side by side would need 120 columns.
func terminalCell(c Cell) string {
	text := decimals(c.Mean)
	if c.Best {
		text += "*"
	}
	if c.N > 1 {
		text += "\n±" + decimals(c.SD)
	}
	return text
}

func markdownCell(c Cell) string {
	text := decimals(c.Mean)
	if c.N > 1 {
		text += " ± " + decimals(c.SD)
	}
	if c.Best {
		text = "**" + text + "**"
	}
	return text
}

// decimals writes a share as the papers do: .0555.
func decimals(v float64) string {
	return strings.TrimPrefix(fmt.Sprintf("%.4f", v), "0")
}
