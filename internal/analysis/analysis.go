// Package analysis looks into a trained FAME: what its gate, routers and heads do
// on the validation cases, and whether heads specialise, which the papers claim
// but do not test. It reads the model and changes nothing.
//
// A claim such as "this head prefers brands" is only as good as its control: if the
// lists of two heads differ for any reason, even only by random initialisation, so
// do the brands in them. So each number about preferences is shown next to the same
// number with the items' labels shuffled many times.
package analysis

import (
	"math"
	"math/rand/v2"
	"slices"

	"famebench/datasets"
	"famebench/internal/stats"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Version is raised by hand when a number of an analysis gets another meaning. Files without a version
// are of the first one. Since the second one, Truth keeps the cases of a user together and estimates
// importances from what the model sees, and a file names the result that it belongs to.
const Version = 2

// Analysis is the file analysis/ID.json.
type Analysis struct {
	Version int    `json:"version,omitempty"`
	ID      string `json:"id"`
	// ResultSHA256 is that of the record: a run that was trained again has other weights.
	ResultSHA256 string `json:"result_sha256"`
	Dataset      string `json:"dataset"`
	Model        string `json:"model"`
	At           string `json:"at,omitempty"` // place on the axes of the suite
	Users        int    `json:"users"`        // validation cases
	// MoELayers is the number of layers with experts. All values about experts
	// and attention are those of the last one, whose heads are the facets.
	MoELayers int    `json:"moe_layers"`
	Heads     []Head `json:"heads"`
	// GateEntropy is the mean over users of the entropy of the gate, as a share of
	// its maximum. It is 1 if the gate weighs all heads equally. Absent for
	// "concat".
	GateEntropy float64 `json:"gate_entropy,omitempty"`
	// Imbalance is N·Σ load² of a head's N experts, averaged over heads: 1 if they
	// share the load evenly, N if one has all of it.
	Imbalance float64 `json:"imbalance"`
	// Reach[k] is the number of users who have an item k positions before their
	// last one.
	Reach []int `json:"reach"`
	// Overlap[i][j] is the mean Jaccard index of the top lists of heads i and j,
	// without seen items. It and everything below are absent for "concat", whose
	// heads score nothing.
	Overlap   [][]float64 `json:"overlap,omitempty"`
	ListUsers int         `json:"list_users,omitempty"` // whose lists were compared
	ListLen   int         `json:"list_len,omitempty"`
	HitRate   float64     `json:"hit_rate,omitempty"` // HR@ListLen of the model on all validation cases, seen items removed
	Facets    []Facet     `json:"facets,omitempty"`
	Truth     *Truth      `json:"truth,omitempty"` // of generated data only
}

// Head is one head of the last layer.
type Head struct {
	// Gate is the head's weight over users, Chosen the share of users for whom it is the
	// highest; users with several highest ones count partly for each. With "top1" it is the
	// weight before all but the highest are removed. Absent and 0 for "concat".
	Gate   *Distribution `json:"gate,omitempty"`
	Chosen float64       `json:"chosen"`
	// Experts are the head's; RouterEntropy is the mean entropy of their weights over
	// users, as a share of its maximum; Dead counts experts whose mean weight is below
	// a tenth of an even share.
	Experts       []Expert `json:"experts"`
	RouterEntropy float64  `json:"router_entropy,omitempty"`
	Dead          int      `json:"dead"`
	// Attention[k] is the mean weight of the item k positions before the last one,
	// over experts by their routing and over the users whose history reaches that
	// far.
	Attention []float64 `json:"attention"`
	Alone     *Alone    `json:"alone,omitempty"`
}

// Alone compares what a head would recommend if it scored alone with the model.
type Alone struct {
	ModelOverlap float64 `json:"model_overlap"` // mean Jaccard index of its top list and the model's
	HitRate      float64 `json:"hit_rate"`      // as the model's
}

// Expert is one query of a head.
type Expert struct {
	Load float64 `json:"load"` // mean weight over users
	Top  float64 `json:"top"`  // share of users for whom it has the largest weight, like Chosen
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
	blockSize = 64 // users scored at a time
)

// Of analyses a model with the validation cases of s.
func Of(rt *torch.Runtime, m *models.FAME, s *datasets.Split, facets []datasets.Facet, maxLen int) (*Analysis, error) {
	c := m.Config()
	a := &Analysis{Version: Version, Users: len(s.Valid), MoELayers: c.MoELayers, Heads: make([]Head, c.Heads)}
	g := newAccumulator(c, maxLen)
	l := &lists{hits: make([]int, c.Heads+1)}
	users := rand.New(rand.NewPCG(listUsers, 1)).Perm(len(s.Valid))
	compared := make([]bool, len(s.Valid)) // the same users for every model
	for _, i := range users[:min(listUsers, len(users))] {
		compared[i] = true
	}
	for from := 0; from < len(s.Valid); from += blockSize {
		cases := s.Valid[from:min(from+blockSize, len(s.Valid))]
		rt.Scope(func() {
			rt.NoGrad(func() {
				b := train.HistoryBatch(cases, maxLen)
				f := m.Encode(b, b.LastPositions())
				g.add(f, b)
				if c.Gate != models.GateConcat {
					l.add(m, f, cases, compared[from:from+len(cases)], s.Data.NumItems)
				}
			})
		})
	}
	g.finish(a)
	if c.Gate == models.GateConcat {
		return a, nil
	}
	l.finish(a)
	counts := itemCounts(l.items, c.Heads, s.Data.NumItems+1)
	shuffles := shufflesFor(len(facets) * (c.Heads + 1))
	for _, f := range facets {
		a.Facets = append(a.Facets, specialisation(f, counts, shuffles))
	}
	if s.Data.Generated() {
		var err error
		if a.Truth, err = newTruth(s, observed{l.items, l.users, g.gates, g.strongest, c.Experts, maxLen}); err != nil {
			return nil, err
		}
	}
	return a, a.correct()
}

// accumulator adds up the gates, routers and attention of users.
type accumulator struct {
	config models.FAMEConfig

	users         int
	gates         [][]float64 // [head][user]
	chosen        []float64   // [head]
	gateEntropy   float64
	load, top     [][]float64 // [head][expert]
	strongest     [][]int     // [head][user]: the expert with the highest weight
	routerEntropy []float64   // [head]
	attention     [][]float64 // [head][distance]
	reach         []int       // [distance]: users with an item there
}

func newAccumulator(c models.FAMEConfig, maxLen int) *accumulator {
	g := &accumulator{config: c, gates: make([][]float64, c.Heads), chosen: make([]float64, c.Heads), strongest: make([][]int, c.Heads), routerEntropy: make([]float64, c.Heads), reach: make([]int, maxLen)}
	for range c.Heads {
		g.load, g.top = append(g.load, make([]float64, c.Experts)), append(g.top, make([]float64, c.Experts))
		g.attention = append(g.attention, make([]float64, maxLen))
	}
	return g
}

// add takes a block of users. f has one position of each user, the last.
func (g *accumulator) add(f models.Facets, b *models.Batch) {
	H, N := g.config.Heads, g.config.Experts
	var gate []float32
	if f.Choice.Defined() {
		gate = f.Choice.HostFloats() // [B, H]
	}
	routing := routingOf(f, len(b.Lengths), H, N)
	weights := Attention(f.Last(), b, H, N)
	for u, length := range b.Lengths {
		g.users++
		for distance := range length {
			g.reach[distance]++
		}
		if gate != nil {
			row := gate[u*H : (u+1)*H]
			g.gateEntropy += entropy(row)
			addHighest(g.chosen, row)
			for h, v := range row {
				g.gates[h] = append(g.gates[h], float64(v))
			}
		}
		for h := range H {
			beta := routing[(u*H+h)*N : (u*H+h+1)*N]
			g.routerEntropy[h] += entropy(beta)
			addHighest(g.top[h], beta)
			strongest := 0
			for e, v := range beta {
				if v > beta[strongest] {
					strongest = e
				}
			}
			g.strongest[h] = append(g.strongest[h], strongest)
			for e, v := range beta {
				g.load[h][e] += float64(v)
				for distance, w := range weights[u][h][e] {
					g.attention[h][distance] += float64(v) * w
				}
			}
		}
	}
}

// addHighest adds 1 at the highest value of row, or an equal part at each of
// several highest ones.
func addHighest(sums []float64, row []float32) {
	high, n := slices.Max(row), 0
	for _, v := range row {
		if v == high {
			n++
		}
	}
	for i, v := range row {
		if v == high {
			sums[i] += 1 / float64(n)
		}
	}
}

// routingOf returns β [B, H, N], with equal weights if there is no router.
func routingOf(f models.Facets, B, H, E int) []float32 {
	if f.Last().Routing.Defined() {
		return f.Last().Routing.HostFloats()
	}
	return slices.Repeat([]float32{1 / float32(E)}, B*H*E)
}

// Attention returns, for each user, head and expert, the weights of the
// history's items from the last one back, before dropout. The trace has one
// position per user, the last.
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

func (g *accumulator) finish(a *Analysis) {
	n := float64(g.users)
	N := float64(g.config.Experts)
	if g.gates[0] != nil {
		a.GateEntropy = g.gateEntropy / n
	}
	for _, users := range g.reach {
		if users > 0 {
			a.Reach = append(a.Reach, users)
		}
	}
	for h := range a.Heads {
		head := &a.Heads[h]
		if g.gates[h] != nil {
			d := describe(g.gates[h])
			head.Gate, head.Chosen = &d, g.chosen[h]/n
		}
		for e := range g.config.Experts {
			x := Expert{Load: g.load[h][e] / n, Top: g.top[h][e] / n}
			head.Experts = append(head.Experts, x)
			if x.Load < 1/N/10 {
				head.Dead++
			}
			a.Imbalance += N * x.Load * x.Load / float64(len(a.Heads))
		}
		head.RouterEntropy = g.routerEntropy[h] / n
		for distance, users := range a.Reach {
			head.Attention = append(head.Attention, g.attention[h][distance]/float64(users))
		}
	}
}

// entropy returns the entropy of a distribution as a share of its maximum, 0
// for a single value.
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
	d.P10, d.P50, d.P90 = stats.NearestRank(v, 10), stats.NearestRank(v, 50), stats.NearestRank(v, 90)
	return d
}
