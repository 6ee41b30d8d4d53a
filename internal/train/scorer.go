package train

import (
	"slices"
	"sync/atomic"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/models"
)

// Replicas is one model on every member of a team: the same parameters, read
// and differentiated on several threads at a time.
type Replicas struct {
	team   *torch.Team
	models []models.Model
}

// NewReplicas builds a model on every member of the team.
func NewReplicas(team *torch.Team, build func(*torch.Runtime) (models.Model, error)) (*Replicas, error) {
	r := &Replicas{team: team, models: make([]models.Model, team.Size())}
	err := team.InTurn(func(k int, rt *torch.Runtime) (err error) {
		r.models[k], err = build(rt)
		return err
	})
	return r, err
}

// Params are the parameters of the model.
func (r *Replicas) Params() *torch.Params { return r.models[0].Params() }

// Model is the leading member's model.
func (r *Replicas) Model() models.Model { return r.models[0] }

// params are the members' own handles of them, each with a gradient.
func (r *Replicas) params() []*torch.Params {
	out := make([]*torch.Params, len(r.models))
	for k, m := range r.models {
		out[k] = m.Params()
	}
	return out
}

// NewScorer ranks with a neural model: user vectors of the last maxLen items of
// each history against the item table. It must be used where the team is.
func NewScorer(r *Replicas, items, maxLen int) rank.Scorer {
	return &scorer{replicas: r, width: items + 1, maxLen: maxLen, scores: make([][]float32, len(r.models))}
}

type scorer struct {
	replicas *Replicas
	width    int // of a row of scores
	maxLen   int
	scores   [][]float32 // of each member: the rows at hand
}

// scoreBytes bounds the scores that a member computes at a time: they should still be in
// the cache when they are counted. Fewer than fewestRows would compute them slowly.
const (
	scoreBytes = 6 << 20
	fewestRows = 16
	mostRows   = 256
)

// Score implements rank.Scorer. The members take the cases in runs of equal size, whatever
// the number of members, so that the scores do not depend on it.
func (s *scorer) Score(cases []datasets.Case, visit rank.Visit) error {
	rows := min(max(scoreBytes/(4*s.width), fewestRows), mostRows)
	var taken atomic.Int64
	return s.replicas.team.Each(func(k int, rt *torch.Runtime) error {
		was := rt.Training()
		rt.SetTraining(false)
		defer rt.SetTraining(was)
		rt.Scope(func() {
			rt.NoGrad(func() {
				m := s.replicas.models[k]
				items := m.Items()
				table := items.Rows.Narrow(0, 0, int64(s.width)) // [V+1, d]
				for {
					end := int(taken.Add(int64(rows)))
					first := end - rows
					if first >= len(cases) {
						return
					}
					part := cases[first:min(end, len(cases))]
					s.scores[k] = slices.Grow(s.scores[k][:0], len(part)*s.width)[:len(part)*s.width]
					rt.Scope(func() {
						users := m.Users(HistoryBatch(part, s.maxLen))   // [B, d]
						users.ScoresInto(s.scores[k], table, items.Bias) // [B, V+1]
					})
					visit(first, s.scores[k])
				}
			})
		})
		return nil
	})
}

// HistoryBatch lays the last maxLen items of each history out as a model reads
// them. An empty history is a single padding item.
func HistoryBatch(cases []datasets.Case, maxLen int) *models.Batch {
	b := &models.Batch{}
	for _, c := range cases {
		recent := c.History[max(0, len(c.History)-maxLen):]
		if len(recent) == 0 {
			recent = []int32{0}
		}
		for _, v := range recent {
			b.Items = append(b.Items, int64(v))
		}
		b.Lengths = append(b.Lengths, int64(len(recent)))
	}
	return b
}
