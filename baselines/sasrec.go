// Package baselines holds the models that FAME is compared with, one file each:
// the floors popularity and Markov, and SASRec. Neural ones are built from the
// blocks of package models.
package baselines

import (
	"fmt"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// SASRecConfig are SASRec's hyper-parameters.
type SASRecConfig struct {
	Hidden      int     `toml:"hidden" json:"hidden"`             // hidden size d
	Layers      int     `toml:"layers" json:"layers"`             // transformer layers
	Heads       int     `toml:"heads" json:"heads"`               // attention heads; divides hidden
	Inner       int     `toml:"inner" json:"inner"`               // feed-forward width; 0 is 4·hidden
	Dropout     float64 `toml:"dropout" json:"dropout"`           // after embedding, attention and feed-forward
	AttnDropout float64 `toml:"attn_dropout" json:"attn_dropout"` // on the attention weights
}

// SASRecDefaults are RecBole's for sparse data: 2 layers, 2 heads, d 64.
func SASRecDefaults() *SASRecConfig {
	return &SASRecConfig{Hidden: 64, Layers: 2, Heads: 2, Dropout: .5, AttnDropout: .5}
}

// Validate names the first value that cannot be.
func (c *SASRecConfig) Validate() error {
	switch {
	case c.Hidden < 1 || c.Layers < 1 || c.Heads < 1 || c.Inner < 0:
		return fmt.Errorf("hidden = %d, layers = %d, heads = %d: want at least 1 each, inner = %d at least 0", c.Hidden, c.Layers, c.Heads, c.Inner)
	case c.Hidden%c.Heads != 0:
		return fmt.Errorf("heads = %d does not divide hidden = %d", c.Heads, c.Hidden)
	case !(c.Dropout >= 0 && c.Dropout < 1), !(c.AttnDropout >= 0 && c.AttnDropout < 1):
		return fmt.Errorf("dropout = %v, attn_dropout = %v: want 0 ≤ p < 1", c.Dropout, c.AttnDropout)
	}
	return nil
}

// SASRec is self-attentive sequential recommendation (Kang and McAuley 2018,
// arXiv 1808.09781) in RecBole's form, to which the published numbers of this
// line belong: a causal post-norm transformer over the last items of a user;
// the score of item v after position t is F_t · e_v, with the embedding table
// of the input (eq. 6).
//
// Differs from the reference: row 0 (padding) is no class of the loss (RecBole
// trains it as one; ItemLoss.Padding brings that back), and queries, keys and
// values are stored as one matrix.
type SASRec struct {
	rt      *torch.Runtime
	params  *torch.Params
	encoder *models.Encoder
	loss    models.ItemLoss
	items   int // V
}

// NewSASRec makes a model for V items and at most maxLen positions.
func NewSASRec(rt *torch.Runtime, c *SASRecConfig, loss models.ItemLoss, items, maxLen int) (*SASRec, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("sasrec: %w", err)
	}
	inner := c.Inner
	if inner == 0 {
		inner = 4 * c.Hidden
	}
	p := rt.NewParams()
	return &SASRec{
		rt:     rt,
		params: p,
		encoder: models.NewEncoder(rt, p, models.EncoderConfig{
			Rows: items + 1, MaxLen: maxLen, Hidden: c.Hidden, Layers: c.Layers, Heads: c.Heads,
			Inner: inner, Dropout: c.Dropout, AttnDropout: c.AttnDropout, Causal: true,
		}),
		loss:  loss,
		items: items,
	}, nil
}

// Params are the trainable parameters.
func (m *SASRec) Params() *torch.Params { return m.params }

// Loss scores every target of the batch at its position.
func (m *SASRec) Loss(b *models.Batch) torch.Tensor {
	h := m.at(b, b.Position) // [N, d]
	return m.loss.Of(m.rt, h, m.encoder.ItemTable(), torch.Tensor{}, b, m.items)
}

// at is the encoder's output at the given flat positions: [len(positions), d].
func (m *SASRec) at(b *models.Batch, positions []int64) torch.Tensor {
	if slices.Equal(positions, b.LastPositions()) { // prefixes
		return m.encoder.Last(b)
	}
	return m.encoder.Forward(b).Rows(m.rt.Ints(positions, int64(len(positions))))
}

// Users is the encoder's output at the last item of every row: [B, d].
func (m *SASRec) Users(b *models.Batch) torch.Tensor { return m.encoder.Last(b) }

// Items is the embedding table.
func (m *SASRec) Items() (table, bias torch.Tensor) { return m.encoder.ItemTable(), torch.Tensor{} }
