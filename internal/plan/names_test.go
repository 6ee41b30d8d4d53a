package plan

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"famebench/internal/registry"
	"famebench/internal/tinytest"
)

// someConfig has a data set and a suite of these names, followed by some text.
func someConfig(data, suite, more string) string {
	return fmt.Sprintf("[datasets.%q]\nformat = \"csv\"\npath = \"d.csv\"\ncolumns = { user = \"u\", item = \"i\" }\n"+
		"[suites.%q]\nmodels = [\"sasrec\", \"markov\"]\ndatasets = [%q]\n%s", data, suite, data, more)
}

func loadText(t *testing.T, text string, sets ...string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.toml")
	tinytest.Write(t, path, text)
	return Load(path, sets, registry.Models)
}

// Names become names of files.
func TestNamesOfFiles(t *testing.T) {
	const another = "\n[datasets.%s]\nformat = \"csv\"\npath = \"d.csv\"\ncolumns = { user = \"u\", item = \"i\" }\n"
	const suite = "\n[suites.%s]\nmodels = [\"markov\"]\ndatasets = [\"z\"]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"a path", someConfig("../../x", "s", ""), `c.toml:1: data set "../../x": expected a name of`},
		{"a folder", someConfig("a/b", "s", ""), `c.toml:1: data set "a/b": expected a name of`},
		{"a suite", someConfig("z", "../s", ""), `c.toml:5: suite "../s": expected a name of`},
		{"hidden", someConfig("z", ".s", ""), `c.toml:5: suite ".s": expected a name of`},
		{"a flag", someConfig("z", "-s", ""), `c.toml:5: suite "-s": expected a name of`},
		{"no name", someConfig("", "s", ""), `c.toml:1: expected a key, got ""`},
		{"capitals", someConfig("z", "s", fmt.Sprintf(another, "Z")), `c.toml:9: data set "Z": expected a name that differs from "z" (c.toml:1) by more than capital letters`},
		{"capitals of a suite", someConfig("z", "s", fmt.Sprintf(suite, "S")), `c.toml:9: suite "S": expected a name that differs from "s" (c.toml:5)`},
		{"another's table", someConfig("z", "s", fmt.Sprintf(suite, `"s.claims"`)), `c.toml:9: suite "s.claims": expected another name: s.claims.csv is a table of the suite "s"`},
		{"tuned elsewhere", someConfig("z", "s", `tuned = ["../x.toml"]`), `c.toml:8: suites.s.tuned: "../x.toml": expected a path within the folder`},
		{"expected elsewhere", someConfig("z", "s", "kind = \"ci\"\nexpected = \"/etc/x.json\""), `c.toml:9: suites.s.expected: "/etc/x.json": expected a path within the folder`},
		{"published", someConfig("z", "published", "kind = \"tune\"\naxes.sasrec.heads = [1, 2]"), `c.toml:5: suite "published": expected another name`},
	} {
		_, err := loadText(t, tt.text)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got  %v\nwant %s", tt.name, err, tt.want)
		}
	}
	if _, err := loadText(t, someConfig("Ml-1m_2.0", "s.2", "tuned = [\"results/../x.toml\"]"+fmt.Sprintf(another, "ml-1m_2"))); err != nil {
		t.Error(err)
	}
	if _, err := loadText(t, someConfig("z", "s", ""), `s.tuned=["/elsewhere/x.toml"]`); err != nil {
		t.Errorf("a path given with -set is refused: %v", err)
	}
}

// A suite of more runs than anybody does is refused at once.
func TestTooManyRuns(t *testing.T) {
	list := func(n int) string {
		return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(make([]int, n))), ","), "[]")
	}
	count := func(n int) string { // 1,2,…
		var s []string
		for i := range n {
			s = append(s, fmt.Sprint(i+1))
		}
		return strings.Join(s, ",")
	}
	for _, tt := range []struct{ more, want string }{
		{"seeds = [" + count(150_000) + "]", "c.toml:8: suites.s.seeds: expected a list of at most 10000 values, got 150000"},
		{"seeds = [" + list(9_000) + "]", "c.toml:8: suites.s.seeds: seed 0 is listed twice"},
		{"grid = true\naxes.heads = [" + count(100) + "]\naxes.layers = [" + count(100) + "]\naxes.train.epochs = [" + count(100) + "]",
			"c.toml:5: suites.s: expected at most 100000 runs, got 1000001"}, // Markov is one
		{"seeds = [" + count(1000) + "]\naxes.layers = [" + count(100) + "]", "c.toml:5: suites.s: expected at most 100000 runs, got 101001"},
		{"axes.layers = [" + count(101) + "]", "c.toml:8: suites.s.axes.layers: expected an axis of at most 100 values, got 101"},
	} {
		_, err := loadText(t, someConfig("z", "s", tt.more))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got  %.300v\nwant %s", err, tt.want)
		}
	}
	c, err := loadText(t, someConfig("z", "s", "seeds = ["+count(9_000)+"]"))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Suite("s")
	if _, err := c.Choose(s, nil, nil, make([]int64, 10_001)); err == nil || err.Error() != "-seeds: expected at most 10000 seeds, got 10001" {
		t.Errorf("-seeds: %v", err)
	}
}

// A mistake is reported once, however many suites, layers and axes contain it.
func TestOneMistakeOneMessage(t *testing.T) {
	var more strings.Builder
	for i := range 5 {
		fmt.Fprintf(&more, "\n[suites.s%d]\nmodels = [\"sasrec\", \"fame\"]\ndatasets = [\"z\"]\naxes.heads = [1, 2, 4]\naxes.train.epochs = [1, 2]\n", i)
	}
	text := someConfig("z", "s", more.String())
	change := func(text, from, to string) string {
		if from == "" {
			return text
		}
		return strings.ReplaceAll(text, from, to)
	}
	for _, tt := range []struct {
		from, to, want string
		sets           []string
	}{
		{"", "", `-set train.epohcs=3: train.epohcs: unknown key; did you mean "epochs"?`, []string{"train.epohcs=3"}},
		{"", "", `-set fame.hed=3: models.fame.hed: unknown key; did you mean "heads"?`, []string{"fame.hed=3"}},
		{"", "", `-set suites.t0.seeds=[1]: unknown suite "t0"; did you mean "s0"?`, []string{"suites.t0.seeds=[1]"}},
		{"", "", `-set datasets.zz.path=x: unknown data set "zz"; did you mean "z"?`, []string{"datasets.zz.path=x"}},
		{"", "", `-set datasets={zz={path="x"}}: unknown data set "zz"; did you mean "z"?`, []string{`datasets={zz={path="x"}}`}},
		{"", "", `-set suites={t0={seeds=[1]}}: unknown suite "t0"; did you mean "s0"?`, []string{"suites={t0={seeds=[1]}}"}},
		{"", "", `-set s.axes.sasrec.heads=[4]: axis sasrec.heads of suite s is given twice, with and without quotes, first in -set s.axes."sasrec.heads"=[1,2]`,
			[]string{`s.axes."sasrec.heads"=[1,2]`, "s.axes.sasrec.heads=[4]"}},
		{"", "", `-set s.axes.head=[1]: suites.s.axes.head: no model of the suite has this setting; did you mean "heads"?`, []string{"s.axes.head=[1]"}},
		{"[suites.\"s\"]", "[train]\nepohcs = 3\n[suites.s]", `c.toml:6: train.epohcs: unknown key; did you mean "epochs"?`, nil},
		{"[suites.\"s\"]", "[models.sasrec.train]\nepohcs = 3\n[suites.s]", `c.toml:6: models.sasrec.train.epohcs: unknown key; did you mean "epochs"?`, nil},
		{"[suites.\"s\"]", "[models.fame]\nheads = \"x\"\n[suites.s]", `c.toml:6: models.fame.heads: expected an integer, got the string "x"`, nil},
		{`[datasets."z"]`, "[datasets.zz]", `c.toml:7: suites.s.datasets: unknown data set "z"; did you mean "zz"? (and in 5 more suites)`, nil},
		{`"fame"`, `"fema"`, `c.toml:10: suites.s0.models: unknown model "fema"; did you mean "fame"? (and in 4 more suites)`, nil},
	} {
		_, err := loadText(t, change(text, tt.from, tt.to), tt.sets...)
		if err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}
