package pretrain

import (
	"math"
	"slices"
	"testing"

	"famebench/internal/record"
	"famebench/internal/torch"
)

// Vectors at known angles; the expected values were computed by hand.
func TestMeasure(t *testing.T) {
	at := func(degrees float64) []float32 {
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		return []float32{float32(3 * cos), float32(3 * sin)}
	}
	// Items 1, 2 are one kind, 3, 4 another, 5 has a kind of its own, 6 no label.
	labels := [][]int32{nil, {0}, {0}, {1}, {1, 2}, {3}, nil}
	x := slices.Concat(at(0), at(0), at(90), at(180), at(90), at(0), at(45))
	run(t, func(rt *torch.Runtime) {
		e := newEvaluation(labels, []int32{1, 2, 3, 4, 5, 6}, []int32{1, 5, 6, 4})
		if e == nil || !slices.Equal(e.queries, []int32{1, 4}) || len(e.items) != 5 || e.k != 4 {
			t.Fatalf("%+v", e)
		}
		vectors := rt.Floats(x, 7, 2)
		m, chance := e.measure(rt, vectors)
		// Distances of item 1 to 2, 3, 4, 5: √2, 2, √2, 0; of item 4 to 1, 2, 3, 5: √2, 0, √2, √2.
		want := record.Measure{
			Alignment:  math.Sqrt2,                                                    // 1–2 and 4–3
			Uniformity: math.Log((math.Exp(-8) + 5*math.Exp(-4) + 2*math.Exp(0)) / 8), // distance² 4; 2 five times; 0 twice
			Purity:     .25,                                                           // one of four for both
		}
		if math.Abs(m.Alignment-want.Alignment) > 1e-6 || math.Abs(m.Uniformity-want.Uniformity) > 1e-6 || m.Purity != want.Purity || chance != .25 {
			t.Errorf("%+v, chance %v; want %+v, .25", m, chance, want)
		}
		e.k = 1 // the nearest is 5 for item 1, 2 for item 4
		if m, _ := e.measure(rt, vectors); m.Purity != 0 {
			t.Errorf("purity %v of the nearest alone, want 0", m.Purity)
		}
		e.k = 2 // then 2 (before 4: lower id) for item 1, and 1 (before 3) for item 4
		if m, _ := e.measure(rt, vectors); m.Purity != .25 {
			t.Errorf("purity %v of the two nearest, want .25", m.Purity)
		}
		if e := newEvaluation(labels, []int32{1, 3, 5, 6}, []int32{1, 5, 6}); e != nil {
			t.Errorf("no item has a match: %+v", e)
		}
	})
}

// Points along two directions at right angles, the longer one first.
func TestPrincipal(t *testing.T) {
	run(t, func(rt *torch.Runtime) {
		// 5 + 3·a·(.6, .8, 0) + b·(0, 0, −1), a and b of mean 0 and uncorrelated.
		a, b := []float64{1, 1, -1, -1}, []float64{1, -1, 1, -1}
		var x []float32
		for i := range a {
			x = append(x, float32(5+1.8*a[i]), float32(5+2.4*a[i]), float32(5-b[i]))
		}
		got := principal(rt, rt.Floats(x, 4, 3), 2).HostFloats()
		for i := range a { // the sign makes the largest coordinate of (0, 0, ±1) positive
			if math.Abs(float64(got[2*i])-3*a[i]) > 1e-5 || math.Abs(float64(got[2*i+1])+b[i]) > 1e-5 {
				t.Errorf("point %d at %v, want (%v, %v)", i, got[2*i:2*i+2], 3*a[i], -b[i])
			}
		}
	})
}
