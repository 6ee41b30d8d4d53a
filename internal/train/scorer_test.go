package train

import (
	"math"
	"slices"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
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
	cases := s.Test[:7]
	width := s.Data.NumItems + 1
	scores := func(threads int) []float32 {
		var all []float32
		err := withModel(threads, 1, s, c, func(m *Replicas) error {
			scorer := NewScorer(m, s.Data.NumItems, c.MaxLen)
			got, err := scorer.Scores(cases)
			all = slices.Clone(got)
			for i := range cases {
				one, err := scorer.Scores(cases[i : i+1])
				if err != nil {
					return err
				}
				near(t, one, all[i*width:(i+1)*width])
			}
			return err
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
		first, err := scorer.Scores(s.Test)
		if err != nil {
			return err
		}
		first = slices.Clone(first)
		if again, err := scorer.Scores(s.Test); err != nil || !slices.Equal(first, again) {
			t.Errorf("two rankings differ (%v)", err)
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
