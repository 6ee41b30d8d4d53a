package pretrain

import (
	"math"
	"slices"

	"famebench/internal/record"
	"famebench/internal/torch"
)

const (
	qualityNeighbors = 10
	qualityItems     = 1024
)

// evaluation holds what record.Quality is computed from, for one facet.
type evaluation struct {
	labels  [][]int32       // by item id
	queries []int32         // held-out items
	items   []int32         // all with a label, including the queries
	place   map[int32]int   // index of an item in items
	members map[int32][]int // by label: indices of its items
	k       int             // neighbours
}

// newEvaluation prepares the held-out items of a facet; nil if none has a match, which
// is another item with a label in common.
func newEvaluation(labels [][]int32, withText, heldOut []int32) *evaluation {
	e := &evaluation{labels: labels, place: map[int32]int{}, members: map[int32][]int{}}
	for _, v := range withText {
		if len(labels[v]) == 0 {
			continue
		}
		e.place[v] = len(e.items)
		for _, l := range labels[v] {
			e.members[l] = append(e.members[l], len(e.items))
		}
		e.items = append(e.items, v)
	}
	match := make([]bool, len(e.items))
	for _, v := range heldOut {
		if len(e.queries) < qualityItems && e.mark(match, v) > 0 {
			e.queries = append(e.queries, v)
		}
	}
	if len(e.queries) == 0 {
		return nil
	}
	e.k = min(qualityNeighbors, len(e.items)-1)
	return e
}

// mark sets match, by index, to the matches of v, and counts them.
func (e *evaluation) mark(match []bool, v int32) (n int) {
	clear(match)
	for _, l := range e.labels[v] {
		for _, at := range e.members[l] {
			if e.items[at] != v && !match[at] {
				match[at] = true
				n++
			}
		}
	}
	return n
}

// measure evaluates vectors x [V+1, m], by item id. chance is the expected purity of
// random neighbours.
func (e *evaluation) measure(rt *torch.Runtime, x torch.Tensor) (m record.Measure, chance float64) {
	n := len(e.items)
	match, nearest := make([]bool, n), make([]int, 0, n)
	var spread float64
	rt.Scope(func() {
		all := x.Rows(index(rt, e.items)).Normalize().Transpose() // [m, n]
		for queries := range slices.Chunk(e.queries, 128) {
			rt.Scope(func() {
				cosines := x.Rows(index(rt, queries)).Normalize().MatMul(all).HostFloats() // [128, n]
				for i, v := range queries {
					row, self, matches := cosines[i*n:(i+1)*n], e.place[v], e.mark(match, v)
					var away float64
					nearest = nearest[:0]
					for j, c := range row {
						if j == self {
							continue
						}
						d := max(0, 2*(1-float64(c))) // distance²
						spread += math.Exp(-2 * d)
						if match[j] {
							away += math.Sqrt(d)
						}
						nearest = insert(nearest, j, row, e.k)
					}
					pure := 0
					for _, j := range nearest {
						if match[j] {
							pure++
						}
					}
					m.Alignment += away / float64(matches)
					m.Purity += float64(pure) / float64(e.k)
					chance += float64(matches) / float64(n-1)
				}
			})
		}
	})
	q := float64(len(e.queries))
	m.Alignment, m.Purity = m.Alignment/q, m.Purity/q
	m.Uniformity = math.Log(spread / (q * float64(n-1)))
	return m, chance / q
}

// insert keeps the indices of the k highest values seen so far, highest first.
func insert(nearest []int, j int, row []float32, k int) []int {
	if len(nearest) == k {
		if row[j] <= row[nearest[k-1]] {
			return nearest
		}
		nearest = nearest[:k-1]
	}
	at, _ := slices.BinarySearchFunc(nearest, row[j], func(i int, c float32) int {
		if row[i] >= c { // among equal values the earlier one stays in front
			return -1
		}
		return 1
	})
	return slices.Insert(nearest, at, j)
}

// plane is the first two principal components of the queries' vectors in x, rounded
// to four decimals, because they are only plotted.
func (e *evaluation) plane(rt *torch.Runtime, x torch.Tensor) [][2]float32 {
	out := make([][2]float32, len(e.queries))
	rt.Scope(func() {
		z := x.Rows(index(rt, e.queries)).Normalize()
		k := min(2, int(z.Shape()[1]))
		for i, v := range principal(rt, z, k).HostFloats() {
			out[i/k][i%k] = float32(math.Round(float64(v)*1e4) / 1e4)
		}
	})
	return out
}

// picture is the facet of a head in two dimensions.
func (t *training) picture(h int, l *head, e *evaluation, z torch.Tensor) record.Picture {
	f := t.in.Facets[l.facet]
	p := record.Picture{Head: h + 1, Facet: f.Name, Items: e.queries, Before: e.plane(t.rt, t.text), After: e.plane(t.rt, z)}
	for _, v := range e.queries {
		var names []string
		for _, label := range f.Labels[v] {
			names = append(names, f.Values[label])
		}
		p.Labels = append(p.Labels, names)
	}
	return p
}

// index is a list of items as rows of a table.
func index(rt *torch.Runtime, items []int32) torch.Tensor {
	out := make([]int64, len(items))
	for i, v := range items {
		out[i] = int64(v)
	}
	return rt.Ints(out)
}
