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

// Params holds the trainable parameters of a model by name, in the order in
// which they were made. In a Team, the members share the memory of the leader's
// parameters, and each has its own gradients.
type Params struct {
	rt      *Runtime
	names   []string
	tensors []Tensor
	index   map[string]int
	tables  []*table // of the parameters, shared by the members of a team
	leader  *Params  // whose memory these are, on other members of a team
}

// NewParams is an empty set.
func (rt *Runtime) NewParams() *Params {
	p := &Params{rt: rt, index: map[string]int{}}
	if rt.leader != nil {
		p.leader = rt.leader.params[len(rt.params)]
	}
	rt.params = append(rt.params, p)
	return p
}

// ParamSets is how many sets were made.
func (rt *Runtime) ParamSets() int { return len(rt.params) }

// Runtime is where the parameters are.
func (p *Params) Runtime() *Runtime { return p.rt }

// Normal adds a parameter initialised from N(0, std²). The CPU's generator is used on
// every device, so that all of them start from the same values.
func (p *Params) Normal(name string, std float64, shape ...int64) Tensor {
	return p.draw(name, "normal_", shape, func(out *lib.Ctensor, t lib.Ctensor) { lib.AtgNormal_(out, t, 0, std) })
}

// Uniform adds a parameter initialised uniformly from [−bound, bound), as Normal does.
func (p *Params) Uniform(name string, bound float64, shape ...int64) Tensor {
	return p.draw(name, "uniform_", shape, func(out *lib.Ctensor, t lib.Ctensor) { lib.AtgUniform_(out, t, -bound, bound) })
}

func (p *Params) draw(name, op string, shape []int64, fill func(out *lib.Ctensor, t lib.Ctensor)) Tensor {
	return p.add(name, func() Tensor {
		var zeros, drawn lib.Ctensor
		lib.AtgZeros(&zeros, shape, len(shape), kindFloat, -1)
		t := p.rt.made(zeros, "zeros")
		fill(&drawn, t.c)
		return p.rt.made(drawn, op, t).to(p.rt.device)
	})
}

// Fill adds a parameter whose elements are all v.
func (p *Params) Fill(name string, v float64, shape ...int64) Tensor {
	return p.add(name, func() Tensor { return p.rt.Full(v, shape...) })
}

func (p *Params) add(name string, initial func() Tensor) Tensor {
	if _, ok := p.index[name]; ok {
		panic(fmt.Sprintf("torch: two parameters named %q", name))
	}
	var from Tensor
	state := &table{}
	if p.leader != nil {
		from, state = p.leader.Get(name), p.leader.tables[p.leader.index[name]]
	} else {
		from = initial()
	}
	t := p.rt.native(C.fb_parameter(unsafe.Pointer(from.c)), "parameter", from)
	p.index[name] = len(p.names)
	p.names = append(p.names, name)
	p.tensors = append(p.tensors, t)
	p.tables = append(p.tables, state)
	if p.rt.tables == nil {
		p.rt.tables = map[lib.Ctensor]*table{}
	}
	p.rt.tables[t.c] = state
	return t
}

// Names lists the parameters in the order made.
func (p *Params) Names() []string { return p.names }

// Get is the parameter of that name.
func (p *Params) Get(name string) Tensor {
	i, ok := p.index[name]
	if !ok {
		panic(fmt.Sprintf("torch: no parameter %q", name))
	}
	return p.tensors[i]
}

// Count is the number of scalars in all parameters.
func (p *Params) Count() int64 {
	var n int64
	for _, t := range p.tensors {
		n += int64(t.Len())
	}
	return n
}

// Grad copies the gradient of a parameter to Go memory; nil if it has none.
func (p *Params) Grad(name string) []float32 {
	var out []float32
	p.rt.Scope(func() {
		if g := p.Get(name).grad(); g.Defined() {
			out = g.HostFloats()
		}
	})
	return out
}

// ZeroGrad drops the gradients of all parameters.
func (p *Params) ZeroGrad() {
	hs := handles(p.tensors)
	if C.fb_zero_grad(C.int(len(hs)), unsafe.SliceData(hs)) != 0 {
		panic(&Error{"zero_grad", nil, C.GoString(C.fb_error())})
	}
}

func handles(ts []Tensor) []unsafe.Pointer {
	out := make([]unsafe.Pointer, len(ts))
	for i, t := range ts {
		out[i] = unsafe.Pointer(t.c)
	}
	return out
}

// Tensors copies all parameters out, for a safetensors file.
func (p *Params) Tensors() map[string]safetensors.Tensor {
	out := p.View()
	for name, t := range out {
		t.Data = slices.Clone(t.Data)
		out[name] = t
	}
	return out
}

// View is Tensors without a copy where the parameters are in this machine's memory. It
// must not be changed, and shows what steps change later.
func (p *Params) View() map[string]safetensors.Tensor {
	out := make(map[string]safetensors.Tensor, len(p.names))
	for i, name := range p.names {
		out[name] = p.tensors[i].view()
	}
	return out
}

// view is a float32 tensor for a safetensors file. Its data are the tensor's own memory on
// a CPU (all that libtorch runs on are little-endian), else a copy.
func (t Tensor) view() safetensors.Tensor {
	if t.rt.device >= 0 || t.Len() == 0 {
		return safetensors.FromFloat32s(t.Shape(), t.HostFloats())
	}
	floats := t.hostView(t.Len())
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(floats))), 4*len(floats))
	return safetensors.Tensor{DType: "F32", Shape: t.Shape(), Data: data}
}

// Load sets all parameters from tensors of the same names and shapes. If one of them
// does not fit, nothing is changed.
func (p *Params) Load(ts map[string]safetensors.Tensor) error {
	for i, name := range p.names {
		t, ok := ts[name]
		if !ok {
			return fmt.Errorf("torch: no tensor for parameter %q", name)
		}
		if want := p.tensors[i].Shape(); !slices.Equal(t.Shape, want) {
			return fmt.Errorf("torch: parameter %q: expected shape %v, got %v", name, want, t.Shape)
		}
		if err := t.Check("F32"); err != nil {
			return fmt.Errorf("torch: parameter %q: %w", name, err)
		}
	}
	for name := range ts {
		if _, ok := p.index[name]; !ok {
			return fmt.Errorf("torch: tensor %q is no parameter of this model", name)
		}
	}
	for i, name := range p.names {
		p.tables[i].adam = nil // what its rows have missed belongs to the old values
		if err := p.tensors[i].load(ts[name]); err != nil {
			return fmt.Errorf("torch: parameter %q: %w", name, err)
		}
	}
	return nil
}

// load copies a checked tensor of the same shape, without a copy in between on a CPU.
func (t Tensor) load(from safetensors.Tensor) error {
	if t.rt.device < 0 {
		copy(t.view().Data, from.Data)
		return nil
	}
	values, err := from.Float32s()
	if err == nil {
		t.CopyFrom(values)
	}
	return err
}
