package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// fameOracle is a fixture fame_*.
type fameOracle struct {
	oracle.Case
	cfg struct {
		Items   int `json:"n_items"`
		Hidden  int
		Heads   int
		Experts int
		Layers  int
		Inner   int
		MaxLen  int `json:"max_len"`
		MoE     bool
		Gate    string
	}
	in struct {
		Seq      [][]int64 `json:"item_seq"`
		Len      []int64   `json:"item_seq_len"`
		Target   []int64
		NextItem [][]int64 `json:"next_item"`
	}
	want struct {
		Scores      [][]float64
		ScoresValid [][][]float64   `json:"scores_valid"`
		Heads       [][][][]float64 `json:"F_valid"`
		Routing     [][][][]float64 `json:"beta_valid"`
		Gate        [][][]float64   `json:"gate_valid"`
		HeadScores  [][][]float64   `json:"head_scores_last"`
		Loss        float64
		LossAllPos  float64 `json:"loss_allpos"`
	}
}

func (o *fameOracle) config() *FAMEConfig {
	c := FAMEDefaults()
	c.Hidden, c.Heads, c.Layers, c.Inner, c.Experts = o.cfg.Hidden, o.cfg.Heads, o.cfg.Layers, o.cfg.Inner, o.cfg.Experts
	c.Residual, c.FacetInit = false, FacetsNormal
	c.Gate = map[string]string{"learned": GateLearned, "average": GateAverage, "avg": GateAverage, "uniform": GateAverage, "static": GateStatic, "concat": GateConcat}[o.cfg.Gate]
	return c
}

// stacked joins the reference's tensors, one per head and expert, into FAME's
// layout.
func (o *fameOracle) stacked(t *testing.T, file string) map[string]safetensors.Tensor {
	t.Helper()
	in, out := o.Tensors(t, file), map[string]safetensors.Tensor{}
	H, N, d := o.cfg.Heads, o.cfg.Experts, int64(o.cfg.Hidden)
	e := d / int64(H)
	join := func(shape []int64, names ...string) safetensors.Tensor {
		var data []float32
		for _, name := range names {
			x, ok := in[name]
			if !ok {
				t.Fatalf("%s has no %s", file, name)
			}
			v, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, v...)
		}
		return safetensors.FromFloat32s(shape, data)
	}
	for name, x := range in {
		if rest, ok := strings.CutPrefix(name, "final.ffn"); ok {
			out["moe.0.ffn"+rest] = x
		} else if !strings.HasPrefix(name, "final.") && !strings.HasPrefix(name, "facet.") {
			out[name] = x
		}
	}
	names := func(format string) (out []string) {
		for h := range H {
			out = append(out, fmt.Sprintf(format, h))
		}
		return out
	}
	for part, shape := range map[string][]int64{"weight": {0, d}, "bias": {0}} {
		var queries []string
		for n := range N {
			queries = append(queries, names("final.heads.%d.q."+fmt.Sprint(n)+"."+part)...)
		}
		rows := func(n int64) []int64 { return append([]int64{n}, shape[1:]...) }
		out["moe.0.q."+part] = join(rows(int64(N)*d), queries...)
		out["moe.0.kv."+part] = join(rows(2*d), append(names("final.heads.%d.k."+part), names("final.heads.%d.v."+part)...)...)
	}
	if N > 1 { // the reference's [N, N·d/H] is transposed to [N·d/H, N] in every head
		flat, err := join([]int64{int64(H), int64(N), int64(N) * e}, names("final.heads.%d.router.weight")...).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		turned := make([]float32, len(flat))
		rows, columns := N, N*int(e)
		for h := range H {
			for r := range rows {
				for c := range columns {
					turned[(h*columns+c)*rows+r] = flat[(h*rows+r)*columns+c]
				}
			}
		}
		out["moe.0.router.weight"] = safetensors.FromFloat32s([]int64{int64(H), int64(N) * e, int64(N)}, turned)
	}
	if o.cfg.Gate != "concat" {
		out["facet.weight"] = join([]int64{d, d}, names("facet.%d.weight")...)
	}
	return out
}

func TestOracleFAME(t *testing.T) {
	oracle.OnDevices(t, testOracleFAME)
}

func testOracleFAME(t *testing.T, device string) {
	for _, c := range oracle.Cases(t, func(n string) bool { return strings.HasPrefix(n, "fame_") }) {
		t.Run(c.Name, func(t *testing.T) {
			o := fameOracle{Case: c}
			c.Decode(t, &o.cfg, &o.in, &o.want)
			err := torch.Run(torch.Config{Device: device, Seed: 1}, func(rt *torch.Runtime) error {
				m, err := NewFAME(rt, o.config(), ItemLoss{Kind: "ce", Padding: true}, o.cfg.Items-1, o.cfg.MaxLen)
				if err != nil {
					return err
				}
				if err := m.Params().Load(o.stacked(t, "weights.safetensors")); err != nil {
					return err
				}
				o.check(t, rt, m)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func (o *fameOracle) check(t *testing.T, rt *torch.Runtime, m *FAME) {
	last, every := &Batch{Lengths: o.in.Len, Target: o.in.Target}, &Batch{Lengths: o.in.Len}
	for i, row := range o.in.Seq {
		last.Items = append(last.Items, row[:o.in.Len[i]]...)
		every.Target = append(every.Target, o.in.NextItem[i]...)
	}
	every.Items, last.Position = last.Items, last.LastPositions()
	for i := range every.Items {
		every.Position = append(every.Position, int64(i))
	}
	scores := func(u torch.Tensor) []float32 { return u.MatMul(m.table.Transpose()).HostFloats() }
	f := m.Encode(every, every.Position)
	flat := func(x [][][][]float64) []float64 { return oracle.Flatten(oracle.Flatten(oracle.Flatten(x))) }
	oracle.Near(t, "F", f.Heads.HostFloats(), flat(o.want.Heads), 1e-5)
	if o.want.Routing != nil {
		oracle.Near(t, "β", f.Last().Routing.HostFloats(), flat(o.want.Routing), 1e-5)
	}
	if o.want.Gate != nil {
		oracle.Near(t, "g", f.Gate.HostFloats(), oracle.Flatten(oracle.Flatten(o.want.Gate)), 1e-5)
	}
	oracle.Near(t, "scores_valid", scores(f.User), oracle.Flatten(oracle.Flatten(o.want.ScoresValid)), 1e-5)
	oracle.Near(t, "scores", scores(m.Users(last)), oracle.Flatten(o.want.Scores), 1e-5)
	if o.want.HeadScores != nil {
		got := m.HeadScores(m.Encode(last, last.Position).Heads)
		oracle.Near(t, "head_scores", got.HostFloats(), oracle.Flatten(oracle.Flatten(o.want.HeadScores)), 1e-5)
	}
	for _, c := range []struct {
		batch *Batch
		loss  float64
		file  string
	}{{last, o.want.Loss, "grads.safetensors"}, {every, o.want.LossAllPos, "grads_allpos.safetensors"}} {
		m.Params().ZeroGrad()
		loss := m.Loss(c.batch)
		if got := loss.Item(); !(math.Abs(got-c.loss) <= 1e-5) {
			t.Errorf("loss = %v, want %v", got, c.loss)
		}
		loss.Backward()
		grads := o.stacked(t, c.file)
		if len(grads) != len(m.Params().Names()) {
			t.Errorf("%d parameters, the reference has %d", len(m.Params().Names()), len(grads))
		}
		for name, g := range grads {
			oracle.NearGradient(t, "gradient of "+name, m.Params().Grad(name), oracle.Floats(t, g))
		}
		o.checkBFloat16(t, m, c.batch, c.loss, grads)
	}
}

// checkBFloat16 compares loss and gradients in bfloat16 with the reference's.
func (o *fameOracle) checkBFloat16(t *testing.T, m *FAME, b *Batch, want float64, grads map[string]safetensors.Tensor) {
	t.Helper()
	p := m.Params()
	p.ZeroGrad()
	p.Runtime().SetBFloat16(true)
	defer p.Runtime().SetBFloat16(false)
	loss := m.Loss(b)
	loss.Backward()
	oracle.NearInBFloat16(t, "loss", []float32{float32(loss.Item())}, []float64{want})
	var got [][]float32
	var reference [][]float64
	for name, g := range grads {
		got, reference = append(got, p.Grad(name)), append(reference, oracle.Floats(t, g))
	}
	oracle.NearInBFloat16(t, "gradient", oracle.Flatten(got), oracle.Flatten(reference))
}

// smallBatch has random sequences of some lengths, every position scored.
func smallBatch(lengths []int64, items int64) *Batch {
	b := &Batch{Lengths: lengths}
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range lengths {
		for range n {
			b.Position = append(b.Position, int64(len(b.Items)))
			b.Items, b.Target = append(b.Items, 1+r.Int64N(items)), append(b.Target, 1+r.Int64N(items))
		}
	}
	return b
}

// fameVariants are configurations by name, one per setting.
func fameVariants() map[string]*FAMEConfig {
	out := map[string]*FAMEConfig{}
	add := func(name string, change func(*FAMEConfig)) {
		c := FAMEDefaults()
		c.Hidden, c.Heads, c.Experts = 16, 4, 3
		change(c)
		out[name] = c
	}
	add("fame", func(*FAMEConfig) {})
	add("plain", func(c *FAMEConfig) { c.Residual, c.FacetInit = false, FacetsNormal })
	add("no-moe", func(c *FAMEConfig) { c.Experts = 1 })
	for _, gate := range []string{GateAverage, GateStatic, GateTop1, GateConcat} {
		add("gate "+gate, func(c *FAMEConfig) { c.Gate = gate })
	}
	for _, router := range []string{RouterTopK, RouterUniform} {
		add("router "+router, func(c *FAMEConfig) { c.Router = router })
	}
	add("per-head feed-forward", func(c *FAMEConfig) { c.PerHeadFeedForward = true })
	add("two MoE layers", func(c *FAMEConfig) { c.MoELayers = 2 })
	add("balance", func(c *FAMEConfig) { c.BalanceWeight = .1 })
	add("one head", func(c *FAMEConfig) { c.Heads = 1 })
	add("16 heads of 4", func(c *FAMEConfig) { c.Hidden, c.Heads = 64, 16 })
	return out
}

// Gradients reach every parameter of every variant. The exceptions are the biases of
// keys, which do not change a softmax, and rows of positions and items that do not
// occur. Histories and targets have different items, so that each row of the item
// table gets its gradient in one way only.
func TestFAMEGradients(t *testing.T) {
	const items, maxLen = 30, 25
	b := smallBatch([]int64{1, 20, 7, 3, 19, 18, 17, 16, 15, 14}, 10)
	occur := map[string][]bool{"pos_emb.weight": make([]bool, maxLen), "item_emb.weight": make([]bool, items+1)}
	for i := range 20 {
		occur["pos_emb.weight"][i] = true
	}
	for i := range b.Items {
		b.Target[i] += 10
		b.Negatives = append(b.Negatives, b.Target[i]%10+11)
		for _, v := range []int64{b.Items[i], b.Target[i], b.Negatives[i]} {
			occur["item_emb.weight"][v] = true
		}
	}
	for name, c := range fameVariants() {
		err := torch.Run(torch.Config{Seed: 3}, func(rt *torch.Runtime) error {
			m, err := NewFAME(rt, c, ItemLoss{Kind: "bce"}, items, maxLen)
			if err != nil {
				return err
			}
			addNoise(rt, m)
			m.Loss(b).Backward()
			for _, p := range m.Params().Names() {
				g := m.Params().Grad(p)
				if g == nil {
					t.Errorf("%s: %s has no gradient", name, p)
					continue
				}
				switch {
				case strings.HasSuffix(p, ".kv.bias"): // keys, values
					g = g[len(g)/2:]
				case strings.HasSuffix(p, ".qkv.bias"): // queries, keys, values
					g = slices.Concat(g[:len(g)/3], g[2*len(g)/3:])
				}
				zeros := 0
				for i, x := range g {
					if rows := occur[p]; rows != nil && !rows[i*len(rows)/len(g)] {
						if x != 0 {
							t.Errorf("%s: row %d of %s does not occur and has gradient %v", name, i*len(rows)/len(g), p, x)
						}
					} else if x == 0 {
						zeros++
					}
				}
				if zeros > 0 {
					t.Errorf("%s: %d of %d gradients of %s are zero", name, zeros, len(g), p)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// The loss is finite for extreme input, and scores of the folded user vector
// are the sum of the heads' gated scores.
func TestFAMEExtremes(t *testing.T) {
	const items = 30
	same := &Batch{Lengths: []int64{50}}
	for i := range int64(50) {
		same.Items, same.Position, same.Target = append(same.Items, 7), append(same.Position, i), append(same.Target, 7)
	}
	for name, c := range fameVariants() {
		err := torch.Run(torch.Config{Seed: 3}, func(rt *torch.Runtime) error {
			m, err := NewFAME(rt, c, ItemLoss{Kind: "ce"}, items, 50)
			if err != nil {
				return err
			}
			rt.SetTraining(true)
			for what, b := range map[string]*Batch{"one item": smallBatch([]int64{1}, items), "50 equal items": same} {
				loss := m.Loss(b)
				loss.Backward()
				if l := loss.Item(); math.IsNaN(l) || math.IsInf(l, 0) || l <= 0 {
					t.Errorf("%s, %s: loss %v", name, what, l)
				}
				for _, p := range m.Params().Names() {
					if slices.ContainsFunc(m.Params().Grad(p), func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }) {
						t.Errorf("%s, %s: gradient of %s is not finite", name, what, p)
					}
				}
			}
			rt.SetTraining(false)
			if c.Gate == GateConcat {
				return nil
			}
			b := smallBatch([]int64{4, 9}, items)
			f := m.Encode(b, b.Position)
			n, H := int64(len(b.Items)), int64(c.Heads)
			sum := m.HeadScores(f.Heads).Mul(f.Gate.Reshape(n, H, 1)).Sum(1) // [n, V+1]
			folded := f.User.MatMul(m.table.Transpose()).HostFloats()
			for i, want := range sum.HostFloats() {
				if math.Abs(float64(folded[i]-want)) > 1e-5 {
					t.Errorf("%s: folded score %v, sum of the heads' %v", name, folded[i], want)
					break
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// A FAME that begins with a transformer has its lower layers, keys and values, and its last
// query in every expert, plus noise; the gate is even.
func TestFAMEInherits(t *testing.T) {
	err := torch.Run(torch.Config{Threads: 1, Seed: 7}, func(rt *torch.Runtime) error {
		c := FAMEDefaults()
		c.Hidden, c.Experts = 8, 3
		m, err := NewFAME(rt, c, ItemLoss{Kind: "ce"}, 20, 6)
		if err != nil {
			return err
		}
		p := rt.NewParams()
		encoder := c.TransformerConfig
		p.Normal("item_emb.weight", 1, 21, 8)
		NewEncoder(rt, p, EncoderConfig{TransformerConfig: encoder, MaxLen: 6, Causal: true})
		p.Get("layers.1.attn.qkv.bias").CopyFrom(p.Normal("noise", 1, 24).HostFloats())
		given := p.Tensors()
		delete(given, "noise")
		got, err := m.Inherit(given)
		if err != nil {
			return err
		}
		floats := func(x safetensors.Tensor) []float32 {
			v, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for _, part := range []string{".weight", ".bias"} {
			qkv, q, kv := floats(given["layers.1.attn.qkv"+part]), floats(got["moe.0.q"+part]), floats(got["moe.0.kv"+part])
			one := len(qkv) / 3
			if !slices.Equal(kv, qkv[one:]) {
				t.Errorf("%s: keys and values differ", part)
			}
			noise := m.Params().Get("moe.0.q" + part).HostFloats()
			for i, v := range q {
				if want := qkv[i%one] + noise[i]; v != want {
					t.Fatalf("query%s %d is %v, expected %v", part, i, v, want)
				}
			}
			if part == ".weight" && slices.Equal(q[:one], q[one:2*one]) {
				t.Error("two experts have the same query")
			}
		}
		for _, name := range []string{"gate.weight", "gate.bias"} {
			if slices.ContainsFunc(floats(got[name]), func(v float32) bool { return v != 0 }) {
				t.Errorf("%s is not 0", name)
			}
		}
		if _, ok := got["layers.1.attn.qkv.weight"]; ok || !slices.Equal(floats(got["layers.0.attn.o.weight"]), floats(given["layers.0.attn.o.weight"])) {
			t.Error("the lower layer differs, or the last one stays")
		}
		m.config.Gate = GateTop1 // with equal weights, the first head would score for everybody
		if got, err = m.Inherit(given); err != nil || len(got["gate.weight"].Data)+len(got["gate.bias"].Data) > 0 {
			t.Errorf("%v: the gate of a top-1 gate is inherited", err)
		}
		m.config.Gate = GateLearned
		// Another FAME's weights are its own.
		own := m.Params().Tensors()
		if got, err = m.Inherit(own); err != nil || !slices.Equal(floats(got["moe.0.q.weight"]), floats(own["moe.0.q.weight"])) || len(got) != len(own) {
			t.Errorf("%v: the weights of a FAME change", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFAMEValidate(t *testing.T) {
	for want, change := range map[string]func(*FAMEConfig){
		"experts = 0":           func(c *FAMEConfig) { c.Experts = 0 },
		"heads = 3":             func(c *FAMEConfig) { c.Heads = 3 },
		`router = "x"`:          func(c *FAMEConfig) { c.Router = "x" },
		"top_k = 5":             func(c *FAMEConfig) { c.Router, c.TopK = RouterTopK, 5 },
		`gate = "x"`:            func(c *FAMEConfig) { c.Gate = "x" },
		"moe_layers = 3":        func(c *FAMEConfig) { c.MoELayers = 3 },
		"balance_weight = NaN":  func(c *FAMEConfig) { c.BalanceWeight = math.NaN() },
		"balance_weight = +Inf": func(c *FAMEConfig) { c.BalanceWeight = math.Inf(1) },
		"balance_weight = -1":   func(c *FAMEConfig) { c.BalanceWeight = -1 },
		"facet_start":           func(c *FAMEConfig) { c.FacetInit = "" },
	} {
		c := FAMEDefaults()
		change(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}

func TestKeepHighest(t *testing.T) {
	err := torch.Run(torch.Config{}, func(rt *torch.Runtime) error {
		x := rt.Floats([]float32{1, 3, 2, 5, 5, 5}, 2, 3)
		for k, want := range map[int][]float32{1: {0, 1, 0, 1, 0, 0}, 2: {0, 1, 1, 1, 1, 0}, 3: {1, 1, 1, 1, 1, 1}} {
			if got := keepHighest(rt, x, k).HostFloats(); !slices.Equal(got, want) {
				t.Errorf("the highest %d: %v, want %v", k, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
