package baselines

import (
	"fmt"
	"math"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// CORE's encoders.
const (
	coreTransformer = "trm"
	coreAverage     = "ave"
)

// COREConfig are CORE's hyper-parameters.
type COREConfig struct {
	models.TransformerConfig         // of the encoder "trm"; "ave" uses the hidden size only
	Encoder                  string  `toml:"encoder" json:"encoder"`                 // "trm": weights of a transformer; "ave": equal ones
	SessionDropout           float64 `toml:"session_dropout" json:"session_dropout"` // on the embeddings of a sequence's items
	ItemDropout              float64 `toml:"item_dropout" json:"item_dropout"`       // on the item table that scores
	Temperature              float64 `toml:"temperature" json:"temperature"`         // τ: a score is cosine/τ
}

// COREDefaults are RecBole's.
func COREDefaults() *COREConfig {
	return &COREConfig{models.TransformerDefaults(), coreTransformer, .2, .2, .07}
}

// Validate reports the first invalid value.
func (c *COREConfig) Validate() error {
	switch {
	case c.Encoder != coreTransformer && c.Encoder != coreAverage:
		return fmt.Errorf("encoder = %q: expected %q or %q", c.Encoder, coreTransformer, coreAverage)
	case !(c.SessionDropout >= 0 && c.SessionDropout < 1), !(c.ItemDropout >= 0 && c.ItemDropout < 1):
		return fmt.Errorf("session_dropout = %v, item_dropout = %v: expected 0 ≤ p < 1", c.SessionDropout, c.ItemDropout)
	case !(c.Temperature > 0):
		return fmt.Errorf("temperature = %v: expected more than 0", c.Temperature)
	}
	t := c.TransformerConfig
	if c.Encoder == coreAverage { // there is no transformer, and a spec leaves its settings out
		t = models.TransformerConfig{Hidden: c.Hidden, Layers: 1, Heads: 1}
	}
	return t.Validate()
}

// Ignores reports whether a setting makes no difference with the others.
func (c *COREConfig) Ignores(key string) bool {
	return c.Encoder == coreAverage && slices.Contains([]string{"layers", "heads", "inner", "dropout", "attn_dropout"}, key)
}

// CORE (Hou et al. 2022, arXiv 2204.11067) keeps sessions and items in one space:
// the vector of a session is a weighted average of the session's own item embeddings
// (eq. 5). The weights come from a causal transformer (eq. 4) or are equal. A score is
// the cosine with an item's embedding over a temperature, with dropout on the
// embeddings of both sides while training (eq. 7).
//
// One pass gives the vectors of all prefixes of a sequence, as running means.
//
// These points differ from the reference (RecBole 1.2.1): embeddings are initialised
// uniformly in ±1/√d and the transformer as in BERT, as in the authors' code (RecBole
// resets all parameters to ±1/√d, LayerNorm's too); the authors use d = 100; row 0
// (padding) is not a class of the loss.
type CORE struct {
	rt      *torch.Runtime
	params  *torch.Params
	config  COREConfig
	table   torch.Tensor    // [V+1, d]
	encoder *models.Encoder // "trm"
	alpha   models.Linear   // "trm": d → 1
	loss    models.ItemLoss
	items   int // V
}

// NewCORE makes a model for V items and at most maxLen positions.
func NewCORE(rt *torch.Runtime, c *COREConfig, loss models.ItemLoss, items, maxLen int) (*CORE, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	p := rt.NewParams()
	m := &CORE{
		rt:     rt,
		params: p,
		config: *c,
		table:  p.Uniform("item_emb.weight", 1/math.Sqrt(float64(c.Hidden)), int64(items)+1, int64(c.Hidden)),
		loss:   loss,
		items:  items,
	}
	if c.Encoder == coreTransformer {
		m.encoder = models.NewEncoder(rt, p, models.EncoderConfig{TransformerConfig: c.TransformerConfig, MaxLen: maxLen, Causal: true})
		m.alpha = models.NewLinear(p, "alpha", c.Hidden, 1)
	}
	return m, nil
}

// Params are the trainable parameters.
func (m *CORE) Params() *torch.Params { return m.params }

// Loss scores every target of the batch at its position.
func (m *CORE) Loss(b *models.Batch) torch.Tensor {
	table := m.table.DropoutTable(m.config.ItemDropout).Normalize() // [V+1, d]
	return m.loss.Of(m.rt, m.encode(b, b.Position), models.ItemTable{Rows: table, Items: m.items}, b)
}

// encode is the vector of the session up to each of n positions, of length 1/τ: [n, d].
func (m *CORE) encode(b *models.Batch, at []int64) torch.Tensor {
	x := m.table.Embedding(m.rt.Ints(b.Items)).Dropout(m.config.SessionDropout) // [M, d]
	s := x.PrefixMean(m.logits(x, b), m.rt.Ints(b.Lengths))                     // [M, d]
	s = s.Rows(m.rt.Ints(at))                                                   // [n, d]
	return s.Normalize().Scale(1 / m.config.Temperature)                        // [n, d]
}

// logits are the items' weights before the softmax over a prefix: [M]. The encoder is
// causal, so they are the same in every prefix.
func (m *CORE) logits(x torch.Tensor, b *models.Batch) torch.Tensor {
	if m.config.Encoder == coreAverage {
		return m.rt.Zeros(int64(len(b.Items))) // [M]
	}
	return m.alpha.Forward(m.encoder.Forward(x, b, nil)).Reshape(-1) // [M, d] → [M, 1] → [M]
}

// Users is the vector of every session, of length 1/τ: [B, d].
func (m *CORE) Users(b *models.Batch) torch.Tensor { return m.encode(b, b.LastPositions()) }

// Items is the embedding table, its rows scaled to length 1.
func (m *CORE) Items() models.ItemTable {
	return models.ItemTable{Rows: m.table.Normalize(), Items: m.items}
}
