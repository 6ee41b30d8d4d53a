package aggregate

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// complexity compares the rows of each model with its row at the lowest value of an axis, on
// thirds of the users by the entropy of their histories. It is nil where the entropies of the
// data are not stored.
func (in Input) complexity(t Table, groups []*group) (*Complexity, error) {
	first := groups[0].records[0].Result
	e, err := in.Store.ReadEntropy(first.Spec.Dataset, t.Protocol, first.Users)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &Complexity{Facet: e.Facet}
	members := c.divide(e)
	for _, own := range byModel(groups) {
		than := lowest(own, in.Axes)
		if than == nil || len(own) < 2 {
			continue
		}
		rows, err := c.compare(own, than, members)
		if err != nil {
			return nil, err
		}
		c.Rows = append(c.Rows, rows...)
	}
	return c, nil
}

// noEntropy says why the table of a record does not group users by entropy.
func (in Input) noEntropy(r *record.Record) string {
	spec := r.Result.Spec
	return fmt.Sprintf("%s: its users were not grouped by entropy, since datasets/%s is missing; a report where the data is writes it",
		spec.Dataset.Name, filepath.Base(in.Store.EntropyPath(spec.Dataset, spec.Protocol)))
}

// byModel gives the rows of each model, in the order of the table.
func byModel(groups []*group) (out [][]*group) {
	place := map[string]int{}
	for _, g := range groups {
		i, ok := place[g.Model]
		if !ok {
			i = len(out)
			place[g.Model], out = i, append(out, nil)
		}
		out[i] = append(out[i], g)
	}
	return out
}

// lowest is the row with the lowest number on the first axis that the rows have; nil if there is
// none.
func lowest(rows []*group, axes []string) (low *group) {
	for _, axis := range axes {
		var least float64
		for _, g := range rows {
			if v, ok := g.At[axis].(float64); ok && (low == nil || v < least) {
				low, least = g, v
			}
		}
		if low != nil {
			return low
		}
	}
	return nil
}

// divide fills in the groups and returns the cases of each. Its bounds are the entropies at
// one and two thirds of the users in their order: the labels of data sets differ in number, so
// fixed bounds would leave groups empty. Users with equal entropies are in one group.
func (c *Complexity) divide(e *record.Entropy) [][]int {
	sorted := slices.DeleteFunc(slices.Clone(e.Millibits), func(v int32) bool { return v < 0 })
	c.Without = len(e.Millibits) - len(sorted)
	if len(sorted) == 0 {
		return nil
	}
	slices.Sort(sorted)
	n := len(sorted)
	low, high := sorted[(n+2)/3-1], sorted[(2*n+2)/3-1]
	out := make([][]int, 3)
	for i, v := range e.Millibits {
		switch {
		case v < 0:
		case v <= low:
			out[0] = append(out[0], i)
		case v <= high:
			out[1] = append(out[1], i)
		default:
			out[2] = append(out[2], i)
		}
	}
	bits := func(v int32) string { return strconv.FormatFloat(float64(v)/1000, 'f', 3, 64) }
	for i, label := range []string{"up to " + bits(low), "up to " + bits(high), "> " + bits(high)} {
		c.Groups = append(c.Groups, UserGroup{label + " bits", len(out[i])})
	}
	return out
}

// compare gives the rows of a model but for the one that they are compared with.
func (c *Complexity) compare(rows []*group, than *group, members [][]int) (out []ComplexityRow, err error) {
	gains := map[string][]GroupGains{} // [rule][row]
	for _, rule := range SeenItemRules {
		if gains[rule], err = groupGains(rows, than, rule, members); err != nil {
			return nil, err
		}
	}
	for i, g := range rows {
		if g != than {
			out = append(out, ComplexityRow{Model: g.Model, Label: g.Label, Than: than.Label, Removed: gains["removed"][i], Kept: gains["kept"][i]})
		}
	}
	return out, nil
}

// groupGains compares each row with one of them in each group of cases, under a seen-item rule.
func groupGains(rows []*group, than *group, rule string, members [][]int) ([]GroupGains, error) {
	out := make([]GroupGains, len(rows))
	base := slices.Index(rows, than)
	bySeed := make([][][]float64, len(rows)) // [row][group][seed] means
	for k, cases := range members {
		series, among := make([][][]float64, len(rows)), than.units.among(cases)
		for i, g := range rows {
			bySeed[i] = append(bySeed[i], nil)
			for _, all := range g.ranks(rule) {
				own := make([]int32, len(cases))
				for j, c := range cases {
					own[j] = all[c]
				}
				values := among.drawn(Tested, own)
				series[i] = append(series[i], values)
				bySeed[i][k] = append(bySeed[i][k], mean(values))
			}
		}
		if len(series[base][0]) < 2 { // no interval
			for i := range out {
				out[i].Groups = append(out[i].Groups, nil)
			}
			continue
		}
		intervals, err := stats.Bootstrap(series, base, groupDraws, drawSeed)
		if err != nil {
			return nil, err
		}
		for i, v := range intervals {
			out[i].Groups = append(out[i].Groups, &GroupGain{mean(bySeed[base][k]), v.Mean, v.Lo, v.Hi})
		}
	}
	if len(members) == 0 || len(members[0]) == 0 || len(members[len(members)-1]) == 0 {
		return out, nil
	}
	last := len(members) - 1
	for i, g := range rows {
		var trend []float64
		for _, pair := range paired(g, than) {
			a, b := pair[0], pair[1]
			trend = append(trend, bySeed[i][last][a]-bySeed[base][last][b]-(bySeed[i][0][a]-bySeed[base][0][b]))
		}
		out[i].Trend = newSeedMean(trend)
	}
	return out, nil
}

// paired gives the places of the runs of two rows that share their seed and device.
func paired(a, b *group) (out [][2]int) {
	for i, x := range a.Runs {
		for j, y := range b.Runs {
			if x.Seed == y.Seed && x.Device == y.Device {
				out = append(out, [2]int{i, j})
			}
		}
	}
	return out
}

// newSeedMean is the mean of one value for each seed, with its interval.
func newSeedMean(values []float64) SeedMean {
	m := SeedMean{Seeds: len(values), Mean: mean(values)}
	m.Low, m.High = m.Mean, m.Mean
	if half, ok := stats.HalfWidth(values); ok {
		m.Low, m.High = m.Mean-half, m.Mean+half
	}
	return m
}
