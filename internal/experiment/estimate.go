package experiment

import (
	"time"

	"famebench/internal/record"
	"famebench/internal/train"
)

// Estimator guesses from the records of a results folder how long a run takes.
type Estimator struct {
	runs []pace
}

// pace is what a record says about time.
type pace struct {
	dataset, model   string
	interactions     int
	threads, epochs  int
	perEpoch, around float64 // seconds of an epoch; of loading and ranking
}

// NewEstimator reads all records of a store; damaged ones are left out.
func NewEstimator(store record.Store) (*Estimator, error) {
	ids, err := store.IDs()
	if err != nil {
		return nil, err
	}
	e := &Estimator{}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			continue
		}
		s, m := r.Result.Spec, r.Measured
		p := pace{dataset: s.Dataset.Fingerprint, model: s.Model, interactions: int(r.Result.Targets) / max(1, r.Result.Epochs),
			threads: s.Threads, epochs: r.Result.Epochs, around: m.LoadSeconds + m.RankSeconds}
		if p.epochs > 0 {
			p.perEpoch = m.TrainSeconds / float64(p.epochs)
		}
		e.runs = append(e.runs, p)
	}
	return e, nil
}

// Of guesses how long a run takes: by records of the same model and data, else of
// the same model on other data, by the size of both. ok is false where there is
// neither. A run is taken to end when those did, or at its budget.
func (e *Estimator) Of(r Run, base string, interactions int) (d time.Duration, ok bool) {
	spec := r.Job.Spec
	t := train.Defaults()
	if err := spec.Train.Apply(&t); err != nil {
		return 0, false
	}
	guess := func(fits func(pace) bool, scale bool) (float64, bool) {
		var sum float64
		var n int
		for _, p := range e.runs {
			if !fits(p) {
				continue
			}
			perEpoch := p.perEpoch
			if scale && p.interactions > 0 {
				perEpoch *= float64(interactions) / float64(p.interactions)
			}
			perEpoch *= float64(p.threads) / float64(spec.Threads)
			sum += p.around + perEpoch*float64(min(p.epochs, t.Epochs))
			n++
		}
		return sum / float64(max(1, n)), n > 0
	}
	for _, name := range []string{spec.Model, base} {
		for _, scale := range []bool{false, true} {
			seconds, ok := guess(func(p pace) bool {
				return p.model == name && (scale || p.dataset == spec.Dataset.Fingerprint)
			}, scale)
			if ok {
				return time.Duration(seconds * float64(time.Second)), true
			}
		}
	}
	return 0, false
}

// Remaining adds up what runs without a record take; unknown counts those of which
// no record tells anything.
func (p *Plan) Remaining(e *Estimator, registry []Entry, done func(Run) bool) (d time.Duration, unknown int) {
	size := map[string]int{}
	for _, info := range p.Data {
		size[info.Stats.Fingerprint] = info.Stats.Interactions - 2*info.Stats.Users
	}
	for _, r := range p.Runs {
		if done(r) {
			continue
		}
		spec := r.Job.Spec
		one, ok := e.Of(r, BaseOf(registry, spec.Model), size[spec.Dataset.Fingerprint])
		if !ok && !spec.Floor {
			unknown++
		}
		d += one
	}
	return d, unknown
}
