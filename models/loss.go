package models

import (
	"fmt"
	"math"
	"slices"

	"famebench/internal/torch"
)

// ItemLoss turns scores over the catalogue into a training loss.
type ItemLoss struct {
	// Kind is one of LossKinds.
	Kind string
	// Negatives is the number K of sampled negatives per target ("gbce",
	// "sampled-softmax"; "bce" takes 1).
	Negatives int
	// Calibration is gSASRec's t ("gbce"): 0 is plain BCE, 1 fully corrects
	// for having sampled the negatives.
	Calibration float64
	// Padding makes row 0 a class of the softmax, as in RecBole. It is only for
	// comparisons with RecBole: padding is never recommended.
	Padding bool
}

// LossKinds are the losses that ItemLoss computes:
//   - ce: cross-entropy over all items (the FAME papers; RecBole's CE)
//   - bce: binary cross-entropy, target against one uniform negative
//     (Kang and McAuley 2018, eq. 8)
//   - gbce: BCE with K negatives and the target's probability raised to β
//     (Petrov and Macdonald 2023, gSASRec, eq. 9 and 10)
//   - sampled-softmax: cross-entropy over the target and K uniform negatives
var LossKinds = []string{"ce", "bce", "gbce", "sampled-softmax"}

// SampledNegatives is the number of negatives per target that a batch must have.
func (l ItemLoss) SampledNegatives() int {
	switch l.Kind {
	case "bce":
		return 1
	case "gbce", "sampled-softmax":
		return l.Negatives
	}
	return 0
}

// Of is the mean loss, a scalar, of user vectors u [n, d], whose targets and negatives
// are in the batch, against an item table.
func (l ItemLoss) Of(rt *torch.Runtime, u torch.Tensor, t ItemTable, b *Batch) torch.Tensor {
	n := int64(len(b.Target))
	if l.Kind == "ce" {
		first := int64(1)
		if l.Padding {
			first = 0
		}
		return u.CrossEntropy(t.Rows, t.Bias, rt.Ints(b.Target), first, int64(t.Items)+1)
	}
	K := int64(l.SampledNegatives())
	ids := make([]int64, 0, n*(1+K)) // target first, then its negatives
	for i, v := range b.Target {
		ids = append(ids, v)
		ids = append(ids, b.Negatives[int64(i)*K:(int64(i)+1)*K]...)
	}
	index := rt.Ints(ids, n, 1+K)
	scores := u.RowScores(t.Rows, index) // [n, 1+K]
	if t.Bias.Defined() {
		scores = scores.Add(t.Bias.Rows(index.Reshape(-1)).Reshape(n, 1+K))
	}
	target := scores.Narrow(1, 0, 1) // [n, 1]
	switch l.Kind {
	case "sampled-softmax":
		return scores.LogSoftmax().Narrow(1, 0, 1).Mean().Scale(-1)
	case "bce", "gbce":
		beta := 1.0
		if l.Kind == "gbce" { // α share of items sampled; β(t) of eq. 10
			alpha := float64(K) / float64(t.Items-1)
			beta = alpha * (l.Calibration*(1-1/alpha) + 1/alpha)
		}
		positive := target.LogSigmoid().Scale(beta)                      // [n, 1]: log σ^β
		negative := scores.Narrow(1, 1, K).Scale(-1).LogSigmoid().Sum(1) // [n]: Σ log(1−σ)
		total := positive.Reshape(n).Add(negative)
		return total.Mean().Scale(-1 / float64(1+K))
	}
	panic(fmt.Sprintf("models: unknown loss %q", l.Kind))
}

// RescaleGradient prepares a loss that every team member computes over the whole batch,
// from what Gather joined, for being added to the loss of the member's own targets.
// Members' losses are averaged in proportion to their rows. Here every member has the
// same value but the gradient of its own rows only, so that gradient is divided by the
// member's share and the value is kept.
func RescaleGradient(loss torch.Tensor, rows []int64, own int) torch.Tensor {
	total := int64(0)
	for _, n := range rows {
		total += n
	}
	share := float64(rows[own]) / float64(total)
	return loss.Scale(1 / share).Add(loss.Detach().Scale(1 - 1/share))
}

// Validate reports the first invalid value; items is V.
func (l ItemLoss) Validate(items int) error {
	switch {
	case !slices.Contains(LossKinds, l.Kind):
		return fmt.Errorf("loss %q: expected one of %v", l.Kind, LossKinds)
	case l.SampledNegatives() < 0 || l.SampledNegatives() >= items,
		(l.Kind == "gbce" || l.Kind == "sampled-softmax") && l.Negatives < 1:
		return fmt.Errorf("negatives = %d: expected 1 to %d for loss %q", l.Negatives, items-1, l.Kind)
	case math.IsNaN(l.Calibration) || l.Calibration < 0 || l.Calibration > 1:
		return fmt.Errorf("calibration = %v: expected 0 to 1", l.Calibration)
	}
	return nil
}
