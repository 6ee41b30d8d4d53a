package train

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

// Dropout masks, sampled negatives and sequences with the same target depend on a
// sample's place in the batch, so the number of threads changes rounding only.
func TestThreadsChangeRoundingOnly(t *testing.T) {
	s := basic.Cyclic(t, 120, 10)
	config := smallTransformer()
	config.Dropout, config.AttnDropout = .3, .2
	sasrec := func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
		return baselines.NewSASRec(rt, &baselines.SASRecConfig{TransformerConfig: config}, loss, items, maxLen)
	}
	for name, c := range map[string]struct {
		build           builder
		objective, loss string
	}{
		"sasrec":                 {sasrec, AllPositions, "ce"},
		"sasrec gbce":            {sasrec, AllPositions, "gbce"},
		"sasrec sampled-softmax": {sasrec, AllPositions, "sampled-softmax"},
		"bert4rec": {func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
			return baselines.NewBERT4Rec(rt, &baselines.BERT4RecConfig{TransformerConfig: config, Padding: "left"}, loss, items, maxLen)
		}, Cloze, "ce"},
		"core": {func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
			c := baselines.COREDefaults()
			c.TransformerConfig = config
			return baselines.NewCORE(rt, c, loss, items, maxLen)
		}, AllPositions, "ce"},
		"duorec": {func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
			c := baselines.DuoRecDefaults()
			c.TransformerConfig = config
			return baselines.NewDuoRec(rt, c, loss, items, maxLen)
		}, Prefix, "ce"},
		"duorec by sequences": {func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
			c := baselines.DuoRecDefaults()
			c.TransformerConfig, c.Contrast, c.Sampling = config, "us", baselines.SampleSequences
			return baselines.NewDuoRec(rt, c, loss, items, maxLen)
		}, Prefix, "ce"},
		"fame": {func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
			c := models.FAMEDefaults()
			c.TransformerConfig, c.BalanceWeight = config, .1
			return models.NewFAME(rt, c, loss, items, maxLen)
		}, AllPositions, "ce"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := testConfig()
			settings.Objective, settings.Loss, settings.Negatives = c.objective, c.loss, 5
			one := firstLoss(t, 1, c.build, s, settings)
			for threads := 2; threads <= 3; threads++ {
				several := firstLoss(t, threads, c.build, s, settings)
				if math.Abs(several-one) > 1e-6*one {
					t.Errorf("loss %v with 1 thread, %v with %d", one, several, threads)
				}
				if again := firstLoss(t, threads, c.build, s, settings); again != several {
					t.Errorf("loss %v and then %v with %d threads", several, again, threads)
				}
			}
		})
	}
}

// A run may be resumed with another number of threads, and says so.
func TestResumeWithOtherThreads(t *testing.T) {
	s, c := basic.Cyclic(t, 120, 10), testConfig()
	c.Epochs = 2
	notice := ""
	o := Options{Seed: 5, Checkpoint: filepath.Join(t.TempDir(), "checkpoint"), Notice: func(text string) { notice = text }}
	fitWith := func(ctx context.Context, threads int, o Options) (r *Result) {
		err := withReplicas(threads, 5, smallSASRec, s, c, func(m *Replicas) (err error) {
			r, err = Fit(ctx, m, s, c, o)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(p Progress) {
		if p.Step == 3 {
			cancel()
		}
	}
	if r := fitWith(ctx, 1, o); r.Status != StopInterrupt || !slices.Equal(r.Threads, []int{1}) || notice != "" {
		t.Fatalf("%+v, notice %q", r, notice)
	}
	o.Progress = nil
	r, whole := fitWith(context.Background(), 2, o), fitWith(context.Background(), 2, Options{Seed: 5})
	if !r.Resumed || !slices.Equal(r.Threads, []int{1, 2}) || !strings.Contains(notice, "with 2 threads from a checkpoint that 1 wrote") {
		t.Errorf("%+v, notice %q", r, notice)
	}
	if got, want := r.Curve[0].Loss, whole.Curve[0].Loss; math.Abs(got-want) > 1e-6*want {
		t.Errorf("loss %v, undisturbed %v", got, want)
	}
}

func TestFollow(t *testing.T) {
	for maxLen, want := range map[int]int{1: 1, 2: 1, 3: 1, 10: 5, 50: 25, 51: 25, 200: 100} {
		c := Defaults()
		c.MaxLen = maxLen
		if c.FollowMaxLen(); c.Stride != want || c.Validate(0) != nil {
			t.Errorf("max_len %d: stride %d, want %d (%v)", maxLen, c.Stride, want, c.Validate(0))
		}
	}
	for _, bad := range []func(*Config){
		func(c *Config) { c.TimeLimit = math.Inf(1) }, func(c *Config) { c.TimeLimit = math.NaN() }, func(c *Config) { c.CheckpointEvery = math.Inf(1) },
	} {
		c := Defaults()
		bad(&c)
		if err := c.Validate(0); err == nil || !strings.HasPrefix(err.Error(), "train.") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
