package stats

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Interval is a mean difference and the bounds of its 95 % bootstrap interval.
type Interval struct {
	Mean, Lo, Hi float64
	// GainLo and GainHi are the bounds of the gain, the mean divided by the baseline's minus 1, whose
	// two means vary together; NaN if the baseline has a mean of 0 in one of the draws.
	GainLo, GainHi float64
}

// minDraws is the minimum number of draws: fewer have none in either tail of 2.5
// %. Tables use 10,000, which gives the bounds to about 3 % of the standard error
// of the mean.
const minDraws = 40

// Bootstrap returns, for every model, the mean over seeds and users of its values
// minus the baseline's, with a 95 % percentile interval that covers the choice of
// users and of seeds. models is [model][seed][user]. User u is the same in every
// series. Seeds of different models are independent, but for those of model m and of like[m],
// which is m or an earlier model with as many seeds: seed s of both depends on the same
// training. If like is nil, all are independent.
//
// A draw takes users with replacement, as many as there are, and the same ones for
// every series, so the comparison stays paired. Then it takes seeds with replacement
// within each model, independently of the others, or those of like[m]; a model with one seed keeps it.
// This is the pigeonhole bootstrap of users × seeds (Owen, The pigeonhole bootstrap,
// 2007). The bounds are the 2.5 and the 97.5 percentile over the draws, interpolated
// linearly. The baseline against itself is 0, 0, 0, with a gain of 0, 0.
//
// With S seeds, the bootstrap estimates the variance between seeds at (S−1)/S of
// its value, and the residual variance beyond users and seeds at 2(2−1/S)−1 times
// its value (S = 3: 2/3 and 7/3). So with few seeds the interval is a little too
// short if seeds differ as a whole, and a little too long otherwise. With one
// seed, the interval says nothing about other seeds.
//
// The same arguments give the same bits on every machine and any number of cores: draw d
// has a generator of its own, PCG(seed, d), and its own place in the results. Sums are in
// float64 in the order of users; for values ≥ 0 their relative error is below users·2⁻⁵³.
// The probability of picking a user is off by at most 2⁻⁶⁴.
//
// Cost: a draw picks users once for all series and adds only the values other than 0,
// which are few for NDCG@10. 10,000 draws of 22,363 users and 21 series take about a
// second of one core, or four seconds if no value is 0.
func Bootstrap(models [][][]float64, like []int, baseline, draws int, seed uint64) ([]Interval, error) {
	all, err := BootstrapEach([][][][]float64{models}, like, baseline, draws, seed)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// BootstrapEach returns what Bootstrap returns for each of several metrics of the same models,
// seeds and users, to the last bit. Users and seeds are drawn once for all of them.
func BootstrapEach(metrics [][][][]float64, like []int, baseline, draws int, seed uint64) ([][]Interval, error) {
	var users int
	var sparse [][]series // of all models of all metrics
	for _, models := range metrics {
		var err error
		if users, err = checkSeries(models, baseline, draws); err != nil {
			return nil, err
		}
		for m, seeds := range models {
			if len(models) != len(metrics[0]) || len(seeds) != len(metrics[0][m]) || len(seeds[0]) != len(metrics[0][0][0]) {
				return nil, fmt.Errorf("stats: bootstrap: model %d differs between metrics in seeds or users", m)
			}
			var all []series
			for _, values := range seeds {
				all = append(all, newSeries(values))
			}
			sparse = append(sparse, all)
		}
	}
	if like == nil {
		for m := range metrics[0] {
			like = append(like, m)
		}
	}
	if len(like) != len(metrics[0]) {
		return nil, fmt.Errorf("stats: bootstrap: expected %d models in like, got %d", len(metrics[0]), len(like))
	}
	for m, l := range like {
		if l < 0 || l > m || len(metrics[0][l]) != len(metrics[0][m]) {
			return nil, fmt.Errorf("stats: bootstrap: model %d has seeds like model %d: expected an earlier model with as many", m, l)
		}
	}
	drawn, gains := make([][]float64, len(sparse)), make([][]float64, len(sparse)) // [model of a metric][draw]
	for m := range drawn {
		drawn[m], gains[m] = make([]float64, draws), make([]float64, draws)
	}
	n := len(sparse) / len(metrics)
	baselineOf := func(m int) int { return m - m%n + baseline } // of the same metric
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			// 16 bits are enough for a count, which is about 1. All counts then fit
			// into the processor's first cache, which is a third faster than with
			// 32 bits.
			counts := make([]uint16, users)
			means := make([]float64, len(sparse))
			picked := make([][]int, len(metrics[0]))
			for m, seeds := range metrics[0] {
				picked[m] = make([]int, len(seeds))
			}
			for {
				d := int(next.Add(1)) - 1
				if d >= draws {
					return
				}
				draw(sparse, like, len(metrics), counts, picked, means, rand.NewPCG(seed, uint64(d)))
				for m := range means {
					b := means[baselineOf(m)]
					drawn[m][d], gains[m][d] = means[m]-b, (means[m]-b)/b
				}
			}
		})
	}
	workers.Wait()

	ones := make([]uint16, users)
	for u := range ones {
		ones[u] = 1
	}
	observed := make([]float64, len(sparse))
	for m, seeds := range sparse {
		for _, s := range seeds {
			observed[m] += s.sum(ones)
		}
		observed[m] /= float64(users) * float64(len(seeds))
	}
	out := make([][]Interval, len(metrics))
	for m, values := range drawn {
		slices.Sort(values)
		i := Interval{
			Mean: observed[m] - observed[baselineOf(m)],
			Lo:   percentile(values, 0.025),
			Hi:   percentile(values, 0.975),
		}
		i.GainLo, i.GainHi = math.NaN(), math.NaN()
		if !slices.ContainsFunc(gains[m], func(g float64) bool { return math.IsNaN(g) || math.IsInf(g, 0) }) {
			slices.Sort(gains[m])
			i.GainLo, i.GainHi = percentile(gains[m], 0.025), percentile(gains[m], 0.975)
		}
		out[m/n] = append(out[m/n], i)
	}
	return out, nil
}

// draw fills means with every model's mean over one sample of users and seeds, for each of
// the metrics, whose models follow one another. counts, one per user, and picked, one per model and
// seed, are scratch memory. A model that has the seeds of another one picks its own all the same:
// the picks of the models after it, and so their intervals, do not depend on that.
func draw(models [][]series, like []int, metrics int, counts []uint16, picked [][]int, means []float64, random *rand.PCG) {
	clear(counts)
	clear(means)
	for range counts {
		counts[pick(random, len(counts))]++
	}
	n := len(models) / metrics
	for m, seeds := range models[:n] {
		if len(seeds) > 1 {
			for i := range seeds {
				picked[m][i] = pick(random, len(seeds))
			}
		}
		for _, s := range picked[like[m]] {
			for k := m; k < len(models); k += n {
				means[k] += models[k][s].sum(counts)
			}
		}
		for k := m; k < len(models); k += n {
			means[k] /= float64(len(counts)) * float64(len(seeds))
		}
	}
}

// pick returns a number from 0 to n−1: the upper half of a product, without a
// division.
func pick(random *rand.PCG, n int) int {
	high, _ := bits.Mul64(random.Uint64(), uint64(n))
	return int(high)
}

// series is one model with one seed: its users with a value other than 0.
type series struct {
	users  []int32
	values []float64
}

func newSeries(values []float64) series {
	var s series
	for u, v := range values {
		if v != 0 {
			s.users = append(s.users, int32(u))
			s.values = append(s.values, v)
		}
	}
	return s
}

// sum adds the series' values, each as often as its user was picked.
func (s series) sum(counts []uint16) float64 {
	sum := 0.0
	values := s.values[:len(s.users)] // one bounds check for all
	for i, u := range s.users {
		sum += float64(float64(counts[u]) * values[i]) // never fused, so processors agree on the last bit
	}
	return sum
}

// percentile of sorted values, q from 0 to 1, linear between neighbours (type 7 of
// Hyndman and Fan, NumPy's default).
func percentile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + float64((at-float64(i))*(sorted[i+1]-sorted[i]))
}

// NearestRank returns the percentile p, from 1 to 100, of sorted values as one of them:
// the smallest that at least p % of the values do not exceed. Intervals interpolate
// instead (percentile); descriptions of measurements do not.
func NearestRank(sorted []float64, p int) float64 {
	return sorted[(len(sorted)*p+99)/100-1]
}

// checkSeries returns the number of users.
func checkSeries(models [][][]float64, baseline, draws int) (users int, err error) {
	if baseline < 0 || baseline >= len(models) {
		return 0, fmt.Errorf("stats: bootstrap: baseline %d of %d models", baseline, len(models))
	}
	if draws < minDraws {
		return 0, fmt.Errorf("stats: bootstrap: %d draws, expected at least %d", draws, minDraws)
	}
	for m, seeds := range models {
		if len(seeds) == 0 {
			return 0, fmt.Errorf("stats: bootstrap: model %d has no seeds", m)
		}
		for s, values := range seeds {
			if m == 0 && s == 0 {
				users = len(values)
			}
			if len(values) != users {
				return 0, fmt.Errorf("stats: bootstrap: %d users in model %d, seed %d, but %d in the first series",
					len(values), m, s, users)
			}
			if err := finite(values); err != nil {
				return 0, fmt.Errorf("stats: bootstrap: model %d, seed %d: %w", m, s, err)
			}
		}
	}
	if users < 2 || users > math.MaxInt32 {
		return 0, fmt.Errorf("stats: bootstrap: %d users, expected 2 to %d", users, math.MaxInt32)
	}
	return users, nil
}
