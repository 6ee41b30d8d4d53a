package pretrain

import (
	"math"
	"math/rand/v2"
	"slices"

	"famebench/internal/torch"
	"famebench/models"
)

// normalTable is a table [V+1, d] from N(0, .02·scale), padding included, as the
// models initialise theirs.
func normalTable(items, d int, scale float64, r *rand.Rand) []float32 {
	out := make([]float32, (items+1)*d)
	for i := range out {
		out[i] = float32(scale * (models.InitStd * r.NormFloat64()))
	}
	return out
}

// blockNorm is the expected norm of n coordinates from N(0, .02): 0.02·√n.
func blockNorm(n int) float64 { return models.InitStd * math.Sqrt(float64(n)) }

// fill sets columns first, first+1, … of some rows of a table [V+1, d] to vectors
// [rows, k] times scale.
func fill(table []float32, d int, rows []int32, vectors []float32, scale float64, first int) {
	k := len(vectors) / len(rows)
	for i, v := range rows {
		for j, x := range vectors[i*k : (i+1)*k] {
			table[int(v)*d+first+j] = float32(scale * float64(x))
		}
	}
}

// principal returns the first k principal components of the rows of x [n, s], which
// it centres: their coordinates [n, k], in order of decreasing variance. The sign
// of a component is such that the largest coordinate of its direction is positive.
// k is at most s.
func principal(rt *torch.Runtime, x torch.Tensor, k int) torch.Tensor {
	shape := x.Shape()
	n, s := shape[0], int(shape[1])
	x = x.Add(x.Sum(0).Scale(-1 / float64(n)))                         // [n, s]
	_, vectors := x.Transpose().MatMul(x).Scale(1 / float64(n)).Eigh() // [s, s]
	columns := vectors.HostFloats()
	directions := make([]float32, s*k) // [s, k]
	for c := range k {
		column := make([]float32, s)
		for i := range column {
			column[i] = columns[i*s+s-1-c]
		}
		high, low := slices.Max(column), slices.Min(column)
		for i, v := range column {
			if -low > high {
				v = -v
			}
			directions[i*k+c] = v
		}
	}
	return x.MatMul(rt.Floats(directions, int64(s), int64(k)))
}
