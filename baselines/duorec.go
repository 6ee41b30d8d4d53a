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

// Values of DuoRecConfig.Sampling.
const (
	SamplePrefixes  = "prefixes"
	SampleSequences = "sequences"
)

// DuoRecConfig are DuoRec's hyper-parameters.
type DuoRecConfig struct {
	models.TransformerConfig
	Contrast           string  `toml:"contrast" json:"contrast"`                       // one of duoRecModes
	Sampling           string  `toml:"sampling" json:"sampling"`                       // "prefixes" or "sequences"
	UnsupervisedWeight float64 `toml:"unsupervised_weight" json:"unsupervised_weight"` // λ of z with a
	SupervisedWeight   float64 `toml:"supervised_weight" json:"supervised_weight"`     // λ of z with b, and of a with b
	Temperature        float64 `toml:"temperature" json:"temperature"`                 // τ of the contrast
	Similarity         string  `toml:"similarity" json:"similarity"`                   // "dot" or "cos"
}

// DuoRecDefaults are the authors'.
func DuoRecDefaults() *DuoRecConfig {
	return &DuoRecConfig{models.TransformerDefaults(), "us_x", SamplePrefixes, .1, .1, 1, "dot"}
}

// Validate reports the first invalid value.
func (c *DuoRecConfig) Validate() error {
	switch {
	case !slices.Contains(duoRecModes, c.Contrast):
		return fmt.Errorf("contrast = %q: expected one of %q", c.Contrast, duoRecModes)
	case c.Sampling != SamplePrefixes && c.Sampling != SampleSequences:
		return fmt.Errorf("sampling = %q: expected %q or %q", c.Sampling, SamplePrefixes, SampleSequences)
	case !(c.UnsupervisedWeight >= 0) || !(c.SupervisedWeight >= 0):
		return fmt.Errorf("unsupervised_weight = %v, supervised_weight = %v: expected 0 or more", c.UnsupervisedWeight, c.SupervisedWeight)
	case !(c.Temperature > 0):
		return fmt.Errorf("temperature = %v: expected more than 0", c.Temperature)
	case c.Similarity != "dot" && c.Similarity != "cos":
		return fmt.Errorf("similarity = %q: expected %q or %q", c.Similarity, "dot", "cos")
	}
	return c.TransformerConfig.Validate()
}

// Ignores reports whether a setting makes no difference with the others.
func (c *DuoRecConfig) Ignores(key string) bool {
	switch key {
	case "unsupervised_weight":
		return c.Contrast == "su" || c.Contrast == "us_x"
	case "supervised_weight":
		return c.Contrast == "un"
	}
	return false
}

// DuoRec (Qiu et al. 2022, arXiv 2110.05730) is SASRec with a second loss term that
// spreads its vectors over the space: the two views of a pair are pulled together and
// pushed away from all other views of the batch (InfoNCE, eq. 8–13). Each view is a pass
// through the encoder with its own dropout mask, and every view gets a gradient.
//
// Every training sample is a prefix of a sequence, and its last position is predicted
// and contrasted. This is the authors' form. With Sampling "sequences" a sample is a
// whole sequence: all its positions are predicted in one pass, as in SASRec, and one of
// them, chosen at random, is contrasted. The two forms sample the same two loss terms
// differently. With "sequences", the prefixes of a sequence share a dropout mask and a
// step in the cross-entropy, an epoch contrasts one prefix of each sequence instead of
// all, and the negatives are one prefix per sequence.
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

// WholeSequences reports whether samples are whole sequences.
func (m *DuoRec) WholeSequences() bool { return m.config.Sampling == SampleSequences }

// Loss is the loss of the targets, plus the contrast of one position of each sequence.
// All views go through the encoder together. Views a and b end at the contrasted
// position, and nothing after it would change them.
func (m *DuoRec) Loss(b *models.Batch) torch.Tensor {
	views := []*models.Batch{b} // z
	if m.config.Contrast != "su" {
		views = append(views, b.Prefixes()) // a
	}
	if m.NeedsSameTarget() {
		views = append(views, b.SameTarget) // b
	}
	joined := models.Join(views...)
	n, B := int64(len(b.Position)), len(b.Lengths)
	at := slices.Concat(b.Position, joined.LastPositions()[B:]) // targets in z, the last position of a and b
	joined.NameRows(m.rt, at)                                   // each view of a sequence has names of its own, hence another mask
	x := m.encode(joined, at)                                   // [n + (views-1)·B, d]
	loss := m.loss.Of(m.rt, x.Narrow(0, 0, n), m.Items(), b)
	contrasted := x.Narrow(0, n, int64(len(at))-n) // a and b
	if m.config.Contrast != "us_x" {
		contrasted = m.rt.Concat(0, x.Rows(m.rt.Ints(indexes(b.Contrasted(), b.Position))), contrasted)
	}
	return loss.Add(m.contrast(contrasted, int64(B), n))
}

// indexes is where in positions, which are ascending, each of some is.
func indexes(some, positions []int64) []int64 {
	out := make([]int64, len(some))
	for i, p := range some {
		at, ok := slices.BinarySearch(positions, p)
		if !ok {
			panic(fmt.Sprintf("baselines: contrasted position %d has no target", p))
		}
		out[i] = int64(at)
	}
	return out
}

// contrast is the weighted sum of the mode's InfoNCE terms over the whole batch. x
// [views·B, d] holds the contrasted views of this team member's B sequences, which have n
// targets, stacked by view.
func (m *DuoRec) contrast(x torch.Tensor, B, n int64) torch.Tensor {
	all, rows, own := m.rt.Gather(x)
	views := x.Shape()[0] / B
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
	case "su", "us_x":
		sum = m.infoNCE(all, view(0), view(1)).Scale(c.SupervisedWeight)
	case "us":
		sum = m.infoNCE(all, view(0), view(1)).Scale(c.UnsupervisedWeight)
		sum = sum.Add(m.infoNCE(all, view(0), view(2)).Scale(c.SupervisedWeight))
	}
	// Members' losses are averaged in proportion to their targets.
	counts, _, _ := m.rt.Gather(m.rt.Full(float64(n), 1, 1)) // [members, 1]
	var targets []int64
	for _, v := range counts.HostFloats() {
		targets = append(targets, int64(v))
	}
	return models.RescaleGradient(sum, targets, own)
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
