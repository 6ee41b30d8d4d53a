package aggregate

import (
	"encoding/json"

	"famebench/internal/record"
)

// generated reports whether a run is of generated data.
func generated(s record.Spec) bool { return plain(s.Dataset.Config["format"]) == "facets" }

// Oracle is the model that ranks generated data by the true probabilities.
const Oracle = "oracle"

// References know how generated data came about. They show how good a model could be. The best and
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

// repeating reports whether users of generated data interact with an item several times.
func repeating(s record.Spec) bool {
	var world struct{ Repeats bool }
	text := s.Dataset.Config["world"]
	return generated(s) && text != nil && json.Unmarshal(text, &world) == nil && world.Repeats
}

// shareOfOracle fills in Rule.OfOracle. Where items repeat and seen items are removed, the
// oracle's ranking is not the best one: a target is a candidate although it was seen, and other
// seen items are none, so it pays to rank all seen items first.
func (t *Table) shareOfOracle(repeating bool) {
	for _, rule := range SeenItemRules {
		best := t.oracle(rule)
		if best == 0 || repeating && rule == "removed" {
			continue
		}
		for i := range t.Rows {
			if len(t.Rows[i].Runs) == 0 { // imported
				continue
			}
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
