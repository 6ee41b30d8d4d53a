// Package escape makes text from data safe for its destination: titles, ids, labels, file
// names, names of hosts and processors in records of others. There is one function for
// each destination, called at the last moment. (HTML is left to html/template, after
// which Controls escapes characters that a browser would not show; TREC files have their
// own encoding, see package rank.)
//
// All of them make characters visible that a reader cannot see, but that move the
// cursor, or colour or reorder the text around them: they become \u001b, for example.
// The notation is that of JSON.
package escape

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line is text for one line of a terminal. Control characters, including line breaks
// and tabs, characters that have no width or set the direction, and bytes that are
// not UTF-8 are written as \n, \u202e or \xff. Other text is unchanged.
func Line(s string) string { return visible(s, "") }

// Controls does the same for text of several lines: it keeps line breaks and tabs.
// In a JSON document, whose strings have neither, the result is the same document.
func Controls(s string) string { return visible(s, "\n\t") }

func visible(s, keep string) string {
	i := strings.IndexFunc(s, func(r rune) bool {
		return r == utf8.RuneError || !shows(r)
	})
	if i < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)+len(s)/16), s[:i]...)
	for i < len(s) {
		plain := i // most text is ASCII, and the page has megabytes of it
		for i < len(s) && (' ' <= s[i] && s[i] <= '~' || strings.IndexByte(keep, s[i]) >= 0) {
			i++
		}
		if out = append(out, s[plain:i]...); i == len(s) {
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out = fmt.Appendf(out, `\x%02x`, s[i])
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case shows(r):
			out = append(out, s[i:i+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return string(out)
}

// shows reports whether a character is visible, if only as a space. Go counts some
// of the characters that Unicode calls ignorable as letters and marks.
func shows(r rune) bool {
	return ' ' <= r && r <= '~' || (unicode.IsPrint(r) || unicode.Is(unicode.Zs, r)) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// XML is text for the content or an attribute of an XML element, such as in an SVG: no
// control character is legal there, not even as a reference. The writer escapes < > & "
// itself.
func XML(s string) string { return Line(s) }

// CSV is a text cell. Spreadsheets take a cell that begins with = + - or @ for a
// formula and run it, so it gets an apostrophe in front. Numbers are unchanged. The
// writer (encoding/csv) quotes separators and quotes itself.
func CSV(s string) string {
	s = Line(s)
	start := strings.TrimLeft(s, " ")
	if start != "" && strings.ContainsAny("=+-@＝＋－＠", string([]rune(start)[:1])) && !isNumber(s) {
		return "'" + s
	}
	return s
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// Markdown is text within a line of GitHub's Markdown, such as the cell of a table: none
// of it becomes a tag, an entity, a link, emphasis, code, a formula or another cell.
func Markdown(s string) string {
	s = Line(s)
	var out strings.Builder
	for i, r := range s {
		switch {
		case r == '<':
			out.WriteString("&lt;")
			continue
		case r == '&' && entity.MatchString(s[i:]):
			out.WriteString("&amp;")
			continue
		case strings.ContainsRune("\\|*`[]~$", r),
			r == '_' && !insideWord(s, i),                                                                             // GitHub ignores emphasis within a word
			r == ':' && strings.HasPrefix(s[i:], "://"), r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"): // links without brackets
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// entity is the HTML name of a character.
var entity = regexp.MustCompile(`^&#?[0-9A-Za-z]+;`)

// Paragraph is text that begins a paragraph or an item of a list in Markdown: it does not
// become a heading, a quote, a rule or a list either.
func Paragraph(s string) string {
	s = strings.TrimLeft(Markdown(s), " ")
	if i := block.FindStringSubmatchIndex(s); i != nil {
		at := max(i[2], i[4], i[6]) // -1: not this one
		return s[:at] + `\` + s[at:]
	}
	return s
}

// block matches the beginning of another kind of block; the group is the
// character to escape.
var block = regexp.MustCompile(`^(?:([#>])|([+-])(?:[ -]|$)|[0-9]+([.)])(?: |$))`)

func insideWord(s string, i int) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i+1:])
	return word(before) && word(after)
}
