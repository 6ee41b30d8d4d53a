package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"famebench/internal/atomicfile"
)

// sealKey is the key of a sealed file's checksum.
const sealKey = "sha256"

// WriteSealed writes v, which must be a JSON object, as WriteJSON does, with one more
// key: the SHA-256 of the canonical JSON of the others.
func WriteSealed(path string, v any) error {
	object, sum, err := sealed(v)
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	object[sealKey] = json.RawMessage(`"` + sum + `"`)
	return WriteJSON(path, object)
}

// ReadSealed reads a file of WriteSealed into v. If the file was changed, or is not
// such an object, the error names it. A file without a checksum, as older versions
// wrote it, is accepted: then whole is false, and the caller checks what it can.
func ReadSealed(path string, v any) (whole bool, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	object, sum, err := sealed(json.RawMessage(b))
	if err != nil {
		return false, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if stated, ok := object[sealKey]; ok {
		if want := `"` + sum + `"`; string(stated) != want {
			return false, fmt.Errorf("%s was changed after it was written: expected sha256 %s, got %.80q", path, want, stated)
		}
		whole = true
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return whole, nil
}

// sealed returns the members of an object, and the hash of all of them except
// the checksum.
func sealed(v any) (object map[string]json.RawMessage, sum string, err error) {
	b, err := Canonical(v)
	if err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(b, &object); err != nil {
		return nil, "", err
	}
	if object == nil {
		return nil, "", errors.New("expected a JSON object, got null")
	}
	stated, ok := object[sealKey]
	delete(object, sealKey)
	if sum, err = hash(object); ok {
		object[sealKey] = stated
	}
	return object, sum, err
}

// WriteJSON writes v to a file atomically, as readable JSON with sorted keys.
func WriteJSON(path string, v any) error {
	b, err := Canonical(v)
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(pretty(bytes.TrimSpace(b)))
		return err
	})
}
