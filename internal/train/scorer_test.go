package train

import (
	"math"
	"slices"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

func TestHistoryBatch(t *testing.T) {
	b := HistoryBatch([]datasets.Case{{History: []int32{1, 2, 3, 4}}, {History: []int32{5}}, {}}, 3)
	if want := []int64{2, 3, 4, 5, 0}; !slices.Equal(b.Items, want) {
		t.Errorf("items %v, want %v", b.Items, want)
	}
	if want := []int64{3, 1, 1}; !slices.Equal(b.Lengths, want) {
		t.Errorf("lengths %v, want %v", b.Lengths, want)
	}
}

// Scores do not depend on how the cases are divided: among members, or with
// which others.
func TestScorer(t *testing.T) {
	s, c := basic.Cyclic(t, 120, 10), testConfig()
	cases := slices.Repeat(s.Test[:7], 90) // more than a member takes at a time
	width := s.Data.NumItems + 1
	scores := func(threads int) []float32 {
		var all []float32
		err := withModel(threads, 1, s, c, func(m *Replicas) error {
			scorer := NewScorer(m, s.Data.NumItems, c.MaxLen)
			all = allScores(t, scorer, cases, width)
			for i := range cases[:7] {
				near(t, allScores(t, scorer, cases[i:i+1], width), all[i*width:(i+1)*width])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(cases)*width {
			t.Fatalf("%d scores for %d cases of %d", len(all), len(cases), width)
		}
		return all
	}
	want := scores(1)
	for _, threads := range []int{2, 10} { // more members than cases, too
		near(t, scores(threads), want)
	}
	if want[1] == want[2] && want[2] == want[3] {
		t.Errorf("all scores are %v", want[1])
	}
}

// allScores are the scores that a scorer gives, by case.
func allScores(t *testing.T, s rank.Scorer, cases []datasets.Case, width int) []float32 {
	t.Helper()
	all := make([]float32, len(cases)*width)
	if err := s.Score(cases, func(first int, scores []float32) { copy(all[first*width:], scores) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// Dropout is off while ranking.
func TestScorerIsDeterministic(t *testing.T) {
	s, c := basic.Cyclic(t, 120, 10), testConfig()
	err := torch.RunTeam(torch.Config{Threads: 1}, func(team *torch.Team) error {
		m, err := NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
			rt.SetTraining(true)
			return baselines.NewSASRec(rt, baselines.SASRecDefaults(), c.ItemLoss(), s.Data.NumItems, c.MaxLen)
		})
		if err != nil {
			return err
		}
		scorer := NewScorer(m, s.Data.NumItems, c.MaxLen)
		width := s.Data.NumItems + 1
		if !slices.Equal(allScores(t, scorer, s.Test, width), allScores(t, scorer, s.Test, width)) {
			t.Error("two rankings differ")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-5 {
			t.Fatalf("score %d is %v, want %v", i, got[i], want[i])
		}
	}
}
