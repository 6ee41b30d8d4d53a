package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/example"
	"famebench/internal/record"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// fism is the model of docs/adding-a-model.md.
var fism = Entry{Name: "fism", Version: 1, Defaults: example.FISMDefaults(),
	Objectives: []string{train.AllPositions, train.Prefix}, Neural: Constructor(example.NewFISM)}

// duoRecSequences is the form of DuoRec that is not its default.
func duoRecSequences() Entry {
	e, _ := Find(Models, "duorec")
	c := copyOf(e.Defaults).(*baselines.DuoRecConfig)
	c.Sampling = baselines.SampleSequences
	e.Name, e.Defaults = "duorec sequences", c
	return e
}

// TestConformance checks what the harness expects of every trained model. A new model
// needs only its line in the registry.
func TestConformance(t *testing.T) {
	for _, e := range append(slices.Clone(Models), fism, duoRecSequences()) {
		if e.Neural == nil || e.Text {
			continue // a model initialised from texts is built as its base
		}
		t.Run(e.Name, func(t *testing.T) {
			for what, check := range map[string]func(*torch.Runtime, Entry) error{
				"causality": checkCausality, "batch": checkBatch, "gradients": checkGradients, "extremes": checkExtremes,
			} {
				err := torch.Run(torch.Config{Threads: 1, Seed: 3}, func(rt *torch.Runtime) error { return check(rt, e) })
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := checkThreads(e, basic.Cyclic(t, 60, 8)); err != nil {
				t.Errorf("threads: %v", err)
			}
			checkResume(t, e)
		})
	}
}

// Models with a planted fault do not pass.
func TestConformanceFindsFaults(t *testing.T) {
	sasrec := func(change func(rt *torch.Runtime, c train.Config, items int) models.Model) Entry {
		e := sasrecEntry
		e.Neural = func(rt *torch.Runtime, _ any, c train.Config, items int) (models.Model, error) {
			return change(rt, c, items), nil
		}
		return e
	}
	build := func(rt *torch.Runtime, c train.Config, items int) *baselines.SASRec {
		m, err := baselines.NewSASRec(rt, baselines.SASRecDefaults(), c.ItemLoss(), items, c.MaxLen)
		if err != nil {
			panic(err)
		}
		return m
	}
	for want, fault := range map[string]struct {
		check func(*torch.Runtime, Entry) error
		entry Entry
	}{
		"later items change": {checkCausality, sasrec(func(rt *torch.Runtime, c train.Config, items int) models.Model {
			return basic.NewUnmasked(rt, models.EncoderConfig{TransformerConfig: models.TransformerDefaults(), MaxLen: c.MaxLen}, c.ItemLoss(), items)
		})},
		"depends on the other sequences": {checkBatch, sasrec(func(rt *torch.Runtime, c train.Config, items int) models.Model {
			return mixedUp{build(rt, c, items)}
		})},
		"gets no gradient": {checkGradients, sasrec(func(rt *torch.Runtime, c train.Config, items int) models.Model {
			m := build(rt, c, items)
			m.Params().Fill("forgotten", 1, 3)
			return m
		})},
		"the loss": {checkExtremes, sasrec(func(rt *torch.Runtime, c train.Config, items int) models.Model {
			return overflowing{build(rt, c, items)}
		})},
	} {
		err := torch.Run(torch.Config{Threads: 1, Seed: 3}, func(rt *torch.Runtime) error { return fault.check(rt, fault.entry) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

// mixedUp is SASRec whose users see each other.
type mixedUp struct{ *baselines.SASRec }

func (m mixedUp) Users(b *models.Batch) torch.Tensor {
	u := m.SASRec.Users(b)
	return u.Add(u.Sum(0).Scale(.01))
}

// overflowing is SASRec whose loss is computed in a way that overflows.
type overflowing struct{ *baselines.SASRec }

func (m overflowing) Loss(b *models.Batch) torch.Tensor {
	return m.SASRec.Loss(b).Scale(100).Exp().Log().Scale(.01)
}

const (
	conformanceItems = 30
	conformanceLen   = 12
)

// newModel builds a model with its defaults for one of its objectives.
func newModel(rt *torch.Runtime, e Entry, objective string) (models.Model, error) {
	c := e.TrainDefaults()
	c.Objective, c.MaxLen = objective, conformanceLen
	return e.Neural(rt, copyOf(e.Defaults), c, conformanceItems)
}

// addNoise moves parameters away from their initial values, where some are 0.
func addNoise(rt *torch.Runtime, m models.Model) {
	for _, name := range m.Params().Names() {
		x := m.Params().Get(name)
		x.CopyFrom(x.Add(rt.NewParams().Normal("noise", .2, x.Shape()...)).HostFloats())
	}
}

// conformanceBatch has sequences of the given lengths and the positions of an objective.
func conformanceBatch(m models.Model, objective string, lengths ...int64) *models.Batch {
	b := sequences(1, lengths...)
	contrastive, ok := m.(models.Contrastive)
	whole := ok && contrastive.WholeSequences()
	if whole { // the contrasted position is in the middle
		objective = train.AllPositions
		first := int64(0)
		for _, n := range lengths {
			b.Contrast = append(b.Contrast, first+n/2)
			first += n
		}
	}
	switch objective {
	case train.AllPositions:
		for i := range b.Items {
			b.Position = append(b.Position, int64(i))
		}
	case train.Prefix:
		b.Position = b.LastPositions()
	case train.Cloze: // every third item is masked, and the last of every sequence
		last := b.LastPositions()
		for i := range b.Items {
			if i%3 == 1 || slices.Contains(last, int64(i)) {
				b.Position = append(b.Position, int64(i))
			}
		}
	}
	for i := range b.Position {
		b.Target = append(b.Target, int64(i*11%conformanceItems)+1)
	}
	if ok && contrastive.NeedsSameTarget() {
		b.SameTarget = sequences(5, lengths...)
	}
	return b
}

func sequences(from int64, lengths ...int64) *models.Batch {
	b := &models.Batch{Lengths: lengths}
	for _, n := range lengths {
		for range n {
			from = from * 7 % 31 // 1…30
			b.Items = append(b.Items, from)
		}
	}
	return b
}

// checkCausality: if a model predicts after every position in one pass, items after a
// position change nothing there. (The items up to it do.)
func checkCausality(rt *torch.Runtime, e Entry) error {
	if !slices.Contains(e.Objectives, train.AllPositions) {
		return nil
	}
	m, err := newModel(rt, e, train.AllPositions)
	if err != nil {
		return err
	}
	addNoise(rt, m)
	const n = 9
	for at := range int64(n) {
		loss := func(changed int64) float64 {
			b := conformanceBatch(m, train.AllPositions, n, 3)
			for i := changed; i < n; i++ {
				b.Items[i] = b.Items[i]%conformanceItems + 1
			}
			b.Position, b.Target = []int64{at}, []int64{4}
			return m.Loss(b).Item()
		}
		want := loss(n) // nothing changed
		if got := loss(at + 1); math.Abs(got-want) > 1e-6*math.Abs(want) {
			return fmt.Errorf("later items change the prediction after position %d: loss %v, then %v", at, want, got)
		}
		if got := loss(at); math.Abs(got-want) <= 1e-6*math.Abs(want) {
			return fmt.Errorf("the item at position %d does not change the prediction after it", at)
		}
	}
	return nil
}

// checkBatch: a user's vector does not depend on the other sequences of the batch.
func checkBatch(rt *torch.Runtime, e Entry) error {
	m, err := newModel(rt, e, e.Objectives[0])
	if err != nil {
		return err
	}
	addNoise(rt, m)
	b := sequences(1, 1, conformanceLen, 5)
	all := m.Users(b).HostFloats()
	first, d := int64(0), len(all)/len(b.Lengths)
	for i, n := range b.Lengths {
		alone := m.Users(&models.Batch{Items: b.Items[first : first+n], Lengths: []int64{n}}).HostFloats()
		for j, v := range alone {
			if w := all[i*d+j]; math.Abs(float64(v-w)) > 1e-5*(1+math.Abs(float64(v))) {
				return fmt.Errorf("the vector of sequence %d depends on the other sequences: %v alone, %v with them", i, v, w)
			}
		}
		first += n
	}
	return nil
}

// checkGradients: the loss reaches every parameter, in each objective.
func checkGradients(rt *torch.Runtime, e Entry) error {
	for _, objective := range e.Objectives {
		m, err := newModel(rt, e, objective)
		if err != nil {
			return err
		}
		addNoise(rt, m)
		m.Loss(conformanceBatch(m, objective, 6, conformanceLen, 2)).Backward()
		for _, name := range m.Params().Names() {
			if !slices.ContainsFunc(m.Params().Grad(name), func(g float32) bool { return g != 0 }) {
				return fmt.Errorf("objective %s: parameter %s gets no gradient", objective, name)
			}
		}
	}
	return nil
}

// checkExtremes: the loss and its gradients stay finite for the shortest and longest
// sequences, one item over and over, and large weights.
func checkExtremes(rt *torch.Runtime, e Entry) error {
	for _, objective := range e.Objectives {
		for _, scale := range []float64{0, 1, 1000} {
			m, err := newModel(rt, e, objective)
			if err != nil {
				return err
			}
			for _, name := range m.Params().Names() {
				x := m.Params().Get(name)
				x.CopyFrom(x.Scale(scale).HostFloats())
			}
			for _, lengths := range [][]int64{{1}, {conformanceLen}, {1, conformanceLen, 1}} {
				b := conformanceBatch(m, objective, lengths...)
				for i := range b.Items {
					b.Items[i] = conformanceItems
				}
				m.Params().ZeroGrad()
				loss := m.Loss(b)
				if v := loss.Item(); math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("objective %s, lengths %v, weights times %v: the loss is %v", objective, lengths, scale, v)
				}
				loss.Backward()
				for _, name := range m.Params().Names() {
					for _, g := range m.Params().Grad(name) {
						if v := float64(g); math.IsNaN(v) || math.IsInf(v, 0) {
							return fmt.Errorf("objective %s, lengths %v, weights times %v: a gradient of %s is %v", objective, lengths, scale, name, g)
						}
					}
				}
			}
		}
	}
	return nil
}

// checkThreads: the number of threads changes rounding only, with dropout and sampling.
func checkThreads(e Entry, s *datasets.Split) error {
	for _, kind := range []string{"ce", "sampled-softmax"} {
		c := shortTraining(e)
		c.Loss, c.Negatives = kind, 5
		var losses []float64
		for _, threads := range []int{1, 2} {
			err := torch.RunTeam(torch.Config{Threads: threads, Seed: 5}, func(team *torch.Team) error {
				m, err := replicas(e, team, copyOf(e.Defaults), c, s.Data.NumItems)
				if err != nil {
					return err
				}
				r, err := train.Fit(context.Background(), m, s, c, train.Options{Seed: 5})
				if err == nil {
					losses = append(losses, r.Curve[len(r.Curve)-1].Loss)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		if one, two := losses[0], losses[1]; math.Abs(one-two) > 1e-6*one {
			return fmt.Errorf("loss %s is %v with one thread, %v with two", kind, one, two)
		}
	}
	return nil
}

// A model whose dropout masks depend on the thread does not pass.
func TestConformanceFindsThreads(t *testing.T) {
	e := sasrecEntry
	e.Neural = func(rt *torch.Runtime, _ any, c train.Config, items int) (models.Model, error) {
		m, err := baselines.NewSASRec(rt, baselines.SASRecDefaults(), c.ItemLoss(), items, c.MaxLen)
		return misnamed{m, rt}, err
	}
	if err := checkThreads(e, basic.Cyclic(t, 60, 8)); err == nil || !strings.Contains(err.Error(), "with one thread") {
		t.Errorf("error %v, expected one about threads", err)
	}
}

// misnamed is SASRec with dropout on the batch's rows by their numbers, as if every
// thread had the whole batch.
type misnamed struct {
	*baselines.SASRec
	rt *torch.Runtime
}

func (m misnamed) Loss(b *models.Batch) torch.Tensor {
	x := m.Items().Rows.Embedding(m.rt.Ints(b.Items)).DropoutTable(.5) // [M, d]
	return m.SASRec.Loss(b).Add(x.Mul(x).Mean())
}

// checkResume: a run that is interrupted in its second epoch, saved and resumed ends in
// the same curve and weights as one that is not.
func checkResume(t *testing.T, e Entry) {
	t.Helper()
	s, c := basic.Cyclic(t, 60, 8), shortTraining(e)
	fit := func(ctx context.Context, o train.Options) (status record.Status, result string) {
		err := torch.RunTeam(torch.Config{Threads: 2, Seed: 5}, func(team *torch.Team) error {
			m, err := replicas(e, team, copyOf(e.Defaults), c, s.Data.NumItems)
			if err != nil {
				return err
			}
			o.Seed = 5
			r, err := train.Fit(ctx, m, s, c, o)
			if err != nil {
				return err
			}
			raw, err := json.Marshal(r)
			status, result = r.Status, fmt.Sprint(string(raw), m.Params().Tensors())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return status, result
	}
	_, want := fit(context.Background(), train.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := train.Options{Checkpoint: filepath.Join(t.TempDir(), "checkpoint"), Progress: func(p train.Progress) {
		if p.Epoch == 2 && p.Step == 2 {
			cancel()
		}
	}}
	if status, _ := fit(ctx, o); status != train.StopInterrupt {
		t.Fatalf("resume: expected an interruption in the second epoch, got %s", status)
	}
	o.Progress = nil
	if _, got := fit(context.Background(), o); got != want {
		t.Error("resume: a run that was interrupted ends in another result")
	}
}
