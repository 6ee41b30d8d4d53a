package record

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

type params struct {
	Hidden  int     `json:"hidden"`
	Dropout float64 `json:"dropout"`
	Loss    string  `json:"loss"`
}

var defaults = params{Hidden: 64, Dropout: 0.5, Loss: "ce"}

func exampleSpec(t *testing.T) Spec {
	t.Helper()
	p := defaults
	p.Dropout = 0.2
	diff, err := Diff(&defaults, &p)
	if err != nil {
		t.Fatal(err)
	}
	return Spec{
		Dataset:  Dataset{Name: "beauty", Fingerprint: strings.Repeat("ab", 32), Config: Settings{"format": json.RawMessage(`"embedded"`)}},
		Protocol: "leave-one-out", Model: "sasrec", Params: diff, Train: Settings{"epochs": json.RawMessage("30")},
		Seed: 1, Device: "cpu", Threads: 2, Versions: Versions{Model: 1, Train: 1, Rank: 1},
	}
}

func exampleRecord(t *testing.T) *Record {
	return &Record{
		Result: Result{
			Spec: exampleSpec(t), Status: Patience, Epochs: 2, BestEpoch: 1, Targets: 10, Users: 3,
			Curve:       []Point{{Epoch: 1, Steps: 5, Loss: 9.5, Valid: Metrics{"NDCG@10": 0.1}}, {Epoch: 2, Steps: 10, Loss: 8.25}},
			Test:        Rules{Kept: Metrics{"MRR": 1.0 / 3}, Removed: Metrics{"MRR": 0.5}},
			RanksSHA256: "00",
		},
		Measured: Measured{Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Host: "h", Threads: 2},
	}
}

func makeStore(t *testing.T) Store {
	t.Helper()
	s := Store{Dir: filepath.Join(t.TempDir(), "re[s]ults")} // a name with the characters of a pattern
	if err := s.Make(); err != nil {
		t.Fatal(err)
	}
	return s
}

// The expected hashes were computed outside Go:
//
//	python3 -c 'import hashlib, json; print(hashlib.sha256(json.dumps({
//	  "dataset": {"name": "", "fingerprint": "ab"*32}, "protocol": "leave-one-out",
//	  "model": "sasrec", "params": {"dropout": 0.2}, "train": {"epochs": 30}, "seed": 1,
//	  "device": "cpu", "threads": 2, "versions": {"model": 1, "train": 1, "rank": 1}},
//	  sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:8])'
//
// If an id changes, every committed record is orphaned: do not change the
// expectation, find the cause.
func TestIDsArePinned(t *testing.T) {
	popularity := Spec{Dataset: Dataset{Name: "toys", Fingerprint: strings.Repeat("cd", 32)}, Protocol: "time",
		Model: "popularity", NonNeural: true, Device: "cpu", Threads: 4, Versions: Versions{Model: 2, Rank: 1}}
	withoutThreads := exampleSpec(t) // as runs have them now
	withoutThreads.Threads = 0
	for _, tt := range []struct {
		name string
		spec Spec
		want string
	}{
		{"trained", exampleSpec(t), "beauty-sasrec-s1-a65584b8"},
		{"popularity", popularity, "toys-popularity-s0-ee4dacd2"},
		{"without threads", withoutThreads, "beauty-sasrec-s1-51873ab0"},
	} {
		got, err := tt.spec.ID()
		if err != nil || got != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestWhatChangesAnID(t *testing.T) {
	base, err := exampleSpec(t).ID()
	if err != nil {
		t.Fatal(err)
	}
	hashOf := func(id string) string { return id[strings.LastIndex(id, "-"):] }
	for name, tt := range map[string]struct {
		change func(*Spec)
		same   bool
	}{
		"data set renamed":  {func(s *Spec) { s.Dataset.Name = "b" }, true},
		"data set moved":    {func(s *Spec) { s.Dataset.Config = Settings{"path": json.RawMessage(`"x"`)} }, true},
		"other data":        {func(s *Spec) { s.Dataset.Fingerprint = "x" }, false},
		"parameter":         {func(s *Spec) { s.Params["hidden"] = json.RawMessage("32") }, false},
		"training":          {func(s *Spec) { s.Train["epochs"] = json.RawMessage("31") }, false},
		"back to a default": {func(s *Spec) { delete(s.Params, "dropout") }, false},
		"seed":              {func(s *Spec) { s.Seed = 2 }, false},
		"protocol":          {func(s *Spec) { s.Protocol = "time" }, false},
		"device":            {func(s *Spec) { s.Device = "cuda" }, false},
		"threads":           {func(s *Spec) { s.Threads = 1 }, false},
		"version":           {func(s *Spec) { s.Versions.Rank = 2 }, false},
	} {
		s := exampleSpec(t)
		tt.change(&s)
		id, err := s.ID()
		if err != nil {
			t.Fatal(err)
		}
		if (hashOf(id) == hashOf(base)) != tt.same {
			t.Errorf("%s: %s against %s, want same hash: %v", name, id, base, tt.same)
		}
		key, _ := s.ExperimentKey()
		first, _ := exampleSpec(t).ExperimentKey()
		wantKey := tt.same || name == "seed" || name == "device" || name == "threads"
		if (key == first) != wantKey {
			t.Errorf("%s: same key %v, want %v", name, key == first, wantKey)
		}
	}
}

func TestDiffAndApply(t *testing.T) {
	p := params{Hidden: 64, Dropout: 0, Loss: "bce"} // a zero that is not the default must survive
	diff, err := Diff(&defaults, &p)
	if err != nil {
		t.Fatal(err)
	}
	if len(diff) != 2 || string(diff["dropout"]) != "0" || string(diff["loss"]) != `"bce"` {
		t.Errorf("diff %s", diff)
	}
	got := defaults
	if err := diff.Apply(&got); err != nil || got != p {
		t.Errorf("got %+v, %v; want %+v", got, err, p)
	}
	if err := (Settings{"heads": json.RawMessage("2")}).Apply(&got); err == nil || !strings.Contains(err.Error(), `"heads"`) {
		t.Errorf("a key of another build: %v", err)
	}
	// A setting that is added later changes nothing at its default.
	type later struct {
		params
		Heads int `json:"heads"`
	}
	again, err := Diff(&later{defaults, 2}, &later{p, 2})
	if err != nil || len(again) != 2 {
		t.Errorf("diff with a new key: %s, %v", again, err)
	}
	type omits struct {
		A int `json:"a,omitempty"`
	}
	if _, err := Diff(&omits{1}, &omits{0}); err == nil {
		t.Error("omitempty in a setting: want an error")
	}
}

func TestCanonical(t *testing.T) {
	got, err := Canonical(map[string]any{"b": []float64{1, 0.1, 1e-9}, "a": "<&>\u00e9", "c": json.RawMessage(` { "z" : 1.50, "y":null } `)})
	want := `{"a":"<&>é","b":[1,0.1,1e-9],"c":{"y":null,"z":1.50}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestPrettyKeepsContent(t *testing.T) {
	in := `{"a":{"b":{"c":{"d":[1,2]}},"e":[],"f":{}},"s":"x{,\"}:"}`
	out := pretty([]byte(in))
	back, err := Canonical(json.RawMessage(out))
	if err != nil || string(back) != in {
		t.Errorf("got %s, %v from\n%s", back, err, out)
	}
	want := "{\n \"a\": {\n  \"b\": {\n   \"c\": {\"d\": [1, 2]}\n  },\n  \"e\": [],\n  \"f\": {}\n },\n \"s\": \"x{,\\\"}:\"\n}\n"
	if string(out) != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

func TestWriteAndRead(t *testing.T) {
	s := makeStore(t)
	r := exampleRecord(t)
	id, _ := r.Result.Spec.ID()
	if _, err := s.Read(id); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before writing: %v", err)
	}
	if err := s.WriteFailure(Failure{ID: id, Reason: "killed"}); err != nil {
		t.Fatal(err)
	}
	if f, err := s.ReadFailure(id); err != nil || f.Reason != "killed" {
		t.Fatalf("failure %+v, %v", f, err)
	}
	if err := s.Write(r); err != nil {
		t.Fatal(err)
	}
	if f, err := s.ReadFailure(id); f != nil || err != nil {
		t.Errorf("failure after success: %+v, %v", f, err)
	}
	got, err := s.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	if got.Result.Test.Kept["MRR"] != 1.0/3 || got.Result.Curve[1].Loss != 8.25 || got.Result.Curve[0].Loss != 9.5 {
		t.Errorf("read back %+v", got.Result)
	}
	if sum, err := got.Result.Hash(); err != nil || sum != got.ResultSHA256 {
		t.Errorf("hash after reading %s, %v; stored %s", sum, err, got.ResultSHA256)
	}
	// Two records that differ only in the measured part are the same record.
	first, hash1 := *r, r.ResultSHA256
	first.Measured.Seconds = 99
	if err := s.Write(&first); err != nil || first.ResultSHA256 != hash1 {
		t.Errorf("measured part changed the hash: %s, %s, %v", first.ResultSHA256, hash1, err)
	}
	ids, err := s.IDs()
	if err != nil || len(ids) != 1 || ids[0] != id {
		t.Errorf("ids %v, %v", ids, err)
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	s := makeStore(t)
	r := exampleRecord(t)
	if err := s.Write(r); err != nil {
		t.Fatal(err)
	}
	path := s.RecordPath(r.ID)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unsummed := regexp.MustCompile(` *"measured_sha256": "[0-9a-f]{64}",\n`).ReplaceAllString(string(good), "")
	if unsummed == string(good) {
		t.Fatalf("no measured_sha256 in\n%s", good)
	}
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"whole":              {string(good), true},
		"metric edited":      {strings.Replace(string(good), "0.5", "0.6", 1), false},
		"half":               {string(good[:len(good)/2]), false},
		"empty":              {"", false},
		"measured may grow":  {strings.Replace(unsummed, `"host"`, `"new": 1, "host"`, 1), true}, // an older record
		"measured edited":    {strings.Replace(string(good), `"host": "h"`, `"host": "x"`, 1), false},
		"result of the next": {strings.Replace(string(good), `"users"`, `"zusatz": 1, "users"`, 1), false},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(r.ID); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := r.ID[:len(r.ID)-8] + "00000000"
	if err := os.WriteFile(s.RecordPath(other), good, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(other); err == nil || !strings.Contains(err.Error(), "is the record of \""+r.ID+"\": its name was changed") {
		t.Errorf("a renamed file: %v", err)
	}
}

// Every committed record must be readable: a check that refuses one is wrong.
func TestCommittedRecordsAreRead(t *testing.T) {
	s := Store{Dir: "../../results"}
	ids, err := s.IDs()
	if err != nil || len(ids) < 100 {
		t.Fatalf("%d records, %v", len(ids), err)
	}
	for _, id := range ids {
		r, err := s.Read(id)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := r.Result.Spec.ID(); err != nil || got != id {
			t.Errorf("%s: the spec has the id %s, %v", id, got, err)
		}
	}
}
