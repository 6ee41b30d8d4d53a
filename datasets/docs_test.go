package datasets

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"famebench/internal/conf"
)

// docs/datasets.md is right: its examples are valid, its table of keys is
// complete, its statistics are those of the embedded sets.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/datasets.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)

	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(examples) != 4 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, example := range examples {
		doc, err := conf.Parse("docs/datasets.md", []byte(example[1]))
		if err != nil {
			t.Fatalf("%v in\n%s", err, example[1])
		}
		sets, err := doc.Sub("datasets")
		if keys := doc.Keys(); err != nil || !slices.Equal(keys, []string{"datasets"}) {
			t.Fatalf("%v, sections %q in\n%s", err, keys, example[1])
		}
		for _, name := range sets.Keys() {
			c := Config{Name: name}
			if err := conf.Decode(sets.Table[name], &c); err != nil {
				t.Error(err)
			}
			if _, err := c.Resolve(); err != nil {
				t.Error(err)
			}
		}
	}

	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		if key := fields.Field(i).Tag.Get("toml"); key != "name" && !strings.Contains(doc, "\n| `"+key+"` | ") {
			t.Errorf("key %s is not in the table", key)
		}
	}
	for _, key := range conf.Names(&WorldConfig{}) {
		if !regexp.MustCompile("(?m)^\\| .*`" + key + "`.* \\| .* \\| ").MatchString(doc) {
			t.Errorf("key %s of world is not in the table", key)
		}
	}
	for _, f := range Formats() {
		if !strings.Contains(doc, "\n| `"+f+"` | ") {
			t.Errorf("format %s is not in the table", f)
		}
	}

	for name, set := range knownSets {
		all := maps.Clone(set.cores)
		if all == nil {
			all = map[int]knownData{}
		}
		all[0] = set.knownData
		for core, k := range all {
			row := fmt.Sprintf("%s | %s | %s | %.3f %% | %.1f |", thousands(k.users), thousands(k.items), thousands(k.interactions),
				100*float64(k.interactions)/float64(k.users)/float64(k.items), float64(k.interactions)/float64(k.users))
			if !strings.Contains(doc, row) {
				t.Errorf("%s, k_core = %d: no %q in the table", name, core, row)
			}
		}
		for rule, sum := range set.cores[5].fingerprints {
			if whole := set.fingerprints[rule]; !strings.Contains(doc, "`"+sum+"`") || !strings.Contains(doc, "`"+whole+"`") {
				t.Errorf("%s: the fingerprints %s and %s are not both in the text", name, whole, sum)
			}
		}
	}
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
