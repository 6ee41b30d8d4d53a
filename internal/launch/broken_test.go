package launch

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

// brokenModel is the environment variable that tells a child how its models are
// broken.
const brokenModel = "LAUNCH_TEST_BROKEN"

// breakModels replaces the constructor of one model in the registry by that of a
// broken one. Names and versions stay, so the spec does not change.
func breakModels(how string) []registry.Entry {
	broken := slices.Clone(registry.Models)
	for i := range broken {
		e := &broken[i]
		build := e.Neural
		switch {
		case how == "labels" && e.Name == "sasrec":
			e.Neural = func(rt *torch.Runtime, config any, t train.Config, items int) (models.Model, error) {
				m, err := build(rt, config, t, items)
				return shiftedLabels{m, int64(items)}, err
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

// shiftedLabels trains on the item next to each target.
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
// does. A gate that learns nothing is found by its parameters, wrong labels by the
// committed expectations. A missing causal mask costs too little accuracy here to be found
// by them: the registry's conformance test finds it.
func TestBrokenModelsAreNotAsExpected(t *testing.T) {
	c, err := plan.Load("../../"+plan.FileName, nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("ci")
	if err != nil {
		t.Fatal(err)
	}
	expected, err := plan.ReadExpectations(filepath.Join(c.Root, s.Expected))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ how, model, want string }{
		{"gate", "fame", "training did not change gate.bias, gate.weight: no gradient reaches it"},
		{"labels", "sasrec", "less than the expected"},
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
			p, err := c.Plan(s, plan.Options{Out: store.Dir})
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
