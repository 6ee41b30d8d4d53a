package models

import (
	"fmt"

	"famebench/internal/torch"
)

// Encoder is the transformer of the RecBole line (SASRec, BERT4Rec, DuoRec and
// FAME below its last layer): item plus position embedding, LayerNorm, dropout,
// then post-norm layers.
//
// Differs from the reference: sequences lie one after the other instead of being
// padded to one length, and attention looks at a sequence's own items instead of
// masking the others by −10,000, whose softmax is exactly 0 as well.
type Encoder struct {
	rt     *torch.Runtime
	pos    torch.Tensor // [L, d]
	norm   LayerNorm
	layers []layer
	config EncoderConfig
}

// EncoderConfig is what an Encoder is made for.
type EncoderConfig struct {
	TransformerConfig
	MaxLen int  // L, the most positions
	Causal bool // position t sees 0…t only; else all of its sequence
	// LeftPadding numbers positions as if sequences were padded on the left: the
	// newest item is always at position L−1. Else the oldest is at 0.
	LeftPadding bool
}

// layer is Layer or MoELayer.
type layer interface {
	// Forward is the output at some positions, whose inputs are x [N, d], of
	// sequences with the inputs all [M, d]; spans [N, 2] says which rows of all
	// each one sees. [N, d].
	Forward(x, all, spans torch.Tensor) torch.Tensor
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

// Validate names the first value that cannot be.
func (c TransformerConfig) Validate() error {
	switch {
	case c.Hidden > maxWidth || c.Inner > maxWidth || c.Layers > maxLayers:
		return fmt.Errorf("hidden = %d, inner = %d, layers = %d: want at most %d, %d and %d", c.Hidden, c.Inner, c.Layers, maxWidth, maxWidth, maxLayers)
	case c.Hidden < 1 || c.Layers < 1 || c.Heads < 1 || c.Inner < 0:
		return fmt.Errorf("hidden = %d, layers = %d, heads = %d: want at least 1 each, inner = %d at least 0", c.Hidden, c.Layers, c.Heads, c.Inner)
	case c.Hidden%c.Heads != 0:
		return fmt.Errorf("heads = %d does not divide hidden = %d", c.Heads, c.Hidden)
	case !(c.Dropout >= 0 && c.Dropout < 1), !(c.AttnDropout >= 0 && c.AttnDropout < 1):
		return fmt.Errorf("dropout = %v, attn_dropout = %v: want 0 ≤ p < 1", c.Dropout, c.AttnDropout)
	}
	return nil
}

// Sizes beyond these are slips of the pen that would be noticed late, with the memory full.
const (
	maxWidth  = 65_536
	maxLayers = 1000
)

// InitStd is the standard deviation of every weight at the start; biases start
// at 0, LayerNorm at gain 1 and bias 0 (RecBole's and BERT's rule).
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

// Forward encodes the sequences of b, whose items have the embeddings x [M, d],
// and gives the output at the positions at, ascending: [N, d]; nil is every
// position. The last layer needs keys and values everywhere, but the rest of it
// at these only.
func (e *Encoder) Forward(x torch.Tensor, b *Batch, at []int64) torch.Tensor {
	M, N := int64(len(b.Items)), int64(len(at))
	steps, spans := e.places(b)
	x = x.Add(e.pos.Rows(e.rt.Ints(steps, M)))      // [M, d]
	x = e.norm.Forward(x).Dropout(e.config.Dropout) // [M, d]
	everywhere := e.rt.Ints(spans, M, 2)            // [M, 2]
	for i, l := range e.layers {
		if i+1 < len(e.layers) || at == nil || N == M { // as many, ascending: every one
			x = l.Forward(x, x, everywhere) // [M, d]
			continue
		}
		index := e.rt.Ints(at, N)
		some := make([]int64, 0, 2*N)
		for _, p := range at {
			some = append(some, spans[2*p], spans[2*p+1])
		}
		x = l.Forward(x.Rows(index), x, e.rt.Ints(some, N, 2)) // [N, d]
	}
	return x
}

// places tells for every position the row of its position embedding and the
// positions that it sees, first and end.
func (e *Encoder) places(b *Batch) (steps, spans []int64) {
	steps, spans = make([]int64, 0, len(b.Items)), make([]int64, 0, 2*len(b.Items))
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
			steps, spans = append(steps, padding+t), append(spans, first, end)
		}
		first += n
	}
	return steps, spans
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

// Forward is the output at some positions, as layer says.
func (l *Layer) Forward(x, all, spans torch.Tensor) torch.Tensor {
	q := x.Linear(l.qkv.w.Narrow(0, 0, l.hidden), l.qkv.b.Narrow(0, 0, l.hidden))                      // [N, d]
	kv := all.Linear(l.qkv.w.Narrow(0, l.hidden, 2*l.hidden), l.qkv.b.Narrow(0, l.hidden, 2*l.hidden)) // [M, 2d]
	a := l.out.Forward(q.Attend(kv, spans, l.heads, l.attnDropout))                                    // [N, d]
	x = l.attnNorm.Forward(x.Add(a.Dropout(l.dropout)))                                                // [N, d]
	f := l.ffOut.Forward(l.ffIn.Forward(x).GELU())                                                     // [N, inner] → [N, d]
	return l.ffNorm.Forward(x.Add(f.Dropout(l.dropout)))                                               // [N, d]
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
