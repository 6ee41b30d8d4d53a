// Package aggregatetest makes up suites for the tests of what is drawn from
// them. Their numbers are invented after the committed records of Beauty (level,
// spread over seeds, shape of the curves), drawn from generators that the labels
// seed, so they are the same in every test. They say nothing about any model.
package aggregatetest

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// Suites returns a comparison of seven models with three seeds on two data sets,
// published checks and claims; a sweep of FAME's heads and experts over the whole
// grid but one cell; two settings of SASRec varied one at a time; initialisation from texts, by
// groups of users; and FAME's experts on generated data.
func Suites() []*aggregate.Suite {
	return []*aggregate.Suite{comparison(), sweep(), tune(), texts(), generated()}
}

// model is what a row is made up from.
type model struct {
	name     string
	label    string
	at       map[string]any
	removed  float64 // NDCG@10
	kept     float64
	coverage float64
	seconds  float64 // of training
	epochs   int     // about
	params   int64
	settings map[string]any
	notes    []string
}

var compared = []model{
	{name: "popularity", removed: .0053, kept: .0051, coverage: .001},
	{name: "markov", removed: .0438, kept: .0426, coverage: .86},
	{name: "sasrec", removed: .0549, kept: .0404, coverage: .92, seconds: 290, epochs: 33, params: 877824},
	{name: "bert4rec", removed: .0371, kept: .0308, coverage: .46, seconds: 1450, epochs: 90, params: 894341,
		settings: map[string]any{"train.batch_targets": 256, "train.eval_every": 2, "train.mask_ratio": .6}},
	{name: "core", removed: .0477, kept: .0254, coverage: .91, seconds: 820, epochs: 40, params: 877889},
	{name: "duorec", removed: .0579, kept: .0448, coverage: .78, seconds: 3900, epochs: 31, params: 877824,
		settings: map[string]any{"train.batch_targets": 256}},
	{name: "fame", removed: .0592, kept: .0455, coverage: .83, seconds: 610, epochs: 28, params: 911360,
		settings: map[string]any{"experts": 4, "heads": 4}},
}

// data is what a table is of.
type data struct {
	name         string
	users, items int
	scale        float64 // of all metrics
}

var (
	beauty = data{"beauty", 22363, 12101, 1}
	toys   = data{"toys", 19412, 11924, 1.08}
)

func comparison() *aggregate.Suite {
	s := &aggregate.Suite{Name: "full", Summary: "every model of the papers, mean and spread of three seeds",
		Datasets: []datasets.Stats{
			{Name: "beauty", Users: 22363, Items: 12101, Interactions: 198502, Density: .000734, AvgLength: 8.88, MedianLength: 6, MaxLength: 204,
				Fingerprint: "9c1a957d4ee50bd6f0cf2350fd1759e1e06b2b0484232fdbe0f13f458f408c9d"},
			{Name: "toys", Users: 19412, Items: 11924, Interactions: 167597, Density: .000724, AvgLength: 8.63, MedianLength: 6, MaxLength: 550, Timed: true,
				Ties: "hash", Tied: 91000, TiedShare: .543, TiedTestUsers: 7812, Leak: .312,
				Fingerprint: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		},
		Notes: []string{"2 of 38 runs are missing"}}
	s.Tables = append(s.Tables, table(beauty, compared, []int64{0, 1, 2}, "duorec"),
		table(toys, compared, []int64{0, 1, 2}, "sasrec"))
	s.Tables[0].Notes = []string{"records of different commits: a60c01e8, adbff78d"}
	ours := func(t, row int) aggregate.Cell { return s.Tables[t].Rows[row].Kept.Metrics["NDCG@10"] }
	gain := func(t int) *float64 { return s.Tables[t].Rows[6].Kept.Metrics["NDCG@10"].Gain }
	for i := range s.Tables {
		s.Tables[i].Proposed = "fame"
	}
	s.Checks = []aggregate.Check{
		{Dataset: "beauty", Model: "sasrec", Metric: "NDCG@10", Rule: "kept", Loss: "ce", ColdItems: "kept", Source: "RecBole 1.2.1, run by us",
			Published: .0405, Ours: ours(0, 2), OurRule: "kept", OurLoss: "ce", OurLabel: "sasrec", Percent: -.3, Within: true, Comparable: true, Same: true},
		{Dataset: "beauty", Model: "duorec", Metric: "NDCG@10", Rule: "unknown", Loss: "ce", ColdItems: "unknown", Source: "Qiu et al. 2022, table 2",
			Note: "batch of 256 sequences", Published: .0443, Ours: ours(0, 5), OurRule: "kept", OurLoss: "ce", OurLabel: "duorec", Percent: 1.2, Within: true, Comparable: true},
		{Dataset: "toys", Model: "fame", Metric: "NDCG@10", Rule: "kept", Loss: "ce", ColdItems: "unknown", Source: "Liu et al. 2024, table 2",
			Published: .0553, Ours: ours(1, 6), OurRule: "kept", OurLoss: "ce", OurLabel: "fame", Percent: -11.4, Comparable: true},
		{Dataset: "toys", Model: "core", Metric: "NDCG@10", Rule: "kept", Loss: "ce", ColdItems: "unknown", Source: "a table of other data",
			Published: .0412, Ours: ours(1, 4), OurRule: "kept", OurLoss: "ce", OurLabel: "core"},
		{Dataset: "sports", Model: "fame", Metric: "NDCG@10", Rule: "kept", Loss: "ce", ColdItems: "unknown", Source: "Liu et al. 2024, table 2", Published: .0315},
	}
	around := func(gain *float64, by float64) *float64 { return new(*gain + by) }
	s.Claims = []aggregate.Claim{
		{Paper: "Liu et al. 2024 (FAME)", Text: "FAME is better than the best baseline on every data set", Model: "fame", Metric: "NDCG@10", Low: 2.1, High: 12.3,
			Verdict: aggregate.Undecided, Found: []aggregate.ClaimEvidence{
				{Dataset: "beauty", Rule: "kept", Verdict: aggregate.Undecided, Label: "fame", Baseline: "duorec", Gain: gain(0), GainLow: around(gain(0), -1), GainHigh: around(gain(0), 4),
					Significant: true, Seeds: 3, Ahead: "fame", Controls: []aggregate.Control{
						{Model: "sasrec", Shares: "no facets", Label: "sasrec", Gain: new(12.), GainLow: new(9.), GainHigh: new(15.), Seeds: 1}, {Model: "fame-long", Shares: "long training"}}},
				{Dataset: "toys", Rule: "kept", Verdict: aggregate.Excluded, Label: "fame", Baseline: "sasrec", Gain: gain(1), GainLow: new(-3.), GainHigh: new(-1.), Seeds: 3, Ahead: "sasrec"},
				{Dataset: "sports", Rule: "kept", Verdict: aggregate.NotRun},
			}},
		{Paper: "FAME+ 2026", Text: "Text pre-training improves FAME <further>", Model: "fame-plus", Metric: "NDCG@10", Low: 3, High: 9, Verdict: aggregate.NotRun},
	}
	return s
}

func sweep() *aggregate.Suite {
	s := &aggregate.Suite{Name: "sweep", Summary: "FAME's heads and experts", Axes: []string{"fame.heads", "fame.experts"},
		Datasets: comparison().Datasets[:1]}
	models := []model{compared[2]}
	for _, heads := range []int{1, 2, 4, 8, 16} {
		for _, experts := range []int{1, 2, 4, 8, 16} {
			if heads == 16 && experts == 16 { // did not fit
				continue
			}
			h, e := math.Log2(float64(heads)), math.Log2(float64(experts))
			m := compared[6]
			m.label = fmt.Sprintf("fame heads=%d experts=%d", heads, experts)
			m.at = map[string]any{"fame.heads": heads, "fame.experts": experts}
			m.settings = map[string]any{"heads": heads, "experts": experts}
			m.removed = .0598 - .0007*(h-1.5)*(h-1.5) - .0004*(e-2)*(e-2)
			m.kept = m.removed - .013
			m.seconds *= .6 + .1*float64(experts)
			models = append(models, m)
		}
	}
	s.Tables = []aggregate.Table{table(beauty, models, []int64{0, 1}, "sasrec")}
	return s
}

func tune() *aggregate.Suite {
	s := &aggregate.Suite{Name: "tune", Summary: "SASRec's learning rate and loss, one at a time",
		Axes: []string{"train.learning_rate", "train.loss"}, Datasets: comparison().Datasets[:1]}
	var models []model
	add := func(rate float64, loss string, removed float64) {
		m := compared[2]
		m.label = fmt.Sprintf("sasrec train.learning_rate=%g train.loss=%s", rate, loss)
		m.at = map[string]any{"train.learning_rate": rate, "train.loss": loss}
		m.removed, m.kept = removed, removed-.014
		m.settings = m.at
		models = append(models, m)
	}
	add(.0003, "ce", .0541)
	add(.001, "ce", .0549)
	add(.003, "ce", .0522)
	add(.01, "ce", .0310)
	add(.001, "bce", .0410)
	add(.001, "gbce", .0536)
	s.Tables = []aggregate.Table{table(beauty, models, []int64{0}, "")}
	return s
}

func texts() *aggregate.Suite {
	s := &aggregate.Suite{Name: "pretrain", Summary: "FAME+ and its parts", Datasets: comparison().Datasets[:1]}
	plus, frozen := compared[6], compared[6]
	plus.name, plus.removed = "fame-plus", .0601
	frozen.name, frozen.removed = "fame-plus-frozen", .0533
	t := table(beauty, []model{compared[2], compared[6], plus, frozen}, []int64{0, 1, 2}, "sasrec")
	cell := func(v float64) aggregate.Cell { return aggregate.Cell{Mean: v, SD: .004, N: 3} }
	change := func(before, after float64) aggregate.Change {
		return aggregate.Change{Before: cell(before), After: cell(after)}
	}
	facets := []string{"brand", "category 1"}
	for i := range t.Rows[2:] {
		for h, facet := range facets {
			t.Rows[2+i].Heads = append(t.Rows[2+i].Heads, aggregate.Head{Facet: facet, Learned: facet, Labels: float64(435 - 400*h), Chance: cell(.01 + .2*float64(h)),
				Purity: change(.31, .52), Alignment: change(.91, .55), Uniformity: change(-2.6, -2.1)})
		}
		t.Rows[2+i].Heads = append(t.Rows[2+i].Heads, aggregate.Head{Learned: "dropout"})
	}
	rng := generator("beauty", "pictures", 0)
	for h, facet := range facets {
		p := record.Picture{Head: h + 1, Facet: facet}
		for v := range int32(300) {
			label := int(9 * rng.Float64() * rng.Float64())
			p.Items = append(p.Items, v+1)
			p.Labels = append(p.Labels, []string{fmt.Sprintf("%s %d <&>", facet, label)})
			sin, cos := math.Sincos(float64(label))
			p.Before = append(p.Before, [2]float32{float32(.4 * rng.NormFloat64()), float32(.3 * rng.NormFloat64())})
			p.After = append(p.After, [2]float32{float32(cos + .1*rng.NormFloat64()), float32(sin + .1*rng.NormFloat64())})
		}
		t.Pictures = append(t.Pictures, p)
	}
	t.PicturesOf = "fame-plus"
	b := aggregate.Breakdown{By: aggregate.ByTarget, Groups: []aggregate.UserGroup{{Label: "0", Users: 33}, {Label: "1-5", Users: 9000}, {Label: "6-20", Users: 0}, {Label: "> 20", Users: 13330}}}
	for _, r := range t.Rows {
		row := aggregate.BreakdownRow{Label: r.Label}
		for g := range b.Groups {
			e := map[string]aggregate.Estimate{}
			if b.Groups[g].Users > 0 {
				mean := float64(g) * r.Removed.Metrics["NDCG@10"].Mean / 2
				e["NDCG@10"] = aggregate.Estimate{Mean: mean, SD: .0004, N: 3, Low: mean * .9, High: mean * 1.1}
			}
			row.Removed, row.Kept = append(row.Removed, e), append(row.Kept, e)
		}
		b.Rows = append(b.Rows, row)
	}
	t.Breakdowns = []aggregate.Breakdown{b}
	s.Tables = []aggregate.Table{t}
	return s
}

// metrics are those of a table with their level as a multiple of NDCG@10.
var metrics = []struct {
	name   string
	factor float64
}{{"HR@1", .48}, {"HR@5", 1.19}, {"HR@10", 1.65}, {"HR@20", 2.24}, {"NDCG@1", .48}, {"NDCG@5", .85}, {"NDCG@10", 1}, {"NDCG@20", 1.15}, {"MRR", .91}}

func table(d data, models []model, seeds []int64, baseline string) aggregate.Table {
	t := aggregate.Table{Dataset: d.name, Protocol: "leave-one-out", Users: d.users, Items: d.items, Baseline: baseline}
	for _, m := range models {
		t.Rows = append(t.Rows, row(d, m, seeds))
	}
	for _, rule := range aggregate.SeenItemRules {
		for name := range t.Rows[0].Under(rule).Metrics {
			best, second := 0., 0.
			for i := range t.Rows {
				v := t.Rows[i].Under(rule).Metrics[name].Mean
				if v > best {
					best, second = v, best
				} else if v > second {
					second = v
				}
			}
			for i := range t.Rows {
				c := t.Rows[i].Under(rule).Metrics[name]
				c.Best, c.Second = c.Mean == best, c.Mean == second
				t.Rows[i].Under(rule).Metrics[name] = c
			}
		}
		compare(&t, rule)
	}
	return t
}

// compare fills in gains and tests against the table's baseline.
func compare(t *aggregate.Table, rule string) {
	var base *aggregate.Rule
	for i := range t.Rows {
		if t.Rows[i].Label == t.Baseline {
			base = t.Rows[i].Under(rule)
		}
	}
	if base == nil {
		return
	}
	for i := range t.Rows {
		own := t.Rows[i].Under(rule)
		for name, c := range own.Metrics {
			c.Gain = new(100 * (c.Mean/base.Metrics[name].Mean - 1))
			own.Metrics[name] = c
		}
		if own == base {
			continue
		}
		b := base.Metrics["NDCG@10"].Mean
		d := own.Metrics["NDCG@10"].Mean - b
		p := math.Exp(-math.Abs(d) / .0003)
		own.Test = &aggregate.Test{Difference: d, Low: d - .0011, High: d + .0012, P: p, PHolm: min(1, 6*p), Significant: 6*p < .05,
			GainLow: new(100 * (d - .0011) / b), GainHigh: new(100 * (d + .0012) / b)}
	}
}

func row(d data, m model, seeds []int64) aggregate.Row {
	label := m.label
	if label == "" {
		label = m.name
	}
	floor := m.seconds == 0
	if floor {
		seeds = seeds[:1]
	}
	r := aggregate.Row{Model: m.name, Label: label, At: m.at, NonNeural: floor, Baseline: !strings.HasPrefix(m.name, "fame"),
		Removed: aggregate.Rule{Metrics: map[string]aggregate.Cell{}}, Kept: aggregate.Rule{Metrics: map[string]aggregate.Cell{}}, Notes: m.notes}
	if len(seeds) < 3 && !floor {
		r.Notes = append(r.Notes, fmt.Sprintf("%d seeds only", len(seeds)))
	}
	if m.name == "bert4rec" {
		r.Notes = append(r.Notes, "non-default settings: train.batch_targets = 256, train.eval_every = 2, train.mask_ratio = 0.6")
	}
	curves := make([][]float64, len(seeds))
	for k, seed := range seeds {
		rng := generator(d.name, label, seed)
		id := fmt.Sprintf("%s-%s-s%d-%08x", d.name, m.name, seed, rng.Uint32())
		run := aggregate.Run{ID: id, Seed: seed, SHA256: fmt.Sprintf("%016x%016x%016x%016x", rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()),
			Commit: "adbff78d8c94f6dd0eb28e62072f2798de818239", Dirty: m.name == "core" && seed == 2, Status: "done", Host: "vm",
			CPU: "Intel(R) Xeon(R) Processor", Device: "cpu", Threads: 2, Go: "go1.26.8", Versions: record.Versions{Model: 2, Rank: 1},
			Settings: m.settings, Removed: map[string]float64{}, Kept: map[string]float64{}}
		noise := 1 + .02*rng.NormFloat64()
		for _, x := range metrics {
			run.Removed[x.name] = d.scale * m.removed * x.factor * noise
			run.Kept[x.name] = d.scale * m.kept * x.factor * noise
		}
		run.Removed["Coverage@10"] = min(1, m.coverage*(1+.01*rng.NormFloat64()))
		run.Kept["Coverage@10"] = min(1, 1.02*m.coverage*(1+.01*rng.NormFloat64()))
		if !floor {
			run.Libtorch, run.Versions.Train, run.Status = "2.11.0", 2, "patience"
			run.BestEpoch = m.epochs - 10 + rng.IntN(8)
			run.Epochs = run.BestEpoch + 10
			run.Cost = aggregate.Cost{Parameters: m.params, TrainSeconds: m.seconds * float64(run.Epochs) / float64(m.epochs),
				TargetsPerSecond: 131413 * float64(m.epochs) / m.seconds, PeakRSSMB: 520 + float64(rng.IntN(60)), Epochs: float64(run.Epochs)}
			curves[k] = curve(rng, 1.24*run.Removed["NDCG@10"], run.BestEpoch, run.Epochs)
			for _, v := range curves[k] {
				run.Valid = max(run.Valid, v)
			}
		}
		r.Runs = append(r.Runs, run)
	}
	summarise(&r, curves)
	return r
}

// curve rises to best at an epoch and stays just below it afterwards.
func curve(rng *rand.Rand, best float64, at, epochs int) []float64 {
	out := make([]float64, epochs)
	for e := range out {
		rise := 1 - math.Exp(-4*float64(e+1)/float64(at))
		out[e] = best * (min(1, rise/.982) - .012*rng.Float64())
	}
	out[at-1] = best
	return out
}

func summarise(r *aggregate.Row, curves [][]float64) {
	n := float64(len(r.Runs))
	collect := func(value func(aggregate.Run) float64) aggregate.Cell {
		var v []float64
		for _, run := range r.Runs {
			v = append(v, value(run))
		}
		return cell(v)
	}
	for name := range r.Runs[0].Removed {
		r.Removed.Metrics[name] = collect(func(run aggregate.Run) float64 { return run.Removed[name] })
		r.Kept.Metrics[name] = collect(func(run aggregate.Run) float64 { return run.Kept[name] })
	}
	if r.NonNeural {
		return
	}
	r.Valid = collect(func(run aggregate.Run) float64 { return run.Valid })
	for _, run := range r.Runs {
		r.Cost.Parameters = run.Cost.Parameters
		r.Cost.TrainSeconds += run.Cost.TrainSeconds / n
		r.Cost.TargetsPerSecond += run.Cost.TargetsPerSecond / n
		r.Cost.PeakRSSMB += run.Cost.PeakRSSMB / n
		r.Cost.Epochs += run.Cost.Epochs / n
	}
	for e := 0; ; e++ {
		var v []float64
		for _, c := range curves {
			if e < len(c) {
				v = append(v, c[e])
			}
		}
		if v == nil {
			return
		}
		p := aggregate.CurvePoint{Epoch: e + 1, Loss: cell([]float64{9 - 2*(1-math.Exp(-float64(e)/8))})}
		if r.Model != "bert4rec" || e%2 == 1 { // evaluates every second epoch
			p.Valid = cell(v)
		}
		r.Curve = append(r.Curve, p)
	}
}

func cell(v []float64) aggregate.Cell {
	c := aggregate.Cell{N: len(v)}
	for _, x := range v {
		c.Mean += x / float64(len(v))
	}
	if len(v) > 1 {
		for _, x := range v {
			c.SD += (x - c.Mean) * (x - c.Mean) / float64(len(v)-1)
		}
		c.SD = math.Sqrt(c.SD)
	}
	return c
}

func generator(parts ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}
