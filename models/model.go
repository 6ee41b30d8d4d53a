// Package models holds what all neural recommenders share: the batch they read, the
// interface by which training and ranking use them, their transformer blocks, the loss
// over the item table, and FAME.
//
// Shapes in comments: B sequences of a batch, M items in all of them, n scored
// positions (targets), V items, d hidden size, H attention heads, N experts. Item 0 is
// padding; tables have V+1 rows.
package models

import "famebench/internal/torch"

// Model is a neural sequential recommender. Its score of item v for a history
// is the dot product of a user vector with row v of an item table, plus a bias
// if the model has one.
type Model interface {
	// Params are the trainable parameters.
	Params() *torch.Params
	// Loss is the mean training loss over the batch's targets, a scalar.
	Loss(b *Batch) torch.Tensor
	// Users is the user vector after the last item of every sequence: [B, d].
	Users(b *Batch) torch.Tensor
	// Items is the table against which user vectors are scored.
	Items() ItemTable
}

// ItemTable scores user vectors: the score of item v is the dot product of the vector
// and row v, plus the item's bias.
type ItemTable struct {
	Rows  torch.Tensor // [V+1, d], or with further rows that are not items
	Bias  torch.Tensor // [V+1], or none
	Items int          // V
}

// Contrastive is a Model that may need SameTarget in its batches.
type Contrastive interface {
	Model
	// NeedsSameTarget reports whether Loss reads it.
	NeedsSameTarget() bool
}

// Batch is a block of item sequences of any lengths, concatenated without padding,
// with the positions at which an item is to be predicted.
type Batch struct {
	Items     []int64 // [M] the sequences; 0 (no item) occurs only as a sequence of its own
	Lengths   []int64 // [B] items of each sequence, at least 1
	Position  []int64 // [n] index into Items of each scored position, ascending
	Target    []int64 // [n] the item to predict there
	Negatives []int64 // [n·K] sampled negatives per target, for losses that need them
	// SameTarget holds, for each sequence, another one with the same target, for
	// models that need it. It has no positions.
	SameTarget *Batch
}

// LastPositions is the index of the last item of every sequence: [B].
func (b *Batch) LastPositions() []int64 {
	last := make([]int64, len(b.Lengths))
	end := int64(0)
	for i, n := range b.Lengths {
		end += n
		last[i] = end - 1
	}
	return last
}

// Join concatenates the sequences of batches, without positions and targets.
func Join(batches ...*Batch) *Batch {
	out := &Batch{}
	for _, b := range batches {
		out.Items = append(out.Items, b.Items...)
		out.Lengths = append(out.Lengths, b.Lengths...)
	}
	return out
}
