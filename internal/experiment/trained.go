package experiment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
	"famebench/internal/train"
	"famebench/models"
)

// Trained is the model of a recorded run with its best weights, and the data that
// it was trained on. It lives as long as the function given to WithTrained.
type Trained struct {
	Record  *record.Record
	Model   models.Model
	Runtime *torch.Runtime
	Split   *datasets.Split
	Train   train.Config
}

// WithTrained calls f with the model of a record.
func WithTrained(r *record.Record, store record.Store, root string, registry []Entry, f func(Trained) error) error {
	job := RecordedJob(r, root, store.Dir, Source{})
	e, err := job.entry(registry)
	if err != nil {
		return err
	}
	if e.Neural == nil {
		return fmt.Errorf("%s: %s has no weights: it only counts", r.ID, e.Name)
	}
	params, t, err := job.settings(e)
	if err != nil {
		return err
	}
	weights, err := safetensors.Read(store.WeightsPath(r.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the weights of %s are not there (they are not kept in git); bench -verify %s trains it again and keeps them", r.ID, r.ID)
	}
	if err != nil {
		return err
	}
	var m record.Measured
	split, err := job.load(&m, newEmitter(io.Discard))
	if err != nil {
		return err
	}
	return torch.Run(torch.Config{Device: job.Device, Threads: job.Spec.Threads}, func(rt *torch.Runtime) error {
		model, err := e.Neural(rt, params, t, split.Data.NumItems)
		if err != nil {
			return err
		}
		if err := model.Params().Load(weights.Tensors); err != nil {
			return fmt.Errorf("%s: %w", store.WeightsPath(r.ID), err)
		}
		return f(Trained{r, model, rt, split, t})
	})
}
