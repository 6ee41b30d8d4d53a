package pretrain

import "famebench/internal/torch"

// Positives are the pairs of items of a batch that share a label.
type Positives struct {
	// Counts has |P(i)| for each item: the number of others that share a label
	// with it.
	Counts []int
	// Anchors is the number of items with a positive; the others are negatives only.
	Anchors int

	weights []float32 // [n, n]: 1/|P(i)| if column p is in P(i), else 0
}

// NewPositives finds the pairs of a batch by the labels of its items. An item may
// have any number of labels.
func NewPositives(labels [][]int32) *Positives {
	n := len(labels)
	p := &Positives{Counts: make([]int, n), weights: make([]float32, n*n)}
	members := map[int32][]int{}
	for i, list := range labels {
		for _, l := range list {
			members[l] = append(members[l], i)
		}
	}
	for i, list := range labels {
		row := p.weights[i*n : (i+1)*n]
		for _, l := range list {
			for _, j := range members[l] {
				if j != i && row[j] == 0 {
					row[j] = 1
					p.Counts[i]++
				}
			}
		}
		if p.Counts[i] == 0 {
			continue
		}
		p.Anchors++
		for j := range row {
			row[j] /= float32(p.Counts[i])
		}
	}
	return p
}

// SupCon is the supervised contrastive loss in the form L_out (Khosla et al. 2020,
// arXiv 2004.11362, eq. 2) of vectors x [n, d'], which it normalises to z:
//
//	L_i = −1/|P(i)| Σ_{p∈P(i)} log( exp(z_i·z_p/τ) / Σ_{a≠i} exp(z_i·z_a/τ) )
//
// averaged over the anchors. Items without a positive are not anchors, but are
// part of the others' sums. The result is a scalar; there must be an anchor.
func SupCon(rt *torch.Runtime, x torch.Tensor, p *Positives, temperature float64) torch.Tensor {
	return anchorLosses(rt, x, p, temperature).Sum(0).Scale(1 / float64(p.Anchors))
}

// anchorLosses are L_i [n], 0 for items that are not anchors.
func anchorLosses(rt *torch.Runtime, x torch.Tensor, p *Positives, temperature float64) torch.Tensor {
	n := int64(len(p.Counts))
	z := x.Normalize()                                                          // [n, d']
	itself := rt.Full(-1e30, n).Diag()                                          // [n, n]: e^-1e30 is 0
	logits := z.MatMul(z.Transpose()).Scale(1 / temperature).Add(itself)        // [n, n]
	return logits.LogSoftmax().Mul(rt.Floats(p.weights, n, n)).Sum(1).Scale(-1) // [n]
}
