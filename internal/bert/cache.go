package bert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// encodingVersion is raised by hand when the same input gives other vectors.
const encodingVersion = 3

// cache is the file of one encoding. Its name is the hash of everything that
// decides the vectors, so the name shows whether it is the right file. Its content
// is checked all the same: a truncated file, or one with a flipped bit, counts as
// missing and is written again.
type cache struct {
	path     string // "" keeps nothing
	shape    []int64
	metadata map[string]string // for people, except its sha256
}

func (e *Encoder) cache(texts []string, o EncodeOptions) cache {
	if o.CacheDir == "" {
		return cache{}
	}
	metadata := map[string]string{
		"version":    strconv.Itoa(encodingVersion),
		"libtorch":   torch.Version(),
		"encoder":    e.Fingerprint,
		"pooling":    string(o.Pooling),
		"max_tokens": strconv.Itoa(o.MaxTokens),
		"texts":      TextsHash(texts),
	}
	keys := []string{"version", "libtorch", "encoder", "pooling", "max_tokens", "texts"}
	if o.Processor != "" {
		metadata["processor"] = o.Processor
		keys = append(keys, "processor")
	}
	if o.Normalise { // only if true, because older files do not have it
		metadata["normalise"] = "true"
		keys = append(keys, "normalise")
	}
	h := sha256.New()
	for _, k := range keys {
		fmt.Fprintf(h, "%s = %s\n", k, metadata[k])
	}
	return cache{
		path:     filepath.Join(o.CacheDir, hex.EncodeToString(h.Sum(nil))+".safetensors"),
		shape:    []int64{int64(len(texts)), int64(e.Hidden)},
		metadata: metadata,
	}
}

// TextsHash is the SHA-256 of the texts in their order, each preceded by its
// length.
func TextsHash(texts []string) string {
	h := sha256.New()
	for _, text := range texts {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
		io.WriteString(h, text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func dataHash(t safetensors.Tensor) string {
	sum := sha256.Sum256(t.Data)
	return hex.EncodeToString(sum[:])
}

// load reads the encoding and reports whether it exists and is intact.
func (c cache) load() ([]float32, bool) {
	if c.path == "" {
		return nil, false
	}
	f, err := safetensors.Read(c.path)
	if err != nil {
		return nil, false
	}
	t := f.Tensors["vectors"]
	if !slices.Equal(t.Shape, c.shape) || f.Metadata["sha256"] != dataHash(t) {
		return nil, false
	}
	v, err := t.Float32s()
	return v, err == nil
}

// store writes the encoding, atomically.
func (c cache) store(vectors []float32) error {
	if c.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return fmt.Errorf("pretrain: the folder for encodings: %w", err)
	}
	t := safetensors.FromFloat32s(c.shape, vectors)
	c.metadata["sha256"] = dataHash(t)
	err := safetensors.Write(c.path, &safetensors.File{Tensors: map[string]safetensors.Tensor{"vectors": t}, Metadata: c.metadata})
	if err != nil {
		return fmt.Errorf("pretrain: keeping the encoding: %w", err)
	}
	return nil
}
