package pretrain

import (
	"math/rand/v2"
	"slices"
)

// sampler composes the batches in which a head learns one set of labels. The rule:
//
// Anchors are the training items with a label that another one has, too. In an
// epoch each anchor is drawn once, in random order. If the batch has no item with a
// label in common, one of the anchor's labels is drawn and another of its items
// comes along, whether drawn before or not: every anchor of a batch has a positive
// in it. The rest of the training items are negatives only. They take the share of
// each batch that they have of all items, in random order and as far as they
// reach. What is left for the last batch is dealt to the one before if it would
// fill less than half of a batch.
type sampler struct {
	labels    [][]int32 // by item id, ascending: what an anchor shares with others; nil for the rest
	members   [][]int32 // by label: the anchors that have it, none or more than one
	anchors   []int32
	negatives []int32 // negatives only
	size      int     // of a batch
}

// newSampler reads the labels of the training items; labels are below limit.
func newSampler(labels [][]int32, limit int, items []int32, size int) *sampler {
	s := &sampler{labels: make([][]int32, len(labels)), members: make([][]int32, limit), size: size}
	for _, v := range items {
		s.labels[v] = slices.Clone(labels[v])
		slices.Sort(s.labels[v])
		s.labels[v] = slices.Compact(s.labels[v])
		for _, l := range s.labels[v] {
			s.members[l] = append(s.members[l], v)
		}
	}
	for _, v := range items {
		s.labels[v] = slices.DeleteFunc(s.labels[v], func(l int32) bool { return len(s.members[l]) < 2 })
		if len(s.labels[v]) > 0 {
			s.anchors = append(s.anchors, v)
		} else {
			s.labels[v] = nil
			s.negatives = append(s.negatives, v)
		}
	}
	for l, items := range s.members {
		if len(items) < 2 {
			s.members[l] = nil
		}
	}
	return s
}

// shared is the number of labels that more than one item has.
func (s *sampler) shared() int {
	n := 0
	for _, items := range s.members {
		if items != nil {
			n++
		}
	}
	return n
}

// epoch gives the batches of an epoch, lists of items without repetition.
func (s *sampler) epoch(r *rand.Rand) [][]int32 {
	order, negatives := draw(s.anchors, 1, r), draw(s.negatives, 1, r)
	quota := max(2, s.size*len(order)/max(1, len(order)+len(negatives))) // anchors of a batch
	var batches [][]int32
	drawn := make([]bool, len(s.labels)) // by item
	in := make([]int, len(s.members))    // by label: the last batch that has it, from 1
	at, left, next := 0, len(order), 0
	for left > 0 {
		var batch []int32
		number := len(batches) + 1
		add := func(v int32) {
			batch = append(batch, v)
			if !drawn[v] {
				drawn[v] = true
				left--
			}
			for _, l := range s.labels[v] {
				in[l] = number
			}
		}
		for left > 0 && (len(batch) < quota || left < quota/2) {
			for drawn[order[at]] {
				at++
			}
			v := order[at]
			labels := s.labels[v]
			met := slices.ContainsFunc(labels, func(l int32) bool { return in[l] == number })
			add(v)
			if met {
				continue
			}
			members := s.members[labels[r.IntN(len(labels))]]
			other := members[r.IntN(len(members)-1)] // all but v: the last stands in for it
			if other == v {
				other = members[len(members)-1]
			}
			add(other)
		}
		for range min(s.size-len(batch), len(negatives)) {
			batch = append(batch, negatives[next])
			next = (next + 1) % len(negatives)
		}
		batches = append(batches, batch)
	}
	return batches
}

// turns says which head takes each step of an epoch, given the number of each one's
// batches. The heads take turns, but share nothing while the encoder is frozen: the order of
// their steps makes no difference.
func turns(batches []int) []int {
	var out []int
	for step := range slices.Max(batches) {
		for h, n := range batches {
			if step < n {
				out = append(out, h)
			}
		}
	}
	return out
}
