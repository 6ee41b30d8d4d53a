package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/record"
)

func TestPage(t *testing.T) {
	var stderr bytes.Buffer
	b := &bench{store: record.Store{Dir: t.TempDir()}, stderr: &stderr}
	if err := b.page("full"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.store.PagePath()); err == nil {
		t.Error("a page of no suites")
	}
	if err := os.Mkdir(b.store.AggregatesDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range aggregatetest.Suites() {
		if err := record.WriteJSON(filepath.Join(b.store.AggregatesDir(), s.Name+".json"), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.page("tune"); err != nil {
		t.Fatal(err)
	}
	page := read(t, b.store.PagePath())
	for _, want := range []string{"Suite full", "Suite sweep", "Suite tune"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	var drawn []string
	if err := fs.WalkDir(os.DirFS(b.store.FiguresDir()), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			drawn = append(drawn, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const want = "tune-beauty-cost.png tune-beauty-cost.svg tune-beauty-curves.png tune-beauty-curves.svg " +
		"tune-beauty-train-learning_rate.png tune-beauty-train-learning_rate.svg tune-beauty-train-loss.png tune-beauty-train-loss.svg"
	if got := strings.Join(drawn, " "); got != want {
		t.Errorf("figures of the suite: got %s, want %s", got, want)
	}
	if !strings.Contains(stderr.String(), b.store.PagePath()) {
		t.Errorf("it does not say where the page is: %s", stderr.String())
	}
}
