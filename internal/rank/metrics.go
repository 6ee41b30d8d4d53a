package rank

import (
	"fmt"
	"math"
)

// Metrics maps a metric's name to its mean over the cases, unrounded. With one
// relevant item a case, at rank r:
//
//	HR@K        1 if r ≤ K, else 0 (also called Recall@K)
//	NDCG@K      1/log2(r+1) if r ≤ K, else 0 (the ideal DCG is 1)
//	MRR         1/r, without a cut-off
//	Coverage@10 share of all items that are in at least one user's top 10;
//	            there only if Options.Coverage asked for it
type Metrics map[string]float64

// Deciding is the metric that decides: about the best epoch, the best trial of a search
// and, in tables, about the best model and significance.
const Deciding = "NDCG@10"

var cutoffs = [...]int32{1, 5, 10, 20}

// MetricNames gives the names of all metrics in the order of tables: HR@1, 5,
// 10, 20, NDCG@1, 5, 10, 20, MRR, Coverage@10.
func MetricNames() []string {
	var hr, ndcg []string
	for _, k := range cutoffs {
		hr = append(hr, hrName(k))
		ndcg = append(ndcg, ndcgName(k))
	}
	return append(append(hr, ndcg...), "MRR", Coverage)
}

func hrName(k int32) string   { return fmt.Sprintf("HR@%d", k) }
func ndcgName(k int32) string { return fmt.Sprintf("NDCG@%d", k) }

// averages gives every metric but coverage. The sums run in the order of the
// cases, in float64: the same ranks give the same bits.
func averages(ranks []int32) Metrics {
	var hits [len(cutoffs)]int
	var gain [len(cutoffs)]float64
	var reciprocal float64
	for _, r := range ranks {
		// The conversions keep a compiler from fusing operations, so that
		// processors agree on the last bit.
		reciprocal += float64(1 / float64(r))
		if r > cutoffs[len(cutoffs)-1] {
			continue
		}
		g := float64(1 / math.Log2(float64(r)+1))
		for i, k := range cutoffs {
			if r <= k {
				hits[i]++
				gain[i] += g
			}
		}
	}
	n := float64(len(ranks))
	m := Metrics{"MRR": reciprocal / n}
	for i, k := range cutoffs {
		m[hrName(k)] = float64(hits[i]) / n
		m[ndcgName(k)] = gain[i] / n
	}
	return m
}
