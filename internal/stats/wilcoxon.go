package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Signed is the result of a Wilcoxon signed-rank test.
type Signed struct {
	W float64 // the smaller of the rank sums of positive and negative differences
	N int     // pairs that differ
	Z float64 // above 0 if the positive differences have the larger rank sum
	P float64 // two-sided, by the normal approximation
	// Exact is the two-sided p-value over all 2^N signs of the ranks, up to
	// exactPairs pairs. With more pairs it is P, which is as good there.
	Exact float64
}

// exactPairs is the largest N for which signs are counted. Their number, 2^N, is exact
// in a float64.
const exactPairs = 50

// tieShare is the share of the largest value below which a difference counts as
// rounding.
const tieShare = 1e-12

// Wilcoxon tests whether the differences a[i] − b[i] lie to one side of 0
// (Wilcoxon, Individual comparisons by ranking methods, 1945), for instance of two
// models' NDCG@10 of user i. Two-sided; pairs without a difference are dropped,
// equal sizes share their average rank, and p comes from the normal approximation
// with the variance reduced for ties, without continuity correction:
//
//	Z = (W⁺ − N(N+1)/4) / √(N(N+1)(2N+1)/24 − Σ(t³−t)/48),  t the sizes of ties
//
// which is scipy.stats.wilcoxon(zero_method="wilcox", method="asymptotic",
// correction=False). The approximation needs at least about ten pairs: four equal
// differences have P = .046, although four signs agree by chance one time in eight.
// Exact is right in this case, with or without ties. If no pair differs, Z is 0, and P
// and Exact are 1.
//
// Means over seeds are sums in floating point, and (x+y)+z is not always x+(y+z),
// so equal values may differ in their last bits. Therefore a difference counts as
// 0 up to 10⁻¹² of the largest |a[i]| and |b[i]|, and neighbours in the order of
// size are tied up to that gap. Rounding errors of means over tens of seeds are a
// thousand times smaller. Values that really differ by less are tied too, which
// moves them by a rank or two and does not visibly change p.
//
// Rank sums are exact up to 10⁷ pairs. P has a relative error of about Z²·2⁻⁵², down to
// 10⁻³⁰⁷; beyond |Z| = 38.6 it is too small for a float64 and is 0.
//
// Seeds are not part of the test: the test takes averages over them, and p says
// nothing about other seeds. Bootstrap does.
func Wilcoxon(a, b []float64) (Signed, error) {
	if len(a) != len(b) {
		return Signed{}, fmt.Errorf("stats: %d values against %d, expected pairs", len(a), len(b))
	}
	if len(a) == 0 {
		return Signed{}, fmt.Errorf("stats: no pairs to test")
	}
	scale := 0.0
	for _, values := range [][]float64{a, b} {
		if err := finite(values); err != nil {
			return Signed{}, fmt.Errorf("stats: %w", err)
		}
		for _, v := range values {
			scale = max(scale, math.Abs(v))
		}
	}
	gap := scale * tieShare
	var diffs []float64
	for i := range a {
		if d := a[i] - b[i]; math.Abs(d) > gap {
			diffs = append(diffs, d)
		}
	}
	n := float64(len(diffs))
	if n == 0 {
		return Signed{P: 1, Exact: 1}, nil
	}
	slices.SortFunc(diffs, func(x, y float64) int { return cmp.Compare(math.Abs(x), math.Abs(y)) })
	var plus, ties float64
	var doubled []int // twice the rank of each pair: a whole number even with ties
	for i := 0; i < len(diffs); {
		end, positive := i, 0
		for end < len(diffs) && (end == i || math.Abs(diffs[end])-math.Abs(diffs[end-1]) <= gap) {
			if diffs[end] > 0 {
				positive++
			}
			end++
		}
		t := float64(end - i)
		plus += float64(positive) * float64(i+1+end) / 2 // ranks i+1 … end
		ties += t*t*t - t
		if len(diffs) <= exactPairs {
			doubled = append(doubled, slices.Repeat([]int{i + 1 + end}, end-i)...)
		}
		i = end
	}
	total := n * (n + 1) / 2
	z := (plus - total/2) / math.Sqrt(n*(n+1)*(2*n+1)/24-ties/48)
	s := Signed{
		W: min(plus, total-plus),
		N: len(diffs),
		Z: z,
		P: math.Erfc(math.Abs(z) / math.Sqrt2), // 2(1−Φ(|z|)) without the 1
	}
	s.Exact = s.P
	if doubled != nil {
		s.Exact = exactP(doubled, int(2*s.W))
	}
	return s, nil
}

// exactP returns the share of all signs of the ranks for which the smaller of the
// two rank sums is at most w. Ranks and w are doubled.
func exactP(ranks []int, w int) float64 {
	ways := make([]float64, w+1) // by the rank sum of the positive signs, up to w
	ways[0] = 1
	for _, r := range ranks {
		for sum := w; sum >= r; sum-- {
			ways[sum] += ways[sum-r]
		}
	}
	low := 0.0
	for _, n := range ways {
		low += n
	}
	return min(1, 2*low/math.Pow(2, float64(len(ranks)))) // both sums are equally likely to be the smaller one
}
