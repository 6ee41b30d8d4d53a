package bert

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// tokenizerConfig is the part of tokenizer_config.json that decides how a text
// is split into words.
type tokenizerConfig struct {
	DoLowerCase          *bool     `json:"do_lower_case"`
	StripAccents         *bool     `json:"strip_accents"` // null: as do_lower_case
	TokenizeChineseChars *bool     `json:"tokenize_chinese_chars"`
	DoBasicTokenize      *bool     `json:"do_basic_tokenize"`
	UnkToken             tokenName `json:"unk_token"`
	SepToken             tokenName `json:"sep_token"`
	PadToken             tokenName `json:"pad_token"`
	ClsToken             tokenName `json:"cls_token"`
	MaskToken            tokenName `json:"mask_token"`
	ModelMax             float64   `json:"model_max_length"` // often 1e30: no bound
	path                 string
}

// tokenName is a token, written as a string or as an object with its content.
type tokenName string

func (n *tokenName) UnmarshalJSON(b []byte) error {
	var object struct{ Content string }
	if err := json.Unmarshal(b, &object); err == nil {
		*n = tokenName(object.Content)
		return nil
	}
	return json.Unmarshal(b, (*string)(n))
}

func readTokenizerConfig(path string) (tokenizerConfig, error) {
	var c tokenizerConfig
	body, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("pretrain: %w", err)
	}
	if err == nil {
		if err := decodeJSON(path, body, &c); err != nil {
			return c, err
		}
	}
	c.path = path
	if c.DoBasicTokenize != nil && !*c.DoBasicTokenize {
		return c, fmt.Errorf("pretrain: %s: do_basic_tokenize = false is not supported: texts are cleaned and split into words first", path)
	}
	for _, d := range []struct {
		token *tokenName
		name  tokenName
	}{{&c.UnkToken, "[UNK]"}, {&c.SepToken, "[SEP]"}, {&c.PadToken, "[PAD]"}, {&c.ClsToken, "[CLS]"}, {&c.MaskToken, "[MASK]"}} {
		if *d.token == "" {
			*d.token = d.name
		}
	}
	return c, nil
}

// parseVocabulary reads vocab.txt: one token per line, whose number, from 0, is
// its id. Everything else is as in BERT, with the settings of c.
func parseVocabulary(path string, body []byte, c tokenizerConfig) (tokenSettings, error) {
	if !utf8.Valid(body) { // the fingerprint could not distinguish two such files
		return tokenSettings{}, fmt.Errorf("pretrain: %s: expected UTF-8; the file is damaged", path)
	}
	s := tokenSettings{
		Lowercase:    c.DoLowerCase == nil || *c.DoLowerCase,
		SplitChinese: c.TokenizeChineseChars == nil || *c.TokenizeChineseChars,
		CleanText:    true,
		Unknown:      string(c.UnkToken),
		First:        string(c.ClsToken),
		Last:         string(c.SepToken),
		Special:      map[string]int{},
		MaxWord:      100,
	}
	s.StripAccents = s.Lowercase
	if c.StripAccents != nil {
		s.StripAccents = *c.StripAccents
	}
	for line := range strings.Lines(string(body)) {
		s.Vocabulary = append(s.Vocabulary, strings.TrimRight(line, "\r\n"))
	}
	for _, token := range []tokenName{c.UnkToken, c.SepToken, c.PadToken, c.ClsToken, c.MaskToken} {
		if id := slices.Index(s.Vocabulary, string(token)); id >= 0 {
			s.Special[string(token)] = id
		}
	}
	return s, nil
}

// tokenizerJSON is the part of tokenizer.json that decides how a text becomes tokens.
type tokenizerJSON struct {
	AddedTokens []struct {
		ID                         int
		Content                    string
		Special                    bool
		SingleWord                 bool `json:"single_word"`
		LStrip, RStrip, Normalized bool
	} `json:"added_tokens"`
	Normalizer struct {
		Type               string
		CleanText          *bool `json:"clean_text"`
		HandleChineseChars *bool `json:"handle_chinese_chars"`
		StripAccents       *bool `json:"strip_accents"`
		Lowercase          *bool
	}
	PreTokenizer  struct{ Type string } `json:"pre_tokenizer"`
	PostProcessor struct {
		Type     string
		Single   []map[string]struct{ ID string }
		Sep, Cls []any
	} `json:"post_processor"`
	Model struct {
		Type     string
		UnkToken string  `json:"unk_token"`
		Prefix   *string `json:"continuing_subword_prefix"`
		MaxWord  *int    `json:"max_input_chars_per_word"`
		Vocab    json.RawMessage
	}
}

// parseTokenizerJSON reads tokenizer.json, which can describe any pipeline. One
// with parts other than BERT's is refused. Its truncation and padding are ignored,
// because batches here have their own lengths and no padding.
func parseTokenizerJSON(path string, body []byte, c tokenizerConfig) (tokenSettings, error) {
	var f tokenizerJSON
	if err := decodeJSON(path, body, &f); err != nil {
		return tokenSettings{}, err
	}
	s := f.settings()
	if err := cmp.Or(f.checkKind(), s.checkAgainst(c), f.addEnds(&s), f.addVocabulary(&s)); err != nil {
		return tokenSettings{}, fmt.Errorf("pretrain: %s: %w", path, err)
	}
	return s, nil
}

// checkKind refuses a pipeline of other parts than BERT's.
func (f *tokenizerJSON) checkKind() error {
	switch {
	case f.Model.Type != "WordPiece" && f.Model.Type != "": // missing in old files
		return fmt.Errorf("model.type = %q, expected WordPiece, as BERT has", f.Model.Type)
	case f.Model.Prefix == nil || *f.Model.Prefix != "##":
		return errors.New(`model.continuing_subword_prefix should be "##", as BERT has`)
	case f.Normalizer.Type != "BertNormalizer":
		return fmt.Errorf("normalizer.type = %q, expected BertNormalizer", f.Normalizer.Type)
	case f.PreTokenizer.Type != "BertPreTokenizer":
		return fmt.Errorf("pre_tokenizer.type = %q, expected BertPreTokenizer", f.PreTokenizer.Type)
	case f.Model.MaxWord != nil && *f.Model.MaxWord < 1:
		return fmt.Errorf("model.max_input_chars_per_word = %d, expected at least 1", *f.Model.MaxWord)
	}
	return nil
}

// settings says how texts are cleaned and split into words.
func (f *tokenizerJSON) settings() tokenSettings {
	is := func(b *bool) bool { return b == nil || *b }
	s := tokenSettings{
		Lowercase:    is(f.Normalizer.Lowercase),
		SplitChinese: is(f.Normalizer.HandleChineseChars),
		CleanText:    is(f.Normalizer.CleanText),
		Unknown:      f.Model.UnkToken,
		Special:      map[string]int{},
		MaxWord:      100,
	}
	s.StripAccents = s.Lowercase
	if f.Normalizer.StripAccents != nil {
		s.StripAccents = *f.Normalizer.StripAccents
	}
	if f.Model.MaxWord != nil {
		s.MaxWord = *f.Model.MaxWord
	}
	return s
}

// checkAgainst refuses a tokenizer_config.json that says something else: versions of the
// reference differ in which file wins.
func (s tokenSettings) checkAgainst(c tokenizerConfig) error {
	for _, d := range []struct {
		key  string
		says *bool
		is   bool
	}{{"do_lower_case", c.DoLowerCase, s.Lowercase}, {"strip_accents", c.StripAccents, s.StripAccents}, {"tokenize_chinese_chars", c.TokenizeChineseChars, s.SplitChinese}} {
		if d.says != nil && *d.says != d.is {
			return fmt.Errorf("the normalizer contradicts %s = %v in %s; make them agree", d.key, *d.says, c.path)
		}
	}
	return nil
}

// addEnds adds the tokens that are put before and after a text.
func (f *tokenizerJSON) addEnds(s *tokenSettings) error {
	switch p := f.PostProcessor; {
	case p.Type == "BertProcessing" && len(p.Cls) == 2 && len(p.Sep) == 2:
		s.First, s.Last = fmt.Sprint(p.Cls[0]), fmt.Sprint(p.Sep[0])
	case p.Type == "TemplateProcessing" && len(p.Single) == 3 && p.Single[1]["Sequence"].ID == "A":
		s.First, s.Last = p.Single[0]["SpecialToken"].ID, p.Single[2]["SpecialToken"].ID
	default:
		return fmt.Errorf("post_processor (%q) does not put one token before a text and one after it, as BERT's does", p.Type)
	}
	return nil
}

// addVocabulary adds the tokens in the order of their ids.
func (f *tokenizerJSON) addVocabulary(s *tokenSettings) error {
	var ids map[string]int
	if err := json.Unmarshal(f.Model.Vocab, &ids); err != nil || len(ids) == 0 {
		return errors.New("model.vocab should be an object with the id of every token")
	}
	for _, a := range f.AddedTokens {
		if a.Content == "" {
			return fmt.Errorf("added token with id %d is empty", a.ID)
		}
		if a.SingleWord || a.LStrip || a.RStrip || a.Normalized {
			return fmt.Errorf("added token %q asks for single_word, lstrip, rstrip or normalized, which are not supported", a.Content)
		}
		if id, ok := ids[a.Content]; ok && id != a.ID {
			return fmt.Errorf("token %q has two ids, %d and %d", a.Content, id, a.ID)
		}
		ids[a.Content], s.Special[a.Content] = a.ID, a.ID
	}
	s.Vocabulary = make([]string, len(ids))
	taken := make([]bool, len(ids))
	for token, id := range ids {
		if id < 0 || id >= len(ids) || taken[id] {
			return fmt.Errorf("token %q has id %d; the %d tokens should have the ids 0 to %d, each once", token, id, len(ids), len(ids)-1)
		}
		s.Vocabulary[id], taken[id] = token, true
	}
	return nil
}
