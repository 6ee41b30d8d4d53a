package torch

import (
	"math"
	"strings"
	"testing"
)

// numericalGradients compares the gradients of Σ y² with central differences, for
// parameters of the given sizes. The step is large because values are float32.
func numericalGradients(t *testing.T, what string, sizes [][]int64, f func(rt *Runtime, p []Tensor) Tensor) {
	t.Helper()
	const step = 1e-2
	run(t, func(rt *Runtime) {
		params := rt.NewParams()
		var p []Tensor
		for i, size := range sizes {
			p = append(p, params.Normal(string(rune('a'+i)), .5, size...))
		}
		sum := func() (s float64) {
			rt.Scope(func() {
				rt.NoGrad(func() {
					for _, v := range f(rt, p).HostFloats() {
						s += float64(v) * float64(v)
					}
				})
			})
			return s
		}
		y := f(rt, p)
		y.Mul(y).Reshape(-1).Sum(0).Backward()
		for i, name := range params.Names() {
			values, grad := p[i].HostFloats(), params.Grad(name)
			if len(grad) != len(values) {
				t.Fatalf("%s: parameter %d has no gradient", what, i)
			}
			for j, v := range values {
				at := func(x float32) float64 {
					values[j] = x
					p[i].CopyFrom(values)
					return sum()
				}
				want := (at(v+step) - at(v-step)) / (float64(v+step) - float64(v-step))
				at(v)
				if d := math.Abs(float64(grad[j]) - want); !(d <= 2e-3*(1+math.Abs(want))) {
					t.Errorf("%s: gradient %d of parameter %d is %v, differences give %v", what, j, i, grad[j], want)
				}
			}
		}
	})
}

// Values by the definitions, gradients by differences.
func TestElementwise(t *testing.T) {
	run(t, func(rt *Runtime) {
		x := rt.Floats([]float32{-2, 0, .5, 3}, 4)
		y := rt.Floats([]float32{1, -1, .25, 3}, 4)
		nearAll(t, "sub", x.Sub(y).HostFloats(), []float32{-3, 1, .25, 0}, 0)
		nearAll(t, "sub, broadcast", x.Reshape(4, 1).Sub(y.Narrow(0, 0, 2)).HostFloats(), []float32{-3, -1, -1, 1, -.5, 1.5, 2, 4}, 0)
		nearAll(t, "sigmoid", x.Sigmoid().HostFloats(), []float32{.1192029, .5, .6224593, .9525741}, 1e-6)
		nearAll(t, "exp", x.Exp().HostFloats(), []float32{.1353353, 1, 1.6487213, 20.085537}, 1e-6)
		nearAll(t, "log", rt.Floats([]float32{1, 2, .5}, 3).Log().HostFloats(), []float32{0, .6931472, -.6931472}, 1e-6)
		if got := rt.Floats([]float32{0, -1}, 2).Log().HostFloats(); !math.IsInf(float64(got[0]), -1) || got[1] == got[1] {
			t.Errorf("the logarithms of 0 and −1 are %v", got)
		}
		// Far out nothing overflows.
		nearAll(t, "sigmoid", rt.Floats([]float32{-1000, 1000}, 2).Sigmoid().HostFloats(), []float32{0, 1}, 0)
	})
	size := [][]int64{{2, 3}}
	numericalGradients(t, "sub", [][]int64{{2, 3}, {3}}, func(_ *Runtime, p []Tensor) Tensor { return p[0].Sub(p[1]) })
	numericalGradients(t, "sigmoid", size, func(_ *Runtime, p []Tensor) Tensor { return p[0].Sigmoid() })
	numericalGradients(t, "exp", size, func(_ *Runtime, p []Tensor) Tensor { return p[0].Exp() })
	numericalGradients(t, "log", size, func(_ *Runtime, p []Tensor) Tensor { return p[0].Exp().Add(p[0].Mul(p[0])).Log() })
}

// Sequences of 1, 3 and 2 rows by time, and back.
func TestTimeSteps(t *testing.T) {
	lengths := []int64{1, 3, 2}
	run(t, func(rt *Runtime) {
		x := rt.Floats([]float32{1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60}, 6, 2)
		steps := x.TimeSteps(lengths)
		nearAll(t, "steps", steps.HostFloats(), []float32{
			1, 10, 2, 20, 5, 50, // first rows
			0, 0, 3, 30, 6, 60,
			0, 0, 4, 40, 0, 0,
		}, 0)
		nearAll(t, "a step", steps.Select(0, 1).HostFloats(), []float32{0, 0, 3, 30, 6, 60}, 0)
		nearAll(t, "sequences", steps.Sequences(lengths).HostFloats(), x.HostFloats(), 0)
	})
	numericalGradients(t, "steps", [][]int64{{6, 2}}, func(_ *Runtime, p []Tensor) Tensor {
		return p[0].TimeSteps(lengths).Tanh().Sequences(lengths)
	})
}

// The recurrence of the comment, step by step from the elementwise operations.
func gruBySteps(rt *Runtime, x Tensor, w GRUWeights) Tensor {
	T, B, h := x.Shape()[0], x.Shape()[1], w.Hidden.Shape()[1]
	s := rt.Zeros(B, h)
	var states []Tensor
	for k := range T {
		in, rec := x.Select(0, k).Linear(w.Input, w.InputBias), s.Linear(w.Hidden, w.HiddenBias) // [B, 3h]
		part := func(of Tensor, i int64) Tensor { return of.Narrow(1, i*h, h) }
		r, z := part(in, 0).Add(part(rec, 0)).Sigmoid(), part(in, 1).Add(part(rec, 1)).Sigmoid()
		n := part(in, 2).Add(r.Mul(part(rec, 2))).Tanh()
		s = n.Sub(z.Mul(n)).Add(z.Mul(s))
		states = append(states, s.Reshape(1, B, h))
	}
	return rt.Concat(0, states...)
}

func TestGRU(t *testing.T) {
	const T, B, d, h = 4, 3, 5, 2
	sizes := [][]int64{{T, B, d}, {3 * h, d}, {3 * h, h}, {3 * h}, {3 * h}}
	weights := func(p []Tensor) GRUWeights { return GRUWeights{p[1], p[2], p[3], p[4]} }
	got, gotGrads := gradients(t, .7, sizes, func(_ *Runtime, p []Tensor) Tensor { return p[0].GRU(weights(p)) })
	want, wantGrads := gradients(t, .7, sizes, func(rt *Runtime, p []Tensor) Tensor { return gruBySteps(rt, p[0], weights(p)) })
	nearAll(t, "states", got, want, 1e-6)
	for i := range sizes {
		nearAll(t, "gradient", gotGrads[i], wantGrads[i], 1e-5)
	}
	numericalGradients(t, "gru", sizes, func(_ *Runtime, p []Tensor) Tensor { return p[0].GRU(weights(p)) })
	err := Run(Config{}, func(rt *Runtime) error {
		rt.Zeros(T, B, d).GRU(GRUWeights{rt.Zeros(3*h, d+1), rt.Zeros(3*h, h), rt.Zeros(3 * h), rt.Zeros(3 * h)})
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "gru([4×3×5], [6×6], [6×2])") {
		t.Errorf("error %v should name gru and the shapes", err)
	}
}

func TestConv1D(t *testing.T) {
	run(t, func(rt *Runtime) {
		x := rt.Floats([]float32{1, 2, 3, 4, 0, 1, 0, 2}, 1, 2, 4) // two channels
		w := rt.Floats([]float32{1, 10, -1, 5}, 1, 2, 2)           // one output, k = 2
		bias := rt.Floats([]float32{.5}, 1)
		// out[k] = x0[k] + 10·x0[k+1] − x1[k] + 5·x1[k+1]
		nearAll(t, "conv1d", x.Conv1D(w, Tensor{}, 0).HostFloats(), []float32{26, 31, 53}, 0)
		// padded by one zero at both ends, with bias
		nearAll(t, "padded", x.Conv1D(w, bias, 1).HostFloats(), []float32{10.5, 26.5, 31.5, 53.5, 2.5}, 0)
	})
	numericalGradients(t, "conv1d", [][]int64{{2, 3, 4}, {2, 3, 2}, {2}}, func(_ *Runtime, p []Tensor) Tensor { return p[0].Conv1D(p[1], p[2], 1) })
}
