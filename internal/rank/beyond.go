package rank

import (
	"math"
	"slices"

	"famebench/datasets"
)

// Metrics beyond accuracy, of lists of ten items. docs/records.md has the references.
const (
	// Gini is how unequally the lists use the catalogue: the Gini index of how often each item
	// is recommended, items that never are included. 0: all equally often; near 1: few items only.
	Gini = "Gini@10"
	// Popularity is how often the items of a list occur in the training data, averaged over the
	// list and then over users.
	Popularity = "Popularity@10"
	// Novelty is the mean self-information of a list's items in bits: -log2 of the share of
	// the training users who have the item. An item that nobody has counts as if one user had it.
	Novelty = "Novelty@10"
	// Diversity is the mean distance of the pairs of a list's items: 1 less the share of their
	// labels that they have in common (Jaccard). Pairs in which an item has no label, and users
	// without other pairs, are left out.
	Diversity = "Diversity@10"
)

// Catalogue is what metrics beyond accuracy need to know of the items, by item id.
type Catalogue struct {
	Count  []int     // how often the item occurs in training
	Users  []int     // how many training users have it
	People int       // training users
	Labels [][]int32 // ascending; nil: no item has any
}

// NewCatalogue counts a split's training data. The labels of each of the facets are
// different labels.
func NewCatalogue(s *datasets.Split, facets []datasets.Facet) *Catalogue {
	n := s.Data.NumItems + 1
	c := &Catalogue{Count: s.TrainingCounts(), Users: make([]int, n)}
	last := make([]int, n) // the last user, from 1, who was counted
	for u, seq := range s.Train {
		if len(seq) > 0 {
			c.People++
		}
		for _, v := range seq {
			if last[v] != u+1 {
				last[v] = u + 1
				c.Users[v]++
			}
		}
	}
	first := int32(0) // label of the facet
	for _, f := range facets {
		if c.Labels == nil {
			c.Labels = make([][]int32, n)
		}
		for v, labels := range f.Labels {
			for _, l := range labels {
				c.Labels[v] = append(c.Labels[v], first+l)
			}
		}
		first += int32(len(f.Values))
	}
	for v, labels := range c.Labels {
		slices.Sort(labels)
		c.Labels[v] = slices.Compact(labels)
	}
	return c
}

// Beyond gives the metrics beyond accuracy of lists of items, one for each user. Without
// labels there is no Diversity.
func (c *Catalogue) Beyond(lists [][]int32) Metrics {
	m := Metrics{Gini: c.gini(lists)}
	m[Popularity] = overLists(lists, func(v int32) float64 { return float64(c.Count[v]) })
	m[Novelty] = overLists(lists, func(v int32) float64 {
		return -math.Log2(float64(max(c.Users[v], 1)) / float64(c.People))
	})
	if d, ok := c.diversity(lists); ok {
		m[Diversity] = d
	}
	return m
}

// HistoryPopularity is the Popularity of the items of the cases' histories, to compare that
// of recommendations with.
func (c *Catalogue) HistoryPopularity(cases []datasets.Case) float64 {
	var histories [][]int32
	for _, k := range cases {
		histories = append(histories, slices.DeleteFunc(slices.Clone(k.History), func(v int32) bool { return v == 0 }))
	}
	return overLists(histories, func(v int32) float64 { return float64(c.Count[v]) })
}

// overLists averages a value of the items over each list that is not empty, then over these.
func overLists(lists [][]int32, value func(v int32) float64) float64 {
	var sum float64
	n := 0
	for _, list := range lists {
		if len(list) == 0 {
			continue
		}
		var own float64
		for _, v := range list {
			own += value(v)
		}
		sum += own / float64(len(list))
		n++
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

func (c *Catalogue) gini(lists [][]int32) float64 {
	often := make([]int, len(c.Count))
	total := 0
	for _, list := range lists {
		for _, v := range list {
			often[v]++
			total++
		}
	}
	often = often[1:]
	slices.Sort(often)
	n := len(often)
	var sum float64 // of whole numbers, so it is exact
	for i, times := range often {
		sum += float64((2*(i+1) - n - 1) * times)
	}
	if total == 0 {
		return 0
	}
	return sum / float64(n) / float64(total)
}

// diversity is not ok if no list has a pair of items with labels.
func (c *Catalogue) diversity(lists [][]int32) (d float64, ok bool) {
	if c.Labels == nil {
		return 0, false
	}
	var sum float64
	n := 0
	for _, list := range lists {
		var own float64
		pairs := 0
		for i, v := range list {
			for _, w := range list[:i] {
				if a, b := c.Labels[v], c.Labels[w]; len(a) > 0 && len(b) > 0 {
					own += 1 - jaccard(a, b)
					pairs++
				}
			}
		}
		if pairs > 0 {
			sum += own / float64(pairs)
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// jaccard is the number of labels that two ascending lists have in common, over the number
// of those that one of them has.
func jaccard(a, b []int32) float64 {
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
