package bert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/sugarme/tokenizer/model"
	"github.com/sugarme/tokenizer/model/wordpiece"
	"golang.org/x/text/unicode/norm"
)

// tokenizer turns a text into the ids of word pieces, as BERT's tokenizer does:
// clean the text, split it into words, and divide each word into the longest
// pieces of the vocabulary.
//
// github.com/sugarme/tokenizer finds the pieces. Its other parts are not used:
// its normaliser (v0.3.0) does not decompose letters, so "Crème" is an unknown
// word, and panics on a ligature, and its readers of configurations panic on
// unexpected input. The code here gives the same words as Hugging Face's for
// every character of Unicode 8, and so the same ids.
type tokenizer struct {
	tokenSettings
	pieces   wordpiece.WordPiece
	cls, sep int32
	special  map[string]int32 // tokens that a text may contain, such as [SEP]
}

// tokenSettings are a folder's settings of the tokenizer. With the model's
// configuration and weights they decide every vector.
type tokenSettings struct {
	Vocabulary   []string       // by id
	Lowercase    bool           // words are lower-cased
	StripAccents bool           // letters lose their accents
	SplitChinese bool           // every Chinese character is a word
	CleanText    bool           // control characters are removed
	Unknown      string         // the token of a word that has no pieces
	First, Last  string         // the tokens around every text
	Special      map[string]int // tokens that a text may contain verbatim, by id
	MaxWord      int            // characters; a longer word is unknown

	modelMax float64 // tokenizer_config.json's model_max_length, 0: none. Other settings cut batches
}

// openTokenizer reads the tokenizer of a folder: from tokenizer.json, else from
// vocab.txt; tokenizer_config.json, which may be missing, has the settings of the
// second.
func openTokenizer(dir string) (*tokenizer, error) {
	config, err := readTokenizerConfig(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	for _, source := range []struct {
		name  string
		parse func(path string, body []byte, c tokenizerConfig) (tokenSettings, error)
	}{{"tokenizer.json", parseTokenizerJSON}, {"vocab.txt", parseVocabulary}} {
		path := filepath.Join(dir, source.name)
		body, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("pretrain: %w", err)
		}
		s, err := source.parse(path, body, config)
		if err != nil {
			return nil, err
		}
		s.modelMax = config.ModelMax
		return newTokenizer(path, s)
	}
	return nil, fmt.Errorf("pretrain: %s has no vocabulary: expected tokenizer.json or vocab.txt", dir)
}

func newTokenizer(path string, s tokenSettings) (*tokenizer, error) {
	vocabulary := make(model.Vocab, len(s.Vocabulary))
	for id, token := range s.Vocabulary {
		if first, ok := vocabulary[token]; ok {
			return nil, fmt.Errorf("pretrain: %s: token %q has two ids, %d and %d", path, token, first, id)
		}
		vocabulary[token] = id
	}
	for _, token := range []string{s.Unknown, s.First, s.Last} {
		if _, ok := vocabulary[token]; !ok {
			return nil, fmt.Errorf("pretrain: %s: the vocabulary has no %q, which every text may need", path, token)
		}
	}
	t := &tokenizer{
		tokenSettings: s,
		pieces:        wordpiece.NewWordPieceBuilder().Vocab(&vocabulary).UnkToken(s.Unknown).MaxInputCharsPerWord(s.MaxWord).Build(),
		cls:           int32(vocabulary[s.First]),
		sep:           int32(vocabulary[s.Last]),
		special:       map[string]int32{},
	}
	for token, id := range s.Special {
		t.special[token] = int32(id)
	}
	return t, nil
}

// ids returns the ids of a text's first max−2 pieces, with [CLS] before and
// [SEP] after them.
func (t *tokenizer) ids(text string, max int) ([]int32, error) {
	out := []int32{t.cls}
	for len(text) > 0 && len(out) < max {
		before, token, after := t.cutSpecial(text)
		for _, word := range t.words(before) {
			if len(out) >= max {
				break
			}
			pieces, err := t.pieces.Tokenize(word)
			if err != nil {
				return nil, fmt.Errorf("pretrain: word %q: %w", word, err)
			}
			for _, p := range pieces {
				out = append(out, int32(p.Id))
			}
		}
		if token != "" {
			out = append(out, t.special[token])
		}
		text = after
	}
	return append(out[:min(len(out), max-1)], t.sep), nil
}

// cutSpecial cuts a text at its first special token; token is empty if there is
// none.
func (t *tokenizer) cutSpecial(text string) (before, token, after string) {
	at := len(text)
	for s := range t.special {
		i := strings.Index(text[:min(at+len(s), len(text))], s)
		if i >= 0 && (i < at || i == at && len(s) > len(token)) {
			at, token = i, s
		}
	}
	return text[:at], token, text[at+len(token):]
}

// words returns the cleaned words and punctuation marks of a text.
func (t *tokenizer) words(text string) []string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case t.CleanText && removed(r):
		case t.CleanText && unicode.IsSpace(r):
			b.WriteByte(' ')
		case t.SplitChinese && isChinese(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	text = b.String()
	if t.StripAccents {
		text = strings.Map(func(r rune) rune {
			if isAccent(r) {
				return -1
			}
			return r
		}, norm.NFD.String(text))
	}
	if t.Lowercase {
		// Character by character; İ is the only one whose lower case has two.
		text = strings.Map(unicode.ToLower, strings.ReplaceAll(text, "İ", "i̇"))
	}
	var out []string
	for _, field := range strings.FieldsFunc(text, unicode.IsSpace) {
		start := 0
		for i, r := range field {
			if !isPunctuation(r) {
				continue
			}
			if start < i {
				out = append(out, field[start:i])
			}
			out = append(out, string(r))
			start = i + len(string(r))
		}
		if start < len(field) {
			out = append(out, field[start:])
		}
	}
	return out
}

// removed reports whether cleaning removes a character: the replacement
// character, and control, format, private and surrogate characters except tabs
// and line ends.
func removed(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	case 0, unicode.ReplacementChar:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}

// isAccent counts the nonspacing marks of Unicode 8, whose tables Hugging Face uses. Unicode has
// since moved four characters of rare scripts.
func isAccent(r rune) bool {
	switch r {
	case 0x1734: // HANUNOO SIGN PAMUDPOD
		return true
	case 0x1885, 0x1886, 0xa9bd: // two of Mongolian, one of Javanese
		return false
	}
	return unicode.Is(unicode.Mn, r)
}

// isPunctuation counts every printable ASCII character that is not a letter,
// digit or space as punctuation, even $ and ^. CANADIAN SYLLABICS CHI SIGN was punctuation in
// Unicode 8.
func isPunctuation(r rune) bool {
	return unicode.IsPunct(r) || r == 0x166d || r < unicode.MaxASCII && unicode.IsSymbol(r)
}

// isChinese is the reference's list of CJK ideographs (which has 2B920 where
// Unicode's extension E begins at 2B820).
func isChinese(r rune) bool { return unicode.Is(chinese, r) }

var chinese = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x3400, Hi: 0x4dbf, Stride: 1}, {Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}},
	R32: []unicode.Range32{
		{Lo: 0x20000, Hi: 0x2a6df, Stride: 1}, {Lo: 0x2a700, Hi: 0x2b73f, Stride: 1}, {Lo: 0x2b740, Hi: 0x2b81f, Stride: 1},
		{Lo: 0x2b920, Hi: 0x2ceaf, Stride: 1}, {Lo: 0x2f800, Hi: 0x2fa1f, Stride: 1},
	},
}
