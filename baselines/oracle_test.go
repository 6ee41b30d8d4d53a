package baselines

import (
	"math"
	"slices"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/models"
)

// oracleConfig are the sizes of a fixture's model.
type oracleConfig struct {
	Items  int `json:"n_items"` // padding included
	Hidden int
	Heads  int
	Layers int
	Inner  int
	MaxLen int `json:"max_len"`
}

// transformer has dropout, which must have no effect outside training.
func (c oracleConfig) transformer() models.TransformerConfig {
	return models.TransformerConfig{Hidden: c.Hidden, Layers: c.Layers, Heads: c.Heads, Inner: c.Inner, Dropout: .5, AttnDropout: .5}
}

// oracleLoss differs from the default, because in the references padding is a
// class of the softmax.
var oracleLoss = models.ItemLoss{Kind: "ce", Padding: true}

// eachOracle runs f on the named cases with a model that has the case's weights.
func eachOracle[M models.Model](t *testing.T, names []string, build func(rt *torch.Runtime, c oracle.Case, cfg oracleConfig) (M, error), f func(t *testing.T, rt *torch.Runtime, c oracle.Case, cfg oracleConfig, m M)) {
	oracle.OnDevices(t, func(t *testing.T, device string) {
		for _, c := range oracle.Cases(t, func(n string) bool { return slices.Contains(names, n) }) {
			t.Run(c.Name, func(t *testing.T) {
				var cfg oracleConfig
				c.Decode(t, &cfg, nil, nil)
				err := torch.Run(torch.Config{Device: device, Threads: 2, Seed: 1}, func(rt *torch.Runtime) error {
					m, err := build(rt, c, cfg)
					if err != nil {
						return err
					}
					if err := m.Params().Load(c.Tensors(t, "weights.safetensors")); err != nil {
						return err
					}
					f(t, rt, c, cfg, m)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// ragged makes a batch of right-padded rows. The scored positions are those of
// the last items.
func ragged(rows [][]int64, lengths, target []int64) *models.Batch {
	b := &models.Batch{Lengths: lengths, Target: target}
	for i, row := range rows {
		b.Items = append(b.Items, row[:lengths[i]]...)
	}
	b.Position = b.LastPositions()
	return b
}

// everywhere scores every item of the sequences except the first of each, and
// the target after the last.
func everywhere(rows [][]int64, lengths, target []int64) *models.Batch {
	b := ragged(rows, lengths, nil)
	b.Position = nil
	for i := range b.Items {
		b.Position = append(b.Position, int64(i))
	}
	for i, n := range lengths {
		b.Target = append(append(b.Target, rows[i][1:n]...), target[i])
	}
	return b
}

// checkScores compares the scores of all rows of the table except those after
// the items.
func checkScores(t *testing.T, what string, m models.Model, users torch.Tensor, want [][]float64) {
	t.Helper()
	items := m.Items()
	scores := users.MatMul(items.Rows.Narrow(0, 0, int64(len(want[0]))).Transpose())
	if items.Bias.Defined() {
		scores = scores.Add(items.Bias)
	}
	oracle.Near(t, what, scores.HostFloats(), oracle.Flatten(want), 1e-5)
}

// checkLoss compares the loss (1e-5) and the gradient of every parameter.
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
	var got [][]float32
	var reference [][]float64
	for _, name := range slices.Sorted(slices.Values(p.Names())) {
		got, reference = append(got, p.Grad(name)), append(reference, oracle.Floats(t, grads[name]))
		oracle.NearGradient(t, "gradient of "+name, p.Grad(name), oracle.Floats(t, grads[name]))
	}
	p.ZeroGrad()
	p.Runtime().SetBFloat16(true)
	defer p.Runtime().SetBFloat16(false)
	loss = m.Loss(b)
	loss.Backward()
	oracle.NearInBFloat16(t, "loss", []float32{float32(loss.Item())}, []float64{want})
	for i, name := range slices.Sorted(slices.Values(p.Names())) {
		got[i] = p.Grad(name)
	}
	oracle.NearInBFloat16(t, "gradient", oracle.Flatten(got), oracle.Flatten(reference))
}
