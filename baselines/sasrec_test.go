package baselines

import (
	"math"
	"slices"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/models"
)

// sasrecCase are the parts of the fixtures sasrec and sasrec_allpos that the
// test reads.
type sasrecConfig struct {
	Items  int `json:"n_items"` // padding included
	Hidden int
	Heads  int
	Layers int
	Inner  int
	MaxLen int `json:"max_len"`
}
type sasrecInputs struct {
	Seq        [][]int64 `json:"item_seq"`
	Len        []int64   `json:"item_seq_len"`
	Target     []int64
	NextItem   [][]int64 `json:"next_item"`
	PrefixSeq  [][]int64 `json:"prefix_item_seq"`
	PrefixLen  []int64   `json:"prefix_item_seq_len"`
	PrefixGoal []int64   `json:"prefix_target"`
}
type sasrecOutputs struct {
	HiddenLast  [][]float64   `json:"hidden_last"`
	HiddenValid [][][]float64 `json:"hidden_valid"`
	Scores      [][]float64
	ScoresValid [][][]float64 `json:"scores_valid"`
	Loss        float64
	LossAllPos  float64 `json:"loss_allpos"`
	LossPrefix  float64 `json:"loss_prefix"`
}

// Differs from the default model: the reference's softmax has padding as a
// class, so the loss is taken with ItemLoss.Padding.
func TestOracleSASRec(t *testing.T) { testOracleSASRec(t, "cpu") }

func TestOracleSASRecCUDA(t *testing.T) {
	if err := torch.Run(torch.Config{Device: "cuda"}, func(*torch.Runtime) error { return nil }); err != nil {
		t.Skip(err)
	}
	testOracleSASRec(t, "cuda")
}

func testOracleSASRec(t *testing.T, device string) {
	for _, c := range oracle.Cases(t, func(n string) bool { return n == "sasrec" || n == "sasrec_allpos" }) {
		t.Run(c.Name, func(t *testing.T) {
			var cfg sasrecConfig
			var in sasrecInputs
			var want sasrecOutputs
			c.Decode(t, &cfg, &in, &want)
			withOracleModel(t, device, c, cfg, func(rt *torch.Runtime, m *SASRec) {
				if c.Name == "sasrec" {
					last := &models.Batch{Rows: len(in.Seq), Len: cfg.MaxLen, Items: oracle.Flatten(in.Seq), Lengths: in.Len, Target: in.Target}
					last.Position = last.LastPositions()
					users := m.Users(last)
					oracle.Near(t, "hidden_last", users.HostFloats(), oracle.Flatten(want.HiddenLast), 1e-5)
					table, _ := m.Items()
					oracle.Near(t, "scores", users.MatMul(table.Transpose()).HostFloats(), oracle.Flatten(want.Scores), 1e-5)
					every := everyPosition(in)
					oracle.Near(t, "hidden_valid", m.at(every, every.Position).HostFloats(), oracle.Flatten(oracle.Flatten(want.HiddenValid)), 1e-5)
					checkLoss(t, c, m, last, want.Loss, "grads.safetensors")
					return
				}
				every := everyPosition(in)
				table, _ := m.Items()
				oracle.Near(t, "scores_valid", m.at(every, every.Position).MatMul(table.Transpose()).HostFloats(), oracle.Flatten(oracle.Flatten(want.ScoresValid)), 1e-5)
				checkLoss(t, c, m, every, want.LossAllPos, "grads.safetensors")
				prefixes := &models.Batch{Rows: len(in.PrefixSeq), Len: cfg.MaxLen, Items: oracle.Flatten(in.PrefixSeq), Lengths: in.PrefixLen, Target: in.PrefixGoal}
				prefixes.Position = prefixes.LastPositions()
				checkLoss(t, c, m, prefixes, want.LossPrefix, "grads_prefix.safetensors")
			})
		})
	}
}

func withOracleModel(t *testing.T, device string, c oracle.Case, cfg sasrecConfig, f func(*torch.Runtime, *SASRec)) {
	t.Helper()
	err := torch.Run(torch.Config{Device: device, Threads: 2, Seed: 1}, func(rt *torch.Runtime) error {
		m, err := NewSASRec(rt, &SASRecConfig{Hidden: cfg.Hidden, Layers: cfg.Layers, Heads: cfg.Heads, Inner: cfg.Inner, Dropout: .5, AttnDropout: .5},
			models.ItemLoss{Kind: "ce", Padding: true}, cfg.Items-1, cfg.MaxLen)
		if err != nil {
			return err
		}
		if err := m.Params().Load(c.Tensors(t, "weights.safetensors")); err != nil {
			return err
		}
		f(rt, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// everyPosition scores each item of the sequences but the first of each, and
// the target after the last.
func everyPosition(in sasrecInputs) *models.Batch {
	T := len(in.Seq[0])
	b := &models.Batch{Rows: len(in.Seq), Len: T, Items: oracle.Flatten(in.Seq), Lengths: in.Len}
	for i, n := range in.Len {
		for p := range n {
			b.Position = append(b.Position, int64(i*T)+p)
			if p+1 < n {
				b.Target = append(b.Target, in.Seq[i][p+1])
			} else {
				b.Target = append(b.Target, in.Target[i])
			}
		}
	}
	return b
}

// checkLoss compares the loss (1e-5) and the gradient of every parameter (1e-4
// and, stricter for small ones, 1e-5 + 1e-4·|expected|).
func checkLoss(t *testing.T, c oracle.Case, m models.Model, b *models.Batch, want float64, file string) {
	t.Helper()
	p := m.Params()
	p.ZeroGrad()
	loss := m.Loss(b)
	if got := loss.Item(); !(math.Abs(got-want) <= 1e-5) {
		t.Errorf("loss = %v, want %v", got, want)
	}
	loss.Backward()
	grads := c.Tensors(t, file)
	if len(grads) != len(p.Names()) {
		t.Errorf("%d parameters, reference has %d", len(p.Names()), len(grads))
	}
	for _, name := range slices.Sorted(slices.Values(p.Names())) {
		want := oracle.Floats(t, grads[name])
		got := p.Grad(name)
		oracle.Near(t, "gradient of "+name, got, want, 1e-4)
		for i := range got {
			if d := math.Abs(float64(got[i]) - want[i]); d > 1e-5+1e-4*math.Abs(want[i]) {
				t.Errorf("gradient of %s[%d] = %v, want %v", name, i, got[i], want[i])
				break
			}
		}
	}
}
