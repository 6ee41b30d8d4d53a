// Package report renders tables from records, for the terminal and as Markdown.
//
// It works in two steps that know nothing of each other: Compare groups records
// and averages seeds without formatting anything, and the writers format without
// computing anything. Numbers are rounded here and nowhere else. What a reader
// must know about a number (few seeds, a budget that ended training, a tree with
// uncommitted changes) travels with it as a footnote.
package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"famebench/internal/record"
)

// Columns are the metrics of the comparison table.
var Columns = []string{"HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20", "MRR", "Coverage@10"}

// FewSeeds is the number of seeds below which a mean gets a footnote.
const FewSeeds = 3

// Comparison is the table of one data set.
type Comparison struct {
	Dataset  string   `json:"dataset"`
	Protocol string   `json:"protocol"`
	Users    int      `json:"users"`
	Items    int      `json:"items"`
	Rows     []Row    `json:"rows"`
	Notes    []string `json:"notes"` // about the table as a whole
	IDs      []string `json:"ids"`   // of the records behind it
}

// Row is a model with one setting of everything but the seed.
type Row struct {
	Model   string          `json:"model"`
	Kept    map[string]Cell `json:"kept"`
	Removed map[string]Cell `json:"removed"`
	Notes   []string        `json:"notes"`
}

// Cell is a metric over the seeds of a row.
type Cell struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`   // sample standard deviation; 0 for one seed
	N    int     `json:"n"`    // seeds
	Best bool    `json:"best"` // the highest mean of its column
}

// Compare groups records by data set and, within it, by everything that decides
// a result but the seed. Groups keep the order in which their first record
// comes. A run that a time limit or a broken loss cut short is named and left
// out.
func Compare(records []*record.Record) ([]Comparison, error) {
	var order []string
	byData := map[string][]*record.Record{}
	for _, r := range records {
		s := r.Result.Spec
		key := s.Dataset.Name + "\x00" + s.Dataset.Fingerprint + "\x00" + s.Protocol
		if byData[key] == nil {
			order = append(order, key)
		}
		byData[key] = append(byData[key], r)
	}
	var out []Comparison
	for _, key := range order {
		c, err := compareOne(byData[key])
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func compareOne(records []*record.Record) (Comparison, error) {
	first := records[0].Result
	c := Comparison{Dataset: first.Spec.Dataset.Name, Protocol: first.Spec.Protocol, Users: first.Users, Items: first.Items}
	var order []string
	groups := map[string][]*record.Record{}
	var used []*record.Record
	for _, r := range records {
		if r.Result.Status == record.Time {
			c.Notes = append(c.Notes, r.ID+" is left out: its time limit stopped it")
			continue
		}
		key, err := groupKey(r.Result.Spec)
		if err != nil {
			return c, err
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], r)
		used = append(used, r)
		c.IDs = append(c.IDs, r.ID)
	}
	for _, key := range order {
		c.Rows = append(c.Rows, newRow(groups[key]))
	}
	markBest(c.Rows)
	if text := settingsText("", only(first.Spec.Dataset.Config, filters...)); text != "" {
		c.Notes = append(c.Notes, "the data with "+text)
	}
	c.Notes = append(c.Notes, tableNotes(used)...)
	return c, nil
}

// groupKey is equal for runs that differ in the seed alone.
func groupKey(s record.Spec) (string, error) {
	s.Seed = 0
	s.Dataset.Name, s.Dataset.Config = "", nil
	b, err := record.Canonical(s)
	return string(b), err
}

func newRow(records []*record.Record) Row {
	row := Row{Model: records[0].Result.Spec.Model, Kept: map[string]Cell{}, Removed: map[string]Cell{}}
	for _, metric := range Columns {
		var kept, removed []float64
		for _, r := range records {
			kept = append(kept, r.Result.Test.Kept[metric])
			removed = append(removed, r.Result.Test.Removed[metric])
		}
		row.Kept[metric], row.Removed[metric] = newCell(kept), newCell(removed)
	}
	row.Notes = rowNotes(records)
	return row
}

func newCell(values []float64) Cell {
	c := Cell{N: len(values)}
	for _, v := range values {
		c.Mean += v
	}
	c.Mean /= float64(c.N)
	if c.N > 1 {
		for _, v := range values {
			d := v - c.Mean
			c.SD += float64(d * d) // the conversion keeps it from being fused
		}
		c.SD = math.Sqrt(c.SD / float64(c.N-1))
	}
	return c
}

func markBest(rows []Row) {
	if len(rows) < 2 {
		return
	}
	for _, metric := range Columns {
		for _, cells := range []func(Row) map[string]Cell{
			func(r Row) map[string]Cell { return r.Kept },
			func(r Row) map[string]Cell { return r.Removed },
		} {
			best := math.Inf(-1)
			for _, r := range rows {
				best = max(best, cells(r)[metric].Mean)
			}
			for _, r := range rows {
				c := cells(r)[metric]
				c.Best = c.Mean == best
				cells(r)[metric] = c
			}
		}
	}
}

// rowNotes says what a reader must know about a row.
func rowNotes(records []*record.Record) []string {
	spec := records[0].Result.Spec
	var notes []string
	var settings []string
	for _, text := range []string{settingsText("", spec.Params), settingsText("train.", spec.Train)} {
		if text != "" {
			settings = append(settings, text)
		}
	}
	if settings != nil {
		notes = append(notes, "not at the default: "+strings.Join(settings, ", "))
	}
	if spec.Floor {
		return notes
	}
	var atBudget, epochs int
	for _, r := range records {
		if r.Result.Status == record.Epochs {
			atBudget, epochs = atBudget+1, r.Result.Epochs
		}
	}
	if atBudget > 0 {
		who := ""
		if len(records) > 1 {
			who = fmt.Sprintf(" (%d of %d seeds)", atBudget, len(records))
		}
		notes = append(notes, fmt.Sprintf("stopped at the epoch budget of %d, not by patience%s", epochs, who))
	}
	switch n := len(records); {
	case n == 1:
		notes = append(notes, "1 seed only")
	case n < FewSeeds:
		notes = append(notes, fmt.Sprintf("%d seeds only", n))
	}
	return notes
}

// settingsText writes settings as "key = value, …", sorted by key.
func settingsText(prefix string, s record.Settings) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		var text string
		if json.Unmarshal(s[key], &text) != nil { // no string
			text = string(s[key])
		}
		out = append(out, fmt.Sprintf("%s%s = %s", prefix, key, text))
	}
	return strings.Join(out, ", ")
}

// filters are the settings of a data set that change what is in it.
var filters = []string{"min_rating", "duplicates", "k_core", "max_users", "ties"}

func only(s record.Settings, keys ...string) record.Settings {
	out := record.Settings{}
	for _, k := range keys {
		if v, ok := s[k]; ok {
			out[k] = v
		}
	}
	return out
}

// tableNotes warns where the records of one table are not of one kind.
func tableNotes(records []*record.Record) []string {
	var notes []string
	dirty := 0
	var warnings []string
	mixed := []struct {
		what   string
		value  func(*record.Record) string
		values []string
	}{
		{"commits", func(r *record.Record) string { return short(r.Measured.Commit) }, nil},
		{"devices", func(r *record.Record) string { return r.Result.Spec.Device }, nil},
		{"thread counts", func(r *record.Record) string { return fmt.Sprint(r.Result.Spec.Threads) }, nil},
		{"versions of libtorch", func(r *record.Record) string { return r.Measured.Libtorch }, nil},
	}
	for _, r := range records {
		if r.Measured.Dirty {
			dirty++
		}
		for i := range mixed {
			if v := mixed[i].value(r); v != "" && !slices.Contains(mixed[i].values, v) {
				mixed[i].values = append(mixed[i].values, v)
			}
		}
		for _, w := range r.Measured.Warnings {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	}
	if dirty > 0 {
		notes = append(notes, fmt.Sprintf("dirty tree: %d of %d records were made with uncommitted changes", dirty, len(records)))
	}
	for _, m := range mixed {
		if len(m.values) > 1 {
			notes = append(notes, fmt.Sprintf("records of different %s: %s", m.what, strings.Join(m.values, ", ")))
		}
	}
	return append(notes, warnings...)
}

func short(commit string) string { return commit[:min(len(commit), 8)] }
