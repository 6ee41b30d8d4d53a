package datasets

import (
	"fmt"
	"strings"
	"testing"
)

func TestLiteralStrings(t *testing.T) {
	// Expected values come from Python 3's ast.literal_eval or json.loads. The
	// exception is U+FFFD, where these keep half of a surrogate pair or refuse.
	for in, want := range map[string]string{
		`'a'`:                   "a",
		`"it's"`:                "it's",
		`'say "x"'`:             `say "x"`,
		`'it\'s'`:               "it's",
		`u'caf\xe9'`:            "café",
		`u"\u20ac \U0001F600"`:  "€ 😀",
		`"\ud83d\ude00"`:        "😀",
		`'a\tb\nc\\d\/'`:        "a\tb\nc\\d/",
		`'\101\60z'`:            "A0z",
		`'\q'`:                  `\q`,
		`r'\n\''`:               `\n\'`,
		`''`:                    "",
		`'\ud83dx'`:             "\ufffdx",
		`'\ud83d\u0041'`:        "\ufffdA",
		`'\Uffffffff'`:          "\ufffd",
		"'caf\xc3\xa9'":         "café",
		`b'bytes'`:              "bytes",
		`   'blanks before'   `: "blanks before",
	} {
		p := &literal{b: []byte(in)}
		got, err := p.str()
		if err == nil {
			err = p.end()
		}
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestLiteralSkip(t *testing.T) {
	for _, in := range []string{
		`None`, `True`, `false`, `null`, `nan`, `-1`, `1.5e-3`, `12345678901234567890L`, `.5`, `inf`, `1e999`,
		`[]`, `()`, `{}`, `[1, 'a', None]`, `(1,)`, `[1, 2, ]`, `{'a': {'b': [(1, 2), {'c': "d}]"}]}, u'e': -1}`,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
	} {
		p := &literal{b: []byte(in)}
		if err := p.skip(); err != nil {
			t.Errorf("%.40s: %v", in, err)
		} else if err := p.end(); err != nil {
			t.Errorf("%.40s: %v", in, err)
		}
	}
	for in, want := range map[string]string{
		``:                 "the line ends where a value was expected",
		`[1`:               `the line ends where "," or ']' was expected`,
		`[1 2]`:            `column 4: expected "," or ']', got "2]"`,
		`{'a' 1}`:          `column 6: expected ":", got "1}"`,
		`{1: 2}`:           `expected a string, got "1: 2}"`,
		`'abc`:             "closing quote",
		`'abc\`:            "an escaped character",
		`'\x4'`:            "2 hexadecimal digits",
		`'\ud83d\u12'`:     "4 hexadecimal digits",
		`open('x').read()`: "expected a value",
		`1-2`:              "expected a number",
		`--1`:              "expected a number",
		`]`:                "expected a value",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1): "nested more than 100 deep",
	} {
		p := &literal{b: []byte(in)}
		if err := p.skip(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v; want %s", in, err, want)
		}
	}
}

func TestLiteralDict(t *testing.T) {
	p := &literal{b: []byte(`{'a': [1, 2.5], "\u0062": (3,), 'c': {}}`)}
	var got []string
	err := p.dict(func(key []byte) error {
		name := string(key)
		if name == "c" {
			return p.skip()
		}
		return p.list(func() error {
			n, err := p.number()
			got = append(got, fmt.Sprintf("%s%s", name, n))
			return err
		})
	})
	if err != nil || strings.Join(got, " ") != "a1 a2.5 b3" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]float64{"0": 0, "3.5": 3.5, "007": 7, "1.": 1, "881250949": 881250949, "0.1": 0.1,
		"123456789012345": 123456789012345, "-2": -2, "1e3": 1000, "12345678901234567890": 12345678901234567890, " 5": 5, "978300760.000": 978300760} {
		if got, ok := parseNumber([]byte(in)); !ok || got != want {
			t.Errorf("parseNumber(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", ".", "x", "1,5", "NaN", "inf", "1e999", "--1", "1.2.3", "0x", "0x1p4", "1_0"} {
		if got, ok := parseNumber([]byte(in)); ok {
			t.Errorf("parseNumber(%q) = %v", in, got)
		}
	}
}
