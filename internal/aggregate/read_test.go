package aggregate

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSaved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.json", "a.json", ".full.json.tmp123", ".hidden.json", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := Saved(dir); err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := Saved(filepath.Join(dir, "nowhere")); err != nil || names != nil {
		t.Errorf("no folder: %q, %v", names, err)
	}
}
