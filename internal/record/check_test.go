package record

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"famebench/internal/atomicfile"
)

// A record with right hashes but with content that no run writes is refused.
func TestForgedRecordsAreRefused(t *testing.T) {
	s := makeStore(t)
	write := func(id string, r *Record) {
		t.Helper()
		r.ID = id
		var err error
		if r.ResultSHA256, err = r.Result.Hash(); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.RecordPath(id), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good := exampleRecord(t)
	id, _ := good.Result.Spec.ID()
	write(id, good)
	if _, err := s.Read(id); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	testNewerRecord(t, s, readFile(t, s.RecordPath(id)))
	if _, err := s.Read("../../etc/passwd"); err == nil || !strings.Contains(err.Error(), `"../../etc/passwd"`) {
		t.Errorf("an id with slashes: %v", err)
	}
	for name, tt := range map[string]struct {
		change func(*Record)
		want   string
	}{
		"another seed":        {func(r *Record) { r.Result.Spec.Seed = 2 }, "another run: expected the id " + id},
		"another setting":     {func(r *Record) { r.Result.Spec.Params["hidden"] = json.RawMessage("8") }, "another run"},
		"another data set":    {func(r *Record) { r.Result.Spec.Dataset.Name = "toys" }, "another run"},
		"a path as data set":  {func(r *Record) { r.Result.Spec.Dataset.Name = "../../x" }, `data set "../../x"`},
		"a path as model":     {func(r *Record) { r.Result.Spec.Model = "a/b" }, `model "a/b"`},
		"a path as fingerpr.": {func(r *Record) { r.Result.Spec.Dataset.Fingerprint = "../../x" }, `fingerprint "../../x"`},
		"a metric above 1":    {func(r *Record) { r.Result.Test.Kept["MRR"] = 1.5 }, `test, seen items kept: "MRR" is 1.5`},
		"a metric below 0":    {func(r *Record) { r.Result.Test.Removed["MRR"] = -.1 }, "expected a value in [0, 1]"},
		"validation above 1":  {func(r *Record) { r.Result.Curve[0].Valid["NDCG@10"] = 2 }, "validation of epoch 1"},
		"cold validation": {func(r *Record) {
			r.Result.ColdValidation = &ColdValidation{Cases: 1, Cold: Metrics{"NDCG@10": 1.5}, Usual: Metrics{"NDCG@10": .1}}
		}, `cold validation: "NDCG@10" is 1.5`},
		"no cold cases": {func(r *Record) {
			r.Result.ColdValidation = &ColdValidation{Cold: Metrics{"NDCG@10": .1}, Usual: Metrics{"NDCG@10": .1}}
		}, "got 0 cases"},
		"no usual validation": {func(r *Record) { r.Result.ColdValidation = &ColdValidation{Cases: 1, Cold: Metrics{"NDCG@10": .1}} }, "of usual validation"},
		"status":              {func(r *Record) { r.Result.Status = "fine" }, "status"},
		"users":               {func(r *Record) { r.Result.Users = -1 }, "users = -1"},
		"best epoch":          {func(r *Record) { r.Result.BestEpoch = 7 }, "best_epoch = 7"},
		"not the best epoch":  {func(r *Record) { r.Result.BestEpoch = 2 }, "best_epoch = 2: expected 2 and 1, as the curve says"},
		"better validation":   {func(r *Record) { r.Result.Curve[1].Valid = Metrics{"NDCG@10": .2} }, "expected 2 and 2"},
		"an epoch more":       {func(r *Record) { r.Result.Epochs = 3 }, "epochs = 3, best_epoch = 1: expected 2 and 1"},
		"no curve":            {func(r *Record) { r.Result.Curve = nil }, "expected 0 and 0"},
		"steps":               {func(r *Record) { r.Result.Curve[1].Steps = 5 }, "epoch 2 after 5 steps"},
		"curve":               {func(r *Record) { r.Result.Curve[1].Epoch = 1 }, "point 2 of the curve"},
	} {
		r := exampleRecord(t)
		tt.change(r)
		write(id, r)
		if _, err := s.Read(id); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), s.RecordPath(id)) {
			t.Errorf("%s: error %v, want %q and the path", name, err, tt.want)
		}
	}
}

// testNewerRecord reads a record of a newer build: its spec has a field that counts but
// that this build does not know.
func testNewerRecord(t *testing.T, s Store, good string) {
	t.Helper()
	newer := strings.Replace(good, `"device":"cpu"`, `"device":"cpu","zusatz":1`, 1)
	var raw struct{ Result struct{ Spec map[string]any } }
	if err := json.Unmarshal([]byte(newer), &raw); err != nil {
		t.Fatal(err)
	}
	raw.Result.Spec["dataset"] = map[string]any{"name": "", "fingerprint": strings.Repeat("ab", 32)}
	sum, err := hash(raw.Result.Spec)
	if err != nil {
		t.Fatal(err)
	}
	newID := "beauty-sasrec-s1-" + sum[:8]
	var whole map[string]any
	_ = json.Unmarshal([]byte(newer), &whole)
	whole["id"] = newID
	whole["result_sha256"], _ = hash(whole["result"])
	b, _ := json.Marshal(whole)
	if err := os.WriteFile(s.RecordPath(newID), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(newID); err != nil {
		t.Errorf("a newer build's record: %v", err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSealedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	type content struct {
		A int     `json:"a"`
		B float64 `json:"b"`
	}
	if err := WriteSealed(path, content{3, .5}); err != nil {
		t.Fatal(err)
	}
	good := readFile(t, path)
	read := func(text string) (content, bool, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var c content
		whole, err := ReadSealed(path, &c)
		return c, whole, err
	}
	if c, whole, err := read(good); err != nil || !whole || c != (content{3, .5}) {
		t.Errorf("%+v, %v, %v", c, whole, err)
	}
	if c, whole, err := read(strings.ReplaceAll(good, "\n", "\r\n")); err != nil || !whole || c.A != 3 {
		t.Errorf("other line ends: %+v, %v, %v", c, whole, err)
	}
	if c, whole, err := read(`{"a": 3}`); err != nil || whole || c.A != 3 {
		t.Errorf("no checksum: %+v, %v, %v", c, whole, err)
	}
	for _, text := range []string{"", "null", "[]", "{", `{"a": "x"}`, strings.Replace(good, ".5", ".25", 1), strings.Replace(good, `"a"`, `"A"`, 1), good[:len(good)-3]} {
		if _, _, err := read(text); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want one with the path", text, err)
		}
	}
}

func TestDamagedFailuresAreSetAside(t *testing.T) {
	s := makeStore(t)
	var notice string
	s.Notice = func(text string) { notice = text }
	path := s.FailurePath("a-b-s0-00000000")
	for _, text := range []string{"", "{", `{"id": 3}`, `{"id": "another"}`, "null"} {
		notice = ""
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := s.ReadFailure("a-b-s0-00000000")
		if f != nil || err != nil || !strings.Contains(notice, path) || readFile(t, path+".damaged") != text {
			t.Errorf("%q: %+v, %v, notice %q", text, f, err, notice)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%q is still there", text)
		}
	}
}

// Nothing is written through a symbolic link.
func TestLinksAreNotFollowed(t *testing.T) {
	s := makeStore(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.lockPath("x"), s.RecordPath("x"), s.FailurePath("x")} {
		if err := os.Symlink(victim, path); err != nil {
			t.Fatal(err)
		}
	}
	if l, _, err := s.Lock("x"); err == nil || l != nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("lock: %v", err)
	}
	if _, _, err := s.Busy("x"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("busy: %v", err)
	}
	if err := s.WriteFailure(Failure{ID: "x"}); err != nil {
		t.Error(err)
	}
	if err := WriteJSON(s.RecordPath("x"), 1); err != nil {
		t.Error(err)
	}
	// A lock that is replaced by a link while it is held.
	l, _, err := s.Lock("y")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.lockPath("y")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, s.lockPath("y")); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if got := readFile(t, victim); got != "precious" {
		t.Errorf("the file behind the links is %q", got)
	}
	// The store itself may be a link, a folder in it may not.
	link := Store{Dir: filepath.Join(t.TempDir(), "link")}
	if err := os.Symlink(s.Dir, link.Dir); err != nil {
		t.Fatal(err)
	}
	if err := link.Make(); err != nil {
		t.Errorf("a store that is a link: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(s.Dir, "runs")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(s.Dir, "runs")); err != nil {
		t.Fatal(err)
	}
	if err := s.Make(); err == nil || !strings.Contains(err.Error(), filepath.Join(s.Dir, "runs")) {
		t.Errorf("a folder that is a link: %v", err)
	}
}

// Temporary files of dead writers are removed: those of a run under its lock, others
// when they are old.
func TestSweep(t *testing.T) {
	s := makeStore(t)
	file := func(age time.Duration, path ...string) string {
		t.Helper()
		p := filepath.Join(append([]string{s.Dir}, path...)...)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(p, when, when); err != nil {
			t.Fatal(err)
		}
		return p
	}
	const old, young = 2 * atomicfile.Abandoned, time.Minute
	gone := []string{
		file(old, "runs", ".a-s0-0.json.tmp123"), file(old, "state", ".a-s0-0.checkpoint.tmp9"), file(old, "figures", "s", ".x.svg.tmp1"),
		file(old, ".index.html.tmp7"), file(old, "trec", ".a.qrels.tmp1"), file(old, "aggregates", ".s.json.tmp5"), file(old, "runs", ".b-s0-0.failed.json.tmp5"),
	}
	run := []string{file(young, "runs", ".b-s0-0.ranks.tsv.gz.tmp4"), file(0, "state", ".b-s0-0.checkpoint.tmp4"), file(0, "weights", ".b-s0-0.safetensors.tmp4")}
	stay := []string{
		file(young, "runs", ".a-s0-0.json.tmp124"), file(-old, "state", ".a-s0-0.checkpoint.tmp10"), file(young, "runs", ".b-s0-0.failed.json.tmp6"), file(0, "runs", ".b-s0-00.json.tmp4"),
		file(old, "runs", "a.json.tmp1"), file(old, "runs", ".tmp1"), file(old, "runs", ".a.tmpx"), file(old, "runs", ".a.tmp"), file(old, "runs", "a-s0-0.json"),
		file(old, ".bashrc.tmp1"), file(old, "runs", ".d.json.tmp1", "file"),
	}
	if err := os.Symlink(stay[0], filepath.Join(s.Dir, "runs", ".l.json.tmp1")); err != nil {
		t.Fatal(err)
	}
	check := func(paths []string, want bool) {
		t.Helper()
		for _, p := range paths {
			if _, err := os.Lstat(p); (err == nil) != want {
				t.Errorf("%s is there: %v, want %v", p, err == nil, want)
			}
		}
	}
	s.Sweep()
	check(gone, false)
	check(append(run, stay...), true)
	s.SweepRun("b-s0-0")
	check(run, false)
	check(append(stay, filepath.Join(s.Dir, "runs", ".l.json.tmp1")), true)
}

// JSON cannot represent NaN, so it is refused when a record is written.
func TestNoMetricThatIsNoNumber(t *testing.T) {
	r := exampleRecord(t)
	r.Result.Test.Kept["MRR"] = math.NaN()
	if err := makeStore(t).Write(r); err == nil {
		t.Error("NaN was written")
	}
}
