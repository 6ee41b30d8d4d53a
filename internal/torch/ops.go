package torch

// #include "native.h"
import "C"

import (
	"time"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Add is t + u, broadcast.
func (t Tensor) Add(u Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgAdd(&out, t.c, u.c)
	return t.rt.made(out, "add", t, u)
}

// Sub is t − u, broadcast.
func (t Tensor) Sub(u Tensor) Tensor {
	var out lib.Ctensor
	lib.AtgSub(&out, t.c, u.c)
	return t.rt.made(out, "sub", t, u)
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
	return t.rt.native(C.fb_matmul(unsafe.Pointer(t.c), unsafe.Pointer(u.c)), "matmul", t, u)
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
	out := C.fb_linear(unsafe.Pointer(t.c), unsafe.Pointer(w.c), unsafe.Pointer(b.c), flag(t.rt.bfloat16))
	return t.rt.native(out, "linear", t, w, b)
}

// LayerNorm normalises the last dimension, of size len(w), and applies gain w
// and bias b.
func (t Tensor) LayerNorm(w, b Tensor, eps float64) Tensor {
	var out lib.Ctensor
	lib.AtgLayerNorm(&out, t.c, w.Shape(), 1, w.c, b.c, eps, 0)
	return t.rt.made(out, "layer_norm", t, w, b)
}

// Dropout zeroes elements with probability p and scales the rest by 1/(1−p)
// while the Runtime is training; otherwise it is t itself. The rows along the first
// dimension must be those of the batch's items or positions; see NameRows.
func (t Tensor) Dropout(p float64) Tensor {
	if !t.rt.training || p == 0 {
		return t
	}
	return t.dropout(p, t.rt.rowNames("dropout", t))
}

// DropoutTable is Dropout for a tensor that every member of a team has whole, such as an
// item table: a row is named by its number.
func (t Tensor) DropoutTable(p float64) Tensor {
	if !t.rt.training || p == 0 {
		return t
	}
	return t.dropout(p, nil)
}

func (t Tensor) dropout(p float64, names []int64) Tensor {
	out := C.fb_dropout(unsafe.Pointer(t.c), C.double(p), C.uint64_t(t.rt.draw()), (*C.int64_t)(unsafe.SliceData(names)), C.int64_t(t.Shape()[0]))
	return t.rt.native(out, "dropout", t)
}

// GELU is x/2·(1 + erf(x/√2)), the exact form.
func (t Tensor) GELU() Tensor {
	if t.rt.device < 0 {
		return t.rt.native(C.fb_gelu(unsafe.Pointer(t.c)), "gelu", t)
	}
	var out lib.Ctensor
	lib.AtgGelu(&out, t.c, "none")
	return t.rt.made(out, "gelu", t)
}

// GELUTanh is x/2·(1 + tanh(√(2/π)·(x + 0.044715x³))), the approximate form.
func (t Tensor) GELUTanh() Tensor {
	var out lib.Ctensor
	lib.AtgGelu(&out, t.c, "tanh")
	return t.rt.made(out, "gelu", t)
}

// ReLU is max(0, x).
func (t Tensor) ReLU() Tensor {
	var out lib.Ctensor
	lib.AtgRelu(&out, t.c)
	return t.rt.made(out, "relu", t)
}

// SiLU is x·sigmoid(x), also known as swish.
func (t Tensor) SiLU() Tensor {
	var out lib.Ctensor
	lib.AtgSilu(&out, t.c)
	return t.rt.made(out, "silu", t)
}

// Tanh is the hyperbolic tangent.
func (t Tensor) Tanh() Tensor {
	var out lib.Ctensor
	lib.AtgTanh(&out, t.c)
	return t.rt.made(out, "tanh", t)
}

// Sigmoid is 1/(1 + e^−x), elementwise.
func (t Tensor) Sigmoid() Tensor {
	var out lib.Ctensor
	lib.AtgSigmoid(&out, t.c)
	return t.rt.made(out, "sigmoid", t)
}

// Exp is e^x, elementwise.
func (t Tensor) Exp() Tensor {
	var out lib.Ctensor
	lib.AtgExp(&out, t.c)
	return t.rt.made(out, "exp", t)
}

// Log is the natural logarithm, elementwise: −∞ for 0, NaN below.
func (t Tensor) Log() Tensor {
	var out lib.Ctensor
	lib.AtgLog(&out, t.c)
	return t.rt.made(out, "log", t)
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

// Sum is over one dimension, which is removed.
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

// Select is entry i of a dimension, which is removed.
func (t Tensor) Select(dim, i int64) Tensor {
	var out lib.Ctensor
	lib.AtgSelect(&out, t.c, dim, i)
	return t.rt.made(out, "select", t)
}

// Rows gathers rows of a matrix: out[i] = t[index[i]]. Its gradient adds up in
// a fixed order (that of advanced indexing does not). t may also be a vector.
func (t Tensor) Rows(index Tensor) Tensor {
	if out := t.lookup(index, false); out.Defined() {
		return out
	}
	var out lib.Ctensor
	lib.AtgIndexSelect(&out, t.c, 0, index.c)
	return t.rt.made(out, "index_select", t, index)
}

// RowScores is the products of each of the vectors t [n, d] with k rows of a table [V, d],
// whose numbers are ids [n, k]: [n, k]. It is t.MatMul(table.Rows(ids)ᵀ) for each vector, but
// on a CPU the rows are not copied.
func (t Tensor) RowScores(table, ids Tensor) Tensor {
	p := C.fb_row_scores(unsafe.Pointer(t.c), unsafe.Pointer(table.c), unsafe.Pointer(ids.c), table.lazy())
	return t.rt.native(p, "row_scores", t, table, ids)
}

// Embedding looks up rows of the table t [V, d] for ids of any shape; row 0,
// the padding, gets no gradient from lookups.
func (t Tensor) Embedding(ids Tensor) Tensor {
	if out := t.lookup(ids, true); out.Defined() {
		return out
	}
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

// Diag is the square matrix with the vector t on its diagonal.
func (t Tensor) Diag() Tensor {
	var out lib.Ctensor
	lib.AtgDiag(&out, t.c, 0)
	return t.rt.made(out, "diag", t)
}

// CrossEntropy is the mean over rows of −log softmax(hidden·tableᵀ + bias) at
// the target, for hidden t [n, d], table [V, d], bias [V] or none, targets [n]
// (row numbers of the table). Only the rows lo…hi−1 of the table are classes.
// It keeps at most about 8 MB of logits, or 48 rows of them; memory for gradients is
// that of hidden and table.
func (t Tensor) CrossEntropy(table, bias, targets Tensor, lo, hi int64) Tensor {
	start := time.Now()
	classes := C.fb_classes{lo: C.int64_t(lo), hi: C.int64_t(hi), bfloat16: flag(t.rt.bfloat16)}
	p := C.fb_cross_entropy(unsafe.Pointer(t.c), unsafe.Pointer(table.c), unsafe.Pointer(bias.c), unsafe.Pointer(targets.c), classes)
	out := t.rt.native(p, "cross_entropy", t, table, bias, targets)
	shape := t.Shape() // [n, d]
	t.rt.addLoss(shape[0], hi-lo, shape[1], start)
	return out
}

// Attend is multi-head attention of queries t [n, N·d], N per row, over the rows of kv
// [M, 2d], which hold keys, then values: softmax(q·kᵀ/√(d/heads))·v in each of the heads
// into which d is split, with dropout p on the weights. The queries of row i see only
// the rows spans[i] = (first, end), end excluded, so sequences of different lengths are
// concatenated and need neither padding nor masks. [n, N·d]. For dropout, the rows of t
// must be those of the batch's items or positions; see NameRows.
func (t Tensor) Attend(kv, spans Tensor, heads int64, p float64) Tensor {
	return t.attend(kv, spans, heads, p, false)
}

// AttendEqual is Attend for sequences of n rows each, without dropout: t [T·n, d],
// kv [T·n, 2d], and every query sees all of its own sequence. [T·n, d].
func (t Tensor) AttendEqual(kv Tensor, n, heads int64) Tensor {
	out := C.fb_attend_equal(unsafe.Pointer(t.c), unsafe.Pointer(kv.c), C.int64_t(n), C.int64_t(heads))
	return t.rt.native(out, "attend_equal", t, kv)
}

func (t Tensor) attend(kv, spans Tensor, heads int64, p float64, composed bool) Tensor {
	var seed uint64
	var names []int64
	if !t.rt.training {
		p = 0
	}
	if p > 0 {
		seed, names = t.rt.draw(), t.rt.rowNames("attend", t)
	}
	out := C.fb_attend(unsafe.Pointer(t.c), unsafe.Pointer(kv.c), unsafe.Pointer(spans.c), C.int64_t(heads), C.double(p), C.uint64_t(seed),
		(*C.int64_t)(unsafe.SliceData(names)), flag(composed))
	return t.rt.native(out, "attend", t, kv, spans)
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// PrefixMean is the mean of every prefix, weighted by softmax(logits): t [M, d]
// and logits [M] hold concatenated sequences of the given lengths, and row i of the
// result [M, d] is Σ softmax(logits)_s · t_s over the rows s of i's sequence up to i.
// It is a running sum with a running maximum, so the logits may have any range.
func (t Tensor) PrefixMean(logits, lengths Tensor) Tensor {
	return t.prefixMean(logits, lengths, false)
}

func (t Tensor) prefixMean(logits, lengths Tensor, composed bool) Tensor {
	out := C.fb_prefix_mean(unsafe.Pointer(t.c), unsafe.Pointer(logits.c), unsafe.Pointer(lengths.c), flag(composed))
	return t.rt.native(out, "prefix_mean", t, logits, lengths)
}

// Normalize divides every row of a matrix by its L2 norm, or by 1e-12 if that is
// smaller.
func (t Tensor) Normalize() Tensor {
	return t.rt.native(C.fb_normalize(unsafe.Pointer(t.c)), "normalize", t)
}

// Eigh returns the eigenvalues [n], ascending, and the eigenvectors [n, n], one per
// column, of a symmetric matrix. It is computed, and stays, on the CPU: every libtorch
// includes LAPACK, but not its counterpart on a GPU.
func (t Tensor) Eigh() (values, vectors Tensor) {
	host := t.to(-1)
	var out [2]lib.Ctensor
	lib.AtgLinalgEigh(&out[0], host.c, "L")
	return t.rt.made(out[0], "linalg_eigh", t), t.rt.made(out[1], "linalg_eigh", t)
}

// Concat joins tensors along a dimension.
func (rt *Runtime) Concat(dim int64, ts ...Tensor) Tensor {
	cs := make([]lib.Ctensor, len(ts))
	for i, t := range ts {
		cs[i] = t.c
	}
	var out lib.Ctensor
	lib.AtgCat(&out, cs, len(cs), dim)
	return rt.made(out, "cat", ts...)
}

// Detach is t as a constant.
func (t Tensor) Detach() Tensor {
	var out lib.Ctensor
	lib.AtgDetach(&out, t.c)
	return t.rt.made(out, "detach", t)
}

// Backward adds the gradient of the scalar t to every parameter it depends on.
func (t Tensor) Backward() {
	lib.AtBackward(t.c, 0, 0)
	t.rt.check("backward", t)
}
