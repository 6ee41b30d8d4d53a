package escape

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// nasty has every character that is special in some format, and all characters that
// must never be written raw.
const nasty = "a\x1b[31mb\u202ec\u200bd\ne\tf\rg\x00h\x7fi\u009bj\xffk\u2028l\U000e0041m\ufeffn\u00ado\u3164p\u200dq"

func TestLine(t *testing.T) {
	const want = `a\u001b[31mb\u202ec\u200bd\ne\tf\rg\u0000h\u007fi\u009bj\xffk\u2028l\udb40\udc41m\ufeffn\u00ado\u3164p\u200dq`
	if got := Line(nasty); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, s := range []string{"", "Dove Men+Care", "Crème brûlée 50\u00a0%", "小説 – 第1巻", "ไทย", "हिन्दी", "😀", "\ufffd"} {
		if got := Line(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got, want := Controls("a\n\tb\x1b\r"), "a\n\tb\\u001b\\r"; got != want {
		t.Errorf("Controls: got %q, want %q", got, want)
	}
}

// A JSON document has the same values after Controls.
func TestControlsOfJSON(t *testing.T) {
	s := strings.ToValidUTF8(nasty, "") + "\u00a0\U0001f600\U000e0020"
	text, err := json.MarshalIndent(map[string]string{"a": s}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(Controls(string(text))), &got); err != nil || got["a"] != s {
		t.Errorf("%v: got %q, want %q", err, got["a"], s)
	}
}

func TestCSV(t *testing.T) {
	for s, want := range map[string]string{
		"=cmd()": "'=cmd()", "+1+2": "'+1+2", "-x": "'-x", "@SUM(A1)": "'@SUM(A1)", " =1": "' =1", "＝1": "'＝1",
		"\t=1": `\t=1`, "\r=1": `\r=1`, "\n=1": `\n=1`, "a=b": "a=b", "": "", "–": "–",
		"-0.5": "-0.5", "+1e-3": "+1e-3", "-1 to 2": "'-1 to 2",
	} {
		if got := CSV(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	for s, want := range map[string]string{
		"a|b":                   `a\|b`,
		"<script>":              "&lt;script>",
		"&lt; A & B &#x3c;":     "&amp;lt; A & B &amp;#x3c;",
		"[x](http://y)":         `\[x\](http\://y)`,
		"![x](y)":               `!\[x\](y)`,
		"www.example.org":       `www\.example.org`,
		"`rm`":                  "\\`rm\\`",
		`\|`:                    `\\\|`,
		"a_b _c_ __d":           `a_b \_c\_ \_\_d`,
		"*a* ~~b~~ $c$":         `\*a\* \~\~b\~\~ \$c\$`,
		"# a #":                 "# a #",
		"-.0044 to -.0008":      "-.0044 to -.0008",
		"train.batch_targets 1": "train.batch_targets 1",
		"a\nb":                  `a\\nb`,
		"HR@10 > .5, 1.5":       "HR@10 > .5, 1.5",
	} {
		if got := Markdown(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"# a #": `\# a #`, "> a": `\> a`, "- a - b": `\- a - b`, "---": `\---`, "-": `\-`, "+ a": `\+ a`, "1. a": `1\. a`, "  12) a": `12\) a`,
		"-5.3": "-5.3", "1.5 of 2": "1.5 of 2", "a # b": "a # b", "–: none": "–: none", "*": `\*`,
	} {
		if got := Paragraph(s); got != want {
			t.Errorf("paragraph %q: got %q, want %q", s, got, want)
		}
	}
}

func TestLatex(t *testing.T) {
	for s, want := range map[string]string{
		`\write18{rm}`:     `\textbackslash{}write18\{rm\}`,
		"$ & # ^ _ ~ %":    `\$ \& \# \textasciicircum{} \_ \textasciitilde{} \%`,
		"[a]*":             `{[}a{]}*`,
		"*a":               `{*}a`,
		"a--b---c":         `a-{}-b-{}-{}-c`,
		"?`":               `?\textasciigrave{}`,
		"Crème Brûlée":     "Cr\\`{e}me Br\\^{u}l\\'{e}e",
		"Cre\u0300me":      "Cr\\`{e}me", // decomposed
		"Ångström ſ":       `\r{A}ngstr\"{o}m {[}U+017F{]}`,
		"Łódź ß ệ":         `\L{}\'{o}d\'{z} \ss{} \^{\d{e}}`,
		"小説":               `{[}U+5C0F{]}{[}U+8AAC{]}`,
		"한":                `{[}U+D55C{]}`,
		"a\nb\u202e":       `a\textbackslash{}nb\textbackslash{}u202e`,
		"± – … × † \u00a0": `$\pm$ -- \dots{} $\times$ $^\dagger$  `,
	} {
		if got := Latex(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

// FuzzEscape: for any text, the result is one line of visible characters.
func FuzzEscape(f *testing.F) {
	f.Add(nasty)
	f.Add("\xe2\x80")
	f.Fuzz(func(t *testing.T, s string) {
		for name, safe := range map[string]func(string) string{"line": Line, "csv": CSV, "markdown": Markdown, "paragraph": Paragraph, "xml": XML, "latex": Latex} {
			got := safe(s)
			if !utf8.ValidString(got) {
				t.Errorf("%s: %q became %q, which is not UTF-8", name, s, got)
			}
			for _, r := range got {
				if unicode.Is(unicode.C, r) || unicode.In(r, unicode.Zl, unicode.Zp) || name == "latex" && r > 0x7e {
					t.Errorf("%s: %q became %q", name, s, got)
					break
				}
			}
		}
	})
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriter(t *testing.T) {
	var to strings.Builder
	w := &Writer{To: &to}
	for _, b := range []byte(nasty + "–\n\xe2\x80") {
		if n, err := w.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	want := strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(Line(nasty)) + "–\n" + `\xe2\x80`
	if err := w.Err(); err != nil || to.String() != want {
		t.Errorf("%v: got  %q\nwant %q", err, to.String(), want)
	}
	w = &Writer{To: broken{}}
	for range 2 {
		if n, err := w.Write([]byte("text")); n != 4 || err != nil {
			t.Error(n, err)
		}
	}
	if err := w.Err(); err != errBroken {
		t.Errorf("got %v", err)
	}
}
