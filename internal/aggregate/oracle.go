package aggregate

import "famebench/internal/record"

// generated reports whether a run is of generated data.
func generated(s record.Spec) bool { return plain(s.Dataset.Config["format"]) == "facets" }

// Oracle is the model that ranks generated data by the true probabilities.
const Oracle = "oracle"

// References know how generated data came about. They show what is attainable. The best and
// the second best of a column are chosen without them, and they are not tested against the
// baseline.
var References = []string{Oracle, "labels-known"}

// oracle is the oracle's Tested; 0 if the table has no oracle, or it finds nothing.
func (t *Table) oracle(rule string) float64 {
	for i := range t.Rows {
		if t.Rows[i].Model == Oracle {
			return t.Rows[i].Under(rule).Metrics[Tested].Mean
		}
	}
	return 0
}

// shareOfOracle fills in Rule.OfOracle.
func (t *Table) shareOfOracle() {
	for _, rule := range SeenItemRules {
		best := t.oracle(rule)
		if best == 0 {
			continue
		}
		for i := range t.Rows {
			var shares []float64
			for _, run := range t.Rows[i].Runs {
				shares = append(shares, 100*run.tested(rule)/best)
			}
			c := newCell(shares)
			t.Rows[i].Under(rule).OfOracle = &c
		}
	}
}

// tested is the run's own Tested on test items.
func (r Run) tested(rule string) float64 {
	if rule == "kept" {
		return r.Kept[Tested]
	}
	return r.Removed[Tested]
}
