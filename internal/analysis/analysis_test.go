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

// facet has items 1…n whose labels take turns.
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

// Heads that recommend one label each are detected, with the right information;
// heads that recommend at random are not.
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
	test := func(pick func(h int) int32) Facet { return specialisation(f, itemCounts(lists(pick), H, items+1)) }
	own := test(func(h int) int32 { return int32(1+r.IntN(items/H-1))*H + int32(h) })
	if mi := own.MutualInformation; math.Abs(mi.Value-2) > 1e-9 || mi.Control > .05 || mi.P != .001 {
		t.Errorf("four heads with four labels: %+v, want 2 bits, p .001", mi)
	}
	for h, head := range own.Heads {
		if math.Abs(head.Divergence.Value-2) > 1e-9 || len(head.Prefers) != 1 || head.Prefers[0] != (Prefer{f.Values[h], 1, .25}) {
			t.Errorf("head %d: %+v", h, head)
		}
	}
	low := 0
	for range 20 {
		random := test(func(int) int32 { return int32(1 + r.IntN(items)) })
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

	// Heads that prefer items of their own, whatever their labels, are not detected.
	low = 0
	for range 20 {
		var own [H][]int32
		for h := range own {
			for range 30 {
				own[h] = append(own[h], int32(1+r.IntN(items)))
			}
		}
		if test(func(h int) int32 { return own[h][r.IntN(30)] }).MutualInformation.P <= .05 {
			low++
		}
	}
	if low > 5 {
		t.Errorf("%d of 20 cases of heads with items of their own have p ≤ .05", low)
	}

	// Heads with the same lists have no information, however sums of thirds are
	// rounded.
	thirds := facet(items, 5)
	for v := range thirds.Labels[1:] {
		thirds.Labels[v+1] = []int32{int32(v % 5), int32((v + 1) % 5), int32((v + 2) % 5)}
	}
	same := itemCounts(lists(func(int) int32 { return int32(1 + r.IntN(items)) }), 1, items+1)
	mi := specialisation(thirds, slices.Repeat(same, 3)).MutualInformation
	if math.Abs(mi.Value) > 1e-12 || mi.P != 1 {
		t.Errorf("three heads with the same lists: %+v", mi)
	}
}

// Shuffled labels are those of the facet, and unlabelled items stay unlabelled: a
// facet with only one label has no information when shuffled.
func TestControlDealsTheLabels(t *testing.T) {
	f := datasets.Facet{Labels: [][]int32{nil, {0}, {0}, {1}, nil}, Values: []string{"x", "y"}}
	// Head 0 lists item 3, head 1 item 1. Of three labelled items, a third of the
	// shuffles each give y to item 3, to item 1 and to item 2, which no head lists.
	got := specialisation(f, [][]float64{{0, 0, 0, 1, 0}, {0, 1, 0, 0, 5}}).MutualInformation
	if got.Value != 1 || math.Abs(got.Control-2./3) > .05 || math.Abs(got.P-2./3) > .05 {
		t.Errorf("%+v, want 1 bit, by chance in two of three shuffles", got)
	}
}

// Holm's correction covers every test of an analysis: facets and heads.
func TestCorrect(t *testing.T) {
	test := func(p float64) Preference { return Preference{Divergence: Tested{P: p}} }
	a := &Analysis{Facets: []Facet{
		{MutualInformation: Tested{P: .01}, Heads: []Preference{test(.2), test(.004)}},
		{MutualInformation: Tested{P: .03}, Heads: []Preference{test(.9), test(.001)}},
	}}
	if err := a.correct(); err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, f := range a.Facets {
		got = append(got, f.MutualInformation.Holm, f.Heads[0].Divergence.Holm, f.Heads[1].Divergence.Holm)
	}
	// Ascending: 6·.001, 5·.004, 4·.01, 3·.03, 2·.2, 1·.9.
	for i, want := range []float64{.04, .4, .02, .09, .9, .006} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("test %d: %v after correction, want %v", i, got[i], want)
		}
	}
}

// Beauty's size: 2,048 users, four heads, a facet like its brands. An analysis has
// four facets.
func BenchmarkSpecialisation(b *testing.B) {
	const H, items = 4, 12_101
	f := facet(items, 26)
	r := rand.New(rand.NewPCG(1, 1))
	counts := make([][]float64, H)
	for h := range counts {
		counts[h] = make([]float64, items+1)
		for range listUsers * listLen {
			counts[h][1+int(float64(items)*math.Pow(r.Float64(), 3))]++ // a few items are listed often
		}
	}
	for b.Loop() {
		specialisation(f, counts)
	}
}

// The heads' divergences, weighted by their shares, add up to the mutual
// information. Items without a label do not count, and several labels share one
// count.
func TestInformation(t *testing.T) {
	f := datasets.Facet{Labels: [][]int32{nil, {0}, {1}, {0, 1}, nil}, Values: []string{"x", "y"}}
	counts := count(itemCounts([][][]int32{{{1, 3, 4}, {2}}, {{1}, {2, 2}}}, 2, 5), f.Labels, 2)
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
		t.Errorf("no lists give %v bits", info)
	}
}

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

func TestSummarise(t *testing.T) {
	run := func(dataset, model string, entropy float64, holm float64) *Analysis {
		return &Analysis{Dataset: dataset, Model: model, GateEntropy: entropy,
			Heads: []Head{
				{Gate: &Distribution{}, Chosen: .75, RouterEntropy: entropy, Dead: 1, Experts: []Expert{{Load: 1 - entropy}, {Load: entropy}}},
				{Gate: &Distribution{}, Chosen: .25, RouterEntropy: 1, Dead: 1, Experts: []Expert{{Load: .5}, {Load: .5}}},
			},
			Overlap: [][]float64{{1, entropy}, {entropy, 1}},
			Facets:  []Facet{{Name: "brand", MutualInformation: Tested{Value: .5, Control: entropy, Holm: holm}}},
		}
	}
	concat := &Analysis{Dataset: "d", Model: "fame-concat", Heads: []Head{{Experts: []Expert{{Load: 1}}}}}
	eight := run("d", "fame", 0, 1)
	eight.At = "fame.heads = 8"
	got := Summarise([]*Analysis{run("d", "fame", .9, .04), concat, run("d", "fame", .7, .05), run("e", "fame", .5, .01), eight})
	if len(got) != 4 || got[3].At != eight.At || got[0].Dataset+got[1].Model+got[2].Dataset != "dfame-concate" || got[0].Seeds != 2 || got[2].Seeds != 1 {
		t.Fatalf("%+v", got)
	}
	s := got[0]
	for what, c := range map[string][2]float64{
		"gate entropy": {s.GateEntropy, .8}, "most chosen": {s.MostChosen, .75}, "router entropy": {s.RouterEntropy, .9}, "least load": {s.LeastLoad, .2},
		"most load": {s.MostLoad, .8}, "dead": {s.Dead, 2}, "overlap": {s.Overlap, .8}, "excess": {s.Facets[0].Excess, -.3}, "significant": {float64(s.Facets[0].Significant), 1},
	} {
		equal(t, what, c[0], c[1])
	}
	for what, x := range map[string]float64{"gate entropy": got[1].GateEntropy, "most chosen": got[1].MostChosen, "router entropy": got[1].RouterEntropy, "overlap": got[1].Overlap} {
		if !math.IsNaN(x) {
			t.Errorf("%s of fame-concat with one expert: %v, want none", what, x)
		}
	}
}

// What a head's experts and its list have in common with others, by hand.
func TestNewDigest(t *testing.T) {
	a := &Analysis{Heads: []Head{{Experts: []Expert{{Load: .5}, {Load: .2}, {Load: .3}}}, {Experts: []Expert{{Load: 1}}}, {Experts: []Expert{{Load: .4}, {Load: .6}}}},
		Overlap: [][]float64{{1, .1, .3}, {.1, 1, .5}, {.3, .5, 1}}}
	d := NewDigest([]*Analysis{a})
	if len(d.Runs) != 1 || d.Runs[0].Analysis != a || d.Summaries != nil {
		t.Fatalf("%+v", d)
	}
	for h, want := range []Spread{{.2, .5, .2, .3}, {1, 1, .3, .5}, {.4, .6, .4, .5}} {
		got := d.Runs[0].Spread[h]
		equal(t, "least load", got.LeastLoad, want.LeastLoad)
		equal(t, "most load", got.MostLoad, want.MostLoad)
		equal(t, "mean overlap", got.MeanOverlap, want.MeanOverlap)
		equal(t, "most overlap", got.MostOverlap, want.MostOverlap)
	}
	concat := &Analysis{Model: "fame-concat", Heads: []Head{{Experts: []Expert{{Load: 1}}}}}
	d = NewDigest([]*Analysis{a, concat})
	if got := d.Runs[1].Spread[0]; !math.IsNaN(got.MeanOverlap) || !math.IsNaN(got.MostOverlap) {
		t.Errorf("overlap of a head without lists: %+v", got)
	}
	if len(d.Summaries) != 2 {
		t.Errorf("%d summaries, expected 2", len(d.Summaries))
	}
}
