// Package models holds what all neural recommenders share: the batch they read, the
// interface by which training and ranking use them, their transformer blocks, the loss
// over the item table, and FAME.
//
// Shapes in comments: B sequences of a batch, M items in all of them, n scored
// positions (targets), V items, d hidden size, H attention heads, N experts. Item 0 is
// padding; tables have V+1 rows.
package models

import (
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

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

// Contrastive is a Model whose loss contrasts one position of each sample with others.
type Contrastive interface {
	Model
	// NeedsSameTarget reports whether Loss reads Batch.SameTarget.
	NeedsSameTarget() bool
	// WholeSequences reports whether samples are whole sequences, with a target after every
	// position and Batch.Contrast, instead of prefixes.
	WholeSequences() bool
}

// Heir is a Model that can begin with the trained weights of another kind of model, whose
// parameters have other names or shapes.
type Heir interface {
	Model
	// Inherit returns the weights of another model, by name, under the names that their values
	// have here. What it does not know stays as it is.
	Inherit(weights map[string]safetensors.Tensor) (map[string]safetensors.Tensor, error)
}

// Batch is a block of item sequences of any lengths, concatenated without padding,
// with the positions at which an item is to be predicted.
type Batch struct {
	Items     []int64 // [M] the sequences; 0 (no item) occurs only as a sequence of its own
	Lengths   []int64 // [B] items of each sequence, at least 1
	Position  []int64 // [n] index into Items of each scored position, ascending
	Target    []int64 // [n] the item to predict there
	Negatives []int64 // [n·K] sampled negatives per target, for losses that need them
	// Place is each sequence's place in the whole batch, of which a member of a thread
	// team has a part: [B]. Random numbers depend on it. nil stands for 0…B−1.
	Place []int64
	// Contrast is the index into Items of each sequence's contrasted position, one of
	// Position: [B]. nil stands for the last one. Contrastive models read it.
	Contrast []int64
	// SameTarget holds, for each sequence, another one that ends before the target of
	// the contrasted position, for models that need it. It has no positions.
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

// Contrasted is the index into Items of each sequence's contrasted position: [B].
func (b *Batch) Contrasted() []int64 {
	if b.Contrast == nil {
		return b.LastPositions()
	}
	return b.Contrast
}

// Prefixes are the sequences up to their contrasted positions, without positions and
// targets.
func (b *Batch) Prefixes() *Batch {
	out, first := &Batch{Place: b.Place}, int64(0)
	for i, last := range b.Contrasted() {
		out.Items = append(out.Items, b.Items[first:last+1]...)
		out.Lengths = append(out.Lengths, last+1-first)
		first += b.Lengths[i]
	}
	return out
}

// place is Place of sequence i.
func (b *Batch) place(i int) int64 {
	if b.Place == nil {
		return int64(i)
	}
	return b.Place[i]
}

// RowNames names the batch's items [M]: by the sequence's place in the whole batch and
// the item's place in the sequence. Random numbers are drawn for a name, so that they
// do not depend on which member of a team has the row.
func (b *Batch) RowNames() []int64 {
	const positions = 1 << 24 // more than any sequence has
	names := make([]int64, 0, len(b.Items))
	for i, n := range b.Lengths {
		for t := range n {
			names = append(names, b.place(i)*positions+t)
		}
	}
	return names
}

// NameRows tells the Runtime that the operations that follow have the batch's items as
// rows, or the items at the given positions, for dropout. Training calls it before
// Loss, with b.Position. A model that lays out a batch of its own calls it again.
func (b *Batch) NameRows(rt *torch.Runtime, at []int64) { rt.NameRows(b.RowNames(), at) }

// Join concatenates the sequences of batches, without positions and targets. Every
// sequence gets a place of its own, also where two batches have the same one.
func Join(batches ...*Batch) *Batch {
	out := &Batch{}
	for k, b := range batches {
		out.Items = append(out.Items, b.Items...)
		out.Lengths = append(out.Lengths, b.Lengths...)
		for i := range b.Lengths {
			out.Place = append(out.Place, b.place(i)*int64(len(batches))+int64(k))
		}
	}
	return out
}
