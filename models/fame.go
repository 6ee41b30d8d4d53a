package models

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// Values of FAMEConfig's settings.
const (
	GateLearned = "learned" // eq. 10
	GateAverage = "average" // 1/H each
	GateStatic  = "static"  // learned, but the same for every user
	GateTop1    = "top1"    // the head with the highest learned weight alone
	GateConcat  = "concat"  // no gate: the heads are concatenated and projected once

	RouterDense   = "dense"   // eq. 16
	RouterTopK    = "top-k"   // the softmax over the best TopK experts only
	RouterUniform = "uniform" // 1/N each

	FacetsSelect = "select" // W_f^(h) is initialised to H times the selector of head h's coordinates, concat's projection to the identity
	FacetsNormal = "normal" // both are initialised from N(0, .02), like every other matrix
)

// FAMEConfig are FAME's hyper-parameters. Heads applies to every layer: in the last
// one it is the number of facets.
type FAMEConfig struct {
	TransformerConfig
	Experts            int     `toml:"experts" json:"experts"`                             // N: queries of a head; with 1 there is no mixture of experts
	Router             string  `toml:"router" json:"router"`                               // "dense", "top-k" or "uniform"
	TopK               int     `toml:"top_k" json:"top_k"`                                 // experts that "top-k" keeps
	Gate               string  `toml:"gate" json:"gate"`                                   // "learned", "average", "static", "top1" or "concat"
	FacetInit          string  `toml:"facet_start" json:"facet_start"`                     // "select" or "normal"
	Residual           bool    `toml:"residual" json:"residual"`                           // connection and LayerNorm around the experts' attention
	PerHeadFeedForward bool    `toml:"per_head_feed_forward" json:"per_head_feed_forward"` // one for each head instead of a shared one
	MoELayers          int     `toml:"moe_layers" json:"moe_layers"`                       // how many of the layers, counted from the last one, have experts
	BalanceWeight      float64 `toml:"balance_weight" json:"balance_weight"`               // of the loss term that balances the experts' load
}

// FAMEDefaults are the settings of the model "fame": a residual connection and W_f
// initialised to the selectors. Without them FAME learns very slowly (see FAME).
func FAMEDefaults() *FAMEConfig {
	c := &FAMEConfig{
		TransformerConfig: TransformerDefaults(), Experts: 4, Router: RouterDense, TopK: 2,
		Gate: GateLearned, FacetInit: FacetsSelect, Residual: true, MoELayers: 1,
	}
	c.Heads = 4
	return c
}

// Validate reports the first invalid value.
func (c *FAMEConfig) Validate() error {
	gates, routers, inits := []string{GateLearned, GateAverage, GateStatic, GateTop1, GateConcat}, []string{RouterDense, RouterTopK, RouterUniform}, []string{FacetsSelect, FacetsNormal}
	switch {
	case c.Experts < 1 || c.Experts > maxLayers:
		return fmt.Errorf("experts = %d: expected 1 to %d", c.Experts, maxLayers)
	case !slices.Contains(routers, c.Router):
		return fmt.Errorf("router = %q: expected one of %q", c.Router, routers)
	case c.Experts > 1 && c.Router == RouterTopK && (c.TopK < 1 || c.TopK > c.Experts):
		return fmt.Errorf("top_k = %d: expected 1 to experts = %d", c.TopK, c.Experts)
	case !slices.Contains(gates, c.Gate):
		return fmt.Errorf("gate = %q: expected one of %q", c.Gate, gates)
	case !slices.Contains(inits, c.FacetInit):
		return fmt.Errorf("facet_start = %q: expected one of %q", c.FacetInit, inits)
	case c.MoELayers < 1 || c.MoELayers > c.Layers:
		return fmt.Errorf("moe_layers = %d: expected 1 to layers = %d", c.MoELayers, c.Layers)
	case !(c.BalanceWeight >= 0) || math.IsInf(c.BalanceWeight, 1):
		return fmt.Errorf("balance_weight = %v: expected 0 or more, and finite", c.BalanceWeight)
	}
	return c.TransformerConfig.Validate()
}

// Ignores reports whether a setting makes no difference with the others.
func (c *FAMEConfig) Ignores(key string) bool {
	switch key {
	case "router":
		return c.Experts == 1
	case "top_k":
		return c.Experts == 1 || c.Router != RouterTopK
	case "balance_weight":
		return c.Experts == 1 || c.Router == RouterUniform
	}
	return false
}

// FollowExperts limits TopK to Experts, for configurations that set only Experts.
func (c *FAMEConfig) FollowExperts() {
	if c.Router == RouterTopK && c.Experts >= 1 {
		c.TopK = min(c.TopK, c.Experts)
	}
}

// FAME is the facet-aware multi-head mixture of experts (Liu et al. 2024, arXiv
// 2411.01457): SASRec with a last layer in which each head represents a facet of
// the items. In a head, N experts attend with queries of their own and a router
// weights them (eq. 14–17). The head's output scores items by a projection of their
// embeddings (eq. 8, 9), and a gate weights the heads' scores (eq. 10, 11).
//
// Two things differ from the paper by default: there is a residual connection with
// LayerNorm around the experts' attention, and W_f is initialised to H times the
// selectors. In the paper's form ("fame-plain"), N(0, .02) shrinks item vectors
// six-fold, the gate and LayerNorm over d/H shrink the logits further, and training
// is very slow. With "concat" the projection is initialised to the identity for the
// same reason: the initial user vector is then that of the other gates with equal
// weights, so a comparison is about facets and not about initialisation. Row 0
// (padding) is not a class of the loss.
type FAME struct {
	rt      *torch.Runtime
	params  *torch.Params
	config  FAMEConfig
	table   torch.Tensor // [V+1, d]
	encoder *Encoder     // the layers below those with experts
	moe     []*MoELayer
	facets  torch.Tensor // [d, d]: the W_f^(h)ᵀ [d/H, d] of all heads, stacked by rows
	gate    Linear       // "learned" and "top1": d → H
	static  torch.Tensor // "static": [H]
	concat  Linear       // "concat": d → d
	loss    ItemLoss
	items   int // V
}

// NewFAME makes a model for V items and at most maxLen positions.
func NewFAME(rt *torch.Runtime, c *FAMEConfig, loss ItemLoss, items, maxLen int) (*FAME, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("fame: %w", err)
	}
	p, d, H := rt.NewParams(), int64(c.Hidden), int64(c.Heads)
	m := &FAME{rt: rt, params: p, config: *c, loss: loss, items: items}
	if H == 1 && c.Gate != GateConcat {
		m.config.Gate = GateAverage // one head: there is nothing to weight or to learn
	}
	m.table = p.Normal("item_emb.weight", InitStd, int64(items)+1, d)
	below := c.TransformerConfig
	below.Layers -= c.MoELayers
	m.encoder = NewEncoder(rt, p, EncoderConfig{TransformerConfig: below, MaxLen: maxLen, Causal: true})
	for i := range c.MoELayers {
		m.moe = append(m.moe, NewMoELayer(rt, p, fmt.Sprintf("moe.%d", i), c))
	}
	if c.Gate == GateConcat {
		m.concat = NewLinear(p, "concat", c.Hidden, c.Hidden)
		if c.FacetInit == FacetsSelect {
			m.concat.w.CopyFrom(diagonal(d, 1))
		}
		return m, nil
	}
	m.facets = p.Normal("facet.weight", InitStd, d, d)
	if c.FacetInit == FacetsSelect {
		m.facets.CopyFrom(diagonal(d, float32(H)))
	}
	switch m.config.Gate {
	case GateLearned, GateTop1:
		m.gate = NewLinear(p, "gate", c.Hidden, c.Heads)
	case GateStatic:
		m.static = p.Fill("gate.static", 0, H)
	}
	return m, nil
}

// diagonal is v times the identity [d, d], row-major.
func diagonal(d int64, v float32) []float32 {
	out := make([]float32, d*d)
	for i := range d {
		out[i*d+i] = v
	}
	return out
}

// Config are the settings in force.
func (m *FAME) Config() FAMEConfig { return m.config }

// Params are the trainable parameters.
func (m *FAME) Params() *torch.Params { return m.params }

// Loss scores every target of the batch at its position.
func (m *FAME) Loss(b *Batch) torch.Tensor {
	f := m.Encode(b, b.Position)
	loss := m.loss.Of(m.rt, f.User, m.Items(), b)
	if m.config.BalanceWeight > 0 && m.moe[0].routed() {
		loss = loss.Add(m.imbalance(f.Layers).Scale(m.config.BalanceWeight))
	}
	return loss
}

// imbalance is the mean of the layers' imbalances over the whole batch. It is not
// linear in the loads, so the mean of the team members' own values would differ.
func (m *FAME) imbalance(layers []MoETrace) torch.Tensor {
	sum, rows, own := m.moe[0].imbalance(layers[0].Routing)
	for i, l := range m.moe[1:] {
		var x torch.Tensor
		x, rows, own = l.imbalance(layers[i+1].Routing)
		sum = sum.Add(x)
	}
	// The last layer has one row per target; members' losses are averaged by targets.
	return RescaleGradient(sum.Scale(1/float64(len(m.moe))), rows, own)
}

// Facets is how FAME represents histories: n positions, H heads.
type Facets struct {
	Heads  torch.Tensor // F: [n, H, d/H]
	Choice torch.Tensor // g before "top1" keeps the highest weight only, so it adds up to 1: [n, H]; none for "concat"
	Gate   torch.Tensor // g: [n, H]; none for "concat"
	User   torch.Tensor // u: [n, d]
	Layers []MoETrace   // of the layers with experts, in their order
}

// Last is the trace of the last layer, whose heads are the facets.
func (f Facets) Last() MoETrace { return f.Layers[len(f.Layers)-1] }

// MoETrace holds the intermediate values of a layer with experts.
type MoETrace struct {
	Queries    torch.Tensor // [n, N·d]: N experts for each position, their heads side by side
	KeysValues torch.Tensor // [M, 2d]
	Routing    torch.Tensor // β: [n, H, N]; none without a router
}

// Encode returns the facets at n positions, which must be ascending.
//
// The user vector is eq. 8, 9, 11, folded. With the gate's weights g_h and the heads'
// outputs F^(h) at a position, the score of item v is
//
//	r_v = Σ_h g_h F^(h)·f_v^(h)                 (eq. 8, 11)
//	    = Σ_h g_h F^(h)·(e_v W_f^(h))           (eq. 9)
//	    = (Σ_h g_h F^(h) W_f^(h)ᵀ)·e_v = u·e_v  (F·(eW) = (F Wᵀ)·e)
//
// so no item is projected, and scoring costs as much as SASRec's.
func (m *FAME) Encode(b *Batch, at []int64) Facets {
	x, sight := m.encoder.embed(m.table.Embedding(m.rt.Ints(b.Items)), b) // [M, d]
	for _, l := range m.encoder.layers {
		x = l.Forward(x, x, sight.all) // [M, d]
	}
	var f Facets
	for i, l := range m.moe {
		rows, spans := x, sight.all // every position, for the layers above
		if i+1 == len(m.moe) {
			rows, spans = sight.at(x, at)
		}
		var trace MoETrace
		x, trace = l.Forward(rows, x, spans) // [M, d], in the last layer [n, d]: the heads concatenated
		f.Layers = append(f.Layers, trace)
	}
	n, H := int64(len(at)), int64(m.config.Heads)
	f.Heads = x.Reshape(n, H, -1)
	switch m.config.Gate {
	case GateConcat:
		f.User = m.concat.Forward(x) // [n, d]
		return f
	case GateLearned, GateTop1:
		f.Choice = m.gate.Forward(x).Softmax() // [n, H], eq. 10
	case GateStatic:
		f.Choice = m.static.Softmax().Add(m.rt.Zeros(n, H)) // [n, H]
	case GateAverage:
		f.Choice = m.rt.Full(1/float64(H), n, H) // [n, H]
	}
	f.Gate = f.Choice
	if m.config.Gate == GateTop1 {
		f.Gate = f.Choice.Mul(keepHighest(m.rt, f.Choice, 1)) // [n, H]: the head's weight stays, so that the gate learns
	}
	// eq. 8, 9, 11, folded: the rows of facets are W_f^(h)ᵀ, head below head, so one
	// product projects every head and adds them up.
	f.User = f.Heads.Mul(f.Gate.Reshape(n, H, 1)).Reshape(n, -1).MatMul(m.facets) // [n, d]·[d, d] → [n, d]
	return f
}

// HeadScores are the scores of each head alone (eq. 8, 9), before the gate: heads [n,
// H, d/H] give [n, H, V+1]. Analyses use it; ranking needs only the folded vector.
func (m *FAME) HeadScores(heads torch.Tensor) torch.Tensor {
	H := int64(m.config.Heads)
	facets := m.facets.Reshape(H, -1, int64(m.config.Hidden))                                 // [H, d/H, d]
	return heads.Permute(1, 0, 2).MatMul(facets).MatMul(m.table.Transpose()).Permute(1, 0, 2) // [H, n, d] → [n, H, V+1]
}

// Inherit turns the last layers of a transformer such as SASRec's into layers with experts.
// Their keys and values are kept, and their query becomes that of every expert, plus the
// expert's initial values, which are from N(0, .02): equal experts would get equal gradients
// and never part. The gate is 0, so that all heads begin with the same weight; a top-1 gate,
// which would then choose the same head for everybody, keeps its random values. Output
// projection, LayerNorm and feed-forward have other widths here and are not inherited.
func (m *FAME) Inherit(weights map[string]safetensors.Tensor) (map[string]safetensors.Tensor, error) {
	out := maps.Clone(weights)
	transformer := false
	for i, l := range m.moe {
		from, to := fmt.Sprintf("layers.%d.attn.qkv", m.config.Layers-len(m.moe)+i), fmt.Sprintf("moe.%d", i)
		if _, ok := weights[from+".weight"]; !ok {
			continue // another FAME
		}
		transformer = true
		for _, p := range []struct {
			part    string
			queries torch.Tensor
		}{{".weight", l.queries.w}, {".bias", l.queries.b}} {
			qkv, err := weights[from+p.part].Float32s()
			if err != nil {
				return nil, fmt.Errorf("%q: %w", from+p.part, err)
			}
			shape := p.queries.Shape() // [N·d, d] and [N·d]
			queries := p.queries.HostFloats()
			one := len(queries) / m.config.Experts
			if len(qkv) != 3*one {
				return nil, fmt.Errorf("%q: expected %d values, got %d", from+p.part, 3*one, len(qkv))
			}
			for k := range queries {
				queries[k] += qkv[k%one]
			}
			out[to+".q"+p.part] = safetensors.FromFloat32s(shape, queries)
			shape = slices.Concat([]int64{2 * int64(m.config.Hidden)}, shape[1:]) // [2d, d] and [2d]
			out[to+".kv"+p.part] = safetensors.FromFloat32s(shape, qkv[one:])
			delete(out, from+p.part)
		}
	}
	if transformer && m.gate.w.Defined() && m.config.Gate != GateTop1 {
		for name, t := range map[string]torch.Tensor{"gate.weight": m.gate.w, "gate.bias": m.gate.b} {
			out[name] = safetensors.FromFloat32s(t.Shape(), make([]float32, t.Len()))
		}
	}
	return out, nil
}

// Users is the folded vector after every sequence: [B, d].
func (m *FAME) Users(b *Batch) torch.Tensor { return m.Encode(b, b.LastPositions()).User }

// Items is the embedding table.
func (m *FAME) Items() ItemTable { return ItemTable{Rows: m.table, Items: m.items} }

// MoELayer is a layer whose heads are mixtures of experts: each head has N queries
// over its keys and values, weighted by its router, then feed-forward and LayerNorm
// over d/H.
type MoELayer struct {
	rt                   *torch.Runtime
	config               FAMEConfig
	queries, keysValues  Linear       // d → N·d: by expert, head; d → 2d
	router               torch.Tensor // [H, N·d/H, N]
	attnNorm, ffNorm     LayerNorm
	ffIn, ffOut          Linear       // for all heads
	headIn, headInBias   torch.Tensor // per head: [H, d/H, 4d/H], [H, 1, 4d/H]
	headOut, headOutBias torch.Tensor // [H, 4d/H, d/H], [H, 1, d/H]
}

// NewMoELayer adds a layer's parameters to p under the prefix name.
func NewMoELayer(rt *torch.Runtime, p *torch.Params, name string, c *FAMEConfig) *MoELayer {
	H, N, e := int64(c.Heads), int64(c.Experts), int64(c.Hidden/c.Heads)
	l := &MoELayer{
		rt:         rt,
		config:     *c,
		queries:    NewLinear(p, name+".q", c.Hidden, c.Experts*c.Hidden),
		keysValues: NewLinear(p, name+".kv", c.Hidden, 2*c.Hidden),
		ffNorm:     NewLayerNorm(p, name+".ffn_ln", int(e)),
	}
	if l.routed() {
		l.router = p.Normal(name+".router.weight", InitStd, H, N*e, N)
	}
	if c.Residual {
		l.attnNorm = NewLayerNorm(p, name+".attn_ln", int(e))
	}
	if c.PerHeadFeedForward {
		l.headIn, l.headInBias = p.Normal(name+".ffn.in.weight", InitStd, H, e, 4*e), p.Fill(name+".ffn.in.bias", 0, H, 1, 4*e)
		l.headOut, l.headOutBias = p.Normal(name+".ffn.out.weight", InitStd, H, 4*e, e), p.Fill(name+".ffn.out.bias", 0, H, 1, e)
	} else {
		l.ffIn, l.ffOut = NewLinear(p, name+".ffn.in", int(e), int(4*e)), NewLinear(p, name+".ffn.out", int(4*e), int(e))
	}
	return l
}

// routed reports whether the layer has a router.
func (l *MoELayer) routed() bool { return l.config.Experts > 1 && l.config.Router != RouterUniform }

// Forward returns the layer's output, as Layer.Forward does, with the heads
// concatenated, and the intermediate values.
func (l *MoELayer) Forward(x, all, spans torch.Tensor) (torch.Tensor, MoETrace) {
	c := l.config
	H, N, d := int64(c.Heads), int64(c.Experts), int64(c.Hidden)
	n, e := x.Shape()[0], d/H
	trace := MoETrace{Queries: l.queries.Forward(x), KeysValues: l.keysValues.Forward(all)} // [n, N·d], eq. 14; [M, 2d]
	o := trace.Queries.Attend(trace.KeysValues, spans, H, c.AttnDropout)                    // [n, N·d], eq. 15
	o, trace.Routing = l.mix(o.Reshape(n, N, H, e))                                         // [n, H, e], eq. 17
	if c.Residual {                                                                         // without it there is no dropout either: nothing else carries what is dropped
		o = l.attnNorm.AfterResidual(x.Reshape(n, H, e), o, c.Dropout) // [n, H, e]
	}
	return l.ffNorm.AfterResidual(o, l.feedForward(o), c.Dropout).Reshape(n, d), trace // [n, H, e] → [n, d], eq. 7
}

// mix is the weighted sum [n, H, e] of the experts o [n, N, H, e] of each head, and the
// router's weights, if there is one.
func (l *MoELayer) mix(o torch.Tensor) (mixed, routing torch.Tensor) {
	shape := o.Shape()
	n, N, H, e := shape[0], shape[1], shape[2], shape[3]
	switch {
	case N == 1:
		return o.Select(1, 0), routing
	case !l.routed():
		return o.Sum(1).Scale(1 / float64(N)), routing
	case l.config.Router == RouterDense:
		return o.MixExperts(l.router) // [n, H, e], eq. 17; [n, H, N], eq. 16
	}
	o = o.Permute(0, 2, 1, 3)                                                         // [n, H, N, e]
	logits := o.Reshape(n, H, N*e).Permute(1, 0, 2).MatMul(l.router).Permute(1, 0, 2) // [H, n, N·e]·[H, N·e, N] → [n, H, N]
	// An expert that is dropped gets a weight of e^-1e30 = 0.
	kept := keepHighest(l.rt, logits, l.config.TopK)
	routing = logits.Add(kept.Add(l.rt.Full(-1, 1)).Scale(1e30)).Softmax() // [n, H, N], eq. 16, over those kept
	return o.Mul(routing.Reshape(n, H, N, 1)).Sum(2), routing              // [n, H, e]
}

// feedForward is the feed-forward layer of eq. 7, over [n, H, e].
func (l *MoELayer) feedForward(x torch.Tensor) torch.Tensor {
	if !l.config.PerHeadFeedForward {
		return l.ffOut.Forward(l.ffIn.Forward(x).GELU())
	}
	x = x.Permute(1, 0, 2)                                         // [H, n, e]
	x = x.MatMul(l.headIn).Add(l.headInBias).GELU()                // [H, n, 4e]
	return x.MatMul(l.headOut).Add(l.headOutBias).Permute(1, 0, 2) // [n, H, e]
}

// imbalance is N·Σ_n (mean β_n)², averaged over the heads: 1 if the experts of a
// head share the load evenly, N if one has all of it. The mean is over the rows of
// all team members; rows and own are those of Gather.
func (l *MoELayer) imbalance(routing torch.Tensor) (x torch.Tensor, rows []int64, own int) {
	H, N := int64(l.config.Heads), int64(l.config.Experts)
	all, rows, own := l.rt.Gather(routing.Reshape(-1, H*N)) // [rows of all, H·N]
	load := all.Sum(0).Scale(1/float64(all.Shape()[0])).Reshape(H, N)
	return load.Mul(load).Sum(1).Scale(float64(N)).Mean(), rows, own
}

// keepHighest is 1 at the k highest values of each row of x [.., n] and 0 elsewhere;
// among equal values the first counts as higher. It is a constant.
func keepHighest(rt *torch.Runtime, x torch.Tensor, k int) torch.Tensor {
	shape := x.Shape()
	n := int(shape[len(shape)-1])
	values := x.HostFloats()
	mask := make([]float32, len(values))
	for row := 0; row < len(values); row += n {
		for range k {
			best, high := -1, math.Inf(-1)
			for i := row; i < row+n; i++ {
				if v := float64(values[i]); mask[i] == 0 && (best < 0 || v > high) {
					best, high = i, v
				}
			}
			mask[best] = 1
		}
	}
	return rt.Floats(mask, shape...)
}
