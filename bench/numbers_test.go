package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The numbers in the running text of these pages come from results/. A comment below
// the text says where each of its numbers was read, in their order:
//
//	<!-- numbers
//	.0477: tables/main.csv, rule=removed, model=core, metric=NDCG@10, mean
//	1.1: tables/main.csv, rule=kept, metric=HR@20, model=core, mean over model=fame
//	15: analysis/ID.json, 100*hit_rate
//	4.2: published.toml, "low = 4.2"
//	-->
//
// A source is a file in results/, then the row and the column of a CSV file, the path
// of a number in a JSON file, or words that a text file has. "over" gives the
// difference to another row in percent, and inherits what it does not name.
var pagesWithNumbers = []string{"../README.md", "../docs/results.md"}

var (
	// Not running text: code, tables that another test compares, targets of links.
	notText = regexp.MustCompile("(?s)```.*?```|<!-- of results/.*?<!-- end -->|`[^`]*`|\\]\\([^)]*\\)")
	region  = regexp.MustCompile(`<!-- of ([^ ,]*)`)
	comment = regexp.MustCompile(`(?s)^<!-- numbers\n(.*)-->$`)
	number  = regexp.MustCompile(`^[0-9]*\.?[0-9][0-9,.]*$`)
	year    = regexp.MustCompile(`^(19|20)[0-9][0-9]$`)
)

// tablesOfPages are the tables that TestReadmeShowsTheRecords and TestReadmeOfFAMEPlus
// compare with results/.
var tablesOfPages = []string{"results/tables/main.md", "results/tables/main.csv", "results/tables/speed.md", "results/tables/pretrain.csv"}

func TestReadmeNumbers(t *testing.T) {
	for _, page := range pagesWithNumbers {
		for _, m := range region.FindAllStringSubmatch(read(t, page), -1) {
			if !slices.Contains(tablesOfPages, m[1]) {
				t.Errorf("%s: no test compares the table of %s", page, m[1])
			}
		}
		text := notText.ReplaceAllString(read(t, page), "")
		if strings.Contains(text, "<!-- of ") {
			t.Errorf("%s: a table without its end", page)
		}
		var open []string // numbers since the last comment or heading
		sourced := 0
		for block := range strings.SplitSeq(text, "\n\n") {
			block = strings.TrimSpace(block)
			if m := comment.FindStringSubmatch(block); m != nil {
				for _, problem := range compareNumbers(open, strings.Split(strings.TrimSpace(m[1]), "\n")) {
					t.Errorf("%s: %s", page, problem)
				}
				sourced += len(open)
				open = nil
				continue
			}
			if strings.HasPrefix(block, "#") && len(open) > 0 {
				t.Errorf("%s: no source of %q before %q: add a comment as bench/numbers_test.go says", page, open, block)
				open = nil
			}
			open = append(open, numbersIn(block)...)
		}
		if len(open) > 0 {
			t.Errorf("%s: no source of %q at the end: add a comment as bench/numbers_test.go says", page, open)
		}
		if sourced == 0 {
			t.Errorf("%s: no number has a source", page)
		}
	}
}

// numbersIn are the words of a text that are numbers. Years, and names with digits in
// them, such as HR@20 or MovieLens-100K, are none.
func numbersIn(text string) []string {
	var out []string
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \n\t|/–±()[]*:;", r) }) {
		word = strings.TrimRight(strings.TrimLeft(word, "~+-\""), ".,%×\"")
		if number.MatchString(word) && !year.MatchString(word) {
			out = append(out, word)
		}
	}
	return out
}

// compareNumbers are the differences between the numbers of a block and the lines of
// its comment.
func compareNumbers(shown, lines []string) []string {
	var problems []string
	for i, line := range lines {
		name, source, _ := strings.Cut(line, ": ")
		if i >= len(shown) || shown[i] != name {
			return append(problems, fmt.Sprintf("the text shows the numbers %q, the comment does not say the same in the line %q", shown, line))
		}
		if got, err := lookUp(name, source); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", line, err))
		} else if got != name {
			problems = append(problems, fmt.Sprintf("%s: the source says %s", line, got))
		}
	}
	if len(lines) < len(shown) {
		problems = append(problems, fmt.Sprintf("no source of %q", shown[len(lines):]))
	}
	return problems
}

// lookUp reads the value of a source and writes it as the shown number is written.
func lookUp(shown, source string) (string, error) {
	file, rest, _ := strings.Cut(source, ", ")
	path := filepath.Join("../results", file)
	if words, ok := strings.CutPrefix(rest, `"`); ok {
		words = strings.TrimSuffix(words, `"`)
		text, err := readFile(path)
		if err == nil && !slices.Contains(numbersIn(strings.NewReplacer("=", " ", "-", " ").Replace(words)), shown) {
			err = fmt.Errorf("%q does not say %s", words, shown)
		}
		if err == nil && !strings.Contains(text, words) {
			err = fmt.Errorf("%s has no %q", file, words)
		}
		return shown, err
	}
	var value float64
	var err error
	if strings.HasSuffix(file, ".json") {
		factor, key := 1.0, rest
		if after, ok := strings.CutPrefix(rest, "100*"); ok {
			factor, key = 100, after
		}
		value, err = jsonNumber(path, key)
		value *= factor
	} else {
		value, err = csvNumber(path, rest)
	}
	if err != nil {
		return "", err
	}
	_, decimals, _ := strings.Cut(shown, ".")
	text := strconv.FormatFloat(value, 'f', len(decimals), 64)
	if strings.HasPrefix(shown, ".") {
		text = strings.TrimPrefix(text, "0")
	}
	if strings.Contains(shown, ",") && len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text, nil
}

func readFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	return string(b), err
}

// jsonNumber follows a path such as "heads.1.gate.sd" into a JSON file.
func jsonNumber(path, key string) (float64, error) {
	text, err := readFile(path)
	if err != nil {
		return 0, err
	}
	var at any
	if err := json.Unmarshal([]byte(text), &at); err != nil {
		return 0, err
	}
	for part := range strings.SplitSeq(key, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return 0, fmt.Errorf("no element %q", part)
			}
			at = v[i]
		}
	}
	value, ok := at.(float64)
	if !ok {
		return 0, fmt.Errorf("%s is no number", key)
	}
	return value, nil
}

// csvNumber finds the one row of a CSV file that has all values of "a=x, b=y, column",
// or the difference in percent of "a=x, column over b=y" between two rows.
func csvNumber(path, query string) (float64, error) {
	query, base, relative := strings.Cut(query, " over ")
	parts := strings.Split(query, ", ")
	column := parts[len(parts)-1]
	wanted, err := filters(parts[:len(parts)-1])
	if err != nil {
		return 0, err
	}
	factor := 1.0
	if after, ok := strings.CutPrefix(column, "-"); ok {
		factor, column = -1, after
	}
	if after, ok := strings.CutPrefix(column, "100*"); ok {
		factor, column = 100, after
	}
	value, err := csvCell(path, wanted, column)
	if err != nil || !relative {
		return factor * value, err
	}
	others, err := filters(strings.Split(base, ", "))
	if err != nil {
		return 0, err
	}
	maps.Copy(wanted, others)
	reference, err := csvCell(path, wanted, column)
	return factor * 100 * (value/reference - 1), err
}

func filters(parts []string) (map[string]string, error) {
	out := map[string]string{}
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("expected COLUMN=VALUE, got %q", part)
		}
		out[name] = value
	}
	return out, nil
}

func csvCell(path string, wanted map[string]string, column string) (float64, error) {
	text, err := readFile(path)
	if err != nil {
		return 0, err
	}
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return 0, err
	}
	at := map[string]int{}
	for i, name := range lines[0] {
		at[name] = i
	}
	for name := range wanted {
		if _, ok := at[name]; !ok {
			return 0, fmt.Errorf("no column %q", name)
		}
	}
	if _, ok := at[column]; !ok {
		return 0, fmt.Errorf("no column %q", column)
	}
	cells := map[string]bool{}
	for _, line := range lines[1:] {
		fits := true
		for name, value := range wanted {
			fits = fits && line[at[name]] == value
		}
		if fits {
			cells[line[at[column]]] = true
		}
	}
	if len(cells) != 1 {
		return 0, fmt.Errorf("the rows with %v have %d different values of %s, expected one", wanted, len(cells), column)
	}
	for cell := range cells {
		return strconv.ParseFloat(cell, 64)
	}
	panic("unreachable")
}

// The checker finds what is wrong, or it would prove nothing.
func TestNumbersAreChecked(t *testing.T) {
	const main = "tables/main.csv, dataset=beauty, rule=removed, metric=NDCG@10, "
	shown := numbersIn("It is **.0477** (HR@20, 5-core, x86-64), about 1,234–1,235 or ~4 %, 35 ×: 7.")
	if got := strings.Join(shown, " "); got != ".0477 1,234 1,235 4 35 7" {
		t.Errorf("numbers found: %s", got)
	}
	for _, c := range []struct {
		shown, line string
		ok          bool
	}{
		{".0511", main + "model=core, mean", true},
		{".0512", main + "model=core, mean", false},
		{".051", main + "model=core, mean", true},
		{".0511", main + "mean", false},               // several rows
		{".0511", main + "model=nobody, mean", false}, // none
		{".0511", main + "modle=core, mean", false},
		{".0511", "tables/nothing.csv, model=core, mean", false},
		{"10.8", main + "model=core, -gain", true},
		{"10.8", main + "model=core, -mean over model=duorec", true},
		{"10.8", main + "model=core, gain", false},
		{"15", "analysis/beauty-fame-s1-e91276da.json, 100*hit_rate", true},
		{"15", "analysis/beauty-fame-s1-e91276da.json, 100*hits", false},
		{"16", "analysis/beauty-fame-s1-e91276da.json, 100*hit_rate", false},
		{"4.2", `published.toml, "low = 4.2"`, true},
		{"4.3", `published.toml, "low = 4.3"`, false},
		{"4.3", `published.toml, "low = 4.2"`, false},
	} {
		problems := compareNumbers([]string{c.shown}, []string{c.shown + ": " + c.line})
		if (len(problems) == 0) != c.ok {
			t.Errorf("%s: %s: %q", c.shown, c.line, problems)
		}
	}
	if compareNumbers([]string{"1", "2"}, []string{`1: published.toml, "1"`}) == nil {
		t.Error("a number without source passes")
	}
	if compareNumbers([]string{"1"}, []string{`2: published.toml, "2"`}) == nil {
		t.Error("another number passes")
	}
}
