package stats

import (
	"math"
	"testing"
)

// With few pairs the normal approximation finds significance where there can be none:
// if N signs agree, p is at least 2·2⁻ᴺ. Expected values are counts of sign patterns
// by hand (and, without ties, the tables of Wilcoxon's test).
func TestWilcoxonOfFewPairs(t *testing.T) {
	for _, c := range []struct {
		name  string
		diffs []float64
		exact float64
	}{
		{"one pair", []float64{1}, 1},
		{"four equal", []float64{1, 1, 1, 1}, 2. / 16},
		{"five of five", []float64{1, 2, 3, 4, 5}, 2. / 32},
		{"six of six", []float64{1, 2, 3, 4, 5, 6}, 2. / 64},
		{"the smallest of six is negative", []float64{-1, 2, 3, 4, 5, 6}, 4. / 64}, // sums 0 and 1
		// Ranks 1, 2.5, 2.5, 4; rank sums up to 2.5: {}, {1}, {2.5}, {2.5}.
		{"ties, one negative", []float64{1, -2, 2, 3}, 8. / 16},
		{"even", []float64{1, -1}, 1}, // 1.5 against 1.5
		{"zeros are dropped", []float64{0, 0, 1, 2, 3, 4, 5}, 2. / 32},
	} {
		got, err := Wilcoxon(c.diffs, make([]float64, len(c.diffs)))
		if err != nil {
			t.Fatal(err)
		}
		if got.Exact != c.exact {
			t.Errorf("%s: exact p %v, want %v (approximation: %v)", c.name, got.Exact, c.exact, got.P)
		}
		for i := range c.diffs {
			c.diffs[i] = -c.diffs[i]
		}
		if swapped, _ := Wilcoxon(c.diffs, make([]float64, len(c.diffs))); swapped.Exact != got.Exact {
			t.Errorf("%s: exact p %v with the models swapped, %v before", c.name, swapped.Exact, got.Exact)
		}
	}
}

// All sign patterns, one by one, against the count; and the change to the
// approximation.
func TestWilcoxonExactByEnumeration(t *testing.T) {
	diffs := []float64{.5, -.2, .2, .2, -1, .7, .7, .1, -.3, .9, .9, -.9}
	n := len(diffs)
	got, err := Wilcoxon(diffs, make([]float64, n))
	if err != nil {
		t.Fatal(err)
	}
	ranks := make([]float64, n) // average rank: below, plus half of the equal ones
	for i, d := range diffs {
		for _, e := range diffs {
			switch {
			case math.Abs(e) < math.Abs(d):
				ranks[i]++
			case math.Abs(e) == math.Abs(d):
				ranks[i] += .5
			}
		}
		ranks[i] += .5
	}
	extreme, total := 0, float64(n*(n+1))/2
	for pattern := range 1 << n {
		plus := 0.0
		for i, r := range ranks {
			if pattern>>i&1 == 1 {
				plus += r
			}
		}
		if min(plus, total-plus) <= got.W {
			extreme++
		}
	}
	near(t, "exact p", got.Exact, float64(extreme)/float64(int(1)<<n), 1e-12)

	for _, n := range []int{exactPairs, exactPairs + 1} {
		a := make([]float64, n)
		for i := range a {
			a[i] = float64(i%7+1) * float64(1-2*(i%3/2)) // a third is negative
		}
		got, err := Wilcoxon(a, make([]float64, n))
		if err != nil {
			t.Fatal(err)
		}
		if isSame := got.Exact == got.P; isSame != (n > exactPairs) || math.Abs(got.Exact-got.P) > .02*got.P {
			t.Errorf("%d pairs: exact p %v, approximation %v", n, got.Exact, got.P)
		}
	}
}
