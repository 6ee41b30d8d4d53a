package models

import (
	"math"
	"testing"

	"famebench/internal/torch"
)

// Every loss against its formula in float64, with and without a bias per item.
func TestItemLoss(t *testing.T) {
	const items, K = 4, 2
	table := [][]float64{{9, 9}, {1, 0}, {0, 1}, {-1, 2}, {.5, -.5}} // row 0 is padding
	hidden := [][]float64{{.3, -.2}, {1, 2}}
	target := []int64{2, 4}
	negatives := map[string][]int64{"bce": {3, 1}, "gbce": {3, 1, 2, 2}, "sampled-softmax": {3, 1, 2, 2}}
	const calibration = .75
	logSigmoid := func(x float64) float64 { return -math.Log1p(math.Exp(-x)) }

	for _, bias := range [][]float64{{0, 0, 0, 0, 0}, {7, .1, -.2, .3, .4}} {
		score := func(row int, item int64) float64 {
			return hidden[row][0]*table[item][0] + hidden[row][1]*table[item][1] + bias[item]
		}
		want := map[string]float64{}
		for row := range target {
			pos := score(row, target[row])
			var all, withPadding, sampled, negGBCE float64
			for v := range int64(items + 1) {
				withPadding += math.Exp(score(row, v))
				if v > 0 {
					all += math.Exp(score(row, v))
				}
			}
			sampled = math.Exp(pos)
			for _, v := range negatives["gbce"][row*K : (row+1)*K] {
				sampled += math.Exp(score(row, v))
				negGBCE += logSigmoid(-score(row, v))
			}
			// gSASRec eq. 10 with α = K/(V−1) = 2/3.
			const alpha = float64(K) / (items - 1)
			beta := alpha * (calibration*(1-1/alpha) + 1/alpha)
			want["ce"] += (math.Log(all) - pos) / 2
			want["ce with padding"] += (math.Log(withPadding) - pos) / 2
			want["sampled-softmax"] += (math.Log(sampled) - pos) / 2
			want["bce"] += -(logSigmoid(pos) + logSigmoid(-score(row, negatives["bce"][row]))) / 2 / 2
			want["gbce"] += -(beta*logSigmoid(pos) + negGBCE) / (K + 1) / 2
		}
		err := torch.Run(torch.Config{Threads: 1}, func(rt *torch.Runtime) error {
			h, e, b := floats(rt, hidden), floats(rt, table), rt.Floats(float32s(bias), items+1)
			for name, w := range want {
				l := ItemLoss{Kind: name, Negatives: K, Calibration: calibration}
				if name == "ce with padding" {
					l.Kind, l.Padding = "ce", true
				}
				if err := l.Validate(items); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				batch := &Batch{Target: target, Negatives: negatives[l.Kind]}
				if got, n := len(batch.Negatives), l.SampledNegatives()*len(target); got != n {
					t.Errorf("%s needs %d negatives, the test has %d", name, n, got)
				}
				if got := l.Of(rt, h, ItemTable{Rows: e, Bias: b, Items: items}, batch).Item(); math.Abs(got-w) > 1e-5 {
					t.Errorf("%s with bias %v: %v, want %v", name, bias, got, w)
				}
				if bias[0] == 0 { // without a bias the result is that of zeros
					if got := l.Of(rt, h, ItemTable{Rows: e, Items: items}, batch).Item(); math.Abs(got-w) > 1e-5 {
						t.Errorf("%s without bias: %v, want %v", name, got, w)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestItemLossValidate(t *testing.T) {
	for _, l := range []ItemLoss{
		{Kind: "hinge"},
		{},
		{Kind: "gbce", Negatives: 0},
		{Kind: "sampled-softmax", Negatives: 10},
		{Kind: "gbce", Negatives: 1, Calibration: 1.5},
		{Kind: "gbce", Negatives: 1, Calibration: math.NaN()},
	} {
		if err := l.Validate(10); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
}

func floats(rt *torch.Runtime, rows [][]float64) torch.Tensor {
	var v []float32
	for _, r := range rows {
		v = append(v, float32s(r)...)
	}
	return rt.Floats(v, int64(len(rows)), int64(len(rows[0])))
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
