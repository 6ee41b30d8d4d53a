package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// The seeds are fixed, so these tests pass always or never. level is the share of seeds
// with which a test would fail by chance.
const level = 1e-3

// fits compares counts with expected shares by a chi-squared test. Cells with fewer than
// five expected are put together; nothing may be counted where nothing is expected.
func fits(t *testing.T, what string, counts []int, shares []float64) {
	t.Helper()
	total := 0
	for _, n := range counts {
		total += n
	}
	var chi2, restExpected float64
	cells, rest := 0, 0
	for i, n := range counts {
		expected := shares[i] * float64(total)
		if expected == 0 && n > 0 {
			t.Errorf("%s: %d of cell %d, expected none", what, n, i)
			return
		}
		if expected < 5 {
			rest, restExpected = rest+n, restExpected+expected
			continue
		}
		cells++
		chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if restExpected >= 5 {
		cells++
		chi2 += (float64(rest) - restExpected) * (float64(rest) - restExpected) / restExpected
	}
	if cells < 2 {
		t.Fatalf("%s: %d cells; nothing to test", what, cells)
	}
	if p := 1 - (distuv.ChiSquared{K: float64(cells - 1)}).CDF(chi2); p < level {
		t.Errorf("%s: chi-squared %.1f in %d cells, p = %.2g; counts %v, expected shares %.4f", what, chi2, cells, p, counts, shares)
	}
}

// near compares a count of successes with a probability.
func near(t *testing.T, what string, n, total int, p float64) {
	t.Helper()
	fits(t, fmt.Sprintf("%s (%d of %d)", what, n, total), []int{n, total - n}, []float64{p, 1 - p})
}

// power is Zipf's law by another way.
func power(n int, s float64) []float64 {
	shares, sum := make([]float64, n), 0.0
	for r := range shares {
		shares[r] = math.Pow(float64(r+1), -s)
		sum += shares[r]
	}
	for r := range shares {
		shares[r] /= sum
	}
	return shares
}

func generated(t *testing.T, c WorldConfig) *World {
	t.Helper()
	if err := c.resolve(); err != nil {
		t.Fatal(err)
	}
	return generate(c)
}

func TestLabelsOfItems(t *testing.T) {
	for _, skew := range []float64{0, 0.7, 2} {
		w := generated(t, WorldConfig{Users: 1, Items: 20_000, Facets: 3, Labels: 12, LabelSkew: skew})
		joint := make([]int, 12*12)
		for f := range 3 {
			counts := make([]int, 12)
			for _, labels := range w.Labels[1:] {
				counts[labels[f]]++
			}
			fits(t, fmt.Sprintf("labels of facet %d with label_skew %v", f, skew), counts, power(12, skew))
		}
		shares := make([]float64, 12*12)
		for i := range shares {
			shares[i] = power(12, skew)[i/12] * power(12, skew)[i%12]
		}
		for _, labels := range w.Labels[1:] {
			joint[labels[0]*12+labels[1]]++
		}
		fits(t, "two facets together", joint, shares)
	}
}

func TestPopularityOfItems(t *testing.T) {
	for _, skew := range []float64{0, 1, 1.5} {
		w := generated(t, WorldConfig{Users: 1_000, Items: 100, Noise: number(1), ItemSkew: number(skew), Repeats: true})
		counts := make([]int, 100)
		for _, p := range w.Users {
			for _, step := range p.Steps {
				counts[step.Item-1]++
			}
		}
		fits(t, fmt.Sprintf("items with item_skew %v", skew), counts, power(100, skew))
	}
}

// Two shares of a Dirichlet distribution are of a beta distribution.
func TestImportances(t *testing.T) {
	for _, concentration := range []float64{0.2, 1, 4} {
		w := generated(t, WorldConfig{Users: 20_000, Length: 3, Facets: 2, Concentration: concentration})
		const bins = 20
		counts, shares := make([]int, bins), make([]float64, bins)
		beta := distuv.Beta{Alpha: concentration, Beta: concentration}
		for i := range shares {
			shares[i] = beta.CDF(float64(i+1)/bins) - beta.CDF(float64(i)/bins)
		}
		for _, p := range w.Users {
			counts[min(int(p.Importances[0]*bins), bins-1)]++
		}
		fits(t, fmt.Sprintf("importances of two facets with concentration %v", concentration), counts, shares)
	}
	// One of five facets: Beta(α, 4α).
	w := generated(t, WorldConfig{Users: 20_000, Length: 3, Facets: 5, Concentration: 0.5})
	beta := distuv.Beta{Alpha: 0.5, Beta: 2}
	for f := range 5 {
		counts, shares := make([]int, 10), make([]float64, 10)
		for i := range shares {
			shares[i] = beta.CDF(float64(i+1)/10) - beta.CDF(float64(i)/10)
		}
		for _, p := range w.Users {
			counts[min(int(p.Importances[f]*10), 9)]++
		}
		fits(t, fmt.Sprintf("importance of facet %d", f), counts, shares)
	}
}

// Every label is preferred by as many users. Their number has another distribution than
// independent draws would give, because the labels of a user differ.
func TestPreferredLabels(t *testing.T) {
	const users, labels, preferred = 10_000, 10, 3
	w := generated(t, WorldConfig{Users: users, Length: 3, Facets: 2, Labels: labels, Preferred: preferred})
	for f := range 2 {
		counts := make([]int, labels)
		for _, p := range w.Users {
			if len(p.Preferred[f]) != preferred {
				t.Fatalf("%d preferred labels", len(p.Preferred[f]))
			}
			for i, l := range p.Preferred[f] {
				if i > 0 && p.Preferred[f][i-1] >= l {
					t.Fatalf("preferred labels %v are not ascending and different", p.Preferred[f])
				}
				counts[l]++
			}
		}
		const p = float64(preferred) / labels
		chi2 := 0.0
		for _, n := range counts {
			chi2 += (float64(n) - users*p) * (float64(n) - users*p) / (users * p * (1 - p) * labels / (labels - 1))
		}
		if p := 1 - (distuv.ChiSquared{K: labels - 1}).CDF(chi2); p < level {
			t.Errorf("facet %d: chi-squared %.1f, p = %.2g, counts %v", f, chi2, p, counts)
		}
	}
}

func TestLengths(t *testing.T) {
	w := generated(t, WorldConfig{Users: 20_000, Length: 8, MinLength: 4, Items: 5_000})
	counts, shares := make([]int, 60), make([]float64, 60)
	for i := range shares {
		shares[i] = 0.2 * math.Pow(0.8, float64(i)) // mean 4 more than the minimum
	}
	for _, p := range w.Users {
		counts[len(p.Steps)-4]++
	}
	fits(t, "lengths", counts, shares)
}

// The steps of a few users with long histories follow their preferences.
func TestSteps(t *testing.T) {
	const sticky, noise, preferred = 0.6, 0.25, 3
	w := generated(t, WorldConfig{Users: 5, Items: 500, Labels: 10, Preferred: preferred, Length: 20_000, MinLength: 20_000, Repeats: true,
		Stickiness: number(sticky), Noise: number(noise)})
	for u, p := range w.Users {
		facets, shares := make([]int, 5), []float64{noise}
		for _, x := range p.Importances {
			shares = append(shares, (1-noise)*x)
		}
		again, chosen := 0, 0
		labels, fresh := make([]int, 10), 0
		last := []int32{-1, -1, -1, -1}
		for _, step := range p.Steps {
			facets[step.Facet+1]++
			if step.Facet < 0 {
				continue
			}
			if w.Labels[step.Item][step.Facet] != step.Label {
				t.Fatalf("item %d does not have label %d of facet %d", step.Item, step.Label, step.Facet)
			}
			if last[step.Facet] >= 0 {
				chosen++
				if last[step.Facet] == step.Label {
					again++
				} else if step.Facet == 0 {
					labels[step.Label]++ // a change: to any other preferred label
					fresh++
				}
			}
			last[step.Facet] = step.Label
		}
		fits(t, fmt.Sprintf("facets of user %d", u), facets, shares)
		near(t, fmt.Sprintf("the last label again, user %d", u), again, chosen, sticky+(1-sticky)/preferred)
		want := make([]float64, 10)
		for _, l := range p.Preferred[0] {
			want[l] = 1.0 / preferred
		}
		if fresh > 100 {
			fits(t, fmt.Sprintf("labels of user %d", u), labels, want)
		}
	}
}

// simulate draws the item at a position of a user by the words of World's description, and
// by nothing that World computes.
func simulate(rng *rand.Rand, w *World, user, position int) int32 {
	p := w.Users[user]
	seen := map[int32]bool{}
	last := map[int32]int32{}
	for _, step := range p.Steps[:position] {
		seen[step.Item] = !w.Config.Repeats
		if step.Facet >= 0 {
			last[step.Facet] = step.Label
		}
	}
	byPopularity := func(is func(item int32) bool) int32 {
		var items []int32
		var sum float64
		for v := 1; v <= w.Config.Items; v++ {
			if is(int32(v)) {
				items = append(items, int32(v))
				sum += w.Popularity[v]
			}
		}
		x := rng.Float64() * sum
		for _, v := range items {
			if x -= w.Popularity[v]; x < 0 {
				return v
			}
		}
		return 0
	}
	all := func(int32) bool { return true }
	for range 500 { // more attempts than any world here needs, unless no unseen item is possible
		item := int32(0)
		if rng.Float64() >= *w.Config.Noise {
			x, f := rng.Float64(), int32(0)
			for x -= p.Importances[0]; x >= 0 && int(f) < w.Config.Facets-1; x -= p.Importances[f] {
				f++
			}
			l, known := last[f]
			if !known || rng.Float64() >= *w.Config.Stickiness {
				l = p.Preferred[f][rng.IntN(len(p.Preferred[f]))]
			}
			item = byPopularity(func(v int32) bool { return w.Labels[v][f] == l })
		}
		if item == 0 { // noise, or no item has the label
			item = byPopularity(all)
		}
		if !seen[item] {
			return item
		}
	}
	return byPopularity(func(v int32) bool { return !seen[v] })
}

// Probabilities is the distribution of the process: of a simulation that shares no code
// with it, and of the generator, also where few items are left.
func TestProbabilities(t *testing.T) {
	for name, c := range map[string]WorldConfig{
		"default":          {},
		"repeats":          {Repeats: true, Preferred: 1},
		"sticky":           {Stickiness: number(0.9), Preferred: 4},
		"unused labels":    {Labels: 40, Preferred: 20},
		"nearly all seen":  {Items: 24},
		"preferences seen": {Items: 24, Noise: number(0), Facets: 1, Preferred: 1},
	} {
		c.Users, c.Length, c.MinLength = 4, 20, 20
		if c.Items == 0 {
			c.Items = 50
		}
		if c.Labels == 0 {
			c.Labels = 6
		}
		w := generated(t, c)
		rng := rand.New(rand.NewPCG(1, 2))
		for u := range w.Users {
			for _, position := range []int{0, 7, 19} {
				what := fmt.Sprintf("%s, user %d, position %d", name, u, position)
				p := w.Probabilities(u, position)[1:]
				counts := make([]int, len(p))
				for range 1_500 {
					counts[simulate(rng, w, u, position)-1]++
				}
				fits(t, what+": simulation", counts, p)
				last, seen := w.noLabels(), map[int32]bool{}
				for _, step := range w.Users[u].Steps[:position] {
					if step.Facet >= 0 {
						last[step.Facet] = step.Label
					}
					seen[step.Item] = !w.Config.Repeats
				}
				counts, ways := make([]int, len(p)), w.ways(&w.Users[u], last)
				for range 4_000 {
					counts[w.step(ways, seen, rng).Item-1]++
				}
				fits(t, what+": generator", counts, p)
			}
		}
	}
}
