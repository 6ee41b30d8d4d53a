// Package example holds the model that docs/adding-a-model.md shows. Tests train
// it through the whole harness; the registry does not list it.
package example

import (
	"fmt"

	"famebench/internal/torch"
	"famebench/models"
)

// FISMConfig are FISM's hyper-parameters. The tags are their names in
// experiments.toml and in records.
type FISMConfig struct {
	Hidden  int     `toml:"hidden" json:"hidden"`   // size of the factors d
	Dropout float64 `toml:"dropout" json:"dropout"` // on the factors of the history's items
}

// FISMDefaults are the settings of a run that configures none.
func FISMDefaults() *FISMConfig { return &FISMConfig{Hidden: 64, Dropout: .2} }

// FISM is matrix factorisation in which a user is the mean of the factors of the
// history (Kabbur et al. 2013): the score of item v is mean(p) · q_v + b_v.
type FISM struct {
	rt     *torch.Runtime
	params *torch.Params
	config FISMConfig
	p, q   torch.Tensor // [V+1, d] each: of items as history, of items as targets
	bias   torch.Tensor // [V+1]
	loss   models.ItemLoss
	items  int // V
}

// NewFISM makes a model for V items; histories may have any length.
func NewFISM(rt *torch.Runtime, c *FISMConfig, loss models.ItemLoss, items, maxLen int) (*FISM, error) {
	if c.Hidden < 1 || !(c.Dropout >= 0 && c.Dropout < 1) {
		return nil, fmt.Errorf("fism: hidden = %d, dropout = %v: expected at least 1, and 0 ≤ p < 1", c.Hidden, c.Dropout)
	}
	V, d, params := int64(items), int64(c.Hidden), rt.NewParams()
	return &FISM{
		rt: rt, params: params, config: *c, loss: loss, items: items,
		p:    params.Normal("p.weight", models.InitStd, V+1, d),
		q:    params.Normal("q.weight", models.InitStd, V+1, d),
		bias: params.Fill("bias", 0, V+1),
	}, nil
}

// Params are the trainable parameters.
func (m *FISM) Params() *torch.Params { return m.params }

// Loss scores every target of the batch at its position.
func (m *FISM) Loss(b *models.Batch) torch.Tensor {
	return m.loss.Of(m.rt, m.encode(b, b.Position), m.Items(), b)
}

// encode is the mean of the sequence up to each of n positions: [n, d].
func (m *FISM) encode(b *models.Batch, at []int64) torch.Tensor {
	M := int64(len(b.Items))
	x := m.p.Embedding(m.rt.Ints(b.Items)).Dropout(m.config.Dropout) // [M, d]
	x = x.PrefixMean(m.rt.Zeros(M), m.rt.Ints(b.Lengths))            // [M, d]: equal weights
	return x.Rows(m.rt.Ints(at))                                     // [n, d]
}

// Users is the mean over each whole sequence: [B, d].
func (m *FISM) Users(b *models.Batch) torch.Tensor { return m.encode(b, b.LastPositions()) }

// Items are the target factors and the bias.
func (m *FISM) Items() models.ItemTable {
	return models.ItemTable{Rows: m.q, Bias: m.bias, Items: m.items}
}
