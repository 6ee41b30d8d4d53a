package run

import (
	"math"
	"slices"
	"testing"

	"famebench/pretrain"
)

// Items 1 to 3 are trained. Items 4 and 5 are not, and their initial rows are near those
// of 1 and 2. Item 6 has no text, so it is in neither list, and item 3 points the other way.
func untrainedItems() (*untrained, []float32) {
	return &untrained{
		begin:   []float32{0, 0, 1, 0, 1, 1, -1, 0, 5, 1, 0, 0, 2, 1},
		trained: []int{1, 2, 3}, missing: []int{4, 5}, rows: 7,
	}, []float32{9, 9, 1, 2, 3, 4, 50, 60, 7, 7, 7, 7, 8, 8}
}

func TestFromNeighbours(t *testing.T) {
	u, table := untrainedItems()
	got := slices.Clone(table)
	u.fromNeighbours(got, 2)
	// Item 5 has no direction, so all are equally near, and the lower items are
	// taken.
	if want := []float32{9, 9, 1, 2, 3, 4, 50, 60, 2, 3, 2, 3, 8, 8}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := u.apply(pretrain.Neighbours, table), []float32{9, 9, 1, 2, 3, 4, 50, 60, 18, 22, 18, 22, 8, 8}; !slices.Equal(got, want) {
		t.Errorf("ten of three: %v, want %v", got, want)
	}
}

// The norms of the trained rows are √5, 5 and √6100, so the median is 5.
func TestScaledRules(t *testing.T) {
	u, table := untrainedItems()
	long := math.Sqrt(18*18 + 22*22)
	got := u.apply(pretrain.ScaledNeighbours, table)
	if want := []float64{9, 9, 1, 2, 3, 4, 50, 60, 90 / long, 110 / long, 90 / long, 110 / long, 8, 8}; !nearly(got, want) {
		t.Errorf("scaled: %v, want %v", got, want)
	}
	// Not the row (1, 2) itself, which would tie with item 1.
	got = u.apply(pretrain.Nearest, table)
	if want := []float64{9, 9, 1, 2, 3, 4, 50, 60, math.Sqrt(5), 2 * math.Sqrt(5), math.Sqrt(5), 2 * math.Sqrt(5), 8, 8}; !nearly(got, want) {
		t.Errorf("nearest: %v, want %v", got, want)
	}
	// Item 5 has an initial row of 0, which no factor makes longer.
	got = u.apply(pretrain.Projection, table)
	if want := []float64{9, 9, 1, 2, 3, 4, 50, 60, 25 / math.Sqrt(26), 5 / math.Sqrt(26), 0, 0, 8, 8}; !nearly(got, want) {
		t.Errorf("projection: %v, want %v", got, want)
	}
	u.trained = u.trained[:2] // the median of two is their mean
	got = u.apply(pretrain.Projection, table)
	if want := (math.Sqrt(5) + 5) / 2; math.Abs(norm(got[8:10])-want) > 1e-6 {
		t.Errorf("norm %v, want %v", norm(got[8:10]), want)
	}
	if table[8] != 7 {
		t.Error("the table itself was changed")
	}
}

// The texts 10 and 14 of the trained items become −1 and 1, and 18 becomes 3. The rows (2, 0)
// and (6, 4) become (−2, −2) and (2, 2) around (4, 2). So XᵀX/n is 1 and XᵀE/n is (2, 2), and
// the weights are (2, 2) / (1 + penalty).
func TestRegression(t *testing.T) {
	u := &untrained{texts: []float32{0, 10, 14, 18}, trained: []int{1, 2}, missing: []int{3}, rows: 4}
	table := []float32{0, 0, 2, 0, 6, 4, 1, 1}
	median := (2 + math.Sqrt(52)) / 2
	for penalty, row := range map[float64][2]float64{1: {4 + 3, 2 + 3}, 3: {4 + 1.5, 2 + 1.5}, 1e-12: {10, 8}} {
		got, err := u.regression(table).apply(table, penalty)
		if err != nil {
			t.Fatal(err)
		}
		factor := median / math.Hypot(row[0], row[1])
		if want := []float64{0, 0, 2, 0, 6, 4, row[0] * factor, row[1] * factor}; !nearly(got, want) {
			t.Errorf("penalty %v: %v, want %v", penalty, got, want)
		}
	}
	u.texts[2] = 10 // all texts are equal, so the mean row is predicted
	got, err := u.regression(table).apply(table, .1)
	factor := median / math.Hypot(4, 2)
	if want := []float64{0, 0, 2, 0, 6, 4, 4 * factor, 2 * factor}; err != nil || !nearly(got, want) {
		t.Errorf("equal texts: %v, %v, want %v", got, err, want)
	}
	u.texts[1] = float32(math.NaN())
	if got, err := u.regression(table).apply(table, .1); err == nil {
		t.Errorf("a text that is not finite: %v", got)
	}
}

func nearly(got []float32, want []float64) bool {
	return slices.EqualFunc(got, want, func(a float32, b float64) bool { return math.Abs(float64(a)-b) <= 1e-5*max(1, math.Abs(b)) })
}
