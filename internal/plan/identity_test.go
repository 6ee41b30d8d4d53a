package plan

import (
	"path/filepath"
	"testing"

	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

// What a suite asks for depends neither on data nor on where it is computed, and on
// everything else.
func TestAsked(t *testing.T) {
	config := `
[datasets.mine]
format = "csv"
path = "not-here.csv"
columns = { user = "u", item = "i" }
[suites.s]
summary = "a"
models = ["popularity", "sasrec"]
datasets = ["mine"]
[suites.s.axes]
dropout = [0.1, 0.2]
[suites.search]
kind = "tune"
models = ["sasrec"]
datasets = ["mine"]
[suites.search.axes]
dropout = [0.1, 0.2]
[suites.losses]
kind = "tune"
models = ["sasrec", "fame", "core"]
datasets = ["mine"]
grid = false
[suites.losses.axes]
train.loss = ["sampled-softmax"]
experts = [1, 4]
core.encoder = ["ave"]
[models.fame]
experts = 1
`
	dir := tinytest.Folder(t, config)
	asked := func(suite string, sets ...string) string {
		t.Helper()
		c, err := Load(filepath.Join(dir, FileName), sets, registry.Models)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Suite(suite)
		if err != nil {
			t.Fatal(err)
		}
		hash, err := c.Asked(s)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	for set, same := range map[string]bool{
		"datasets.mine.path=elsewhere.csv":    true,
		"datasets.mine.unpack_limit=9":        true,
		"train.checkpoint_every=5":            true,
		"train.epochs=200":                    true, // the default
		"suites.s.kind=ci":                    false,
		"suites.s.summary=b":                  false,
		"suites.s.seeds=[0,1]":                false,
		"suites.s.models=[\"sasrec\"]":        false,
		"suites.s.axes.dropout=[0.1]":         false,
		"suites.s.grid=true":                  false,
		"suites.s.train.epochs=3":             false,
		"sasrec.dropout=0.3":                  false,
		"train.time_limit=5":                  false,
		"datasets.mine.max_users=3":           false,
		"models.sasrec.datasets.mine.heads=4": false,
	} {
		if got := asked("s", set) == asked("s"); got != same {
			t.Errorf("%s: the same plan: %v, want %v", set, got, same)
		}
	}
	for _, set := range []string{"search.trials=3", "search.rungs=[2, 0]", "search.seeds=[1]", "search.axes.dropout=[0.3]", "sasrec.heads=1", "search.grid=false"} {
		if asked("search", set) == asked("search") {
			t.Errorf("%s makes no other search", set)
		}
	}
	// They make no difference where the search begins, but at one of its points.
	for _, set := range []string{"train.negatives=512", "fame.router=uniform"} {
		if asked("losses", set) == asked("losses") {
			t.Errorf("%s makes no other search", set)
		}
	}
}

func TestSaysWhere(t *testing.T) {
	c, err := loadText(t, "[datasets.mine]\nformat = \"csv\"\ncolumns = { user = \"u\", item = \"i\" }\ntrain = \"a\"\nvalid = \"b\"\ntest = \"c\"\n[suites.s]\nmodels = [\"popularity\"]\ndatasets = [\"mine\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	for set, want := range map[string]bool{
		"datasets.mine.path=x":                               true,
		"datasets.mine.train=x":                              true,
		" datasets.mine.unpack_limit = 3":                    true,
		`datasets.mine={train="x", test="y"}`:                true,
		`datasets={mine={valid="x"}}`:                        true,
		"pretrain.encoder=x":                                 true,
		`pretrain={encoder="x"}`:                             true,
		"fame-plus.datasets.mine.pretrain.encoder=x":         true,
		`datasets.mine={train="x", max_users=3}`:             false,
		"datasets.mine.max_users=3":                          false,
		"core.encoder=ave":                                   false,
		"fame-plus.datasets.mine.train.learning_rate=.00001": false,
	} {
		if got := c.SaysWhere(set); got != want {
			t.Errorf("%s only says where files are: %v, want %v", set, got, want)
		}
	}
}
