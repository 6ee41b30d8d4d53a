package bert

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"famebench/internal/oracle"
)

// module is an entry of modules.json.
type module struct {
	Index int    `json:"idx"`
	Name  string `json:"name"`
	Path  string `json:"path"`
	Type  string `json:"type"`
}

// modules writes a modules.json with a Transformer and then these kinds.
func (f folder) modules(kinds ...string) {
	f.t.Helper()
	list := []module{{0, "0", "", "sentence_transformers.models.Transformer"}}
	for i, kind := range kinds {
		if !strings.Contains(kind, ".") {
			kind = "sentence_transformers.models." + kind
		}
		list = append(list, module{i + 1, fmt.Sprint(i + 1), fmt.Sprintf("%d_%s", i+1, kind[strings.LastIndex(kind, ".")+1:]), kind})
	}
	b, err := json.Marshal(list)
	must(f.t, err)
	f.write("modules.json", string(b))
}

// pooling writes 1_Pooling/config.json.
func (f folder) pooling(text string) {
	f.t.Helper()
	must(f.t, os.MkdirAll(f.path("1_Pooling"), 0o755))
	f.write("1_Pooling/config.json", text)
}

// flags are the text of 1_Pooling/config.json as sentence-transformers writes it.
func flags(on ...string) string {
	keys := map[string]any{"word_embedding_dimension": 12}
	for _, k := range poolingModes {
		keys["pooling_mode_"+k.flag] = slices.Contains(on, k.flag)
	}
	b, _ := json.Marshal(keys)
	return string(b)
}

// normalised divides vectors by their norms.
func normalised(rows [][]float64) (out [][]float64) {
	for _, row := range rows {
		sum := 0.0
		for _, v := range row {
			sum += v * v
		}
		var unit []float64
		for _, v := range row {
			unit = append(unit, v/math.Sqrt(sum))
		}
		out = append(out, unit)
	}
	return out
}

// Encode does what a folder asks for, and nothing else changes: the expected values
// are those of transformers (expect.json), the norms are computed here.
func TestFolderIsFollowed(t *testing.T) {
	var want struct {
		Texts          []string
		MaxTokens      int `json:"max_tokens"`
		Mean, CLS, Max [][]float64
	}
	readJSON(t, "variants/gelu_new/expect.json", &want)
	base, err := OpenEncoder("testdata/variants/gelu_new")
	must(t, err)
	for _, c := range []struct {
		name  string
		make  func(f folder)
		set   Pooling
		rows  [][]float64
		words string
	}{
		{"nothing", func(folder) {}, "", want.Mean, "mean pooling (the folder does not say which)"},
		{"mean", func(f folder) { f.modules("Pooling"); f.pooling(flags("mean_tokens")) }, "", want.Mean, "mean pooling, as the folder asks"},
		{"cls", func(f folder) { f.modules("Pooling"); f.pooling(flags("cls_token")) }, "", want.CLS, "cls pooling, as the folder asks"},
		{"max", func(f folder) { f.modules("Pooling"); f.pooling(flags("max_tokens")) }, "", want.Max, "max pooling, as the folder asks"},
		{"the case", func(f folder) {
			f.modules("Pooling")
			f.pooling(`{"word_embedding_dimension": 12, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false, "pooling_mode_max_tokens": false}`)
		}, "", want.CLS, "cls pooling, as the folder asks"},
		{"a mode", func(f folder) { f.modules("Pooling"); f.pooling(`{"embedding_dimension": 12, "pooling_mode": "cls"}`) }, "", want.CLS, "cls pooling, as the folder asks"},
		{"a list of one mode", func(f folder) { f.modules("Pooling"); f.pooling(`{"pooling_mode": ["max"]}`) }, "", want.Max, "max pooling, as the folder asks"},
		{"a size alone", func(f folder) { f.modules("Pooling"); f.pooling(`{"word_embedding_dimension": 12}`) }, "", want.Mean, "mean pooling, as the folder asks"},
		{"no modules.json", func(f folder) { f.pooling(flags("cls_token")) }, "", want.CLS, "cls pooling, as the folder asks"},
		{"normalised", func(f folder) { f.modules("Pooling", "Normalize"); f.pooling(flags("mean_tokens")) }, "", normalised(want.Mean), "mean pooling, vectors normalised, as the folder asks"},
		{"cls, normalised", func(f folder) { f.modules("Pooling", "Normalize"); f.pooling(flags("cls_token")) }, "", normalised(want.CLS), "cls pooling, vectors normalised, as the folder asks"},
		{"other packages", func(f folder) {
			f.modules("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "sentence_transformers.base.Normalize")
			must(t, os.Rename(f.path("modules.json"), f.path("x")))
			f.write("modules.json", strings.ReplaceAll(f.read("x"), "models.Transformer", "models.transformer.Transformer"))
			f.pooling(flags("cls_token"))
		}, "", normalised(want.CLS), "cls pooling, vectors normalised, as the folder asks"},
		{"the model in a folder of its own", func(f folder) {
			must(t, os.Mkdir(f.path("0_T"), 0o755))
			for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
				must(t, os.Rename(f.path(name), f.path("0_T/"+name)))
			}
			f.modules("Pooling")
			f.write("modules.json", strings.Replace(f.read("modules.json"), `"path":""`, `"path":"0_T"`, 1))
			f.pooling(flags("cls_token"))
		}, "", want.CLS, "cls pooling, as the folder asks"},
		{"set, as asked", func(f folder) { f.modules("Pooling"); f.pooling(flags("cls_token")) }, CLSPooling, want.CLS, "cls pooling, as pretrain.pooling says"},
		{"set, not as asked", func(f folder) { f.modules("Pooling"); f.pooling(flags("cls_token")) }, MeanPooling, want.Mean, "mean pooling, as pretrain.pooling says; the folder asks for cls pooling"},
		{"set, not normalised", func(f folder) { f.modules("Pooling", "Normalize"); f.pooling(flags("mean_tokens")) }, MeanPooling, want.Mean, "mean pooling, as pretrain.pooling says; the folder asks for mean pooling, vectors normalised"},
		{"set in place of what is not supported", func(f folder) { f.modules("Pooling", "Dense"); f.pooling(flags("mean_tokens")) }, MeanPooling, want.Mean, `mean pooling, as pretrain.pooling says, although pretrain: DIR/modules.json: module "sentence_transformers.models.Dense" is not supported`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t, "gelu_new")
			c.make(f)
			e, err := OpenEncoder(f.dir)
			must(t, err)
			if e.Fingerprint != base.Fingerprint {
				t.Error("another fingerprint, although the states of tokens are the same")
			}
			o, err := e.Follow(EncodeOptions{Pooling: c.set, MaxTokens: want.MaxTokens})
			must(t, err)
			got, err := e.Encode(t.Context(), want.Texts, o)
			must(t, err)
			oracle.Near(t, c.name, got, oracle.Flatten(c.rows), outputTolerance)
			if words := strings.ReplaceAll(e.Describe(c.set, "pretrain.pooling", o), f.dir, "DIR"); !strings.HasPrefix(words, c.words) {
				t.Errorf("%q, want %q", words, c.words)
			}
		})
	}
}

// An unsupported module is refused by name when Follow uses it. Damaged or
// contradictory files are refused whatever is set.
func TestFolderIsRefused(t *testing.T) {
	mean := flags("mean_tokens")
	for _, c := range []struct {
		name     string
		make     func(f folder)
		want     string
		whenOpen bool
	}{
		{"Dense", func(f folder) { f.modules("Pooling", "Dense", "Normalize"); f.pooling(mean) }, `modules.json: module "sentence_transformers.models.Dense" is not supported`, false},
		{"LSTM", func(f folder) { f.modules("LSTM", "Pooling"); f.pooling(mean) }, `module "sentence_transformers.models.LSTM" is not supported`, false},
		{"somebody's", func(f folder) { f.modules("Pooling", "custom.models.Normalize"); f.pooling(mean) }, `module "custom.models.Normalize" is not supported`, false},
		{"no kind", func(f folder) { f.pooling(mean); f.write("modules.json", `[{"path": ""}]`) }, `module "" is not supported`, false},
		{"Pooling twice", func(f folder) { f.modules("Pooling", "Pooling"); f.pooling(mean) }, "expected a Transformer, a Pooling and optionally Normalize, in this order, got Pooling as module 2", false},
		{"Normalize first", func(f folder) { f.modules("Normalize", "Pooling"); f.pooling(mean) }, "got Normalize as module 1", false},
		{"no Pooling", func(f folder) { f.modules() }, "expected a Pooling module, got none", false},
		{"no modules", func(f folder) { f.write("modules.json", "[]") }, "expected a Pooling module, got none", false},
		{"null", func(f folder) { f.write("modules.json", "null") }, "expected a Pooling module, got none", false},
		{"weighted mean", func(f folder) { f.modules("Pooling"); f.pooling(flags("weightedmean_tokens")) }, `1_Pooling/config.json: pooling mode "weightedmean" is not supported: expected one of mean, cls and max`, false},
		{"square root", func(f folder) { f.modules("Pooling"); f.pooling(flags("mean_sqrt_len_tokens")) }, `pooling mode "mean_sqrt_len_tokens" is not supported`, false},
		{"last token", func(f folder) { f.modules("Pooling"); f.pooling(flags("lasttoken")) }, `pooling mode "lasttoken" is not supported`, false},
		{"a mode to come", func(f folder) {
			f.modules("Pooling")
			f.pooling(`{"pooling_mode_mean_tokens": false, "pooling_mode_median": true}`)
		}, `pooling mode "median" is not supported`, false},
		{"unknown mode", func(f folder) { f.modules("Pooling"); f.pooling(`{"pooling_mode": "median"}`) }, `pooling mode "median" is not supported`, false},
		{"joined", func(f folder) { f.modules("Pooling"); f.pooling(flags("cls_token", "mean_tokens")) }, `modes ["cls" "mean"] joined to one vector are not supported`, false},
		// As in sentence-transformers, the mean is on if its flag is missing.
		{"joined to the mean", func(f folder) { f.modules("Pooling"); f.pooling(`{"pooling_mode_cls_token": true}`) }, `modes ["cls" "mean"] joined`, false},
		{"joined modes", func(f folder) { f.modules("Pooling"); f.pooling(`{"pooling_mode": ["cls", "max"]}`) }, `modes ["cls" "max"] joined`, false},
		{"a prompt", func(f folder) {
			f.write("config_sentence_transformers.json", `{"prompts": {"query": "query: "}, "default_prompt_name": "query"}`)
		}, `config_sentence_transformers.json: default_prompt_name = "query" puts a prompt before every text`, false},

		{"no mode", func(f folder) { f.modules("Pooling"); f.pooling(flags()) }, "1_Pooling/config.json: no pooling mode is on: expected one of mean, cls and max", true},
		{"modes that disagree", func(f folder) {
			f.modules("Pooling")
			f.pooling(`{"pooling_mode": "cls", "pooling_mode_max_tokens": true}`)
		}, `pooling_mode = "cls" contradicts the keys pooling_mode_*, which ask for ["max"]`, true},
		{"a mode in numbers", func(f folder) { f.modules("Pooling"); f.pooling(`{"pooling_mode": 1}`) }, "pooling_mode: expected the name of a mode, got 1", true},
		{"a flag in words", func(f folder) { f.modules("Pooling"); f.pooling(`{"pooling_mode_cls_token": "yes"}`) }, `pooling_mode_cls_token: expected true or false, got "yes"`, true},
		{"another size", func(f folder) { f.modules("Pooling"); f.pooling(strings.Replace(mean, "12", "13", 1)) }, "1_Pooling/config.json: word_embedding_dimension: expected 12 (hidden_size in config.json), got 13", true},
		{"half a size", func(f folder) { f.modules("Pooling"); f.pooling(strings.Replace(mean, "12", "12.5", 1)) }, "word_embedding_dimension: expected a whole number from 1, got 12.5", true},
		{"no settings of pooling", func(f folder) { f.modules("Pooling") }, "the settings of pooling, which modules.json names", false},
		{"cut settings of pooling", func(f folder) { f.modules("Pooling"); f.pooling(mean[:30]) }, "1_Pooling/config.json: unexpected JSON", true},
		{"cut modules", func(f folder) { f.write("modules.json", "[{") }, "modules.json: unexpected JSON", true},
		{"modules in another form", func(f folder) { f.write("modules.json", "{}") }, "modules.json: unexpected JSON: the whole: got object", true},
		{"modules elsewhere", func(f folder) {
			f.write("modules.json", `[{"path": "../other", "type": "sentence_transformers.models.Transformer"}]`)
		}, `modules.json: expected the path of module 0 inside the folder, got "../other"`, true},

		{"capitals", func(f folder) {
			f.set("tokenizer.json", false, "normalizer", "lowercase")
			f.write("sentence_bert_config.json", `{"max_seq_length": 24, "do_lower_case": true}`)
		}, "sentence_bert_config.json: do_lower_case = true, but the tokenizer keeps capitals", true},
		{"longer than the model", func(f folder) { f.write("sentence_bert_config.json", `{"max_seq_length": 25}`) }, "sentence_bert_config.json: max_seq_length: expected at most 24 (max_position_embeddings in config.json), got 25", true},
		{"longer than the tokenizer", func(f folder) {
			f.write("sentence_bert_config.json", `{"max_seq_length": 20}`)
			f.write("tokenizer_config.json", `{"model_max_length": 16}`)
		}, "max_seq_length: expected at most 16 (model_max_length in tokenizer_config.json), got 20", true},
		{"no length", func(f folder) { f.write("sentence_bert_config.json", `{"max_seq_length": -1}`) }, "max_seq_length: expected a whole number from 3, got -1", true},
		{"cut", func(f folder) { f.write("sentence_bert_config.json", `{`) }, "sentence_bert_config.json: unexpected JSON", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t, "gelu_new")
			c.make(f)
			f.refused(c.want, c.whenOpen)
		})
	}
}

// refused checks that the folder is refused with a message, when it is opened or when it is
// to be followed.
func (f folder) refused(want string, whenOpen bool) {
	f.t.Helper()
	e, err := OpenEncoder(f.dir)
	if (err != nil) != whenOpen {
		f.t.Fatalf("opening: %v", err)
	}
	if err == nil {
		if o, err := e.Follow(EncodeOptions{Pooling: CLSPooling}); err != nil || o.Pooling != CLSPooling || o.Normalise {
			f.t.Errorf("pooling is set: %+v, %v", o, err)
		}
		_, err = e.Follow(EncodeOptions{})
	}
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		f.t.Errorf("%v\nwant %s", err, want)
	}
}

// The length that a folder asks for applies if no shorter one is set.
func TestFolderLength(t *testing.T) {
	for _, c := range []struct {
		config    string
		set, want int
	}{
		{``, 128, 128}, {``, 0, 0},
		{`{"max_seq_length": 8, "do_lower_case": false}`, 128, 8}, {`{"max_seq_length": 8}`, 0, 8}, {`{"max_seq_length": 8}`, 5, 5},
		{`{"max_seq_length": 24}`, 128, 128}, {`{"max_seq_length": 24}`, 0, 0}, // as many as the model accepts
		{`{"max_seq_length": null}`, 128, 128},
	} {
		f := newFolder(t, "gelu_new")
		if c.config != "" {
			f.write("sentence_bert_config.json", c.config)
		}
		e, err := OpenEncoder(f.dir)
		must(t, err)
		for _, pooling := range []Pooling{"", MeanPooling} {
			if o, err := e.Follow(EncodeOptions{Pooling: pooling, MaxTokens: c.set}); err != nil || o.MaxTokens != c.want {
				t.Errorf("%s, %d set: %d, %v, want %d", c.config, c.set, o.MaxTokens, err, c.want)
			}
		}
	}
}

// However a file of a folder is damaged, one of these holds: it is refused with one
// line, the run has another id (because the fingerprint or the asked pooling differs),
// or the vectors are the same.
func TestDamagedFolders(t *testing.T) {
	texts := []string{"rose cream", "Crème nail 50%", ""}
	vectors := func(e *Encoder) (id string, v []float32) {
		o, err := e.Follow(EncodeOptions{})
		if err != nil {
			return err.Error(), nil
		}
		v, err = e.Encode(t.Context(), texts, o)
		if err != nil && !strings.Contains(err.Error(), "weights are damaged") {
			t.Error(err)
		}
		return fmt.Sprint(e.Fingerprint, o.Pooling, o.Normalise, o.MaxTokens), v
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, variant := range []string{"gelu_new", "relu_cased"} {
		f := newFolder(t, variant)
		f.modules("Pooling", "Normalize")
		f.pooling(strings.Replace(flags("cls_token"), `"word_embedding_dimension":12`, `"pooling_mode":"cls"`, 1))
		f.write("sentence_bert_config.json", `{"max_seq_length": 16, "do_lower_case": false}`)
		whole, err := OpenEncoder(f.dir)
		must(t, err)
		id, want := vectors(whole)
		refused, others := 0, 0
		must(t, filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "expect.json" {
				return err
			}
			good, err := os.ReadFile(path)
			must(t, err)
			for i := range 40 {
				bad := slices.Clone(good)
				at := r.IntN(len(bad))
				switch {
				case i < 28:
					bad[at] ^= 1 << r.IntN(8)
				case i < 34:
					bad = bad[:at]
				default:
					clear(bad[at:min(at+512, len(bad))])
				}
				must(t, os.WriteFile(path, bad, 0o644))
				e, err := OpenEncoder(f.dir)
				if err != nil {
					refused++
					if text := err.Error(); strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) || len(text) > 1000 {
						t.Errorf("%s: %q", path, text)
					}
					continue
				}
				if got, v := vectors(e); got != id {
					others++
				} else if !slices.Equal(v, want) {
					t.Errorf("%s, damage %d at byte %d: the same id and other vectors", path, i, at)
				}
			}
			return os.WriteFile(path, good, 0o644)
		}))
		if refused < 50 || others < 20 {
			t.Errorf("%s: %d refused, %d have another id", variant, refused, others)
		}
	}
}

// Folders as older and newer versions of sentence-transformers write them.
func TestLayoutsOfFolders(t *testing.T) {
	cls := `{"word_embedding_dimension": 12, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}`
	for _, c := range []struct {
		name, kind, sub, prompts string
		pooling                  Pooling
	}{
		{"the first versions", "sentence_transformers.models.BERT", "0_BERT", "", CLSPooling},
		{"version 2", "sentence_transformers.models.Transformer", "0_Transformer", "", CLSPooling},
		{"version 5", "sentence_transformers.base.modules.Transformer", "", `{"prompts": {"query": "q: ", "document": ""}, "default_prompt_name": null}`, CLSPooling},
		{"a prompt without text", "sentence_transformers.models.Transformer", "", `{"prompts": {"document": ""}, "default_prompt_name": "document"}`, CLSPooling},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t, "gelu_new")
			if c.sub != "" {
				must(t, os.Mkdir(f.path(c.sub), 0o755))
				for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
					must(t, os.Rename(f.path(name), f.path(c.sub+"/"+name)))
				}
			}
			f.pooling(cls)
			f.write("modules.json", fmt.Sprintf(`[{"path": %q, "type": %q}, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`, c.sub, c.kind))
			if c.prompts != "" {
				f.write("config_sentence_transformers.json", c.prompts)
			}
			e, err := OpenEncoder(f.dir)
			must(t, err)
			o, err := e.Follow(EncodeOptions{})
			must(t, err)
			if o.Pooling != c.pooling {
				t.Errorf("pooling %q, expected %q", o.Pooling, c.pooling)
			}
		})
	}
}

// An unsupported transformer may be in a folder of its own. The error names it, and
// with pretrain.pooling the model there is read all the same.
func TestRefusedTransformerInSubfolder(t *testing.T) {
	f := newFolder(t, "gelu_new")
	must(t, os.Mkdir(f.path("0_Custom"), 0o755))
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		must(t, os.Rename(f.path(name), f.path("0_Custom/"+name)))
	}
	f.write("modules.json", `[{"path": "0_Custom", "type": "custom.Transformer"}]`)
	e, err := OpenEncoder(f.dir)
	must(t, err)
	if _, err := e.Follow(EncodeOptions{}); err == nil || !strings.Contains(err.Error(), `module "custom.Transformer" is not supported`) {
		t.Error(err)
	}
	if o, err := e.Follow(EncodeOptions{Pooling: MeanPooling}); err != nil || o.Pooling != MeanPooling {
		t.Error(o, err)
	}
}
