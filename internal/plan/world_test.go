package plan

import (
	"strings"
	"testing"

	"famebench/internal/tinytest"
)

// Two worlds can generate the same sequences, such as two that differ in whether items may be
// repeated if nobody repeats one. They are one data set to models that learn from it, and two to
// models that know the world.
func TestSpecsOfModelsThatKnowTheWorld(t *testing.T) {
	dir := t.TempDir()
	tinytest.Write(t, dir+"/"+FileName, `
[datasets.w]
format = "facets"
world = { users = 60, items = 100000, item_skew = 0, length = 4, min_length = 4, seed = 1 }
[suites.s]
models = ["popularity", "oracle", "labels-known"]
datasets = ["w"]
`)
	ids := func(sets ...string) (out []string) {
		for _, r := range mustPlan(t, dir, "s", sets...).Runs {
			out = append(out, r.ID)
		}
		return out
	}
	once, again := ids(), ids("datasets.w.world.repeats=true")
	if once[0] != again[0] {
		t.Errorf("popularity is %s and %s: the sequences differ, so this test says nothing", once[0], again[0])
	}
	for i := 1; i < len(once); i++ {
		if once[i] == again[i] {
			t.Errorf("%s has the same id in both worlds", once[i])
		}
	}
	if same := ids("datasets.w.world.noise=0.1", "datasets.w.world.preferred=2"); strings.Join(same, " ") != strings.Join(once, " ") {
		t.Errorf("with defaults that are written out: %q, expected %q", same, once)
	}
}
