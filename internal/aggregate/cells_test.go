package aggregate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"famebench/internal/record"
)

// cellsOf are cells whose times and memory are known powers of H and N, and two that belong to no
// grid. The last one, of another model, has no heads.
func cellsOf(heads, experts []int) *record.Cells {
	f := &record.Cells{Suite: "s", CPU: "a CPU", Device: "cpu", Threads: 2, Steps: 200}
	cell := func(h, n, hidden int) record.Cell {
		H, N := float64(h), float64(n)
		return record.Cell{ID: fmt.Sprint(h, n, hidden), Model: "fame", Dataset: "d", Heads: h, Experts: n, Hidden: hidden, Items: 12000, Loss: "ce", BatchTargets: 512,
			Step: record.Quartiles{P50: 20 * math.Sqrt(H) * N}, Scoring: record.Scoring{Latency: record.Latency{P50: 3}, PeakRSSMB: 100 * math.Pow(N, .25)},
			Separate: &record.Scoring{Latency: record.Latency{P50: .1 * H}}}
	}
	for _, n := range experts {
		for _, h := range heads {
			f.Cells = append(f.Cells, cell(h, n, 64))
		}
	}
	f.Cells = append(f.Cells, cell(4, 4, 128), record.Cell{ID: "sasrec", Model: "sasrec", Dataset: "d"})
	return f
}

func plannedCells(f *record.Cells) (all []PlannedCell) {
	for _, c := range f.Cells {
		all = append(all, PlannedCell{c.ID, "fame with " + c.ID})
	}
	return all
}

func TestGrowth(t *testing.T) {
	f := cellsOf([]int{1, 2, 4, 64}, []int{1, 4, 16})
	c := MakeCells(f, append(plannedCells(f), PlannedCell{"none", "fame with heads = 8"}))
	if len(c.Cells) != 14 || len(c.Missing) != 1 || c.Missing[0] != "fame with heads = 8" || c.Machine() != "a CPU, 2 threads" {
		t.Errorf("%d cells, missing %q, on %s", len(c.Cells), c.Missing, c.Machine())
	}
	if len(c.Grids) != 1 || len(c.Grids[0].Cells) != 12 || c.Grids[0].Hidden != 64 || len(c.Grids[0].Growth) != 4 {
		t.Fatalf("%+v", c.Grids)
	}
	for i, want := range []struct{ heads, experts float64 }{{.5, 1}, {0, 0}, {1, 0}, {0, .25}} {
		g := c.Grids[0].Growth[i]
		for _, s := range []struct {
			got  *Slope
			want float64
		}{{g.Heads, want.heads}, {g.Experts, want.experts}} {
			if s.got == nil || !(math.Abs(s.got.Value-s.want) < 1e-9 && math.Abs(s.got.Low-s.want) < 1e-6 && math.Abs(s.got.High-s.want) < 1e-6) || g.Cells != 12 {
				t.Errorf("%s: %+v, want %v", g.What, s.got, s.want)
			}
		}
	}
}

// Cells that differ in something else are in grids of their own, or they would count as growth.
func TestGrowthOfOneSettingAtATime(t *testing.T) {
	for what, change := range map[string]func(c *record.Cell, h int){
		"negatives": func(c *record.Cell, h int) { c.Negatives = 64 * max(1, h/8) },
		"an axis": func(c *record.Cell, h int) {
			c.At = fmt.Sprintf("heads = %d, layers = %d, fame.experts = 2", h, max(1, h/8))
		},
	} {
		f := cellsOf([]int{1, 2, 4, 16, 32, 64}, []int{2})
		f.Cells = slices.DeleteFunc(f.Cells, func(c record.Cell) bool { return c.Experts != 2 }) // without SASRec
		for i := range f.Cells {
			c := &f.Cells[i]
			c.Step.P50 = float64(20 * max(1, c.Heads/8))
			change(c, c.Heads)
		}
		c := MakeCells(f, plannedCells(f))
		if len(c.Grids) != 1 || len(c.Grids[0].Cells) != 3 || math.Abs(c.Grids[0].Growth[0].Heads.Value) > 1e-9 {
			t.Errorf("%s: %+v", what, c.Grids)
		}
	}
}

// Where only one of H and N varies, its exponent alone is fitted; where too few cells are
// measured, or the two vary together, none.
func TestGrowthOfPartsOfAGrid(t *testing.T) {
	f := cellsOf([]int{1, 2, 4}, []int{2})
	g := MakeCells(f, plannedCells(f)).Grids[0].Growth
	if len(g) != 4 || g[0].Heads == nil || math.Abs(g[0].Heads.Value-.5) > 1e-9 || g[0].Experts != nil {
		t.Errorf("heads alone: %+v", g)
	}
	f = cellsOf([]int{2}, []int{1, 2, 4})
	if g = MakeCells(f, plannedCells(f)).Grids[0].Growth; len(g) != 4 || g[0].Heads != nil || g[0].Experts == nil || math.Abs(g[0].Experts.Value-1) > 1e-9 {
		t.Errorf("experts alone: %+v", g)
	}
	f = cellsOf([]int{1, 2, 4, 8}, []int{1, 2, 4, 8})
	var diagonal []PlannedCell
	for _, n := range []int{1, 2, 4, 8} {
		diagonal = append(diagonal, PlannedCell{ID: fmt.Sprint(n, n, 64)})
	}
	for _, some := range [][]PlannedCell{diagonal, diagonal[:2], diagonal[:1]} {
		if c := MakeCells(f, some); len(c.Grids) > 0 && c.Grids[0].Growth != nil {
			t.Errorf("%d cells: %+v", len(some), c.Grids[0].Growth)
		}
	}
	f.Cells[0].Separate = nil
	for _, g := range MakeCells(f, plannedCells(f)).Grids[0].Growth {
		if g.What == grown[2].what {
			t.Errorf("separate latency with a cell that has none: %+v", g)
		}
	}
}
