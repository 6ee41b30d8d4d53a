package atomicfile

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func writeString(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestWriteReplacesWholeContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.json")
	for _, content := range []string{"first, and longer than the second", "second", ""} {
		if err := Write(path, writeString(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != content {
			t.Errorf("content %q, want %q", got, content)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o644 {
			t.Errorf("mode %v, want -rw-r--r--", info.Mode())
		}
	}
}

func TestFailedWriteKeepsOldContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "record.json")
	if err := Write(path, writeString("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := Write(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, strings.Repeat("new", 1<<16)); err != nil {
			return err
		}
		return full
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that wraps %v and names %s", err, full, path)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content %q after a failed write, want the old one", got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files in the folder, want 1: a temporary file was left", len(entries))
	}
}

func TestWriteIntoMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "record.json")
	if err := Write(path, writeString("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
}

func TestUpdateLeavesEqualContentAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.html")
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	var infos []os.FileInfo
	for _, content := range []string{"one", "one", "two"} {
		if err := Update(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Fatalf("content %q, error %v, want %q", got, err, content)
		}
		infos = append(infos, stat())
	}
	if !os.SameFile(infos[0], infos[1]) {
		t.Error("the same content was written again")
	}
	if os.SameFile(infos[1], infos[2]) {
		t.Error("other content was not written to a file of its own")
	}
}

// A process that ends in the middle of a write leaves neither a temporary file nor a
// half-written target.
func TestAbandon(t *testing.T) {
	if dir := os.Getenv("ATOMICFILE_TEST_ABANDON"); dir != "" {
		_ = Write(filepath.Join(dir, "x"), func(w io.Writer) error {
			Abandon()
			os.Exit(0)
			return nil
		})
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAbandon$")
	cmd.Env = append(os.Environ(), "ATOMICFILE_TEST_ABANDON="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
}
