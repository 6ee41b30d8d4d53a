package baselines

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"famebench/datasets"
	"famebench/internal/rank"
)

// textKNN is the non-neural baseline that knows items by their texts alone: an item's score
// is the similarity of its text to the texts of the user's latest items,
//
//	score(v) = Σ_{j=1..5} cos(s_v, s_{h_j}) / j
//
// where s_v is the text vector of item v and h_j the j-th latest item of the history. An item
// without a text has cosine 0 with every item. A model that is initialised from texts and
// does not beat it on items without interactions has not learned where texts lead.
type textKNN struct {
	texts   []float32 // [V+1, s] of norm 1, or all 0 without a text
	size    int       // s
	profile []float32 // of the case at hand: Σ s_{h_j} / (‖s_{h_j}‖·j)
	row     []float32
}

// latest is the number of items of a history that textKNN reads.
const latest = 5

// NewTextKNN normalises the text vectors [V+1, s] of the items, all 0 for one without a text.
func NewTextKNN(s *datasets.Split, vectors []float32) (rank.Scorer, error) {
	rows := s.Data.NumItems + 1
	if len(vectors) == 0 || len(vectors)%rows != 0 {
		return nil, fmt.Errorf("text-knn: %d numbers in the vectors of the texts, expected a multiple of %d", len(vectors), rows)
	}
	k := &textKNN{texts: make([]float32, len(vectors)), size: len(vectors) / rows, row: make([]float32, rows)}
	k.profile = make([]float32, k.size)
	some := false
	for v := 1; v < rows; v++ {
		var square float64
		from, to := vectors[v*k.size:(v+1)*k.size], k.text(int32(v))
		for _, x := range from {
			square += float64(x) * float64(x)
		}
		if math.IsNaN(square) || math.IsInf(square, 0) {
			return nil, fmt.Errorf("text-knn: the text vector of item %d is not finite", v)
		}
		for j, x := range from {
			if square > 0 {
				to[j], some = float32(float64(x)/math.Sqrt(square)), true
			}
		}
	}
	if !some {
		return nil, errors.New("text-knn: no item has a text")
	}
	return k, nil
}

func (k *textKNN) text(v int32) []float32 { return k.texts[int(v)*k.size : (int(v)+1)*k.size] }

// Score compares all items with the profile of each case, in which every latest item counts
// by its place. Dot products are linear, so this is the sum of the cosines.
func (k *textKNN) Score(cases []datasets.Case, visit rank.Visit) error {
	vector := func(x []float32) blas32.Vector { return blas32.Vector{N: k.size, Data: x, Inc: 1} }
	for i, c := range cases {
		clear(k.profile)
		for j := 1; j <= min(latest, len(c.History)); j++ {
			v := c.History[len(c.History)-j]
			if v < 1 || int(v) >= len(k.row) {
				return fmt.Errorf("text-knn: user %d has item %d in the history, expected 1…%d", c.User, v, len(k.row)-1)
			}
			blas32.Axpy(1/float32(j), vector(k.text(v)), vector(k.profile))
		}
		for v := 1; v < len(k.row); v++ {
			k.row[v] = blas32.Dot(vector(k.text(int32(v))), vector(k.profile))
		}
		visit(i, k.row)
	}
	return nil
}
