package plan

import (
	"errors"
	"fmt"
	"slices"

	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/registry"
)

// A model with init_from begins with the trained weights of another model, its source. The
// source's run is one of the plan. It has the settings of that model, but for those that
// decide the shapes and the heads of the layers: they follow the model that begins with it.

// initFromKey is the key of [models.M] that names the source.
const initFromKey = "init_from"

// structure are the settings of a source that follow the model that begins with it: of the
// model, and of its training.
var (
	structure      = []string{"hidden", "layers", "heads", "inner"}
	trainStructure = []string{"max_len"}
)

// initFrom returns the model whose weights a model begins with; "" if there is none.
func (c *Config) initFrom(e registry.Entry, dataset string) (string, error) {
	if e.InitFrom != "" || e.Neural == nil {
		return e.InitFrom, nil
	}
	name := ""
	places, err := c.places(e, dataset, "", "")
	for _, at := range places {
		key := at.table.Table[initFromKey]
		if key == nil || at.path[1] != e.Name && e.Text { // its base's: the variant begins with texts
			continue
		}
		name, _ = key.Value.(string)
	}
	return name, err
}

// checkInitFrom checks the key in a table of a model.
func (c *Config) checkInitFrom(name string, n *conf.Node) error {
	if n == nil || n.Table[initFromKey] == nil {
		return nil
	}
	key := n.Table[initFromKey]
	source, ok := key.Value.(string)
	e, known := registry.Find(c.registry, name)
	from, found := registry.Find(c.registry, source)
	switch {
	case !known:
		return key.Errorf("a source is that of one model: set it in [models.NAME]")
	case !ok:
		return key.Errorf(`expected the name of a model, as in init_from = "sasrec"`)
	case e.InitFrom != "":
		return key.Errorf("%s is the variant that begins with %s; set init_from for another model", name, e.InitFrom)
	case e.Text:
		return key.Errorf("%s begins with its items' texts, so it cannot begin with a trained model", name)
	case source == "":
		return nil
	case !found:
		return key.Errorf("unknown model %q%s", source, conf.Hint(source, registry.Names(c.registry)))
	case from.Neural == nil:
		return key.Errorf("%s has no weights to begin with: it only counts", source)
	}
	return nil
}

// sourceOf returns the configuration, the entry and the name of the source of a model whose
// settings are in job. ok is false if it has none. chain are the models from the first that
// begins with a source to this one.
func (c *Config) sourceOf(job Job, e registry.Entry, chain []string) (at *Config, source registry.Entry, ok bool, err error) {
	name, err := c.initFrom(e, job.Spec.Dataset.Name)
	if err != nil || name == "" || job.Kind == KindCost { // a cost does not depend on the weights
		return nil, source, false, err
	}
	if slices.Contains(chain, name) || name == e.Name {
		return nil, source, false, invalidError{fmt.Sprintf("%s: models.%s.%s", c.Path, e.Name, initFromKey),
			fmt.Errorf("%s would begin with itself: %v", name, append(slices.Clone(chain), e.Name, name))}
	}
	source, _ = registry.Find(c.registry, name)
	params, t, err := job.Settings(e)
	if err != nil {
		return nil, source, false, err
	}
	follow := *c
	where := "the structure of " + e.Name
	follow.point = conf.NewTable(where)
	put := func(from any, keys, path []string, has []string) error {
		all, err := record.All(from)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if text, ok := all[key]; ok && slices.Contains(has, key) {
				var v int64
				if _, err := fmt.Sscan(string(text), &v); err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
				if err := follow.point.Put(append(slices.Clone(path), key), where, v); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err = errors.Join(
		put(params, structure, []string{"models", name}, source.Settings()),
		put(t, trainStructure, []string{"models", name, "train"}, trainStructure))
	return &follow, source, err == nil, err
}

// addSource adds the source of a model to its job, and returns the source's run; nil if there
// is none. c holds the settings without those of the place on the axes, which are the
// model's own.
func (c *Config) addSource(p *Plan, e registry.Entry, job *Job, data *datasets.Dataset, o Options, chain []string) (*Run, error) {
	at, source, ok, err := c.sourceOf(*job, e, chain)
	if err != nil || !ok {
		return nil, err
	}
	from := *job
	from.Encoder, from.Local = "", nil
	from.Spec = record.Spec{Dataset: job.Spec.Dataset, Protocol: job.Spec.Protocol, Device: job.Spec.Device, Seed: job.Spec.Seed, Model: source.Name}
	if err := p.setCode(&from, source, o); err != nil {
		return nil, err
	}
	if err := at.complete(&from, source, data, p.Suite.Name, o); err != nil {
		return nil, fmt.Errorf("%s begins with %s: %w", e.Name, source.Name, err)
	}
	from.Spec = from.Spec.AsTrained() // it begins with the weights that training left
	own, err := c.addSource(p, source, &from, data, o, append(slices.Clone(chain), e.Name))
	if err != nil {
		return nil, err
	}
	job.Spec.Source = from.Spec.AsSource()
	job.Again = job.Again || from.Again
	return &Run{Job: from, Source: own, For: e.Name}, nil
}

// seeded is a run with another seed, and so is its source.
func (r Run) seeded(seed int64) (Run, error) {
	r.Job.Spec.Seed = seed
	if r.Source != nil {
		source, err := r.Source.seeded(seed)
		if err != nil {
			return r, err
		}
		r.Source = &source
	}
	var err error
	r.ID, err = r.Job.Spec.ID()
	return r, err
}

// withSources lists runs, each once, and before each the source that is not among them.
func withSources(runs []Run) []Run {
	listed := map[string]bool{}
	for _, r := range runs {
		listed[r.ID] = true
	}
	var out []Run
	var add func(r Run)
	add = func(r Run) {
		if r.Source != nil && !listed[r.Source.ID] {
			listed[r.Source.ID] = true
			add(*r.Source)
		}
		out = append(out, r)
	}
	for _, r := range runs {
		add(r)
	}
	return out
}

// SourceJob is the job that trains the source of a recorded run again, nil if it has none.
func (j Job) SourceJob() *Job {
	spec, ok := j.Spec.OfSource()
	if !ok {
		return nil
	}
	j.Spec, j.Local = spec, nil
	return &j
}

// askedSource is the source of a model before data are opened.
func (c *Config) askedSource(s Suite, e registry.Entry, job Job, chain []string) (*record.Source, error) {
	at, source, ok, err := c.sourceOf(job, e, chain)
	if err != nil || !ok {
		return nil, err
	}
	from := Job{Kind: job.Kind}
	from.Spec.Dataset, from.Spec.Model = job.Spec.Dataset, source.Name
	if err := at.fill(&from, source, job.Spec.Dataset.Name, s.Name); err != nil {
		return nil, err
	}
	if source.Text {
		if _, err := at.fillInitSettings(&from.Spec, source, s.Name); err != nil {
			return nil, err
		}
		from.Spec = from.Spec.AsTrained() // it begins with the weights that training left
	}
	if from.Spec.Source, err = c.askedSource(s, source, from, append(slices.Clone(chain), e.Name)); err != nil {
		return nil, err
	}
	from.Spec.Versions = record.Versions{} // no part of what is asked
	if from.Spec.Init != nil {
		from.Spec.Init.Version = 0
	}
	return from.Spec.AsSource(), nil
}
