package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"famebench/internal/bert"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// damageConfig has runs of every kind whose files are read again.
const damageConfig = `
[suites.damage]
models = ["popularity", "sasrec"]
datasets = ["tiny"]
seeds = [0, 1]
[suites.damage.train]
epochs = 4
checkpoint_every = 0.001
[suites.next]
models = ["markov"]
datasets = ["tiny"]
`

// tree is the content of a folder's files by path.
type tree map[string]string

func readTree(t *testing.T, dir string) tree {
	t.Helper()
	files := tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files[path] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// restore makes a folder what it was.
func (want tree) restore(t *testing.T, dir string) {
	t.Helper()
	now := readTree(t, dir)
	for path := range now {
		if _, ok := want[path]; !ok {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, text := range want {
		if now[path] != text {
			write(t, path, text)
		}
	}
}

// damage changes a file as disks and people do. other is a file of the same kind.
func damage(r *rand.Rand, text, other string) (kind, damaged string) {
	b := []byte(text)
	switch at := r.IntN(len(b)); r.IntN(4) {
	case 0:
		b[at] ^= 1 << r.IntN(8)
		return fmt.Sprintf("bit of byte %d", at), string(b)
	case 1:
		return fmt.Sprintf("cut to %d bytes", at), string(b[:at])
	case 2:
		end := min(len(b), at+1+r.IntN(512))
		clear(b[at:end])
		return fmt.Sprintf("zeros from %d to %d", at, end), string(b)
	}
	return "another's file", other
}

// damageCase is a kind of file, and the commands that read it.
type damageCase struct {
	what     string
	paths    []string
	others   []string // of the same kind
	commands []func() (string, string, error)
	n        int
}

// damageFixture is a results folder with files of every kind.
type damageFixture struct {
	dir, results   string
	store          record.Store
	id, checkpoint string // of a run of SASRec
	good           tree
	r              *rand.Rand
}

// TestDamagedFiles damages files of a results folder, 280 times at random places, always
// the same. After each, the command is run as it would be. It must give the same table, or
// name what is wrong; it must never panic, and never print another number without a word.
func TestDamagedFiles(t *testing.T) {
	dir, _ := textFolder(t)
	config := filepath.Join(dir, plan.FileName)
	write(t, config, read(t, config)+damageConfig)
	f := &damageFixture{dir: dir, results: filepath.Join(dir, "results"), r: rand.New(rand.NewPCG(7, 7))}
	f.store.Dir = f.results
	f.checkpoint, f.id = interrupted(t, dir)
	for _, suite := range []string{"next", "damage"} {
		if _, stderr, err := runBench(t, dir, "-suite", suite); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	}
	f.good = readTree(t, f.results)
	for _, c := range f.cases(t) {
		for i, command := range c.commands {
			f.damage(t, c, i, command)
		}
		f.good.restore(t, f.results)
	}
	f.damageCheckpoint(t)
}

func (f *damageFixture) glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(f.results, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %q, %v", pattern, paths, err)
	}
	return paths
}

func (f *damageFixture) cases(t *testing.T) []damageCase {
	t.Helper()
	csv := read(t, filepath.Join(f.dir, "tiny.csv"))
	// without runs the command where the data is missing, so that statistics are read.
	without := func() (string, string, error) {
		if err := os.Remove(filepath.Join(f.dir, "tiny.csv")); err != nil {
			t.Fatal(err)
		}
		defer write(t, filepath.Join(f.dir, "tiny.csv"), csv)
		return runBench(t, f.dir, "-suite", "damage", "-report")
	}
	report := func() (string, string, error) { return runBench(t, f.dir, "-suite", "damage", "-report") }
	resume := func() (string, string, error) { return runBench(t, f.dir, "-suite", "damage") }
	trec := func() (string, string, error) {
		stdout, stderr, err := runBench(t, f.dir, "-trec", f.id, "-top", "5")
		if err == nil {
			stdout += read(t, f.store.TRECPath(f.id, "kept.run")) + read(t, f.store.TRECPath(f.id, "removed.run"))
		}
		return stdout, stderr, err
	}
	// Statistics of other data, as a run of it writes them.
	elsewhere := filepath.Join(f.dir, "elsewhere")
	if _, stderr, err := runBench(t, f.dir, "-suite", "next", "-set", "datasets.tiny.max_users=20", "-out", elsewhere); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	found, err := filepath.Glob(filepath.Join(elsewhere, "datasets", "*.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	otherCases, err := filepath.Glob(filepath.Join(elsewhere, "datasets", "*.cases.tsv.gz"))
	if err != nil || len(otherCases) != 1 {
		t.Fatalf("%q, %v", otherCases, err)
	}
	records, ranks, summaries := f.glob(t, "runs/*-s[01]-????????.json"), f.glob(t, "runs/*.ranks.tsv.gz"), f.glob(t, "summaries/*.json")
	states := append(f.glob(t, "aggregates/*.json"), f.glob(t, "aggregates/page.key")...)
	return []damageCase{
		{"record", records, records, []func() (string, string, error){report, resume}, 70},
		{"ranks", ranks, ranks, []func() (string, string, error){report, resume}, 60},
		{"summary", summaries, summaries, []func() (string, string, error){report}, 60},
		{"state of a summary", states, states, []func() (string, string, error){report}, 30},
		{"statistics", f.glob(t, "datasets/*.json")[:1], found, []func() (string, string, error){without}, 30},
		{"test cases", f.glob(t, "datasets/*.cases.tsv.gz"), otherCases, []func() (string, string, error){without}, 20},
		{"weights", []string{f.store.WeightsPath(f.id)}, f.glob(t, "weights/*.safetensors"), []func() (string, string, error){trec}, 30},
	}
}

// damage damages files of a kind and runs a command each time.
func (f *damageFixture) damage(t *testing.T, c damageCase, i int, command func() (string, string, error)) {
	t.Helper()
	want, stderr, err := command()
	if err != nil {
		t.Fatalf("%s, undamaged: %v\n%s", c.what, err, stderr)
	}
	whole := readTree(t, f.results)
	for range c.n / len(c.commands) {
		path := c.paths[f.r.IntN(len(c.paths))]
		kind, text := damage(f.r, f.good[path], read(t, c.others[f.r.IntN(len(c.others))]))
		name := fmt.Sprintf("%s %s, %s, command %d", c.what, filepath.Base(path), kind, i)
		write(t, path, text)
		got, stderr, err := command()
		said := stderr + fmt.Sprint(err)
		named := strings.Contains(said, filepath.Base(path)) || strings.Contains(said, strings.SplitN(filepath.Base(path), ".", 2)[0])
		switch {
		case err != nil && !named:
			t.Errorf("%s: the error does not name the file: %v\n%s", name, err, stderr)
		case got != want && (err == nil || got != ""):
			t.Errorf("%s: another output: %v\n%s%s", name, err, stderr, got)
		case err == nil && named && strings.Contains(stderr, "notice: the page lacks suite next: "+path):
		case err == nil:
			checkShown(t, name, f.results, whole)
		}
		whole.restore(t, f.results)
	}
}

// damageCheckpoint damages the checkpoint of a run that was interrupted: it ends with the
// same result.
func (f *damageFixture) damageCheckpoint(t *testing.T) {
	t.Helper()
	want, err := f.store.Read(f.id)
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		for _, path := range []string{f.store.RecordPath(f.id), f.store.RanksPath(f.id)} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		kind, text := damage(f.r, f.checkpoint, f.good[f.store.WeightsPath(f.id)])
		write(t, f.store.CheckpointPath(f.id), text)
		_, stderr, err := runBench(t, f.dir, "-suite", "damage")
		got, failed := f.store.Read(f.id)
		if err != nil || failed != nil || got.ResultSHA256 != want.ResultSHA256 {
			t.Errorf("checkpoint, %s: %v, %v, another result than in peace\n%s", kind, err, failed, stderr)
		}
		if text != f.checkpoint && !strings.Contains(stderr, "training starts over") && strings.Contains(kind, "cut") {
			t.Errorf("checkpoint, %s: no notice\n%s", kind, stderr)
		}
		f.good.restore(t, f.results)
	}
}

// A damaged text encoder: runs of another id, or an error. Nothing may be planned as before.
func TestDamagedEncoder(t *testing.T) {
	dir, encoder := textFolder(t)
	r := rand.New(rand.NewPCG(7, 7))
	copied := filepath.Join(dir, "encoder")
	if err := os.CopyFS(copied, os.DirFS(encoder)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"modules.json": `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
 {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`,
		"1_Pooling/config.json":     `{"word_embedding_dimension": 16, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false, "pooling_mode_max_tokens": false}`,
		"sentence_bert_config.json": `{"max_seq_length": 6, "do_lower_case": false}`,
	} {
		path := filepath.Join(copied, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	// vectors are those of the items' texts, cut as the plan does it.
	vectors := func() []float32 {
		e, err := bert.OpenEncoder(copied)
		if err != nil {
			t.Fatal(err)
		}
		o, err := e.Follow(bert.EncodeOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		v, err := e.Encode(context.Background(), []string{"A red thing 1. brand0", "a thing, UNKNOWN größe 4.", ""}, o)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	planned := func() (string, error) {
		var out, errs bytes.Buffer
		err := command(context.Background(), nil, []string{"-config", filepath.Join(dir, plan.FileName), "-threads", "1", "-suite", "text", "-models", "fame-plus", "-set", "pretrain.encoder=" + copied, "-dry-run"}, &out, &errs)
		return regexp.MustCompile(`texts-fame-plus-s0-[0-9a-f]{8}`).FindString(out.String()), err
	}
	wantID, err := planned()
	if err != nil || wantID == "" {
		t.Fatalf("%q, %v", wantID, err)
	}
	wantVectors := vectors()
	files := readTree(t, copied)
	var paths []string
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for range 38 {
		path := paths[r.IntN(len(paths))]
		kind, text := damage(r, files[path], files[paths[r.IntN(len(paths))]])
		write(t, path, text)
		// A key that nothing reads, or white space in JSON, makes no other encoder.
		if got, err := planned(); err == nil && got == wantID && text != files[path] && !slices.Equal(vectors(), wantVectors) {
			t.Errorf("encoder %s, %s: the same run is planned with other vectors", filepath.Base(path), kind)
		}
		files.restore(t, copied)
	}
}

// checkShown compares the tables and the page with those before a damage.
func checkShown(t *testing.T, name, results string, whole tree) {
	t.Helper()
	now := readTree(t, results)
	for path, text := range whole {
		if rel, _ := filepath.Rel(results, path); (strings.HasPrefix(rel, "tables") || rel == "index.html") && now[path] != text {
			t.Errorf("%s: %s is another", name, rel)
		}
	}
}

// interrupted gives a checkpoint of a run of the suite "damage", and its id. A limit of time
// stops a run however fast or busy the machine is; each is twice the one before, so that the
// last checkpoint is from the second half of training.
func interrupted(t *testing.T, dir string) (checkpoint, id string) {
	t.Helper()
	results := filepath.Join(dir, "stopped")
	for limit := time.Microsecond; ; limit *= 2 {
		var out bytes.Buffer
		err := command(context.Background(), nil, []string{"-config", filepath.Join(dir, plan.FileName), "-threads", "1", "-suite", "damage", "-models", "sasrec", "-seeds", "0",
			"-set", fmt.Sprintf("suites.damage.train.time_limit=%f", limit.Seconds()), "-out", results}, &out, &out)
		paths, _ := filepath.Glob(filepath.Join(results, "state", "*.checkpoint"))
		if len(paths) == 0 && checkpoint != "" && err == nil {
			return checkpoint, id
		}
		if len(paths) != 1 { // before any validation it is an error, and the checkpoint is kept, too
			t.Fatalf("%v, checkpoints: %q\n%s", err, paths, &out)
		}
		checkpoint, id = read(t, paths[0]), strings.TrimSuffix(filepath.Base(paths[0]), ".checkpoint")
		if err := os.RemoveAll(results); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReportWritesNothingNew: where nothing would change a report writes nothing, so it
// works on a read-only folder; where something would, the table is printed all the same.
func TestReportWritesNothingNew(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	results := filepath.Join(dir, "results")
	infos := func() map[string]os.FileInfo {
		all := map[string]os.FileInfo{}
		_ = filepath.WalkDir(results, func(path string, d fs.DirEntry, err error) error {
			if err == nil {
				all[path], _ = d.Info()
			}
			return nil
		})
		return all
	}
	want, _, err := runBench(t, dir, "-report")
	if err != nil {
		t.Fatal(err)
	}
	before := infos()
	if got, stderr, err := runBench(t, dir, "-report"); err != nil || got != want {
		t.Errorf("%v\n%s%s", err, stderr, got)
	}
	after := infos()
	if len(after) != len(before) {
		t.Errorf("%d files and folders, want %d", len(after), len(before))
	}
	for path, info := range before {
		if a := after[path]; a == nil || !os.SameFile(info, a) || !a.ModTime().Equal(info.ModTime()) {
			t.Errorf("%s was written", path)
		}
	}
	// Files in place of folders cannot be written into, by root neither.
	for name, note := range map[string]string{"tables": "", "datasets": "its users were not divided into groups"} {
		path := filepath.Join(results, name)
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		write(t, path, "")
		got, stderr, err := runBench(t, dir, "-report")
		if rest, ok := strings.CutPrefix(got, want); !ok || (rest == "") != (note == "") || !strings.Contains(rest, note) || exitCode(err) != exitFailed || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s: %v\n%s%s", name, err, stderr, got)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	// A folder that is a symbolic link is refused before anything is written.
	elsewhere := t.TempDir()
	tables := filepath.Join(results, "tables")
	if err := os.Rename(tables, filepath.Join(elsewhere, "tables")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "tables"), tables); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runBench(t, dir, "-report"); exitCode(err) != exitUsage || !strings.Contains(fmt.Sprint(err), "symbolic link") {
		t.Errorf("tables are a link: %v", err)
	}
}

// A damaged note of a failure is set aside, and keeps no suite from its table.
func TestDamagedFailure(t *testing.T) {
	dir := tiny(t)
	args := []string{"-models", "popularity,markov"}
	want, stderr, err := runBench(t, dir, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	path := record.Store{Dir: filepath.Join(dir, "results")}.FailurePath(idsOf(t, dir)["markov"])
	write(t, path, `{"id": "`)
	got, stderr, err := runBench(t, dir, append(args, "-report")...)
	if err != nil || got != want || !strings.Contains(stderr, "notice: "+path) {
		t.Errorf("%v\n%s%s", err, stderr, got)
	}
	if read(t, path+".damaged") != `{"id": "` {
		t.Error("it was not set aside")
	}
}
