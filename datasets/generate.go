package datasets

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// World is the process that generated a data set of format "facets": the truth about its
// items and users.
//
// Each item has one label in each facet and a popularity. Each user has an importance for
// every facet and, in each facet, a set of preferred labels. One step of a user:
//
//  1. With probability Noise, any item by popularity.
//  2. Otherwise a facet by importance; a label of this facet, which is the last one again
//     with probability Stickiness, and else any of the preferred labels, all equally
//     likely; an item with this label, by popularity. If no item of the catalogue has the
//     label, any item by popularity.
//
// If items do not repeat, the whole step is drawn again until the user has not seen the
// item. So the distribution is that of steps 1 and 2, restricted to unseen items. If it
// gives none of them, the item is any unseen one by popularity.
//
// Items are numbered from 1; index 0 of Labels and Popularity is padding.
type World struct {
	Config     WorldConfig // with defaults filled in
	Labels     [][]int32   // [items+1][facets], from 0
	Popularity []float64   // [items+1], sums to 1
	Users      []Preferences

	all   pool
	pools [][]pool // [facets][labels] items with the label
}

// Preferences are the truth about a user.
type Preferences struct {
	Importances []float64 // by facet, sum to 1
	Preferred   [][]int32 // by facet, ascending
	Steps       []Step
}

// Step is an interaction and how it came about. Facet and Label are -1 if popularity
// alone decided.
type Step struct{ Item, Facet, Label int32 }

// pool is a set of items to draw from by popularity.
type pool struct {
	items []int32
	upTo  []float64 // sums of the popularities up to each item
}

func (p *pool) add(item int32, popularity float64) {
	p.items, p.upTo = append(p.items, item), append(p.upTo, p.mass()+popularity)
}

// mass is the popularity of all items together.
func (p *pool) mass() float64 {
	if len(p.upTo) == 0 {
		return 0
	}
	return p.upTo[len(p.upTo)-1]
}

func (p *pool) draw(rng *rand.Rand) int32 { return p.items[drawIndex(rng, p.upTo)] }

// drawIndex draws an index; upTo are the sums of the weights up to each.
func drawIndex(rng *rand.Rand, upTo []float64) int {
	x := float64(rng.Float64() * upTo[len(upTo)-1])
	return sort.Search(len(upTo)-1, func(i int) bool { return x < upTo[i] })
}

// generate makes the world of a resolved configuration. Every user has a random generator
// of their own, so more users do not change the others.
func generate(c WorldConfig) *World {
	w := newWorld(c)
	w.Users = make([]Preferences, c.Users)
	taken := make([]bool, c.Labels)
	for u := range w.Users {
		rng := w.generator(u + 1)
		w.Users[u] = w.newPreferences(rng, taken)
		w.walk(&w.Users[u], w.length(rng), rng)
	}
	return w
}

// newWorld makes a world without users.
func newWorld(c WorldConfig) *World {
	w := &World{Config: c, Labels: make([][]int32, c.Items+1), Popularity: append([]float64{0}, zipf(c.Items, *c.ItemSkew)...)}
	w.pools = make([][]pool, c.Facets)
	for f := range w.pools {
		w.pools[f] = make([]pool, c.Labels)
	}
	labels := zipf(c.Labels, c.LabelSkew)
	for l := range labels[1:] {
		labels[l+1] += labels[l]
	}
	rng := w.generator(0)
	for v := 1; v <= c.Items; v++ {
		w.all.add(int32(v), w.Popularity[v])
		w.Labels[v] = make([]int32, c.Facets)
		for f := range w.Labels[v] {
			l := drawIndex(rng, labels)
			w.Labels[v][f] = int32(l)
			w.pools[f][l].add(int32(v), w.Popularity[v])
		}
	}
	return w
}

// generator returns the random generator of user u, from 1; 0 is that of the items.
func (w *World) generator(u int) *rand.Rand {
	seed := mix(uint64(w.Config.Seed) + 1)
	return rand.New(rand.NewPCG(seed, mix(seed+uint64(u))))
}

// newPreferences draws importances and labels. taken is for its use, false for every label.
func (w *World) newPreferences(rng *rand.Rand, taken []bool) Preferences {
	p := Preferences{Importances: dirichlet(rng, w.Config.Facets, w.Config.Concentration), Preferred: make([][]int32, w.Config.Facets)}
	for f := range p.Preferred {
		// Floyd's way to draw different numbers.
		for n := w.Config.Labels - w.Config.Preferred; n < w.Config.Labels; n++ {
			l := int32(rng.IntN(n + 1))
			if taken[l] {
				l = int32(n)
			}
			taken[l] = true
			p.Preferred[f] = append(p.Preferred[f], l)
		}
		for _, l := range p.Preferred[f] {
			taken[l] = false
		}
		slices.Sort(p.Preferred[f])
	}
	return p
}

// length draws the number of a user's interactions. Without repeats there are no more
// than items.
func (w *World) length(rng *rand.Rand) int {
	n := w.Config.MinLength
	stop := 1 / float64(1+w.Config.Length-w.Config.MinLength)
	for rng.Float64() >= stop {
		n++
	}
	if !w.Config.Repeats {
		n = min(n, w.Config.Items)
	}
	return n
}

// way is one of the ways to an item: a facet and a label of it, or noise.
type way struct {
	weight       float64 // probability
	facet, label int32   // -1 for noise
	pool         *pool
}

// ways lists all ways to the item at a position of a user, the noise first.
func (w *World) ways(p *Preferences, last []int32) []way {
	noise, sticky := *w.Config.Noise, *w.Config.Stickiness
	out := make([]way, 0, 1+w.Config.Facets*w.Config.Preferred)
	out = append(out, way{noise, -1, -1, &w.all})
	for f, importance := range p.Importances {
		for _, l := range p.Preferred[f] {
			share := 1 / float64(len(p.Preferred[f]))
			if last[f] >= 0 {
				share = float64((1 - sticky) * share)
				if last[f] == l {
					share += sticky
				}
			}
			from := &w.pools[f][l]
			if len(from.items) == 0 {
				from = &w.all
			}
			out = append(out, way{float64(float64((1-noise)*importance) * share), int32(f), l, from})
		}
	}
	return out
}

// walk draws the steps of a user.
func (w *World) walk(p *Preferences, steps int, rng *rand.Rand) {
	last := w.noLabels()
	seen := make(map[int32]bool, steps)
	p.Steps = make([]Step, 0, steps)
	for range steps {
		step := w.step(w.ways(p, last), seen, rng)
		p.Steps = append(p.Steps, step)
		if step.Facet >= 0 {
			last[step.Facet] = step.Label
		}
		if !w.Config.Repeats {
			seen[step.Item] = true
		}
	}
}

// step draws an item that is not in seen.
func (w *World) step(ways []way, seen map[int32]bool, rng *rand.Rand) Step {
	upTo := make([]float64, len(ways))
	sum := 0.0
	for i, from := range ways {
		sum += from.weight
		upTo[i] = sum
	}
	for range 50 {
		from := ways[drawIndex(rng, upTo)]
		if v := from.pool.draw(rng); !seen[v] {
			return Step{v, from.facet, from.label}
		}
	}
	// Few unseen items are left. The same distribution without more attempts: restrict
	// every pool to unseen items.
	sum = 0
	unseen := make([]pool, len(ways))
	for i, from := range ways {
		for _, v := range from.pool.items {
			if !seen[v] {
				unseen[i].add(v, w.Popularity[v])
			}
		}
		sum += float64(float64(from.weight*unseen[i].mass()) / from.pool.mass())
		upTo[i] = sum
	}
	if sum == 0 {
		return Step{unseen[0].draw(rng), -1, -1}
	}
	i := drawIndex(rng, upTo)
	return Step{unseen[i].draw(rng), ways[i].facet, ways[i].label}
}

func (w *World) noLabels() []int32 { return slices.Repeat([]int32{-1}, w.Config.Facets) }

// Probabilities returns the distribution of the item at a position of a user, from 0,
// given the user's preferences and all that happened before, the facets and labels of the
// earlier steps included. It is indexed by item; index 0 is 0, and the rest sums to 1. The
// position after the last one is that of an interaction to come.
func (w *World) Probabilities(user, position int) []float64 {
	p := &w.Users[user]
	last, before := w.noLabels(), p.Steps[:position]
	for _, step := range before {
		if step.Facet >= 0 {
			last[step.Facet] = step.Label
		}
	}
	// An item's probability is its popularity times a factor, which is a sum over the
	// labels that the item has.
	factors := make([]float64, w.Config.Facets*w.Config.Labels)
	any := 0.0 // the part of the factor that all items share
	for _, from := range w.ways(p, last) {
		factor := from.weight / from.pool.mass()
		if from.pool == &w.all {
			any += factor
		} else {
			factors[int(from.facet)*w.Config.Labels+int(from.label)] = factor
		}
	}
	out := make([]float64, w.Config.Items+1)
	for v := 1; v < len(out); v++ {
		factor := any
		for f, l := range w.Labels[v] {
			factor += factors[f*w.Config.Labels+int(l)]
		}
		out[v] = float64(w.Popularity[v] * factor)
	}
	if w.Config.Repeats {
		before = nil
	}
	for _, step := range before {
		out[step.Item] = 0
	}
	if normalise(out) {
		return out
	}
	copy(out, w.Popularity)
	for _, step := range before {
		out[step.Item] = 0
	}
	normalise(out)
	return out
}

// normalise divides by the sum, unless it is 0.
func normalise(p []float64) bool {
	sum := 0.0
	for _, x := range p {
		sum += x
	}
	if sum == 0 {
		return false
	}
	for i := range p {
		p[i] /= sum
	}
	return true
}

// dirichlet draws n shares from the symmetric Dirichlet distribution: gamma variates
// divided by their sum. Logarithms keep small ones from becoming 0.
func dirichlet(rng *rand.Rand, n int, concentration float64) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		if concentration >= 1 {
			shares[i] = lnGamma(rng, concentration)
		} else {
			shares[i] = lnGamma(rng, concentration+1) + ln(1-rng.Float64())/concentration
		}
	}
	most := slices.Max(shares)
	for i := range shares {
		shares[i] = exp(shares[i] - most)
	}
	normalise(shares)
	return shares
}

// lnGamma draws the logarithm of a gamma variate of shape a ≥ 1, by the method of
// Marsaglia and Tsang (2000).
func lnGamma(rng *rand.Rand, a float64) float64 {
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := normal(rng)
		t := 1 + float64(c*x)
		if t <= 0 {
			continue
		}
		v := float64(float64(t*t) * t)
		if ln(1-rng.Float64()) < float64(float64(x*x)/2)+d-float64(d*v)+float64(d*ln(v)) {
			return ln(d) + ln(v)
		}
	}
}

// normal draws a standard normal variate, by Marsaglia's polar method.
func normal(rng *rand.Rand) float64 {
	for {
		x, y := float64(2*rng.Float64())-1, float64(2*rng.Float64())-1
		if s := float64(x*x) + float64(y*y); s > 0 && s < 1 {
			return float64(x * math.Sqrt(float64(-2*ln(s))/s))
		}
	}
}
