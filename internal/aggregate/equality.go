package aggregate

import (
	"math"

	"famebench/internal/stats"
)

// Equality says whether a row has the same results as the row of its model that is planned first,
// which differs from it on an axis of the suite. The validation items decide, on seeds that both
// rows have.
type Equality struct {
	Dataset    string  `json:"dataset"`
	Label      string  `json:"label"`      // of the row
	Than       string  `json:"than"`       // label of the row that it is compared with; "": that has no records on the row's device
	Seeds      int     `json:"seeds"`      // that both have; 0 also if the other row's validation NDCG@10 is 0: the numbers then mean nothing
	Difference float64 `json:"difference"` // of validation NDCG@10, mean over seeds, in percent of the other row's mean
	Low        float64 `json:"low"`        // its 95 % interval, by Student's t over the seeds, if there are several
	High       float64 `json:"high"`
	Verdict    string  `json:"verdict"` // one of the verdicts below
	// Removed and Kept are the differences of test NDCG@10 under the two seen-item rules, in
	// percent. They decide nothing.
	Removed float64 `json:"removed"`
	Kept    float64 `json:"kept"`
}

// Verdicts on equality.
const (
	EqualResults   = "equal"     // the interval lies within the margin
	UnequalResults = "different" // it lies outside
	UndecidedEqual = "undecided" // neither, or there are too few seeds for an interval
)

// equality compares each row of a table with the row of its model that is planned first: the
// configured settings if they are a place on the axis, else the axis's first value. The device of
// the plan is that of the command and does not count: rows are compared with one of their own.
// Rows that are there only because others begin with them are no place on the axis.
func (in Input) equality(dataset string, groups []*group) (out []Equality, err error) {
	data := dataKey(groups[0].records[0].Result.Spec)
	first := map[string]string{} // by model: the key of its row
	asked := map[string]bool{}   // the keys of the suite's own rows
	for _, p := range in.Planned {
		if p.Source || dataKey(p.Spec) != data {
			continue
		}
		key, err := keyOfAnyDevice(p.Spec)
		if err != nil {
			return nil, err
		}
		asked[key] = true
		if first[p.Spec.Model] == "" {
			first[p.Spec.Model] = key
		}
	}
	var others []*group
	than := map[[2]string]*group{} // by model and device
	for _, g := range groups {
		if g.anyDevice == first[g.Model] {
			than[[2]string{g.Model, g.device()}] = g
		} else if asked[g.anyDevice] {
			others = append(others, g)
		}
	}
	for _, g := range others {
		e := equal(g, than[[2]string{g.Model, g.device()}], in.EqualWithin)
		e.Dataset = dataset
		out = append(out, e)
	}
	return out, nil
}

// equal compares a row with another one; nil: it has no records.
func equal(g, than *group, within float64) Equality {
	e := Equality{Label: g.Label, Verdict: UndecidedEqual}
	if than == nil {
		return e
	}
	e.Than = than.Label
	var valid, base, removed, baseRemoved, kept, baseKept []float64
	for _, a := range g.Runs {
		for _, b := range than.Runs {
			if a.Seed == b.Seed && a.Device == b.Device {
				valid, base = append(valid, a.Valid), append(base, b.Valid)
				removed, baseRemoved = append(removed, a.Removed[Tested]), append(baseRemoved, b.Removed[Tested])
				kept, baseKept = append(kept, a.Kept[Tested]), append(baseKept, b.Kept[Tested])
			}
		}
	}
	if mean(base) == 0 { // no seed in common, or nothing is a percentage of that
		return e
	}
	e.Seeds = len(valid)
	e.Removed, e.Kept = mean(percentOf(removed, baseRemoved)), mean(percentOf(kept, baseKept))
	d := percentOf(valid, base)
	e.Difference = mean(d)
	e.Low, e.High = e.Difference, e.Difference
	if half, ok := stats.HalfWidth(d); ok {
		e.Low, e.High = e.Difference-half, e.Difference+half
		switch {
		case -within <= e.Low && e.High <= within:
			e.Verdict = EqualResults
		case e.High < -within || e.Low > within:
			e.Verdict = UnequalResults
		}
	}
	return e
}

// percentOf are the differences of paired values, in percent of the mean of the second ones.
func percentOf(a, b []float64) []float64 {
	m := mean(b)
	out := make([]float64, len(a))
	for i := range a {
		if m != 0 {
			out[i] = 100 * (a[i] - b[i]) / m
		}
	}
	return out
}

func mean(values []float64) float64 {
	m, _ := stats.MeanSD(values)
	if math.IsNaN(m) { // no values
		return 0
	}
	return m
}
