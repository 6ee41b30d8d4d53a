package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"unicode/utf8"
)

// Read reads the file at path. A file that breaks the format gives a
// *FormatError. Memory is allocated by the size that the file really has, never
// by what its header claims.
func Read(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	f, err := Decode(b)
	if e, ok := errors.AsType[*FormatError](err); ok {
		e.Path = path
	}
	return f, err
}

// Decode reads the content of a file from memory. The tensors' Data share b's
// memory. Content that breaks the format gives a *FormatError.
func Decode(b []byte) (*File, error) {
	if len(b) < 8 {
		return nil, fault("", "%d bytes, but a header length takes 8: the file is truncated or not safetensors", len(b))
	}
	n, b := binary.LittleEndian.Uint64(b), b[8:]
	if n > uint64(len(b)) {
		return nil, fault("", "the header length says %d bytes, but %d follow: the file is truncated or not safetensors", n, len(b))
	}
	if n > maxHeader {
		return nil, fault("", "header of %d bytes, more than the format's bound of %d", n, maxHeader)
	}
	entries, metadata, err := parseHeader(b[:n])
	if err != nil {
		return nil, err
	}
	data := b[n:]
	if err := checkRanges(entries, uint64(len(data))); err != nil {
		return nil, err
	}
	f := &File{Tensors: make(map[string]Tensor, len(entries)), Metadata: metadata}
	for _, e := range entries {
		f.Tensors[e.name] = Tensor{DType: e.dtype, Shape: e.shape, Data: data[e.begin:e.end:e.end]}
	}
	return f, nil
}

// entry is what the header says of one tensor: [begin, end) counts from the
// first byte after the header.
type entry struct {
	name, dtype string
	shape       []int64
	begin, end  uint64
}

// parseHeader reads the JSON by tokens, because encoding/json into a map would
// let the last of two equal names win, and would match keys in any case.
func parseHeader(header []byte) ([]entry, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, fault("", "the header is not UTF-8")
	}
	// One pass over the whole header, so that what follows meets valid JSON.
	var raw json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, nil, fault("", "the header is not JSON: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	var entries []entry
	var metadata map[string]string
	seen := map[string]bool{}
	err := object(dec, func(name string) error {
		if seen[name] {
			return fault(name, "the name stands twice in the header")
		}
		seen[name] = true
		if name == metadataKey {
			m, err := parseMetadata(dec)
			if err != nil {
				return fault("", "%s: %v", metadataKey, err)
			}
			metadata = m
			return nil
		}
		e, err := parseEntry(dec)
		if err != nil {
			return fault(name, "%v", err)
		}
		e.name = name
		entries = append(entries, e)
		return nil
	})
	if _, ok := errors.AsType[*FormatError](err); err != nil && !ok {
		err = fault("", "header: %v", err)
	}
	return entries, metadata, err
}

func parseMetadata(dec *json.Decoder) (map[string]string, error) {
	metadata := map[string]string{}
	err := object(dec, func(key string) error {
		if _, ok := metadata[key]; ok {
			return fmt.Errorf("key %.200q stands twice", key)
		}
		var v *string // a pointer, because null would leave a string as it is
		if err := dec.Decode(&v); err != nil || v == nil {
			return fmt.Errorf("key %.200q: expected a string", key)
		}
		metadata[key] = *v
		return nil
	})
	return metadata, err
}

// parseEntry reads {"dtype":…,"shape":[…],"data_offsets":[begin,end]} and
// checks what can be checked without the other entries.
func parseEntry(dec *json.Decoder) (entry, error) {
	var (
		dtype   *string
		shape   []*int64
		offsets []*uint64
	)
	seen := map[string]bool{}
	err := object(dec, func(key string) error {
		if seen[key] {
			return fmt.Errorf("key %.200q stands twice", key)
		}
		seen[key] = true
		var err error
		switch key {
		case "dtype":
			err = dec.Decode(&dtype)
		case "shape":
			err = dec.Decode(&shape)
		case "data_offsets":
			err = dec.Decode(&offsets)
		default:
			return fmt.Errorf("unknown key %.200q", key)
		}
		if err != nil {
			return fmt.Errorf("key %.200q: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return entry{}, err
	}
	if dtype == nil {
		return entry{}, errors.New("no dtype")
	}
	e := entry{dtype: *dtype}
	if e.shape, err = numbers(shape); err != nil {
		return entry{}, fmt.Errorf("shape: %w", err)
	}
	if n := len(e.shape); n > maxDimensions {
		return entry{}, fmt.Errorf("shape: expected at most %d dimensions, got %d", maxDimensions, n)
	}
	want, err := byteLen(e.dtype, e.shape)
	if err != nil {
		return entry{}, err
	}
	o, err := numbers(offsets)
	if err != nil {
		return entry{}, fmt.Errorf("data_offsets: %w", err)
	}
	if len(o) != 2 {
		return entry{}, fmt.Errorf("data_offsets: expected [begin, end], got %d numbers", len(o))
	}
	if o[0] > o[1] {
		return entry{}, fmt.Errorf("data_offsets %v: expected [begin, end] with begin ≤ end", o)
	}
	e.begin, e.end = o[0], o[1]
	if got := e.end - e.begin; got != want {
		return entry{}, fmt.Errorf("data_offsets %v hold %d bytes, but shape %v of %s takes %d", o, got, e.shape, e.dtype, want)
	}
	return e, nil
}

// numbers refuses what encoding/json lets pass: a missing or null list and a
// null in it.
func numbers[T int64 | uint64](list []*T) ([]T, error) {
	if list == nil {
		return nil, errors.New("expected a list of whole numbers, found none")
	}
	out := make([]T, len(list))
	for i, p := range list {
		if p == nil {
			return nil, fmt.Errorf("element %d is null", i)
		}
		out[i] = *p
	}
	return out, nil
}

// object reads one JSON object and calls value after each key, with dec in
// front of that key's value, which value must read.
func object(dec *json.Decoder, value func(key string) error) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t == nil {
		t = "null"
	}
	if t != json.Delim('{') {
		return fmt.Errorf("expected an object, found %v", t)
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("expected a key, found %v", t)
		}
		if err := value(key); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// checkRanges sorts the entries by position and makes sure that they cover the
// size bytes of data exactly once.
func checkRanges(entries []entry, size uint64) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	var end uint64
	before := "the header"
	for _, e := range entries {
		switch {
		case e.end > size:
			return fault(e.name, "data_offsets [%d %d] end after the file's %d bytes of data: the file is truncated or damaged", e.begin, e.end, size)
		case e.begin < end:
			return fault(e.name, "data_offsets [%d %d] overlap %s, which ends at %d", e.begin, e.end, before, end)
		case e.begin > end:
			return fault(e.name, "data_offsets [%d %d] leave a gap after %s, which ends at %d", e.begin, e.end, before, end)
		}
		end, before = e.end, fmt.Sprintf("tensor %.200q", e.name)
	}
	if end != size {
		return fault("", "%d bytes after the last tensor belong to none", size-end)
	}
	return nil
}

func fault(tensor, format string, args ...any) *FormatError {
	return &FormatError{Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
}
