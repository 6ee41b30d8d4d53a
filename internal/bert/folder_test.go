package bert

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"famebench/internal/torch/safetensors"
)

// folder is a copy of a tiny model that a test damages.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T, variant string) folder {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata/variants", variant))))
	return folder{t, dir}
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) read(name string) string {
	f.t.Helper()
	b, err := os.ReadFile(f.path(name))
	must(f.t, err)
	return string(b)
}

func (f folder) write(name, text string) { must(f.t, os.WriteFile(f.path(name), []byte(text), 0o644)) }

func (f folder) remove(name string) { must(f.t, os.Remove(f.path(name))) }

// set changes a value of a JSON file; the path's last part is the key. nil
// removes the key.
func (f folder) set(name string, value any, path ...string) {
	f.t.Helper()
	var whole map[string]any
	must(f.t, json.Unmarshal([]byte(f.read(name)), &whole))
	at := whole
	for _, key := range path[:len(path)-1] {
		at = at[key].(map[string]any)
	}
	if value == nil {
		delete(at, path[len(path)-1])
	} else {
		at[path[len(path)-1]] = value
	}
	b, err := json.Marshal(whole)
	must(f.t, err)
	f.write(name, string(b))
}

// tensors changes the tensors of the weights.
func (f folder) tensors(change func(map[string]safetensors.Tensor)) {
	f.t.Helper()
	w, err := safetensors.Read(f.path("model.safetensors"))
	must(f.t, err)
	change(w.Tensors)
	must(f.t, safetensors.Write(f.path("model.safetensors"), w))
}

// weight changes one element of a tensor.
func (f folder) weight(name string, element int, v float64) {
	f.t.Helper()
	f.tensors(func(w map[string]safetensors.Tensor) {
		data := slices.Clone(w[name].Data)
		binary.LittleEndian.PutUint32(data[4*element:], math.Float32bits(float32(v)))
		w[name] = safetensors.Tensor{DType: "F32", Shape: w[name].Shape, Data: data}
	})
}

// config changes a value of config.json, tokens one of tokenizer.json.
func config(value any, key string) func(folder) {
	return func(f folder) { f.set("config.json", value, key) }
}

func tokens(value any, path ...string) func(folder) {
	return func(f folder) { f.set("tokenizer.json", value, path...) }
}

var damagedFolders = []struct {
	name    string
	variant string // "" is gelu_new, with tokenizer.json; relu_cased has vocab.txt
	damage  func(f folder)
	want    []string
}{
	{"no folder", "", func(f folder) { must(f.t, os.RemoveAll(f.dir)) }, []string{"there is no encoder in", "scripts/fetch-encoder.sh"}},
	{"a file for a folder", "", func(f folder) { must(f.t, os.RemoveAll(f.dir)); f.write("", "") }, []string{"there is no encoder in"}},

	{"no configuration", "", func(f folder) { f.remove("config.json") }, []string{"config.json", "no such file"}},
	{"cut configuration", "", func(f folder) { f.write("config.json", f.read("config.json")[:40]) }, []string{"config.json: unexpected JSON"}},
	{"configuration is a list", "", func(f folder) { f.write("config.json", "[]") }, []string{"config.json: unexpected JSON"}},
	{"no model type", "", config(nil, "model_type"), []string{"config.json: model_type is missing", "bert"}},
	{"RoBERTa", "", config("roberta", "model_type"), []string{`config.json: model_type = "roberta", but only bert`}},
	{"unknown type", "", config("mpnet", "model_type"), []string{`config.json: model_type = "mpnet", but only bert`}},
	{"decoder", "", config(true, "is_decoder"), []string{"config.json: is_decoder = true"}},
	{"relative positions", "", config("relative_key", "position_embedding_type"), []string{`position_embedding_type = "relative_key"`}},
	{"no hidden size", "", config(nil, "hidden_size"), []string{"config.json: hidden_size: expected a whole number from 1 to 2147483647, got nothing"}},
	{"no layers", "", config(nil, "num_hidden_layers"), []string{"num_hidden_layers"}},
	{"no heads", "", config(nil, "num_attention_heads"), []string{"num_attention_heads"}},
	{"no inner size", "", config(nil, "intermediate_size"), []string{"intermediate_size"}},
	{"no positions", "", config(nil, "max_position_embeddings"), []string{"max_position_embeddings"}},
	{"no types", "", config(nil, "type_vocab_size"), []string{"type_vocab_size"}},
	{"no vocabulary size", "", config(nil, "vocab_size"), []string{"vocab_size"}},
	{"no eps", "", config(nil, "layer_norm_eps"), []string{"config.json: layer_norm_eps: expected a small number above 0, got nothing"}},
	{"no activation", "", config(nil, "hidden_act"), []string{"config.json: hidden_act: expected gelu", "got nothing"}},
	{"unknown activation", "", config("mish", "hidden_act"), []string{"config.json: hidden_act: expected gelu", `got "mish"`}},
	{"half a layer", "", config(1.5, "num_hidden_layers"), []string{"num_hidden_layers: expected a whole number from 1 to 2147483647, got 1.5"}},
	{"size in words", "", config("twelve", "hidden_size"), []string{`hidden_size: expected a whole number from 1 to 2147483647, got "twelve"`}},
	{"negative size", "", config(-12, "hidden_size"), []string{"hidden_size: expected a whole number from 1 to 2147483647, got -12"}},
	{"huge size", "", config(1e300, "hidden_size"), []string{"hidden_size: expected a whole number from 1 to 2147483647, got 1e+300"}},
	{"size of nothing", "", config(0, "num_hidden_layers"), []string{"num_hidden_layers: expected a whole number from 1 to 2147483647, got 0"}},
	{"size with control characters", "", config("\x1b[2J\x00", "hidden_size"), []string{`got "\x1b[2J\x00"`}},
	{"long size", "", config(strings.Repeat("9", 1000), "hidden_size"), []string{`got "` + strings.Repeat("9", 59) + "…"}},
	// Sizes that would take all memory are first compared with the weights.
	{"huge layers", "", config(10000000, "num_hidden_layers"), []string{"config.json: num_hidden_layers: expected 3 (the layers in model.safetensors), got 10000000"}},
	{"huge hidden size", "", config(2147483640, "hidden_size"), []string{"config.json: hidden_size: expected 12 (the columns of embeddings.word_embeddings.weight in model.safetensors), got 2147483640"}},
	{"huge heads", "", config(1000000000, "num_attention_heads"), []string{"config.json: num_attention_heads: expected a divisor of hidden_size = 12, got 1000000000"}},
	{"huge inner size", "", config(1000000000, "intermediate_size"), []string{"config.json: intermediate_size: expected 20 (the rows of encoder.layer.0.intermediate.dense.weight in model.safetensors), got 1000000000"}},
	{"huge positions", "", config(1000000000, "max_position_embeddings"), []string{"config.json: max_position_embeddings: expected 24 (the rows of", "got 1000000000"}},
	{"huge types", "", config(1000000000, "type_vocab_size"), []string{"config.json: type_vocab_size: expected 2 (the rows of embeddings.token_type_embeddings.weight in model.safetensors), got 1000000000"}},
	{"huge vocabulary", "", config(1000000000, "vocab_size"), []string{"config.json: vocab_size: expected 38 (the rows of embeddings.word_embeddings.weight in model.safetensors), got 1000000000"}},
	{"heads do not divide", "", config(5, "num_attention_heads"), []string{"num_attention_heads: expected a divisor of hidden_size = 12, got 5"}},
	{"wrong hidden size", "", config(24, "hidden_size"), []string{"config.json: hidden_size: expected 12 (the columns of embeddings.word_embeddings.weight in model.safetensors), got 24"}},
	{"wrong inner size", "", config(21, "intermediate_size"), []string{"config.json: intermediate_size: expected 20 (the rows of encoder.layer.0.intermediate.dense.weight in model.safetensors), got 21"}},
	{"wrong positions", "", config(25, "max_position_embeddings"), []string{"config.json: max_position_embeddings: expected 24 (the rows of embeddings.position_embeddings.weight in model.safetensors), got 25"}},
	{"few positions", "", config(2, "max_position_embeddings"), []string{"max_position_embeddings: expected at least 3, got 2"}},
	{"too few layers", "", config(2, "num_hidden_layers"), []string{"config.json: num_hidden_layers: expected 3 (the layers in model.safetensors), got 2"}},
	{"too many layers", "", config(4, "num_hidden_layers"), []string{"config.json: num_hidden_layers: expected 3 (the layers in model.safetensors), got 4"}},

	{"no weights", "", func(f folder) { f.remove("model.safetensors") }, []string{"model.safetensors", "safetensors file", "pytorch_model.bin"}},
	{"cut weights", "", func(f folder) { f.write("model.safetensors", f.read("model.safetensors")[:9000]) }, []string{"model.safetensors", "truncated"}},
	{"empty weights", "", func(f folder) { f.write("model.safetensors", "") }, []string{"model.safetensors", "truncated"}},
	{"weights are no safetensors", "", func(f folder) { f.write("model.safetensors", "<html>not found</html>") }, []string{"model.safetensors", "not safetensors"}},
	{"a tensor is missing", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) { delete(w, "bert.encoder.layer.1.output.dense.bias") })
	}, []string{"model.safetensors", `no tensor "encoder.layer.1.output.dense.bias"`, "config.json"}},
	{"a tensor has another shape", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) {
			w["bert.encoder.layer.1.output.dense.bias"] = safetensors.FromFloat32s([]int64{3}, []float32{1, 2, 3})
		})
	}, []string{`tensor "encoder.layer.1.output.dense.bias" has the shape [3], expected [12]`}},
	{"a layer is missing", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) {
			maps.DeleteFunc(w, func(name string, _ safetensors.Tensor) bool {
				return strings.HasPrefix(name, "bert.encoder.layer.1.")
			})
		})
	}, []string{"model.safetensors: expected the layers 0 to 1, got none of number 1"}},
	{"a layer of a huge number", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) {
			w["bert.encoder.layer.999999999.output.dense.bias"] = safetensors.FromFloat32s([]int64{1}, []float32{1})
		})
	}, []string{"model.safetensors: expected the layers 0 to 3, got none of number 3"}},
	{"no words", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) { delete(w, "bert.embeddings.word_embeddings.weight") })
	}, []string{`model.safetensors: no tensor "embeddings.word_embeddings.weight", which every BERT has`}},
	{"words in one row", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) {
			w["bert.embeddings.word_embeddings.weight"] = safetensors.FromFloat32s([]int64{1}, []float32{1})
		})
	}, []string{`tensor "embeddings.word_embeddings.weight": expected two dimensions, got the shape [1]`}},
	// Two names of one tensor: which one counts would change from run to run.
	{"a tensor twice", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) {
			w["embeddings.LayerNorm.bias"] = safetensors.FromFloat32s([]int64{12}, make([]float32, 12))
		})
	}, []string{`model.safetensors: expected tensor "embeddings.LayerNorm.bias" once`}},
	{"NaN", "", func(f folder) { f.weight("bert.encoder.layer.1.output.dense.bias", 5, math.NaN()) },
		[]string{`model.safetensors: tensor "encoder.layer.1.output.dense.bias": expected finite numbers, got NaN as element 5; the weights are damaged`}},
	// The row of a token that no text has, so all vectors would be finite.
	{"infinite weight", "", func(f folder) { f.weight("bert.embeddings.word_embeddings.weight", 12*37+1, math.Inf(-1)) },
		[]string{`"embeddings.word_embeddings.weight": expected finite numbers, got -Inf as element 445`}},
	{"a tensor of integers", "", func(f folder) {
		f.tensors(func(w map[string]safetensors.Tensor) {
			w["bert.embeddings.LayerNorm.beta"] = safetensors.FromInt64s([]int64{12}, make([]int64, 12))
		})
	}, []string{`tensor "embeddings.LayerNorm.bias": safetensors: dtype is I64, expected F32, F16 or BF16`}},

	{"no vocabulary", "", func(f folder) { f.remove("tokenizer.json") }, []string{"no vocabulary", "tokenizer.json or vocab.txt"}},
	{"no vocab.txt", "relu_cased", func(f folder) { f.remove("vocab.txt") }, []string{"no vocabulary", "tokenizer.json or vocab.txt"}},
	{"vocabulary is a folder", "relu_cased", func(f folder) { f.remove("vocab.txt"); must(f.t, os.Mkdir(f.path("vocab.txt"), 0o755)) }, []string{"vocab.txt"}},
	{"vocabulary too small", "relu_cased", func(f folder) {
		f.write("vocab.txt", strings.TrimSuffix(f.read("vocab.txt"), "##%\n"))
	}, []string{"expected a vocabulary of 38 tokens (vocab_size in config.json), got 37", "vocab_size in config.json"}},
	{"vocabulary too large", "relu_cased", func(f folder) { f.write("vocab.txt", f.read("vocab.txt")+"more\n") }, []string{"expected a vocabulary of 38 tokens (vocab_size in config.json), got 39"}},
	{"empty vocabulary", "relu_cased", func(f folder) { f.write("vocab.txt", "") }, []string{"vocab.txt", `no "[UNK]"`}},
	{"a token twice", "relu_cased", func(f folder) { f.write("vocab.txt", strings.Replace(f.read("vocab.txt"), "rose", "nail", 1)) }, []string{"vocab.txt", `token "nail" has two ids, 5 and 9`}},
	{"no [CLS]", "relu_cased", func(f folder) { f.write("vocab.txt", strings.Replace(f.read("vocab.txt"), "[CLS]", "[cls]", 1)) }, []string{"vocab.txt", `no "[CLS]"`}},
	{"another [SEP]", "relu_cased", func(f folder) { f.set("tokenizer_config.json", "</s>", "sep_token") }, []string{"vocab.txt", `no "</s>"`}},
	{"cut settings", "relu_cased", func(f folder) { f.write("tokenizer_config.json", "{") }, []string{"tokenizer_config.json: unexpected JSON"}},
	{"settings in words", "relu_cased", func(f folder) { f.set("tokenizer_config.json", "yes", "do_lower_case") }, []string{"tokenizer_config.json: unexpected JSON", "do_lower_case"}},
	{"vocabulary of other bytes", "relu_cased", func(f folder) { f.write("vocab.txt", strings.Replace(f.read("vocab.txt"), "rose", "r\xf8se", 1)) }, []string{"vocab.txt: expected UTF-8; the file is damaged"}},
	{"tokenizer of other bytes", "", func(f folder) {
		f.write("tokenizer.json", strings.Replace(f.read("tokenizer.json"), "rose", "r\xf8se", 1))
	}, []string{"tokenizer.json: expected UTF-8; the file is damaged"}},
	{"no words in the settings", "relu_cased", func(f folder) { f.set("tokenizer_config.json", false, "do_basic_tokenize") }, []string{"tokenizer_config.json: do_basic_tokenize = false"}},

	{"cut tokenizer", "", func(f folder) { f.write("tokenizer.json", f.read("tokenizer.json")[:99]) }, []string{"tokenizer.json: unexpected JSON"}},
	{"byte pairs", "", tokens("BPE", "model", "type"), []string{`tokenizer.json: model.type = "BPE", expected WordPiece`}},
	{"another prefix", "", tokens("@@", "model", "continuing_subword_prefix"), []string{"tokenizer.json: model.continuing_subword_prefix"}},
	{"no model", "", tokens(nil, "model"), []string{"tokenizer.json: model.continuing_subword_prefix"}},
	{"no vocabulary in it", "", tokens(nil, "model", "vocab"), []string{"tokenizer.json: model.vocab"}},
	{"vocabulary of lists", "", tokens([]any{"a", 1}, "model", "vocab"), []string{"tokenizer.json: model.vocab"}},
	{"a gap in the ids", "", tokens(99, "model", "vocab", "rose"), []string{"tokenizer.json", `token "rose" has id 99`, "0 to 37"}},
	{"special token elsewhere", "", tokens(7, "model", "vocab", "[MASK]"), []string{"tokenizer.json", `token "[MASK]" has two ids, 7 and 4`}},
	{"another normaliser", "", tokens("NFC", "normalizer", "type"), []string{`tokenizer.json: normalizer.type = "NFC", expected BertNormalizer`}},
	{"another splitter", "", tokens("ByteLevel", "pre_tokenizer", "type"), []string{`tokenizer.json: pre_tokenizer.type = "ByteLevel"`}},
	{"another frame", "", tokens("RobertaProcessing", "post_processor", "type"), []string{`tokenizer.json: post_processor ("RobertaProcessing")`}},
	{"no frame", "", tokens(nil, "post_processor"), []string{`tokenizer.json: post_processor ("")`}},
	{"no unknown token", "", tokens("<unk>", "model", "unk_token"), []string{"tokenizer.json", `no "<unk>"`}},
	{"word cut at 0", "", tokens(0, "model", "max_input_chars_per_word"), []string{"tokenizer.json: model.max_input_chars_per_word = 0"}},
	{"token that strips", "", tokens([]any{map[string]any{"id": 4, "content": "[MASK]", "lstrip": true}}, "added_tokens"), []string{`tokenizer.json: added token "[MASK]"`, "lstrip"}},
	{"empty added token", "", tokens([]any{map[string]any{"id": 38, "content": ""}}, "added_tokens"), []string{"tokenizer.json: added token with id 38 is empty"}},
	{"files disagree", "", func(f folder) { f.write("tokenizer_config.json", `{"do_lower_case": false}`) }, []string{"tokenizer.json", "contradicts do_lower_case = false in", "tokenizer_config.json"}},
}

// Every kind of damage gives an error that names the file and what was
// expected, before anything is computed.
func TestOpenEncoderNamesTheDamage(t *testing.T) {
	for _, c := range damagedFolders {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t, cmp.Or(c.variant, "gelu_new"))
			if _, err := OpenEncoder(f.dir); err != nil {
				t.Fatalf("undamaged: %v", err)
			}
			c.damage(f)
			_, err := OpenEncoder(f.dir)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.ContainsFunc(err.Error(), unicode.IsControl) || !utf8.ValidString(err.Error()) {
				t.Errorf("%q is not one line of text", err)
			}
			for _, want := range append(c.want, f.dir, "pretrain: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// The fingerprint depends on the meaning of the files only.
func TestFingerprint(t *testing.T) {
	open := func(f folder) *Encoder {
		t.Helper()
		e, err := OpenEncoder(f.dir)
		must(t, err)
		return e
	}
	first := open(newFolder(t, "gelu_new"))
	if len(first.Fingerprint) != 64 || first.Hidden != 12 || first.MaxTokens != 24 {
		t.Errorf("%+v", first)
	}
	for name, change := range map[string]func(folder){
		"nothing":             func(folder) {},
		"another comment":     func(f folder) { f.set("config.json", "4.8.2", "transformers_version") },
		"truncation, padding": func(f folder) { f.set("tokenizer.json", nil, "truncation"); f.set("tokenizer.json", nil, "padding") },
		"settings that agree": func(f folder) { f.write("tokenizer_config.json", `{"do_lower_case": true, "strip_accents": null}`) },
		// The same vocabulary as a list of lines.
		"vocab.txt": func(f folder) {
			f.write("vocab.txt", strings.Join(first.tokens.Vocabulary, "\r\n"))
			f.remove("tokenizer.json")
		},
	} {
		f := newFolder(t, "gelu_new")
		change(f)
		if got := open(f); got.Fingerprint != first.Fingerprint {
			t.Errorf("%s: another fingerprint", name)
		}
	}
	for name, change := range map[string]func(folder){
		"eps":        func(f folder) { f.set("config.json", 1e-6, "layer_norm_eps") },
		"activation": func(f folder) { f.set("config.json", "gelu", "hidden_act") },
		"heads":      func(f folder) { f.set("config.json", 4, "num_attention_heads") },
		"case":       func(f folder) { f.set("tokenizer.json", false, "normalizer", "lowercase") },
		"accents":    func(f folder) { f.set("tokenizer.json", false, "normalizer", "strip_accents") },
		"a token": func(f folder) {
			f.write("tokenizer.json", strings.ReplaceAll(f.read("tokenizer.json"), `"rose"`, `"rosa"`))
		},
		"a weight": func(f folder) {
			f.tensors(func(w map[string]safetensors.Tensor) {
				name := "bert.embeddings.LayerNorm.beta"
				data := slices.Clone(w[name].Data)
				data[0] ^= 1
				w[name] = safetensors.Tensor{DType: "F32", Shape: w[name].Shape, Data: data}
			})
		},
	} {
		f := newFolder(t, "gelu_new")
		change(f)
		if got := open(f); got.Fingerprint == first.Fingerprint {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
}

// The folder that scripts/fetch-encoder.sh makes has the fingerprint of the committed
// records, and asks for no pooling. Its weights are not in the repository; their SHA-256
// is pinned.
func TestFetchedEncoderKeepsItsFingerprint(t *testing.T) {
	pins, err := os.ReadFile("../../scripts/encoder/all-MiniLM-L6-v2.sha256")
	must(t, err)
	weights := ""
	for line := range strings.Lines(string(pins)) {
		if sum, ok := strings.CutSuffix(strings.TrimSpace(line), "  model.safetensors"); ok {
			weights = sum
		}
	}
	f := folder{t, minilmFolder(t, "vocab.txt")}
	c, err := readConfig(f.path("config.json"))
	must(t, err)
	tok, err := openTokenizer(f.dir)
	must(t, err)
	got, err := fingerprint(c, tok.tokenSettings, weights)
	must(t, err)
	if want := "80a3dba55466b95796fb39997bcd24213b5a0a9dffe47dcf2b027417f999a8c7"; got != want {
		t.Errorf("fingerprint %s, want %s, as in results/runs", got, want)
	}
	m, err := readModules(f.dir)
	must(t, err)
	must(t, m.check(f.dir, c, tok.tokenSettings))
	if m != (modules{}) {
		t.Errorf("the folder asks for %+v", m)
	}
}
