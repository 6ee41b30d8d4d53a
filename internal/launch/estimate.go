package launch

import (
	"encoding/json"
	"time"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/train"
)

// Estimator estimates from the records of a results folder how long a run
// takes.
type Estimator struct {
	registry []registry.Entry
	runs     []pace
}

// pace is the time that a recorded run took.
type pace struct {
	device, model, fingerprint, precision string
	hidden                                int  // size; 0: the model has none
	version                               int  // of training, whose code may have become faster
	cutShort                              bool // by its budget of epochs
	targets                               int  // of the training data; 0: not known
	items                                 int  // of the data; 0: not known
	threads, epochs                       int
	perEpoch, around                      float64 // seconds per epoch; seconds of loading and ranking
}

// NewEstimator reads the records of a store and ignores damaged ones.
func NewEstimator(store record.Store, entries []registry.Entry) (*Estimator, error) {
	ids, err := store.IDs()
	if err != nil {
		return nil, err
	}
	e := &Estimator{registry: entries}
	sizes := map[string]datasets.Stats{}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil || r.Result.Epochs == 0 || r.Result.Status == record.Time { // a time limit says nothing about a whole run
			continue
		}
		s, m := r.Result.Spec, r.Measured
		t := train.Defaults()
		if err := s.Train.Apply(&t); err != nil { // of an older version
			continue
		}
		path := store.DatasetPath(s.Dataset.Name, s.Dataset.Fingerprint)
		if _, ok := sizes[path]; !ok {
			stats, err := plan.ReadStats(path, s.Dataset.Name, s.Dataset.Fingerprint)
			if err == nil { // otherwise the size is not known
				sizes[path] = stats
			}
		}
		e.runs = append(e.runs, pace{s.Device, s.Model, s.Dataset.Fingerprint, t.Precision, hiddenSize(entries, s), s.Versions.Train, r.Result.Status == record.Epochs,
			trainTargets(sizes[path]), sizes[path].Items, m.Threads, r.Result.Epochs, m.TrainSeconds / float64(r.Result.Epochs), m.LoadSeconds + m.RankSeconds})
	}
	return e, nil
}

// hiddenSize is that of a spec, or the default of its model; 0 if that has none.
func hiddenSize(entries []registry.Entry, s record.Spec) (size int) {
	set, ok := s.Params["hidden"]
	if !ok {
		entry, _ := registry.Find(entries, s.Model)
		defaults, err := record.All(entry.Defaults)
		if err != nil {
			return 0
		}
		set = defaults["hidden"]
	}
	if json.Unmarshal(set, &size) != nil { // no number
		return 0
	}
	return size
}

// trainTargets leaves out a user's first item and the validation and test
// items.
func trainTargets(s datasets.Stats) int {
	if s.Split != nil {
		return max(0, s.Split.Train-s.Users)
	}
	return s.Interactions - 3*s.Users
}

// Of estimates how long a run of a plan takes: the mean of the records that are most like it, of
// the same model or its base. Those on other data are scaled by its size, and those of another hidden size by
// that, because the loss over all items and the larger part of a step grow with it. ok is false if there is
// no such record. A run is assumed to end after as many epochs as those did, or as its patience needs at
// least, or at its budget; one that is trained already only ranks.
func (e *Estimator) Of(p *plan.Plan, r plan.Run, trained bool) (d time.Duration, ok bool) {
	spec := r.Job.Spec
	if spec.NonNeural {
		return 0, true // hardly any time
	}
	t := train.Defaults()
	if err := spec.Train.Apply(&t); err != nil {
		return 0, false
	}
	targets, hidden := 0, hiddenSize(e.registry, spec)
	for _, info := range p.Data {
		if info.Stats.Fingerprint == spec.Dataset.Fingerprint {
			targets = trainTargets(info.Stats)
		}
	}
	var sum float64
	n, most := 0, 0
	for _, past := range e.runs {
		same := past.fingerprint == spec.Dataset.Fingerprint
		if past.model != spec.Model && past.model != registry.BaseOf(e.registry, spec.Model) || !same && past.targets == 0 {
			continue
		}
		// How much the record says about this run: what comes first outweighs all that follows.
		like := 0
		for _, alike := range []bool{past.device == spec.Device, past.model == spec.Model, same, past.hidden == hidden, !past.cutShort || past.epochs >= t.Epochs,
			past.precision == t.Precision, past.version == spec.Versions.Train} {
			like *= 2
			if alike {
				like++
			}
		}
		if like < most {
			continue
		}
		if like > most {
			sum, n, most = 0, 0, like
		}
		epochs := min(max(past.epochs, t.PatienceAfter+t.Patience*t.EvalEvery), t.Epochs) // it cannot end earlier
		seconds := past.perEpoch * float64(epochs) * float64(past.threads) / float64(r.Job.Threads)
		if trained {
			seconds = 0
		}
		if !same {
			seconds *= float64(targets) / float64(past.targets)
		}
		if past.hidden > 0 && hidden > 0 {
			seconds *= float64(hidden) / float64(past.hidden)
		}
		sum += past.around + seconds
		n++
	}
	if n == 0 {
		return 0, false
	}
	return time.Duration(sum / float64(n) * float64(time.Second)), true
}

// scoringTime is about how long a cell takes, its training steps left out: loading the data,
// and scoring, folded and with each head on its own.
const scoringTime = 20 * time.Second

// OfSteps estimates how long a cell of a suite of kind "cost" with steps takes, from records of
// the same model or its base: a step is as long as its targets took there, and with the loss
// over all items in proportion to these. That is rough, since heads, experts and hidden size
// differ.
func (e *Estimator) OfSteps(p *plan.Plan, r plan.Run) (d time.Duration, ok bool) {
	spec := r.Job.Spec
	t := train.Defaults()
	if err := spec.Train.Apply(&t); err != nil {
		return 0, false
	}
	items := 0
	for _, info := range p.Data {
		if info.Stats.Fingerprint == spec.Dataset.Fingerprint {
			items = info.Stats.Items
		}
	}
	var sum float64
	var n int
	for _, past := range e.runs {
		if past.targets <= 0 || past.model != spec.Model && past.model != registry.BaseOf(e.registry, spec.Model) {
			continue
		}
		seconds := past.perEpoch / float64(past.targets) * float64(r.Job.Steps*t.BatchTargets) * float64(past.threads) / float64(r.Job.Threads)
		if t.Loss == "ce" && past.items > 0 {
			seconds *= float64(items) / float64(past.items)
		}
		sum += seconds
		n++
	}
	if n == 0 {
		return 0, false
	}
	return scoringTime + time.Duration(sum/float64(n)*float64(time.Second)), true
}
