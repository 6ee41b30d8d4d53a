package aggregate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// Side is one side of a comparison: the records of a run, of a suite, or of a results folder,
// or imported lists.
type Side struct {
	Name     string // as the user named it
	Suite    string // "": the records are not those of a suite
	Row      string // the label or the model of its only row on each data set; "": all rows
	Whole    bool   // all of a suite or folder: its rows are matched with those of the other side
	Axes     []string
	Records  []*record.Record
	Imported []*record.Imported
	Store    record.Store
	Average  string   // as Input.Average
	Notes    []string // about its records
}

// Comparison is two sides next to each other.
type Comparison struct {
	A string `json:"a,omitempty"` // "": as B, the rows are pairs of a suite
	B string `json:"b,omitempty"`
	// Lines are by pair of rows, seen-item rule and metric.
	Lines []ComparedMetric `json:"lines"`
	// Means are over data sets, of pairs of rows that have several.
	Means    []ComparedMean `json:"geometric_means,omitempty"`
	Warnings []Hidden       `json:"warnings,omitempty"`
	Notes    []string       `json:"notes,omitempty"`
}

// ComparedMetric is a metric of two rows on one data set.
type ComparedMetric struct {
	Dataset string `json:"dataset"`
	RowA    string `json:"row_a"`
	RowB    string `json:"row_b"`
	Rule    string `json:"rule"`
	Metric  string `json:"metric"`
	A       *Cell  `json:"a,omitempty"` // nil: the lists of an imported row are too short for it
	B       *Cell  `json:"b,omitempty"`
	// Percent is the difference in percent of A; nil where A is 0.
	Percent *float64 `json:"percent,omitempty"`
	// Test is of the users' values, as in the tables; Holm's correction is for all lines
	// under one rule. Without one, Untested says why.
	Test     *Test  `json:"test,omitempty"`
	Untested string `json:"untested,omitempty"`

	z float64 // of Wilcoxon's test: the direction of the ranks
}

// ComparedMean is the geometric mean of a metric over data sets.
type ComparedMean struct {
	RowA     string  `json:"row_a"`
	RowB     string  `json:"row_b"`
	Rule     string  `json:"rule"`
	Metric   string  `json:"metric"`
	A        float64 `json:"a"`
	B        float64 `json:"b"`
	Percent  float64 `json:"percent"`
	Datasets int     `json:"datasets"`
}

// pair is two rows that are compared, with the rows of the table that they come from if it is
// the same one.
type pair struct {
	dataset  string
	a, b     *group
	table    []*group
	where    string   // in words
	named    []string // settings that the labels name: they are what is compared
	untested string
}

// SidesError is about two sides that cannot be compared.
type SidesError struct{ error }

// Compare sets side B against side A.
func Compare(a, b Side) (*Comparison, error) {
	c := &Comparison{A: a.Name, B: b.Name, Lines: []ComparedMetric{}}
	for _, text := range slices.Concat(a.Notes, b.Notes) {
		c.Notes = appendNew(c.Notes, text)
	}
	ta, err := a.tables(c)
	if err != nil {
		return nil, err
	}
	tb, err := b.tables(c)
	if err != nil {
		return nil, err
	}
	for _, side := range []struct{ of, other *Side }{{&a, &b}, {&b, &a}} {
		if side.of.Suite == "" { // it has no average of its own
			side.of.Average = side.other.Average
		}
	}
	if a.Average != b.Average {
		over := map[string]string{"": "test cases", ByUser: "users"}
		c.Notes = append(c.Notes, fmt.Sprintf("averages of %s are over %s, and those of %s over %s", a.Name, over[a.Average], b.Name, over[b.Average]))
	}
	pairs := match(ta, tb, a, b, c)
	if len(pairs) == 0 {
		return nil, SidesError{fmt.Errorf("no rows can be paired: expected some on the same data set that have the same settings, or the only row of a model on each side; %s has %s, and %s has %s; name rows as SUITE/ROW", a.Name, contents(ta), b.Name, contents(tb))}
	}
	for _, p := range pairs {
		for _, side := range []struct {
			g  *group
			of Side
		}{{p.a, a}, {p.b, b}} {
			if len(side.g.kept)+len(side.g.removed) > 0 { // imported, or read for another pair
				continue
			}
			in, one := Input{Store: side.of.Store, Average: side.of.Average}, []*group{side.g}
			if err := in.readRanks(one); err != nil {
				return nil, err
			}
			if _, _, err := in.readCases(one); err != nil {
				return nil, err
			}
		}
		if a.Average != b.Average && (p.a.units.of != nil || p.b.units.of != nil) {
			p.untested = "one is an average over users, the other over test cases"
		}
		lines, err := p.lines(Columns)
		if err != nil {
			return nil, err
		}
		c.Lines = append(c.Lines, lines...)
		c.Notes = append(c.Notes, p.notImported()...)
		c.warn(p)
	}
	if err := c.correct(); err != nil {
		return nil, err
	}
	c.geometricMeans()
	c.explain()
	return c, nil
}

// untested says why two rows cannot be tested; "" if they can: the users must be the same, and
// the trainings must not, because the bootstrap takes them to be independent.
func untested(g, h *group) string {
	if g.dataset().Fingerprint != h.dataset().Fingerprint {
		return "the data differ, so the users are not the same"
	}
	if g.protocol() != h.protocol() || g.dataset().Split != h.dataset().Split {
		return "the splits differ, so the test items are not the same"
	}
	if n, m := g.users(), h.users(); n != m {
		return fmt.Sprintf("A has %d test users, B has %d", n, m)
	}
	for _, r := range g.records {
		if slices.ContainsFunc(h.records, func(s *record.Record) bool { return r.ID == s.ID && r.ResultSHA256 == s.ResultSHA256 }) {
			return "both sides have the same run, " + r.ID
		}
	}
	for _, m := range g.imported {
		if slices.ContainsFunc(h.imported, func(o *record.Imported) bool { return m.ID == o.ID }) {
			return "both sides have the same lists, " + m.ID
		}
	}
	return ""
}

// users is the number of test users.
func (g *group) users() int {
	if g.imported != nil {
		return g.imported[0].Users
	}
	return g.records[0].Result.Users
}

// notImported names the seen-item rules for which a row of the pair has no lists.
func (p pair) notImported() (notes []string) {
	for _, g := range []*group{p.a, p.b} {
		for _, rule := range SeenItemRules {
			if len(g.Under(rule).Metrics) == 0 {
				notes = append(notes, fmt.Sprintf("no lists of %s on %s were imported for seen items %s", g.Label, p.dataset, rule))
			}
		}
	}
	return notes
}

// lines compares a pair of rows in some metrics under both rules.
func (p pair) lines(metrics []string) (out []ComparedMetric, err error) {
	for _, rule := range SeenItemRules {
		if len(p.a.Under(rule).Metrics) == 0 || len(p.b.Under(rule).Metrics) == 0 {
			continue // no lists were imported for it, which a note says
		}
		var lines []ComparedMetric
		for _, metric := range metrics {
			l := ComparedMetric{Dataset: p.dataset, RowA: p.a.Label, RowB: p.b.Label, Rule: rule, Metric: metric, Untested: p.untested}
			if c, ok := p.a.Under(rule).Metrics[metric]; ok {
				l.A = &c
			}
			if c, ok := p.b.Under(rule).Metrics[metric]; ok {
				l.B = &c
			}
			switch {
			case l.A == nil && l.B == nil:
				continue
			case (l.A == nil || l.B == nil) && caseValue(metric) == nil:
				l.Untested = "imported lists do not have it"
			case l.A == nil || l.B == nil:
				l.Untested = "imported lists are too short for it"
			case l.Untested == "" && caseValue(metric) == nil:
				l.Untested = "single users have no value of it"
			}
			if l.A != nil && l.B != nil && l.A.Mean > 0 {
				l.Percent = new(100 * (l.B.Mean/l.A.Mean - 1))
			}
			lines = append(lines, l)
		}
		if err := p.test(rule, lines); err != nil {
			return nil, err
		}
		out = append(out, lines...)
	}
	return out, nil
}

// test tests the users' values under a rule. If both rows are of one table, the draws are
// those of the table's tests, so that a comparison with the table's baseline has the same
// interval: the other rows take part with their number of seeds, since that decides which
// seeds are drawn, and with zeros, which cost nothing.
func (p pair) test(rule string, lines []ComparedMetric) error {
	var tested []*ComparedMetric
	for i := range lines {
		if lines[i].Untested == "" {
			tested = append(tested, &lines[i])
		}
	}
	if len(tested) == 0 {
		return nil
	}
	zeros := make([]float64, len(p.a.units.values(tested[0].Metric, p.a.ranks(rule)[0])))
	if why := p.unpaired(len(zeros)); why != "" {
		for _, l := range tested {
			l.Untested = why
		}
		return nil
	}
	drawn := make([][][][]float64, len(tested)) // [metric][row][seed][user]
	base, other := -1, -1
	rows := p.rows(rule)
	for _, g := range rows {
		switch g {
		case p.a:
			base = len(drawn[0])
		case p.b:
			other = len(drawn[0])
		}
		for k, l := range tested {
			seeds := slices.Repeat([][]float64{zeros}, max(len(g.records), len(g.ranks(rule))))
			if g == p.a || g == p.b {
				for s, ranks := range g.ranks(rule) {
					seeds[s] = g.units.drawn(l.Metric, ranks)
				}
			}
			drawn[k] = append(drawn[k], seeds)
		}
	}
	intervals, err := stats.BootstrapEach(drawn, likeSeeds(rows), base, draws, drawSeed)
	if err != nil {
		return err
	}
	for k, l := range tested {
		signed, err := stats.Wilcoxon(overSeeds(p.b.values(l.Metric, rule)), overSeeds(p.a.values(l.Metric, rule)))
		if err != nil {
			return err
		}
		i := intervals[k][other]
		l.Test, l.z = newTest(i), signed.Z
		l.Test.P = signed.Exact
		l.Test.FewSeeds = p.a.fewSeeds(rule) || p.b.fewSeeds(rule)
	}
	return nil
}

// unpaired says why the users of two rows cannot be tested; "" if they can.
func (p pair) unpaired(users int) string {
	switch {
	case p.a.units.unknown || p.b.units.unknown:
		return "the file of the test cases is missing, so it is unknown which of them are of one user"
	case users < 2:
		return "there is one test user only"
	}
	return ""
}

// rows are those that take part in the draws.
func (p pair) rows(rule string) []*group {
	if p.table == nil {
		return []*group{p.a, p.b}
	}
	var out []*group
	for _, g := range p.table {
		if g.Label == p.b.Label {
			g = p.b // made from the same records, and it has their ranks
		}
		_, tested := g.Under(rule).Metrics[Tested]          // lists of five items have other metrics only
		if g == p.a || g == p.b || tested && !g.Reference { // otherwise it is not in the table's tests
			out = append(out, g)
		}
	}
	return out
}

// correct adjusts the p-values for all lines under one rule: whoever looks at all of them
// should not find more by chance than whoever looks at one.
func (c *Comparison) correct() error {
	for _, rule := range SeenItemRules {
		var p []float64
		var of []ComparedMetric
		for _, l := range c.Lines {
			if l.Rule == rule && l.Test != nil {
				p, of = append(p, l.Test.P), append(of, l)
			}
		}
		corrected, err := stats.Holm(p)
		if err != nil {
			return err
		}
		for i, l := range of {
			l.Test.PHolm = corrected[i]
			l.Test.Significant = !l.Test.FewSeeds && significant(l.Test, l.z)
		}
	}
	return nil
}

// geometricMeans are over the data sets of each pair of rows that has a metric on several. One
// that is 0 somewhere has no geometric mean.
func (c *Comparison) geometricMeans() {
	type sum struct {
		ComparedMean
		zero bool
	}
	var order []string
	sums := map[string]*sum{}
	for _, l := range c.Lines {
		if l.A == nil || l.B == nil {
			continue
		}
		key := strings.Join([]string{l.RowA, l.RowB, l.Rule, l.Metric}, "\x00")
		if sums[key] == nil {
			sums[key] = &sum{ComparedMean: ComparedMean{RowA: l.RowA, RowB: l.RowB, Rule: l.Rule, Metric: l.Metric}}
			order = append(order, key)
		}
		s := sums[key]
		s.Datasets++
		s.zero = s.zero || l.A.Mean <= 0 || l.B.Mean <= 0
		s.A, s.B = s.A+math.Log(l.A.Mean), s.B+math.Log(l.B.Mean)
	}
	for _, key := range order {
		s := sums[key]
		if s.Datasets < 2 {
			continue
		}
		if s.zero {
			c.Notes = append(c.Notes, fmt.Sprintf("no geometric mean of %s, seen items %s: it is 0 on a data set", s.Metric, s.Rule))
			continue
		}
		n := float64(s.Datasets)
		s.A, s.B = math.Exp(s.A/n), math.Exp(s.B/n)
		s.Percent = 100 * (s.B/s.A - 1)
		c.Means = append(c.Means, s.ComparedMean)
	}
}

// explain notes why lines have no verdict.
func (c *Comparison) explain() {
	for _, l := range c.Lines {
		if l.Test != nil && l.Test.FewSeeds {
			c.Notes = appendNew(c.Notes, fmt.Sprintf("no verdict (~) where a side has fewer than %d seeds: the spread over users says nothing about the spread over trainings", FewSeeds))
		}
	}
	reasons, metrics := []string{}, map[string][]string{}
	for _, l := range c.Lines {
		if l.Untested != "" {
			reasons = appendNew(reasons, l.Untested)
			metrics[l.Untested] = appendNew(metrics[l.Untested], l.Metric)
		}
	}
	for _, why := range reasons {
		c.Notes = append(c.Notes, fmt.Sprintf("no test of %s: %s", strings.Join(metrics[why], ", "), why))
	}
}
