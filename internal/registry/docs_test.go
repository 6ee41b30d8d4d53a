package registry

import (
	"os"
	"strings"
	"testing"
)

// The page shows the tested file, except its package, and the line.
func TestExampleIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/adding-a-model.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("../example/fism.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(code), "\npackage example\n")
	if body == "" || !strings.Contains(string(page), "```go\npackage baselines\n"+body+"```") {
		t.Error("docs/adding-a-model.md does not show internal/example/fism.go")
	}
	test, err := os.ReadFile("../tinytest/tinytest.go")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(test), "\nvar exampleEntry = registry.Entry")
	line, _, _ = strings.Cut(line, "\n\n")
	line = strings.NewReplacer("example.", "baselines.", "registry.", "").Replace(strings.TrimSpace(line))
	if !strings.Contains(string(page), "```go\n"+line+",\n```") {
		t.Errorf("docs/adding-a-model.md does not show the line\n%s", line)
	}
}

// docs/models.md names every model.
func TestModelsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/models.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range Models {
		if !strings.Contains(string(page), "`"+e.Name+"`") {
			t.Errorf("docs/models.md does not name %s", e.Name)
		}
	}
}
