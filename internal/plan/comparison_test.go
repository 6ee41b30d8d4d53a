package plan

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/tinytest"
)

const comparison = `[datasets.tiny]
format = "csv"
path = "tiny.csv"
columns = { user = "u", item = "i" }
[suites.s]
models = ["markov", "sasrec", "fism", "fame-warm"]
datasets = ["tiny"]
`

func TestComparisonKeys(t *testing.T) {
	for _, tt := range []struct{ add, want string }{
		{`proposed = ["fisn"]`, `c.toml:8: suites.s.proposed: unknown model "fisn"; did you mean "fism"?`},
		{`proposed = ["bert4rec"]`, `c.toml:8: suites.s.proposed: the suite has no model "bert4rec"; known: markov, sasrec, fism, fame-warm`},
		{`proposed = ["fism", "fism"]`, `c.toml:8: suites.s.proposed: model "fism" is listed twice`},
		{`proposed = []`, `c.toml:8: suites.s.proposed: expected at least one model, or no such key: then FAME and the models that are initialised from texts are the proposals`},
		{`baseline = "sasrek"`, `c.toml:8: suites.s.baseline: unknown model "sasrek"; did you mean "sasrec"?`},
		{`baseline = "popularity"`, `c.toml:8: suites.s.baseline: the suite has no model "popularity"; known: markov, sasrec, fism, fame-warm`},
		{"proposed = [\"fism\"]\nbaseline = \"fism\"", `c.toml:9: suites.s.baseline: "fism" is in proposed too: expected one of the two`},
		{`columns = ["NDCG@10", "HR@2O"]`, `c.toml:8: suites.s.columns: unknown metric "HR@2O"; did you mean "HR@20"?`},
		{`columns = []`, `c.toml:8: suites.s.columns: expected at least one metric`},
		{"kind = \"cost\"\nbaseline = \"sasrec\"", `c.toml:9: suites.s.baseline: suites of kind "cost" compare no models: leave it out`},
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		tinytest.Write(t, path, comparison+tt.add)
		if _, err := Load(path, nil, tinytest.Entries); err == nil || err.Error() != tt.want {
			t.Errorf("%s\ngot  %v\nwant %s", tt.add, err, tt.want)
		}
	}
}

// Nothing is tested against a reference.
func TestReferenceIsNoBaseline(t *testing.T) {
	_, err := loadText(t, "[datasets.w]\nformat = \"facets\"\n[suites.s]\nmodels = [\"oracle\", \"sasrec\"]\ndatasets = [\"w\"]\nbaseline = \"oracle\"\n")
	if err == nil || !strings.Contains(err.Error(), "suites.s.baseline: oracle knows how the data were generated") {
		t.Error(err)
	}
}

// What a suite proposes decides what its tables say, so it is part of the plan's identity.
// Which columns they show decides no number, so it is not. Without the keys the identity is
// what it was before they existed.
func TestComparison(t *testing.T) {
	load := func(add string) (Suite, string) {
		dir := tinytest.Folder(t, comparison+add)
		c, err := Load(filepath.Join(dir, "experiments.toml"), nil, tinytest.Entries)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Suite("s")
		if err != nil {
			t.Fatal(err)
		}
		asked, err := c.Asked(s)
		if err != nil {
			t.Fatal(err)
		}
		return s, asked
	}
	s, plain := load("")
	if s.Proposed != nil || s.Baseline != "" || s.Columns != nil {
		t.Errorf("without keys: %+v", s.Comparison)
	}
	entries := slices.Clone(tinytest.Entries)
	for i := range entries {
		if entries[i].Name == "fame-warm" {
			entries[i].Base = "fame"
		}
	}
	for _, tt := range []struct {
		add       string
		proposals string
		same      bool
	}{
		{"", "fame-warm", true},
		{`columns = ["NDCG@10", "gain"]`, "fame-warm", true},
		{`proposed = ["fism"]`, "fism", false},
		{`baseline = "sasrec"`, "fame-warm", false},
		{`baseline = "fame-warm"`, "", false}, // it is no proposal then
	} {
		s, asked := load(tt.add)
		if got := strings.Join(s.Proposals(entries, s.Models), " "); got != tt.proposals || (asked == plain) != tt.same {
			t.Errorf("%s: proposals %q, the same plan: %v", tt.add, got, asked == plain)
		}
	}
}
