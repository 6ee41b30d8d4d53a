package facets

import (
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/rank"
)

// Estimator estimates the preferences of a user from the labels of the items in the user's
// history. It knows neither the true importances nor the preferred labels. It knows what a
// model can learn from thousands of users: the labels and the popularity of the items
// (counted in training), and the constants of the process, such as the share of noise.
type Estimator struct {
	config     datasets.WorldConfig
	labels     [][]int32   // [items+1][facets]
	popularity []float64   // [items+1] smoothed share of the training interactions
	mass       [][]float64 // [facets][labels] popularity of all items with the label
}

// Estimate is what a history says about a user.
type Estimate struct {
	Importances []float64   // by facet, sum to 1
	Labels      [][]float64 // [facets][labels] how likely the facet leads to the label, each facet sums to 1
	Next        [][]float64 // the same for the next item: the last label of a facet is more likely
}

// NewEstimator counts in the training part of generated data. For other data it returns an
// error.
func NewEstimator(s *datasets.Split) (*Estimator, error) {
	w, err := s.Data.World()
	if err != nil {
		return nil, err
	}
	return newEstimator(w, s), nil
}

func newEstimator(w *datasets.World, s *datasets.Split) *Estimator {
	n := s.Data.NumItems
	e := &Estimator{config: w.Config, labels: w.Labels[:n+1], popularity: make([]float64, n+1), mass: table(w.Config.Facets, w.Config.Labels, 0)}
	const unseen = 0.5 // interactions more than were counted: every item is possible
	counts, sum := s.TrainingCounts(), 0
	for _, c := range counts {
		sum += c
	}
	for v := 1; v <= n; v++ {
		e.popularity[v] = (float64(counts[v]) + unseen) / (float64(sum) + float64(unseen*float64(n)))
		for f, l := range e.labels[v] {
			e.mass[f][l] += e.popularity[v]
		}
	}
	return e
}

// noise is the probability that popularity alone decided. It is never 0: where no item with
// a preferred label is left, any other one follows.
func (e *Estimator) noise() float64 { return max(*e.config.Noise, 1e-6) }

// table returns n rows of m equal values.
func table(n, m int, value float64) [][]float64 {
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = make([]float64, m)
		for j := range rows[i] {
			rows[i][j] = value
		}
	}
	return rows
}

// Estimate counts the labels of a history, with smoothing. An item has a label in every
// facet, and one facet led to it. So it counts for each facet by the probability that this
// facet did, given the counts of the other items; a few rounds make them agree. (This is
// how the topics of a text are estimated; see "CVB0" in Asuncion et al., On smoothing and
// inference for topic models, 2009.)
func (e *Estimator) Estimate(history []int32) Estimate {
	// Twice the number of preferred labels: the best of 1/20 to 8 times, on validation cases
	// of six worlds. Five rounds are as good as ten.
	const rounds, pseudo = 5, 2
	facets, labels := e.config.Facets, e.config.Labels
	c := counter{
		Estimator: e, counts: table(facets, labels, 0), totals: make([]float64, facets),
		smoothing: pseudo * float64(e.config.Preferred) / float64(labels),
	}
	weights := table(len(history), facets, 0) // how likely each facet led to each item
	for range rounds {
		c.last, c.any = table(facets, labels, 0), slices.Repeat([]float64{1}, facets)
		for t, v := range history {
			c.add(v, weights[t], -1)
			c.weigh(v, weights[t])
			c.add(v, weights[t], 1)
			c.follow(v, weights[t])
		}
	}
	out := Estimate{Importances: make([]float64, facets), Labels: c.counts, Next: c.last}
	for f := range out.Importances {
		out.Importances[f] = c.importance(f)
		for l := range c.counts[f] {
			c.last[f][l] = c.next(f, int32(l))
		}
	}
	for f := range c.counts {
		for l := range c.counts[f] {
			c.counts[f][l] = c.preferred(f, int32(l))
		}
	}
	return out
}

// counter counts the labels of a history.
type counter struct {
	*Estimator
	counts    [][]float64 // [facets][labels] items by label, each with the weight of the facet
	totals    []float64   // by facet, the sum over its labels
	smoothing float64     // is added to the number of each label

	last [][]float64 // [facets][labels] probability that the facet last led to the label
	any  []float64   // by facet, probability that it has led to nothing yet
}

// add adds an item to the counts of its labels, by the weights of the facets; with sign -1
// it subtracts it.
func (c *counter) add(v int32, weights []float64, sign float64) {
	for f, l := range c.labels[v] {
		c.counts[f][l] += float64(sign * weights[f])
		c.totals[f] += float64(sign * weights[f])
	}
}

// weigh computes for each facet the probability that it led to item v. What is missing to 1
// is the probability of noise.
func (c *counter) weigh(v int32, weights []float64) {
	noise := c.noise()
	sum := noise
	for f, l := range c.labels[v] {
		weights[f] = float64(float64((1-noise)*c.importance(f))*c.next(f, l)) / c.mass[f][l]
		sum += weights[f]
	}
	for f := range weights {
		weights[f] /= sum
	}
}

// follow notes item v as the last one, by the weights of the facets.
func (c *counter) follow(v int32, weights []float64) {
	for f, l := range c.labels[v] {
		for k := range c.last[f] {
			c.last[f][k] = float64(c.last[f][k] * (1 - weights[f]))
		}
		c.any[f] = float64(c.any[f] * (1 - weights[f]))
		c.last[f][l] += weights[f]
	}
}

// importance estimates the importance of a facet.
func (c *counter) importance(f int) float64 {
	sum := float64(c.config.Concentration * float64(len(c.totals)))
	for _, n := range c.totals {
		sum += n
	}
	return (c.totals[f] + c.config.Concentration) / sum
}

// preferred estimates how likely facet f leads to label l.
func (c *counter) preferred(f int, l int32) float64 {
	return (c.counts[f][l] + c.smoothing) / (c.totals[f] + float64(c.smoothing*float64(len(c.counts[f]))))
}

// next estimates the same for the next item: the last label is more likely.
func (c *counter) next(f int, l int32) float64 {
	sticky := *c.config.Stickiness
	return float64(c.preferred(f, l)*(1-float64(sticky*(1-c.any[f])))) + float64(sticky*c.last[f][l])
}

// Probabilities estimates the distribution of a user's next item, by item, except for a
// constant factor. It is [datasets.World.Probabilities] with estimates for the truth.
func (e *Estimator) Probabilities(history []int32) []float64 {
	p := e.Estimate(history)
	noise := e.noise()
	factors := table(len(p.Labels), e.config.Labels, 0)
	for f := range factors {
		for l, mass := range e.mass[f] {
			if mass > 0 {
				factors[f][l] = float64(float64((1-noise)*p.Importances[f])*p.Next[f][l]) / mass
			}
		}
	}
	out := make([]float64, len(e.popularity))
	for v := 1; v < len(out); v++ {
		factor := noise
		for f, l := range e.labels[v] {
			factor += factors[f][l]
		}
		out[v] = float64(e.popularity[v] * factor)
	}
	if !e.config.Repeats {
		for _, v := range history {
			out[v] = 0
		}
	}
	return out
}

// labelsKnown scores items by an Estimator: what can be reached with the labels and a
// history, but without the user's preferences.
type labelsKnown struct {
	data      generated
	estimator *Estimator
}

// NewLabelsKnown returns the reference "labels-known" of generated data. For other data it
// returns an error.
func NewLabelsKnown(s *datasets.Split) (rank.Scorer, error) {
	data, err := open(s)
	if err != nil {
		return nil, fmt.Errorf("labels-known: %w", err)
	}
	return &labelsKnown{data, newEstimator(data.world, s)}, nil
}

func (k *labelsKnown) Score(cases []datasets.Case, visit rank.Visit) error {
	return k.data.score(cases, visit, func(c datasets.Case) []float64 { return k.estimator.Probabilities(c.History) })
}
