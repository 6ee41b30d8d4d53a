package escape

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Latex is text for LaTeX, in ASCII, so that every engine and encoding prints it. Letters
// with accents are written with LaTeX's commands. A character that plain LaTeX does not
// have is named, as in [U+4E2D].
func Latex(s string) string {
	var out strings.Builder
	last := ' '
	for _, r := range norm.NFC.String(Line(s)) {
		text, known := latexText[r]
		switch {
		case r == '-' && last == '-': // two hyphens would be a dash
			text = "{}-"
		case r == '*' && out.Len() == 0: // \\* is a command
			text = "{*}"
		case known:
		case r < 0x80:
			text = string(r)
		case unicode.Is(unicode.Zs, r):
			text = " "
		default:
			if text = accent(r); text == "" {
				text = fmt.Sprintf("{[}U+%04X{]}", r)
			}
		}
		out.WriteString(text)
		last = r
	}
	return out.String()
}

// accent writes a letter with accents, innermost first; "" for other characters.
func accent(r rune) string {
	parts := []rune(norm.NFD.String(string(r)))
	if len(parts) < 2 || !strings.ContainsRune(accented, parts[0]) {
		return ""
	}
	text := cmp.Or(latexText[parts[0]], string(parts[0]))
	for _, mark := range parts[1:] {
		command, ok := latexAccents[mark]
		if !ok {
			return ""
		}
		text = `\` + command + `{` + text + `}`
	}
	return text
}

// accented are the letters that get accents.
const accented = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzÆØæøı"

// latexAccents are the commands for combining characters.
var latexAccents = map[rune]string{
	0x300: "`", 0x301: "'", 0x302: "^", 0x303: "~", 0x304: "=", 0x306: "u", 0x307: ".", 0x308: `"`,
	0x30a: "r", 0x30b: "H", 0x30c: "v", 0x323: "d", 0x327: "c", 0x328: "k", 0x331: "b",
}

// latexText are the characters that are special to LaTeX, and those outside ASCII that
// it has.
var latexText = map[rune]string{
	'\\': `\textbackslash{}`, '{': `\{`, '}': `\}`, '~': `\textasciitilde{}`, '^': `\textasciicircum{}`,
	'&': `\&`, '%': `\%`, '$': `\$`, '#': `\#`, '_': `\_`, '<': `$<$`, '>': `$>$`, '|': `$|$`, '"': `''`,
	'`': `\textasciigrave{}`, '[': `{[}`, ']': `{]}`,
	'±': `$\pm$`, '–': `--`, '—': `---`, '†': `$^\dagger$`, '‡': `$^\ddagger$`, '×': `$\times$`, '÷': `$\div$`, '…': `\dots{}`,
	'−': `$-$`, '≤': `$\leq$`, '≥': `$\geq$`, '∞': `$\infty$`, '·': `$\cdot$`, '°': `$^\circ$`, 'µ': `$\mu$`, 'μ': `$\mu$`,
	'‘': "`", '’': `'`, '“': "``", '”': `''`, '„': `,,`, '«': `$\ll$`, '»': `$\gg$`, '•': `$\bullet$`, '‐': `-`, '‑': `-`,
	'¡': "!`", '¿': "?`", '§': `\S{}`, '¶': `\P{}`, '©': `\copyright{}`, '®': `\textregistered{}`, '™': `\texttrademark{}`, '£': `\pounds{}`, '€': `\texteuro{}`,
	'ß': `\ss{}`, 'Æ': `\AE{}`, 'æ': `\ae{}`, 'Œ': `\OE{}`, 'œ': `\oe{}`, 'Ø': `\O{}`, 'ø': `\o{}`, 'Ł': `\L{}`, 'ł': `\l{}`, 'ı': `\i{}`,
}
