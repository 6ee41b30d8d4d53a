package launch

import (
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
	fingerprint, model string
	targets            int // targets of the training data; 0: not known
	threads, epochs    int
	perEpoch, around   float64 // seconds per epoch; seconds of loading and ranking
}

// NewEstimator reads the records of a store and ignores damaged ones.
func NewEstimator(store record.Store, entries []registry.Entry) (*Estimator, error) {
	ids, err := store.IDs()
	if err != nil {
		return nil, err
	}
	e := &Estimator{registry: entries}
	sizes := map[string]int{}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil || r.Result.Epochs == 0 {
			continue
		}
		s, m := r.Result.Spec, r.Measured
		path := store.DatasetPath(s.Dataset.Name, s.Dataset.Fingerprint)
		if _, ok := sizes[path]; !ok {
			stats, err := plan.ReadStats(path, s.Dataset.Name, s.Dataset.Fingerprint)
			if err == nil { // otherwise the size is not known
				sizes[path] = trainTargets(stats)
			}
		}
		e.runs = append(e.runs, pace{s.Dataset.Fingerprint, s.Model, sizes[path], m.Threads, r.Result.Epochs,
			m.TrainSeconds / float64(r.Result.Epochs), m.LoadSeconds + m.RankSeconds})
	}
	return e, nil
}

// trainTargets leaves out a user's first item and the validation and test
// items.
func trainTargets(s datasets.Stats) int {
	if s.Split != nil {
		return max(0, s.Split.Train-s.Users)
	}
	return s.Interactions - 3*s.Users
}

// Of estimates how long a run of a plan takes: from records of the same model and
// data, or else of the same model on other data, scaled by their sizes. Records of
// a variant's base count too. ok is false if there is no such record. A run is
// assumed to end after as many epochs as those did, or at its budget.
func (e *Estimator) Of(p *plan.Plan, r plan.Run) (d time.Duration, ok bool) {
	spec := r.Job.Spec
	if spec.NonNeural {
		return 0, true // hardly any time
	}
	t := train.Defaults()
	if err := spec.Train.Apply(&t); err != nil {
		return 0, false
	}
	targets := 0
	for _, info := range p.Data {
		if info.Stats.Fingerprint == spec.Dataset.Fingerprint {
			targets = trainTargets(info.Stats)
		}
	}
	for _, model := range []string{spec.Model, registry.BaseOf(e.registry, spec.Model)} {
		for _, same := range []bool{true, false} {
			var sum float64
			var n int
			for _, past := range e.runs {
				if past.model != model || same != (past.fingerprint == spec.Dataset.Fingerprint) || !same && past.targets == 0 {
					continue
				}
				seconds := past.perEpoch * float64(min(past.epochs, t.Epochs)) * float64(past.threads) / float64(r.Job.Threads)
				if !same {
					seconds *= float64(targets) / float64(past.targets)
				}
				sum += past.around + seconds
				n++
			}
			if n > 0 {
				return time.Duration(sum / float64(n) * float64(time.Second)), true
			}
		}
	}
	return 0, false
}
