package aggregate

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// Verify computes a table's numbers again from its records, which plan.Complete has completed, and
// returns what differs: labels and places on the suite's axes, means, deviations, marks, gains, shares
// of the oracle, metrics beyond accuracy, curves, costs, what is said of each run, the choice
// of the baseline, and of the tests the differences and p-values. It does not draw the bootstrap
// intervals again, which takes most of the time of a table.
func (t *Table) Verify(store record.Store, records map[string]*record.Record, imported []*record.Imported, axes []string) (problems []string) {
	problem := func(format string, args ...any) {
		problems = append(problems, t.Dataset+": "+fmt.Sprintf(format, args...))
	}
	var groups []*group
	for i := range t.Rows {
		row := &t.Rows[i]
		if row.Imported != nil {
			continue
		}
		g := &group{Row: Row{Label: row.Label}}
		for _, run := range row.Runs {
			r := records[run.ID]
			switch {
			case r == nil:
				problem("row %s names the run %s, which has no sound record", row.Label, run.ID)
				continue
			case r.ResultSHA256 != run.SHA256:
				problem("row %s: the record of %s hashes to %.8s, expected %.8s, from which the row was made", row.Label, run.ID, r.ResultSHA256, run.SHA256)
			}
			g.records = append(g.records, r)
		}
		if len(g.records) == 0 {
			problem("row %s has no runs", row.Label)
			return problems
		}
		groups = append(groups, g)
	}
	if problems != nil || len(groups) == 0 {
		return problems
	}
	var lists []*record.Imported
	for _, m := range imported {
		if ofImport(m) == dataKey(groups[0].records[0].Result.Spec) && slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Imported != nil && r.Label == m.Spec.Name }) {
			lists = append(lists, m)
		}
	}
	rows, err := importedGroups(lists, t.Users, t.Items)
	label(groups, axes)
	for _, g := range groups {
		g.fill(axes, nil)
	}
	in := Input{Store: store, Average: t.Average}
	if err == nil {
		err = in.readRanks(groups)
	}
	if err == nil {
		_, _, err = in.readCases(groups)
	}
	rows = slices.Concat(groups, rows)
	if err == nil && len(rows) != len(t.Rows) {
		err = fmt.Errorf("expected %d rows of imported lists, found %d", len(t.Rows)-len(groups), len(rows)-len(groups))
	}
	if err == nil {
		_, err = in.beyond(groups)
	}
	if err == nil {
		err = t.verifyTests(rows, problem)
	}
	if err != nil {
		problem("%v", err)
		return problems
	}
	t.verifyWhole(groups, rows, problem)
	for i, g := range rows {
		t.Rows[i].verify(g, problem)
	}
	return problems
}

// verifyWhole compares what is about all rows: sizes, the choice of baseline and proposal. It fills
// in marks and shares of the oracle. Which rows are baselines is the suite's definition.
func (t *Table) verifyWhole(groups, rows []*group, problem func(string, ...any)) {
	res := groups[0].records[0].Result
	cases := t.Users
	if t.Cases > 0 {
		cases = t.Cases
	}
	if cases != res.Users || t.Items != res.Items {
		problem("%d test cases and %d items, expected %d and %d, as in the records", cases, t.Items, res.Users, res.Items)
	}
	again := Table{}
	for i, g := range rows {
		g.Baseline = t.Rows[i].Baseline
		again.Rows = append(again.Rows, g.Row)
	}
	if best := bestOnValidation(groups, true); !t.BaselineNamed && best != t.Baseline {
		problem("the baseline is %q, expected %q, which is best on validation", t.Baseline, best)
	}
	if best := bestOnValidation(groups, false); best != t.Proposed {
		problem("the proposal is %q, expected %q", t.Proposed, best)
	}
	again.shareOfOracle(repeating(res.Spec))
	for i, g := range rows {
		for _, rule := range SeenItemRules {
			g.Under(rule).OfOracle = again.Rows[i].Under(rule).OfOracle
		}
	}
	markRows(rows)
}

// verify compares a row with the same row made again.
func (r *Row) verify(g *group, problem func(string, ...any)) {
	if r.Label != g.Label || r.Model != g.Model && g.Model != "" {
		problem("expected row %s, got %s", g.Label, r.Label)
		return
	}
	if !reflect.DeepEqual(r.At, g.At) {
		problem("row %s: its place on the axes is %v, expected %v", r.Label, r.At, g.At)
	}
	for i, want := range g.Runs {
		run := r.Runs[i]
		if !maps.Equal(want.Removed, run.Removed) || !maps.Equal(want.Kept, run.Kept) || want.Valid != run.Valid {
			problem("row %s: the metrics of %s are not those of its record", r.Label, run.ID)
		}
		want.Removed, want.Kept, want.Valid = run.Removed, run.Kept, run.Valid
		if !reflect.DeepEqual(run, want) {
			problem("row %s: what it says of the settings and the machine of %s is not what the record says", r.Label, run.ID)
		}
	}
	for _, rule := range SeenItemRules {
		want, got := g.Under(rule).Metrics, r.Under(rule).Metrics
		for _, metric := range Columns {
			w, g := want[metric], got[metric]
			if w.Mean != g.Mean || w.SD != g.SD || w.N != g.N || !close(w.Gain, g.Gain) {
				problem("row %s, seen items %s: %s is %v ± %v of %d seeds, expected %v ± %v of %d, and the gain over the baseline", r.Label, rule, metric, g.Mean, g.SD, g.N, w.Mean, w.SD, w.N)
			}
			if w.Best != g.Best || w.Second != g.Second {
				problem("row %s, seen items %s: %s is marked best: %t, second: %t; expected %t and %t", r.Label, rule, metric, g.Best, g.Second, w.Best, w.Second)
			}
		}
		if !reflect.DeepEqual(r.Under(rule).OfOracle, g.Under(rule).OfOracle) {
			problem("row %s, seen items %s: the share of the oracle is not that of its records", r.Label, rule)
		}
		if !maps.Equal(r.Under(rule).Beyond, g.Under(rule).Beyond) {
			problem("row %s, seen items %s: the metrics beyond accuracy are not those of its runs' files", r.Label, rule)
		}
	}
	if r.Valid != g.Valid || r.Cost != g.Cost || !reflect.DeepEqual(r.Curve, g.Curve) {
		problem("row %s: validation, curve or cost are not those of its records", r.Label)
	}
	if !reflect.DeepEqual(r.Heads, g.Heads) {
		problem("row %s: what pre-training learned is not that of its records", r.Label)
	}
}

// verifyTests fills in the gains of rows and compares the tests, but for their intervals.
func (t *Table) verifyTests(rows []*group, problem func(string, ...any)) error {
	base := slices.IndexFunc(rows, func(g *group) bool { return g.Label == t.Baseline })
	if base < 0 {
		if t.Baseline != "" {
			problem("the baseline %s has no row", t.Baseline)
		}
		return nil
	}
	for _, rule := range SeenItemRules {
		var p []float64
		var tested []int
		of := map[int]stats.Signed{}
		reference := overSeeds(rows[base].values(Tested, rule))
		for i, g := range rows {
			if g.Reference { // it is neither tested nor has gains
				continue
			}
			for metric, c := range g.Under(rule).Metrics {
				if b := rows[base].Under(rule).Metrics[metric].Mean; b > 0 {
					c.Gain = new(100 * (c.Mean/b - 1))
				}
				g.Under(rule).Metrics[metric] = c
			}
			test := t.Rows[i].Under(rule).Test
			_, has := g.Under(rule).Metrics[Tested]
			if want := i != base && has && len(reference) > 1 && !rows[base].units.unknown; want != (test != nil) {
				problem("row %s, seen items %s: expected a test: %t, got one: %t", g.Label, rule, want, test != nil)
				return nil
			}
			if test == nil {
				continue
			}
			signed, err := stats.Wilcoxon(overSeeds(g.values(Tested, rule)), reference)
			if err != nil {
				return err
			}
			p, tested, of[i] = append(p, signed.Exact), append(tested, i), signed
		}
		corrected, err := stats.Holm(p)
		if err != nil {
			return err
		}
		for k, i := range tested {
			got := *t.Rows[i].Under(rule).Test
			want := Test{P: p[k], PHolm: corrected[k], Low: got.Low, High: got.High, FewSeeds: rows[i].fewSeeds(rule) || rows[base].fewSeeds(rule)}
			want.Difference = rows[i].Under(rule).Metrics[Tested].Mean - rows[base].Under(rule).Metrics[Tested].Mean
			want.Significant = !want.FewSeeds && significant(&want, of[i].Z)
			if !near1(got.P, want.P) || !near1(got.PHolm, want.PHolm) || math.Abs(got.Difference-want.Difference) > 1e-12 ||
				got.FewSeeds != want.FewSeeds || got.Significant != want.Significant || !(got.Low <= got.High) {
				problem("row %s, seen items %s: its test says p = %v, difference %v, significant %t; expected p = %v, difference %v, significant %t",
					rows[i].Label, rule, got.PHolm, got.Difference, got.Significant, want.PHolm, want.Difference, want.Significant)
			}
		}
	}
	return nil
}

// near1 is equality up to the rounding of another kind of processor.
func near1(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func close(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*max(1, math.Abs(*b))
}
