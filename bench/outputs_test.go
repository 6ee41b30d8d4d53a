package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var output = regexp.MustCompile("(?ms)^<!-- (like the )?output of \\.bin/bench ([^\n]*) -->\n\n```\n(.*?)^```$")

// TestDocsOutput runs the commands named before examples of output, on the committed
// records. Each line of an example must be in what the command prints, in the same order;
// an example may leave lines out. -update writes new numbers. An example that is only "like
// the output", because every new record changes it, may have others.
func TestDocsOutput(t *testing.T) {
	t.Chdir("..")
	examples := 0
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text := read(t, path)
		fresh := text
		for _, m := range output.FindAllStringSubmatch(text, -1) {
			examples++
			var stdout, stderr bytes.Buffer
			if err := command(context.Background(), nil, shellWords(m[2]), &stdout, &stderr); err != nil {
				t.Errorf("%s: %s: %v\n%s", path, m[2], err, stderr.String())
				continue
			}
			shown, err := sameLines(m[3], stdout.String())
			switch {
			case err != nil:
				t.Errorf("%s: %s: %v\n%s", path, m[2], err, stdout.String())
			case m[1] != "": // only the words count
			case shown != m[3] && !*update:
				t.Errorf("%s: %s prints other numbers; go test ./bench -run DocsOutput -update writes them\n%s", path, m[2], shown)
			default:
				fresh = strings.Replace(fresh, m[3], shown, 1)
			}
		}
		if *update && !t.Failed() && fresh != text {
			if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if examples < 3 {
		t.Errorf("%d examples of output found, expected all", examples)
	}
}

var wordOrMetric = regexp.MustCompile(`\p{L}+(@\d+)?`)

// sameLines returns, for each line of an example, the next line of the output that has the
// same words, whatever its numbers are.
func sameLines(example, output string) (string, error) {
	words := func(line string) string { return strings.Join(wordOrMetric.FindAllString(line, -1), " ") }
	var out strings.Builder
	for want := range strings.Lines(example) {
		found := false
		for !found && output != "" {
			var line string
			line, output, _ = strings.Cut(output, "\n")
			if found = words(line) == words(want); found {
				fmt.Fprintln(&out, line)
			}
		}
		if !found {
			return "", fmt.Errorf("it prints no line like %q after those before it", want)
		}
	}
	return out.String(), nil
}

func TestSameLines(t *testing.T) {
	const out = "a 1\nb 2\n\nc 3\nc 4\nHR@5 5\nHR@10 6\n"
	for _, tt := range []struct{ example, want string }{
		{"a 0\nc 0\n", "a 1\nc 3\n"},
		{"c 9\nc 9\n", "c 3\nc 4\n"},
		{"HR@10 8\n", "HR@10 6\n"},
		{"b 2\n\n", "b 2\n\n"},
		{"c 3\na 1\n", ""},
		{"d\n", ""},
	} {
		if got, err := sameLines(tt.example, out); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v, want %q", tt.example, got, err, tt.want)
		}
	}
}
