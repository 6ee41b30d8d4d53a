package aggregate

import (
	"fmt"
	"path/filepath"
	"slices"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// Breakdown shows the rows of a table on groups of its test cases.
type Breakdown struct {
	By     string         `json:"by"`     // ByTarget or ByHistory
	Groups []UserGroup    `json:"groups"` // every test case is in one
	Rows   []BreakdownRow `json:"rows"`   // as Table.Rows
}

// UserGroup is some of a table's test cases, and so of its users if each has one.
type UserGroup struct {
	Label string `json:"label"` // what they have of Breakdown.By, as "1-5"
	Users int    `json:"users"` // cases; 0: the data has none such
}

// BreakdownRow is a row on each group, by metric (BreakdownColumns).
type BreakdownRow struct {
	Label   string                `json:"label"` // as Row.Label
	Removed []map[string]Estimate `json:"removed"`
	Kept    []map[string]Estimate `json:"kept"`
}

// Under returns the row's estimates under a seen-item rule, by group.
func (r *BreakdownRow) Under(rule string) []map[string]Estimate {
	if rule == "kept" {
		return r.Kept
	}
	return r.Removed
}

// Estimate is the mean of a metric over a group's users and a row's seeds.
type Estimate struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`   // of the seeds' means; 0 for one seed
	N    int     `json:"n"`    // seeds; 0: nobody is in the group
	Low  float64 `json:"low"`  // 95 % bootstrap interval over users and seeds;
	High float64 `json:"high"` // Mean itself where a group is one user
}

// What test cases are grouped by, see record.Cases. Neither depends on a model.
const (
	ByTarget  = "interactions of the target in training"
	ByHistory = "items in the history"
)

// BreakdownColumns are the metrics of a breakdown.
var BreakdownColumns = []string{"NDCG@10", "HR@10"}

// groupDraws is the number of bootstrap draws of a breakdown's interval: there are
// many, and nothing is decided by them.
const groupDraws = 2_000

// bins are the groups of a breakdown: the highest number in each, but for the last,
// which has the rest.
type bins struct {
	by     string
	upTo   []int
	number func(*record.Cases) []int32 // of every test case
}

// breakdowns are the same for all data sets. Short and rare are what five
// interactions of everything (5-core) leave to tell apart; 50 items are what models
// look at by default, so longer histories are cut.
var breakdowns = []bins{
	{ByTarget, []int{0, 5, 20}, func(c *record.Cases) []int32 { return c.Training }},
	{ByHistory, []int{5, 10, 20, 50}, func(c *record.Cases) []int32 { return c.History }},
}

// labels names the groups: "0", "1-5", "6-20", "> 20".
func (b bins) labels() []string {
	var out []string
	from := 0
	for _, to := range b.upTo {
		text := fmt.Sprintf("%d-%d", from, to)
		if from == to {
			text = fmt.Sprint(to)
		}
		out, from = append(out, text), to+1
	}
	return append(out, fmt.Sprintf("> %d", from-1))
}

// groups lists the test cases of each group.
func (b bins) groups(c *record.Cases) [][]int {
	out := make([][]int, len(b.upTo)+1)
	for i, n := range b.number(c) {
		g, _ := slices.BinarySearch(b.upTo, int(n))
		out[g] = append(out[g], i)
	}
	return out
}

// breakdownsOf shows the rows of a table on groups of its test cases. There are none where
// these are not stored.
func breakdownsOf(c *record.Cases, groups []*group) ([]Breakdown, error) {
	if c == nil {
		return nil, nil
	}
	var out []Breakdown
	for _, bins := range breakdowns {
		b := Breakdown{By: bins.by}
		labels := bins.labels()
		cases := bins.groups(c)
		for i, label := range labels {
			b.Groups = append(b.Groups, UserGroup{label, len(cases[i])})
		}
		removed, err := estimates(cases, groups, func(g *group) [][]int32 { return g.removed })
		if err != nil {
			return nil, err
		}
		kept, err := estimates(cases, groups, func(g *group) [][]int32 { return g.kept })
		if err != nil {
			return nil, err
		}
		for i, g := range groups {
			b.Rows = append(b.Rows, BreakdownRow{g.Label, removed[i], kept[i]})
		}
		out = append(out, b)
	}
	return out, nil
}

// noBreakdown says why the table of a record has no breakdowns.
func (in Input) noBreakdown(r *record.Record) string {
	spec := r.Result.Spec
	return fmt.Sprintf("%s: its users were not divided into groups, since datasets/%s is missing; a report where the data is writes it",
		spec.Dataset.Name, filepath.Base(in.Store.CasesPath(spec.Dataset, spec.Protocol)))
}

// estimates gives every row's metrics [row][group of cases] under one seen-item rule.
func estimates(cases [][]int, rows []*group, ranks func(*group) [][]int32) ([][]map[string]Estimate, error) {
	out := make([][]map[string]Estimate, len(rows))
	for _, members := range cases {
		// One bootstrap serves all rows and metrics: the same users are drawn for each.
		// Its intervals are of differences, so the baseline is a model that is always 0.
		among := rows[0].units.among(members)
		series := [][][]float64{{make([]float64, len(among.values(Tested, make([]int32, len(members)))))}}
		for _, g := range rows {
			ndcg, hits := make([][]float64, len(g.records)), make([][]float64, len(g.records))
			for seed, all := range ranks(g) {
				own := make([]int32, len(members))
				for i, c := range members {
					own[i] = all[c]
				}
				ndcg[seed], hits[seed] = among.drawn(Tested, own), among.drawn("HR@10", own)
			}
			series = append(series, ndcg, hits) // in the order of BreakdownColumns
		}
		intervals := make([]stats.Interval, len(series))
		if len(series[0][0]) > 1 {
			var err error
			if intervals, err = stats.Bootstrap(series, nil, 0, groupDraws, drawSeed); err != nil {
				return nil, err
			}
		}
		for i := range rows {
			of := map[string]Estimate{}
			for j, metric := range BreakdownColumns {
				k := 1 + i*len(BreakdownColumns) + j
				of[metric] = newEstimate(series[k], intervals[k])
			}
			out[i] = append(out[i], of)
		}
	}
	return out, nil
}

// newEstimate is the mean of values [seed][user]; one user has no interval.
func newEstimate(values [][]float64, interval stats.Interval) Estimate {
	users := len(values[0])
	if users == 0 {
		return Estimate{}
	}
	var seeds []float64
	for _, v := range values {
		mean, _ := stats.MeanSD(v)
		seeds = append(seeds, mean)
	}
	mean, sd := stats.MeanSD(seeds)
	e := Estimate{Mean: mean, SD: sd, N: len(values), Low: interval.Lo, High: interval.Hi}
	if users == 1 {
		e.Low, e.High = mean, mean
	}
	return e
}
