package train

import (
	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/models"
)

// NewScorer ranks with a neural model: user vectors of the last maxLen items of
// each history against the item table. It must be used inside the Runtime of
// the model.
func NewScorer(rt *torch.Runtime, m models.Model, items, maxLen int) rank.Scorer {
	return &scorer{rt: rt, model: m, items: items, maxLen: maxLen}
}

type scorer struct {
	rt     *torch.Runtime
	model  models.Model
	items  int
	maxLen int
	buffer torch.Tensor // [rows, V+1], made once: 25 MB for 512 cases on Beauty
	rows   int
}

// Scores implements rank.Scorer.
func (s *scorer) Scores(cases []datasets.Case) ([]float32, error) {
	if len(cases) > s.rows {
		s.rows = len(cases)
		s.buffer = s.rt.Persist(s.rt.Zeros(int64(s.rows), int64(s.items+1)))
	}
	was := s.rt.Training()
	s.rt.SetTraining(false)
	defer s.rt.SetTraining(was)
	s.rt.Scope(func() {
		s.rt.NoGrad(func() {
			users := s.model.Users(HistoryBatch(cases, s.maxLen)) // [B, d]
			table, bias := s.model.Items()                        // [V+1, d] or more rows, [V+1]
			table = table.Narrow(0, 0, int64(s.items+1))
			users.ScoresInto(s.buffer, table, bias) // [B, V+1]
		})
	})
	return s.buffer.View()[:len(cases)*(s.items+1)], nil
}

// HistoryBatch lays the last maxLen items of each history out as a model reads
// them. An empty history is a single padding item.
func HistoryBatch(cases []datasets.Case, maxLen int) *models.Batch {
	b := &models.Batch{Rows: len(cases), Len: 1, Lengths: make([]int64, len(cases))}
	for _, c := range cases {
		b.Len = max(b.Len, min(len(c.History), maxLen))
	}
	b.Items = make([]int64, b.Rows*b.Len)
	for row, c := range cases {
		recent := c.History[max(0, len(c.History)-maxLen):]
		for i, v := range recent {
			b.Items[row*b.Len+i] = int64(v)
		}
		b.Lengths[row] = int64(max(1, len(recent)))
	}
	return b
}
