package experiment

import (
	"strings"
	"testing"

	"famebench/internal/record"
)

// Whatever differs is named. What only rounding moved shows in the geometry of the user
// vectors first: losses and metrics may be the same, as with ATEN_CPU_CAPABILITY=default.
func TestCompareNamesTheDifference(t *testing.T) {
	result := func() *record.Record {
		r := &record.Record{ResultSHA256: "1"}
		r.Result.Curve = []record.Point{{Epoch: 1, Loss: 4, Valid: record.Metrics{"MRR": .2}, Alignment: 1.1, Uniformity: -2.5}}
		r.Result.Pretrain = &record.Pretrain{Items: 7}
		return r
	}
	for _, tc := range []struct {
		name   string
		change func(*record.Result)
		want   string
	}{
		{"loss", func(r *record.Result) { r.Curve[0].Loss = 3 }, "epoch 1: loss 4.000000, now 3.000000"},
		{"validation", func(r *record.Result) { r.Curve[0].Valid["MRR"] = .3 }, "epoch 1: validation MRR"},
		{"alignment", func(r *record.Result) { r.Curve[0].Alignment += 1e-7 }, "epoch 1: alignment of the user vectors 1.1, now 1.1000001"},
		{"uniformity", func(r *record.Result) { r.Curve[0].Uniformity -= 1e-7 }, "epoch 1: uniformity of the user vectors -2.5, now -2.5000001"},
		{"pre-training", func(r *record.Result) { r.Pretrain.Items = 8 }, "what pre-training came to"},
		{"none of these", func(*record.Result) {}, "the hash of the result only"},
	} {
		again := result()
		again.ResultSHA256 = "2"
		tc.change(&again.Result)
		v := compare(result(), again)
		if v.Result != Within || len(v.Differences) != 1 || !strings.Contains(v.Differences[0], tc.want) {
			t.Errorf("%s: %s, %q; want within tolerance, and %q", tc.name, v.Result, v.Differences, tc.want)
		}
	}
}
