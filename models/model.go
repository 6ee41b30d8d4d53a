// Package models holds what all neural recommenders here share: the batch they
// read, the interface by which training and ranking use them, the transformer
// blocks they are built from, and the loss over the item table.
//
// Shapes in comments: B rows of a batch, T positions, N scored positions
// (targets), V items, d hidden size, H attention heads. Item 0 is padding;
// tables have V+1 rows.
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
	// Users is the user vector after the last item of every row: [B, d].
	Users(b *Batch) torch.Tensor
	// Items is the table that user vectors are scored against, [V+1, d], and
	// the bias per item [V+1], or none.
	Items() (table, bias torch.Tensor)
}

// Batch is a block of item sequences, padded on the right, with the positions
// at which the next item is to be predicted.
type Batch struct {
	Rows, Len int     // B, T
	Items     []int64 // [B·T] row-major; 0 is padding
	Lengths   []int64 // [B] items of each row, at least 1
	Position  []int64 // [N] flat index row·T+t of each scored position, ascending
	Target    []int64 // [N] the item to predict there
	Negatives []int64 // [N·K] sampled negatives per target, for losses that need them
}

// LastPositions is the flat index of the last item of every row.
func (b *Batch) LastPositions() []int64 {
	last := make([]int64, b.Rows)
	for i, n := range b.Lengths {
		last[i] = int64(i*b.Len) + n - 1
	}
	return last
}
