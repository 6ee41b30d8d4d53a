package plan

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

const axesConfig = `
[datasets.beauty]
name = "amazon-beauty"
max_users = 500
[models.fame]
hidden = 16
[suites.s]
models = ["popularity", "sasrec", "fame", "fame-no-moe"]
datasets = ["beauty"]
`

func loadAxes(t *testing.T, more string, sets ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	tinytest.Write(t, filepath.Join(dir, FileName), axesConfig+more)
	return Load(filepath.Join(dir, FileName), sets, registry.Models)
}

// planned lists the runs of suite s as "model: place on the axes".
func planned(t *testing.T, c *Config) (runs []string, p *Plan) {
	t.Helper()
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	if p, err = c.Plan(s, Options{Threads: 1, Out: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Runs {
		runs = append(runs, r.Job.Spec.Model+": "+r.At)
	}
	return runs, p
}

func TestAxes(t *testing.T) {
	const heads = "\n[suites.s.axes]\nheads = [1, 4]\n"
	for _, tt := range []struct {
		name, more string
		sets       []string
		want       []string
	}{
		{"none", "", nil, []string{"popularity: ", "sasrec: ", "fame: ", "fame-no-moe: "}},
		// The configured value (4 heads of FAME) is run once. A non-neural baseline has no
		// axes.
		{"one by one", heads + "fame.experts = [1, 2]\n", nil, []string{
			"popularity: ",
			"sasrec: ", "sasrec: heads = 1", "sasrec: heads = 4",
			"fame: ", "fame: heads = 1", "fame: fame.experts = 1", "fame: fame.experts = 2",
			"fame-no-moe: ", "fame-no-moe: heads = 1"}},
		{"grid", heads + "fame.experts = [1, 2]\n", []string{"s.grid=true"}, []string{
			"popularity: ",
			"sasrec: heads = 1", "sasrec: heads = 4",
			"fame: heads = 1, fame.experts = 1", "fame: heads = 4, fame.experts = 1", "fame: heads = 1, fame.experts = 2", "fame: heads = 4, fame.experts = 2",
			"fame-no-moe: heads = 1", "fame-no-moe: heads = 4"}},
		// A variant that fixes the setting is run once.
		{"fixed by a variant", "\n[suites.s.axes]\nexperts = [2]\n", []string{"s.models=[\"fame\", \"fame-no-moe\"]"}, []string{"fame: ", "fame: experts = 2", "fame-no-moe: "}},
		{"training", "\n[suites.s.axes]\ntrain.epochs = [3]\nmodels.fame.train.epochs = [4]\n", []string{"s.models=[\"popularity\", \"fame\"]"}, []string{"popularity: ", "fame: ", "fame: train.epochs = 3", "fame: models.fame.train.epochs = 4"}},
		{"command line", heads, []string{"s.axes.heads=[8]", "s.models=[\"sasrec\"]"}, []string{"sasrec: ", "sasrec: heads = 8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := loadAxes(t, tt.more, tt.sets...)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := planned(t, c); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// A setting of the initialisation is varied for models that are initialised from
// texts, and for those of their variants to which it makes a difference.
func TestAxesOfAStart(t *testing.T) {
	c, err := loadAxes(t, "\n[suites.s.axes]\npretrain.scale = [2.0]\npretrain.temperature = [0.1]\npretrain.pooling = [\"cls\"]\n",
		`s.models=["fame", "fame-plus", "fame-plus-one-facet", "fame-plus-pca", "fame-plus-random"]`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	const scale, temperature, pooling = "pretrain.scale = 2", "pretrain.temperature = 0.1", "pretrain.pooling = cls"
	for model, want := range map[string][]string{
		"fame": {""}, "fame-plus": {"", scale, temperature, pooling}, "fame-plus-one-facet": {"", scale, temperature, pooling},
		"fame-plus-pca": {"", scale, pooling}, "fame-plus-random": {"", scale},
	} {
		e, _ := registry.Find(registry.Models, model)
		var got []string
		for _, p := range c.points(s, e, s.Datasets[0]) {
			got = append(got, p.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", model, got, want)
		}
	}
	if _, err := loadAxes(t, "\n[suites.s.axes]\npretrain.temperature = [0.1]\n", `s.models=["fame-plus-random"]`); err == nil || !strings.Contains(err.Error(), "no model of the suite has this setting") {
		t.Errorf("an axis that makes no difference: %v", err)
	}
}

// An axis names a setting, not a table for a data set, which other axes could not tell from it.
// What decides no result is no axis, and neither are epochs where the rungs of a search decide them.
func TestWhatIsNoAxis(t *testing.T) {
	const unknown = "no model of the suite has this setting"
	const search = "kind = \"tune\"\nmodels = [\"sasrec\"]\n"
	for axis, tt := range map[string]struct{ more, want string }{
		"fame.datasets.beauty.heads = [1, 2]":                {"", unknown},
		"models.fame.datasets.beauty.heads = [1, 2]":         {"", unknown},
		"fame.datasets.beauty.train.dropout = [1, 2]":        {"", unknown},
		"train.datasets.beauty.learning_rate = [0.1]":        {"", unknown},
		"pretrain.datasets.beauty.scale = [0.1]":             {"", unknown},
		"fame.init.scale = [0.1]":                            {"", unknown},
		"train.time_limit = [\"1m\", \"2m\"]":                {"", "time_limit makes no difference to a result"},
		"fame.train.checkpoint_every = [\"1m\", \"2m\"]":     {"", "checkpoint_every makes no difference to a result"},
		"train.epochs = [30, 100]":                           {search, "the rungs of the suite set the number of epochs"},
		"sasrec.train.epochs = [30, 100]":                    {search + "rungs = [5, 0]\n", "the rungs of the suite set the number of epochs"},
		"train.epochs = [30, 101]":                           {search + "rungs = [0]\n", ""},
		"train.epochs = [30, 102]":                           {"", ""},
		"fame.train.learning_rate = [0.1]\nfame.heads = [1]": {"", ""},
	} {
		config := strings.Replace(axesConfig, "[suites.s]\nmodels = [\"popularity\", \"sasrec\", \"fame\", \"fame-no-moe\"]\n", "[suites.s]\n"+tt.more, 1)
		if tt.more == "" {
			config = axesConfig
		}
		path := filepath.Join(t.TempDir(), FileName)
		tinytest.Write(t, path, config+"\n[suites.s.axes]\n"+axis+"\n")
		_, err := Load(path, nil, registry.Models)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want %q", axis, err, tt.want)
		}
	}
}

// Settings that a model refuses are skipped with a notice, and values reach the
// spec.
func TestAxesSkipWhatAModelRefuses(t *testing.T) {
	c, err := loadAxes(t, "\n[suites.s.axes]\nfame.heads = [2, 3]\ntrain.learning_rate = [-1.0]\n", `s.models=["fame"]`)
	if err != nil {
		t.Fatal(err)
	}
	runs, p := planned(t, c)
	if want := []string{"fame: ", "fame: fame.heads = 2"}; !slices.Equal(runs, want) {
		t.Errorf("got %q, want %q", runs, want)
	}
	if string(p.Runs[1].Job.Spec.Params["heads"]) != "2" {
		t.Errorf("spec %+v", p.Runs[1].Job.Spec.Params)
	}
	var skipped []string
	for _, s := range p.Skipped {
		skipped = append(skipped, s.What+": "+s.Reason)
	}
	if len(skipped) != 2 || !strings.Contains(skipped[0], "fame on beauty with fame.heads = 3: ") || !strings.Contains(skipped[0], "expected a divisor of hidden") || !strings.Contains(skipped[1], "learning_rate") {
		t.Errorf("skipped %q", skipped)
	}
}

func TestAxesErrors(t *testing.T) {
	for more, want := range map[string]string{
		"[suites.s.axes]\nheds = [1]":                                                 "experiments.toml:11: suites.s.axes.heds: no model of the suite has this setting",
		"[suites.s.axes]\nbert4rec.heads = [1]":                                       "suites.s.axes.bert4rec.heads: no model of the suite has this setting",
		"[suites.s.axes]\nheads = 2":                                                  "suites.s.axes.heads: expected a list",
		"[suites.s.axes]\nheads = []":                                                 "suites.s.axes.heads: expected a list",
		"[suites.s.axes]\nheads = [2, 2]":                                             "the value 2 is listed twice",
		"[suites.s.axes]\nheads = [2.5]":                                              "experiments.toml:11: models.sasrec.heads: expected an integer, got the number 2.5",
		"[suites.s.axes]\ntrain.epohcs = [2]":                                         `epohcs: unknown key; did you mean "epochs"?`,
		"grid = true\n[suites.s.axes]\nheads = [2]\nsasrec.heads = [4]":               "experiments.toml:13: suites.s.axes: heads and sasrec.heads set the same setting of sasrec",
		"grid = true\n[suites.s.axes]\ntrain.epochs = [2]\nsasrec.train.epochs = [4]": "experiments.toml:13: suites.s.axes: train.epochs and sasrec.train.epochs set the same setting of sasrec",
		"trials = 3":                           `suites.s.trials: only suites of kind "tune" have this key`,
		"kind = \"tune\"":                      "popularity has nothing to tune",
		"kind = \"tune\"\nmodels = [\"fame\"]": "", // twice the same key: the parser's
		"[suites.t]\nkind = \"tune\"\nmodels = [\"fame\"]\ndatasets = [\"beauty\"]":                               `suites.t: a suite of kind "tune" needs axes to search`,
		"[suites.t]\nkind = \"tune\"\nmodels = [\"fame\"]\ndatasets = [\"beauty\"]\ntrials = 0\naxes.heads = [1]": "suites.t.trials: 0: expected at least 1",
		"interaction = \"heads\"": `experiments.toml:10: suites.s.interaction: expected the suite's only axis, got "heads"; its axes: none`,
		"interaction = \"heads\"\n[suites.s.axes]\nfame.heads = [2, 4]":                                                          `suites.s.interaction: expected the suite's only axis, got "heads"; its axes: "fame.heads"`,
		"interaction = \"heads\"\n[suites.s.axes]\nheads = [2, 4]\nlayers = [1]":                                                 `suites.s.interaction: expected the suite's only axis, got "heads"; its axes: "heads", "layers"`,
		"interaction = \"heads\"\n[suites.s.axes]\nheads = [2, 4]":                                                               "suites.s.interaction: expected at least 2 data sets, on which the axis may have other effects, got 1",
		"pairs = [[\"popularity\"]]":                                                                                             `experiments.toml:10: suites.s.pairs: expected two different rows in each pair, as in [["sasrec", "fame"]], got "popularity"`,
		"pairs = [[\"fame\", \"fame\"]]":                                                                                         `suites.s.pairs: expected two different rows in each pair, as in [["sasrec", "fame"]], got "fame, fame"`,
		"pairs = [[\"fame\", \"sasrec\"], [\"fame\", \"sasrec\"]]":                                                               `suites.s.pairs: the pair "fame", "sasrec" is listed twice`,
		"pairs = [[\"fame\", \"sasrek heads=4\"]]":                                                                               `suites.s.pairs: expected labels of rows, such as "sasrec heads=4": "sasrek heads=4" begins with no model; did you mean "sasrec"?`,
		"[suites.t]\nkind = \"ci\"\npairs = []\nmodels = [\"fame\"]\ndatasets = [\"beauty\"]":                                    `suites.t.pairs: only suites of kind "compare" have this key`,
		"[suites.t]\nkind = \"tune\"\nmodels = [\"fame-plus\"]\ndatasets = [\"beauty\"]\naxes.pretrain.encoder = [\"a\", \"b\"]": "a search cannot choose a folder",
		"by_entropy = true": "experiments.toml:10: suites.s.by_entropy: expected an axis with numbers, the suite's only one, whose lowest number the others are compared with; its axes: none",
		"by_entropy = true\n[suites.s.axes]\nheads = [2, 4]\nlayers = [1, 2]":                              `suites.s.by_entropy: expected an axis with numbers, the suite's only one, whose lowest number the others are compared with; its axes: "heads", "layers"`,
		"[suites.t]\nkind = \"ci\"\ninteraction = \"heads\"\nmodels = [\"fame\"]\ndatasets = [\"beauty\"]": `suites.t.interaction: only suites of kind "compare" have this key`,
	} {
		_, err := loadAxes(t, more)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to contain %q", more, err, want)
		}
	}
}

// Values of one model on one data set, with training settings, and those of a
// file of tuned values, which are stronger than this file's and weaker than -set.
func TestTunedValues(t *testing.T) {
	c, err := loadAxes(t, "tuned = [\"tuned.toml\"]\n[models.sasrec.datasets.beauty]\nheads = 4\n[models.sasrec.datasets.beauty.train]\nepochs = 7\npatience = 3\n", `s.models=["sasrec"]`, "sasrec.layers=1")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("s")
	if _, err := c.Plan(s, Options{}); err == nil || !strings.Contains(err.Error(), `run a suite of kind "tune" first`) {
		t.Errorf("without the file: %v", err)
	}
	path := filepath.Join(c.Root, "tuned.toml")
	tinytest.Write(t, path, "[models.sasrec.datasets.beauty]\nheads = 8\nlayers = 3\n[models.sasrec.datasets.beauty.train]\nepochs = 9\n")
	_, p := planned(t, c)
	spec := p.Runs[0].Job.Spec
	got := []string{string(spec.Params["heads"]), string(spec.Params["layers"]), string(spec.Train["epochs"]), string(spec.Train["patience"])}
	if want := []string{"8", "1", "9", "3"}; !slices.Equal(got, want) {
		t.Errorf("heads, layers, epochs, patience are %q, want %q", got, want)
	}
	for text, want := range map[string]string{
		"[train]\nepochs = 3":                        "tuned.toml:1: train: expected only models and also_for in a file of tuned values",
		"[models.sasrec]\nhds = 3":                   "tuned.toml:2: models.sasrec.hds: unknown key",
		"[models.sasrek]\nhds = 3":                   "tuned.toml:1: models.sasrek: unknown model",
		"[also_for.sasrek.datasets.beauty]\nhds = 3": "tuned.toml:2: also_for.sasrek.datasets.beauty.hds: unknown model",
		"[also_for.sasrec.datasets.beauty]\nhds = 3": "tuned.toml:2: models.sasrec.datasets.beauty.hds: unknown key",
		"[also_for.sasrec]\nheads = 3":               "tuned.toml:2: also_for.sasrec.heads: expected only values for models on data sets",
		"[models.sasrec]\nheads = ":                  "tuned.toml:2",
	} {
		tinytest.Write(t, path, text)
		if _, err := c.Plan(s, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A missing data set is skipped with the command that fetches it if the suite
// has others. If it is the only one, or with -strict, it is an error.
func TestMissingData(t *testing.T) {
	t.Setenv("FAMEBENCH_DATA", t.TempDir())
	c, err := loadAxes(t, "[datasets.ml-20m]\n", `s.datasets=["beauty", "ml-20m"]`)
	if err != nil {
		t.Fatal(err)
	}
	_, p := planned(t, c)
	if len(p.Skipped) != 1 || !p.Skipped[0].Missing || p.Skipped[0].What != "ml-20m" || !strings.Contains(p.Skipped[0].Reason, "scripts/fetch-data.sh ml-20m") || len(p.Runs) != 4 {
		t.Errorf("%d runs, skipped %+v", len(p.Runs), p.Skipped)
	}
	s, _ := c.Suite("s")
	for _, o := range []Options{{Strict: true}, {}} {
		if !o.Strict {
			s.Datasets = []string{"ml-20m"}
		}
		if _, err := c.Plan(s, o); err == nil || !strings.Contains(err.Error(), "scripts/fetch-data.sh ml-20m") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// The configured settings are marked wherever they are on the axes: at no place, or in a grid.
func TestConfigured(t *testing.T) {
	axes := "\n[suites.s.axes]\nheads = [1, 4]\nfame.experts = [1, 4]\n"
	for _, tt := range []struct{ set, want string }{
		{"s.grid=false", "popularity: , sasrec: , fame: , fame-no-moe: "}, // fame: with 4 heads and 4 experts
		{"s.grid=true", "popularity: , sasrec: heads = 4, fame: heads = 4, fame.experts = 4, fame-no-moe: heads = 4"},
		{"s.grid=true models.sasrec.heads=2", "popularity: , fame: heads = 4, fame.experts = 4, fame-no-moe: heads = 4"}, // not in the grid
	} {
		sets := strings.Fields(tt.set)
		if len(sets) == 1 {
			sets = append(sets, "models.sasrec.heads=4")
		}
		c, err := loadAxes(t, axes, sets...)
		if err != nil {
			t.Fatal(err)
		}
		_, p := planned(t, c)
		var got []string
		for _, r := range p.Runs {
			if r.Configured {
				got = append(got, r.Job.Spec.Model+": "+r.At)
			}
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %s, expected %s", tt.set, strings.Join(got, ", "), tt.want)
		}
	}
}
