package run

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/train"
	"famebench/models"
)

// HasWeights reports whether a run's weights can be used. Missing and damaged ones can not.
func HasWeights(store record.Store, id string) bool {
	_, sealed, err := readWeights(store.WeightsPath(id), id)
	return err == nil && sealed
}

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

// KeepWeights moves the weights of a run that was trained again, in a folder of its own, to
// where runs that begin with them read them, and removes what else it left.
func KeepWeights(store, again record.Store, id string) error {
	if err := keepWeights(store, again, id); err != nil {
		return err
	}
	if err := again.RemoveRecord(id); err != nil {
		return err
	}
	for _, path := range []string{again.RanksPath(id), again.CurvePath(id), again.WeightsPath(id), again.PicturesPath(id), again.BeyondPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
