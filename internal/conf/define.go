package conf

import (
	"bytes"
	"fmt"
	"strings"
)

// definition is a place in a document that defines something: a header, [table] or
// [[table]], or a key before an equals sign, also in an inline table. Definitions
// correspond, in order, to the keys of toml.MetaData.Keys, which have no line numbers. The
// package reports a line only with an error, reads the whole document for each, and has
// none for a table that a longer key implies.
type definition struct {
	line   int
	header bool
	list   bool // [[table]]
	in     int  // the definition of the table that a key belongs to; -1: the document
	size   int  // bytes of the key, including those of the table that it belongs to
}

// bracket is an open bracket of a value.
type bracket struct {
	key  int  // the definition of this value
	list bool // "[", else "{"
}

// definitions finds the definitions of a document, or some of them if it is not valid TOML.
// The package keeps every key with the names of the tables above it. If that would fill the
// memory, the document is refused.
func definitions(name string, src []byte) ([]definition, error) {
	var defs []definition
	var open []bracket
	section, all, start := -1, 0, 0 // start: of the text since the last delimiter
	first := true                   // whether the line has had only white space so far
	for i, line := range syntax(src) {
		switch c := src[i]; c {
		case '\n':
			first = len(open) == 0
			start = i + 1
			continue
		case ' ', '\t', '\r':
			continue
		case '=':
			d := definition{line: line, in: section, size: i - start}
			if len(open) > 0 {
				d.in = open[len(open)-1].key
			}
			if d.in >= 0 {
				d.size += defs[d.in].size
			}
			if all += d.size; all > mostKeyBytes {
				return nil, fmt.Errorf("%s:%d: expected keys of at most %d MiB in all, each counted with the tables that it is in", name, line, mostKeyBytes>>20)
			}
			defs = append(defs, d)
		case '[', '{':
			if first {
				section = len(defs)
				defs = append(defs, definition{line: line, header: true, list: bytes.HasPrefix(src[i:], []byte("[[")), in: -1})
			}
			b := bracket{key: len(defs) - 1, list: c == '['}
			if n := len(open); n > 0 && open[n-1].list {
				b.key = open[n-1].key
			}
			open = append(open, b)
			start = i + 1
		case ']', '}':
			if n := len(open); n > 0 {
				open = open[:n-1]
			}
			if n := len(defs); n > 0 && len(open) == 0 && defs[n-1].header && defs[n-1].size == 0 {
				defs[n-1].size = i - start
			}
		case ',':
			start = i + 1
		}
		first = false
	}
	return defs, nil
}

// kind says how a node is defined.
type kind int

const (
	implied kind = iota + 1 // a table by the header of one in it
	table                   // by its header
	dotted                  // a table by a dotted key
	value                   // by its key, an inline table included
)

// define records where the nodes of a key are defined. own is the number of parts of the
// key that name the table that it is in. The package accepts some tables that TOML forbids,
// such as [a.b] after a = {}, and may then drop values. Here these are errors.
func (n *Node) define(name string, key []string, d definition, order, own int) error {
	for i, part := range key {
		if n.Table == nil {
			return nil // tables in a list have no nodes
		}
		child := n.Table[part]
		if child == nil {
			return fmt.Errorf("%s:%d: %s: defined twice", name, d.line, shownPath(strings.Join(key[:i+1], ".")))
		}
		last, again := i == len(key)-1, false
		switch {
		case i < own:
		case child.kind == 0:
			child.Where, child.order, child.in = fmt.Sprintf("%s:%d", name, d.line), order, d.in
			child.kind = kindOf(d, last)
		case last:
			again = !d.header || child.kind != implied
			child.kind = kindOf(d, last)
		case d.header:
			again = child.kind == value
		default:
			again = child.kind != dotted || child.in != d.in
		}
		if again {
			return fmt.Errorf("%s:%d: %s: defined twice, first in %s", name, d.line, shownPath(child.Path), child.Where)
		}
		n = child
	}
	return nil
}

func kindOf(d definition, last bool) kind {
	switch {
	case d.header && last:
		return table
	case d.header:
		return implied
	case last:
		return value
	}
	return dotted
}
