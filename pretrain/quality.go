package pretrain

import (
	"math"
	"slices"

	"famebench/internal/torch"
)

// Quality says how well a facet is told apart, by the text vectors and by what its
// head makes of them, measured on held-out items: items that took part in no step
// of training. Each is compared with all items that have a label of the facet.
// Labels are the true ones, also where training had them shuffled.
type Quality struct {
	Items     int `json:"items"`     // held-out items that share a label with another item, at most 1,024
	Neighbors int `json:"neighbors"` // k of Purity: 10, or fewer where there are not so many
	// Chance is the Purity of neighbours drawn at random.
	Chance float64 `json:"chance"`
	Before Measure `json:"before"` // of the text vectors
	After  Measure `json:"after"`  // of the projections
}

// Measure is how vectors, normalised, lie on the unit sphere.
type Measure struct {
	// Alignment is the mean distance of an item to the others with a label in common
	// (Wang and Isola 2020, arXiv 2005.10242). 0 is best, 2 the farthest.
	Alignment float64 `json:"alignment"`
	// Uniformity is log mean exp(−2·distance²) over all pairs. 0 is one point for all;
	// lower is more even.
	Uniformity float64 `json:"uniformity"`
	// Purity is the share of an item's k nearest neighbours (by cosine, the lower item
	// id first where equal) that have a label in common with it.
	Purity float64 `json:"purity"`
}

// Picture has held-out items in two dimensions: the first principal components of
// the text vectors, and of the projections of a facet's head.
type Picture struct {
	Head   int          `json:"head"` // from 1
	Facet  string       `json:"facet"`
	Items  []int32      `json:"items"`
	Labels [][]string   `json:"labels"` // of each item
	Before [][2]float32 `json:"before"`
	After  [][2]float32 `json:"after"`
}

const (
	qualityNeighbors = 10
	qualityItems     = 1024
)

// examination is what Quality needs to know of a facet.
type examination struct {
	labels  [][]int32       // by item id
	queries []int32         // held-out items
	items   []int32         // all with a label; queries among them
	place   map[int32]int   // of an item in items
	members map[int32][]int // by label: places of its items
	k       int             // neighbours
}

// examine readies the held-out items of a facet; nil if none has a fellow, another
// item with a label in common.
func examine(labels [][]int32, withText, heldOut []int32) *examination {
	e := &examination{labels: labels, place: map[int32]int{}, members: map[int32][]int{}}
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
	fellow := make([]bool, len(e.items))
	for _, v := range heldOut {
		if len(e.queries) < qualityItems && e.mark(fellow, v) > 0 {
			e.queries = append(e.queries, v)
		}
	}
	if len(e.queries) == 0 {
		return nil
	}
	e.k = min(qualityNeighbors, len(e.items)-1)
	return e
}

// mark sets fellow, by place, to the fellows of v, and counts them.
func (e *examination) mark(fellow []bool, v int32) (n int) {
	clear(fellow)
	for _, l := range e.labels[v] {
		for _, at := range e.members[l] {
			if e.items[at] != v && !fellow[at] {
				fellow[at] = true
				n++
			}
		}
	}
	return n
}

// measure looks at vectors x [V+1, m], by item id. chance is the purity to expect of
// random neighbours.
func (e *examination) measure(rt *torch.Runtime, x torch.Tensor) (m Measure, chance float64) {
	n := len(e.items)
	fellow, nearest := make([]bool, n), make([]int, 0, n)
	var spread float64
	rt.Scope(func() {
		all := x.Rows(index(rt, e.items)).Normalize().Transpose() // [m, n]
		for queries := range slices.Chunk(e.queries, 128) {
			rt.Scope(func() {
				cosines := x.Rows(index(rt, queries)).Normalize().MatMul(all).HostFloats() // [128, n]
				for i, v := range queries {
					row, self, fellows := cosines[i*n:(i+1)*n], e.place[v], e.mark(fellow, v)
					var away float64
					nearest = nearest[:0]
					for j, c := range row {
						if j == self {
							continue
						}
						d := max(0, 2*(1-float64(c))) // distance²
						spread += math.Exp(-2 * d)
						if fellow[j] {
							away += math.Sqrt(d)
						}
						nearest = insert(nearest, j, row, e.k)
					}
					pure := 0
					for _, j := range nearest {
						if fellow[j] {
							pure++
						}
					}
					m.Alignment += away / float64(fellows)
					m.Purity += float64(pure) / float64(e.k)
					chance += float64(fellows) / float64(n-1)
				}
			})
		}
	})
	q := float64(len(e.queries))
	m.Alignment, m.Purity = m.Alignment/q, m.Purity/q
	m.Uniformity = math.Log(spread / (q * float64(n-1)))
	return m, chance / q
}

// insert keeps the places of the k highest values seen so far, highest first.
func insert(nearest []int, j int, row []float32, k int) []int {
	if len(nearest) == k {
		if row[j] <= row[nearest[k-1]] {
			return nearest
		}
		nearest = nearest[:k-1]
	}
	at, _ := slices.BinarySearchFunc(nearest, row[j], func(i int, c float32) int {
		if row[i] >= c { // what came before stays in front of its equals
			return -1
		}
		return 1
	})
	return slices.Insert(nearest, at, j)
}

// plane is the first two principal components of the queries' vectors in x.
func (e *examination) plane(rt *torch.Runtime, x torch.Tensor) [][2]float32 {
	out := make([][2]float32, len(e.queries))
	rt.Scope(func() {
		z := x.Rows(index(rt, e.queries)).Normalize()
		k := min(2, int(z.Shape()[1]))
		for i, v := range principal(rt, z, k).HostFloats() {
			out[i/k][i%k] = v
		}
	})
	return out
}

// index is a list of items as rows of a table.
func index(rt *torch.Runtime, items []int32) torch.Tensor {
	out := make([]int64, len(items))
	for i, v := range items {
		out[i] = int64(v)
	}
	return rt.Ints(out, int64(len(out)))
}
