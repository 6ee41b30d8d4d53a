package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Slope is a coefficient of a linear regression, with its 95 % interval by Student's t.
type Slope struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Slopes fits y = a + Σ bₖ·xₖ by least squares and returns the slopes bₖ. The intervals suppose
// independent, normal deviations from the line; what the line does not describe, such as a
// curve, counts as deviation and widens them. There must be at least one more value than
// coefficients, a among them, and no xₖ may be constant or a combination of others.
func Slopes(y []float64, x ...[]float64) ([]Slope, error) {
	n, k := len(y), len(x)
	if k == 0 || n < k+2 {
		return nil, fmt.Errorf("stats: slopes: expected at least %d values for %d slopes, got %d", k+2, k, n)
	}
	design := mat.NewDense(n, k+1, nil)
	for i := range n {
		design.Set(i, 0, 1)
	}
	for j, column := range x {
		if len(column) != n {
			return nil, fmt.Errorf("stats: slopes: expected %d values of every variable, got %d", n, len(column))
		}
		if err := finite(column); err != nil {
			return nil, fmt.Errorf("stats: slopes: %w", err)
		}
		design.SetCol(j+1, column)
	}
	if err := finite(y); err != nil {
		return nil, fmt.Errorf("stats: slopes: %w", err)
	}
	var gram, inverse mat.Dense
	gram.Mul(design.T(), design)
	if err := inverse.Inverse(&gram); err != nil {
		return nil, fmt.Errorf("stats: slopes: the variables do not differ enough from each other and from a constant: %w", err)
	}
	var moments, fit, fitted mat.VecDense
	moments.MulVec(design.T(), mat.NewVecDense(n, y))
	fit.MulVec(&inverse, &moments)
	fitted.MulVec(design, &fit)
	rest := 0.
	for i, v := range y {
		d := v - fitted.AtVec(i)
		rest += float64(d * d)
	}
	freedom := float64(n - k - 1)
	t := distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(.975)
	out := make([]Slope, k)
	for j := range out {
		b := fit.AtVec(j + 1)
		half := t * math.Sqrt(rest/freedom*inverse.At(j+1, j+1))
		out[j] = Slope{b, b - half, b + half}
	}
	return out, nil
}
