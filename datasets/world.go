package datasets

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
)

// WorldConfig has the parameters of format "facets", which generates its data; see
// [World]. In experiments.toml it is the table world of a data set. A zero or a nil
// pointer is the default.
type WorldConfig struct {
	Users int `toml:"users" json:"users,omitempty"` // default 10,000
	Items int `toml:"items" json:"items,omitempty"` // default 2,000

	// Facets is how many facets the items have. Default 4.
	Facets int `toml:"facets" json:"facets,omitempty"`
	// Labels is how many labels each facet has. Default 20.
	Labels int `toml:"labels" json:"labels,omitempty"`
	// LabelSkew is the exponent of Zipf's law for the labels of items. Default 0:
	// all labels are equally likely.
	LabelSkew float64 `toml:"label_skew" json:"label_skew,omitempty"`
	// ItemSkew is the exponent of Zipf's law for the popularity of items; 0 makes
	// all equally popular. Default 1.
	ItemSkew *float64 `toml:"item_skew" json:"item_skew,omitempty"`

	// Concentration is the parameter of the symmetric Dirichlet distribution of a
	// user's importances. Small values make one facet decide, large ones make all
	// equally important. Default 1: any importances are equally likely.
	Concentration float64 `toml:"concentration" json:"concentration,omitempty"`
	// Preferred is how many labels a user prefers in each facet: the complexity of
	// the preferences. Default 2.
	Preferred int `toml:"preferred" json:"preferred,omitempty"`
	// Stickiness is the probability that a facet's last label is taken again.
	// Default 0.5.
	Stickiness *float64 `toml:"stickiness" json:"stickiness,omitempty"`
	// Noise is the probability of an item by popularity alone. Default 0.1.
	Noise *float64 `toml:"noise" json:"noise,omitempty"`

	// Length is the mean number of interactions of a user. Default 20.
	Length int `toml:"length" json:"length,omitempty"`
	// MinLength is the minimum. The number above it has a geometric distribution.
	// If MinLength is Length, all users have as many. Default 5, or Length if that
	// is less.
	MinLength int `toml:"min_length" json:"min_length,omitempty"`
	// Repeats says whether a user can interact with an item again. Default false.
	Repeats bool `toml:"repeats" json:"repeats,omitempty"`

	// Seed selects another world of the same parameters. Default 0.
	Seed int64 `toml:"seed" json:"seed,omitempty"`
}

const defaultStickiness = 0.5

// maxFacets bounds the facets of a world.
const maxFacets = 64

// resolve fills in the defaults and checks the values.
func (c *WorldConfig) resolve() error {
	c.Labels, c.Length = cmp.Or(c.Labels, 20), cmp.Or(c.Length, 20) // others depend on them
	for _, k := range []struct {
		key               string
		value             *int
		byDefault, lo, hi int
	}{
		{"users", &c.Users, 10_000, 1, 10_000_000},
		{"items", &c.Items, 2_000, 2, 10_000_000},
		{"facets", &c.Facets, 4, 1, maxFacets},
		{"labels", &c.Labels, 20, 1, 100_000},
		{"preferred", &c.Preferred, min(2, c.Labels), 1, 100_000},
		{"length", &c.Length, 20, minSplit, 100_000},
		{"min_length", &c.MinLength, min(5, c.Length), 1, 100_000},
	} {
		if *k.value == 0 {
			*k.value = k.byDefault
		}
		if *k.value < k.lo || *k.value > k.hi {
			return fmt.Errorf("world.%s = %d; expected %d to %d", k.key, *k.value, k.lo, k.hi)
		}
	}
	if c.Concentration == 0 {
		c.Concentration = 1
	}
	for _, k := range []struct {
		key    string
		value  float64
		lo, hi float64
	}{
		{"label_skew", c.LabelSkew, 0, 10},
		{"item_skew", fill(&c.ItemSkew, 1), 0, 10},
		{"concentration", c.Concentration, 0.001, 1_000_000},
		{"stickiness", fill(&c.Stickiness, defaultStickiness), 0, 1},
		{"noise", fill(&c.Noise, 0.1), 0, 1},
	} {
		if !(k.value >= k.lo && k.value <= k.hi) { // negated, so that NaN is refused too
			return badKey("world."+k.key, "= %v; expected %v to %v", k.value, k.lo, k.hi)
		}
	}
	return c.check()
}

// fill gives a value that was not set its default, and returns the value.
func fill(p **float64, byDefault float64) float64 {
	if *p == nil {
		*p = &byDefault
	}
	return **p
}

// check checks what concerns several values.
func (c *WorldConfig) check() error {
	const most = 500_000_000 // interactions, or labels of items or users: some gigabytes
	switch {
	case c.Seed < 0:
		return badKey("world.seed", "= %d is negative; expected 0 or more", c.Seed)
	case c.Preferred > c.Labels:
		return badKey("world.preferred", "= %d is more than world.labels = %d; a user can prefer at most all labels of a facet", c.Preferred, c.Labels)
	case c.Preferred == 1 && *c.Stickiness != defaultStickiness:
		return badKey("world.stickiness", "= %v makes no difference with world.preferred = 1, since the only label is always taken again; leave it out", *c.Stickiness)
	case c.MinLength > c.Length:
		return badKey("world.min_length", "= %d is more than world.length = %d, the mean; lower one or raise the other", c.MinLength, c.Length)
	case !c.Repeats && c.Length > c.Items:
		return badKey("world.length", "= %d is more than world.items = %d, and items do not repeat; set world.repeats = true, or more items", c.Length, c.Items)
	case c.Users*c.Length > most:
		return badKey("world.users", "= %d with world.length = %d have %d interactions; expected at most %d", c.Users, c.Length, c.Users*c.Length, most)
	case c.Items*c.Facets > most:
		return badKey("world.items", "= %d with world.facets = %d have %d labels; expected at most %d", c.Items, c.Facets, c.Items*c.Facets, most)
	case c.Users*c.Facets > most/c.Preferred:
		return badKey("world.preferred", "= %d is too much for %d users and %d facets; expected at most %d preferred labels in all", c.Preferred, c.Users, c.Facets, most)
	}
	return nil
}

// warnings says whether sequences are shorter than Length says, since none is longer than the
// number of items: their mean is that of a geometric distribution above MinLength that ends there.
func (c *WorldConfig) warnings() []string {
	above := float64(c.Length - c.MinLength)
	mean := float64(c.MinLength) + above*(1-math.Pow(above/(1+above), float64(c.Items-c.MinLength)))
	if c.Repeats || mean > .99*float64(c.Length) {
		return nil
	}
	return []string{fmt.Sprintf("world.length = %d, but with %d items that do not repeat the mean is %.1f: lower it, or set more items", c.Length, c.Items, mean)}
}

// untrainedWarning says if the oracle is not the best attainable ranking. Only items that some
// user has are items of the data, so those without training data are targets, and a model that
// ranks them higher for that reason knows more than the process does.
func (d *Dataset) untrainedWarning() []string {
	s, err := NewSplit(d, d.Config.Split)
	if err != nil || d.Config.ColdItems > 0 { // then they are no model's to find out
		return nil
	}
	untrained := 0
	for _, n := range s.TrainingCounts()[1:] {
		if n == 0 {
			untrained++
		}
	}
	if untrained == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d items have no training data, so they are validation or test targets: a model that ranks them higher for that can be better than the oracle; raise world.users or world.length, or lower world.items", untrained, d.NumItems)}
}

// resolveWorld checks the keys of format "facets".
func (c *Config) resolveWorld() error {
	if c.Format != worldFormat {
		return nil
	}
	// World compares users and positions with those of the data set.
	if c.KCore != 0 || c.Duplicates != "" && c.Duplicates != "keep" {
		return fmt.Errorf("k_core and duplicates are not used by format %s; remove them (world.repeats says whether items repeat)", worldFormat)
	}
	return c.World.resolve()
}

const worldFormat = "facets"

// Generated reports whether the data have a [World].
func (d *Dataset) Generated() bool { return d.Config.Format == worldFormat }

// World returns the world that a data set was generated from, with the item ids and the
// users of the data set. Items that no user of the data set has interacted with have the
// ids after d.NumItems. It generates the world again, from the configuration alone.
func (d *Dataset) World() (*World, error) {
	if !d.Generated() {
		return nil, fmt.Errorf("datasets: %s: the true preferences are known only for generated data; expected format %q, got %q", d.Name, worldFormat, d.Config.Format)
	}
	w := generate(d.Config.World)
	if err := w.renumber(d); err != nil {
		return nil, fmt.Errorf("datasets: %s: %w", d.Name, err)
	}
	return w, nil
}

// readWorld generates the interactions.
func readWorld(c Config, _ *source, lg *interactions) error {
	w := generate(c.World)
	var user, item []byte
	for u, p := range w.Users {
		user = strconv.AppendInt(user[:0], int64(u+1), 10)
		for _, step := range p.Steps {
			item = strconv.AppendInt(item[:0], int64(step.Item), 10)
			if err := lg.add(user, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// renumber gives the items and the users the numbers that they have in a data set of this
// world, found by their original ids, and leaves out the users that the data set does not
// have. It compares every sequence, so no truth is about anybody else.
func (w *World) renumber(d *Dataset) error {
	id := make([]int32, w.Config.Items+1) // of the data set, by item of the world
	for v, name := range d.ItemIDs[1:] {
		of, err := strconv.Atoi(name)
		if err != nil || of < 1 || of >= len(id) || id[of] != 0 {
			return fmt.Errorf("the data are not those of world: item %q", name)
		}
		id[of] = int32(v + 1)
	}
	next := int32(len(d.ItemIDs))
	for of := 1; of < len(id); of++ {
		if id[of] == 0 {
			id[of] = next
			next++
		}
	}
	users := make([]Preferences, len(d.Seqs))
	for u := range users {
		of, err := strconv.Atoi(d.UserIDs[u])
		if err != nil || of < 1 || of > len(w.Users) {
			return fmt.Errorf("the data are not those of world: user %q, expected 1 to %d", d.UserIDs[u], len(w.Users))
		}
		p := w.Users[of-1]
		users[u] = p
		same := len(p.Steps) == len(d.Seqs[u])
		for i := range p.Steps {
			p.Steps[i].Item = id[p.Steps[i].Item]
			same = same && p.Steps[i].Item == d.Seqs[u][i]
		}
		if !same {
			return fmt.Errorf("the data are not those of world: the sequence of user %s differs", d.UserIDs[u])
		}
	}
	w.Users = users
	labels, popularity := make([][]int32, len(id)), make([]float64, len(id))
	for of, v := range id {
		labels[v], popularity[v] = w.Labels[of], w.Popularity[of]
	}
	w.Labels, w.Popularity = labels, popularity
	w.all.renumber(id)
	for _, pools := range w.pools {
		for l := range pools {
			pools[l].renumber(id)
		}
	}
	return nil
}

func (p *pool) renumber(id []int32) {
	for i, v := range p.items {
		p.items[i] = id[v]
	}
}

// zipf returns the weights 1, 2^-s, 3^-s, … of n ranks, divided by their sum.
func zipf(n int, s float64) []float64 {
	weights := make([]float64, n)
	sum := 0.0
	for r := range weights {
		weights[r] = exp(float64(-s * ln(float64(r+1))))
		sum += weights[r]
	}
	for r := range weights {
		weights[r] /= sum
	}
	return weights
}

// ln is the natural logarithm and exp the exponential function. Package math has others
// for each kind of processor, and compilers may fuse a product and a sum. Neither happens
// here, so that a world is the same everywhere: a conversion to float64 prevents fusing,
// and a product with a power of two is exact, so that fusing does not change it. The
// relative error is about 1e-15.
func ln(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1) // ln m = 2 (s + s³/3 + s⁵/5 + …)
	s2, sum := float64(s*s), 0.0
	for k := 23; k >= 1; k -= 2 {
		sum = float64(sum*s2) + 1/float64(k)
	}
	return float64(2*float64(s*sum)) + float64(float64(e)*math.Ln2)
}

func exp(x float64) float64 {
	if x < -700 {
		return 0 // less than 1e-304
	}
	const hi, lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // ln 2 = hi + lo
	k := math.Floor(x/math.Ln2 + 0.5)
	r := x - float64(k*hi) - float64(k*lo)
	sum := 1.0
	for i := 16; i >= 1; i-- {
		sum = 1 + float64(float64(sum*r)/float64(i))
	}
	return math.Ldexp(sum, int(k))
}
