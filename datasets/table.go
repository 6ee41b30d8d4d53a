package datasets

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tableFormat describes the lines of a delimited file.
type tableFormat struct {
	sep    string
	header bool // the first line names the columns
	typed  bool // the header has RecBole's ":type" suffixes
	quoted bool // fields may be in double quotes, with "" inside them for one, and may then contain line breaks (RFC 4180)
	wraps  bool // double quotes around a whole field are removed, other quotes are text
	latin1 bool // text other than UTF-8 is ISO 8859-1
	free   bool // separator and header are keys of the configuration
}

// table reads a delimited file. All its records have as many fields as the first.
// Blanks around a field are cut.
type table struct {
	*lines
	tableFormat
	sepBytes []byte
	names    []string // of the columns; nil without a header
	types    []string // of the columns, RecBole's; empty if the header has none
	head     [][]byte // the fields of the header, as they are in the file
	width    int      // number of fields
	first    []byte   // without a header: the first record, not yet returned
	fields   [][]byte
	record   []byte // a record of several lines
	unquoted []byte
}

// maxColumns bounds the width of a table, so that files of other kinds are refused
// quickly.
const maxColumns = 10_000

// maxRecord bounds a record of several lines, so that a quote that is never closed
// does not swallow the file.
const maxRecord = 1 << 20

func openTable(f file, tf tableFormat) (*table, error) {
	if tf.free {
		if err := checkSeparator(tf.sep); err != nil {
			return nil, err
		}
	}
	l, err := openLines(f)
	if err != nil {
		return nil, err
	}
	l.latin1 = tf.latin1
	t := &table{lines: l, tableFormat: tf, sepBytes: []byte(tf.sep)}
	if err := t.begin(); err != nil {
		l.Close()
		return nil, err
	}
	return t, nil
}

// checkSeparator refuses mistaken separators: an escape that TOML's single quotes
// keep as it is, or the name of a character. It is not part of Config.Resolve, so
// that a mistake in one data set does not stop suites of others.
func checkSeparator(sep string) error {
	notText := func(r rune) bool { return r == 0 || r > ' ' && unicode.IsControl(r) || r == utf8.RuneError }
	wordy := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	switch {
	case strings.ContainsFunc(sep, notText):
		return fmt.Errorf(`separator = %q is not text; expected for example ",", ";" or "\t"`, sep)
	case len(sep) > 1 && sep[0] == '\\':
		return fmt.Errorf(`separator is %s, %d characters; for an escape such as a tab, use double quotes: separator = "\t"`, sep, utf8.RuneCountInString(sep))
	case strings.ContainsFunc(sep, wordy):
		return fmt.Errorf(`separator = %q has letters or digits; expected the character itself, for example separator = "\t" for a tab`, sep)
	}
	return nil
}

// begin reads the first record.
func (t *table) begin() error {
	line, err := t.nextRecord()
	if err == io.EOF {
		return &ParseError{File: t.show, Msg: "the file is empty"}
	}
	if err != nil {
		return err
	}
	if separator, ok := bytes.CutPrefix(line, []byte("sep=")); ok && len(separator) < 3 {
		return t.errorf("the line %s is for spreadsheets only; remove it", excerpt(line))
	}
	if looksLikeJSON(line) {
		return t.errorf("expected a table with fields separated by %q, got JSON: %s", t.sep, excerpt(line))
	}
	if err := t.split(line); err != nil {
		return err
	}
	t.width = len(t.fields)
	if !t.header {
		t.first = bytes.Clone(line)
		return nil
	}
	numbers := 0
	for _, name := range t.fields {
		s, kind := string(name), ""
		if t.typed {
			s, kind, _ = strings.Cut(s, ":")
		}
		t.types = append(t.types, kind)
		t.head = append(t.head, bytes.Clone(name))
		t.names = append(t.names, s)
		if isNumber(s) {
			numbers++
		}
	}
	if t.free && numbers == t.width {
		return t.errorf("expected names of columns, got numbers: %s; if the first line is data, set header = false, else rename the columns", t.nameList())
	}
	return nil
}

// looksLikeJSON reports whether a line is JSON, or the first line of JSON in
// several lines.
func looksLikeJSON(line []byte) bool {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' && line[0] != '[' {
		return false
	}
	rest := bytes.TrimSpace(line[1:])
	return len(rest) == 0 || bytes.IndexByte([]byte("\"'{["), rest[0]) >= 0
}

func isNumber(s string) bool {
	_, err := parseDecimal([]byte(s))
	return err == nil
}

// require checks that every column that a key names exists once.
func (t *table) require(columns []column) error {
	for _, c := range columns {
		if c.column == "" {
			continue
		}
		at := t.place(c.column)
		if at < 0 {
			return t.noColumn(c)
		}
		if t.names == nil {
			continue
		}
		if t.free && isNumber(c.column) {
			return t.errorf("expected names of columns, got the number %s for %s; if the first line is data, set header = false, else rename the column", printable([]byte(c.column)), c.key)
		}
		if slices.Contains(t.names[at+1:], c.column) {
			return t.errorf("the header has two columns %s, so %s may mean either; rename one", printable([]byte(c.column)), c.key)
		}
	}
	return nil
}

func (t *table) noColumn(c column) error {
	if t.names == nil {
		return t.errorf("no column %s for %s: the line has %d fields%s", c.column, c.key, t.width, t.separatorHint(t.first))
	}
	hint := t.separatorHint(t.head[0])
	if strings.HasSuffix(hint, `" "`) && !slices.ContainsFunc(bytes.Fields(t.head[0]), func(name []byte) bool { return string(name) == c.column }) {
		hint = "" // a sentence, such as a comment or a server's message
	}
	if hint == "" && t.free && (isNumber(c.column) || slices.ContainsFunc(t.names, isNumber)) {
		hint = "; if the first line is data, set header = false and name columns by number, from \"1\""
	}
	return t.errorf("no column %q for %s; the header has %s%s", c.column, c.key, t.nameList(), hint)
}

// nameList lists the names of the columns for a message.
func (t *table) nameList() string {
	const most = 12
	var list []string
	for i, name := range t.names {
		if i == most {
			list = append(list, fmt.Sprintf("… (%d columns)", t.width))
			break
		}
		list = append(list, printable([]byte(name)))
	}
	return strings.Join(list, ", ")
}

// separatorHint says which separator a line of one field probably has.
func (t *table) separatorHint(line []byte) string {
	if t.width > 1 {
		return ""
	}
	for _, sep := range []string{"\t", "::", ";", ",", "|", " "} {
		if sep != t.sep && bytes.Contains(line, []byte(sep)) {
			if t.free {
				return fmt.Sprintf(": one field, without %q, but with %q; set separator = %q", t.sep, sep, sep)
			}
			return fmt.Sprintf(": one field, without %q, but with %q; the format needs %q", t.sep, sep, t.sep)
		}
	}
	return ""
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

// each calls row for every record after the header. Fields are valid until the
// next call.
func (t *table) each(row func(fields [][]byte) error) error {
	line := t.first
	for {
		if line == nil {
			var err error
			if line, err = t.nextRecord(); err == io.EOF {
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
		if t.repeatsHeader() {
			return t.errorf("the line repeats the header; were files with headers joined? remove it")
		}
		if err := row(t.fields); err != nil {
			return err
		}
		line = nil
	}
}

// repeatsHeader reports whether the fields are the names of the columns again,
// in any order and case.
func (t *table) repeatsHeader() bool {
	if t.names == nil {
		return false
	}
	for i, f := range t.fields {
		if i == 0 {
			f = bytes.TrimPrefix(f, utf8BOM)
		}
		if !bytes.EqualFold(f, t.head[i]) && !slices.ContainsFunc(t.head, func(h []byte) bool { return bytes.EqualFold(f, h) }) {
			return false
		}
	}
	return true
}

// nextRecord returns the next line and, if a quoted field continues, the lines
// after it.
func (t *table) nextRecord() ([]byte, error) {
	line, err := t.next()
	if err != nil || !t.quoted || bytes.IndexByte(line, '"') < 0 || !t.open(line, false) {
		return line, err
	}
	t.record = append(t.record[:0], line...)
	// A missing quote swallows all lines up to the next quote.
	swallowed := t.width > 1 && bytes.Count(line, t.sepBytes) == t.width-1
	for open := true; open; {
		more, err := t.line()
		if err == io.EOF {
			return nil, t.errorf("a quoted field does not end")
		}
		if err != nil {
			return nil, err
		}
		t.record = append(append(t.record, '\n'), more...)
		if len(t.record) > maxRecord {
			return nil, t.errorf("a quoted field does not end within %d KiB", maxRecord>>10)
		}
		swallowed = swallowed && bytes.Count(more, t.sepBytes) == t.width-1
		open = t.open(more, true)
	}
	if swallowed {
		return nil, t.errorf("a quoted field continues up to line %d, and each of these lines has %d fields of its own: is a quote missing? %s", t.read, t.width, excerpt(t.record))
	}
	return t.record, nil
}

// open reports whether a quoted field continues after the line; inside says whether
// one continues into it.
func (t *table) open(line []byte, inside bool) bool {
	for {
		if !inside {
			line = t.skipBlanks(line)
			if len(line) == 0 || line[0] != '"' {
				i := bytes.Index(line, t.sepBytes)
				if i < 0 {
					return false
				}
				line = line[i+len(t.sepBytes):]
				continue
			}
			line = line[1:]
		}
		i := bytes.IndexByte(line, '"')
		if i < 0 {
			return true
		}
		line = line[i+1:]
		if inside = len(line) > 0 && line[0] == '"'; inside {
			line = line[1:]
			continue
		}
		if i = bytes.Index(line, t.sepBytes); i < 0 {
			return false
		}
		line = line[i+len(t.sepBytes):]
	}
}

// skipBlanks cuts blanks before a quote, if they are not the separator.
func (t *table) skipBlanks(line []byte) []byte {
	if len(line) > 0 && line[0] == ' ' && strings.TrimLeft(t.sep, " ") != "" {
		return bytes.TrimLeft(line, " ")
	}
	return line
}

// split fills t.fields.
func (t *table) split(line []byte) error {
	t.fields = t.fields[:0]
	if t.quoted && bytes.IndexByte(line, '"') >= 0 {
		return t.splitQuoted(line)
	}
	if bytes.IndexByte(line, '\r') >= 0 {
		return t.strayCR()
	}
	for len(t.fields) <= maxColumns {
		i := bytes.Index(line, t.sepBytes)
		if i < 0 {
			t.fields = append(t.fields, t.unwrap(trimBlanks(line)))
			return nil
		}
		t.fields = append(t.fields, t.unwrap(trimBlanks(line[:i])))
		line = line[i+len(t.sepBytes):]
	}
	return t.tooWide()
}

// unwrap removes the quotes around a whole field, as pandas writes a field that
// contains quotes.
func (t *table) unwrap(field []byte) []byte {
	n := len(field)
	if !t.wraps || n < 2 || field[0] != '"' || field[n-1] != '"' {
		return field
	}
	inner := bytes.ReplaceAll(field[1:n-1], []byte(`""`), []byte{0})
	if bytes.IndexByte(inner, '"') >= 0 {
		return field
	}
	return bytes.ReplaceAll(inner, []byte{0}, []byte{'"'}) // lines contain no NUL
}

func (t *table) strayCR() error {
	return t.errorf("a carriage return within the line: some line ends are CR; convert them to LF")
}

func (t *table) tooWide() error {
	return t.errorf("more than %d columns separated by %q; is this a table?", maxColumns, t.sep)
}

func (t *table) splitQuoted(line []byte) error {
	// Allocate room for all fields first, because slices of it are taken below.
	if cap(t.unquoted) < len(line) {
		t.unquoted = make([]byte, 0, 2*len(line))
	}
	out := t.unquoted[:0]
	for len(t.fields) <= maxColumns {
		if start := t.skipBlanks(line); len(start) == 0 || start[0] != '"' {
			i := bytes.Index(line, t.sepBytes)
			field := line
			if i >= 0 {
				field = line[:i]
			}
			if bytes.IndexByte(field, '\r') >= 0 {
				return t.strayCR()
			}
			t.fields = append(t.fields, trimBlanks(field))
			if i < 0 {
				return nil
			}
			line = line[i+len(t.sepBytes):]
			continue
		} else {
			line = start[1:]
		}
		begin := len(out)
		for {
			i := bytes.IndexByte(line, '"')
			if i < 0 {
				return t.errorf("a quoted field does not end")
			}
			out = append(out, line[:i]...)
			line = line[i+1:]
			if len(line) == 0 || line[0] != '"' {
				break
			}
			out = append(out, '"')
			line = line[1:]
		}
		t.fields = append(t.fields, trimBlanks(out[begin:len(out):len(out)]))
		next := bytes.Index(line, t.sepBytes)
		rest := line
		if next >= 0 {
			rest = line[:next]
		}
		if len(bytes.TrimSpace(rest)) > 0 {
			hint := ""
			if n := len(out); n > begin && out[n-1] == '\\' {
				hint = `; a quote inside a field is written "", not \"`
			}
			return t.errorf("expected %q after a quoted field, got %s%s", t.sep, excerpt(line), hint)
		}
		if next < 0 {
			return nil
		}
		line = line[next+len(t.sepBytes):]
	}
	return t.tooWide()
}

// trimBlanks cuts blanks around a field.
func trimBlanks(b []byte) []byte {
	if n := len(b); n > 0 && (b[0] <= ' ' || b[n-1] <= ' ' || b[0] >= 0x80 || b[n-1] >= 0x80) {
		return bytes.TrimSpace(b)
	}
	return b
}

// text returns a field as a string, in UTF-8.
func (t *table) text(field []byte) string { return string(field) }
