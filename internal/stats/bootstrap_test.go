package stats

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func mustBootstrap(t *testing.T, models [][][]float64, baseline, draws int, seed uint64) []Interval {
	t.Helper()
	out, err := Bootstrap(models, nil, baseline, draws, seed)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(models) {
		t.Fatalf("%d intervals for %d models", len(out), len(models))
	}
	return out
}

// within compares an interval's bounds, with a tolerance in units of the standard
// error se.
func within(t *testing.T, got Interval, lo, hi, se, tolerance float64) {
	t.Helper()
	if math.Abs(got.Lo-lo) > tolerance*se || math.Abs(got.Hi-hi) > tolerance*se {
		t.Errorf("%+v, want %v to %v within %v", got, lo, hi, tolerance*se)
	}
}

// The standard deviation of a 2.5 % bound over repeats with B draws is about
// √(.025·.975/B)/.0584 standard errors, .0085 with 100,000; both sides are random,
// so .05 is four times that of their difference.
func TestBootstrapAsSciPy(t *testing.T) {
	for _, c := range readFixture(t).Bootstrap {
		t.Run(c.Name, func(t *testing.T) {
			got := mustBootstrap(t, [][][]float64{{c.B}, {c.A}}, 0, c.Draws, 1)[1]
			within(t, got, c.Lo, c.Hi, c.SE, 0.05)
			a, _ := MeanSD(c.A)
			b, _ := MeanSD(c.B)
			near(t, "mean", got.Mean, a-b, 1e-12)
		})
	}
}

// plain is the definition, written without regard to speed: another generator,
// users as a list, no sparseness, nearest percentile.
func plain(a, b [][]float64, draws int, seed byte) (lo, hi, se float64) {
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	n := len(a[0])
	diffs := make([]float64, draws)
	for d := range diffs {
		users := make([]int, n)
		for i := range users {
			users[i] = r.IntN(n)
		}
		mean := func(series [][]float64) float64 {
			sum := 0.0
			for range series {
				s := r.IntN(len(series))
				for _, u := range users {
					sum += series[s][u]
				}
			}
			return sum / float64(n*len(series))
		}
		diffs[d] = mean(a) - mean(b)
	}
	_, se = MeanSD(diffs)
	slices.Sort(diffs)
	return diffs[draws*25/1000], diffs[draws*975/1000], se
}

// synthetic is a model with seed effects: user + bias + the seed's own shift + noise.
func synthetic(r *rand.Rand, user []float64, seeds int, bias, shift, noise float64) [][]float64 {
	out := make([][]float64, seeds)
	for s := range out {
		own := shift * r.NormFloat64()
		for _, u := range user {
			out[s] = append(out[s], u+bias+own+noise*r.NormFloat64())
		}
	}
	return out
}

func normals(r *rand.Rand, n int, sd float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = sd * r.NormFloat64()
	}
	return out
}

func TestBootstrapAsPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	user := normals(r, 20, 2)
	models := [][][]float64{
		synthetic(r, user, 3, 0, 0.3, 0.5),
		synthetic(r, user, 1, 0.5, 0, 0.5),
		synthetic(r, user, 4, 0.2, 1, 0.1),
		synthetic(r, user, 2, -0.3, 0.1, 1),
	}
	for _, values := range models[3] { // like NDCG, most are 0
		for u := range values {
			if r.IntN(4) > 0 {
				values[u] = 0
			}
		}
	}
	const draws = 100_000
	for base := range 2 {
		got := mustBootstrap(t, models, base, draws, 7)
		for m := range models {
			if m == base {
				if got[m] != (Interval{}) {
					t.Errorf("the baseline against itself: %+v", got[m])
				}
				continue
			}
			lo, hi, se := plain(models[m], models[base], draws, byte(m))
			within(t, got[m], lo, hi, se, 0.05)
		}
	}
}

// With many users and one seed, the bounds are ±1.96 standard errors of the mean of
// the paired differences; if all users are equal, those of the means of the seeds.
func TestBootstrapAnalytic(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	variance := func(values []float64) float64 { // over n, as the bootstrap has it
		_, sd := MeanSD(values)
		return sd * sd * float64(len(values)-1) / float64(len(values))
	}
	const z, draws = 1.959964, 20_000

	user := normals(r, 2000, 5)
	a, b := synthetic(r, user, 1, 0.1, 0, 0.4), synthetic(r, user, 1, 0, 0, 0.3)
	diffs := make([]float64, len(user))
	for u := range diffs {
		diffs[u] = a[0][u] - b[0][u]
	}
	mean, _ := MeanSD(diffs)
	se := math.Sqrt(variance(diffs) / float64(len(diffs)))
	got := mustBootstrap(t, [][][]float64{a, b}, 1, draws, 3)[0]
	within(t, got, mean-z*se, mean+z*se, se, 0.08)

	var seedsA, seedsB []float64
	a, b = nil, nil
	for range 60 {
		seedsA = append(seedsA, r.NormFloat64())
		a = append(a, []float64{seedsA[len(seedsA)-1], seedsA[len(seedsA)-1]})
	}
	for range 40 {
		seedsB = append(seedsB, 2+r.NormFloat64())
		b = append(b, []float64{seedsB[len(seedsB)-1], seedsB[len(seedsB)-1]})
	}
	meanA, _ := MeanSD(seedsA)
	meanB, _ := MeanSD(seedsB)
	se = math.Sqrt(variance(seedsA)/60 + variance(seedsB)/40)
	got = mustBootstrap(t, [][][]float64{a, b}, 1, draws, 3)[0]
	within(t, got, meanA-meanB-z*se, meanA-meanB+z*se, se, 0.08)
}

// How often does an interval contain the true difference, over many data sets?
func TestBootstrapCoverage(t *testing.T) {
	const sets, draws, users, truth = 400, 400, 50, 0.5
	for _, c := range []struct {
		name              string
		seeds             int
		shift             float64
		least, most       float64
		leastOne, mostOne float64 // of the seeds' average, treated as one seed
	}{
		// One seed, no seed effect: near 95 %, a little below, as n is small.
		{"users", 1, 0, 0.91, 0.98, 0.91, 0.98},
		// Eight seeds that differ by more than the users' noise: without drawing
		// seeds, most intervals miss.
		{"users and seeds", 8, 0.5, 0.87, 0.98, 0, 0.6},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 4))
			var held, heldOne int
			for set := range sets {
				user := normals(r, users, 3)
				a := synthetic(r, user, c.seeds, truth, c.shift, 0.5)
				b := synthetic(r, user, c.seeds, 0, c.shift, 0.5)
				holds := func(a, b [][]float64) int {
					i := mustBootstrap(t, [][][]float64{a, b}, 1, draws, uint64(set))[0]
					if i.Lo <= truth && truth <= i.Hi {
						return 1
					}
					return 0
				}
				held += holds(a, b)
				heldOne += holds([][]float64{average(a)}, [][]float64{average(b)})
			}
			share, one := float64(held)/sets, float64(heldOne)/sets
			if share < c.least || share > c.most {
				t.Errorf("%.3f of the intervals contain the truth, want %v to %v", share, c.least, c.most)
			}
			if one < c.leastOne || one > c.mostOne {
				t.Errorf("%.3f with averaged seeds, want %v to %v", one, c.leastOne, c.mostOne)
			}
		})
	}
}

func average(series [][]float64) []float64 {
	out := make([]float64, len(series[0]))
	for _, values := range series {
		for u, v := range values {
			out[u] += v / float64(len(series))
		}
	}
	return out
}

// Every model has the same users: two models with one seed that differ by a
// constant have an interval of width 0.
func TestBootstrapIsPaired(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	a := normals(r, 30, 1)
	b := make([]float64, len(a))
	for u := range b {
		b[u] = a[u] + 0.25
	}
	got := mustBootstrap(t, [][][]float64{{a}, {slices.Clone(a)}, {b}}, 0, 1000, 1)
	if got[1] != (Interval{}) {
		t.Errorf("two equal models differ by %+v", got[1])
	}
	within(t, got[2], 0.25, 0.25, 1, 1e-12)
}

// Models whose seeds depend on the same trainings draw them together: a constant difference has an
// interval of width 0, however much the trainings differ. The other models' intervals are the same.
func TestBootstrapSharedSeeds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	user := normals(r, 30, 1)
	a, other := synthetic(r, user, 3, 0, 2, 1), synthetic(r, user, 4, 0, 2, 1)
	var b [][]float64
	for _, values := range a {
		var more []float64
		for _, v := range values {
			more = append(more, v+.25)
		}
		b = append(b, more)
	}
	models := [][][]float64{a, b, other, b}
	alone := mustBootstrap(t, models, 0, 1000, 1)
	if alone[1].Hi-alone[1].Lo < 1 {
		t.Errorf("seeds that are drawn on their own: %+v", alone[1])
	}
	all, err := BootstrapEach([][][][]float64{models, {b, a, other, b}}, []int{0, 0, 2, 0}, 0, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []int{1, 3} {
		within(t, all[0][m], .25, .25, 1, 1e-12)
	}
	within(t, all[1][1], -.25, -.25, 1, 1e-12)
	if all[0][2] != alone[2] {
		t.Errorf("the interval of another model is %+v, not %+v", all[0][2], alone[2])
	}
}

// With what trainings have in common drawn together, as many intervals contain the truth as with
// independent trainings. Drawn twice, it makes all intervals too wide.
func TestBootstrapCoverageOfSharedSeeds(t *testing.T) {
	const sets, draws, users, seeds, truth = 400, 400, 50, 8, .5
	r := rand.New(rand.NewPCG(12, 4))
	var held, heldAlone int
	for set := range sets {
		common := synthetic(r, normals(r, users, 3), seeds, 0, 2, 0)
		var a, b [][]float64
		for _, values := range common {
			a = append(a, synthetic(r, values, 1, truth, .5, .5)...)
			b = append(b, synthetic(r, values, 1, 0, .5, .5)...)
		}
		for held, like := range map[*int][]int{&held: {0, 0}, &heldAlone: nil} {
			got, err := Bootstrap([][][]float64{a, b}, like, 1, draws, uint64(set))
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Lo <= truth && truth <= got[0].Hi {
				*held++
			}
		}
	}
	if share := float64(held) / sets; share < .87 || share > .98 {
		t.Errorf("%.3f of the intervals contain the truth", share)
	}
	if share := float64(heldAlone) / sets; share < .995 {
		t.Errorf("%.3f of the intervals contain the truth if seeds are drawn twice", share)
	}
}

func TestBootstrapSameOnAnyCores(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	user := normals(r, 40, 1)
	models := [][][]float64{synthetic(r, user, 3, 0, 1, 1), synthetic(r, user, 2, 0, 1, 1), synthetic(r, user, 1, 0, 1, 1)}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	want := mustBootstrap(t, models, 1, 3000, 8)
	for range 5 {
		runtime.GOMAXPROCS(4)
		if got := mustBootstrap(t, models, 1, 3000, 8); !slices.Equal(got, want) {
			t.Fatalf("%v on four cores, %v on one", got, want)
		}
	}
	if other := mustBootstrap(t, models, 1, 3000, 9); slices.Equal(other, want) {
		t.Error("another seed gives the same intervals")
	}
}

// Committed tables contain these numbers, so a change of the sampling must be
// noticed.
func TestBootstrapPinned(t *testing.T) {
	models := [][][]float64{
		{{0.5, 0, 0, 1, 0.25, 0}, {0, 0, 0.5, 1, 0, 0}},
		{{1, 0, 0, 0.5, 0.5, 0}, {1, 0.25, 0, 1, 0, 0}, {1, 0, 0, 0, 1, 0.75}},
	}
	want := Interval{Mean: 0.11805555555555558, Lo: -0.23611111111111105, Hi: 0.6463541666666668}
	got := mustBootstrap(t, models, 0, 200, 42)[1]
	if !math.IsNaN(got.GainLo) || !math.IsNaN(got.GainHi) { // a draw has nobody whom the baseline serves
		t.Errorf("%#v has a gain", got)
	}
	if got.GainLo, got.GainHi = 0, 0; got != want {
		t.Errorf("%#v, want %#v", got, want)
	}
}

func TestBootstrapRefuses(t *testing.T) {
	fine := [][]float64{{1, 2, 3}}
	for _, c := range []struct {
		models   [][][]float64
		baseline int
		draws    int
		want     string
		like     []int
	}{
		{nil, 0, 100, "baseline 0 of 0 models", nil},
		{[][][]float64{fine, fine}, 2, 100, "baseline 2 of 2 models", nil},
		{[][][]float64{fine, fine}, -1, 100, "baseline -1", nil},
		{[][][]float64{fine, fine}, 0, 39, "39 draws, expected at least 40", nil},
		{[][][]float64{fine, {}}, 0, 100, "model 1 has no seeds", nil},
		{[][][]float64{fine, {{1, 2, 3}, {1, 2}}}, 0, 100, "2 users in model 1, seed 1, but 3", nil},
		{[][][]float64{fine, {{1, 2, math.NaN()}}}, 0, 100, "model 1, seed 0: value 2 is NaN", nil},
		{[][][]float64{{{1}}, {{2}}}, 0, 100, "1 users, expected 2", nil},
		{[][][]float64{{{}}, {{}}}, 0, 100, "0 users", nil},
		{[][][]float64{fine, fine}, 0, 100, "expected 2 models in like, got 1", []int{0}},
		{[][][]float64{fine, fine}, 0, 100, "model 0 has seeds like model 1: expected an earlier model", []int{1, 1}},
		{[][][]float64{fine, append(fine, fine...)}, 0, 100, "model 1 has seeds like model 0: expected an earlier model with as many", []int{0, 0}},
	} {
		if _, err := Bootstrap(c.models, c.like, c.baseline, c.draws, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{1, 2, 4, 8, 16}
	for _, c := range []struct{ q, want float64 }{{0, 1}, {0.5, 4}, {0.125, 1.5}, {0.9, 12.8}, {1, 16}} {
		if got := percentile(values, c.q); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("percentile %v is %v, want %v", c.q, got, c.want)
		}
	}
}

func TestNearestRank(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for p, want := range map[int]float64{50: 5, 95: 10, 99: 10, 90: 9, 1: 1, 100: 10} {
		if got := NearestRank(values, p); got != want {
			t.Errorf("p%d: got %v, want %v", p, got, want)
		}
	}
}

// Beauty's size: 7 models, 3 seeds, 10,000 draws. ndcg is 0 for nine users in ten;
// dense is a metric that is never 0, such as MRR.
func BenchmarkBootstrap(b *testing.B) {
	for _, c := range []struct {
		name  string
		share float64
	}{{"ndcg", 0.1}, {"dense", 1}} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			models := make([][][]float64, 7)
			for m := range models {
				for range 3 {
					values := make([]float64, 22363)
					for u := range values {
						if r.Float64() < c.share {
							values[u] = 1 / math.Log2(2+float64(r.IntN(10)))
						}
					}
					models[m] = append(models[m], values)
				}
			}
			for b.Loop() {
				if _, err := Bootstrap(models, nil, 0, 10_000, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWilcoxon(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y := normals(r, 22363, 1), normals(r, 22363, 1)
	for b.Loop() {
		if _, err := Wilcoxon(x, y); err != nil {
			b.Fatal(err)
		}
	}
}

// The mean of the baseline varies with the draw. A model that is twice as good for every user has a
// gain of 100 % in all draws, however wide the interval of the difference is.
func TestBootstrapGain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 2))
	base := make([]float64, 40)
	for u := range base {
		base[u] = r.Float64()
	}
	twice, none := make([]float64, len(base)), make([]float64, len(base))
	for u, v := range base {
		twice[u] = 2 * v
	}
	rare := slices.Clone(none)
	rare[7] = 1 // a third of the draws lack this user
	got := mustBootstrap(t, [][][]float64{{base}, {twice}, {none}, {rare}}, 0, 500, 1)
	for m, want := range []float64{0, 1, -1} {
		if i := got[m]; math.Abs(i.GainLo-want) > 1e-12 || math.Abs(i.GainHi-want) > 1e-12 {
			t.Errorf("model %d: gain %v to %v, want %v", m, i.GainLo, i.GainHi, want)
		}
	}
	if i := got[1]; i.Hi-i.Lo < .05 {
		t.Errorf("the difference does not vary: %+v", i)
	}
	for _, m := range []int{2, 3} {
		if i := mustBootstrap(t, [][][]float64{{base}, {twice}, {none}, {rare}}, m, 500, 1)[1]; !math.IsNaN(i.GainLo) || !math.IsNaN(i.GainHi) {
			t.Errorf("over model %d, which has 0 in some draws: %+v", m, i)
		}
	}
	// Percentiles of the ratio, draw by draw: a bootstrap of one's own finds the same bounds.
	other := make([]float64, len(base))
	for u := range other {
		other[u] = r.Float64() * 1.3
	}
	i := mustBootstrap(t, [][][]float64{{base}, {other}}, 0, 20000, 3)[1]
	var ratios []float64
	for range 20000 {
		var a, b float64
		for range base {
			u := r.IntN(len(base))
			a, b = a+other[u], b+base[u]
		}
		ratios = append(ratios, a/b-1)
	}
	slices.Sort(ratios)
	if math.Abs(i.GainLo-ratios[500]) > .02 || math.Abs(i.GainHi-ratios[19500]) > .02 {
		t.Errorf("gain %v to %v, expected about %v to %v", i.GainLo, i.GainHi, ratios[500], ratios[19500])
	}
}
