package rank

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Check compares the metrics of a record with the ranks that it comes with: each but
// Coverage@10 is a function of them. exact says that they were computed on the kind of
// processor that this is; others may round a logarithm otherwise in the last bit.
// items is the number of candidates, rule the seen-item rule for messages.
func Check(recorded Metrics, ranks []int32, items int, rule string, exact bool) error {
	if len(ranks) == 0 {
		return fmt.Errorf("seen items %s: there are no ranks", rule)
	}
	for i, r := range ranks {
		if r < 1 || int(r) > items {
			return fmt.Errorf("seen items %s: case %d has rank %d, expected 1 to %d, the number of items", rule, i, r, items)
		}
	}
	want := averages(ranks)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got, ok := recorded[name]
		if !ok {
			return fmt.Errorf("seen items %s: there is no %s", rule, name)
		}
		if w := want[name]; got != w && (exact || !(math.Abs(got-w) <= 1e-12*w)) {
			return fmt.Errorf("seen items %s: %s is %v, expected %v", rule, name, got, w)
		}
	}
	for name := range recorded {
		if _, ok := want[name]; !ok && name != Coverage {
			return fmt.Errorf("seen items %s: unknown metric %.40q", rule, name)
		}
	}
	return checkCoverage(recorded, len(ranks), items, rule)
}

// checkCoverage bounds Coverage@10, which is not in the ranks: whole items, at least
// one, and at most ten for each case.
func checkCoverage(recorded Metrics, cases, items int, rule string) error {
	got, ok := recorded[Coverage]
	n := math.Round(got * float64(items))
	if !ok || n/float64(items) != got || n < 1 || n > float64(min(items, topK*cases)) {
		return fmt.Errorf("seen items %s: %s is %v, expected the share of 1 to %d of %d items", rule, Coverage, got, min(items, topK*cases), items)
	}
	return nil
}
