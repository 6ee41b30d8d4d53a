package torch

// #include "native.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Add is t + u, broadcast.
func (t Tensor) Add(u Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgAdd(&out, t.c, u.c)
	return t.rt.made(out, "add", t, u)
}

// Mul is the elementwise product t·u, broadcast.
func (t Tensor) Mul(u Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgMul(&out, t.c, u.c)
	return t.rt.made(out, "mul", t, u)
}

// Scale is t·k.
func (t Tensor) Scale(k float64) Tensor {
	s := lib.AtsFloat(k)
	defer lib.AtsFree(s)
	var out lib.Ctensor
	lib.AtgMulScalar(&out, t.c, s)
	return t.rt.made(out, "mul", t)
}

// MatMul is the matrix product over the last two dimensions.
func (t Tensor) MatMul(u Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgMatmul(&out, t.c, u.c)
	return t.rt.made(out, "matmul", t, u)
}

// ScoresInto writes t·tableᵀ + bias, row-major, into Go memory, without a
// gradient: t is [B, d], table [V, d], bias [V] or none, out B·V long.
func (t Tensor) ScoresInto(out []float32, table, bias Tensor) {
	if C.fb_scores(unsafe.Pointer(t.c), unsafe.Pointer(table.c), unsafe.Pointer(bias.c), (*C.float)(unsafe.SliceData(out)), C.int64_t(len(out))) != 0 {
		panic(&Error{"scores", shapes([]Tensor{t, table, bias}), C.GoString(C.fb_error())})
	}
}

// Linear is t·wᵀ + b over the last dimension; w is [out, in], b [out] or none.
func (t Tensor) Linear(w, b Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgLinear(&out, t.c, w.c, b.c)
	return t.rt.made(out, "linear", t, w, b)
}

// LayerNorm normalises the last dimension, of size len(w), and applies gain w
// and bias b.
func (t Tensor) LayerNorm(w, b Tensor, eps float64) Tensor {
	var out lib.Ctensor
	lib.AtgLayerNorm(&out, t.c, w.Shape(), 1, w.c, b.c, eps, 0)
	return t.rt.made(out, "layer_norm", t, w, b)
}

// Dropout zeroes elements with probability p and scales the rest by 1/(1−p)
// while the Runtime is training; otherwise it is t itself.
func (t Tensor) Dropout(p float64) Tensor {
	if !t.rt.training || p == 0 {
		return t
	}
	return t.rt.native(C.fb_dropout(unsafe.Pointer(t.c), C.double(p), C.uint64_t(t.rt.draw())), "dropout", t)
}

// GELU is x/2·(1 + erf(x/√2)), the exact form.
func (t Tensor) GELU() Tensor {
	var out lib.Ctensor
	lib.AtgGelu(&out, t.c, "none")
	return t.rt.made(out, "gelu", t)
}

// Softmax is over the last dimension.
func (t Tensor) Softmax() Tensor {
	var out lib.Ctensor
	lib.AtgSoftmax(&out, t.c, -1, kindFloat)
	return t.rt.made(out, "softmax", t)
}

// LogSoftmax is over the last dimension.
func (t Tensor) LogSoftmax() Tensor {
	var out lib.Ctensor
	lib.AtgLogSoftmax(&out, t.c, -1, kindFloat)
	return t.rt.made(out, "log_softmax", t)
}

// LogSigmoid is log σ(t), elementwise.
func (t Tensor) LogSigmoid() Tensor {
	var out lib.Ctensor
	lib.AtgLogSigmoid(&out, t.c)
	return t.rt.made(out, "log_sigmoid", t)
}

// Sum is over one dimension, which goes.
func (t Tensor) Sum(dim int64) Tensor {
	var out lib.Ctensor
	lib.AtgSumDimIntlist(&out, t.c, []int64{dim}, 1, 0, kindFloat)
	return t.rt.made(out, "sum", t)
}

// Mean is over all elements.
func (t Tensor) Mean() Tensor {
	var out lib.Ctensor
	lib.AtgMean(&out, t.c, kindFloat)
	return t.rt.made(out, "mean", t)
}

// Reshape gives the same elements another shape; one size may be −1.
func (t Tensor) Reshape(shape ...int64) Tensor {
	var out lib.Ctensor
	lib.AtgReshape(&out, t.c, shape, len(shape))
	return t.rt.made(out, "reshape", t)
}

// Permute reorders the dimensions.
func (t Tensor) Permute(dims ...int64) Tensor {
	var out lib.Ctensor
	lib.AtgPermute(&out, t.c, dims, len(dims))
	return t.rt.made(out, "permute", t)
}

// Transpose swaps the last two dimensions.
func (t Tensor) Transpose() Tensor {
	var out lib.Ctensor
	lib.AtgTranspose(&out, t.c, -2, -1)
	return t.rt.made(out, "transpose", t)
}

// Narrow is the slice [start, start+length) of a dimension.
func (t Tensor) Narrow(dim, start, length int64) Tensor {
	var out lib.Ctensor
	lib.AtgNarrow(&out, t.c, dim, start, length)
	return t.rt.made(out, "narrow", t)
}

// Select is entry i of a dimension, which goes.
func (t Tensor) Select(dim, i int64) Tensor {
	var out lib.Ctensor
	lib.AtgSelect(&out, t.c, dim, i)
	return t.rt.made(out, "select", t)
}

// Rows gathers rows of a matrix: out[i] = t[index[i]]. Its gradient adds up in
// a fixed order (that of advanced indexing does not).
func (t Tensor) Rows(index Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgIndexSelect(&out, t.c, 0, index.c)
	return t.rt.made(out, "index_select", t, index)
}

// Embedding looks up rows of the table t [V, d] for ids of any shape; row 0,
// the padding, gets no gradient from look-ups.
func (t Tensor) Embedding(ids Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgEmbedding(&out, t.c, ids.c, 0, 0, 0)
	return t.rt.made(out, "embedding", t, ids)
}

// Contiguous is t in row-major memory.
func (t Tensor) Contiguous() Tensor {
	var out lib.Ctensor
	lib.AtgContiguous(&out, t.c)
	return t.rt.made(out, "contiguous", t)
}

// Triu keeps the part of a matrix on and above a diagonal (1: above the main
// one) and zeroes the rest.
func (t Tensor) Triu(diagonal int64) Tensor {
	var out lib.Ctensor
	lib.AtgTriu(&out, t.c, diagonal)
	return t.rt.made(out, "triu", t)
}

// CrossEntropy is the mean over rows of −log softmax(hidden·tableᵀ + bias) at
// the target, for hidden t [N, d], table [V, d], bias [V] or none, targets [N]
// (row numbers of the table). Only the rows lo…hi−1 of the table are classes.
// It never holds more than a few MB of logits; memory for gradients is that of
// hidden and table.
func (t Tensor) CrossEntropy(table, bias, targets Tensor, lo, hi int64) Tensor {
	p := C.fb_cross_entropy(unsafe.Pointer(t.c), unsafe.Pointer(table.c), unsafe.Pointer(bias.c), unsafe.Pointer(targets.c), C.int64_t(lo), C.int64_t(hi))
	return t.rt.native(p, "cross_entropy", t, table, bias, targets)
}

// Backward adds the gradient of the scalar t to every parameter it depends on.
func (t Tensor) Backward() {
	lib.AtBackward(t.c, 0, 0)
	t.rt.check("backward", t)
}
