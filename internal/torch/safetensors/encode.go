package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"famebench/internal/atomicfile"
)

// Write writes f to path, atomically: a reader finds the old file or the whole
// new one. Equal content gives equal bytes. The tensors stand in the order of
// the reference writer, larger element types first and then by name, so that
// each begins at a multiple of its element size. Content that the format cannot
// hold gives a *FormatError and leaves path as it was.
func Write(path string, f *File) error {
	err := atomicfile.Write(path, func(w io.Writer) error { return encode(w, f) })
	if e, ok := errors.AsType[*FormatError](err); ok {
		e.Path = path
		return e
	}
	return err
}

// info is a tensor's entry in the header.
type info struct {
	DType   string    `json:"dtype"`
	Shape   []int64   `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

func encode(w io.Writer, f *File) error {
	names := slices.SortedFunc(maps.Keys(f.Tensors), func(a, b string) int {
		return cmp.Or(
			cmp.Compare(dtypeSize[f.Tensors[b].DType], dtypeSize[f.Tensors[a].DType]),
			cmp.Compare(a, b))
	})
	header := headerWriter{separator: '{'}
	if len(f.Metadata) > 0 {
		for key, value := range f.Metadata {
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return fault("", "%s: key %q is not UTF-8, or its value is not", metadataKey, key)
			}
		}
		header.add(metadataKey, f.Metadata) // encoding/json sorts a map's keys
	}
	var offset uint64
	for _, name := range names {
		t := f.Tensors[name]
		n, err := byteLen(t.DType, t.Shape)
		switch {
		case err != nil:
			return fault(name, "%v", err)
		case n != uint64(len(t.Data)):
			return fault(name, "%d bytes of data, but shape %v of %s takes %d", len(t.Data), t.Shape, t.DType, n)
		case name == metadataKey:
			return fault(name, "the format keeps this name for the metadata")
		case !utf8.ValidString(name):
			return fault(name, "the name is not UTF-8")
		}
		shape := t.Shape
		if shape == nil {
			shape = []int64{} // [], not null
		}
		header.add(name, info{t.DType, shape, [2]uint64{offset, offset + n}})
		offset += n
	}
	h, err := header.finish()
	if err != nil {
		return err
	}
	if _, err := w.Write(h); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := w.Write(f.Tensors[name].Data); err != nil {
			return err
		}
	}
	return nil
}

// headerWriter builds the JSON object by hand because encoding/json would sort
// the names of a map, and the order is ours.
type headerWriter struct {
	json      bytes.Buffer
	separator byte
	err       error
}

func (h *headerWriter) add(key string, value any) {
	h.json.WriteByte(h.separator)
	h.separator = ','
	h.encode(key)
	h.json.WriteByte(':')
	h.encode(value)
}

func (h *headerWriter) encode(v any) {
	enc := json.NewEncoder(&h.json)
	enc.SetEscapeHTML(false) // as the reference writer: < stays <
	if err := enc.Encode(v); err != nil {
		h.err = errors.Join(h.err, err)
		return
	}
	h.json.Truncate(h.json.Len() - 1) // the newline that Encode appends
}

// finish gives the length field and the header, padded with spaces to a
// multiple of 8 bytes.
func (h *headerWriter) finish() ([]byte, error) {
	if h.err != nil {
		return nil, fault("", "header: %v", h.err)
	}
	if h.json.Len() == 0 {
		h.json.WriteByte('{')
	}
	h.json.WriteByte('}')
	for h.json.Len()%8 != 0 {
		h.json.WriteByte(' ')
	}
	if h.json.Len() > maxHeader {
		return nil, fault("", "header of %d bytes, more than the format's bound of %d", h.json.Len(), maxHeader)
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(h.json.Len()))
	return append(b, h.json.Bytes()...), nil
}
