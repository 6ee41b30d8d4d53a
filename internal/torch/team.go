package torch

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Team is a group of Runtimes, each on a thread of its own, over one set of
// parameters. A training step of a small model is hundreds of operations of some
// microseconds: splitting each over the cores means hundreds of barriers a step,
// at each of which all wait for the slowest, and another busy process on one core
// slows everything down tenfold (measured). A team splits the batch instead: each
// member computes its part with single-threaded operations, and the gradients are
// added up once.
//
// On a GPU a team has one member.
type Team struct {
	members []*Runtime // the leader first
	barrier *barrier
	work    []chan func(*Runtime) error
	done    []chan outcome
}

// outcome is how a member's work ended: without an error, with one, or in a panic.
type outcome struct {
	err      error
	panicked string
}

// RunTeam is Run for a team: of Config.Threads members on a CPU.
func RunTeam(c Config, f func(*Team) error) error {
	size := threadCount(c.Threads)
	c.Threads = 1
	return Run(c, func(leader *Runtime) error {
		if leader.device >= 0 {
			size = 1
		}
		// Go takes its scheduling slot (a P) away from a thread that stays in C for long,
		// and has to find it another one afterwards. With twice as many slots there is
		// always a free one: 13 % faster on two cores.
		if procs := runtime.GOMAXPROCS(0); procs < 2*size {
			runtime.GOMAXPROCS(2 * size)
			defer runtime.GOMAXPROCS(procs)
		}
		t := &Team{members: []*Runtime{leader}, barrier: newBarrier(size)}
		leader.barrier = t.barrier
		defer t.dismiss()
		for range size - 1 {
			work, done, ready := make(chan func(*Runtime) error, 1), make(chan outcome, 1), make(chan *Runtime)
			go member(leader, len(t.members), ready, work, done)
			t.members = append(t.members, <-ready)
			t.work, t.done = append(t.work, work), append(t.done, done)
		}
		return f(t)
	})
}

// member is the thread of a member that is not the leader.
func member(leader *Runtime, number int, ready chan *Runtime, work chan func(*Runtime) error, done chan outcome) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rt := newRuntime(leader.device, 1)
	rt.leader, rt.barrier, rt.number = leader, leader.barrier, number
	ready <- rt
	for f := receive(work); f != nil; f = receive(work) {
		done <- rt.attempt(f)
	}
	rt.close()
	done <- outcome{}
}

// receive is <-ch, but polls for about 100 µs before it blocks: waking a goroutine that
// is locked to a thread takes about as long, and a step has four such waits. A closed
// channel gives the zero value.
func receive[T any](ch <-chan T) T {
	for range 10_000 {
		select {
		case v := <-ch:
			return v
		default:
		}
	}
	return <-ch
}

// attempt calls f and reports how it ended.
func (rt *Runtime) attempt(f func(*Runtime) error) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			o.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	return outcome{err: rt.guard(f)}
}

func (t *Team) dismiss() {
	for k := range t.work {
		close(t.work[k])
		<-t.done[k]
	}
}

// Size is the number of members.
func (t *Team) Size() int { return len(t.members) }

// Leader is the member on the caller's thread.
func (t *Team) Leader() *Runtime { return t.members[0] }

// Each calls f on every member at the same time, with its number, the leader's
// being 0, and waits for all. It returns the error of the lowest-numbered member
// that has one.
func (t *Team) Each(f func(k int, rt *Runtime) error) error {
	t.barrier.open()
	do := func(rt *Runtime) error {
		defer t.barrier.leave()
		return f(rt.number, rt)
	}
	for _, work := range t.work {
		work <- do
	}
	ends := []outcome{t.Leader().attempt(do)}
	for _, done := range t.done {
		ends = append(ends, receive(done))
	}
	for _, end := range ends {
		if end.panicked != "" {
			panic(end.panicked)
		}
	}
	for _, end := range ends {
		if end.err != nil {
			return end.err
		}
	}
	return nil
}

// InTurn is Each, one member after the other, the leader first: for building
// models, whose parameters the leader must have made before the others.
func (t *Team) InTurn(f func(k int, rt *Runtime) error) error {
	for turn := range t.members {
		err := t.Each(func(k int, rt *Runtime) error {
			if k != turn {
				return nil
			}
			return f(k, rt)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
