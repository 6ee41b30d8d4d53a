package plan

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/tinytest"
	"famebench/models"
)

// Files of tuned values are committed, so another layout of the same values would change
// committed files.
func TestTunedText(t *testing.T) {
	models := map[string]any{}
	put(models, []string{"fame", "datasets", "beauty", "pretrain", "scale"}, 4.0)
	put(models, []string{"fame", "datasets", "beauty", "heads"}, int64(4))
	put(models, []string{"fame", "datasets", "b.y", "train", "loss"}, "a\n[b]\n'\"")
	const want = `[models]
[models.fame]
[models.fame.datasets]
[models.fame.datasets."b.y"]
[models.fame.datasets."b.y".train]
loss = "a\n[b]\n'\""

[models.fame.datasets.beauty]
heads = 4

[models.fame.datasets.beauty.pretrain]
scale = 4.0
`
	if got, err := tunedText(map[string]any{"models": models}); err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if got, err := tunedText(map[string]any{"models": map[string]any{}}); err != nil || string(got) != "[models]\n" {
		t.Errorf("nothing chosen: %v, %q", err, got)
	}
}

// Half of the trials survive a rung, rounded up, and the configured settings in any case. Equal
// trials keep their order.
func TestSurvivors(t *testing.T) {
	a := Axis{Name: "dropout", Values: []any{.1}}
	trial := func(name string, valid ...float64) Trial {
		x := Trial{Trial: record.Trial{Dataset: "d", Model: "m", At: name}}
		if name != "" {
			x.point = point{}.with(a, name)
		}
		for _, v := range valid {
			x.Rungs = append(x.Rungs, record.Rung{Valid: v})
		}
		return x
	}
	names := func(trials []Trial, rung int) string {
		var out []string
		for _, t := range survivors(trials, "d", "m", rung) {
			out = append(out, cmp.Or(t.At, "configured"))
		}
		return strings.Join(out, " ")
	}
	trials := []Trial{trial("", .1), trial("a", .3), trial("b", .2), trial("c", .2), trial("d", .4)}
	if got := names(trials, 1); got != "d a b configured" {
		t.Errorf("survivors %s, expected d a b configured", got)
	}
	// Of those that reached the second rung, two of three.
	trials = []Trial{trial("", .1, .5), trial("a", .3, .4), trial("b", .2), trial("d", .4, .4)}
	if got := names(trials, 2); got != "configured a" {
		t.Errorf("survivors %s, expected configured a", got)
	}
	other := trials[1]
	other.Model = "another"
	if got := names([]Trial{other}, 2); got != "" {
		t.Errorf("survivors %s of another model", got)
	}
	trials[3].Rungs[1].Valid = .6
	Choose(trials, Suite{Rungs: []int{20, 0}})
	for i, want := range []bool{false, false, false, true} {
		if trials[i].Chosen != want {
			t.Errorf("trial %d: chosen %v, expected %v", i, trials[i].Chosen, want)
		}
	}
}

// A search writes a value for every axis of a model, also where the configured settings are
// chosen: otherwise fame-warm would have the values that were chosen for its base. The data sets of
// also_for get the same values, except those that the configuration has for them.
func TestWriteTuned(t *testing.T) {
	const text = `
[datasets.beauty]
name = "amazon-beauty"
[datasets.toys]
name = "amazon-toys"
[datasets.ml-1m]
[models."*".datasets."ml-*"]
dropout = 0.1
[suites.search]
kind = "tune"
models = ["fame", "fame-warm"]
datasets = ["beauty"]
also_for = ["toys", "ml-1m"]
seeds = [100]
[suites.search.axes]
dropout = [0.2, 0.5]
train.item_scale = [1.0, 8.0]
fame.heads = [2, 4]
fame-warm.heads = [2, 4]
[suites.tuned]
models = ["fame-warm-no-moe"]
datasets = ["beauty", "ml-1m"]
tuned = ["first.toml", "second.toml"]
`
	c, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	search, _ := c.Suite("search")
	at := point{}
	for i, v := range []any{.2, 8., int64(2)} {
		at = at.with(search.Axes[i], v)
	}
	trial := func(model string, at point) Trial {
		return Trial{Trial: record.Trial{Dataset: "beauty", Model: model, At: at.String(), Chosen: true, Rungs: []record.Rung{{Valid: .5, ID: "x"}}}, point: at}
	}
	path := filepath.Join(c.Root, "first.toml")
	if err := c.WriteTuned(path, search, []Trial{trial("fame", at), trial("fame-warm", point{})}); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(written), "[also_for]\n")
	want := ""
	for _, root := range []struct {
		name string
		data []string
	}{{"also_for", []string{"ml-1m", "toys"}}, {"models", []string{"beauty"}}} {
		if root.name == "models" {
			want += "[models]\n"
		}
		for _, m := range []struct{ model, settings string }{{"fame", "dropout = 0.2\nheads = 2\n\n%sitem_scale = 8.0\n"}, {"fame-warm", "dropout = 0.5\nheads = 4\n\n%sitem_scale = 1.0\n"}} {
			table := root.name + "." + m.model
			want += "[" + table + "]\n[" + table + ".datasets]\n"
			for _, d := range root.data {
				want += "[" + table + ".datasets." + d + "]\n" + fmt.Sprintf(m.settings, "["+table+".datasets."+d+".train]\n") + "\n"
			}
		}
	}
	if got+"\n" != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// A variant of fame-warm has its values, and a later file is stronger. What the configuration
	// has for a data set stays, also where a later search chose a value for the base there.
	tinytest.Write(t, filepath.Join(c.Root, "second.toml"), "[models.fame.datasets.ml-1m]\ndropout = 0.3\n[models.fame-warm.datasets.ml-1m]\nheads = 8\n")
	tuned, _ := c.Suite("tuned")
	with, err := c.withTuned(tuned)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := registry.Find(registry.Models, "fame-warm-no-moe")
	for dataset, want := range map[string]string{"beauty": "4 0.5", "toys": "4 0.5", "ml-1m": "8 0.1"} {
		params, err := with.Params(e, dataset)
		if err != nil {
			t.Fatal(err)
		}
		p := params.(*models.FAMEConfig)
		if got := fmt.Sprint(p.Heads, p.Dropout); got != want {
			t.Errorf("%s: heads and dropout %s, want %s", dataset, got, want)
		}
	}
	for more, want := range map[string]string{
		`also_for = ["toyz"]`:   `unknown data set "toyz"`,
		`also_for = ["beauty"]`: "expected data sets other than the suite's only one",
	} {
		_, err := loadText(t, strings.Replace(text, `also_for = ["toys", "ml-1m"]`, more, 1))
		if err == nil || !strings.Contains(err.Error(), "suites.search.also_for: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", more, err)
		}
	}
	if _, err := loadText(t, text+"\n[suites.s]\nmodels = [\"fame\"]\ndatasets = [\"beauty\"]\nalso_for = [\"toys\"]\n"); err == nil || !strings.Contains(err.Error(), `only suites of kind "tune" have this key`) {
		t.Errorf("another kind: %v", err)
	}
}

const tunedSearch = `
[datasets.beauty]
name = "amazon-beauty"
[datasets.toys]
name = "amazon-toys"
[models.fame-concat.datasets.beauty]
dropout = 0.1
[suites.fine]
kind = "tune"
models = ["fame"]
datasets = ["beauty"]
also_for = ["toys"]
seeds = [100]
trials = 4
tuned = ["first.toml"]
[suites.fine.axes]
dropout = [0, 0.2]
fame.experts = [2, 4]
[suites.after]
models = ["fame", "fame-concat"]
datasets = ["beauty"]
tuned = ["first.toml"]
`

// A search with tuned values begins with them: they are its configured trial, and what it writes
// if that one is the best. The values of the other suite's data sets are not the configuration's.
func TestSearchWithTunedValues(t *testing.T) {
	c, err := loadText(t, tunedSearch)
	if err != nil {
		t.Fatal(err)
	}
	tinytest.Write(t, filepath.Join(c.Root, "first.toml"), "[models.fame.datasets.beauty]\ndropout = 0.2\nexperts = 2\n[models.fame.datasets.toys]\ndropout = 0.3\n")
	search, _ := c.Suite("fine")
	path := filepath.Join(c.Root, "fine.toml")
	configured := Trial{Trial: record.Trial{Dataset: "beauty", Model: "fame", Chosen: true, Rungs: []record.Rung{{Valid: .5, ID: "x"}}}}
	if err := c.WriteTuned(path, search, []Trial{configured}); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"models.fame.datasets.beauty", "also_for.fame.datasets.toys"} {
		if want := "[" + at + "]\ndropout = 0.2\nexperts = 2\n"; !strings.Contains(string(written), want) {
			t.Errorf("expected\n%s\ngot\n%s", want, written)
		}
	}
	p, err := c.PlanRung(search, Options{Out: t.TempDir()}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var tried []string
	for _, r := range p.Runs {
		tried = append(tried, r.settings(20).String())
		if r.settings(20).String() == "" && fmt.Sprint(r.Job.Spec.Params) != fmt.Sprint(record.Settings{"dropout": []byte("0.2"), "experts": []byte("2")}) {
			t.Errorf("configured settings %s", r.Job.Spec.Params)
		}
	}
	slices.Sort(tried)
	if want := []string{"", "dropout = 0, fame.experts = 2", "dropout = 0, fame.experts = 4", "dropout = 0.2, fame.experts = 4"}; !slices.Equal(tried, want) {
		t.Errorf("tried %q, expected %q", tried, want)
	}
}

// A suite with tuned values names the models that have none on a data set. A variant has those of its
// base. A file without values is refused.
func TestModelsWithoutTunedValues(t *testing.T) {
	c, err := loadText(t, tunedSearch+"[suites.both]\nmodels = [\"popularity\", \"sasrec\", \"fame\", \"fame-concat\"]\ndatasets = [\"beauty\", \"toys\"]\ntuned = [\"first.toml\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(c.Root, "first.toml")
	tinytest.Write(t, first, "[models.fame.datasets.beauty.train]\nlearning_rate = 0.002\n[also_for.sasrec.datasets.toys]\ndropout = 0.3\n")
	s, _ := c.Suite("both")
	p, err := c.Plan(s, Options{Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"no tuned values of beauty for sasrec: the configured ones are used", "no tuned values of toys for fame, fame-concat: the configured ones are used"}
	if !slices.Equal(p.Tuned, want) {
		t.Errorf("%q, expected %q", p.Tuned, want)
	}
	tinytest.Write(t, first, "")
	if _, err := c.Plan(s, Options{Out: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "first.toml has no values") {
		t.Errorf("an empty file: %v", err)
	}
}

// What makes no difference with the other settings is no other run, also in a search.
func TestSettingsWithoutEffectOfModels(t *testing.T) {
	const text = `
[datasets.beauty]
name = "amazon-beauty"
[suites.s]
models = ["core", "fame-no-moe"]
datasets = ["beauty"]
[suites.s.axes]
core.heads = [1, 4]
core.dropout = [0.1]
core.session_dropout = [0.1]
fame-no-moe.router = ["uniform"]
fame-no-moe.balance_weight = [0.01]
fame-no-moe.heads = [2]
`
	for encoder, want := range map[string]int{"ave": 2, "trm": 5} { // of CORE; of FAME two in any case
		c, err := loadText(t, text, "core.encoder="+encoder)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := planned(t, c); len(got) != want+2 {
			t.Errorf("encoder %s: runs %q, expected %d", encoder, got, want+2)
		}
	}
}

func TestSettingsWithoutEffect(t *testing.T) {
	const text = `
[datasets.beauty]
name = "amazon-beauty"
[suites.s]
models = ["sasrec", "fame", "duorec"]
datasets = ["beauty"]
[suites.s.axes]
train.negatives = [5, 10]
train.calibration = [0.5]
train.mask_ratio = [0.4]
fame.top_k = [1, 3]
duorec.unsupervised_weight = [0.3]
`
	for loss, want := range map[string]string{"bce": "sasrec fame duorec", "sampled-softmax": "sasrec sasrec sasrec fame fame fame duorec duorec duorec"} {
		c, err := loadText(t, text, "train.loss="+loss)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := c.Suite("s")
		p, err := c.Plan(s, Options{Out: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range p.Runs {
			got = append(got, r.Job.Spec.Model)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("loss %s: runs of %q, expected %q", loss, got, want)
		}
	}
}

// Every model has the same number of trials, also where many points of the grid make no difference.
func TestEqualTrials(t *testing.T) {
	const text = `
[datasets.amazon-beauty]
[suites.s]
kind = "tune"
models = ["sasrec", "fame", "duorec"]
datasets = ["amazon-beauty"]
trials = 7
[suites.s.axes]
train.loss = ["ce", "bce", "gbce"]
train.negatives = [64, 128, 256]
train.calibration = [0.5, 0.75, 1.0]
`
	c, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("s")
	p, err := c.PlanRung(s, Options{Out: t.TempDir()}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	trials := map[string]int{}
	for _, r := range p.Runs {
		trials[r.Job.Spec.Model]++
	}
	if trials["sasrec"] != 7 || trials["fame"] != 7 || trials["duorec"] != 7 {
		t.Errorf("trials %v, expected 7 each", trials)
	}
}

// A search whose configured settings are refused fails at once, with and without a rung before the
// end: it would leave out the model.
func TestSearchOfRefusedSettings(t *testing.T) {
	const text = "[datasets.amazon-beauty]\n[models.fame]\nheads = 3\n[suites.s]\nkind = \"tune\"\nmodels = [\"sasrec\", \"fame\"]\ndatasets = [\"amazon-beauty\"]\n[suites.s.axes]\nheads = [1, 2, 4]\n"
	for _, rungs := range []string{"[0]", "[20, 0]"} {
		c, err := loadText(t, text, "s.rungs="+rungs)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := c.Suite("s")
		if _, err := c.PlanRung(s, Options{Out: t.TempDir()}, 0, nil); err == nil || !strings.Contains(err.Error(), "heads = 3") {
			t.Errorf("rungs %s: %v", rungs, err)
		}
	}
}

// Of several records of a trial, a report takes the one that was planned, else the newest, and one
// that was stopped only without another.
func TestRecordOfATrial(t *testing.T) {
	c, err := loadText(t, strings.Replace(tunedSearch, "tuned = [\"first.toml\"]\n[suites.fine", "[suites.fine", 1))
	if err != nil {
		t.Fatal(err)
	}
	search, _ := c.Suite("fine")
	p, err := c.PlanRung(search, Options{Out: t.TempDir()}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := func(device string, hour int, status record.Status) *record.Record {
		r := &record.Record{Result: record.Result{Spec: p.Runs[0].Job.Spec, Status: status}}
		r.Result.Spec.Device, r.Measured.Started = device, time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
		r.ID, _ = r.Result.Spec.ID()
		return r
	}
	own := p.Runs[0].Job.Spec.Device
	for _, tt := range []struct {
		records []*record.Record
		want    int
	}{
		{[]*record.Record{made("cuda", 3, record.Epochs), made(own, 1, record.Epochs)}, 1},
		{[]*record.Record{made("cuda", 3, record.Epochs), made(own, 4, record.Time)}, 0},
		{[]*record.Record{made("cuda", 3, record.Epochs), made("mps", 4, record.Epochs)}, 1},
		{[]*record.Record{made(own, 4, record.Time)}, 0},
	} {
		find, err := FindLike(tt.records)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := find(p.Runs[0]); err != nil || got != tt.records[tt.want] {
			t.Errorf("%+v, %v; expected %+v", got, err, tt.records[tt.want])
		}
	}
}

// Trials do not continue from checkpoints of other settings: those that a file of tuned values had
// when the search began.
func TestSearchWithTunedValuesThatChange(t *testing.T) {
	c, err := loadText(t, tunedSearch)
	if err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(c.Root, "first.toml")
	tinytest.Write(t, first, "[models.fame.datasets.beauty]\nheads = 2\n")
	search, _ := c.Suite("fine")
	o := Options{Out: t.TempDir()}
	p, err := c.PlanRung(search, o, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	trials, err := ReadRung(nil, p, 0, func(r Run) (*record.Record, error) {
		point := record.Point{Epoch: 1, Valid: record.Metrics{rank.Deciding: .1}}
		return &record.Record{ID: r.ID, Result: record.Result{Epochs: 1, Curve: []record.Point{point}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = c.PlanRung(search, o, 1, trials); err != nil || p.Runs[0].Job.ContinueFrom == "" {
		t.Errorf("the same settings: %v, %+v", err, p)
	}
	tinytest.Write(t, first, "[models.fame.datasets.beauty]\nheads = 8\n")
	if _, err = c.PlanRung(search, o, 1, trials); err == nil || !strings.Contains(err.Error(), "the settings or the data of fame on beauty changed after its first rung") {
		t.Errorf("other settings: %v", err)
	}
}

// A variant's own settings are stronger than those that a search chose for its base.
func TestTunedValuesOfTheBase(t *testing.T) {
	c, err := loadText(t, tunedSearch)
	if err != nil {
		t.Fatal(err)
	}
	tinytest.Write(t, filepath.Join(c.Root, "first.toml"), "[models.fame.datasets.beauty]\ndropout = 0.25\nexperts = 2\n")
	s, _ := c.Suite("after")
	with, err := c.withTuned(s)
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{"fame": "0.25 2", "fame-concat": "0.1 2"} {
		e, _ := registry.Find(registry.Models, model)
		params, err := with.Params(e, "beauty")
		if err != nil {
			t.Fatal(err)
		}
		p := params.(*models.FAMEConfig)
		if got := fmt.Sprint(p.Dropout, p.Experts); got != want {
			t.Errorf("%s: dropout and experts %s, expected %s", model, got, want)
		}
	}
}

// A setting that follows another is written as the trial had it, and a number with a fraction may
// be the configured value of an axis of whole numbers.
func TestWrittenValuesAreTheTrials(t *testing.T) {
	c, err := loadText(t, strings.Replace(strings.Replace(tunedSearch, `tuned = ["first.toml"]`, "grid = false", 1), "fame.experts = [2, 4]", "train.max_len = [100]\ntrain.stride = [10]", 1))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("fine")
	path := filepath.Join(c.Root, "fine.toml")
	at := point{}.with(s.Axes[1], int64(100))
	if err := c.WriteTuned(path, s, []Trial{{Trial: record.Trial{Dataset: "beauty", Model: "fame", At: at.String(), Chosen: true, Rungs: []record.Rung{{Valid: .5, ID: "x"}}}, point: at}}); err != nil {
		t.Fatal(err)
	}
	written, _ := os.ReadFile(path)
	if want := "dropout = 0.5\n\n[models.fame.datasets.beauty.train]\nmax_len = 100\nstride = 50\n"; !strings.Contains(string(written), want) {
		t.Errorf("expected\n%s\ngot\n%s", want, written)
	}
}

// The number of negatives follows that of the items: what is written is what the trial had, which
// other suites accept.
func TestWrittenNegatives(t *testing.T) {
	c, err := loadText(t, strings.Replace(strings.Replace(tunedSearch, `tuned = ["first.toml"]`, "grid = false\n[suites.fine.train]\nloss = \"gbce\"", 1), "fame.experts = [2, 4]", "train.negatives = [5, 10]", 1))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("fine")
	path := filepath.Join(c.Root, "fine.toml")
	if err := c.WriteTuned(path, s, []Trial{{Trial: record.Trial{Dataset: "beauty", Model: "fame", Chosen: true, Rungs: []record.Rung{{Valid: .5, ID: "x"}}}, items: 40}}); err != nil {
		t.Fatal(err)
	}
	written, _ := os.ReadFile(path)
	if strings.Count(string(written), "negatives = 39\n") != 1 {
		t.Errorf("expected 39 negatives for 40 items, and on toys those of its own, got\n%s", written)
	}
	at := point{}.with(s.Axes[1], int64(10))
	if err := c.WriteTuned(path, s, []Trial{{Trial: record.Trial{Dataset: "beauty", Model: "fame", At: at.String(), Chosen: true, Rungs: []record.Rung{{Valid: .5, ID: "x"}}}, point: at, items: 40}}); err != nil {
		t.Fatal(err)
	}
	if written, _ := os.ReadFile(path); strings.Count(string(written), "negatives = 10\n") != 2 {
		t.Errorf("expected the 10 negatives that were chosen on both data sets, got\n%s", written)
	}
}

// A search has one run for each trial, on its own data set or on others without also_for.
func TestChosenPartsOfASearch(t *testing.T) {
	c, err := loadText(t, tunedSearch)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("fine")
	if _, err := c.Choose(s, nil, nil, []int64{1, 2}); err == nil || !strings.Contains(err.Error(), "-seeds: expected one seed") {
		t.Errorf("two seeds: %v", err)
	}
	if _, err := loadText(t, strings.Replace(tunedSearch, "seeds = [100]", "seeds = [100, 101]", 1)); err == nil || !strings.Contains(err.Error(), "suites.fine.seeds: expected one seed") {
		t.Errorf("two seeds: %v", err)
	}
	if got, err := c.Choose(s, nil, []string{"toys"}, nil); err != nil || got.AlsoFor != nil {
		t.Errorf("another data set: %v, also for %v", err, got.AlsoFor)
	}
}

// Only [pretrain] has tables for data sets. They were ignored in others.
func TestPretrainTablesForDataSets(t *testing.T) {
	for _, table := range []string{"suites.fine.pretrain.datasets.beauty", "models.fame-plus.pretrain.datasets.beauty", `models."*".pretrain.datasets.beauty`, "models.fame-plus.datasets.beauty.pretrain.datasets.beauty"} {
		_, err := loadText(t, tunedSearch+"["+table+"]\nscale = 8.0\n")
		if err == nil || !strings.Contains(err.Error(), "datasets: unknown key") {
			t.Errorf("%s: %v", table, err)
		}
	}
	if _, err := loadText(t, tunedSearch+"[pretrain.datasets.beauty]\nscale = 8.0\n"); err != nil {
		t.Error(err)
	}
}
