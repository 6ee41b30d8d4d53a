package baselines

import (
	"errors"
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
)

// popularity is the non-neural baseline that ignores the user: an item's score is the
// number of its interactions in training. A model that does not beat it has learned
// nothing.
type popularity struct {
	scores []float32 // by item; 0 for padding
	rows   []float32 // the memory of the rows that Scores returned last
}

// NewPopularity counts interactions in the training part of s.
func NewPopularity(s *datasets.Split) (rank.Scorer, error) {
	counts, err := trainingCounts(s)
	if err != nil {
		return nil, fmt.Errorf("popularity: %w", err)
	}
	p := &popularity{scores: make([]float32, len(counts))}
	for v, n := range counts {
		p.scores[v] = float32(n) // exact up to 2^24
	}
	return p, nil
}

// Scores returns the same row for every case.
func (p *popularity) Scores(cases []datasets.Case) ([]float32, error) {
	p.rows = repeat(p.rows, p.scores, len(cases))
	return p.rows, nil
}

// repeat returns n copies of row, in the memory of rows if it is large enough.
func repeat(rows, row []float32, n int) []float32 {
	rows = slices.Grow(rows[:0], n*len(row))
	for range n {
		rows = append(rows, row...)
	}
	return rows
}

// trainingCounts returns the number of training interactions by item id.
func trainingCounts(s *datasets.Split) ([]int, error) {
	counts := make([]int, s.Data.NumItems+1)
	total := 0
	for u, seq := range s.Train {
		for _, v := range seq {
			if v < 1 || int(v) > s.Data.NumItems {
				return nil, fmt.Errorf("user %d has item %d in training, expected 1…%d", u, v, s.Data.NumItems)
			}
			counts[v]++
		}
		total += len(seq)
	}
	if total == 0 {
		return nil, errors.New("no interactions in training")
	}
	return counts, nil
}
