// Package basic holds helpers of tests that use neither training nor the registry, so
// that the tests of these packages can use it too. They could not use package tinytest.
package basic

import (
	"math/rand/v2"
	"testing"

	"famebench/datasets"
	"famebench/internal/torch"
	"famebench/models"
)

// Cyclic is a data set of 40 items that a sequential model can learn: item v is followed
// by v+1 most of the time. A sequence has 6 items or more, but fewer than 6 + more.
func Cyclic(t *testing.T, users, more int) *datasets.Split {
	t.Helper()
	const items = 40
	r := rand.New(rand.NewPCG(3, 3))
	d := &datasets.Dataset{Name: "cyclic", NumItems: items}
	for range users {
		v := r.IntN(items)
		var seq []int32
		for range 6 + r.IntN(more) {
			seq = append(seq, int32(v)+1)
			if v = (v + 1) % items; r.IntN(10) == 0 {
				v = r.IntN(items)
			}
		}
		d.Seqs = append(d.Seqs, seq)
	}
	s, err := datasets.NewSplit(d, datasets.LeaveOneOut)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Split opens a data set and splits it. root is the folder of relative paths.
func Split(t *testing.T, c datasets.Config, root string) *datasets.Split {
	t.Helper()
	d, err := datasets.Open(c, root)
	if err != nil {
		t.Fatal(err)
	}
	s, err := datasets.NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Unmasked is SASRec whose positions see the items after them: a mistake that tests must
// find.
type Unmasked struct {
	rt      *torch.Runtime
	params  *torch.Params
	table   torch.Tensor // [V+1, d]
	encoder *models.Encoder
	loss    models.ItemLoss
	items   int
}

// NewUnmasked initialises the item table from N(0, 1), so that a single item shows.
func NewUnmasked(rt *torch.Runtime, c models.EncoderConfig, loss models.ItemLoss, items int) *Unmasked {
	p := rt.NewParams()
	return &Unmasked{rt, p, p.Normal("item_emb.weight", 1, int64(items)+1, int64(c.Hidden)), models.NewEncoder(rt, p, c), loss, items}
}

func (m *Unmasked) Params() *torch.Params { return m.params }

func (m *Unmasked) encode(b *models.Batch, at []int64) torch.Tensor {
	return m.encoder.Forward(m.table.Embedding(m.rt.Ints(b.Items)), b, at)
}

func (m *Unmasked) Loss(b *models.Batch) torch.Tensor {
	return m.loss.Of(m.rt, m.encode(b, b.Position), m.Items(), b)
}

func (m *Unmasked) Users(b *models.Batch) torch.Tensor { return m.encode(b, b.LastPositions()) }

func (m *Unmasked) Items() models.ItemTable {
	return models.ItemTable{Rows: m.table, Items: m.items}
}
