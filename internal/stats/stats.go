// Package stats says how far a difference between two models can be trusted:
// pure functions of numbers, without formatting, files or hidden state.
//
// The unit is the user. Every model is measured on the same users, so comparisons
// are paired: the difference within a user counts, for instance of NDCG@10, which
// removes the users' own difficulty. The functions answer three questions. MeanSD:
// how much does a metric vary from seed to seed? Bootstrap: within which bounds
// would the mean difference be with other users and other seeds? Wilcoxon: could
// differences without a direction look like this? A table tests every model against
// one baseline, so Holm corrects these p-values. (AnalyseTwoWay is about runs instead of
// users: does the effect of a setting depend on the data set?)
//
// The interval is about the mean, and Wilcoxon's test about signs and ranks. With
// skewed differences they can point in opposite directions. So a mark in a table
// needs an adjusted p below the level, an interval without 0, and the same sign of
// Interval.Mean and Signed.Z.
package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// MeanSD is the mean and the sample standard deviation (n−1) of values; 0 for one
// value. The mean of no values is NaN.
func MeanSD(values []float64) (mean, sd float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	if len(values) < 2 {
		return mean, 0
	}
	for _, v := range values {
		d := v - mean
		sd += float64(d * d) // the conversion prevents fusing, so processors agree on the last bit
	}
	return mean, math.Sqrt(sd / float64(len(values)-1))
}

// HalfWidth is half the width of the 95 % interval of a mean by Student's t: with n values the
// mean lies within HalfWidth of the true one in 95 % of all samples, if the values are normal.
// It is not ok for fewer than two values.
func HalfWidth(values []float64) (half float64, ok bool) {
	n := float64(len(values))
	if n < 2 {
		return 0, false
	}
	_, sd := MeanSD(values)
	return distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(.975) * sd / math.Sqrt(n), true
}

// Spearman is the rank correlation of paired values; equal values share the mean of their
// ranks. It is not ok for fewer than two pairs, or where all values of a side are equal.
func Spearman(a, b []float64) (rho float64, ok bool) {
	if len(a) != len(b) || len(a) < 2 {
		return 0, false
	}
	rho = stat.Correlation(Ranks(a), Ranks(b), nil)
	return rho, !math.IsNaN(rho)
}

// Ranks are the ranks of values, from 1; equal values share the mean of their ranks.
func Ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	ranks := make([]float64, len(values))
	for first := 0; first < len(order); {
		end := first + 1
		for end < len(order) && values[order[end]] == values[order[first]] {
			end++
		}
		for _, i := range order[first:end] {
			ranks[i] = float64(first+end+1) / 2
		}
		first = end
	}
	return ranks
}

// Holm adjusts the p-values of a family of tests, in the order of p, so that the
// probability of even one false rejection below a level is at most the level,
// however the tests depend on each other (Holm, A simple sequentially rejective
// multiple test procedure, 1979). The i-th smallest of m becomes the largest of
// (m−j+1)·p_j over j ≤ i, at most 1. Equal values stay equal.
func Holm(p []float64) ([]float64, error) {
	for i, v := range p {
		if !(v >= 0 && v <= 1) { // negated, so that NaN is refused too
			return nil, fmt.Errorf("stats: p-value %d is %v, expected a number from 0 to 1", i, v)
		}
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	adjusted := make([]float64, len(p))
	largest := 0.0
	for k, i := range order {
		largest = max(largest, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = largest
	}
	return adjusted, nil
}

// finite returns an error for the first value that is NaN or infinite.
func finite(values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("value %d is %v, expected a finite number", i, v)
		}
	}
	return nil
}
