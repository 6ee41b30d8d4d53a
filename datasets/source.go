package datasets

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// source is the folder that holds a data set's files: on disk, embedded, or
// in memory in tests.
type source struct {
	fsys  fs.FS
	dir   string // how messages name the folder
	main  string // file of the interactions, within fsys
	items *file  // metadata file that the configuration names, nil if none
	attrs *file  // attribute file that the configuration names, nil if none
}

// file is one file in some folder.
type file struct {
	fsys fs.FS
	name string
	show string // how messages name it
}

func (s *source) file(name string) file { return file{s.fsys, name, s.display(name)} }

func (s *source) display(name string) string {
	if s.dir == "" {
		return name
	}
	return filepath.Join(s.dir, name)
}

// find returns the one file of the folder that matches any of the patterns,
// plain or with .gz added; ok is false where none does. A plain file goes
// before its own .gz. Metadata files are found only by a pattern that asks for them.
func (s *source) find(patterns ...string) (f file, ok bool, err error) {
	found := map[string]string{} // name without .gz → name
	var names []string
	for _, p := range patterns {
		for _, glob := range []string{p, p + ".gz"} {
			matches, err := fs.Glob(s.fsys, glob)
			if err != nil {
				return file{}, false, err
			}
			for _, m := range matches {
				if strings.HasPrefix(m, "meta_") && !strings.HasPrefix(p, "meta_") {
					continue
				}
				plain := strings.TrimSuffix(m, ".gz")
				if _, dup := found[plain]; !dup {
					found[plain] = m
					names = append(names, m)
				}
			}
		}
	}
	switch len(names) {
	case 0:
		return file{}, false, nil
	case 1:
		return s.file(names[0]), true, nil
	}
	return file{}, false, fmt.Errorf("%s: %s all match; name one of them in the configuration", s.dir, strings.Join(names, ", "))
}

// glob quotes a literal file name for use in a pattern.
func glob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// stem returns the base name without .gz and without suffix.
func stem(name, suffix string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".gz"), suffix)
}

// ParseError says where a file is malformed and how.
type ParseError struct {
	File string
	Line int // from 1; 0 where the file as a whole is meant
	Msg  string
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// maxLine bounds a line, so that a file that is no text cannot fill the memory.
const maxLine = 64 << 20

// lines reads a text file, plain or gzip (told by its first bytes), line by
// line: without byte order mark, line ends (LF or CRLF) and blank lines.
type lines struct {
	show string
	f    fs.File
	r    *bufio.Reader
	n    int    // number of the current line
	long []byte // holds lines longer than the reader's buffer
}

func openLines(f file) (*lines, error) {
	h, err := f.fsys.Open(f.name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.show, cause(err))
	}
	l := &lines{show: f.show, f: h, r: bufio.NewReaderSize(h, 1<<18)}
	if magic, _ := l.r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(l.r)
		if err != nil {
			h.Close()
			return nil, l.damaged(err)
		}
		l.r = bufio.NewReaderSize(z, 1<<18)
	}
	if bom, _ := l.r.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		l.r.Discard(3)
	}
	return l, nil
}

func (l *lines) Close() error { return l.f.Close() }

// next returns the next line that is not blank, valid until the next call;
// io.EOF at the end.
func (l *lines) next() ([]byte, error) {
	for {
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
		l.n++
		line = bytes.TrimSuffix(line, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) > 0 && (line[0] > ' ' || len(bytes.TrimSpace(line)) > 0) {
			return line, nil
		}
	}
}

// all returns the whole text that is left.
func (l *lines) all() ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(l.r, maxText+1))
	if err != nil {
		return nil, l.damaged(err)
	}
	if len(text) > maxText {
		return nil, l.errorf("longer than %d MiB", maxText>>20)
	}
	return text, nil
}

// maxText bounds files that are read as a whole.
const maxText = 1 << 30

// rest completes a line whose beginning filled the reader's buffer.
func (l *lines) rest(begin []byte) ([]byte, error) {
	l.long = append(l.long[:0], begin...)
	for {
		more, err := l.r.ReadSlice('\n')
		l.long = append(l.long, more...)
		if err != bufio.ErrBufferFull {
			return l.long, err
		}
		if len(l.long) > maxLine {
			l.n++
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
	return &ParseError{File: l.show, Line: l.n + 1, Msg: msg}
}

// cause drops the file name that a PathError repeats.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// excerpt quotes the beginning of bad input for a message.
func excerpt(b []byte) string {
	const limit = 60
	if len(b) > limit {
		return fmt.Sprintf("%q…", b[:limit])
	}
	return fmt.Sprintf("%q", b)
}
