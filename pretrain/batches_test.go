package pretrain

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// catalogue makes labels of n items: a broad one, a narrow one, or none.
func catalogue(n int) (labels [][]int32, limit int, items []int32) {
	labels = make([][]int32, n+1)
	for v := 1; v <= n; v++ {
		items = append(items, int32(v))
		switch v % 4 {
		case 0: // none
		case 1:
			labels[v] = []int32{0}
		case 2: // two of each, except the last
			labels[v] = []int32{int32(1 + v/8)}
		case 3:
			labels[v] = []int32{int32(1 + n/8 + v%40), 0, 0}
		}
	}
	return labels, 2 + n/8 + 40, items
}

// Every anchor of every batch has a positive in it, an epoch has every anchor, and
// no batch has an item twice.
func TestBatchesHavePositives(t *testing.T) {
	for _, n := range []int{2, 5, 20, 333, 1000} {
		for _, size := range []int{4, 32, 5000} {
			labels, limit, items := catalogue(n)
			if n == 2 {
				labels[1], labels[2] = []int32{0}, []int32{0}
			}
			s := newSampler(labels, limit, items, size)
			if len(s.anchors)+len(s.negatives) != n {
				t.Fatalf("%d anchors and %d negatives of %d items", len(s.anchors), len(s.negatives), n)
			}
			for seed := range uint64(5) {
				seen := map[int32]bool{}
				for b, batch := range s.epoch(rand.New(rand.NewPCG(seed, 1))) {
					var lists [][]int32
					for _, v := range batch {
						lists = append(lists, labels[v])
						seen[v] = true
					}
					if distinct := slices.Compact(slices.Sorted(slices.Values(batch))); len(distinct) != len(batch) {
						t.Errorf("%d items, batch %d of %d: an item occurs twice", n, b, size)
					}
					if len(batch) > 2*size {
						t.Errorf("%d items, batch %d of %d has %d", n, b, size, len(batch))
					}
					p := NewPositives(lists)
					if p.Anchors < 2 {
						t.Errorf("%d items, batch %d of %d: %d anchors", n, b, size, p.Anchors)
					}
					for i, v := range batch {
						if isAnchor := s.labels[v] != nil; isAnchor != (p.Counts[i] > 0) {
							t.Errorf("%d items, batch %d of %d: item %d has %d positives", n, b, size, v, p.Counts[i])
						}
					}
				}
				for _, v := range s.anchors {
					if !seen[v] {
						t.Errorf("%d items, batches of %d: anchor %d was never used", n, size, v)
					}
				}
			}
		}
	}
}

// Negatives take their share of a batch, and an epoch uses nearly all of them.
func TestBatchesHaveNegatives(t *testing.T) {
	labels, limit, items := catalogue(1000)
	s := newSampler(labels, limit, items, 50)
	seen := map[int32]bool{}
	for _, batch := range s.epoch(rand.New(rand.NewPCG(1, 1))) {
		for _, v := range batch {
			if s.labels[v] == nil {
				seen[v] = true
			}
		}
	}
	if len(seen) < len(s.negatives)*8/10 {
		t.Errorf("%d of %d negatives in an epoch", len(seen), len(s.negatives))
	}
}

func TestBatchesAreSeeded(t *testing.T) {
	labels, limit, items := catalogue(200)
	s := newSampler(labels, limit, items, 16)
	epoch := func(seed uint64) [][]int32 { return s.epoch(rand.New(rand.NewPCG(seed, 1))) }
	if !reflect.DeepEqual(epoch(1), epoch(1)) {
		t.Error("one seed, two epochs")
	}
	if reflect.DeepEqual(epoch(1), epoch(2)) {
		t.Error("two seeds, one epoch")
	}
}

func TestPairBatches(t *testing.T) {
	_, _, items := catalogue(21)
	var all []int32
	for _, batch := range pairBatches(items, 16, rand.New(rand.NewPCG(1, 1))) {
		if len(batch) < 2 || len(batch) > 8 {
			t.Errorf("%d items for 16 views", len(batch))
		}
		all = append(all, batch...)
	}
	slices.Sort(all)
	if !slices.Equal(all, items) {
		t.Errorf("items %v, want each once", all)
	}
}

func TestTurns(t *testing.T) {
	if got, want := turns([]int{1, 2, 3}), []int{0, 1, 2, 1, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Exactly the given share of the items exchange labels. All others keep theirs, and
// the labels as a whole stay the same.
func TestShuffle(t *testing.T) {
	var items []int32
	labels := [][]int32{nil}
	for v := int32(1); v <= 40; v++ {
		items = append(items, v)
		labels = append(labels, []int32{v})
	}
	for share, want := range map[float64]int{0: 0, .1: 4, .5: 20, .99: 40, 1: 40} {
		got := shuffle(labels, items, share, rand.New(rand.NewPCG(1, 1)))
		moved := 0
		var all []int32
		for v := range labels {
			if !slices.Equal(got[v], labels[v]) {
				moved++
			}
			all = append(all, got[v]...)
		}
		slices.Sort(all)
		if moved != want || !slices.Equal(all, items) || got[0] != nil {
			t.Errorf("share %v: %d of 40 moved, want %d; labels %v", share, moved, want, all)
		}
		again := shuffle(labels, items, share, rand.New(rand.NewPCG(1, 1)))
		if !reflect.DeepEqual(got, again) {
			t.Errorf("share %v: one seed, two shuffles", share)
		}
	}
}
