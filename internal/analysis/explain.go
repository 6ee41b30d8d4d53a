package analysis

import (
	"cmp"
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// Explanation explains the recommendations for a user.
type Explanation struct {
	User    string           `json:"user"`
	History []Item           `json:"history"` // the history that the model reads, oldest first
	Gate    []float64        `json:"gate,omitempty"`
	Items   []Recommendation `json:"items"` // best first, without seen items
}

// Item is an item as it is shown to people.
type Item struct {
	ID    string `json:"id"` // in the source
	Title string `json:"title,omitempty"`
}

// Recommendation is one item of the list. The heads' scores times the gate add up
// to the score; for "concat", which has neither, head and parts are absent.
type Recommendation struct {
	Item    Item      `json:"item"`
	Score   float64   `json:"score"`
	Parts   []float64 `json:"parts,omitempty"`  // of each head in the score
	Head    int       `json:"head,omitempty"`   // from 1: the head with the largest part, among those that the gate gives a weight
	Expert  int       `json:"expert,omitempty"` // from 1: the one with the largest routing weight in that head; none without a router
	Because []Cause   `json:"because"`          // the past items with the most attention of that head
	Shares  []string  `json:"shares"`           // labels that it shares with one of those
}

// Cause is a past item.
type Cause struct {
	Item   Item    `json:"item"`
	Weight float64 `json:"weight"` // attention, over the head's experts by their routing
}

const causes = 3

// Explain returns the first k recommendations for a history, with their
// reasons.
func Explain(rt *torch.Runtime, m *models.FAME, d *datasets.Dataset, c datasets.Case, k, maxLen int) (*Explanation, error) {
	meta, err := d.Metadata()
	if err != nil {
		return nil, err
	}
	if len(c.History) == 0 {
		return nil, fmt.Errorf("user %s has no history to recommend from", d.UserIDs[c.User])
	}
	facets := meta.Facets()
	item := func(v int32) Item {
		it := Item{ID: d.ItemIDs[v]}
		if meta.Title != nil {
			it.Title = meta.Title[v]
		}
		return it
	}
	recent := c.History[max(0, len(c.History)-maxLen):]
	out := &Explanation{User: d.UserIDs[c.User]}
	for _, v := range recent {
		out.History = append(out.History, item(v))
	}
	config := m.Config()
	H, E, width := config.Heads, config.Experts, d.NumItems+1
	rt.Scope(func() {
		rt.NoGrad(func() {
			b := train.HistoryBatch([]datasets.Case{c}, maxLen)
			f := m.Encode(b, b.LastPositions())
			scores := f.User.MatMul(m.Items().Rows.Transpose()).HostFloats() // [V+1]
			routing := routingOf(f, 1, H, E)                                 // [H, E]
			attention := Attention(f.Last(), b, H, E)[0]                     // [H][E][back]
			var gate, heads []float32
			if f.Gate.Defined() {
				gate, heads = f.Gate.HostFloats(), m.HeadScores(f.Heads).HostFloats() // [H], [H, V+1]
				for _, g := range gate {
					out.Gate = append(out.Gate, float64(g))
				}
			}
			for _, v := range rank.Top(scores[:width], c.History, k) {
				r := Recommendation{Item: item(v), Score: float64(scores[v]), Because: []Cause{}, Shares: []string{}}
				weights := make([]float64, len(recent)) // by items back
				for h := range H {
					if gate == nil {
						mix(weights, attention[h], routing[h*E:], 1/float64(H))
						continue
					}
					r.Parts = append(r.Parts, float64(gate[h]*heads[h*len(heads)/H+int(v)]))
					if gate[h] > 0 && (r.Head == 0 || r.Parts[h] > r.Parts[r.Head-1]) {
						r.Head = h + 1
					}
				}
				if gate != nil {
					h := r.Head - 1
					mix(weights, attention[h], routing[h*E:], 1)
					if f.Last().Routing.Defined() {
						beta := routing[h*E : (h+1)*E]
						r.Expert = slices.Index(beta, slices.Max(beta)) + 1
					}
				}
				r.explain(recent, weights, v, facets, item)
				out.Items = append(out.Items, r)
			}
		})
	})
	return out, nil
}

// mix adds the experts' attention, by their routing, times scale to weights.
func mix(weights []float64, experts [][]float64, routing []float32, scale float64) {
	for e, w := range experts {
		for back := range weights {
			weights[back] += scale * float64(routing[e]) * w[back]
		}
	}
}

// explain returns the past items with the largest weights and the labels that v
// shares with them.
func (r *Recommendation) explain(recent []int32, weights []float64, v int32, facets []datasets.Facet, item func(int32) Item) {
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	for _, back := range order[:min(causes, len(order))] {
		past := recent[len(recent)-1-back]
		r.Because = append(r.Because, Cause{item(past), weights[back]})
		for _, f := range facets {
			for _, l := range f.Labels[v] {
				label := f.Name + ": " + f.Values[l]
				if slices.Contains(f.Labels[past], l) && !slices.Contains(r.Shares, label) {
					r.Shares = append(r.Shares, label)
				}
			}
		}
	}
}
