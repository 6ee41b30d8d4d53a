package torch

// #include "native.h"
import "C"

import (
	"slices"
	"time"
)

// Work is the arithmetic of some operations and the time that they took.
type Work struct {
	FLOP    float64 // floating-point operations, of the matrix products only
	Seconds float64
}

// addLoss counts a loss over n targets, V classes and vectors of size d: with a gradient,
// three products of n·V·d multiplications and additions, and one without.
func (rt *Runtime) addLoss(n, V, d int64, start time.Time) {
	products := 1.
	if rt.training {
		products = 3
	}
	rt.loss.FLOP += products * 2 * float64(n) * float64(V) * float64(d)
	rt.loss.Seconds += time.Since(start).Seconds()
}

// LossWork is what CrossEntropy has done so far: the sum of the members' operations, and
// the mean of their seconds, since they work at the same time.
func (t *Team) LossWork() Work {
	var sum Work
	for _, m := range t.members {
		sum.FLOP += m.loss.FLOP
		sum.Seconds += m.loss.Seconds / float64(t.Size())
	}
	return sum
}

// rateSeconds is how long each kind of product is measured.
const rateSeconds = .15

// ProductRate is how fast this machine multiplies matrices [m, k] and [k, n] on all threads
// of the team at the same time, in GFLOP/s: the median over a fraction of a second, of the
// fastest kind of product here. Those are libtorch's (MKL's or cuBLAS's), oneDNN's and, in
// float32, that of ScoresInto. Each thread multiplies matrices of its own.
func (t *Team) ProductRate(m, n, k int64, bfloat16 bool) (float64, error) {
	type kind struct {
		onednn bool
		rate   func(rt *Runtime) float64
	}
	libtorch := func(rt *Runtime) float64 {
		rate := float64(C.fb_product_rate(C.int(rt.device), C.int64_t(m), C.int64_t(n), C.int64_t(k), flag(bfloat16), rateSeconds))
		if rate < 0 {
			panic(&Error{"product_rate", nil, C.GoString(C.fb_error())})
		}
		return rate
	}
	kinds := []kind{{false, libtorch}}
	if t.Leader().device < 0 && !bfloat16 {
		kinds = append(kinds, kind{false, func(rt *Runtime) float64 { return rt.scoresRate(m, n, k) }}, kind{true, libtorch})
	}
	var best float64
	for _, kind := range kinds {
		if kind.onednn && C.fb_use_onednn(1) == 0 {
			continue
		}
		rates := make([]float64, t.Size())
		err := t.Each(func(k int, rt *Runtime) error {
			rt.Scope(func() { rates[k] = kind.rate(rt) })
			return nil
		})
		C.fb_use_onednn(0)
		if err != nil {
			return 0, err
		}
		sum := 0.
		for _, r := range rates {
			sum += r
		}
		best = max(best, sum)
	}
	return best, nil
}

// scoresRate is the rate of ScoresInto on this thread.
func (rt *Runtime) scoresRate(m, n, k int64) float64 {
	a, b, out := rt.Full(.5, m, k), rt.Full(.5, n, k), make([]float32, m*n)
	var rates []float64
	for begin := time.Now(); time.Since(begin).Seconds() < rateSeconds || len(rates) < 3; {
		start := time.Now()
		for range 4 {
			a.ScoresInto(out, b, Tensor{})
		}
		rates = append(rates, 4*2e-9*float64(m*n*k)/time.Since(start).Seconds())
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}
