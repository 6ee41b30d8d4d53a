package conf

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

type settings struct {
	Epochs  int               `toml:"epochs"`
	Rate    float64           `toml:"learning_rate"`
	Loss    string            `toml:"loss"`
	Cased   bool              `toml:"cased"`
	Seeds   []int64           `toml:"seeds"`
	Names   map[string]string `toml:"names"`
	Header  *bool             `toml:"header"`
	Private int               `toml:"-"`
	Inner   struct {
		Depth int `toml:"depth"`
	} `toml:"inner"`
}

func TestDecode(t *testing.T) {
	n, err := Parse("x.toml", []byte(`
epochs = 3
learning_rate = 1   # an integer is accepted as a number
loss = "bce"
seeds = [0, 1]
names = { a = "b" }
inner.depth = 4
header = false
`))
	if err != nil {
		t.Fatal(err)
	}
	s := settings{Cased: true}
	if err := Decode(n, &s); err != nil {
		t.Fatal(err)
	}
	if s.Header == nil || *s.Header {
		t.Errorf("header %v, want false", s.Header)
	}
	s.Header = nil
	got := fmt.Sprintf("%+v", s)
	want := "{Epochs:3 Rate:1 Loss:bce Cased:true Seeds:[0 1] Names:map[a:b] Header:<nil> Private:0 Inner:{Depth:4}}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := Decode(nil, &s); err != nil {
		t.Errorf("no table: %v", err)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"unknown", "epochs = 1\nepohcs = 2", `x.toml:2: epohcs: unknown key; did you mean "epochs"?`},
		{"far", "zzzzzz = 2", `x.toml:1: zzzzzz: unknown key; known: epochs, learning_rate, loss, cased, seeds, names, header, inner`},
		{"hidden", "Private = 2", `x.toml:1: Private: unknown key; known: epochs, learning_rate, loss, cased, seeds, names, header, inner`},
		{"string for int", `epochs = "two"`, `x.toml:1: epochs: expected an integer, got the string "two"`},
		{"float for int", "\n\nepochs = 2.5", `x.toml:3: epochs: expected an integer, got the number 2.5`},
		{"int for string", "loss = 1", `x.toml:1: loss: expected a string, got the integer 1`},
		{"number for bool", "cased = 1", `x.toml:1: cased: expected true or false, got the integer 1`},
		{"string in list", `seeds = [1, "a"]`, `x.toml:1: seeds: expected an integer, got the string "a"`},
		{"value for list", "seeds = 1", `x.toml:1: seeds: expected a list, got the integer 1`},
		{"pointer", "header = 1", `x.toml:1: header: expected true or false, got the integer 1`},
		{"value for table", "inner = 1", `x.toml:1: inner: expected a table, got the integer 1`},
		{"table for value", "[loss]\na = 1", `x.toml:1: loss: expected a string, got a table`},
		{"inner", "[inner]\ndpeth = 1", `x.toml:2: inner.dpeth: unknown key; did you mean "depth"?`},
		{"inline", "inner = { dpeth = 1 }", `x.toml:1: inner.dpeth: unknown key; did you mean "depth"?`},
		{"two faults", "epochs = true\nlos = 1", "x.toml:1: epochs: expected an integer, got true\nx.toml:2: los: unknown key; did you mean \"loss\"?"},
		{"array of tables", "[[a.b]]\nc = 1", `x.toml:1: a.b: arrays of tables ([[…]]) are not used here; write [a.b]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Parse("x.toml", []byte(tt.src))
			if err == nil {
				err = Decode(n, &settings{})
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	for src, where := range map[string]string{
		"a = 1\nb = \n":   "x.toml:2:",
		"a = 1\na = 2\n":  "x.toml:2:",
		"[t]\n[t]\n":      "x.toml:2:",
		"a = \"unclosed":  "x.toml:1:",
		"x = 1\n\xff = 2": "x.toml:2:",
	} {
		if _, err := Parse("x.toml", []byte(src)); err == nil || !strings.HasPrefix(err.Error(), where) {
			t.Errorf("%q: %v, want it to begin with %s", src, err, where)
		}
	}
}

func TestSet(t *testing.T) {
	same := func(path []string) ([]string, error) { return path, nil }
	n := NewTable("command line")
	for _, a := range []string{"epochs=3", "loss=bce", "learning_rate=1e-3", "seeds=[4, 5]", "inner={depth=7}", "names.a=x=y", `names."b.c"=z`, `names={d="w"}`} {
		if err := n.Set(a, same); err != nil {
			t.Fatal(err)
		}
	}
	var s settings
	if err := Decode(n, &s); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", s)
	want := "{Epochs:3 Rate:0.001 Loss:bce Cased:false Seeds:[4 5] Names:map[a:x=y b.c:z d:w] Header:<nil> Private:0 Inner:{Depth:7}}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	for a, want := range map[string]string{
		"epochs":      "-set epochs: expected key=value with a dotted key, as in train.epochs=2",
		"=3":          "-set =3: expected key=value with a dotted key, as in train.epochs=2",
		"a..b=3":      "-set a..b=3: expected key=value with a dotted key, as in train.epochs=2",
		`"a.b=3`:      `-set "a.b=3: expected key=value with a dotted key, as in train.epochs=2`,
		"epochs=4":    "-set epochs=4: epochs is given twice, first in -set epochs=3: expected one value",
		"inner=3":     "-set inner=3: inner is a table; name one of its keys",
		"loss.kind=3": "-set loss.kind=3: loss already has a value (-set loss=bce)",
	} {
		if err := n.Set(a, same); err == nil || err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", a, err, want)
		}
	}
	n = NewTable("command line")
	if err := n.Set("epochs=two", same); err != nil {
		t.Fatal(err)
	}
	want = `-set epochs=two: epochs: expected an integer, got the string "two"`
	if err := Decode(n, &s); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"sasrec", "sasrec", 0}, {"sarsec", "sasrec", 1}, {"droput", "dropout", 1}, {"kitten", "sitting", 3}} {
		if got := EditDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s, %s: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// A document that would take long, or all of the stack, is refused at once.
func TestLimits(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"lists", "a = 1\nb = " + strings.Repeat("[", 400_000), "x.toml:2: expected lists, tables and dotted keys of at most 32 levels"},
		{"closed lists", "b = " + strings.Repeat("[", 33) + strings.Repeat("]", 33), "x.toml:1: expected lists, tables and dotted keys of at most 32 levels"},
		{"tables", strings.Repeat("a={", 33) + strings.Repeat("}", 33), "x.toml:1: expected lists, tables and dotted keys of at most 32 levels"},
		{"a key", strings.Repeat("a.", 100_000) + "a = 1", "x.toml:1: expected lists, tables and dotted keys of at most 32 levels"},
		{"a table's key", "\n[" + strings.Repeat("a.", 100_000) + "a]", "x.toml:2: expected lists, tables and dotted keys of at most 32 levels"},
		{"size", strings.Repeat("#", 1<<20+1), "x.toml: expected a configuration of at most 1 MiB, got 1048577 bytes"},
		{"values", "seeds = [" + strings.Repeat("1,", 10_001) + "]", "x.toml:1: seeds: expected a list of at most 10000 values, got 10001"},
		{"a number", "epochs = 2147483648", "x.toml:1: epochs: 2147483648 is too large: expected an integer up to 2147483647"},
		{"no number", "learning_rate = nan", "x.toml:1: learning_rate: expected a finite number, got NaN"},
		{"infinite", "\nlearning_rate = -inf", "x.toml:2: learning_rate: expected a finite number, got -Inf"},
		{"UTF-16", "\xff\xfea\x00", "x.toml:1: expected UTF-8, got UTF-16: save the file as UTF-8"},
		{"Latin-1", "epochs = 1\nloss = \"\xe9\"", "x.toml:2: expected UTF-8, got the byte 0xe9: save the file as UTF-8"},
		{"a key with control characters", `"a\u001b[2J\nb" = 1`, `x.toml:1: a\u001b[2J\nb: unknown key; known: epochs, learning_rate, loss, cased, seeds, names, header, inner`},
		{"a long string", `epochs = "` + strings.Repeat("x", 5000) + `"`, `x.toml:1: epochs: expected an integer, got the string "` + strings.Repeat("x", 60) + `..."`},
		{"a long key", strings.Repeat("k", 500_000) + " = 1", "x.toml:1: " + strings.Repeat("k", 200) + "...: unknown key; known: epochs, learning_rate, loss, cased, seeds, names, header, inner"},
	} {
		n, err := Parse("x.toml", []byte(tt.src))
		if err == nil {
			err = Decode(n, &settings{})
		}
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got  %.200v\nwant %s", tt.name, err, tt.want)
		}
	}
	for name, src := range map[string]string{
		"byte order mark": "\ufeffepochs = 3", "carriage returns": "epochs = 3\r\nloss = \"a\"\r\n",
		"brackets in strings":      "epochs = 3\nloss = \"" + strings.Repeat("[", 50) + `\"` + "\"\nnames = { a = '" + strings.Repeat("{", 50) + "' } # " + strings.Repeat("[{.", 50),
		"brackets in long strings": "epochs = 3\nloss = \"\"\"\n" + strings.Repeat("[\n", 50) + "\"\"\"\n",
		"many dots":                "epochs = 3\n[names]\n" + strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN", ""), " = \"x.y\"\n") + " = \"z\"",
	} {
		n, err := Parse("x.toml", []byte(src))
		var s settings
		if err == nil {
			err = Decode(n, &s)
		}
		if err != nil || s.Epochs != 3 {
			t.Errorf("%s: %v, %+v", name, err, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a = 1\n[b]\nc.d = { e = [1, 2] }\n"))
	f.Add([]byte("[[a]]\nb = 1979-05-27"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if n, err := Parse("x.toml", src); err == nil {
			_ = Decode(n, &settings{})
		}
	})
}

// A spreadsheet or a script may write -0.0. It is the same setting as 0, so it must
// not give a run another id.
func TestMinusZero(t *testing.T) {
	for _, text := range []string{"0", "-0", "0.0", "-0.0", "-0e5"} {
		n, err := Parse("x.toml", []byte("rate = "+text))
		if err != nil {
			t.Fatal(err)
		}
		var dst struct {
			Rate float64 `toml:"rate"`
		}
		if err := Decode(n, &dst); err != nil || dst.Rate != 0 || math.Signbit(dst.Rate) {
			t.Errorf("%s: %v, %v; expected 0", text, dst.Rate, err)
		}
	}
}

// A document of another program may have thousands of unknown keys. The first
// errors have the right lines, and the rest is summarised in one line.
func TestManyFaults(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("text = \"\"\"two\nlines\"\"\"\ntable = { a = 1, b = 2 }\n")
	for i := range 20_000 {
		fmt.Fprintf(&doc, "key%d = 1\n", i)
	}
	n, err := Parse("x.toml", []byte(doc.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.Table["table"].Table["b"].Where, "x.toml:3"; got != want {
		t.Errorf("line of table.b: %s, expected %s", got, want)
	}
	if got, want := n.Table["key19999"].Where, "x.toml:20003"; got != want {
		t.Errorf("line of the last key: %s, expected %s", got, want)
	}
	var dst struct {
		Rate float64 `toml:"rate"`
	}
	lines := strings.Split(Decode(n, &dst).Error(), "\n")
	if len(lines) != 12 || !strings.HasPrefix(lines[2], "x.toml:4: key0: unknown key") || lines[11] != "x.toml: more faults follow" {
		t.Errorf("%d lines, the third %q, the last %q", len(lines), lines[min(2, len(lines)-1)], lines[len(lines)-1])
	}
}

func TestLeaves(t *testing.T) {
	n, err := Parse("c.toml", []byte("a = 1\n[b]\n\"x.y\" = 2\n[b.c]\nz = 3\n[d]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, value := range n.Leaves() {
		all = append(all, fmt.Sprintf("%q=%v", path, value.Value))
	}
	if got, want := strings.Join(all, " "), `["a"]=1 ["b" "x.y"]=2 ["b" "c" "z"]=3`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for path := range n.Leaves() {
		if len(path) != 1 {
			t.Errorf("it goes on to %q", path)
		}
		break
	}
}
