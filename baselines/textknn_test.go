package baselines

import (
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
)

// The unit vectors of items 1 to 4 are (1, 0), (0, 1), (.6, .8) and (-1, 0); item 5 has no text.
func TestTextKNNByHand(t *testing.T) {
	split := &datasets.Split{Data: &datasets.Dataset{NumItems: 5}}
	vectors := []float32{9, 9, 2, 0, 0, 3, 3, 4, -.5, 0, 0, 0}
	scorer, err := NewTextKNN(split, vectors)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what    string
		history []int32
		want    []float64 // of items 1 to 5
	}{
		{"one item", []int32{1}, []float64{1, 0, .6, -1, 0}},
		{"the latest counts in full, the one before by half", []int32{2, 1}, []float64{1, .5, .6 + .4, -1, 0}},
		{"an item without a text", []int32{1, 5}, []float64{.5, 0, .3, -.5, 0}},
		{"only items without a text", []int32{5, 5}, make([]float64, 5)},
		{"no history", nil, make([]float64, 5)},
		{"the sixth latest item does not count", []int32{4, 5, 5, 5, 5, 2}, []float64{0, 1, .8, 0, 0}},
		{"the fifth does", []int32{4, 5, 5, 5, 2}, []float64{-.2, 1, .8 - .12, .2, 0}},
		{"an item twice", []int32{3, 3}, []float64{.9, 1.2, 1.5, -.9, 0}},
	} {
		got := allScores(t, scorer, slices.Repeat([]datasets.Case{{History: test.history, Target: 1}}, 2))
		for _, row := range [][]float32{got[1:6], got[7:12]} {
			if !slices.EqualFunc(row, test.want, func(a float32, b float64) bool { return math.Abs(float64(a)-b) <= 1e-6 }) {
				t.Errorf("%s: %v, want %v", test.what, row, test.want)
			}
		}
	}
	if vectors[2] != 2 {
		t.Error("the vectors themselves were changed")
	}
}

func TestTextKNNRefuses(t *testing.T) {
	split := &datasets.Split{Data: &datasets.Dataset{NumItems: 1}}
	for want, vectors := range map[string][]float32{
		"3 numbers in the vectors of the texts, expected a multiple of 2": {1, 2, 3},
		"0 numbers":                      nil,
		"no item has a text":             {1, 0},
		"vector of item 1 is not finite": {0, float32(math.Inf(1))},
	} {
		if _, err := NewTextKNN(split, vectors); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", vectors, err, want)
		}
	}
	scorer, err := NewTextKNN(split, []float32{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	err = scorer.Score([]datasets.Case{{User: 7, History: []int32{2}, Target: 1}}, func(int, []float32) {})
	if err == nil || !strings.Contains(err.Error(), "user 7 has item 2 in the history, expected 1…1") {
		t.Error(err)
	}
}
