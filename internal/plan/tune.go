package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/train"
)

// A suite of kind "tune" searches the grid of its axes on the validation items, with the
// same number of trials for every model, by successive halving (Jamieson and Talwalkar 2016):
// Suite.Trials settings are trained for Suite.Rungs[0] epochs, the better half continues to
// Suite.Rungs[1], and so on. The configured values are one of the trials and always reach the
// last rung, because short trials favour settings that learn fast, and a search must not end
// below the configured settings. The others are sampled from the grid without replacement, by
// a generator seeded with the suite's seed, the data set and the model. Without Suite.Grid the
// trials are the configured values and each value of each axis on its own. The best trial of
// the last rung is chosen. The test items are never ranked.
//
// A trial that another suite trained to the end is not trained for the rungs before, because its
// curve has their results.
//
// A search of pretrain.untrained_items is decided by the cold validation cases instead, since
// the rule concerns no other target. Its trials differ after training only, so they share one.

// Trial is a setting that was tried, with its place on the axes.
type Trial struct {
	record.Trial
	point point
	items int    // of its data set, which some settings follow
	key   string // of its runs, see Run.trialKey
}

// PlanRung lists the runs of a rung, counted from 0, of a search. trials are those of the
// rungs before.
func (c *Config) PlanRung(s Suite, o Options, rung int, trials []Trial) (*Plan, error) {
	c, err := c.withTuned(s)
	if err != nil {
		return nil, err
	}
	if err := c.checkCold(s); err != nil {
		return nil, err
	}
	limit := s.Rungs[rung]
	budget := Axis{Name: "train.epochs", where: "suites." + s.Name + ".rungs", rung: true}
	p, err := c.plan(s, o, func(e registry.Entry, dataset string, items int) []point {
		var points []point
		if rung > 0 {
			for _, t := range survivors(trials, dataset, e.Name, rung) {
				points = append(points, t.point)
			}
		} else if points = c.points(s, e, dataset); s.Grid {
			points = c.sample(s, e, dataset, items, points)
		}
		if limit > 0 {
			for i, p := range points {
				points[i] = p.with(budget, int64(c.within(s, e, dataset, p, limit)))
			}
		}
		return points
	})
	if err != nil {
		return nil, err
	}
	for i := range p.Runs {
		r := &p.Runs[i]
		if r.For != "" {
			continue
		}
		if limit > 0 && limit%r.evalEvery() == 0 && !s.ByCold() {
			if r.Complete, err = c.withoutLimit(s, *r, limit); err != nil {
				return nil, err
			}
		}
		r.Job.KeepCheckpoint = rung+1 < len(s.Rungs)
		t := trialOf(trials, *r, limit)
		if t == nil {
			continue
		}
		key, err := r.trialKey()
		if err != nil {
			return nil, err
		}
		if key != t.key {
			return nil, fmt.Errorf("suite %s: the settings or the data of %s on %s changed after its first rung, by a file of tuned values, say: run the search again", s.Name, t.Model, t.Dataset)
		}
		if s.Rungs[rung-1]%r.evalEvery() == 0 {
			r.Job.ContinueFrom = t.Rungs[rung-1].ID
		}
	}
	return p, p.shareTraining()
}

// ByCold reports whether the cold validation cases decide a search.
func (s Suite) ByCold() bool {
	return slices.ContainsFunc(s.Axes, untrainedAxis)
}

func untrainedAxis(a Axis) bool { return strings.HasSuffix(a.Name, "pretrain."+record.UntrainedItems) }

// checkCold makes sure that a search that is decided by cold validation cases has them, and searches
// nothing else by them: they are few, and without a rule hardly any is found.
func (c *Config) checkCold(s Suite) error {
	if !s.ByCold() {
		return nil
	}
	for _, a := range s.Axes {
		if !untrainedAxis(a) {
			return fmt.Errorf("%s: suites.%s: %s is decided by the cold validation cases, which do not decide %s: search that in a suite of its own", a.where, s.Name, record.UntrainedItems, a.Name)
		}
	}
	for _, model := range s.Models {
		e, _ := registry.Find(c.registry, model)
		if !slices.ContainsFunc(s.Axes, func(a Axis) bool { _, ok := c.axisPath(s, e, a); return ok }) {
			return fmt.Errorf("%s: suites.%s: pretrain.%s makes no difference to %s: leave the model out", s.Axes[0].where, s.Name, record.UntrainedItems, model)
		}
	}
	for _, name := range s.Datasets {
		dc, err := c.Dataset(name)
		if err == nil && dc.ColdValidation == 0 {
			err = fmt.Errorf("%s: suite %s searches pretrain.%s, which the cases of cold_validation decide: set datasets.%s.cold_validation, or leave out the data set", c.Path, s.Name, record.UntrainedItems, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shareTraining lets a run that differs from an earlier one after training only continue from
// the end of that run's training. It has the same result without.
func (p *Plan) shareTraining() error {
	first := map[string]*Run{}
	for i := range p.Runs {
		r := &p.Runs[i]
		if r.Job.Spec.Init == nil || r.For != "" || r.Job.ContinueFrom != "" {
			continue
		}
		id, err := r.Job.Spec.AsTrained().ID()
		if err != nil {
			return err
		}
		if of := first[id]; of != nil {
			of.Job.KeepCheckpoint, r.Job.ContinueFrom = true, of.ID
		} else {
			first[id] = r
		}
	}
	return nil
}

// within is the number of epochs of a trial: those of the rung, but no more than a complete
// run has.
func (c *Config) within(s Suite, e registry.Entry, dataset string, p point, limit int) int {
	epochs, err := c.epochs(s, e, dataset, p)
	if err != nil {
		return limit // the plan reports the error
	}
	return min(limit, epochs)
}

// epochs is the number of epochs that a complete run of a trial has at most.
func (c *Config) epochs(s Suite, e registry.Entry, dataset string, p point) (int, error) {
	here, err := c.at(s, e, p)
	if err != nil {
		return 0, err
	}
	t, err := here.Train(e, dataset, s.Name, 0)
	return t.Epochs, err
}

// withoutLimit is the complete run that begins as a run that ends at its rung.
func (c *Config) withoutLimit(s Suite, r Run, limit int) (*Run, error) {
	e, _ := registry.Find(c.registry, r.Job.Spec.Model)
	epochs, err := c.epochs(s, e, r.Job.Spec.Dataset.Name, r.settings(limit))
	if err != nil {
		return nil, err
	}
	r.Job.Spec.Train = maps.Clone(r.Job.Spec.Train)
	if delete(r.Job.Spec.Train, "epochs"); epochs != e.TrainDefaults().Epochs {
		r.Job.Spec.Train["epochs"] = json.RawMessage(strconv.Itoa(epochs))
	}
	r.ID, err = r.Job.Spec.ID()
	return &r, err
}

// Unknown is the plan of a rung without the runs whose results are in the records of complete
// runs, and the number of these runs.
func (p *Plan) Unknown(find Finder) (left *Plan, known int, err error) {
	rest := *p
	rest.Runs = nil
	for _, r := range p.Runs {
		rec, err := r.completeRecord(find)
		if err != nil {
			return nil, 0, err
		}
		if rec == nil {
			rest.Runs = append(rest.Runs, r)
		} else {
			known++
		}
	}
	return &rest, known, nil
}

// completeRecord is the record of the complete run that begins as a run; nil if there is none.
func (r Run) completeRecord(find Finder) (*record.Record, error) {
	if r.Complete == nil {
		return nil, nil
	}
	rec, err := find(*r.Complete)
	if err != nil || rec == nil || rec.Result.Status == record.Time {
		return nil, err
	}
	return rec, nil
}

// evalEvery is the number of epochs between evaluations. A rung that ends between two
// evaluations evaluates once more than a longer run, so that run cannot continue from it.
func (r Run) evalEvery() int {
	t := train.Defaults()
	if err := r.Job.Spec.Train.Apply(&t); err != nil {
		return 1
	}
	return t.EvalEvery
}

// sample selects the trials of a model from the grid, for data with a number of items: as many for
// every model, so points that are refused or make no difference are none.
func (c *Config) sample(s Suite, e registry.Entry, dataset string, items int, grid []point) []point {
	h := fnv.New64a()
	fmt.Fprint(h, dataset, "\x00", e.Name)
	r := rand.New(rand.NewPCG(uint64(s.Seeds[0]), h.Sum64()))
	r.Shuffle(len(grid), func(i, j int) { grid[i], grid[j] = grid[j], grid[i] })
	trials, seen := []point{{}}, map[string]bool{}
	if id, err := c.settingsID(s, e, dataset, items, point{}); err == nil {
		seen[id] = true
	} // otherwise the plan reports the error
	for _, p := range grid {
		if len(trials) == s.Trials {
			break
		}
		id, err := c.settingsID(s, e, dataset, items, p)
		if err == nil && !seen[id] && len(p.axes) > 0 {
			seen[id] = true
			trials = append(trials, p)
		}
	}
	return trials
}

// settingsID is an id of a model's settings on data with a number of items, at a point of the axes;
// it is an error if they are refused.
func (c *Config) settingsID(s Suite, e registry.Entry, dataset string, items int, p point) (string, error) {
	here, err := c.at(s, e, p)
	if err != nil {
		return "", err
	}
	job := Job{Kind: s.Kind, items: items}
	job.Spec.Dataset.Name = dataset
	if err := here.fill(&job, e, dataset, s.Name); err != nil {
		return "", err
	}
	if e.Text {
		if _, err := here.fillInitSettings(&job.Spec, e, s.Name); err != nil {
			return "", err
		}
	}
	return job.Spec.ID()
}

// A Finder returns the record of a run, nil if there is none.
type Finder func(Run) (*record.Record, error)

// FindIn finds the records of exactly these runs in a store.
func FindIn(store record.Store) Finder {
	return func(r Run) (*record.Record, error) { return r.Job.Record(store, r.ID) }
}

// FindLike finds the records of runs among some records, whatever the device and the number of
// threads. Of several it takes that of the planned device, else the newest one, and one that a
// time limit stopped only if there is no other.
func FindLike(all []*record.Record) (Finder, error) {
	byRunKey := map[string][]*record.Record{}
	for _, r := range all {
		key, err := r.Result.Spec.RunKey()
		if err != nil {
			return nil, err
		}
		byRunKey[key] = append(byRunKey[key], r)
	}
	return func(r Run) (*record.Record, error) {
		key, err := r.Job.Spec.RunKey()
		if err != nil || byRunKey[key] == nil {
			return nil, err
		}
		worth := func(found *record.Record) (n int) {
			if found.Result.Status != record.Time {
				n += 2
			}
			if found.Result.Spec.Device == r.Job.Spec.Device {
				n++
			}
			return n
		}
		return slices.MaxFunc(byRunKey[key], func(a, b *record.Record) int {
			return cmp.Or(cmp.Compare(worth(a), worth(b)), a.Measured.Started.Compare(b.Measured.Started), cmp.Compare(b.ID, a.ID))
		}), nil
	}, nil
}

// settings is the place on the axes of a run of a rung, without its number of epochs.
func (r Run) settings(limit int) point {
	n := len(r.point.axes)
	if limit > 0 {
		n--
	}
	return point{r.point.axes[:n], r.point.values[:n]}
}

// trialKey is shared by the runs of a trial at all rungs.
func (r Run) trialKey() (string, error) {
	r.Job.Spec.Train = maps.Clone(r.Job.Spec.Train)
	delete(r.Job.Spec.Train, "epochs")
	return r.Job.Spec.RunKey()
}

// trialOf finds the trial of a run of a rung.
func trialOf(trials []Trial, r Run, limit int) *Trial {
	at := r.settings(limit).String()
	for i := range trials {
		if t := &trials[i]; t.Dataset == r.Job.Spec.Dataset.Name && t.Model == r.Job.Spec.Model && t.At == at {
			return t
		}
	}
	return nil
}

// ReadRung adds the results of a rung to the trials. It is an error if a trial has none, because
// another one would be chosen.
func ReadRung(trials []Trial, p *Plan, rung int, find Finder) ([]Trial, error) {
	limit := p.Suite.Rungs[rung]
	planned, missing := 0, 0
	for _, r := range p.Runs {
		if r.For != "" { // a source, which is no trial
			continue
		}
		planned++
		got, err := p.Suite.read(find, r, limit)
		if err != nil {
			return nil, err
		}
		if got == nil {
			missing++
			continue
		}
		t := trialOf(trials, r, limit)
		if t == nil {
			at := r.settings(limit)
			key, err := r.trialKey()
			if err != nil {
				return nil, err
			}
			trials = append(trials, Trial{record.Trial{Dataset: r.Job.Spec.Dataset.Name, Model: r.Job.Spec.Model, At: at.String()}, at, r.Job.items, key})
			t = &trials[len(trials)-1]
		}
		t.Rungs = append(t.Rungs, *got)
	}
	if missing > 0 {
		until := "to the end"
		if limit > 0 {
			until = fmt.Sprintf("for %d epochs", limit)
		}
		return nil, fmt.Errorf("%d of %d trials of suite %s that are trained %s have no record: run the suite, without -report; nothing is chosen or written until then", missing, planned, p.Suite.Name, until)
	}
	return trials, nil
}

// read returns the result of a run of a rung by which the search decides: from its record, or
// from that of the complete run that begins with it; nil if it has neither.
func (s Suite) read(find Finder, r Run, limit int) (*record.Rung, error) {
	rec, err := find(r)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		if rec, err = r.completeRecord(find); err != nil || rec == nil {
			return nil, err
		}
	}
	if rec.Result.Status == record.Time {
		return nil, fmt.Errorf("train.time_limit stopped the trial of record %s before its end, so it cannot be compared with others: raise the limit and run the suite again", rec.ID)
	}
	got, ok := rec.Rung(limit, rank.Deciding, s.ByCold())
	switch {
	case !ok && s.ByCold():
		return nil, fmt.Errorf("record %s has no cold validation: delete it and run the suite again", rec.ID)
	case !ok:
		return nil, fmt.Errorf("record %s has no validation result of its first %d epochs", rec.ID, got.Epochs)
	}
	return &got, nil
}

// survivors are the trials of a model on a data set that go on to a rung, of those that
// reached the one before.
func survivors(trials []Trial, dataset, model string, rung int) []*Trial {
	var of []*Trial
	for i := range trials {
		if t := &trials[i]; t.Dataset == dataset && t.Model == model && len(t.Rungs) == rung {
			of = append(of, t)
		}
	}
	return Halve(of, func(t *Trial) float64 { return t.Rungs[rung-1].Valid }, func(t *Trial) bool { return len(t.point.axes) == 0 })
}

// Halve returns the better half, rounded up, of trials by their validation results, best
// first, and then the configured settings if they are not among them. Of equal trials the
// earlier one is better.
func Halve[T any](trials []T, valid func(T) float64, configured func(T) bool) []T {
	best := slices.SortedStableFunc(slices.Values(trials), func(a, b T) int { return cmp.Compare(valid(b), valid(a)) })
	half := (len(best) + 1) / 2
	return append(best[:half:half], slices.DeleteFunc(best[half:], func(t T) bool { return !configured(t) })...)
}

// Choose marks the best trial of the last rung, of each model on each data set.
func Choose(trials []Trial, s Suite) {
	best := map[string]*Trial{}
	last := len(s.Rungs) - 1
	for i := range trials {
		t := &trials[i]
		key := t.Dataset + "\x00" + t.Model
		if len(t.Rungs) > last && (best[key] == nil || t.Rungs[last].Valid > best[key].Rungs[last].Valid) {
			best[key] = t
		}
	}
	for _, t := range best {
		t.Chosen = true
	}
}
