// Package analysis looks into a trained FAME: what its gate, routers and heads do
// with the validation users, and whether heads specialise, which the papers claim
// and do not test. It reads the model and changes nothing.
//
// A claim such as "this head prefers brands" is only as good as its control: heads
// whose lists differ at all, if only because they started at other random numbers,
// differ in the brands on them. So each number about preferences stands beside the
// same number with the labels of the items shuffled, over and over.
package analysis

import (
	"math"
	"math/rand/v2"
	"slices"

	"famebench/datasets"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Analysis is the file analysis/ID.json.
type Analysis struct {
	ID    string `json:"id"`
	Users int    `json:"users"` // validation users
	Heads []Head `json:"heads"`
	// GateEntropy is the mean over users of the entropy of the gate, as a share of
	// its maximum: 1 is a gate that does not choose. Absent for "concat".
	GateEntropy float64 `json:"gate_entropy,omitempty"`
	// Overlap[i][j] is the mean Jaccard index of the top lists of heads i and j, seen
	// items left out. Absent for "concat", whose heads score nothing.
	Overlap   [][]float64 `json:"overlap,omitempty"`
	ListUsers int         `json:"list_users,omitempty"` // whose lists were compared
	ListLen   int         `json:"list_len,omitempty"`
	Facets    []Facet     `json:"facets,omitempty"`
}

// Head is one head of the last layer.
type Head struct {
	Gate *Distribution `json:"gate,omitempty"` // over users
	// Experts are the head's; RouterEntropy is the mean entropy of their weights over
	// users, as a share of its maximum; Dead counts experts whose mean weight is below
	// a tenth of an even share.
	Experts       []Expert `json:"experts"`
	RouterEntropy float64  `json:"router_entropy,omitempty"`
	Dead          int      `json:"dead"`
	// Attention[k] is the mean weight, over users and experts by their routing, of the
	// item k places before the last one; 0 where a history is shorter.
	Attention []float64 `json:"attention"`
}

// Expert is one query of a head.
type Expert struct {
	Load float64 `json:"load"` // mean weight over users
	Top  float64 `json:"top"`  // share of users for whom it weighs the most
}

// Distribution describes values over users.
type Distribution struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	P10  float64 `json:"p10"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
}

// Options of Of.
const (
	listUsers = 2048 // whose lists are compared
	listLen   = 20
	shuffles  = 99 // of the control: the least p is 1/100
	blockSize = 64 // users scored at a time
)

// Of analyses a model with the validation users of s.
func Of(rt *torch.Runtime, m *models.FAME, s *datasets.Split, facets []datasets.Facet, maxLen int) (*Analysis, error) {
	c := m.Config()
	a := &Analysis{Users: len(s.Valid), Heads: make([]Head, c.Heads)}
	g := newGathering(c, maxLen)
	users := rand.New(rand.NewPCG(listUsers, 1)).Perm(len(s.Valid))
	compared := make([]bool, len(s.Valid)) // the same users for every model
	for _, i := range users[:min(listUsers, len(users))] {
		compared[i] = true
	}
	var lists [][][]int32 // [user][head]
	for from := 0; from < len(s.Valid); from += blockSize {
		cases := s.Valid[from:min(from+blockSize, len(s.Valid))]
		rt.Scope(func() {
			rt.NoGrad(func() {
				b := train.HistoryBatch(cases, maxLen)
				f := m.Encode(b, b.LastPositions())
				g.add(f, b)
				var chosen []int64
				for i := range cases {
					if compared[from+i] {
						chosen = append(chosen, int64(i))
					}
				}
				if c.Gate == models.GateConcat || len(chosen) == 0 {
					return
				}
				n, H := int64(len(chosen)), int64(c.Heads)
				heads := f.Heads.Reshape(int64(len(cases)), -1).Rows(rt.Ints(chosen, n)).Reshape(n, H, -1) // [n, H, d/H]
				scores := m.HeadScores(heads).HostFloats()                                                 // [n, H, V+1]
				width := len(scores) / int(n*H)
				for k, i := range chosen {
					var user [][]int32
					for h := range c.Heads {
						row := (k*c.Heads + h) * width
						user = append(user, top(scores[row:row+s.Data.NumItems+1], cases[i].History, listLen))
					}
					lists = append(lists, user)
				}
			})
		})
	}
	g.finish(a)
	if lists != nil {
		a.ListUsers, a.ListLen = len(lists), listLen
		a.Overlap = overlap(lists, c.Heads)
		for _, f := range facets {
			a.Facets = append(a.Facets, specialisation(f, lists, c.Heads))
		}
	}
	return a, nil
}

// gathering adds up what each user's gate, routers and attention are.
type gathering struct {
	config models.FAMEConfig
	maxLen int

	users         int
	gates         [][]float64 // [head][user]
	gateEntropy   float64
	load, top     [][]float64 // [head][expert]
	routerEntropy []float64   // [head]
	attention     [][]float64 // [head][distance]
}

func newGathering(c models.FAMEConfig, maxLen int) *gathering {
	g := &gathering{config: c, maxLen: maxLen, gates: make([][]float64, c.Heads), routerEntropy: make([]float64, c.Heads)}
	for range c.Heads {
		g.load, g.top = append(g.load, make([]float64, c.Experts)), append(g.top, make([]float64, c.Experts))
		g.attention = append(g.attention, make([]float64, maxLen))
	}
	return g
}

// add takes a block of users, of whom f holds one position each, the last.
func (g *gathering) add(f models.Facets, b *models.Batch) {
	H, E := g.config.Heads, g.config.Experts
	var gate []float32
	if f.Gate.Defined() {
		gate = f.Gate.HostFloats() // [B, H]
	}
	routing := routingOf(f, len(b.Lengths), H, E)
	weights := Attention(f.Last, b, H, E)
	for u := range b.Lengths {
		g.users++
		if gate != nil {
			row := gate[u*H : (u+1)*H]
			g.gateEntropy += entropy(row)
			for h, v := range row {
				g.gates[h] = append(g.gates[h], float64(v))
			}
		}
		for h := range H {
			beta := routing[(u*H+h)*E : (u*H+h+1)*E]
			g.routerEntropy[h] += entropy(beta)
			best := 0
			for e, v := range beta {
				g.load[h][e] += float64(v)
				if v > beta[best] {
					best = e
				}
				for distance, w := range weights[u][h][e] {
					g.attention[h][distance] += float64(v) * w
				}
			}
			g.top[h][best]++
		}
	}
}

// routingOf is β [B, H, E], even where there is no router.
func routingOf(f models.Facets, B, H, E int) []float32 {
	if f.Last.Routing.Defined() {
		return f.Last.Routing.HostFloats()
	}
	return slices.Repeat([]float32{1 / float32(E)}, B*H*E)
}

// Attention gives for each user, head and expert the weights of the history's
// items from the last one back, before dropout. The trace holds one position a
// user, the last.
func Attention(trace models.MoETrace, b *models.Batch, H, E int) [][][][]float64 {
	q, kv := trace.Queries.HostFloats(), trace.KeysValues.HostFloats()
	d := len(q) / (len(b.Lengths) * E)
	w := d / H
	out := make([][][][]float64, len(b.Lengths))
	first := 0
	for u, n := range b.Lengths {
		out[u] = make([][][]float64, H)
		for h := range H {
			out[u][h] = make([][]float64, E)
			for e := range E {
				query := q[(u*E+e)*d+h*w:][:w]
				scores := make([]float64, n)
				for back := range scores {
					key := kv[(first+int(n)-1-back)*2*d+h*w:][:w]
					for i, x := range query {
						scores[back] += float64(x) * float64(key[i])
					}
					scores[back] /= math.Sqrt(float64(w))
				}
				high, sum := slices.Max(scores), 0.
				for i, s := range scores {
					scores[i] = math.Exp(s - high)
					sum += scores[i]
				}
				for i := range scores {
					scores[i] /= sum
				}
				out[u][h][e] = scores
			}
		}
		first += int(n)
	}
	return out
}

func (g *gathering) finish(a *Analysis) {
	n := float64(g.users)
	even := 1 / float64(g.config.Experts)
	if g.gates[0] != nil {
		a.GateEntropy = g.gateEntropy / n
	}
	for h := range a.Heads {
		head := &a.Heads[h]
		if g.gates[h] != nil {
			d := describe(g.gates[h])
			head.Gate = &d
		}
		for e := range g.config.Experts {
			x := Expert{Load: g.load[h][e] / n, Top: g.top[h][e] / n}
			head.Experts = append(head.Experts, x)
			if x.Load < even/10 {
				head.Dead++
			}
		}
		head.RouterEntropy = g.routerEntropy[h] / n
		for _, w := range g.attention[h] {
			head.Attention = append(head.Attention, w/n)
		}
	}
}

// entropy of a distribution as a share of its maximum, 0 for a single value.
func entropy(p []float32) float64 {
	if len(p) < 2 {
		return 0
	}
	var sum float64
	for _, x := range p {
		if x > 0 {
			sum -= float64(x) * math.Log(float64(x))
		}
	}
	return sum / math.Log(float64(len(p)))
}

func describe(v []float64) Distribution {
	v = slices.Sorted(slices.Values(v))
	var d Distribution
	for _, x := range v {
		d.Mean += x / float64(len(v))
	}
	for _, x := range v {
		d.SD += (x - d.Mean) * (x - d.Mean)
	}
	d.SD = math.Sqrt(d.SD / float64(max(1, len(v)-1)))
	at := func(p int) float64 { return v[(len(v)*p+99)/100-1] } // nearest rank
	d.P10, d.P50, d.P90 = at(10), at(50), at(90)
	return d
}

// top gives the k items with the highest scores, best first and lower ids before
// higher ones of the same score; padding and the items seen are left out.
func top(scores []float32, seen []int32, k int) []int32 {
	out := make([]int32, 0, k+1)
	for v := int32(1); int(v) < len(scores); v++ {
		s := scores[v]
		if len(out) == k && s <= scores[out[k-1]] || slices.Contains(seen, v) {
			continue
		}
		at := len(out)
		for at > 0 && scores[out[at-1]] < s {
			at--
		}
		out = slices.Insert(out, at, v)
		out = out[:min(k, len(out))]
	}
	return out
}

// overlap is the mean Jaccard index of every two heads' lists.
func overlap(lists [][][]int32, H int) [][]float64 {
	out := make([][]float64, H)
	for i := range out {
		out[i] = make([]float64, H)
	}
	for _, user := range lists {
		for i := range H {
			for j := range H {
				both := 0
				for _, v := range user[i] {
					if slices.Contains(user[j], v) {
						both++
					}
				}
				out[i][j] += float64(both) / float64(len(user[i])+len(user[j])-both)
			}
		}
	}
	for _, row := range out {
		for j := range row {
			row[j] /= float64(len(lists))
		}
	}
	return out
}
