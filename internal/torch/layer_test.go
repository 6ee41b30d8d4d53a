package torch

import (
	"fmt"
	"strings"
	"testing"
)

// trainGradients is gradients with dropout on. The masks are those of the stream's first
// calls, so two forms of an operation that draw in the same order get the same ones.
func trainGradients(t *testing.T, sizes [][]int64, f func(rt *Runtime, p []Tensor) Tensor) (out []float32, grads [][]float32) {
	t.Helper()
	return gradients(t, 1.5, sizes, func(rt *Runtime, p []Tensor) Tensor {
		rt.SetTraining(true)
		rt.SetStream(7)
		return f(rt, p)
	})
}

// compare holds an operation against its composition: values and gradients.
func compare(t *testing.T, what string, sizes [][]int64, fused, composed func(rt *Runtime, p []Tensor) Tensor) {
	t.Helper()
	got, gotGrads := trainGradients(t, sizes, fused)
	want, wantGrads := trainGradients(t, sizes, composed)
	nearAll(t, what, got, want, 1e-5)
	for i := range sizes {
		nearAll(t, fmt.Sprintf("%s: gradient of operand %d", what, i), gotGrads[i], wantGrads[i], 1e-4)
	}
}

// Widths that are and are not multiples of the vector width, one row and several, one
// group in a row and several.
func TestAddNorm(t *testing.T) {
	const eps = 1e-5
	for _, shape := range [][]int64{{1, 64}, {9, 64}, {5, 3, 16}, {1, 2, 4}, {7, 13}, {3, 1}, {4, 2, 8}, {2, 100}} {
		w := shape[len(shape)-1]
		for _, p := range []float64{0, .4} {
			compare(t, fmt.Sprintf("add_norm of %v, p %v", shape, p), [][]int64{shape, shape, {w}, {w}},
				func(_ *Runtime, x []Tensor) Tensor { return x[0].AddNorm(x[1], x[2], x[3], eps, p) },
				func(_ *Runtime, x []Tensor) Tensor { return x[0].Add(x[1].Dropout(p)).LayerNorm(x[2], x[3], eps) })
		}
	}
}

// A table whose rows are added several times, once, and never.
func TestAddRowsNorm(t *testing.T) {
	const eps = 1e-5
	for _, w := range []int64{1, 6, 16, 64} {
		for _, index := range [][]int64{{2}, {0, 1, 2, 0, 1, 0}} {
			n := int64(len(index))
			for _, p := range []float64{0, .4} {
				compare(t, fmt.Sprintf("%d rows of %d, p %v", n, w, p), [][]int64{{n, w}, {4, w}, {w}, {w}},
					func(rt *Runtime, x []Tensor) Tensor {
						return x[0].AddRowsNorm(x[1], rt.Ints(index), x[2], x[3], eps, p)
					},
					func(rt *Runtime, x []Tensor) Tensor {
						return x[0].Add(x[1].Rows(rt.Ints(index))).LayerNorm(x[2], x[3], eps).Dropout(p)
					})
			}
		}
	}
}

func TestAddNormErrors(t *testing.T) {
	for want, f := range map[string]func(rt *Runtime){
		"expected the same shape, got [2, 4] and [3, 4]": func(rt *Runtime) {
			rt.Zeros(2, 4).AddNorm(rt.Zeros(3, 4), rt.Zeros(4), rt.Zeros(4), 1, 0)
		},
		"should be [.., w], [w] and [w]": func(rt *Runtime) {
			rt.Zeros(2, 4).AddNorm(rt.Zeros(2, 4), rt.Zeros(3), rt.Zeros(3), 1, 0)
		},
		"an index lies outside the table's 3 rows": func(rt *Runtime) {
			rt.Zeros(2, 4).AddRowsNorm(rt.Zeros(3, 4), rt.Ints([]int64{0, 3}), rt.Zeros(4), rt.Zeros(4), 1, 0)
		},
	} {
		err := Run(Config{}, func(rt *Runtime) error { f(rt); return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %q", err, want)
		}
	}
}

// Values of x·Φ(x) from tables of Φ, far tails, and the derivative by differences.
func TestGELU(t *testing.T) {
	run(t, func(rt *Runtime) {
		x := []float32{-100, -13, -4, -1, -.5, 0, .5, 1, 4, 100, 1e-30}
		want := []float32{0, 0, -1.2668497e-4, -.15865525, -.15426877, 0, .34573123, .84134475, 3.9998733, 100, 5e-31}
		got := rt.Floats(x, int64(len(x))).GELU().HostFloats()
		for i := range x {
			if d := got[i] - want[i]; d > 3e-7*max(1, want[i]) || -d > 3e-7*max(1, want[i]) {
				t.Errorf("gelu(%v) = %v, expected %v", x[i], got[i], want[i])
			}
		}
		for _, v := range rt.Floats([]float32{-1e30, 1e30}, 2).GELU().HostFloats() {
			if v != 0 && v != 1e30 {
				t.Errorf("gelu(±1e30) = %v", v)
			}
		}
	})
	numericalGradients(t, "gelu", [][]int64{{3, 7}}, func(_ *Runtime, p []Tensor) Tensor { return p[0].GELU() })
}

func TestMixExperts(t *testing.T) {
	for _, s := range [][4]int64{{1, 2, 1, 3}, {5, 4, 4, 16}, {3, 3, 2, 8}, {2, 16, 1, 5}} { // n, N, H, e
		n, N, H, e := s[0], s[1], s[2], s[3]
		sizes := [][]int64{{n, N, H, e}, {H, N * e, N}}
		for name, f := range map[string]func(mixed, routing Tensor) Tensor{
			"mixed":   func(mixed, _ Tensor) Tensor { return mixed },
			"routing": func(_, routing Tensor) Tensor { return routing },
			"both": func(mixed, routing Tensor) Tensor {
				return mixed.Add(routing.Sum(2).Reshape(n, H, 1)).Mul(routing.Mul(routing).Sum(2).Reshape(n, H, 1))
			},
		} {
			compare(t, fmt.Sprintf("%s of %v", name, s), sizes,
				func(_ *Runtime, p []Tensor) Tensor { return f(p[0].MixExperts(p[1].Scale(.1))) },
				func(_ *Runtime, p []Tensor) Tensor { return f(p[0].mixExpertsComposed(p[1].Scale(.1))) })
		}
	}
	err := Run(Config{}, func(rt *Runtime) error { rt.Zeros(2, 3, 4, 5).MixExperts(rt.Zeros(4, 15, 2)); return nil })
	if err == nil || !strings.Contains(err.Error(), "should be [n, N, H, e] and [H, N·e, N]") {
		t.Errorf("error %v", err)
	}
}
