package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"famebench/internal/atomicfile"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// A checkpoint is one safetensors file: the parameters ("param/"), Adam's
// moments ("adam/"), the best weights so far ("best/"), the generator's state
// ("rng") and the rest of the state as JSON in the file's metadata. The metadata also
// name the run, whose id is a hash of everything that decides its result, the versions of
// this code and of libtorch, and the hash of the code. A checksum covers all of it.
const (
	paramPrefix = "param/"
	adamPrefix  = "adam/"
	bestPrefix  = "best/"
	rngName     = "rng"
	stateKey    = "state"
	runKey      = "run"
	versionsKey = "versions"
	codeKey     = "code"
)

// versions identify what wrote a checkpoint: another version may continue differently.
func versions() string { return fmt.Sprintf("train %d, libtorch %s", Version, torch.Version()) }

// save writes a checkpoint from which resume continues bit for bit with as many threads,
// and up to rounding with another number.
func (f *trainer) save() error {
	if f.options.Checkpoint == "" {
		return nil
	}
	file := &safetensors.File{Tensors: map[string]safetensors.Tensor{}, Metadata: map[string]string{}}
	for prefix, tensors := range map[string]map[string]safetensors.Tensor{
		paramPrefix: f.params.View(), adamPrefix: f.adam.State(), bestPrefix: f.best,
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
	file.Metadata[stateKey], file.Metadata[runKey] = string(raw), f.options.Run
	file.Metadata[versionsKey], file.Metadata[codeKey] = versions(), f.options.Code
	file.Seal()
	return safetensors.Write(f.options.Checkpoint, file)
}

// resume continues from the run's checkpoint, if there is one, or from that of a shorter run. A checkpoint that is damaged,
// or of another run or version, is renamed with a notice, and training starts over. That
// costs time, and the numbers are those of an undisturbed run.
func (f *trainer) resume() error {
	path := f.options.Checkpoint
	if path == "" {
		return nil
	}
	file, err := safetensors.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.continueShorter()
	}
	if broken, ok := errors.AsType[*safetensors.FormatError](err); ok {
		err = errors.New(broken.Reason)
	} else if err != nil { // it cannot be read, and may be whole
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	if err == nil {
		err = f.restore(file, f.options.Run)
	}
	if err == nil {
		f.resumed = true
		return nil
	}
	aside := path + ".damaged"
	if renamed := os.Rename(path, aside); renamed != nil {
		return fmt.Errorf("train: checkpoint %s cannot be used (%w) and cannot be set aside: %w", path, err, renamed)
	}
	if f.options.Notice != nil {
		f.options.Notice(fmt.Sprintf("the checkpoint cannot be used: %v; it is kept as %s, and training starts over", err, aside))
	}
	return nil
}

// continueShorter continues from the checkpoint of a shorter run, if there is one. That saves
// time and changes no result, so one that cannot be used is only mentioned. The run gets a
// checkpoint of its own at once: if the shorter one was over, it writes no other, and a longer
// run is to continue from it.
func (f *trainer) continueShorter() error {
	from := f.options.Shorter
	if from.Run == "" {
		return nil
	}
	file, err := safetensors.Read(from.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = f.restore(file, from.Run)
	}
	if err != nil {
		if f.options.Notice != nil {
			f.options.Notice(fmt.Sprintf("the run does not continue from %s, but starts over: %v", from.Run, err))
		}
		return nil
	}
	f.resumed = true
	return f.save()
}

// restore loads a checkpoint of a run into the trainer. If a part of it does not fit, nothing
// is changed.
func (f *trainer) restore(file *safetensors.File, run string) error {
	if err := file.CheckSeal(); err != nil {
		return err
	}
	if got, want := file.Metadata[runKey], run; got != want {
		return fmt.Errorf("it belongs to another run: expected %q, got %q", want, got)
	}
	if got, want := file.Metadata[versionsKey], versions(); got != want {
		return fmt.Errorf("it was written by another version: expected %q, got %q", want, got)
	}
	if file.Metadata[codeKey] != f.options.Code {
		return errors.New("since it was written, the code of the model or of training has changed, or the weights with which the run begins, or the processor")
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
	d := json.NewDecoder(bytes.NewReader([]byte(file.Metadata[stateKey])))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil {
		return fmt.Errorf("its state: %w", err)
	}
	if err := st.check(f.config, len(f.batches(st.Epoch+1))); err != nil {
		return fmt.Errorf("its state: %w", err)
	}
	leader := f.replicas.team.Leader()
	before, rng := f.params.Tensors(), leader.RNGState()
	err := f.loadAll(parts, st, file.Tensors[rngName].Data)
	if err != nil {
		f.adam = f.newAdam()
		return errors.Join(err, f.params.Load(before), leader.SetRNGState(rng))
	}
	f.state = st
	return nil
}

// loadAll loads tensors. The best weights go into the model once, to see that they
// fit: after the last epoch it would be too late.
func (f *trainer) loadAll(parts map[string]map[string]safetensors.Tensor, st state, rng []byte) error {
	if st.BestEpoch > 0 {
		if err := f.params.Load(parts[bestPrefix]); err != nil {
			return fmt.Errorf("its best weights: %w", err)
		}
	} else if len(parts[bestPrefix]) > 0 {
		return errors.New("it has best weights, and no epoch was the best")
	}
	if err := f.params.Load(parts[paramPrefix]); err != nil {
		return err
	}
	if err := f.adam.Load(parts[adamPrefix]); err != nil {
		return err
	}
	if err := f.replicas.team.Leader().SetRNGState(rng); err != nil {
		return err
	}
	if st.BestEpoch > 0 { // copied, since the tensors read are parts of the whole file, which would stay in memory
		f.best = map[string]safetensors.Tensor{}
		for name, t := range parts[bestPrefix] {
			t.Data = slices.Clone(t.Data)
			f.best[name] = t
		}
	}
	return nil
}

// check refuses a state that training with these settings cannot reach. batches is the
// number of batches of the epoch under way.
func (st state) check(c Config, batches int) error {
	evaluations, best := 0, 0 // since the best epoch, and that epoch
	steps := int64(0)
	for i, p := range st.Curve {
		if p.Epoch != i+1 || p.Steps <= steps || !finite(p.Loss) {
			return fmt.Errorf("point %d of the curve is epoch %d after %d steps with loss %v", i+1, p.Epoch, p.Steps, p.Loss)
		}
		steps = p.Steps
		v, ok := p.Valid[stopMetric]
		if due := p.Epoch%c.EvalEvery == 0 || p.Epoch == c.Epochs; ok != due || !(v >= 0 && v <= 1) {
			return fmt.Errorf("validation of epoch %d: %s is %v, expected a value in [0, 1] in every %d epochs", p.Epoch, stopMetric, v, c.EvalEvery)
		}
		switch {
		case !ok:
		case best == 0 || v > st.Curve[best-1].Valid[stopMetric]:
			best, evaluations = p.Epoch, 0
		case p.Epoch > c.PatienceAfter:
			evaluations++
		}
	}
	if best > 0 && st.BestValid[stopMetric] != st.Curve[best-1].Valid[stopMetric] {
		return fmt.Errorf("%s of the best epoch is %v, expected %v", stopMetric, st.BestValid[stopMetric], st.Curve[best-1].Valid[stopMetric])
	}
	for _, x := range []struct {
		what string
		ok   bool
	}{
		{"epoch", st.Epoch >= 0 && st.Epoch <= c.Epochs && st.Epoch == len(st.Curve) && st.Epoch == len(st.Times)},
		{"batch", st.Batch >= 0 && st.Batch <= batches},
		{"steps", st.Steps > 0 && st.Steps == steps+int64(st.Batch)},
		{"targets", st.Targets >= st.EpochTarget && st.Targets > 0 && st.EpochTarget >= int64(st.Batch)},
		{"loss_sum", finite(st.LossSum) && (st.Batch > 0 || st.LossSum == 0 && st.EpochTarget == 0)},
		{"best_epoch", st.BestEpoch == best},
		{"threads", len(st.Threads) > 0 && slices.Min(st.Threads) > 0},
		{"waited", st.Waited == evaluations},
		{"seconds", st.Seconds >= 0 && st.EvalSeconds >= 0 && finite(st.Seconds) && finite(st.EvalSeconds)},
	} {
		if !x.ok {
			return fmt.Errorf("%s does not fit the rest", x.what)
		}
	}
	return nil
}

// writeCurve writes the learning curve with times, a JSON object per epoch.
func (f *trainer) writeCurve() error {
	if f.options.Curve == "" {
		return nil
	}
	return atomicfile.Write(f.options.Curve, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for i, p := range f.state.Curve {
			if err := enc.Encode(struct {
				record.Point
				epochTime
			}{p, f.state.Times[i]}); err != nil {
				return err
			}
		}
		return nil
	})
}
