package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// literal reads one JSON value or Python literal, token by token, and builds
// only what the caller asks for. The metadata of the Amazon 2014 release is
// Python's repr of a dict: single or double quotes, strings such as u'x', \x escapes,
// None, True, tuples, 5L. JSON is close enough to share the reader.
type literal struct {
	b     []byte
	i     int
	depth int
	line  int    // of the current line b
	buf   []byte // the last string, if it had escapes
}

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 100

func (p *literal) errorf(format string, args ...any) error {
	return fmt.Errorf("column %d: %s", p.i+1, fmt.Sprintf(format, args...))
}

func (p *literal) expected(what string) error {
	if p.i >= len(p.b) {
		return p.errorf("the line ends where %s was expected", what)
	}
	return p.errorf("expected %s, got %s", what, excerpt(p.b[p.i:min(p.i+20, len(p.b))]))
}

// peek skips blanks and returns the next byte, 0 at the end.
func (p *literal) peek() byte {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; c {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing follows the value.
func (p *literal) end() error {
	if p.peek(); p.i < len(p.b) {
		return p.expected("the end")
	}
	return nil
}

// dict calls value for each key; value must read the key's value. The key is
// valid until then.
func (p *literal) dict(value func(key []byte) error) error {
	return p.sequence('{', '}', "a dict", func() error {
		key, err := p.str()
		if err != nil {
			return err
		}
		if p.peek() != ':' {
			return p.expected(`":"`)
		}
		p.i++
		return value(key)
	})
}

// list calls element for each element of a list or tuple; element must read it.
func (p *literal) list(element func() error) error {
	if p.peek() == '(' {
		return p.sequence('(', ')', "a list", element)
	}
	return p.sequence('[', ']', "a list", element)
}

func (p *literal) sequence(open, close byte, what string, element func() error) error {
	if p.peek() != open {
		return p.expected(what)
	}
	if p.depth++; p.depth > maxDepth {
		return p.errorf("nested more than %d deep", maxDepth)
	}
	p.i++
	for p.peek() != close {
		if err := element(); err != nil {
			return err
		}
		switch p.peek() {
		case ',':
			p.i++
		case close:
		default:
			return p.expected(fmt.Sprintf(`"," or %q`, close))
		}
	}
	p.i++
	p.depth--
	return nil
}

// skip reads any value and drops it.
func (p *literal) skip() error {
	switch c := p.peek(); {
	case c == '{':
		return p.dict(func([]byte) error { return p.skip() })
	case c == '[' || c == '(':
		return p.list(p.skip)
	case p.atString():
		_, err := p.str()
		return err
	case c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9':
		_, err := p.number()
		return err
	}
	for _, word := range []string{"None", "True", "False", "null", "true", "false", "NaN", "nan", "Infinity", "inf"} {
		if bytes.HasPrefix(p.b[p.i:], []byte(word)) {
			p.i += len(word)
			return nil
		}
	}
	return p.expected("a value")
}

// number reads a number and returns its text, without Python's L.
func (p *literal) number() ([]byte, error) {
	p.peek()
	begin := p.i
	for p.i < len(p.b) && bytes.IndexByte([]byte("+-.0123456789eE"), p.b[p.i]) >= 0 {
		p.i++
	}
	text := p.b[begin:p.i]
	if len(text) == 0 {
		return nil, p.expected("a number")
	}
	if _, err := strconv.ParseFloat(string(text), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		p.i = begin
		return nil, p.expected("a number")
	}
	if p.i < len(p.b) && (p.b[p.i] == 'L' || p.b[p.i] == 'l') {
		p.i++
	}
	return text, nil
}

// atString reports whether a string begins here, with or without a prefix.
func (p *literal) atString() bool {
	j := p.i
	for j < len(p.b) && j < p.i+2 && bytes.IndexByte([]byte("uUrRbB"), p.b[j]) >= 0 {
		j++
	}
	return j < len(p.b) && (p.b[j] == '\'' || p.b[j] == '"')
}

// str reads a string and returns its bytes in UTF-8, valid until the next call.
func (p *literal) str() ([]byte, error) {
	p.peek()
	if !p.atString() {
		return nil, p.expected("a string")
	}
	raw := false
	for p.b[p.i] != '\'' && p.b[p.i] != '"' {
		raw = raw || p.b[p.i] == 'r' || p.b[p.i] == 'R'
		p.i++
	}
	quote := p.b[p.i]
	p.i++
	begin := p.i
	p.buf = p.buf[:0]
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == quote:
			text := p.b[begin:p.i]
			p.i++
			if len(p.buf) == 0 {
				return text, nil
			}
			p.buf = append(p.buf, text...)
			return p.buf, nil
		case c == '\\':
			p.buf = append(p.buf, p.b[begin:p.i]...)
			if err := p.escape(raw); err != nil {
				return nil, err
			}
			begin = p.i
		default:
			p.i++
		}
	}
	return nil, p.expected("the string's closing quote")
}

// escape appends the meaning of the escape sequence at p.i.
func (p *literal) escape(raw bool) error {
	if p.i+1 >= len(p.b) {
		p.i++
		return p.expected("an escaped character")
	}
	c := p.b[p.i+1]
	if raw { // the backslash stays, and the quote after it ends nothing
		p.buf = append(p.buf, '\\', c)
		p.i += 2
		return nil
	}
	p.i += 2
	switch c {
	case 'n':
		p.buf = append(p.buf, '\n')
	case 't':
		p.buf = append(p.buf, '\t')
	case 'r':
		p.buf = append(p.buf, '\r')
	case 'b':
		p.buf = append(p.buf, '\b')
	case 'f':
		p.buf = append(p.buf, '\f')
	case 'a':
		p.buf = append(p.buf, '\a')
	case 'v':
		p.buf = append(p.buf, '\v')
	case '\n': // a continued line
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'U':
		return p.hex(8)
	case '\\', '\'', '"', '/':
		p.buf = append(p.buf, c)
	default:
		if c < '0' || c > '7' {
			p.buf = append(p.buf, '\\', c) // as Python does
			return nil
		}
		v := rune(c - '0')
		for n := 1; n < 3 && p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] <= '7'; n++ {
			v = v*8 + rune(p.b[p.i]-'0')
			p.i++
		}
		p.buf = utf8.AppendRune(p.buf, v)
	}
	return nil
}

// hex appends the character whose code is the next n hexadecimal digits,
// joining surrogate pairs.
func (p *literal) hex(n int) error {
	v, ok := p.digits(n)
	if !ok {
		return p.expected(fmt.Sprintf("%d hexadecimal digits", n))
	}
	if utf16.IsSurrogate(v) && p.i+1 < len(p.b) && p.b[p.i] == '\\' && p.b[p.i+1] == 'u' {
		p.i += 2
		low, ok := p.digits(4)
		if !ok {
			return p.expected("4 hexadecimal digits")
		}
		if pair := utf16.DecodeRune(v, low); pair != utf8.RuneError {
			v = pair
		} else {
			p.i -= 6 // not a pair: the second is read on its own
		}
	}
	p.buf = utf8.AppendRune(p.buf, v) // a lone surrogate becomes U+FFFD
	return nil
}

func (p *literal) digits(n int) (rune, bool) {
	if p.i+n > len(p.b) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(p.b[p.i:p.i+n]), 16, 32)
	if err != nil {
		return 0, false
	}
	p.i += n
	if v > utf8.MaxRune {
		return utf8.RuneError, true
	}
	return rune(v), true
}
