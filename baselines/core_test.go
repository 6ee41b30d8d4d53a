package baselines

import (
	"math"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/models"
)

func TestOracleCORE(t *testing.T) {
	build := func(rt *torch.Runtime, c oracle.Case, cfg oracleConfig) (*CORE, error) {
		config := COREDefaults()
		var own struct {
			Variant     string
			Temperature float64
		}
		c.Decode(t, &own, nil, nil)
		config.Encoder, config.Temperature = own.Variant, own.Temperature
		if config.TransformerConfig = cfg.transformer(); own.Variant == coreAverage { // "ave" has no layers
			config.TransformerConfig = models.TransformerDefaults()
			config.Hidden = cfg.Hidden
		}
		return NewCORE(rt, config, oracleLoss, cfg.Items-1, cfg.MaxLen)
	}
	eachOracle(t, []string{"core_trm", "core_ave"}, build, func(t *testing.T, rt *torch.Runtime, c oracle.Case, cfg oracleConfig, m *CORE) {
		var in struct {
			Seq    [][]int64 `json:"item_seq"`
			Len    []int64   `json:"item_seq_len"`
			Target []int64
		}
		var want struct {
			Session [][]float64 `json:"session_emb"`
			Scores  [][]float64
			Loss    float64
		}
		c.Decode(t, nil, &in, &want)
		b := ragged(in.Seq, in.Len, in.Target)
		oracle.Near(t, "session_emb", m.Users(b).Scale(m.config.Temperature).HostFloats(), oracle.Flatten(want.Session), 1e-5)
		checkScores(t, "scores", m, m.Users(b), want.Scores)
		checkLoss(t, c, m, b, want.Loss, "grads.safetensors")

		// All prefixes in one pass give the loss and the gradients of the prefixes
		// one by one.
		every := everywhere(in.Seq, in.Len, in.Target)
		prefixes := &models.Batch{Target: every.Target}
		first := int64(0)
		for _, n := range in.Len {
			for end := first + 1; end <= first+n; end++ {
				prefixes.Items = append(prefixes.Items, every.Items[first:end]...)
				prefixes.Lengths = append(prefixes.Lengths, end-first)
			}
			first += n
		}
		prefixes.Position = prefixes.LastPositions()
		type outcome struct {
			loss  float64
			grads map[string][]float32
		}
		of := func(b *models.Batch) (o outcome) {
			m.Params().ZeroGrad()
			loss := m.Loss(b)
			loss.Backward()
			o.loss, o.grads = loss.Item(), map[string][]float32{}
			for _, name := range m.Params().Names() {
				o.grads[name] = m.Params().Grad(name)
			}
			return o
		}
		one, each := of(every), of(prefixes)
		if !(math.Abs(one.loss-each.loss) <= 1e-5) {
			t.Errorf("loss %v in one pass, %v one by one", one.loss, each.loss)
		}
		for name, g := range one.grads {
			want := make([]float64, len(g))
			for i, v := range each.grads[name] {
				want[i] = float64(v)
			}
			oracle.NearGradient(t, "gradient of "+name+" in one pass", g, want)
		}
	})
}

// With equal weights there is no transformer, so nothing about one is refused: a spec leaves its
// settings out, and the defaults may not fit a hidden size that does not need them.
func TestCOREWithEqualWeightsNeedsNoHeads(t *testing.T) {
	c := COREDefaults()
	c.Hidden, c.Heads = 63, 2
	if err := c.Validate(); err == nil {
		t.Error("a transformer with 2 heads of 63/2 was accepted")
	}
	c.Encoder = coreAverage
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Hidden = 0
	if err := c.Validate(); err == nil {
		t.Error("no hidden size was accepted")
	}
}
