package run

import (
	"slices"
	"testing"
)

// Items 1 to 3 are trained. Items 4 and 5 are not, and their initial rows are near those
// of 1 and 2. Item 6 was initialised at random, and item 3 points the other way.
func TestFromNeighbours(t *testing.T) {
	begin := []float32{0, 0, 1, 0, 1, 1, -1, 0, 5, 1, 0, 0, 2, 1}
	table := []float32{9, 9, 1, 2, 3, 4, 50, 60, 7, 7, 7, 7, 8, 8}
	trained := []bool{false, true, true, true, false, false, false}
	fromText := []bool{false, true, true, true, true, true, false}
	got := slices.Clone(table)
	fromNeighbours(got, begin, fromText, trained, 2)
	// Item 5 has no direction, so all are equally near, and the lower items are
	// taken.
	if want := []float32{9, 9, 1, 2, 3, 4, 50, 60, 2, 3, 2, 3, 8, 8}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	one := slices.Clone(table)
	fromNeighbours(one, begin, fromText, trained, 1)
	if want := []float32{1, 2, 1, 2}; !slices.Equal(one[8:12], want) {
		t.Errorf("only the nearest: %v, want %v", one[8:12], want)
	}
	fromText[1], fromText[2], fromText[3] = false, false, false
	none := slices.Clone(table)
	fromNeighbours(none, begin, fromText, trained, 2)
	if !slices.Equal(none, table) {
		t.Errorf("no trained items: %v", none)
	}
}
