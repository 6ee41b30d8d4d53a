package models

import (
	"fmt"
	"math"
	"slices"

	"famebench/internal/torch"
)

// Values of FAMEConfig's settings.
const (
	GateLearned = "learned" // eq. 10
	GateAverage = "average" // 1/H each
	GateStatic  = "static"  // learned, but the same for every user
	GateTop1    = "top1"    // the head with the highest learned weight alone
	GateConcat  = "concat"  // no gate: the heads side by side, one projection

	RouterDense   = "dense"   // eq. 16
	RouterTopK    = "top-k"   // the softmax over the best TopK experts alone
	RouterUniform = "uniform" // 1/N each

	FacetsSelect = "select" // W_f^(h) starts as H times the selector of head h's coordinates, concat's projection as the identity
	FacetsNormal = "normal" // both start at N(0, .02), like every other matrix
)

// FAMEConfig are FAME's hyper-parameters. Heads is that of all layers, the last
// ones' facets included.
type FAMEConfig struct {
	TransformerConfig
	Experts            int     `toml:"experts" json:"experts"`                             // N: queries of a head; 1 is FAME without mixture of experts
	Router             string  `toml:"router" json:"router"`                               // "dense", "top-k" or "uniform"
	TopK               int     `toml:"top_k" json:"top_k"`                                 // experts that "top-k" keeps
	Gate               string  `toml:"gate" json:"gate"`                                   // "learned", "average", "static", "top1" or "concat"
	FacetStart         string  `toml:"facet_start" json:"facet_start"`                     // "select" or "normal"
	Residual           bool    `toml:"residual" json:"residual"`                           // and LayerNorm around the experts' attention
	PerHeadFeedForward bool    `toml:"per_head_feed_forward" json:"per_head_feed_forward"` // one for each head instead of one for all
	MoELayers          int     `toml:"moe_layers" json:"moe_layers"`                       // how many of the layers, the last ones, are of experts
	BalanceWeight      float64 `toml:"balance_weight" json:"balance_weight"`               // of the term that evens the experts' load out
}

// FAMEDefaults start as the harness's "fame" does: with a residual connection and
// W_f at the selectors, without which it learns at a crawl (see FAME).
func FAMEDefaults() *FAMEConfig {
	c := &FAMEConfig{
		TransformerConfig: TransformerDefaults(), Experts: 4, Router: RouterDense, TopK: 2,
		Gate: GateLearned, FacetStart: FacetsSelect, Residual: true, MoELayers: 1,
	}
	c.Heads = 4
	return c
}

// Validate names the first value that cannot be.
func (c *FAMEConfig) Validate() error {
	gates, routers, starts := []string{GateLearned, GateAverage, GateStatic, GateTop1, GateConcat}, []string{RouterDense, RouterTopK, RouterUniform}, []string{FacetsSelect, FacetsNormal}
	switch {
	case c.Experts < 1 || c.Experts > maxLayers:
		return fmt.Errorf("experts = %d: want 1 to %d", c.Experts, maxLayers)
	case !slices.Contains(routers, c.Router):
		return fmt.Errorf("router = %q: want one of %q", c.Router, routers)
	case c.Router == RouterTopK && (c.TopK < 1 || c.TopK > c.Experts):
		return fmt.Errorf("top_k = %d: want 1 to experts = %d", c.TopK, c.Experts)
	case !slices.Contains(gates, c.Gate):
		return fmt.Errorf("gate = %q: want one of %q", c.Gate, gates)
	case !slices.Contains(starts, c.FacetStart):
		return fmt.Errorf("facet_start = %q: want one of %q", c.FacetStart, starts)
	case c.MoELayers < 1 || c.MoELayers > c.Layers:
		return fmt.Errorf("moe_layers = %d: want 1 to layers = %d", c.MoELayers, c.Layers)
	case !(c.BalanceWeight >= 0) || math.IsInf(c.BalanceWeight, 1):
		return fmt.Errorf("balance_weight = %v: want 0 or more, and finite", c.BalanceWeight)
	}
	return c.TransformerConfig.Validate()
}

// FollowExperts sets what follows Experts where it is not set: a router keeps no more
// experts than there are. Other routers do not read TopK, and their runs' ids have it.
func (c *FAMEConfig) FollowExperts() {
	if c.Router == RouterTopK && c.Experts >= 1 {
		c.TopK = min(c.TopK, c.Experts)
	}
}

// FAME is the facet-aware multi-head mixture of experts (Liu et al. 2024, arXiv
// 2411.01457): SASRec whose last layer has heads that each stand for a facet of
// the items. In a head, N experts attend with queries of their own and a router
// weighs them (eq. 14–17); the head's output scores items by a projection of their
// embeddings (eq. 8, 9); a gate weighs the heads' scores (eq. 10, 11).
//
// Projections and gate are folded into the user's vector: Σ_h g_h F^(h)·(e_v W_f^(h))
// is u·e_v with u = Σ_h g_h F^(h) W_f^(h)ᵀ, so scoring costs what SASRec's does.
//
// Differs from the paper unless configured otherwise: a residual connection with
// LayerNorm around the experts' attention, and W_f starting at H times the
// selectors. As written, item vectors shrink six-fold, the gate and LayerNorm over
// d/H shrink the logits again, and training crawls; "fame-plain" is that form. With
// "concat" the projection starts as the identity for the same reason: with even
// gates that is the vector from which the others start, so what is compared are
// facets, not starts. Row 0 (padding) is no class of the loss.
type FAME struct {
	rt      *torch.Runtime
	params  *torch.Params
	config  FAMEConfig
	table   torch.Tensor // [V+1, d]
	encoder *Encoder
	moe     []*MoELayer
	facets  torch.Tensor // [d, d]: W_f^(h)ᵀ [d/H, d] of all heads, one below the other
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
		m.config.Gate = GateAverage // there is nothing to weigh, and nothing to learn
	}
	m.table = p.Normal("item_emb.weight", InitStd, int64(items)+1, d)
	below := c.TransformerConfig
	below.Layers -= c.MoELayers
	m.encoder = NewEncoder(rt, p, EncoderConfig{TransformerConfig: below, MaxLen: maxLen, Causal: true})
	for i := range c.MoELayers {
		l := NewMoELayer(rt, p, fmt.Sprintf("moe.%d", i), c)
		m.moe = append(m.moe, l)
		m.encoder.layers = append(m.encoder.layers, l)
	}
	if c.Gate == GateConcat {
		m.concat = NewLinear(p, "concat", c.Hidden, c.Hidden)
		if c.FacetStart == FacetsSelect {
			m.concat.w.CopyFrom(diagonal(d, 1))
		}
		return m, nil
	}
	m.facets = p.Normal("facet.weight", InitStd, d, d)
	if c.FacetStart == FacetsSelect {
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
	u := m.Encode(b, b.Position).User // [N, d]
	loss := m.loss.Of(m.rt, u, m.table, torch.Tensor{}, b, m.items)
	if m.config.BalanceWeight > 0 && m.moe[0].routed() {
		loss = loss.Add(m.imbalance().Scale(m.config.BalanceWeight))
	}
	return loss
}

// imbalance is the mean of the layers' imbalances over the whole batch: it is not
// linear in the loads, so a mean of team members' own would be another number.
func (m *FAME) imbalance() torch.Tensor {
	sum, rows, own := m.moe[0].imbalance()
	for _, l := range m.moe[1:] {
		var x torch.Tensor
		x, rows, own = l.imbalance()
		sum = sum.Add(x)
	}
	// The last layer has a row for each target, by which members' losses are averaged.
	return InFull(sum.Scale(1/float64(len(m.moe))), rows, own)
}

// Facets is what FAME makes of a history.
type Facets struct {
	Heads  torch.Tensor // F: [N, H, d/H]
	Choice torch.Tensor // g before "top1" leaves the highest alone, so that it adds up to 1: [N, H]; none for "concat"
	Gate   torch.Tensor // g: [N, H]; none for "concat"
	User   torch.Tensor // u: [N, d]
	Last   MoETrace     // of the last layer
}

// MoETrace is what a layer of experts has looked at.
type MoETrace struct {
	Queries    torch.Tensor // [n·E, d]: E experts of each position, their heads side by side
	KeysValues torch.Tensor // [M, 2d]
	Routing    torch.Tensor // β: [n, H, E]; none without a router
}

// Encode gives the facets at some positions, N of them, ascending.
func (m *FAME) Encode(b *Batch, at []int64) Facets {
	x := m.table.Embedding(m.rt.Ints(b.Items, int64(len(b.Items)))) // [M, d]
	x = m.encoder.Forward(x, b, at)                                 // [N, d]: the heads side by side
	N, H := int64(len(at)), int64(m.config.Heads)
	f := Facets{Heads: x.Reshape(N, H, -1), Last: m.moe[len(m.moe)-1].trace}
	switch m.config.Gate {
	case GateConcat:
		f.User = m.concat.Forward(x) // [N, d]
		return f
	case GateLearned, GateTop1:
		f.Choice = m.gate.Forward(x).Softmax() // [N, H]
	case GateStatic:
		f.Choice = m.static.Softmax().Add(m.rt.Zeros(N, H)) // [N, H]
	case GateAverage:
		f.Choice = m.rt.Full(1/float64(H), N, H) // [N, H]
	}
	f.Gate = f.Choice
	if m.config.Gate == GateTop1 {
		f.Gate = f.Choice.Mul(keepHighest(m.rt, f.Choice, 1)) // [N, H]: its weight stays, so that the gate learns
	}
	f.User = f.Heads.Mul(f.Gate.Reshape(N, H, 1)).Reshape(N, -1).MatMul(m.facets) // [N, d]·[d, d] → [N, d]
	return f
}

// HeadScores are the scores of each head alone (eq. 8), before the gate: heads
// [N, H, d/H] give [N, H, V+1]. For analysis; ranking needs the folded vector only.
func (m *FAME) HeadScores(heads torch.Tensor) torch.Tensor {
	H := int64(m.config.Heads)
	facets := m.facets.Reshape(H, -1, int64(m.config.Hidden))                                 // [H, d/H, d]
	return heads.Permute(1, 0, 2).MatMul(facets).MatMul(m.table.Transpose()).Permute(1, 0, 2) // [H, N, d] → [N, H, V+1]
}

// Users is the folded vector after every sequence: [B, d].
func (m *FAME) Users(b *Batch) torch.Tensor { return m.Encode(b, b.LastPositions()).User }

// Items is the embedding table.
func (m *FAME) Items() (table, bias torch.Tensor) { return m.table, torch.Tensor{} }

// MoELayer is a layer whose heads are mixtures of experts: N queries a head over
// the head's keys and values, weighed by the head's router, then the feed-forward
// and LayerNorm over d/H.
type MoELayer struct {
	rt                   *torch.Runtime
	config               FAMEConfig
	queries, keysValues  Linear       // d → N·d: by expert, head; d → 2d
	router               torch.Tensor // [H, N·d/H, N]
	attnNorm, ffNorm     LayerNorm
	ffIn, ffOut          Linear       // for all heads
	headIn, headInBias   torch.Tensor // for each: [H, d/H, 4d/H], [H, 1, 4d/H]
	headOut, headOutBias torch.Tensor // [H, 4d/H, d/H], [H, 1, d/H]
	trace                MoETrace     // of the last Forward, in its scope
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

// routed tells whether there is something to route.
func (l *MoELayer) routed() bool { return l.config.Experts > 1 && l.config.Router != RouterUniform }

// Forward is the layer's output, the heads side by side, as Layer.Forward's.
func (l *MoELayer) Forward(x, all, spans torch.Tensor) torch.Tensor {
	c := l.config
	H, N, d := int64(c.Heads), int64(c.Experts), int64(c.Hidden)
	n, e := x.Shape()[0], d/H
	l.trace = MoETrace{Queries: l.queries.Forward(x).Reshape(n*N, d), KeysValues: l.keysValues.Forward(all)} // [n·N, d], [M, 2d]
	o := l.trace.Queries.Attend(l.trace.KeysValues, spans.RepeatRows(N), H, c.AttnDropout)                   // [n·N, d], eq. 15
	o = l.mix(o.Reshape(n, N, H, e).Permute(0, 2, 1, 3)).Dropout(c.Dropout)                                  // [n, H, N, e] → [n, H, e], eq. 17
	if c.Residual {
		o = l.attnNorm.Forward(x.Reshape(n, H, e).Add(o)) // [n, H, e]
	}
	f := l.feedForward(o).Dropout(c.Dropout)        // [n, H, e]
	return l.ffNorm.Forward(o.Add(f)).Reshape(n, d) // [n, d], eq. 7
}

// mix weighs the experts o [n, H, N, e] of each head: [n, H, e].
func (l *MoELayer) mix(o torch.Tensor) torch.Tensor {
	shape := o.Shape()
	n, H, N, e := shape[0], shape[1], shape[2], shape[3]
	switch {
	case N == 1:
		return o.Select(2, 0)
	case !l.routed():
		return o.Sum(2).Scale(1 / float64(N))
	}
	logits := o.Reshape(n, H, N*e).Permute(1, 0, 2).MatMul(l.router).Permute(1, 0, 2) // [H, n, N·e]·[H, N·e, N] → [n, H, N]
	if l.config.Router == RouterTopK {
		// What is not kept gets a weight of e^-1e30 = 0.
		kept := keepHighest(l.rt, logits, l.config.TopK)
		logits = logits.Add(kept.Add(l.rt.Full(-1, 1)).Scale(1e30))
	}
	l.trace.Routing = logits.Softmax()                       // [n, H, N], eq. 16
	return o.Mul(l.trace.Routing.Reshape(n, H, N, 1)).Sum(2) // [n, H, e]
}

// feedForward is eq. 7's, over [n, H, e].
func (l *MoELayer) feedForward(x torch.Tensor) torch.Tensor {
	if !l.config.PerHeadFeedForward {
		return l.ffOut.Forward(l.ffIn.Forward(x).GELU())
	}
	x = x.Permute(1, 0, 2)                                         // [H, n, e]
	x = x.MatMul(l.headIn).Add(l.headInBias).GELU()                // [H, n, 4e]
	return x.MatMul(l.headOut).Add(l.headOutBias).Permute(1, 0, 2) // [n, H, e]
}

// imbalance is N·Σ_n (mean β_n)², averaged over the heads: 1 when the experts of a
// head share the load evenly, N when one has all of it. The mean is over the rows of
// all team members; how many each has, and which are the caller's, as of Gather.
func (l *MoELayer) imbalance() (x torch.Tensor, rows []int64, own int) {
	H, N := int64(l.config.Heads), int64(l.config.Experts)
	all, rows, own := l.rt.Gather(l.trace.Routing.Reshape(-1, H*N)) // [rows of all, H·N]
	load := all.Sum(0).Scale(1/float64(all.Shape()[0])).Reshape(H, N)
	return load.Mul(load).Sum(1).Scale(float64(N)).Mean(), rows, own
}

// keepHighest has, for x [.., n], 1 at the k highest values of each row of n, the
// first of equal ones, and 0 elsewhere. A constant.
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
