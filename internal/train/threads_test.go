package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/models"
)

// Dropout masks and sampled negatives are drawn by each thread for its share of a
// batch: with either, another number of threads is like another seed, as docs/records.md
// says. Without both the loss differs by rounding only.
func TestThreadsDrawTheirOwnNumbers(t *testing.T) {
	s := basic.Cyclic(t, 120, 10)
	loss := func(threads int, dropout float64, kind string) (l float64) {
		c := testConfig()
		c.Epochs, c.Loss, c.Negatives = 1, kind, 2
		config := smallTransformer()
		config.Dropout, config.AttnDropout = dropout, dropout
		build := func(rt *torch.Runtime, loss models.ItemLoss, items, maxLen int) (models.Model, error) {
			return baselines.NewSASRec(rt, &baselines.SASRecConfig{TransformerConfig: config}, loss, items, maxLen)
		}
		err := withReplicas(threads, 1, build, s, c, func(m *Replicas) error {
			r, err := Fit(context.Background(), m, s, c, Options{Seed: 1})
			if err == nil {
				l = r.Curve[0].Loss
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, c := range []struct {
		dropout  float64
		kind     string
		rounding bool
	}{{0, "ce", true}, {.3, "ce", false}, {0, "sampled-softmax", false}} {
		one, two := loss(1, c.dropout, c.kind), loss(2, c.dropout, c.kind)
		if d := math.Abs(one - two); (d < 1e-5) != c.rounding {
			t.Errorf("dropout %v, %s: loss %v with 1 thread, %v with 2", c.dropout, c.kind, one, two)
		}
		if again := loss(2, c.dropout, c.kind); again != two {
			t.Errorf("dropout %v, %s: loss %v and then %v with 2 threads", c.dropout, c.kind, two, again)
		}
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
