package conf

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"famebench/internal/escape"
)

// Set stores an assignment from the command line, "train.epochs=2", in a tree.
// The value is read as TOML. If it is not TOML it is a string, so that
// "sasrec.loss=bce" needs no quotes, which a shell would remove. A later
// assignment of the same key wins. expand may lengthen a short path before it
// is stored.
func (n *Node) Set(assignment string, expand func(path []string) ([]string, error)) error {
	where := "-set " + assignment
	if r := []rune(where); len(r) > 80 {
		where = string(r[:80]) + "..."
	}
	where = escape.Line(where)
	if strings.Count(strings.SplitN(assignment, "=", 2)[0], ".") >= mostDepth {
		return fmt.Errorf("%s: expected a dotted key of at most %d parts", where, mostDepth)
	}
	if len(assignment) > mostBytes {
		return fmt.Errorf("%s: expected at most 1 MiB, got %d bytes", where, len(assignment))
	}
	key, text, ok := strings.Cut(assignment, "=")
	key = strings.TrimSpace(key)
	path := strings.Split(key, ".")
	if !ok || slices.Contains(path, "") {
		return fmt.Errorf("%s: expected key=value with a dotted key, as in train.epochs=2", where)
	}
	path, err := expand(path)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return n.Put(path, where, parseValue(text))
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
	switch doc.V.(type) {
	case nil, map[string]any, time.Time:
		return text
	}
	return doc.V
}
