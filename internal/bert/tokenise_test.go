package bert

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/oracle"
)

// readJSON reads a file of testdata; scripts/encoder/fixtures.py made all of
// them.
func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// minilmFolder is all-MiniLM-L6-v2 without its weights, with the vocabulary as
// vocab.txt or as tokenizer.json.
func minilmFolder(t *testing.T, vocabulary string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS("testdata/minilm")))
	f, err := os.Open(filepath.Join(dir, "vocab.txt.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	text, err := io.ReadAll(z)
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "vocab.txt.gz")))
	path := filepath.Join(dir, "tokenizer.json")
	if vocabulary == "vocab.txt" {
		must(t, os.Remove(path))
		must(t, os.WriteFile(filepath.Join(dir, vocabulary), text, 0o644))
		return dir
	}
	var whole map[string]any
	readJSON(t, "minilm/tokenizer.json", &whole)
	ids := map[string]int{}
	for line := range strings.Lines(string(text)) {
		ids[strings.TrimSuffix(line, "\n")] = len(ids)
	}
	whole["model"].(map[string]any)["vocab"] = ids
	body, err := json.Marshal(whole)
	must(t, err)
	must(t, os.WriteFile(path, body, 0o644))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eachMiniLM runs f with the tokenizer from either file.
func eachMiniLM(t *testing.T, f func(t *testing.T, tokens *tokenizer)) {
	for _, vocabulary := range []string{"vocab.txt", "tokenizer.json"} {
		t.Run(vocabulary, func(t *testing.T) {
			tokens, err := openTokenizer(minilmFolder(t, vocabulary))
			must(t, err)
			f(t, tokens)
		})
	}
}

// textCase is the part of an oracle's text_* cases that the tests read.
type textCase struct {
	config struct {
		MaxTokens int    `json:"max_tokens"`
		Weights   string `json:"sha256_model_safetensors"`
	}
	inputs struct{ Texts []string }
	output struct {
		InputIDs    [][]int32     `json:"input_ids"`
		Untruncated []int         `json:"untruncated_length"`
		Embeddings  [][][]float64 `json:"hidden_embeddings"`
		Layer0      [][][]float64 `json:"hidden_layer0"`
		Layer1      [][][]float64 `json:"hidden_layer1"`
		MeanPooled  [][]float64   `json:"mean_pooled"`
		DetailText  int           `json:"detail_text"`
		Detail      [][][]float64 `json:"detail_hidden"`
	}
}

func readTextCase(t *testing.T, name string) (oracle.Case, textCase) {
	t.Helper()
	c := oracle.Cases(t, func(n string) bool { return n == name })[0]
	var tc textCase
	c.Decode(t, &tc.config, &tc.inputs, &tc.output)
	return c, tc
}

func checkIDs(t *testing.T, tokens *tokenizer, tc textCase) {
	t.Helper()
	for i, text := range tc.inputs.Texts {
		got, err := tokens.ids(text, tc.config.MaxTokens)
		must(t, err)
		if want := tc.output.InputIDs[i]; !slices.Equal(got, want) {
			t.Errorf("%q:\n got %d\nwant %d", text, got, want)
		}
		if tc.output.Untruncated == nil {
			continue
		}
		whole, err := tokens.ids(text, 1<<20)
		must(t, err)
		if len(whole) != tc.output.Untruncated[i] {
			t.Errorf("%q: %d tokens in all, want %d", text, len(whole), tc.output.Untruncated[i])
		}
	}
}

func TestTokensMeetTheOracle(t *testing.T) {
	t.Run("text_tiny_bert", func(t *testing.T) {
		c, tc := readTextCase(t, "text_tiny_bert")
		tokens, err := openTokenizer(c.Copy(t, "model"))
		must(t, err)
		checkIDs(t, tokens, tc)
	})
	t.Run("text_minilm", func(t *testing.T) {
		_, tc := readTextCase(t, "text_minilm")
		eachMiniLM(t, func(t *testing.T, tokens *tokenizer) { checkIDs(t, tokens, tc) })
	})
}

// A text is cut if it has more tokens than it may have, by the reference's numbers of tokens.
func TestCut(t *testing.T) {
	_, tc := readTextCase(t, "text_minilm")
	tokens, err := openTokenizer(minilmFolder(t, "vocab.txt"))
	must(t, err)
	e := &Encoder{tokens: tokens}
	e.MaxTokens = slices.Max(tc.output.Untruncated)
	for most := MinTokens; most <= e.MaxTokens; most++ {
		want := 0
		for _, n := range tc.output.Untruncated {
			if n > most {
				want++
			}
		}
		if got, err := e.Cut(tc.inputs.Texts, most); err != nil || got != want {
			t.Errorf("at most %d tokens: %d texts are cut, want %d; %v", most, got, want, err)
		}
	}
	if got, err := e.Cut(tc.inputs.Texts, 0); err != nil || got != 0 { // as many as the encoder takes
		t.Errorf("%d texts are cut, %v", got, err)
	}
}

// All 12,101 titles of Amazon Beauty have the ids that Hugging Face gives.
func TestTokensOfAllTitles(t *testing.T) {
	var want struct {
		Titles, Tokens, Item int
		SHA256               []string
		IDs                  []int32
	}
	readJSON(t, "titles.json", &want)
	titles := beautyTitles(t)
	if len(titles) != want.Titles {
		t.Fatalf("%d titles, want %d", len(titles), want.Titles)
	}
	eachMiniLM(t, func(t *testing.T, tokens *tokenizer) {
		n := 0
		h := sha256.New()
		for i, title := range titles {
			ids, err := tokens.ids(title, 1<<20)
			must(t, err)
			if i+1 == want.Item && !slices.Equal(ids, want.IDs) {
				t.Errorf("item %d, %q:\n got %d\nwant %d", want.Item, title, ids, want.IDs)
			}
			n += len(ids)
			must(t, binary.Write(h, binary.LittleEndian, append([]int32{int32(len(ids))}, ids...)))
			if (i+1)%1000 == 0 || i+1 == len(titles) {
				if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256[i/1000] {
					t.Errorf("other ids than the reference's among the items %d to %d", i/1000*1000+1, i+1)
				}
				h.Reset()
			}
		}
		if n != want.Tokens {
			t.Errorf("%d tokens, want %d", n, want.Tokens)
		}
	})
}

// beautyTitles are the titles of the items 1 to 12,101.
func beautyTitles(t testing.TB) []string {
	t.Helper()
	d, err := datasets.Open(datasets.Config{Name: "amazon-beauty"}, "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	return m.Title[1:]
}

func TestWords(t *testing.T) {
	var f struct {
		Texts []string
		Cases []struct {
			Lowercase    bool
			StripAccents bool `json:"strip_accents"`
			SplitChinese bool `json:"split_chinese"`
			Words        [][]string
		}
		MiniLM [][]int32 `json:"minilm_ids"`
	}
	readJSON(t, "words.json", &f)
	if len(f.Texts) < 20 || len(f.Cases) != 8 {
		t.Fatalf("%d texts, %d cases", len(f.Texts), len(f.Cases))
	}
	for _, c := range f.Cases {
		tokens := tokenizer{tokenSettings: tokenSettings{Lowercase: c.Lowercase, StripAccents: c.StripAccents, SplitChinese: c.SplitChinese, CleanText: true}}
		for i, text := range f.Texts {
			if got := tokens.words(text); !slices.Equal(got, c.Words[i]) {
				t.Errorf("%q with %+v:\n got %q\nwant %q", text, tokens.tokenSettings, got, c.Words[i])
			}
		}
	}
	eachMiniLM(t, func(t *testing.T, tokens *tokenizer) {
		for i, text := range f.Texts {
			got, err := tokens.ids(text, 1<<20)
			must(t, err)
			if !slices.Equal(got, f.MiniLM[i]) {
				t.Errorf("%q:\n got %d\nwant %d", text, got, f.MiniLM[i])
			}
		}
	})
}

// Characters that Unicode has put into another category since version 8, which Hugging Face's
// tables have: the words of tokenizers 0.23.3.
func TestWordsOfUnicode8(t *testing.T) {
	tokens := tokenizer{tokenSettings: tokenSettings{Lowercase: true, StripAccents: true, SplitChinese: true, CleanText: true}}
	for text, want := range map[string][]string{
		"a\u166db": {"a", "\u166d", "b"}, "a\u1734b": {"ab"}, "a\u1885b": {"a\u1885b"}, "a\u1886b": {"a\u1886b"}, "a\ua9bdb": {"a\ua9bdb"},
	} {
		if got := tokens.words(text); !slices.Equal(got, want) {
			t.Errorf("%+q: got %+q, want %+q", text, got, want)
		}
	}
}

// Bytes that are not text must not end a run. They count as the replacement
// character, which cleaning removes.
func TestTokensOfBrokenText(t *testing.T) {
	tokens, err := openTokenizer(minilmFolder(t, "vocab.txt"))
	must(t, err)
	want, err := tokens.ids("nail cream", 16)
	must(t, err)
	got, err := tokens.ids("na\xffil \xc3 cr\x80eam\xf0\x9f", 16)
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"", "Crème [SEP]", "a\xff", "[MASK[SEP]"} {
		f.Add(s, 8)
	}
	tokens := &tokenizer{}
	var err error
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if tokens.special == nil {
			tokens, err = openTokenizer("testdata/variants/gelu_new")
			must(t, err)
		}
		limit = MinTokens + int(uint(limit)%100)
		ids, err := tokens.ids(text, limit)
		must(t, err)
		if len(ids) < 2 || len(ids) > limit || ids[0] != tokens.cls || ids[len(ids)-1] != tokens.sep {
			t.Errorf("%q: %d", text, ids)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= len(tokens.Vocabulary) {
				t.Errorf("%q: id %d", text, id)
			}
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	tokens, err := openTokenizer("testdata/variants/gelu_new")
	if err != nil {
		b.Fatal(err)
	}
	titles := beautyTitles(b)
	for b.Loop() {
		for _, title := range titles {
			if _, err := tokens.ids(title, 64); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(titles))*float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}
