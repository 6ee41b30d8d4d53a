// Package stats says how far a difference between two models can be trusted:
// pure functions of numbers, without formatting, files or hidden state.
//
// The unit is the user. Every model is measured on the same users, so a
// comparison is paired: what counts is the difference within a user, for instance
// of NDCG@10, which takes the users' own difficulty out. Three questions are asked.
// MeanSD: how much does a metric move from seed to seed? Bootstrap: between which
// bounds does the mean difference lie, had other users been drawn and other seeds
// been trained? Wilcoxon: could differences of no direction look like this? As a
// table asks the last question once for every model against one baseline, Holm
// corrects its answers.
//
// The two tests look at different things, the interval at the mean and Wilcoxon at
// signs and ranks. With skewed differences they can point to opposite sides: a mark
// in a table needs an adjusted p below the level, an interval without 0, and one
// sign of Interval.Mean and Signed.Z.
package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
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
		sd += float64(d * d) // the conversion keeps it from being fused: processors agree on the last bit
	}
	return mean, math.Sqrt(sd / float64(len(values)-1))
}

// Holm adjusts the p-values of a family of tests, in the order of p, so that the
// probability of even one false rejection below a level is at most the level,
// however the tests depend on each other (Holm, A simple sequentially rejective
// multiple test procedure, 1979). The i-th smallest of m becomes the largest of
// (m−j+1)·p_j over j ≤ i, at most 1. Equal values stay equal.
func Holm(p []float64) ([]float64, error) {
	for i, v := range p {
		if !(v >= 0 && v <= 1) { // so put, it catches NaN
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

// finite names the first value that is NaN or infinite.
func finite(values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("value %d is %v, expected a finite number", i, v)
		}
	}
	return nil
}
