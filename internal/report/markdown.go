package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"famebench/internal/escape"
	"famebench/internal/view"
)

func markdown(w io.Writer, suite, summary string, sections ...view.Section) {
	fmt.Fprintf(w, "# Suite %s\n\n%s\n\n", escape.Markdown(suite), escape.Paragraph(summary))
	for _, s := range sections {
		fmt.Fprintf(w, "## %s\n\n", escape.Markdown(title(s)))
		for _, t := range s.Tables {
			if t.Caption != "" {
				fmt.Fprintf(w, "**%s**\n\n", escape.Markdown(t.Caption))
			}
			markdownTable(w, t)
		}
		item := func(text string) { fmt.Fprintf(w, "- %s\n", escape.Paragraph(text)) }
		if slices.ContainsFunc(s.Tables, func(t view.Table) bool { return t.Ranked }) {
			item("bold: best; italic: second best")
		}
		if s.Marks != "" {
			item(s.Marks)
		}
		for _, t := range s.Tables {
			for _, text := range t.About {
				item(text)
			}
		}
		for i, text := range s.Footnotes {
			fmt.Fprintf(w, "- [%d] %s\n", i+1, escape.Markdown(text))
		}
		for _, text := range slices.Concat(s.Notes, s.Below) {
			item(text)
		}
		if len(s.Runs) > 0 {
			fmt.Fprintf(w, "- Records: `%s`\n", strings.Join(s.Runs, "`, `"))
		}
		fmt.Fprintln(w)
	}
}

func markdownTable(w io.Writer, t view.Table) {
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	var titles, under []string
	for i, c := range t.Columns {
		titles = append(titles, escape.Markdown(view.OneLine(c.Title)))
		rule := "---:"
		if left(t, i) {
			rule = "---"
		}
		under = append(under, rule)
	}
	line(titles)
	line(under)
	for _, row := range lines(t) {
		var cells []string
		for _, c := range row {
			cells = append(cells, markdownCell(c))
		}
		line(cells)
	}
	fmt.Fprintln(w)
}

func markdownCell(c view.Cell) string {
	text := escape.Markdown(value(c))
	if c.SD != "" {
		text += " ± " + c.SD
	}
	switch {
	case c.Best:
		text = "**" + text + "**"
	case c.Second:
		text = "*" + text + "*"
	}
	if len(c.Footnotes) > 0 {
		text += " [" + footnotes(c.Footnotes) + "]"
	}
	return text
}
