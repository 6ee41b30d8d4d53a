package torch

import lib "github.com/sugarme/gotch/libtch"

// TimeSteps arranges concatenated sequences t [M, d] of the given lengths by time, for
// recurrent and convolutional models: [T, B, d] for B sequences and a longest one of T
// rows. Entry [k, b] is row k of sequence b, or zeros after its end, so a model that
// only looks back never reads padding. Select(0, k) is one time step, [B, d].
func (t Tensor) TimeSteps(lengths []int64) Tensor {
	M, T := extent(lengths)
	B := int64(len(lengths))
	index := make([]int64, T*B)
	first := int64(0)
	for b, n := range lengths {
		for k := range T {
			index[k*B+int64(b)] = M // the row of zeros
			if k < n {
				index[k*B+int64(b)] = first + k
			}
		}
		first += n
	}
	d := t.Shape()[1]
	return t.rt.Concat(0, t, t.rt.Zeros(1, d)).Rows(t.rt.Ints(index)).Reshape(T, B, d)
}

// Sequences is the inverse of TimeSteps: [T, B, d] becomes [M, d], without the padding.
func (t Tensor) Sequences(lengths []int64) Tensor {
	M, T := extent(lengths)
	B := int64(len(lengths))
	index := make([]int64, 0, M)
	for b, n := range lengths {
		for k := range n {
			index = append(index, k*B+int64(b))
		}
	}
	return t.Reshape(T*B, -1).Rows(t.rt.Ints(index))
}

// extent is the sum of the lengths and the longest one.
func extent(lengths []int64) (sum, longest int64) {
	for _, n := range lengths {
		sum += n
		longest = max(longest, n)
	}
	return sum, longest
}

// GRUWeights are the parameters of a gated recurrent unit of width h over inputs of
// width d. Rows are those of the reset gate, the update gate and the candidate.
type GRUWeights struct {
	Input, Hidden         Tensor // [3h, d], [3h, h]
	InputBias, HiddenBias Tensor // [3h] each
}

// GRU runs a gated recurrent unit over time steps t [T, B, d], starting from a state of
// zeros, and returns its states, [T, B, h]:
//
//	r = σ(W_r x + b_r + U_r s + c_r)
//	z = σ(W_z x + b_z + U_z s + c_z)
//	n = tanh(W_n x + b_n + r ⊙ (U_n s + c_n))
//	s ← (1−z) ⊙ n + z ⊙ s
func (t Tensor) GRU(w GRUWeights) Tensor {
	B, h := t.Shape()[1], w.Hidden.Shape()[1]
	state := t.rt.Zeros(1, B, h)
	params := []lib.Ctensor{w.Input.c, w.Hidden.c, w.InputBias.c, w.HiddenBias.c}
	var out [2]lib.Ctensor // the states, and the last one again
	lib.AtgGru(&out[0], t.c, state.c, params, len(params), 1, 1, 0, 0, 0, 0)
	states := t.rt.made(out[0], "gru", t, w.Input, w.Hidden)
	t.rt.made(out[1], "gru", t, w.Input, w.Hidden)
	return states
}

// Conv1D is a one-dimensional convolution with stride 1 (a cross-correlation, as
// everywhere in deep learning) of t [B, in, T] with w [out, in, k] and a bias [out], or
// none. padding zeros are added at both ends: [B, out, T + 2·padding − k + 1]. With
// padding = k−1, the first T outputs look back only.
func (t Tensor) Conv1D(w, bias Tensor, padding int64) Tensor {
	var out lib.Ctensor
	lib.AtgConv1d(&out, t.c, w.c, bias.c, []int64{1}, 1, []int64{padding}, 1, []int64{1}, 1, 1)
	return t.rt.made(out, "conv1d", t, w, bias)
}
