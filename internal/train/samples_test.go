package train

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func piece(user, start, end, first int32) sample {
	return sample{user: user, start: start, end: end, first: first}
}

func equal(a, b []sample) bool {
	return slices.EqualFunc(a, b, func(x, y sample) bool { return reflect.DeepEqual(x, y) })
}

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
		{2, []sample{piece(0, 0, 1, 0)}},
		{5, []sample{piece(0, 0, 4, 0)}},
		{6, []sample{piece(0, 0, 4, 0), piece(0, 2, 5, 4)}},
		{7, []sample{piece(0, 0, 4, 0), piece(0, 2, 6, 4)}},
		{8, []sample{piece(0, 0, 4, 0), piece(0, 2, 6, 4), piece(0, 4, 7, 6)}},
	} {
		got := allPositions([][]int32{sequence(c.length)}, 4, 2)
		if !equal(got, c.want) {
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
	want := []sample{piece(1, 0, 1, 0), piece(1, 0, 2, 1), piece(1, 0, 3, 2), piece(1, 1, 4, 3)}
	if !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMakeBatch(t *testing.T) {
	seqs := [][]int32{{5, 6, 7, 8}, {9, 3}}
	b := makeBatch(seqs, []sample{piece(0, 1, 3, 2), piece(1, 0, 1, 0)})
	check := func(what string, got, want []int64) {
		if !slices.Equal(got, want) {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	check("items", b.Items, []int64{6, 7, 9})
	check("lengths", b.Lengths, []int64{2, 1})
	check("position", b.Position, []int64{1, 2})
	check("target", b.Target, []int64{8, 3})
	check("last positions", b.LastPositions(), []int64{1, 2})

	cloze := piece(0, 1, 4, 1)
	cloze.hidden = []int32{1, 3}
	b = makeBatch(seqs, []sample{piece(1, 0, 1, 0), cloze})
	check("items", b.Items, []int64{9, 6, 7, 8})
	check("position", b.Position, []int64{0, 1, 3})
	check("target", b.Target, []int64{3, 6, 8})
}

// Windows of a long history for Cloze: each item may be hidden in one of them.
func TestWindows(t *testing.T) {
	got := windows([][]int32{sequence(1), sequence(2), sequence(4), sequence(7)}, 4, 2)
	want := []sample{piece(1, 0, 2, 0), piece(2, 0, 4, 0), piece(3, 0, 4, 0), piece(3, 2, 6, 4), piece(3, 4, 7, 6)}
	if !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The shares of what is hidden are those asked for.
func TestHide(t *testing.T) {
	const n, length = 4000, 10
	samples := make([]sample, n)
	for i := range samples {
		samples[i] = piece(int32(i), 0, length, 2) // the first two belong to another window
	}
	const ratio, lastOnly = .3, .25
	hidden := hide(samples, ratio, lastOnly, false, rand.New(rand.NewPCG(1, 1)))
	last, counts := 0, [length]int{}
	for _, s := range hidden {
		if len(s.hidden) == 0 || !slices.IsSorted(s.hidden) {
			t.Fatalf("hidden %v", s.hidden)
		}
		if len(s.hidden) == 1 && s.hidden[0] == length-1 {
			last++
		}
		for _, at := range s.hidden {
			counts[at]++
		}
	}
	near := func(what string, got int, p float64) {
		if d := math.Abs(float64(got) - n*p); d > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%s: %d of %d, want %.0f", what, got, n, n*p)
		}
	}
	if counts[0]+counts[1] > 0 {
		t.Error("an item of another window was hidden")
	}
	near("item 2", counts[2], (1-lastOnly)*ratio)
	near("item 8", counts[8], (1-lastOnly)*ratio)
	near("the last item", counts[9], lastOnly+(1-lastOnly)*ratio)
	none := math.Pow(1-ratio, length-2)
	near("samples left", len(hidden), 1-(1-lastOnly)*none)
	near("the last alone", last, lastOnly+(1-lastOnly)*ratio*math.Pow(1-ratio, length-3))
	if samples[0].hidden != nil {
		t.Error("the samples given were changed")
	}

	// The last item of a prefix instead: each one is hidden equally often, behind
	// what came before.
	ends := map[int32]int{}
	for _, s := range hide(samples, ratio, 1, true, rand.New(rand.NewPCG(1, 1))) {
		if len(s.hidden) != 1 || s.hidden[0] != s.end-1 {
			t.Fatalf("%+v", s)
		}
		ends[s.end]++
	}
	for end := int32(3); end <= length; end++ {
		near("prefixes of one length", ends[end], 1./(length-2))
	}
	if len(ends) != length-2 {
		t.Errorf("prefixes %v", ends)
	}
	// A window's first item has nothing before it.
	if got := hide([]sample{piece(0, 0, 2, 0), piece(1, 4, 5, 4)}, ratio, 1, true, rand.New(rand.NewPCG(1, 1))); got[0].end != 2 || got[1].end != 5 {
		t.Errorf("%+v", got)
	}
}

// Others with the same target, uniformly, and never the sample itself while there
// is another.
func TestSameTarget(t *testing.T) {
	seqs := [][]int32{{1, 2, 9}, {3, 9}, {4, 5, 6, 9}, {7, 8}}
	samples := prefixes(seqs, 50)
	x := newSameTarget(seqs, samples, 9)
	places := make([]int64, len(samples))
	for i := range places {
		places[i] = int64(i)
	}
	counts := map[[2]int32]int{} // user asked, user given, where the target is 9
	const n = 3000
	for step := range uint64(n) {
		for i, o := range x.draw(seqs, samples, places, numbers{1, 1, step}) {
			s := samples[i]
			if seqs[o.user][o.end] != seqs[s.user][s.end] {
				t.Fatalf("%+v for %+v", o, s)
			}
			if seqs[s.user][s.end] == 9 {
				counts[[2]int32{s.user, o.user}]++
			} else if !equal([]sample{o}, []sample{s}) {
				t.Fatalf("%+v for %+v, which is alone with its target", o, s)
			}
		}
	}
	for asked := range int32(3) {
		for given := range int32(3) {
			got := counts[[2]int32{asked, given}]
			if asked == given && got > 0 {
				t.Errorf("user %d was its own pair", asked)
			}
			if asked != given && math.Abs(float64(got)-n/2) > 5*math.Sqrt(n/4) {
				t.Errorf("user %d for user %d: %d of %d draws", given, asked, got, n)
			}
		}
	}
}

func TestEpochBatches(t *testing.T) {
	var seqs [][]int32
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		seqs = append(seqs, sequence(r.IntN(60)))
	}
	samples := allPositions(seqs, 50, 25)
	const targets = 256
	batches := epochBatches(samples, targets, sample.targets, rand.New(rand.NewPCG(7, 1)))
	var all []sample
	sum := 0
	for _, b := range batches {
		n := 0
		for i, s := range b {
			n += s.targets()
			if i > 0 && b[i-1].inputs() > s.inputs() {
				t.Fatal("a batch is not in order of length")
			}
		}
		if n > targets {
			t.Fatalf("a batch of %d targets", n)
		}
		sum += n
		all = append(all, b...)
	}
	if len(all) != len(samples) {
		t.Errorf("%d samples in batches, want %d", len(all), len(samples))
	}
	order := func(a, b sample) int { return int(a.user-b.user)*1000 + int(a.start-b.start) }
	slices.SortFunc(all, order)
	if !equal(all, samples) {
		t.Error("the batches hold other samples than they were given")
	}
	if mean := float64(sum) / float64(len(batches)); mean < .8*targets {
		t.Errorf("mean batch has %.0f targets, want near %d", mean, targets)
	}
	again := epochBatches(samples, targets, sample.targets, rand.New(rand.NewPCG(7, 1)))
	other := epochBatches(samples, targets, sample.targets, rand.New(rand.NewPCG(7, 2)))
	same := func(a, b [][]sample) bool { return slices.EqualFunc(a, b, equal) }
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
			part, places := share(batch, k, members)
			for i, s := range part {
				if at := k + i*members; !equal([]sample{s}, batch[at:][:1]) || places[i] != int64(at) {
					t.Errorf("%d members: sample %d of member %d is %+v from place %d", members, i, k, s, places[i])
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
	b := makeBatch([][]int32{{1, 2, 3}}, []sample{piece(0, 0, 2, 0)})
	const k, items = 3000, 4
	addNegatives(b, k, items, numbers{1, 1, 1})
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

// Every scored position is contrasted equally often, and a sample's draw depends on its
// place alone.
func TestEndAtRandom(t *testing.T) {
	seqs := [][]int32{{1, 2, 3, 4, 5}, {6, 7}}
	samples := allPositions(seqs, 3, 1) // two windows of the first sequence, the second scores one position
	places := []int64{0, 1, 2}
	b := makeBatch(seqs, samples)
	counts := map[[2]int64]int{}
	const n = 3000
	for step := range uint64(n) {
		r := numbers{1, 1, step}
		cut := endAtRandom(samples, places, r)
		at := contrasted(b, cut)
		for i, s := range cut {
			if s.start != samples[i].start || s.first < samples[i].first || s.end > samples[i].end || s.end != s.first+1 {
				t.Fatalf("%+v became %+v", samples[i], s)
			}
			if got, want := b.Items[at[i]], int64(seqs[s.user][s.end-1]); got != want || !slices.Contains(b.Position, at[i]) {
				t.Fatalf("sample %d is contrasted at item %d, position %d: expected item %d", i, got, at[i], want)
			}
			counts[[2]int64{int64(i), at[i]}]++
		}
		if alone := endAtRandom(samples[1:], places[1:], r); !equal(alone, cut[1:]) {
			t.Fatalf("%+v alone, %+v with the others", alone, cut[1:])
		}
	}
	// Sample 0 scores positions 0 to 2, sample 1 position 5 (the last of 1 window), sample 2 position 6.
	want := map[[2]int64]int{{0, 0}: n / 3, {0, 1}: n / 3, {0, 2}: n / 3, {1, 5}: n, {2, 6}: n}
	for key, c := range want {
		if math.Abs(float64(counts[key]-c)) > 150 {
			t.Errorf("sample %d, position %d: contrasted %d times, expected about %d", key[0], key[1], counts[key], c)
		}
	}
	if len(counts) != len(want) {
		t.Errorf("contrasted positions %v", counts)
	}
}
