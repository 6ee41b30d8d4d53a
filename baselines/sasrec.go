// Package baselines holds the models that FAME is compared with, one file each:
// the non-neural baselines popularity and Markov, and SASRec, BERT4Rec, CORE and
// DuoRec, built from the blocks of package models.
package baselines

import (
	"fmt"

	"famebench/internal/torch"
	"famebench/models"
)

// SASRecConfig are SASRec's hyper-parameters.
type SASRecConfig struct {
	models.TransformerConfig
}

// SASRecDefaults are RecBole's for sparse data.
func SASRecDefaults() *SASRecConfig { return &SASRecConfig{models.TransformerDefaults()} }

// SASRec is self-attentive sequential recommendation (Kang and McAuley 2018,
// arXiv 1808.09781) in RecBole's form, which most published numbers come from:
// a causal post-norm transformer over the last items of a user. The score of
// item v after position t is F_t · e_v, with the embedding table of the input
// (eq. 6).
//
// Two things differ from the reference: row 0 (padding) is not a class of the
// loss (in RecBole it is; ItemLoss.Padding restores that), and queries, keys
// and values are stored as one matrix.
type SASRec struct {
	rt      *torch.Runtime
	params  *torch.Params
	table   torch.Tensor // [V+1, d]
	encoder *models.Encoder
	loss    models.ItemLoss
	items   int // V
}

// NewSASRec makes a model for V items and at most maxLen positions.
func NewSASRec(rt *torch.Runtime, c *SASRecConfig, loss models.ItemLoss, items, maxLen int) (*SASRec, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("sasrec: %w", err)
	}
	p := rt.NewParams()
	return &SASRec{
		rt:      rt,
		params:  p,
		table:   p.Normal("item_emb.weight", models.InitStd, int64(items)+1, int64(c.Hidden)),
		encoder: models.NewEncoder(rt, p, models.EncoderConfig{TransformerConfig: c.TransformerConfig, MaxLen: maxLen, Causal: true}),
		loss:    loss,
		items:   items,
	}, nil
}

// Params are the trainable parameters.
func (m *SASRec) Params() *torch.Params { return m.params }

// Loss scores every target of the batch at its position.
func (m *SASRec) Loss(b *models.Batch) torch.Tensor {
	return m.loss.Of(m.rt, m.encode(b, b.Position), m.Items(), b)
}

// encode is the encoder's output at n positions: [n, d].
func (m *SASRec) encode(b *models.Batch, at []int64) torch.Tensor {
	x := m.table.Embedding(m.rt.Ints(b.Items)) // [M, d]
	return m.encoder.Forward(x, b, at)         // [n, d]
}

// Users is the encoder's output at the last item of every sequence: [B, d].
func (m *SASRec) Users(b *models.Batch) torch.Tensor { return m.encode(b, b.LastPositions()) }

// Items is the embedding table.
func (m *SASRec) Items() models.ItemTable {
	return models.ItemTable{Rows: m.table, Items: m.items}
}
