package train

import (
	"math"
	"testing"

	"famebench/datasets"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

// lastItem is a model whose user vector is the embedding of the last item.
type lastItem struct {
	models.Model
	rt     *torch.Runtime
	params *torch.Params
	table  torch.Tensor
}

func (m *lastItem) Params() *torch.Params { return m.params }

func (m *lastItem) Users(b *models.Batch) torch.Tensor {
	ids := make([]int64, len(b.Lengths))
	for i, at := range b.LastPositions() {
		ids[i] = b.Items[at]
	}
	return m.table.Rows(m.rt.Ints(ids))
}

// Alignment and uniformity of known vectors, against their definitions.
func TestGeometry(t *testing.T) {
	data := &datasets.Dataset{NumItems: 4, Seqs: [][]int32{
		{1, 4, 2, 3, 1}, // trains on 1 4 2, validation: [1 4 2] → 3
		{2, 3, 1, 4, 1}, // trains on 2 3 1, validation: [2 3 1] → 4
		{1, 2, 4, 1, 1}, // trains on 1 2 4, validation: [1 2 4] → 1
	}}
	s, err := datasets.NewSplit(data, datasets.LeaveOneOut)
	if err != nil {
		t.Fatal(err)
	}
	vectors := [5][2]float64{{}, {3, 0}, {0, 2}, {-1, 0}, {1, 1}} // by item
	p := newProbe(s, 50)
	err = torch.RunTeam(torch.Config{Threads: 2}, func(team *torch.Team) error {
		r, err := NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
			params := rt.NewParams()
			m := &lastItem{rt: rt, params: params, table: params.Fill("table", 0, 5, 2)}
			var flat []float32
			for _, v := range vectors {
				flat = append(flat, float32(v[0]), float32(v[1]))
			}
			m.table.CopyFrom(flat)
			return m, nil
		})
		if err != nil {
			return err
		}
		g, err := p.measure(r)
		if err != nil {
			return err
		}
		distance := func(a, b int32) float64 {
			x, y := vectors[a], vectors[b]
			nx, ny := math.Hypot(x[0], x[1]), math.Hypot(y[0], y[1])
			return math.Hypot(x[0]/nx-y[0]/ny, x[1]/nx-y[1]/ny)
		}
		// The histories end in 2, 1 and 4. Others' prefixes before 3: [2] of user 1;
		// before 4: [1] of user 0 or [1 2] of user 2; before 1: [2 3] of user 1.
		var sum float64
		for _, pair := range [][2]int32{{2, 1}, {2, 4}, {1, 4}} {
			d := distance(pair[0], pair[1])
			sum += math.Exp(-2 * d * d)
		}
		if want := math.Log(sum / 3); math.Abs(g.Uniformity-want) > 1e-5 {
			t.Errorf("uniformity %v, want %v", g.Uniformity, want)
		}
		with := func(of1 int32) float64 { return (distance(2, 2) + distance(1, of1) + distance(4, 3)) / 3 }
		if math.Abs(g.Alignment-with(1)) > 1e-5 && math.Abs(g.Alignment-with(2)) > 1e-5 {
			t.Errorf("alignment %v, want %v or %v", g.Alignment, with(1), with(2))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The same users and pairs every time, no pair of one user, no more than there are.
func TestProbe(t *testing.T) {
	s := basic.Cyclic(t, 120, 10)
	a, b := newProbe(s, 8), newProbe(s, 8)
	if len(a.users) != len(s.Valid) || len(a.pairs) == 0 || len(a.pairs) != len(a.paired) {
		t.Fatalf("%d users, %d pairs", len(a.users), len(a.pairs))
	}
	for i, p := range a.pairs {
		u := a.users[a.paired[i]]
		if p.User == u.User || p.Target != u.Target || len(p.History) == 0 || s.Train[p.User][len(p.History)] != p.Target {
			t.Errorf("pair %+v for %+v", p, u)
		}
		if b.pairs[i].User != p.User || len(b.pairs[i].History) != len(p.History) {
			t.Error("two probes differ")
		}
	}
}
