package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"

	"famebench/internal/torch/safetensors"
)

// Adam is the optimiser of Kingma and Ba (2015), in libtorch's fused form, with
// its moments in reach: they can be saved and restored exactly, which gotch's
// optimiser cannot.
type Adam struct {
	params      *Params
	lr, decay   float64
	m, v, steps []Tensor
}

// Constants of Adam, as everywhere in this field.
const (
	beta1   = 0.9
	beta2   = 0.999
	adamEps = 1e-8
)

// NewAdam makes an optimiser for p with learning rate lr and L2 weight decay.
func NewAdam(p *Params, lr, weightDecay float64) *Adam {
	a := &Adam{params: p, lr: lr, decay: weightDecay}
	for _, t := range p.tensors {
		a.m = append(a.m, p.rt.Zeros(t.Shape()...))
		a.v = append(a.v, p.rt.Zeros(t.Shape()...))
		a.steps = append(a.steps, p.rt.Zeros(1))
	}
	return a
}

// grad is the gradient of a parameter, or none.
func (t Tensor) grad() Tensor {
	g := C.fb_grad(unsafe.Pointer(t.c))
	if g == nil {
		return Tensor{}
	}
	return t.rt.native(g, "grad", t)
}

// Step updates every parameter that has a gradient.
func (a *Adam) Step() {
	rt := a.params.rt
	rt.Scope(func() {
		var ps, gs, ms, vs, ss []unsafe.Pointer
		for i, t := range a.params.tensors {
			g := t.grad()
			if !g.Defined() {
				continue
			}
			ps = append(ps, unsafe.Pointer(t.c))
			gs = append(gs, unsafe.Pointer(g.c))
			ms = append(ms, unsafe.Pointer(a.m[i].c))
			vs = append(vs, unsafe.Pointer(a.v[i].c))
			ss = append(ss, unsafe.Pointer(a.steps[i].c))
		}
		if len(ps) == 0 {
			panic(&Error{"adam", nil, "no parameter has a gradient: call Backward first"})
		}
		if C.fb_adam(C.int(len(ps)), &ps[0], &gs[0], &ms[0], &vs[0], &ss[0], C.double(a.lr), beta1, beta2, adamEps, C.double(a.decay)) != 0 {
			panic(&Error{"adam", nil, C.GoString(C.fb_error())})
		}
	})
}

// State copies the moments and step counts out, under the names of the
// parameters with the suffixes .m, .v and .step.
func (a *Adam) State() map[string]safetensors.Tensor {
	out := make(map[string]safetensors.Tensor, 3*len(a.m))
	for i, name := range a.params.names {
		for suffix, t := range map[string]Tensor{".m": a.m[i], ".v": a.v[i], ".step": a.steps[i]} {
			out[name+suffix] = safetensors.FromFloat32s(t.Shape(), t.HostFloats())
		}
	}
	return out
}

// Load restores what State gave.
func (a *Adam) Load(ts map[string]safetensors.Tensor) error {
	for i, name := range a.params.names {
		for suffix, t := range map[string]Tensor{".m": a.m[i], ".v": a.v[i], ".step": a.steps[i]} {
			saved, ok := ts[name+suffix]
			if !ok || !slices.Equal(saved.Shape, t.Shape()) {
				return fmt.Errorf("torch: optimiser state %q is missing or has another shape", name+suffix)
			}
			v, err := saved.Float32s()
			if err != nil {
				return fmt.Errorf("torch: optimiser state %q: %w", name+suffix, err)
			}
			t.CopyFrom(v)
		}
	}
	return nil
}

// RNGState copies the state of the device's generator out. Initial weights come
// from the CPU's, dropout on a GPU from the GPU's; dropout on a CPU has SetStream.
func (rt *Runtime) RNGState() []byte {
	var out []byte
	rt.Scope(func() {
		t := rt.native(C.fb_rng_state(C.int(rt.device)), "rng_state")
		out = make([]byte, t.Len())
		copy(out, unsafe.Slice((*byte)(lib.AtDataPtr(t.c)), len(out)))
	})
	return out
}

// SetRNGState restores what RNGState gave.
func (rt *Runtime) SetRNGState(state []byte) error {
	if len(state) == 0 {
		return fmt.Errorf("torch: empty generator state")
	}
	var err error
	rt.Scope(func() {
		t := rt.made(lib.AtTensorOfData(unsafe.Pointer(&state[0]), []int64{int64(len(state))}, 1, 1, kindUint8), "tensor")
		if C.fb_set_rng_state(C.int(rt.device), unsafe.Pointer(t.c)) != 0 {
			err = fmt.Errorf("torch: generator state: %s", C.GoString(C.fb_error()))
		}
	})
	return err
}
