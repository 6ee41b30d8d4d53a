package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"famebench/datasets"
)

// facet has items 1…n whose labels take turns.
func facet(items, labels int) datasets.Facet {
	f := datasets.Facet{Name: "brand", Labels: make([][]int32, items+1), Values: make([]string, labels)}
	for l := range f.Values {
		f.Values[l] = string(rune('a' + l))
	}
	for v := 1; v <= items; v++ {
		f.Labels[v] = []int32{int32(v % labels)}
	}
	return f
}

// Heads that recommend one label each are detected, with the right information;
// heads that recommend at random are not.
func TestSpecialisation(t *testing.T) {
	const H, items = 4, 400
	f := facet(items, H)
	r := rand.New(rand.NewPCG(1, 1))
	lists := func(pick func(h int) int32) (out [][][]int32) {
		for range 200 {
			var user [][]int32
			for h := range H {
				var list []int32
				for range 20 {
					list = append(list, pick(h))
				}
				user = append(user, list)
			}
			out = append(out, user)
		}
		return out
	}
	test := func(pick func(h int) int32) Facet { return specialisation(f, itemCounts(lists(pick), H, items+1), 999) }
	own := test(func(h int) int32 { return int32(1+r.IntN(items/H-1))*H + int32(h) })
	if mi := own.MutualInformation; math.Abs(mi.Value-2) > 1e-9 || mi.Control > .05 || mi.P != .001 {
		t.Errorf("four heads with four labels: %+v, want 2 bits, p .001", mi)
	}
	for h, head := range own.Heads {
		if math.Abs(head.Divergence.Value-2) > 1e-9 || len(head.Prefers) != 1 || head.Prefers[0] != (Prefer{f.Values[h], 1, .25}) {
			t.Errorf("head %d: %+v", h, head)
		}
	}
	low := 0
	for range 20 {
		random := test(func(int) int32 { return int32(1 + r.IntN(items)) })
		mi := random.MutualInformation
		if mi.Value > .01 || math.Abs(mi.Value-mi.Control) > .005 {
			t.Errorf("random lists: %+v", mi)
		}
		if mi.P <= .05 {
			low++
		}
	}
	if low > 5 {
		t.Errorf("%d of 20 random cases have p ≤ .05", low)
	}

	// Heads that prefer items of their own, whatever their labels, are not detected.
	low = 0
	for range 20 {
		var own [H][]int32
		for h := range own {
			for range 30 {
				own[h] = append(own[h], int32(1+r.IntN(items)))
			}
		}
		if test(func(h int) int32 { return own[h][r.IntN(30)] }).MutualInformation.P <= .05 {
			low++
		}
	}
	if low > 5 {
		t.Errorf("%d of 20 cases of heads with items of their own have p ≤ .05", low)
	}

	// Heads with the same lists have no information, however sums of thirds are
	// rounded.
	thirds := facet(items, 5)
	for v := range thirds.Labels[1:] {
		thirds.Labels[v+1] = []int32{int32(v % 5), int32((v + 1) % 5), int32((v + 2) % 5)}
	}
	same := itemCounts(lists(func(int) int32 { return int32(1 + r.IntN(items)) }), 1, items+1)
	mi := specialisation(thirds, slices.Repeat(same, 3), 999).MutualInformation
	if math.Abs(mi.Value) > 1e-12 || mi.P != 1 {
		t.Errorf("three heads with the same lists: %+v", mi)
	}
}

// Shuffled labels are those of the facet, and unlabelled items stay unlabelled: a
// facet with only one label has no information when shuffled.
func TestControlDealsTheLabels(t *testing.T) {
	f := datasets.Facet{Labels: [][]int32{nil, {0}, {0}, {1}, nil}, Values: []string{"x", "y"}}
	// Head 0 lists item 3, head 1 item 1. Of three labelled items, a third of the
	// shuffles each give y to item 3, to item 1 and to item 2, which no head lists.
	got := specialisation(f, [][]float64{{0, 0, 0, 1, 0}, {0, 1, 0, 0, 5}}, 999).MutualInformation
	if got.Value != 1 || math.Abs(got.Control-2./3) > .05 || math.Abs(got.P-2./3) > .05 {
		t.Errorf("%+v, want 1 bit, by chance in two of three shuffles", got)
	}
}

// Holm's correction covers every test of an analysis: facets and heads.
func TestCorrect(t *testing.T) {
	test := func(p float64) Preference { return Preference{Divergence: Tested{P: p}} }
	a := &Analysis{Facets: []Facet{
		{MutualInformation: Tested{P: .01}, Heads: []Preference{test(.2), test(.004)}},
		{MutualInformation: Tested{P: .03}, Heads: []Preference{test(.9), test(.001)}},
	}}
	if err := a.correct(); err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, f := range a.Facets {
		got = append(got, f.MutualInformation.Holm, f.Heads[0].Divergence.Holm, f.Heads[1].Divergence.Holm)
	}
	// Ascending: 6·.001, 5·.004, 4·.01, 3·.03, 2·.2, 1·.9.
	for i, want := range []float64{.04, .4, .02, .09, .9, .006} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("test %d: %v after correction, want %v", i, got[i], want)
		}
	}
}

// However many tests there are, the least p can be significant after Holm's correction.
func TestShufflesFor(t *testing.T) {
	for tests, want := range map[int]int{1: 999, 25: 999, 26: 1039, 32 * 33: 42239} {
		n := shufflesFor(tests)
		if least := float64(tests) / float64(n+1); n != want || least > .0251 {
			t.Errorf("%d tests: %d shuffles, least p %v", tests, n, least)
		}
	}
}

// Beauty's size: 2,048 users, four heads, a facet like its brands. An analysis has
// four facets.
func BenchmarkSpecialisation(b *testing.B) {
	const H, items = 4, 12_101
	f := facet(items, 26)
	r := rand.New(rand.NewPCG(1, 1))
	counts := make([][]float64, H)
	for h := range counts {
		counts[h] = make([]float64, items+1)
		for range listUsers * listLen {
			counts[h][1+int(float64(items)*math.Pow(r.Float64(), 3))]++ // a few items are listed often
		}
	}
	for b.Loop() {
		specialisation(f, counts, 999)
	}
}

// The heads' divergences, weighted by their shares, add up to the mutual
// information. Items without a label do not count, and several labels share one
// count.
func TestInformation(t *testing.T) {
	f := datasets.Facet{Labels: [][]int32{nil, {0}, {1}, {0, 1}, nil}, Values: []string{"x", "y"}}
	counts := count(itemCounts([][][]int32{{{1, 3, 4}, {2}}, {{1}, {2, 2}}}, 2, 5), f.Labels, 2)
	if !slices.Equal(counts[0], []float64{2.5, .5}) || !slices.Equal(counts[1], []float64{0, 3}) {
		t.Fatalf("counts %v", counts)
	}
	info, d := information(counts)
	// From the definition: Σ p(h,l) log2 p(h,l)/(p(h)·p(l)).
	want := 2.5/6*math.Log2(2.5/6/(3./6*2.5/6)) + .5/6*math.Log2(.5/6/(3./6*3.5/6)) + 3./6*math.Log2(3./6/(3./6*3.5/6))
	if math.Abs(info-want) > 1e-12 || math.Abs((d[0]+d[1])/2-want) > 1e-12 {
		t.Errorf("information %v of %v, want %v", info, d, want)
	}
	if info, _ := information([][]float64{{0}, {0}}); info != 0 {
		t.Errorf("no lists give %v bits", info)
	}
}
