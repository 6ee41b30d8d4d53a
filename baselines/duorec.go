package baselines

import (
	"fmt"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// duoRecModes are the pairs of views that are contrasted. z is the vector of a sequence,
// a that of the same sequence with another dropout mask, b that of another sequence
// with the same target.
var duoRecModes = []string{
	"un",   // z with a
	"su",   // z with b
	"us",   // both
	"us_x", // a with b, the paper's
}

// DuoRecConfig are DuoRec's hyper-parameters.
type DuoRecConfig struct {
	models.TransformerConfig
	Contrast           string  `toml:"contrast" json:"contrast"`                       // one of duoRecModes
	UnsupervisedWeight float64 `toml:"unsupervised_weight" json:"unsupervised_weight"` // λ of z with a
	SupervisedWeight   float64 `toml:"supervised_weight" json:"supervised_weight"`     // λ of z with b, and of a with b
	Temperature        float64 `toml:"temperature" json:"temperature"`                 // τ of the contrast
	Similarity         string  `toml:"similarity" json:"similarity"`                   // "dot" or "cos"
}

// DuoRecDefaults are the authors'.
func DuoRecDefaults() *DuoRecConfig {
	return &DuoRecConfig{models.TransformerDefaults(), "us_x", .1, .1, 1, "dot"}
}

// Validate reports the first invalid value.
func (c *DuoRecConfig) Validate() error {
	switch {
	case !slices.Contains(duoRecModes, c.Contrast):
		return fmt.Errorf("contrast = %q: expected one of %q", c.Contrast, duoRecModes)
	case !(c.UnsupervisedWeight >= 0) || !(c.SupervisedWeight >= 0):
		return fmt.Errorf("unsupervised_weight = %v, supervised_weight = %v: expected 0 or more", c.UnsupervisedWeight, c.SupervisedWeight)
	case !(c.Temperature > 0):
		return fmt.Errorf("temperature = %v: expected more than 0", c.Temperature)
	case c.Similarity != "dot" && c.Similarity != "cos":
		return fmt.Errorf("similarity = %q: expected %q or %q", c.Similarity, "dot", "cos")
	}
	return c.TransformerConfig.Validate()
}

// DuoRec (Qiu et al. 2022, arXiv 2110.05730) is SASRec with a second loss term that
// spreads its vectors over the space: the two views of a pair are pulled together and
// pushed away from all other views of the batch (InfoNCE, eq. 8–13). Every training
// sample is a prefix of a sequence. Each view is a pass through the encoder with its
// own dropout mask, and every view gets a gradient.
//
// It differs from the reference in the same points as SASRec.
type DuoRec struct {
	*SASRec
	config DuoRecConfig
}

// NewDuoRec makes a model for V items and at most maxLen positions.
func NewDuoRec(rt *torch.Runtime, c *DuoRecConfig, loss models.ItemLoss, items, maxLen int) (*DuoRec, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("duorec: %w", err)
	}
	base, err := NewSASRec(rt, &SASRecConfig{c.TransformerConfig}, loss, items, maxLen)
	if err != nil {
		return nil, err
	}
	return &DuoRec{base, *c}, nil
}

// NeedsSameTarget reports whether Loss reads b.SameTarget.
func (m *DuoRec) NeedsSameTarget() bool { return m.config.Contrast != "un" }

// Loss is the loss of the targets after each sequence's last item, plus the contrast.
func (m *DuoRec) Loss(b *models.Batch) torch.Tensor {
	views := []*models.Batch{b} // z
	if m.config.Contrast != "su" {
		views = append(views, b) // a
	}
	if m.NeedsSameTarget() {
		views = append(views, b.SameTarget) // b
	}
	B := int64(len(b.Lengths))
	joined := models.Join(views...)
	x := m.encode(joined, joined.LastPositions()) // [views·B, d]
	loss := m.loss.Of(m.rt, x.Narrow(0, 0, B), m.Items(), b)
	return loss.Add(m.contrast(x, int64(len(views)), B))
}

// contrast is the weighted sum of the mode's InfoNCE terms over the whole batch.
// x [views·B, d] holds the views of this team member's part, stacked by view.
func (m *DuoRec) contrast(x torch.Tensor, views, B int64) torch.Tensor {
	all, rows, own := m.rt.Gather(x)
	// The indices of view k's rows in all, member by member.
	view := func(k int64) []int64 {
		var index []int64
		first := int64(0)
		for _, n := range rows {
			b := n / views
			for i := range b {
				index = append(index, first+k*b+i)
			}
			first += n
		}
		return index
	}
	c := m.config
	var sum torch.Tensor
	switch c.Contrast {
	case "un":
		sum = m.infoNCE(all, view(0), view(1)).Scale(c.UnsupervisedWeight)
	case "su":
		sum = m.infoNCE(all, view(0), view(1)).Scale(c.SupervisedWeight)
	case "us":
		sum = m.infoNCE(all, view(0), view(1)).Scale(c.UnsupervisedWeight)
		sum = sum.Add(m.infoNCE(all, view(0), view(2)).Scale(c.SupervisedWeight))
	case "us_x":
		sum = m.infoNCE(all, view(1), view(2)).Scale(c.SupervisedWeight)
	}
	return models.RescaleGradient(sum, rows, own)
}

// infoNCE contrasts row left[i] of x with row right[i]. It is the mean, over the 2n rows
// of both sides, of −log softmax of a row's similarity with its partner, among its
// similarities with all other rows.
func (m *DuoRec) infoNCE(x torch.Tensor, left, right []int64) torch.Tensor {
	n := int64(len(left))
	z := x.Rows(m.rt.Ints(slices.Concat(left, right))) // [2n, d]
	if m.config.Similarity == "cos" {
		z = z.Normalize()
	}
	itself := m.rt.Full(-1e30, 2*n).Diag()                                        // [2n, 2n]
	logits := z.MatMul(z.Transpose()).Scale(1 / m.config.Temperature).Add(itself) // [2n, 2n]
	partner := make([]int64, 2*n)                                                 // flat index of each row's partner
	for i := range partner {
		partner[i] = int64(i)*2*n + (int64(i)+n)%(2*n)
	}
	return logits.LogSoftmax().Reshape(-1, 1).Rows(m.rt.Ints(partner, 2*n)).Mean().Scale(-1) // scalar
}
