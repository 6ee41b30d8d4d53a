package bert

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"famebench/internal/oracle"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// outputTolerance is the oracle's for outputs.
const outputTolerance = 1e-5

func TestEncoderMeetsTheOracle(t *testing.T) {
	t.Run("text_tiny_bert", func(t *testing.T) {
		c, tc := readTextCase(t, "text_tiny_bert")
		e, err := OpenEncoder(c.Copy(t, "model"))
		must(t, err)
		states := allStates(t, e, tc.output.InputIDs)
		for i, want := range [][][][]float64{tc.output.Embeddings, tc.output.Layer0, tc.output.Layer1} {
			oracle.Near(t, []string{"embeddings", "layer 0", "layer 1"}[i], states[i], oracle.Flatten(oracle.Flatten(want)), outputTolerance)
		}
		vectors, err := e.Encode(t.Context(), tc.inputs.Texts, EncodeOptions{MaxTokens: tc.config.MaxTokens})
		must(t, err)
		oracle.Near(t, "mean_pooled", vectors, oracle.Flatten(tc.output.MeanPooled), outputTolerance)
	})
	// The real model, if its weights are there: fetched (scripts/fetch-encoder.sh),
	// or in FAMEBENCH_ENCODER. Otherwise only its token ids are tested, and the
	// computation is tested on the other models here.
	t.Run("text_minilm", func(t *testing.T) {
		_, tc := readTextCase(t, "text_minilm")
		e := minilm(t)
		if e == nil {
			const missing = "all-MiniLM-L6-v2 is not there (scripts/fetch-encoder.sh): its vectors were not compared"
			if os.Getenv("REQUIRE_ALL") == "1" {
				t.Fatal(missing)
			}
			t.Log(missing)
			return
		}
		if e.WeightsSHA256 != tc.config.Weights {
			t.Fatalf("the weights have the SHA-256 %s, the oracle's have %s", e.WeightsSHA256, tc.config.Weights)
		}
		checkIDs(t, e.tokens, tc)
		states := allStates(t, e, tc.output.InputIDs[tc.output.DetailText:][:1])
		for i, at := range []int{0, 1, 6} {
			oracle.Near(t, []string{"embeddings", "layer 0", "layer 5"}[i], states[at], oracle.Flatten(tc.output.Detail[i]), outputTolerance)
		}
		vectors, err := e.Encode(t.Context(), tc.inputs.Texts, EncodeOptions{MaxTokens: tc.config.MaxTokens})
		must(t, err)
		oracle.Near(t, "mean_pooled", vectors, oracle.Flatten(tc.output.MeanPooled), outputTolerance)
	})
}

// minilm opens the real model; nil if it is missing. A folder in
// FAMEBENCH_ENCODER must be right.
func minilm(t testing.TB) *Encoder {
	t.Helper()
	dir, err := DefaultEncoder()
	if err != nil {
		return nil
	}
	if _, err := os.Stat(dir); err != nil && os.Getenv("FAMEBENCH_ENCODER") == "" {
		return nil
	}
	e, err := OpenEncoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// allStates are the states after the embedding and after every layer.
func allStates(t *testing.T, e *Encoder, ids [][]int32) (out [][]float32) {
	t.Helper()
	err := torch.Run(torch.Config{Threads: 1}, func(rt *torch.Runtime) error {
		m, err := newBERT(rt, true, e.config, e.weights)
		if err != nil {
			return err
		}
		out = make([][]float32, 1+e.config.Layers)
		for _, text := range ids {
			at := 0
			m.forward([][]int32{text}, func(x torch.Tensor) {
				out[at] = append(out[at], x.HostFloats()...)
				at++
			})
		}
		return nil
	})
	must(t, err)
	return out
}

// The models of testdata/variants differ from the oracle's in activation, eps,
// names of tensors and files.
func TestEncoderVariants(t *testing.T) {
	for _, name := range []string{"gelu_new", "relu_cased"} {
		t.Run(name, func(t *testing.T) {
			var want struct {
				Texts          []string
				MaxTokens      int `json:"max_tokens"`
				IDs            [][]int32
				Mean, CLS, Max [][]float64
			}
			dir := filepath.Join("variants", name)
			readJSON(t, filepath.Join(dir, "expect.json"), &want)
			e, err := OpenEncoder(filepath.Join("testdata", dir))
			must(t, err)
			for i, text := range want.Texts {
				ids, err := e.tokens.ids(text, want.MaxTokens)
				must(t, err)
				if !slices.Equal(ids, want.IDs[i]) {
					t.Errorf("%q:\n got %d\nwant %d", text, ids, want.IDs[i])
				}
			}
			for pooling, rows := range map[Pooling][][]float64{MeanPooling: want.Mean, CLSPooling: want.CLS, MaxPooling: want.Max} {
				got, err := e.Encode(t.Context(), want.Texts, EncodeOptions{Pooling: pooling, MaxTokens: want.MaxTokens})
				must(t, err)
				oracle.Near(t, string(pooling), got, oracle.Flatten(rows), outputTolerance)
			}
		})
	}
}

// Weights of half the size give the same vectors as the same values in F32.
func TestEncoderOfHalfPrecision(t *testing.T) {
	for dtype, half := range map[string]func(float32) uint16{
		"BF16": func(v float32) uint16 { return uint16(math.Float32bits(v) >> 16) },
		"F16": func(v float32) uint16 { // truncated to a normal number or 0
			b := math.Float32bits(v)
			exponent := int(b>>23&255) - 127 + 15
			if exponent < 1 {
				return 0
			}
			return uint16(b>>31<<15) | uint16(exponent)<<10 | uint16(b>>13&1023)
		},
	} {
		halves, wide := newFolder(t, "gelu_new"), newFolder(t, "gelu_new")
		for _, f := range []folder{halves, wide} {
			f.tensors(func(w map[string]safetensors.Tensor) {
				for name, tensor := range w {
					v, err := tensor.Float32s()
					must(t, err)
					var data []byte
					for _, x := range v {
						data = binary.LittleEndian.AppendUint16(data, half(x))
					}
					w[name] = safetensors.Tensor{DType: dtype, Shape: tensor.Shape, Data: data}
					if f == wide {
						w[name], err = w[name].ToFloat32()
						must(t, err)
					}
				}
			})
		}
		var vectors [2][]float32
		for i, f := range []folder{halves, wide} {
			e, err := OpenEncoder(f.dir)
			must(t, err)
			vectors[i], err = e.Encode(t.Context(), []string{"rose cream", "nail"}, EncodeOptions{})
			must(t, err)
		}
		e, _ := tiny(t)
		exact, err := e.Encode(t.Context(), []string{"rose cream", "nail"}, EncodeOptions{})
		must(t, err)
		if !slices.Equal(vectors[0], vectors[1]) || slices.Equal(vectors[0], exact) {
			t.Errorf("%s: %v\nin F32: %v", dtype, vectors[0], vectors[1])
		}
		for i, v := range exact { // truncated to at least 7 bits
			if d := math.Abs(float64(v - vectors[0][i])); d > .1 {
				t.Errorf("%s: element %d is %v, with all bits %v", dtype, i, vectors[0][i], v)
			}
		}
	}
}

// tiny is a small encoder and enough texts for many batches.
func tiny(t *testing.T) (*Encoder, []string) {
	t.Helper()
	e, err := OpenEncoder("testdata/variants/gelu_new")
	must(t, err)
	var texts []string
	for i := range 900 {
		texts = append(texts, strings.Repeat("nail cream ", i%7)+strings.Repeat("rose ", i/7%5))
	}
	return e, texts
}

// The vectors are the same to the last bit for any number of threads, and in the
// order of the texts, whatever the order of computation.
func TestEncodeIsDeterministic(t *testing.T) {
	e, texts := tiny(t)
	var first []float32
	for _, threads := range []int{1, 1, 2, 5} {
		var calls []int
		got, err := e.Encode(t.Context(), texts, EncodeOptions{Threads: threads, Progress: func(done, total int) {
			if total != len(texts) {
				t.Errorf("%d texts in all, want %d", total, len(texts))
			}
			calls = append(calls, done)
		}})
		must(t, err)
		if first == nil {
			first = got
		} else if !slices.Equal(got, first) {
			t.Errorf("%d threads: other vectors than 1 thread's", threads)
		}
		if len(calls) < 5 || !slices.IsSorted(calls) || calls[len(calls)-1] != len(texts) {
			t.Errorf("progress %d", calls)
		}
	}
	for _, i := range []int{0, 1, 450, 899} {
		alone, err := e.Encode(t.Context(), texts[i:i+1], EncodeOptions{})
		must(t, err)
		var want []float64
		for _, v := range alone {
			want = append(want, float64(v))
		}
		oracle.Near(t, "text on its own", first[i*e.Hidden:][:e.Hidden], want, outputTolerance)
	}
}

func TestEncodeNothing(t *testing.T) {
	e, _ := tiny(t)
	got, err := e.Encode(t.Context(), nil, EncodeOptions{CacheDir: t.TempDir()})
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	e, texts := tiny(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		o    EncodeOptions
		want string
	}{
		"pooling":     {t.Context(), EncodeOptions{Pooling: "sum"}, `pooling = "sum", expected mean, cls or max`},
		"few tokens":  {t.Context(), EncodeOptions{MaxTokens: 2}, "max_tokens = 2, expected 3 to 24"},
		"many tokens": {t.Context(), EncodeOptions{MaxTokens: 25}, "max_tokens = 25, expected 3 to 24"},
		"cancelled":   {cancelled, EncodeOptions{}, context.Canceled.Error()},
	} {
		if got, err := e.Encode(c.ctx, texts, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d values, error %v, want %q", name, len(got), err, c.want)
		}
	}
	if _, err := e.Encode(cancelled, texts, EncodeOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// Weights that are NaN pass every check of shapes.
	e.weights["embeddings.LayerNorm.bias"] = safetensors.FromFloat32s([]int64{12}, slices.Repeat([]float32{float32(math.NaN())}, 12))
	if _, err := e.Encode(t.Context(), texts, EncodeOptions{}); err == nil || !strings.Contains(err.Error(), "its weights are damaged") {
		t.Errorf("%v", err)
	}
}

// Encoding records no gradients, so backward fails.
func TestEncodeWithoutGradient(t *testing.T) {
	e, _ := tiny(t)
	err := torch.Run(torch.Config{Threads: 1}, func(rt *torch.Runtime) error {
		m, err := newBERT(rt, true, e.config, e.weights)
		if err != nil {
			return err
		}
		m.forward([][]int32{{2, 5, 3}}, nil).Mean().Backward()
		return nil
	})
	if failed := (*torch.Error)(nil); !errors.As(err, &failed) || failed.Op != "backward" {
		t.Errorf("going back through an encoding gives %v, want an error of backward", err)
	}
}

func TestEncodeCache(t *testing.T) {
	e, texts := tiny(t)
	dir := filepath.Join(t.TempDir(), "made", "here")
	runs := 0
	encode := func(texts []string, o EncodeOptions) []float32 {
		t.Helper()
		runs = 0
		o.CacheDir, o.Progress = dir, func(int, int) { runs++ }
		got, err := e.Encode(t.Context(), texts, o)
		must(t, err)
		return got
	}
	files := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		must(t, err)
		return names
	}
	first := encode(texts, EncodeOptions{})
	if runs == 0 || len(files()) != 1 {
		t.Fatalf("%d batches, files %q", runs, files())
	}
	path := files()[0]
	whole, err := os.ReadFile(path)
	must(t, err)
	if again := encode(texts, EncodeOptions{Threads: 1}); runs != 0 || !slices.Equal(again, first) {
		t.Errorf("again: %d batches computed, or other vectors", runs)
	}
	// A changed file is computed again, with the same content.
	flipped := slices.Clone(whole)
	flipped[len(flipped)-5] ^= 1
	for name, damaged := range map[string][]byte{"empty": {}, "cut": whole[:len(whole)/2], "flipped": flipped, "scribble": []byte("scribble")} {
		must(t, os.WriteFile(path, damaged, 0o644))
		if again := encode(texts, EncodeOptions{}); runs == 0 || !slices.Equal(again, first) {
			t.Errorf("%s: %d batches computed, or other vectors", name, runs)
		}
		if now, err := os.ReadFile(path); err != nil || !slices.Equal(now, whole) {
			t.Errorf("%s: the file was not made again (%v)", name, err)
		}
	}
	// Everything that changes the vectors changes the name of the file.
	other := slices.Clone(texts)
	other[0], other[1] = "ros", "e"
	others := [][]string{other, slices.Concat([]string{"rose", ""}, texts[2:]), texts[1:]}
	for i, texts := range others {
		if encode(texts, EncodeOptions{}); runs == 0 {
			t.Errorf("texts %d: taken from the cache", i)
		}
	}
	for _, o := range []EncodeOptions{{Pooling: CLSPooling}, {Pooling: MaxPooling}, {MaxTokens: 5}, {Normalise: true}} {
		if encode(texts, o); runs == 0 {
			t.Errorf("%+v: taken from the cache", o)
		}
	}
	e.Fingerprint = "another"
	if encode(texts, EncodeOptions{}); runs == 0 {
		t.Error("another encoder: taken from the cache")
	}
	if n := len(files()); n != 9 {
		t.Errorf("%d files, want 9: %q", n, files())
	}
}

// If encodings cannot be kept, for example in a read-only home, the vectors are
// computed nevertheless, and NotKept is called once.
func TestEncodeWithoutKeeping(t *testing.T) {
	e, texts := tiny(t)
	want, err := e.Encode(t.Context(), texts[:9], EncodeOptions{})
	must(t, err)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	var calls []string
	got, err := e.Encode(t.Context(), texts[:9], EncodeOptions{CacheDir: filepath.Join(file, "cache"), NotKept: func(err error) { calls = append(calls, err.Error()) }})
	must(t, err)
	if !slices.Equal(got, want) || len(calls) != 1 || !strings.Contains(calls[0], "the folder for encodings") {
		t.Errorf("%q, or other vectors", calls)
	}
}

// A flipped bit anywhere in a kept encoding never changes a vector.
func TestEncodeCacheFlippedBits(t *testing.T) {
	e, texts := tiny(t)
	dir := t.TempDir()
	first, err := e.Encode(t.Context(), texts[:9], EncodeOptions{CacheDir: dir})
	must(t, err)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	whole, err := os.ReadFile(names[0])
	must(t, err)
	for at := 0; at < len(whole); at += 1 + len(whole)/97 {
		damaged := slices.Clone(whole)
		damaged[at] ^= 1 << (at % 8)
		must(t, os.WriteFile(names[0], damaged, 0o644))
		if got, err := e.Encode(t.Context(), texts[:9], EncodeOptions{CacheDir: dir}); err != nil || !slices.Equal(got, first) {
			t.Errorf("byte %d: %v, or other vectors", at, err)
		}
	}
}

// All titles of Amazon Beauty with all-MiniLM-L6-v2. scripts/encoder/compare.sh
// runs it and Hugging Face's transformers in turn, with ENCODE_THREADS threads
// and the latter's vectors in the file ENCODE_REFERENCE.
func BenchmarkEncodeTitles(b *testing.B) {
	e := minilm(b)
	if e == nil {
		b.Skip("needs all-MiniLM-L6-v2: scripts/fetch-encoder.sh")
	}
	titles := beautyTitles(b)
	threads, _ := strconv.Atoi(os.Getenv("ENCODE_THREADS"))
	before := cpuSeconds(b)
	var vectors []float32
	for b.Loop() {
		var err error
		if vectors, err = e.Encode(b.Context(), titles, EncodeOptions{MaxTokens: 128, Threads: threads}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(titles)*b.N)/b.Elapsed().Seconds(), "texts/s")
	b.ReportMetric((cpuSeconds(b)-before)/float64(b.N), "cpu-s/op")
	path := os.Getenv("ENCODE_REFERENCE")
	if path == "" {
		return
	}
	f, err := safetensors.Read(path)
	if err != nil {
		b.Fatal(err)
	}
	reference, err := f.Tensors["vectors"].Float32s()
	if err != nil || len(reference) != len(vectors) {
		b.Fatalf("%s: %d values, want %d (%v)", path, len(reference), len(vectors), err)
	}
	worst := 0.0
	for i, v := range vectors {
		worst = max(worst, math.Abs(float64(v-reference[i])))
	}
	b.ReportMetric(worst, "max-diff")
}

// cpuSeconds is the CPU time of the process on all cores.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
