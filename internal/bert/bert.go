package bert

import (
	"slices"
	"strconv"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// bert is the encoder of Devlin et al. (2019) on one thread: the sum of word,
// position and type embedding, LayerNorm, then post-norm layers. The texts of a
// batch have the same length, so there is no padding and no mask. All tokens
// have the first type. There is no dropout and no gradient.
type bert struct {
	rt                    *torch.Runtime
	words, positions, typ torch.Tensor // [V, d], [L, d], [d]
	norm                  bertNorm
	layers                []bertLayer
}

type bertLayer struct {
	query, keyValue, out, ffIn, ffOut bertLinear
	attnNorm, ffNorm                  bertNorm
	heads                             int64
	activation                        func(torch.Tensor) torch.Tensor
}

type bertLinear struct{ w, b torch.Tensor } // [out, in], [out]

func (l bertLinear) forward(x torch.Tensor) torch.Tensor { return x.Linear(l.w, l.b) }

type bertNorm struct {
	gain, bias torch.Tensor // [d]
	eps        float64
}

func (n bertNorm) forward(x torch.Tensor) torch.Tensor { return x.LayerNorm(n.gain, n.bias, n.eps) }

// newBERT loads the model into rt. The members of a team share the leader's
// memory.
func newBERT(rt *torch.Runtime, leader bool, c bertConfig, weights map[string]safetensors.Tensor) (*bert, error) {
	p := rt.NewParams()
	var failed error
	// load concatenates the named tensors along the first dimension.
	load := func(names ...string) torch.Tensor {
		shape := slices.Clone(weights[names[0]].Shape)
		shape[0] *= int64(len(names))
		t := p.Fill(names[0], 0, shape...)
		if !leader || failed != nil {
			return t
		}
		var all []float32
		for _, name := range names {
			var v []float32
			if v, failed = weights[name].Float32s(); failed != nil {
				return t
			}
			all = append(all, v...)
		}
		t.CopyFrom(all)
		return t
	}
	linear := func(names ...string) bertLinear {
		var w, b []string
		for _, name := range names {
			w, b = append(w, name+".weight"), append(b, name+".bias")
		}
		return bertLinear{load(w...), load(b...)}
	}
	norm := func(name string) bertNorm { return bertNorm{load(name + ".weight"), load(name + ".bias"), c.NormEps} }
	m := &bert{
		rt:        rt,
		words:     load("embeddings.word_embeddings.weight"),
		positions: load("embeddings.position_embeddings.weight"),
		typ:       load("embeddings.token_type_embeddings.weight").Select(0, 0).Detach(),
		norm:      norm("embeddings.LayerNorm"),
	}
	for i := range c.Layers {
		l := layerPrefix + strconv.Itoa(i)
		m.layers = append(m.layers, bertLayer{
			query:      linear(l + ".attention.self.query"),
			keyValue:   linear(l+".attention.self.key", l+".attention.self.value"),
			out:        linear(l + ".attention.output.dense"),
			attnNorm:   norm(l + ".attention.output.LayerNorm"),
			ffIn:       linear(l + ".intermediate.dense"),
			ffOut:      linear(l + ".output.dense"),
			ffNorm:     norm(l + ".output.LayerNorm"),
			heads:      int64(c.Heads),
			activation: activations[c.Activation],
		})
	}
	return m, failed
}

// forward returns the last hidden states [T·n, d] of T texts of n tokens each,
// one text after the other. states, if not nil, is called with the states after
// the embedding and after every layer.
func (m *bert) forward(texts [][]int32, states func(torch.Tensor)) torch.Tensor {
	var ids, steps []int64
	for _, text := range texts {
		for t, id := range text {
			ids, steps = append(ids, int64(id)), append(steps, int64(t))
		}
	}
	M, n := int64(len(ids)), int64(len(texts[0]))
	var x torch.Tensor
	see := func() {
		if states != nil {
			states(x)
		}
	}
	m.rt.NoGrad(func() {
		x = m.words.Rows(m.rt.Ints(ids, M)).Add(m.typ)   // [M, d]
		x = x.Add(m.positions.Rows(m.rt.Ints(steps, M))) // [M, d]
		x = m.norm.forward(x)                            // [M, d]
		see()
		for _, l := range m.layers {
			x = l.forward(x, n) // [M, d]
			see()
		}
	})
	return x
}

// forward: x ← LN(x + W_O·Attn(x)); x ← LN(x + W₂·act(W₁·x)).
func (l bertLayer) forward(x torch.Tensor, n int64) torch.Tensor {
	a := l.query.forward(x).AttendEqual(l.keyValue.forward(x), n, l.heads) // [M, d], [M, 2d] → [M, d]
	x = l.attnNorm.forward(x.Add(l.out.forward(a)))                        // [M, d]
	f := l.ffOut.forward(l.activation(l.ffIn.forward(x)))                  // [M, inner] → [M, d]
	return l.ffNorm.forward(x.Add(f))                                      // [M, d]
}
