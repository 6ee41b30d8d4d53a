package run

import "testing"

func TestPercentile(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for p, want := range map[int]float64{50: 5, 95: 10, 99: 10, 90: 9, 1: 1, 100: 10} {
		if got := percentile(values, p); got != want {
			t.Errorf("p%d: got %v, want %v", p, got, want)
		}
	}
}
