package models

import (
	"fmt"
	"math"

	"famebench/internal/torch"
)

// Encoder is the transformer of the RecBole line (SASRec, BERT4Rec, DuoRec and
// FAME below its last layer): item plus position embedding, LayerNorm, dropout,
// then post-norm layers.
type Encoder struct {
	rt      *torch.Runtime
	items   torch.Tensor // [V+1, d]
	pos     torch.Tensor // [L, d]
	norm    LayerNorm
	layers  []*Layer
	dropout float64
	causal  bool
}

// EncoderConfig are the sizes of an Encoder.
type EncoderConfig struct {
	Rows          int     // rows of the item table: V+1, or more for special tokens
	MaxLen        int     // L, the most positions
	Hidden        int     // d
	Layers, Heads int     //
	Inner         int     // width of the feed-forward
	Dropout       float64 // after the embedding, attention and feed-forward
	AttnDropout   float64 // on the attention weights
	Causal        bool    // position t sees 0…t only; else all of its row
}

// InitStd is the standard deviation of every weight at the start; biases start
// at 0, LayerNorm at gain 1 and bias 0 (RecBole's and BERT's rule).
const InitStd = 0.02

const normEps = 1e-12

// NewEncoder adds the encoder's parameters to p.
func NewEncoder(rt *torch.Runtime, p *torch.Params, c EncoderConfig) *Encoder {
	e := &Encoder{
		rt:      rt,
		items:   p.Normal("item_emb.weight", InitStd, int64(c.Rows), int64(c.Hidden)),
		pos:     p.Normal("pos_emb.weight", InitStd, int64(c.MaxLen), int64(c.Hidden)),
		norm:    NewLayerNorm(p, "emb_ln", c.Hidden),
		dropout: c.Dropout,
		causal:  c.Causal,
	}
	for i := range c.Layers {
		e.layers = append(e.layers, NewLayer(p, fmt.Sprintf("layers.%d", i), c))
	}
	return e
}

// ItemTable is the item embedding, [V+1, d].
func (e *Encoder) ItemTable() torch.Tensor { return e.items }

// Forward is the output of the last layer at every position: [B·T, d].
// Positions behind a row's end hold values without meaning.
func (e *Encoder) Forward(b *Batch) torch.Tensor {
	B, T := int64(b.Rows), int64(b.Len)
	x, mask := e.embed(b), e.mask(b) // [B, T, d]; [T, T] or [B, 1, 1, T]
	for _, l := range e.layers {
		x = l.Forward(x, mask, B, T) // [B, T, d]
	}
	return x.Reshape(B*T, -1) // [B·T, d]
}

// Last is Forward at the last item of every row, [B, d], for less work: the last
// layer needs keys and values everywhere, but one query a row.
func (e *Encoder) Last(b *Batch) torch.Tensor {
	B, T := int64(b.Rows), int64(b.Len)
	x, mask := e.embed(b), e.mask(b) // [B, T, d]; [T, T] or [B, 1, 1, T]
	last := len(e.layers) - 1
	for _, l := range e.layers[:last] {
		x = l.Forward(x, mask, B, T) // [B, T, d]
	}
	at := e.rt.Ints(b.LastPositions(), B)
	return e.layers[last].At(x, at, e.paddingMask(b), B, T) // [B, d]
}

// embed is the input of the first layer, [B, T, d].
func (e *Encoder) embed(b *Batch) torch.Tensor {
	B, T := int64(b.Rows), int64(b.Len)
	x := e.items.Embedding(e.rt.Ints(b.Items, B, T)) // [B, T, d]
	x = x.Add(e.pos.Narrow(0, 0, T))                 // [B, T, d]
	return e.norm.Forward(x).Dropout(e.dropout)
}

// masked is added to the attention score of a position that must not be seen.
// Finite, as in the reference: softmax turns it into exactly 0 in float32.
const masked = -10000

// mask is the additive attention mask. With right padding the causal mask alone
// keeps padding out of every position that counts.
func (e *Encoder) mask(b *Batch) torch.Tensor {
	T := int64(b.Len)
	if e.causal {
		return e.rt.Full(masked, T, T).Triu(1) // [T, T]
	}
	return e.paddingMask(b)
}

// paddingMask keeps what lies behind a row's end out: [B, 1, 1, T].
func (e *Encoder) paddingMask(b *Batch) torch.Tensor {
	m := make([]float32, b.Rows*b.Len)
	for i, n := range b.Lengths {
		for t := int(n); t < b.Len; t++ {
			m[i*b.Len+t] = masked
		}
	}
	return e.rt.Floats(m, int64(b.Rows), 1, 1, int64(b.Len)) // [B, 1, 1, T]
}

// Layer is one post-norm transformer layer:
// x ← LN(x + Attn(x)); x ← LN(x + W₂·gelu(W₁·x)).
type Layer struct {
	heads                 int64
	qkv, out, ffIn, ffOut Linear
	attnNorm, ffNorm      LayerNorm
	dropout, attnDropout  float64
}

// NewLayer adds a layer's parameters to p under the prefix name. Queries, keys
// and values are one matrix, in this order.
func NewLayer(p *torch.Params, name string, c EncoderConfig) *Layer {
	return &Layer{
		heads:       int64(c.Heads),
		qkv:         NewLinear(p, name+".attn.qkv", c.Hidden, 3*c.Hidden),
		out:         NewLinear(p, name+".attn.o", c.Hidden, c.Hidden),
		attnNorm:    NewLayerNorm(p, name+".attn_ln", c.Hidden),
		ffIn:        NewLinear(p, name+".ffn.in", c.Hidden, c.Inner),
		ffOut:       NewLinear(p, name+".ffn.out", c.Inner, c.Hidden),
		ffNorm:      NewLayerNorm(p, name+".ffn_ln", c.Hidden),
		dropout:     c.Dropout,
		attnDropout: c.AttnDropout,
	}
}

// Forward maps x [B, T, d] to [B, T, d]; mask is added to the attention scores
// [B, H, T, T], broadcast.
func (l *Layer) Forward(x, mask torch.Tensor, B, T int64) torch.Tensor {
	qkv := l.qkv.Forward(x).Reshape(B, T, 3, l.heads, -1).Permute(2, 0, 3, 1, 4) // [3, B, H, T, d/H]
	q, k, v := qkv.Select(0, 0), qkv.Select(0, 1), qkv.Select(0, 2)              // [B, H, T, d/H]
	a := l.attend(q, k, v, mask).Permute(0, 2, 1, 3).Reshape(B, T, -1)           // [B, T, d]
	return l.rest(x, a)
}

// At is Forward at one position a row: x [B, T, d], at [B] holds flat positions
// row·T+t, mask is [B, 1, 1, T]; the result is [B, d].
func (l *Layer) At(x, at, mask torch.Tensor, B, T int64) torch.Tensor {
	d := l.qkv.out / 3
	kv := x.Linear(l.qkv.w.Narrow(0, d, 2*d), l.qkv.b.Narrow(0, d, 2*d)) // [B, T, 2d]
	kv = kv.Reshape(B, T, 2, l.heads, -1).Permute(2, 0, 3, 1, 4)         // [2, B, H, T, d/H]
	k, v := kv.Select(0, 0), kv.Select(0, 1)                             // [B, H, T, d/H]
	x = x.Reshape(B*T, d).Rows(at)                                       // [B, d]
	q := x.Linear(l.qkv.w.Narrow(0, 0, d), l.qkv.b.Narrow(0, 0, d))      // [B, d]
	q = q.Reshape(B, l.heads, 1, -1)                                     // [B, H, 1, d/H]
	a := l.attend(q, k, v, mask).Reshape(B, d)                           // [B, d]
	return l.rest(x, a)
}

// attend is softmax(q·kᵀ/√(d/H) + mask)·v: q [B, H, Q, d/H], k and v [B, H, T, d/H]
// give [B, H, Q, d/H].
func (l *Layer) attend(q, k, v, mask torch.Tensor) torch.Tensor {
	scale := 1 / math.Sqrt(float64(l.qkv.out/3/l.heads))
	scores := q.Scale(scale).MatMul(k.Transpose()).Add(mask) // [B, H, Q, T]
	return scores.Softmax().Dropout(l.attnDropout).MatMul(v) // [B, H, Q, d/H]
}

// rest is what follows attention a, for x and a of one shape [.., d].
func (l *Layer) rest(x, a torch.Tensor) torch.Tensor {
	x = l.attnNorm.Forward(x.Add(l.out.Forward(a).Dropout(l.dropout)))
	f := l.ffOut.Forward(l.ffIn.Forward(x).GELU()) // [.., inner] → [.., d]
	return l.ffNorm.Forward(x.Add(f.Dropout(l.dropout)))
}

// Linear is y = x·Wᵀ + b.
type Linear struct {
	w, b torch.Tensor // [out, in], [out]
	out  int64
}

// NewLinear adds name.weight [out, in] and name.bias [out] to p.
func NewLinear(p *torch.Params, name string, in, out int) Linear {
	return Linear{p.Normal(name+".weight", InitStd, int64(out), int64(in)), p.Fill(name+".bias", 0, int64(out)), int64(out)}
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
