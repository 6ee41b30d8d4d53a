package suite

import (
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/registry"
)

// Package aggregate knows the references by name, since it may not use the registry.
func TestReferencesAreModels(t *testing.T) {
	for _, name := range aggregate.References {
		if e, ok := registry.Find(registry.Models, name); !ok || e.NonNeural == nil {
			t.Errorf("%s is no non-neural model of the registry", name)
		}
	}
}
