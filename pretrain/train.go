package pretrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/models"
)

// Input describes the items. Everything is by item id, padding (0) included.
type Input struct {
	Vectors []float32 // [V+1, Size]: s_v, row-major; rows of items without text are not read
	Size    int       // s
	HasText []bool    // [V+1]
	Facets  []datasets.Facet
	Hidden  int // d, width of the table
	Heads   int // H, divides d
}

// Result is an initial item table and the record of its training.
type Result struct {
	// Table is [V+1, d], row-major. Every row of an item with text has Config.Scale times
	// the expected norm of a row from N(0, .02), which is 0.02·√d; each head's block has
	// an equal share of it. Padding and items without text are from N(0, .02·Scale).
	Table    []float32
	FromText []bool // [V+1]: rows that come from a text; the others are randomly initialised
	Record   record.Pretrain
	Pictures []record.Picture // one per facet that was learned
}

// Progress is the state of training, reported after every step.
type Progress struct {
	Epoch, Epochs int     // from 1
	Step, Steps   int     // of the epoch
	Loss          float64 // of the step
}

// heldOut is the share of the items with text and labels that training never
// sees.
const heldOut = .1

// Train makes an initial item table, by the method c.Init, in a Runtime of its
// own, which tc describes (tc.Seed is the run's seed). It must not be called while
// another Runtime is in use, because it seeds the generators of the whole process.
//
// Head h learns facet h; c.ExtraHeads says what heads beyond the facets learn.
// With fewer heads than facets the last facets are not learned.
//
// Text vectors are first centred and scaled so that the mean square of their
// coordinates over the items with text is 1. The heads' first layer could learn
// this map, but Adam would need many steps for it. The table consists of the
// heads' normalised outputs, because the loss compares these and ignores the norm
// of an output.
//
// For "pca", component c of the text vectors is a coordinate of head c mod H, so
// that the heads' blocks have about the same variance. Rows have the same norm.
func Train(ctx context.Context, tc torch.Config, in Input, c Config, progress func(Progress)) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := in.validate(c); err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	t := &training{in: in, config: c, seed: tc.Seed, items: len(in.HasText) - 1}
	t.result = &Result{Table: normalTable(t.items, in.Hidden, c.Scale, t.random(streamTable, 0, 0))}
	if err := t.divide(); err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	if c.Init == InitRandom {
		return t.result, nil
	}
	err := torch.Run(tc, func(rt *torch.Runtime) error {
		t.rt = rt
		if c.Init == InitPCA {
			return t.pca()
		}
		return t.contrast(ctx, progress)
	})
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	return t.result, nil
}

// validate checks the sizes and values that the rest relies on.
func (in Input) validate(c Config) error {
	rows := len(in.HasText)
	switch {
	case rows < 2:
		return errors.New("no items")
	case in.Hidden < 1 || in.Heads < 1 || in.Hidden%in.Heads != 0:
		return fmt.Errorf("heads = %d: expected a divisor of hidden = %d", in.Heads, in.Hidden)
	case c.Init == InitRandom:
		return nil
	case in.Size < 1 || len(in.Vectors) != rows*in.Size:
		return fmt.Errorf("%d values in text vectors of size %d: expected %d rows, one for each of %d items and padding", len(in.Vectors), in.Size, rows, rows-1)
	case c.Init == InitPCA && in.Size < in.Hidden:
		return fmt.Errorf("start = %q: text vectors of size %d do not have %d principal components: use a smaller hidden size or another encoder", c.Init, in.Size, in.Hidden)
	case c.Init != InitPCA && len(in.Facets) == 0:
		return fmt.Errorf("start = %q: the metadata has no facet to learn", c.Init)
	}
	for v, has := range in.HasText {
		if !has {
			continue
		}
		for _, x := range in.Vectors[v*in.Size : (v+1)*in.Size] {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return fmt.Errorf("the text vector of item %d contains %v", v, x)
			}
		}
	}
	for _, f := range in.Facets {
		if len(f.Labels) != rows {
			return fmt.Errorf("facet %q has labels for %d rows, expected %d: %d items and padding", f.Name, len(f.Labels), rows, rows-1)
		}
		for v, labels := range f.Labels {
			for _, l := range labels {
				if l < 0 || int(l) >= len(f.Values) {
					return fmt.Errorf("facet %q: item %d has label %d, expected 0 to %d", f.Name, v, l, len(f.Values)-1)
				}
			}
		}
	}
	return nil
}

// training is the state of Train.
type training struct {
	in     Input
	config Config
	seed   uint64
	items  int
	rt     *torch.Runtime
	result *Result

	withText []int32 // items, ascending
	held     []int32 // the held-out ones of these, in random order
	train    []int32 // the others, ascending

	text  torch.Tensor // [V+1, s]: as given; 0 without text
	input torch.Tensor // [V+1, s]: centred and scaled
}

// Streams of random numbers that depend on the seed and counters only.
const (
	streamTable = iota + 1
	streamDropText
	streamHeldOut
	streamShuffle
	streamBatches
	streamViews
)

func (t *training) random(stream, head, epoch int) *rand.Rand {
	return rand.New(rand.NewPCG(t.seed, uint64(stream)<<56|uint64(head)<<32|uint64(epoch)))
}

// divide finds the items with text, and selects the held-out ones.
func (t *training) divide() error {
	r := &t.result.Record
	r.Init, r.Items = t.config.Init, t.items
	for v := 1; v <= t.items; v++ {
		if t.in.HasText[v] {
			t.withText = append(t.withText, int32(v))
		}
	}
	lost := draw(t.withText, t.config.DropText, t.random(streamDropText, 0, 0))
	slices.Sort(lost)
	t.withText = slices.DeleteFunc(t.withText, func(v int32) bool {
		_, found := slices.BinarySearch(lost, v)
		return found
	})
	r.WithoutText = t.items - len(t.withText)
	t.result.FromText = make([]bool, t.items+1)
	for _, v := range t.withText {
		t.result.FromText[v] = t.config.Init != InitRandom
	}
	if len(t.withText) < 2 && t.config.Init != InitRandom {
		return fmt.Errorf("start = %q: %d of %d items have a text: expected at least 2", t.config.Init, len(t.withText), t.items)
	}
	if t.config.Init != InitContrast && t.config.Init != InitOneFacet {
		return nil
	}
	var labelled []int32
	for _, v := range t.withText {
		if slices.ContainsFunc(t.in.Facets, func(f datasets.Facet) bool { return len(f.Labels[v]) > 0 }) {
			labelled = append(labelled, v)
		}
	}
	r.WithoutLabels = len(t.withText) - len(labelled)
	t.held = draw(labelled, 1, t.random(streamHeldOut, 0, 0))[:int(heldOut*float64(len(labelled)))]
	r.HeldOut = len(t.held)
	out := make([]bool, t.items+1)
	for _, v := range t.held {
		out[v] = true
	}
	for _, v := range t.withText {
		if !out[v] {
			t.train = append(t.train, v)
		}
	}
	return nil
}

// load puts the text vectors on the device.
func (t *training) load() error {
	s, rows := t.in.Size, int64(t.items+1)
	text := make([]float32, len(t.in.Vectors))
	mean := make([]float64, s)
	for _, v := range t.withText {
		for j, x := range t.in.Vectors[int(v)*s : (int(v)+1)*s] {
			text[int(v)*s+j] = x
			mean[j] += float64(x) / float64(len(t.withText))
		}
	}
	t.text = t.rt.Floats(text, rows, int64(s))
	var square float64
	for _, v := range t.withText {
		for j := range s {
			d := float64(text[int(v)*s+j]) - mean[j]
			square += d * d
		}
	}
	if square == 0 {
		return errors.New("the text vectors of all items are equal")
	}
	scale := 1 / math.Sqrt(square/float64(len(t.withText)*s))
	for _, v := range t.withText {
		for j := range s {
			text[int(v)*s+j] = float32((float64(text[int(v)*s+j]) - mean[j]) * scale)
		}
	}
	t.input = t.rt.Floats(text, rows, int64(s))
	return nil
}

// pca fills the table without training.
func (t *training) pca() error {
	d, H := t.in.Hidden, t.in.Heads
	if err := t.load(); err != nil {
		return err
	}
	t.rt.NoGrad(func() {
		x := principal(t.rt, t.input.Rows(index(t.rt, t.withText)), d).Normalize().HostFloats() // [items with text, d]
		for c := range d {
			column := make([]float32, len(t.withText))
			for i := range column {
				column[i] = x[i*d+c]
			}
			fill(t.result.Table, d, t.withText, column, t.config.Scale*blockNorm(d), c%H*(d/H)+c/H)
		}
	})
	return nil
}

// head is a head in training.
type head struct {
	record.Head
	facet     int           // the facet that evaluates it; −1: none
	sampler   *sampler      // nil for dropout
	first     models.Linear // the only layer, or the one before GELU
	second    models.Linear
	mlp       bool
	steps     uint64
	batches   [][]int32 // of the epoch
	next      int
	lossSum   float64 // of the epoch
	anchorSum int
}

// forward is P_h of x [n, s]: [n, d/H], not normalised.
func (l *head) forward(x torch.Tensor) torch.Tensor {
	x = l.first.Forward(x)
	if l.mlp {
		x = l.second.Forward(x.GELU())
	}
	return x
}

// contrast trains the heads and fills the table with their outputs.
func (t *training) contrast(ctx context.Context, progress func(Progress)) error {
	if err := t.load(); err != nil {
		return err
	}
	p := t.rt.NewParams()
	heads, err := t.newHeads(p)
	if err != nil {
		return err
	}
	adam := torch.NewAdam(p, t.config.LearningRate, 0)
	for epoch := 1; epoch <= t.config.Epochs; epoch++ {
		counts := make([]int, len(heads))
		for h, l := range heads {
			r := t.random(streamBatches, h, epoch)
			if l.sampler != nil {
				l.batches = l.sampler.epoch(r)
			} else {
				l.batches = pairBatches(t.train, t.config.Batch, r)
			}
			l.next, l.lossSum, l.anchorSum = 0, 0, 0
			counts[h] = len(l.batches)
		}
		schedule := turns(counts)
		for step, h := range schedule {
			if err := ctx.Err(); err != nil {
				return err
			}
			loss := t.step(p, adam, h, heads[h])
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				return fmt.Errorf("the loss of head %d (%s) is %v in epoch %d: a lower pretrain.learning_rate may help", h+1, heads[h].Learned, loss, epoch)
			}
			if progress != nil {
				progress(Progress{epoch, t.config.Epochs, step + 1, len(schedule), loss})
			}
		}
		for _, l := range heads {
			l.Loss = append(l.Loss, l.lossSum/float64(l.anchorSum))
		}
	}
	t.rt.NoGrad(func() { t.finish(heads) })
	return nil
}

// newHeads makes the heads, each with the labels that it learns.
func (t *training) newHeads(p *torch.Params) ([]*head, error) {
	c, in := t.config, t.in
	sets := in.Facets
	if c.Init == InitOneFacet {
		sets = []datasets.Facet{merge(in.Facets)}
	}
	samplers := make([]*sampler, len(sets))
	var out []*head
	for h := range in.Heads {
		l := &head{facet: h % len(in.Facets), mlp: c.Head == HeadMLP}
		if h >= len(in.Facets) && c.Init == InitContrast && c.ExtraHeads == ExtraDropout {
			l.facet, l.Learned, l.Anchors = -1, "dropout", len(t.train)
		} else {
			set := h % len(sets)
			if samplers[set] == nil {
				var err error
				if samplers[set], err = t.sampler(sets[set], set); err != nil {
					return nil, err
				}
			}
			l.sampler = samplers[set]
			l.Facet, l.Learned = in.Facets[l.facet].Name, sets[set].Name
			l.Labels, l.Anchors, l.Negatives = l.sampler.shared(), len(l.sampler.anchors), len(l.sampler.negatives)
		}
		name, width := fmt.Sprintf("heads.%d", h), in.Hidden/in.Heads
		if l.mlp {
			l.first = models.NewLinear(p, name+".in", in.Size, in.Size)
			l.second = models.NewLinear(p, name+".out", in.Size, width)
		} else {
			l.first = models.NewLinear(p, name, in.Size, width)
		}
		out = append(out, l)
	}
	return out, nil
}

// sampler prepares the batches for a set of labels.
func (t *training) sampler(f datasets.Facet, set int) (*sampler, error) {
	var labelled []int32
	seen := map[int32]bool{}
	for _, v := range t.train {
		if labels := f.Labels[v]; len(labels) > 0 {
			labelled = append(labelled, v)
			for _, label := range labels {
				seen[label] = true
			}
		}
	}
	labels := shuffle(f.Labels, labelled, t.config.ShuffledLabels, t.random(streamShuffle, set, 0))
	s := newSampler(labels, len(f.Values), t.train, t.config.Batch)
	switch {
	case len(labelled) == 0:
		return nil, fmt.Errorf("facet %q: none of the %d items with text in training has a label", f.Name, len(t.train))
	case len(s.anchors) == 0:
		return nil, fmt.Errorf("facet %q: no two of the %d labelled items with text in training have a label in common, so there are no positive pairs: leave the facet out", f.Name, len(labelled))
	case len(seen) == 1:
		return nil, fmt.Errorf("facet %q: all %d labelled items with text in training have the same label, so there is nothing to tell apart: leave the facet out", f.Name, len(labelled))
	}
	return s, nil
}

// pairBatches divides items into batches of about size/2, because each item adds two
// views.
func pairBatches(items []int32, size int, r *rand.Rand) [][]int32 {
	order := draw(items, 1, r)
	n := (2*len(order) + size - 1) / size
	var out [][]int32
	for k := range n {
		out = append(out, order[k*len(order)/n:(k+1)*len(order)/n])
	}
	return out
}

// step updates one head on its next batch and returns the loss.
func (t *training) step(p *torch.Params, adam *torch.Adam, h int, l *head) (loss float64) {
	items := l.batches[l.next]
	l.next++
	l.steps++
	t.rt.SetTraining(true)
	defer t.rt.SetTraining(false)
	t.rt.SetStream(t.seed, streamViews, uint64(h), l.steps)
	p.ZeroGrad()
	t.rt.Scope(func() {
		x := t.input.Rows(index(t.rt, items)) // [n, s]
		labels := make([][]int32, 0, 2*len(items))
		if l.sampler != nil {
			for _, v := range items {
				labels = append(labels, l.sampler.labels[v])
			}
		} else {
			x = t.rt.Concat(0, x.Dropout(t.config.ViewDropout), x.Dropout(t.config.ViewDropout)) // [2n, s]
			for i := range 2 * len(items) {
				labels = append(labels, []int32{int32(i % len(items))})
			}
		}
		positives := NewPositives(labels)
		value := SupCon(t.rt, l.forward(x), positives, t.config.Temperature)
		loss = value.Item()
		l.lossSum += loss * float64(positives.Anchors)
		l.anchorSum += positives.Anchors
		if !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			value.Backward()
		}
	})
	if !math.IsNaN(loss) && !math.IsInf(loss, 0) {
		adam.Prepare([]*torch.Params{p}, []float64{1}).Part(0, 1)
	}
	return loss
}

// finish fills the table and measures what the heads have learned.
func (t *training) finish(heads []*head) {
	d, width := t.in.Hidden, t.in.Hidden/t.in.Heads
	evaluations, before := map[int]*evaluation{}, map[int]record.Quality{}
	for h, l := range heads {
		t.rt.Scope(func() {
			z := t.project(l) // [V+1, d/H]
			out := z.Rows(index(t.rt, t.withText)).HostFloats()
			fill(t.result.Table, d, t.withText, out, t.config.Scale*blockNorm(width), h*width)
			if l.facet < 0 {
				return
			}
			e, again := evaluations[l.facet]
			if !again {
				e = newEvaluation(t.in.Facets[l.facet].Labels, t.withText, t.held)
				evaluations[l.facet] = e
				if e != nil {
					m, chance := e.measure(t.rt, t.text)
					before[l.facet] = record.Quality{Items: len(e.queries), Neighbors: e.k, Chance: chance, Before: m}
				}
			}
			if e == nil {
				return
			}
			q := before[l.facet]
			q.After, _ = e.measure(t.rt, z)
			l.Quality = &q
			if !again {
				t.result.Pictures = append(t.result.Pictures, t.picture(h, l, e, z))
			}
		})
		t.result.Record.Heads = append(t.result.Record.Heads, l.Head)
	}
}

// project is a head's normalised output for all items: [V+1, d/H].
func (t *training) project(l *head) torch.Tensor {
	var blocks []torch.Tensor
	rows := int64(t.items + 1)
	for first := int64(0); first < rows; first += 8192 {
		t.rt.Scope(func() {
			x := t.input.Narrow(0, first, min(8192, rows-first))
			blocks = append(blocks, t.rt.Keep(l.forward(x).Normalize()))
		})
	}
	return t.rt.Concat(0, blocks...)
}
