package bert

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// bertConfig is the model's configuration in config.json.
type bertConfig struct {
	Hidden     int     // d
	Layers     int     //
	Heads      int     // divides d
	Inner      int     // width of the feed-forward
	Activation string  // of the feed-forward, by its name in the file
	Positions  int     // maximum number of tokens of a text
	Types      int     // token types; texts use the first
	Vocabulary int     // tokens
	NormEps    float64 // of every LayerNorm
}

// activations are the supported ones, by their names in Hugging Face's files.
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

// size is a key of config.json with the variable for its value.
type size struct {
	key  string
	into *int
}

func (c *bertConfig) sizes() []size {
	return []size{
		{"hidden_size", &c.Hidden}, {"num_hidden_layers", &c.Layers}, {"num_attention_heads", &c.Heads},
		{"intermediate_size", &c.Inner}, {"max_position_embeddings", &c.Positions},
		{"type_vocab_size", &c.Types}, {"vocab_size", &c.Vocabulary},
	}
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
	if err := decodeJSON(path, body, &f, &numbers); err != nil {
		return bertConfig{}, err
	}
	switch {
	case f.ModelType == nil:
		return fail("model_type is missing; expected the configuration of a model of type bert")
	case *f.ModelType != "bert":
		return fail("model_type = %s, but only bert models can be read", show(*f.ModelType))
	case f.IsDecoder:
		return fail("is_decoder = true, but only encoders can be read")
	case f.Embedding != nil && *f.Embedding != "absolute":
		return fail("position_embedding_type = %s, but only absolute can be read", show(*f.Embedding))
	}
	name, _ := f.Activation.(string)
	if activations[name] == nil {
		return fail("hidden_act: expected gelu, gelu_new, another name of gelu's tanh form, relu, silu (swish) or tanh, got %s", show(f.Activation))
	}
	c := bertConfig{Activation: name}
	for _, k := range c.sizes() {
		v, ok := numbers[k.key].(float64)
		if !ok || v < 1 || v > math.MaxInt32 || v != math.Trunc(v) {
			return fail("%s: expected a whole number from 1 to %d, got %s", k.key, math.MaxInt32, show(numbers[k.key]))
		}
		*k.into = int(v)
	}
	eps, ok := numbers["layer_norm_eps"].(float64)
	if !ok || eps <= 0 || eps >= 1 {
		return fail("layer_norm_eps: expected a small number above 0, got %s", show(numbers["layer_norm_eps"]))
	}
	c.NormEps = eps
	if c.Positions < MinTokens {
		return fail("max_position_embeddings: expected at least %d, got %d", MinTokens, c.Positions)
	}
	return c, nil
}

// decodeJSON reads one JSON document into each of dst. Bytes that are not UTF-8
// are refused: Go would replace them, and two damaged files could then mean the
// same.
func decodeJSON(path string, body []byte, dst ...any) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("pretrain: %s: expected UTF-8; the file is damaged", path)
	}
	for _, d := range dst {
		if err := json.Unmarshal(body, d); err != nil {
			var wrong *json.UnmarshalTypeError
			if errors.As(err, &wrong) { // the error's text names types of this program
				err = fmt.Errorf("%s: got %s", cmp.Or(wrong.Field, "the whole"), wrong.Value)
			}
			return fmt.Errorf("pretrain: %s: unexpected JSON: %w", path, err)
		}
	}
	return nil
}

// show returns a value of a JSON file for an error: short, and without control
// characters.
func show(v any) string {
	const longest = 60
	if v == nil {
		return "nothing"
	}
	text := fmt.Sprint(v)
	if s, ok := v.(string); ok {
		text = strconv.Quote(s)
	} else if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1e15 {
		text = strconv.FormatFloat(f, 'f', -1, 64)
	} else if b, err := json.Marshal(v); err == nil {
		text = string(b)
	}
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest]) + "…"
	}
	return text
}

// tensor is a tensor that the model needs.
type tensor struct {
	name  string
	shape []int64
	from  string // the keys of config.json that give the shape
}

// tensors lists all tensors that the model needs, under Hugging Face's names.
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

// weightsFile holds the weights of a folder: tensors under canonical names, not yet
// converted.
type weightsFile struct {
	path    string
	tensors map[string]safetensors.Tensor
	sha256  string // of the file
}

func openWeights(path string) (*weightsFile, error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pretrain: no %s: expected the weights in one safetensors file (pickled weights, pytorch_model.bin, are not read)", path)
	} else if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	f, err := safetensors.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("pretrain: %s: %w", path, err)
	}
	sum := sha256.Sum256(body)
	w := &weightsFile{path, map[string]safetensors.Tensor{}, hex.EncodeToString(sum[:])}
	for _, name := range slices.Sorted(maps.Keys(f.Tensors)) {
		own := canonical(name)
		if _, ok := w.tensors[own]; ok { // it would be random which of the two counts
			return nil, fmt.Errorf("pretrain: %s: expected tensor %q once, got it under two names, of which %q is one", path, own, name)
		}
		w.tensors[own] = f.Tensors[name]
	}
	return w, nil
}

// checkSizes compares the sizes in config.json with the weights, before memory
// of these sizes is allocated.
func (w *weightsFile) checkSizes(c bertConfig, configPath string) error {
	layers := map[string]bool{}
	for name := range w.tensors {
		if rest, ok := strings.CutPrefix(name, layerPrefix); ok {
			number, _, _ := strings.Cut(rest, ".")
			layers[number] = true
		}
	}
	for i := range len(layers) {
		if !layers[strconv.Itoa(i)] {
			return fmt.Errorf("pretrain: %s: expected the layers 0 to %d, got none of number %d", w.path, len(layers)-1, i)
		}
	}
	rows := func(name string) string { return "the rows of " + name }
	const words, positions, types, inner = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
		"embeddings.token_type_embeddings.weight", layerPrefix + "0.intermediate.dense.weight"
	actual := map[string]int64{"num_hidden_layers": int64(len(layers))}
	from := map[string]string{"num_hidden_layers": "the layers"}
	for _, k := range []struct {
		key, tensor string
		dimension   int
		what        string
	}{
		{"hidden_size", words, 1, "the columns of " + words}, {"vocab_size", words, 0, rows(words)},
		{"max_position_embeddings", positions, 0, rows(positions)}, {"type_vocab_size", types, 0, rows(types)},
		{"intermediate_size", inner, 0, rows(inner)},
	} {
		t, ok := w.tensors[k.tensor]
		switch {
		case !ok:
			return fmt.Errorf("pretrain: %s: no tensor %q, which every BERT has", w.path, k.tensor)
		case len(t.Shape) != 2:
			return fmt.Errorf("pretrain: %s: tensor %q: expected two dimensions, got the shape %v", w.path, k.tensor, t.Shape)
		}
		actual[k.key], from[k.key] = t.Shape[k.dimension], k.what
	}
	for _, k := range c.sizes() {
		if want, ok := actual[k.key]; ok && int64(*k.into) != want {
			return fmt.Errorf("pretrain: %s: %s: expected %d (%s in %s), got %d", configPath, k.key, want, from[k.key], filepath.Base(w.path), *k.into)
		}
	}
	// The weights do not determine the number of heads.
	if c.Hidden%c.Heads != 0 {
		return fmt.Errorf("pretrain: %s: num_attention_heads: expected a divisor of hidden_size = %d, got %d", configPath, c.Hidden, c.Heads)
	}
	return nil
}

// read returns the tensors that c asks for, in F32. Others, such as the pooler's and
// those of a task's head, are left out.
func (w *weightsFile) read(c bertConfig) (map[string]safetensors.Tensor, error) {
	out := map[string]safetensors.Tensor{}
	for _, want := range c.tensors() {
		t, ok := w.tensors[want.name]
		switch {
		case !ok:
			return nil, fmt.Errorf("pretrain: %s: no tensor %q, which config.json asks for", w.path, want.name)
		case !slices.Equal(t.Shape, want.shape):
			return nil, fmt.Errorf("pretrain: %s: tensor %q has the shape %v, expected %v (%s in config.json)", w.path, want.name, t.Shape, want.shape, want.from)
		}
		wide, err := t.ToFloat32()
		if err != nil {
			return nil, fmt.Errorf("pretrain: %s: tensor %q: %w", w.path, want.name, err)
		}
		for i := 0; i < len(wide.Data); i += 4 {
			if bits := binary.LittleEndian.Uint32(wide.Data[i:]); bits&infinite == infinite {
				return nil, fmt.Errorf("pretrain: %s: tensor %q: expected finite numbers, got %v as element %d; the weights are damaged",
					w.path, want.name, math.Float32frombits(bits), i/4)
			}
		}
		out[want.name] = wide
	}
	return out, nil
}

// infinite is the exponent that only infinities and NaN have.
const infinite = 0x7f800000

// canonical returns a tensor's name in a file of the bare encoder. A file of a
// model with a head has "bert." in front, and one converted from TensorFlow
// calls LayerNorm's gain and bias gamma and beta.
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
// tokenizer_config.json), and the files of sentence-transformers, if there are any.
// Anything missing, damaged or contradictory is an error here, before anything is
// computed.
func OpenEncoder(dir string) (*Encoder, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("pretrain: there is no encoder in %s: scripts/fetch-encoder.sh fetches one, or name the folder of another BERT", dir)
	}
	modules, err := readModules(dir)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, modules.transformer)
	configPath := filepath.Join(dir, "config.json")
	c, err := readConfig(configPath)
	if err != nil {
		return nil, err
	}
	w, err := openWeights(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		return nil, err
	}
	if err := w.checkSizes(c, configPath); err != nil {
		return nil, err
	}
	t, err := openTokenizer(dir)
	if err != nil {
		return nil, err
	}
	if got := len(t.Vocabulary); got != c.Vocabulary {
		return nil, fmt.Errorf("pretrain: %s: expected a vocabulary of %d tokens (vocab_size in config.json), got %d", dir, c.Vocabulary, got)
	}
	if err := modules.check(dir, c, t.tokenSettings); err != nil {
		return nil, err
	}
	weights, err := w.read(c)
	if err != nil {
		return nil, err
	}
	e := &Encoder{
		Folder:  Folder{Hidden: c.Hidden, MaxTokens: c.Positions, WeightsSHA256: w.sha256, asks: modules.asks},
		config:  c,
		tokens:  t,
		weights: weights,
	}
	if e.Fingerprint, err = fingerprint(c, t.tokenSettings, w.sha256); err != nil {
		return nil, err
	}
	return e, nil
}

// fingerprint hashes the meaning of the files, so that two folders that give the
// same token states have the same fingerprint, however their JSON is written. It
// does not include how the states become a vector, which is a setting of a run
// (Folder.Follow).
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

// DefaultEncoder returns the folder in which scripts/fetch-encoder.sh puts
// all-MiniLM-L6-v2: FAMEBENCH_ENCODER, or else a folder in the user's cache
// folder.
func DefaultEncoder() (string, error) {
	if dir := os.Getenv("FAMEBENCH_ENCODER"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the encoder (%w): set HOME or XDG_CACHE_HOME, or name the folder in FAMEBENCH_ENCODER or pretrain.encoder", err)
	}
	return filepath.Join(cache, "famebench", "encoders", "all-MiniLM-L6-v2"), nil
}
