package baselines

import (
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
)

// markov is the non-neural baseline that uses the user's last item only: an item's
// score is how often it directly followed that item in training. Items with the same
// count, usually 0, are ordered by their popularity, which is scaled to below 1 and so
// never outweighs a count.
//
// Scores are float32. If a count is so high that the last digits of the popularity
// are lost, items of nearly equal popularity tie, but their order never changes.
type markov struct {
	backoff []float32      // by item: popularity / (1 + the highest)
	next    [][]transition // by last item
	row     []float32      // of the case at hand
}

// transition is the score of an item after a given one.
type transition struct {
	item  int32
	score float32 // count + backoff
}

// NewMarkov counts transitions in the training part of s.
func NewMarkov(s *datasets.Split) (rank.Scorer, error) {
	counts, err := trainingCounts(s)
	if err != nil {
		return nil, fmt.Errorf("markov: %w", err)
	}
	scale := float64(1 + slices.Max(counts))
	m := &markov{backoff: make([]float32, len(counts)), next: make([][]transition, len(counts))}
	for v, n := range counts {
		m.backoff[v] = float32(float64(n) / scale)
	}
	// Sorting the pairs brings equal ones together and takes less memory than a
	// map.
	pairs := consecutivePairs(s.Train)
	slices.Sort(pairs)
	for len(pairs) > 0 {
		n := 1
		for n < len(pairs) && pairs[n] == pairs[0] {
			n++
		}
		last, item := pairs[0].items()
		m.next[last] = append(m.next[last], transition{item, float32(float64(n) + float64(counts[item])/scale)})
		pairs = pairs[n:]
	}
	return m, nil
}

// Score scores every item by the last item of each case's history, or by
// popularity if there is no history.
func (m *markov) Score(cases []datasets.Case, visit rank.Visit) error {
	for i, c := range cases {
		if len(c.History) == 0 {
			visit(i, m.backoff)
			continue
		}
		last := c.History[len(c.History)-1]
		if last < 1 || int(last) >= len(m.backoff) {
			return fmt.Errorf("markov: user %d has item %d in the history, expected 1…%d", c.User, last, len(m.backoff)-1)
		}
		m.row = append(m.row[:0], m.backoff...)
		for _, t := range m.next[last] {
			m.row[t.item] = t.score
		}
		visit(i, m.row)
	}
	return nil
}

// pair is two consecutive items, the first in the upper half of the bits.
type pair uint64

func (p pair) items() (last, item int32) { return int32(p >> 32), int32(p & 0xffffffff) }

func consecutivePairs(sequences [][]int32) []pair {
	var pairs []pair
	for _, seq := range sequences {
		for i := 1; i < len(seq); i++ {
			pairs = append(pairs, pair(seq[i-1])<<32|pair(seq[i]))
		}
	}
	return pairs
}
