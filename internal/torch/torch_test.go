package torch

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// run calls f with a CPU runtime of one thread, as members of a team are.
func run(t testing.TB, f func(rt *Runtime)) {
	t.Helper()
	if err := Run(Config{Threads: 1, Seed: 7}, func(rt *Runtime) error { f(rt); return nil }); err != nil {
		t.Fatal(err)
	}
}

// update makes a whole step of Adam on one thread.
func update(a *Adam) { a.Prepare([]*Params{a.params}, []float64{1}).Part(0, 1) }

func TestScopeFrees(t *testing.T) {
	run(t, func(rt *Runtime) {
		outer := rt.Full(1, 2)
		var kept, lost Tensor
		rt.Scope(func() {
			rt.Scope(func() {
				lost = rt.Full(3, 2)
				kept = rt.Keep(outer.Add(lost)) // to the middle scope
			})
			if got := kept.HostFloats(); !slices.Equal(got, []float32{4, 4}) {
				t.Errorf("kept tensor = %v, want [4 4]", got)
			}
		})
		if got := rt.Live(); got != 1 {
			t.Errorf("%d tensors live after the scopes, want outer alone", got)
		}
	})
}

func TestScopeFreesOnPanic(t *testing.T) {
	err := Run(Config{}, func(rt *Runtime) error {
		defer func() {
			if got := rt.Live(); got != 0 {
				t.Errorf("%d tensors live after a failed scope", got)
			}
		}()
		rt.Scope(func() { rt.Zeros(2, 3).MatMul(rt.Zeros(2, 3)) })
		return nil
	})
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want *Error", err)
	}
	if failed.Op != "matmul" || !strings.Contains(err.Error(), "matmul([2×3], [2×3])") {
		t.Errorf("error %q should name matmul and both shapes", err)
	}
}

func TestErrorsNameOperation(t *testing.T) {
	for _, c := range []struct {
		want string
		f    func(rt *Runtime)
	}{
		{"Floats([2×2]): 3 values for 4 elements", func(rt *Runtime) { rt.Floats([]float32{1, 2, 3}, 2, 2) }},
		{"outside 1…3", func(rt *Runtime) { rt.Zeros(1, 2).CrossEntropy(rt.Zeros(4, 2), Tensor{}, rt.Ints([]int64{4}, 1), 1, 4) }},
		{"should be [N, d] and [V, d]", func(rt *Runtime) { rt.Zeros(1, 2).CrossEntropy(rt.Zeros(4, 3), Tensor{}, rt.Ints([]int64{1}, 1), 1, 4) }},
		{"backward([2])", func(rt *Runtime) { rt.Zeros(2).Backward() }},
		{"no parameter has a gradient", func(rt *Runtime) { p := rt.NewParams(); p.Fill("a", 1, 1); update(NewAdam(p, 1, 0)) }},
	} {
		err := Run(Config{}, func(rt *Runtime) error { c.f(rt); return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestDeviceNames(t *testing.T) {
	for _, name := range []string{"gpu", "cuda:x", "cuda:-1", "CPU"} {
		if err := Run(Config{Device: name}, func(*Runtime) error { return nil }); err == nil {
			t.Errorf("device %q was taken", name)
		}
	}
}

func TestMallocTuned(t *testing.T) {
	run(t, func(*Runtime) {})
	if !mallocTuned {
		t.Error("glibc refused the malloc settings: large tensors will be slow")
	}
}

// The fused loss against the stock operations, with and without bias, with
// classes that leave rows out at both ends, over several chunks of rows.
func TestCrossEntropyMatchesStockOps(t *testing.T) {
	const N, d, V = 70, 5, 40_000
	const lo, hi = 1, V - 3
	targets := make([]int64, N)
	for i := range targets {
		targets[i] = lo + int64(i*i*37)%(hi-lo)
	}
	for _, withBias := range []bool{false, true} {
		run(t, func(rt *Runtime) {
			p := rt.NewParams()
			h, table := p.Normal("h", 1, N, d), p.Normal("table", 1, V, d)
			bias := Tensor{}
			if withBias {
				bias = p.Normal("bias", 1, V)
			}
			grads := func(loss Tensor) (float64, [][]float32) {
				p.ZeroGrad()
				loss.Backward()
				var out [][]float32
				for _, name := range p.Names() {
					out = append(out, p.Grad(name))
				}
				return loss.Item(), out
			}
			loss, got := grads(h.CrossEntropy(table, bias, rt.Ints(targets, N), lo, hi).Scale(3))
			flat := make([]int64, N)
			for i, v := range targets {
				flat[i] = int64(i)*(hi-lo) + v - lo
			}
			logits := h.Linear(table, bias).Narrow(1, lo, hi-lo)
			stock := logits.LogSoftmax().Reshape(-1, 1).Rows(rt.Ints(flat, N)).Mean().Scale(-3)
			wantLoss, want := grads(stock)
			if math.Abs(loss-wantLoss) > 1e-5*wantLoss {
				t.Errorf("bias %v: loss %v, stock operations give %v", withBias, loss, wantLoss)
			}
			for i, name := range p.Names() {
				for j := range want[i] {
					if diff := math.Abs(float64(got[i][j] - want[i][j])); !(diff <= 1e-6+1e-4*math.Abs(float64(want[i][j]))) {
						t.Errorf("bias %v: gradient of %s[%d] = %v, stock operations give %v", withBias, name, j, got[i][j], want[i][j])
						break
					}
				}
			}
			rt.NoGrad(func() {
				if v := h.CrossEntropy(table, bias, rt.Ints(targets, N), lo, hi).Scale(3).Item(); math.Abs(v-loss) > 1e-5 {
					t.Errorf("loss without gradients %v, with %v", v, loss)
				}
			})
		})
	}
}

func TestCrossEntropyExtremes(t *testing.T) {
	run(t, func(rt *Runtime) {
		target := rt.Ints([]int64{1}, 1)
		table := rt.Floats([]float32{0, 100, -100}, 3, 1)
		for _, c := range []struct {
			hidden float32
			want   float64
		}{{1, 0}, {-1, 200}, {-1e4, 2e6}, {0, math.Log(3)}} {
			if got := rt.Floats([]float32{c.hidden}, 1, 1).CrossEntropy(table, Tensor{}, target, 0, 3).Item(); math.Abs(got-c.want) > 1e-5*(1+c.want) {
				t.Errorf("hidden %v: loss %v, want %v", c.hidden, got, c.want)
			}
		}
		nan := float32(math.NaN())
		if got := rt.Floats([]float32{nan}, 1, 1).CrossEntropy(table, Tensor{}, target, 0, 3).Item(); !math.IsNaN(got) {
			t.Errorf("loss of NaN = %v", got)
		}
	})
}

func TestRNGState(t *testing.T) {
	run(t, func(rt *Runtime) {
		draw := func() []float32 { return rt.NewParams().Normal("x", 1, 5).HostFloats() }
		state := rt.RNGState()
		first := draw()
		if slices.Equal(draw(), first) {
			t.Error("two draws are equal")
		}
		if err := rt.SetRNGState(state); err != nil {
			t.Fatal(err)
		}
		if got := draw(); !slices.Equal(got, first) {
			t.Errorf("the restored generator drew %v, not %v", got, first)
		}
		for _, damaged := range [][]byte{nil, []byte("short")} {
			if err := rt.SetRNGState(damaged); err == nil {
				t.Errorf("the state %q was taken", damaged)
			}
		}
	})
}

// Adam against the textbook (Kingma and Ba 2015, algorithm 1), and a restored
// optimiser against one that went on.
func TestAdam(t *testing.T) {
	run(t, func(rt *Runtime) {
		const lr = .1
		p := rt.NewParams()
		x := p.Fill("x", 1, 2)
		p.Fill("unused", 1, 1)
		adam := NewAdam(p, lr, 0)
		step := func(p *Params, a *Adam) {
			p.ZeroGrad()
			v := p.Get("x")
			v.Mul(v).Mul(v).Sum(0).Backward() // gradient 3x²
			update(a)
		}
		ref, m, v := 1.0, 0.0, 0.0
		for i := 1; i <= 5; i++ {
			step(p, adam)
			g := 3 * ref * ref
			m, v = .9*m+.1*g, .999*v+.001*g*g
			ref -= lr * m / (1 - math.Pow(.9, float64(i))) / (math.Sqrt(v/(1-math.Pow(.999, float64(i)))) + 1e-8)
		}
		for _, got := range x.HostFloats() {
			if math.Abs(float64(got)-ref) > 1e-5 {
				t.Errorf("after 5 steps x = %v, want %v", got, ref)
			}
		}
		if got := p.Get("unused").Item(); got != 1 {
			t.Errorf("a parameter without gradient moved to %v", got)
		}
		q := rt.NewParams()
		q.Fill("x", 0, 2)
		q.Fill("unused", 0, 1)
		other := NewAdam(q, lr, 0)
		if err := errors.Join(q.Load(p.Tensors()), other.Load(adam.State())); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			step(p, adam)
			step(q, other)
		}
		if got, want := q.Get("x").HostFloats(), x.HostFloats(); !slices.Equal(got, want) {
			t.Errorf("the restored optimiser came to %v, the one that went on to %v", got, want)
		}
	})
}

func TestParamsLoadIsAllOrNothing(t *testing.T) {
	run(t, func(rt *Runtime) {
		p, q := rt.NewParams(), rt.NewParams()
		a := p.Fill("a", 1, 2)
		p.Fill("b", 1, 3)
		q.Fill("a", 5, 2)
		q.Fill("b", 5, 4)
		if err := p.Load(q.Tensors()); err == nil || !strings.Contains(err.Error(), `"b": expected shape [3], got [4]`) {
			t.Errorf("error %v", err)
		}
		if got := a.HostFloats(); !slices.Equal(got, []float32{1, 1}) {
			t.Errorf("a failed load wrote %v", got)
		}
		extra := p.Tensors()
		extra["c"] = extra["a"]
		if err := p.Load(extra); err == nil || !strings.Contains(err.Error(), `"c"`) {
			t.Errorf("error %v should name the unknown tensor", err)
		}
	})
}

// tinyStep is a training step with most operations in it.
func tinyStep(rt *Runtime, p *Params, adam *Adam) {
	rt.Scope(func() {
		p.ZeroGrad()
		x := p.Get("table").Embedding(rt.Ints([]int64{1, 2, 0, 3}, 4)).LayerNorm(p.Get("gain"), p.Get("bias"), 1e-12)
		x = x.Linear(p.Get("w"), p.Get("bias")).GELU().Dropout(.5)                              // [4, 8]
		x = x.Attend(rt.Concat(1, x, x), rt.Ints([]int64{0, 1, 0, 2, 2, 3, 2, 4}, 4, 2), 2, .5) // [4, 8]
		x = x.PrefixMean(x.Mul(x).Sum(1), rt.Ints([]int64{2, 2}, 2))                            // [4, 8]
		h := x.MatMul(p.Get("w").Softmax()).Normalize().Rows(rt.Ints([]int64{0, 1, 3}, 3))      // [3, 8]
		h.CrossEntropy(p.Get("table"), Tensor{}, rt.Ints([]int64{2, 3, 1}, 3), 1, 4).Backward()
		update(adam)
	})
}

func tinyParams(rt *Runtime) (*Params, *Adam) {
	p := rt.NewParams()
	p.Normal("table", .02, 4, 8)
	p.Normal("w", .02, 8, 8)
	p.Fill("gain", 1, 8)
	p.Fill("bias", 0, 8)
	rt.SetTraining(true)
	return p, NewAdam(p, 1e-3, 0)
}

// Neither tensors nor memory may grow over 10,000 steps.
func TestNothingGrows(t *testing.T) {
	run(t, func(rt *Runtime) {
		p, adam := tinyParams(rt)
		for range 1000 {
			tinyStep(rt, p, adam)
		}
		// A leak of one 8×8 tensor a step would be 2.5 MB and more in every round;
		// the allocator's pools grow as much in one at times, but not in three in a
		// row.
		const rounds, steps, limitKB = 3, 10_000, 2048
		live := rt.Live()
		var grown []int // kB
		for len(grown) < rounds && (len(grown) == 0 || grown[len(grown)-1] > limitKB) {
			rss := residentKB(t)
			for range steps {
				tinyStep(rt, p, adam)
			}
			grown = append(grown, residentKB(t)-rss)
		}
		if got := rt.Live(); got != live {
			t.Errorf("%d tensors live, %d before", got, live)
		}
		if grown[len(grown)-1] > limitKB {
			t.Errorf("memory grew by %d kB in rounds of %d steps", grown, steps)
		}
	})
}

// residentKB is the memory in use, without Go's garbage: 0.7 kB of it come from each tinyStep,
// and it is collected late where an earlier test left a large heap.
func residentKB(t *testing.T) int {
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

func TestEigh(t *testing.T) {
	run(t, func(rt *Runtime) {
		values, vectors := rt.Floats([]float32{2, 1, 1, 2}, 2, 2).Eigh()
		v := vectors.HostFloats() // columns along (1, −1) and (1, 1)
		if got := values.HostFloats(); math.Abs(float64(got[0])-1) > 1e-6 || math.Abs(float64(got[1])-3) > 1e-6 {
			t.Errorf("eigenvalues %v, want 1, 3", got)
		}
		if math.Abs(float64(v[0]+v[2])) > 1e-6 || math.Abs(float64(v[1]-v[3])) > 1e-6 || math.Abs(float64(v[0]*v[0])-.5) > 1e-6 {
			t.Errorf("eigenvectors %v", v)
		}
	})
	err := Run(Config{}, func(rt *Runtime) error { rt.Zeros(2, 3).Eigh(); return nil })
	if err == nil || !strings.Contains(err.Error(), "linalg_eigh([2×3])") {
		t.Errorf("error %v should name the operation and the shape", err)
	}
}

func BenchmarkTinyAdd(b *testing.B) {
	run(b, func(rt *Runtime) {
		x := rt.Full(1, 4)
		for b.Loop() {
			rt.Scope(func() { x.Add(x) })
		}
	})
}

func BenchmarkTinyStep(b *testing.B) {
	run(b, func(rt *Runtime) {
		p, adam := tinyParams(rt)
		for b.Loop() {
			tinyStep(rt, p, adam)
		}
	})
}

// The loss of 1,024 targets over Beauty's catalogue, fused and by stock
// operations.
func BenchmarkCrossEntropy(b *testing.B) {
	const N, d, V = 1024, 64, 12_102
	targets := make([]int64, N)
	for i := range targets {
		targets[i] = 1 + int64(i*11)%(V-1)
	}
	for name, loss := range map[string]func(rt *Runtime, h, table, target Tensor) Tensor{
		"fused": func(rt *Runtime, h, table, target Tensor) Tensor {
			return h.CrossEntropy(table, Tensor{}, target, 1, V)
		},
		"stock": func(rt *Runtime, h, table, target Tensor) Tensor {
			return h.MatMul(table.Transpose()).LogSoftmax().Reshape(-1, 1).Rows(target).Mean().Scale(-1)
		},
	} {
		b.Run(name, func(b *testing.B) {
			run(b, func(rt *Runtime) {
				p := rt.NewParams()
				h, table := p.Normal("h", 1, N, d), p.Normal("table", .1, V, d)
				for b.Loop() {
					rt.Scope(func() {
						p.ZeroGrad()
						loss(rt, h, table, rt.Ints(targets, N)).Backward()
					})
				}
			})
		})
	}
}

// Steps of ever other sizes reuse each other's memory.
func TestMemoryStaysBounded(t *testing.T) {
	run(t, func(rt *Runtime) {
		r := rand.New(rand.NewPCG(1, 1))
		step := func() { // up to 40 tensors of 0.5 to 1 MB: 40 MB at most
			rt.Scope(func() {
				for range 20 + r.IntN(20) {
					rt.Full(1, 128_000+r.Int64N(128_000))
				}
			})
		}
		step()
		before := residentKB(t)
		for range 2000 {
			step()
		}
		if grown := residentKB(t) - before; grown > 80<<10 {
			t.Errorf("memory grew by %d MB over 2,000 steps of at most 40", grown>>10)
		}
	})
}

func TestActivations(t *testing.T) {
	x := []float32{-30, -2, -.5, 0, .1, 1, 3, 30}
	for name, c := range map[string]struct {
		of   func(Tensor) Tensor
		want func(x float64) float64
	}{
		"GELU": {Tensor.GELU, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
		"GELUTanh": {Tensor.GELUTanh, func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
		}},
		"ReLU": {Tensor.ReLU, func(x float64) float64 { return max(0, x) }},
		"SiLU": {Tensor.SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
		"Tanh": {Tensor.Tanh, math.Tanh},
	} {
		run(t, func(rt *Runtime) {
			for i, got := range c.of(rt.Floats(x, int64(len(x)))).HostFloats() {
				if want := c.want(float64(x[i])); math.Abs(float64(got)-want) > 1e-6 {
					t.Errorf("%s(%v) = %v, want %v", name, x[i], got, want)
				}
			}
		})
	}
}
