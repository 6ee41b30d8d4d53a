package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/tinytest"
)

func TestReadSource(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "mine")
	if s := ReadSource(dir, out); !reflect.DeepEqual(s, plan.Source{}) {
		t.Errorf("no repository: %+v", s)
	}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, b)
		}
	}
	git("init", "-q")
	tinytest.Write(t, filepath.Join(dir, "a.go"), "package a\n")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	for _, step := range []struct {
		name    string
		do      func()
		changed []string
	}{
		{"clean", func() {}, nil},
		{"results", func() { mkdirWrite(t, filepath.Join(dir, "results"), "x.json") }, nil},
		{"results elsewhere", func() { mkdirWrite(t, out, "y.json") }, nil},
		{"changed source", func() { tinytest.Write(t, filepath.Join(dir, "a.go"), "package b\n") }, []string{"a.go"}},
		{"untracked source", func() { mkdirWrite(t, filepath.Join(dir, "sub"), "ä b.go") }, []string{"a.go", "sub/ä b.go"}},
	} {
		step.do()
		s := ReadSource(dir, out)
		if len(s.Commit) != 40 || s.Dirty != (step.changed != nil) || !reflect.DeepEqual(s.Changed, step.changed) {
			t.Errorf("%s: %+v, want changed %q", step.name, s, step.changed)
		}
	}
}

func mkdirWrite(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tinytest.Write(t, filepath.Join(dir, name), "{}\n")
}
