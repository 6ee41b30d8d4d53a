package torch_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"famebench/internal/torch"
)

// eachKind runs f with every kind of products that the processor can use.
func eachKind(t *testing.T, f func(t *testing.T, kind string)) {
	start(t)
	kinds := 0
	for _, kind := range []string{"amx", "avx512", "avx2", "libtorch"} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv(torch.ProductsVariable, kind)
			if torch.ChooseProducts() != nil {
				return // not on this processor
			}
			kinds++
			defer start(t)
			float32s := kind
			if kind == "amx" { // multiplies only bfloat16
				float32s = "avx512"
			}
			if got := torch.Products(false); got != float32s {
				t.Fatalf("products are %q, want %q", got, float32s)
			}
			if tiles := strings.HasSuffix(torch.Products(true), ", bfloat16 in tiles"); tiles != (kind == "amx") {
				t.Fatalf("products in bfloat16 are %q", torch.Products(true))
			}
			f(t, kind)
		})
	}
	if kinds == 0 {
		t.Error("no kind of products can be used")
	}
}

// start makes the settings of the process, and chooses the products that suit the
// processor.
func start(t *testing.T) {
	t.Setenv(torch.ProductsVariable, "")
	if err := torch.Run(torch.Config{Threads: 1}, func(*torch.Runtime) error { return torch.ChooseProducts() }); err != nil {
		t.Fatal(err)
	}
}

func on(t testing.TB, threads int, f func(rt *torch.Runtime)) {
	t.Helper()
	if err := torch.Run(torch.Config{Threads: threads, Seed: 7}, func(rt *torch.Runtime) error { f(rt); return nil }); err != nil {
		t.Fatal(err)
	}
}

// matrix holds random numbers, row-major.
type matrix struct {
	rows, columns int
	v             []float32
}

func random(r *rand.Rand, rows, columns int) matrix {
	m := matrix{rows, columns, make([]float32, rows*columns)}
	for i := range m.v {
		m.v[i] = float32(r.NormFloat64())
	}
	return m
}

func (m matrix) transposed() matrix {
	out := matrix{m.columns, m.rows, make([]float32, len(m.v))}
	for i := range m.rows {
		for j := range m.columns {
			out.v[j*m.rows+i] = m.v[i*m.columns+j]
		}
	}
	return out
}

// toBFloat16 rounds to the nearest number of 8 significant bits, ties to even.
func (m matrix) toBFloat16() matrix {
	out := matrix{m.rows, m.columns, slices.Clone(m.v)}
	for i, x := range m.v {
		fraction, exponent := math.Frexp(float64(x))
		out.v[i] = float32(math.Ldexp(math.RoundToEven(fraction*256), exponent-8))
	}
	return out
}

// times is a·bᵀ in float64.
func (a matrix) times(b matrix) []float64 {
	out := make([]float64, a.rows*b.rows)
	for i := range a.rows {
		for j := range b.rows {
			for k := range a.columns {
				out[i*b.rows+j] += float64(a.v[i*a.columns+k]) * float64(b.v[j*b.columns+k])
			}
		}
	}
	return out
}

// near compares values within a tolerance that grows with them.
func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(float64(got[i])-want[i]) <= tolerance*(1+math.Abs(want[i]))) {
			t.Errorf("%s[%d] = %v, want %v within %g of 1 + |want|", what, i, got[i], want[i], tolerance)
			return
		}
	}
}

// Linear and its gradients in every kind and both precisions, against sums in float64. In
// bfloat16 the operands are rounded first, and what is left is the rounding of float32
// sums, so the tolerance is the same. Sizes are around those of vectors and tiles.
func TestLinearInEveryKind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := [][3]int{{1, 1, 1}, {2, 3, 5}, {7, 64, 64}, {50, 19, 33}, {13, 300, 17}, {100, 2, 70}, {5, 65, 130}}
	eachKind(t, func(t *testing.T, kind string) {
		for _, size := range sizes {
			for _, bfloat16 := range []bool{false, true} {
				n, in, out := size[0], size[1], size[2]
				x, w, g, b := random(r, n, in), random(r, out, in), random(r, n, out), random(r, 1, out)
				what := fmt.Sprintf("[%d, %d]·[%d, %d]ᵀ, bfloat16 %v: ", n, in, out, in, bfloat16)
				on(t, 2, func(rt *torch.Runtime) {
					p := rt.NewParams()
					for name, m := range map[string]matrix{"x": x, "w": w, "b": b} {
						p.Fill(name, 0, int64(m.rows), int64(m.columns))
						p.Get(name).CopyFrom(m.v)
					}
					rt.SetBFloat16(bfloat16)
					y := p.Get("x").Linear(p.Get("w"), p.Get("b").Reshape(int64(out)))
					y.Mul(rt.Floats(g.v, int64(n), int64(out))).Reshape(-1).Sum(0).Backward()
					exact, weights := x, w
					x, w, g := x, w, g
					if bfloat16 {
						x, w, g = x.toBFloat16(), w.toBFloat16(), g.toBFloat16()
					}
					want := x.times(w)
					for i := range want {
						want[i] += float64(b.v[i%out])
					}
					near(t, what+"output", y.HostFloats(), want, 3e-5)
					near(t, what+"gradient of x", p.Grad("x"), g.times(w.transposed()), 3e-5)
					near(t, what+"gradient of w", p.Grad("w"), g.transposed().times(x.transposed()), 3e-5)
					scores := make([]float32, n*out) // in float32 always
					p.Get("x").ScoresInto(scores, p.Get("w"), p.Get("b").Reshape(int64(out)))
					want = exact.times(weights)
					for i := range want {
						want[i] += float64(b.v[i%out])
					}
					near(t, what+"scores", scores, want, 3e-5)
				})
			}
		}
	})
}

// lossCase is a loss with its gradients: of hidden, of the table and of the bias.
type lossCase struct {
	hidden, table, bias matrix
	targets             []int64
	lo, hi              int
}

func newLossCase(n, d, items int) lossCase {
	r := rand.New(rand.NewPCG(uint64(n), uint64(d)))
	c := lossCase{random(r, n, d), random(r, items, d), random(r, 1, items), nil, 1, items - 2}
	for range n {
		c.targets = append(c.targets, int64(c.lo+r.IntN(c.hi-c.lo)))
	}
	return c
}

// compute is the loss and its gradients by the fused operation.
func (c lossCase) compute(t *testing.T, threads int, withBias, bfloat16 bool) (loss float64, grads [3][]float32) {
	t.Helper()
	on(t, threads, func(rt *torch.Runtime) {
		p := rt.NewParams()
		names := []string{"hidden", "table", "bias"}
		for i, m := range []matrix{c.hidden, c.table, c.bias} {
			p.Fill(names[i], 0, int64(m.rows), int64(m.columns))
			p.Get(names[i]).CopyFrom(m.v)
		}
		var bias torch.Tensor
		if withBias {
			bias = p.Get("bias").Reshape(-1)
		}
		rt.SetBFloat16(bfloat16)
		l := p.Get("hidden").CrossEntropy(p.Get("table"), bias, rt.Ints(c.targets), int64(c.lo), int64(c.hi))
		l.Backward()
		loss = l.Item()
		for i, name := range names {
			if name != "bias" || withBias {
				grads[i] = p.Grad(name)
			}
		}
		rt.NoGrad(func() {
			alone := p.Get("hidden").CrossEntropy(p.Get("table"), bias, rt.Ints(c.targets), int64(c.lo), int64(c.hi)).Item()
			if math.Abs(alone-loss) > 1e-6*(1+loss) {
				t.Errorf("loss %v without gradients, %v with them", alone, loss)
			}
		})
	})
	return loss, grads
}

// reference is compute in float64, step by step.
func (c lossCase) reference(withBias bool) (loss float64, grads [3][]float64) {
	n, d := c.hidden.rows, c.hidden.columns
	logits := c.hidden.times(c.table)
	grads = [3][]float64{make([]float64, n*d), make([]float64, c.table.rows*d), make([]float64, c.table.rows)}
	for i := range n {
		row := logits[i*c.table.rows : (i+1)*c.table.rows]
		sum := 0.0
		for v := c.lo; v < c.hi; v++ {
			if withBias {
				row[v] += float64(c.bias.v[v])
			}
			sum += math.Exp(row[v])
		}
		loss += (math.Log(sum) - row[c.targets[i]]) / float64(n)
		for v := c.lo; v < c.hi; v++ {
			g := math.Exp(row[v]) / sum
			if int64(v) == c.targets[i] {
				g--
			}
			g /= float64(n)
			for k := range d {
				grads[0][i*d+k] += g * float64(c.table.v[v*d+k])
				grads[1][v*d+k] += g * float64(c.hidden.v[i*d+k])
			}
			grads[2][v] += g
		}
	}
	return loss, grads
}

// apart is ‖got − want‖ / ‖want‖, or ‖got‖ if want is zero, as with a single class.
func apart(got []float32, want []float64) float64 {
	var difference, norm float64
	for i := range want {
		difference += (float64(got[i]) - want[i]) * (float64(got[i]) - want[i])
		norm += want[i] * want[i]
	}
	if norm == 0 {
		norm = 1
	}
	return math.Sqrt(difference / norm)
}

// The fused loss in every kind and both precisions, over several chunks of rows, against
// float64. In bfloat16 the loss is exact for rounded operands. Its gradients multiply
// rounded exponentials with rounded rows: each rounding changes a number by at most 2⁻⁹,
// by about 2⁻¹⁰ in the mean, and two of them are in each product.
func TestCrossEntropyInEveryKind(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 4}, {110, 5, 20_000}, {97, 64, 700}} {
		c := newLossCase(size[0], size[1], size[2])
		rounded := c
		rounded.hidden, rounded.table = c.hidden.toBFloat16(), c.table.toBFloat16()
		for _, withBias := range []bool{false, true} {
			wantLoss, want := c.reference(withBias)
			roundedLoss, roundedWant := rounded.reference(withBias)
			eachKind(t, func(t *testing.T, kind string) {
				for _, bfloat16 := range []bool{false, true} {
					loss, got := c.compute(t, 1, withBias, bfloat16)
					wantLoss, want, tolerance := wantLoss, want, 2e-5
					if bfloat16 {
						wantLoss, want, tolerance = roundedLoss, roundedWant, 4e-3
					}
					if !(math.Abs(loss-wantLoss) <= 1e-6*(1+wantLoss)) {
						t.Errorf("%v, bias %v, bfloat16 %v: loss %v, want %v", size, withBias, bfloat16, loss, wantLoss)
					}
					for i, g := range got {
						if g == nil {
							continue
						}
						if x := apart(g, want[i]); !(x <= tolerance) {
							t.Errorf("%v, bias %v, bfloat16 %v: gradient %d is off by %.2g of its norm, allowed %g", size, withBias, bfloat16, i, x, tolerance)
						}
					}
					again, same := c.compute(t, 3, withBias, bfloat16)
					for i := range got {
						if kind != "libtorch" && (again != loss || !slices.Equal(same[i], got[i])) {
							t.Errorf("%v, bias %v, bfloat16 %v: loss or gradient %d differs with three threads", size, withBias, bfloat16, i)
						}
					}
				}
			})
		}
	}
}

// The exponential of our own loss, relative to the exact one: the gradient of a row with
// the logits 0 (the target), 0 and x is eˣ/(2 + eˣ). 2 ulp are the exponential's, the
// others those of the sum, its inverse and two products.
func TestExponential(t *testing.T) {
	const n = 4000
	hidden, targets := make([]float32, n), make([]int64, n)
	for i := range hidden {
		hidden[i] = -75 * float32(i) / n // below, gradients have fewer digits
	}
	eachKind(t, func(t *testing.T, kind string) {
		if kind == "libtorch" {
			return // another exponential
		}
		on(t, 1, func(rt *torch.Runtime) {
			p := rt.NewParams()
			h := p.Fill("h", 0, n, 1)
			h.CopyFrom(hidden)
			h.CrossEntropy(rt.Floats([]float32{0, 0, 1}, 3, 1), torch.Tensor{}, rt.Ints(targets), 0, 3).Backward()
			for i, got := range p.Grad("h") {
				e := math.Exp(float64(hidden[i]))
				if want := e / (2 + e) / n; !(math.Abs(float64(got)/want-1) <= 5.0/(1<<23)) {
					t.Errorf("gradient at %v is %v, want %v: off by %.2g", hidden[i], got, want, float64(got)/want-1)
					return
				}
			}
		})
	})
}

func TestExtremeLogitsInEveryKind(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachKind(t, func(t *testing.T, kind string) {
		on(t, 1, func(rt *torch.Runtime) {
			table := rt.Floats([]float32{0, 100, -100}, 3, 1)
			for _, bfloat16 := range []bool{false, true} {
				rt.SetBFloat16(bfloat16)
				for _, c := range []struct {
					hidden float32
					want   float64
				}{{1, 0}, {-1, 200}, {-8192, 2 * 819200}, {8192, 0}, {0, math.Log(3)}, {nan, math.NaN()}, {inf, math.NaN()}} {
					p := rt.NewParams()
					h := p.Fill(fmt.Sprint("h", c.hidden), float64(c.hidden), 1, 1)
					loss := h.CrossEntropy(table, torch.Tensor{}, rt.Ints([]int64{1}), 0, 3)
					got := loss.Item()
					if math.IsNaN(c.want) != math.IsNaN(got) || math.Abs(got-c.want) > 1e-5*(1+c.want) {
						t.Errorf("hidden %v, bfloat16 %v: loss %v, want %v", c.hidden, bfloat16, got, c.want)
					}
				}
			}
		})
	})
}

func TestUnknownProducts(t *testing.T) {
	start(t)
	defer start(t)
	t.Setenv(torch.ProductsVariable, "fast")
	if err := torch.ChooseProducts(); err == nil || !strings.HasSuffix(err.Error(), `libtorch on this processor, got "fast"`) {
		t.Errorf("error %v", err)
	}
}

// The loss of a step on Beauty: products, softmax and conversions, in GFLOP/s of its three
// products. BenchmarkProduct is what the machine can do.
//
//	go test ./internal/torch -run XXX -bench 'CrossEntropy|Product'
func BenchmarkCrossEntropy(b *testing.B) {
	const n, d, items = 256, 64, 12_101
	for _, bfloat16 := range []bool{false, true} {
		b.Run(precision(bfloat16), func(b *testing.B) {
			on(b, 1, func(rt *torch.Runtime) {
				p := rt.NewParams()
				h, table := p.Normal("h", 1, n, d), p.Normal("table", .1, items+1, d)
				targets := make([]int64, n)
				for i := range targets {
					targets[i] = int64(1 + i*37%items)
				}
				rt.SetBFloat16(bfloat16)
				for b.Loop() {
					rt.Scope(func() { h.CrossEntropy(table, torch.Tensor{}, rt.Ints(targets), 1, items+1) })
				}
				perSecond(b, 3*2*n*d*items)
			})
		})
	}
}

// A large product.
func BenchmarkProduct(b *testing.B) {
	const n = 1024
	for _, bfloat16 := range []bool{false, true} {
		b.Run(precision(bfloat16), func(b *testing.B) {
			on(b, 1, func(rt *torch.Runtime) {
				p := rt.NewParams()
				x, y := p.Normal("x", 1, n, n), p.Normal("y", 1, n, n)
				rt.SetBFloat16(bfloat16)
				rt.NoGrad(func() {
					for b.Loop() {
						rt.Scope(func() { x.Linear(y, torch.Tensor{}) })
					}
				})
				perSecond(b, 2*n*n*n)
			})
		})
	}
}

// The scores of a few users for a large catalogue, whose table is read once for all of them.
func BenchmarkScores(b *testing.B) {
	const d, items = 64, 1_000_000
	for _, n := range []int64{1, 2, 6, 16} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			on(b, 1, func(rt *torch.Runtime) {
				p := rt.NewParams()
				users, table := p.Normal("users", 1, n, d), p.Normal("table", .1, items+1, d)
				scores := make([]float32, n*(items+1))
				for b.Loop() {
					users.ScoresInto(scores, table, torch.Tensor{})
				}
				b.ReportMetric(4*d*items*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		})
	}
}

func precision(bfloat16 bool) string {
	if bfloat16 {
		return "bfloat16"
	}
	return "float32"
}

func perSecond(b *testing.B, operations float64) {
	b.ReportMetric(operations*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
