package torch

import "sync"

// Gather is an all-gather: it stacks the matrices that the members of the team pass, all
// of the same width, by rows in the order of the members. The caller's own rows keep
// their gradient; the others' are constants. It returns the stacked matrix, the number
// of rows of each block, and the number of the caller's block.
//
// A loss that compares each row of a batch with all others needs it, because the team
// splits the batch and the result must not depend on the team's size. If every member
// takes the gradient of the same function of all rows with respect to its own rows, the
// sum of the members' gradients is the gradient of the whole.
//
// Every member at work must call it. Gather waits until each one has called it or has
// returned from the function given to Each. Without a team it returns t itself.
func (rt *Runtime) Gather(t Tensor) (all Tensor, rows []int64, own int) {
	shape := t.Shape()
	if rt.barrier == nil || rt.barrier.size == 1 {
		return t, shape[:1], 0
	}
	// Through Go memory, so that no member reads a tensor that its owner has freed.
	parts := rt.barrier.allGather(rt.number, t.HostFloats())
	var blocks []Tensor
	for k, values := range parts {
		block := t
		switch {
		case values == nil: // did not take part
			continue
		case k == rt.number:
			own = len(blocks)
		default:
			block = rt.Floats(values, int64(len(values))/shape[1], shape[1])
		}
		blocks = append(blocks, block)
		rows = append(rows, block.Shape()[0])
	}
	return rt.Concat(0, blocks...), rows, own
}

// barrier is where the members of a team wait for each other during their work.
type barrier struct {
	size int

	mu      sync.Mutex
	changed *sync.Cond
	here    int         // members waiting
	gone    int         // members done with their work
	parts   [][]float32 // passed so far, by member
	last    [][]float32 // of the last complete all-gather
	round   int         // complete all-gathers
}

func newBarrier(size int) *barrier {
	b := &barrier{size: size, parts: make([][]float32, size)}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// open starts a new piece of work of all members.
func (b *barrier) open() {
	b.mu.Lock()
	b.gone = 0
	b.mu.Unlock()
}

// leave marks a member as done, with or without an error, so that nobody waits for it.
func (b *barrier) leave() {
	b.mu.Lock()
	b.gone++
	b.release()
	b.mu.Unlock()
}

// allGather returns to every member what all of them have passed; nil stands for a
// member that is done with its work.
func (b *barrier) allGather(member int, part []float32) [][]float32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[member] = part
	b.here++
	round := b.round
	b.release()
	for b.round == round {
		b.changed.Wait()
	}
	return b.last
}

// release ends the all-gather once no member is missing.
func (b *barrier) release() {
	if b.here == 0 || b.here+b.gone < b.size {
		return
	}
	b.last, b.parts, b.here = b.parts, make([][]float32, b.size), 0
	b.round++
	b.changed.Broadcast()
}
