package analysis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"famebench/datasets"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// The parts of a recommendation add up to its score, and the list is the model's.
// Causes, expert and shared labels are recomputed from the trace and the metadata.
func TestExplain(t *testing.T) {
	for _, gate := range []string{models.GateLearned, models.GateConcat, models.GateTop1} {
		world(t, func(c *models.FAMEConfig) { c.Gate = gate }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
			user := s.Test[slices.IndexFunc(s.Test, func(c datasets.Case) bool { return len(c.History) > 8 })]
			e, err := Explain(rt, m, s.Data, user, 5, 8)
			if err != nil {
				t.Fatal(err)
			}
			const n = 8 // of more
			if len(e.Items) != 5 || e.User != s.Data.UserIDs[user.User] || len(e.History) != n {
				t.Fatalf("%+v", e)
			}
			b := train.HistoryBatch([]datasets.Case{user}, 8)
			f := m.Encode(b, b.LastPositions())
			routing, attention := f.Last().Routing.HostFloats(), Attention(f.Last(), b, 4, 3)[0]
			for i, r := range e.Items {
				if i > 0 && r.Score > e.Items[i-1].Score {
					t.Errorf("score %v after %v", r.Score, e.Items[i-1].Score)
				}
				heads := []int{0, 1, 2, 3}
				if gate != models.GateConcat {
					heads = []int{r.Head - 1}
					checkParts(t, e, r)
					beta := routing[3*(r.Head-1):][:3]
					if r.Expert != slices.Index(beta, slices.Max(beta))+1 {
						t.Errorf("expert %d of the weights %v", r.Expert, beta)
					}
				} else if r.Head != 0 || r.Expert != 0 || r.Parts != nil {
					t.Errorf("concat names a head: %+v", r)
				}
				weights := make([]float64, n) // oldest first
				for _, h := range heads {
					for x := range 3 {
						for back, w := range attention[h][x] {
							weights[n-1-back] += float64(routing[3*h+x]) * w / float64(len(heads))
						}
					}
				}
				order := make([]int, n)
				for i := range order {
					order[i] = i
				}
				slices.SortFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
				var shares []string
				for k, at := range order[:3] {
					if got := r.Because[k]; got.Item != e.History[at] || math.Abs(got.Weight-weights[at]) > 1e-6 {
						t.Errorf("cause %d: %+v, want %v with %v", k, got, e.History[at], weights[at])
					}
					for _, label := range labels(t, e.History[at]) {
						if slices.Contains(labels(t, r.Item), label) && !slices.Contains(shares, label) {
							shares = append(shares, label)
						}
					}
				}
				if len(r.Because) != 3 || !slices.Equal(r.Shares, append([]string{}, shares...)) {
					t.Errorf("%v shares %q, want %q", r.Item, r.Shares, shares)
				}
			}
		})
	}
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		if _, err := Explain(rt, m, s.Data, datasets.Case{}, 5, 8); err == nil {
			t.Error("a user without a history was explained")
		}
	})
}

// labels are those of an item of the world, as its metadata were written.
func labels(t *testing.T, it Item) []string {
	t.Helper()
	var v int
	if _, err := fmt.Sscanf(it.ID, "i%d", &v); err != nil || it.Title != fmt.Sprintf("Item %d", v) {
		t.Fatalf("item %+v", it)
	}
	// "All", category 1 of every item, is not a facet.
	return []string{fmt.Sprintf("brand: b%d", v%3), fmt.Sprintf("category 2: c%d", v%4), fmt.Sprintf("category 3: c%d.%d", v%4, v%2)}
}

// checkParts checks that the heads' parts add up to the score, and that the
// named head has the largest part of those with a weight.
func checkParts(t *testing.T, e *Explanation, r Recommendation) {
	t.Helper()
	var sum float64
	for h, p := range r.Parts {
		sum += p
		if e.Gate[h] > 0 && p > r.Parts[r.Head-1] {
			t.Errorf("head %d has %v, head %d more: %v", r.Head, r.Parts[r.Head-1], h+1, r.Parts)
		}
	}
	if math.Abs(sum-r.Score) > 1e-4 || e.Gate[r.Head-1] == 0 {
		t.Errorf("%+v: the parts add up to %v, the gate is %v", r, sum, e.Gate)
	}
}

// If all scores are below 0, a head that adds nothing would have the largest part.
func TestExplainNamesNoHeadWithoutWeight(t *testing.T) {
	world(t, func(c *models.FAMEConfig) { c.Gate = models.GateTop1 }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		fill(m, "item_emb.weight", func(i int) float32 { return -1 - float32(i%7)/100 })
		fill(m, "moe.0.ffn_ln.weight", constant(0))
		fill(m, "moe.0.ffn_ln.bias", constant(1))
		fill(m, "facet.weight", func(i int) float32 {
			if i%17 == 0 {
				return 4
			}
			return 0
		})
		for _, user := range s.Test[:5] {
			e, err := Explain(rt, m, s.Data, user, 5, 8)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range e.Items {
				if r.Score >= 0 {
					t.Fatalf("a score of %v: nothing is tested", r.Score)
				}
				checkParts(t, e, r)
			}
		}
	})
}

// Without a router no expert is named.
func TestExplainWithoutRouter(t *testing.T) {
	for name, change := range map[string]func(*models.FAMEConfig){
		"uniform": func(c *models.FAMEConfig) { c.Router = models.RouterUniform },
		"no-moe":  func(c *models.FAMEConfig) { c.Experts = 1 },
	} {
		world(t, change, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
			e, err := Explain(rt, m, s.Data, s.Test[2], 5, 8)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range e.Items {
				if r.Expert != 0 || r.Head < 1 {
					t.Errorf("%s: head %d, expert %d", name, r.Head, r.Expert)
				}
			}
		})
	}
}

// The causes are ordered by weight, the later item first if two are equal. A label
// that two of them share with the item is named once.
func TestCauses(t *testing.T) {
	facets := []datasets.Facet{
		{Name: "brand", Labels: [][]int32{nil, {0}, {1}, {0}, nil, {0}}, Values: []string{"x", "y"}},
		{Name: "genre", Labels: [][]int32{nil, {0, 1}, {1, 2}, {2}, {0}, {2, 1}}, Values: []string{"p", "q", "r"}},
	}
	var r Recommendation
	item := func(v int32) Item { return Item{ID: fmt.Sprint(v)} }
	r.explain([]int32{4, 3, 2, 1}, []float64{.2, .1, .5, .2}, 5, facets, item) // weights from the last item, 1, back
	want := []Cause{{item(3), .5}, {item(1), .2}, {item(4), .2}}
	if !slices.Equal(r.Because, want) {
		t.Errorf("causes %v, want %v", r.Because, want)
	}
	if want := []string{"brand: x", "genre: r", "genre: q"}; !slices.Equal(r.Shares, want) {
		t.Errorf("shares %q, want %q", r.Shares, want)
	}
}
