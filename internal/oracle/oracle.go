// Package oracle reads the reference cases that the models must match: small
// models with fixed weights, inputs, outputs and gradients, computed with the
// reference implementations (see testdata/PROVENANCE.md). If ORACLES=DIR is
// set, cases of any size are read from DIR instead of the embedded copies.
package oracle

import (
	"embed"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
	"testing"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

//go:embed testdata
var embedded embed.FS

// OnDevices runs f on the CPU, and as the subtest CUDA on a GPU if there is one. It finds none if
// the process has computed on the CPU before, so scripts/cuda-check.sh runs these subtests alone.
func OnDevices(t *testing.T, f func(t *testing.T, device string)) {
	f(t, "cpu")
	t.Run("CUDA", func(t *testing.T) {
		if err := torch.Run(torch.Config{Device: "cuda"}, func(*torch.Runtime) error { return nil }); err != nil {
			t.Skip(err)
		}
		f(t, "cuda")
	})
}

// Case is one fixture.
type Case struct {
	Name    string
	Config  json.RawMessage
	Inputs  json.RawMessage
	Outputs json.RawMessage
	Body    []byte // all of case.json
	files   fs.FS
}

// Cases returns the fixtures whose names pass the filter, sorted. It is an
// error if there are none.
func Cases(t *testing.T, keep func(name string) bool) []Case {
	t.Helper()
	var root fs.FS = embedded
	dir := "testdata"
	if d := os.Getenv("ORACLES"); d != "" {
		root, dir = os.DirFS(d), "."
	}
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		t.Fatalf("oracle cases: %v", err)
	}
	var out []Case
	for _, e := range entries {
		if !e.IsDir() || !keep(e.Name()) {
			continue
		}
		files, err := fs.Sub(root, path.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := fs.ReadFile(files, "case.json")
		if err != nil {
			t.Fatalf("oracle case %s: %v", e.Name(), err)
		}
		var body struct{ Config, Inputs, Outputs json.RawMessage }
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("oracle case %s: %v", e.Name(), err)
		}
		out = append(out, Case{e.Name(), body.Config, body.Inputs, body.Outputs, raw, files})
	}
	if len(out) == 0 {
		t.Fatal("no oracle case found")
	}
	return out
}

// Decode unmarshals config, inputs and outputs; nil skips one.
func (c Case) Decode(t *testing.T, config, inputs, outputs any) {
	t.Helper()
	for _, part := range []struct {
		raw  json.RawMessage
		into any
	}{{c.Config, config}, {c.Inputs, inputs}, {c.Outputs, outputs}} {
		if part.into == nil {
			continue
		}
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			t.Fatalf("oracle case %s: %v", c.Name, err)
		}
	}
}

// Copy copies the case's folder name, such as a model's, to a temporary folder of
// the test and returns its path.
func (c Case) Copy(t *testing.T, name string) string {
	t.Helper()
	files, err := fs.Sub(c.files, name)
	if err != nil {
		t.Fatalf("oracle case %s: %v", c.Name, err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatalf("oracle case %s: %s: %v", c.Name, name, err)
	}
	return dir
}

// Tensors reads weights.safetensors, grads.safetensors or another tensor file
// of the case.
func (c Case) Tensors(t *testing.T, file string) map[string]safetensors.Tensor {
	t.Helper()
	raw, err := fs.ReadFile(c.files, file)
	if err != nil {
		t.Fatalf("oracle case %s: %v", c.Name, err)
	}
	f, err := safetensors.Decode(raw)
	if err != nil {
		t.Fatalf("oracle case %s: %s: %v", c.Name, file, err)
	}
	return fuse(t, f.Tensors)
}

// fuse joins the query, key and value projections of each layer into the one
// matrix of our layers.
func fuse(t *testing.T, in map[string]safetensors.Tensor) map[string]safetensors.Tensor {
	t.Helper()
	out := map[string]safetensors.Tensor{}
	for name, q := range in {
		stem, rest, ok := strings.Cut(name, ".attn.")
		if !ok || !(strings.HasPrefix(rest, "q.") || strings.HasPrefix(rest, "k.") || strings.HasPrefix(rest, "v.")) {
			out[name] = q
			continue
		}
		if rest[0] != 'q' {
			continue
		}
		joined := safetensors.Tensor{DType: q.DType, Shape: append([]int64{3 * q.Shape[0]}, q.Shape[1:]...)}
		for _, part := range "qkv" {
			p, ok := in[stem+".attn."+string(part)+rest[1:]]
			if !ok {
				t.Fatalf("%s has no %c part", name, part)
			}
			joined.Data = append(joined.Data, p.Data...)
		}
		out[stem+".attn.qkv"+rest[1:]] = joined
	}
	return out
}

// Near fails unless got has the values of want within tol, and none is NaN.
func Near(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i := range got {
		d := math.Abs(float64(got[i]) - want[i])
		if math.IsNaN(d) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], want[i])
			return
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if worst > tol {
		t.Errorf("%s[%d] = %v, want %v: off by %.2g, allowed %.2g", what, at, got[at], want[at], worst, tol)
	}
}

// NearGradient is Near with the tolerance of gradients: 1e-4 and, for small
// ones, the stricter 1e-5 + 1e-4·|want|.
func NearGradient(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	Near(t, what, got, want, 1e-4)
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); d > 1e-5+1e-4*math.Abs(want[i]) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], want[i])
			return
		}
	}
}

// NearInBFloat16 is Near for values computed with bfloat16 products: the norm of the
// difference is at most 2 % of the norm, but not as small as float32 would make it.
//
// Rounding an operand to 8 significant bits changes it by at most 2⁻⁹ and by about 2⁻¹⁰ in
// the mean. A product has two operands, and a gradient passes through some 15 products
// here, so about √30·2⁻¹⁰, half a per cent, is expected.
func NearInBFloat16(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s in bfloat16: %d values, want %d", what, len(got), len(want))
		return
	}
	var difference, norm float64
	for i := range got {
		difference += (float64(got[i]) - want[i]) * (float64(got[i]) - want[i])
		norm += want[i] * want[i]
	}
	if off := math.Sqrt(difference / norm); !(off <= 2e-2) {
		t.Errorf("%s in bfloat16 is off by %.2g of its norm, allowed 0.02", what, off)
	} else if off < 1e-7 {
		t.Errorf("%s in bfloat16 is off by %.2g of its norm only: nothing was rounded to bfloat16", what, off)
	}
}

// Flatten joins rows.
func Flatten[T any](rows [][]T) []T {
	var out []T
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

// Floats returns the values of a float32 tensor, for Near.
func Floats(t *testing.T, s safetensors.Tensor) []float64 {
	t.Helper()
	v, err := s.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
