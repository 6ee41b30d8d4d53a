package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestWilcoxonAsSciPy(t *testing.T) {
	for _, c := range readFixture(t).Wilcoxon {
		t.Run(c.Name, func(t *testing.T) {
			got, err := Wilcoxon(c.A, c.B)
			if err != nil {
				t.Fatal(err)
			}
			if got.W != c.W || got.N != c.N {
				t.Errorf("W %v of %d pairs, want %v of %d", got.W, got.N, c.W, c.N)
			}
			near(t, "Z", got.Z, c.Z, 1e-12)
			near(t, "P", got.P, c.P, 1e-9)

			swapped, err := Wilcoxon(c.B, c.A)
			if err != nil {
				t.Fatal(err)
			}
			if swapped.Z != -got.Z || swapped.P != got.P || swapped.W != got.W {
				t.Errorf("%+v with the models swapped, %+v before", swapped, got)
			}
		})
	}
}

func TestWilcoxonWithoutDifferences(t *testing.T) {
	for _, v := range [][]float64{{0}, {0.1, 0.2, 0.3}} {
		got, err := Wilcoxon(v, v)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Signed{P: 1, Exact: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// All n differences positive and different: Z = (n(n+1)/4) /
// √(n(n+1)(2n+1)/24).
func TestWilcoxonTail(t *testing.T) {
	for _, c := range []struct {
		n        int
		least, p float64 // bounds
	}{
		{10, 1e-3, 1e-2},
		{1800, 1e-300, 1e-290},
		{3000, 0, 0}, // beyond what a float64 holds: 0, not NaN and not below 0
	} {
		a := make([]float64, c.n)
		for i := range a {
			a[i] = float64(i + 1)
		}
		got, err := Wilcoxon(a, make([]float64, c.n))
		if err != nil {
			t.Fatal(err)
		}
		n := float64(c.n)
		near(t, "Z", got.Z, math.Sqrt(1.5*n*(n+1)/(2*n+1)), 1e-12)
		if got.P < c.least || got.P > c.p {
			t.Errorf("n %d: P %v, want %v to %v", c.n, got.P, c.least, c.p)
		}
	}
}

// Means over seeds of the same values differ by the order of summation. They must
// count as equal, and equal differences as ties, at any scale.
func TestWilcoxonIgnoresRounding(t *testing.T) {
	gain := func(rank int) float64 { return 1 / math.Log2(float64(rank)+1) }
	mean := func(ranks ...int) float64 {
		sum := 0.0
		for _, r := range ranks {
			sum += gain(r)
		}
		return sum / float64(len(ranks))
	}
	r := rand.New(rand.NewPCG(1, 1))
	var a, b, exactA, exactB []float64
	apart := 0
	for range 2000 {
		x := []int{1 + r.IntN(10), 1 + r.IntN(10), 1 + r.IntN(10), 1 + r.IntN(10), 1 + r.IntN(10)}
		y := append([]int{}, x...)
		r.Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
		lift := 0.0
		if r.IntN(3) > 0 {
			lift = gain(1+r.IntN(10)) * float64(1-2*r.IntN(2))
		}
		a, b = append(a, mean(x...)+lift), append(b, mean(y...))
		if lift == 0 && a[len(a)-1] != b[len(b)-1] {
			apart++
		}
		exactA, exactB = append(exactA, lift), append(exactB, 0)
	}
	if apart < 50 {
		t.Fatalf("only %d pairs differ by rounding alone: nothing is tested", apart)
	}
	want, err := Wilcoxon(exactA, exactB)
	if err != nil {
		t.Fatal(err)
	}
	for _, scale := range []float64{1, 1e-200, 3e100} {
		x, y := make([]float64, len(a)), make([]float64, len(a))
		for i := range a {
			x[i], y[i] = a[i]*scale, b[i]*scale
		}
		got, err := Wilcoxon(x, y)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("scale %g: %+v, want %+v", scale, got, want)
		}
	}
	// A difference that is small but not a rounding error stays a difference.
	got, err := Wilcoxon([]float64{1, 1e-9, 0.5}, []float64{0, 0, 0.5 + 2e-9})
	if err != nil {
		t.Fatal(err)
	}
	if got.N != 3 || got.W != 2 {
		t.Errorf("%+v, want W 2 of 3 pairs", got)
	}
}

func TestWilcoxonRefuses(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want string
	}{
		{nil, nil, "no pairs"},
		{[]float64{1, 2}, []float64{1}, "2 values against 1"},
		{[]float64{1, math.NaN()}, []float64{1, 2}, "value 1 is NaN"},
		{[]float64{1, 2}, []float64{math.Inf(-1), 2}, "value 0 is -Inf"},
	} {
		if _, err := Wilcoxon(c.a, c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
