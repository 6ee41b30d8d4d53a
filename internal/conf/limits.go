package conf

import (
	"bytes"
	"fmt"
	"iter"
	"unicode/utf8"

	"famebench/internal/escape"
)

// Limits of a document. They are far above what a configuration needs, and low enough that
// the parser never takes more than a moment or exhausts its stack.
const (
	mostBytes = 1 << 20
	mostDepth = 32 // of lists and tables within each other, and parts of a dotted key

	mostKeyBytes = 16 << 20 // of all keys, each with the names of the tables that it is in
)

// MostValues is the maximum number of values of a list.
const MostValues = 10_000

// check refuses a document that is too large, too deep or not UTF-8 text, and returns it
// without its byte order mark.
func check(name string, src []byte) ([]byte, error) {
	if len(src) > mostBytes {
		return nil, fmt.Errorf("%s: expected a configuration of at most 1 MiB, got %d bytes", name, len(src))
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s:1: expected UTF-8, got UTF-16: save the file as UTF-8", name)
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	line := 1
	for text := src; len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			return nil, fmt.Errorf("%s:%d: expected UTF-8, got the byte 0x%02x: save the file as UTF-8", name, line, text[0])
		}
		if r < ' ' && r != '\t' && r != '\n' && !bytes.HasPrefix(text, []byte("\r\n")) || r == 0x7f {
			return nil, fmt.Errorf("%s:%d: expected text, got the control character 0x%02x", name, line, r)
		}
		if r == '\n' {
			line++
		}
		text = text[size:]
	}
	return src, checkDepth(name, src)
}

// checkDepth checks the nesting of brackets and the dots outside of strings and
// comments.
func checkDepth(name string, src []byte) error {
	depth, dots := 0, 0
	for i, line := range syntax(src) {
		switch src[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '=', ',', '\n':
			dots = 0
		case '.':
			dots++
		}
		if depth > mostDepth || dots > mostDepth {
			return fmt.Errorf("%s:%d: expected lists, tables and dotted keys of at most %d levels", name, line, mostDepth)
		}
	}
	return nil
}

// syntax yields the indices of the bytes that are outside of strings and comments, each
// with its line.
func syntax(src []byte) iter.Seq2[int, int] {
	return func(yield func(i, line int) bool) {
		line := 1
		for i := 0; i < len(src); i++ {
			switch c := src[i]; c {
			case '#':
				for i+1 < len(src) && src[i+1] != '\n' {
					i++
				}
			case '"', '\'':
				end := stringEnd(src, i)
				line += bytes.Count(src[i:end], []byte("\n"))
				i = end - 1
			default:
				if !yield(i, line) {
					return
				}
				if c == '\n' {
					line++
				}
			}
		}
	}
}

// stringEnd returns the index after a string that begins at i. If it is not closed,
// which the parser reports, that is the end of its line or of the document.
func stringEnd(src []byte, i int) int {
	quote := src[i : i+1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(src[i:], triple) {
		quote = triple
	}
	for k := i + len(quote); k < len(src); k++ {
		switch {
		case bytes.HasPrefix(src[k:], quote):
			k += len(quote)
			for more := 0; len(quote) == 3 && more < 2 && k < len(src) && src[k] == quote[0]; more++ {
				k++ // a long string may end in up to two quotes of its own
			}
			return k
		case src[k] == '\\' && quote[0] == '"':
			k++
		case src[k] == '\n' && len(quote) == 1:
			return k
		}
	}
	return len(src)
}

// place is what an error refers to: file and line, or the assignment of -set, and the
// key.
func place(where, path string) string {
	if path == "" {
		return escape.Line(where) + ": "
	}
	return escape.Line(where) + ": " + shownPath(path) + ": "
}

func shownPath(path string) string { return shorten(escape.Line(path), 200) }

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// Quote quotes a string of the document for a message, and shortens it if it is
// long.
func Quote(s string) string { return fmt.Sprintf("%q", shorten(s, 60)) }
