package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

func TestOverlap(t *testing.T) {
	got := overlap([][][]int32{{{1, 2}, {2, 3}}, {{1, 2}, {1, 2}}}, 2)
	if jaccard(nil, nil) != 1 || got[0][0] != 1 || math.Abs(got[0][1]-(1./3+1)/2) > 1e-12 || got[1][0] != got[0][1] {
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

// world is a small data set whose items have brands and categories, with a model of
// it.
func world(t *testing.T, change func(*models.FAMEConfig), f func(rt *torch.Runtime, m *models.FAME, s *datasets.Split)) {
	t.Helper()
	const maxLen = 8
	r := rand.New(rand.NewPCG(1, 1))
	log, items := "u,i\n", "i,title,brand,categories\n"
	for u := range 30 {
		for range 3 + r.IntN(12) {
			log += fmt.Sprintf("u%d,i%d\n", u, r.IntN(40))
		}
	}
	for v := range 40 {
		items += fmt.Sprintf("i%d,Item %d,b%d,All|c%d|c%d.%d\n", v, v, v%3, v%4, v%4, v%2)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"log.csv": log, "items.csv": items} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := datasets.Open(datasets.Config{
		Name: "world", Format: "csv", Path: "log.csv", Items: "items.csv", Columns: datasets.Columns{User: "u", Item: "i"},
		ItemColumns: datasets.ItemColumns{Item: "i", Title: "title", Brand: "brand", Categories: "categories"},
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := datasets.NewSplit(d, datasets.LeaveOneOut)
	if err != nil {
		t.Fatal(err)
	}
	c := models.FAMEDefaults()
	c.Hidden, c.Experts = 16, 3
	change(c)
	err = torch.Run(torch.Config{Seed: 1}, func(rt *torch.Runtime) error {
		m, err := models.NewFAME(rt, c, models.ItemLoss{Kind: "ce"}, d.NumItems, maxLen)
		if err != nil {
			return err
		}
		for _, name := range m.Params().Names() { // away from the initialisation, whose gate has equal weights
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

// Attention's weights are those that the layer used: with the values they give the
// experts' outputs.
func TestAttention(t *testing.T) {
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		b := train.HistoryBatch(s.Valid[:5], 8)
		f := m.Encode(b, b.LastPositions())
		const H, E, d = 4, 3, 16
		weights := Attention(f.Last(), b, H, E)
		spans, values := []int64{}, f.Last().KeysValues.HostFloats()
		end := int64(0)
		for _, n := range b.Lengths {
			end += n
			spans = append(spans, end-n, end)
		}
		out := f.Last().Queries.Attend(f.Last().KeysValues, rt.Ints(spans, int64(len(spans)/2), 2), H, 0).HostFloats()
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

// fill sets a parameter by the index of the element.
func fill(m *models.FAME, name string, of func(i int) float32) {
	p := m.Params().Get(name)
	v := make([]float32, p.Len())
	for i := range v {
		v[i] = of(i)
	}
	p.CopyFrom(v)
}

func constant(v float32) func(int) float32 { return func(int) float32 { return v } }

func equal(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-5) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// of analyses a world's model.
func of(t *testing.T, rt *torch.Runtime, m *models.FAME, s *datasets.Split) *Analysis {
	t.Helper()
	a, err := Of(rt, m, s, []datasets.Facet{facet(s.Data.NumItems, 3)}, 8)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Shares add up, whatever the variant.
func TestOf(t *testing.T) {
	for name, change := range map[string]func(*models.FAMEConfig){
		"fame":       func(*models.FAMEConfig) {},
		"no-moe":     func(c *models.FAMEConfig) { c.Experts = 1 },
		"uniform":    func(c *models.FAMEConfig) { c.Router = models.RouterUniform },
		"top1":       func(c *models.FAMEConfig) { c.Gate = models.GateTop1 },
		"concat":     func(c *models.FAMEConfig) { c.Gate = models.GateConcat },
		"two layers": func(c *models.FAMEConfig) { c.MoELayers = 2 },
	} {
		world(t, change, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
			a := of(t, rt, m, s)
			c := m.Config()
			if a.Users != len(s.Valid) || len(a.Heads) != c.Heads || a.MoELayers != c.MoELayers {
				t.Fatalf("%s: %d users, %d heads, %d layers", name, a.Users, len(a.Heads), a.MoELayers)
			}
			var gates, chosen float64
			for _, h := range a.Heads {
				var load, top, attention float64
				for _, e := range h.Experts {
					load += e.Load
					top += e.Top
				}
				for distance, w := range h.Attention {
					attention += w * float64(a.Reach[distance]) / float64(a.Users)
				}
				equal(t, name+": loads", load, 1)
				equal(t, name+": tops", top, 1)
				equal(t, name+": attention", attention, 1)
				if h.Gate != nil {
					gates += h.Gate.Mean
					chosen += h.Chosen
				}
			}
			if c.Gate == models.GateConcat {
				if a.Overlap != nil || a.Facets != nil || a.GateEntropy != 0 || a.Heads[0].Alone != nil {
					t.Errorf("concat has lists: %+v", a)
				}
				return
			}
			equal(t, name+": gates", gates, 1)
			equal(t, name+": chosen", chosen, 1)
			if a.Overlap[1][1] != 1 || a.Overlap[0][1] != a.Overlap[1][0] || a.Overlap[0][1] >= 1 || len(a.Facets) != 1 {
				t.Errorf("%s: %+v", name, a.Overlap)
			}
		})
	}
}

// A gate by hand: the weights .4, .3, .2 and .1 for every user.
func TestGateByHand(t *testing.T) {
	weights := []float64{.1, .4, .3, .2}
	for _, gate := range []string{models.GateLearned, models.GateTop1, models.GateStatic} {
		world(t, func(c *models.FAMEConfig) { c.Gate = gate }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
			logits := func(i int) float32 { return float32(math.Log(weights[i])) }
			if gate == models.GateStatic {
				fill(m, "gate.static", logits)
			} else {
				fill(m, "gate.weight", constant(0))
				fill(m, "gate.bias", logits)
			}
			a := of(t, rt, m, s)
			var want float64
			for h, w := range weights {
				want -= w * math.Log(w) / math.Log(4)
				equal(t, gate+": mean", a.Heads[h].Gate.Mean, w)
				equal(t, gate+": percentile", a.Heads[h].Gate.P90, w)
				chosen := 0.
				if h == 1 {
					chosen = 1
				}
				equal(t, gate+": chosen", a.Heads[h].Chosen, chosen)
			}
			equal(t, gate+": entropy", a.GateEntropy, want)
		})
	}
	world(t, func(c *models.FAMEConfig) { c.Gate = models.GateAverage }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		a := of(t, rt, m, s)
		equal(t, "entropy of even weights", a.GateEntropy, 1)
		for _, h := range a.Heads {
			equal(t, "even weight", h.Gate.Mean, .25)
			equal(t, "chosen of even weights", h.Chosen, .25)
		}
	})
}

// Routers by hand. If all experts' outputs are 1, a router gives an expert the same
// weight for every user.
func TestRouterByHand(t *testing.T) {
	world(t, func(c *models.FAMEConfig) { c.Router = models.RouterUniform }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		a := of(t, rt, m, s)
		equal(t, "imbalance", a.Imbalance, 1)
		for _, h := range a.Heads {
			equal(t, "entropy", h.RouterEntropy, 1)
			for _, e := range h.Experts {
				equal(t, "load", e.Load, 1./3)
				equal(t, "top", e.Top, 1./3)
			}
			if h.Dead != 0 {
				t.Errorf("%d dead experts", h.Dead)
			}
		}
	})
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		const d, e, N = 16, 4, 3
		values := func(size int) func(int) float32 { // keys as they are not looked at, then values of 1
			return func(i int) float32 {
				if size == 2*d && i >= d {
					return 1
				}
				return 0
			}
		}
		fill(m, "moe.0.kv.weight", constant(0))
		fill(m, "moe.0.kv.bias", values(2*d))
		loads := func(h int) []float64 { // the third expert of each head is dead
			if h == 0 {
				return []float64{.5, .5, 0}
			}
			return []float64{.2, .8, 0}
		}
		fill(m, "moe.0.router.weight", func(i int) float32 { // [H, N·e, N]
			return float32(math.Log(max(loads(i / (N * e * N))[i%N], 1e-9)) / (N * e))
		})
		a := of(t, rt, m, s)
		equal(t, "imbalance", a.Imbalance, 3*(.5+3*(.04+.64))/4)
		for h, head := range a.Heads {
			tops, entropy := []float64{0, 1, 0}, -(.2*math.Log(.2)+.8*math.Log(.8))/math.Log(3)
			if h == 0 {
				tops, entropy = []float64{.5, .5, 0}, math.Log(2)/math.Log(3)
			}
			equal(t, "entropy", head.RouterEntropy, entropy)
			for e, want := range loads(h) {
				equal(t, "load", head.Experts[e].Load, want)
				equal(t, "top", head.Experts[e].Top, tops[e])
			}
			if head.Dead != 1 {
				t.Errorf("head %d: %d dead experts, want 1", h, head.Dead)
			}
		}
	})
}

// Attention by distance if every item of a history has the same weight: a distance
// counts only the users who reach it.
func TestAttentionByDistance(t *testing.T) {
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		fill(m, "moe.0.q.weight", constant(0))
		fill(m, "moe.0.q.bias", constant(0))
		s.Valid = slices.Clone(s.Valid[:3])
		for i, n := range []int{1, 2, 4} {
			s.Valid[i].History = []int32{5, 6, 7, 8}[:n]
		}
		a := of(t, rt, m, s)
		if !slices.Equal(a.Reach, []int{3, 2, 1, 1}) {
			t.Errorf("reach %v", a.Reach)
		}
		for _, h := range a.Heads {
			if len(h.Attention) != 4 {
				t.Fatalf("attention %v", h.Attention)
			}
			for distance, want := range []float64{(1 + 1./2 + 1./4) / 3, (1./2 + 1./4) / 2, 1. / 4, 1. / 4} {
				equal(t, "attention", h.Attention[distance], want)
			}
		}
	})
}

// scorer lets internal/rank rank with a model.
type scorer struct {
	rt    *torch.Runtime
	m     *models.FAME
	head  int // −1: the model
	items int
}

func (s scorer) Score(cases []datasets.Case, visit rank.Visit) error {
	b := train.HistoryBatch(cases, 8)
	f := s.m.Encode(b, b.LastPositions())
	if s.head >= 0 {
		visit(0, s.m.HeadScores(f.Heads).Select(1, int64(s.head)).HostFloats())
		return nil
	}
	table := s.m.Items().Rows
	visit(0, f.User.MatMul(table.Transpose()).HostFloats())
	return nil
}

// Hit rates are those of the full ranking, seen items removed; a single head's list
// is the model's.
func TestAlone(t *testing.T) {
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		a := of(t, rt, m, s)
		got := []float64{a.HitRate}
		for _, h := range a.Heads {
			got = append(got, h.Alone.HitRate)
		}
		for i, hits := range got {
			r, err := rank.Evaluate(t.Context(), scorer{rt, m, i - 1, s.Data.NumItems}, s.Valid, s.Data.NumItems, rank.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if want := r.Removed["HR@20"]; hits != want || hits < .1 || hits > .9 {
				t.Errorf("head %d: hit rate %v, want %v", i-1, hits, want)
			}
		}
		for h, head := range a.Heads {
			if o := head.Alone.ModelOverlap; o <= 0 || o >= 1 || o == a.Overlap[h][(h+1)%4] {
				t.Errorf("head %d: overlap with the model %v", h, o)
			}
		}
	})
	world(t, func(c *models.FAMEConfig) { c.Heads = 1 }, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		a := of(t, rt, m, s)
		if alone := a.Heads[0].Alone; alone.ModelOverlap != 1 || alone.HitRate != a.HitRate {
			t.Errorf("%+v of the only head, the model's hit rate is %v", alone, a.HitRate)
		}
	})
}

// Ties and NaN count against the target, seen items do not, and the target is never seen.
func TestHit(t *testing.T) {
	scores := []float32{9, 5, 3, 3, 2}
	for _, c := range []struct {
		history []int32
		target  int32
		rank    int
	}{{nil, 1, 1}, {nil, 2, 3}, {nil, 3, 3}, {[]int32{1}, 3, 2}, {[]int32{1, 2, 3}, 3, 1}, {nil, 4, 4}} {
		for k := 1; k <= 4; k++ {
			if got := hit(scores, datasets.Case{History: c.history, Target: c.target}, k); got != (c.rank <= k) {
				t.Errorf("target %d after %v is among the first %d: %v", c.target, c.history, k, got)
			}
		}
	}
	broken, user := []float32{0, 1, float32(math.NaN()), 5}, datasets.Case{Target: 3}
	if hit(broken, user, 1) || !hit(broken, user, 2) {
		t.Error("a NaN does not count as the highest score")
	}
}
