// Package torch is the tensor layer: the only package that touches gotch and
// C++. It wraps the handles of gotch's generated bindings (gotch/libtch) in a
// small value type, Tensor, which lives as long as its scope: everything made
// inside Runtime.Scope is freed when the scope ends, immediately and on the same
// thread, so a training step leaves nothing behind and nothing waits for a
// finaliser. (gotch's own ts.Tensor allocates 100 kB of Go memory per tensor and
// frees it on another thread, which was measured to be ten to a hundred times slower.)
//
// A Runtime owns one OS thread, because libtorch keeps its grad mode, its error
// slot and its thread pool per thread. All work with tensors happens inside the
// function given to Run. Operations panic with *Error, which carries the
// operation and the shapes of its operands; Run turns that into an error.
//
// What the bindings lack (exact optimiser and generator state, thread and
// malloc settings, a cross-entropy that never stores all logits) is in
// native.cpp behind the C interface native.h; the vectorised loops are in
// kernels.c.
package torch

// #cgo CXXFLAGS: -O3 -std=c++17
// #cgo CFLAGS: -O3 -fopenmp-simd
// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "native.h"
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Config says where and how a Runtime computes.
type Config struct {
	Device  string // "cpu" (or ""), "cuda", "cuda:N"
	Threads int    // CPU threads: of an operation (Run), or members (RunTeam); 0 is all cores
	Seed    uint64 // seed of the generators of all devices
}

// Runtime is a thread with tensors on it. It must not be used after the function that
// it was given to has returned, nor from another goroutine.
type Runtime struct {
	device   int                    // as gotch counts: -1 CPU, n ≥ 0 CUDA device n
	training bool                   // dropout is on
	bfloat16 bool                   // products have bfloat16 operands
	live     []lib.Ctensor          // every tensor, in the order made
	marks    []int                  // where in live each open scope starts
	stream   uint64                 // names the random numbers that dropout draws on a CPU
	drawn    uint64                 // dropout calls since the stream was set
	items    []int64                // names of the rows of the pass under way; nil if not set
	at       []int64                // names of the rows of its positions
	params   []*Params              // made so far
	tables   map[lib.Ctensor]*table // by handle: the parameters
	loss     Work                   // of all CrossEntropy so far
	leader   *Runtime               // of the team, on other members
	number   int                    // in the team, the leader's is 0
	barrier  *barrier               // of the team; nil without one
}

// Error is a failed tensor operation.
type Error struct {
	Op     string    // name of the operation
	Shapes [][]int64 // shapes of its tensor operands
	Reason string    // libtorch's message
}

func (e *Error) Error() string {
	shapes := make([]string, len(e.Shapes))
	for i, s := range e.Shapes {
		shapes[i] = strings.ReplaceAll(fmt.Sprint(s), " ", "×")
	}
	return fmt.Sprintf("torch: %s(%s): %s", e.Op, strings.Join(shapes, ", "), e.Reason)
}

// Run calls f with a Runtime on a locked OS thread and frees every tensor that
// f made. A failed operation ends f and is returned as *Error; so is an error
// of f's own.
func Run(c Config, f func(*Runtime) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	device, err := openDevice(c.Device)
	if err != nil {
		return err
	}
	if err := setUpProcess(); err != nil {
		return err
	}
	if C.fb_seed(C.uint64_t(c.Seed)) != 0 {
		return fmt.Errorf("torch: seeding the generators: %s", C.GoString(C.fb_error()))
	}
	rt := newRuntime(device, threadCount(c.Threads))
	defer rt.close()
	rt.SetStream(c.Seed)
	return rt.guard(f)
}

// newRuntime makes a Runtime of the calling thread, whose operations use so many
// threads.
func newRuntime(device, threads int) *Runtime {
	C.fb_set_threads(C.int(threads))
	return &Runtime{device: device}
}

func (rt *Runtime) close() {
	rt.marks = nil
	rt.free(0)
	lib.AtGradSetEnabled(1)
}

// guard calls f and turns the panic of a failed operation into its error. Any
// other panic is a bug of ours and goes on, with its stack.
func (rt *Runtime) guard(f func(*Runtime) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			failed, ok := p.(*Error)
			if !ok {
				panic(p)
			}
			err = failed
		}
	}()
	return f(rt)
}

func threadCount(n int) int {
	if n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// Scope calls f and frees every tensor made inside it, except those that f
// gave to Keep.
func (rt *Runtime) Scope(f func()) {
	rt.marks = append(rt.marks, len(rt.live))
	defer func() {
		top := len(rt.marks) - 1
		mark := rt.marks[top] // Keep may have moved it
		rt.marks = rt.marks[:top]
		rt.free(mark)
	}()
	f()
}

// Keep moves t from the innermost scope to the one around it.
func (rt *Runtime) Keep(t Tensor) Tensor {
	depth := len(rt.marks) - 1
	if depth < 0 {
		return t // made outside all scopes: lives as long as the Runtime
	}
	mark := rt.marks[depth]
	for i := len(rt.live) - 1; i >= mark; i-- {
		if rt.live[i] == t.c {
			rt.live[i], rt.live[mark] = rt.live[mark], rt.live[i]
			rt.marks[depth]++
			return t
		}
	}
	return t // already belongs to an outer scope
}

// free frees live[from:].
func (rt *Runtime) free(from int) {
	for i := len(rt.live) - 1; i >= from; i-- {
		lib.AtFree(rt.live[i])
	}
	rt.live = rt.live[:from]
}

// Live is the number of tensors that the Runtime holds.
func (rt *Runtime) Live() int { return len(rt.live) }

// SetStream names the random numbers that dropout draws from here on, on a CPU. The mask
// of an element is a hash of the stream, the number of the dropout call since
// SetStream, the name of the element's row and its place in the row. A trainer gives
// the seed and the step, so no state needs to be saved, and names the rows with
// NameRows. Until then rows are named by their numbers.
func (rt *Runtime) SetStream(parts ...uint64) {
	rt.stream, rt.drawn = Hash(parts...), 0
	rt.items, rt.at = nil, nil
}

// NameRows names the rows of the operations that follow, so that a row gets the same
// dropout mask in a team of any size. A tensor with len(items) rows has those rows; one
// with len(at) rows has the rows items[at[i]]. at must be strictly ascending: then
// a tensor with as many rows as both has the same rows by either rule. Dropout fails for
// any other number of rows, and in a team of several members whose rows have no names.
func (rt *Runtime) NameRows(items, at []int64) {
	names := make([]int64, len(at))
	for i, row := range at {
		if row < 0 || row >= int64(len(items)) || i > 0 && row <= at[i-1] {
			panic(&Error{"name_rows", nil, fmt.Sprintf("position %d is row %d of %d: expected ascending rows", i, row, len(items))})
		}
		names[i] = items[row]
	}
	rt.items, rt.at = items, names
}

// rowNames are the names of t's rows, for dropout; nil stands for their numbers.
func (rt *Runtime) rowNames(op string, t Tensor) []int64 {
	rows := -1
	if shape := t.Shape(); len(shape) > 0 {
		rows = int(shape[0])
	}
	switch {
	case rt.items == nil && (rt.barrier == nil || rt.barrier.size == 1):
		return nil
	case rt.items == nil:
		panic(&Error{op, shapes([]Tensor{t}), "rows without names in a team of several members: call NameRows first"})
	case rows == len(rt.items):
		return rt.items
	case rows == len(rt.at):
		return rt.at
	}
	panic(&Error{op, shapes([]Tensor{t}), fmt.Sprintf(
		"expected the rows of the batch's %d items or %d positions for dropout: call NameRows for other rows, or DropoutTable for a tensor that every member has whole",
		len(rt.items), len(rt.at))})
}

// draw is the next random number of the stream.
func (rt *Runtime) draw() uint64 {
	rt.drawn++
	return mix(rt.stream + rt.drawn*0x9e3779b97f4a7c15)
}

// Hash makes one number of several, for naming a stream of random numbers.
func Hash(parts ...uint64) uint64 {
	var h uint64
	for _, part := range parts {
		h = mix(h ^ part)
	}
	return h
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection
// whose output bits each depend on all input bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// NoGrad calls f without recording gradients.
func (rt *Runtime) NoGrad(f func()) {
	before := lib.AtGradSetEnabled(0)
	defer lib.AtGradSetEnabled(before)
	f()
}

// Training reports whether dropout is on.
func (rt *Runtime) Training() bool { return rt.training }

// SetTraining turns dropout on or off.
func (rt *Runtime) SetTraining(on bool) { rt.training = on }

// made takes ownership of an operation's result, or panics with the reason for
// which there is none.
func (rt *Runtime) made(c lib.Ctensor, op string, operands ...Tensor) Tensor {
	if c == nil {
		rt.fail(op, operands...)
	}
	rt.live = append(rt.live, c)
	return Tensor{c, rt}
}

// native is made for results of native.cpp.
func (rt *Runtime) native(p unsafe.Pointer, op string, operands ...Tensor) Tensor {
	if p == nil {
		panic(&Error{op, shapes(operands), C.GoString(C.fb_error())})
	}
	rt.live = append(rt.live, lib.Ctensor(p))
	return Tensor{lib.Ctensor(p), rt}
}

// fail panics with gotch's last error, if there is one.
func (rt *Runtime) fail(op string, operands ...Tensor) {
	reason := takeError()
	if reason == "" {
		reason = "no result and no reason given"
	}
	panic(&Error{op, shapes(operands), reason})
}

// check panics if gotch recorded an error.
func (rt *Runtime) check(op string, operands ...Tensor) {
	if reason := takeError(); reason != "" {
		panic(&Error{op, shapes(operands), reason})
	}
}

// takeError empties gotch's error slot of this thread and returns the first
// line of what it held; the rest is libtorch's C++ stack.
func takeError() string {
	p := unsafe.Pointer(lib.GetAndResetLastErr())
	if p == nil {
		return ""
	}
	defer C.free(p)
	line, _, _ := strings.Cut(C.GoString((*C.char)(p)), "\n")
	return line
}

func shapes(ts []Tensor) [][]int64 {
	out := make([][]int64, 0, len(ts))
	for _, t := range ts {
		if t.c != nil {
			out = append(out, t.Shape())
		}
	}
	return out
}
