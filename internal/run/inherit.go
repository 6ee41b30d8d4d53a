package run

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/train"
	"famebench/models"
)

// inherit makes a model begin with the trained weights of its source. Parameters of the same
// name must have the same shape. The others stay as they are initialised.
func inherit(m *train.Replicas, job plan.Job) (*record.Inherited, error) {
	spec, _ := job.Spec.OfSource()
	id, err := spec.ID()
	if err != nil {
		return nil, err
	}
	store := record.Store{Dir: job.Sources()}
	f, _, err := readWeights(store.WeightsPath(id), id)
	if err != nil {
		return nil, environmentError{fmt.Errorf("the run begins with the weights of %s: %w; the same command trains them again", id, err)}
	}
	in := &record.Inherited{ID: id, Weights: f.Sum()}
	source, err := store.Read(id)
	switch {
	case err == nil:
		in.Differ = in.DiffersFrom(source)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, environmentError{err}
	}
	given := f.Tensors
	if heir, ok := m.Model().(models.Heir); ok {
		if given, err = heir.Inherit(given); err != nil {
			return nil, fmt.Errorf("the weights of %s: %w", id, err)
		}
	}
	own := m.Params().Tensors()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		t, ok := given[name]
		if !ok {
			in.New = append(in.New, name)
			continue
		}
		if !slices.Equal(t.Shape, own[name].Shape) {
			return nil, fmt.Errorf("the weights of %s do not fit: expected %q of shape %v, got %v; give both models the same sizes, or another init_from", id, name, own[name].Shape, t.Shape)
		}
		own[name] = t
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := own[name]; !ok {
			in.Unused = append(in.Unused, name)
		}
	}
	if len(in.New) == len(own) {
		return nil, fmt.Errorf("%s and %s have no parameter in common, so there is nothing to begin with", id, job.Spec.Model)
	}
	return in, m.Params().Load(own)
}
