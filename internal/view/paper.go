package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"famebench/internal/aggregate"
)

// Paper is a comparison for a paper: a table for each seen-item rule, with the same columns,
// rows in the order of the axes, and notes in place of footnotes.
func Paper(t *aggregate.Table, axes []string) Section {
	own := *t
	own.Rows = byAxes(t.Rows, axes)
	s := Comparison(&own, axes, Document)
	s.Tables = slices.DeleteFunc(s.Tables, func(t Table) bool { return t.Rule == "" })
	improved := false
	for k := range s.Tables {
		for _, row := range s.Tables[k].Rows {
			row.Cells[0].Footnotes = nil
		}
		if foot := s.Tables[k].Foot; foot != nil {
			foot[0].Text, improved = "improvement, %", true
		}
	}
	s.Footnotes, s.Notes = nil, append(rowNotes(&own), s.Notes...)
	if improved {
		s.Notes = append([]string{fmt.Sprintf("improvement: of %s over %s", t.Proposed, t.Baseline)}, s.Notes...)
	}
	return s
}

// byAxes orders the rows of each model by their places on the axes. Models stay where they are.
func byAxes(rows []aggregate.Row, axes []string) []aggregate.Row {
	byModel := map[string][]aggregate.Row{}
	var models []string
	for _, r := range rows {
		if byModel[r.Model] == nil {
			models = append(models, r.Model)
		}
		byModel[r.Model] = append(byModel[r.Model], r)
	}
	var out []aggregate.Row
	for _, model := range models {
		own := byModel[model]
		if alone, ok := variedAlone(own, axes); ok {
			slices.SortStableFunc(own, func(a, b aggregate.Row) int {
				i, j := alone(a), alone(b)
				if i != j || i < 0 {
					return cmp.Compare(i, j)
				}
				return compareAt(a, b, axes[i])
			})
		} else {
			slices.SortStableFunc(own, func(a, b aggregate.Row) int {
				order := 0
				for _, axis := range axes {
					order = cmp.Or(order, compareAt(a, b, axis))
				}
				return order
			})
		}
		out = append(out, own...)
	}
	return out
}

// compareAt compares the values of two rows on an axis: numbers ascending, others as they come.
func compareAt(a, b aggregate.Row, axis string) int {
	x, ok1 := a.At[axis].(float64) // as JSON has all numbers
	y, ok2 := b.At[axis].(float64)
	if !ok1 || !ok2 {
		return 0
	}
	return cmp.Compare(x, y)
}

// variedAlone says of each row which axis it varies, if all rows vary at most one: then all
// others have the value that most rows have. The row that varies none belongs to the first.
func variedAlone(rows []aggregate.Row, axes []string) (axis func(aggregate.Row) int, ok bool) {
	usual := make([]string, len(axes))
	for i, a := range axes {
		often := map[string]int{}
		for _, r := range rows {
			at := fmt.Sprint(r.At[a]) // a list is no key
			if often[at]++; often[at] > often[usual[i]] {
				usual[i] = at
			}
		}
	}
	varies := func(r aggregate.Row) (is []int) {
		for i, a := range axes {
			if fmt.Sprint(r.At[a]) != usual[i] {
				is = append(is, i)
			}
		}
		return is
	}
	if slices.ContainsFunc(rows, func(r aggregate.Row) bool { return len(varies(r)) > 1 }) {
		return nil, false
	}
	return func(r aggregate.Row) int {
		if is := varies(r); is != nil {
			return is[0]
		}
		return min(0, len(axes)-1) // -1 without axes
	}, true
}

// rowNotes are the footnotes of the rows, each with the rows that it is about.
func rowNotes(t *aggregate.Table) []string {
	about := map[string][]string{}
	var order []string
	trained := 0
	for _, r := range t.Rows {
		if !r.NonNeural {
			trained++
		}
		for _, note := range r.Notes {
			if about[note] == nil {
				order = append(order, note)
			}
			about[note] = append(about[note], r.Label)
		}
	}
	var out []string
	for _, note := range order {
		rows := strings.Join(about[note], ", ")
		switch n := len(about[note]); {
		case n == 1:
		case n == len(t.Rows):
			rows = "all models"
		case n == trained && !slices.ContainsFunc(t.Rows, func(r aggregate.Row) bool { return r.NonNeural && slices.Contains(r.Notes, note) }):
			rows = "all trained models"
		}
		out = append(out, fmt.Sprintf("%s (%s)", note, rows))
	}
	return out
}
