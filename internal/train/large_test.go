package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/torch"
	"famebench/models"
)

// largeSplit has so many items that a step looks up few rows of the item table. Some are
// frequent, others are bought once.
func largeSplit(t testing.TB, users, items int) *datasets.Split {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	d := &datasets.Dataset{Name: "large", NumItems: items}
	for range users {
		var seq []int32
		for range 5 + r.IntN(8) {
			v := 1 + r.Int32N(int32(items))
			if r.IntN(2) == 0 {
				v = 1 + v%40
			}
			seq = append(seq, v)
		}
		d.Seqs = append(d.Seqs, seq)
	}
	s, err := datasets.NewSplit(d, datasets.LeaveOneOut)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func largeConfig(loss string) Config {
	c := testConfig()
	c.Loss, c.Negatives, c.Epochs, c.BatchTargets = loss, 4, 2, 32
	return c
}

// whole is a model whose loss reads its whole item table, to no effect, so that Adam
// updates all rows in every step.
type whole struct{ models.Model }

func (m whole) Loss(b *models.Batch) torch.Tensor {
	items := m.Items()
	loss := m.Model.Loss(b).Add(items.Rows.Mean().Scale(0))
	if items.Bias.Defined() {
		loss = loss.Add(items.Bias.Mean().Scale(0))
	}
	return loss
}

func readWhole(build builder) builder {
	return func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
		m, err := build(rt, loss, items, maxLen)
		return whole{m}, err
	}
}

// Updating only the rows that a step reads gives what updating all rows gives. BERT4Rec
// also has a bias for each item.
func TestLargeTables(t *testing.T) {
	s := largeSplit(t, 40, torch.SparseFrom)
	for _, test := range []struct {
		name, objective, loss string
		build                 builder
	}{
		{"sasrec", AllPositions, "sampled-softmax", smallSASRec},
		{"sasrec", AllPositions, "gbce", smallSASRec},
		{"bert4rec", Cloze, "bce", smallBERT4Rec},
		{"core", AllPositions, "sampled-softmax", smallCORE}, // normalises its table, so it reads all of it
		{"sasrec", AllPositions, "ce", smallSASRec},          // so does this loss
	} {
		t.Run(fmt.Sprintf("%s %s", test.name, test.loss), func(t *testing.T) {
			c := largeConfig(test.loss)
			c.Objective = test.objective
			out, few := fitModel(t, context.Background(), test.build, s, c, Options{Seed: 1})
			_, all := fitModel(t, context.Background(), readWhole(test.build), s, c, Options{Seed: 1})
			for i, p := range few.Curve {
				if want := all.Curve[i].Loss; math.Abs(p.Loss-want) > 1e-5*want {
					t.Errorf("epoch %d: loss %v, expected %v", p.Epoch, p.Loss, want)
				}
				if u, want := p.Uniformity, all.Curve[i].Uniformity; math.Abs(u-want) > 1e-4*math.Abs(want)+1e-6 {
					t.Errorf("epoch %d: uniformity %v, expected %v", p.Epoch, u, want)
				}
			}
			if again, _ := fitModel(t, context.Background(), test.build, s, c, Options{Seed: 1}); !reflect.DeepEqual(again, out) {
				t.Error("two runs differ")
			}
		})
	}
}

// A run that is stopped within an epoch goes on to the same bits, although rows were out of
// date when it was.
func TestLargeTableResumes(t *testing.T) {
	s, c := largeSplit(t, 40, torch.SparseFrom), largeConfig("sampled-softmax")
	c.EvalEvery = 2 // rows are behind at the end of epoch 1, too
	want, _ := fit(t, context.Background(), s, c, Options{Seed: 1})
	for _, stop := range []int{1, 5, 14} {
		o := Options{Seed: 1, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
		ctx, cancel := context.WithCancel(context.Background())
		steps := 0
		o.Progress = func(p Progress) {
			if p.TargetsPerSecond > 0 && !p.EpochDone && !p.Evaluating {
				if steps++; steps == stop {
					cancel()
				}
			}
		}
		if _, r := fit(t, ctx, s, c, o); r.Status != StopInterrupt {
			t.Fatalf("stopped by %s after %d steps", r.Status, steps)
		}
		o.Progress = nil
		got, r := fit(t, context.Background(), s, c, o)
		if !r.Resumed || !reflect.DeepEqual(got, want) {
			t.Errorf("stopped after %d steps: resumed %v, result differs %v", stop, r.Resumed, !reflect.DeepEqual(got, want))
		}
	}
}

// BenchmarkCatalogue makes training steps with a sampled softmax over catalogues of
// different sizes: the time of a step should not grow with them.
func BenchmarkCatalogue(b *testing.B) {
	for _, items := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			s := largeSplit(b, 4000, items)
			c := Defaults()
			c.Loss = "sampled-softmax"
			build := func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
				return baselines.NewSASRec(rt, baselines.SASRecDefaults(), loss, items, maxLen)
			}
			err := withReplicas(2, 1, build, s, c, func(m *Replicas) error {
				f := &trainer{replicas: m, params: m.Params(), split: s, config: c, items: items, samples: allPositions(s.Train, c.MaxLen, c.Stride)}
				f.adam = f.newAdam()
				batches := f.batches(1)
				step := func() error {
					_, _, err := f.step(batches[f.state.Steps%int64(len(batches))])
					f.state.Steps++
					return err
				}
				for range 20 { // until many rows have a state
					if err := step(); err != nil {
						return err
					}
				}
				for b.Loop() {
					if err := step(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
