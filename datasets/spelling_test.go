package datasets

import "testing"

// A label has one spelling, whichever program wrote it.
func TestTidy(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		" Acme\u00a0 Ltd ":   "Acme Ltd",
		"AT&amp;T":           "AT&T",
		"AT&T":               "AT&T",
		"B&copy":             "B&copy", // no entity without a semicolon
		"&#233;t&#xe9;":      "été",
		"Cafe\u0301":         "Caf\u00e9",
		"soft\u00adhyphen":   "softhyphen",
		"\ufeffzero\u200b w": "zero w",
		"&unknown; &":        "&unknown; &",
	} {
		if got := tidy(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
