package plan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/registry"
	"famebench/internal/tinytest"
	"famebench/internal/train"
	"famebench/models"
	"famebench/pretrain"
)

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		name, add, want string
		sets            []string
	}{
		{name: "section", add: "[modles.sasrec]", want: `c.toml:12: modles: unknown section; did you mean "models"?`},
		{name: "top-level value", add: "x = 1", want: `c.toml:12: suites.s.x: unknown key; known: kind, summary, hypothesis, models, datasets, seeds, grid, alone, tuned, trials, rungs, also_for, equal_within, average, interaction, pairs, by_entropy, steps, expected, imported, proposed, baseline, columns`},
		{name: "training key", add: "[suites.s.train]\nepohcs = 3", want: `c.toml:13: suites.s.train.epohcs: unknown key; did you mean "epochs"?`},
		{name: "training type", add: "[models.sasrec.train]\nepochs = \"3\"", want: `c.toml:13: models.sasrec.train.epochs: expected an integer, got the string "3"`},
		{name: "model", add: "[models.sasrek]", want: `c.toml:12: models.sasrek: unknown model; did you mean "sasrec"?`},
		{name: "parameter", add: "[models.sasrec]\ndroput = 0.1", want: `c.toml:13: models.sasrec.droput: unknown key; did you mean "dropout"?`},
		{name: "parameter of a non-neural baseline", add: "[models.markov]\norder = 2", want: `c.toml:13: models.markov.order: markov has no settings: it only counts`},
		{name: "override of no data set", add: "[models.sasrec.datasets.tinny]", want: `c.toml:12: models.sasrec.datasets.tinny: unknown data set; did you mean "tiny"?`},
		{name: "override", add: "[models.sasrec.datasets.tiny]\nheads = 1.5", want: `c.toml:13: models.sasrec.datasets.tiny.heads: expected an integer, got the number 1.5`},
		{name: "data set key", add: "[datasets.tiny2]\nkcore = 5", want: `c.toml:13: datasets.tiny2.kcore: unknown key; did you mean "k_core"?`},
		{name: "suite kind", add: "[suites.u]\nkind = \"costs\"\nmodels = [\"markov\"]\ndatasets = [\"tiny\"]", want: `c.toml:13: suites.u.kind: unknown kind "costs"; did you mean "cost"?`},
		{name: "suite model", add: "[suites.u]\nmodels = [\"marcov\"]\ndatasets = [\"tiny\"]", want: `c.toml:13: suites.u.models: unknown model "marcov"; did you mean "markov"?`},
		{name: "suite data", add: "[suites.u]\nmodels = [\"markov\"]\ndatasets = [\"tinny\"]", want: `c.toml:14: suites.u.datasets: unknown data set "tinny"; did you mean "tiny"?`},
		{name: "model twice", add: "[suites.u]\nmodels = [\"markov\", \"markov\"]\ndatasets = [\"tiny\"]", want: `c.toml:13: suites.u.models: model "markov" is listed twice`},
		{name: "empty suite", add: "[suites.u]", want: "c.toml:12: suites.u: the suite has no model: it would run nothing\nc.toml:12: suites.u: the suite has no data set: it would run nothing"},
		{name: "no seeds", add: "seeds = []", want: `c.toml:12: suites.s.seeds: the suite has no seed: it would run nothing`},
		{name: "negative seed", add: "seeds = [-1]", want: `c.toml:12: suites.s.seeds: expected seeds of 0 or more, got -1`},
		{name: "syntax", add: "a b", want: `c.toml:12:3: expected '.' or '=', but got 'b' instead`},
		{name: "setting that is gone", add: "[pretrain]\nalternate = \"step\"", want: `c.toml:13: pretrain.alternate: this setting is gone, since it made no difference to any result: remove it`},
		{name: "filter of a given split", add: "[datasets.g]\nformat = \"csv\"\ntrain = \"a\"\nvalid = \"b\"\ntest = \"c\"\ncolumns = { user = \"u\", item = \"i\" }\nk_core = 5",
			want: `c.toml:18: datasets.g.k_core: k_core = 5 would change the parts of a given split; remove it and filter the files, or name one file of all interactions with path`},
		{name: "set: filter of a given split", add: "[datasets.g]\nformat = \"csv\"\npath = \"a\"\ncolumns = { user = \"u\", item = \"i\", part = \"p\" }", sets: []string{"datasets.g.split=time"},
			want: `-set datasets.g.split=time: datasets.g.split: split = "time", but the parts are given: remove split, or name one file of all interactions with path`},
		{name: "average", add: "average = \"users\"", want: `c.toml:12: suites.s.average: "users": expected "user", or no such key for averages over test cases`},
		{name: "average of another kind", add: "[suites.u]\nkind = \"cost\"\nmodels = [\"markov\"]\ndatasets = [\"tiny\"]\naverage = \"user\"", want: `c.toml:16: suites.u.average: only suites of kind "compare" have this key`},
		{name: "set: setting that is gone", sets: []string{"pretrain.alternate=epoch"}, want: `-set pretrain.alternate=epoch: pretrain.alternate: this setting is gone, since it made no difference to any result: remove it`},
		{name: "set: key", sets: []string{"train.epoch=2"}, want: `-set train.epoch=2: train.epoch: unknown key; did you mean "epochs"?`},
		{name: "set: type", sets: []string{"train.epochs=two"}, want: `-set train.epochs=two: train.epochs: expected an integer, got the string "two"`},
		{name: "set: parameter", sets: []string{"sasrec.droput=0.3"}, want: `-set sasrec.droput=0.3: models.sasrec.droput: unknown key; did you mean "dropout"?`},
		{name: "set: neither", sets: []string{"sasrek.dropout=0.3"}, want: `-set sasrek.dropout=0.3: "sasrek" is not a section, model or suite; did you mean "sasrec"?`},
		{name: "set: data set", sets: []string{"datasets.tiny.max_user=3"}, want: `-set datasets.tiny.max_user=3: datasets.tiny.max_user: unknown key; did you mean "max_users"?`},
		{name: "set: suite", sets: []string{"suites.s.models=[]"}, want: `-set suites.s.models=[]: suites.s.models: the suite has no model: it would run nothing`},
		{name: "set: section", sets: []string{"train=3"}, want: `-set train=3: train: expected a table, got the integer 3`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.toml")
			base := "[train]\nepochs = 3\n[models.popularity]\n[datasets.tiny]\nformat = \"csv\"\npath = \"tiny.csv\"\n" +
				"columns.user = \"u\"\ncolumns.item = \"i\"\n[suites.s]\nmodels = [\"markov\"]\ndatasets = [\"tiny\"]\n"
			tinytest.Write(t, path, base+tt.add)
			_, err := Load(path, tt.sets, tinytest.Entries)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestSettingOfTextsAlone(t *testing.T) {
	_, err := loadText(t, "[datasets.amazon-beauty]\n[models.text-knn.pretrain]\nmax_words = 2\n[suites.s]\nmodels = [\"text-knn\"]\ndatasets = [\"amazon-beauty\"]\n")
	if want := "models.text-knn.pretrain: text-knn has no settings of its own: those of texts are in [pretrain] and [suites.S.pretrain]"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

func TestValuesThatCannotBeAreRefusedByThePlan(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	for set, want := range map[string]string{
		"sasrec.heads=3":           "-set sasrec.heads=3: models.sasrec on tiny: heads = 3: expected a divisor of hidden = 8",
		"train.learning_rate=-1":   "-set train.learning_rate=-1: training settings of sasrec on tiny in suite neural: train.learning_rate = -1: expected",
		"datasets.tiny.k_core=-1":  "-set datasets.tiny.k_core=-1: datasets.tiny.k_core: k_core = -1 is negative",
		"datasets.tiny.format=tsv": `-set datasets.tiny.format=tsv: datasets.tiny.format: format = "tsv" is unknown`,
		"datasets.tiny.path=no":    "no",
		"sasrec.train.loss=hinge":  `loss "hinge"`,
		"datasets.tiny.k_core=100": "tiny",
	} {
		_, _, err := tryTiny(dir, "neural", set)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-set %s: %v, want it to contain %q", set, err, want)
		}
	}
}

func TestPrecedence(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	e, _ := registry.Find(tinytest.Entries, "sasrec")
	for _, tt := range []struct {
		sets                  []string
		data, suite           string
		wantDropout, wantHeap float64
		wantEpochs            int
	}{
		{nil, "other", "quick", 0.2, 0.5, 3},
		{nil, "tiny", "neural", 0.1, 0.5, 2},
		{[]string{"sasrec.dropout=0.3", "train.epochs=7"}, "tiny", "neural", 0.3, 0.5, 7},
		{[]string{"sasrec.datasets.tiny.dropout=0.4", "sasrec.dropout=0.3", "sasrec.attn_dropout=0"}, "tiny", "quick", 0.4, 0, 3},
		{[]string{"suites.neural.train.epochs=9", "sasrec.train.epochs=8", "train.epochs=7"}, "tiny", "neural", 0.1, 0.5, 9},
		{[]string{"sasrec.train.epochs=8", "train.epochs=7"}, "tiny", "neural", 0.1, 0.5, 8},
	} {
		c, err := Load(filepath.Join(dir, FileName), tt.sets, tinytest.Entries)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Params(e, tt.data)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := c.Train(e, tt.data, tt.suite, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := p.(*baselines.SASRecConfig)
		if s.Dropout != tt.wantDropout || s.AttnDropout != tt.wantHeap || tr.Epochs != tt.wantEpochs || s.Hidden != 8 || tr.BatchTargets != 16 {
			t.Errorf("%v, %s, suite %s: got dropout %v, %v, %d epochs; want %v, %v, %d",
				tt.sets, tt.data, tt.suite, s.Dropout, s.AttnDropout, tr.Epochs, tt.wantDropout, tt.wantHeap, tt.wantEpochs)
		}
	}
}

func TestFind(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(below); err != nil || got != filepath.Join(dir, FileName) {
		t.Errorf("from below: %s, %v", got, err)
	}
	if _, err := Find(t.TempDir()); err == nil || !strings.Contains(err.Error(), "-config") {
		t.Errorf("nowhere: %v, want an error that says what to do", err)
	}
	if _, err := Load(filepath.Join(dir, "no.toml"), nil, tinytest.Entries); err == nil || !strings.Contains(err.Error(), "-config") {
		t.Errorf("no file: %v, want an error that says what to do", err)
	}
}

// A variant has the settings of its base. Its own override them, and those that
// define it cannot be changed.
func TestVariants(t *testing.T) {
	dir := t.TempDir()
	tinytest.Write(t, filepath.Join(dir, FileName), `
[datasets.beauty]
name = "amazon-beauty"
[models.fame]
heads = 8
experts = 2
gate = "static"
[models.fame.train]
epochs = 7
patience = 3
[models.fame-no-moe]
dropout = 0.3
[models.fame-no-moe.train]
epochs = 9
[suites.quick]
models = ["fame"]
datasets = ["beauty"]
`)
	load := func(sets ...string) (*Config, error) {
		return Load(filepath.Join(dir, FileName), sets, registry.Models)
	}
	c, err := load("fame.hidden=32")
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string) models.FAMEConfig {
		e, _ := registry.Find(registry.Models, name)
		p, err := c.Params(e, "beauty")
		if err != nil {
			t.Fatal(err)
		}
		return *p.(*models.FAMEConfig)
	}
	base := get("fame")
	if base.Heads != 8 || base.Experts != 2 || base.Gate != models.GateStatic || base.Hidden != 32 || base.Dropout != .5 {
		t.Errorf("fame: %+v", base)
	}
	want := base
	want.Experts, want.Dropout = 1, .3
	if got := get("fame-no-moe"); got != want {
		t.Errorf("fame-no-moe: %+v, want %+v", got, want)
	}
	want = base
	want.Gate = models.GateAverage
	if got := get("fame-average-gate"); got != want {
		t.Errorf("fame-average-gate: %+v, want %+v", got, want)
	}
	e, _ := registry.Find(registry.Models, "fame-no-moe")
	if got, err := c.Train(e, "beauty", "quick", 0); err != nil || got.Epochs != 9 || got.Patience != 3 {
		t.Errorf("training of fame-no-moe: %+v, %v", got, err)
	}
	for _, set := range []string{"fame-no-moe.experts=3", "models.fame-no-moe.datasets.beauty.experts=3"} {
		if _, err := load(set); err == nil || !strings.Contains(err.Error(), "experts") || !strings.Contains(err.Error(), "fixed") {
			t.Errorf("-set %s: error %v", set, err)
		}
	}
}

const repoConfig = "../../" + FileName

// TestRepositoryConfig makes sure that every table of the file that users get
// resolves for every model, suite and data set.
func TestRepositoryConfig(t *testing.T) {
	c, err := Load(repoConfig, nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range registry.Models {
		for _, data := range c.Datasets() {
			if _, err := c.Params(e, data); err != nil {
				t.Errorf("%s on %s: %v", e.Name, data, err)
			}
		}
		for _, s := range c.Suites() {
			if _, err := c.Train(e, "beauty", s.Name, 0); err != nil {
				t.Errorf("%s in suite %s: %v", e.Name, s.Name, err)
			}
		}
		if (e.Neural == nil) == (e.NonNeural == nil && e.FromTexts == nil) || (e.Neural == nil) != (e.Defaults == nil) || e.Version < 1 || e.Summary == "" {
			t.Errorf("registry entry %+v is not complete", e)
		}
	}
}

// TestDocumentedDefaults takes the "#" from the "# key = value" lines of
// experiments.toml: every setting must be documented, with the program's
// default.
func TestDocumentedDefaults(t *testing.T) {
	src, err := os.ReadFile(repoConfig)
	if err != nil {
		t.Fatal(err)
	}
	// Suites and data sets both have a key "columns", so the keys of suites get their table.
	commented := regexp.MustCompile(`(?m)^# ([a-z_]+ = |\[suites\.NAME\])`)
	doc, err := conf.Parse(FileName, commented.ReplaceAll(src, []byte("$1")))
	if err != nil {
		t.Fatal(err)
	}
	check := func(defaults any, path ...string) {
		n, err := doc.Sub(path...)
		if err != nil {
			t.Error(err)
			return
		}
		if n == nil {
			t.Errorf("experiments.toml does not document [%s]: add the table with a line \"# key = default  # meaning\" for each of %v", strings.Join(path, "."), conf.Names(defaults))
			return
		}
		for _, key := range conf.Names(defaults) {
			if n.Table[key] == nil {
				t.Errorf("experiments.toml does not document %s in [%s]: add a line \"# %s = default  # meaning\"", key, strings.Join(path, "."), key)
			}
		}
		got := clone(defaults)
		if err := conf.Decode(n.Without(modelApart...), got); err != nil {
			t.Errorf("%v: %v", path, err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(defaults)
		if string(a) != string(b) {
			t.Errorf("%v: documented %s\nin the program %s", path, a, b)
		}
	}
	d := train.Defaults()
	check(&d, "train")
	s := pretrain.InitDefaults()
	check(&s, "pretrain")
	for _, e := range registry.Models {
		if e.Defaults != nil && e.Base == "" {
			check(e.Defaults, "models", e.Name)
		}
	}
	// The keys of data sets are in a comment of their own, after the tables.
	for _, key := range conf.Names(&datasets.Config{}) {
		if !strings.Contains(string(src), fmt.Sprintf("\n# %s = ", key)) {
			t.Errorf("data sets: %s is not documented", key)
		}
	}
}
