// Package view describes every table that is shown, once: its title, columns, rows
// and footnotes, the words around it, and the runs that its numbers come from.
//
// It computes nothing: all numbers come from packages aggregate and record. Nor does it
// know any format: package report writes its sections for a terminal and as Markdown and
// LaTeX, package page as HTML. (The tables of -analyse, which the page does not show, are
// sections too, but package report describes them: package analysis needs libtorch, which
// the page does not.)
//
// Numbers are rounded on their way into a cell and nowhere else. CSV files, which are for
// programs, are written from the unrounded data. What a reader must know about a number
// (few seeds, an epoch budget that ended training, uncommitted changes) is a footnote of
// its row.
package view

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Medium is what a view is made for.
type Medium int

const (
	// Terminal is brief: it leaves out breakdowns, heads of pre-training, and published
	// numbers that are not known to be measured as ours are.
	Terminal Medium = iota
	// Document has all of these. As on the terminal, tests have a table of their own.
	Document
	// Page shows more columns and tables: the axes of a sweep, training and cost, curves.
	// Its numbers lead to their runs, which show the tests.
	Page
)

// Section is a part of a view: tables with one title and common footnotes.
type Section struct {
	Title     string
	About     string // continues the title
	Tables    []Table
	Footnotes []string // numbered from 1
	Marks     string   // what marks next to numbers mean, except for best and second best
	Notes     []string
	Intro     []string // sentences above the tables
	Below     []string // sentences below the tables
	Runs      []string // ids of the runs that its numbers come from
}

// Table is a table, whatever the format.
type Table struct {
	Caption string
	Rule    string // which numbers of a run its cells show: "removed", "kept" or "training"; "": its cells have no runs
	Columns []Column
	Rows    []Row
	Foot    []Cell   // a last row, set apart
	Ranked  bool     // best and second best are marked
	Broken  bool     // texts are broken into lines already
	About   []string // explains columns, where there is room
}

// Column says what a column shows.
type Column struct {
	Title string // a line break makes it narrow where that matters
	Long  string // the title where there is room; "": the same
	Text  bool   // to the left
	Hint  string
	Key   string // of the number in a run, such as "NDCG@10"; "": no run has it
}

// Row is a row of a table.
type Row struct {
	Index  int  // in the list of what is shown, which may have more elements
	Chosen bool // set apart: the baseline, or the choice of a search
	Cells  []Cell
}

// Cell is a text or a number. Low and High are the interval of a number.
type Cell struct {
	Text         string
	Sort         string // the number to sort by; "": none
	SD           string // standard deviation over seeds
	Low, High    string
	After        string // a word behind the number
	Mark         string // behind the number, such as †
	Footnotes    []int
	Best, Second bool
	Verdict      Verdict
	Link         string // a file of the results folder
	Ref          *Ref
}

// Verdict is the judgement that a text expresses.
type Verdict string

// Verdicts.
const (
	Good Verdict = "good"
	Bad  Verdict = "bad"
	Open Verdict = "open"
)

// Ref is the cell of a comparison that a number was taken from.
type Ref struct {
	Table, Row   int // in the suite
	Rule, Metric string
}

// String names the cell within its suite, as "0.6/kept/NDCG@10".
func (r Ref) String() string { return fmt.Sprintf("%d.%d/%s/%s", r.Table, r.Row, r.Rule, r.Metric) }

// footnote gives the number of a footnote. Equal texts share one.
func (s *Section) footnote(text string) int {
	i := slices.Index(s.Footnotes, text)
	if i < 0 {
		i = len(s.Footnotes)
		s.Footnotes = append(s.Footnotes, text)
	}
	return i + 1
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) {
	t.Rows = append(t.Rows, Row{Index: len(t.Rows), Cells: cells})
}

// Columns are columns of numbers; those whose title begins with < hold text.
func Columns(titles ...string) []Column {
	var out []Column
	for _, title := range titles {
		title, text := strings.CutPrefix(title, "<")
		out = append(out, Column{Title: title, Text: text})
	}
	return out
}

// OneLine undoes the breaks that keep columns narrow.
func OneLine(title string) string {
	return strings.NewReplacer("\n@", "@", "\n", " ").Replace(title)
}

// Sentence begins with a capital.
func Sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
