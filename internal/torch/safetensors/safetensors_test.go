package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const oracle = "testdata/core_trm.safetensors"

// The expected numbers were read with Python's json and struct modules.
func TestReadOracleFile(t *testing.T) {
	f, err := Read(oracle)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors) != 38 || f.Metadata != nil {
		t.Errorf("%d tensors and metadata %v, want 38 and none", len(f.Tensors), f.Metadata)
	}
	tests := []struct {
		name        string
		shape       []int64
		first, last float32
	}{
		{"alpha.bias", []int64{1}, 0x1.a51232p-2, 0x1.a51232p-2},
		{"alpha.weight", []int64{1, 8}, -0x1.d0d194p-2, 0x1.b44fb4p-2},
		{"item_emb.weight", []int64{22, 8}, -0x1.54a578p-4, 0x1.4537e8p-3},
		{"layers.0.ffn.out.weight", []int64{8, 32}, 0x1.22c17cp-3, 0x1.3c4c04p-2},
		{"pos_emb.weight", []int64{6, 8}, -0x1.19b06cp-7, 0x1.a58696p-5},
	}
	for _, test := range tests {
		tensor := f.Tensors[test.name]
		if !reflect.DeepEqual(tensor.Shape, test.shape) {
			t.Errorf("%s: shape %v, want %v", test.name, tensor.Shape, test.shape)
		}
		v, err := tensor.Float32s()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if v[0] != test.first || v[len(v)-1] != test.last {
			t.Errorf("%s: first %v and last %v, want %v and %v", test.name, v[0], v[len(v)-1], test.first, test.last)
		}
	}
}

// What the reference library wrote comes back byte for byte, so our writer's
// order, spacing and padding are the reference's.
func TestWriteGivesReferenceBytes(t *testing.T) {
	want, err := os.ReadFile(oracle)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Decode(bytes.Clone(want))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("wrote %d bytes that differ from the %d read", len(got), len(want))
	}
}

// mixed holds every type with its own conversion, a scalar, an empty tensor,
// names that JSON escapes, and sizes that would misalign in order of name.
func mixed() *File {
	return &File{
		Tensors: map[string]Tensor{
			"a.flags":   FromUint8s([]int64{3}, []byte{0, 7, 255}),
			"b.moments": FromFloat32s([]int64{2, 2}, []float32{0, -1.5, float32(math.Inf(1)), math.MaxFloat32}),
			"c.step":    FromInt64s(nil, []int64{-1 << 63}),
			"d.empty":   FromFloat32s([]int64{0, 5}, nil),
			"<é \"\n>":  FromInt64s([]int64{1}, []int64{42}),
			"f.half":    {DType: "BF16", Shape: []int64{1}, Data: []byte{0x80, 0x3f}},
		},
		Metadata: map[string]string{"format": "pt", "epoch": "3", "note": "a<b"},
	}
}

func encoded(t *testing.T, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mixed.safetensors")
	if err := Write(path, mixed()); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Metadata, mixed().Metadata) {
		t.Errorf("metadata %v, want %v", f.Metadata, mixed().Metadata)
	}
	if len(f.Tensors) != len(mixed().Tensors) {
		t.Errorf("%d tensors, want %d", len(f.Tensors), len(mixed().Tensors))
	}
	for name, want := range mixed().Tensors {
		got := f.Tensors[name]
		if got.DType != want.DType || !bytes.Equal(got.Data, want.Data) || len(got.Shape) != len(want.Shape) {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
	if v, err := f.Tensors["b.moments"].Float32s(); err != nil || !reflect.DeepEqual(v, []float32{0, -1.5, float32(math.Inf(1)), math.MaxFloat32}) {
		t.Errorf("b.moments: %v, %v", v, err)
	}
	if v, err := f.Tensors["c.step"].Int64s(); err != nil || !reflect.DeepEqual(v, []int64{-1 << 63}) {
		t.Errorf("c.step: %v, %v", v, err)
	}
	if v, err := f.Tensors["a.flags"].Uint8s(); err != nil || !reflect.DeepEqual(v, []byte{0, 7, 255}) {
		t.Errorf("a.flags: %v, %v", v, err)
	}
}

func TestLayout(t *testing.T) {
	// The padding to 8 bytes, and an empty file: examples from the format's own
	// tests, counted by hand.
	tests := []struct {
		file   *File
		header string
	}{
		{&File{}, "{}      "},
		{&File{Metadata: map[string]string{"framework": "pt"}}, `{"__metadata__":{"framework":"pt"}}     `},
		{&File{Tensors: map[string]Tensor{"attn0": FromFloat32s([]int64{1, 1, 2, 3}, make([]float32, 6))}},
			`{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       `},
		{mixed(), `{"__metadata__":{"epoch":"3","format":"pt","note":"a<b"},` +
			`"<é \"\n>":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},` +
			`"c.step":{"dtype":"I64","shape":[],"data_offsets":[8,16]},` +
			`"b.moments":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]},` +
			`"d.empty":{"dtype":"F32","shape":[0,5],"data_offsets":[32,32]},` +
			`"f.half":{"dtype":"BF16","shape":[1],"data_offsets":[32,34]},` +
			`"a.flags":{"dtype":"U8","shape":[3],"data_offsets":[34,37]}}`},
	}
	for _, test := range tests {
		b := encoded(t, test.file)
		n := binary.LittleEndian.Uint64(b)
		if n%8 != 0 {
			t.Errorf("header of %d bytes, not a multiple of 8", n)
		}
		if got := string(b[8 : 8+n]); strings.TrimRight(got, " ") != strings.TrimRight(test.header, " ") || len(got)-len(test.header) >= 8 {
			t.Errorf("header\n%s\nwant\n%s", got, test.header)
		}
		for range 20 { // map order differs from one to the next
			if !bytes.Equal(encoded(t, test.file), b) {
				t.Fatalf("equal content gave different bytes: %s", test.header)
			}
		}
	}
}

// raw puts a length field before a header and data after it.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestDecodeRefuses(t *testing.T) {
	length := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	tests := []struct {
		what   string
		file   []byte
		tensor string // at fault
		reason string // part of the message
	}{
		{"empty file", nil, "", "0 bytes"},
		{"cut in the length", []byte{1, 0, 0}, "", "3 bytes"},
		{"cut in the header", raw(`{"a":{}}`, 0)[:12], "", "says 8 bytes, but 4 follow"},
		{"huge header length", append(length(math.MaxUint64), "{}"...), "", "says 18446744073709551615 bytes, but 2 follow"},
		{"header length 2^63", append(length(1<<63), "{}"...), "", "but 2 follow"},
		{"no header", raw("", 0), "", "not JSON"},
		{"not UTF-8", raw("{\"\xff\":{}}", 0), "", "not UTF-8"},
		{"not JSON", raw(`{"a":`, 0), "", "not JSON"},
		{"two values", raw(`{}{}`, 0), "", "not JSON"},
		{"array", raw(`[]`, 0), "", "expected an object, found ["},
		{"number", raw(`1`, 0), "", "expected an object, found 1"},
		{"null", raw(`null`, 0), "", "expected an object, found null"},
		{"entry is a number", raw(`{"a":7}`, 0), "a", "expected an object, found 7"},
		{"entry is null", raw(`{"a":null}`, 0), "a", "expected an object, found null"},
		{"no dtype", raw(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, 4), "a", "no dtype"},
		{"no shape", raw(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "a", "shape: expected a list"},
		{"no offsets", raw(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "a", "data_offsets: expected a list"},
		{"key in capitals", raw(`{"a":{"DType":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "a", `unknown key "DType"`},
		{"unknown key", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}}`, 4), "a", `unknown key "strides"`},
		{"key twice", raw(`{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}`, 4), "a", `key "dtype" stands twice`},
		{"dtype is a number", raw(`{"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}`, 4), "a", `key "dtype"`},
		{"unknown dtype", raw(`{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}`, 4), "a", `unknown dtype "F31"`},
		{"null in the shape", raw(`{"a":{"dtype":"F32","shape":[1,null],"data_offsets":[0,4]}}`, 4), "a", "element 1 is null"},
		{"fraction in the shape", raw(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4), "a", `key "shape"`},
		{"negative dimension", raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "a", "dimension 0 is negative"},
		{"two negative dimensions", raw(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4), "a", "negative"},
		{"dimension above int64", raw(`{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}`, 4), "a", `key "shape"`},
		{"shape overflows", raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "a", "overflows 64 bits"},
		{"bytes overflow", raw(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0), "a", "overflows 64 bits"},
		{"many dimensions", raw(`{"a":{"dtype":"F32","shape":[1`+strings.Repeat(",1", 99999)+`],"data_offsets":[0,4]}}`, 4), "a", "shape: expected at most 64 dimensions, got 100000"},
		{"many offsets", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0`+strings.Repeat(",1", 99999)+`]}}`, 4), "a", "expected [begin, end], got 100000 numbers"},
		{"long dtype", raw(`{"a":{"dtype":"`+strings.Repeat("F", 99999)+`","shape":[1],"data_offsets":[0,4]}}`, 4), "a", "unknown dtype"},
		{"long name", raw(`{"`+strings.Repeat("a", 99999)+`":7}`, 0), strings.Repeat("a", 99999), "expected an object"},
		{"huge tensor in a small file", raw(`{"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}`, 4), "a", "truncated or damaged"},
		{"one offset", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, 4), "a", "expected [begin, end]"},
		{"three offsets", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4), "a", "expected [begin, end]"},
		{"negative offset", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "a", `key "data_offsets"`},
		{"offsets backwards", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "a", "begin ≤ end"},
		{"range and shape differ", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "a", "hold 4 bytes, but shape [2] of F32 takes 8"},
		{"scalar of 2 elements", raw(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,8]}}`, 8), "a", "takes 4"},
		{"data cut", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7), "a", "truncated or damaged"},
		{"data left over", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 11), "", "3 bytes after the last tensor"},
		{"data without tensors", raw(`{}`, 1), "", "1 bytes after the last tensor"},
		{"first tensor not at 0", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "a", "gap after the header"},
		{"gap", raw(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3),
			"a", `gap after tensor "b", which ends at 1`},
		{"overlap", raw(`{"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3),
			"a", `overlap tensor "b", which ends at 2`},
		{"same range twice", raw(`{"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2),
			"b", `overlap tensor "a"`},
		{"name twice", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1),
			"a", "stands twice"},
		{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "__metadata__", "stands twice"},
		{"metadata is a list", raw(`{"__metadata__":[]}`, 0), "", "expected an object"},
		{"metadata of numbers", raw(`{"__metadata__":{"epoch":3}}`, 0), "", `key "epoch": expected a string`},
		{"metadata null", raw(`{"__metadata__":{"epoch":null}}`, 0), "", `key "epoch": expected a string`},
		{"metadata key twice", raw(`{"__metadata__":{"epoch":"1","epoch":"2"}}`, 0), "", `key "epoch" stands twice`},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			f, err := Decode(test.file)
			var e *FormatError
			if !errors.As(err, &e) {
				t.Fatalf("Decode gave %v and error %v, want a FormatError", f, err)
			}
			if f != nil || e.Tensor != test.tensor || !strings.Contains(e.Error(), test.reason) || len(e.Error()) > 500 {
				t.Errorf("error %q of tensor %q, want one of tensor %q with %q", e, e.Tensor, test.tensor, test.reason)
			}
		})
	}
}

func TestReadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cut.safetensors")
	whole := encoded(t, mixed())
	// Every truncation of a good file is an error, wherever it falls.
	for n := range whole {
		if _, err := Decode(whole[:n]); err == nil {
			t.Errorf("no error for %d of %d bytes", n, len(whole))
		}
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Read(path)
	var e *FormatError
	if !errors.As(err, &e) || e.Path != path || e.Tensor != "a.flags" {
		t.Errorf("error %v, want a FormatError of %s and tensor a.flags", err, path)
	}
	if _, err := Read(path + ".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	tests := []struct {
		what, name string
		tensor     Tensor
		metadata   map[string]string
		reason     string
	}{
		{"shape and data differ", "a", FromFloat32s([]int64{3}, make([]float32, 2)), nil, "8 bytes of data, but shape [3] of F32 takes 12"},
		{"unknown dtype", "a", Tensor{DType: "f32"}, nil, `unknown dtype "f32"`},
		{"negative dimension", "a", Tensor{DType: "U8", Shape: []int64{-1}}, nil, "negative"},
		{"kept name", "__metadata__", FromUint8s([]int64{0}, nil), nil, "keeps this name"},
		{"name not UTF-8", "\xff", FromUint8s([]int64{0}, nil), nil, "not UTF-8"},
		{"metadata not UTF-8", "a", FromUint8s([]int64{0}, nil), map[string]string{"k": "\xff"}, "not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "w.safetensors")
			err := Write(path, &File{Tensors: map[string]Tensor{test.name: test.tensor}, Metadata: test.metadata})
			var e *FormatError
			if !errors.As(err, &e) || e.Path != path || !strings.Contains(e.Reason, test.reason) {
				t.Errorf("error %v, want a FormatError of %s with %q", err, path, test.reason)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 0 {
				t.Errorf("%d files left after a refused write", len(entries))
			}
		})
	}
}

func TestValuesRefuseAnotherType(t *testing.T) {
	if _, err := FromInt64s([]int64{1}, []int64{1}).Float32s(); err == nil || !strings.Contains(err.Error(), "I64, expected F32") {
		t.Errorf("Float32s of I64: %v", err)
	}
	if _, err := FromFloat32s([]int64{1}, []float32{1}).Int64s(); err == nil || !strings.Contains(err.Error(), "F32, expected I64") {
		t.Errorf("Int64s of F32: %v", err)
	}
	if _, err := FromFloat32s([]int64{2}, []float32{1}).Float32s(); err == nil || !strings.Contains(err.Error(), "takes 8") {
		t.Errorf("Float32s of a wrong shape: %v", err)
	}
	if _, err := (Tensor{DType: "U8", Shape: []int64{-1}}).Uint8s(); err == nil {
		t.Error("Uint8s of a negative shape: no error")
	}
}

// The patterns and values are those of IEEE 754's binary16 and of bfloat16.
func TestToFloat32(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for dtype, values := range map[string]map[uint16]float32{
		"F16": {0x3c00: 1, 0xc000: -2, 0x3555: 0.333251953125, 0x7bff: 65504, 0x0400: 0x1p-14, 0x03ff: 0x1.ff8p-15, 0x0001: 0x1p-24,
			0x0000: 0, 0x8000: float32(math.Copysign(0, -1)), 0x7c00: inf, 0xfc00: -inf, 0x7e00: nan},
		"BF16": {0x3f80: 1, 0xc049: -3.140625, 0x0080: 0x1p-126, 0x0000: 0, 0x7f80: inf, 0x7fc0: nan},
	} {
		for bits, want := range values {
			wide, err := Tensor{DType: dtype, Shape: []int64{1, 2}, Data: []byte{byte(bits), byte(bits >> 8), byte(bits), byte(bits >> 8)}}.ToFloat32()
			if err != nil {
				t.Fatal(err)
			}
			got, err := wide.Float32s()
			if err != nil || !reflect.DeepEqual(wide.Shape, []int64{1, 2}) || len(got) != 2 {
				t.Fatalf("%s: %v, shape %v, %v", dtype, got, wide.Shape, err)
			}
			for _, v := range got {
				if math.Float32bits(v) != math.Float32bits(want) && !(v != v && want != want) {
					t.Errorf("%s %#04x: %v, want %v", dtype, bits, v, want)
				}
			}
		}
	}
	if got, err := FromFloat32s([]int64{1}, []float32{1.5}).ToFloat32(); err != nil || !reflect.DeepEqual(got, FromFloat32s([]int64{1}, []float32{1.5})) {
		t.Errorf("F32: %v, %v", got, err)
	}
	for _, bad := range []Tensor{{DType: "F16", Shape: []int64{2}, Data: make([]byte, 2)}, {DType: "F32", Shape: []int64{1}}, FromInt64s([]int64{1}, []int64{1})} {
		if got, err := bad.ToFloat32(); err == nil {
			t.Errorf("%v of %s with %d bytes: %v", bad.Shape, bad.DType, len(bad.Data), got)
		}
	}
}

// FuzzDecode makes sure that any bytes give an error or a file that is written
// and read to the same content.
func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	if err := encode(&b, mixed()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(raw(`{"a":{"dtype":"F32","shape":[1,null],"data_offsets":[0,4]},"a":3}`, 4))
	f.Add(raw(`{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Decode(b)
		if err != nil {
			var e *FormatError
			if !errors.As(err, &e) {
				t.Fatalf("error %v is not a FormatError", err)
			}
			return
		}
		again, err := Decode(encoded(t, file))
		if err != nil {
			t.Fatalf("what Decode gave does not survive writing: %v", err)
		}
		if len(file.Metadata) == 0 {
			file.Metadata = nil // an empty map is not written
		}
		if !reflect.DeepEqual(again, file) {
			t.Fatalf("read\n%v\nwrote and read\n%v", file, again)
		}
	})
}

func BenchmarkFloat32s(b *testing.B) {
	const n = 1 << 20
	t := FromFloat32s([]int64{n}, make([]float32, n))
	b.SetBytes(4 * n)
	for b.Loop() {
		if _, err := t.Float32s(); err != nil {
			b.Fatal(err)
		}
	}
}
