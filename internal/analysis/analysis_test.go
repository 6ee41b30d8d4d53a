package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"famebench/datasets"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// facet has items 1…n with labels dealt round.
func facet(items, labels int) datasets.Facet {
	f := datasets.Facet{Name: "brand", Labels: make([][]int32, items+1), Values: make([]string, labels)}
	for l := range f.Values {
		f.Values[l] = string(rune('a' + l))
	}
	for v := 1; v <= items; v++ {
		f.Labels[v] = []int32{int32(v % labels)}
	}
	return f
}

// Heads that recommend one label each are found out, with the information that
// they carry; heads that recommend at random are not.
func TestSpecialisation(t *testing.T) {
	const H, items = 4, 400
	f := facet(items, H)
	r := rand.New(rand.NewPCG(1, 1))
	lists := func(pick func(h int) int32) (out [][][]int32) {
		for range 200 {
			var user [][]int32
			for h := range H {
				var list []int32
				for range 20 {
					list = append(list, pick(h))
				}
				user = append(user, list)
			}
			out = append(out, user)
		}
		return out
	}
	own := specialisation(f, lists(func(h int) int32 { return int32(1+r.IntN(items/H-1))*H + int32(h) }), H)
	if mi := own.MutualInformation; math.Abs(mi.Value-2) > 1e-9 || mi.Control > .05 || mi.P != .01 {
		t.Errorf("four heads with four labels: %+v, want 2 bits, p .01", mi)
	}
	for h, taste := range own.Heads {
		if math.Abs(taste.Divergence.Value-2) > 1e-9 || len(taste.Prefers) != 1 || taste.Prefers[0] != (Prefer{f.Values[h], 1, .25}) {
			t.Errorf("head %d: %+v", h, taste)
		}
	}
	low := 0
	for range 20 {
		random := specialisation(f, lists(func(int) int32 { return int32(1 + r.IntN(items)) }), H)
		mi := random.MutualInformation
		if mi.Value > .01 || math.Abs(mi.Value-mi.Control) > .005 {
			t.Errorf("random lists: %+v", mi)
		}
		if mi.P <= .05 {
			low++
		}
	}
	if low > 5 {
		t.Errorf("%d of 20 random cases have p ≤ .05", low)
	}

	// Heads that like items of their own, whatever their labels: these tell nothing.
	low = 0
	for range 20 {
		var own [H][]int32
		for h := range own {
			for range 30 {
				own[h] = append(own[h], int32(1+r.IntN(items)))
			}
		}
		if specialisation(f, lists(func(h int) int32 { return own[h][r.IntN(30)] }), H).MutualInformation.P <= .05 {
			low++
		}
	}
	if low > 5 {
		t.Errorf("%d of 20 cases of heads with items of their own have p ≤ .05", low)
	}
}

// The heads' divergences, by their shares, add up to the mutual information; items
// without a label do not count, several labels share one count.
func TestInformation(t *testing.T) {
	f := datasets.Facet{Labels: [][]int32{nil, {0}, {1}, {0, 1}, nil}, Values: []string{"x", "y"}}
	counts := count(f, [][][]int32{{{1, 3, 4}, {2}}, {{1}, {2, 2}}}, 2)
	if !slices.Equal(counts[0], []float64{2.5, .5}) || !slices.Equal(counts[1], []float64{0, 3}) {
		t.Fatalf("counts %v", counts)
	}
	info, d := information(counts)
	// From the definition: Σ p(h,l) log2 p(h,l)/(p(h)·p(l)).
	want := 2.5/6*math.Log2(2.5/6/(3./6*2.5/6)) + .5/6*math.Log2(.5/6/(3./6*3.5/6)) + 3./6*math.Log2(3./6/(3./6*3.5/6))
	if math.Abs(info-want) > 1e-12 || math.Abs((d[0]+d[1])/2-want) > 1e-12 {
		t.Errorf("information %v of %v, want %v", info, d, want)
	}
	if info, _ := information([][]float64{{0}, {0}}); info != 0 {
		t.Errorf("nothing tells %v bits", info)
	}
}

func TestTop(t *testing.T) {
	scores := []float32{9, 1, 5, 3, 5, 4, 2}
	for k, want := range map[int][]int32{1: {2}, 3: {2, 4, 3}, 9: {2, 4, 3, 6, 1}} {
		if got := top(scores, []int32{5}, k); !slices.Equal(got, want) {
			t.Errorf("top %d: %v, want %v", k, got, want)
		}
	}
}

func TestOverlap(t *testing.T) {
	got := overlap([][][]int32{{{1, 2}, {2, 3}}, {{1, 2}, {1, 2}}}, 2)
	if got[0][0] != 1 || math.Abs(got[0][1]-(1./3+1)/2) > 1e-12 || got[1][0] != got[0][1] {
		t.Errorf("overlap %v", got)
	}
}

func TestDescribe(t *testing.T) {
	d := describe([]float64{4, 1, 3, 2})
	if d.Mean != 2.5 || math.Abs(d.SD-math.Sqrt(5./3)) > 1e-12 || d.P10 != 1 || d.P50 != 2 || d.P90 != 4 {
		t.Errorf("%+v", d)
	}
	if e := entropy([]float32{.5, .5}); e != 1 {
		t.Errorf("entropy of an even choice: %v", e)
	}
	if e := entropy([]float32{1, 0, 0}); e != 0 {
		t.Errorf("entropy of no choice: %v", e)
	}
}

// world is a small data set with facets, and a model of it.
func world(t *testing.T, change func(*models.FAMEConfig), f func(rt *torch.Runtime, m *models.FAME, s *datasets.Split)) {
	t.Helper()
	const items, users, maxLen = 40, 30, 8
	r := rand.New(rand.NewPCG(1, 1))
	d := &datasets.Dataset{Name: "world", NumItems: items, ItemIDs: make([]string, items+1)}
	for v := range d.ItemIDs {
		d.ItemIDs[v] = string(rune('A' + v))
	}
	for u := range users {
		seq := make([]int32, 3+r.IntN(12))
		for i := range seq {
			seq[i] = int32(1 + r.IntN(items))
		}
		d.Seqs, d.UserIDs = append(d.Seqs, seq), append(d.UserIDs, string(rune('a'+u)))
	}
	s, err := datasets.NewSplit(d, datasets.LeaveOneOut)
	if err != nil {
		t.Fatal(err)
	}
	c := models.FAMEDefaults()
	c.Hidden, c.Experts = 16, 3
	change(c)
	err = torch.Run(torch.Config{Seed: 1}, func(rt *torch.Runtime) error {
		m, err := models.NewFAME(rt, c, models.ItemLoss{Kind: "ce"}, items, maxLen)
		if err != nil {
			return err
		}
		for _, name := range m.Params().Names() { // away from the start, where the gate is even
			p := m.Params().Get(name)
			p.CopyFrom(p.Add(rt.NewParams().Normal("noise", .3, p.Shape()...)).HostFloats())
		}
		f(rt, m, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Attention's weights are those that the layer used: with them and the values, the
// experts' outputs come out.
func TestAttention(t *testing.T) {
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		b := train.HistoryBatch(s.Valid[:5], 8)
		f := m.Encode(b, b.LastPositions())
		const H, E, d = 4, 3, 16
		weights := Attention(f.Last, b, H, E)
		spans, values := []int64{}, f.Last.KeysValues.HostFloats()
		end := int64(0)
		for _, n := range b.Lengths {
			end += n
			for range E {
				spans = append(spans, end-n, end)
			}
		}
		out := f.Last.Queries.Attend(f.Last.KeysValues, rt.Ints(spans, int64(len(spans)/2), 2), H, 0).HostFloats()
		end = 0
		for u, n := range b.Lengths {
			end += n
			for h := range H {
				for e := range E {
					for i := range d / H {
						var sum float64
						for back, w := range weights[u][h][e] {
							sum += w * float64(values[(int(end)-1-back)*2*d+d+h*d/H+i])
						}
						if got := float64(out[(u*E+e)*d+h*d/H+i]); math.Abs(got-sum) > 1e-5 {
							t.Fatalf("user %d, head %d, expert %d: %v of the weights, %v of the layer", u, h, e, sum, got)
						}
					}
				}
			}
		}
	})
}

func TestOf(t *testing.T) {
	for name, change := range map[string]func(*models.FAMEConfig){
		"fame":    func(*models.FAMEConfig) {},
		"no-moe":  func(c *models.FAMEConfig) { c.Experts = 1 },
		"uniform": func(c *models.FAMEConfig) { c.Router = models.RouterUniform },
		"top1":    func(c *models.FAMEConfig) { c.Gate = models.GateTop1 },
		"concat":  func(c *models.FAMEConfig) { c.Gate = models.GateConcat },
	} {
		world(t, change, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
			a, err := Of(rt, m, s, []datasets.Facet{facet(s.Data.NumItems, 3)}, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := m.Config()
			if a.Users != len(s.Valid) || len(a.Heads) != c.Heads {
				t.Fatalf("%s: %d users, %d heads", name, a.Users, len(a.Heads))
			}
			var gates float64
			for _, h := range a.Heads {
				var load, top, attention float64
				for _, e := range h.Experts {
					load += e.Load
					top += e.Top
				}
				for _, w := range h.Attention {
					attention += w
				}
				if math.Abs(load-1) > 1e-5 || math.Abs(top-1) > 1e-9 || math.Abs(attention-1) > 1e-5 {
					t.Errorf("%s: loads add up to %v, tops to %v, attention to %v", name, load, top, attention)
				}
				if h.Gate != nil {
					gates += h.Gate.Mean
				}
			}
			if c.Gate == models.GateConcat {
				if a.Overlap != nil || a.Facets != nil || a.GateEntropy != 0 {
					t.Errorf("concat has lists: %+v", a)
				}
				return
			}
			if c.Gate != models.GateTop1 && math.Abs(gates-1) > 1e-5 {
				t.Errorf("%s: gates add up to %v", name, gates)
			}
			if a.Overlap[1][1] != 1 || a.Overlap[0][1] != a.Overlap[1][0] || a.Overlap[0][1] >= 1 || len(a.Facets) != 1 {
				t.Errorf("%s: %+v", name, a.Overlap)
			}
		})
	}
}

// The parts of a recommendation add up to its score, and the list is the model's.
func TestExplain(t *testing.T) {
	for _, gate := range []string{models.GateLearned, models.GateConcat} {
		world(t, func(c *models.FAMEConfig) { c.Gate = gate }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
			e, err := Explain(rt, m, s.Data, s.Test[2], 5, 8)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Items) != 5 || e.User != s.Data.UserIDs[s.Test[2].User] || len(e.History) != min(8, len(s.Test[2].History)) {
				t.Fatalf("%+v", e)
			}
			for i, r := range e.Items {
				if i > 0 && r.Score > e.Items[i-1].Score {
					t.Errorf("score %v after %v", r.Score, e.Items[i-1].Score)
				}
				for _, c := range r.Because {
					if !slices.Contains(e.History, c.Item) {
						t.Errorf("%v is no item of the history", c.Item)
					}
				}
				if gate == models.GateConcat {
					continue
				}
				var sum float64
				for _, p := range r.Parts {
					sum += p
				}
				if math.Abs(sum-r.Score) > 1e-4 || r.Parts[r.Head-1] != slices.Max(r.Parts) || r.Expert < 1 || r.Expert > 3 {
					t.Errorf("%+v: the parts add up to %v", r, sum)
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
