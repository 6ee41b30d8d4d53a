package plan

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/tinytest"
)

// The source of a model is a run of its own, before it, with the model's heads.
func TestSourceIsPlanned(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, _ := planTiny(t, dir, "warm")
	var got []string
	byID := map[string]Run{}
	for _, r := range p.Runs {
		got = append(got, r.Job.Spec.Model+string(r.Job.Spec.Params["heads"]))
		byID[r.ID] = r
		if r.Source == nil {
			continue
		}
		source, ok := byID[r.Source.ID]
		if !ok || source.For != "fame-warm" || source.Job.Spec.Seed != r.Job.Spec.Seed {
			t.Errorf("%s: its source %s is not before it, or is another run", r.ID, r.Source.ID)
		}
		spec, _ := r.Job.Spec.OfSource()
		if id, err := spec.ID(); err != nil || id != source.ID {
			t.Errorf("the spec of %s describes the source %s, expected %s", r.ID, id, source.ID)
		}
	}
	want := []string{"sasrec4", "fame-warm", "sasrec4", "fame-warm", "sasrec4", "fame-warm", "sasrec", "sasrec", "sasrec"}
	if !slices.Equal(got, want) {
		t.Errorf("runs %q, expected %q", got, want)
	}
	// A source that the suite has anyway is planned once.
	p, _ = planTiny(t, dir, "warm", "sasrec.heads=4")
	if len(p.Runs) != 6 || p.Runs[0].For != "" {
		t.Errorf("%d runs, expected 6, none of them for another model only", len(p.Runs))
	}
}

// Settings of the source make another run of the model that begins with it; settings that
// follow the model, and the seed, do not make another experiment.
func TestSourceIsPartOfTheID(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	ids := func(sets ...string) (ids, keys []string) {
		p, _ := planTiny(t, dir, "warm", append(sets, "warm.models=[\"fame-warm\"]")...)
		for _, r := range p.Runs {
			if r.Source != nil {
				key, err := r.Job.Spec.ExperimentKey()
				if err != nil {
					t.Fatal(err)
				}
				ids, keys = append(ids, r.ID), append(keys, key)
			}
		}
		return ids, keys
	}
	base, keys := ids()
	if len(slices.Compact(slices.Clone(keys))) != 1 {
		t.Errorf("seeds are of %d experiments, expected one", len(slices.Compact(keys)))
	}
	for _, set := range []string{"sasrec.datasets.tiny.dropout=0.3", "sasrec.train.epochs=2"} {
		if other, _ := ids(set); slices.Equal(other, base) {
			t.Errorf("%s: the ids are the same", set)
		}
	}
	for _, set := range []string{"sasrec.heads=1", "sasrec.layers=3", "sasrec.train.max_len=7"} {
		if other, _ := ids(set); !slices.Equal(other, base) {
			t.Errorf("%s: the ids differ, although the source follows the model", set)
		}
	}
}

func TestInitFromIsChecked(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	for set, want := range map[string]string{
		"fism.init_from=sasrec":        "",
		"fism.init_from=sasrecs":       `unknown model "sasrecs"`,
		"fism.init_from=popularity":    "no weights to begin with",
		"fism.init_from=3":             "expected the name of a model",
		"fame-warm.train.item_scale=2": "expected 1, because fame-warm begins with the trained table of sasrec",
		"fame-warm.init_from=fism":     "fame-warm is the variant that begins with sasrec",
		"sasrec.init_from=fame-warm":   "would begin with itself",
		"fism.init_from=fism":          "would begin with itself",
		"popularity.init_from=fism":    "popularity has no settings",
	} {
		model, _, _ := strings.Cut(set, ".")
		_, _, err := tryTiny(dir, "warm", set, "warm.models=[\""+model+"\"]")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, expected %q", set, err, want)
		}
	}
}

// A data set may have seeds of its own, which -seeds replaces.
func TestSeedsOfADataSet(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	seeds := func(sets ...string) (out []int64) {
		p, _ := planTiny(t, dir, "neural", sets...)
		for _, r := range p.Runs {
			out = append(out, r.Job.Spec.Seed)
		}
		return out
	}
	if got := seeds("neural.seeds_of.tiny=[5, 6, 7]"); !slices.Equal(got, []int64{5, 6, 7}) {
		t.Errorf("seeds %d, expected 5, 6 and 7", got)
	}
	if got := seeds(); !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("seeds %d, expected 0 and 1", got)
	}
	if got := seeds("neural.seeds_of.tiny.sasrec=[5]"); !slices.Equal(got, []int64{5}) {
		t.Errorf("seeds %d of SASRec, expected 5", got)
	}
	// Seeds of a stronger layer replace the more special ones of the file.
	dir = tinytest.Folder(t, tinytest.Config+"\n[suites.neural.seeds_of]\ntiny.sasrec = [3]\n")
	for set, want := range map[string][]int64{"neural.models=[\"sasrec\"]": {3}, "neural.seeds=[7]": {7}, "neural.seeds_of.tiny=[5]": {5}, "neural.seeds_of.tiny.sasrec=[6]": {6}} {
		if got := seeds(set); !slices.Equal(got, want) {
			t.Errorf("%s: seeds %d, expected %d", set, got, want)
		}
	}
	if got := seeds("neural.seeds=[7]", "neural.seeds_of.tiny=[8]"); !slices.Equal(got, []int64{8}) {
		t.Errorf("seeds %d, expected 8", got)
	}
	for set, want := range map[string]string{
		"neural.seeds_of.tiny.sasrek=[1]": `the suite has no model "sasrek"`,
		"neural.seeds_of.tinny=[1]":       "the suite has no data set \"tinny\"; did you mean \"tiny\"?",
		"neural.seeds_of.tiny=[-1]":       "expected seeds of 0 or more",
		"neural.seeds_of.tiny=3":          "expected a list",
	} {
		if _, _, err := tryTiny(dir, "neural", set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, expected %q", set, err, want)
		}
	}
}

// The rule for items without training data replaces rows after training. A run begins with the
// weights that training left, so the rule of its source makes no difference to it.
func TestSourceIsAsTrained(t *testing.T) {
	asked := func(set string) string {
		t.Helper()
		c, err := loadText(t, "[datasets.amazon-beauty]\n[suites.s]\nmodels = [\"fame-plus-warm\"]\ndatasets = [\"amazon-beauty\"]\n", set)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Suite("s")
		if err != nil {
			t.Fatal(err)
		}
		sum, err := c.Asked(s)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	plain := asked("models.sasrec-plus.pretrain.untrained_items=\"as-trained\"")
	if asked("models.sasrec-plus.pretrain.untrained_items=\"projection\"") != plain {
		t.Error("the source's rule for untrained items is part of what the suite asks for")
	}
	if asked("models.sasrec-plus.pretrain.scale=2") == plain {
		t.Error("the source's scale is not")
	}
}

// fame-long is FAME with other settings. Where it has none, it would repeat FAME's results, so it is
// left out, and so are the settings that are FAME's on every place of an axis.
func TestVariantWithoutSettings(t *testing.T) {
	const text = "[datasets.amazon-beauty]\n[datasets.amazon-toys]\n[models.fame-long.datasets.amazon-beauty.train]\npatience_after = 7\n" +
		"[suites.s]\nmodels = [\"fame\", \"fame-long\"]\ndatasets = [\"amazon-beauty\", \"amazon-toys\"]\n[suites.s.axes]\ndropout = [0.1]\n"
	c, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Suite("s")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Plan(s, Options{Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.Runs {
		got = append(got, r.Job.Spec.Model+" "+r.Job.Spec.Dataset.Name)
	}
	want := []string{"fame amazon-beauty", "fame amazon-beauty", "fame-long amazon-beauty", "fame-long amazon-beauty", "fame amazon-toys", "fame amazon-toys"}
	if !slices.Equal(got, want) {
		t.Errorf("runs %q, expected %q", got, want)
	}
	if len(p.Skipped) != 2 || p.Skipped[0].What != "fame-long on amazon-toys" || p.Skipped[0].Missing ||
		!strings.Contains(p.Skipped[0].Reason, "its settings there are those of fame, whose results it would repeat: set its own in [models.fame-long.datasets.amazon-toys]") {
		t.Errorf("skipped %+v", p.Skipped)
	}
}

// An axis of a variant alone, which its base does not have.
func TestAxisOfAVariant(t *testing.T) {
	c, err := loadText(t, "[datasets.amazon-beauty]\n[suites.s]\nmodels = [\"fame\", \"fame-long\"]\ndatasets = [\"amazon-beauty\"]\n[suites.s.axes]\nfame-long.experts = [1, 2, 4]\n")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := planned(t, c)
	if want := []string{"fame: ", "fame-long: fame-long.experts = 1", "fame-long: fame-long.experts = 2"}; !slices.Equal(got, want) { // 4 are FAME's own
		t.Errorf("runs %q, expected %q", got, want)
	}
}
