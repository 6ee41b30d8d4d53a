// Package facets holds the two references for generated data (format "facets"): "oracle",
// which knows the process that made the data, and "labels-known", which knows the labels of
// the items and estimates the rest from a user's history.
package facets

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
)

// oracle scores items by their true probabilities. If every item occurs in training, no model
// ranks better on average, whatever it has learned.
type oracle struct{ data generated }

// NewOracle returns the oracle of generated data. For other data it returns an error.
func NewOracle(s *datasets.Split) (rank.Scorer, error) {
	data, err := open(s)
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	return &oracle{data}, nil
}

func (o *oracle) Score(cases []datasets.Case, visit rank.Visit) error {
	return o.data.score(cases, visit, func(c datasets.Case) []float64 {
		return o.data.world.Probabilities(int(c.User), len(c.History))
	})
}

// generated is a data set with its world.
type generated struct {
	world *datasets.World
	data  *datasets.Dataset
	// ties are the items in the order in which equal probabilities are ranked, best last.
	ties []int32
}

func open(s *datasets.Split) (generated, error) {
	w, err := s.Data.World()
	if err != nil {
		return generated{}, err
	}
	g := generated{w, s.Data, make([]int32, s.Data.NumItems)}
	for i := range g.ties {
		g.ties[i] = int32(i + 1)
	}
	// Ids are in the order of first occurrence, which says something about the targets of
	// the first users. The fraction of a multiple of the golden ratio does not.
	slices.SortFunc(g.ties, func(a, b int32) int {
		return cmp.Compare(uint64(a)*0x9e3779b97f4a7c15, uint64(b)*0x9e3779b97f4a7c15)
	})
	return g, nil
}

// score ranks the items of each case by probability. Equal ones must have different scores,
// because ties count against the target. So a score is the number of items that are less
// likely, or as likely and before in ties.
func (g generated) score(cases []datasets.Case, visit rank.Visit, probabilities func(datasets.Case) []float64) error {
	// A key is a probability, rounded to 28 binary digits, and a place in ties: bits of
	// positive numbers are in the order of the numbers.
	const places = 1<<24 - 1 // a world has at most 10^7 items
	keys, row := make([]uint64, len(g.ties)), make([]float32, g.data.NumItems+1)
	for i, c := range cases {
		if err := g.check(c); err != nil {
			return err
		}
		p := probabilities(c)
		for at, v := range g.ties {
			keys[at] = math.Float64bits(p[v])&^places | uint64(at)
		}
		slices.Sort(keys)
		for below, key := range keys {
			row[g.ties[key&places]] = float32(below) // exact up to 2^24
		}
		visit(i, row)
	}
	return nil
}

// check makes sure that a case is a position in the sequence that was generated. Without the
// target, a history whose last item was taken out would pass as the position before.
func (g generated) check(c datasets.Case) error {
	if c.User < 0 || int(c.User) >= len(g.data.Seqs) {
		return fmt.Errorf("facets: user %d of a case: expected 0 to %d, whose preferences are known", c.User, len(g.data.Seqs)-1)
	}
	seq, n := g.data.Seqs[c.User], len(c.History)
	if n >= len(seq) || seq[n] != c.Target || !slices.Equal(c.History, seq[:n]) {
		return fmt.Errorf("facets: the history of user %d is not the beginning of the sequence that was generated; oracle and labels-known need complete histories (no cold_items)", c.User)
	}
	return nil
}
