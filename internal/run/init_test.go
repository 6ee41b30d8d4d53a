package run

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/registry"
	"famebench/internal/torch"
	"famebench/internal/train"
)

// Every trained model has an item table whose initial norm can be scaled; nothing
// else changes.
func TestScaleItems(t *testing.T) {
	for _, e := range registry.Models {
		if e.Neural == nil {
			continue
		}
		var before, after map[string][]float32
		err := torch.RunTeam(torch.Config{Threads: 2, Seed: 1}, func(team *torch.Team) error {
			m, err := replicas(team, e, e.Defaults, e.TrainDefaults(), 20)
			if err != nil {
				return err
			}
			before = values(t, m)
			if err := scaleItems(m, 3); err != nil {
				return err
			}
			after = values(t, m)
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		for name, old := range before {
			want := slices.Clone(old)
			for i := range want {
				if name == itemTable {
					want[i] *= 3
				}
			}
			if !slices.Equal(after[name], want) {
				t.Errorf("%s: %s: not what was expected", e.Name, name)
			}
		}
	}
	c := train.Defaults()
	for _, bad := range []float64{0, -1, 1001} {
		if c.ItemScale = bad; c.Validate(0) == nil || !strings.Contains(c.Validate(0).Error(), "train.item_scale") {
			t.Errorf("item_scale = %v: %v", bad, c.Validate(0))
		}
	}
}

func values(t *testing.T, m *train.Replicas) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for name, tensor := range m.Params().Tensors() {
		v, err := tensor.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = v
	}
	return out
}

// Without a home no encodings are kept.
func TestEncodingsWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if got := encodingsDir(); got != "" {
		t.Errorf("encodings are kept in %q", got)
	}
}
