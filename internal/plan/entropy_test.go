package plan

import (
	"testing"
)

// Items 1 and 2 have the labels 0 and 1, item 3 has both, and item 4 has none.
func TestMillibits(t *testing.T) {
	labels := [][]int32{nil, {0}, {1}, {0, 1}, nil, {2}, {3}}
	for _, c := range []struct {
		what    string
		history []int32
		want    int32
	}{
		{"one label", []int32{1, 1, 1}, 0},
		{"two labels equally often", []int32{1, 2}, 1000},
		{"an item with two labels", []int32{3}, 1000},
		{"half an item for each of its labels", []int32{1, 3}, 811}, // 3/4 and 1/4
		{"one of three", []int32{1, 1, 2}, 918},
		{"four labels", []int32{1, 2, 5, 6}, 2000},
		{"an item without a label does not count", []int32{4, 1, 2, 4}, 1000},
		{"no label", []int32{4}, -1},
		{"no history", nil, -1},
	} {
		if got := millibits(c.history, labels); got != c.want {
			t.Errorf("%s: %d thousandths of a bit, want %d", c.what, got, c.want)
		}
	}
}
