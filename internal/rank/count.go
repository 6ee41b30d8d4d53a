package rank

// #cgo CFLAGS: -O3 -fopenmp-simd
// #include "count.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// countNotBelow counts for each row of scores the items whose score is not below that of
// the row's target: higher, equal or NaN, the target included. rows holds len(targets) rows
// of equal length; column 0 (padding) is not counted.
func countNotBelow(rows []float32, targets, counts []int32) {
	n := len(targets)
	if n == 0 || len(rows)%n != 0 || len(counts) != n {
		panic(fmt.Sprintf("rank: %d scores, %d targets, %d counts: expected rows of equal length", len(rows), n, len(counts)))
	}
	C.fb_count_not_below((*C.float)(unsafe.SliceData(rows)), C.int64_t(n), C.int64_t(len(rows)/n),
		(*C.int32_t)(unsafe.SliceData(targets)), (*C.int32_t)(unsafe.SliceData(counts)))
}

// candidates finds the highest scores of rows of one length without sorting them. It holds
// the memory for that, so each goroutine needs its own.
type candidates struct {
	work  []float32
	items []int32
}

// above returns the items of a row, ascending, whose score is not below a bound that at
// least m items reach, or all items if the bound is not worth it. A NaN is above every
// bound. Column 0 (padding) is left out. The result is valid until the next call.
func (c *candidates) above(row []float32, m int) []int32 {
	groups := int(C.fb_groups(C.int64_t(len(row))))
	m = min(m, groups+1) // as many as there are groups or more: all
	if need := groups + m; cap(c.work) < need {
		c.work = make([]float32, need)
	}
	if cap(c.items) < len(row) {
		c.items = make([]int32, len(row))
	}
	n := C.fb_candidates((*C.float)(unsafe.SliceData(row)), C.int64_t(len(row)), C.int64_t(m),
		(*C.float)(unsafe.SliceData(c.work)), (*C.int32_t)(unsafe.SliceData(c.items)))
	return c.items[:n]
}
