package bert

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folder is what OpenEncoder found in a folder. The fields are read-only.
type Folder struct {
	Hidden        int    // size d of a vector
	MaxTokens     int    // maximum number of tokens of a text that the model accepts
	Fingerprint   string // SHA-256 of everything that decides a token's state: weights, configuration, vocabulary
	WeightsSHA256 string // of model.safetensors

	asks asks
}

// asks says how a text becomes a vector according to the files of
// sentence-transformers in a folder.
type asks struct {
	pooling   Pooling // "": the folder does not say
	normalise bool    // a Normalize module comes last
	maxTokens int     // sentence_bert_config.json's max_seq_length; 0: none
	refused   error   // a module, or a way of pooling, that is not supported
}

// Follow fills in the options that o leaves open with those that the folder asks
// for. If a pooling is set, it replaces all modules after the transformer: no other
// module is read, and vectors are not normalised. A text is never longer than the
// folder's max_seq_length.
func (f Folder) Follow(o EncodeOptions) (EncodeOptions, error) {
	if o.Pooling == "" {
		if f.asks.refused != nil {
			return o, f.asks.refused
		}
		o.Pooling, o.Normalise = cmp.Or(f.asks.pooling, MeanPooling), f.asks.normalise
	}
	if most := f.asks.maxTokens; most > 0 && most < f.MaxTokens && (o.MaxTokens == 0 || o.MaxTokens > most) {
		o.MaxTokens = most
	}
	return o, nil
}

// Describe says how texts are encoded with o, and why. o is the result of
// Follow for the pooling set, which by has set ("": none).
func (f Folder) Describe(set Pooling, by string, o EncodeOptions) string {
	words := func(p Pooling, normalise bool) string {
		if normalise {
			return string(p) + " pooling, vectors normalised"
		}
		return string(p) + " pooling"
	}
	text := words(o.Pooling, o.Normalise)
	switch {
	case set == "" && f.asks.pooling == "":
		text += " (the folder does not say which)"
	case set == "":
		text += ", as the folder asks"
	case f.asks.refused != nil:
		text += fmt.Sprintf(", as %s says, although %v", by, f.asks.refused)
	case f.asks.pooling != "" && (f.asks.pooling != o.Pooling || f.asks.normalise):
		text += ", as " + by + " says; the folder asks for " + words(f.asks.pooling, f.asks.normalise)
	default:
		text += ", as " + by + " says"
	}
	if f.asks.maxTokens > 0 && o.MaxTokens == f.asks.maxTokens {
		text += fmt.Sprintf("; at most %d tokens of a text (max_seq_length in sentence_bert_config.json)", o.MaxTokens)
	}
	return text
}

// modules is the result of reading a folder's modules.json and the files that
// it names.
type modules struct {
	asks
	transformer string // folder of the model, below that of modules.json
	poolingPath string // path of the file that says how to pool; "": none
	poolingSize int    // its word_embedding_dimension; 0: none
}

const moduleNames = "Transformer, Pooling and Normalize"

// readModules reads modules.json or, if it is missing, the pooling settings where
// sentence-transformers puts them. Damaged files are an error. Unsupported modules
// become an error only when Follow uses them.
func readModules(dir string) (modules, error) {
	m, err := readModuleList(dir)
	if err != nil {
		return m, err
	}
	path := filepath.Join(dir, "config_sentence_transformers.json")
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("pretrain: %w", err)
	}
	var f struct {
		Prompt  any `json:"default_prompt_name"`
		Prompts map[string]any
	}
	if err := decodeJSON(path, body, &f); err != nil {
		return m, err
	}
	name, _ := f.Prompt.(string)
	if f.Prompt != nil && f.Prompts[name] != "" && m.refused == nil {
		m.refused = fmt.Errorf("pretrain: %s: default_prompt_name = %s puts a prompt before every text, which is not supported: expected none", path, show(f.Prompt))
	}
	return m, nil
}

func readModuleList(dir string) (m modules, err error) {
	path := filepath.Join(dir, "modules.json")
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		pooling := filepath.Join(dir, "1_Pooling", "config.json")
		if _, err := os.Stat(pooling); err == nil {
			return m, m.readPooling(pooling)
		}
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("pretrain: %w", err)
	}
	var list []struct {
		Type string
		Path string
	}
	if err := decodeJSON(path, body, &list); err != nil {
		return m, err
	}
	refuse := func(format string, args ...any) {
		if m.refused == nil {
			m.refused = fmt.Errorf("pretrain: %s: "+format, append([]any{path}, args...)...)
		}
	}
	var kinds []string
	for i, module := range list {
		kind := moduleKind(module.Type)
		kinds = append(kinds, kind)
		if !filepath.IsLocal(cmp.Or(module.Path, ".")) {
			return m, fmt.Errorf("pretrain: %s: expected the path of module %d inside the folder, got %s", path, i, show(module.Path))
		}
		if i == 0 && kind != "Pooling" && kind != "Normalize" {
			m.transformer = module.Path // also of a refused one, because pooling may be set
		}
		switch {
		case kind == "":
			refuse("module %s is not supported: expected %s of sentence-transformers", show(module.Type), moduleNames)
		case (kind == "Transformer") != (i == 0), (kind == "Pooling") != (i == 1):
			refuse("expected a Transformer, a Pooling and optionally Normalize, in this order, got %s as module %d", kind, i)
		case kind == "Pooling":
			err := m.readPooling(filepath.Join(dir, module.Path, "config.json"))
			if errors.Is(err, fs.ErrNotExist) { // it is not needed if pooling is set
				m.refused = cmp.Or(m.refused, err)
			} else if err != nil {
				return m, err
			}
		case kind == "Normalize":
			m.normalise = true
		}
	}
	if !slices.Contains(kinds, "Pooling") {
		refuse("expected a Pooling module, got none: nothing says how the states of a text's tokens become one vector")
	}
	return m, nil
}

// moduleKind returns the name of a supported module, "" for any other. Versions
// of sentence-transformers differ in the package name before it.
func moduleKind(name string) string {
	kind := name[strings.LastIndex(name, ".")+1:]
	if kind == "BERT" { // its name in the first versions
		kind = "Transformer"
	}
	if !strings.HasPrefix(name, "sentence_transformers.") || !slices.Contains([]string{"Transformer", "Pooling", "Normalize"}, kind) {
		return ""
	}
	return kind
}

// Names of poolings in the files: as the end of a flag's key, and as a mode.
var poolingModes = []struct {
	flag, mode string
	pooling    Pooling // "": not supported
}{
	{"cls_token", "cls", CLSPooling}, {"mean_tokens", "mean", MeanPooling}, {"max_tokens", "max", MaxPooling},
	{"mean_sqrt_len_tokens", "mean_sqrt_len_tokens", ""}, {"weightedmean_tokens", "weightedmean", ""}, {"lasttoken", "lasttoken", ""},
}

// readPooling reads the config.json of a Pooling module. As in sentence-transformers,
// the mean is on if its flag is missing and no mode is given.
func (m *modules) readPooling(path string) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("pretrain: the settings of pooling, which modules.json names: %w", err)
	}
	var keys map[string]any
	if err := decodeJSON(path, body, &keys); err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("pretrain: %s: "+format, append([]any{path}, args...)...)
	}
	var on []string // modes
	flagged := false
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		name, ok := strings.CutPrefix(key, "pooling_mode_")
		if !ok {
			continue
		}
		set, ok := keys[key].(bool)
		if !ok {
			return fail("%s: expected true or false, got %s", key, show(keys[key]))
		}
		flagged = flagged || name == "mean_tokens"
		if !set {
			continue
		}
		mode := name
		for _, k := range poolingModes {
			if k.flag == name {
				mode = k.mode
			}
		}
		on = append(on, mode)
	}
	switch mode := keys["pooling_mode"].(type) {
	case nil:
		if !flagged {
			on = append(on, "mean")
		}
	case string:
		mode = strings.ToLower(mode)
		if slices.ContainsFunc(on, func(other string) bool { return other != mode }) {
			return fail("pooling_mode = %s contradicts the keys pooling_mode_*, which ask for %q; make them agree", show(mode), on)
		}
		on = []string{mode}
	case []any:
		on = nil
		for _, one := range mode {
			on = append(on, strings.Trim(show(one), `"`))
		}
	default:
		return fail("pooling_mode: expected the name of a mode, got %s", show(mode))
	}
	m.poolingPath = path
	for _, key := range []string{"word_embedding_dimension", "embedding_dimension"} {
		if v, ok := keys[key]; ok {
			size, ok := v.(float64)
			if !ok || size < 1 || size > 1e9 || size != float64(int(size)) {
				return fail("%s: expected a whole number from 1, got %s", key, show(v))
			}
			m.poolingSize = int(size)
		}
	}
	return m.choosePooling(path, on)
}

// choosePooling returns the only mode that is on.
func (m *modules) choosePooling(path string, on []string) error {
	const supported = "expected one of mean, cls and max"
	switch len(on) {
	case 0:
		return fmt.Errorf("pretrain: %s: no pooling mode is on: %s", path, supported)
	case 1:
	default:
		m.refused = fmt.Errorf("pretrain: %s: modes %q joined to one vector are not supported: %s", path, on, supported)
		return nil
	}
	for _, k := range poolingModes {
		if k.mode == on[0] && k.pooling != "" {
			m.pooling = k.pooling
			return nil
		}
	}
	m.refused = fmt.Errorf("pretrain: %s: pooling mode %s is not supported: %s", path, show(on[0]), supported)
	return nil
}

// check compares the modules with the model in dir, and reads
// sentence_bert_config.json there.
func (m *modules) check(dir string, c bertConfig, t tokenSettings) error {
	if m.poolingSize != 0 && m.poolingSize != c.Hidden {
		return fmt.Errorf("pretrain: %s: word_embedding_dimension: expected %d (hidden_size in config.json), got %d", m.poolingPath, c.Hidden, m.poolingSize)
	}
	path := filepath.Join(dir, "sentence_bert_config.json")
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	var f struct {
		MaxLength any  `json:"max_seq_length"`
		LowerCase bool `json:"do_lower_case"`
	}
	if err := decodeJSON(path, body, &f); err != nil {
		return err
	}
	// true lower-cases texts before the tokenizer; false leaves the case to the
	// tokenizer.
	if f.LowerCase && !t.Lowercase {
		return fmt.Errorf("pretrain: %s: do_lower_case = true, but the tokenizer keeps capitals; make them agree", path)
	}
	if f.MaxLength == nil {
		return nil
	}
	v, ok := f.MaxLength.(float64)
	if !ok || v < MinTokens || v > 1e9 || v != float64(int(v)) {
		return fmt.Errorf("pretrain: %s: max_seq_length: expected a whole number from %d, got %s", path, MinTokens, show(f.MaxLength))
	}
	switch {
	case int(v) > c.Positions:
		return fmt.Errorf("pretrain: %s: max_seq_length: expected at most %d (max_position_embeddings in config.json), got %d", path, c.Positions, int(v))
	case t.modelMax > 0 && v > t.modelMax:
		return fmt.Errorf("pretrain: %s: max_seq_length: expected at most %s (model_max_length in tokenizer_config.json), got %d; make them agree", path, show(t.modelMax), int(v))
	}
	m.maxTokens = int(v)
	return nil
}
