package record

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestEntropyFile(t *testing.T) {
	s, d := Store{Dir: t.TempDir()}, Dataset{Name: "tiny", Fingerprint: "0123456789"}
	if err := s.Make(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadEntropy(d, "leave-one-out", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	e := &Entropy{Facet: "genre", Millibits: []int32{0, 1585, -1}}
	if err := s.WriteEntropy(d, "leave-one-out", e); err != nil {
		t.Fatal(err)
	}
	path := s.EntropyPath(d, "leave-one-out")
	before, err := os.Stat(path)
	if err != nil || !strings.HasSuffix(path, "datasets/tiny-01234567.leave-one-out.entropy.json") {
		t.Fatal(path, err)
	}
	if got, err := s.ReadEntropy(d, "leave-one-out", 3); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.WriteEntropy(d, "leave-one-out", e); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the same entropies were written again: %v", err)
	}
	refused := func(what, want string, users int) {
		t.Helper()
		if _, err := s.ReadEntropy(d, "leave-one-out", users); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("a user more", "expected 4 test users as in the records, got 3", 4)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string][3]string{
		"changed":     {"1585", "1586", "was changed after it was written"},
		"no checksum": {`"sha256"`, `"sha"`, "no checksum"},
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), c[0], c[1], 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		refused(what, c[2], 3)
	}
	f := entropyFile{d.Fingerprint, "leave-one-out", "genre", "0 -2 1"}
	if err := WriteSealed(path, f); err != nil {
		t.Fatal(err)
	}
	refused("a negative entropy", "number 2: expected thousandths of a bit", 3)
	f.Fingerprint = "9"
	if err := WriteSealed(path, f); err != nil {
		t.Fatal(err)
	}
	refused("other data", "is of other data", 3)
}
