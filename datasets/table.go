package datasets

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tableFormat says how the lines of a delimited file are made.
type tableFormat struct {
	sep    string
	header bool // the first line names the columns
	typed  bool // the header has RecBole's ":type" suffixes
	quoted bool // fields may stand in double quotes, "" inside them for one
	latin1 bool // bytes are ISO 8859-1, not UTF-8
}

// table reads a delimited file. All its lines have as many fields as the first.
type table struct {
	*lines
	tableFormat
	sepBytes []byte
	names    []string // of the columns; nil without a header
	types    []string // of the columns, RecBole's; empty where the header has none
	width    int      // number of fields
	first    []byte   // without a header: the first line, not yet handed out
	fields   [][]byte
	unquoted []byte
}

func openTable(f file, tf tableFormat) (*table, error) {
	l, err := openLines(f)
	if err != nil {
		return nil, err
	}
	t := &table{lines: l, tableFormat: tf, sepBytes: []byte(tf.sep)}
	line, err := l.next()
	if err == io.EOF {
		l.Close()
		return nil, &ParseError{File: f.show, Msg: "the file is empty"}
	}
	if err == nil {
		err = t.split(line)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	t.width = len(t.fields)
	if !tf.header {
		t.first = bytes.Clone(line)
		return t, nil
	}
	for _, name := range t.fields {
		s := strings.TrimSpace(string(name))
		kind := ""
		if tf.typed {
			s, kind, _ = strings.Cut(s, ":")
		}
		t.names = append(t.names, s)
		t.types = append(t.types, kind)
	}
	return t, nil
}

// require checks that every column that a key names is there.
func (t *table) require(columns []column) error {
	for _, c := range columns {
		if c.column != "" && t.place(c.column) < 0 {
			return t.noColumn(c)
		}
	}
	return nil
}

func (t *table) noColumn(c column) error {
	if t.names == nil {
		return t.errorf("no column %s for %s: the line has %d fields", c.column, c.key, t.width)
	}
	return t.errorf("no column %q for %s; the header has %s", c.column, c.key, strings.Join(t.names, ", "))
}

// place returns the index of a column by its name or, without a header, by
// its number from 1; -1 if there is none.
func (t *table) place(column string) int {
	if column == "" {
		return -1
	}
	if t.names == nil {
		if n, err := strconv.Atoi(column); err == nil && n >= 1 && n <= t.width {
			return n - 1
		}
		return -1
	}
	for i, name := range t.names {
		if name == column {
			return i
		}
	}
	return -1
}

// each calls row for every line after the header. Fields are valid until the
// next call.
func (t *table) each(row func(fields [][]byte) error) error {
	line := t.first
	for {
		if line == nil {
			var err error
			if line, err = t.next(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
		if err := t.split(line); err != nil {
			return err
		}
		if len(t.fields) != t.width {
			return t.errorf("%d fields, expected %d separated by %q: %s", len(t.fields), t.width, t.sep, excerpt(line))
		}
		if err := row(t.fields); err != nil {
			return err
		}
		line = nil
	}
}

// split fills t.fields.
func (t *table) split(line []byte) error {
	t.fields = t.fields[:0]
	if t.quoted && bytes.IndexByte(line, '"') >= 0 {
		return t.splitQuoted(line)
	}
	if len(t.sepBytes) == 1 {
		for {
			i := bytes.IndexByte(line, t.sepBytes[0])
			if i < 0 {
				break
			}
			t.fields = append(t.fields, line[:i])
			line = line[i+1:]
		}
	} else {
		for {
			i := bytes.Index(line, t.sepBytes)
			if i < 0 {
				break
			}
			t.fields = append(t.fields, line[:i])
			line = line[i+len(t.sepBytes):]
		}
	}
	t.fields = append(t.fields, line)
	return nil
}

func (t *table) splitQuoted(line []byte) error {
	// Room for all fields before the first slice of it is taken.
	if cap(t.unquoted) < len(line) {
		t.unquoted = make([]byte, 0, 2*len(line))
	}
	out := t.unquoted[:0]
	for {
		if len(line) == 0 || line[0] != '"' {
			i := bytes.Index(line, t.sepBytes)
			if i < 0 {
				t.fields = append(t.fields, line)
				return nil
			}
			t.fields = append(t.fields, line[:i])
			line = line[i+len(t.sepBytes):]
			continue
		}
		line = line[1:]
		begin := len(out)
		for {
			i := bytes.IndexByte(line, '"')
			if i < 0 {
				return t.errorf("a quoted field does not end on its line")
			}
			out = append(out, line[:i]...)
			line = line[i+1:]
			if len(line) == 0 || line[0] != '"' {
				break
			}
			out = append(out, '"')
			line = line[1:]
		}
		t.fields = append(t.fields, out[begin:len(out):len(out)])
		if len(line) == 0 {
			return nil
		}
		if !bytes.HasPrefix(line, t.sepBytes) {
			return t.errorf("expected %q after a quoted field, found %s", t.sep, excerpt(line))
		}
		line = line[len(t.sepBytes):]
	}
}

// text returns a field as UTF-8.
func (t *table) text(field []byte) string {
	if !t.latin1 {
		return strings.ToValidUTF8(string(field), "\ufffd")
	}
	out := make([]byte, 0, len(field))
	for _, b := range field {
		out = utf8.AppendRune(out, rune(b))
	}
	return string(out)
}
