package registry

import (
	"path/filepath"
	"testing"

	"famebench/internal/record"
	"famebench/internal/train"
	"famebench/pretrain"
)

// TestDefaultsArePinned: ids leave out settings at their default, so a changed default
// would give another run an old id. If you change one, raise the version of the model, or
// train.Version. The file is generated: with -update, new models and settings are added,
// and a raised version takes its new defaults. A changed default without a raised version
// is an error all the same.
func TestDefaultsArePinned(t *testing.T) {
	type pin struct {
		Version   int             `json:"version"`
		Objective string          `json:"objective,omitempty"` // of a model: default of train.objective
		Settings  record.Settings `json:"settings"`
	}
	defaults, starts := train.Defaults(), pretrain.SpecInit()
	now := map[string]pin{"train": {train.Version, "", nil}, "pretrain": {pretrain.Version, "", nil}}
	structs := map[string]any{"train": &defaults, "pretrain": &starts}
	for _, e := range Models {
		if e.Defaults != nil && !e.Text { // a model initialised from texts has its base's
			now[e.Name], structs[e.Name] = pin{e.Version, e.TrainDefaults().Objective, nil}, e.Defaults
		}
	}
	pinned := map[string]pin{}
	path := filepath.Join("testdata", "defaults.json")
	readPins(t, path, &pinned)
	for name, n := range now {
		var err error
		if n.Settings, err = record.All(structs[name]); err != nil {
			t.Fatal(err)
		}
		now[name] = n
		p, ok := pinned[name]
		switch {
		case !ok && !*update:
			t.Errorf("%s is a new model: pin its defaults with %s", name, updateCommand)
			continue
		case !ok || *update && p.Version != n.Version:
			continue
		case p.Version != n.Version:
			t.Errorf("%s: expected the defaults of version %d, got version %d: pin them with %s", name, p.Version, n.Version, updateCommand)
		case p.Objective != n.Objective:
			t.Errorf("%s: expected the default objective %q, got %q: raise the version, then run %s", name, p.Objective, n.Objective, updateCommand)
		}
		for key, v := range n.Settings {
			switch was := p.Settings[key]; {
			case was == nil && !*update:
				t.Errorf("%s: the setting %q is new: pin its default with %s", name, key, updateCommand)
			case was != nil && string(was) != string(v):
				t.Errorf("%s.%s: expected the default %s of version %d, got %s: raise the version, then run %s", name, key, was, p.Version, v, updateCommand)
			}
		}
	}
	if *update && !t.Failed() {
		writePins(t, path, now)
	}
}
