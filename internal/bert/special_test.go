package bert

import (
	"slices"
	"testing"
)

// A title may contain the text of a special token. Hugging Face's tokenizer gives
// such text the token's id, in that spelling only, and cuts at max−2 pieces,
// around which it puts [CLS] and [SEP]. Letters with composed and with combining
// accents are the same. Expected ids are those of tokenizers 0.23.3 with MiniLM's
// vocabulary. Both rules surprise people (huggingface/tokenizers issue 722,
// huggingface/transformers issues 5738 and 22490).
func TestSpecialTokensInTexts(t *testing.T) {
	cases := []struct {
		text string
		max  int
		want []int32
	}{
		{"Shampoo [SEP] 500 ml", 128, []int32{101, 25850, 24667, 102, 3156, 19875, 102}},
		{"[MASK] of Zorro", 128, []int32{101, 103, 1997, 1062, 29459, 102}},
		{"mask of [mask] [Sep]", 128, []int32{101, 7308, 1997, 1031, 7308, 1033, 1031, 19802, 1033, 102}},
		{"[CLS][SEP][MASK]", 128, []int32{101, 101, 102, 103, 102}},
		{"Ultra[MASK]Repair", 128, []int32{101, 11087, 103, 7192, 102}},
		{"[ MASK ]", 128, []int32{101, 1031, 7308, 1033, 102}},
		{"[PAD] [UNK]", 128, []int32{101, 0, 100, 102}},
		{"a [SEP]b [MASK", 128, []int32{101, 1037, 102, 1038, 1031, 7308, 102}},
		{"Caf\u00e9 cr\u00e8me", 128, []int32{101, 7668, 13675, 21382, 102}},
		{"Cafe\u0301 cre\u0300me", 128, []int32{101, 7668, 13675, 21382, 102}},
		{"资生堂[MASK]洗", 128, []int32{101, 100, 1910, 1805, 103, 100, 102}},

		{"Shampoo [SEP] 500 ml", 3, []int32{101, 25850, 102}},
		{"[CLS][SEP][MASK]", 3, []int32{101, 101, 102}},
		{"[CLS][SEP][MASK]", 4, []int32{101, 101, 102, 102}},
		{"a [SEP]b [MASK", 4, []int32{101, 1037, 102, 102}},
		{"Shampoo [SEP] 500 ml", 6, []int32{101, 25850, 24667, 102, 3156, 102}},
		{"[MASK] of Zorro", 6, []int32{101, 103, 1997, 1062, 29459, 102}}, // just fits
		{"资生堂[MASK]洗", 6, []int32{101, 100, 1910, 1805, 103, 102}},
	}
	eachMiniLM(t, func(t *testing.T, tokens *tokenizer) {
		for _, c := range cases {
			if got, err := tokens.ids(c.text, c.max); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q, at most %d: %v %v, want %v", c.text, c.max, got, err, c.want)
			}
		}
	})
}
