package torch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// gradients runs f on parameters of the given shapes with normal values and
// returns its output and the gradients of the sum of its squares.
func gradients(t *testing.T, scale float64, sizes [][]int64, f func(rt *Runtime, p []Tensor) Tensor) (out []float32, grads [][]float32) {
	t.Helper()
	run(t, func(rt *Runtime) {
		p := rt.NewParams()
		var ts []Tensor
		for i, size := range sizes {
			ts = append(ts, p.Normal(fmt.Sprint(i), scale, size...))
		}
		y := f(rt, ts)
		out = y.HostFloats()
		y.Mul(y).Reshape(-1).Sum(0).Backward()
		for _, name := range p.Names() {
			grads = append(grads, p.Grad(name))
		}
	})
	return out, grads
}

func nearAll(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// eachLoops runs f with the loops of an attention for every length of vectors that the
// processor has.
func eachLoops(t *testing.T, f func(t *testing.T)) {
	choose := func(t *testing.T, kind string) error {
		t.Setenv(ProductsVariable, kind)
		return Run(Config{}, func(*Runtime) error { return ChooseProducts() })
	}
	for _, kind := range []string{"avx512", "libtorch"} { // sixteen floats and eight
		t.Run(kind, func(t *testing.T) {
			if err := choose(t, kind); err != nil && kind == "libtorch" {
				t.Fatal(err)
			} else if err == nil {
				f(t)
			}
		})
	}
	if err := choose(t, ""); err != nil {
		t.Fatal(err)
	}
}

// The loops of the CPU against the operations that a GPU gets: values and
// gradients, for queries that see a prefix, all of a sequence, one row; and for
// heads as wide as several vectors, one, or less.
func TestAttend(t *testing.T) {
	spans := []int64{0, 1, 0, 2, 0, 7, 7, 8, 8, 20, 8, 12, 19, 20}
	for i := range int64(35) { // a sequence of more keys than a vector has
		spans = append(spans, 20, 21+i)
	}
	n := int64(len(spans) / 2)
	eachLoops(t, func(t *testing.T) {
		for _, c := range [][3]int64{{1, 1, 5}, {2, 1, 5}, {3, 1, 5}, {8, 1, 5}, {1, 4, 5}, {2, 3, 5}, {2, 2, 16}, {1, 2, 32}, {2, 1, 24}, {1, 1, 48}} { // heads, queries per row, width of a head
			heads, d := c[0], c[0]*c[2]
			of := func(composed bool) ([]float32, [][]float32) {
				return gradients(t, .7, [][]int64{{n, c[1] * d}, {55, 2 * d}}, func(rt *Runtime, p []Tensor) Tensor {
					return p[0].attend(p[1], rt.Ints(spans, n, 2), heads, .5, composed) // not training: no dropout
				})
			}
			got, gotGrads := of(false)
			want, wantGrads := of(true)
			nearAll(t, "attention", got, want, 1e-5)
			nearAll(t, "gradient of queries", gotGrads[0], wantGrads[0], 1e-4)
			nearAll(t, "gradient of keys and values", gotGrads[1], wantGrads[1], 1e-4)
		}
	})
}

// The gradients behind dropout are those of the weights that were kept: they are compared
// with differences of outputs for the same mask.
func TestAttendDropoutGradients(t *testing.T) {
	const keys, d, heads, N, p, step = 21, 32, 2, 2, .4, 1e-2
	var spans []int64
	for i := range int64(keys) {
		spans = append(spans, 0, i+1)
	}
	spans = append(spans, 3, keys) // one row that sees other keys
	rows := int64(len(spans) / 2)
	eachLoops(t, func(t *testing.T) {
		var grads [2][]float32
		loss := func(which int, at int64, by float32) (sum float64) { // of the input with one number changed
			run(t, func(rt *Runtime) {
				rt.SetTraining(true)
				rt.SetStream(3) // the same mask each time
				params := rt.NewParams()
				in := [2]Tensor{params.Normal("q", .7, rows, N*d), params.Normal("kv", .7, keys, 2*d)}
				weight := params.Normal("weight", 1, rows, N*d)
				change := make([]float32, in[which].Len())
				change[at] = by
				shape := in[which].Shape()
				in[which] = in[which].Add(rt.Floats(change, shape...))
				out := in[0].Attend(in[1], rt.Ints(spans, rows, 2), heads, p).Mul(weight).Reshape(-1).Sum(0)
				if by == 0 {
					out.Backward()
					grads = [2][]float32{params.Grad("q"), params.Grad("kv")}
				}
				sum = float64(out.HostFloats()[0])
			})
			return sum
		}
		loss(0, 0, 0)
		for which, grad := range grads {
			for at := int64(0); at < int64(len(grad)); at += 29 {
				want := (loss(which, at, step) - loss(which, at, -step)) / (2 * step)
				if math.Abs(float64(grad[at])-want) > 2e-3*(1+math.Abs(want)) {
					t.Fatalf("gradient %d of input %d is %v, differences say %v", at, which, grad[at], want)
				}
			}
		}
	})
}

// Sequences of one length are a case of those of any lengths.
func TestAttendEqual(t *testing.T) {
	for _, n := range []int64{1, 3, 40} {
		N, d, heads := 3*n, int64(12), int64(2)
		var spans []int64
		for i := range N {
			spans = append(spans, i/n*n, i/n*n+n)
		}
		run(t, func(rt *Runtime) {
			p := rt.NewParams()
			q, kv := p.Normal("q", 1.5, N, d), p.Normal("kv", 1.5, N, 2*d)
			rt.NoGrad(func() {
				want := q.Attend(kv, rt.Ints(spans, N, 2), heads, 0).HostFloats()
				nearAll(t, "attention", q.AttendEqual(kv, n, heads).HostFloats(), want, 1e-5)
			})
		})
	}
	for want, sizes := range map[string][3]int64{"sequences of 4 rows do not divide 6": {4, 2, 8}, "5 heads do not divide 4": {3, 5, 8}, "should be [N, d] and [N, 2d]": {3, 2, 4}} {
		err := Run(Config{}, func(rt *Runtime) error {
			rt.Zeros(6, 4).AttendEqual(rt.Zeros(6, sizes[2]), sizes[0], sizes[1])
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Dropout drops the asked share of the weights, scales the rest, and drops the
// same ones in the backward pass.
func TestAttendDropout(t *testing.T) {
	const p, rows, d = .3, 4000, 4
	run(t, func(rt *Runtime) {
		rt.SetTraining(true)
		rt.SetStream(1)
		params := rt.NewParams()
		kv := params.Fill("kv", 1, rows, 2*d)
		spans := make([]int64, 0, 2*rows)
		for i := range int64(rows) {
			spans = append(spans, i, i+1)
		}
		out := rt.Zeros(rows, d).Attend(kv, rt.Ints(spans, rows, 2), d, p)
		got := out.HostFloats()
		kept := 0
		for _, v := range got {
			switch {
			case v != 0 && math.Abs(float64(v)-1/(1-p)) > 1e-6:
				t.Fatalf("a weight of 1 became %v", v)
			case v != 0:
				kept++
			}
		}
		n := float64(rows * d)
		if math.Abs(float64(kept)-n*(1-p)) > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%d of %.0f weights kept", kept, n)
		}
		out.Reshape(-1).Sum(0).Backward()
		grads := params.Grad("kv")
		for i := range rows {
			if !slices.Equal(grads[i*2*d+d:(i+1)*2*d], got[i*d:(i+1)*d]) {
				t.Fatalf("gradient of value %d is %v, the weights were %v", i, grads[i*2*d+d:(i+1)*2*d], got[i*d:(i+1)*d])
			}
		}
	})
}

func TestAttendErrors(t *testing.T) {
	for want, spans := range map[string][]int64{"span 1 is 0 to 4 of 3 rows": {0, 3, 0, 4}, "span 0 is 1 to 1": {1, 1, 0, 2}, "span 1 is -1": {0, 1, -1, 2}} {
		err := Run(Config{}, func(rt *Runtime) error {
			rt.Zeros(2, 4).Attend(rt.Zeros(3, 8), rt.Ints(spans, 2, 2), 2, 0)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	err := Run(Config{}, func(rt *Runtime) error {
		rt.Zeros(2, 4).Attend(rt.Zeros(3, 8), rt.Ints([]int64{0, 1, 0, 1}, 2, 2), 3, 0)
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "3 heads do not divide 4") {
		t.Errorf("error %v", err)
	}
}

// The running mean against softmax over each prefix, with logits of any range.
func TestPrefixMean(t *testing.T) {
	lengths := []int64{1, 5, 2, 12}
	const M, d = 20, 6
	for _, scale := range []float64{1, 30} {
		of := func(composed bool) ([]float32, [][]float32) {
			return gradients(t, 1, [][]int64{{M, d}, {M}}, func(rt *Runtime, p []Tensor) Tensor {
				return p[0].prefixMean(p[1].Scale(scale), rt.Ints(lengths, 4), composed)
			})
		}
		got, gotGrads := of(false)
		want, wantGrads := of(true)
		nearAll(t, "mean", got, want, 1e-5)
		nearAll(t, "gradient of the values", gotGrads[0], wantGrads[0], 1e-4)
		nearAll(t, "gradient of the logits", gotGrads[1], wantGrads[1], 2e-4*scale)
	}
	run(t, func(rt *Runtime) { // e^±1e4 is no float
		p := rt.NewParams()
		a := p.Fill("a", 0, 4)
		a.CopyFrom([]float32{-1e4, 1e4, 0, 1e4})
		x := rt.Floats([]float32{1, 2, 3, 4}, 4, 1)
		y := x.PrefixMean(a, rt.Ints([]int64{4}, 1))
		if got := y.HostFloats(); !slices.Equal(got, []float32{1, 2, 2, 3}) {
			t.Errorf("means %v, want 1 2 2 3", got)
		}
		y.Reshape(-1).Sum(0).Backward()
		if got := p.Grad("a"); !slices.Equal(got, []float32{0, -.5, 0, .5}) {
			t.Errorf("gradient %v, want 0 -.5 0 .5", got)
		}
	})
}

func TestNormalize(t *testing.T) {
	of := func(f func(rt *Runtime, x Tensor) Tensor) ([]float32, [][]float32) {
		return gradients(t, 2, [][]int64{{7, 5}}, func(rt *Runtime, p []Tensor) Tensor { return f(rt, p[0]).Mul(rt.Floats([]float32{1, 2, 3, 4, 5}, 5)) })
	}
	got, gotGrads := of(func(rt *Runtime, x Tensor) Tensor { return x.Normalize() })
	// x/√Σx² of other operations: √s is exp(½·log s), log s from a softmax's parts.
	want, wantGrads := of(func(rt *Runtime, x Tensor) Tensor { return x.Mul(inverseRoot(x.Mul(x).Sum(1))) })
	nearAll(t, "rows", got, want, 1e-4)
	nearAll(t, "gradient", gotGrads[0], wantGrads[0], 1e-3)
	run(t, func(rt *Runtime) {
		if got := rt.Zeros(1, 2).Normalize().HostFloats(); !slices.Equal(got, []float32{0, 0}) {
			t.Errorf("a row of zeros became %v", got)
		}
	})
}

// inverseRoot is s^-½ [n, 1] by Newton's iteration from products alone.
func inverseRoot(s Tensor) Tensor {
	s = s.Reshape(-1, 1)
	y := s.rt.Full(.05, 1)
	for range 30 {
		y = y.Mul(s.rt.Full(1.5, 1).Add(s.Mul(y).Mul(y).Scale(-.5)))
	}
	return y
}

// Gather joins what the members have, in their order, without those that are
// done; only the caller's own rows carry a gradient.
func TestGather(t *testing.T) {
	err := RunTeam(Config{Threads: 4}, func(team *Team) error {
		params := make([]*Params, team.Size())
		err := team.InTurn(func(k int, rt *Runtime) error {
			params[k] = rt.NewParams()
			params[k].Fill("ones", 1, 4, 2)
			return nil
		})
		if err != nil {
			return err
		}
		for range 50 { // the members arrive in many orders
			err := team.Each(func(k int, rt *Runtime) error {
				if k == 2 {
					return nil
				}
				params[k].ZeroGrad()
				rt.Scope(func() {
					x := params[k].Get("ones").Narrow(0, 0, int64(k+1)).Scale(float64(k + 1)) // k+1 rows of k+1
					for range 2 {
						all, rows, own := rt.Gather(x)
						if want := []int64{1, 2, 4}; !slices.Equal(rows, want) {
							t.Errorf("blocks of %v rows, want %v", rows, want)
						}
						if want := min(k, 2); own != want {
							t.Errorf("member %d has block %d, want %d", k, own, want)
						}
						want := []float32{1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4}
						if got := all.HostFloats(); !slices.Equal(got, want) {
							t.Errorf("gathered %v, want %v", got, want)
						}
						all.Mul(all).Reshape(-1).Sum(0).Backward()
					}
				})
				for i, g := range params[k].Grad("ones") { // twice 2·(k+1)², in the own rows
					want := 4 * float32((k+1)*(k+1))
					if i >= 2*(k+1) {
						want = 0
					}
					if g != want {
						t.Errorf("member %d: gradient[%d] = %v, want %v", k, i, g, want)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		// One that fails keeps nobody waiting.
		err = team.Each(func(k int, rt *Runtime) error {
			if k == 1 {
				rt.Zeros(2).MatMul(rt.Zeros(3))
			}
			_, rows, _ := rt.Gather(rt.Zeros(1, 2))
			if len(rows) != 3 {
				t.Errorf("%d blocks, want those of three members", len(rows))
			}
			return nil
		})
		if err == nil {
			t.Error("the failure was lost")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUniform(t *testing.T) {
	run(t, func(rt *Runtime) {
		v := rt.NewParams().Uniform("x", .25, 100, 100).HostFloats()
		var sum, square float64
		for _, x := range v {
			if x < -.25 || x >= .25 {
				t.Fatalf("%v is outside ±.25", x)
			}
			sum += float64(x)
			square += float64(x) * float64(x)
		}
		n := float64(len(v))
		if mean, variance := sum/n, square/n; math.Abs(mean) > .01 || math.Abs(variance-.25*.25/3) > .001 {
			t.Errorf("mean %v, variance %v", mean, variance)
		}
	})
}
