package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/train"
)

// Run is one run of a plan: a spec with its id, and what else a child process
// needs.
type Run struct {
	ID  string
	Job Job
	At  string // its place on the suite's axes, in words; "" if it has none
	// Source is the run whose weights it begins with; nil: with random ones. It is one of the
	// plan's runs too.
	Source *Run
	// For names the model that begins with this run's weights, if the run is in the plan for
	// no other reason.
	For string
	// Complete is the run without a limit that begins as this one, which ends at a rung of a
	// search. If it is recorded, there is no need for this one. nil: there is none.
	Complete *Run
	// Configured: all its settings are those that are configured, and none is of an axis.
	Configured bool

	point point
}

// Data is a data set of a plan.
type Data struct {
	Name     string
	Stats    datasets.Stats
	Warnings []string
	Recorded bool // known from records only

	cases   *record.Cases   // nil: known from records only
	entropy *record.Entropy // nil: not asked for, or the data have no labels
}

// Plan lists the runs of a suite on this machine.
type Plan struct {
	Suite   Suite
	Threads int // of each run
	Runs    []Run
	Data    []Data
	Skipped []Skip
	// Changed names the sources of the plan's models that have uncommitted changes.
	Changed []string
	// Encoders says which text encoders the runs use and how, one line each,
	// without those of earlier plans of the configuration.
	Encoders []string
	// Tuned says which tuned values in the results folder the suite does not have, and which models
	// have none.
	Tuned []string
}

// Announce writes the data sets' warnings, how texts are encoded, and what of the suite
// cannot be run. A report uses records of other code all the same.
func (p *Plan) Announce(w io.Writer, report bool) {
	for _, d := range p.Data {
		for _, text := range d.Warnings {
			fmt.Fprintf(w, "warning: %s\n", text)
		}
	}
	if len(p.Changed) > 0 && !report {
		fmt.Fprintf(w, "note: uncommitted changes in %s: records that other code made are not used, and these runs are trained again\n", strings.Join(p.Changed, ", "))
	}
	for _, line := range p.Tuned {
		fmt.Fprintf(w, "note: %s\n", line)
	}
	for _, line := range p.Encoders {
		fmt.Fprintf(w, "text encoder %s\n", line)
	}
	for _, s := range p.Skipped {
		fmt.Fprintf(w, "skipped: %s: %s\n", s.What, s.Reason)
	}
}

// Skip is something that the suite names but that cannot be run here.
type Skip struct {
	What    string `json:"what"` // a data set, or a model with its place on the axes
	Reason  string `json:"reason"`
	Missing bool   `json:"missing,omitempty"` // it, or a file that it needs, is not on this machine; the reason may name paths
}

// Options say where and how a plan's runs compute.
type Options struct {
	Device  string // "cpu", "cuda" or "cuda:N"; "" is "cpu"
	Threads int    // of a run; 0: all cores
	Out     string // results folder
	Source  Source
	Strict  bool // a missing data set is an error
	Again   bool // runs whose records were made by other code are done again

	// Recorded returns the records that a report may use: a missing data set or text
	// encoder is then taken to be what a record says of it. nil: the runs are to be
	// done, so both must be available.
	Recorded func() ([]*record.Record, error)
}

// Plan opens the data sets of a suite, for their fingerprints, and lists its runs:
// by data set, model, place on the axes, seed. A non-neural baseline uses no
// random numbers, so it runs once, with the first seed. The plan also lists what
// cannot be run: missing data sets, and settings that a model refuses, such as
// heads that do not divide the hidden size.
func (c *Config) Plan(s Suite, o Options) (*Plan, error) {
	c, err := c.withTuned(s)
	if err != nil {
		return nil, err
	}
	p, err := c.plan(s, o, func(e registry.Entry, dataset string, _ int) []point { return c.points(s, e, dataset) })
	if err != nil || s.Kind == KindCost {
		return p, err
	}
	return p, p.shareTraining()
}

// plan lists the runs at the points that a function returns for a model on a
// data set with a number of items. c has the suite's tuned values.
func (c *Config) plan(s Suite, o Options, points func(e registry.Entry, dataset string, items int) []point) (*Plan, error) {
	if o.Device == "" {
		o.Device = "cpu"
	}
	class, _, _ := strings.Cut(o.Device, ":")
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0) // knows about container limits, unlike NumCPU
	}
	p := &Plan{Suite: s, Threads: o.Threads, Tuned: c.unusedTuned(s, o.Out)}
	planned := map[string]bool{}
	for _, name := range s.Datasets {
		dc, err := c.Dataset(name)
		if err != nil {
			return nil, err
		}
		data, base, info, err := c.open(name, dc, o)
		if errors.Is(err, fs.ErrNotExist) && !o.Strict && len(s.Datasets) > 1 {
			p.Skipped = append(p.Skipped, Skip{What: name, Reason: err.Error(), Missing: true})
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := p.addEntropy(&info, data); err != nil {
			return nil, err
		}
		p.Data = append(p.Data, info)
		if line := c.untuned(s, name); line != "" {
			p.Tuned = append(p.Tuned, line)
		}
		for _, model := range s.Models {
			e, _ := registry.Find(c.registry, model)
			job := Job{Kind: s.Kind, Device: o.Device, Steps: s.Steps, Threads: o.Threads, Root: c.Root, Out: o.Out, Source: o.Source, UnpackLimit: dc.UnpackLimit, Spec: base}
			job.Spec.Model, job.Spec.Device = model, class
			if err := p.setCode(&job, e, o); err != nil {
				return nil, err
			}
			job.items = info.Stats.Items
			places := points(e, name, job.items)
			var configured []Run
			for _, at := range places {
				runs, err := c.runsAt(p, e, job, data, at, o)
				what := model + " on " + name
				if len(at.axes) > 0 {
					what += " with " + at.String()
				}
				if missing := (missingError{}); errors.As(err, &missing) && !o.Strict && len(s.Models) > 1 {
					p.Skipped = append(p.Skipped, Skip{What: what, Reason: missing.Error(), Missing: true})
					if at.configured() {
						break
					}
					continue // other places on the axes may be valid
				}
				if lacks := (lacksError{}); errors.As(err, &lacks) {
					p.Skipped = append(p.Skipped, Skip{What: what, Reason: lacks.Error()})
					continue
				}
				if invalid := (invalidError{}); errors.As(err, &invalid) && !at.configured() {
					p.Skipped = append(p.Skipped, Skip{What: what, Reason: invalid.reason.Error()})
					continue
				}
				if err != nil {
					return nil, err
				}
				if len(at.axes) == 0 {
					configured = runs
				}
				for _, r := range runs {
					if !planned[r.ID] { // an axis may contain the configured value
						planned[r.ID] = true
						p.Runs = append(p.Runs, r)
					}
				}
			}
			if !slices.ContainsFunc(places, func(at point) bool { return len(at.axes) == 0 }) {
				// A grid may have these settings at one of its places. If they are refused, it has not.
				configured, _ = c.runsAt(p, e, job, data, point{}, o)
			}
			for i, r := range p.Runs {
				if slices.ContainsFunc(configured, func(c Run) bool { return c.ID == r.ID }) {
					p.Runs[i].Configured = true
				}
			}
		}
	}
	p.Runs = withSources(p.Runs)
	p.Encoders, c.encoders.said = c.encoders.used[c.encoders.said:], len(c.encoders.used)
	if len(p.Runs) == 0 {
		return nil, fmt.Errorf("suite %s has nothing to run here: %s", s.Name, skipText(p.Skipped))
	}
	return p, nil
}

// differsFromBase refuses a variant that only its configuration defines where that defines nothing:
// it would show its base's results under another name.
func (c *Config) differsFromBase(job Job, e registry.Entry, s Suite, at point) error {
	if e.Base == "" || e.Fix != nil || e.Text || job.Spec.Source != nil {
		return nil
	}
	b, _ := registry.Find(c.registry, e.Base)
	other := Job{Kind: job.Kind, items: job.items}
	var shared point // what the base has of the point
	for i, a := range at.axes {
		if _, ok := c.axisPath(s, b, a); ok {
			shared = shared.with(a, at.values[i])
		}
	}
	here, err := c.at(s, b, shared)
	if err == nil {
		err = here.fill(&other, b, job.Spec.Dataset.Name, s.Name)
	}
	if err != nil {
		return err
	}
	if !other.Spec.Params.Equal(job.Spec.Params) || !other.Spec.Train.Equal(job.Spec.Train) {
		return nil
	}
	return lacksError{fmt.Errorf("its settings there are those of %s, whose results it would repeat: set its own in [models.%s.datasets.%s] or [models.%s.datasets.%s.train]", e.Base, e.Name, job.Spec.Dataset.Name, e.Name, job.Spec.Dataset.Name)}
}

// Models are those of the suite, and then those that only others begin with: tables have both.
func (p *Plan) Models() []string {
	out := slices.Clone(p.Suite.Models)
	for _, r := range p.Runs {
		if model := r.Job.Spec.Model; !slices.Contains(out, model) {
			out = append(out, model)
		}
	}
	return out
}

// setCode says which code a job's result depends on.
func (p *Plan) setCode(job *Job, e registry.Entry, o Options) error {
	version, err := e.Code()
	if err != nil {
		return err
	}
	changed := o.Source.changedFiles(version)
	job.Code, job.Again = version.Hash, o.Again || len(changed) > 0
	for _, file := range changed {
		if !slices.Contains(p.Changed, file) {
			p.Changed = append(p.Changed, file)
		}
	}
	return nil
}

func skipText(skipped []Skip) string {
	var s []string
	for _, k := range skipped {
		s = append(s, k.What+": "+k.Reason)
	}
	return strings.Join(s, "; ")
}

// complete adds the settings of a model, and what its texts decide, to a job.
func (c *Config) complete(job *Job, e registry.Entry, data *datasets.Dataset, suite string, o Options) error {
	if err := c.fill(job, e, job.Spec.Dataset.Name, suite); err != nil || !e.Text {
		return err
	}
	return o.recordedInit(&job.Spec, c.fillInit(job, e, data, suite))
}

// runsAt lists the runs of a model at a point of the axes, one per seed.
func (c *Config) runsAt(p *Plan, e registry.Entry, base Job, data *datasets.Dataset, at point, o Options) ([]Run, error) {
	s := p.Suite
	here, err := c.at(s, e, at)
	if err != nil {
		return nil, err
	}
	if err := here.complete(&base, e, data, s.Name, o); err != nil {
		return nil, err
	}
	source, err := c.addSource(p, e, &base, data, o, nil)
	if err != nil {
		return nil, err
	}
	if err := c.differsFromBase(base, e, s, at); err != nil {
		return nil, err
	}
	var runs []Run
	for _, seed := range s.seeds(base.Spec.Dataset.Name, e.Name) {
		job := base
		job.Spec.Seed = seed
		jobs := []Job{job}
		if s.Kind == KindCost && s.Steps == 0 && e.Neural != nil {
			if jobs, err = c.costJobs(job); err != nil {
				return nil, err
			}
		}
		for _, j := range jobs {
			r, err := Run{Job: j, At: at.String(), Source: source, point: at}.seeded(seed)
			if err != nil {
				return nil, err
			}
			runs = append(runs, r)
		}
		if e.Neural == nil || s.Kind == KindCost {
			break
		}
	}
	return runs, nil
}

// fillWorld puts the parameters of generated data into the spec of a model that knows them.
// The fingerprint covers the sequences alone, which are the same for two worlds that differ in
// what did not happen, such as a user who could have repeated an item.
func (c *Config) fillWorld(spec *record.Spec, dataset string) error {
	data, err := c.Dataset(dataset)
	if err != nil {
		return err
	}
	if data, err = data.Resolve(); err != nil || data.World == (datasets.WorldConfig{}) {
		return err
	}
	world, err := json.Marshal(data.World)
	spec.Params = record.Settings{record.World: world}
	return err
}

// PaperBatch is the batch size, in targets, of the papers' code. The cost of
// every neural model is measured with it as well as with the configured one.
const PaperBatch = 256

// costJobs lists the jobs that measure a neural model with its own batch size
// and the papers'.
func (c *Config) costJobs(job Job) ([]Job, error) {
	t := train.Defaults()
	if err := job.Spec.Train.Apply(&t); err != nil {
		return nil, err
	}
	if t.BatchTargets == PaperBatch {
		return []Job{job}, nil
	}
	paper := job
	paper.Spec.Train = maps.Clone(job.Spec.Train)
	paper.Spec.Train["batch_targets"] = json.RawMessage(strconv.Itoa(PaperBatch))
	return []Job{job, paper}, nil
}

func datasetSpec(name string, c datasets.Config, fingerprint string) (record.Dataset, error) {
	b, err := json.Marshal(c) // leaves out settings at their default
	if err != nil {
		return record.Dataset{}, err
	}
	d := record.Dataset{Name: name, Fingerprint: fingerprint}
	return d, json.Unmarshal(b, &d.Config)
}

// fill adds the settings of a model to a job.
func (c *Config) fill(job *Job, e registry.Entry, dataset, suite string) error {
	spec := &job.Spec
	spec.Versions = e.Versions()
	spec.ValidationOnly = job.Kind == KindTune
	if e.Neural == nil {
		spec.NonNeural = true
		if e.KnowsWorld {
			return c.fillWorld(spec, dataset)
		}
		return nil
	}
	params, err := c.Params(e, dataset)
	if err != nil {
		return err
	}
	if spec.Params, err = record.Diff(e.Defaults, params); err != nil {
		return err
	}
	t, err := c.Train(e, dataset, suite, job.items)
	if err != nil {
		return err
	}
	defaults := e.TrainDefaults()
	if spec.Train, err = record.Diff(&defaults, &t); err != nil {
		return err
	}
	// What makes no difference is no other run.
	job.idle = record.Settings{}
	idle := func(from record.Settings, table string, ignores func(key string) bool) {
		maps.DeleteFunc(from, func(key string, value json.RawMessage) bool {
			if ignores(key) {
				job.idle[table+key] = value
			}
			return ignores(key)
		})
	}
	if p, ok := params.(interface{ Ignores(key string) bool }); ok {
		idle(spec.Params, "", p.Ignores)
	}
	idle(spec.Train, "train.", t.Ignores)
	job.Local = record.Settings{}
	for _, key := range localSettings {
		if v, ok := spec.Train[key]; ok {
			job.Local[key] = v
			delete(spec.Train, key)
		}
	}
	return nil
}

// WriteData stores the statistics and the test cases of a plan's data sets that are not
// stored yet. Those of data sets that are known only from records were read from there.
func (p *Plan) WriteData(s record.Store) error {
	for _, d := range p.Data {
		if d.Recorded {
			continue
		}
		if err := s.WriteCases(d.cases); err != nil {
			return err
		}
		if d.entropy != nil {
			if err := s.WriteEntropy(d.cases.Dataset, d.cases.Protocol, d.entropy); err != nil {
				return err
			}
		}
		path := s.DatasetPath(d.Name, d.Stats.Fingerprint)
		if stored, err := ReadStats(path, d.Name, d.Stats.Fingerprint); err == nil && reflect.DeepEqual(stored, d.Stats) {
			continue
		}
		if err := record.WriteSealed(path, d.Stats); err != nil {
			return err
		}
	}
	return nil
}

// newCases takes from a split the numbers by which breakdowns group its test
// cases, and, if a user has several, whose they are.
func newCases(d record.Dataset, s *datasets.Split) *record.Cases {
	counts := s.TrainingCounts()
	c := &record.Cases{Dataset: d, Protocol: s.Kind}
	for _, test := range s.Test {
		c.Training = append(c.Training, int32(counts[test.Target]))
		c.History = append(c.History, int32(len(test.History)))
	}
	users := map[string]int32{}
	of := make([]int32, len(s.Test))
	for i, test := range s.Test {
		name := s.Data.UserIDs[test.User]
		if _, ok := users[name]; !ok {
			users[name] = int32(len(users))
		}
		of[i] = users[name]
	}
	if len(users) < len(of) {
		c.Users = of
	}
	return c
}
