package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/torch/safetensors"
	"famebench/pretrain"
)

// textConfig has a data set with titles and brands, and models that start from them.
const textConfig = `
[datasets.texts]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
items = "items.csv"
item_columns = { item = "i", title = "t", brand = "b" }
[models.fame]
hidden = 8
heads = 2
experts = 2
[pretrain]
epochs = 3
batch = 16
template = "{title}"
[suites.text]
models = ["fame", "fame-plus", "fame-plus-frozen", "fame-plus-pca", "sasrec-plus"]
datasets = ["texts"]
`

func textFolder(t *testing.T) (dir, encoder string) {
	t.Helper()
	dir = tiny(t)
	var items, some strings.Builder
	items.WriteString("i,t,b\n")
	some.WriteString("i,t,b\n")
	for i := range 20 {
		fmt.Fprintf(&items, "i%d,a red thing %d,brand%d\n", i, i%5, i%3)
		switch {
		case i < 8:
			fmt.Fprintf(&some, "i%d,a red thing %d,brand%d\n", i, i%5, i%3)
		case i < 11:
			fmt.Fprintf(&some, "i%d,a red thing %d,None\n", i, i%5)
		}
	}
	write(t, filepath.Join(dir, "items.csv"), items.String())
	write(t, filepath.Join(dir, "foreign.csv"), strings.ReplaceAll(items.String(), "\ni", "\nj"))
	write(t, filepath.Join(dir, "some.csv"), some.String()+"i19,a thing,brand0\ni19,another thing,brand0\n")
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+textConfig)
	encoder, err := filepath.Abs("../internal/oracle/testdata/text_tiny_bert/model")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return dir, encoder
}

// Models that start from texts are trained, their records say how they started and are
// made again, and a table that is frozen stays as it was.
func TestStartFromTexts(t *testing.T) {
	dir, encoder := textFolder(t)
	store := record.Store{Dir: filepath.Join(dir, "results")}
	args := []string{"-suite", "text", "-set", "pretrain.encoder=" + encoder}
	if _, stderr, err := runBench(t, dir, args...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids, err := store.IDs()
	if err != nil || len(ids) != 5 {
		t.Fatalf("%q, %v", ids, err)
	}
	of := map[string]*record.Record{}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		of[r.Result.Spec.Model] = r
	}
	if of["fame"].Result.Pretrain != nil || of["fame"].Result.Spec.Init != nil {
		t.Error("fame has a start from texts")
	}
	for _, model := range []string{"fame-plus", "fame-plus-frozen", "fame-plus-pca", "sasrec-plus"} {
		checkStart(t, store, of[model], of["fame"])
	}
	checkFrozen(t, dir, args)

	// A record says all that is needed to do it again, but for the folder.
	id := of["fame-plus"].ID
	if out, stderr, err := runBench(t, dir, "-verify", id, "-set", "pretrain.encoder="+encoder); err != nil || !strings.Contains(out, "equal") {
		t.Errorf("verify with the configured encoder: %v\n%s%s", err, out, stderr)
	}
	t.Setenv("FAMEBENCH_ENCODER", encoder)
	if out, stderr, err := runBench(t, dir, "-verify", id); err != nil || !strings.Contains(out, "equal") {
		t.Errorf("verify: %v\n%s%s", err, out, stderr)
	}

	// Other labels, another run, and other texts.
	items := filepath.Join(dir, "items.csv")
	original := read(t, items)
	write(t, items, strings.Replace(original, "brand1", "brand2", 1))
	if out, _, err := runBench(t, dir, append(args, "-models", "fame-plus", "-dry-run")...); err != nil || strings.Contains(out, id) || !strings.Contains(out, "to run") {
		t.Errorf("other labels: %v\n%s", err, out)
	}
	if _, _, err := runBench(t, dir, "-verify", id); err == nil || !strings.Contains(err.Error()+stderrOfVerify(t, dir, id), "labels") {
		t.Errorf("verify with other labels: %v", err)
	}
	write(t, items, original)
	write(t, filepath.Join(dir, "items.csv"), strings.Replace(read(t, filepath.Join(dir, "items.csv")), "red", "blue", 1))
	if out, _, err := runBench(t, dir, append(args, "-models", "fame-plus", "-dry-run")...); err != nil || strings.Contains(out, id) || !strings.Contains(out, "to run") {
		t.Errorf("other texts: %v\n%s", err, out)
	}
	if _, _, err := runBench(t, dir, "-verify", id); err == nil || !strings.Contains(err.Error()+stderrOfVerify(t, dir, id), "texts") {
		t.Errorf("verify with other texts: %v", err)
	}
}

// checkStart checks what the record of a model that is initialised from texts says of that.
func checkStart(t *testing.T, store record.Store, rec, fame *record.Record) {
	t.Helper()
	model, r := rec.Result.Spec.Model, rec.Result
	p := r.Pretrain
	if p == nil || p.Items != 20 || p.WithoutText != 0 {
		t.Fatalf("%s: pretrain %+v", model, p)
	}
	pictures, err := store.ReadPictures(rec)
	if err != nil || (len(pictures) > 0) != (model != "fame-plus-pca") {
		t.Errorf("%s: %d pictures, %v", model, len(pictures), err)
	}
	want := map[string]int{"fame-plus-pca": 0, "sasrec-plus": 4}
	if n, ok := want[model]; len(p.Heads) != n && ok || len(p.Heads) != 2 && !ok {
		t.Errorf("%s: %d heads", model, len(p.Heads))
	}
	if s := r.Spec.Init; s == nil || len(s.Texts) != 64 || len(s.Encoder) != 64 || s.Version != pretrain.Version {
		t.Errorf("%s: spec %+v", model, s)
	}
	if _, ok := rec.Resolved["pretrain"]["temperature"]; !ok {
		t.Errorf("%s: the record lacks the settings of the initialisation", model)
	}
	if r.Still != nil {
		t.Errorf("%s: %q did not move", model, r.Still)
	}
	if r.Curve[0].Loss == fame.Result.Curve[0].Loss {
		t.Errorf("%s begins as fame does", model)
	}
}

// checkFrozen: a table that is frozen is the same at two learning rates, another is not.
func checkFrozen(t *testing.T, dir string, args []string) {
	t.Helper()
	store := record.Store{Dir: filepath.Join(dir, "results")}
	table := func(id string) []byte {
		t.Helper()
		f, err := safetensors.Read(store.WeightsPath(id))
		if err != nil {
			t.Fatal(err)
		}
		return f.Tensors["item_emb.weight"].Data
	}
	faster := append(args, "-models", "fame-plus-frozen,fame-plus", "-set", "train.learning_rate=0.05")
	if _, stderr, err := runBench(t, dir, faster...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for model, stays := range map[string]bool{"fame-plus-frozen": true, "fame-plus": false} {
		matches, err := filepath.Glob(filepath.Join(dir, "results", "weights", "texts-"+model+"-s0-*"))
		if err != nil || len(matches) != 2 {
			t.Fatalf("%s: %q, %v", model, matches, err)
		}
		var tables []string
		for _, path := range matches {
			tables = append(tables, string(table(strings.TrimSuffix(filepath.Base(path), ".safetensors"))))
		}
		if (tables[0] == tables[1]) != stays {
			t.Errorf("%s: the item table is the same at two learning rates: %v, want %v", model, !stays, stays)
		}
	}
}

// Items that training never has get the rows of like items where that is asked for;
// all others are as without.
func TestUntrainedItems(t *testing.T) {
	dir, encoder := textFolder(t)
	args := []string{"-suite", "text", "-models", "fame-plus", "-set", "pretrain.encoder=" + encoder, "-set", "datasets.texts.cold_items=0.25"}
	var tables [][]float32
	for _, rule := range []string{"as-trained", "neighbours"} {
		out := filepath.Join(dir, rule)
		if _, stderr, err := runBench(t, dir, append(args, "-out", out, "-set", "pretrain.untrained_items="+rule)...); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		ids, err := (record.Store{Dir: out}).IDs()
		if err != nil || len(ids) != 1 {
			t.Fatalf("%q, %v", ids, err)
		}
		f, err := safetensors.Read(record.Store{Dir: out}.WeightsPath(ids[0]))
		if err != nil {
			t.Fatal(err)
		}
		table, err := f.Tensors["item_emb.weight"].Float32s()
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	const d, items, cold = 8, 20, 5
	differ := 0
	for v := 0; v <= items; v++ {
		if !slices.Equal(tables[0][v*d:(v+1)*d], tables[1][v*d:(v+1)*d]) {
			differ++
		}
	}
	if differ != cold {
		t.Errorf("%d rows of the item table differ, want those of the %d cold items", differ, cold)
	}
	if _, _, err := runBench(t, dir, append(args, "-set", "pretrain.untrained_items=none", "-dry-run")...); err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "untrained_items") {
		t.Errorf("an unknown rule: %v", err)
	}
}

// FAME and SASRec start from the very same table, whatever heads their attention has:
// what differs between them is the model, not the text.
func TestSameStart(t *testing.T) {
	dir, encoder := textFolder(t)
	_, stderr, err := runBench(t, dir, "-suite", "text", "-models", "fame-plus,sasrec-plus", "-set", "pretrain.encoder="+encoder,
		"-set", "pretrain.frozen=true", "-set", "fame.heads=4", "-set", "sasrec.hidden=8", "-set", "sasrec.heads=2")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var tables []string
	for _, model := range []string{"fame-plus", "sasrec-plus"} {
		matches, err := filepath.Glob(filepath.Join(dir, "results", "weights", "texts-"+model+"-s0-*"))
		if err != nil || len(matches) != 1 {
			t.Fatalf("%q, %v", matches, err)
		}
		f, err := safetensors.Read(matches[0])
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, string(f.Tensors["item_emb.weight"].Data))
	}
	if tables[0] != tables[1] {
		t.Error("the item tables differ")
	}
}

// A search over settings of pre-training is read back, whatever it chose.
func TestTuneStart(t *testing.T) {
	dir, encoder := textFolder(t)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+textConfig+`
[suites.search]
kind = "tune"
models = ["fame-plus"]
datasets = ["texts"]
seeds = [100]
trials = 3
rungs = [1, 0]
[suites.search.axes]
pretrain.temperature = [0.01, 0.07, 0.5]
[suites.tuned]
models = ["fame-plus"]
datasets = ["texts"]
seeds = [100]
tuned = ["results/search.toml"]
`)
	set := []string{"-set", "pretrain.encoder=" + encoder}
	out, stderr, err := runBench(t, dir, append(set, "-suite", "search", "-json")...)
	var trials []record.Trial
	if err != nil || json.Unmarshal([]byte(out), &trials) != nil || len(trials) != 3 {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	chosen := slices.IndexFunc(trials, func(t record.Trial) bool { return t.Chosen })
	if trials[0].Rungs[0].Valid == trials[1].Rungs[0].Valid || chosen < 0 {
		t.Fatalf("%+v", trials)
	}
	tuned := filepath.Join(dir, "results", "search.toml")
	text := strings.Join(strings.Fields(read(t, tuned)), " ")
	if at := trials[chosen].At; at == "" && !strings.Contains(text, "# fame-plus on texts: as configured") ||
		at != "" && !strings.HasSuffix(text, "[models.fame-plus.datasets.texts.pretrain] "+strings.TrimPrefix(at, "pretrain.")) {
		t.Errorf("chosen %q, written\n%s", at, read(t, tuned))
	}
	write(t, tuned, "[models.fame-plus.datasets.texts.pretrain]\ntemperature = 0.01\n")
	store := record.Store{Dir: filepath.Join(dir, "out")}
	if _, stderr, err := runBench(t, dir, append(set, "-suite", "tuned", "-out", store.Dir)...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids, err := store.IDs()
	if err != nil || len(ids) != 1 {
		t.Fatalf("%q, %v", ids, err)
	}
	r, err := store.Read(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Result.Spec.Init.Settings["temperature"]); got != "0.01" {
		t.Errorf("temperature %s", got)
	}
	for text, want := range map[string]string{
		"[models.fame-plus.datasets.texts.pretrain]\nheat = 1\n":     "models.fame-plus.datasets.texts.pretrain.heat: unknown key",
		"[models.fame.datasets.texts.pretrain]\ntemperature = 0.5\n": "fame is not initialised from texts",
	} {
		write(t, tuned, text)
		if _, _, err := runBench(t, dir, append(set, "-suite", "tuned", "-dry-run")...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A report needs neither the encoder nor the data: the records say what they were, and the
// test cases are stored.
func TestReportFromRecordsAlone(t *testing.T) {
	dir, encoder := textFolder(t)
	args := []string{"-suite", "text", "-models", "fame,fame-plus"}
	if _, stderr, err := runBench(t, dir, append(args, "-set", "pretrain.encoder="+encoder)...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	out, name := custom(t, filepath.Join(dir, "results"))
	table := filepath.Join(out, "tables", name+".md")
	want := read(t, table)
	if !strings.Contains(want, "by interactions of the target in training") {
		t.Fatalf("no breakdown:\n%s", want)
	}
	none := append(args, "-set", "pretrain.encoder="+filepath.Join(dir, "nowhere"))
	if _, stderr, err := runBench(t, dir, append(none, "-report")...); err != nil || read(t, table) != want {
		t.Errorf("without the encoder: %v\n%s%s", err, stderr, read(t, table))
	}
	for _, name := range []string{"tiny.csv", "items.csv"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "results", "aggregates")); err != nil { // so that all is computed again
		t.Fatal(err)
	}
	if _, stderr, err := runBench(t, dir, append(none, "-report")...); err != nil || read(t, table) != want {
		t.Errorf("without the data: %v\n%s%s", err, stderr, read(t, table))
	}
	cases, err := filepath.Glob(filepath.Join(dir, "results", "datasets", "*.leave-one-out.cases.tsv.gz"))
	if err != nil || len(cases) != 1 {
		t.Fatalf("%q, %v", cases, err)
	}
	if err := os.Remove(cases[0]); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := runBench(t, dir, append(none, "-report")...); err != nil {
		t.Errorf("without the test cases: %v\n%s", err, stderr)
	}
	before, _, _ := strings.Cut(want, "\n## Test users of")
	got, note := read(t, table), "its users were not divided into groups, since datasets/"+filepath.Base(cases[0])+" is missing"
	if !strings.HasPrefix(got, before) || strings.Contains(got, "by interactions of the target in training") || !strings.Contains(got, note) {
		t.Errorf("without the test cases:\n%s\nwant at first\n%s", got, before)
	}
	if _, _, err := runBench(t, dir, append(none, "-dry-run")...); err == nil || exitCode(err) != exitUsage {
		t.Errorf("what cannot be run is planned: %v", err)
	}
}

func stderrOfVerify(t *testing.T, dir, id string) string {
	t.Helper()
	_, stderr, _ := runBench(t, dir, "-verify", id)
	return stderr
}

// Without an encoder the other models run; alone, or under -strict, that is an
// error with the command that fetches one.
func TestMissingEncoder(t *testing.T) {
	dir, _ := textFolder(t)
	none := filepath.Join(dir, "nowhere")
	args := []string{"-suite", "text", "-dry-run", "-set", "pretrain.encoder=" + none}
	out, stderr, err := runBench(t, dir, args...)
	if err != nil || strings.Count(out, "to run\n") != 1 || strings.Count(stderr, "skipped: ") != 4 || !strings.Contains(stderr, "scripts/fetch-encoder.sh") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	if _, stderr, err := runBench(t, dir, "-suite", "text", "-models", "popularity,fame-plus", "-set", "pretrain.encoder="+none); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if table := customTable(t, filepath.Join(dir, "results")); !strings.Contains(table, "fame-plus on texts") || strings.Contains(table, dir) {
		t.Errorf("the table does not tell what was skipped, or names a path of this machine:\n%s", table)
	}
	for _, more := range [][]string{{"-strict"}, {"-models", "fame-plus"}} {
		if _, _, err := runBench(t, dir, append(args, more...)...); err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "scripts/fetch-encoder.sh") {
			t.Errorf("%q: %v", more, err)
		}
	}
}

// Models that are initialised from texts are skipped on items without texts. Metadata of
// other items is an error.
func TestItemsWithoutTexts(t *testing.T) {
	dir, encoder := textFolder(t)
	out, stderr, err := runBench(t, dir, "-suite", "text", "-dry-run", "-datasets", "tiny", "-set", "pretrain.encoder="+encoder)
	if err != nil || strings.Count(out, "to run\n") != 1 || strings.Count(stderr, "needs texts: set datasets.tiny.items and datasets.tiny.item_columns") != 4 {
		t.Errorf("no metadata: %v\n%s%s", err, out, stderr)
	}
	// Metadata of other items is a mistake, which skips nothing.
	_, _, err = runBench(t, dir, "-suite", "text", "-dry-run", "-set", "pretrain.encoder="+encoder, "-set", "datasets.texts.items=foreign.csv")
	if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "none of the 20 items of the log is in") {
		t.Errorf("metadata of other items: %v", err)
	}
	// Items without text are counted.
	_, stderr, err = runBench(t, dir, "-suite", "text", "-models", "fame-plus", "-set", "pretrain.encoder="+encoder, "-set", "datasets.texts.items=some.csv", "-out", filepath.Join(dir, "some"))
	if err != nil || !strings.Contains(stderr, "warning: 8 of 20 items have no text") || !strings.Contains(stderr, "warning: 3 of 20 items have a text, but no label to learn from") || !strings.Contains(stderr, `warning: the metadata has several values for 1 items, such as "a thing" and "another thing" for "i19"`) {
		t.Errorf("items without text: %v\n%s", err, stderr)
	}
	// So are texts of which the encoder does not read the end: with one piece of each text, of all of them.
	for most, want := range map[string]bool{"3": true, "0": false} {
		_, stderr, err := runBench(t, dir, "-suite", "text", "-models", "fame-plus", "-set", "pretrain.encoder="+encoder, "-set", "pretrain.max_tokens="+most, "-out", filepath.Join(dir, "cut"+most))
		if err != nil || strings.Contains(stderr, "warning: 20 of 20 items have a text of more than 3 tokens") != want || !want && strings.Contains(stderr, "tokens, of which") {
			t.Errorf("max_tokens = %s: %v\n%s", most, err, stderr)
		}
	}
	if table := customTable(t, filepath.Join(dir, "some")); !strings.Contains(table, "8 of 20 items have no text") || !strings.Contains(table, "the metadata has several values for 1 items") {
		t.Errorf("the table does not say what the metadata lacks:\n%s", table)
	}
	// A report has no records of other metadata either, such as those from before the labels were gone.
	if table, stderr, err := runBench(t, dir, "-suite", "text", "-models", "fame,fame-plus", "-set", "pretrain.encoder="+encoder); err != nil || !strings.Contains(table, "fame-plus") {
		t.Fatalf("%v\n%s%s", err, table, stderr)
	}
	write(t, filepath.Join(dir, "plain.csv"), "i,t,b\ni1,a red thing 1,\ni2,a red thing 2,\n")
	table, stderr, err := runBench(t, dir, "-suite", "text", "-models", "fame,fame-plus", "-report", "-set", "pretrain.encoder="+encoder, "-set", "datasets.texts.items=plain.csv")
	const reason = "skipped: fame-plus on texts: the metadata of texts lacks what fame-plus needs: start = \"contrast\" learns from labels, and the metadata has none"
	if err != nil || !strings.Contains(strings.Join(strings.Fields(table), " "), reason) || !strings.Contains(stderr, reason) || strings.Contains(table, "│ fame-plus") {
		t.Errorf("other metadata: %v\n%s%s", err, table, stderr)
	}
}

// A random initialisation reads neither texts nor encoder.
func TestRandomStart(t *testing.T) {
	dir, _ := textFolder(t)
	if _, stderr, err := runBench(t, dir, "-suite", "text", "-models", "fame-plus", "-datasets", "tiny", "-set", "pretrain.start=random", "-set", "pretrain.encoder="+filepath.Join(dir, "nowhere"), "-set", "pretrain.scale=4"); err != nil {
		t.Errorf("start = random: %v\n%s", err, stderr)
	}
	drawn, err := filepath.Glob(filepath.Join(dir, "results", "runs", "tiny-fame-plus-s0-*.json"))
	if err != nil || len(drawn) != 1 {
		t.Fatalf("%q, %v", drawn, err)
	}
	r, err := (record.Store{Dir: filepath.Join(dir, "results")}).Read(strings.TrimSuffix(filepath.Base(drawn[0]), ".json"))
	if err != nil {
		t.Fatal(err)
	}
	// Epochs of pre-training and the template are set, but make no difference.
	want := record.Init{Settings: record.Settings{"start": []byte(`"random"`), "scale": []byte("4")}, Version: pretrain.Version}
	if !reflect.DeepEqual(*r.Result.Spec.Init, want) {
		t.Errorf("a drawn start: %+v, want %+v", *r.Result.Spec.Init, want)
	}
	if _, stderr, err := runBench(t, dir, "-verify", strings.TrimSuffix(filepath.Base(drawn[0]), ".json")); err != nil {
		t.Errorf("-verify: %v\n%s", err, stderr)
	}
}

// A damaged encoder is an error before anything runs.
func TestIncompleteEncoder(t *testing.T) {
	dir, encoder := textFolder(t)
	damaged := filepath.Join(dir, "damaged")
	if err := os.CopyFS(damaged, os.DirFS(encoder)); err != nil {
		t.Fatal(err)
	}
	args := []string{"-suite", "text", "-dry-run", "-set", "pretrain.encoder=" + damaged}
	for _, file := range []string{"vocab.txt", "config.json"} {
		if err := os.Remove(filepath.Join(damaged, file)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := runBench(t, dir, args...); err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), file) {
			t.Errorf("without %s: %v", file, err)
		}
	}
}

func TestSettingsOfPretraining(t *testing.T) {
	dir, encoder := textFolder(t)
	for set, want := range map[string]string{
		"pretrain.temprature=1":         "temperature",
		"pretrain.temperature=-1":       "pretrain.temperature = -1",
		"pretrain.template={titel}":     "titel",
		"pretrain.datasets.nix.batch=1": "unknown data set",
		"models.fame.pretrain.batch=1":  "fame is not initialised from texts",
		"pretrain.pooling=maen":         "pooling",
		"pretrain.max_tokens=2":         "max_tokens = 2",
		"pretrain.heads=3":              "pretrain.heads = 3: expected a divisor of hidden = 8",
		"pretrain.scale=0":              "pretrain.scale = 0",

		// What makes a variant is no setting of it; all others are.
		"models.fame-plus-pca.pretrain.start=contrast":   "with this setting fixed",
		"models.fame-plus-frozen.pretrain.frozen=false":  "with this setting fixed",
		"models.sasrec-plus.pretrain.heads=2":            "",
		"models.fame-plus-pca.pretrain.template={brand}": "",
		"suites.text.pretrain.batch=\"a\"":               "expected an integer",
		// A facet that no metadata can have is a mistake, not something that is missing here.
		`pretrain.facets=["weather"]`:        `no facet "weather"`,
		`pretrain.facets=["brand", "brand"]`: `"brand" is listed twice`,
	} {
		_, _, err := runBench(t, dir, "-suite", "text", "-dry-run", "-set", "pretrain.encoder="+encoder, "-set", set)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("-set %s: %v, want %q", set, err, want)
		}
	}
}

// A facet that the metadata lacks is named before anything runs.
func TestFacetsThatAreMissing(t *testing.T) {
	dir, encoder := textFolder(t)
	if _, stderr, err := runBench(t, dir, "-suite", "text", "-dry-run", "-set", "pretrain.encoder="+encoder, "-set", `pretrain.facets=["genre"]`); err != nil ||
		strings.Count(stderr, `no facet "genre"; the metadata has "brand"`) != 4 {
		t.Errorf("facet that is not here: %v\n%s", err, stderr)
	}
	// One place on an axis that cannot be leaves the others.
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+textConfig+"[suites.text.axes]\npretrain.template = [\"{genres}\", \"{brand}\"]\n")
	out, stderr, err := runBench(t, dir, "-suite", "text", "-models", "fame,fame-plus", "-dry-run", "-set", "pretrain.encoder="+encoder)
	if err != nil || strings.Count(out, " to run") != 3 || !strings.Contains(stderr, "skipped: fame-plus on texts with pretrain.template = {genres}") {
		t.Errorf("a template without texts: %v\n%s%s", err, out, stderr)
	}
}
