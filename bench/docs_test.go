package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// pages are the documents for users: path to text.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../docs/*.md")
	if err != nil || len(paths) < 6 {
		t.Fatalf("%d pages in docs/, %v", len(paths), err)
	}
	out := map[string]string{}
	for _, path := range append(paths, "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		out[path] = read(t, path)
	}
	return out
}

// addingAModel has examples about a model that the registry does not have. Tests next
// to the registry train it and compare the page with its code.
const addingAModel = "../docs/adding-a-model.md"

// TestDocsConfiguration reads the toml examples of each page with the program. What an
// example takes for granted is added: Beauty, and the rest of a suite of which it
// shows the axes alone.
func TestDocsConfiguration(t *testing.T) {
	table := regexp.MustCompile(`(?m)^\[suites\.([\w-]+)(\.axes)?\]$`)
	examples := 0
	for path, text := range pages(t) {
		config := ""
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] == "toml" && path != addingAModel {
				config += m[2]
				examples++
			}
		}
		if config == "" {
			continue
		}
		suites := map[string]bool{}
		for _, m := range table.FindAllStringSubmatch(config, -1) {
			suites[m[1]] = true
			if !strings.Contains(config, "[suites."+m[1]+"]\n") {
				config = "[suites." + m[1] + "]\nmodels = [\"sasrec\", \"fame\"]\ndatasets = [\"beauty\"]\n" + config
			}
		}
		config += "\n[datasets.beauty]\nname = \"amazon-beauty\"\n"
		dir := t.TempDir()
		file := filepath.Join(dir, "experiments.toml")
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if len(suites) == 0 {
			dryRun(t, path, []string{"-config", file, "-list"})
		}
		for name := range suites {
			dryRun(t, path, []string{"-config", file, "-suite", name, "-dry-run"})
		}
	}
	if examples < 4 {
		t.Errorf("%d toml examples found, expected all", examples)
	}
}

func dryRun(t *testing.T, path string, args []string) {
	t.Helper()
	var stderr bytes.Buffer
	if err := command(context.Background(), nil, args, io.Discard, &stderr); err != nil {
		t.Errorf("%s: bench %s: %v\n%s", path, strings.Join(args, " "), err, stderr.String())
	}
}

// TestDocsCommands checks every command line of the sh examples: the flags of bench are
// parsed, its suites exist, and so do targets of make, scripts and packages.
func TestDocsCommands(t *testing.T) {
	target := regexp.MustCompile(`(?m)^([a-z]+):`)
	var targets []string
	for _, m := range target.FindAllStringSubmatch(read(t, "../Makefile"), -1) {
		targets = append(targets, m[1])
	}
	commands := 0
	for path, text := range pages(t) {
		suites := read(t, "../experiments.toml") + text
		checkSuite := func(name string) {
			if name != "NAME" && !strings.Contains(suites, "[suites."+name+"]") {
				t.Errorf("%s: there is no suite %q", path, name)
			}
		}
		for _, m := range regexp.MustCompile("`[^`\n]*-suite ([\\w-]+)[^`\n]*`").FindAllStringSubmatch(text, -1) {
			checkSuite(m[1])
		}
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] != "sh" {
				continue
			}
			for line := range strings.Lines(m[2]) {
				line, _, _ = strings.Cut(line, "  ") // then a comment
				line, _, _ = strings.Cut(line, " #")
				line, _, _ = strings.Cut(line, " >")
				words := shellWords(line)
				if len(words) == 0 {
					continue
				}
				commands++
				switch {
				case words[0] == ".bin/bench", strings.HasPrefix(line, "go run ./bench"):
					if words[0] == "go" {
						words = words[2:]
					}
					o, err := parseFlags(words[1:], io.Discard)
					if err != nil {
						t.Errorf("%s: %s: %v", path, line, err)
					} else if o.suite != "" {
						checkSuite(o.suite)
					}
				case words[0] == "make":
					if !slices.Contains(targets, words[1]) {
						t.Errorf("%s: %s: make has no such target", path, line)
					}
				case strings.HasPrefix(line, "go test "):
					if !strings.Contains(words[2], "PACKAGE") {
						exists(t, path, filepath.Join("..", words[2]))
					}
				case strings.HasPrefix(words[0], "scripts/"):
					exists(t, path, filepath.Join("..", words[0]))
				case words[0] == "." && strings.HasPrefix(words[1], "~"): // a file that another command makes
				case words[0] == ".":
					exists(t, path, filepath.Join("..", words[1]))
				case strings.Contains(words[0], "python"): // of the reader's own environment
				case slices.Contains([]string{"git", "sinfo", "cat", "podman", "apptainer", "kubectl"}, words[0]):
				default:
					t.Errorf("%s: nothing checks the command %q", path, line)
				}
			}
		}
	}
	if commands < 15 {
		t.Errorf("%d commands found, expected all", commands)
	}
}

var shellWord = regexp.MustCompile(`"[^"]*"|\S+`)

// shellWords divides a command into words, of which some are in quotation marks.
func shellWords(line string) []string {
	words := shellWord.FindAllString(strings.ReplaceAll(line, "'", ""), -1)
	for i, w := range words {
		words[i] = strings.Trim(w, `"`)
	}
	return words
}

// Go code in the docs is code that tests compile. So far one page has some.
func TestDocsGo(t *testing.T) {
	for path, text := range pages(t) {
		if strings.Contains(text, "```go\n") && path != addingAModel {
			t.Errorf("%s has Go code that no test compiles", path)
		}
	}
}

// TestDocsLinks follows the links between documents and to files of the repository.
func TestDocsLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	for path, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(m[1], "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if exists(t, path, to); anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", path, to, anchor)
			}
		}
	}
	if links < 30 {
		t.Errorf("%d links found, expected all", links)
	}
}

func exists(t *testing.T, page, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s: %v", page, err)
	}
}

// anchors are the names that GitHub gives the headings of a page.
func anchors(text string) []string {
	var out []string
	seen := map[string]int{}
	text = fence.ReplaceAllString(text, "")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		if n := seen[name]; n > 0 {
			out = append(out, fmt.Sprintf("%s-%d", name, n))
		} else {
			out = append(out, name)
		}
		seen[name]++
	}
	return out
}
