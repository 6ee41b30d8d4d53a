// Package conf reads TOML into a tree that remembers where every key stands,
// and decodes parts of that tree into Go structs without forgiving anything: an
// unknown key, a wrong type or a value given twice is an error that names the
// file, the line, the key and the nearest known name. A key nobody reads is how
// a benchmark ends up running something else than what its author wrote.
//
// The same tree takes values from the command line (Set), so that a value from
// "-set" passes exactly the checks that one from the file passes.
package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"famebench/internal/escape"
)

// Node is a table (Table is not nil) or a value of a TOML document.
type Node struct {
	Path  string // dotted, "" for the document
	Where string // "experiments.toml:12", or "-set key=value"
	Table map[string]*Node
	Value any // string, int64, float64, bool, a date, or []any of these

	order int // of appearance in the document
}

// NewTable returns an empty table that stands for the document called name.
func NewTable(name string) *Node {
	return &Node{Where: name, Table: map[string]*Node{}}
}

// Parse reads a TOML document. name is what errors call it.
func Parse(name string, src []byte) (*Node, error) {
	src, err := check(name, src)
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if err := toml.Unmarshal(src, &values); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, column := de.Position()
			return nil, fmt.Errorf("%s:%d:%d: %s", name, line, column, escape.Line(strings.TrimPrefix(de.Error(), "toml: ")))
		}
		return nil, fmt.Errorf("%s: %s", name, escape.Line(err.Error()))
	}
	p := positions{name: name, lines: map[string]int{}}
	for i, c := range src {
		if c == '\n' {
			p.ends = append(p.ends, i)
		}
	}
	if err := p.read(src); err != nil {
		return nil, err
	}
	root := NewTable(name)
	for key, v := range values {
		root.Table[key] = p.node([]string{key}, v)
	}
	return root, nil
}

// positions holds the line on which each key of a document appears first. The
// values themselves come from toml.Unmarshal, which does not tell lines; the
// parser beneath it does.
type positions struct {
	name  string
	lines map[string]int // by joined path
	ends  []int          // offsets of the line ends
}

const pathSeparator = "\x00" // cannot stand in a TOML key as we accept them

func (p *positions) read(src []byte) error {
	var parser unstable.Parser
	parser.Reset(src)
	var table []string
	for parser.NextExpression() {
		e := parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = p.keys(nil, e)
		case unstable.KeyValue:
			p.keyValue(table, e)
		case unstable.ArrayTable:
			keys := p.keys(nil, e)
			line := p.lines[strings.Join(keys, pathSeparator)]
			return fmt.Errorf("%s:%d: %s: arrays of tables ([[…]]) are not used here; write [%s]",
				p.name, line, strings.Join(keys, "."), strings.Join(keys, "."))
		}
	}
	return parser.Error()
}

// keys records the dotted key of an expression below prefix and returns its
// whole path.
func (p *positions) keys(prefix []string, e *unstable.Node) []string {
	path := slices.Clone(prefix)
	for it := e.Key(); it.Next(); {
		k := it.Node()
		path = append(path, string(k.Data))
		joined := strings.Join(path, pathSeparator)
		if _, seen := p.lines[joined]; !seen {
			// The parser's own count begins at the top of the document for every key.
			before, _ := slices.BinarySearch(p.ends, int(k.Raw.Offset))
			p.lines[joined] = before + 1
		}
	}
	return path
}

func (p *positions) keyValue(table []string, e *unstable.Node) {
	path := p.keys(table, e)
	if v := e.Value(); v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			p.keyValue(path, it.Node())
		}
	}
}

func (p *positions) node(path []string, v any) *Node {
	line := p.lines[strings.Join(path, pathSeparator)]
	n := &Node{Path: strings.Join(path, "."), Where: fmt.Sprintf("%s:%d", p.name, line), order: line}
	if m, ok := v.(map[string]any); ok {
		n.Table = map[string]*Node{}
		for key, v := range m {
			n.Table[key] = p.node(append(slices.Clone(path), key), v)
		}
	} else {
		n.Value = v
	}
	return n
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

// Sub returns the table at path, nil if there is none; something that is not a
// table there is an error.
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

// Without returns a table without some of its keys; n itself is not changed.
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
