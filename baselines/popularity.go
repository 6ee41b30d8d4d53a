package baselines

import (
	"errors"
	"fmt"

	"famebench/datasets"
	"famebench/internal/rank"
)

// popularity is the non-neural baseline that ignores the user: an item's score is the
// number of its interactions in training. A model that does not beat it has learned
// nothing.
type popularity struct {
	scores []float32 // by item; 0 for padding
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

// Score gives every case the same row.
func (p *popularity) Score(cases []datasets.Case, visit rank.Visit) error {
	for i := range cases {
		visit(i, p.scores)
	}
	return nil
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
