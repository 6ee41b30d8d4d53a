package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/record"
)

// An encoder's folder that asks for CLS pooling has it, says so once, and is repeated
// from the record alone. A home that cannot be written to costs the kept encodings only.
func TestEncoderFolderIsFollowed(t *testing.T) {
	dir, source := textFolder(t)
	encoder := filepath.Join(dir, "enc")
	if err := os.CopyFS(encoder, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(encoder, "1_Pooling"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(encoder, "modules.json"), `[{"path": "", "type": "sentence_transformers.models.Transformer"},
		{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`)
	write(t, filepath.Join(encoder, "1_Pooling", "config.json"), `{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}`)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "tiny.csv", "cache")) // below a file
	t.Setenv("FAMEBENCH_ENCODER", encoder)
	args := []string{"-suite", "text", "-models", "fame-plus,fame-plus-pca"}
	_, stderr, err := runBench(t, dir, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if n := strings.Count(stderr, "text encoder "); n != 1 || !strings.Contains(stderr, "text encoder "+encoder+": cls pooling, as the folder asks\n") {
		t.Errorf("%d lines about the encoder:\n%s", n, stderr)
	}
	if !strings.Contains(stderr, "the folder for encodings") {
		t.Errorf("nothing tells that encodings are not kept:\n%s", stderr)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	ids, err := store.IDs()
	if err != nil || len(ids) != 2 {
		t.Fatalf("%q, %v", ids, err)
	}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Result.Spec.Init.Settings["pooling"]) + string(r.Resolved["pretrain"]["pooling"]); got != `"cls""cls"` {
			t.Errorf("%s: pooling %s", id, got)
		}
	}
	// The record says how; what the folder asks for now does not matter.
	if err := os.Remove(filepath.Join(encoder, "modules.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(encoder, "1_Pooling")); err != nil {
		t.Fatal(err)
	}
	if out, stderr, err := runBench(t, dir, "-verify", ids[0]); err != nil || !strings.Contains(out, ids[0]+": equal") || !strings.Contains(stderr, "cls pooling, as the record says") {
		t.Errorf("%v\n%s%s", err, out, stderr)
	}
	// A flipped bit of the weights is another encoder.
	path := filepath.Join(encoder, "model.safetensors")
	b := []byte(read(t, path))
	b[len(b)-3] ^= 1
	write(t, path, string(b))
	if _, stderr, err := runBench(t, dir, "-verify", ids[0]); err == nil || !strings.Contains(stderr+err.Error(), "fingerprint") {
		t.Errorf("a changed encoder is not noticed: %v\n%s", err, stderr)
	}
}

// A report finds a run with the default pooling where the encoder, the data or both
// are not here.
func TestReportWithoutEncoderAndData(t *testing.T) {
	dir, encoder := textFolder(t)
	args := []string{"-suite", "text", "-models", "fame-plus-pca"}
	if _, stderr, err := runBench(t, dir, append(args, "-set", "pretrain.encoder="+encoder)...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids, err := (record.Store{Dir: filepath.Join(dir, "results")}).IDs()
	if err != nil || len(ids) != 1 {
		t.Fatalf("%q, %v", ids, err)
	}
	for _, c := range []struct {
		encoder string
		data    bool
	}{{filepath.Join(dir, "nowhere"), true}, {encoder, false}, {filepath.Join(dir, "nowhere"), false}} {
		if !c.data {
			if err := os.RemoveAll(filepath.Join(dir, "tiny.csv")); err != nil {
				t.Fatal(err)
			}
		}
		for _, pooling := range []string{"", "mean"} {
			out, stderr, err := runBench(t, dir, append(args, "-report", "-json", "-set", "pretrain.encoder="+c.encoder, "-set", "pretrain.pooling="+pooling)...)
			if err != nil || !strings.Contains(out, ids[0]) {
				t.Errorf("%+v, pooling %q: %v\n%s%s", c, pooling, err, out, stderr)
			}
		}
		if out, _, err := runBench(t, dir, append(args, "-report", "-json", "-set", "pretrain.encoder="+c.encoder, "-set", "pretrain.pooling=cls")...); err == nil && strings.Contains(out, ids[0]) {
			t.Errorf("%+v: a run with the mean is reported as one with cls", c)
		}
	}
}
