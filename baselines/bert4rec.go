package baselines

import (
	"fmt"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// BERT4RecConfig are BERT4Rec's hyper-parameters. How masks are drawn is a
// setting of the training ("cloze").
type BERT4RecConfig struct {
	models.TransformerConfig
	Padding string `toml:"padding" json:"padding"` // "left": the newest item is always at the last position; "right": the oldest at the first
}

// BERT4RecDefaults are RecBole's: as SASRec's, but dropout .2. The padding is not.
func BERT4RecDefaults() *BERT4RecConfig {
	c := &BERT4RecConfig{models.TransformerDefaults(), "left"}
	c.Dropout, c.AttnDropout = .2, .2
	return c
}

// Validate names the first value that cannot be.
func (c *BERT4RecConfig) Validate() error {
	if c.Padding != "right" && c.Padding != "left" {
		return fmt.Errorf("padding = %q: want %q or %q", c.Padding, "right", "left")
	}
	return c.TransformerConfig.Validate()
}

// BERT4Rec (Sun et al. 2019, arXiv 1904.06690) reads a sequence in both
// directions. Some of its items are hidden behind a mask token and predicted from
// the rest (the Cloze task, eq. 8); to recommend, a mask is put behind the last
// item. The score of item v at a masked position is u · e_v + b_v, with
// u = LN(gelu(W·x + b)) of the encoder's output x (eq. 7).
//
// Differs from the reference (RecBole 1.2.1): it trains on whole training
// sequences, and hides the last item alone of random prefixes of them (RecBole
// trains on every prefix but never on a user's last item); a mask at the first
// position counts in the loss like any other, a sequence may have any number of
// masks, and the mask for a recommendation drops the oldest item only when there is
// no room for it. Positions count from the newest item (RecBole's from the oldest:
// padding = "right"), so that the mask stands at the same one in every history.
// Masked items are not at times left or replaced (nor in RecBole; BERT's 80/10/10
// rule).
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

// Loss hides the items at the batch's positions and predicts them.
func (m *BERT4Rec) Loss(b *models.Batch) torch.Tensor {
	hidden := *b
	hidden.Items = slices.Clone(b.Items)
	for _, at := range b.Position {
		hidden.Items[at] = m.mask()
	}
	return m.loss.Of(m.rt, m.encode(&hidden, b.Position), m.table, m.bias, b, m.items)
}

// mask is the token that stands for a hidden item.
func (m *BERT4Rec) mask() int64 { return int64(m.items) + 1 }

// encode is the head's output at some positions: [len(at), d].
func (m *BERT4Rec) encode(b *models.Batch, at []int64) torch.Tensor {
	x := m.table.Embedding(m.rt.Ints(b.Items, int64(len(b.Items)))) // [M, d]
	x = m.encoder.Forward(x, b, at)                                 // [N, d]
	return m.norm.Forward(m.dense.Forward(x).GELU())                // [N, d]
}

// Users is the head's output at a mask behind every sequence: [B, d].
func (m *BERT4Rec) Users(b *models.Batch) torch.Tensor {
	asked := m.withMask(b)
	return m.encode(asked, asked.LastPositions())
}

// withMask puts a mask behind every sequence; the oldest item goes where there is
// no room.
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

// Items is the embedding table, whose rows after V are no items, and the output
// bias.
func (m *BERT4Rec) Items() (table, bias torch.Tensor) { return m.table, m.bias }
