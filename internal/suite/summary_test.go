package suite

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// A summary is read as it was written, and every byte of the file counts.
func TestSummary(t *testing.T) {
	s := &Summary{Version: 1, Plan: plan.Identity{Asked: "a", Inputs: map[string]string{"beauty": "b"}}, Suite: aggregatetest.Suites()[0]}
	store := record.Store{Dir: t.TempDir()}
	path := store.SummaryPath(s.Name)
	if _, err := ReadSummary(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("read what was never written: %v", err)
	}
	if err := store.MakeFolder("summaries"); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadSummary(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if want, _ := json.Marshal(s); err != nil || !bytes.Equal(again, want) || !reflect.DeepEqual(got.Plan, s.Plan) || got.sha256 != s.sha256 {
		t.Errorf("read\n%s, %v\nwritten\n%s", again, err, want)
	}
	// The same content leaves the file alone.
	before, _ := os.Stat(path)
	if err := got.Write(path); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("the file was replaced by the same content")
	}

	var reformatted bytes.Buffer
	if err := json.Indent(&reformatted, good, "", " "); err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, []byte("{"), []byte("{}"), []byte("null"), good[:len(good)-1], append(slices.Clone(good), ' '), reformatted.Bytes()}
	for i := 0; i < len(good); i += 1 + len(good)/300 {
		b := slices.Clone(good)
		b[i] ^= 1 << (i % 8)
		damaged = append(damaged, b)
	}
	for i, b := range damaged {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSummary(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("damage %d: error %v, want one with the path", i, err)
		}
	}
	other := filepath.Join(store.SummariesDir(), "other.json")
	if err := os.WriteFile(other, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSummary(other); err == nil || !strings.Contains(err.Error(), "expected the summary of suite other, got that of \""+s.Name) {
		t.Errorf("another suite's file: %v", err)
	}
}

// A summary does not ask for inputs of which it shows nothing.
func TestShown(t *testing.T) {
	s := &aggregate.Suite{
		Tables: []aggregate.Table{{Dataset: "beauty", Rows: []aggregate.Row{{Model: "fame-plus"}}}},
		Trials: []record.Trial{{Dataset: "toys", Model: "sasrec-plus"}},
	}
	id := plan.Identity{Asked: "a", Inputs: map[string]string{
		"beauty": "1", "toys": "2", "sports": "3", plan.TextsOf("fame-plus", "beauty"): "4", plan.TextsOf("fame-plus", "toys"): "5",
		plan.TextsOf("sasrec-plus", "toys"): "6",
	}}
	want := map[string]string{"beauty": "1", "toys": "2", plan.TextsOf("fame-plus", "beauty"): "4", plan.TextsOf("sasrec-plus", "toys"): "6"}
	if got := shown(id, s); got.Asked != "a" || !reflect.DeepEqual(got.Inputs, want) || len(id.Inputs) != 6 {
		t.Errorf("%+v, want %v; %v", got, want, id)
	}
	if got := shown(id, &aggregate.Suite{}); !reflect.DeepEqual(got, id) {
		t.Errorf("of costs: %+v", got)
	}
}

func TestOtherInputs(t *testing.T) {
	before := map[string]string{"a": "1", "b": "2"}
	for want, now := range map[string]map[string]string{
		"":                                       {"a": "1", "b": "2", "c": "3"}, // more is welcome
		"without b":                              {"a": "1"},
		"other content of a":                     {"a": "2", "b": "2"},
		"other content of a; other content of b": {"a": "2", "b": "1"},
	} {
		if got := otherInputs(before, now); got != want {
			t.Errorf("%v: %q, want %q", now, got, want)
		}
	}
}

// No suite has the name of another one's table, so the names of all tables are known where names are
// checked.
func TestTableKindsAreKnown(t *testing.T) {
	files := append(TableFiles(&aggregate.Suite{Tables: []aggregate.Table{{}}}, nil), CellFiles(&aggregate.Cells{})...)
	var kinds []string
	for _, f := range files {
		if kind, ok := strings.CutSuffix(f.Ext, ".csv"); ok && kind != "" {
			kinds = append(kinds, strings.TrimPrefix(kind, "."))
		}
	}
	if !slices.Equal(kinds, plan.TableKinds) {
		t.Errorf("tables %q, expected %q", kinds, plan.TableKinds)
	}
}
