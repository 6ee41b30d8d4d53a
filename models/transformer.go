package models

import (
	"fmt"

	"famebench/internal/torch"
)

// Encoder is RecBole's transformer (of SASRec, BERT4Rec, DuoRec and the lower layers
// of FAME): item plus position embedding, LayerNorm, dropout, then post-norm layers.
//
// Two things differ from the reference, and neither changes a result: sequences are
// concatenated instead of being padded to one length, and attention reads only a
// sequence's own items. The reference masks the others with −10,000, which also gives
// them a weight of exactly 0.
type Encoder struct {
	rt     *torch.Runtime
	pos    torch.Tensor // [L, d]
	norm   LayerNorm
	layers []*Layer
	config EncoderConfig
}

// EncoderConfig are the settings of an Encoder.
type EncoderConfig struct {
	TransformerConfig
	MaxLen int  // L: the maximum number of positions
	Causal bool // position t sees 0…t only; otherwise its whole sequence
	// LeftPadding numbers positions as if sequences were padded on the left: the
	// newest item is always at position L−1. Otherwise the oldest is at 0.
	LeftPadding bool
}

// TransformerConfig are the settings that models with a transformer share; their
// configurations embed it.
type TransformerConfig struct {
	Hidden      int     `toml:"hidden" json:"hidden"`             // hidden size d
	Layers      int     `toml:"layers" json:"layers"`             // transformer layers
	Heads       int     `toml:"heads" json:"heads"`               // attention heads; divides hidden
	Inner       int     `toml:"inner" json:"inner"`               // feed-forward width; 0 is 4·hidden
	Dropout     float64 `toml:"dropout" json:"dropout"`           // after embedding, attention and feed-forward
	AttnDropout float64 `toml:"attn_dropout" json:"attn_dropout"` // on the attention weights
}

// TransformerDefaults are RecBole's for sparse data: 2 layers, 2 heads, d 64.
func TransformerDefaults() TransformerConfig {
	return TransformerConfig{Hidden: 64, Layers: 2, Heads: 2, Dropout: .5, AttnDropout: .5}
}

// Validate reports the first invalid value.
func (c TransformerConfig) Validate() error {
	switch {
	case c.Hidden > maxWidth || c.Inner > maxWidth || c.Layers > maxLayers:
		return fmt.Errorf("hidden = %d, inner = %d, layers = %d: expected at most %d, %d and %d", c.Hidden, c.Inner, c.Layers, maxWidth, maxWidth, maxLayers)
	case c.Hidden < 1 || c.Layers < 1 || c.Heads < 1 || c.Inner < 0:
		return fmt.Errorf("hidden = %d, layers = %d, heads = %d: expected at least 1 each, inner = %d at least 0", c.Hidden, c.Layers, c.Heads, c.Inner)
	case c.Hidden%c.Heads != 0:
		return fmt.Errorf("heads = %d: expected a divisor of hidden = %d", c.Heads, c.Hidden)
	case !(c.Dropout >= 0 && c.Dropout < 1), !(c.AttnDropout >= 0 && c.AttnDropout < 1):
		return fmt.Errorf("dropout = %v, attn_dropout = %v: expected 0 ≤ p < 1", c.Dropout, c.AttnDropout)
	}
	return nil
}

// Larger sizes are typing errors, which would otherwise be noticed only when memory
// runs out.
const (
	maxWidth  = 65_536
	maxLayers = 1000
)

// InitStd is the standard deviation from which every weight is initialised. Biases are
// initialised to 0, LayerNorm to gain 1 and bias 0 (RecBole's and BERT's rule).
const InitStd = 0.02

const normEps = 1e-12

// NewEncoder adds the encoder's parameters to p.
func NewEncoder(rt *torch.Runtime, p *torch.Params, c EncoderConfig) *Encoder {
	e := &Encoder{
		rt:     rt,
		pos:    p.Normal("pos_emb.weight", InitStd, int64(c.MaxLen), int64(c.Hidden)),
		norm:   NewLayerNorm(p, "emb_ln", c.Hidden),
		config: c,
	}
	for i := range c.Layers {
		e.layers = append(e.layers, NewLayer(p, fmt.Sprintf("layers.%d", i), c.TransformerConfig))
	}
	return e
}

// Forward encodes the sequences of b, whose items have the embeddings x [M, d], and
// returns the outputs at the n positions at, which must be ascending: [n, d]; nil
// means every position. The last layer needs keys and values everywhere, but the rest
// of it at these positions only.
func (e *Encoder) Forward(x torch.Tensor, b *Batch, at []int64) torch.Tensor {
	x, sight := e.embed(x, b) // [M, d]
	for i, l := range e.layers {
		rows, spans := x, sight.all
		if i+1 == len(e.layers) {
			rows, spans = sight.at(x, at)
		}
		x = l.Forward(rows, x, spans) // [M, d], in the last layer [n, d]
	}
	return x
}

// embed is the input of the first layer, for items with the embeddings x [M, d].
func (e *Encoder) embed(x torch.Tensor, b *Batch) (torch.Tensor, sight) {
	ids, spans := e.positions(b)
	x = x.AddRowsNorm(e.pos, e.rt.Ints(ids), e.norm.gain, e.norm.bias, normEps, e.config.Dropout) // [M, d]
	return x, sight{e.rt, spans, e.rt.Ints(spans, int64(len(b.Items)), 2)}
}

// positions returns the row of the position embedding for every item of the batch, and
// the span of items that it sees: the first, and one after the last.
func (e *Encoder) positions(b *Batch) (ids, spans []int64) {
	ids, spans = make([]int64, 0, len(b.Items)), make([]int64, 0, 2*len(b.Items))
	first := int64(0)
	for _, n := range b.Lengths {
		padding := int64(0)
		if e.config.LeftPadding {
			padding = int64(e.config.MaxLen) - n
		}
		for t := range n {
			end := first + n
			if e.config.Causal {
				end = first + t + 1
			}
			ids, spans = append(ids, padding+t), append(spans, first, end)
		}
		first += n
	}
	return ids, spans
}

// sight says which items each position of a batch sees.
type sight struct {
	rt    *torch.Runtime
	spans []int64
	all   torch.Tensor // spans as a tensor: [M, 2]
}

// at selects the inputs and the spans of some positions, in a layer whose inputs are x
// [M, d]: [n, d] and [n, 2]. nil means every position.
func (s sight) at(x torch.Tensor, at []int64) (rows, spans torch.Tensor) {
	if at == nil || 2*len(at) == len(s.spans) { // as many, ascending: every one
		return x, s.all
	}
	some := make([]int64, 0, 2*len(at))
	for _, p := range at {
		some = append(some, s.spans[2*p], s.spans[2*p+1])
	}
	return x.Rows(s.rt.Ints(at)), s.rt.Ints(some, int64(len(at)), 2)
}

// Layer is one post-norm transformer layer:
// x ← LN(x + Attn(x)); x ← LN(x + W₂·gelu(W₁·x)).
type Layer struct {
	hidden, heads         int64
	qkv, out, ffIn, ffOut Linear
	attnNorm, ffNorm      LayerNorm
	dropout, attnDropout  float64
}

// NewLayer adds a layer's parameters to p under the prefix name. Queries, keys
// and values are one matrix, in this order.
func NewLayer(p *torch.Params, name string, c TransformerConfig) *Layer {
	inner := c.Inner
	if inner == 0 {
		inner = 4 * c.Hidden
	}
	return &Layer{
		hidden:      int64(c.Hidden),
		heads:       int64(c.Heads),
		qkv:         NewLinear(p, name+".attn.qkv", c.Hidden, 3*c.Hidden),
		out:         NewLinear(p, name+".attn.o", c.Hidden, c.Hidden),
		attnNorm:    NewLayerNorm(p, name+".attn_ln", c.Hidden),
		ffIn:        NewLinear(p, name+".ffn.in", c.Hidden, inner),
		ffOut:       NewLinear(p, name+".ffn.out", inner, c.Hidden),
		ffNorm:      NewLayerNorm(p, name+".ffn_ln", c.Hidden),
		dropout:     c.Dropout,
		attnDropout: c.AttnDropout,
	}
}

// Forward is the output [n, d] at n positions, whose inputs are x [n, d], of sequences
// whose inputs are all [M, d]; spans [n, 2] are the rows of all that each position
// sees, first and end. Attend is the attention softmax(QKᵀ/√(d/H))·V of every head;
// TestFAMEByHand recomputes it step by step.
func (l *Layer) Forward(x, all, spans torch.Tensor) torch.Tensor {
	q := x.Linear(l.qkv.w.Narrow(0, 0, l.hidden), l.qkv.b.Narrow(0, 0, l.hidden))                      // [n, d]
	kv := all.Linear(l.qkv.w.Narrow(0, l.hidden, 2*l.hidden), l.qkv.b.Narrow(0, l.hidden, 2*l.hidden)) // [M, 2d]
	a := l.out.Forward(q.Attend(kv, spans, l.heads, l.attnDropout))                                    // [n, d]
	x = l.attnNorm.AfterResidual(x, a, l.dropout)                                                      // [n, d]
	f := l.ffOut.Forward(l.ffIn.Forward(x).GELU())                                                     // [n, inner] → [n, d]
	return l.ffNorm.AfterResidual(x, f, l.dropout)                                                     // [n, d]
}

// Linear is y = x·Wᵀ + b.
type Linear struct{ w, b torch.Tensor } // [out, in], [out]

// NewLinear adds name.weight [out, in] and name.bias [out] to p.
func NewLinear(p *torch.Params, name string, in, out int) Linear {
	return Linear{p.Normal(name+".weight", InitStd, int64(out), int64(in)), p.Fill(name+".bias", 0, int64(out))}
}

// Forward maps [.., in] to [.., out].
func (l Linear) Forward(x torch.Tensor) torch.Tensor { return x.Linear(l.w, l.b) }

// LayerNorm normalises the last dimension (biased variance, eps 1e-12).
type LayerNorm struct{ gain, bias torch.Tensor }

// NewLayerNorm adds name.weight and name.bias, both [size], to p.
func NewLayerNorm(p *torch.Params, name string, size int) LayerNorm {
	return LayerNorm{p.Fill(name+".weight", 1, int64(size)), p.Fill(name+".bias", 0, int64(size))}
}

// Forward keeps the shape.
func (n LayerNorm) Forward(x torch.Tensor) torch.Tensor { return x.LayerNorm(n.gain, n.bias, normEps) }

// AfterResidual is the normalised x + dropout(y), for a block with the input x and the
// output y. It keeps the shape.
func (n LayerNorm) AfterResidual(x, y torch.Tensor, dropout float64) torch.Tensor {
	return x.AddNorm(y, n.gain, n.bias, normEps, dropout)
}
