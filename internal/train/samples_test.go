package train

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func sequence(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i + 1)
	}
	return s
}

// Windows of a long history: every target once, in the window that gives it
// the longest context.
func TestAllPositions(t *testing.T) {
	for _, c := range []struct {
		length int
		want   []sample // of user 0; L = 4, stride 2
	}{
		{0, nil},
		{1, nil},
		{2, []sample{{0, 0, 1, 0}}},
		{5, []sample{{0, 0, 4, 0}}},
		{6, []sample{{0, 0, 4, 0}, {0, 2, 5, 4}}},
		{7, []sample{{0, 0, 4, 0}, {0, 2, 6, 4}}},
		{8, []sample{{0, 0, 4, 0}, {0, 2, 6, 4}, {0, 4, 7, 6}}},
	} {
		got := allPositions([][]int32{sequence(c.length)}, 4, 2)
		if !slices.Equal(got, c.want) {
			t.Errorf("length %d: %v, want %v", c.length, got, c.want)
		}
	}
	for length := 2; length < 200; length++ { // each position once, in order
		next := int32(0)
		for _, s := range allPositions([][]int32{sequence(length)}, 50, 25) {
			if s.first != next || s.inputs() > 50 || s.first < s.start {
				t.Fatalf("length %d: window %+v after position %d", length, s, next)
			}
			if context := s.first - s.start + 1; s.start > 0 && context < 26 {
				t.Fatalf("length %d: window %+v gives its first target %d items of context", length, s, context)
			}
			next = s.end
		}
		if int(next) != length-1 {
			t.Fatalf("length %d: %d targets", length, next)
		}
	}
}

func TestPrefixes(t *testing.T) {
	got := prefixes([][]int32{sequence(1), sequence(5)}, 3)
	want := []sample{{1, 0, 1, 0}, {1, 0, 2, 1}, {1, 0, 3, 2}, {1, 1, 4, 3}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMakeBatch(t *testing.T) {
	seqs := [][]int32{{5, 6, 7, 8}, {9, 3}}
	b := makeBatch(seqs, []sample{{0, 1, 3, 2}, {1, 0, 1, 0}})
	check := func(what string, got, want []int64) {
		if !slices.Equal(got, want) {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	check("items", b.Items, []int64{6, 7, 9, 0})
	check("lengths", b.Lengths, []int64{2, 1})
	check("position", b.Position, []int64{1, 2})
	check("target", b.Target, []int64{8, 3})
	check("last positions", b.LastPositions(), []int64{1, 2})
}

func TestEpochBatches(t *testing.T) {
	var seqs [][]int32
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		seqs = append(seqs, sequence(r.IntN(60)))
	}
	samples := allPositions(seqs, 50, 25)
	const targets = 256
	batches := epochBatches(samples, targets, rand.New(rand.NewPCG(7, 1)))
	var all []sample
	sum, padded, real := 0, 0, 0
	for _, b := range batches {
		n, longest := 0, 0
		for _, s := range b {
			n += s.targets()
			longest = max(longest, s.inputs())
			real += s.inputs()
		}
		if n > targets {
			t.Fatalf("a batch of %d targets", n)
		}
		sum += n
		padded += longest * len(b)
		all = append(all, b...)
	}
	if len(all) != len(samples) {
		t.Errorf("%d samples in batches, want %d", len(all), len(samples))
	}
	order := func(a, b sample) int { return int(a.user-b.user)*1000 + int(a.start-b.start) }
	slices.SortFunc(all, order)
	if !slices.Equal(all, samples) {
		t.Error("the batches hold other samples than they were given")
	}
	if mean := float64(sum) / float64(len(batches)); mean < .8*targets {
		t.Errorf("mean batch has %.0f targets, want near %d", mean, targets)
	}
	if waste := float64(padded)/float64(real) - 1; waste > .1 {
		t.Errorf("%.0f %% padding", 100*waste)
	}
	again := epochBatches(samples, targets, rand.New(rand.NewPCG(7, 1)))
	other := epochBatches(samples, targets, rand.New(rand.NewPCG(7, 2)))
	same := func(a, b [][]sample) bool { return slices.EqualFunc(a, b, slices.Equal[[]sample]) }
	if !same(batches, again) {
		t.Error("one seed gave two orders")
	}
	if same(batches, other) {
		t.Error("two epochs have one order")
	}
}

func TestShare(t *testing.T) {
	batch := prefixes([][]int32{sequence(6)}, 50) // inputs of 1 to 5 items
	for members := 1; members <= 7; members++ {
		seen := 0
		for k := range members {
			for i, s := range share(batch, k, members) {
				if s != batch[k+i*members] {
					t.Errorf("%d members: sample %d of member %d is %+v", members, i, k, s)
				}
				seen++
			}
		}
		if seen != len(batch) {
			t.Errorf("%d members have %d samples of %d", members, seen, len(batch))
		}
	}
}

func TestNegatives(t *testing.T) {
	b := makeBatch([][]int32{{1, 2, 3}}, []sample{{0, 0, 2, 0}})
	const k, items = 3000, 4
	addNegatives(b, k, items, rand.New(rand.NewPCG(1, 1)))
	for i, target := range b.Target {
		var count [items + 1]int
		for _, v := range b.Negatives[i*k : (i+1)*k] {
			count[v]++
		}
		for v := 1; v <= items; v++ {
			// Uniform over the other three items: 1000 ± 5 standard deviations.
			if want := 1000; v == int(target) && count[v] != 0 || v != int(target) && (count[v] < want-130 || count[v] > want+130) {
				t.Errorf("target %d: item %d drawn %d times", target, v, count[v])
			}
		}
	}
}
