package aggregate

import (
	"math"

	"famebench/internal/stats"
)

// equality compares each row of a table with the first row of its model.
func equality(dataset string, groups []*group, within float64) (out []Equality) {
	first := map[string]*group{}
	for _, g := range groups {
		than := first[g.Model]
		if than == nil {
			first[g.Model] = g
			continue
		}
		e := Equality{Dataset: dataset, Label: g.Label, Than: than.Label, Verdict: UndecidedEqual}
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
		out = append(out, e)
	}
	return out
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
