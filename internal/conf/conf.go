// Package conf reads TOML into a tree that keeps the line of every key, and
// decodes parts of that tree into Go structs strictly: an unknown key, a wrong
// type or a value that is given twice is an error that names the file, the
// line, the key and the nearest known name. If unknown keys were ignored, a
// benchmark could run something other than what its author wrote.
//
// The same tree takes values from the command line (Set), so a value from
// "-set" passes the same checks as one from the file.
package conf

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"famebench/internal/escape"
)

// Node is a table (Table is not nil) or a value of a TOML document.
type Node struct {
	Path  string // dotted, "" for the document
	Where string // "experiments.toml:12", or "-set key=value"
	Table map[string]*Node
	Value any // string, int64, float64, bool, a date, or []any of these

	order int  // its position in the document
	kind  kind // how the document defines it
	in    int  // for a table that dotted keys define: the table that these are in
}

// NewTable returns an empty table for the document called name.
func NewTable(name string) *Node {
	return &Node{Where: name, Table: map[string]*Node{}}
}

// Parse reads a TOML document. Errors call it name.
func Parse(name string, src []byte) (*Node, error) {
	src, err := check(name, src)
	if err != nil {
		return nil, err
	}
	defs, err := definitions(name, src)
	if err != nil {
		return nil, err
	}
	var values map[string]any
	meta, err := toml.Decode(string(src), &values)
	if err != nil {
		return nil, syntaxError(name, src, err)
	}
	keys := meta.Keys()
	if len(defs) != len(keys) {
		return nil, fmt.Errorf("%s: expected %d keys, as its text has, got %d from the TOML reader: please report this file", name, len(defs), len(keys))
	}
	root := NewTable(name)
	root.fill("", values)
	for i, d := range defs {
		if d.list {
			path := shownPath(strings.Join(keys[i], "."))
			return nil, fmt.Errorf("%s:%d: %s: arrays of tables ([[…]]) are not used here; write [%s]", name, d.line, path, path)
		}
		if slices.Contains(keys[i], "") {
			return nil, fmt.Errorf("%s:%d: expected a key, got \"\"", name, d.line)
		}
		own := 0
		if d.in >= 0 {
			own = len(keys[d.in])
		}
		if err := root.define(name, keys[i], d, i, own); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// fill adds the values of a table to n; prefix is its path with a dot.
func (n *Node) fill(prefix string, values map[string]any) {
	for key, v := range values {
		child := &Node{Path: prefix + key, Value: v}
		if table, ok := v.(map[string]any); ok {
			child.Value, child.Table = nil, map[string]*Node{}
			child.fill(child.Path+".", table)
		}
		n.Table[key] = child
	}
}

// syntaxError is the parser's error about a document, in one line. The parser's line number
// is too small at the end of a document; its offset is right.
func syntaxError(name string, src []byte, err error) error {
	var at toml.ParseError
	if !errors.As(err, &at) {
		return fmt.Errorf("%s: %s", name, escape.Line(err.Error()))
	}
	before := src[:min(max(at.Position.Start, 0), len(src))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("%s:%d:%d: %s", name, line, column, shorten(escape.Line(at.Message), 200))
}

// Keys returns the names in a table in the order of the document.
func (n *Node) Keys() []string {
	if n == nil {
		return nil
	}
	var keys []string
	for k := range n.Table {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := n.Table[a].order - n.Table[b].order; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

// Sub returns the table at path, nil if there is none. Anything else at path is
// an error.
func (n *Node) Sub(path ...string) (*Node, error) {
	for _, key := range path {
		if n == nil {
			return nil, nil
		}
		next := n.Table[key]
		if next == nil {
			return nil, nil
		}
		if next.Table == nil {
			return nil, next.Errorf("expected a table, got %s", describe(next.Value))
		}
		n = next
	}
	return n, nil
}

// Leaves yields the values of a tree with their paths, in the order of Keys.
func (n *Node) Leaves() iter.Seq2[[]string, *Node] {
	return func(yield func([]string, *Node) bool) { n.leaves(nil, yield) }
}

func (n *Node) leaves(path []string, yield func([]string, *Node) bool) bool {
	for _, key := range n.Keys() {
		child, path := n.Table[key], append(slices.Clone(path), key)
		var more bool
		if child.Table == nil {
			more = yield(path, child)
		} else {
			more = child.leaves(path, yield)
		}
		if !more {
			return false
		}
	}
	return true
}

// Without returns a copy of a table without some of its keys; n itself is not
// changed.
func (n *Node) Without(keys ...string) *Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Table = map[string]*Node{}
	for k, v := range n.Table {
		if !slices.Contains(keys, k) {
			c.Table[k] = v
		}
	}
	return &c
}

// Errorf makes an error that begins with the node's place and path.
func (n *Node) Errorf(format string, args ...any) error {
	return fmt.Errorf("%s%w", place(n.Where, n.Path), fmt.Errorf(format, args...))
}
