package run

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"reflect"
	"strings"

	"famebench/internal/rank"
	"famebench/internal/record"
)

// Tolerance is the relative difference up to which a test metric of a rerun
// counts as the same result. On the machine of the record a rerun is equal to
// the last bit; other processors and libraries round differently.
const Tolerance = 0.02

// Verdict is the outcome of comparing a rerun with a record.
type Verdict struct {
	ID string `json:"id"`
	// Result is "equal" (the same hash), "within tolerance" (every test metric
	// within Tolerance) or "different".
	Result      string   `json:"result"`
	Differences []string `json:"differences"` // where, in words
}

// Verdicts.
const (
	Equal     = "equal"
	Within    = "within tolerance"
	Different = "different"
)

// keepWeights copies the weights of a repeated run to the place of the original's,
// if these are missing or unusable. A non-neural baseline has none.
func keepWeights(store record.Store, again record.Store, id string) error {
	path := store.WeightsPath(id)
	_, _, unusable := readWeights(path, id)
	if unusable == nil {
		return nil
	}
	f, _, err := readWeights(again.WeightsPath(id), id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if store.Notice != nil && !errors.Is(unusable, fs.ErrNotExist) {
		store.Notice(unusable.Error() + "; they are replaced by those of the repeated run")
	}
	if err := store.MakeFolder("weights"); err != nil {
		return err
	}
	_, err = writeWeights(path, id, f.Tensors)
	return err
}

// Compare compares a repeated run, whose files are in the store again, with the
// original, whose files are in store. If the original's weights are missing or
// damaged (they are not in git) and the results agree, those of the repeated run
// replace them.
func Compare(original, repeated *record.Record, store, again record.Store) (Verdict, error) {
	v := compare(original, repeated)
	if v.Result != Different {
		if err := keepWeights(store, again, v.ID); err != nil {
			return v, err
		}
	}
	if v.Result != Equal {
		if !original.Result.Spec.ValidationOnly { // which ranks no test case
			v.Differences = append(v.Differences, compareRanks(store.RanksPath(v.ID), again.RanksPath(v.ID))...)
		}
		v.Differences = append(v.Differences, compareMachines(original.Measured, repeated.Measured)...)
	}
	return v, nil
}

// compare says whether b is the same result as a, and where it differs.
func compare(a, b *record.Record) Verdict {
	v := Verdict{ID: a.ID, Result: Equal, Differences: []string{}}
	if a.ResultSHA256 == b.ResultSHA256 {
		return v
	}
	v.Result = Within
	add := func(format string, args ...any) { v.Differences = append(v.Differences, fmt.Sprintf(format, args...)) }
	x, y := a.Result, b.Result
	if x.Status != y.Status {
		add("training ended by %s, now by %s", x.Status, y.Status)
	}
	if x.Epochs != y.Epochs || x.BestEpoch != y.BestEpoch {
		add("%d epochs with the best at %d, now %d with the best at %d", x.Epochs, x.BestEpoch, y.Epochs, y.BestEpoch)
	}
	if text := compareCurves(x.Curve, y.Curve); text != "" {
		add("%s", text)
	}
	if !samePretraining(x.Pretrain, y.Pretrain) {
		add("the outcome of pre-training")
	}
	if !reflect.DeepEqual(x.ColdValidation, y.ColdValidation) {
		add("the metrics of the cold validation cases, or the penalty chosen by them")
		if x.ColdValidation == nil || y.ColdValidation == nil {
			v.Result = Different
		}
	}
	if x.Users != y.Users {
		add("%d ranked users, now %d", x.Users, y.Users)
		v.Result = Different
	}
	for _, on := range judged(x, y) {
		for _, metric := range rank.MetricNames() {
			old, new := on.x[metric], on.y[metric]
			if old == new {
				continue
			}
			relative := math.Abs(new-old) / math.Max(math.Abs(old), math.Abs(new))
			add("%s %s%s: %.6f, now %.6f (%+.6f, %.2f %%)", on.cases, metric, on.how, old, new, new-old, 100*relative)
			if !(relative <= Tolerance) {
				v.Result = Different
			}
		}
	}
	if len(v.Differences) == 0 {
		add("only the hash of the result: another version of the program wrote its spec or its form")
	}
	return v
}

// metricsOn are the metrics of two results on the same cases.
type metricsOn struct {
	cases, how string
	x, y       record.Metrics
}

// judged are the metrics that decide whether two results agree: those of the test cases, or of a
// trial of a search, which has none, those that the search decides by.
func judged(x, y record.Result) []metricsOn {
	if !x.Spec.ValidationOnly {
		return []metricsOn{
			{"test", ", seen items removed", x.Test.Removed, y.Test.Removed},
			{"test", ", seen items kept", x.Test.Kept, y.Test.Kept},
		}
	}
	out := []metricsOn{{"validation", "", x.BestValidation(), y.BestValidation()}}
	if x.ColdValidation != nil && y.ColdValidation != nil {
		out = append(out,
			metricsOn{"cold validation", "", x.ColdValidation.Cold, y.ColdValidation.Cold},
			metricsOn{"validation", ", by the rule for untrained items", x.ColdValidation.Usual, y.ColdValidation.Usual})
	}
	return out
}

func compareCurves(a, b []record.Point) string {
	for i := range min(len(a), len(b)) {
		if a[i].Loss != b[i].Loss {
			return fmt.Sprintf("the training curve first differs in epoch %d: loss %.6f, now %.6f", a[i].Epoch, a[i].Loss, b[i].Loss)
		}
		for _, metric := range rank.MetricNames() {
			if a[i].Valid[metric] != b[i].Valid[metric] {
				return fmt.Sprintf("the training curve first differs in epoch %d: validation %s %.6f, now %.6f",
					a[i].Epoch, metric, a[i].Valid[metric], b[i].Valid[metric])
			}
		}
		if text := compareGeometry(a[i], b[i]); text != "" {
			return text
		}
	}
	return ""
}

func compareRanks(a, b string) []string {
	keptA, removedA, _, err := rank.ReadRanks(a)
	if err != nil {
		return []string{fmt.Sprintf("the record's ranks cannot be compared: %v", err)}
	}
	keptB, removedB, _, err := rank.ReadRanks(b)
	if err != nil || len(keptA) != len(keptB) {
		return nil // the number of users is compared above
	}
	n := 0
	for i := range keptA {
		if keptA[i] != keptB[i] || removedA[i] != removedB[i] {
			n++
		}
	}
	return []string{fmt.Sprintf("%d of %d users have another rank", n, len(keptA))}
}

// compareMachines lists possible reasons for a difference.
func compareMachines(a, b record.Measured) []string {
	var out []string
	for _, x := range []struct{ what, old, now string }{
		{"processor", a.Processor(), b.Processor()},
		{"environment", strings.Join(a.Environment, " "), strings.Join(b.Environment, " ")},
		{"threads", threads(a), threads(b)},
		{"weights that it begins with", begins(a), begins(b)},
		{"libtorch", a.Libtorch, b.Libtorch},
		{"matrix products", products(a), products(b)},
		{"code of the model", a.Code, b.Code},
		{"commit", a.Commit, b.Commit},
		{"system", a.OS, b.OS},
		{"Go", a.Go, b.Go},
	} {
		if x.old != x.now {
			out = append(out, fmt.Sprintf("possible reason: %s %q, now %q", x.what, x.old, x.now))
		}
	}
	return out
}

// begins identifies the weights of the source of a run; "" if it has none.
func begins(m record.Measured) string {
	if m.Source == nil {
		return ""
	}
	return fmt.Sprintf("%.8s of %s", m.Source.Weights, m.Source.ID)
}

// threads lists how many threads a run had, at last and before.
func threads(m record.Measured) string {
	return strings.Trim(fmt.Sprint(append([]int{m.Threads}, m.ThreadsBefore...)), "[]")
}

// products is what multiplied matrices: libtorch in records without the key.
func products(m record.Measured) string { return cmp.Or(m.Products, "libtorch") }

// WriteVerdict prints a verdict in words.
func WriteVerdict(w io.Writer, v Verdict) {
	fmt.Fprintf(w, "%s: %s\n", v.ID, v.Result)
	for _, d := range v.Differences {
		fmt.Fprintf(w, "  %s\n", d)
	}
}
