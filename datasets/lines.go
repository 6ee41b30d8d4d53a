package datasets

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxLine bounds a line, so that a file that is not text cannot fill the
// memory.
const maxLine = 64 << 20

// lines reads a text file, plain or gzip, line by line as UTF-8, without byte order
// mark, line ends (LF or CRLF) and blank lines. The content decides how the file is
// read, not its name: gzip is recognised by its first bytes, UTF-16 by its byte
// order mark or its NUL bytes, Windows-1252 (and so Latin-1) by lines that are not
// UTF-8.
type lines struct {
	show string
	f    fs.File
	r    *bufio.Reader
	n    int    // number of the current line, or of the first line of a record of several
	read int    // lines read so far
	long []byte // holds lines longer than the reader's buffer

	text    encoding
	textAt  int    // line that decided it
	decoded []byte // the current line in UTF-8, if the file is not UTF-8
	utf16   bool   // r decodes UTF-16
	latin1  bool   // the format defines that text other than UTF-8 is Latin-1
	warn    func(string)
}

func openLines(f file) (*lines, error) {
	info, err := fs.Stat(f.fsys, f.name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.show, cause(err))
	}
	// Opening a named pipe would wait for a writer forever.
	if what := notAFile(info.Mode()); what != "" {
		return nil, &ParseError{File: f.show, Msg: fmt.Sprintf("is %s; expected a regular file", what)}
	}
	h, err := f.fsys.Open(f.name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.show, cause(err))
	}
	l := &lines{show: f.show, f: h, r: bufio.NewReaderSize(h, bufferSize)}
	limit := 0
	if f.src != nil {
		limit = f.src.unpackLimit
		l.warn = func(s string) { f.src.warnings = append(f.src.warnings, s) }
	}
	if err := l.begin(info.Size(), limit); err != nil {
		h.Close()
		return nil, err
	}
	return l, nil
}

const bufferSize = 1 << 18

// notAFile names the kind of a file that is not regular; "" for regular files.
func notAFile(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// begin unpacks and decodes, and refuses files that are not text.
func (l *lines) begin(size int64, limitGiB int) error {
	refuse := func(format string, args ...any) error {
		return &ParseError{File: l.show, Msg: fmt.Sprintf(format, args...)}
	}
	if head, _ := l.r.Peek(2); bytes.Equal(head, gzipMagic) {
		z, err := gzip.NewReader(l.r)
		if err != nil {
			return l.damaged(err)
		}
		limit := max(unpackAtLeast, unpackRatio*size)
		if limitGiB > 0 {
			limit = int64(limitGiB) << 30
		}
		l.r = bufio.NewReaderSize(&limited{r: z, left: limit + 1, limit: limit, show: l.show}, bufferSize)
	}
	head, _ := l.r.Peek(512)
	if what := sniff(head); what != "" {
		return refuse("%s", what)
	}
	head, _ = l.r.Peek(4096)
	if order, bom, ok := utf16Order(head); ok {
		decoder := unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder()
		if bom {
			l.r.Discard(2)
		}
		l.r, l.utf16 = bufio.NewReaderSize(transform.NewReader(l.r, decoder), bufferSize), true
	}
	if bom, _ := l.r.Peek(3); bytes.Equal(bom, utf8BOM) {
		l.r.Discard(3)
	}
	// A file with old line ends is one line, however large it is.
	if head, _ = l.r.Peek(1 << 16); bytes.IndexByte(head, '\n') < 0 {
		if i := bytes.IndexByte(head, '\r'); i >= 0 && i < len(head)-1 {
			return refuse("line ends are CR, as old spreadsheets write them; convert them to LF, for example with tr '\\r' '\\n'")
		}
	}
	return nil
}

// A gzip file may unpack to unpackAtLeast bytes or unpackRatio times its size,
// whichever is more: logs shrink to a tenth or a twentieth of their size, and only
// files made for this purpose to a thousandth.
const (
	unpackAtLeast = 256 << 20
	unpackRatio   = 50
)

// limited stops a gzip file that would unpack endlessly.
type limited struct {
	r           io.Reader
	left, limit int64
	show        string
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, &ParseError{File: l.show, Msg: fmt.Sprintf("unpacks to more than %d MiB, far more than its size; if that is right, raise unpack_limit (in GiB) in the data set's table", l.limit>>20)}
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

func (l *lines) Close() error { return l.f.Close() }

// next returns the next line that is not blank, valid until the next call;
// io.EOF at the end.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.line()
		if err != nil {
			return nil, err
		}
		if len(line) > 0 && (line[0] > ' ' || len(bytes.TrimSpace(line)) > 0) {
			l.n = l.read
			return line, nil
		}
	}
}

// line returns the next line, blank or not.
func (l *lines) line() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, err = l.rest(line)
	}
	if err != nil && err != io.EOF {
		return nil, l.damaged(err)
	}
	if len(line) == 0 {
		return nil, io.EOF
	}
	l.read++
	line = bytes.TrimSuffix(line, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if bytes.IndexByte(line, 0) >= 0 {
		l.n = l.read
		return nil, l.errorf("the line holds NUL bytes: this is a binary file, or UTF-16 without a byte order mark; convert it to UTF-8")
	}
	if isASCII(line) {
		return line, nil
	}
	return l.toUTF8(line)
}

// toUTF8 returns a line that is not ASCII as UTF-8. The first such line decides
// the encoding of the whole file.
func (l *lines) toUTF8(line []byte) ([]byte, error) {
	fail := func(format string, args ...any) ([]byte, error) {
		l.n = l.read
		return nil, l.errorf(format, args...)
	}
	valid := utf8.Valid(line)
	if l.text == asciiText {
		l.text, l.textAt = utf8Text, l.read
		if !valid {
			l.text = windows1252
			if !l.latin1 && l.warn != nil {
				l.warn(fmt.Sprintf("%s is not UTF-8 and is read as Windows-1252 (Latin-1), see line %d: %s; convert it to UTF-8 if characters are wrong", filepath.Base(l.show), l.read, excerpt(line)))
			}
		}
	}
	switch {
	case l.utf16 && bytes.ContainsRune(line, utf8.RuneError):
		return fail("the line is not UTF-16: it is cut or damaged")
	case l.text == utf8Text && !valid:
		return fail("the line is not UTF-8, but line %d is; convert the whole file to UTF-8", l.textAt)
	case l.text == utf8Text:
		return line, nil
	case valid:
		return fail("the line is UTF-8, but line %d is not; convert the whole file to UTF-8", l.textAt)
	}
	var ok bool
	if l.decoded, ok = decode1252(l.decoded[:0], line, l.latin1); !ok {
		return fail("the line is not UTF-8, and not certainly Windows-1252 (Latin-1); convert the file to UTF-8, for example with iconv")
	}
	return l.decoded, nil
}

// all returns the rest of the text.
func (l *lines) all() ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(l.r, maxText+1))
	if err != nil {
		return nil, l.damaged(err)
	}
	if len(text) > maxText {
		return nil, l.errorf("longer than %d MiB", maxText>>20)
	}
	if !utf8.Valid(text) {
		return nil, l.errorf("the file is not UTF-8; convert it")
	}
	return text, nil
}

// maxText bounds files that are read at once.
const maxText = 1 << 30

// rest reads the rest of a line whose beginning filled the reader's buffer.
func (l *lines) rest(begin []byte) ([]byte, error) {
	l.long = append(l.long[:0], begin...)
	for {
		more, err := l.r.ReadSlice('\n')
		l.long = append(l.long, more...)
		if err != bufio.ErrBufferFull {
			return l.long, err
		}
		if len(l.long) > maxLine {
			l.read++
			l.n = l.read
			return nil, l.errorf("line longer than %d MiB; is this a text file?", maxLine>>20)
		}
	}
}

// errorf reports a problem in the current line.
func (l *lines) errorf(format string, args ...any) error {
	return &ParseError{File: l.show, Line: l.n, Msg: fmt.Sprintf(format, args...)}
}

// damaged explains an error of the reader below, most often a broken gzip.
func (l *lines) damaged(err error) error {
	var p *ParseError
	if errors.As(err, &p) {
		return err
	}
	msg := err.Error()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		msg = "gzip data ends too early: the file is truncated; fetch it again"
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), strings.Contains(msg, "flate:"):
		msg = "damaged gzip data (" + msg + "); fetch it again"
	}
	return &ParseError{File: l.show, Line: l.read + 1, Msg: msg}
}
