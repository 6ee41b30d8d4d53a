package safetensors

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Every single bit of a sealed file counts: with one flipped, the file is refused, by
// the format or by the checksum.
func TestSealCoversEveryBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	f := &File{
		Tensors:  map[string]Tensor{"a": FromFloat32s([]int64{2}, []float32{1, 2}), "b": FromInt64s([]int64{1}, []int64{7}), "c": FromUint8s([]int64{0}, nil)},
		Metadata: map[string]string{"id": "x"},
	}
	if err := f.CheckSeal(); !errors.Is(err, ErrUnsealed) {
		t.Errorf("without a seal: %v", err)
	}
	f.Seal()
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Decode(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := read.CheckSeal(); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	// JSON has white space and letter case in \u escapes that mean nothing: the content is the same then.
	same := func(g *File) bool {
		return string(g.Tensors["a"].Data) == string(f.Tensors["a"].Data) && string(g.Tensors["b"].Data) == string(f.Tensors["b"].Data) && g.Metadata["id"] == "x"
	}
	for i := range good {
		for bit := range 8 {
			b := append([]byte(nil), good...)
			b[i] ^= 1 << bit
			g, err := Decode(b)
			if err == nil {
				err = g.CheckSeal()
			}
			if err == nil && !same(g) {
				t.Errorf("bit %d of byte %d flipped: no error", bit, i)
			}
		}
	}
	// Two tensors that change places, and one that goes.
	g, _ := Decode(good)
	g.Tensors["b"], g.Tensors["c"] = g.Tensors["c"], g.Tensors["b"]
	if g.CheckSeal() == nil {
		t.Error("swapped tensors: no error")
	}
	g, _ = Decode(good)
	delete(g.Tensors, "c")
	if g.CheckSeal() == nil {
		t.Error("a tensor less: no error")
	}
}
