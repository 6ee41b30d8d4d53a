package baselines

import (
	"fmt"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// BERT4RecConfig are BERT4Rec's hyper-parameters. How items are masked is a setting of
// the training (objective "cloze").
type BERT4RecConfig struct {
	models.TransformerConfig
	Padding string `toml:"padding" json:"padding"` // "left": the newest item is always at the last position; "right": the oldest is always at the first
}

// BERT4RecDefaults are RecBole's: SASRec's with dropout .2. Only the padding differs
// (RecBole's is "right").
func BERT4RecDefaults() *BERT4RecConfig {
	c := &BERT4RecConfig{models.TransformerDefaults(), "left"}
	c.Dropout, c.AttnDropout = .2, .2
	return c
}

// Validate reports the first invalid value.
func (c *BERT4RecConfig) Validate() error {
	if c.Padding != "right" && c.Padding != "left" {
		return fmt.Errorf("padding = %q: expected %q or %q", c.Padding, "right", "left")
	}
	return c.TransformerConfig.Validate()
}

// BERT4Rec (Sun et al. 2019, arXiv 1904.06690) reads a sequence in both
// directions. A mask token replaces some of its items, which are predicted from the
// rest (the Cloze task, eq. 8). To recommend, a mask is appended after the last item.
// The score of item v at a masked position is u · e_v + b_v, with u = LN(gelu(W·x + b))
// of the encoder's output x (eq. 7).
//
// These points differ from the reference (RecBole 1.2.1):
//   - It trains on whole training sequences, and on random prefixes of them of which only
//     the last item is masked. RecBole trains on every prefix but never on a user's last
//     training item.
//   - A mask at the first position counts in the loss like any other.
//   - A sequence may have any number of masks.
//   - The mask for a recommendation drops the oldest item only if there is no room.
//   - Positions count from the newest item, so that the mask has the same position in
//     every history. RecBole's count from the oldest (padding = "right").
//
// As in RecBole, a masked item is always replaced by the mask token (BERT's 80/10/10
// rule is not used).
type BERT4Rec struct {
	rt      *torch.Runtime
	params  *torch.Params
	table   torch.Tensor // [V+2, d]; the last row is the mask token
	encoder *models.Encoder
	dense   models.Linear
	norm    models.LayerNorm
	bias    torch.Tensor // [V+1]
	loss    models.ItemLoss
	items   int // V
	maxLen  int
}

// NewBERT4Rec makes a model for V items and at most maxLen positions.
func NewBERT4Rec(rt *torch.Runtime, c *BERT4RecConfig, loss models.ItemLoss, items, maxLen int) (*BERT4Rec, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("bert4rec: %w", err)
	}
	p := rt.NewParams()
	return &BERT4Rec{
		rt:     rt,
		params: p,
		table:  p.Normal("item_emb.weight", models.InitStd, int64(items)+2, int64(c.Hidden)),
		encoder: models.NewEncoder(rt, p, models.EncoderConfig{
			TransformerConfig: c.TransformerConfig, MaxLen: maxLen, LeftPadding: c.Padding == "left",
		}),
		dense:  models.NewLinear(p, "head.dense", c.Hidden, c.Hidden),
		norm:   models.NewLayerNorm(p, "head.ln", c.Hidden),
		bias:   p.Fill("head.bias", 0, int64(items)+1),
		loss:   loss,
		items:  items,
		maxLen: maxLen,
	}, nil
}

// Params are the trainable parameters.
func (m *BERT4Rec) Params() *torch.Params { return m.params }

// Loss masks the items at the batch's positions and predicts them.
func (m *BERT4Rec) Loss(b *models.Batch) torch.Tensor {
	hidden := *b
	hidden.Items = slices.Clone(b.Items)
	for _, at := range b.Position {
		hidden.Items[at] = m.mask()
	}
	return m.loss.Of(m.rt, m.encode(&hidden, b.Position), m.Items(), b)
}

// mask is the id of the mask token.
func (m *BERT4Rec) mask() int64 { return int64(m.items) + 1 }

// encode is the head's output at n positions: [n, d].
func (m *BERT4Rec) encode(b *models.Batch, at []int64) torch.Tensor {
	x := m.table.Embedding(m.rt.Ints(b.Items))       // [M, d]
	x = m.encoder.Forward(x, b, at)                  // [n, d]
	return m.norm.Forward(m.dense.Forward(x).GELU()) // [n, d]
}

// Users is the head's output at a mask after every sequence: [B, d].
func (m *BERT4Rec) Users(b *models.Batch) torch.Tensor {
	asked := m.withMask(b)
	return m.encode(asked, asked.LastPositions())
}

// withMask appends a mask to every sequence. If there is no room, the oldest item is
// dropped.
func (m *BERT4Rec) withMask(b *models.Batch) *models.Batch {
	out := &models.Batch{}
	rest := b.Items
	for _, n := range b.Lengths {
		seq := rest[:n]
		rest = rest[n:]
		seq = seq[max(0, len(seq)-(m.maxLen-1)):]
		if len(seq) == 1 && seq[0] == 0 { // no history
			seq = nil
		}
		out.Items = append(append(out.Items, seq...), m.mask())
		out.Lengths = append(out.Lengths, int64(len(seq))+1)
	}
	return out
}

// Items is the embedding table, whose row V+1 is the mask token, and the output bias.
func (m *BERT4Rec) Items() models.ItemTable {
	return models.ItemTable{Rows: m.table, Bias: m.bias, Items: m.items}
}
