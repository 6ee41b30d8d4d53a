package safetensors

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// sumKey is the metadata that Seal adds.
const sumKey = "sha256"

// ErrUnsealed says that a file has no checksum.
var ErrUnsealed = errors.New("the file has no checksum")

// Seal adds a checksum of everything in f to its metadata. The format has none, so
// that a flipped bit in a tensor is another number and nothing else.
func (f *File) Seal() {
	if f.Metadata == nil {
		f.Metadata = map[string]string{}
	}
	f.Metadata[sumKey] = f.sum()
}

// Sum is the checksum that Seal added, "" if there is none.
func (f *File) Sum() string { return f.Metadata[sumKey] }

// CheckSeal compares f with the checksum that Seal added. Without one the error is
// ErrUnsealed.
func (f *File) CheckSeal() error {
	want, ok := f.Metadata[sumKey]
	if !ok {
		return ErrUnsealed
	}
	if got := f.sum(); got != want {
		return fmt.Errorf("the file is damaged: its content has the SHA-256 %.8s, expected %.8q", got, want)
	}
	return nil
}

// sum hashes names, types, shapes, data and metadata, each with its length, in the
// order of the names.
func (f *File) sum() string {
	h := sha256.New()
	number := func(n int) { _ = binary.Write(h, binary.LittleEndian, int64(n)) } // a hash never fails
	text := func(s string) {
		number(len(s))
		h.Write([]byte(s))
	}
	number(len(f.Tensors))
	for _, name := range slices.Sorted(maps.Keys(f.Tensors)) {
		t := f.Tensors[name]
		text(name)
		text(t.DType)
		number(len(t.Shape))
		for _, d := range t.Shape {
			number(int(d))
		}
		number(len(t.Data))
		h.Write(t.Data)
	}
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		if key != sumKey {
			text(key)
			text(f.Metadata[key])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
