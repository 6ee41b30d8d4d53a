package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/stats"
)

// Expectations are the results of a suite of kind "ci" that somebody checked and
// found right: for each model and setting, the mean and deviation of test NDCG@10
// over some seeds. They are in a committed file.
type Expectations struct {
	Metric string                 `json:"metric"`
	Runs   map[string]Expectation `json:"runs"` // by experiment key, see record.Spec.ExperimentKey
}

// Expectation is the expected result of one model with one setting on one data
// set.
type Expectation struct {
	Dataset string  `json:"dataset"`
	Model   string  `json:"model"`
	At      string  `json:"at,omitempty"` // place on the axes
	Mean    float64 `json:"mean"`
	SD      float64 `json:"sd"`
	Seeds   int     `json:"seeds"`
}

const (
	expectMetric = rank.Deciding // seen items removed
	// ExpectSeeds is the minimum number of seeds of an expectation.
	ExpectSeeds = 5
	// expectSDs is the number of deviations below its expectation at which a result
	// fails.
	expectSDs = 3
)

// Expect computes expectations from the records of a plan.
func (p *Plan) Expect(store record.Store) (Expectations, error) {
	e := Expectations{Metric: expectMetric + ", seen items removed", Runs: map[string]Expectation{}}
	values := map[string][]float64{}
	for _, r := range p.Runs {
		rec, err := store.Read(r.ID)
		if err != nil {
			return e, err
		}
		if rec.Result.Status == record.Time {
			return e, cutShort(rec)
		}
		key, err := r.Job.Spec.ExperimentKey()
		if err != nil {
			return e, err
		}
		values[key] = append(values[key], rec.Result.Test.Removed[expectMetric])
		v := values[key]
		if n := len(v); n < ExpectSeeds && !r.Job.Spec.NonNeural {
			if seeds := p.Suite.seeds(r.Job.Spec.Dataset.Name, r.Job.Spec.Model); r.Job.Spec.Seed == seeds[len(seeds)-1] {
				return e, fmt.Errorf("%s: expected at least %d seeds for an expectation, got %d: add -seeds 0,1,2,3,4", r.Job.Spec.Model, ExpectSeeds, n)
			}
		}
		mean, sd := stats.MeanSD(v)
		e.Runs[key] = Expectation{r.Job.Spec.Dataset.Name, r.Job.Spec.Model, r.At, mean, sd, len(v)}
	}
	return e, nil
}

// ReadExpectations reads the file of a suite; without a file there are none.
func ReadExpectations(path string) (Expectations, error) {
	var e Expectations
	_, err := record.ReadSealed(path, &e)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err == nil {
		err = e.check(path)
	}
	if err != nil {
		return e, fmt.Errorf("expected results: %w; restore the file, or write it again with -expect", err)
	}
	return e, nil
}

// check refuses values that -expect never writes. Files of older versions have no
// checksum.
func (e Expectations) check(path string) error {
	for _, key := range slices.Sorted(maps.Keys(e.Runs)) {
		r := e.Runs[key]
		if !(r.Mean >= 0 && r.Mean <= 1) || !(r.SD >= 0 && r.SD <= 1) || r.Seeds < 1 {
			return fmt.Errorf("%s is damaged: %.8q, %.40q on %.40q: mean %v, deviation %v of %d seeds", path, key, r.Model, r.Dataset, r.Mean, r.SD, r.Seeds)
		}
	}
	return nil
}

// Check compares the records of a plan with expectations and returns all problems:
// a result more than three deviations below its expectation, a missing
// expectation, and parameters that training did not change.
func (e Expectations) Check(p *Plan, store record.Store) error {
	var errs []error
	for _, r := range p.Runs {
		rec, err := store.Read(r.ID)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a failed run is reported elsewhere
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if rec.Result.Status == record.Time {
			errs = append(errs, cutShort(rec))
			continue
		}
		if still := rec.Result.Still; len(still) > 0 {
			errs = append(errs, fmt.Errorf("%s: training did not change %s: no gradient reaches it", r.ID, strings.Join(still, ", ")))
		}
		key, err := r.Job.Spec.ExperimentKey()
		if err != nil {
			return err
		}
		want, ok := e.Runs[key]
		got := rec.Result.Test.Removed[expectMetric]
		switch least := want.Mean - expectSDs*want.SD; {
		case !ok:
			errs = append(errs, fmt.Errorf("%s: there is no expectation yet; check its results, then write one with -expect -seeds 0,1,2,3,4", r.ID))
		case got < least:
			errs = append(errs, fmt.Errorf("%s: %s is %.4f, less than the expected %.4f - %d × %.4f (%d seeds)", r.ID, expectMetric, got, want.Mean, expectSDs, want.SD, want.Seeds))
		}
	}
	return errors.Join(errs...)
}

// cutShort is the error of a record that is expected to have a result, and has that of a part of
// its training.
func cutShort(r *record.Record) error {
	return fmt.Errorf("%s: train.time_limit stopped it (epochs: %d), so it has no result: raise the limit and run the suite again", r.ID, r.Result.Epochs)
}

// CheckExpected compares a plan's records with what is expected of them in the file at
// path, and says what it found.
func (p *Plan) CheckExpected(path string, store record.Store) (string, error) {
	e, err := ReadExpectations(path)
	if err != nil {
		return "", err
	}
	if err := e.Check(p, store); err != nil {
		return "", fmt.Errorf("suite %s is not as expected:\n%w", p.Suite.Name, err)
	}
	return fmt.Sprintf("all %d runs are as expected", len(p.Runs)), nil
}

// WriteExpected writes the results of a plan as what is expected of them.
func (p *Plan) WriteExpected(path string, store record.Store) (string, error) {
	e, err := p.Expect(store)
	if err == nil {
		err = record.WriteSealed(path, e)
	}
	return fmt.Sprintf("expectations of %d settings: %s", len(e.Runs), path), err
}

// CheckWhole refuses expectations of a part of a suite, which would replace those of the
// whole. flags are those of the command line that change the suite.
func (p *Plan) CheckWhole(flags string) error {
	if flags != "" {
		return fmt.Errorf("-expect: expected the whole suite %s, got one with %s: leave these flags out, or change the suite in experiments.toml", p.Suite.Name, flags)
	}
	for _, s := range p.Skipped {
		if s.Missing {
			return fmt.Errorf("-expect: expected the whole suite %s, but %s is missing: %s", p.Suite.Name, s.What, s.Reason)
		}
	}
	return nil
}
