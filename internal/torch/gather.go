package torch

import "sync"

// Gather joins what every member of the team has: matrices of the same width, one
// below the other in the order of the members. The caller's own rows keep their
// gradient, the others' are constants. It returns the joined matrix and the rows
// of each block; the caller's is number own.
//
// A loss that compares each row of a batch with all others needs it: the team
// splits the batch, and what is computed must not depend on the team's size. When
// every member takes the gradient of the same function of all rows with respect to
// its own, the sum of the members' gradients is that of the whole.
//
// Every member that is at work must call it: Gather waits until each has called it
// or is done with the function given to Each. Without a team it is t itself.
func (rt *Runtime) Gather(t Tensor) (all Tensor, rows []int64, own int) {
	shape := t.Shape()
	if rt.meeting == nil || rt.meeting.size == 1 {
		return t, shape[:1], 0
	}
	// By way of Go memory, so that nobody reads a tensor that its owner has freed.
	parts := rt.meeting.exchange(rt.number, t.HostFloats())
	var blocks []Tensor
	for k, values := range parts {
		block := t
		switch {
		case values == nil: // took no part
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

// meeting is where the members of a team wait for each other in the middle of
// their work.
type meeting struct {
	size int

	mu      sync.Mutex
	changed *sync.Cond
	here    int         // members waiting
	gone    int         // members done with their work
	parts   [][]float32 // brought so far, by member
	last    [][]float32 // of the last complete exchange
	round   int         // complete exchanges
}

func newMeeting(size int) *meeting {
	m := &meeting{size: size, parts: make([][]float32, size)}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// open expects all members again.
func (m *meeting) open() {
	m.mu.Lock()
	m.gone = 0
	m.mu.Unlock()
}

// leave says that a member is done, well or not: nobody waits for it any more.
func (m *meeting) leave() {
	m.mu.Lock()
	m.gone++
	m.conclude()
	m.mu.Unlock()
}

// exchange gives every member what all have brought; nil stands for a member that
// left before.
func (m *meeting) exchange(member int, part []float32) [][]float32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[member] = part
	m.here++
	round := m.round
	m.conclude()
	for m.round == round {
		m.changed.Wait()
	}
	return m.last
}

// conclude ends an exchange for which nobody is missing.
func (m *meeting) conclude() {
	if m.here == 0 || m.here+m.gone < m.size {
		return
	}
	m.last, m.parts, m.here = m.parts, make([][]float32, m.size), 0
	m.round++
	m.changed.Broadcast()
}
