package models

import (
	"math"
	"slices"
	"testing"

	"famebench/internal/torch"
)

// addNoise moves all parameters away from their initialisation, which has zeros and
// equal gates.
func addNoise(rt *torch.Runtime, m *FAME) {
	for _, name := range m.Params().Names() {
		x := m.Params().Get(name)
		x.CopyFrom(x.Add(rt.NewParams().Normal("noise", .3, x.Shape()...)).HostFloats())
	}
}

// tiny is a configuration that is small enough to be recomputed by hand.
func tiny(change func(*FAMEConfig)) *FAMEConfig {
	c := FAMEDefaults()
	c.Hidden, c.Heads, c.Experts = 16, 4, 3
	change(c)
	return c
}

// withFAME calls f with a model of 30 items, neither trained nor noisy.
func withFAME(t *testing.T, change func(*FAMEConfig), f func(rt *torch.Runtime, m *FAME)) {
	t.Helper()
	err := torch.Run(torch.Config{Seed: 3}, func(rt *torch.Runtime) error {
		m, err := NewFAME(rt, tiny(change), ItemLoss{Kind: "ce"}, 30, 20)
		if err == nil {
			f(rt, m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withPair calls f with two noisy models. Parameters that both have in the same
// shape are equal.
func withPair(t *testing.T, change, other func(*FAMEConfig), f func(rt *torch.Runtime, m, o *FAME)) {
	t.Helper()
	withFAME(t, change, func(rt *torch.Runtime, m *FAME) {
		addNoise(rt, m)
		o, err := NewFAME(rt, tiny(other), ItemLoss{Kind: "ce"}, 30, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range o.Params().Names() {
			if x := o.Params().Get(name); slices.Contains(m.Params().Names(), name) && slices.Equal(x.Shape(), m.Params().Get(name).Shape()) {
				x.CopyFrom(m.Params().Get(name).HostFloats())
			}
		}
		f(rt, m, o)
	})
}

func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(float64(got[i])-float64(want[i])) <= tolerance) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func set(x torch.Tensor, v float32) { x.CopyFrom(slices.Repeat([]float32{v}, x.Len())) }

// The balance term is 1 for even loads and N for a head that uses one expert
// only. It is averaged over heads and layers and added to the loss with its
// weight.
func TestFAMEBalance(t *testing.T) {
	withFAME(t, func(*FAMEConfig) {}, func(rt *torch.Runtime, m *FAME) {
		const H, N = 4, 3
		rows := func(of func(row, h, e int) float32) float64 {
			var beta []float32
			for row := range 5 {
				for h := range H {
					for e := range N {
						beta = append(beta, of(row, h, e))
					}
				}
			}
			x, _, _ := m.moe[0].imbalance(rt.Floats(beta, 5, H, N))
			return x.Item()
		}
		oneHot := func(at func(row, h int) int) func(row, h, e int) float32 {
			return func(row, h, e int) float32 {
				if e == at(row, h) {
					return 1
				}
				return 0
			}
		}
		for name, c := range map[string]struct{ got, want float64 }{
			"even weights":                 {rows(func(int, int, int) float32 { return 1. / N }), 1},
			"one expert for all":           {rows(oneHot(func(int, int) int { return 2 })), N},
			"another expert in each head":  {rows(oneHot(func(_, h int) int { return h % N })), N},
			"two experts in half the rows": {rows(oneHot(func(row, _ int) int { return min(row/2, 1) })), N * (.4*.4 + .6*.6)},
			"one head even, three not": {rows(func(row, h, e int) float32 {
				if h == 0 {
					return 1. / N
				}
				return oneHot(func(int, int) int { return 0 })(row, h, e)
			}), (1 + 3*N) / 4.},
		} {
			if math.Abs(c.got-c.want) > 1e-5 {
				t.Errorf("%s: imbalance %v, want %v", name, c.got, c.want)
			}
		}
	})
	two := func(c *FAMEConfig) { c.MoELayers = 2 }
	withPair(t, two, func(c *FAMEConfig) { two(c); c.BalanceWeight = .7 }, func(rt *torch.Runtime, plain, m *FAME) {
		b := someTargets(smallBatch([]int64{1, 20, 7}, 30))
		got, ce := m.Loss(b).Item(), plain.Loss(b).Item()
		var sum float64
		for _, trace := range m.Encode(b, b.Position).Layers {
			beta := trace.Routing.HostFloats() // [n, H, N]
			n := len(beta) / 12
			for at := range 12 {
				var load float64
				for row := range n {
					load += float64(beta[row*12+at]) / float64(n)
				}
				sum += 3 * load * load / 4
			}
		}
		if want := ce + .7*sum/2; math.Abs(got-want) > 1e-5 || sum/2 < 1.001 {
			t.Errorf("loss %v, want %v = %v + .7 · %v", got, want, ce, sum/2)
		}
	})
}

// someTargets leaves out most positions after the first ten, so not every item of
// the input is scored, and fewer of long sequences.
func someTargets(b *Batch) *Batch {
	out := &Batch{Items: b.Items, Lengths: b.Lengths}
	for i, p := range b.Position {
		if i < 10 || i%4 == 0 {
			out.Position, out.Target = append(out.Position, p), append(out.Target, b.Target[i])
		}
	}
	return out
}

// cut is the sequences from…to of a batch.
func cut(b *Batch, from, to int) *Batch {
	var first, end int64
	for i, n := range b.Lengths[:to] {
		if i < from {
			first += n
		}
		end += n
	}
	out := &Batch{Items: b.Items[first:end], Lengths: b.Lengths[from:to]}
	for i, p := range b.Position {
		if p >= first && p < end {
			out.Position, out.Target = append(out.Position, p-first), append(out.Target, b.Target[i])
		}
	}
	return out
}

// The balance term is that of the whole batch: two members with different parts of
// it get the loss and the gradients of one.
func TestFAMEBalanceIsOfTheWholeBatch(t *testing.T) {
	b := someTargets(smallBatch([]int64{1, 20, 7, 3, 19, 2, 5}, 30))
	c := tiny(func(c *FAMEConfig) { c.MoELayers, c.BalanceWeight = 2, 5 })
	train := func(parts ...*Batch) (loss float64, grads map[string][]float32) {
		grads = map[string][]float32{}
		members := make([]*FAME, len(parts))
		losses := make([]float64, len(parts))
		err := torch.RunTeam(torch.Config{Threads: len(parts), Seed: 3}, func(team *torch.Team) error {
			err := team.InTurn(func(k int, rt *torch.Runtime) (err error) {
				members[k], err = NewFAME(rt, c, ItemLoss{Kind: "ce"}, 30, 20)
				return err
			})
			if err != nil {
				return err
			}
			addNoise(team.Leader(), members[0])
			err = team.Each(func(k int, rt *torch.Runtime) error {
				l := members[k].Loss(parts[k])
				losses[k] = l.Item()
				l.Backward()
				return nil
			})
			for k, m := range members { // by targets, as internal/train does
				share := float64(len(parts[k].Target)) / float64(len(b.Target))
				loss += share * losses[k]
				for _, name := range m.Params().Names() {
					g := m.Params().Grad(name)
					if grads[name] == nil {
						grads[name] = make([]float32, len(g))
					}
					for i, x := range g {
						grads[name][i] += float32(share) * x
					}
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return loss, grads
	}
	want, wants := train(b)
	got, gots := train(cut(b, 0, 2), cut(b, 2, 7))
	if math.Abs(got-want) > 1e-5 {
		t.Errorf("two members: loss %v, one: %v", got, want)
	}
	for name := range wants {
		near(t, "gradient of "+name, gots[name], wants[name], 1e-5)
	}
}

// Routers that must be equivalent: top-k of all experts and dense, uniform and
// dense without weights.
func TestFAMERouters(t *testing.T) {
	b := smallBatch([]int64{1, 20, 7}, 30)
	dense := func(*FAMEConfig) {}
	topK := func(k int) func(*FAMEConfig) { return func(c *FAMEConfig) { c.Router, c.TopK = RouterTopK, k } }
	withPair(t, dense, topK(3), func(rt *torch.Runtime, m, o *FAME) {
		near(t, "top 3 of 3 experts", o.Encode(b, b.Position).User.HostFloats(), m.Encode(b, b.Position).User.HostFloats(), 5e-6) // ten ulp of the largest value: the weights are divided by their sum again
	})
	withPair(t, dense, topK(2), func(rt *torch.Runtime, m, o *FAME) {
		all := m.Encode(b, b.Position).Last().Routing.HostFloats()
		kept := o.Encode(b, b.Position).Last().Routing.HostFloats()
		for row := 0; row < len(all); row += 3 {
			want := slices.Clone(all[row : row+3]) // the smallest is dropped, the others keep their proportions
			least := slices.Index(want, slices.Min(want))
			want[least] = 0
			sum := want[0] + want[1] + want[2]
			for e := range want {
				want[e] /= sum
			}
			near(t, "top 2 of 3 experts", kept[row:row+3], want, 1e-5)
			if kept[row+least] != 0 {
				t.Fatalf("row %d: weights %v", row, kept[row:row+3])
			}
		}
	})
	withPair(t, dense, func(c *FAMEConfig) { c.Router = RouterUniform }, func(rt *torch.Runtime, m, o *FAME) {
		set(m.Params().Get("moe.0.router.weight"), 0)
		near(t, "uniform router", o.Encode(b, b.Position).User.HostFloats(), m.Encode(b, b.Position).User.HostFloats(), 1e-5)
	})
}

// Feed-forward layers of the heads that all have the same weights equal one
// shared layer.
func TestFAMEFeedForwardPerHead(t *testing.T) {
	b := smallBatch([]int64{1, 20, 7}, 30)
	withPair(t, func(*FAMEConfig) {}, func(c *FAMEConfig) { c.PerHeadFeedForward = true }, func(rt *torch.Runtime, m, o *FAME) {
		for _, part := range []string{"in", "out"} {
			name := "moe.0.ffn." + part
			w := m.Params().Get(name + ".weight").Transpose().HostFloats() // [out, in] → [in, out]
			o.Params().Get(name + ".weight").CopyFrom(slices.Repeat(w, 4))
			o.Params().Get(name + ".bias").CopyFrom(slices.Repeat(m.Params().Get(name+".bias").HostFloats(), 4))
		}
		near(t, "F", o.Encode(b, b.Position).Heads.HostFloats(), m.Encode(b, b.Position).Heads.HostFloats(), 1e-5)
	})
}

// The gate "top1" keeps only the highest of the learned gate's weights, unchanged.
func TestFAMETop1(t *testing.T) {
	b := smallBatch([]int64{1, 20, 7}, 30)
	withPair(t, func(*FAMEConfig) {}, func(c *FAMEConfig) { c.Gate = GateTop1 }, func(rt *torch.Runtime, m, o *FAME) {
		learned, top1 := m.Encode(b, b.Position), o.Encode(b, b.Position)
		weights, got := learned.Gate.HostFloats(), top1.Gate.HostFloats()
		near(t, "choice", top1.Choice.HostFloats(), weights, 1e-6)
		near(t, "choice of the learned gate", learned.Choice.HostFloats(), weights, 0)
		heads := map[int]bool{}
		for row := 0; row < len(got); row += 4 {
			want := make([]float32, 4)
			best := slices.Index(weights[row:row+4], slices.Max(weights[row:row+4]))
			want[best] = weights[row+best]
			heads[best] = true
			for h, g := range got[row : row+4] {
				if (g == 0) != (h != best) {
					t.Fatalf("row %d: weights %v", row, got[row:row+4])
				}
			}
			near(t, "top1", got[row:row+4], want, 1e-6)
		}
		if len(heads) < 2 {
			t.Error("all rows choose one head: nothing is tested")
		}
	})
}

// With "select", the initial user vector consists of the heads' own coordinates,
// weighted by the gate. With equal weights it is the initial user vector of
// "concat".
func TestFAMEInitialisation(t *testing.T) {
	b := smallBatch([]int64{1, 20, 7}, 30)
	for _, gate := range []string{GateLearned, GateAverage, GateStatic, GateTop1, GateConcat} {
		withFAME(t, func(c *FAMEConfig) { c.Gate = gate }, func(rt *torch.Runtime, m *FAME) {
			f := m.Encode(b, b.Position)
			want := f.Heads.HostFloats() // [N, H, d/H]
			if gate != GateConcat {
				g := f.Gate.HostFloats()
				for i := range want {
					want[i] *= 4 * g[i/4]
				}
			}
			near(t, gate, f.User.HostFloats(), want, 1e-6)
		})
	}
	withFAME(t, func(c *FAMEConfig) { c.Gate, c.FacetInit = GateConcat, FacetsNormal }, func(rt *torch.Runtime, m *FAME) {
		var square float64
		for _, w := range m.Params().Get("concat.weight").HostFloats() {
			square += float64(w * w)
		}
		if sd := math.Sqrt(square / 256); math.Abs(sd-InitStd) > .1*InitStd {
			t.Errorf("concat's projection is initialised from N(0, %.4f²), want N(0, .02²)", sd)
		}
	})
}

// byHand computes parts of a model one number at a time.
type byHand struct{ m *FAME }

func (h byHand) param(name string) []float32 { return h.m.Params().Get(name).HostFloats() }

func (h byHand) linear(name string, x []float64) []float64 {
	w, bias := h.param(name+".weight"), h.param(name+".bias")
	y := make([]float64, len(bias))
	for o := range y {
		y[o] = float64(bias[o])
		for i, v := range x {
			y[o] += v * float64(w[o*len(x)+i])
		}
	}
	return y
}

func (h byHand) norm(name string, x []float64) []float64 {
	gain, bias := h.param(name+".weight"), h.param(name+".bias")
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(gain[i])*(v-mean)/math.Sqrt(variance+1e-12) + float64(bias[i])
	}
	return y
}

func softmax(x []float64) []float64 {
	var sum float64
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Exp(v)
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
	return y
}

// The layer of experts with its residual connection, recomputed number by number:
// equations 14–17, x + O normalised, equation 7.
func TestFAMEByHand(t *testing.T) {
	const H, N, d, e = 2, 3, 8, 4
	change := func(c *FAMEConfig) { c.Hidden, c.Heads, c.Experts, c.Layers = d, H, N, 1 }
	withFAME(t, change, func(rt *torch.Runtime, m *FAME) {
		addNoise(rt, m)
		b := &Batch{Items: []int64{5, 9, 2, 9}, Lengths: []int64{4}}
		f := m.Encode(b, []int64{0, 1, 2, 3})
		hand := byHand{m}
		param, linear, norm := hand.param, hand.linear, hand.norm
		// With one layer, its input is the embedding.
		items, positions := param("item_emb.weight"), param("pos_emb.weight")
		var x [][]float64
		for t, v := range b.Items {
			row := make([]float64, d)
			for i := range row {
				row[i] = float64(items[int(v)*d+i]) + float64(positions[t*d+i])
			}
			x = append(x, norm("emb_ln", row))
		}
		router := param("moe.0.router.weight") // [H, N·e, N]
		var heads, routing []float32
		for t := range x {
			queries := linear("moe.0.q", x[t]) // [N·d], by expert and head
			for h := range H {
				var experts []float64 // [N·e]
				for n := range N {
					query := queries[n*d+h*e:][:e]
					var scores []float64
					var values [][]float64
					for s := range t + 1 {
						kv := linear("moe.0.kv", x[s])
						dot := 0.
						for i, q := range query {
							dot += q * kv[h*e+i]
						}
						scores, values = append(scores, dot/math.Sqrt(e)), append(values, kv[d+h*e:][:e])
					}
					out := make([]float64, e)
					for s, weight := range softmax(scores) {
						for i := range out {
							out[i] += weight * values[s][i]
						}
					}
					experts = append(experts, out...)
				}
				logits := make([]float64, N)
				for n := range logits {
					for i, v := range experts {
						logits[n] += v * float64(router[(h*N*e+i)*N+n])
					}
				}
				beta := softmax(logits)
				sum := slices.Clone(x[t][h*e : (h+1)*e])
				for n, weight := range beta {
					routing = append(routing, float32(weight))
					for i := range sum {
						sum[i] += weight * experts[n*e+i]
					}
				}
				o := norm("moe.0.attn_ln", sum)
				hidden := linear("moe.0.ffn.in", o)
				for i, v := range hidden {
					hidden[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
				}
				out := linear("moe.0.ffn.out", hidden)
				for i := range out {
					out[i] += o[i]
				}
				for _, v := range norm("moe.0.ffn_ln", out) {
					heads = append(heads, float32(v))
				}
			}
		}
		near(t, "β", f.Last().Routing.HostFloats(), routing, 1e-5)
		near(t, "F", f.Heads.HostFloats(), heads, 1e-5)
	})
}
