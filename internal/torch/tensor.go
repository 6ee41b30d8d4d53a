package torch

import (
	"fmt"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Element types, as libtorch numbers them.
const (
	kindUint8 = 0
	kindInt64 = 4
	kindFloat = 6
)

// Tensor is a handle of a tensor of float32 or int64, owned by the scope in
// which it was made. The zero Tensor stands for "none" where an operation's
// operand is optional.
type Tensor struct {
	c  lib.Ctensor
	rt *Runtime
}

// Defined tells a tensor from "none".
func (t Tensor) Defined() bool { return t.c != nil }

// Shape is the size of every dimension.
func (t Tensor) Shape() []int64 {
	dims := make([]int64, lib.AtDim(t.c))
	if len(dims) > 0 {
		lib.AtShape(t.c, unsafe.Pointer(&dims[0]))
	}
	return dims
}

// Len is the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape() {
		n *= int(d)
	}
	return n
}

// Floats makes a float32 tensor of the given shape from v, row-major.
func (rt *Runtime) Floats(v []float32, shape ...int64) Tensor {
	checkLen("Floats", len(v), shape)
	return rt.ofData(unsafe.Pointer(unsafe.SliceData(v)), len(v), 4, kindFloat, shape)
}

// Ints makes an int64 tensor of the given shape from v, row-major; without a shape, a
// vector.
func (rt *Runtime) Ints(v []int64, shape ...int64) Tensor {
	if len(shape) == 0 {
		shape = []int64{int64(len(v))}
	}
	checkLen("Ints", len(v), shape)
	return rt.ofData(unsafe.Pointer(unsafe.SliceData(v)), len(v), 8, kindInt64, shape)
}

func checkLen(op string, n int, shape []int64) {
	want := int64(1)
	for _, d := range shape {
		want *= d
	}
	if int64(n) != want {
		panic(&Error{op, [][]int64{shape}, fmt.Sprintf("%d values for %d elements", n, want)})
	}
}

func (rt *Runtime) ofData(p unsafe.Pointer, n int, size uint, kind int, shape []int64) Tensor {
	if n == 0 {
		return rt.Zeros(shape...)
	}
	if len(shape) == 0 {
		panic(&Error{"tensor", nil, "a tensor made from data needs a shape"})
	}
	t := rt.made(lib.AtTensorOfData(p, shape, uint(len(shape)), size, kind), "tensor")
	return t.to(rt.device)
}

// to copies t to a device; a tensor that is there already is returned as it is.
func (t Tensor) to(device int) Tensor {
	if device < 0 && t.rt.device < 0 {
		return t
	}
	var out lib.Ctensor
	lib.AtgTo(&out, t.c, int32(device))
	return t.rt.made(out, "to", t)
}

// Zeros makes a float32 tensor of zeros.
func (rt *Runtime) Zeros(shape ...int64) Tensor { return rt.Full(0, shape...) }

// Full makes a float32 tensor whose elements are all v.
func (rt *Runtime) Full(v float64, shape ...int64) Tensor {
	s := lib.AtsFloat(v)
	defer lib.AtsFree(s)
	dims := shape
	if len(dims) == 0 {
		dims = make([]int64, 1) // its address is taken, its content is not read
	}
	var out lib.Ctensor
	lib.AtgFull(&out, dims, len(shape), s, kindFloat, int32(rt.device))
	return rt.made(out, "full")
}

// HostFloats copies the elements of a float32 tensor to Go memory, row-major.
func (t Tensor) HostFloats() []float32 {
	out := make([]float32, t.Len())
	if len(out) == 0 {
		return out
	}
	t.rt.Scope(func() { copy(out, t.to(-1).Contiguous().hostView(len(out))) })
	return out
}

func (t Tensor) hostView(n int) []float32 {
	if kind := lib.AtScalarType(t.c); kind != kindFloat {
		panic(&Error{"HostFloats", shapes([]Tensor{t}), fmt.Sprintf("element type %d is not float32", kind)})
	}
	return unsafe.Slice((*float32)(lib.AtDataPtr(t.c)), n)
}

// Item is the value of a tensor of one element.
func (t Tensor) Item() float64 {
	v := t.HostFloats()
	if len(v) != 1 {
		panic(&Error{"Item", shapes([]Tensor{t}), "one element expected"})
	}
	return float64(v[0])
}

// CopyFrom writes v, row-major, into a tensor in place.
func (t Tensor) CopyFrom(v []float32) {
	t.rt.Scope(func() {
		t.rt.NoGrad(func() {
			src := t.rt.Floats(v, t.Shape()...)
			lib.AtCopy_(t.c, src.c)
			t.rt.check("copy_", t, src)
		})
	})
}
