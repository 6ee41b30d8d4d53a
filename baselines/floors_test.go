package baselines

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
)

func TestFloorsByHand(t *testing.T) {
	split := &datasets.Split{
		Data: &datasets.Dataset{NumItems: 5},
		Train: [][]int32{
			{1, 3, 2},       // 1→3, 3→2
			{2, 1, 3, 3, 4}, // 2→1, 1→3, 3→3, 3→4
			{1, 2},          // 1→2
			{3},
			{},
		},
	}
	// Counts: item 1 three times, 2 three times, 3 four times, 4 once, 5 never;
	// the back-off divides them by 1 + 4.
	tests := []struct {
		what     string
		baseline func(*datasets.Split) (rank.Scorer, error)
		history  []int32
		want     []float32 // by item, padding first
	}{
		{"popularity", NewPopularity, []int32{1}, []float32{0, 3, 3, 4, 1, 0}},
		{"popularity", NewPopularity, nil, []float32{0, 3, 3, 4, 1, 0}},
		{"markov", NewMarkov, []int32{2, 1}, []float32{0, .6, 1.6, 2.8, .2, 0}},
		{"markov", NewMarkov, []int32{1, 2}, []float32{0, 1.6, .6, .8, .2, 0}},
		{"markov", NewMarkov, []int32{3}, []float32{0, .6, 1.6, 1.8, 1.2, 0}},
		{"markov after an item that nothing followed", NewMarkov, []int32{1, 4}, []float32{0, .6, .6, .8, .2, 0}},
		{"markov after an item not in training", NewMarkov, []int32{5}, []float32{0, .6, .6, .8, .2, 0}},
		{"markov without history", NewMarkov, nil, []float32{0, .6, .6, .8, .2, 0}},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			scorer, err := test.baseline(split)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 3, 2} {
				cases := slices.Repeat([]datasets.Case{{History: test.history, Target: 1}}, n)
				got := allScores(t, scorer, cases)
				if want := slices.Repeat(test.want, n); !slices.Equal(got, want) {
					t.Errorf("%d cases after %v: %v, want %v", n, test.history, got, want)
				}
			}
		})
	}
}

// allScores are the rows that a scorer gives, one after the other.
func allScores(t *testing.T, s rank.Scorer, cases []datasets.Case) (all []float32) {
	t.Helper()
	err := s.Score(cases, func(first int, scores []float32) {
		if first*len(scores) != len(all) {
			t.Errorf("case %d comes after %d scores", first, len(all))
		}
		all = append(all, scores...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMarkovRowsAreIndependent(t *testing.T) {
	scorer, err := NewMarkov(&datasets.Split{Data: &datasets.Dataset{NumItems: 3}, Train: [][]int32{{1, 2}, {2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	got := allScores(t, scorer, []datasets.Case{{History: []int32{1}}, {History: []int32{2}}, {History: []int32{3}}})
	third, twoThirds := float32(1./3), float32(2./3)
	want := []float32{0, third, 1 + twoThirds, third, 0, third, twoThirds, 1 + third, 0, third, twoThirds, third}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Fatalf("scores %v, want %v", got, want)
		}
	}
}

func TestFloorsRefuse(t *testing.T) {
	tests := []struct {
		what   string
		train  [][]int32
		reason string
	}{
		{"nothing to fit", [][]int32{{}, {}}, "no interactions in training"},
		{"item too high", [][]int32{{1}, {2, 4}}, "user 1 has item 4 in training, expected 1…3"},
		{"padding", [][]int32{{1, 0}}, "user 0 has item 0"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			s := &datasets.Split{Data: &datasets.Dataset{NumItems: 3}, Train: test.train}
			for name, baseline := range map[string]func(*datasets.Split) (rank.Scorer, error){"popularity": NewPopularity, "markov": NewMarkov} {
				if _, err := baseline(s); err == nil || !strings.Contains(err.Error(), test.reason) || !strings.HasPrefix(err.Error(), name) {
					t.Errorf("%s: error %v, want one with %q", name, err, test.reason)
				}
			}
		})
	}
	m, err := NewMarkov(&datasets.Split{Data: &datasets.Dataset{NumItems: 3}, Train: [][]int32{{1, 2}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Score([]datasets.Case{{User: 7, History: []int32{4}}}, func(int, []float32) {}); err == nil || !strings.Contains(err.Error(), "user 7 has item 4") {
		t.Errorf("unknown last item: error %v", err)
	}
}

// TestFloorsOnBeauty ranks the embedded Amazon Beauty with the non-neural
// baselines. The expected numbers come from a script that shares no code with
// this project: plain Python from the S3-Rec sequence file, which compares
// counts and popularities exactly, as pairs of whole numbers, not as float32
// sums.
func TestFloorsOnBeauty(t *testing.T) {
	d, err := datasets.Open(datasets.Config{Name: "amazon-beauty"}, "")
	if err != nil {
		t.Fatal(err)
	}
	split, err := datasets.NewSplit(d, "leave-one-out")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		what          string
		baseline      func(*datasets.Split) (rank.Scorer, error)
		cases         []datasets.Case
		kept, removed rank.Metrics
	}{
		{"popularity/valid", NewPopularity, split.Valid,
			rank.Metrics{"HR@10": .015069534, "NDCG@10": .007477385, "MRR": .007693322, "Coverage@10": .000826378},
			rank.Metrics{"HR@10": .015740285, "NDCG@10": .007752048, "MRR": .007829022, "Coverage@10": .001239567}},
		{"popularity/test", NewPopularity, split.Test,
			rank.Metrics{"HR@10": .010642579, "NDCG@10": .005089270, "MRR": .005401148, "Coverage@10": .000826378},
			rank.Metrics{"HR@10": .010955596, "NDCG@10": .005261538, "MRR": .005530600, "Coverage@10": .001239567}},
		{"markov/valid", NewMarkov, split.Valid,
			rank.Metrics{"HR@10": .084335733, "NDCG@10": .053916050, "MRR": .047819887, "Coverage@10": .863647632},
			rank.Metrics{"HR@10": .085587801, "NDCG@10": .055260828, "MRR": .049131128, "Coverage@10": .865878853}},
		{"markov/test", NewMarkov, split.Test,
			rank.Metrics{"HR@10": .065599428, "NDCG@10": .042576047, "MRR": .038154356, "Coverage@10": .858110900},
			rank.Metrics{"HR@10": .066538479, "NDCG@10": .043787973, "MRR": .039410409, "Coverage@10": .860837947}},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			scorer, err := test.baseline(split)
			if err != nil {
				t.Fatal(err)
			}
			r, err := rank.Evaluate(context.Background(), scorer, test.cases, d.NumItems, rank.Options{Coverage: true})
			if err != nil {
				t.Fatal(err)
			}
			for rule, pair := range map[string][2]rank.Metrics{"kept": {r.Kept, test.kept}, "removed": {r.Removed, test.removed}} {
				for name, want := range pair[1] {
					if got := pair[0][name]; math.Abs(got-want) > 1e-9 {
						t.Errorf("%s %s = %.9f, want %.9f", name, rule, got, want)
					}
				}
			}
		})
	}
}
