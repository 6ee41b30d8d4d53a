package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSlopesOfExactLines(t *testing.T) {
	a, b := []float64{0, 1, 2, 3, 0, 1}, []float64{0, 0, 1, 1, 2, 2}
	y := make([]float64, len(a))
	for i := range y {
		y[i] = 3 + 2*a[i] - .5*b[i]
	}
	s, err := Slopes(y, a, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{2, -.5} {
		if math.Abs(s[i].Value-want) > 1e-9 || math.Abs(s[i].Low-want) > 1e-6 || math.Abs(s[i].High-want) > 1e-6 {
			t.Errorf("slope %d: %+v, want %v", i, s[i], want)
		}
	}
}

// Anscombe's first set (The American Statistician 27, 1973): slope 0.500 with a standard error
// of 0.1179, as he prints it; with 9 degrees of freedom t is 2.262.
func TestSlopesOfAnscombe(t *testing.T) {
	s, err := Slopes([]float64{8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68},
		[]float64{10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5})
	if err != nil {
		t.Fatal(err)
	}
	half := 2.262 * .1179
	if math.Abs(s[0].Value-.5001) > 1e-4 || math.Abs(s[0].Value-s[0].Low-half) > 2e-4 || math.Abs(s[0].High-s[0].Value-half) > 2e-4 {
		t.Errorf("%+v, want .5001 ± %v", s[0], half)
	}
}

// The interval has the true slope in 95 % of all samples: here in 1,900 of 2,000, give or take
// four standard deviations, which are 39.
func TestSlopesCover(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, z := []float64{0, 1, 2, 3, 4, 5, 6}, []float64{1, 0, 2, 1, 3, 0, 1}
	covered := 0
	for range 2000 {
		y := make([]float64, len(x))
		for i := range y {
			y[i] = 1 + .3*x[i] - z[i] + r.NormFloat64()
		}
		s, err := Slopes(y, x, z)
		if err != nil {
			t.Fatal(err)
		}
		if s[0].Low <= .3 && .3 <= s[0].High {
			covered++
		}
	}
	if covered < 1861 || covered > 1939 {
		t.Errorf("%d of 2,000 intervals have the true slope, expected about 1,900", covered)
	}
}

func TestSlopesRefuse(t *testing.T) {
	for name, tt := range map[string]struct {
		y []float64
		x [][]float64
	}{
		"no variable":   {[]float64{1, 2, 3}, nil},
		"too few":       {[]float64{1, 2}, [][]float64{{1, 2}}},
		"a constant":    {[]float64{1, 2, 3}, [][]float64{{2, 2, 2}}},
		"the same":      {[]float64{1, 2, 4, 3}, [][]float64{{1, 2, 3, 4}, {1, 2, 3, 4}}},
		"other lengths": {[]float64{1, 2, 3}, [][]float64{{1, 2}}},
		"infinite x":    {[]float64{1, 2, 3}, [][]float64{{1, 2, math.Inf(-1)}}},
		"NaN":           {[]float64{1, 2, math.NaN()}, [][]float64{{1, 2, 3}}},
	} {
		if s, err := Slopes(tt.y, tt.x...); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
