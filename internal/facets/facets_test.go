package facets

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/tinytest/basic"
)

// world opens and splits a data set of 1,000 users and 400 items, after changes.
func world(t *testing.T, change func(*datasets.Config)) *datasets.Split {
	t.Helper()
	c := datasets.Config{Name: "world", Format: "facets", World: datasets.WorldConfig{Users: 1_000, Items: 400, Labels: 10}}
	if change != nil {
		change(&c)
	}
	return basic.Split(t, c, "")
}

func evaluate(t *testing.T, s *datasets.Split, scorer rank.Scorer, cases []datasets.Case) *rank.Result {
	t.Helper()
	r, err := rank.Evaluate(context.Background(), scorer, cases, s.Data.NumItems, rank.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func number(x float64) *float64 { return &x }

var worlds = map[string]func(*datasets.Config){
	"default":      nil,
	"repeats":      func(c *datasets.Config) { c.World.Repeats = true },
	"sticky":       func(c *datasets.Config) { c.World.Stickiness, c.World.Preferred = number(0.9), 4 },
	"equal items":  func(c *datasets.Config) { c.World.ItemSkew = number(0) },
	"skewed":       func(c *datasets.Config) { c.World.LabelSkew = 1 },
	"two facets":   func(c *datasets.Config) { c.World.Facets = 2 },
	"another seed": func(c *datasets.Config) { c.World.Seed = 7 },
	"first users":  func(c *datasets.Config) { c.World.Users, c.MaxUsers = 3_000, 1_000 },
}

// The oracle is better than labels-known, and that is better than what counts items and
// transitions, under both rules for seen items, on validation and test cases.
func TestOrder(t *testing.T) {
	for name, change := range worlds {
		s := world(t, change)
		var scorers []rank.Scorer
		order := []string{"oracle", "labels-known", "popularity", "markov"} // the last two in any order
		for _, build := range []func(*datasets.Split) (rank.Scorer, error){NewOracle, NewLabelsKnown, baselines.NewPopularity, baselines.NewMarkov} {
			scorer, err := build(s)
			if err != nil {
				t.Fatal(err)
			}
			scorers = append(scorers, scorer)
		}
		for part, cases := range map[string][]datasets.Case{"validation": s.Valid, "test": s.Test} {
			var results []*rank.Result
			for _, scorer := range scorers {
				results = append(results, evaluate(t, s, scorer, cases))
			}
			for i, better := range []int{0, 1, 1} { // of labels-known, popularity and markov
				a, b := results[better], results[i+1]
				for _, metric := range []string{"NDCG@10", "HR@10", "MRR"} {
					if !(a.Kept[metric] > b.Kept[metric] && a.Removed[metric] > b.Removed[metric]) {
						t.Errorf("%s, %s, %s: %s has %.4f / %.4f, %s %.4f / %.4f", name, part, metric,
							order[better], a.Kept[metric], a.Removed[metric], order[i+1], b.Kept[metric], b.Removed[metric])
					}
				}
			}
		}
	}
}

// What the oracle reaches is what its probabilities promise, within 3.5 standard errors,
// and no case could be ranked better.
func TestOracleKeepsItsPromise(t *testing.T) {
	for name, change := range worlds {
		s := world(t, change)
		scorer, err := NewOracle(s)
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.Data.World()
		if err != nil {
			t.Fatal(err)
		}
		var hits, gains, hitVariance, gainVariance float64
		best := 0.0
		for _, c := range s.Test {
			p := w.Probabilities(int(c.User), len(c.History))
			row := scores(t, scorer, c)
			order := make([]int, s.Data.NumItems)
			for i := range order {
				order[i] = i + 1
			}
			slices.SortFunc(order, func(a, b int) int { return int(row[b] - row[a]) })
			var hit, gain, square float64
			for i, v := range order[:10] {
				g := 1 / math.Log2(float64(i+2))
				hit += p[v]
				gain += p[v] * g
				square += p[v] * g * g
			}
			hits, hitVariance = hits+hit, hitVariance+hit*(1-hit)
			gains, gainVariance = gains+gain, gainVariance+square-gain*gain
			sorted := slices.Sorted(slices.Values(p[:s.Data.NumItems+1]))
			slices.Reverse(sorted)
			for i := range 10 {
				best += sorted[i] / math.Log2(float64(i+2))
			}
		}
		if math.Abs(best-gains) > 1e-6*best {
			t.Errorf("%s: expected DCG %v, the best order gives %v", name, gains, best)
		}
		n, r := float64(len(s.Test)), evaluate(t, s, scorer, s.Test)
		for _, m := range []struct {
			name                    string
			expected, variance, got float64
		}{{"HR@10", hits, hitVariance, r.Kept["HR@10"]}, {"NDCG@10", gains, gainVariance, r.Kept["NDCG@10"]}} {
			if z := (m.got*n - m.expected) / math.Sqrt(m.variance); !(math.Abs(z) < 3.5) {
				t.Errorf("%s: %s is %.4f, expected %.4f, %.1f standard errors away", name, m.name, m.got, m.expected/n, z)
			}
		}
		if s.Data.Config.World.Repeats {
			continue
		}
		if !slices.Equal(r.RanksKept, r.RanksRemoved) {
			t.Errorf("%s: the rule for seen items changes the oracle's ranks, but items do not repeat", name)
		}
	}
}

func scores(t *testing.T, s rank.Scorer, c datasets.Case) (row []float32) {
	t.Helper()
	err := s.Score([]datasets.Case{c}, func(_ int, scores []float32) { row = slices.Clone(scores) })
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// Scores are different numbers, so no tie counts against a target, and equal
// probabilities are not in the order of the ids.
func TestScoresDiffer(t *testing.T) {
	s := world(t, func(c *datasets.Config) { c.World.ItemSkew, c.World.Noise = number(0), number(1) })
	for _, make := range []func(*datasets.Split) (rank.Scorer, error){NewOracle, NewLabelsKnown} {
		scorer, err := make(s)
		if err != nil {
			t.Fatal(err)
		}
		row := scores(t, scorer, s.Test[0])[1:]
		if slices.IsSorted(row) {
			t.Error("scores are in the order of the ids")
		}
		slices.Sort(row)
		if len(slices.Compact(row)) != s.Data.NumItems {
			t.Error("some scores are equal")
		}
	}
}

// With long histories and little noise, the estimates are near the truth.
func TestEstimate(t *testing.T) {
	s := world(t, func(c *datasets.Config) {
		c.World.Users, c.World.Length, c.World.MinLength, c.World.Repeats, c.World.Noise = 100, 500, 500, true, number(0.02)
	})
	w, err := s.Data.World()
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEstimator(s)
	if err != nil {
		t.Fatal(err)
	}
	var off, found, all float64
	for u, p := range w.Users {
		got := e.Estimate(s.Data.Seqs[u])
		sum := 0.0
		for f, importance := range got.Importances {
			sum += importance
			off += math.Abs(importance-p.Importances[f]) / float64(len(w.Users)*len(p.Importances))
			var labels, next float64
			for l := range got.Labels[f] {
				labels += got.Labels[f][l]
				next += got.Next[f][l]
			}
			if math.Abs(labels-1) > 1e-9 || math.Abs(next-1) > 1e-9 {
				t.Fatalf("user %d, facet %d: labels sum to %v, the next ones to %v", u, f, labels, next)
			}
			if p.Importances[f] < 0.1 {
				continue // too few steps to know its labels
			}
			for _, l := range p.Preferred[f] {
				all++
				above := 0
				for _, x := range got.Labels[f] {
					if x > got.Labels[f][l] {
						above++
					}
				}
				if above < len(p.Preferred[f]) {
					found++
				}
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("user %d: importances sum to %v", u, sum)
		}
	}
	if off > 0.03 || found < 0.97*all {
		t.Errorf("importances are off by %.3f on average, and %.0f of %.0f preferred labels are found", off, found, all)
	}
}

// The estimator is finite where little is possible.
// By hand: with one facet and no noise, the facet has led to every item, so the next label is the last
// one with the probability of stickiness, and otherwise a preferred one.
func TestEstimateOfTheNextLabel(t *testing.T) {
	const sticky = .4
	s := world(t, func(c *datasets.Config) {
		c.World.Users, c.World.Facets, c.World.Noise, c.World.Stickiness = 100, 1, number(0), number(sticky)
	})
	w, err := s.Data.World()
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEstimator(s)
	if err != nil {
		t.Fatal(err)
	}
	history := s.Data.Seqs[0]
	last, got := w.Labels[history[len(history)-1]][0], e.Estimate(history)
	for l, next := range got.Next[0] {
		want := got.Labels[0][l] * (1 - sticky)
		if int32(l) == last {
			want += sticky
		}
		if math.Abs(next-want) > 1e-9 {
			t.Errorf("label %d of %d, the last is %d: %v, expected %v", l, len(got.Next[0]), last, next, want)
		}
	}
}

func TestEstimateExtremes(t *testing.T) {
	for name, change := range map[string]func(*datasets.WorldConfig){
		"no noise":            func(c *datasets.WorldConfig) { c.Noise, c.Stickiness, c.Preferred = number(0), number(1), 2 },
		"preferred seen":      func(c *datasets.WorldConfig) { c.Items, c.Facets, c.Noise, c.Stickiness = 30, 1, number(0), number(1) },
		"noise only":          func(c *datasets.WorldConfig) { c.Noise = number(1) },
		"one label":           func(c *datasets.WorldConfig) { c.Labels = 1 },
		"no item has a label": func(c *datasets.WorldConfig) { c.Items, c.Length, c.Labels = 20, 5, 50_000; c.Users = 50 },
		"all preferred":       func(c *datasets.WorldConfig) { c.Preferred = 10 },
	} {
		s := world(t, func(c *datasets.Config) { c.World.Users = 100; change(&c.World) })
		e, err := NewEstimator(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Test {
			for v, x := range e.Probabilities(c.History) {
				if !(x >= 0) || math.IsInf(x, 0) || x == 0 && v > 0 && !slices.Contains(c.History, int32(v)) {
					t.Fatalf("%s: user %d, item %d: %v", name, c.User, v, x)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	other := &datasets.Split{Data: &datasets.Dataset{Name: "shop", Config: datasets.Config{Format: "csv"}}}
	cold := world(t, func(c *datasets.Config) { c.ColdItems = 0.2 })
	for name, make := range map[string]func(*datasets.Split) (rank.Scorer, error){"oracle": NewOracle, "labels-known": NewLabelsKnown} {
		want := name + `: datasets: shop: the true preferences are known only for generated data; expected format "facets", got "csv"`
		if _, err := make(other); err == nil || err.Error() != want {
			t.Errorf("%v, expected %s", err, want)
		}
		scorer, err := make(cold)
		if err != nil {
			t.Fatal(err)
		}
		evaluate(t, cold, scorer, cold.Test)
		_, err = rank.Evaluate(context.Background(), scorer, cold.Valid, cold.Data.NumItems, rank.Options{})
		if err == nil || !strings.Contains(err.Error(), "complete histories (no cold_items)") {
			t.Errorf("%s: validation with cold items: %v", name, err)
		}
		accepted := 0
		for _, c := range cold.Valid { // a history whose last item was taken out is none of the position before
			if scorer.Score([]datasets.Case{c}, func(int, []float32) {}) == nil {
				accepted++
				if cold.Data.Seqs[c.User][len(c.History)] != c.Target {
					t.Errorf("%s: user %d: accepted at a position with another target", name, c.User)
				}
			}
		}
		if accepted == 0 {
			t.Errorf("%s accepts no validation case", name)
		}
		for _, c := range []datasets.Case{{User: -1}, {User: 1_000}} {
			if err := scorer.Score([]datasets.Case{c}, func(int, []float32) {}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("user %d of a case: expected 0 to 999", c.User)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
