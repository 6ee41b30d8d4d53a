package launch

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
	"famebench/internal/tinytest"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// A model begins with the weights of its source, whatever the number of jobs, and after its
// weights were lost.
func TestSources(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "warm", "warm.models=[\"fame-warm\"]")
	r.Jobs = 3
	var ended []string
	r.Observe = func(_ int, one plan.Run, e run.Event) {
		if e.Kind == run.EventDone {
			ended = append(ended, one.ID)
		}
	}
	if got := statuses(r.Run(context.Background(), p.Runs)); strings.Count(got, " done") != 6 {
		t.Fatal(got)
	}
	var records []*record.Record
	for _, one := range p.Runs {
		if one.Source == nil {
			continue
		}
		rec, err := r.Store.Read(one.ID)
		if err != nil {
			t.Fatal(err)
		}
		source, err := r.Store.Read(one.Source.ID)
		if err != nil {
			t.Fatal(err)
		}
		from := rec.Measured.Source
		if from == nil || from.ID != source.ID || from.Weights != source.Measured.Weights || len(from.Weights) != 64 || from.Differ {
			t.Fatalf("%s begins with %+v, expected the weights %s of %s", rec.ID, from, source.Measured.Weights, source.ID)
		}
		if slices.Index(ended, source.ID) > slices.Index(ended, rec.ID) {
			t.Errorf("%s ended before its source", rec.ID)
		}
		if !slices.Contains(from.New, "facet.weight") || slices.Contains(from.New, "moe.0.q.weight") || !slices.Contains(from.Unused, "layers.1.ffn.in.weight") {
			t.Errorf("new %q, unused %q", from.New, from.Unused)
		}
		records = append(records, rec)
	}
	if records[0].ResultSHA256 == records[1].ResultSHA256 || len(records) != 3 {
		t.Error("seeds have the same result")
	}

	// Without its record and its source's weights, a run is repeated to the same record.
	last := p.Runs[len(p.Runs)-1]
	before, err := os.ReadFile(r.Store.RecordPath(last.Source.ID))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{r.Store.RecordPath(last.ID), r.Store.WeightsPath(last.Source.ID)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	preview, err := r.Preview(p)
	if err != nil {
		t.Fatal(err)
	}
	one, withWeights := preview.Runs[len(preview.Runs)-1], preview.left
	if one.State != plan.StateToRun || one.Comment != "first "+last.Source.ID+" again, whose weights are missing" || withWeights.Runs != 1 {
		t.Errorf("%+v", one)
	}
	estimator, err := NewEstimator(r.Store, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	if alone, ok := estimator.Of(p, last, false); !ok || withWeights.Each[len(p.Runs)-1] <= alone {
		t.Errorf("%v with the source and %v without", withWeights.Each, alone)
	}
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "sasrec reused, fame-warm reused, sasrec reused, fame-warm reused, sasrec reused, fame-warm done" {
		t.Fatal(got)
	}
	again, err := r.Store.Read(last.ID)
	if err != nil || again.ResultSHA256 != records[2].ResultSHA256 || again.Measured.Source.Differ {
		t.Errorf("%v: result %.8s, expected %.8s; weights differ %v", err, again.ResultSHA256, records[2].ResultSHA256, again.Measured.Source.Differ)
	}
	if after, err := os.ReadFile(r.Store.RecordPath(last.Source.ID)); err != nil || string(after) != string(before) {
		t.Errorf("the source's record changed (%v)", err)
	}

	// Weights that are not those of the source's record are noticed.
	source, err := r.Store.Read(last.Source.ID)
	if err == nil {
		source.Measured.Weights = strings.Repeat("0", 64)
		err = r.Store.Write(source)
	}
	if err == nil {
		err = os.Remove(r.Store.RecordPath(last.ID))
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Run(context.Background(), p.Runs)
	if again, err = r.Store.Read(last.ID); err != nil || !again.Measured.Source.Differ {
		t.Errorf("%v: other weights are not noticed", err)
	}

	// -verify trains the source again, too.
	if err := os.Remove(r.Store.WeightsPath(last.Source.ID)); err != nil {
		t.Fatal(err)
	}
	v, o, err := r.Verify(context.Background(), again, plan.RecordedJob(again, dir, r.Store.Dir, plan.Source{}))
	if err != nil || o.Status != OutcomeDone || v.Result != run.Equal {
		t.Errorf("verify: %v, %s %s, %s %q", err, o.Status, o.Reason, v.Result, v.Differences)
	}
}

// If a source is trained again because other code made it, so is what begins with its weights,
// unless they are the same.
func TestSourceOfOtherCode(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "warm", "warm.models=[\"fame-warm\"]", "warm.seeds=[0]")
	source, warm := p.Runs[0].ID, p.Runs[1].ID
	change := func(id string, f func(*record.Measured)) {
		t.Helper()
		rec, err := r.Store.Read(id)
		if err == nil {
			f(&rec.Measured)
			err = r.Store.Write(rec)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The records are those of a SASRec whose code was another.
	other := func(m *record.Measured) { m.Code, m.Weights = "other", strings.Repeat("5b", 32) }
	began := func(m *record.Measured) { m.Source.Weights = strings.Repeat("5b", 32) }
	for _, step := range []struct {
		what            string
		source, warm    func(*record.Measured)
		again           bool
		planned, result string
	}{
		{"no records", nil, nil, true, "to run to run", "sasrec done, fame-warm done"},
		{"the same code", nil, nil, true, "done done", "sasrec reused, fame-warm reused"},
		{"another source, not asked for", other, began, false, "done done", "sasrec reused, fame-warm reused"},
		{"another source", nil, nil, true, "to run to run", "sasrec done, fame-warm done"},
		{"made again", nil, nil, true, "done done", "sasrec reused, fame-warm reused"},
		{"another source with the same weights", func(m *record.Measured) { m.Code = "other" }, nil, true, "to run to run", "sasrec done, fame-warm reused"},
		{"only the source was made again", nil, began, true, "done to run", "sasrec reused, fame-warm done"},
		{"weights that differ, and the record says so", nil, func(m *record.Measured) { began(m); m.Source.Differ = true }, true, "done done", "sasrec reused, fame-warm reused"},
	} {
		if step.source != nil {
			change(source, step.source)
		}
		if step.warm != nil {
			change(warm, step.warm)
		}
		runs := slices.Clone(p.Runs)
		from := *runs[1].Source
		runs[1].Source = &from
		runs[0].Job.Again, runs[1].Job.Again, from.Job.Again = step.again, step.again, step.again
		var planned []string
		for _, one := range runs {
			s, err := one.State(r.Store)
			if err != nil {
				t.Fatal(err)
			}
			planned = append(planned, s.Status)
		}
		if got := strings.Join(planned, " "); got != step.planned {
			t.Errorf("%s: planned %q, expected %q", step.what, got, step.planned)
		}
		if got := statuses(r.Run(context.Background(), runs)); got != step.result {
			t.Errorf("%s: %q, expected %q", step.what, got, step.result)
		}
	}
}

// A checkpoint continues only training that begins with the same weights, on the same kind of
// processor: after the source was trained again, to other weights, a run begins again.
func TestCheckpointOfOtherSourceWeights(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "warm", "warm.models=[\"fame-warm\"]", "warm.seeds=[0]")
	p.Runs[1].Job.KeepCheckpoint = true
	source, warm := p.Runs[0].ID, p.Runs[1].ID
	do := func() *record.Record {
		t.Helper()
		if got := statuses(r.Run(context.Background(), p.Runs)); !strings.HasSuffix(got, "fame-warm done") {
			t.Fatal(got)
		}
		rec, err := r.Store.Read(warm)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Store.RemoveRecord(warm); err != nil {
			t.Fatal(err)
		}
		return rec
	}
	first, same := do(), do()
	if first.Measured.Resumed || !same.Measured.Resumed || same.ResultSHA256 != first.ResultSHA256 {
		t.Errorf("the same weights: resumed %v and %v, results %.8s and %.8s", first.Measured.Resumed, same.Measured.Resumed, first.ResultSHA256, same.ResultSHA256)
	}
	t.Setenv(torch.ProductsVariable, "libtorch") // as on another kind of processor
	if other := do(); other.Measured.Resumed || other.Measured.Products == first.Measured.Products {
		t.Errorf("with %s in place of %s: resumed %v", other.Measured.Products, first.Measured.Products, other.Measured.Resumed)
	}
	t.Setenv(torch.ProductsVariable, "")
	f, err := safetensors.Read(r.Store.WeightsPath(source))
	if err != nil {
		t.Fatal(err)
	}
	values, err := f.Tensors["item_emb.weight"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range values {
		values[i] *= 2
	}
	f.Tensors["item_emb.weight"] = safetensors.FromFloat32s(f.Tensors["item_emb.weight"].Shape, values)
	f.Seal()
	if err := safetensors.Write(r.Store.WeightsPath(source), f); err != nil {
		t.Fatal(err)
	}
	other := do()
	if other.Measured.Resumed || other.Measured.Source.Weights == first.Measured.Source.Weights || other.ResultSHA256 == first.ResultSHA256 {
		t.Errorf("other weights: resumed %v, result %.8s, before %.8s", other.Measured.Resumed, other.ResultSHA256, first.ResultSHA256)
	}
}

// Weights that are missing are trained again to the end, whatever the time limit of the run that
// begins with them.
func TestTimeLimitOfASource(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "warm", "warm.models=[\"fame-warm\"]", "warm.seeds=[0]")
	r.Run(context.Background(), p.Runs)
	before, err := safetensors.Read(r.Store.WeightsPath(p.Runs[0].ID))
	if err == nil {
		err = errors.Join(os.Remove(r.Store.WeightsPath(p.Runs[0].ID)), r.Store.RemoveRecord(p.Runs[1].ID))
	}
	if err != nil {
		t.Fatal(err)
	}
	p, r = tinyPlan(t, dir, "warm", "warm.models=[\"fame-warm\"]", "warm.seeds=[0]", "train.time_limit=1e-9")
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "sasrec reused, fame-warm failed" { // by its own limit
		t.Error(got)
	}
	if after, err := safetensors.Read(r.Store.WeightsPath(p.Runs[0].ID)); err != nil || after.Sum() != before.Sum() {
		t.Errorf("%v: the source's weights are not those before", err)
	}
}

// Two workers share the runs: each is done once, and a run whose source the other worker trains
// waits for it.
func TestSourcesOnTwoWorkers(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, first := tinyPlan(t, dir, "warm", "warm.models=[\"fame-warm\"]", "warm.seeds=[0, 1]")
	second := &Runner{Store: first.Store, Poll: first.Poll}
	var all sync.WaitGroup
	outcomes := make([][]Outcome, 2)
	for i, r := range []*Runner{first, second} {
		r.Spread = true
		all.Go(func() { outcomes[i] = r.Run(context.Background(), p.Runs) })
	}
	all.Wait()
	for i, a := range outcomes[0] {
		b := outcomes[1][i]
		got := []string{a.Status, b.Status}
		if slices.Sort(got); !slices.Equal(got, []string{OutcomeDone, OutcomeReused}) {
			t.Errorf("%s: %q (%s, %s), expected it to be done once", a.Run.ID, got, a.Reason, b.Reason)
		}
		if rec, err := first.Store.Read(a.Run.ID); err != nil || a.Run.Source != nil && rec.Measured.Source.Differ {
			t.Errorf("%s: %v", a.Run.ID, err)
		}
	}
}

// A run whose source failed is not begun, and says why.
func TestSourceFails(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "warm", "warm.models=[\"fism\"]", "warm.seeds=[0]", "fism.init_from=diverges")
	r.Jobs = 2
	outcomes := r.Run(context.Background(), p.Runs)
	if got := statuses(outcomes); got != "diverges failed, fism failed" {
		t.Fatal(got)
	}
	if got := outcomes[1].Reason; !strings.Contains(got, "begins with the weights of tiny-diverges-s0-") || !strings.Contains(got, "NaN") {
		t.Errorf("reason %q", got)
	}
}

// Weights that do not fit are refused, and those that share nothing too.
func TestSourceDoesNotFit(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	for model, want := range map[string]string{
		"bert4rec": `expected "item_emb.weight" of shape [22 8], got [21 8]`, // it has a row for masked items
		"fism":     "no parameter in common",
	} {
		p, r := tinyPlan(t, dir, "warm", "warm.models=[\""+model+"\"]", "warm.seeds=[0]", "bert4rec.hidden=8", model+".init_from=sasrec")
		o := r.Run(context.Background(), p.Runs)[1]
		if o.Status != OutcomeFailed || !strings.Contains(o.Reason, want) {
			t.Errorf("%s: %s %q, expected %q", model, o.Status, o.Reason, want)
		}
	}
}

// A run that continues from a shorter one has the record of an undisturbed run.
func TestContinueFromAShorterRun(t *testing.T) {
	do := func(r *Runner, p *plan.Plan) *record.Record {
		t.Helper()
		if o := r.Run(context.Background(), p.Runs)[0]; o.Status != OutcomeDone {
			t.Fatalf("%s: %s", o.Status, o.Reason)
		}
		rec, err := r.Store.Read(p.Runs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	sets := []string{"neural.seeds=[0]", "sasrec.train.patience=2"}
	p, r := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "neural", append(sets, "neural.train.epochs=5")...)
	want := do(r, p)

	dir := tinytest.Folder(t, tinytest.Config)
	short, r := tinyPlan(t, dir, "neural", append(sets, "neural.train.epochs=2")...)
	short.Runs[0].Job.KeepCheckpoint = true
	do(r, short)
	long, r := tinyPlan(t, dir, "neural", append(sets, "neural.train.epochs=5")...)
	long.Runs[0].Job.ContinueFrom = short.Runs[0].ID
	if got := do(r, long); got.ResultSHA256 != want.ResultSHA256 || !got.Measured.Resumed || want.Measured.Resumed {
		t.Errorf("result %.8s, expected %.8s; continued: %v", got.ResultSHA256, want.ResultSHA256, got.Measured.Resumed)
	}
	// The shorter run's checkpoint stays, the longer one's does not.
	if _, err := os.Stat(r.Store.CheckpointPath(short.Runs[0].ID)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.Store.CheckpointPath(long.Runs[0].ID)); err == nil {
		t.Error("the checkpoint of the longer run stays")
	}
	// A checkpoint that cannot be used makes it start over, to the same record.
	if err := os.WriteFile(r.Store.CheckpointPath(short.Runs[0].ID), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Store.RemoveRecord(long.Runs[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := do(r, long); got.ResultSHA256 != want.ResultSHA256 || got.Measured.Resumed {
		t.Errorf("result %.8s, expected %.8s; continued: %v", got.ResultSHA256, want.ResultSHA256, got.Measured.Resumed)
	}
}
