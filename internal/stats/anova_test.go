package stats

import (
	"math"
	"testing"
)

// The expected values are those of statsmodels 0.15.0 (with SciPy 1.17.1):
//
//	anova_lm(ols("y ~ C(a)*C(b)", data).fit(), typ=2)
func TestAnalyseTwoWay(t *testing.T) {
	for name, c := range map[string]struct {
		values [][][]float64
		want   TwoWay
	}{
		"the best level of B depends on A": {
			[][][]float64{
				{{71.2, 70.5, 71.9}, {70.1, 69.4, 70.8}, {68.9, 69.9, 69.0}, {67.5, 68.8, 68.0}},
				{{62.0, 61.1, 62.9}, {63.4, 64.1, 63.0}, {62.8, 63.9, 62.2}, {61.5, 62.6, 61.0}},
				{{50.3, 49.6, 51.2}, {52.2, 51.5, 53.1}, {54.9, 53.8, 54.4}, {55.6, 54.7, 56.3}},
			},
			TwoWay{
				Effect{1650.5338888888782, 2, 1528.2721193415564, 5.000408690894055e-26},
				Effect{5.009722222222625, 3, 3.092421124828786, 0.046014073732620266},
				Effect{63.81277777777814, 6, 19.695301783264892, 3.4735052045475515e-08},
				Effect{12.959999999999978, 24, 0, 0},
			},
		},
		"no interaction at all": {
			[][][]float64{{{.050, .052}, {.060, .061}, {.055, .0545}}, {{.030, .0325}, {.0405, .041}, {.0355, .0345}}},
			TwoWay{
				Effect{0.0011701874999999987, 1, 1101.352941176471, 4.981154264217596e-08},
				Effect{0.00018316666666666687, 2, 86.19607843137277, 3.8047531210557526e-05},
				Effect{0, 2, 0, 1},
				Effect{6.3749999999999915e-06, 6, 0, 0},
			},
		},
	} {
		got, ok := AnalyseTwoWay(c.values)
		if !ok {
			t.Fatalf("%s: not ok", name)
		}
		for _, e := range []struct {
			name      string
			got, want Effect
		}{{"A", got.A, c.want.A}, {"B", got.B, c.want.B}, {"interaction", got.Interaction, c.want.Interaction}, {"residual", got.Residual, c.want.Residual}} {
			if e.got.DF != e.want.DF {
				t.Errorf("%s, %s: %d degrees of freedom, want %d", name, e.name, e.got.DF, e.want.DF)
			}
			for _, v := range [][2]float64{{e.got.SS, e.want.SS}, {e.got.F, e.want.F}, {e.got.P, e.want.P}} {
				if tolerance := max(1e-10*math.Abs(v[1]), 1e-35); !(math.Abs(v[0]-v[1]) <= tolerance) && !(v[1] == 0 && math.Abs(v[0]) < 1e-20) {
					t.Errorf("%s, %s: %+v, want %+v", name, e.name, e.got, e.want)
				}
			}
		}
	}
}

func TestAnalyseTwoWayIsNotOK(t *testing.T) {
	for name, values := range map[string][][][]float64{
		"nothing":            nil,
		"one level of A":     {{{1, 2}, {3, 5}}},
		"one level of B":     {{{1, 2}}, {{3, 5}}},
		"one value":          {{{1}, {2}}, {{3}, {5}}},
		"no value":           {{{}, {}}, {{}, {}}},
		"a missing cell":     {{{1, 2}, {3, 4}}, {{3, 5}}},
		"a missing value":    {{{1, 2}, {3, 4}}, {{3, 5}, {7}}},
		"equal within cells": {{{.1, .1, .1}, {.3, .3, .3}}, {{.7, .7, .7}, {.9, .9, .9}}},
		"not a number":       {{{1, 2}, {3, 4}}, {{3, 5}, {7, math.NaN()}}},
		"an infinite number": {{{1, 2}, {3, 4}}, {{3, 5}, {7, math.Inf(1)}}},
	} {
		if got, ok := AnalyseTwoWay(values); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
