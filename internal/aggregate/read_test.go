package aggregate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
)

func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	want := aggregatetest.Suites()
	slices.SortFunc(want, func(a, b *aggregate.Suite) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range want {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, s.Name+".json"), string(text))
	}
	write(t, filepath.Join(dir, ".full.json.tmp123"), "half")
	got, err := aggregate.ReadAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d suites, want %d", len(got), len(want))
	}
	// Places on axes come back as JSON's numbers; all else is as it was.
	for i := range want {
		if got[i].Name != want[i].Name || !reflect.DeepEqual(got[i].Checks, want[i].Checks) ||
			!reflect.DeepEqual(got[i].Tables[0].Rows[0].Runs[0].Removed, want[i].Tables[0].Rows[0].Runs[0].Removed) {
			t.Errorf("%s came back different", want[i].Name)
		}
	}

	write(t, filepath.Join(dir, "torn.json"), `{"name": "to`)
	if _, err := aggregate.ReadAll(dir); err == nil || !strings.Contains(err.Error(), "torn.json") {
		t.Errorf("a torn file: error %v, want one with its name", err)
	}
	if none, err := aggregate.ReadAll(filepath.Join(dir, "nowhere")); err != nil || none != nil {
		t.Errorf("no folder: %v, %v", none, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
