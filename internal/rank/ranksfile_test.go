package rank

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRanksFile(t *testing.T) {
	dir := t.TempDir()
	kept, removed := []int32{1, 12101, math.MaxInt32}, []int32{1, 12093, 5}
	var content [2][]byte
	for i := range content {
		path := filepath.Join(dir, []string{"a.tsv.gz", "b.tsv.gz"}[i])
		sum, err := WriteRanks(path, kept, removed)
		if err != nil {
			t.Fatal(err)
		}
		want := sha256.Sum256([]byte("kept\tremoved\n1\t1\n12101\t12093\n2147483647\t5\n"))
		if sum != hex.EncodeToString(want[:]) {
			t.Errorf("sum %s, want %x", sum, want)
		}
		gotKept, gotRemoved, gotSum, err := ReadRanks(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(gotKept, kept) || !slices.Equal(gotRemoved, removed) || gotSum != sum {
			t.Errorf("read %v, %v and sum %s, want what was written", gotKept, gotRemoved, gotSum)
		}
		if content[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(content[0], content[1]) {
		t.Error("equal ranks gave different bytes")
	}
	if _, err := WriteRanks(filepath.Join(dir, "c.tsv.gz"), kept, removed[:2]); err == nil || !strings.Contains(err.Error(), "3 ranks") {
		t.Errorf("lists of different length: error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files, want 2", len(entries))
	}
}

func TestReadRanksRefuses(t *testing.T) {
	good := zipped(t, "kept\tremoved\n3\t2\n")
	tests := []struct {
		what   string
		file   []byte
		reason string
	}{
		{"not gzip", []byte("kept\tremoved\n3\t2\n"), "invalid header"},
		{"truncated", good[:len(good)-9], "unexpected EOF"},
		{"damaged sum", append(slices.Clone(good[:len(good)-8]), make([]byte, 8)...), "invalid checksum"},
		{"empty", zipped(t, ""), "expected a header"},
		{"another header", zipped(t, "rank\n3\n"), `line 1: "rank"`},
		{"one column", zipped(t, "kept\tremoved\n3\t2\n3\n"), `line 3: "3"`},
		{"three columns", zipped(t, "kept\tremoved\n3\t2\t1\n"), "line 2"},
		{"not a number", zipped(t, "kept\tremoved\n3\tx\n"), "line 2"},
		{"rank 0", zipped(t, "kept\tremoved\n3\t0\n"), "line 2"},
		{"removed above kept", zipped(t, "kept\tremoved\n3\t4\n"), "line 2"},
		{"too large", zipped(t, "kept\tremoved\n2147483648\t4\n"), "line 2"},
		{"endless line", zipped(t, strings.Repeat("1", 1<<20)), "token too long"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ranks.tsv.gz")
			if err := os.WriteFile(path, test.file, 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, _, err := ReadRanks(path)
			if err == nil || !strings.Contains(err.Error(), test.reason) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q and the path", err, test.reason)
			}
		})
	}
	if _, _, _, err := ReadRanks(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing file gives no error")
	}
}

func FuzzReadRanks(f *testing.F) {
	f.Add("kept\tremoved\n3\t2\n1\t1\n")
	f.Add("kept\tremoved\n3\t2")
	f.Fuzz(func(t *testing.T, text string) {
		kept, removed, _, err := parseRanks(bytes.NewReader(zipped(t, text)))
		if err != nil {
			return
		}
		if len(kept) != len(removed) {
			t.Fatalf("%d and %d ranks", len(kept), len(removed))
		}
		for i := range kept {
			if removed[i] < 1 || removed[i] > kept[i] {
				t.Fatalf("row %d: ranks %d and %d", i, kept[i], removed[i])
			}
		}
	})
}
