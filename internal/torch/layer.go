package torch

// #include "native.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// AddNorm is LayerNorm(t + a.Dropout(p)); see LayerNorm and Dropout.
func (t Tensor) AddNorm(a, w, b Tensor, eps, p float64) Tensor {
	if t.rt.device >= 0 {
		return t.Add(a.Dropout(p)).LayerNorm(w, b, eps)
	}
	return t.addNorm(a, Tensor{}, w, b, C.fb_norm_options{eps: C.float(eps), p: C.double(p)})
}

// AddRowsNorm is LayerNorm(t + table.Rows(index)).Dropout(p), for t [n, d] and table
// [L, d]; see LayerNorm and Dropout.
func (t Tensor) AddRowsNorm(table, index Tensor, w, b Tensor, eps, p float64) Tensor {
	if t.rt.device >= 0 {
		return t.Add(table.Rows(index)).LayerNorm(w, b, eps).Dropout(p)
	}
	return t.addNorm(table, index, w, b, C.fb_norm_options{eps: C.float(eps), p: C.double(p)})
}

func (t Tensor) addNorm(a, index, w, b Tensor, o C.fb_norm_options) Tensor {
	if !t.rt.training {
		o.p = 0
	}
	if o.p > 0 {
		names := t.rt.rowNames("add_norm", t)
		var pin runtime.Pinner // Go memory inside a struct that goes to C
		defer pin.Unpin()
		if len(names) > 0 {
			pin.Pin(&names[0])
		}
		o.names, o.seed = (*C.int64_t)(unsafe.SliceData(names)), C.uint64_t(t.rt.draw())
	}
	out := C.fb_add_norm(unsafe.Pointer(t.c), unsafe.Pointer(a.c), unsafe.Pointer(index.c), unsafe.Pointer(w.c), unsafe.Pointer(b.c), &o)
	return t.rt.native(out, "add_norm", t, a, index, w, b)
}

// MixExperts is the mixture of N experts in each of H heads, whose outputs are t
// [n, N, H, e]. routing [n, H, N] is the softmax of each head's experts, concatenated,
// times its router [H, N·e, N]. mixed [n, H, e] is the sum of the experts with these
// weights.
func (t Tensor) MixExperts(router Tensor) (mixed, routing Tensor) {
	if t.rt.device >= 0 {
		return t.mixExpertsComposed(router)
	}
	var out [2]unsafe.Pointer
	if C.fb_mix_experts(unsafe.Pointer(t.c), unsafe.Pointer(router.c), &out[0]) != 0 {
		panic(&Error{"mix_experts", shapes([]Tensor{t, router}), C.GoString(C.fb_error())})
	}
	return t.rt.native(out[0], "mix_experts"), t.rt.native(out[1], "mix_experts")
}

func (t Tensor) mixExpertsComposed(router Tensor) (mixed, routing Tensor) {
	s := t.Shape()
	n, N, H, e := s[0], s[1], s[2], s[3]
	o := t.Permute(0, 2, 1, 3)                                                                // [n, H, N, e]
	routing = o.Reshape(n, H, N*e).Permute(1, 0, 2).MatMul(router).Permute(1, 0, 2).Softmax() // [H, n, N·e]·[H, N·e, N] → [n, H, N]
	return o.Mul(routing.Reshape(n, H, N, 1)).Sum(2), routing                                 // [n, H, e]
}
