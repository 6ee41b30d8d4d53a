package baselines

import (
	"slices"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/models"
)

func TestOracleBERT4Rec(t *testing.T) {
	build := func(rt *torch.Runtime, _ oracle.Case, cfg oracleConfig) (*BERT4Rec, error) {
		return NewBERT4Rec(rt, &BERT4RecConfig{cfg.transformer(), "right"}, oracleLoss, cfg.Items-1, cfg.MaxLen)
	}
	eachOracle(t, []string{"bert4rec"}, build, func(t *testing.T, rt *torch.Runtime, c oracle.Case, cfg oracleConfig, m *BERT4Rec) {
		var in struct {
			Masked        [][]int64  `json:"train_masked_item_seq"`
			Original      [][3]int64 `json:"train_masked"` // row, position, item
			Test          [][]int64  `json:"test_item_seq"`
			TestLen       []int64    `json:"test_item_seq_len"`
			TestRecBole   [][]int64  `json:"test_input_recbole"`
			GatherRecBole []int64    `json:"test_gather_recbole"`
		}
		var want struct {
			TrainHidden   [][]float64 `json:"train_hidden"`
			TrainLogits   [][]float64 `json:"train_logits"`
			Loss          float64
			LossAllMasked float64     `json:"loss_all_masked"`
			Scores        [][]float64 `json:"scores"`
			ScoresAppend  [][]float64 `json:"scores_append"`
		}
		c.Decode(t, nil, &in, &want)
		lengths := make([]int64, len(in.Masked))
		first := make([]int64, len(in.Masked))
		for i, row := range in.Masked {
			lengths[i] = int64(len(row))
			if end := slices.Index(row, 0); end >= 0 {
				lengths[i] = int64(end)
			}
			if i > 0 {
				first[i] = first[i-1] + lengths[i-1]
			}
		}
		// The masked items, put back.
		all := ragged(in.Masked, lengths, nil)
		all.Position = nil
		later := &models.Batch{} // without masks at the first position: RecBole's loss
		for _, m := range in.Original {
			at := first[m[0]] + m[1]
			all.Items[at] = m[2]
			all.Position, all.Target = append(all.Position, at), append(all.Target, m[2])
			if m[1] > 0 {
				later.Position, later.Target = append(later.Position, at), append(later.Target, m[2])
			}
		}
		masked := ragged(in.Masked, lengths, nil)
		hidden := m.encode(masked, all.Position)
		oracle.Near(t, "train_hidden", hidden.HostFloats(), oracle.Flatten(want.TrainHidden), 1e-5)
		checkScores(t, "train_logits", m, hidden, want.TrainLogits)
		checkLoss(t, c, m, all, want.LossAllMasked, "grads_all_masked.safetensors")

		// The items at position 0 stay masked although they are not predicted.
		later.Items, later.Lengths = masked.Items, masked.Lengths
		checkLoss(t, c, m, later, want.Loss, "grads.safetensors")

		checkScores(t, "scores_append", m, m.Users(ragged(in.Test, in.TestLen, nil)), want.ScoresAppend)
		recbole := make([]int64, len(in.GatherRecBole)) // the mask is the last item
		for i, at := range in.GatherRecBole {
			recbole[i] = at + 1
		}
		shifted := ragged(in.TestRecBole, recbole, nil)
		checkScores(t, "scores", m, m.encode(shifted, shifted.LastPositions()), want.Scores)
	})
}

// A mask is appended to every history; the oldest item is dropped only if there
// is no room.
func TestBERT4RecMask(t *testing.T) {
	m := &BERT4Rec{items: 9, maxLen: 3}
	got := m.withMask(&models.Batch{Items: []int64{1, 2, 3, 4, 0, 5, 6, 7}, Lengths: []int64{1, 3, 1, 2, 1}})
	if want := []int64{1, 10, 3, 4, 10, 10, 5, 6, 10, 7, 10}; !slices.Equal(got.Items, want) {
		t.Errorf("items %v, want %v", got.Items, want)
	}
	if want := []int64{2, 3, 1, 3, 2}; !slices.Equal(got.Lengths, want) {
		t.Errorf("lengths %v, want %v", got.Lengths, want)
	}
}
