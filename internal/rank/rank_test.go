package rank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"famebench/datasets"
)

// table is a Scorer with a fixed row of scores for each user. It gives each block in some
// visits at the same time, and puts a NaN into column 0, which must not matter.
type table struct {
	rows   [][]float32       // [users][numItems+1]
	visits int               // 0 is 1
	blocks [][]datasets.Case // what Score was called with
}

func (s *table) Score(cases []datasets.Case, visit Visit) error {
	s.blocks = append(s.blocks, slices.Clone(cases))
	var wg sync.WaitGroup
	visits := max(1, s.visits)
	for k := range visits {
		first, end := k*len(cases)/visits, (k+1)*len(cases)/visits
		if first == end {
			continue
		}
		wg.Go(func() {
			var scores []float32
			for _, c := range cases[first:end] {
				scores = append(scores, float32(math.NaN()))
				scores = append(scores, s.rows[c.User][1:]...)
			}
			visit(first, scores)
		})
	}
	wg.Wait()
	return nil
}

func evaluate(t *testing.T, s Scorer, cases []datasets.Case, numItems int, o Options) *Result {
	t.Helper()
	r, err := Evaluate(context.Background(), s, cases, numItems, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRanksByHand(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	//                 item:  1  2  3  4  5  6
	tests := []struct {
		what          string
		scores        []float32
		history       []int32
		target        int32
		kept, removed int32
	}{
		{"best", []float32{1, 2, 9, 4, 5, 6}, []int32{1}, 3, 1, 1},
		{"worst", []float32{1, 2, 0, 4, 5, 6}, []int32{1}, 3, 6, 5},
		{"seen items above", []float32{1, 2, 3, 4, 5, 6}, []int32{6, 1, 5}, 3, 4, 2},
		{"seen items below", []float32{1, 2, 3, 4, 5, 6}, []int32{1, 2}, 3, 4, 4},
		{"all equal", []float32{1, 1, 1, 1, 1, 1}, []int32{1, 2}, 3, 6, 4},
		{"tied with seen and unseen", []float32{3, 0, 3, 3, 0, 0}, []int32{1}, 3, 3, 2},
		{"zeros of both signs tie", []float32{0, -1, float32(math.Copysign(0, -1)), -1, -1, -1}, []int32{2}, 3, 2, 2},
		{"NaN counts against", []float32{nan, nan, 3, 0, 0, 0}, []int32{1}, 3, 3, 2},
		{"infinities", []float32{inf, -inf, 3, inf, 0, 0}, []int32{1}, 3, 3, 2},
		{"target in the history", []float32{9, 2, 3, 4, 5, 6}, []int32{3, 1, 3}, 3, 5, 4},
		{"history with repeats", []float32{9, 2, 3, 4, 5, 6}, []int32{1, 1, 6, 1, 6}, 3, 5, 3},
		{"empty history", []float32{9, 2, 3, 4, 5, 6}, nil, 3, 5, 5},
		{"padding in the history", []float32{9, 2, 3, 4, 5, 6}, []int32{0, 1, 0}, 3, 5, 4},
		{"all others seen", []float32{9, 9, 3, 9, 9, 9}, []int32{1, 2, 4, 5, 6}, 3, 6, 1},
		{"first item", []float32{5, 9, 9, 1, 1, 1}, []int32{2}, 1, 3, 2},
		{"last item", []float32{9, 9, 1, 1, 1, 5}, []int32{2}, 6, 3, 2},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			s := &table{rows: [][]float32{append([]float32{0}, test.scores...)}}
			r := evaluate(t, s, []datasets.Case{{History: test.history, Target: test.target}}, 6, Options{})
			if r.RanksKept[0] != test.kept || r.RanksRemoved[0] != test.removed {
				t.Errorf("ranks %d kept and %d removed, want %d and %d", r.RanksKept[0], r.RanksRemoved[0], test.kept, test.removed)
			}
			if r.Kept["MRR"] != 1/float64(test.kept) || r.Removed["MRR"] != 1/float64(test.removed) {
				t.Errorf("MRR %v kept and %v removed, want 1/%d and 1/%d", r.Kept["MRR"], r.Removed["MRR"], test.kept, test.removed)
			}
		})
	}
}

func TestAveragesByHand(t *testing.T) {
	got := averages([]int32{1, 3, 7, 31, 20, 10})
	log := func(r float64) float64 { return 1 / math.Log2(r+1) }
	want := Metrics{
		"HR@1": 1. / 6, "HR@5": 2. / 6, "HR@10": 4. / 6, "HR@20": 5. / 6,
		// log2(2) = 1, log2(4) = 2, log2(8) = 3
		"NDCG@1":  1. / 6,
		"NDCG@5":  (1 + 1./2) / 6,
		"NDCG@10": (1 + 1./2 + 1./3 + log(10)) / 6,
		"NDCG@20": (1 + 1./2 + 1./3 + log(20) + log(10)) / 6,
		"MRR":     (1 + 1./3 + 1./7 + 1./31 + 1./20 + 1./10) / 6,
	}
	names := MetricNames()
	if len(got) != len(want) || len(names) != len(want)+1 {
		t.Errorf("%d metrics and %d names, want %d and one more for coverage", len(got), len(names), len(want))
	}
	for _, name := range names[:len(names)-1] {
		if math.Abs(got[name]-want[name]) > 1e-15 {
			t.Errorf("%s = %v, want %v", name, got[name], want[name])
		}
	}
	if names[len(names)-1] != "Coverage@10" {
		t.Errorf("last metric %s, want Coverage@10", names[len(names)-1])
	}
}

func TestCoverageByHand(t *testing.T) {
	// 12 items, user 0 likes them in the order 1, 2, …; all are equal to user 1,
	// so lower ids come first. Kept: both lists are 1…10. Removed: user 0 has
	// had 2 and 3 (and 4, the target, which stays): 1, 4, 5, …, 12; user 1 has had
	// nothing but padding.
	descending, equal := make([]float32, 13), make([]float32, 13)
	for v := range descending {
		descending[v] = float32(-v)
	}
	s := &table{rows: [][]float32{descending, equal}}
	cases := []datasets.Case{{User: 0, History: []int32{2, 3}, Target: 4}, {User: 1, History: []int32{0}, Target: 1}}
	r := evaluate(t, s, cases, 12, Options{Coverage: true})
	if got := r.Kept["Coverage@10"]; got != 10./12 {
		t.Errorf("kept %v, want 10/12", got)
	}
	if got := r.Removed["Coverage@10"]; got != 1 {
		t.Errorf("removed %v, want 12/12", got)
	}
	if _, there := evaluate(t, s, cases, 12, Options{}).Kept["Coverage@10"]; there {
		t.Error("Coverage@10 is there although it was not asked for")
	}
	// Fewer items than the list is long: all of them.
	few := &table{rows: [][]float32{{0, 1, 2, 3}}}
	r = evaluate(t, few, []datasets.Case{{History: []int32{3}, Target: 1}}, 3, Options{Coverage: true})
	if r.Kept["Coverage@10"] != 1 || r.Removed["Coverage@10"] != 2./3 {
		t.Errorf("3 items: kept %v and removed %v, want 1 and 2/3", r.Kept["Coverage@10"], r.Removed["Coverage@10"])
	}
}

// naive gives a case's ranks and top-10 lists by the definitions, with a set
// and a sort.
func naive(scores []float32, c datasets.Case) (kept, removed int32, topKept, topRemoved []int) {
	kept, removed, topKept, topRemoved = naiveLists(scores, c, func(int) int { return 0 })
	return kept, removed, topKept[:min(10, len(topKept))], topRemoved[:min(10, len(topRemoved))]
}

// naiveLists gives all candidates, those of equal scores in the order of tie and
// then of their ids.
func naiveLists(scores []float32, c datasets.Case, tie func(v int) int) (kept, removed int32, all, unseen []int) {
	seen := map[int32]bool{}
	for _, v := range c.History {
		seen[v] = v != c.Target
	}
	kept, removed = 1, 1
	for v := 1; v < len(scores); v++ {
		beats := int32(v) != c.Target && !(scores[v] < scores[c.Target])
		all = append(all, v)
		if beats {
			kept++
		}
		if !seen[int32(v)] {
			unseen = append(unseen, v)
			if beats {
				removed++
			}
		}
	}
	value := func(v int) float64 {
		if s := float64(scores[v]); !math.IsNaN(s) {
			return s
		}
		return math.Inf(1)
	}
	for _, list := range [][]int{all, unseen} {
		slices.SortFunc(list, func(a, b int) int { return cmp.Or(cmp.Compare(value(b), value(a)), tie(a)-tie(b), a-b) })
	}
	return kept, removed, all, unseen
}

// scenario draws cases with everything that is awkward: ties, NaN, infinities,
// repeats, targets in the history, empty and long histories, unsorted users.
func scenario(seed uint64, users, numItems int) (*table, []datasets.Case) {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &table{}
	var cases []datasets.Case
	levels := []float64{1, 4, 100}[seed%3] // few levels give many ties
	for u := range users {
		row := make([]float32, numItems+1)
		for v := range row {
			row[v] = float32(math.Round(rng.NormFloat64()*levels) / levels)
			switch rng.IntN(50) {
			case 0:
				row[v] = float32(math.NaN())
			case 1:
				row[v] = float32(math.Inf(1))
			case 2:
				row[v] = float32(math.Inf(-1))
			}
		}
		c := datasets.Case{User: int32(u), Target: int32(1 + rng.IntN(numItems))}
		row[c.Target] = float32(math.Round(rng.NormFloat64()*levels) / levels)
		for range rng.IntN(3) * rng.IntN(40) {
			c.History = append(c.History, int32(1+rng.IntN(numItems)))
		}
		if rng.IntN(4) == 0 {
			c.History = append(c.History, c.Target)
		}
		s.rows, cases = append(s.rows, row), append(cases, c)
	}
	rng.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	return s, cases
}

func TestAgainstNaiveForAnyBlockAndThreads(t *testing.T) {
	for seed, size := range [][2]int{{1, 1}, {3, 2}, {57, 9}, {120, 11}, {200, 63}, {101, 300}} {
		users, numItems := size[0], size[1]
		t.Run(fmt.Sprintf("%dx%d", users, numItems), func(t *testing.T) {
			s, cases := scenario(uint64(seed), users, numItems)
			first := evaluate(t, s, cases, numItems, Options{Coverage: true})
			allKept, allRemoved := map[int]bool{}, map[int]bool{}
			for i, c := range cases {
				kept, removed, topKept, topRemoved := naive(s.rows[c.User], c)
				if first.RanksKept[i] != kept || first.RanksRemoved[i] != removed {
					t.Fatalf("case %d: ranks %d and %d, want %d and %d", i, first.RanksKept[i], first.RanksRemoved[i], kept, removed)
				}
				for _, v := range topKept {
					allKept[v] = true
				}
				for _, v := range topRemoved {
					allRemoved[v] = true
				}
			}
			if got, want := first.Kept["Coverage@10"], float64(len(allKept))/float64(numItems); got != want {
				t.Errorf("coverage kept %v, want %v", got, want)
			}
			if got, want := first.Removed["Coverage@10"], float64(len(allRemoved))/float64(numItems); got != want {
				t.Errorf("coverage removed %v, want %v", got, want)
			}
			for _, s.visits = range []int{1, 2, 5, 64} {
				for _, block := range []int{0, 1, 7, 100} {
					got := evaluate(t, s, cases, numItems, Options{Block: block, Coverage: true})
					if !reflect.DeepEqual(got, first) {
						t.Errorf("%d visits and blocks of %d: result differs from that of 1 visit and one block", s.visits, block)
					}
				}
			}
		})
	}
}

// TestTop compares the lists with a sort in which the target comes last among its
// ties, and finds the target at its rank, or not at all when the list ends before.
func TestTop(t *testing.T) {
	for seed, size := range [][2]int{{1, 1}, {3, 2}, {57, 9}, {120, 11}, {200, 63}, {101, 300}} {
		users, numItems := size[0], size[1]
		s, cases := scenario(uint64(seed), users, numItems)
		for _, k := range []int{1, 7, 20, 1000} {
			first := evaluate(t, s, cases, numItems, Options{Top: k})
			for i, c := range cases {
				_, _, kept, removed := naiveLists(s.rows[c.User], c, func(v int) int {
					if int32(v) == c.Target {
						return 1
					}
					return 0
				})
				for _, rule := range []struct {
					name string
					rank int32
					got  []int32
					want []int
				}{
					{"kept", first.RanksKept[i], first.TopKept[i], kept},
					{"removed", first.RanksRemoved[i], first.TopRemoved[i], removed},
				} {
					var want []int32
					for _, v := range rule.want[:min(k, len(rule.want))] {
						want = append(want, int32(v))
					}
					if !slices.Equal(rule.got, want) {
						t.Fatalf("%d items, case %d, %s: top %d is %v, want %v", numItems, i, rule.name, k, rule.got, want)
					}
					place := int32(slices.Index(rule.got, c.Target)) + 1
					if place != rule.rank && (place != 0 || int(rule.rank) <= k) {
						t.Errorf("%d items, case %d, %s: the target stands at %d of %d, its rank is %d",
							numItems, i, rule.name, place, k, rule.rank)
					}
				}
			}
			for i, o := range []Options{{Top: k}, {Block: 7, Top: k, Coverage: true}, {Block: 100, Top: k}} {
				s.visits = 1 + 3*i
				got := evaluate(t, s, cases, numItems, o)
				if !reflect.DeepEqual(got.TopKept, first.TopKept) || !reflect.DeepEqual(got.TopRemoved, first.TopRemoved) ||
					!slices.Equal(got.RanksKept, first.RanksKept) {
					t.Errorf("%d items, %+v: lists differ from those of one visit", numItems, o)
				}
			}
		}
		if r := evaluate(t, s, cases, numItems, Options{}); r.TopKept != nil || r.TopRemoved != nil {
			t.Error("there are lists although none were asked for")
		}
	}
}

// TestTopListsOfEachRow compares the lists themselves: coverage alone would
// hide a wrong item that another user's list holds.
func TestTopListsOfEachRow(t *testing.T) {
	s, cases := scenario(2, 100, 80)
	for i, c := range cases {
		_, _, topKept, topRemoved := naive(s.rows[c.User], c)
		w := newWorker(80, Options{Coverage: true})
		r := &Result{RanksKept: make([]int32, 1), RanksRemoved: make([]int32, 1), TenKept: make([][]int32, 1), TenRemoved: make([][]int32, 1)}
		if _, err := w.rankRows(r, []datasets.Case{c}, []int{0}, s.rows[c.User]); err != nil {
			t.Fatal(err)
		}
		for name, pair := range map[string]struct {
			got  itemSet
			list []int32
			want []int
		}{"kept": {w.topKept, r.TenKept[0], topKept}, "removed": {w.topRemoved, r.TenRemoved[0], topRemoved}} {
			want, list := newItemSet(80), []int32{}
			for _, v := range pair.want {
				want[v], list = true, append(list, int32(v))
			}
			if !slices.Equal(pair.got, want) || !slices.Equal(pair.list, list) {
				t.Errorf("case %d, %s: list differs from %v", i, name, pair.want)
			}
		}
	}
}

func TestBlocksGoFromShortToLong(t *testing.T) {
	s := &table{rows: [][]float32{{0, 1, 2}}}
	lengths := []int{60, 3, 0, 51, 50, 3, 49, 1}
	var cases []datasets.Case
	for _, n := range lengths {
		cases = append(cases, datasets.Case{History: slices.Repeat([]int32{2}, n), Target: 1})
	}
	var done []int
	evaluate(t, s, cases, 2, Options{Block: 3, Progress: func(d, total int) {
		if total != len(lengths) {
			t.Errorf("progress of %d cases, want %d", total, len(lengths))
		}
		done = append(done, d)
	}})
	var got []int
	for _, block := range s.blocks {
		for _, c := range block {
			got = append(got, len(c.History))
		}
	}
	// 50 and more cost the same: these keep their order.
	if want := []int{0, 1, 3, 3, 49, 60, 51, 50}; !slices.Equal(got, want) {
		t.Errorf("history lengths in order of scoring %v, want %v", got, want)
	}
	if want := []int{3, 6, 8}; !slices.Equal(done, want) {
		t.Errorf("progress %v, want %v", done, want)
	}
}

// broken is a Scorer that gives what it holds.
type broken struct {
	scores []float32
	err    error
}

func (s broken) Score(_ []datasets.Case, visit Visit) error {
	if s.scores != nil {
		visit(0, s.scores)
	}
	return s.err
}

func TestEvaluateRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	one := []datasets.Case{{User: 7, History: []int32{1}, Target: 2}}
	lost := errors.New("device lost")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		what     string
		ctx      context.Context
		scorer   Scorer
		cases    []datasets.Case
		numItems int
		options  Options
		reason   string
	}{
		{"no cases", nil, broken{}, nil, 3, Options{}, "no cases"},
		{"no items", nil, broken{}, one, 0, Options{}, "0 items"},
		{"negative block", nil, broken{}, one, 3, Options{Block: -1}, "blocks of -1"},
		{"negative list", nil, broken{}, one, 3, Options{Top: -1}, "lists of -1"},
		{"target 0", nil, broken{}, []datasets.Case{one[0], {User: 8}}, 3, Options{}, "case 1 (user 8): target is item 0, expected 1…3"},
		{"target too high", nil, broken{}, one, 1, Options{}, "case 0 (user 7): target is item 2, expected 1…1"},
		{"item too high", nil, broken{}, []datasets.Case{{User: 7, History: []int32{1, 4}, Target: 2}}, 3, Options{}, "history holds item 4, expected 1…3"},
		{"negative item", nil, broken{}, []datasets.Case{{User: 7, History: []int32{-1}, Target: 2}}, 3, Options{}, "history holds item -1"},
		{"too few scores", nil, broken{scores: make([]float32, 3)}, one, 3, Options{}, "3 scores from case 0 of 1 on, expected rows of 4"},
		{"too many cases", nil, broken{scores: make([]float32, 8)}, one, 3, Options{}, "8 scores from case 0 of 1 on"},
		{"no scores", nil, broken{}, one, 3, Options{}, "scores for 0 cases, expected 1"},
		{"NaN target", nil, broken{scores: []float32{0, 0, nan, 0}}, one, 3, Options{}, "case 0 (user 7): the target, item 2, has score NaN"},
		{"infinite target", nil, broken{scores: []float32{0, 0, -inf, 0}}, one, 3, Options{}, "has score -Inf"},
		{"failing scorer", nil, broken{err: lost}, one, 3, Options{}, "device lost"},
		{"cancelled", cancelled, broken{}, one, 3, Options{}, "stopped after 0 of 1 cases: context canceled"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			ctx := test.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			r, err := Evaluate(ctx, test.scorer, test.cases, test.numItems, test.options)
			if r != nil || err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("result %v and error %v, want an error with %q", r, err, test.reason)
			}
		})
	}
	if _, err := Evaluate(context.Background(), broken{err: lost}, one, 3, Options{}); !errors.Is(err, lost) {
		t.Errorf("error %v does not wrap the scorer's", err)
	}
	if _, err := Evaluate(cancelled, broken{}, one, 3, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v does not wrap context.Canceled", err)
	}
}

// TestFirstBadCaseIsNamed: the error is the same however the rows are split.
func TestFirstBadCaseIsNamed(t *testing.T) {
	s, cases := scenario(0, 64, 20)
	for _, i := range []int{10, 40, 41} {
		s.rows[cases[i].User][cases[i].Target] = float32(math.NaN())
	}
	for i := range cases { // equal lengths keep the order of the cases
		cases[i].History = nil
	}
	for _, s.visits = range []int{1, 2, 3, 16} {
		_, err := Evaluate(context.Background(), s, cases, 20, Options{})
		if err == nil || !strings.Contains(err.Error(), "case 10 ") {
			t.Errorf("%d visits: error %v, want one of case 10", s.visits, err)
		}
	}
}

// fixed is a Scorer that costs nothing.
type fixed []float32

func (s fixed) Score(cases []datasets.Case, visit Visit) error {
	for first := 0; first < len(cases); first += 128 {
		visit(first, s[:min(128, len(cases)-first)*12102])
	}
	return nil
}

// BenchmarkEvaluate has Beauty's size: 22,363 cases, 12,101 items, histories of
// 8 items on average.
func BenchmarkEvaluate(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := make(fixed, 128*12102)
	for i := range s {
		s[i] = float32(rng.NormFloat64())
	}
	cases := make([]datasets.Case, 22363)
	for i := range cases {
		cases[i].Target = int32(1 + rng.IntN(12101))
		for range 3 + rng.IntN(10) {
			cases[i].History = append(cases[i].History, int32(1+rng.IntN(12101)))
		}
	}
	for _, o := range []Options{{}, {Coverage: true}, {Top: 20}, {Top: 1000}} {
		b.Run(fmt.Sprintf("coverage=%v/top=%d", o.Coverage, o.Top), func(b *testing.B) {
			for b.Loop() {
				if _, err := Evaluate(context.Background(), s, cases, 12101, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestTopOfARow(t *testing.T) {
	scores := []float32{9, 1, 5, 3, 5, 4, 2}
	for k, want := range map[int][]int32{1: {2}, 3: {2, 4, 3}, 9: {2, 4, 3, 6, 1}} {
		if got := Top(scores, []int32{5}, k); !slices.Equal(got, want) {
			t.Errorf("top %d: %v, want %v", k, got, want)
		}
	}
	nan := float32(math.NaN())
	if got := Top([]float32{0, 1, nan, 2}, nil, 2); !slices.Equal(got, []int32{2, 3}) {
		t.Errorf("with a NaN: %v, expected it first", got)
	}
}
