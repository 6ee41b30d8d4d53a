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

// Adam is the optimiser of Kingma and Ba (2015) in libtorch's fused form. Unlike
// gotch's optimiser it can save and restore its moments exactly.
type Adam struct {
	params    *Params
	lr, decay float64
	m, v      []Tensor
	steps     []float64 // updates of each parameter so far
	last      []Tensor  // of large tables: by row, the step up to which it is updated
	lazy      []bool    // whether a parameter is a table of which only the rows looked up are updated
	frozen    map[int]bool
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
		a.last = append(a.last, p.rt.noSteps(t))
	}
	for _, t := range p.tables {
		t.adam = nil // of another optimiser
	}
	a.steps, a.lazy = make([]float64, len(p.tensors)), make([]bool, len(p.tensors))
	return a
}

// Freeze keeps the parameters of these names as they are, whatever their gradients.
func (a *Adam) Freeze(names ...string) {
	for _, name := range names {
		a.params.Get(name) // panics if there is none
		if a.frozen == nil {
			a.frozen = map[int]bool{}
		}
		a.frozen[a.params.index[name]] = true
	}
}

// grad is the gradient of a parameter, or none.
func (t Tensor) grad() Tensor {
	g := C.fb_grad(unsafe.Pointer(t.c))
	if g == nil {
		return Tensor{}
	}
	return t.rt.native(g, "grad", t)
}

// Update is a prepared step of Adam, which is made part by part.
type Update struct {
	adam    *Adam
	members int
	grads   []unsafe.Pointer // handles of every member's parameters, the leader's first
	shares  []float64
	has     []C.int // whether a parameter has a gradient; 0 for lazy ones
	lazy    []int   // numbers of the lazy ones that have a gradient
	m, v    []unsafe.Pointer
}

// Prepare prepares a step of every parameter that has a gradient, with the mean gradient
// of a team's members, the leader first. shares[k] is member k's share in the mean of the
// members up to k, such as its samples over all samples so far. A share of 0 leaves a
// member out.
func (a *Adam) Prepare(members []*Params, shares []float64) *Update {
	u := &Update{adam: a, members: len(members), shares: shares, has: make([]C.int, len(a.params.tensors))}
	for _, p := range members {
		if len(p.tensors) != len(a.params.tensors) {
			panic(fmt.Sprintf("torch: a member has %d parameters, the leader %d", len(p.tensors), len(a.params.tensors)))
		}
		u.grads = append(u.grads, handles(p.tensors)...)
	}
	u.m, u.v = handles(a.m), handles(a.v)
	u.prepareRows()
	if C.fb_prepare(C.int(len(u.has)), C.int(u.members), &u.grads[0], &u.has[0]) != 0 {
		panic(&Error{"adam", nil, C.GoString(C.fb_error())})
	}
	updated := 0
	for i := range a.frozen {
		u.has[i] = 0
	}
	for i, has := range u.has {
		if has != 0 && a.lazy[i] {
			panic(&Error{"adam", shapes([]Tensor{a.params.tensors[i]}), "this step reads a table as a whole of which earlier steps looked up rows only, so some rows were out of date"})
		}
		if has != 0 {
			a.steps[i]++
			updated++
		}
	}
	if updated+len(u.lazy) == 0 {
		panic(&Error{"adam", nil, "no parameter has a gradient: call Backward first"})
	}
	return u
}

// Part makes the step for one of so many parts of every parameter. The parts may
// be made on several threads at a time.
func (u *Update) Part(part, parts int) {
	a := u.adam
	if C.fb_update(C.int(part), C.int(parts), C.int(len(u.has)), C.int(u.members), &u.grads[0], (*C.double)(&u.shares[0]), &u.has[0],
		&u.m[0], &u.v[0], (*C.double)(&a.steps[0]), C.double(a.lr), beta1, beta2, adamEps, C.double(a.decay)) != 0 {
		panic(&Error{"adam", nil, C.GoString(C.fb_error())})
	}
	u.updateRows(part, parts)
}

// State is the moments and step counts, under the names of the
// parameters with the suffixes .m, .v and .step, and .rows for the step counts of the rows
// of a lazy table. It must not be changed, and shows what steps change later.
func (a *Adam) State() map[string]safetensors.Tensor {
	out := make(map[string]safetensors.Tensor, 3*len(a.m))
	for i, name := range a.params.names {
		out[name+".m"], out[name+".v"] = a.m[i].view(), a.v[i].view()
		out[name+".step"] = safetensors.FromInt64s([]int64{1}, []int64{int64(a.steps[i])})
		if a.lazy[i] {
			rows := a.last[i].int32s()
			out[name+".rows"] = safetensors.FromInt64s([]int64{int64(len(rows))}, widen(rows))
		}
	}
	return out
}

// Load restores what State returned.
func (a *Adam) Load(ts map[string]safetensors.Tensor) error {
	for i, name := range a.params.names {
		for suffix, t := range map[string]Tensor{".m": a.m[i], ".v": a.v[i]} {
			saved := ts[name+suffix]
			if !slices.Equal(saved.Shape, t.Shape()) {
				return fmt.Errorf("torch: optimiser state %q is missing or has another shape", name+suffix)
			}
			err := saved.Check("F32")
			if err == nil {
				err = t.load(saved)
			}
			if err != nil {
				return fmt.Errorf("torch: optimiser state %q: %w", name+suffix, err)
			}
		}
		steps, err := ts[name+".step"].Int64s()
		if err != nil || len(steps) != 1 {
			return fmt.Errorf("torch: optimiser state %q is no single number (%v)", name+".step", err)
		}
		a.steps[i] = float64(steps[0])
		if rows, ok := ts[name+".rows"]; ok {
			if err := a.loadRows(i, rows); err != nil {
				return fmt.Errorf("torch: optimiser state %q: %w", name+".rows", err)
			}
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

// SetRNGState restores what RNGState returned.
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
