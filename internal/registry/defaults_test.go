package registry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"famebench/internal/record"
	"famebench/internal/train"
	"famebench/pretrain"
)

// TestDefaultsArePinned: ids leave out settings at their default, so a default
// that changes would give another run an old id. Whoever changes one raises the
// version (of the model, or train.Version) and pins anew in testdata; a new
// setting is only added.
func TestDefaultsArePinned(t *testing.T) {
	type pin struct {
		Version   int             `json:"version"`
		Objective string          `json:"objective,omitempty"` // of a model: default of train.objective
		Settings  record.Settings `json:"settings"`
	}
	defaults := train.Defaults()
	starts := pretrain.SpecStart()
	now := map[string]pin{"train": {train.Version, "", nil}, "pretrain": {pretrain.Version, "", nil}}
	structs := map[string]any{"train": &defaults, "pretrain": &starts}
	for _, e := range Models {
		if e.Defaults != nil && !e.Text { // what starts from texts has its base's
			now[e.Name], structs[e.Name] = pin{e.Version, e.TrainDefaults().Objective, nil}, e.Defaults
		}
	}
	path := filepath.Join("testdata", "defaults.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pinned map[string]pin
	if err := json.Unmarshal(b, &pinned); err != nil {
		t.Fatal(err)
	}
	for name, n := range now {
		settings, err := record.All(structs[name])
		if err != nil {
			t.Fatal(err)
		}
		p := pinned[name]
		for key, v := range settings {
			switch {
			case p.Settings[key] == nil:
				t.Errorf("%s: the new setting %q is not pinned in %s (default %s)", name, key, path, v)
			case string(p.Settings[key]) != string(v):
				t.Errorf("%s.%s: the default was %s in version %d and is %s in version %d; raise the version and pin anew in %s",
					name, key, p.Settings[key], p.Version, v, n.Version, path)
			}
		}
		if p.Objective != n.Objective {
			t.Errorf("%s: the default objective was %q and is %q: raise the version and pin anew in %s", name, p.Objective, n.Objective, path)
		}
		if p.Version != n.Version {
			t.Errorf("%s: version %d, pinned are the defaults of version %d: pin anew in %s", name, n.Version, p.Version, path)
		}
	}
}
