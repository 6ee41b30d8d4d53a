package run

import (
	"math"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Scored separately, the heads give the scores of the folded user vector to 1e-5, whatever
// the gate and the number of heads, for many users at a time and for one.
func TestSeparateHeadsGiveTheFoldedScores(t *testing.T) {
	const items, maxLen = 57, 6
	var cases []datasets.Case
	for u := range 40 { // more than a member takes at a time
		c := datasets.Case{User: int32(u), Target: 1}
		for i := range u % 9 { // from none to more than maxLen
			c.History = append(c.History, int32(1+(u*7+i*i)%items))
		}
		cases = append(cases, c)
	}
	for _, tt := range []struct {
		heads int
		gate  string
	}{{1, models.GateLearned}, {2, models.GateLearned}, {8, models.GateLearned}, {4, models.GateAverage}, {4, models.GateStatic}, {4, models.GateTop1}} {
		c := models.FAMEDefaults()
		c.Hidden, c.Heads, c.Gate = 16, tt.heads, tt.gate
		err := torch.RunTeam(torch.Config{Threads: 2, Seed: 5}, func(team *torch.Team) error {
			var fames []*models.FAME
			model, err := train.NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
				m, err := models.NewFAME(rt, c, models.ItemLoss{Kind: "ce"}, items, maxLen)
				fames = append(fames, m)
				return m, err
			})
			if err != nil {
				return err
			}
			for _, name := range model.Params().Names() { // initial values are so small that any two scores are nearly the same
				if name == itemTable || name == "facet.weight" || strings.HasPrefix(name, "gate") {
					p := model.Params().Get(name)
					values := make([]float32, p.Len())
					for i := range values {
						values[i] = float32(math.Sin(float64(i*i + 1)))
					}
					p.CopyFrom(values)
				}
			}
			separate, err := newSeparateScorer(team, fames, items, maxLen)
			if err != nil {
				return err
			}
			folded := train.NewScorer(model, items, maxLen)
			want, got := scoresOf(t, folded, cases), scoresOf(t, separate, cases)
			low, high := math.Inf(1), math.Inf(-1)
			for i := range want {
				for v, score := range want[i] {
					low, high = min(low, float64(score)), max(high, float64(score))
					if d := math.Abs(float64(score) - float64(got[i][v])); !(d <= 1e-5) {
						t.Fatalf("%d heads, gate %q: user %d, item %d: separately %v, folded %v", tt.heads, tt.gate, i, v, got[i][v], score)
					}
				}
			}
			if high-low < 1 {
				t.Errorf("%d heads, gate %q: all scores are within %v, so equal ones say nothing", tt.heads, tt.gate, high-low)
			}
			return sameScores(folded, separate, cases[:9])
		})
		if err != nil {
			t.Errorf("%d heads, gate %q: %v", tt.heads, tt.gate, err)
		}
	}
}

// scoresOf copies the scores of cases that are scored together.
func scoresOf(t *testing.T, s rank.Scorer, cases []datasets.Case) [][]float32 {
	t.Helper()
	rows := make([][]float32, len(cases))
	err := s.Score(cases, func(first int, scores []float32) {
		for i := 0; len(scores) > 0; i++ {
			rows[first+i], scores = append([]float32(nil), scores[:58]...), scores[58:]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// fixedScores gives every case the same scores.
type fixedScores []float32

func (f fixedScores) Score(cases []datasets.Case, visit rank.Visit) error {
	for i := range cases {
		visit(i, f)
	}
	return nil
}

// Times of two scorers are not compared if their scores differ. Padding does not count.
func TestSameScores(t *testing.T) {
	cases, nan := make([]datasets.Case, 2), float32(math.NaN())
	for _, tt := range []struct {
		scores fixedScores
		same   bool
	}{{fixedScores{0, 1, -2}, true}, {fixedScores{9, 1.0001, -2}, true}, {fixedScores{0, 1.001, -2}, false}, {fixedScores{0, 1, 2}, false}, {fixedScores{0, nan, -2}, false}} {
		if err := sameScores(fixedScores{0, 1, -2}, tt.scores, cases); (err == nil) != tt.same {
			t.Errorf("%v: %v", tt.scores, err)
		}
	}
}
