package pretrain

import (
	"math/rand/v2"
	"slices"
)

// sampler composes the batches in which a head learns one set of labels. The rule:
//
// Anchors are the training items that share a label with another one. An epoch
// takes each anchor once, in random order. If no item of the batch has a label in
// common with it, another item with one of its labels, chosen at random, is added,
// whether the epoch has already taken it or not. So every anchor of a batch has a
// positive in it. All other training items are negatives only. Their share of each
// batch is their share of all items, in random order, as far as there are enough.
// If the last batch had less than half of its anchors, these go to the batch
// before.
type sampler struct {
	labels    [][]int32 // by item id, ascending: the labels that an anchor shares with others; nil for the rest
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

// shared returns the number of labels that more than one item has.
func (s *sampler) shared() int {
	n := 0
	for _, items := range s.members {
		if items != nil {
			n++
		}
	}
	return n
}

// epoch returns the batches of an epoch, lists of items without repetition.
func (s *sampler) epoch(r *rand.Rand) [][]int32 {
	order, negatives := draw(s.anchors, 1, r), draw(s.negatives, 1, r)
	quota := max(2, s.size*len(order)/max(1, len(order)+len(negatives))) // anchors of a batch
	var batches [][]int32
	used := make([]bool, len(s.labels)) // by item
	in := make([]int, len(s.members))   // by label: the last batch that has it, from 1
	at, left, next := 0, len(order), 0
	for left > 0 {
		var batch []int32
		number := len(batches) + 1
		add := func(v int32) {
			batch = append(batch, v)
			if !used[v] {
				used[v] = true
				left--
			}
			for _, l := range s.labels[v] {
				in[l] = number
			}
		}
		for left > 0 && (len(batch) < quota || left < quota/2) {
			for used[order[at]] {
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

// turns returns the head that takes each step of an epoch, given the number of batches of
// each. The heads take turns, but share nothing while the encoder is frozen: the order of
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
