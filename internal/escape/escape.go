// Package escape makes text that comes from data safe where it goes: titles, ids, labels,
// file names, names of hosts and processors in records of others. There is one function
// for each destination, called at the last moment. (HTML is left to html/template, after
// which Controls takes care of what a browser would not show; TREC files have fields of
// their own, see package rank.)
//
// They have one thing in common: characters that a reader cannot see, but that move the
// cursor, colour or reorder the text around them, become visible, as \u001b. The
// notation is that of JSON.
package escape

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line is text for one line of a terminal. Control characters, line breaks and tabs
// among them, characters that have no width or set the direction, and bytes that are
// not UTF-8 are written as \n, \u202e or \xff. Other text is returned as it is.
func Line(s string) string { return visible(s, "") }

// Controls does the same for text of several lines: it leaves line breaks and tabs.
// In a JSON document, whose strings have neither, the result is the same document.
func Controls(s string) string { return visible(s, "\n\t") }

func visible(s, keep string) string {
	i := strings.IndexFunc(s, func(r rune) bool {
		return r == utf8.RuneError || !shows(r)
	})
	if i < 0 {
		return s
	}
	out := []byte(s[:i])
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case strings.ContainsRune(keep, r):
			out = append(out, s[i])
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

// shows tells whether a character is seen, if only as a space. Of what Unicode calls
// ignorable, some are letters and marks to Go.
func shows(r rune) bool {
	return (unicode.IsPrint(r) || unicode.Is(unicode.Zs, r)) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// XML is text for the content or an attribute of an XML element, such as in an SVG: no
// control character is legal there, not even as a reference. The writer escapes < > & "
// itself.
func XML(s string) string { return Line(s) }

// CSV is a text cell. Spreadsheets take one that begins with = + - or @ for a formula
// and run it, so it gets an apostrophe in front; a number is left alone. The writer
// (encoding/csv) quotes separators and quotes itself.
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

// Markdown is text for a paragraph, a list item or a table cell of GitHub's Markdown:
// none of it becomes a tag, an entity, a link, emphasis, code, a formula, a heading or
// another cell.
func Markdown(s string) string {
	s = Line(s)
	var out strings.Builder
	for i, r := range s {
		switch {
		case r == '<':
			out.WriteString("&lt;")
			continue
		case r == '&':
			out.WriteString("&amp;")
			continue
		case strings.ContainsRune("\\|*`[]~$", r),
			r == '_' && !insideWord(s, i),                                                                             // GitHub takes no emphasis from within a word
			r == ':' && strings.HasPrefix(s[i:], "://"), r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"), // links without brackets
			strings.ContainsRune("#>", r) && begins(s, i),                                          // heading, quote
			strings.ContainsRune("+-", r) && begins(s, i) && strings.ContainsAny(next(s, i), " -"), // list, rule
			strings.ContainsRune(".)", r) && ordinal(s[:i]) && next(s, i) == " ":                   // numbered list
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func begins(s string, i int) bool { return strings.TrimLeft(s[:i], " ") == "" }

// next is the character after an ASCII one; at the end a space, like the line break.
func next(s string, i int) string { return (s + " ")[i+1 : i+2] }

func insideWord(s string, i int) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i+1:])
	return word(before) && word(after)
}

// ordinal tells whether a text is digits alone.
func ordinal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
