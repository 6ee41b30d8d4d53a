package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Lists of names, such as categories and genres, in a field of a table.

// readNames reads a list as Python or JSON writes it, with or without the
// brackets, as in 'Home', 'Pots, Pans'. listed is false for any other value,
// which the separator of its column divides. A list of lists has several paths.
// unordered is true for a set.
func readNames(s string) (paths [][]string, unordered, listed bool, err error) {
	if opensQuote(s) {
		return readQuoted(s)
	}
	paths, unordered, err = readLiteral(s)
	if _, wrap := unwrap(s); err == nil || wrap != "" {
		return paths, unordered, true, err
	}
	if otherType.MatchString(s) {
		return nil, false, true, fmt.Errorf("expected a list of names, got a Python object; %w", err)
	}
	if !strings.ContainsAny(s[:1], "[{(") {
		return nil, false, false, nil
	}
	open, inner := s[:1], strings.TrimSpace(s[1:])
	end := closing(open)
	bare, closed := strings.CutSuffix(inner, end)
	switch {
	case opensQuote(inner) || strings.ContainsAny(inner[:min(1, len(inner))], "[{("):
		return nil, false, true, err // a list that is damaged
	case open == "(":
		return nil, false, false, nil // (500) Days
	case closed && !strings.ContainsAny(bare, "[]{}"): // [Home, Kitchen]
		list, _ := splitNames(bare, ",")
		return [][]string{list}, false, true, nil
	case !strings.Contains(s, end):
		return nil, false, true, errors.New("the list does not end")
	}
	return nil, false, false, nil // [Sale] Shoes
}

func closing(open string) string { return map[string]string{"[": "]", "{": "}", "(": ")"}[open] }

// opensQuote reports whether s may begin with a string of Python or JSON.
func opensQuote(s string) bool { p := literal{b: []byte(s)}; p.peek(); return p.atString() }

// readQuoted reads names in quotes.
func readQuoted(s string) (paths [][]string, unordered, listed bool, err error) {
	list, ok := quotedLiteral(s)
	if !ok { // unescaped quotes inside: 'Women's', 'Men's'
		var quoted int
		list, quoted = splitNames(strings.TrimRight(s, ", "), ",")
		ok = quoted == len(list)
	}
	switch {
	case ok && len(list) == 1 && list[0] != "" && strings.ContainsAny(list[0][:1], "[{("): // "['Home', 'Pots']"
		return readNames(list[0])
	case ok:
		return [][]string{list}, false, true, nil
	}
	return nil, false, false, nil // 'Til Tuesday
}

// quotedLiteral reads strings of Python or JSON with commas, semicolons or bars
// between them.
func quotedLiteral(s string) (list []string, ok bool) {
	p := &literal{b: []byte(s)}
	for {
		name, err := p.str()
		if err != nil {
			return nil, false
		}
		list = append(list, known(string(name)))
		switch p.peek() {
		case 0:
			return list, p.i == len(p.b)
		case ',', ';', '|':
			p.i++
			if p.peek() == 0 && p.i == len(p.b) {
				return list, true
			}
		default:
			return nil, false
		}
	}
}

// splitNames divides s at a separator, but not within quotes that begin and end a
// name, and counts the names in quotes. Missing names are empty.
func splitNames(s, sep string) (list []string, quoted int) {
	unclosed := "" // quotes that are never closed: searching for each end would take long
	for more := true; more; {
		s = strings.TrimSpace(s)
		var name, rest string
		inQuotes := strings.ContainsAny(s[:min(1, len(s))], `'"`) && !strings.ContainsAny(s[:1], unclosed)
		if inQuotes {
			if name, rest, inQuotes, more = cutQuoted(s, sep); !inQuotes {
				unclosed += s[:1]
			}
		}
		switch {
		case inQuotes:
			quoted++
		case sep != "":
			name, rest, more = strings.Cut(s, sep)
		default:
			name, more = s, false
		}
		list = append(list, known(name))
		s = rest
	}
	return list, quoted
}

// cutQuoted cuts a quoted name off the beginning of s; more is true if a separator
// follows. A quote inside the name is doubled, escaped, or followed by neither the
// separator nor the end.
func cutQuoted(s, sep string) (name, rest string, ok, more bool) {
	q := s[:1]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == q[0]:
			after := strings.TrimLeft(s[i+1:], " ")
			if sep == " " {
				after = s[i+1:]
			}
			if after != "" && (sep == "" || !strings.HasPrefix(after, sep)) {
				continue
			}
			name = strings.NewReplacer(q+q, q, `\`+q, q, `\\`, `\`).Replace(s[1:i])
			return name, strings.TrimPrefix(after, sep), true, after != ""
		}
	}
	return "", "", false, false
}

// readLiteral reads a list, tuple or set of names as Python or JSON writes it, also
// as set(…), and as numpy prints an array: without commas.
func readLiteral(s string) (paths [][]string, unordered bool, err error) {
	inner, wrap := unwrap(s)
	if wrap != "" && !strings.HasSuffix(s, ")") {
		return nil, false, errors.New("the list does not end")
	}
	if wrap != "" && inner == "" {
		return nil, false, nil // set()
	}
	p := &literal{b: []byte(inner)}
	paths, unordered, err = p.names()
	if err == nil {
		err = p.end()
	}
	return paths, unordered || len(paths) > 0 && strings.HasSuffix(wrap, "set("), err
}

// unwrap extracts the list from Python's text of another list type.
func unwrap(s string) (inner, wrap string) {
	wrap = listType.FindString(s)
	if wrap == "" {
		return s, ""
	}
	inner, _, _ = strings.Cut(strings.TrimSuffix(s[len(wrap):], ")"), ", dtype=")
	return inner, wrap
}

// Names of Python types that may precede a list or a string. Any other type before
// a quoted text is an error, because the meaning of its names is unknown.
var (
	listType   = regexp.MustCompile(`^(?:(?:np|numpy|pd|pandas)\.)?(?:set|frozenset|array|list|tuple|deque|Index|dict_keys|dict_values)\(`)
	stringType = regexp.MustCompile(`^(?:np|numpy)\.str_\(`)
	arrayType  = regexp.MustCompile(`^, *dtype=[A-Za-z0-9'<_.]+`)
	otherType  = regexp.MustCompile(`^\[?\s*[A-Za-z_][A-Za-z0-9_.]*\([\s\[{(]*(?:[A-Za-z_]+=)?['"]`)
)

// names reads a list of names, or a list of lists of names, each of which is a
// path.
func (p *literal) names() (paths [][]string, set bool, err error) {
	open := p.peek()
	if open == 0 || strings.IndexByte("[{(", open) < 0 {
		return nil, false, p.expected("a list")
	}
	if p.depth++; p.depth > maxDepth {
		return nil, false, p.errorf("nested more than %d deep", maxDepth)
	}
	p.i++
	end := closing(string(open))[0]
	var list []string
	for p.peek() != end {
		var name string
		// A list of arrays, as pandas reads them from Parquet files.
		array := listType.Find(p.b[p.i:])
		switch c := p.peek(); {
		case array != nil:
			p.i += len(array)
			inner, unordered, err := p.names()
			if err != nil {
				return nil, false, err
			}
			if dtype := arrayType.Find(p.b[p.i:]); dtype != nil {
				p.i += len(dtype)
			}
			if p.peek() != ')' {
				return nil, false, p.expected(`")"`)
			}
			p.i++
			paths, set = append(paths, inner...), set || unordered || bytes.HasSuffix(array, []byte("set("))
		case c == '[' || c == '(' || c == '{':
			inner, unordered, err := p.names()
			if err != nil {
				return nil, false, err
			}
			paths, set = append(paths, inner...), set || unordered
		default:
			if name, err = p.name(); err != nil {
				return nil, false, err
			}
			list = append(list, name)
		}
		switch c := p.peek(); {
		case c == ',':
			p.i++
		case c == end || p.atString(): // as numpy prints: ['Home' 'Pots']
		default:
			return nil, false, p.expected(fmt.Sprintf(`"," or %q`, end))
		}
	}
	p.i++
	p.depth--
	if list != nil && paths != nil {
		return nil, false, p.errorf("expected names or lists of names, got both")
	}
	if list != nil {
		paths = [][]string{list}
	}
	return paths, set || open == '{' && list != nil, nil
}

// name reads a name: a string, a number, or a missing value as "".
func (p *literal) name() (string, error) {
	c := p.peek()
	switch {
	case p.atString():
		s, err := p.str()
		return known(string(s)), err
	case c == 'n' && stringType.Match(p.b[p.i:]): // as NumPy 2 writes the strings of an array
		p.i += len(stringType.Find(p.b[p.i:]))
		s, err := p.str()
		name := known(string(s))
		if err == nil && p.peek() != ')' {
			err = p.expected(`")"`)
		}
		p.i++
		return name, err
	case c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9':
		n, err := p.number()
		return string(n), err
	case c == 'N' || c == 'n': // None, NaN, nan, null
		return "", p.skip()
	}
	return "", p.expected("a name")
}

// listColumn reads a column of lists. The separator may only be clear from the
// whole column, so values are kept until all are read.
type listColumn struct {
	what   string // "categories" or "genres"
	sep    string // between names; "": a value is one name
	seq    bool   // of RecBole's type token_seq, which may have another separator
	values []listValue
}

// listValue is the value of one item.
type listValue struct {
	id        int32
	line      int
	text      string
	listed    bool // written as a list, in paths, or missing
	paths     [][]string
	unordered bool
}

func (c *listColumn) add(id int32, line int, text string) error {
	v := listValue{id: id, line: line, text: tidy(text)}
	if v.listed = missingTexts[v.text] || v.text == "(no genres listed)"; !v.listed {
		var err error
		if v.paths, v.unordered, v.listed, err = readNames(v.text); err != nil {
			return fmt.Errorf("%s %s: %w", c.what, excerpt([]byte(v.text)), err)
		}
	}
	c.values = append(c.values, v)
	return nil
}

// finish passes each value to set, and returns warnings. A value is a list of
// paths.
func (c *listColumn) finish(set func(id int32, paths [][]string)) (warnings []string) {
	sep := c.sep
	if c.seq {
		sep = c.shown()
	}
	var sets, whole, blanks int
	var first, firstBlank string
	divided := false
	for _, v := range c.values {
		if v.unordered {
			sets++
		}
		if !v.listed {
			list, _ := splitNames(v.text, sep)
			for len(list) > 1 && list[0] == "" { // |Home|Kitchen|
				list = list[1:]
			}
			v.paths = [][]string{list}
			divided = divided || len(list) > 1
			if strings.ContainsAny(v.text, ",;|>") {
				if whole++; whole == 1 {
					first = v.text
				}
			}
			if sep == " " && len(list) > 1 {
				if blanks++; blanks == 1 {
					firstBlank = v.text
				}
			}
		}
		set(v.id, v.paths)
	}
	if whole > 0 && !divided {
		how := "as one name"
		if sep != "" {
			how = fmt.Sprintf("as one name, since none holds the separator %q", sep)
		}
		warnings = append(warnings, fmt.Sprintf("the %s of %d items, such as %s, contain commas or other separators and are read %s", c.what, whole, excerpt([]byte(first)), how))
	}
	if c.what != "categories" {
		return warnings
	}
	if sets > 0 {
		warnings = append(warnings, fmt.Sprintf("the categories of %d items are written as sets, which have no order: it is unknown which category is the broadest, so do not use the facets \"category 1\" to \"category %d\"", sets, facetLevels))
	}
	if blanks > 0 {
		warnings = append(warnings, fmt.Sprintf("the categories have neither commas nor quotes, so blanks separate them, as in RecBole: %s are several categories", excerpt([]byte(firstBlank))))
	}
	return warnings
}

// shown is the separator that occurs in a column of type token_seq. RecBole's is
// the blank, but names of categories contain blanks, and many files have commas.
func (c *listColumn) shown() string {
	listed := false
	for _, sep := range []string{"|", ";", " > ", ","} {
		for _, v := range c.values {
			if listed = listed || v.paths != nil; !v.listed && strings.Contains(v.text, sep) {
				return sep
			}
		}
	}
	if listed {
		return "," // a value that is not a list is one name
	}
	return " "
}
