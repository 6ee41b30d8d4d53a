package plan

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"famebench/datasets"
	"famebench/internal/bert"
	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/pretrain"
)

// Init returns the settings of a model's initialisation on a data set in a suite: the
// defaults, overridden by the tables that places lists.
func (c *Config) Init(e registry.Entry, dataset, suite string) (pretrain.InitConfig, error) {
	s := pretrain.InitDefaults()
	places, err := c.places(e, dataset, suite, "pretrain")
	if err != nil {
		return s, err
	}
	for _, at := range places {
		if err := conf.Decode(at.table.Without(initApart(at.path)...), &s); err != nil {
			return s, err
		}
	}
	err = s.Validate()
	if err == nil && e.FixInit != nil {
		e.FixInit(&s)
		if e.Neural != nil {
			err = s.Validate()
		}
	}
	if err != nil {
		return s, c.invalidInit(e, dataset, suite, err)
	}
	return s, nil
}

// initApart are the keys of a table of pre-training settings that are no settings: [pretrain]
// has tables for data sets. Those of models and suites have none.
func initApart(path []string) []string {
	if len(path) == 1 {
		return []string{"datasets"}
	}
	return nil
}

// checkInit decodes a table of pre-training settings in every layer.
func (c *Config) checkInit(path ...string) error {
	var errs []error
	s := pretrain.InitDefaults()
	for _, layer := range c.layers() {
		n, err := layer.Sub(path...)
		errs = append(errs, err, conf.Decode(n.Without(slices.Concat(pretrain.Gone, initApart(path))...), &s))
		for _, key := range n.Keys() {
			if slices.Contains(pretrain.Gone, key) { // ids may hold it, so it is not passed over in silence
				errs = append(errs, n.Table[key].Errorf("this setting is gone, since it made no difference to any result: remove it"))
			}
		}
	}
	return errors.Join(errs...)
}

// checkInits checks [pretrain] and its tables for data sets.
func (c *Config) checkInits() error {
	errs := []error{c.checkInit("pretrain")}
	for _, layer := range c.layers() {
		byData, err := layer.Sub("pretrain", "datasets")
		errs = append(errs, err)
		for _, name := range byData.Keys() {
			if err := c.checkDataTable(byData.Table[name], name); err != nil {
				errs = append(errs, err)
				continue
			}
			errs = append(errs, c.checkInit("pretrain", "datasets", name))
		}
	}
	return errors.Join(errs...)
}

// encoderDir is the folder of the text encoder.
func (c *Config) encoderDir(s pretrain.InitConfig) (string, error) {
	if s.Encoder == "" {
		return bert.DefaultEncoder()
	}
	return c.Abs(s.Encoder), nil
}

// missingError is about something that a run needs and that is missing on this
// machine.
type missingError struct{ error }

// lacksError is about something that a run needs and that its data set or its settings do not
// have, whatever the machine.
type lacksError struct{ error }

// fillInitSettings adds the settings of an initialisation to a spec, without those
// that make no difference to it.
func (c *Config) fillInitSettings(spec *record.Spec, e registry.Entry, suite string) (pretrain.InitConfig, error) {
	s, err := c.Init(e, spec.Dataset.Name, suite)
	if err != nil {
		return s, err
	}
	if s.Untrained == pretrain.Ridge && !s.Ignores(record.UntrainedItems) {
		dc, err := c.Dataset(spec.Dataset.Name)
		if err != nil {
			return s, err
		}
		if dc.ColdValidation == 0 {
			return s, c.invalidInit(e, spec.Dataset.Name, suite,
				fmt.Errorf("untrained_items = %q chooses its penalty by the cases of cold_validation: set datasets.%s.cold_validation, or another rule", s.Untrained, spec.Dataset.Name))
		}
	}
	if e.Neural != nil {
		params, err := c.Params(e, spec.Dataset.Name)
		if err != nil {
			return s, err
		}
		if hidden, heads, err := s.Shape(params); err != nil || hidden%heads != 0 {
			return s, errors.Join(err, c.invalidInit(e, spec.Dataset.Name, suite,
				fmt.Errorf("pretrain.heads = %d: expected a divisor of hidden = %d", heads, hidden)))
		}
	}
	settings, err := s.Settings()
	spec.Init = &record.Init{Settings: settings, Version: pretrain.Version}
	return s, err
}

// invalidInit is an error about a value of Init.
func (c *Config) invalidInit(e registry.Entry, dataset, suite string, reason error) error {
	places, err := c.places(e, dataset, suite, "pretrain")
	return errors.Join(err, invalid(c.Path, places, fmt.Sprintf("pre-training settings of %s on %s", e.Name, dataset), reason))
}

// fillInit adds everything that decides an initialisation to a spec: settings,
// texts, encoder.
func (c *Config) fillInit(job *Job, e registry.Entry, data *datasets.Dataset, suite string) error {
	s, err := c.fillInitSettings(&job.Spec, e, suite)
	if err != nil {
		return err
	}
	if !s.Reads() {
		return nil
	}
	open := s // records are looked up by this if the data or the folder is missing
	open.Pooling = cmp.Or(s.Pooling, string(bert.MeanPooling))
	if job.Spec.Init.Settings, err = open.Settings(); err != nil {
		return err
	}
	if data == nil {
		return missingError{fmt.Errorf("%s on %s needs the data", e.Name, job.Spec.Dataset.Name)}
	}
	texts, facets, unread := s.Read(data)
	if err := lacksTexts(e, s, data, job.Spec.Dataset.Name, unread); err != nil {
		return err
	}
	dir, err := c.encoderDir(s)
	if err != nil {
		return missingError{fmt.Errorf("%s needs a text encoder: %w", e.Name, err)}
	}
	if _, err := os.Stat(dir); err != nil {
		return missingError{fmt.Errorf("%s needs a text encoder: %w; to fetch one, run scripts/fetch-encoder.sh, or name a folder with pretrain.encoder", e.Name, err)}
	}
	encoder, err := c.encoders.follow(dir, &s)
	if err != nil {
		return err
	}
	if _, err := data.Metadata(); err != nil { // a wrong or damaged file is not a reason to skip the model
		return err
	}
	if unread != nil { // there is no metadata, and its file may be on another machine
		return missingError{fmt.Errorf("it needs the items' metadata: %w", unread)}
	}
	spec := job.Spec.Init
	if spec.Settings, err = s.Settings(); err != nil {
		return err
	}
	spec.Texts, spec.Facets, spec.Encoder = bert.TextsHash(texts), s.FacetsHash(facets), encoder.Fingerprint
	job.Encoder = dir
	return nil
}

// lacksTexts is an error if the metadata of a data set lacks what an initialisation reads, which failed
// with unread. That is a property of the data set: records of other metadata are of no use, and tables
// say so. It is found out before the encoder is, so that they say the same with and without one.
func lacksTexts(e registry.Entry, s pretrain.InitConfig, data *datasets.Dataset, name string, unread error) error {
	m, err := data.Metadata()
	if unread == nil || err != nil {
		return nil // a damaged file is reported after the encoder
	}
	if m.Missing == data.NumItems {
		if data.Config.Format == "csv" && data.Config.Items == "" {
			return lacksError{fmt.Errorf("%s has no metadata, and %s needs texts: set datasets.%s.items and datasets.%s.item_columns", name, e.Name, name, name)}
		}
		return nil
	}
	if _, textErr := s.TextConfig.Texts(m, data.NumItems); textErr != nil && m.Title == nil {
		return lacksError{fmt.Errorf("%s has no titles, and %s needs texts; datasets.%s.items can name a file that has them", name, e.Name, name)}
	}
	return lacksError{fmt.Errorf("the metadata of %s lacks what %s needs: %w", name, e.Name, unread)}
}

// encoders caches the folders of text encoders, which a plan needs for each run, and
// how texts are encoded with them.
type encoders struct {
	folders map[string]bert.Folder
	used    []string // one line for each folder and way of encoding, in the order of their first use
	said    int      // number of these that earlier plans have
}

// follow opens a folder, and sets those settings in s that the folder decides.
func (c *encoders) follow(dir string, s *pretrain.InitConfig) (bert.Folder, error) {
	f, ok := c.folders[dir]
	if !ok {
		e, err := bert.OpenEncoder(dir)
		if err != nil {
			return f, err
		}
		f = e.Folder
		c.folders[dir] = f
	}
	set := bert.Pooling(s.Pooling)
	o, err := f.Follow(bert.EncodeOptions{Pooling: set, MaxTokens: s.MaxTokens})
	if err != nil {
		return f, fmt.Errorf("%w; or set pretrain.pooling to mean, cls or max, which replaces the folder's modules", err)
	}
	s.Pooling, s.Normalise, s.MaxTokens = string(o.Pooling), o.Normalise, o.MaxTokens
	if line := dir + ": " + f.Describe(set, "pretrain.pooling", o); !slices.Contains(c.used, line) {
		c.used = append(c.used, line)
	}
	return f, nil
}
