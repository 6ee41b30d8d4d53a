package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"famebench/internal/escape"
)

// Set stores an assignment from the command line, "train.epochs=2", in a tree.
// The value is read as TOML, and each key of a table is an assignment of its own.
// If it is not TOML it is a string, so that "sasrec.loss=bce" needs no quotes, which
// a shell would remove. A part of the key that has dots is in quotes. A second
// assignment of a key is an error, also in another spelling: expand may lengthen a
// short path before it is stored.
func (n *Node) Set(assignment string, expand func(path []string) ([]string, error)) error {
	where := "-set " + assignment
	if r := []rune(where); len(r) > 80 {
		where = string(r[:80]) + "..."
	}
	where = escape.Line(where)
	if len(assignment) > mostBytes {
		return fmt.Errorf("%s: expected at most 1 MiB, got %d bytes", where, len(assignment))
	}
	key, text, ok := strings.Cut(assignment, "=")
	path := splitKey(strings.TrimSpace(key))
	if !ok || slices.Contains(path, "") {
		return fmt.Errorf("%s: expected key=value with a dotted key, as in train.epochs=2", where)
	}
	if len(path) > mostDepth {
		return fmt.Errorf("%s: expected a dotted key of at most %d parts", where, mostDepth)
	}
	path, err := expand(path)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return n.setAll(path, where, parseValue(text), expand)
}

// setAll stores a value, or each of a table.
func (n *Node) setAll(path []string, where string, value any, expand func(path []string) ([]string, error)) error {
	if table, ok := value.(map[string]any); ok {
		for _, key := range slices.Sorted(maps.Keys(table)) {
			if err := n.setAll(append(slices.Clone(path), key), where, table[key], expand); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := expand(path); err != nil { // a table may name what the path alone did not
		return fmt.Errorf("%s: %w", where, err)
	}
	last := len(path) - 1
	if table, err := n.Sub(path[:last]...); err == nil && table != nil {
		if first := table.Table[path[last]]; first != nil && first.Table == nil {
			return fmt.Errorf("%s: %s is given twice, first in %s: expected one value", where, first.Path, first.Where)
		}
	}
	return n.Put(path, where, value)
}

// splitKey divides a key at its dots, but for those in double quotes.
func splitKey(key string) (path []string) {
	quoted := false
	part := ""
	for _, r := range key {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '.' && !quoted:
			path, part = append(path, part), ""
		default:
			part += string(r)
		}
	}
	if quoted {
		return []string{""} // no key
	}
	return append(path, part)
}

// Put stores a value at a path below n and replaces an earlier value. where
// names its place in errors.
func (n *Node) Put(path []string, where string, value any) error {
	table := n
	for i, key := range path[:len(path)-1] {
		next := table.Table[key]
		if next == nil {
			next = &Node{Path: strings.Join(path[:i+1], "."), Where: where, Table: map[string]*Node{}, order: len(table.Table)}
			table.Table[key] = next
		}
		if next.Table == nil {
			return fmt.Errorf("%s: %s already has a value (%s)", where, next.Path, next.Where)
		}
		table = next
	}
	last := path[len(path)-1]
	if old := table.Table[last]; old != nil && old.Table != nil {
		return fmt.Errorf("%s: %s is a table; name one of its keys", where, old.Path)
	}
	table.Table[last] = &Node{Path: strings.Join(path, "."), Where: where, Value: value, order: len(table.Table)}
	return nil
}

// parseValue reads a value as TOML. Dates are read as strings, because no setting is a date
// and 07:30 may be part of a summary.
func parseValue(text string) any {
	if strings.Contains(text, "\n") || checkDepth("", []byte(text)) != nil {
		return text
	}
	var doc struct{ V any }
	if _, err := toml.Decode("V = "+text, &doc); err != nil {
		return text
	}
	switch v := doc.V.(type) {
	case nil, time.Time:
		return text
	case map[string]any:
		if len(v) == 0 { // it would set nothing
			return text
		}
	}
	return doc.V
}
