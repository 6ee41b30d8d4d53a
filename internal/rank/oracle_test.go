package rank

import (
	"math"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/oracle"
)

// TestOracleMetrics checks ranks and averages against numbers on which RecBole
// 1.2.1 and ranx 0.3.21 agree.
//
// The oracle's rule is "removed". It also has optimistic ranks (ties count for
// the target) and MRR@20, which we do not report.
func TestOracleMetrics(t *testing.T) {
	for _, c := range oracle.Cases(t, func(name string) bool { return strings.HasPrefix(name, "metrics") }) {
		t.Run(c.Name, func(t *testing.T) { checkOracle(t, c) })
	}
}

func checkOracle(t *testing.T, c oracle.Case) {
	var config struct {
		NumItems int `json:"n_items"` // with padding
	}
	var in struct {
		Scores [][]float32 // [rows][n_items]
		Seen   [][]int32
		Target []int32
	}
	var out struct {
		Rank    []int32            `json:"rank_pessimistic"`
		Metrics map[string]float64 `json:"metrics_pessimistic"`
	}
	c.Decode(t, &config, &in, &out)
	if len(in.Target) == 0 || len(in.Scores) != len(in.Target) || len(in.Seen) != len(in.Target) || len(out.Rank) != len(in.Target) {
		t.Fatalf("%d targets, %d rows of scores, %d of seen items, %d ranks: expected one number of each", len(in.Target), len(in.Scores), len(in.Seen), len(out.Rank))
	}
	var cases []datasets.Case
	for i, target := range in.Target {
		cases = append(cases, datasets.Case{User: int32(i), History: in.Seen[i], Target: target})
	}
	r := evaluate(t, &table{rows: in.Scores, visits: 2}, cases, config.NumItems-1, Options{Block: 7, Coverage: true})
	for i, c := range cases {
		if r.RanksRemoved[i] != out.Rank[i] {
			t.Errorf("row %d: rank %d with seen items removed, want %d", i, r.RanksRemoved[i], out.Rank[i])
		}
		if kept, _, _, _ := naive(in.Scores[i], c); r.RanksKept[i] != kept {
			t.Errorf("row %d: rank %d with seen items kept, want %d", i, r.RanksKept[i], kept)
		}
	}
	compared := 0
	for _, name := range MetricNames() {
		want, ok := out.Metrics[name]
		if !ok {
			if strings.HasPrefix(name, "HR") || name == "MRR" {
				t.Errorf("the oracle has no %s", name)
			}
			continue
		}
		compared++
		if got := r.Removed[name]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %.12f, want %.12f", name, got, want)
		}
	}
	if compared < 8 { // HR at 4 cut-offs, NDCG at 5, 10, 20, MRR
		t.Errorf("compared %d metrics, want 8 or more", compared)
	}
}
