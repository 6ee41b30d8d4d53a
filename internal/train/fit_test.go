package train

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

func testConfig() Config {
	c := Defaults()
	c.BatchTargets, c.Epochs, c.Patience, c.LearningRate, c.MaxLen, c.Stride = 64, 4, 3, 5e-3, 8, 4
	return c
}

// outcome is everything of a run that must be equal between runs.
type outcome struct {
	Result  string
	Weights string
	Test    rank.Metrics
}

func fit(t *testing.T, ctx context.Context, s *datasets.Split, c Config, o Options) (out outcome, r *Result) {
	t.Helper()
	return fitModel(t, ctx, smallSASRec, s, c, o)
}

func fitModel(t *testing.T, ctx context.Context, build builder, s *datasets.Split, c Config, o Options) (out outcome, r *Result) {
	t.Helper()
	err := withReplicas(2, uint64(o.Seed), build, s, c, func(m *Replicas) (err error) {
		if r, err = Fit(ctx, m, s, c, o); err != nil {
			return err
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		out.Result, out.Weights = string(raw), weightsSum(m)
		test, err := rank.Evaluate(context.Background(), NewScorer(m, s.Data.NumItems, c.MaxLen), s.Test, s.Data.NumItems, rank.Options{})
		if err == nil {
			out.Test = test.Kept
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, r
}

// builder makes a small model.
type builder func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error)

func smallTransformer() models.TransformerConfig {
	c := models.TransformerDefaults()
	c.Hidden, c.Dropout, c.AttnDropout = 16, .2, .2
	return c
}

func smallSASRec(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
	return baselines.NewSASRec(rt, &baselines.SASRecConfig{TransformerConfig: smallTransformer()}, loss, items, maxLen)
}

func smallBERT4Rec(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
	return baselines.NewBERT4Rec(rt, &baselines.BERT4RecConfig{TransformerConfig: smallTransformer(), Padding: "left"}, loss, items, maxLen)
}

func smallCORE(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
	c := baselines.COREDefaults()
	c.TransformerConfig = smallTransformer()
	return baselines.NewCORE(rt, c, loss, items, maxLen)
}

func smallDuoRec(contrast string) builder {
	return func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
		c := baselines.DuoRecDefaults()
		c.TransformerConfig, c.Contrast = smallTransformer(), contrast
		return baselines.NewDuoRec(rt, c, loss, items, maxLen)
	}
}

func smallDuoRecSequences(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
	c := baselines.DuoRecDefaults()
	c.TransformerConfig, c.Sampling = smallTransformer(), baselines.SampleSequences
	return baselines.NewDuoRec(rt, c, loss, items, maxLen)
}

func smallFAME(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
	c := models.FAMEDefaults()
	c.Experts, c.TransformerConfig = 2, smallTransformer()
	return models.NewFAME(rt, c, loss, items, maxLen)
}

// kinds are the ways of training, each with a model for it.
var kinds = []struct {
	name, objective string
	build           builder
}{
	{"sasrec", AllPositions, smallSASRec},
	{"sasrec", Prefix, smallSASRec},
	{"bert4rec", Cloze, smallBERT4Rec},
	{"core", AllPositions, smallCORE},
	{"core", Prefix, smallCORE},
	{"duorec", Prefix, smallDuoRec("us_x")},
	{"duorec by sequences", Prefix, smallDuoRecSequences},
	{"fame", AllPositions, smallFAME},
}

// withModel calls f with a small SASRec on a team.
func withModel(threads int, seed uint64, s *datasets.Split, c Config, f func(*Replicas) error) error {
	return withReplicas(threads, seed, smallSASRec, s, c, f)
}

func withReplicas(threads int, seed uint64, build builder, s *datasets.Split, c Config, f func(*Replicas) error) error {
	return torch.RunTeam(torch.Config{Threads: threads, Seed: seed}, func(team *torch.Team) error {
		m, err := NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) {
			return build(rt, c.ItemLoss(), s.Data.NumItems, c.MaxLen)
		})
		if err != nil {
			return err
		}
		return f(m)
	})
}

// firstLoss is the loss of the first epoch of a model that so many threads train.
func firstLoss(t *testing.T, threads int, build builder, s *datasets.Split, c Config) (loss float64) {
	t.Helper()
	c.Epochs = 1
	err := withReplicas(threads, 1, build, s, c, func(m *Replicas) error {
		r, err := Fit(context.Background(), m, s, c, Options{Seed: 1})
		if err == nil {
			loss = r.Curve[0].Loss
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

func weightsSum(m *Replicas) string {
	var b bytes.Buffer
	for _, name := range m.Params().Names() {
		for _, v := range m.Params().Get(name).HostFloats() {
			fmt.Fprintf(&b, "%08x", math.Float32bits(v))
		}
	}
	return b.String()
}

func TestFitLearns(t *testing.T) {
	c := testConfig()
	c.Epochs, c.Patience = 30, 30
	check := func(name, objective, loss string, build builder, epochs int, least float64) {
		t.Run(name+"/"+objective+"/"+loss, func(t *testing.T) {
			c := c
			c.Objective, c.Loss, c.Negatives, c.Epochs = objective, loss, 8, epochs
			out, r := fitModel(t, context.Background(), build, basic.Cyclic(t, 120, 10), c, Options{Seed: 1})
			if got := out.Test["HR@5"]; got < least { // chance is 5/40
				t.Errorf("HR@5 = %.3f after %d epochs (%s): the rule of the data was not learnt", got, len(r.Curve), r.Status)
			}
			if first, last := r.Curve[0].Loss, r.Curve[len(r.Curve)-1].Loss; last >= first {
				t.Errorf("loss went from %v to %v", first, last)
			}
		})
	}
	for _, loss := range models.LossKinds {
		check("sasrec", AllPositions, loss, smallSASRec, 30, .5)
	}
	check("sasrec", Prefix, "ce", smallSASRec, 30, .5)
	check("fame", AllPositions, "ce", smallFAME, 30, .5)
	check("bert4rec", Cloze, "ce", smallBERT4Rec, 90, .5)
	for _, contrast := range []string{"un", "su", "us", "us_x"} {
		check("duorec "+contrast, Prefix, "ce", smallDuoRec(contrast), 15, .5)
	}
	check("duorec by sequences", Prefix, "ce", smallDuoRecSequences, 30, .5)
	// A mean of the history's own items cannot rank what comes next far above them:
	// of 5 places the history takes some.
	check("core", AllPositions, "ce", smallCORE, 30, .25)
	check("core", Prefix, "ce", smallCORE, 15, .25)
}

// A model that contrasts sequences with the same target is there for prefixes only.
func TestSameTargetNeedsPrefixes(t *testing.T) {
	s, c := basic.Cyclic(t, 120, 10), testConfig()
	err := withReplicas(1, 1, smallDuoRec("su"), s, c, func(m *Replicas) error {
		_, err := Fit(context.Background(), m, s, c, Options{})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), `"prefix" only`) {
		t.Errorf("error %v", err)
	}
}

func TestSameSeedSameResult(t *testing.T) {
	s := basic.Cyclic(t, 120, 10)
	for _, k := range kinds {
		c := testConfig()
		c.Objective = k.objective
		a, _ := fitModel(t, context.Background(), k.build, s, c, Options{Seed: 5})
		b, _ := fitModel(t, context.Background(), k.build, s, c, Options{Seed: 5})
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s, %s: two runs with one seed differ: %v and %v", k.name, k.objective, a.Test, b.Test)
		}
		other, _ := fitModel(t, context.Background(), k.build, s, c, Options{Seed: 6})
		if other.Weights == a.Weights {
			t.Errorf("%s, %s: another seed gave the same weights", k.name, k.objective)
		}
	}
}

func TestStops(t *testing.T) {
	s := basic.Cyclic(t, 120, 10)
	t.Run("patience", func(t *testing.T) {
		c := testConfig()
		c.Epochs, c.Patience = 60, 2
		_, r := fit(t, context.Background(), s, c, Options{Seed: 1})
		if r.Status != record.Patience || r.BestEpoch != len(r.Curve)-c.Patience {
			t.Errorf("status %s, best epoch %d of %d, want patience two epochs after the best", r.Status, r.BestEpoch, len(r.Curve))
		}
		best := 0.0
		for _, p := range r.Curve {
			best = max(best, p.Valid[stopMetric])
		}
		if got := r.BestValid[stopMetric]; got != best {
			t.Errorf("best validation %v, the curve's best is %v", got, best)
		}
	})
	t.Run("time", func(t *testing.T) {
		c := testConfig()
		c.TimeLimit = 1e-9
		_, r := fit(t, context.Background(), s, c, Options{Seed: 1})
		if r.Status != record.Time || r.BestEpoch != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("nan", func(t *testing.T) {
		c := testConfig()
		c.LearningRate = 9
		c.Epochs = 100
		s := basic.Cyclic(t, 120, 10)
		err := withModel(2, 1, s, c, func(m *Replicas) error {
			table := m.Params().Get("item_emb.weight")
			v := table.HostFloats()
			v[len(v)-1] = float32(math.NaN())
			table.CopyFrom(v)
			r, err := Fit(context.Background(), m, s, c, Options{})
			if err == nil && r.Status != StopNaN {
				t.Errorf("status %s", r.Status)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Without dropout, how many members share the work changes rounding only, also
// where a loss compares all rows of the batch.
func TestTeamSizeChangesRoundingOnly(t *testing.T) {
	s := basic.Cyclic(t, 120, 10)
	none := smallTransformer()
	none.Dropout, none.AttnDropout = 0, 0
	check := func(objective string, build builder) {
		c := testConfig()
		c.Objective = objective
		want := firstLoss(t, 1, build, s, c)
		for _, threads := range []int{2, 5} {
			if got := firstLoss(t, threads, build, s, c); math.Abs(got-want) > 1e-4 {
				t.Errorf("%s, %d members: mean loss %v, one member %v", objective, threads, got, want)
			}
		}
	}
	check(AllPositions, func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
		return baselines.NewSASRec(rt, &baselines.SASRecConfig{TransformerConfig: none}, loss, items, maxLen)
	})
	check(Prefix, func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
		c := baselines.DuoRecDefaults()
		c.TransformerConfig, c.Contrast, c.UnsupervisedWeight = none, "un", 5
		return baselines.NewDuoRec(rt, c, loss, items, maxLen)
	})
	check(AllPositions, func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
		c := models.FAMEDefaults()
		c.TransformerConfig, c.BalanceWeight = none, 20
		return models.NewFAME(rt, c, loss, items, maxLen)
	})
}

// With few sequences and a small share of masks, an epoch may have nothing to predict. Its loss
// would be 0/0.
func TestEpochWithoutMasks(t *testing.T) {
	c := testConfig()
	c.Objective, c.MaskRatio, c.MaskLast, c.Epochs = Cloze, .01, 0, 4
	err := withReplicas(1, 1, smallBERT4Rec, basic.Cyclic(t, 3, 10), c, func(m *Replicas) error {
		_, err := Fit(context.Background(), m, basic.Cyclic(t, 3, 10), c, Options{Seed: 1})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "no item is masked in epoch") || !strings.Contains(err.Error(), "train.mask_ratio") {
		t.Errorf("%v", err)
	}
}
