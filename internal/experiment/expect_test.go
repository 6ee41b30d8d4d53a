package experiment

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// brokenModel names, for a child, the way in which models are broken on purpose.
const brokenModel = "EXPERIMENT_TEST_BROKEN"

// breakModels is the registry with the constructor of one model replaced by that of
// one that is broken in some way; names and versions stay, so a spec cannot tell.
func breakModels(how string) []Entry {
	broken := slices.Clone(Registry)
	for i := range broken {
		e := &broken[i]
		build := e.Neural
		switch {
		case how == "labels" && e.Name == "sasrec":
			e.Neural = func(rt *torch.Runtime, config any, t train.Config, items int) (models.Model, error) {
				m, err := build(rt, config, t, items)
				return shiftedLabels{m, int64(items)}, err
			}
		case how == "mask" && e.Name == "sasrec":
			e.Neural = func(rt *torch.Runtime, config any, t train.Config, items int) (models.Model, error) {
				c, p := config.(*baselines.SASRecConfig), rt.NewParams()
				return &unmasked{rt, p, p.Normal("item_emb.weight", models.InitStd, int64(items)+1, int64(c.Hidden)),
					models.NewEncoder(rt, p, models.EncoderConfig{TransformerConfig: c.TransformerConfig, MaxLen: t.MaxLen}), t.ItemLoss(), items}, nil
			}
		case how == "gate" && e.Name == "fame":
			e.Neural = func(rt *torch.Runtime, config any, t train.Config, items int) (models.Model, error) {
				m, err := build(rt, config, t, items)
				if err != nil {
					return nil, err
				}
				return detachedGate{m.(*models.FAME), rt}, nil
			}
		}
	}
	return broken
}

// shiftedLabels trains on the item beside each target.
type shiftedLabels struct {
	models.Model
	items int64
}

func (m shiftedLabels) Loss(b *models.Batch) torch.Tensor {
	shifted := *b
	shifted.Target = slices.Clone(b.Target)
	for i, t := range b.Target {
		shifted.Target[i] = t%m.items + 1
	}
	return m.Model.Loss(&shifted)
}

// unmasked is SASRec whose positions see what comes after them.
type unmasked struct {
	rt      *torch.Runtime
	params  *torch.Params
	table   torch.Tensor
	encoder *models.Encoder
	loss    models.ItemLoss
	items   int
}

func (m *unmasked) Params() *torch.Params { return m.params }

func (m *unmasked) encode(b *models.Batch, at []int64) torch.Tensor {
	return m.encoder.Forward(m.table.Embedding(m.rt.Ints(b.Items)), b, at)
}

func (m *unmasked) Loss(b *models.Batch) torch.Tensor {
	return m.loss.Of(m.rt, m.encode(b, b.Position), m.Items(), b)
}

func (m *unmasked) Users(b *models.Batch) torch.Tensor { return m.encode(b, b.LastPositions()) }

func (m *unmasked) Items() models.ItemTable {
	return models.ItemTable{Rows: m.table, Items: m.items}
}

// detachedGate is FAME whose loss does not reach the gate: cross-entropy of the
// heads' scores, written out.
type detachedGate struct {
	*models.FAME
	rt *torch.Runtime
}

func (m detachedGate) Loss(b *models.Batch) torch.Tensor {
	f := m.Encode(b, b.Position)
	N, H := int64(len(b.Target)), f.Gate.Shape()[1]
	scores := m.HeadScores(f.Heads)                             // [N, H, V+1]
	V := scores.Shape()[2]                                      // padding included
	weighted := f.Gate.Detach().Reshape(N, 1, H).MatMul(scores) // [N, 1, V+1]
	at := make([]int64, N)
	for i, t := range b.Target {
		at[i] = int64(i)*V + t
	}
	return weighted.Reshape(N, V).LogSoftmax().Reshape(N*V, 1).Rows(m.rt.Ints(at, N)).Mean().Scale(-1)
}

// TestBrokenModelsAreNotAsExpected breaks models and runs them as the suite ci
// does: a gate that learns nothing is found by its parameters, wrong labels and a
// missing causal mask by the committed expectations.
func TestBrokenModelsAreNotAsExpected(t *testing.T) {
	c, err := Load(repoConfig, nil, Registry)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("ci")
	if err != nil {
		t.Fatal(err)
	}
	expected, err := ReadExpectations(filepath.Join(c.Root, s.Expected))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ how, model, want string }{
		{"gate", "fame", "training did not move gate.bias, gate.weight: no gradient reaches it"},
		{"labels", "sasrec", "less than the expected"},
		{"mask", "sasrec", "less than the expected"},
	} {
		t.Run(tt.how, func(t *testing.T) {
			t.Setenv(brokenModel, tt.how)
			store := record.Store{Dir: t.TempDir()}
			if err := store.Make(); err != nil {
				t.Fatal(err)
			}
			s, err := c.Choose(s, []string{tt.model}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Axes = nil
			p, err := c.Plan(s, Options{Out: store.Dir})
			if err != nil {
				t.Fatal(err)
			}
			runner := &Runner{Store: store}
			if o := runner.Run(context.Background(), p.Runs)[0]; o.Status != OutcomeDone {
				t.Fatalf("%s: %s", o.Status, o.Reason)
			}
			if err := expected.Check(p, store); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want it to contain %q", err, tt.want)
			} else {
				t.Log(err)
			}
		})
	}
}

func TestExpectations(t *testing.T) {
	dir := tinyFolder(t)
	p, r := tinyPlan(t, dir, "neural", "neural.seeds=[0, 1, 2, 3, 4]")
	write1 := func(run Run, ndcg float64, still ...string) {
		t.Helper()
		rec := &record.Record{Result: record.Result{Spec: run.Job.Spec, Status: record.Epochs, Still: still,
			Test: record.Rules{Removed: record.Metrics{"NDCG@10": ndcg}}}}
		if err := r.Store.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	for i, ndcg := range []float64{.6, .7, .8, .9, 1} { // mean .8, deviation .158
		write1(p.Runs[i], ndcg)
	}
	e, err := p.Expect(r.Store)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "expected.json")
	if err := record.WriteJSON(path, e); err != nil {
		t.Fatal(err)
	}
	if e, err = ReadExpectations(path); err != nil || len(e.Runs) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	one, _ := tinyPlan(t, dir, "neural", "neural.seeds=[0]")
	threads := *one // the same question on another machine
	threads.Runs = []Run{one.Runs[0]}
	threads.Runs[0].Job.Spec.Threads = 8
	threads.Runs[0].ID, _ = threads.Runs[0].Job.Spec.ID()
	for _, tt := range []struct {
		plan  *Plan
		ndcg  float64
		still []string
		want  string // "": as expected
	}{
		{one, .8, nil, ""},
		{one, .9, nil, ""}, // better is no fault
		{one, .33, nil, ""},
		{one, .32, nil, "less than the expected 0.8000 - 3 × 0.1581 (5 seeds)"},
		{one, .8, []string{"a", "b"}, "did not move a, b"},
		{&threads, .32, nil, "less than the expected"},
	} {
		write1(tt.plan.Runs[0], tt.ndcg, tt.still...)
		err := e.Check(tt.plan, r.Store)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v %v: %v, want %q", tt.ndcg, tt.still, err, tt.want)
		}
	}
	// What nobody has looked at yet is no success either.
	if err := (Expectations{}).Check(one, r.Store); err == nil || !strings.Contains(err.Error(), "-expect") {
		t.Errorf("without expectations: %v", err)
	}
	if _, err := one.Expect(r.Store); err == nil || !strings.Contains(err.Error(), "needs 5 seeds") {
		t.Errorf("an expectation of one seed: %v", err)
	}
	if e, err := ReadExpectations(filepath.Join(dir, "no.json")); err != nil || len(e.Runs) != 0 {
		t.Errorf("no file: %+v, %v", e, err)
	}
	write(t, path, "{")
	if _, err := ReadExpectations(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v", err)
	}
}
