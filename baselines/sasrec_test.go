package baselines

import (
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
)

func TestOracleSASRec(t *testing.T) {
	build := func(rt *torch.Runtime, _ oracle.Case, cfg oracleConfig) (*SASRec, error) {
		return NewSASRec(rt, &SASRecConfig{cfg.transformer()}, oracleLoss, cfg.Items-1, cfg.MaxLen)
	}
	eachOracle(t, []string{"sasrec", "sasrec_allpos"}, build, func(t *testing.T, rt *torch.Runtime, c oracle.Case, cfg oracleConfig, m *SASRec) {
		var in struct {
			Seq          [][]int64 `json:"item_seq"`
			Len          []int64   `json:"item_seq_len"`
			Target       []int64
			PrefixSeq    [][]int64 `json:"prefix_item_seq"`
			PrefixLen    []int64   `json:"prefix_item_seq_len"`
			PrefixTarget []int64   `json:"prefix_target"`
		}
		var want struct {
			HiddenLast  [][]float64   `json:"hidden_last"`
			HiddenValid [][][]float64 `json:"hidden_valid"`
			Scores      [][]float64
			ScoresValid [][][]float64 `json:"scores_valid"`
			Loss        float64
			LossAllPos  float64 `json:"loss_allpos"`
			LossPrefix  float64 `json:"loss_prefix"`
		}
		c.Decode(t, nil, &in, &want)
		last, every := ragged(in.Seq, in.Len, in.Target), everywhere(in.Seq, in.Len, in.Target)
		if c.Name == "sasrec" {
			oracle.Near(t, "hidden_last", m.Users(last).HostFloats(), oracle.Flatten(want.HiddenLast), 1e-5)
			checkScores(t, "scores", m, m.Users(last), want.Scores)
			oracle.Near(t, "hidden_valid", m.encode(every, every.Position).HostFloats(), oracle.Flatten(oracle.Flatten(want.HiddenValid)), 1e-5)
			checkLoss(t, c, m, last, want.Loss, "grads.safetensors")
			return
		}
		checkScores(t, "scores_valid", m, m.encode(every, every.Position), oracle.Flatten(want.ScoresValid))
		checkLoss(t, c, m, every, want.LossAllPos, "grads.safetensors")
		checkLoss(t, c, m, ragged(in.PrefixSeq, in.PrefixLen, in.PrefixTarget), want.LossPrefix, "grads_prefix.safetensors")
	})
}
