package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
	"famebench/models"
)

// Options are what a run needs in addition to its settings. Only Seed changes its
// result.
type Options struct {
	Seed       int64
	Run        string         // id of the run; checkpoints of other runs are not used
	Code       string         // what decides the digits of training; checkpoints with something else are not used
	Checkpoint string         // file to resume from and to write; "" for none
	Notice     func(string)   // called if a checkpoint cannot be used; nil for none
	Curve      string         // file for the learning curve with times, JSON lines; "" for none
	Progress   func(Progress) // called after every step; nil for none
	Frozen     []string       // parameters that are not trained
	Shorter    Shorter        // to continue from if there is no checkpoint of the run itself
}

// Shorter is a run whose training is the same up to its end. Its budget of epochs may be
// smaller: it ended at an evaluation that the longer run makes too, so its checkpoint is one of
// the longer run. Or it differs in what is done after training only.
type Shorter struct {
	Run        string // id; "": none
	Checkpoint string
}

// Result is the outcome of training.
type Result struct {
	Status    record.Status  `json:"status"`
	Curve     []record.Point `json:"curve"`
	BestEpoch int            `json:"best_epoch"` // 0 if none was evaluated
	BestValid rank.Metrics   `json:"best_valid"` // at that epoch, seen items removed
	// Measured, not part of what must be equal between runs:
	Resumed     bool    `json:"-"` // from a checkpoint
	Threads     []int   `json:"-"` // the team's sizes, more than one only if the run was resumed with another
	Seconds     float64 `json:"-"` // training and validation, over all resumes
	EvalSeconds float64 `json:"-"` // validation alone
	Targets     int64   `json:"-"` // scored in training
}

// stopMetric decides about the best epoch, at full precision.
const stopMetric = rank.Deciding

// Fit trains a model until validation stops it and leaves it with its best weights.
// A cancelled ctx ends it after the current step with StopInterrupt and a checkpoint.
// Errors come from the data and the disk. A loss that is not finite is a status, and a
// checkpoint that cannot be used is set aside.
func Fit(ctx context.Context, r *Replicas, s *datasets.Split, c Config, o Options) (*Result, error) {
	items := s.Data.NumItems
	if err := c.Validate(items); err != nil {
		return nil, err
	}
	f := &trainer{replicas: r, params: r.Params(), split: s, config: c, options: o, items: items}
	switch c.Objective {
	case AllPositions:
		f.samples = allPositions(s.Train, c.MaxLen, c.Stride)
	case Prefix:
		f.samples = prefixes(s.Train, c.MaxLen)
	case Cloze:
		f.samples = windows(s.Train, c.MaxLen, c.Stride)
	}
	if len(f.samples) == 0 {
		return nil, errors.New("train: no user has two training items, so there is nothing to predict")
	}
	if m, ok := r.models[0].(models.Contrastive); ok {
		if c.Objective != Prefix {
			return nil, fmt.Errorf("train: objective %q: sequences are contrasted with %q only", c.Objective, Prefix)
		}
		if m.NeedsSameTarget() {
			f.same = newSameTarget(s.Train, f.samples, items)
		}
		if m.WholeSequences() {
			f.whole, f.samples = true, allPositions(s.Train, c.MaxLen, c.Stride)
		}
	}
	f.probe = newProbe(s, c.MaxLen)
	f.adam = f.newAdam()
	f.scorer = NewScorer(r, items, c.MaxLen)
	if err := f.resume(); err != nil {
		return nil, err
	}
	f.countThreads()
	status, err := f.run(ctx)
	if err != nil {
		return nil, err
	}
	if status != StopInterrupt { // else it goes on from its checkpoint
		if err := f.settle(); err != nil {
			return nil, err
		}
	}
	if f.best != nil && status != StopInterrupt {
		if err := f.params.Load(f.best); err != nil {
			return nil, err
		}
	}
	return &Result{
		Status: status, Curve: f.state.Curve, BestEpoch: f.state.BestEpoch, BestValid: f.state.BestValid,
		Resumed: f.resumed, Threads: f.state.Threads, Seconds: f.state.Seconds, EvalSeconds: f.state.EvalSeconds, Targets: f.state.Targets,
	}, nil
}

// countThreads adds the team's size to those that have trained so far.
func (f *trainer) countThreads() {
	size := f.replicas.team.Size()
	if slices.Contains(f.state.Threads, size) {
		return
	}
	f.state.Threads = append(f.state.Threads, size)
	if f.resumed && f.options.Notice != nil {
		f.options.Notice(fmt.Sprintf("the run continues with %d threads from a checkpoint that %d wrote, so its last digits are those of neither",
			size, f.state.Threads[len(f.state.Threads)-2]))
	}
}

func (f *trainer) newAdam() *torch.Adam {
	a := torch.NewAdam(f.params, f.config.LearningRate, f.config.WeightDecay)
	a.Freeze(f.options.Frozen...)
	return a
}

// trainer is a run under way.
type trainer struct {
	replicas *Replicas
	params   *torch.Params
	split    *datasets.Split
	config   Config
	options  Options
	items    int
	samples  []sample
	same     *sameTarget // nil for models that do not need it
	whole    bool        // samples are whole sequences, each with one contrasted position
	probe    *probe
	adam     *torch.Adam
	scorer   rank.Scorer
	state    state
	resumed  bool
	best     map[string]safetensors.Tensor // weights at the best epoch
}

// state is what a checkpoint holds in addition to tensors.
type state struct {
	Epoch       int            `json:"epoch"` // complete epochs
	Batch       int            `json:"batch"` // batches done of the epoch under way
	LossSum     float64        `json:"loss_sum"`
	EpochTarget int64          `json:"epoch_targets"` // targets done of the epoch under way
	Steps       int64          `json:"steps"`
	Targets     int64          `json:"targets"`
	Curve       []record.Point `json:"curve"`
	Times       []epochTime    `json:"times"`
	BestEpoch   int            `json:"best_epoch"`
	BestValid   rank.Metrics   `json:"best_valid"`
	Waited      int            `json:"waited"`  // the patience counter: evaluations since the best, after epoch Config.PatienceAfter
	Threads     []int          `json:"threads"` // sizes of the teams that have trained so far
	Seconds     float64        `json:"seconds"`
	EvalSeconds float64        `json:"eval_seconds"`
}

// run is the training loop.
func (f *trainer) run(ctx context.Context) (record.Status, error) {
	clock := newStopwatch(&f.state.Seconds)
	for {
		if status, done := f.finished(); done {
			return status, f.writeCurve() // not written yet if the run continues from another one that was over
		}
		status, err := f.epoch(ctx, clock)
		if err != nil || status != "" {
			return status, err
		}
		if err := f.evaluate(ctx, clock); err != nil {
			if ctx.Err() != nil { // the last checkpoint repeats the epoch's end
				return StopInterrupt, nil
			}
			return "", err
		}
		clock.tick()
		if err := f.save(); err != nil {
			return "", err
		}
		if err := f.writeCurve(); err != nil {
			return "", err
		}
		f.report(Progress{EpochDone: true, Step: 1, Steps: 1})
	}
}

// finished decides between epochs. It reads only the state, so a resumed run that was
// already over ends immediately.
func (f *trainer) finished() (record.Status, bool) {
	switch {
	case f.state.Batch > 0:
		return "", false
	case f.state.Waited >= f.config.Patience:
		return record.Patience, true
	case f.state.Epoch >= f.config.Epochs:
		return record.Epochs, true
	}
	return "", false
}

// epoch trains on every sample once, from the batch that the state is at. A
// status other than "" ends the run.
func (f *trainer) epoch(ctx context.Context, clock *stopwatch) (record.Status, error) {
	st := &f.state
	number := st.Epoch + 1
	batches := f.batches(number)
	if len(batches) == 0 { // of other objectives, every epoch has the same targets
		return "", fmt.Errorf("train: no item is masked in epoch %d: raise train.mask_ratio or train.mask_last, or give the data more users", number)
	}
	started, startTargets := time.Now(), st.EpochTarget
	saved := time.Now()
	for st.Batch < len(batches) {
		loss, n, err := f.step(batches[st.Batch])
		if err != nil {
			return "", err
		}
		if !finite(loss) {
			return StopNaN, nil
		}
		st.Batch++
		st.Steps++
		st.LossSum += loss * float64(n)
		st.EpochTarget += int64(n)
		st.Targets += int64(n)
		clock.tick()
		f.report(Progress{
			Step: st.Batch, Steps: len(batches), Loss: st.LossSum / float64(st.EpochTarget),
			TargetsPerSecond: PerSecond(st.EpochTarget-startTargets, time.Since(started).Seconds()),
		})

		var status record.Status
		switch {
		case ctx.Err() != nil:
			status = StopInterrupt
		case f.config.TimeLimit > 0 && st.Seconds > f.config.TimeLimit:
			status = record.Time
		}
		if status != "" || time.Since(saved).Seconds() >= f.config.CheckpointEvery {
			if err := f.save(); err != nil {
				return "", err
			}
			saved = time.Now()
		}
		if status != "" {
			return status, nil
		}
	}
	st.Curve = append(st.Curve, record.Point{Epoch: number, Steps: st.Steps, Loss: st.LossSum / float64(st.EpochTarget)})
	st.Times = append(st.Times, epochTime{TargetsPerSecond: PerSecond(st.EpochTarget-startTargets, time.Since(started).Seconds())})
	st.Epoch, st.Batch, st.LossSum, st.EpochTarget = number, 0, 0, 0
	return "", nil
}

// batches returns the batches of an epoch, counted from 1, in their order.
func (f *trainer) batches(epoch int) [][]sample {
	samples := f.samples
	if f.config.Objective == Cloze {
		samples = hide(samples, f.config.MaskRatio, f.config.MaskLast, f.config.MaskPrefix, f.random(streamHide, epoch))
	}
	size := sample.targets
	if f.whole { // as many contrasted positions as with prefixes
		size = func(sample) int { return 1 }
	}
	return epochBatches(samples, f.config.BatchTargets, size, f.random(streamShuffle, epoch))
}

// step makes one update and returns the mean loss and the number of targets.
// The team's members each take a part of the samples; the mean of their losses
// and gradients, by targets, is that of the whole batch.
func (f *trainer) step(batch []sample) (loss float64, targets int, err error) {
	members := f.replicas.team.Size()
	losses, sizes := make([]float64, members), make([]int, members)
	err = f.replicas.team.Each(func(k int, rt *torch.Runtime) error {
		m := f.replicas.models[k]
		m.Params().ZeroGrad()
		part, places := share(batch, k, members)
		if len(part) == 0 {
			return nil
		}
		b := f.batch(part, places)
		rt.SetTraining(true)
		defer rt.SetTraining(false)
		rt.SetBFloat16(f.config.Precision == BFloat16)
		defer rt.SetBFloat16(false) // ranking is in float32
		rt.SetStream(uint64(f.options.Seed), uint64(f.state.Steps))
		b.NameRows(rt, b.Position)
		rt.Scope(func() {
			l := m.Loss(b)
			losses[k], sizes[k] = l.Item(), len(b.Target)
			if finite(losses[k]) {
				l.Backward()
			}
		})
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	shares := make([]float64, members)
	for k, n := range sizes {
		if n == 0 {
			continue
		}
		targets += n
		shares[k] = float64(n) / float64(targets)
		loss += (losses[k] - loss) * shares[k]
	}
	if !finite(loss) {
		return loss, targets, nil
	}
	u := f.adam.Prepare(f.replicas.params(), shares)
	return loss, targets, f.replicas.team.Each(func(k int, rt *torch.Runtime) error {
		u.Part(k, members)
		return nil
	})
}

// batch lays out a member's part of a batch, with the random numbers of its places.
func (f *trainer) batch(part []sample, places []int64) *models.Batch {
	b := makeBatch(f.split.Train, part)
	b.Place = places
	if n := f.config.ItemLoss().SampledNegatives(); n > 0 {
		addNegatives(b, n, f.items, f.numbers(streamNegatives))
	}
	if f.whole {
		part = endAtRandom(part, places, f.numbers(streamContrast))
		b.Contrast = contrasted(b, part)
	}
	if f.same != nil {
		others := f.same.draw(f.split.Train, part, places, f.numbers(streamSameTarget))
		b.SameTarget = makeBatch(f.split.Train, others)
		b.SameTarget.Place = places
	}
	return b
}

// settle brings the whole item table up to date, of which the steps may have updated only
// the rows that they read. It must not be done at a time that depends on the clock, such as
// a checkpoint, since it rounds.
func (f *trainer) settle() error {
	members := f.replicas.team.Size()
	return f.replicas.team.Each(func(k int, rt *torch.Runtime) error {
		f.adam.Settle(k, members)
		return nil
	})
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// evaluate ranks the validation cases if an evaluation is due after the epoch, and keeps
// the weights if they are the best so far.
func (f *trainer) evaluate(ctx context.Context, clock *stopwatch) error {
	st := &f.state
	if st.Epoch%f.config.EvalEvery != 0 && st.Epoch != f.config.Epochs {
		return nil
	}
	started := time.Now()
	f.report(Progress{Evaluating: true, Step: 1, Steps: 1})
	if err := f.settle(); err != nil {
		return err
	}
	r, err := rank.Evaluate(ctx, f.scorer, f.split.Valid, f.items, rank.Options{})
	if err != nil {
		return err
	}
	valid := r.Removed
	point := &st.Curve[len(st.Curve)-1]
	geometry, err := f.probe.measure(f.replicas)
	if err != nil {
		return err
	}
	point.Valid, point.Alignment, point.Uniformity = record.Metrics(valid), geometry.Alignment, geometry.Uniformity
	if st.BestEpoch == 0 || valid[stopMetric] > st.BestValid[stopMetric] {
		st.BestEpoch, st.BestValid, st.Waited = st.Epoch, valid, 0
		f.keepBest()
	} else if st.Epoch > f.config.PatienceAfter {
		st.Waited++
	}
	st.EvalSeconds += time.Since(started).Seconds()
	st.Times[len(st.Times)-1].EvalSeconds = time.Since(started).Seconds()
	return nil
}

// keepBest copies the weights, into the memory of the best ones before: a large table is
// most of what a run holds.
func (f *trainer) keepBest() {
	if f.best == nil {
		f.best = f.params.Tensors()
		return
	}
	for name, t := range f.params.View() {
		copy(f.best[name].Data, t.Data)
	}
}

// report fills in what the state knows and passes p on. Between the last step of
// an epoch and the first of the next, the epoch is the one just trained.
func (f *trainer) report(p Progress) {
	if f.options.Progress == nil {
		return
	}
	st := &f.state
	p.Epoch, p.Epochs, p.Best = st.Epoch, f.config.Epochs, st.BestValid[stopMetric]
	if st.Batch > 0 {
		p.Epoch++
	}
	if n := len(st.Curve); n > 0 {
		p.Valid = st.Curve[n-1].Valid[stopMetric]
		if st.Batch == 0 {
			p.Loss, p.TargetsPerSecond = st.Curve[n-1].Loss, st.Times[n-1].TargetsPerSecond
		}
	}
	done := float64(p.Epoch-1) + float64(p.Step)/float64(p.Steps)
	p.ETA = time.Duration((float64(p.Epochs) - done) * st.Seconds / done * float64(time.Second))
	f.options.Progress(p)
}

// Streams of random numbers that depend on the seed and a counter only, so that
// no state of theirs needs to be saved.
const (
	streamShuffle = iota + 1
	streamNegatives
	streamHide
	streamSameTarget
	streamContrast
)

func (f *trainer) random(stream uint64, epoch int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(f.options.Seed), stream<<56|uint64(epoch)))
}

// numbers are those of the step under way.
func (f *trainer) numbers(stream uint64) numbers {
	return numbers{uint64(f.options.Seed), stream, uint64(f.state.Steps)}
}

// stopwatch adds the time since its last tick to a total.
type stopwatch struct {
	total *float64
	last  time.Time
}

func newStopwatch(total *float64) *stopwatch { return &stopwatch{total, time.Now()} }

func (s *stopwatch) tick() {
	now := time.Now()
	*s.total += now.Sub(s.last).Seconds()
	s.last = now
}

// epochTime is the measured part of an epoch, for the curve file.
type epochTime struct {
	TargetsPerSecond float64 `json:"targets_per_s"`
	EvalSeconds      float64 `json:"eval_s"`
}

// PerSecond is a speed, or 0 where the clock is too coarse to measure the time.
func PerSecond(n int64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}
