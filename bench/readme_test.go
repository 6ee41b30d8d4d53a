package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeShowsTheRecords renders the committed records anew: the table in
// results/tables and the one in the README must be what comes out.
func TestReadmeShowsTheRecords(t *testing.T) {
	const suite = "baselines"
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS("../results")); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join("tables", suite+".md")
	if err := os.Remove(filepath.Join(out, table)); err != nil {
		t.Fatalf("%v: run bench -suite %s", err, suite)
	}
	var stdout, stderr bytes.Buffer
	if err := run(context.Background(), nil, []string{"-config", "../experiments.toml", "-suite", suite, "-report", "-out", out}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	rendered := read(t, filepath.Join(out, table))
	if committed := read(t, filepath.Join("../results", table)); committed != rendered {
		t.Errorf("results/%s is not what its records give; run: go run ./bench -suite %s -report\n%s", table, suite, rendered)
	}
	_, comparison, ok := strings.Cut(rendered, "\n## beauty: ")
	if !ok {
		t.Fatalf("no comparison on Beauty in\n%s", rendered)
	}
	_, comparison, _ = strings.Cut(comparison, "\n")
	readme := read(t, "../README.md")
	for _, want := range []string{comparison, read(t, "../results/tables/speed.md")} {
		if !strings.Contains(readme, strings.TrimSpace(want)) {
			t.Errorf("the README does not show this table:\n%s", want)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
