package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/tinytest"
	"famebench/internal/train"
	"famebench/models"
)

// planOf plans a suite of a folder with the real models.
func planOf(t *testing.T, dir, suite string, sets ...string) (*Plan, error) {
	t.Helper()
	return planWith(dir, suite, Options{Threads: 1, Out: t.TempDir()}, sets...)
}

func planWith(dir, suite string, o Options, sets ...string) (*Plan, error) {
	c, err := Load(filepath.Join(dir, FileName), sets, registry.Models)
	if err != nil {
		return nil, err
	}
	s, err := c.Suite(suite)
	if err != nil {
		return nil, err
	}
	if s.Kind == KindTune {
		return c.PlanRung(s, o, 0, nil)
	}
	return c.Plan(s, o)
}

func mustPlan(t *testing.T, dir, suite string, sets ...string) *Plan {
	t.Helper()
	p, err := planOf(t, dir, suite, sets...)
	if err != nil {
		t.Fatalf("%q: %v", sets, err)
	}
	return p
}

// trainOf returns the training settings that a run uses.
func trainOf(t *testing.T, r Run) train.Config {
	t.Helper()
	e, _ := registry.Find(registry.Models, r.Job.Spec.Model)
	_, c, err := r.Job.Settings(e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const followConfig = `
[train]
epochs = 3
[datasets.tiny]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
[suites.s]
models = ["sasrec"]
datasets = ["tiny"]
[suites.fame]
models = ["fame"]
datasets = ["tiny"]
[suites.search]
kind = "tune"
models = ["sasrec"]
datasets = ["tiny"]
[suites.search.axes]
layers = [1, 2, 3]
`

func followFolder(t *testing.T, more string) string {
	t.Helper()
	dir := tinytest.Folder(t, tinytest.Config)
	tinytest.Write(t, filepath.Join(dir, FileName), followConfig+more)
	return dir
}

// The stride is half of max_len, unless any layer sets it.
func TestStrideFollowsMaxLen(t *testing.T) {
	for _, c := range []struct {
		more   string
		sets   []string
		stride int
		spec   string // max_len and stride in the spec
	}{
		{"", nil, 25, ""},
		{"", []string{"train.max_len=50"}, 25, ""},
		{"", []string{"train.max_len=10"}, 5, "10 5"},
		{"", []string{"train.max_len=51"}, 25, "51 "},
		{"", []string{"train.max_len=200"}, 100, "200 100"},
		{"", []string{"train.max_len=3"}, 1, "3 1"},
		{"", []string{"train.max_len=1"}, 1, "1 1"},
		{"", []string{"train.max_len=100", "train.stride=25"}, 25, "100 "},
		{"", []string{"train.max_len=10", "sasrec.train.stride=10"}, 10, "10 10"},
		{"[models.sasrec.datasets.tiny.train]\nstride = 7", []string{"train.max_len=10"}, 7, "10 7"},
		{"[suites.s.train]\nstride = 3", []string{"train.max_len=10"}, 3, "10 3"},
		{"[suites.s.train]\nmax_len = 20", nil, 10, "20 10"},
		{"[suites.s.train]\nmax_len = 20", []string{"train.stride=4"}, 4, "20 4"},
		{"[suites.s.axes]\ntrain.max_len = [10]\n[suites.s]\ngrid = true", nil, 5, "10 5"},
		{"[suites.s.axes]\ntrain.max_len = [10]\ntrain.stride = [2]\n[suites.s]\ngrid = true", nil, 2, "10 2"},
	} {
		if strings.Contains(c.more, "grid") {
			c.more = strings.Replace(c.more, "\n[suites.s]\ngrid = true", "", 1)
			c.sets = append(c.sets, "s.grid=true")
		}
		p := mustPlan(t, followFolder(t, c.more), "s", c.sets...)
		spec := p.Runs[0].Job.Spec.Train
		got := ""
		if len(spec["max_len"])+len(spec["stride"]) > 0 {
			got = string(spec["max_len"]) + " " + string(spec["stride"])
		}
		if stride := trainOf(t, p.Runs[0]).Stride; len(p.Runs) != 1 || stride != c.stride || got != c.spec {
			t.Errorf("%s %q: stride %d, in the spec %q; want %d, %q", c.more, c.sets, stride, got, c.stride, c.spec)
		}
	}
	dir := followFolder(t, "")
	followed, set := mustPlan(t, dir, "s", "train.max_len=10"), mustPlan(t, dir, "s", "train.max_len=10", "train.stride=5")
	if followed.Runs[0].ID != set.Runs[0].ID {
		t.Error("the same settings have two ids")
	}
	for _, stride := range []string{"25", "0", "-1"} {
		if _, err := planOf(t, dir, "s", "train.max_len=10", "train.stride="+stride); err == nil || !strings.Contains(err.Error(), "train.stride = "+stride) {
			t.Errorf("stride = %s: %v", stride, err)
		}
	}
}

// The data set has 20 items: a loss cannot sample more than the 19 others.
func TestNegativesFollowTheItems(t *testing.T) {
	dir := followFolder(t, "")
	for _, c := range []struct {
		sets      []string
		negatives int
		spec      string
	}{
		{nil, 256, ""},
		{[]string{"train.loss=bce"}, 256, ""},
		{[]string{"train.loss=gbce"}, 19, "19"},
		{[]string{"train.loss=sampled-softmax"}, 19, "19"},
		{[]string{"train.loss=gbce", "train.negatives=5"}, 5, "5"},
	} {
		r := mustPlan(t, dir, "s", c.sets...).Runs[0]
		if n := trainOf(t, r).Negatives; n != c.negatives || string(r.Job.Spec.Train["negatives"]) != c.spec {
			t.Errorf("%q: %d negatives, in the spec %q; want %d, %q", c.sets, n, r.Job.Spec.Train["negatives"], c.negatives, c.spec)
		}
	}
	// An invalid setting is an error of the plan, not of the run.
	if _, err := planOf(t, dir, "s", "train.loss=gbce", "train.negatives=20"); err == nil || !strings.Contains(err.Error(), "train.negatives = 20: expected 1 to 19") {
		t.Errorf("%v", err)
	}
}

func TestTopKFollowsExperts(t *testing.T) {
	dir := followFolder(t, "")
	for _, c := range []struct {
		sets []string
		want string // in the spec
	}{
		{nil, ""},
		{[]string{"fame.experts=1"}, ""}, // not read: the id does not change
		{[]string{"fame.router=top-k"}, ""},
		{[]string{"fame.router=top-k", "fame.experts=2"}, ""},
		{[]string{"fame.router=top-k", "fame.experts=1"}, ""}, // one expert has no router
		{[]string{"fame.router=top-k", "fame.experts=1", "fame.top_k=2"}, ""},
		{[]string{"fame.router=top-k", "fame.top_k=3"}, "3"},
	} {
		r := mustPlan(t, dir, "fame", c.sets...).Runs[0]
		if got := string(r.Job.Spec.Params["top_k"]); got != c.want {
			t.Errorf("%q: top_k %q in the spec, want %q", c.sets, got, c.want)
		}
	}
	if _, err := planOf(t, dir, "fame", "fame.router=top-k", "fame.experts=2", "fame.top_k=3"); err == nil || !strings.Contains(err.Error(), "top_k = 3") {
		t.Errorf("%v", err)
	}
	// A variant with one expert does not refuse what was set for FAME.
	for _, name := range []string{"fame-no-moe", "fame-warm-no-moe"} {
		e, _ := registry.Find(registry.Models, name)
		c, err := Load(filepath.Join(dir, FileName), []string{"fame.router=top-k", "fame.top_k=2"}, registry.Models)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Params(e, "mine")
		if err != nil {
			t.Fatal(err)
		}
		if f := p.(*models.FAMEConfig); f.Experts != 1 || !f.Ignores("top_k") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	one := models.FAMEDefaults()
	one.Experts, one.Router = 1, models.RouterTopK
	one.FollowExperts()
	if err := one.Validate(); err != nil || one.TopK != 1 {
		t.Errorf("top_k %d, %v", one.TopK, err)
	}
}

// No trial is longer than a complete run.
func TestRungsFollowTheBudget(t *testing.T) {
	dir := followFolder(t, "")
	for _, c := range []struct {
		sets   []string
		epochs string // of a trial in the first rung
	}{
		{nil, "3"}, // a run has 3 epochs, the first rung by default 20
		{[]string{"train.epochs=50"}, "20"},
		{[]string{"search.rungs=[2, 0]"}, "2"},
		{[]string{"search.rungs=[9, 0]"}, "3"},
		{[]string{"search.rungs=[0]"}, "3"},
	} {
		p := mustPlan(t, dir, "search", c.sets...)
		if got := string(p.Runs[0].Job.Spec.Train["epochs"]); got != c.epochs {
			t.Errorf("%q: trials of %s epochs, expected %s", c.sets, got, c.epochs)
		}
	}
	for set, want := range map[string]string{
		"search.rungs=[]":       "expected 1 to 10 rungs",
		"search.rungs=[0, 5]":   "expected ascending numbers",
		"search.rungs=[5, 5]":   "expected ascending numbers",
		"search.rungs=[-1]":     "expected ascending numbers",
		"search.trial_epochs=2": "this setting is gone",
		"search.finalists=2":    "this setting is gone",
	} {
		if _, err := planOf(t, dir, "search", set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, expected %q", set, err, want)
		}
	}
}

const textsConfig = `
[datasets.texts]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
items = "items.csv"
item_columns = { item = "i", title = "t", brand = "b" }
[suites.text]
models = ["popularity", "fame-plus"]
datasets = ["texts"]
`

// textsFolder has items with texts, and a tiny encoder in the folder enc.
func textsFolder(t *testing.T) (dir, encoder string) {
	t.Helper()
	dir = followFolder(t, textsConfig)
	var items strings.Builder
	items.WriteString("i,t,b\n")
	for i := range 20 {
		fmt.Fprintf(&items, "i%d,rose cream %d,brand%d\n", i, i%5, i%3)
	}
	tinytest.Write(t, filepath.Join(dir, "items.csv"), items.String())
	encoder = filepath.Join(dir, "enc")
	if err := os.CopyFS(encoder, os.DirFS("../bert/testdata/variants/gelu_new")); err != nil {
		t.Fatal(err)
	}
	return dir, encoder
}

// askFor writes the files that sentence-transformers keeps in a folder.
func askFor(t *testing.T, encoder, flag string, kinds ...string) {
	t.Helper()
	type module struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	list := []module{{"", "sentence_transformers.models.Transformer"}, {"1_Pooling", "sentence_transformers.models.Pooling"}}
	for _, kind := range kinds {
		list = append(list, module{"2_" + kind, "sentence_transformers.models." + kind})
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	tinytest.Write(t, filepath.Join(encoder, "modules.json"), string(b))
	if err := os.MkdirAll(filepath.Join(encoder, "1_Pooling"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, _ = json.Marshal(map[string]bool{"pooling_mode_mean_tokens": false, "pooling_mode_" + flag: true})
	tinytest.Write(t, filepath.Join(encoder, "1_Pooling", "config.json"), string(b))
}

// A run's id includes the pooling that the folder asks for, unless it is the mean. A
// folder that asks for nothing, or for the mean, gives the same id as before folders
// were read.
func TestPoolingOfTheFolderInTheID(t *testing.T) {
	dir, encoder := textsFolder(t)
	type outcome struct{ id, settings, line string }
	plan := func(sets ...string) outcome {
		t.Helper()
		p := mustPlan(t, dir, "text", append(sets, "pretrain.encoder=enc")...)
		if len(p.Runs) != 2 || len(p.Encoders) != 1 || !strings.HasPrefix(p.Encoders[0], encoder+": ") {
			t.Fatalf("%q: %d runs, encoders %q, skipped %+v", sets, len(p.Runs), p.Encoders, p.Skipped)
		}
		r := p.Runs[1]
		var keys []string
		for _, key := range slices.Sorted(maps.Keys(r.Job.Spec.Init.Settings)) {
			keys = append(keys, key+"="+string(r.Job.Spec.Init.Settings[key]))
		}
		spec := r.Job.Spec // with the thread count and the versions of that commit
		spec.Threads, spec.Versions = 1, record.Versions{Model: 1, Train: 2, Rank: 1}
		start := *spec.Init
		start.Version, spec.Init = 1, &start
		id, err := spec.ID()
		if err != nil {
			t.Fatal(err)
		}
		return outcome{id, strings.Join(keys, " "), strings.TrimPrefix(p.Encoders[0], encoder+": ")}
	}
	const mean, cls, other = "pretrain.pooling=mean", "pretrain.pooling=cls", "pretrain.pooling="
	bare := plan()
	// The id as of commit 12acc83, which read none of sentence-transformers' files.
	if bare.id != "texts-fame-plus-s0-e5303614" || bare.settings != "" {
		t.Errorf("a folder that does not say: %+v", bare)
	}
	bareCLS := plan(cls)
	if bareCLS.id != "texts-fame-plus-s0-54ff351e" || bareCLS.settings != `pooling="cls"` {
		t.Errorf("cls is set: %+v", bareCLS)
	}
	if plan(mean).id != bare.id || plan(other).id != bare.id {
		t.Error("a configured mean has another id than the default mean")
	}

	askFor(t, encoder, "mean_tokens")
	if got := plan(); got.id != bare.id || plan(mean).id != bare.id || plan(cls).id != bareCLS.id {
		t.Errorf("a folder that asks for the mean: %+v", got)
	}
	askFor(t, encoder, "cls_token")
	if got := plan(); got.id != bareCLS.id || got.line != "cls pooling, as the folder asks" || plan(mean).id != bare.id || plan(cls).id != bareCLS.id {
		t.Errorf("a folder that asks for cls: %+v", got)
	}
	askFor(t, encoder, "mean_tokens", "Normalize")
	if got := plan(); got.settings != "normalise=true" || got.id == bare.id || plan(mean).id != bare.id {
		t.Errorf("a folder that asks for norm 1: %+v", got)
	}
	askFor(t, encoder, "cls_token", "Normalize")
	if got := plan(); got.settings != `normalise=true pooling="cls"` || plan(cls).id != bareCLS.id {
		t.Errorf("a folder that asks for cls and norm 1: %+v", got)
	}
	tinytest.Write(t, filepath.Join(encoder, "sentence_bert_config.json"), `{"max_seq_length": 8}`)
	if got := plan(mean); got.settings != "max_tokens=8" || plan(mean, "pretrain.max_tokens=5").settings != "max_tokens=5" {
		t.Errorf("a folder that asks for short texts: %+v", got)
	}
	// Any layer of the configuration may set it; a model without texts does not
	// read the folder.
	if got := plan("suites.text.pretrain.pooling=max"); !strings.Contains(got.settings, `pooling="max"`) {
		t.Errorf("%+v", got)
	}

	askFor(t, encoder, "cls_token", "Dense")
	if _, err := planOf(t, dir, "text", "pretrain.encoder=enc"); err == nil ||
		!strings.Contains(err.Error(), `modules.json: module "sentence_transformers.models.Dense" is not supported`) || !strings.Contains(err.Error(), "pretrain.pooling") {
		t.Errorf("Dense: %v", err)
	}
	if p := mustPlan(t, dir, "text", "pretrain.encoder=enc", "pretrain.start=random"); len(p.Encoders) != 0 {
		t.Errorf("a random initialisation reads %q", p.Encoders)
	}
}

// Without a home, and with one that is not a folder, models that need the default
// encoder are skipped and the rest runs.
func TestNoHome(t *testing.T) {
	dir, encoder := textsFolder(t)
	for _, home := range []string{"", "/dev/null", filepath.Join(dir, "nowhere")} {
		t.Setenv("HOME", home)
		t.Setenv("XDG_CACHE_HOME", "")
		t.Setenv("FAMEBENCH_ENCODER", "")
		p := mustPlan(t, dir, "text")
		if len(p.Runs) != 1 || len(p.Skipped) != 1 || !p.Skipped[0].Missing || !strings.Contains(p.Skipped[0].Reason, "fame-plus needs a text encoder") ||
			!strings.Contains(p.Skipped[0].Reason, "pretrain.encoder") {
			t.Errorf("HOME=%s: %d runs, skipped %+v", home, len(p.Runs), p.Skipped)
		}
		if p := mustPlan(t, dir, "text", "pretrain.encoder=enc"); len(p.Runs) != 2 {
			t.Errorf("HOME=%s, an encoder that is named: skipped %+v", home, p.Skipped)
		}
		t.Setenv("FAMEBENCH_ENCODER", encoder)
		if p := mustPlan(t, dir, "text"); len(p.Runs) != 2 {
			t.Errorf("HOME=%s, FAMEBENCH_ENCODER: skipped %+v", home, p.Skipped)
		}
	}
}

// A data set whose metadata has no titles says so, with and without an encoder, under
// -strict too, and on the command line as in a table: the reason is not that something is
// missing here.
func TestNoTitles(t *testing.T) {
	dir, encoder := textsFolder(t)
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`
[datasets.sports]
name = "amazon-sports"
[suites.untitled]
models = ["popularity", "fame-plus", "fame-plus-random"]
datasets = ["sports", "texts"]
[suites.alone]
models = ["fame-plus"]
datasets = ["sports"]
`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	const reason = "sports has no titles, and fame-plus needs texts; datasets.sports.items can name a file that has them"
	for _, enc := range []string{encoder, filepath.Join(dir, "nowhere")} {
		c, err := Load(filepath.Join(dir, FileName), []string{"pretrain.encoder=" + enc}, registry.Models)
		if err != nil {
			t.Fatal(err)
		}
		suite, err := c.Suite("untitled")
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Plan(suite, Options{Threads: 1, Out: t.TempDir(), Strict: enc == encoder})
		if err != nil {
			t.Fatal(err)
		}
		runs, skipped := 5, 1 // fame-plus on texts runs with the encoder only
		if enc != encoder {
			runs, skipped = 4, 2
		}
		if len(p.Runs) != runs || len(p.Skipped) != skipped || p.Skipped[0] != (Skip{What: "fame-plus on sports", Reason: reason}) {
			t.Errorf("encoder %s: %d runs, skipped %+v", enc, len(p.Runs), p.Skipped)
		}
		if _, err := planOf(t, dir, "alone", "pretrain.encoder="+enc); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("encoder %s, alone: %v", enc, err)
		}
	}
}
