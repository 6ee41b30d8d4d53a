package run

import (
	"sync/atomic"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// separateScorer scores with FAME as the paper writes it, and is here for measurements only:
// one score matrix for each head, from the head's output and the items' facets (eq. 8, 9),
// and their sum, weighted by the gate (eq. 11). FAME itself folds all of this into one user
// vector (see models.FAME.Encode).
//
// The items' facets f_v^(h) = e_v W_f^(h) do not depend on the user. They are computed once,
// before anything is timed: the best that can be done without folding. All products are by
// the same code as those of the folded vector, so that nothing else is compared.
type separateScorer struct {
	team   *torch.Team
	models []*models.FAME // one for each member of the team
	facets []torch.Tensor // of each head: f_v^(h) of all items, [V+1, d/H]
	width  int            // V+1
	maxLen int
}

// newSeparateScorer projects the items of a trained FAME, of which every member of the team
// has a replica.
func newSeparateScorer(team *torch.Team, replicas []*models.FAME, items, maxLen int) (*separateScorer, error) {
	s := &separateScorer{team: team, models: replicas, width: items + 1, maxLen: maxLen}
	return s, team.InTurn(func(k int, rt *torch.Runtime) error {
		if k != 0 {
			return nil
		}
		rt.Scope(func() {
			rt.NoGrad(func() {
				m := replicas[0]
				c, table := m.Config(), m.Items().Rows                                           // [V+1, d]
				w := m.Params().Get("facet.weight").Reshape(int64(c.Heads), -1, int64(c.Hidden)) // W_f^(h)ᵀ: [H, d/H, d]
				for h := range int64(c.Heads) {
					s.facets = append(s.facets, rt.Keep(table.MatMul(w.Select(0, h).Transpose()).Contiguous())) // [V+1, d/H]
				}
			})
		})
		return nil
	})
}

// separateBytes bounds the score matrices of all heads that a member holds at a time.
// Fewer than fewestUsers users would waste time in single operations.
const (
	separateBytes = 6 << 20
	fewestUsers   = 16
	mostUsers     = 256
)

// Score implements rank.Scorer.
func (s *separateScorer) Score(cases []datasets.Case, visit rank.Visit) error {
	heads := s.models[0].Config().Heads
	rows := min(max(separateBytes/(4*s.width*heads), fewestUsers), mostUsers)
	var taken atomic.Int64
	return s.team.Each(func(k int, rt *torch.Runtime) error {
		was := rt.Training()
		rt.SetTraining(false)
		defer rt.SetTraining(was)
		for {
			end := int(taken.Add(int64(rows)))
			first := end - rows
			if first >= len(cases) {
				return nil
			}
			var scores []float32
			rt.Scope(func() {
				rt.NoGrad(func() { scores = s.scores(k, cases[first:min(end, len(cases))]) })
			})
			visit(first, scores)
		}
	})
}

// scores are those of some users, user by user, by member k of the team.
func (s *separateScorer) scores(k int, users []datasets.Case) []float32 {
	b := train.HistoryBatch(users, s.maxLen)
	f := s.models[k].Encode(b, b.LastPositions())
	var sum torch.Tensor // r: [n, V+1]
	for h, facets := range s.facets {
		r := f.Heads.Select(1, int64(h)).Contiguous().Linear(facets, torch.Tensor{}) // r^(h), eq. 8: [n, V+1]
		r = r.Mul(f.Gate.Narrow(1, int64(h), 1))                                     // g_h r^(h)
		if h > 0 {
			r = sum.Add(r)
		}
		sum = r
	}
	return sum.HostFloats()
}
