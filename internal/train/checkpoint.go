package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"famebench/internal/atomicfile"
	"famebench/internal/torch/safetensors"
)

// A checkpoint is one safetensors file: the parameters ("param/"), Adam's
// moments ("adam/"), the best weights so far ("best/"), the generator's state
// ("rng") and the rest of the state as JSON in the file's metadata.
const (
	paramPrefix = "param/"
	adamPrefix  = "adam/"
	bestPrefix  = "best/"
	rngName     = "rng"
	stateKey    = "state"
)

// save writes a checkpoint from which resume goes on bit for bit.
func (f *fitting) save() error {
	if f.options.Checkpoint == "" {
		return nil
	}
	file := &safetensors.File{Tensors: map[string]safetensors.Tensor{}, Metadata: map[string]string{}}
	for prefix, tensors := range map[string]map[string]safetensors.Tensor{
		paramPrefix: f.params.Tensors(), adamPrefix: f.adam.State(), bestPrefix: f.best,
	} {
		for name, t := range tensors {
			file.Tensors[prefix+name] = t
		}
	}
	rng := f.replicas.team.Leader().RNGState()
	file.Tensors[rngName] = safetensors.FromUint8s([]int64{int64(len(rng))}, rng)
	raw, err := json.Marshal(f.state)
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	file.Metadata[stateKey] = string(raw)
	return safetensors.Write(f.options.Checkpoint, file)
}

// resume takes up the checkpoint, if there is one.
func (f *fitting) resume() error {
	if f.options.Checkpoint == "" {
		return nil
	}
	file, err := safetensors.Read(f.options.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	fail := func(err error) error {
		return fmt.Errorf("train: checkpoint %s: %w; delete it to start afresh", f.options.Checkpoint, err)
	}
	if err != nil {
		return fail(err)
	}
	parts := map[string]map[string]safetensors.Tensor{paramPrefix: {}, adamPrefix: {}, bestPrefix: {}}
	for name, t := range file.Tensors {
		for prefix, part := range parts {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				part[rest] = t
			}
		}
	}
	var st state
	if err := json.Unmarshal([]byte(file.Metadata[stateKey]), &st); err != nil {
		return fail(fmt.Errorf("its state: %w", err))
	}
	if err := f.params.Load(parts[paramPrefix]); err != nil {
		return fail(err)
	}
	if err := f.adam.Load(parts[adamPrefix]); err != nil {
		return fail(err)
	}
	if err := f.replicas.team.Leader().SetRNGState(file.Tensors[rngName].Data); err != nil {
		return fail(err)
	}
	if st.BestEpoch > 0 {
		f.best = parts[bestPrefix]
	}
	f.state = st
	return nil
}

// writeCurve writes the learning curve with times, a JSON object per epoch.
func (f *fitting) writeCurve() error {
	if f.options.Curve == "" {
		return nil
	}
	return atomicfile.Write(f.options.Curve, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for i, p := range f.state.Curve {
			if err := enc.Encode(struct {
				EpochPoint
				epochTime
			}{p, f.state.Times[i]}); err != nil {
				return err
			}
		}
		return nil
	})
}
