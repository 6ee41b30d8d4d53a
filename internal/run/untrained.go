package run

import (
	"cmp"
	"math"
	"slices"

	"famebench/datasets"
	"famebench/internal/train"
)

// nearest is the number of neighbours whose rows are averaged.
const nearest = 10

// fillUntrained applies pretrain.Neighbours to a trained model.
func (s *initial) fillUntrained(m *train.Replicas, split *datasets.Split) error {
	trained := make([]bool, split.Data.NumItems+1)
	for v, n := range split.TrainingCounts() {
		trained[v] = n > 0
	}
	return changeItems(m, func(table []float32) []float32 {
		fromNeighbours(table, s.Table, s.FromText, trained, nearest)
		return table
	})
}

// fromNeighbours overwrites, in table [V+1, d], the rows of untrained items that have a
// text. Each becomes the mean row of k trained items with a text: those whose rows in
// begin [V+1, d] have the highest cosine with its own, the lower item if cosines are
// equal.
func fromNeighbours(table, begin []float32, fromText, trained []bool, k int) {
	d := len(table) / len(trained)
	norm := func(v int) float64 {
		var sum float64
		for _, x := range begin[v*d : (v+1)*d] {
			sum += float64(x) * float64(x)
		}
		return math.Sqrt(sum)
	}
	type neighbour struct {
		item   int
		cosine float64
	}
	var known []neighbour
	for v := 1; v < len(trained); v++ {
		if trained[v] && fromText[v] {
			known = append(known, neighbour{item: v})
		}
	}
	norms := make([]float64, len(trained))
	for v := range norms {
		norms[v] = max(norm(v), 1e-12)
	}
	for v := 1; v < len(trained); v++ {
		if trained[v] || !fromText[v] || len(known) == 0 {
			continue
		}
		own := begin[v*d : (v+1)*d]
		near := slices.Clone(known)
		for i := range near {
			var dot float64
			u := near[i].item
			for j, x := range begin[u*d : (u+1)*d] {
				dot += float64(x) * float64(own[j])
			}
			near[i].cosine = dot / (norms[u] * norms[v])
		}
		slices.SortStableFunc(near, func(a, b neighbour) int { return cmp.Compare(b.cosine, a.cosine) })
		near = near[:min(k, len(near))]
		row := make([]float64, d)
		for _, n := range near {
			for j, x := range table[n.item*d : (n.item+1)*d] {
				row[j] += float64(x) / float64(len(near))
			}
		}
		for j, x := range row {
			table[v*d+j] = float32(x)
		}
	}
}
