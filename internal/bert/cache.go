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

// encodingVersion goes up by hand when the same input gives other vectors.
const encodingVersion = 2

// cache is the file that keeps one encoding. Its name is the hash of all that
// decides the vectors, so that it never needs to be looked into to know whether it
// is the right one; what is in it is checked all the same, and a file that is cut
// off or has a flipped bit counts as not there and is written anew.
type cache struct {
	path     string // "" keeps nothing
	shape    []int64
	metadata map[string]string // for people, but for its sha256
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
	if o.Normalise { // named only where it holds, as older files do not know of it
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

// TextsHash is the SHA-256 of the texts in their order, each after its length.
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

// load tells whether the encoding is there, whole.
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
