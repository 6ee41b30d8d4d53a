package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
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

// WithTrained calls f with the model of a record, opened by its RecordedJob.
// Its weights are exactly those that the run stored.
func WithTrained(r *record.Record, job plan.Job, entries []registry.Entry, f func(Trained) error) error {
	k, err := openRecorded(r, job, entries)
	if err != nil {
		return err
	}
	if k.entry.Neural == nil {
		return fmt.Errorf("%s: %s has no weights: it is not trained", r.ID, k.entry.Name)
	}
	if !k.sealed {
		return fmt.Errorf("%s: the weights have no checksum, as older versions wrote them: bench -trec %s compares them with the recorded ranks, and adds one if they fit", k.path, r.ID)
	}
	return torch.Run(k.torch, func(rt *torch.Runtime) error {
		model, err := k.entry.Neural(rt, k.params, k.train, k.split.Data.NumItems)
		if err != nil {
			return err
		}
		if err := k.fill(model.Params()); err != nil {
			return err
		}
		return f(Trained{r, model, rt, k.split, k.train})
	})
}

// WithScorer calls f with the scorer of a recorded run, and its data. A non-neural
// baseline counts again. A model has its best weights and uses as many threads as
// when it was recorded, so that it gives the same scores.
func WithScorer(r *record.Record, job plan.Job, entries []registry.Entry, f func(rank.Scorer, *datasets.Split) error) error {
	k, err := openRecorded(r, job, entries)
	if err != nil {
		return err
	}
	if k.entry.Neural == nil {
		s, _, err := nonNeural(context.Background(), job, k.entry, k.split, newEmitter(io.Discard))
		if err != nil {
			return err
		}
		return f(s, k.split)
	}
	return torch.RunTeam(k.torch, func(team *torch.Team) error {
		model, err := replicas(team, k.entry, k.params, k.train, k.split.Data.NumItems)
		if err != nil {
			return err
		}
		if err := k.fill(model.Params()); err != nil {
			return err
		}
		return f(train.NewScorer(model, k.split.Data.NumItems, k.train.MaxLen), k.split)
	})
}

// recorded holds what is needed to use a recorded run again.
type recorded struct {
	entry   registry.Entry
	params  any
	train   train.Config
	torch   torch.Config
	split   *datasets.Split
	path    string            // of the weights
	weights *safetensors.File // nil for a non-neural baseline
	sealed  bool              // the weights have a checksum
}

func openRecorded(r *record.Record, job plan.Job, entries []registry.Entry) (*recorded, error) {
	if err := openDevice(job.Device); err != nil {
		return nil, err
	}
	k := &recorded{torch: torch.Config{Device: job.Device, Threads: job.Threads}, path: record.Store{Dir: job.Out}.WeightsPath(r.ID)}
	var err error
	if k.entry, err = EntryOf(job.Spec, entries); err != nil {
		return nil, err
	}
	if k.params, k.train, err = job.Settings(k.entry); err != nil {
		return nil, err
	}
	if k.entry.Neural != nil {
		k.weights, k.sealed, err = readWeights(k.path, r.ID)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the weights of %s are missing (they are not in git); bench -verify %s trains it again and keeps them", r.ID, r.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("%w; bench -verify %s trains the run again and replaces them", err, r.ID)
		}
	}
	k.split, err = load(job, &record.Measured{}, newEmitter(io.Discard))
	return k, err
}

// weightsID is the metadata key of weights that names their run.
const weightsID = "id"

// writeWeights stores the weights of a run, with its id and a checksum, which it returns.
func writeWeights(path, id string, tensors map[string]safetensors.Tensor) (sum string, err error) {
	f := &safetensors.File{Tensors: tensors, Metadata: map[string]string{weightsID: id}}
	f.Seal()
	return f.Sum(), safetensors.Write(path, f)
}

// readWeights reads the weights of a run. Damaged weights, and those of another run,
// are refused. Files of older versions have no checksum; then sealed is false.
func readWeights(path, id string) (f *safetensors.File, sealed bool, err error) {
	if f, err = safetensors.Read(path); err != nil {
		return nil, false, err
	}
	if got := f.Metadata[weightsID]; got != id {
		return nil, false, fmt.Errorf("%s: the weights are those of another run: expected %s, got %.99q", path, id, got)
	}
	if err = f.CheckSeal(); err == nil || errors.Is(err, safetensors.ErrUnsealed) {
		return f, err == nil, nil
	}
	return nil, false, fmt.Errorf("%s: %w", path, err)
}

// SealWeights adds a checksum to the weights of a run, if they have none. They must
// have been compared with its record.
func SealWeights(store record.Store, id string) error {
	path := store.WeightsPath(id)
	f, sealed, err := readWeights(path, id)
	if errors.Is(err, fs.ErrNotExist) || err == nil && sealed { // a non-neural baseline has none
		return nil
	}
	if err != nil {
		return err
	}
	_, err = writeWeights(path, id, f.Tensors)
	return err
}

// fill puts the weights into a model's parameters.
func (k *recorded) fill(p *torch.Params) error {
	if err := p.Load(k.weights.Tensors); err != nil {
		return fmt.Errorf("%s: %w", k.path, err)
	}
	return nil
}
