// Package models holds what all neural recommenders here share: the batch they
// read, the interface by which training and ranking use them, the transformer
// blocks they are built from, and the loss over the item table.
//
// Shapes in comments: B sequences of a batch, M items in all of them, N scored
// positions (targets), V items, d hidden size, H attention heads. Item 0 is
// padding; tables have V+1 rows.
package models

import "famebench/internal/torch"

// Model is a neural sequential recommender. Its score of item v for a history
// is the dot product of a user vector with row v of an item table, plus a bias
// where the model has one.
type Model interface {
	// Params are the trainable parameters.
	Params() *torch.Params
	// Loss is the mean training loss over the batch's targets, a scalar.
	Loss(b *Batch) torch.Tensor
	// Users is the user vector after the last item of every sequence: [B, d].
	Users(b *Batch) torch.Tensor
	// Items is the table that user vectors are scored against, [V+1, d] or with
	// more rows, and the bias per item [V+1], or none.
	Items() (table, bias torch.Tensor)
}

// Contrastive is a Model whose batches may have to bring SameTarget.
type Contrastive interface {
	Model
	// NeedsSameTarget tells whether Loss reads it.
	NeedsSameTarget() bool
}

// Batch is a block of item sequences of any lengths, one after the other without
// padding, with the positions at which an item is to be predicted.
type Batch struct {
	Items     []int64 // [M] the sequences; 0, no item, only as a sequence of its own
	Lengths   []int64 // [B] items of each sequence, at least 1
	Position  []int64 // [N] index into Items of each scored position, ascending
	Target    []int64 // [N] the item to predict there
	Negatives []int64 // [N·K] sampled negatives per target, for losses that need them
	// SameTarget has, for models that ask for it, another sequence for each one
	// here, with the same target; no positions of its own.
	SameTarget *Batch
}

// LastPositions is where the last item of every sequence stands: [B].
func (b *Batch) LastPositions() []int64 {
	last := make([]int64, len(b.Lengths))
	end := int64(0)
	for i, n := range b.Lengths {
		end += n
		last[i] = end - 1
	}
	return last
}

// Join puts the sequences of batches one after the other, without positions and
// targets.
func Join(batches ...*Batch) *Batch {
	out := &Batch{}
	for _, b := range batches {
		out.Items = append(out.Items, b.Items...)
		out.Lengths = append(out.Lengths, b.Lengths...)
	}
	return out
}
