package run

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// Every difference is named. Rounding alone changes the geometry of the user vectors
// first: losses and metrics may be equal, as with ATEN_CPU_CAPABILITY=default.
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
		{"pre-training", func(r *record.Result) { r.Pretrain.Items = 8 }, "the outcome of pre-training"},
		{"none of these", func(*record.Result) {}, "only the hash of the result"},
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

// A trial of a search has no test metrics: those that the search decides by decide here too.
func TestCompareTrials(t *testing.T) {
	trial := func(valid, cold, usual float64) *record.Record {
		r := &record.Record{ResultSHA256: fmt.Sprint(valid, cold, usual)}
		r.Result.Spec.ValidationOnly, r.Result.BestEpoch = true, 1
		r.Result.Curve = []record.Point{{Epoch: 1, Valid: record.Metrics{"NDCG@10": valid}}}
		if cold > 0 {
			r.Result.ColdValidation = &record.ColdValidation{Cold: record.Metrics{"NDCG@10": cold}, Usual: record.Metrics{"NDCG@10": usual}}
		}
		return r
	}
	for _, tc := range []struct {
		a, b       *record.Record
		want, says string
	}{
		{trial(.07, 0, 0), trial(.07, 0, 0), Equal, ""},
		{trial(.07, 0, 0), trial(.0699, 0, 0), Within, "validation NDCG@10: 0.070000, now 0.069900"},
		{trial(.07, 0, 0), trial(.01, 0, 0), Different, "validation NDCG@10: 0.070000, now 0.010000"},
		{trial(.07, .02, .03), trial(.07, .01, .03), Different, "cold validation NDCG@10: 0.020000, now 0.010000"},
		{trial(.07, .02, .03), trial(.07, .02, .01), Different, "validation NDCG@10, by the rule for untrained items: 0.030000"},
		{trial(.07, .02, .03), trial(.07, 0, 0), Different, "the cold validation cases"},
	} {
		v := compare(tc.a, tc.b)
		if v.Result != tc.want || !strings.Contains(strings.Join(v.Differences, "\n"), tc.says) {
			t.Errorf("%s and %s: %s, %q; want %s, %q", tc.a.ResultSHA256, tc.b.ResultSHA256, v.Result, v.Differences, tc.want, tc.says)
		}
	}
}

func TestCompareNamesWhereTheCurveParts(t *testing.T) {
	a := &record.Record{ResultSHA256: "a", Result: record.Result{Status: record.Patience, Epochs: 2, BestEpoch: 1,
		Curve: []record.Point{{Epoch: 1, Loss: 9}, {Epoch: 2, Loss: 8, Valid: record.Metrics{"MRR": 0.1}}}}}
	b := &record.Record{ResultSHA256: "b", Result: record.Result{Status: record.Epochs, Epochs: 2, BestEpoch: 2,
		Curve: []record.Point{{Epoch: 1, Loss: 9}, {Epoch: 2, Loss: 8, Valid: record.Metrics{"MRR": 0.2}}}}}
	v := compare(a, b)
	want := `training ended by patience, now by epochs
2 epochs with the best at 1, now 2 with the best at 2
the training curve first differs in epoch 2: validation MRR 0.100000, now 0.200000`
	if got := strings.Join(v.Differences, "\n"); v.Result != Within || got != want {
		t.Errorf("%s\n%s\nwant\n%s", v.Result, got, want)
	}
}

// Records that are older than the key were made by libtorch's products.
func TestOtherProductsAreAReason(t *testing.T) {
	for _, tc := range []struct {
		old, now string
		want     []string
	}{
		{"", "avx512", []string{`possible reason: matrix products "libtorch", now "avx512"`}},
		{"avx512, bfloat16", "avx512, rounded to bfloat16", []string{`possible reason: matrix products "avx512, bfloat16", now "avx512, rounded to bfloat16"`}},
		{"", "libtorch", nil},
	} {
		if got := compareMachines(record.Measured{Products: tc.old}, record.Measured{Products: tc.now}); !slices.Equal(got, tc.want) {
			t.Errorf("products %q, now %q: %q, want %q", tc.old, tc.now, got, tc.want)
		}
	}
}

// A source that was trained again may have other weights than those that a run began with.
func TestOtherWeightsOfTheSourceAreAReason(t *testing.T) {
	of := func(weights string) record.Measured {
		return record.Measured{Source: &record.Inherited{ID: "d-sasrec-s0-0", Weights: weights}}
	}
	want := []string{`possible reason: weights that it begins with "01234567 of d-sasrec-s0-0", now "89abcdef of d-sasrec-s0-0"`}
	if got := compareMachines(of("0123456789"), of("89abcdef01")); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := compareMachines(of("0123456789"), of("0123456789")); got != nil {
		t.Errorf("equal weights: %q", got)
	}
}
