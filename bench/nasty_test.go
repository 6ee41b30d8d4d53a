package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"famebench/internal/plan"
)

// nastyTexts are names as nobody should have, and somebody will. Each comes with a number.
var nastyTexts = []string{
	"\x1b[31mred\x1b[0m", "\u202egnp.exe", "a|b", "</script><script>alert(1)</script>", "=cmd()", `\write18{rm}`, "@SUM(A1)", "`code`",
	"[link](http://example.org)", "{_^~#$%&}", "zero\u200bwidth", "c1\u009b2J", "<img src=x onerror=alert(1)>", "quote\"s", "é 小説",
}

// nastyFolder is a folder whose data, texts and configuration are full of them.
func nastyFolder(t *testing.T) (dir, encoder string, ids map[string]bool) {
	t.Helper()
	dir, encoder = textFolder(t)
	ids = map[string]bool{}
	name := func(kind string, i int) string {
		s := fmt.Sprintf("%s %s%d", nastyTexts[i%len(nastyTexts)], kind, i)
		ids[s] = true
		return s
	}
	file := func(path string, lines [][]string) {
		var b bytes.Buffer
		if err := csv.NewWriter(&b).WriteAll(lines); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, path), b.String())
	}
	log, items := [][]string{{"u", "i"}}, [][]string{{"i", "t", "b"}}
	for u := range 30 {
		for i := range 6 {
			log = append(log, []string{name("u", u), name("i", (u*3+i*i)%20)})
		}
	}
	for i := range 20 {
		items = append(items, []string{name("i", i), nastyTexts[i%len(nastyTexts)] + " title", nastyTexts[i%3+3*(i%2)]})
	}
	file("tiny.csv", log)
	file("items.csv", items)
	all := strings.Join(nastyTexts, " ") + "\x00\nend"
	quoted, err := json.Marshal(strings.ReplaceAll(all, "\x00", "\u0001")) // TOML writes strings much as JSON does
	if err != nil {
		t.Fatal(err)
	}
	config := read(t, filepath.Join(dir, plan.FileName))
	config = strings.Replace(config, "[suites.text]\n", "[suites.text]\nsummary = "+string(quoted)+"\n", 1)
	write(t, filepath.Join(dir, plan.FileName), config)
	if err := os.MkdirAll(filepath.Join(dir, "results"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "results", "published.toml"), fmt.Sprintf(`
[data.texts]
users = 30
items = 20
[numbers.a]
model = "fame"
loss = "unknown"
seen_items = "kept"
cold_items = "kept"
source = %[1]s
note = %[1]s
on.texts = { "HR@10" = 0.2 }
[claims.a]
paper = %[1]s
text = %[1]s
model = "fame"
metric = "HR@10"
low = 1
high = 2
baselines = ["sasrec"]
datasets = ["texts"]
`, quoted))
	return dir, encoder, ids
}

// TestNastyData: whatever is in the data, every output is a document of its format, and
// nothing in it acts.
func TestNastyData(t *testing.T) {
	dir, encoder, ids := nastyFolder(t)
	out := filepath.Join(dir, "results")
	args := []string{"-suite", "text", "-models", "popularity,fame,fame-plus", "-set", "pretrain.encoder=" + encoder}
	stdout, stderr, err := runBench(t, dir, append(args, "-analyse")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	checkShows(t, "tables", stdout)
	checkShows(t, "progress", stderr)
	for _, want := range []string{`\u001b[31mred`, "=cmd()"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the tables lack %s:\n%s", want, stdout)
		}
	}
	id := regexp.MustCompile(`texts-popularity-s0-[0-9a-f]{8}`).FindString(stderr)
	fame := regexp.MustCompile(`texts-fame-s0-[0-9a-f]{8}`).FindString(stderr)
	for _, args := range [][]string{
		{"-list"}, {"-list", "-json"}, append(args, "-dry-run"), append(args, "-report"), append(args, "-report", "-json"), {"-trec", id},
		{"-explain", nastyTexts[0] + " u0", "-run", fame}, {"-explain", nastyTexts[0] + " u0", "-run", fame, "-json"},
	} {
		stdout, stderr, err := runBench(t, dir, args...)
		if err != nil {
			t.Errorf("%q: %v", args, err)
		}
		checkShows(t, fmt.Sprintf("%q", args), stdout+stderr)
		if slices.Contains(args, "-json") && !json.Valid([]byte(stdout)) {
			t.Errorf("%q: no JSON:\n%s", args, stdout)
		}
	}
	for pattern, check := range map[string]func(t *testing.T, path, text string){
		"custom/*/tables/*.csv": checkCSV, "custom/*/tables/*.md": checkMarkdown, "custom/*/tables/*.tex": checkLatex,
		"custom/*/figures/*/*.svg": checkSVG, "custom/*/index.html": checkHTML,
		"trec/*.run":   func(t *testing.T, path, text string) { checkTREC(t, path, text, 6, ids) },
		"trec/*.qrels": func(t *testing.T, path, text string) { checkTREC(t, path, text, 4, ids) },
	} {
		paths, err := filepath.Glob(filepath.Join(out, pattern))
		if err != nil || len(paths) == 0 {
			t.Errorf("%s: %q, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text := read(t, path)
			checkShows(t, path, text)
			check(t, path, text)
		}
	}
}

// checkShows: no character that moves the cursor, hides or reorders.
func checkShows(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: no UTF-8", what)
	}
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.In(r, unicode.C, unicode.Zl, unicode.Zp)) {
			t.Errorf("%s: %q in %q", what, r, text[max(0, i-20):min(len(text), i+20)])
			return
		}
	}
}

func checkCSV(t *testing.T, path, text string) {
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	for _, line := range lines {
		for _, cell := range line {
			if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" && strings.Contains("=+-@", cell[:1]) {
				t.Errorf("%s: a formula: %q", path, cell)
			}
		}
	}
}

func checkSVG(t *testing.T, path, text string) {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if e, ok := token.(xml.StartElement); ok && !slices.Contains([]string{"svg", "g", "path", "text", "defs", "clipPath", "rect"}, e.Name.Local) {
			t.Errorf("%s: element %s", path, e.Name.Local)
		}
	}
}

func checkHTML(t *testing.T, path, text string) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	scripts := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
		}
		switch n.Data {
		case "img", "iframe", "object":
			t.Errorf("%s: <%s>", path, n.Data)
		case "script":
			scripts++
			if n.Attr != nil && !json.Valid([]byte(n.FirstChild.Data)) {
				t.Errorf("%s: the data are no JSON", path)
			}
		}
	}
	if scripts != 2 {
		t.Errorf("%s: %d scripts, want the page's 2", path, scripts)
	}
}

func checkMarkdown(t *testing.T, path, text string) {
	bare := regexp.MustCompile(`\\.`).ReplaceAllString(text, "") // without escaped characters
	width := 0
	for line := range strings.Lines(bare) {
		if !strings.HasPrefix(line, "|") {
			width = 0
			continue
		}
		if n := strings.Count(line, "|"); width == 0 {
			width = n
		} else if n != width {
			t.Errorf("%s: a row of %d cells in a table of %d: %s", path, n-1, width-1, line)
		}
	}
	for _, s := range []string{"<", "](", "://", "_^", "~#"} {
		if strings.Contains(bare, s) {
			t.Errorf("%s: has %s", path, s)
		}
	}
	if !strings.Contains(text, `=cmd()`) {
		t.Errorf("%s lacks the summary", path)
	}
}

func checkLatex(t *testing.T, path, text string) {
	if i := strings.IndexFunc(text, func(r rune) bool { return r > 0x7e }); i >= 0 {
		t.Errorf("%s: not ASCII: %q", path, text[i:i+10])
	}
	depth, columns := 0, 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "%") {
			continue
		}
		for _, command := range regexp.MustCompile(`\\[A-Za-z]+`).FindAllString(line, -1) {
			if command == `\write` || command == `\input` {
				t.Errorf("%s: %s", path, command)
			}
		}
		bare := regexp.MustCompile(`\\[^A-Za-z]`).ReplaceAllString(line, "")
		depth += strings.Count(bare, "{") - strings.Count(bare, "}")
		if depth < 0 {
			t.Errorf("%s: a closing brace too many: %s", path, line)
			return
		}
		if strings.ContainsAny(bare, "%#~^_") && !strings.Contains(bare, `$^`) && !strings.Contains(bare, "_i") {
			t.Errorf("%s: a special character: %s", path, line)
		}
		if strings.Count(bare, "$")%2 != 0 {
			t.Errorf("%s: an open formula: %s", path, line)
		}
		switch {
		case strings.HasPrefix(line, `\begin{tabular}`):
			columns = -1
		case strings.HasPrefix(line, `\end{tabular}`):
			columns = 0
		case columns != 0 && strings.HasSuffix(line, "\\\\\n"):
			if n := strings.Count(bare, "&"); columns < 0 {
				columns = n + 1
			} else if n+1 != columns {
				t.Errorf("%s: a row of %d cells in a table of %d: %s", path, n+1, columns, line)
			}
		}
	}
	if depth != 0 {
		t.Errorf("%s: %d braces are open", path, depth)
	}
}

func checkTREC(t *testing.T, path, text string, fields int, ids map[string]bool) {
	for line := range strings.Lines(text) {
		got := strings.Fields(line)
		if len(got) != fields {
			t.Fatalf("%s: %d fields, want %d: %q", path, len(got), fields, line)
		}
		for _, field := range []string{got[0], got[2]} {
			if id, err := url.PathUnescape(field); err != nil || !ids[id] {
				t.Fatalf("%s: %q is no id of the data: %q, %v", path, field, id, err)
			}
		}
	}
}
