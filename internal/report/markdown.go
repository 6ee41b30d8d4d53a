package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
)

// MarkdownSuite renders a suite as Markdown.
func MarkdownSuite(w io.Writer, s *aggregate.Suite) {
	fmt.Fprintf(w, "# Suite %s\n\n%s\n\n", escape.Markdown(s.Name), escape.Paragraph(s.Summary))
	markdownSections(w, sections(s, false))
}

// MarkdownCosts renders the cost table of a suite as Markdown.
func MarkdownCosts(w io.Writer, suite, summary string, costs []record.Cost) {
	fmt.Fprintf(w, "# Suite %s\n\n%s\n\n", escape.Markdown(suite), escape.Paragraph(summary))
	markdownSections(w, []section{costSection(costs)})
}

func markdownSections(w io.Writer, all []section) {
	for _, s := range all {
		fmt.Fprintf(w, "## %s\n\n", escape.Markdown(s.title))
		ranked := false
		for _, sh := range s.sheets {
			ranked = ranked || sh.ranked
			if sh.caption != "" {
				fmt.Fprintf(w, "**%s**\n\n", escape.Markdown(sentence(sh.caption)))
			}
			markdownTable(w, sh)
		}
		item := func(text string) { fmt.Fprintf(w, "- %s\n", escape.Paragraph(text)) }
		if ranked {
			item("bold: best; italic: second best")
		}
		if s.marks != "" {
			item(s.marks)
		}
		for _, sh := range s.sheets {
			for _, text := range sh.about {
				item(text)
			}
		}
		for i, text := range s.refs {
			fmt.Fprintf(w, "- [%d] %s\n", i+1, escape.Markdown(text))
		}
		for _, text := range s.notes {
			item(text)
		}
		if len(s.source) > 0 {
			fmt.Fprintf(w, "- Records: `%s`\n", strings.Join(s.source, "`, `"))
		}
		fmt.Fprintln(w)
	}
}

func markdownTable(w io.Writer, sh sheet) {
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	var titles, under []string
	for i, title := range sh.head {
		titles = append(titles, escape.Markdown(oneLine(title)))
		rule := "---:"
		if i == 0 || slices.Contains(sh.left, i) {
			rule = "---"
		}
		under = append(under, rule)
	}
	line(titles)
	line(under)
	for _, row := range append(slices.Clone(sh.rows), sh.foot) {
		var cells []string
		for _, c := range row {
			cells = append(cells, markdownCell(c))
		}
		if cells != nil {
			line(cells)
		}
	}
	fmt.Fprintln(w)
}

func markdownCell(c cell) string {
	text := escape.Markdown(c.text)
	if c.sd != "" {
		text += " ± " + c.sd
	}
	switch {
	case c.best:
		text = "**" + text + "**"
	case c.second:
		text = "*" + text + "*"
	}
	if mark := references(c.refs); mark != "" {
		text += " " + mark
	}
	return text
}

// oneLine undoes the breaks that keep columns narrow.
func oneLine(title string) string {
	return strings.NewReplacer("\n@", "@", "\n", " ").Replace(title)
}

// sentence begins with a capital.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
