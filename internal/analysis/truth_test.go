package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

// The match has the highest sum of all, which small cases find by trying every one.
func TestBestMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		H, F := 1+r.IntN(5), 1+r.IntN(5)
		values := make([][]float64, H)
		for h := range values {
			for range F {
				values[h] = append(values[h], float64(r.IntN(7)-3)+float64(r.IntN(2))*r.Float64()) // with ties
			}
		}
		sum, pairs, used := 0.0, 0, map[int]bool{}
		match := bestMatch(values)
		for h, f := range match {
			if f < 0 {
				continue
			}
			if used[f] {
				t.Fatalf("%v: column %d has two rows", values, f)
			}
			used[f] = true
			pairs++
			sum += values[h][f]
		}
		if want := highestSum(values, make([]bool, F), min(H, F)); pairs != min(H, F) || math.Abs(sum-want) > 1e-9 {
			t.Fatalf("%v: %v has %d pairs and sum %v, expected %d and %v", values, match, pairs, sum, min(H, F), want)
		}
	}
	big := make([][]float64, 40)
	want := r.Perm(40)
	for i := range big {
		for range 40 {
			big[i] = append(big[i], r.Float64())
		}
		big[i][want[i]] += 1
	}
	if got := bestMatch(big); !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}

// highestSum tries every match of so many pairs.
func highestSum(values [][]float64, used []bool, pairs int) float64 {
	if pairs == 0 {
		return 0
	}
	if len(values) < pairs {
		return math.Inf(-1)
	}
	best := highestSum(values[1:], used, pairs) // without the first row
	for f, x := range values[0] {
		if !used[f] {
			used[f] = true
			best = max(best, x+highestSum(values[1:], used, pairs-1))
			used[f] = false
		}
	}
	return best
}

// Values from the definition, Σ p(list, label) log2 p(list, label)/(p(list)·p(label)).
func TestListInformation(t *testing.T) {
	labels := []int32{-1, 0, 0, 0, 1, 1, 2}
	for _, c := range []struct {
		lists [][]int32
		want  float64
	}{
		{[][]int32{{1, 2}, {4, 5}}, 1},
		{[][]int32{{1, 4}, {2, 5}}, 0},
		{[][]int32{{1, 2, 3, 4}, {4, 5}}, .5*math.Log2(1.5) + math.Log2(.5)/6 + math.Log2(2)/3},
		{[][]int32{{1}, {4}, {6}, {2}}, 1.5}, // H(½, ¼, ¼)
		{[][]int32{{}, {1}}, 0},
		{nil, 0},
	} {
		equal(t, "information", listInformation(c.lists, labels, 3), c.want)
	}
}

// Two experts and three labels, by hand. A user with two labels counts half for each.
func TestLabelInformation(t *testing.T) {
	users := []datasets.Preferences{{Preferred: [][]int32{{9}, {0}}}, {Preferred: [][]int32{{9}, {1, 2}}}}
	want := .5*math.Log2(2) + .25*math.Log2(2) + .25*math.Log2(2)
	equal(t, "information", labelInformation([]int{0, 1}, 2, []int{0, 1}, users, 1, 10), want)
	equal(t, "the other facet", labelInformation([]int{0, 1}, 2, []int{0, 1}, users, 0, 10), 0)
	equal(t, "the same expert", labelInformation([]int{1, 1}, 2, []int{0, 1}, users, 1, 10), 0)
	// The order says whose labels are taken: of the second user in both cases.
	equal(t, "of one user", labelInformation([]int{0, 1}, 2, []int{1, 1}, users, 1, 10), 0)
}

// p counts the shuffles in which the excess of any value reaches the one.
func TestCompare(t *testing.T) {
	got := compare([]float64{1, .5}, [][]float64{{0, .4}, {.2, .4}, {.1, .7}})
	for i, want := range []Comparison{{Value: 1, Control: .1, SD: .1, P: .25}, {Value: .5, Control: .5, SD: math.Sqrt(.03), P: .75}} {
		equal(t, "value", got[i].Value, want.Value)
		equal(t, "control", got[i].Control, want.Control)
		equal(t, "sd", got[i].SD, want.SD)
		equal(t, "p", got[i].P, want.P)
	}
}

// generated splits a small world: 300 users, 60 items, three facets of four labels, one
// preferred.
func generated(t *testing.T, change func(*datasets.Config)) (*datasets.Split, *datasets.World) {
	t.Helper()
	noise := .05
	c := datasets.Config{Name: "world", Format: "facets", World: datasets.WorldConfig{
		Users: 300, Items: 60, Facets: 3, Labels: 4, Preferred: 1, Length: 12, MinLength: 8, Noise: &noise}}
	if change != nil {
		change(&c)
	}
	s := basic.Split(t, c, "")
	w, err := s.Data.World()
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

// ideal is what a model would do whose head h is facet of[h]: its list has items of the
// user's preferred label only, its weight is the importance, and its strongest expert
// depends on the label.
func ideal(s *datasets.Split, w *datasets.World, of []int) observed {
	o := observed{lists: make([][][]int32, len(s.Valid)), gates: make([][]float64, len(of)), strongest: make([][]int, len(of)), experts: 2, maxLen: 50}
	for _, c := range s.Valid {
		o.users = append(o.users, c.User)
	}
	for h, f := range of {
		for i, c := range s.Valid {
			p := w.Users[c.User]
			var list []int32
			for v := int32(1); int(v) <= s.Data.NumItems && len(list) < listLen; v++ {
				if w.Labels[v][f] == p.Preferred[f][0] {
					list = append(list, v)
				}
			}
			o.lists[i] = append(o.lists[i], list)
			o.gates[h] = append(o.gates[h], p.Importances[f])
			o.strongest[h] = append(o.strongest[h], int(p.Preferred[f][0])/2)
		}
	}
	return o
}

// bits is the entropy of shares.
func bits(counts map[int]float64) (sum float64) {
	total := 0.0
	for _, n := range counts {
		total += n
	}
	for _, n := range counts {
		sum -= n / total * math.Log2(n/total)
	}
	return sum
}

// A model whose heads are exactly the facets, in another order, is recognised: the lists
// tell all about the labels, the gate follows the importances, the experts the labels.
func TestTruthOfIdealModel(t *testing.T) {
	for name, change := range map[string]func(*datasets.Config){
		"all users": nil, "first users": func(c *datasets.Config) { c.MaxUsers = 200 }, "cold items": func(c *datasets.Config) { c.ColdItems = .1 },
	} {
		s, w := generated(t, change)
		of := []int{2, 0, 1}
		o := ideal(s, w, of)
		got, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Facets, []string{"colour", "shape", "material"}) || got.Labels != 4 {
			t.Errorf("%s: %+v", name, got)
		}
		var mean float64
		for h, head := range got.Heads {
			if head.Facet != got.Facets[of[h]] {
				t.Fatalf("%s: head %d is matched with %q, expected %q", name, h, head.Facet, got.Facets[of[h]])
			}
			labels, experts := map[int]float64{}, map[int]float64{}
			for i, c := range s.Valid {
				l := int(w.Users[c.User].Preferred[of[h]][0])
				labels[l] += float64(len(o.lists[i][h]))
				experts[l/2]++
			}
			// Given the list or the label, the label or the expert is certain.
			equal(t, name+": list", head.List.Value, bits(labels))
			equal(t, name+": router", head.Router.Value, bits(experts))
			equal(t, name+": excess", head.Excess[of[h]], head.List.Excess())
			mean += head.List.Value / 3
			if head.List.Excess() < 1 || head.List.P != .005 || head.Router.Control > .02 || head.Router.P != .005 || head.Router.Constant {
				t.Errorf("%s: head %d: list %+v, router %+v", name, h, *head.List, *head.Router)
			}
			for f, x := range head.Excess {
				if f != of[h] && x > .35 {
					t.Errorf("%s: head %d says %v bits about facet %d", name, h, x, f)
				}
			}
		}
		equal(t, name+": lists", got.Lists.Value, mean)
		if x := got.Specialised; x == nil || x.Excess() < .5 || x.P != .005 {
			t.Errorf("%s: specialised %+v", name, x)
		}
		if got.Lists.P != .005 || got.Router.P != .005 || got.Gate.P != .005 || got.Gate.Users != len(s.Valid) || math.Abs(got.Gate.Control) > .1 {
			t.Errorf("%s: lists %+v, router %+v, gate %+v", name, got.Lists, *got.Router, *got.Gate)
		}
		equal(t, name+": gate", got.Gate.Value, 1)
		equal(t, name+": interval", got.Gate.HalfWidth, 0)
		o.maxLen = 3
		few, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		if k := got.Gate.Known; k < .3 || k > .9 || few.Gate.Known > k-.05 {
			t.Errorf("%s: labels-known reaches %v, and %v with three items", name, k, few.Gate.Known)
		}
	}
}

// A gate that follows users is recognised also where it favours some heads for everybody, to make
// up for their scores; one that only favours heads follows nobody.
func TestGateWithUnequalHeads(t *testing.T) {
	s, w := generated(t, nil)
	for follows, want := range map[float64]float64{2: 1, 0: 0} {
		o := ideal(s, w, []int{0, 1, 2})
		r := rand.New(rand.NewPCG(1, 2))
		for i, c := range s.Valid {
			sum := 0.
			for h := range o.gates {
				o.gates[h][i] = math.Exp(float64(h) + follows*w.Users[c.User].Importances[h] + 1e-3*r.NormFloat64())
				sum += o.gates[h][i]
			}
			for h := range o.gates {
				o.gates[h][i] /= sum
			}
		}
		got, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Gate.Value-want) > .1 || got.Gate.Constant {
			t.Errorf("follows %v: %+v, want about %v", follows, *got.Gate, want)
		}
	}
}

// A model that knows nothing is not better than chance, though heads and facets are matched
// as well as they can be: in 40 cases, p ≤ .05 is as rare as it should be.
func TestTruthOfRandomModel(t *testing.T) {
	s, w := generated(t, func(c *datasets.Config) { c.World.Users = 80 })
	r := rand.New(rand.NewPCG(1, 1))
	low := map[string]int{}
	for range 40 {
		o := ideal(s, w, []int{0, 1, 2})
		for i := range s.Valid {
			for h := range 3 {
				for k := range o.lists[i][h] {
					o.lists[i][h][k] = int32(1 + min(r.IntN(s.Data.NumItems), r.IntN(s.Data.NumItems))) // some are popular
				}
				o.gates[h][i] = r.Float64()
				o.strongest[h][i] = r.IntN(2)
			}
		}
		got, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]Comparison{"lists": got.Lists, "specialised": *got.Specialised, "gate": got.Gate.Comparison, "router": *got.Router, "head": *got.Heads[0].List, "expert": *got.Heads[0].Router} {
			if c.P <= .05 {
				low[what]++
			}
			if math.Abs(c.Excess()) > .25 || c.SD <= 0 {
				t.Errorf("%s: %+v", what, c)
			}
		}
		if g := got.Gate; g.HalfWidth < .05 || g.HalfWidth > .3 {
			t.Errorf("the interval of %d users is ±%v", g.Users, g.HalfWidth)
		}
		if got.Lists.Value < .05 {
			t.Errorf("the estimate of %v bits is not biased, so this test shows nothing", got.Lists.Value)
		}
	}
	for what, n := range low {
		if n > 7 { // of 40, with probability .001 by chance
			t.Errorf("%s: p ≤ .05 in %d of 40 cases", what, n)
		}
	}
}

// Heads that all know every facet equally well are not specialised, though their lists say
// a lot about the facets.
func TestTruthOfEqualHeads(t *testing.T) {
	s, w := generated(t, nil)
	o := ideal(s, w, []int{0, 1, 2})
	r := rand.New(rand.NewPCG(1, 1))
	for i := range o.lists {
		r.Shuffle(3, func(j, k int) { o.lists[i][j], o.lists[i][k] = o.lists[i][k], o.lists[i][j] })
	}
	got, err := newTruth(s, o)
	if err != nil {
		t.Fatal(err)
	}
	if got.Lists.Excess() < .2 || got.Lists.P != .005 || got.Specialised.P < .05 || math.Abs(got.Specialised.Excess()) > .05 {
		t.Errorf("lists %+v, specialised %+v", got.Lists, *got.Specialised)
	}
}

// Heads that know nothing about facets, but each have scores of their own that are the same for
// all users, list different labels. That is no specialisation.
func TestTruthOfHeadsThatDifferInItems(t *testing.T) {
	s, w := generated(t, func(c *datasets.Config) { c.World.Users, c.World.Items, c.World.Labels = 400, 500, 20 })
	low, excess := 0, 0.0
	const worlds = 12
	r := rand.New(rand.NewPCG(3, 3))
	for range worlds {
		o := ideal(s, w, []int{0, 1, 2})
		o.experts = 10
		for h := range 3 {
			scores := make([]float32, s.Data.NumItems+1)
			for v := range scores {
				scores[v] = r.Float32()
			}
			for i, c := range s.Valid {
				o.lists[i][h] = rank.Top(scores, c.History, listLen)
			}
		}
		got, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Specialised.P <= .05 {
			low++
		}
		excess += got.Specialised.Excess() / worlds
	}
	if low > 3 || excess > .003 { // of 12, with probability .002 by chance
		t.Errorf("p ≤ .05 in %d of %d worlds, mean excess %.4f bits", low, worlds, excess)
	}
}

// Several validation cases of a user are one observation.
func TestTruthOfSeveralCasesOfAUser(t *testing.T) {
	s, w := generated(t, func(c *datasets.Config) {
		c.World.Users, c.World.Items, c.World.Length, c.Split, c.ValidShare = 40, 200, 40, datasets.RatioSplit, .3
	})
	if len(s.Valid) < 200 {
		t.Fatalf("%d cases of 40 users", len(s.Valid))
	}
	low := map[string]int{}
	r := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		o := ideal(s, w, []int{0, 1, 2})
		for h := range 3 { // constants of each user, without any relation to the preferences
			gates, experts := map[int32]float64{}, map[int32]int{}
			for i, c := range s.Valid {
				if _, ok := gates[c.User]; !ok {
					gates[c.User], experts[c.User] = r.Float64(), r.IntN(2)
				}
				o.gates[h][i], o.strongest[h][i] = gates[c.User], experts[c.User]
			}
		}
		var heads []int // of each user, in any order
		for i, c := range s.Valid {
			if i == 0 || c.User != s.Valid[i-1].User {
				heads = r.Perm(3)
			}
			lists := slices.Clone(o.lists[i])
			for h, from := range heads {
				o.lists[i][h] = lists[from]
			}
		}
		got, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Gate.Users > 40 {
			t.Fatalf("%d users, expected at most 40", got.Gate.Users)
		}
		for what, p := range map[string]float64{"gate": got.Gate.P, "router": got.Router.P, "specialised": got.Specialised.P} {
			if p <= .05 {
				low[what]++
			}
		}
	}
	for what, n := range low {
		if n > 5 { // of 20, with probability .0003 by chance
			t.Errorf("%s: p ≤ .05 in %d of 20 cases", what, n)
		}
	}
}

// By hand: the means are 2 and 4 by row, 2, 3 and 4 by column, and 3 of all.
func TestInteraction(t *testing.T) {
	got := interaction([][]float64{{1, 2, 3}, {3, 4, 5}})
	for _, row := range got {
		for _, x := range row {
			equal(t, "rows and columns that only add up", x, 0)
		}
	}
	got = interaction([][]float64{{2, 2, 2}, {2, 4, 6}})
	for i, want := range []float64{1, 0, -1, -1, 0, 1} {
		equal(t, "interaction", got[i/3][i%3], want)
	}
	equal(t, "mean", meanOfPairs(got, []int{0, 2}), 1)
	equal(t, "mean of one pair", meanOfPairs(got, []int{-1, 0}), -1)
}

// With fewer heads than facets, some facets have no head; with more, some heads have no
// facet. Only pairs count.
func TestTruthOfOtherNumbers(t *testing.T) {
	s, w := generated(t, nil)
	for _, c := range []struct {
		of    []int
		match []string
		pairs int
	}{
		{[]int{2}, []string{"material"}, 1},
		{[]int{1, 0}, []string{"shape", "colour"}, 2},
		{[]int{1, 0, 2, -1, -1}, []string{"shape", "colour", "material", "", ""}, 3},
	} {
		of := slices.Clone(c.of)
		for h := range of {
			of[h] = max(0, of[h])
		}
		o := ideal(s, w, of)
		for i := range o.lists { // heads that always list the same items
			for h := range c.of {
				if c.of[h] < 0 {
					o.lists[i][h] = []int32{1, 2, 3, 4, 5, 6, 7}
				}
			}
		}
		got, err := newTruth(s, o)
		if err != nil {
			t.Fatal(err)
		}
		var match []string
		mean := 0.0
		for _, head := range got.Heads {
			match = append(match, head.Facet)
			if (head.List == nil) != (head.Facet == "") || (head.Router == nil) != (head.Facet == "") || len(head.Excess) != 3 {
				t.Errorf("%v: %+v", c.of, head)
			}
			if head.List != nil {
				mean += head.List.Value / float64(c.pairs)
			}
		}
		if !slices.Equal(match, c.match) {
			t.Errorf("%v: matched with %q, expected %q", c.of, match, c.match)
		}
		equal(t, "lists", got.Lists.Value, mean)
		if c.pairs == 1 {
			if got.Gate != nil || got.Specialised != nil {
				t.Errorf("one pair has no order and nothing to differ from, got %+v and %+v", got.Gate, got.Specialised)
			}
			continue
		}
		if got.Specialised.P != .005 {
			t.Errorf("%v: specialised %+v", c.of, got.Specialised)
		}
		equal(t, "gate", got.Gate.Value, 1)
	}
}

// facetModel is a FAME whose head h scores the items by how often the user's history has
// their label in facet of[h], and whose strongest expert depends on that label.
func facetModel(t *testing.T, rt *torch.Runtime, s *datasets.Split, w *datasets.World, of []int, change func(*models.FAMEConfig)) *models.FAME {
	t.Helper()
	const e, N = 4, 4
	c := models.FAMEDefaults()
	c.Layers, c.Heads, c.Hidden, c.Experts = 1, len(of), e*len(of), N
	change(c)
	m, err := models.NewFAME(rt, c, models.ItemLoss{Kind: "ce"}, s.Data.NumItems, 20)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Hidden
	for _, name := range []string{"pos_emb.weight", "moe.0.q.weight", "moe.0.ffn.in.weight", "moe.0.ffn.out.weight"} {
		fill(m, name, constant(0))
	}
	fill(m, "item_emb.weight", func(i int) float32 { // [V+1, d]: the label in each facet
		v, h, l := i/d, i%d/e, i%e
		if v > 0 && w.Labels[v][of[h]] == int32(l) {
			return 1
		}
		return 0
	})
	fill(m, "moe.0.kv.weight", func(i int) float32 { // [2d, d]: no keys, and the items as values
		if i/d-d == i%d {
			return 1
		}
		return 0
	})
	if c.Experts > 1 && c.Router != models.RouterUniform {
		fill(m, "moe.0.router.weight", func(i int) float32 { // [H, N·e, N]: expert l for label l
			if i/N%(N*e) == i%N {
				return 10
			}
			return 0
		})
	}
	return m
}

// Of finds the facets in a real model, whatever the gate. A gate or an expert that is the
// same for every user is said to be constant.
func TestTruthOfModel(t *testing.T) {
	s, w := generated(t, nil)
	of := []int{1, 2, 0}
	for name, change := range map[string]func(*models.FAMEConfig){
		"learned": func(c *models.FAMEConfig) {}, "average": func(c *models.FAMEConfig) { c.Gate = models.GateAverage },
		"static": func(c *models.FAMEConfig) { c.Gate = models.GateStatic }, "top1": func(c *models.FAMEConfig) { c.Gate = models.GateTop1 },
		"warm": func(c *models.FAMEConfig) { c.Residual = false }, "no-moe": func(c *models.FAMEConfig) { c.Experts = 1 },
		"concat": func(c *models.FAMEConfig) { c.Gate = models.GateConcat }, "uniform": func(c *models.FAMEConfig) { c.Router = models.RouterUniform },
		"unmoved": func(c *models.FAMEConfig) {},
	} {
		err := torch.Run(torch.Config{Seed: 1}, func(rt *torch.Runtime) error {
			m := facetModel(t, rt, s, w, of, change)
			if name == "unmoved" { // as a warm initialisation leaves it
				fill(m, "gate.weight", constant(0))
			}
			a, err := Of(rt, m, s, nil, 20)
			if err != nil || name == "concat" {
				if a.Truth != nil {
					t.Errorf("concat, which has no lists: %+v", a.Truth)
				}
				return err
			}
			for h, head := range a.Truth.Heads {
				if head.Facet != a.Truth.Facets[of[h]] || head.List.Excess() < .5 || head.List.P != .005 {
					t.Errorf("%s: head %d is matched with %s: %+v", name, h, head.Facet, head.List)
				}
				if c := m.Config(); (head.Router == nil) != (c.Experts == 1) {
					t.Errorf("%s: router %+v", name, head.Router)
				} else if name == "uniform" {
					if *head.Router != (Comparison{P: 1, Constant: true}) || !a.Truth.Router.Constant {
						t.Errorf("equal weights of the experts: %+v, of all heads %+v", head.Router, a.Truth.Router)
					}
				} else if head.Router != nil && (head.Router.Excess() < .1 || head.Router.P != .005 || head.Router.Constant) {
					t.Errorf("%s: router %+v", name, *head.Router)
				}
			}
			varies := name != "average" && name != "static" && name != "unmoved"
			if a.Truth.Gate.Constant == varies || !varies && (a.Truth.Gate.Value != 0 || a.Truth.Gate.P != 1) {
				t.Errorf("%s: gate %+v", name, a.Truth.Gate)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Real data have no truth.
func TestNoTruth(t *testing.T) {
	world(t, func(*models.FAMEConfig) {}, func(rt *torch.Runtime, m *models.FAME, s *datasets.Split) {
		if a := of(t, rt, m, s); a.Truth != nil {
			t.Errorf("%+v", a.Truth)
		}
	})
}

// Means and deviations over seeds, by hand.
func TestSummariseTruth(t *testing.T) {
	run := func(excess, p, known float64, constant bool) *Analysis {
		c := Comparison{Value: excess + .5, Control: .5, P: p}
		return &Analysis{Heads: []Head{{Experts: []Expert{{}}}}, Truth: &Truth{Lists: c, Specialised: &c, Gate: &GateTruth{Comparison: Comparison{P: 1, Constant: constant}, Known: known}}}
	}
	s := Summarise([]*Analysis{run(.1, .04, .5, true), run(.4, .05, .7, true)})[0].Truth
	for what, c := range map[string][2]float64{"mean": {s.Lists.Mean, .25}, "sd": {s.Lists.SD, math.Sqrt(.045)}, "significant": {float64(s.Lists.Significant), 1}, "seeds": {float64(s.Lists.Seeds), 2}, "specialised": {s.Specialised.Mean, .25}, "known": {s.Known, .6}} {
		equal(t, what, c[0], c[1])
	}
	if s.Router != nil || !s.Gate.Constant || s.Lists.Constant {
		t.Errorf("router %+v, gate %+v, lists %+v", s.Router, s.Gate, s.Lists)
	}
	if s := Summarise([]*Analysis{run(.1, .04, .5, true), run(.4, .05, .7, false)})[0].Truth; s.Gate.Constant {
		t.Error("a gate that varies for one seed is not constant")
	}
}
