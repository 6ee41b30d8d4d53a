package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"famebench/internal/escape"
	"famebench/internal/view"
)

// The terminal gets lines of at most 100 columns, so labels and texts are broken.
const (
	lineWidth  = 100
	labelWidth = 14
	textWidth  = 32
	tightWidth = 18 // of texts in tables of more than 8 columns
	borders    = 7  // and spaces, of a table with two columns
)

func writeSections(w io.Writer, all ...view.Section) error {
	for _, s := range all {
		fmt.Fprintln(w)
		writeWrapped(w, title(s), "  ")
		for _, text := range s.Intro {
			writeWrapped(w, text, "  ")
		}
		for _, t := range s.Tables {
			if t.Caption != "" {
				fmt.Fprintln(w, escape.Line(t.Caption))
			}
			if err := writeTable(w, t); err != nil {
				return err
			}
		}
		var marks []string
		if slices.ContainsFunc(s.Tables, func(t view.Table) bool { return t.Ranked }) {
			marks = append(marks, "*: best; °: second best")
		}
		if s.Marks != "" {
			marks = append(marks, s.Marks)
		}
		if marks != nil {
			writeWrapped(w, strings.Join(marks, "; ")+".", "")
		}
		for i, text := range s.Footnotes {
			writeWrapped(w, fmt.Sprintf("[%d] %s", i+1, text), "    ")
		}
		for _, text := range s.Notes {
			writeWrapped(w, "Note: "+text+".", "  ")
		}
		for _, text := range s.Below {
			writeWrapped(w, text, "")
		}
	}
	return nil
}

// lines are the rows of a table with the last one that is set off.
func lines(t view.Table) [][]view.Cell {
	var out [][]view.Cell
	for _, row := range t.Rows {
		out = append(out, row.Cells)
	}
	if t.Foot != nil {
		out = append(out, t.Foot)
	}
	return out
}

// terminalCell breaks a text at the width, and puts the deviation on a line of its
// own: eight metrics with their deviations side by side would need 120 columns.
func terminalCell(c view.Cell, width int) string {
	text := strings.Join(wrap(escape.Line(value(c)), width, ""), "\n")
	if len(c.Footnotes) > 0 {
		mark := "[" + footnotes(c.Footnotes) + "]"
		last := text[strings.LastIndex(text, "\n")+1:]
		if utf8.RuneCountInString(last+" "+mark) > width {
			text += "\n" + mark
		} else {
			text += " " + mark
		}
	}
	switch {
	case c.Best:
		text += "*"
	case c.Second:
		text += "°"
	}
	if c.SD != "" {
		text += "\n±" + c.SD
	}
	return text
}

// wrap breaks a text at spaces and, where a word is too long, after a hyphen or a sign that
// separates the parts of a setting. All lines but the first are indented.
func wrap(text string, width int, indent string) []string {
	var lines []string
	line, begun := "", false
	put := func(word string) {
		if begun && utf8.RuneCountInString(line+" "+word) > width {
			lines, line, begun = append(lines, line), indent, false
		}
		if begun {
			line += " "
		}
		line, begun = line+word, true
	}
	for word := range strings.SplitSeq(text, " ") {
		for utf8.RuneCountInString(word) > width {
			i := strings.LastIndexAny(string([]rune(word)[:width]), "-.=_/")
			if i <= 0 {
				break
			}
			put(word[:i+1])
			lines, line, begun = append(lines, line), indent, false
			word = word[i+1:]
		}
		put(word)
	}
	return append(lines, line)
}

// WriteColumns writes lines whose columns are two or more spaces apart, as of a list or a plan.
// The rest of a line that is too long stands below its last column. Lines without columns stay
// whole: paths are copied from them.
func WriteColumns(to io.Writer, write func(io.Writer) error) error {
	var lines, out strings.Builder
	if err := write(&lines); err != nil {
		return err
	}
	for line := range strings.Lines(strings.ReplaceAll(lines.String(), "    \t", "        ")) {
		line = strings.TrimSuffix(line, "\n")
		if i := strings.LastIndex(line, "  "); i >= 0 {
			indent := 2
			if i < lineWidth*2/3 {
				indent = i + 2
			}
			line = strings.Join(wrap(line, lineWidth, strings.Repeat(" ", indent)), "\n")
		}
		out.WriteString(line + "\n")
	}
	_, err := io.WriteString(to, out.String())
	return err
}

func writeWrapped(w io.Writer, text, indent string) {
	fmt.Fprintln(w, strings.Join(wrap(escape.Line(text), lineWidth, indent), "\n"))
}

// widest is the number of letters in the longest line of a column.
func widest(t view.Table, column int) int {
	width := utf8.RuneCountInString(t.Columns[column].Title)
	for _, row := range lines(t) {
		for line := range strings.SplitSeq(terminalCell(row[column], textWidth), "\n") {
			width = max(width, utf8.RuneCountInString(line))
		}
	}
	return width
}

// writeTable draws a table.
func writeTable(w io.Writer, t view.Table) error {
	align := make([]tw.Align, len(t.Columns))
	var header []string
	for i, c := range t.Columns {
		header, align[i] = append(header, c.Title), tw.AlignRight
		if left(t, i) {
			align[i] = tw.AlignLeft
		}
	}
	var rows [][]string
	for _, row := range lines(t) {
		var cells []string
		for i, c := range row {
			width := lineWidth
			switch {
			case t.Columns[i].Text && i > 0 && len(row) > 8:
				width = tightWidth
			case t.Columns[i].Text && i > 0:
				width = textWidth
			case i == 0 && len(row) > 2:
				width = labelWidth
			case i == 0 && len(row) == 2:
				width -= widest(t, 1) + borders
			}
			if t.Broken {
				cells = append(cells, c.Text)
			} else {
				cells = append(cells, terminalCell(c, width))
			}
		}
		rows = append(rows, cells)
	}
	drawn := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off), // keep HR@10 as it is written
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
	)
	drawn.Header(header)
	if err := drawn.Bulk(rows); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := drawn.Render(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
