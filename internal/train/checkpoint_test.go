package train

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"famebench/internal/tinytest/basic"
	"famebench/internal/torch/safetensors"
)

// A run that is stopped at any step and goes on ends in the same result as one
// that was not, whatever its training draws: negatives, masks, pairs.
func TestResumeIsExact(t *testing.T) {
	for _, k := range kinds {
		c := testConfig()
		c.Objective = k.objective
		checkResume(t, k.name+" "+k.objective, k.build, c)
	}
	c := testConfig()
	c.Loss, c.Negatives = "gbce", 4
	checkResume(t, "sasrec gbce", smallSASRec, c)
	c = testConfig()
	c.Precision = BFloat16
	checkResume(t, "sasrec bfloat16", smallSASRec, c)
}

func checkResume(t *testing.T, name string, build builder, c Config) {
	t.Helper()
	s := basic.Cyclic(t, 120, 10)
	whole, _ := fitModel(t, context.Background(), build, s, c, Options{Seed: 5})
	dir := t.TempDir()
	o := Options{Seed: 5, Run: "first", Checkpoint: filepath.Join(dir, "checkpoint"), Curve: filepath.Join(dir, "curve")}
	steps := 0
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		budget := 1 + stops*3 // stop after 1, 4, 7, … further steps: within and between epochs
		o.Progress = func(p Progress) {
			if p.Evaluating || p.EpochDone {
				return
			}
			steps++
			if budget--; budget == 0 {
				cancel()
			}
		}
		got, r := fitModel(t, ctx, build, s, c, o)
		cancel()
		if r.Status == StopInterrupt {
			continue
		}
		if stops < 2 {
			t.Fatalf("%s: only %d stops: the test is too small", name, stops)
		}
		if got.Result != whole.Result || got.Weights != whole.Weights {
			t.Errorf("%s: after %d stops\n%s\nwithout\n%s", name, stops, got.Result, whole.Result)
		}
		if want := r.Curve[len(r.Curve)-1].Steps; int64(steps) != want {
			t.Errorf("%s: %d steps were made for a run of %d", name, steps, want)
		}
		break
	}
	raw, err := os.ReadFile(o.Curve)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(raw), "\n"); lines != c.Epochs {
		t.Errorf("%s: the curve has %d lines for %d epochs", name, lines, c.Epochs)
	}
	// A run that continues from one that was over, with a file of its own, has the same curve.
	o.Curve = filepath.Join(dir, "again")
	if _, r := fitModel(t, context.Background(), build, s, c, o); !r.Resumed {
		t.Errorf("%s: a run that was over started again", name)
	}
	if again, err := os.ReadFile(o.Curve); err != nil || string(again) != string(raw) {
		t.Errorf("%s: %v, curve %s, expected %s", name, err, again, raw)
	}
	// It has a checkpoint, too, from which the run of the next rung continues.
	for _, run := range []string{"second", "third"} {
		before := steps
		o.Shorter = Shorter{Run: o.Run, Checkpoint: o.Checkpoint}
		o.Run, o.Checkpoint = run, filepath.Join(dir, run)
		if got, r := fitModel(t, context.Background(), build, s, c, o); !r.Resumed || steps != before || got.Result != whole.Result || got.Weights != whole.Weights {
			t.Errorf("%s: the %s run made %d steps, resumed %v", name, run, steps-before, r.Resumed)
		}
	}
}

// A checkpoint that is damaged, or of another run or version, is set aside with a
// notice, and training gives what it gives without one.
func TestUnusableCheckpoints(t *testing.T) {
	s, c := basic.Cyclic(t, 120, 10), testConfig()
	whole, _ := fit(t, context.Background(), s, c, Options{Seed: 1})
	path := filepath.Join(t.TempDir(), "checkpoint")
	o := Options{Seed: 1, Run: "a-run", Checkpoint: path}
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	o.Progress = func(p Progress) { // in the second epoch
		if steps++; p.Epoch == 2 && p.Step == 2 {
			cancel()
		}
	}
	if _, r := fit(t, ctx, s, c, o); r.Status != StopInterrupt {
		t.Fatalf("status %s", r.Status)
	}
	o.Progress = nil
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range damagedCheckpoints(t, good) {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, tt.file, 0o644); err != nil {
				t.Fatal(err)
			}
			o, notices := o, ""
			o.Notice = func(text string) { notices += text }
			got, r := fit(t, context.Background(), s, c, o)
			if got.Result != whole.Result || got.Weights != whole.Weights {
				t.Errorf("the result is another than without a checkpoint")
			}
			_, err := os.Stat(path + ".damaged")
			if used := tt.reason == ""; used != r.Resumed || used != (err != nil) || used != (notices == "") || !strings.Contains(notices, tt.reason) {
				t.Errorf("resumed %v, set aside: %v, notice %q, want %q", r.Resumed, err == nil, notices, tt.reason)
			}
			_ = os.Remove(path + ".damaged")
		})
	}
}

// damaged is the content of a checkpoint and why it is not used; "" if it is.
type damaged struct {
	file   []byte
	reason string
}

// damagedCheckpoints are variants of a good one.
func damagedCheckpoints(t *testing.T, good []byte) map[string]damaged {
	// edit changes the state on purpose, with a checksum that fits.
	edit := func(old, new string) []byte {
		f, err := safetensors.Decode(slices.Clone(good))
		if err != nil {
			t.Fatal(err)
		}
		was := f.Metadata[stateKey]
		if f.Metadata[stateKey] = regexp.MustCompile(old).ReplaceAllString(was, new); f.Metadata[stateKey] == was {
			t.Fatalf("the state %s has no %s", was, old)
		}
		return sealed(t, f)
	}
	change := func(how func(*safetensors.File)) []byte {
		f, err := safetensors.Decode(slices.Clone(good))
		if err != nil {
			t.Fatal(err)
		}
		how(f)
		return sealed(t, f)
	}
	flip := func(at int) []byte {
		b := slices.Clone(good)
		b[at] ^= 0x20
		return b
	}
	return map[string]damaged{
		"undamaged":             {good, ""},
		"sealed again":          {change(func(*safetensors.File) {}), ""},
		"truncated":             {good[:len(good)-1], "truncated"},
		"empty":                 {nil, "truncated"},
		"one bit of a tensor":   {flip(len(good) - 5000), "SHA-256"},
		"one bit of the rest":   {flip(len(good) / 2), "SHA-256"},
		"no checksum":           {unsealed(t, good), "no checksum"},
		"another run's":         {change(func(f *safetensors.File) { f.Metadata[runKey] = "b-run" }), `expected "a-run", got "b-run"`},
		"no run":                {change(func(f *safetensors.File) { delete(f.Metadata, runKey) }), "another run"},
		"another version's":     {change(func(f *safetensors.File) { f.Metadata[versionsKey] = "train 1" }), "another version"},
		"other code's":          {change(func(f *safetensors.File) { f.Metadata[codeKey] = "0123" }), "the code of the model or of training has changed"},
		"no times":              {edit(`"times":\[.*?\]`, `"times":[]`), "epoch does not fit"},
		"batch -1":              {edit(`"batch":\d+`, `"batch":-1`), "batch does not fit"},
		"a batch too far":       {edit(`"batch":\d+`, `"batch":1000`), "batch does not fit"},
		"empty state":           {edit(`.*`, `{}`), "steps does not fit"},
		"no state":              {edit(`.*`, ``), "EOF"},
		"null":                  {edit(`.*`, `null`), "steps does not fit"},
		"another epoch":         {edit(`"epoch":\d+,"batch`, `"epoch":7,"batch`), "epoch does not fit"},
		"another best":          {edit(`"best_epoch":\d+`, `"best_epoch":2`), "best_epoch does not fit"},
		"patience used up":      {edit(`"waited":\d+`, `"waited":99`), "waited does not fit"},
		"a key too many":        {edit(`"batch"`, `"x":1,"batch"`), "unknown field"},
		"a parameter less":      {change(func(f *safetensors.File) { delete(f.Tensors, "param/item_emb.weight") }), "no tensor for parameter"},
		"a moment less":         {change(func(f *safetensors.File) { delete(f.Tensors, "adam/item_emb.weight.v") }), "optimiser state"},
		"best weights less":     {change(func(f *safetensors.File) { delete(f.Tensors, "best/item_emb.weight") }), "best weights"},
		"no generator":          {change(func(f *safetensors.File) { delete(f.Tensors, "rng") }), "generator"},
		"moments for parameter": {change(func(f *safetensors.File) { f.Tensors["param/item_emb.weight"] = f.Tensors["rng"] }), "shape"},
	}
}

func sealed(t *testing.T, f *safetensors.File) []byte {
	t.Helper()
	f.Seal()
	path := filepath.Join(t.TempDir(), "sealed")
	if err := safetensors.Write(path, f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unsealed is a checkpoint as older versions wrote it.
func unsealed(t *testing.T, good []byte) []byte {
	t.Helper()
	f, err := safetensors.Decode(slices.Clone(good))
	if err != nil {
		t.Fatal(err)
	}
	delete(f.Metadata, "sha256")
	path := filepath.Join(t.TempDir(), "unsealed")
	if err := safetensors.Write(path, f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
