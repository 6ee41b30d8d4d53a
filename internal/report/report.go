// Package report writes the sections of package view for a terminal, as Markdown and as
// LaTeX (booktabs), and the numbers behind them, unrounded, as CSV. It only formats.
package report

import (
	"fmt"
	"io"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/record"
	"famebench/internal/view"
)

// WriteSuite renders a suite for a terminal. Published numbers are shown where their
// terms are ours; documents have all.
func WriteSuite(w io.Writer, s *aggregate.Suite) error {
	return writeSections(w, view.Suite(s, view.Terminal)...)
}

// WriteCosts renders the cost table for a terminal.
func WriteCosts(w io.Writer, costs []record.Cost) error {
	return writeSections(w, view.Costs(costs))
}

// WriteCells renders what a suite of kind "cost" with steps has measured for a terminal.
func WriteCells(w io.Writer, c *aggregate.Cells) error {
	return writeSections(w, view.Cells(c, view.Terminal)...)
}

// WriteTrials renders the trials of a search for a terminal.
func WriteTrials(w io.Writer, s *aggregate.Suite) error {
	return writeSections(w, view.Trials(s))
}

// WriteComparison renders a comparison of two sides for a terminal.
func WriteComparison(w io.Writer, c *aggregate.Comparison) error {
	return writeSections(w, view.Comparing(c))
}

// WriteImported says what was imported, for a terminal.
func WriteImported(w io.Writer, m *record.Imported, path string) error {
	return writeSections(w, view.Imported(m, path))
}

// MarkdownSuite renders a suite as Markdown.
func MarkdownSuite(w io.Writer, s *aggregate.Suite) {
	markdown(w, s.Name, s.Summary, view.Suite(s, view.Document)...)
}

// MarkdownCosts renders the cost table of a suite as Markdown.
func MarkdownCosts(w io.Writer, suite, summary string, costs []record.Cost) {
	markdown(w, suite, summary, view.Costs(costs))
}

// MarkdownCells renders what a suite of kind "cost" with steps has measured as Markdown.
func MarkdownCells(w io.Writer, c *aggregate.Cells) {
	markdown(w, c.Name, c.Summary, view.Cells(c, view.Document)...)
}

// MarkdownTrials renders the trials of a search as Markdown.
func MarkdownTrials(w io.Writer, s *aggregate.Suite) {
	markdown(w, s.Name, s.Summary, view.Trials(s))
}

// LatexSuite renders a suite as LaTeX tables, for \input into a document that uses
// the package booktabs. As in the papers, the best is bold, the second underlined.
func LatexSuite(w io.Writer, s *aggregate.Suite) {
	latex(w, s.Name, view.Suite(s, view.Document)...)
}

// LatexCosts renders the cost table of a suite as LaTeX.
func LatexCosts(w io.Writer, suite string, costs []record.Cost) {
	latex(w, suite, view.Costs(costs))
}

// LatexCells renders what a suite of kind "cost" with steps has measured as LaTeX.
func LatexCells(w io.Writer, c *aggregate.Cells) {
	latex(w, c.Name, view.Cells(c, view.Document)...)
}

// LatexTrials renders the trials of a search as LaTeX.
func LatexTrials(w io.Writer, s *aggregate.Suite) {
	latex(w, s.Name, view.Trials(s))
}

// title is a section's title in full.
func title(s view.Section) string {
	if s.About == "" {
		return s.Title
	}
	return s.Title + ": " + s.About
}

// left says whether a column is aligned to the left: the first one, and those of text.
func left(t view.Table, column int) bool { return column == 0 || t.Columns[column].Text }

// value is a cell's text with what is behind it: a word, an interval and a mark.
func value(c view.Cell) string {
	text := c.Text
	if c.After != "" {
		text += " " + c.After
	}
	if c.Low != "" {
		text += fmt.Sprintf(" (%s–%s)", c.Low, c.High)
	}
	return text + c.Mark
}

// footnotes writes the numbers of footnotes as 1,2.
func footnotes(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}
