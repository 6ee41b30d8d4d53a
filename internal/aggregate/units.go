package aggregate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
)

// ByUser is the value of Input.Average and Table.Average for metrics that are averaged over
// each user's test cases first.
const ByUser = "user"

// units are the users of a table's test cases. Tests pair them and the bootstrap draws
// them, since the cases of one user are not independent.
type units struct {
	of      []int32 // number of each case's user; nil: each case is of another user
	users   int     // if of is not nil
	perUser bool    // each user weighs the same, however many cases it has
	unknown bool    // users may have several cases, but the file that says so is missing
}

// newUnits are the users of a table's test cases; c is nil if the file of the cases is
// missing.
func (in Input) newUnits(first *record.Record, c *record.Cases) (units, error) {
	u := units{perUser: in.Average == ByUser}
	spec := first.Result.Spec
	switch {
	case c != nil && c.Users != nil:
		u.of = c.Users
		for _, user := range c.Users {
			u.users = max(u.users, int(user)+1)
		}
	case c == nil && spec.Protocol != datasets.LeaveOneOut && spec.Protocol != datasets.TimeSplit:
		u.unknown = true
		if u.perUser {
			return u, fmt.Errorf("average = %q needs %s, which says whose each test case is; open the data once to write it", ByUser, in.Store.CasesPath(spec.Dataset, spec.Protocol))
		}
	}
	return u, nil
}

// values gives each user a value of a metric, whose mean over users is the table's: the sum
// over the user's cases, scaled, or per user the mean over them. Tests pair them.
func (u units) values(metric string, ranks []int32) []float64 {
	cases := ofCases(metric, ranks)
	if u.of == nil {
		return cases
	}
	sums, count := make([]float64, u.users), u.counts()
	for i, v := range cases {
		sums[u.of[i]] += v
	}
	for k := range sums {
		if u.perUser {
			sums[k] /= count[k]
		} else {
			sums[k] *= float64(u.users) / float64(len(cases))
		}
	}
	return sums
}

// drawn gives each user the value that the bootstrap draws. A mean over cases is the ratio
// of two sums over users, of values and of numbers of cases, and a draw of users changes
// both. So the values are those of the ratio's first-order approximation: the mean, plus how
// far the user's cases are from it. Their mean over users is the ratio itself.
func (u units) drawn(metric string, ranks []int32) []float64 {
	out := u.values(metric, ranks)
	if u.of == nil || u.perUser {
		return out
	}
	ratio := mean(out)
	for k, n := range u.counts() {
		out[k] += ratio * (1 - n*float64(u.users)/float64(len(u.of)))
	}
	return out
}

// values are the users' values of a metric under a seen-item rule: [seed][user].
func (g *group) values(metric, rule string) (seeds [][]float64) {
	for _, ranks := range g.ranks(rule) {
		seeds = append(seeds, g.units.values(metric, ranks))
	}
	return seeds
}

// counts are the numbers of cases of each user.
func (u units) counts() []float64 {
	out := make([]float64, u.users)
	for _, user := range u.of {
		out[user]++
	}
	return out
}

// among are the users of some of the cases.
func (u units) among(cases []int) units {
	if u.of == nil {
		return u
	}
	numbers := map[int32]int32{}
	of := make([]int32, len(cases))
	for i, c := range cases {
		user := u.of[c]
		if _, ok := numbers[user]; !ok {
			numbers[user] = int32(len(numbers))
		}
		of[i] = numbers[user]
	}
	u.of, u.users = of, len(numbers)
	return u
}

// readCases reads the test cases of a table, nil if they are not stored, and gives its rows
// their users.
func (in Input) readCases(groups []*group) (*record.Cases, units, error) {
	first := groups[0].records[0]
	c, err := in.Store.ReadCases(first.Result.Spec.Dataset, first.Result.Spec.Protocol, first.Result.Users)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, units{}, err
	}
	u, err := in.newUnits(first, c)
	if err != nil {
		return nil, u, err
	}
	for _, g := range groups {
		if g.units = u; u.of != nil && u.perUser {
			g.averageByUser()
		}
	}
	return c, u, nil
}

// averageByUser replaces the metrics of a row and of its runs, which records average over cases.
func (g *group) averageByUser() {
	for i := range g.Runs { // the records keep theirs
		g.Runs[i].Removed, g.Runs[i].Kept = maps.Clone(g.Runs[i].Removed), maps.Clone(g.Runs[i].Kept)
	}
	for _, rule := range SeenItemRules {
		metrics := slices.Clone(Columns)
		for _, run := range g.Runs { // which have metrics that no column shows
			for name := range run.under(rule) {
				metrics = appendNew(metrics, name)
			}
		}
		for _, metric := range metrics {
			if caseValue(metric) == nil {
				continue // of all lists together
			}
			var seeds []float64
			for seed, ranks := range g.ranks(rule) {
				v := mean(g.units.values(metric, ranks))
				seeds = append(seeds, v)
				g.Runs[seed].under(rule)[metric] = v
			}
			if slices.Contains(Columns, metric) {
				g.Under(rule).Metrics[metric] = newCell(seeds)
			}
		}
	}
}

// under gives a run's metrics under a seen-item rule.
func (r *Run) under(rule string) map[string]float64 {
	if rule == "kept" {
		return r.Kept
	}
	return r.Removed
}

// tableSplit fills in what a table says of its split, and adds to its notes.
func (in Input) tableSplit(t *Table, first *record.Record, u units) {
	spec := first.Result.Spec
	if u.of != nil {
		t.Users, t.Cases = u.users, first.Result.Users
		if u.perUser {
			t.Average = ByUser
			t.Notes = append(t.Notes, byCaseNotes(t)...)
		}
	}
	if u.unknown {
		t.Users, t.Cases = 0, first.Result.Users
		t.Notes = append(t.Notes, fmt.Sprintf("no tests and no intervals: datasets/%s is missing, so it is unknown which test cases are of one user; a report where the data is writes it",
			filepath.Base(in.Store.CasesPath(spec.Dataset, spec.Protocol))))
	}
	for _, d := range in.Datasets {
		if d.Name == spec.Dataset.Name && d.Fingerprint == spec.Dataset.Fingerprint {
			t.Notes = append(t.Notes, splitNotes(d, spec)...)
		}
	}
}

// byCaseNotes say which metrics of a table of means over users are means over cases: the lists of
// single cases are not stored.
func byCaseNotes(t *Table) []string {
	var names []string
	for _, metric := range []string{rank.Popularity, Lift, rank.Novelty, rank.Diversity} { // the other metrics beyond accuracy are of all lists together
		if slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Removed.Beyond[metric].N > 0 || r.Kept.Beyond[metric].N > 0 }) {
			names = append(names, metric)
		}
	}
	if names == nil {
		return nil
	}
	return []string{"means over test cases, not over users: " + strings.Join(names, ", ")}
}

// manyTied is the share of tied test cases from which a table has a note.
const manyTied = .05

// splitNotes say how much of a split depends on the rule for equal times, and how much
// models learn from later than the test cases.
func splitNotes(d datasets.Stats, spec record.Spec) []string {
	if !d.Timed {
		return nil
	}
	cases, tied, leak := d.Users-d.ShortUsers, d.TiedTestUsers, d.Leak
	if spec.Protocol != datasets.LeaveOneOut {
		if d.Split == nil || d.Split.Kind != spec.Protocol || d.Split.Fingerprint != spec.Dataset.Split {
			return nil
		}
		cases, tied, leak = d.Split.Test, d.Split.Tied, d.Split.Leak
	}
	var notes []string
	if float64(tied) > manyTied*float64(cases) {
		decides := "which item is tested"
		if spec.Protocol == datasets.GivenSplit {
			decides = "in which order they are tested"
		}
		notes = append(notes, fmt.Sprintf("%.1f %% of the test cases have the time of an interaction next to them: the rule for equal times (ties = %q) decides %s", 100*float64(tied)/float64(cases), d.Ties, decides))
	}
	if leak > 0 {
		notes = append(notes, fmt.Sprintf("leak of the %s split: %.1f %% of the training interactions are later than the median test interaction", spec.Protocol, 100*leak))
	}
	return notes
}
