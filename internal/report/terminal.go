package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/record"
)

// The terminal gets lines of at most 100 columns, so labels and texts are broken.
const (
	lineWidth  = 100
	labelWidth = 14
	textWidth  = 32
)

// WriteSuite renders a suite for a terminal. Published numbers are shown where their
// terms are ours; documents have all.
func WriteSuite(w io.Writer, s *aggregate.Suite) error { return writeSections(w, sections(s, true)) }

// WriteCosts renders the cost table for a terminal.
func WriteCosts(w io.Writer, costs []record.Cost) error {
	return writeSections(w, []section{costSection(costs)})
}

func writeSections(w io.Writer, all []section) error {
	for _, s := range all {
		fmt.Fprintf(w, "\n%s\n", escape.Line(s.title))
		ranked := false
		for _, sh := range s.sheets {
			ranked = ranked || sh.ranked
			if sh.caption != "" {
				fmt.Fprintf(w, "%s\n", escape.Line(sh.caption))
			}
			var rows [][]string
			for _, row := range append(slices.Clone(sh.rows), sh.foot) {
				var cells []string
				for i, c := range row {
					width := lineWidth
					switch {
					case slices.Contains(sh.left, i):
						width = textWidth
					case i == 0 && len(row) > 2:
						width = labelWidth
					}
					cells = append(cells, terminalCell(c, width))
				}
				if cells != nil {
					rows = append(rows, cells)
				}
			}
			if err := writeTable(w, sh.head, rows, sh.left...); err != nil {
				return err
			}
		}
		var marks []string
		if ranked {
			marks = append(marks, "*: best; °: second best")
		}
		if s.marks != "" {
			marks = append(marks, s.marks)
		}
		if marks != nil {
			writeWrapped(w, strings.Join(marks, "; ")+".", "")
		}
		for i, text := range s.refs {
			writeWrapped(w, fmt.Sprintf("[%d] %s", i+1, text), "    ")
		}
		for _, text := range s.notes {
			writeWrapped(w, "Note: "+text+".", "  ")
		}
	}
	return nil
}

// terminalCell breaks a text at the width, and puts the deviation on a line of its
// own: eight metrics with their deviations side by side would need 120 columns.
func terminalCell(c cell, width int) string {
	text := strings.Join(wrapLabel(escape.Line(c.text), width), "\n")
	if mark := references(c.refs); mark != "" {
		last := text[strings.LastIndex(text, "\n")+1:]
		if utf8.RuneCountInString(last+" "+mark) > width {
			text += "\n" + mark
		} else {
			text += " " + mark
		}
	}
	switch {
	case c.best:
		text += "*"
	case c.second:
		text += "°"
	}
	if c.sd != "" {
		text += "\n±" + c.sd
	}
	return text
}

// references writes footnotes as [1,2].
func references(refs []int) string {
	if len(refs) == 0 {
		return ""
	}
	return "[" + joinInts(refs) + "]"
}

func joinInts(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}

// wrapLabel breaks a label at spaces and, where a word is too long, after a hyphen.
func wrapLabel(text string, width int) []string {
	var words []string
	for word := range strings.FieldsSeq(text) {
		for len(word) > width {
			i := strings.LastIndex(word[:width], "-")
			if i <= 0 {
				break
			}
			words, word = append(words, word[:i+1]+"\n"), word[i+1:]
		}
		words = append(words, word)
	}
	var lines []string
	line := ""
	for _, word := range words {
		word, hard := strings.CutSuffix(word, "\n")
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
		if hard {
			lines, line = append(lines, line), ""
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// writeWrapped breaks a text at spaces; all lines but the first are indented.
func writeWrapped(w io.Writer, text, indent string) {
	line := ""
	for i, word := range strings.Split(escape.Line(text), " ") {
		if i > 0 && utf8.RuneCountInString(line+" "+word) > lineWidth {
			fmt.Fprintln(w, line)
			line = indent + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}

// writeTable draws a table for a terminal: first column and those named to the
// left, numbers to the right.
func writeTable(w io.Writer, header []string, rows [][]string, left ...int) error {
	align := make([]tw.Align, len(header))
	for i := range align {
		align[i] = tw.AlignRight
		if i == 0 || slices.Contains(left, i) {
			align[i] = tw.AlignLeft
		}
	}
	t := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off), // keep HR@10 as it is written
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
	)
	t.Header(header)
	if err := t.Bulk(rows); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := t.Render(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
