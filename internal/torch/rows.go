package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"

	"famebench/internal/torch/safetensors"
)

// Large tables. A parameter of SparseFrom rows or more, on a CPU, gets a sparse gradient
// from Embedding, Rows and RowScores. If nothing but these reads it, Adam touches only the rows that
// were looked up, so the time of a step does not grow with the table. Such a table is lazy:
// what its other rows miss (Adam moves a row even without a gradient, by its momentum) is
// made up for when they are looked up next, or by Settle. The results are Adam's on the
// whole table but for rounding (see rows.cpp).

// SparseFrom is the number of rows from which a table is large. Smaller ones are updated as
// a whole, which is as fast for them.
const SparseFrom = C.fb_sparse_from

// table is what a Params knows about a parameter: the optimiser if it is lazy, so that
// lookups bring its rows up to date before they read them.
type table struct {
	adam *Adam // nil: all rows are up to date
	i    int   // number of the parameter
}

// lookup is t[index] with a sparse gradient, or none where t is not large. Rows of a lazy
// table are brought up to date in any case.
func (t Tensor) lookup(index Tensor, padding bool) Tensor {
	lazy := t.lazy()
	if C.fb_has_sparse_gradient(unsafe.Pointer(t.c)) != 0 {
		return t.rt.native(C.fb_lookup(unsafe.Pointer(t.c), unsafe.Pointer(index.c), flag(padding), lazy), "lookup", t, index)
	}
	if lazy != nil && C.fb_catch_up(lazy, unsafe.Pointer(index.c)) != 0 {
		panic(&Error{"catch_up", shapes([]Tensor{t, index}), C.GoString(C.fb_error())})
	}
	return Tensor{}
}

// lazy describes t to C if it is a lazy table, else it is nil.
func (t Tensor) lazy() *C.fb_rows {
	s := t.rt.tables[t.c]
	if s == nil || s.adam == nil {
		return nil
	}
	rows := s.adam.rows(s.i)
	return &rows
}

// noSteps is the step count of every row of a parameter, if that is large.
func (rt *Runtime) noSteps(t Tensor) Tensor {
	shape := t.Shape()
	if rt.device >= 0 || len(shape) == 0 || shape[0] < SparseFrom {
		return Tensor{}
	}
	return rt.native(C.fb_no_steps(C.int64_t(shape[0])), "zeros", t)
}

// rows describes a lazy table to C.
func (a *Adam) rows(i int) C.fb_rows {
	return C.fb_rows{
		p: unsafe.Pointer(a.params.tensors[i].c), m: unsafe.Pointer(a.m[i].c), v: unsafe.Pointer(a.v[i].c), last: unsafe.Pointer(a.last[i].c),
		step: C.int64_t(a.steps[i]), lr: C.double(a.lr), beta1: beta1, beta2: beta2, eps: adamEps,
	}
}

// prepareRows decides about the parameters with sparse gradients: the first step makes them
// lazy. With weight decay, which moves every row in every step, they get dense gradients.
func (u *Update) prepareRows() {
	a, n := u.adam, len(u.has)
	sparse := make([]C.int, n)
	if C.fb_sparse_gradients(C.int(n), C.int(u.members), &u.grads[0], &sparse[0]) != 0 {
		panic(&Error{"adam", nil, C.GoString(C.fb_error())})
	}
	for i := range u.has {
		switch {
		case !a.last[i].Defined() || a.frozen[i]:
		case sparse[i] != 0 && a.decay == 0 && (a.lazy[i] || a.steps[i] == 0):
			a.lazy[i] = true
			*a.params.tables[i] = table{a, i}
			a.steps[i]++
			u.has[i] = -1 // fb_prepare leaves it out
			u.lazy = append(u.lazy, i)
		case C.fb_to_dense(C.int(u.members), &u.grads[i], C.int(n)) != 0:
			panic(&Error{"adam", nil, C.GoString(C.fb_error())})
		}
	}
}

// updateRows is Part for lazy tables.
func (u *Update) updateRows(part, parts int) {
	for _, i := range u.lazy {
		params := make([]unsafe.Pointer, u.members)
		for k := range params {
			params[k] = u.grads[k*len(u.has)+i]
		}
		rows := u.adam.rows(i)
		if C.fb_update_rows(&rows, C.int(part), C.int(parts), C.int(u.members), &params[0], (*C.double)(&u.shares[0])) != 0 {
			panic(&Error{"adam", shapes([]Tensor{u.adam.params.tensors[i]}), C.GoString(C.fb_error())})
		}
	}
}

// Settle brings one of so many parts of all lazy tables up to date. It must be done before
// such a table is read other than by Embedding, Rows and RowScores. The parts may be made on several
// threads at a time.
func (a *Adam) Settle(part, parts int) {
	for i, lazy := range a.lazy {
		if !lazy {
			continue
		}
		rows := a.rows(i)
		if C.fb_catch_up_all(&rows, C.int(part), C.int(parts)) != 0 {
			panic(&Error{"settle", shapes([]Tensor{a.params.tensors[i]}), C.GoString(C.fb_error())})
		}
	}
}

// loadRows restores the step counts of a lazy table's rows.
func (a *Adam) loadRows(i int, saved safetensors.Tensor) error {
	steps, err := saved.Int64s()
	if err != nil {
		return err
	}
	if !a.last[i].Defined() || len(steps) != a.last[i].Len() {
		return fmt.Errorf("expected a table of %d rows or more, got %d step counts", SparseFrom, len(steps))
	}
	last := a.last[i].int32s()
	for row, n := range steps {
		if n < 0 || float64(n) > a.steps[i] {
			return fmt.Errorf("row %d is at step %d, expected 0 to %v", row, n, a.steps[i])
		}
		last[row] = int32(n)
	}
	a.lazy[i] = true
	*a.params.tables[i] = table{a, i}
	return nil
}

// int32s is the memory of an int32 tensor.
func (t Tensor) int32s() []int32 { return unsafe.Slice((*int32)(lib.AtDataPtr(t.c)), t.Len()) }

func widen(x []int32) []int64 {
	out := make([]int64, len(x))
	for i, v := range x {
		out[i] = int64(v)
	}
	return out
}
