package conf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lines lists the nodes of a tree in their order, each with the line that errors name.
func lines(n *Node) string {
	var out []string
	for _, key := range n.Keys() {
		child := n.Table[key]
		out = append(out, child.Path+strings.TrimPrefix(child.Where, "x.toml"))
		if child.Table != nil {
			out = append(out, lines(child))
		}
	}
	return strings.Join(slices.DeleteFunc(out, func(s string) bool { return s == "" }), " ")
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"values", "b = 1\n\n# c = [\na = 2", "b:1 a:4"},
		{"a list of several lines", "a = [\n  1, # ]\n  2,\n]\nb = 1", "a:1 b:5"},
		{"lists in lists", "a = [[1],\n[2]]\n[b]\nc = 1", "a:1 b:3 b.c:4"},
		{"a long string", "a = \"\"\"\nb = 1\n[c]\n\"\"\"\"\nd = '''\n'''''\ne = 1", "a:1 d:5 e:7"},
		{"strings with syntax", `a = "=[{\"" # " = [` + "\n'b=' = '[\\'\nc = 1", "a:1 b=:2 c:3"},
		{"implied tables", "\n[a.b.c]\nd = 1\n[a]\ne = 1", "a:2 a.b:2 a.b.c:2 a.b.c.d:3 a.e:5"},
		{"dotted keys", "\nb.a = 1\nb.c.d = 2\nb.c.a = 2", "b:2 b.a:2 b.c:3 b.c.d:3 b.c.a:4"},
		{"spaces and quotes", "[ a . \"b.c\" ]\n 'd' . e = 1", "a:1 a.b.c:1 a.b.c.d:2 a.b.c.d.e:2"},
		{"inline tables", "a = { z = 1, y.x = {w = 1} }\nb = 1", "a:1 a.z:1 a.y:1 a.y.x:1 a.y.x.w:1 b:2"},
		{"inline tables in a list", "a = [\n{b = 1},\n{b = 2}\n]\nc = 1", "a:1 c:5"},
		{"carriage returns", "a = 1\r\n[b]\r\nc = [\r\n1]\r\nd = 1\r\n", "a:1 b:2 b.c:3 b.d:5"},
		{"byte order mark", "\ufeff[b]\na = 1", "b:1 b.a:2"},
	} {
		n, err := Parse("x.toml", []byte(tt.src))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if got := lines(n); got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TOML forbids defining a table twice. The package accepts some of these cases and drops
// values.
func TestDefinedTwice(t *testing.T) {
	for src, want := range map[string]string{
		"a = 1\na = 2":                 "x.toml:2",
		"[a]\nb = 1\n[c]\n[a]\nd = 1":  "x.toml:4",
		"[a]\nb.c = 1\n[a.b]\nd = 1":   "x.toml:3: a.b: defined twice, first in x.toml:2",
		"a.b = 1\n[a]\nc = 1":          "x.toml:2: a: defined twice, first in x.toml:1",
		"[a.b.c]\nd = 1\n[a]\nb.e = 1": "x.toml:4: a.b: defined twice, first in x.toml:1",
		"a = {b = 1}\n[a]\nc = 1":      "x.toml:2",
		"a = {b = 1}\n[a.c]\nd = 1":    "x.toml:2: a: defined twice, first in x.toml:1",
		"[t]\na = {b = 1}\na.c = 1":    "x.toml:3: t.a: defined twice, first in x.toml:2",
		"a = {b = {c = 1}, b.d = 1}":   "x.toml:1: a.b: defined twice, first in x.toml:1",
		"a = {b.c = 1, b = {d = 1}}":   "x.toml:1",
		"a = [1]\na.b = 1":             "x.toml:2",
		"a = {}\n\n[a.b]":              "x.toml:3: a: defined twice, first in x.toml:1",
		"a = 1\n[a.b]":                 "x.toml:2",
		"\n\"\" = 1":                   `x.toml:2: expected a key, got ""`,
		"b.\"\" = []\nb.a.c = 1":       `x.toml:1: expected a key, got ""`,
		"[[a]]\nb = 1\n[[a]]\nb = 2":   "x.toml:1: a: arrays of tables",
		"[a]\n[[b]]\n'c' = 1":          "x.toml:2: b: arrays of tables",
	} {
		if n, err := Parse("x.toml", []byte(src)); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got  %v, %v\nwant %s", src, err, n, want)
		}
	}
	for _, src := range []string{
		"[a.b]\nc = 1\n[a]\nd = 1",
		"[a]\nb.c = 1\nb.d = 1\n[a.b.e]\nf = 1",
		"a.b = 1\n[a.c]\nd = 1",
		"a = {b.c = 1, b.d = 2}",
	} {
		if _, err := Parse("x.toml", []byte(src)); err != nil {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for src, want := range map[string]string{
		"a = 1\nb = \"open":              "x.toml:2:",
		"a = 1\nb = \"open\n":            "x.toml:2:",
		"a = [1,\n2":                     "x.toml:2:",
		"a = 1\n\nb = 01\n":              "x.toml:3:5: ",
		"\n[a":                           "x.toml:2:",
		"a = 1 b = 2":                    "x.toml:1:",
		"a = 1\nb = 9223372036854775808": "x.toml:2:5: ",
		"a = 1979-13-01":                 "x.toml:1:5: ",
		"a = \"é\" x":                    "x.toml:1:8: ",
		"a = '\x01'":                     "x.toml:1: expected text, got the control character 0x01",
		"a = 1\n# \x00":                  "x.toml:2: expected text, got the control character 0x00",
		"a = 1\rb = 2":                   "x.toml:1: expected text, got the control character 0x0d",
		"a = 1\n\"" + strings.Repeat("k", 5000) + "\" x":                          "x.toml:2:",
		strings.Repeat("k", 5000) + " = 1\n" + strings.Repeat("k", 5000) + " = 1": "x.toml:2:",
		"[" + strings.Repeat("k", 300_000) + "]\n" + strings.Repeat("a=1\n", 100): "x.toml:57: expected keys of at most 16 MiB in all",
	} {
		_, err := Parse("x.toml", []byte(src))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%.40q: got  %v\nwant one short line that begins with %s", src, err, want)
		}
	}
}

// Neither dates nor tables in lists are values of any setting.
func TestNoDates(t *testing.T) {
	for src, want := range map[string]string{
		"loss = 1979-05-27":                "x.toml:1: loss: expected a string, got a date or time",
		"loss = 07:30":                     "x.toml:1: loss: expected a string, got a date or time",
		"seeds = [{a = 1}]":                "x.toml:1: seeds: expected an integer, got a table",
		"inner.depth = [{a = 1}, {b = 2}]": "x.toml:1: inner.depth: expected an integer, got a list",
	} {
		n, err := Parse("x.toml", []byte(src))
		if err == nil {
			err = Decode(n, &settings{})
		}
		if fmt.Sprint(err) != want {
			t.Errorf("%s: got  %v\nwant %s", src, err, want)
		}
	}
	n := NewTable("command line")
	for value, want := range map[string]any{"07:30": "07:30", "1979-05-27": "1979-05-27", "{a = 1": "{a = 1", "{}": "{}", "1 # one": int64(1),
		"[1, 2]": []any{int64(1), int64(2)}, "'a'": "a", "a'": "a'", "1\n2": "1\n2", "": "", "0x1F": int64(31), "1e-3": 1e-3, "\x00": "\x00"} {
		if err := n.Put([]string{"v"}, "-set", parseValue(value)); err != nil || fmt.Sprintf("%T %[1]v", n.Table["v"].Value) != fmt.Sprintf("%T %[1]v", want) {
			t.Errorf("%q: %v, got %#v, want %#v", value, err, n.Table["v"].Value, want)
		}
	}
}
