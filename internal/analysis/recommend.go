package analysis

import (
	"fmt"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
)

// Request asks a recorded run for recommendations.
type Request struct {
	Histories []History
	Top       int  // items for each history; fewer if there are fewer candidates
	KeepSeen  bool // items of the history are candidates too
}

// History is what somebody has interacted with, oldest first.
type History struct {
	Where string   // for messages, such as "-history"
	Items []string // ids of the data set
}

// Recommended are the recommendations for a history, best first.
type Recommended struct {
	History []Item   `json:"history"` // as given; a model reads its last items
	Items   []Scored `json:"items"`
}

// Scored is an item with its score, which only scores of the same history compare with.
type Scored struct {
	Item  Item    `json:"item"`
	Score float64 `json:"score"`
}

// Recommend gives what a recorded run recommends for histories that need not be of users of
// its data. A non-neural baseline counts the data again.
func Recommend(r *record.Record, job plan.Job, entries []registry.Entry, q Request) (out []Recommended, err error) {
	err = run.WithScorer(r, job, entries, func(s rank.Scorer, split *datasets.Split) error {
		d := split.Data
		cases, err := findItems(d, r.Result.Spec.Dataset.Name, q.Histories)
		if err != nil {
			return err
		}
		meta, err := d.Metadata()
		if err != nil {
			return err
		}
		item := func(v int32) Item {
			it := Item{ID: d.ItemIDs[v]}
			if meta.Title != nil {
				it.Title = meta.Title[v]
			}
			return it
		}
		out = make([]Recommended, len(cases))
		width := d.NumItems + 1
		err = s.Score(cases, func(first int, scores []float32) { // several at a time, each with rows of its own
			for i := range len(scores) / width {
				row, seen, to := scores[i*width:(i+1)*width], cases[first+i].History, &out[first+i]
				for _, v := range seen {
					to.History = append(to.History, item(v))
				}
				if q.KeepSeen {
					seen = nil
				}
				to.Items = []Scored{}
				for _, v := range rank.Top(row, seen, q.Top) {
					to.Items = append(to.Items, Scored{item(v), float64(row[v])})
				}
			}
		})
		if e, _ := registry.Find(entries, r.Result.Spec.Model); err != nil && e.KnowsWorld {
			return InputError{fmt.Errorf("%s, a run of %s, ranks for users of its data only: %w", r.ID, r.Result.Spec.Model, err)}
		}
		return err
	})
	return out, err
}

// mostNamed is how many unknown items an error names.
const mostNamed = 5

// findItems looks the items of histories up in a data set, by its name in the record, and
// names those that it lacks.
func findItems(d *datasets.Dataset, name string, histories []History) ([]datasets.Case, error) {
	index := make(map[string]int32, d.NumItems)
	for v := 1; v <= d.NumItems; v++ {
		index[d.ItemIDs[v]] = int32(v)
	}
	var cases []datasets.Case
	var unknown []string
	for _, h := range histories {
		c := datasets.Case{User: -1} // nobody of the data
		for _, id := range h.Items {
			v, ok := index[id]
			if !ok {
				unknown = append(unknown, fmt.Sprintf("%s: data set %s has no item %s%s", h.Where, name, conf.Quote(id), nearestItem(d, id)))
			}
			c.History = append(c.History, v)
		}
		cases = append(cases, c)
	}
	if unknown == nil {
		return cases, nil
	}
	if n := len(unknown) - mostNamed; n > 0 {
		unknown = append(unknown[:mostNamed], fmt.Sprintf("and %d more", n))
	}
	return nil, InputError{fmt.Errorf("%s", strings.Join(unknown, "\n"))}
}

// nearestItem suggests an item for an unknown id, or shows what ids look like.
func nearestItem(d *datasets.Dataset, id string) string {
	const longest = 64 // the distance of long ids is slow to compute
	if len(id) <= longest {
		short := slices.DeleteFunc(slices.Clone(d.ItemIDs[1:]), func(known string) bool { return len(known) > longest })
		if hint := conf.Hint(id, short); strings.HasPrefix(hint, "; did you mean") {
			return hint
		}
	}
	return fmt.Sprintf("; its first is %q", d.ItemIDs[1])
}
