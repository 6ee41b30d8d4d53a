package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

// groupsConfig has films-1, films-2 and books, and the tables of a test.
func groupsConfig(t *testing.T, tables string, sets ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	text := tables
	for _, d := range []string{"films-1", "films-2", "books"} {
		text += fmt.Sprintf("\n[datasets.%s]\nname = \"amazon-beauty\"\n", d)
	}
	tinytest.Write(t, filepath.Join(dir, FileName), text+"\n[suites.s]\nmodels = [\"fame\"]\ndatasets = [\"books\"]\n")
	return Load(filepath.Join(dir, FileName), sets, registry.Models)
}

// Tables for groups are read in their order of strength, wherever they are in the file.
func TestGroups(t *testing.T) {
	const all, films, one = `[models."*".datasets."*"]`, `[models."*".datasets."films-*"]`, `[models."*".datasets.films-1]`
	for _, tt := range []struct {
		tables string
		model  string
		want   string // dropout on films-1, films-2 and books
	}{
		{"", "sasrec", "0.5 0.5 0.5"},
		{films + "\ndropout = 0.1", "sasrec", "0.1 0.1 0.5"},
		{films + "\ndropout = 0.1", "fame-concat", "0.1 0.1 0.5"},
		{films + "\ndropout = 0.1", "sasrec-plus", "0.1 0.1 0.5"},
		{one + "\ndropout = 0.3\n" + films + "\ndropout = 0.2\n" + all + "\ndropout = 0.1", "sasrec", "0.3 0.2 0.1"},
		{all + "\ndropout = 0.1\n" + films + "\ndropout = 0.2\n" + one + "\ndropout = 0.3", "core", "0.3 0.2 0.1"},
		{`[models."*".datasets."films-1*"]` + "\ndropout = 0.2\n" + films + "\ndropout = 0.1", "sasrec", "0.2 0.1 0.5"},
		{"[models.\"*\"]\ndropout = 0.1", "bert4rec", "0.1 0.1 0.1"},
		{"[models.sasrec]\ndropout = 0.3\n[models.\"*\"]\ndropout = 0.1", "sasrec", "0.3 0.3 0.3"},
		{"[models.sasrec]\ndropout = 0.3\n" + films + "\ndropout = 0.1", "sasrec", "0.1 0.1 0.3"},
		{"[models.sasrec.datasets.\"films-*\"]\ndropout = 0.3\n" + one + "\ndropout = 0.1", "sasrec", "0.3 0.3 0.5"},
		{"[models.sasrec.datasets.films-2]\ndropout = 0.3\n[models.sasrec.datasets.\"films-*\"]\ndropout = 0.2\n", "sasrec", "0.2 0.3 0.5"},
		{"[models.fame]\ndropout = 0.3\n" + films + "\ndropout = 0.1", "fame-plain", "0.1 0.1 0.3"},
		{"[models.fame-plain]\ndropout = 0.3\n" + films + "\ndropout = 0.1", "fame-plain", "0.3 0.3 0.3"},
		{"[models.\"*\"]\nexperts = 2\ndropout = 0.1", "fame-no-moe", "0.1 0.1 0.1"}, // experts = 1 makes the variant
	} {
		c, err := groupsConfig(t, tt.tables)
		if err != nil {
			t.Errorf("%s: %v", tt.tables, err)
			continue
		}
		e, _ := registry.Find(registry.Models, tt.model)
		var got []any
		for _, d := range []string{"films-1", "films-2", "books"} {
			p, err := c.Params(e, d)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, settingOf(t, p, "dropout"))
		}
		if s := strings.TrimSpace(fmt.Sprintln(got...)); s != tt.want {
			t.Errorf("%s\n%s: got  %s\nwant %s", tt.tables, tt.model, s, tt.want)
		}
	}
}

// settingOf is a setting of a model's configuration by its key.
func settingOf(t *testing.T, config any, key string) any {
	t.Helper()
	values := map[string]any{}
	text, err := json.Marshal(config)
	if err := errors.Join(err, json.Unmarshal(text, &values)); err != nil {
		t.Fatal(err)
	}
	return values[key]
}

// Training and pre-training settings have the same groups.
func TestGroupsOfTraining(t *testing.T) {
	c, err := groupsConfig(t, `
[models."*".datasets."films-*".train]
epochs = 5
patience = 5
[models.fame.datasets."films*".train]
epochs = 6
[pretrain.datasets."*"]
template = "{title}"
[pretrain.datasets."films-*"]
template = "{title} ({year})"
[models."*".datasets.films-2.pretrain]
batch = 64
`, "models.*.datasets.films-2.train.epochs=7")
	if err != nil {
		t.Fatal(err)
	}
	e, _ := registry.Find(registry.Models, "fame-plus")
	for data, want := range map[string]string{"films-1": "6 5 {title} ({year}) 512", "films-2": "7 5 {title} ({year}) 64", "books": "200 10 {title} 512"} {
		tr, err := c.Train(e, data, "s", 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Init(e, data, "s")
		if got := fmt.Sprint(tr.Epochs, tr.Patience, " ", s.Template, " ", s.Batch); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", data, got, err, want)
		}
	}
}

func TestGroupErrors(t *testing.T) {
	for tables, want := range map[string]string{
		"[models.sasrec.datasets.\"flims-*\"]\ndropout = 0.1":         `experiments.toml:1: models.sasrec.datasets.flims-*: no data set's name begins with "flims-"; did you mean "films-1"?`,
		"\n[models.\"*\".datasets.\"zzzzzz*\"]\ndropout = 0.1":        `experiments.toml:2: models.*.datasets.zzzzzz*: no data set's name begins with "zzzzzz"; known: films-1, films-2, books`,
		"[models.sasrec.datasets.\"*-1\"]\ndropout = 0.1":             `experiments.toml:1: models.sasrec.datasets.*-1: expected "*" at the end of the name only, as in "ml-*"`,
		"[pretrain.datasets.\"f*s-*\"]\nbatch = 1":                    `experiments.toml:1: pretrain.datasets.f*s-*: expected "*" at the end of the name only, as in "ml-*"`,
		"[pretrain.datasets.\"flims-*\"]\nbatch = 1":                  `experiments.toml:1: pretrain.datasets.flims-*: no data set's name begins with "flims-"; did you mean "films-1"?`,
		"[models.sasrec.datasets.film]\ndropout = 0.1":                `experiments.toml:1: models.sasrec.datasets.film: unknown data set; known: films-1, films-2, books`,
		"[models.\"sas*\"]\ndropout = 0.1":                            `experiments.toml:1: models.sas*: expected the name of a model, or "*" for all models`,
		"[models.\"*\".datasets.\"films-*\"]\ndorpout = 0.1":          `experiments.toml:2: models.*.datasets.films-*.dorpout: no model has this setting; did you mean "dropout"?`,
		"[models.\"*\"]\ndropout = \"x\"":                             `experiments.toml:2: models.*.dropout: expected a number, got the string "x"`,
		"[models.\"*\".datasets.\"films-*\".train]\nepohcs = 1":       `experiments.toml:2: models.*.datasets.films-*.train.epohcs: unknown key; did you mean "epochs"?`,
		"[models.\"*\"]\ndatasets = 1":                                `experiments.toml:2: models.*.datasets: expected a table, got the integer 1`,
		"[models.fame-no-moe.datasets.\"films-*\"]\nexperts = 3":      `experiments.toml:2: models.fame-no-moe.datasets.films-*.experts: fame-no-moe is fame with this setting fixed; set it in models.fame, or for another variant`,
		"[models.sasrec.datasets.\"films-*\".pretrain]\nbatch = 3":    `experiments.toml:1: models.sasrec.datasets.films-*.pretrain: sasrec is not initialised from texts`,
		"[models]\n\"*\" = 1":                                         `experiments.toml:2: models.*: expected a table, got the integer 1`,
		"[models.\"*\".datasets]\n\"films-*\" = 1":                    `experiments.toml:2: models.*.datasets.films-*: expected a table, got the integer 1`,
		"[models.\"*\".datasets.\"films-*\".datasets.books]\nheads=1": `experiments.toml:1: models.*.datasets.films-*.datasets: no model has this setting`,
	} {
		_, err := groupsConfig(t, tables)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngot  %v\nwant %s", tables, err, want)
		}
	}
}

// One table of the repository's file is about MovieLens and applies to every model with
// dropout.
func TestMovieLensTable(t *testing.T) {
	c, err := Load(repoConfig, nil, registry.Models)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range registry.Models {
		if e.Defaults == nil {
			continue
		}
		for data, want := range map[string]any{"ml-100k": .2, "ml-1m": .2, "ml-20m": .2, "beauty": settingOf(t, e.Defaults, "dropout")} {
			p, err := c.Params(e, data)
			if err != nil {
				t.Fatal(err)
			}
			if got, attention := settingOf(t, p, "dropout"), settingOf(t, p, "attn_dropout"); got != want || attention != want {
				t.Errorf("%s on %s: dropout %v, attn_dropout %v, want %v", e.Name, data, got, attention, want)
			}
			if e.Text && strings.HasPrefix(data, "ml-") {
				if s, err := c.Init(e, data, "pretrain"); err != nil || s.Template != "{title} ({year}). {genres}" {
					t.Errorf("%s on %s: template %q, %v", e.Name, data, s.Template, err)
				}
			}
		}
	}
}

// Where the configuration has a value for a data set, a value that was chosen for another one leaves
// the configured value as it is, also that of a variant, which is stronger.
func TestOwnValues(t *testing.T) {
	for tables, want := range map[string]string{
		"":                                  "<nil>",
		"[models.fame-warm]\ndropout = 0.4": "<nil>",
		"[models.\"*\".datasets.\"films-*\"]\ndropout = 0.2":                                    "0.2",
		"[models.\"*\".datasets.\"films-*\"]\ndropout = 0.2\n[models.fame-warm]\ndropout = 0.4": "0.4",
	} {
		c, err := groupsConfig(t, tables)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := registry.Find(registry.Models, "fame-warm")
		n, err := c.own(e, "films-1", []string{"dropout"})
		got := "<nil>"
		if n != nil {
			got = fmt.Sprint(n.Value)
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; expected %s", tables, got, err, want)
		}
	}
}
