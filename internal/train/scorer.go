package train

import (
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
	return &scorer{replicas: r, items: items, maxLen: maxLen}
}

type scorer struct {
	replicas *Replicas
	items    int
	maxLen   int
	scores   []float32 // [B, V+1], made once: 12 MB for 256 cases on Beauty
}

// Scores implements rank.Scorer. Each member scores a run of the cases.
func (s *scorer) Scores(cases []datasets.Case) ([]float32, error) {
	width := s.items + 1
	if need := len(cases) * width; cap(s.scores) < need {
		s.scores = make([]float32, need)
	}
	out := s.scores[:len(cases)*width]
	members := len(s.replicas.models)
	err := s.replicas.team.Each(func(k int, rt *torch.Runtime) error {
		from, to := k*len(cases)/members, (k+1)*len(cases)/members
		if from < to {
			s.score(rt, s.replicas.models[k], cases[from:to], out[from*width:to*width])
		}
		return nil
	})
	return out, err
}

func (s *scorer) score(rt *torch.Runtime, m models.Model, cases []datasets.Case, out []float32) {
	was := rt.Training()
	rt.SetTraining(false)
	defer rt.SetTraining(was)
	rt.Scope(func() {
		rt.NoGrad(func() {
			users := m.Users(HistoryBatch(cases, s.maxLen)) // [B, d]
			items := m.Items()
			rows := items.Rows.Narrow(0, 0, int64(s.items+1)) // [V+1, d]
			users.ScoresInto(out, rows, items.Bias)           // [B, V+1]
		})
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
