package pretrain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// bertConfig is what config.json says of the model.
type bertConfig struct {
	Hidden     int     // d
	Layers     int     //
	Heads      int     // divide d
	Inner      int     // width of the feed-forward
	Activation string  // of the feed-forward, by its name in the file
	Positions  int     // most tokens of a text
	Types      int     // token types, of which texts use the first
	Vocabulary int     // tokens
	NormEps    float64 // of every LayerNorm
}

// activations are those of Hugging Face's names for which there is a formula here.
var activations = map[string]func(torch.Tensor) torch.Tensor{
	"gelu":              torch.Tensor.GELU,
	"gelu_python":       torch.Tensor.GELU,
	"gelu_new":          torch.Tensor.GELUTanh,
	"gelu_fast":         torch.Tensor.GELUTanh,
	"gelu_pytorch_tanh": torch.Tensor.GELUTanh,
	"gelu_python_tanh":  torch.Tensor.GELUTanh,
	"relu":              torch.Tensor.ReLU,
	"silu":              torch.Tensor.SiLU,
	"swish":             torch.Tensor.SiLU,
	"tanh":              torch.Tensor.Tanh,
}

func readConfig(path string) (bertConfig, error) {
	fail := func(format string, args ...any) (bertConfig, error) {
		return bertConfig{}, fmt.Errorf("pretrain: %s: "+format, append([]any{path}, args...)...)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return bertConfig{}, fmt.Errorf("pretrain: %w", err)
	}
	var f struct {
		ModelType  *string `json:"model_type"`
		IsDecoder  bool    `json:"is_decoder"`
		Embedding  *string `json:"position_embedding_type"`
		Activation any     `json:"hidden_act"`
	}
	var numbers map[string]any
	if err := errors.Join(json.Unmarshal(body, &f), json.Unmarshal(body, &numbers)); err != nil {
		return fail("not the JSON that was expected: %w", err)
	}
	switch {
	case f.ModelType == nil:
		return fail("model_type is missing; expected the configuration of a model of type bert")
	case *f.ModelType != "bert":
		return fail("model_type = %q, but only bert models can be read", *f.ModelType)
	case f.IsDecoder:
		return fail("is_decoder = true, but only encoders can be read")
	case f.Embedding != nil && *f.Embedding != "absolute":
		return fail("position_embedding_type = %q, but only absolute can be read", *f.Embedding)
	}
	name, _ := f.Activation.(string)
	if activations[name] == nil {
		return fail("hidden_act = %v, expected gelu, gelu_new, another name of gelu's tanh form, relu, silu (swish) or tanh", f.Activation)
	}
	c := bertConfig{Activation: name}
	for _, k := range []struct {
		name string
		into *int
	}{
		{"hidden_size", &c.Hidden}, {"num_hidden_layers", &c.Layers}, {"num_attention_heads", &c.Heads},
		{"intermediate_size", &c.Inner}, {"max_position_embeddings", &c.Positions},
		{"type_vocab_size", &c.Types}, {"vocab_size", &c.Vocabulary},
	} {
		v, ok := numbers[k.name].(float64)
		if !ok || v < 1 || v > 1e9 || v != float64(int(v)) {
			return fail("%s = %v, expected a whole number from 1", k.name, numbers[k.name])
		}
		*k.into = int(v)
	}
	eps, ok := numbers["layer_norm_eps"].(float64)
	if !ok || eps <= 0 || eps >= 1 {
		return fail("layer_norm_eps = %v, expected a small number above 0", numbers["layer_norm_eps"])
	}
	c.NormEps = eps
	if c.Hidden%c.Heads != 0 {
		return fail("num_attention_heads = %d does not divide hidden_size = %d", c.Heads, c.Hidden)
	}
	if c.Positions < MinTokens {
		return fail("max_position_embeddings = %d, expected at least %d", c.Positions, MinTokens)
	}
	return c, nil
}

// tensor is one that the model needs.
type tensor struct {
	name  string
	shape []int64
	from  string // the keys of config.json that give the shape
}

// tensors are all that the model needs, under Hugging Face's names.
func (c bertConfig) tensors() []tensor {
	d, inner := int64(c.Hidden), int64(c.Inner)
	var out []tensor
	add := func(name, from string, shape ...int64) { out = append(out, tensor{name, shape, from}) }
	norm := func(name string) {
		add(name+".weight", "hidden_size", d)
		add(name+".bias", "hidden_size", d)
	}
	linear := func(name, from string, in, to int64) {
		add(name+".weight", from, to, in)
		add(name+".bias", from, to)
	}
	add("embeddings.word_embeddings.weight", "vocab_size and hidden_size", int64(c.Vocabulary), d)
	add("embeddings.position_embeddings.weight", "max_position_embeddings and hidden_size", int64(c.Positions), d)
	add("embeddings.token_type_embeddings.weight", "type_vocab_size and hidden_size", int64(c.Types), d)
	norm("embeddings.LayerNorm")
	for i := range c.Layers {
		l := layerPrefix + strconv.Itoa(i)
		for _, part := range []string{"query", "key", "value"} {
			linear(l+".attention.self."+part, "hidden_size", d, d)
		}
		linear(l+".attention.output.dense", "hidden_size", d, d)
		norm(l + ".attention.output.LayerNorm")
		linear(l+".intermediate.dense", "intermediate_size and hidden_size", d, inner)
		linear(l+".output.dense", "hidden_size and intermediate_size", inner, d)
		norm(l + ".output.LayerNorm")
	}
	return out
}

const layerPrefix = "encoder.layer."

// readWeights reads the tensors that c asks for, in F32, and the SHA-256 of the file.
// Others, such as the pooler's and a task's head, are left out.
func readWeights(path string, c bertConfig) (map[string]safetensors.Tensor, string, error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("pretrain: no %s: expected the weights in one safetensors file (pickled weights, pytorch_model.bin, are not read)", path)
	} else if err != nil {
		return nil, "", fmt.Errorf("pretrain: %w", err)
	}
	f, err := safetensors.Decode(body)
	if err != nil {
		return nil, "", fmt.Errorf("pretrain: %s: %w", path, err)
	}
	named := map[string]safetensors.Tensor{}
	for name, t := range f.Tensors {
		named[canonical(name)] = t
	}
	out := map[string]safetensors.Tensor{}
	for _, want := range c.tensors() {
		t, ok := named[want.name]
		switch {
		case !ok:
			return nil, "", fmt.Errorf("pretrain: %s: no tensor %q, which config.json asks for", path, want.name)
		case !slices.Equal(t.Shape, want.shape):
			return nil, "", fmt.Errorf("pretrain: %s: tensor %q has the shape %v, expected %v, as %s in config.json say", path, want.name, t.Shape, want.shape, want.from)
		}
		if out[want.name], err = t.ToFloat32(); err != nil {
			return nil, "", fmt.Errorf("pretrain: %s: tensor %q: %w", path, want.name, err)
		}
	}
	for name := range named {
		rest, ok := strings.CutPrefix(name, layerPrefix)
		number, _, _ := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(number); ok && err == nil && i >= c.Layers {
			return nil, "", fmt.Errorf("pretrain: %s: there is a layer %d, but num_hidden_layers in config.json is %d", path, i, c.Layers)
		}
	}
	sum := sha256.Sum256(body)
	return out, hex.EncodeToString(sum[:]), nil
}

// canonical is a tensor's name in a file of the bare encoder: a file of a model
// with a head has "bert." before it, and one converted from TensorFlow calls
// LayerNorm's gain and bias gamma and beta.
func canonical(name string) string {
	name = strings.TrimPrefix(name, "bert.")
	if stem, ok := strings.CutSuffix(name, ".LayerNorm.gamma"); ok {
		return stem + ".LayerNorm.weight"
	}
	if stem, ok := strings.CutSuffix(name, ".LayerNorm.beta"); ok {
		return stem + ".LayerNorm.bias"
	}
	return name
}

// OpenEncoder reads a folder in the Hugging Face layout: config.json,
// model.safetensors and a vocabulary (tokenizer.json, or vocab.txt with
// tokenizer_config.json). Whatever is missing, damaged or contradicts another
// file is an error here, before anything is computed.
func OpenEncoder(dir string) (*Encoder, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("pretrain: there is no encoder in %s: scripts/fetch-encoder.sh gets one, or name the folder of another BERT", dir)
	}
	c, err := readConfig(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	t, err := openTokenizer(dir)
	if err != nil {
		return nil, err
	}
	if got := len(t.Vocabulary); got != c.Vocabulary {
		return nil, fmt.Errorf("pretrain: %s: the vocabulary holds %d tokens, expected %d, as vocab_size in config.json says", dir, got, c.Vocabulary)
	}
	weights, sum, err := readWeights(filepath.Join(dir, "model.safetensors"), c)
	if err != nil {
		return nil, err
	}
	e := &Encoder{
		Hidden:        c.Hidden,
		MaxTokens:     c.Positions,
		WeightsSHA256: sum,
		config:        c,
		tokens:        t,
		weights:       weights,
	}
	if e.Fingerprint, err = fingerprint(c, t.tokenSettings, sum); err != nil {
		return nil, err
	}
	return e, nil
}

// fingerprint hashes what the files mean, so that two folders which give the same
// vectors have the same one, however their JSON is written.
func fingerprint(c bertConfig, t tokenSettings, weights string) (string, error) {
	body, err := json.Marshal(struct {
		Config    bertConfig
		Tokenizer tokenSettings
		Weights   string
	}{c, t, weights})
	if err != nil {
		return "", fmt.Errorf("pretrain: %w", err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// DefaultEncoder is the folder in which scripts/fetch-encoder.sh puts
// all-MiniLM-L6-v2: FAMEBENCH_ENCODER, else one in the user's cache folder.
func DefaultEncoder() (string, error) {
	if dir := os.Getenv("FAMEBENCH_ENCODER"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("pretrain: no folder for the encoder: %w", err)
	}
	return filepath.Join(cache, "famebench", "encoders", "all-MiniLM-L6-v2"), nil
}
