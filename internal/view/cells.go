package view

import (
	"fmt"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// Cells shows what a suite of kind "cost" with steps has measured.
func Cells(c *aggregate.Cells, m Medium) []Section {
	var out []Section
	if c.Hypothesis != "" {
		out = append(out, hypothesis(c.Hypothesis))
	}
	costs := Section{Title: "Cost", About: "measured on " + c.Machine(), Tables: []Table{cellTraining(c, m)}}
	costs.Tables = append(costs.Tables, filled(cellScoring(c, m))...)
	costs.Notes = cellNotes(c)
	out = append(out, costs)
	for _, g := range c.Grids {
		if len(g.Growth) > 0 {
			out = append(out, growth(g))
		}
	}
	return out
}

// cellColumns begin the rows of cells. A terminal has no room for the first two.
func cellColumns(m Medium, more ...string) []Column {
	all := append(Columns("<model", "<data set", "H", "N", "d", "items"), Columns(more...)...)
	if m == Terminal {
		return all[2:]
	}
	return all
}

func cellLabels(c record.Cell, m Medium) []Cell {
	settings := []Cell{{Text: c.Model}, {Text: c.Dataset}, {Text: none}, {Text: none}, {Text: none}, count(float64(c.Items))}
	for i, n := range []int{c.Heads, c.Experts, c.Hidden} {
		if n > 0 {
			settings[2+i] = count(float64(n))
		}
	}
	if m == Terminal {
		return settings[2:]
	}
	return settings
}

// cellTraining shows the training steps.
func cellTraining(c *aggregate.Cells, m Medium) Table {
	t := Table{Caption: "training", Columns: cellColumns(m, "<loss", "params", "step\nms", "middle half\nms", "peak\nMB")}
	for _, one := range c.Cells {
		loss := one.Loss
		if one.Negatives > 0 {
			loss = fmt.Sprintf("%s, %d", one.Loss, one.Negatives)
		}
		t.Add(append(cellLabels(one, m), Cell{Text: loss}, count(float64(one.Parameters)), fixed(one.Step.P50, 2),
			Cell{Text: fmt.Sprintf("%.2f–%.2f", one.Step.P25, one.Step.P75)}, count(one.Scoring.PeakRSSMB))...)
	}
	t.About = []string{
		fmt.Sprintf("step: median of %d training steps of %s targets; middle half: between the quartiles; peak: highest memory use of the process in training and folded scoring", c.Steps, targetsOf(c.Cells)),
		"loss: ce is over all items, the others over the target and the stated number of sampled negatives; so the steps of different losses cannot be compared",
	}
	return t
}

// targetsOf names the batch sizes.
func targetsOf(cells []record.Cell) string {
	var all []string
	for _, c := range cells {
		if text := Thousands(c.BatchTargets); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, " or ")
}

// cellScoring shows scoring, folded and with separate heads.
func cellScoring(c *aggregate.Cells, m Medium) Table {
	t := Table{Caption: "scoring: heads folded into one user vector, and scored separately", Columns: cellColumns(m, "users/s", "p50\nms", "p95\nms", "p99\nms")}
	if m == Terminal { // again, after a title that says so once
		t.Columns = append(t.Columns, Columns("separate\nusers/s", "p50\nms", "p95\nms", "p99\nms")...)
	} else {
		t.Columns = append(t.Columns, Columns("separate\nusers/s", "separate\np50 ms", "separate\np95 ms", "separate\np99 ms", "separate\npeak MB")...)
	}
	scoring := func(s *record.Scoring) []Cell {
		if s == nil {
			return Texts(none, none, none, none)
		}
		return Texts(speed(s.UsersPerSecond), milliseconds(s.Latency.P50), milliseconds(s.Latency.P95), milliseconds(s.Latency.P99))
	}
	for _, one := range c.Cells {
		cells := slices.Concat(cellLabels(one, m), scoring(&one.Scoring), scoring(one.Separate))
		if m != Terminal {
			peak := Cell{Text: none}
			if one.Separate != nil {
				peak = count(one.Separate.PeakRSSMB)
			}
			cells = append(cells, peak)
		}
		t.Add(cells...)
	}
	t.About = []string{
		"users/s: full ranking under both seen-item rules; ms: from one user's history to the scores of all items",
		"separate: one score matrix for each head, against item facets that were computed before, and their sum weighted by the gate; it gives the same scores, by the same matrix products; peak: highest memory use of the process up to its end, training included",
	}
	return t
}

// cellNotes say what is missing and which code was measured.
func cellNotes(c *aggregate.Cells) []string {
	var notes, commits []string
	for _, one := range c.Cells {
		commit := fmt.Sprintf("%.12s", one.Commit)
		if one.Dirty {
			commit += " with uncommitted changes"
		}
		if one.Commit != "" && !slices.Contains(commits, commit) {
			commits = append(commits, commit)
		}
	}
	if len(commits) > 0 {
		notes = append(notes, "measured with the code of commit "+strings.Join(commits, " and "))
	}
	if len(c.Missing) > 0 {
		notes = append(notes, fmt.Sprintf("not measured: %s; bench -suite %s measures what is missing", strings.Join(c.Missing, "; "), c.Name))
	}
	return notes
}

// growth shows the exponents of a grid.
func growth(g aggregate.Grid) Section {
	t := Table{Columns: Columns("<what", "cells", "exponent\nof H", "95 % interval", "exponent\nof N", "95 % interval")}
	slope := func(s *aggregate.Slope) []Cell {
		if s == nil {
			return Texts(none, none)
		}
		return []Cell{fixed(s.Value, 3), {Text: fmt.Sprintf("%.3f to %.3f", s.Low, s.High)}}
	}
	for _, one := range g.Growth {
		t.Add(slices.Concat([]Cell{{Text: one.What}, count(float64(one.Cells))}, slope(one.Heads), slope(one.Experts))...)
	}
	t.About = []string{
		"exponents a and b of a quantity that grows as H^a · N^b: slopes of a linear regression of its logarithm on those of H and N; 0: it does not grow, 1: in proportion",
		"the interval (Student's t) supposes that deviations from this law are independent; where the law does not hold, such as for a time with a constant part, it describes the average over the cells only",
	}
	return Section{Title: "Growth", About: fmt.Sprintf("%s on %s, hidden size %d, %s items", g.Model, g.Dataset, g.Hidden, Thousands(g.Items)), Tables: []Table{t}}
}
