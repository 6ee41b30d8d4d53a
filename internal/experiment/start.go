package experiment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"famebench/datasets"
	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
	"famebench/internal/train"
	"famebench/pretrain"
)

// StartConfig is the [pretrain] section of a configuration: how the item table of
// a model such as fame-plus starts from the items' texts.
type StartConfig struct {
	pretrain.Config
	pretrain.TextConfig
	Heads     int      `toml:"heads" json:"heads"`                     // that are trained, each for an equal part of a row; 0: as many as the model has
	Facets    []string `toml:"facets" json:"facets"`                   // learned by the heads, the first by the first; none: all that the metadata has
	Pooling   string   `toml:"pooling" json:"pooling"`                 // of a text's token states: "mean", "cls" or "max"; "": what the encoder's folder asks for
	Normalise bool     `toml:"-" json:"normalise"`                     // text vectors have norm 1: where the folder asks for it and Pooling is not set
	MaxTokens int      `toml:"max_tokens" json:"max_tokens"`           // of a text; 0: as many as the encoder takes
	Untrained string   `toml:"untrained_items" json:"untrained_items"` // rows of items that training never has: "as-trained" or "neighbours"
	Frozen    bool     `toml:"frozen" json:"frozen"`                   // the item table stays as it starts
	Encoder   string   `toml:"encoder" json:"-"`                       // folder of the text encoder; "": where scripts/fetch-encoder.sh puts it. Its fingerprint is part of the id
}

// startDefaults are the settings of a configuration that names none.
func startDefaults() StartConfig {
	return StartConfig{Config: pretrain.Defaults(), TextConfig: pretrain.TextDefaults(), Facets: []string{}, MaxTokens: 128, Untrained: AsTrained}
}

// specStart are the settings of a spec that names none. A spec always says how texts
// are pooled; the mean is left out, as it was before folders were asked.
func specStart() StartConfig {
	s := startDefaults()
	s.Pooling = string(pretrain.MeanPooling)
	return s
}

// startDefaults are the settings of a model's spec that names none, with what makes the
// variant.
func (e Entry) startDefaults() StartConfig {
	s := specStart()
	if e.FixStart != nil {
		e.FixStart(&s)
	}
	return s
}

// itemTable is the parameter that a start sets.
const itemTable = "item_emb.weight"

// startPaths are the tables that hold the settings of a model's start, weaker
// first; the last is that of the suite.
func (e Entry) startPaths(dataset, suite string) [][]string {
	paths := [][]string{{"pretrain"}}
	for _, d := range forData(dataset) {
		paths = append(paths, []string{"pretrain", "datasets", d})
	}
	for _, table := range e.tables(dataset) {
		paths = append(paths, append(table, "pretrain"))
	}
	return append(paths, []string{"suites", suite, "pretrain"})
}

// Start returns the settings of a model's start on a data set in a suite. The
// order, weakest first: defaults, [pretrain], [pretrain.datasets.D] (of groups of data sets
// first), "pretrain" in the tables of Entry.tables, [suites.S.pretrain], and the same of every
// stronger layer.
func (c *Config) Start(e Entry, dataset, suite string) (StartConfig, error) {
	s := startDefaults()
	for _, layer := range c.layers() {
		for _, path := range e.startPaths(dataset, suite) {
			n, err := layer.Sub(path...)
			if err := errors.Join(err, conf.Decode(n.Without("datasets"), &s)); err != nil {
				return s, err
			}
		}
	}
	if e.FixStart != nil {
		e.FixStart(&s)
	}
	if err := errors.Join(s.Config.Validate(), s.TextConfig.Validate(), s.validate()); err != nil {
		return s, invalidError{fmt.Sprintf("%s: start of %s on %s", c.Path, e.Name, dataset), err}
	}
	return s, nil
}

// validate checks what package pretrain does not know of.
func (s StartConfig) validate() error {
	switch {
	case s.Untrained != AsTrained && s.Untrained != Neighbours:
		return fmt.Errorf("untrained_items = %q, expected %q or %q", s.Untrained, AsTrained, Neighbours)
	case s.Pooling != "" && !slices.Contains(pretrain.Poolings, pretrain.Pooling(s.Pooling)):
		return fmt.Errorf(`pooling = %q, expected one of %q, or "" for what the encoder's folder asks for`, s.Pooling, pretrain.Poolings)
	case s.MaxTokens != 0 && s.MaxTokens < pretrain.MinTokens:
		return fmt.Errorf("max_tokens = %d, expected at least %d, or 0 for as many as the encoder takes", s.MaxTokens, pretrain.MinTokens)
	case s.Heads < 0:
		return fmt.Errorf("heads = %d, expected at least 1, or 0 for as many as the model has", s.Heads)
	}
	for i, name := range s.Facets {
		if !slices.Contains(datasets.FacetNames(), name) {
			return fmt.Errorf("facets: no facet %q%s", name, conf.Hint(name, datasets.FacetNames()))
		}
		if slices.Contains(s.Facets[:i], name) {
			return fmt.Errorf("facets: %q stands twice", name)
		}
	}
	return nil
}

// checkStart decodes a table of pre-training settings in every layer.
func (c *Config) checkStart(path ...string) error {
	var errs []error
	s := startDefaults()
	for _, layer := range c.layers() {
		n, err := layer.Sub(path...)
		errs = append(errs, err, conf.Decode(n.Without("datasets"), &s))
	}
	return errors.Join(errs...)
}

// checkStarts checks [pretrain] and its tables for data sets.
func (c *Config) checkStarts() error {
	errs := []error{c.checkStart("pretrain")}
	for _, layer := range c.layers() {
		byData, err := layer.Sub("pretrain", "datasets")
		errs = append(errs, err)
		for _, name := range byData.Keys() {
			if err := c.checkDataTable(byData.Table[name], name); err != nil {
				errs = append(errs, err)
				continue
			}
			errs = append(errs, c.checkStart("pretrain", "datasets", name))
		}
	}
	return errors.Join(errs...)
}

// encoderDir is the folder of the text encoder.
func (c *Config) encoderDir(s StartConfig) (string, error) {
	if s.Encoder == "" {
		return pretrain.DefaultEncoder()
	}
	return c.Abs(s.Encoder), nil
}

// missingError is about something that a run needs and that is not here.
type missingError struct{ error }

// fillStartSettings adds to a spec the settings of a start, without those that make no
// difference to it.
func (c *Config) fillStartSettings(spec *record.Spec, e Entry, suite string) (StartConfig, error) {
	s, err := c.Start(e, spec.Dataset.Name, suite)
	if err != nil {
		return s, err
	}
	settings, err := s.settings()
	spec.Start = &record.Start{Settings: settings, Version: pretrain.Version}
	return s, err
}

// settings are those that a spec names.
func (s StartConfig) settings() (record.Settings, error) {
	defaults := specStart()
	diff, err := record.Diff(&defaults, &s)
	maps.DeleteFunc(diff, func(key string, _ json.RawMessage) bool { return s.ignores(key) })
	return diff, err
}

// fillStart adds to a spec what decides a start: settings, texts, encoder.
func (c *Config) fillStart(job *Job, e Entry, data *datasets.Dataset, suite string) error {
	s, err := c.fillStartSettings(&job.Spec, e, suite)
	if err != nil {
		return err
	}
	params, err := c.Params(e, job.Spec.Dataset.Name)
	if err != nil {
		return err
	}
	if hidden, heads, err := s.shape(params); err != nil || hidden%heads != 0 {
		return errors.Join(err, invalidError{fmt.Sprintf("%s: start of %s on %s", c.Path, e.Name, job.Spec.Dataset.Name),
			fmt.Errorf("pretrain.heads = %d does not divide hidden = %d", heads, hidden)})
	}
	if !s.reads() {
		return nil
	}
	open := s // what records are looked up by where the data or the folder is not here
	open.Pooling = cmp.Or(s.Pooling, string(pretrain.MeanPooling))
	if job.Spec.Start.Settings, err = open.settings(); err != nil {
		return err
	}
	if data == nil {
		return missingError{fmt.Errorf("%s on %s needs the data", e.Name, job.Spec.Dataset.Name)}
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
	if _, err := data.Metadata(); err != nil { // the wrong file or a damaged one: not a reason to skip the model
		return err
	}
	texts, facets, err := s.read(data)
	if err != nil {
		return missingError{fmt.Errorf("%s on %s needs the items' metadata: %w", e.Name, job.Spec.Dataset.Name, err)}
	}
	spec := job.Spec.Start
	if spec.Settings, err = s.settings(); err != nil {
		return err
	}
	spec.Texts, spec.Facets, spec.Encoder = pretrain.TextsHash(texts), s.facetsHash(facets), encoder.Fingerprint
	job.Encoder = dir
	return nil
}

// encoders remembers the folders of text encoders, for which a plan asks for each run,
// and how texts are encoded with them.
type encoders struct {
	folders map[string]pretrain.Folder
	used    []string // a line for each folder and way, in the order of their first use
	said    int      // how many of these earlier plans have
}

// follow opens a folder, and sets in s what the folder decides.
func (c *encoders) follow(dir string, s *StartConfig) (pretrain.Folder, error) {
	f, ok := c.folders[dir]
	if !ok {
		e, err := pretrain.OpenEncoder(dir)
		if err != nil {
			return f, err
		}
		f = e.Folder
		c.folders[dir] = f
	}
	set := pretrain.Pooling(s.Pooling)
	o, err := f.Follow(pretrain.EncodeOptions{Pooling: set, MaxTokens: s.MaxTokens})
	if err != nil {
		return f, fmt.Errorf("%w; or set pretrain.pooling to mean, cls or max, which takes the place of the folder's modules", err)
	}
	s.Pooling, s.Normalise, s.MaxTokens = string(o.Pooling), o.Normalise, o.MaxTokens
	if line := dir + ": " + f.Describe(set, "pretrain.pooling", o); !slices.Contains(c.used, line) {
		c.used = append(c.used, line)
	}
	return f, nil
}

// read gives the items' texts, and the facets that heads learn.
func (s StartConfig) read(data *datasets.Dataset) (texts []string, facets []datasets.Facet, err error) {
	meta, err := data.Metadata()
	if err != nil {
		return nil, nil, err
	}
	if texts, err = s.TextConfig.Texts(meta, data.NumItems); err != nil {
		return nil, nil, err
	}
	if facets, err = pretrain.Choose(meta.Facets(), s.Facets); err != nil {
		return nil, nil, err
	}
	if s.learns() && len(facets) == 0 {
		return nil, nil, fmt.Errorf("start = %q learns from labels, and the metadata has none (of brand, categories, genres or year)", s.Config.Start)
	}
	return texts, facets, nil
}

// reads tells whether the start depends on the items' texts.
func (s StartConfig) reads() bool { return s.Config.Start != pretrain.StartRandom }

// learns tells whether the start depends on the items' labels.
func (s StartConfig) learns() bool {
	return s.Config.Start == pretrain.StartContrast || s.Config.Start == pretrain.StartOneFacet
}

// ignores tells whether a setting makes no difference to the start.
func (s StartConfig) ignores(key string) bool {
	switch {
	case !s.reads():
		return !slices.Contains([]string{"start", "scale", "frozen"}, key)
	case !s.learns():
		return slices.Contains([]string{"facets", "epochs", "batch", "temperature", "learning_rate", "head", "alternate", "extra_heads", "view_dropout", "shuffled_labels"}, key)
	}
	return false
}

func (s StartConfig) facetsHash(facets []datasets.Facet) string {
	if !s.learns() {
		return ""
	}
	return pretrain.FacetsHash(facets)
}

// shape is the width of a model's item table, and how many heads make it.
func (s StartConfig) shape(params any) (hidden, heads int, err error) {
	all, err := record.All(params)
	if err != nil {
		return 0, 0, err
	}
	err = errors.Join(json.Unmarshal(all["hidden"], &hidden), json.Unmarshal(all["heads"], &heads))
	if s.Heads > 0 {
		heads = s.Heads
	}
	return hidden, heads, err
}

// start is a start of the item table.
type start struct {
	config StartConfig
	*pretrain.Result
	warnings []string // about the metadata
}

// start makes the item table that a job's spec asks for, before anything else uses
// the tensor layer. params are the model's settings.
func (j Job) start(ctx context.Context, params any, data *datasets.Dataset, out *emitter) (*start, error) {
	s := specStart()
	if err := j.Spec.Start.Settings.Apply(&s); err != nil {
		return nil, err
	}
	if have := pretrain.Version; have != j.Spec.Start.Version {
		return nil, fmt.Errorf("the run's pre-training is of version %d, this build has %d", j.Spec.Start.Version, have)
	}
	in := pretrain.Input{HasText: make([]bool, data.NumItems+1)}
	var warnings []string
	var err error
	if s.reads() {
		if in, err = j.encode(ctx, s, data, out); err != nil {
			return nil, err
		}
		if warnings, err = s.warnOfMetadata(data, in, out); err != nil {
			return nil, err
		}
	}
	if in.Hidden, in.Heads, err = s.shape(params); err != nil {
		return nil, err
	}
	out.phase("pretrain")
	r, err := pretrain.Train(ctx, torch.Config{Threads: 1, Seed: uint64(j.Spec.Seed)}, in, s.Config, func(p pretrain.Progress) {
		out.progress(Progress{Step: (p.Epoch-1)*p.Steps + p.Step, Steps: p.Epochs * p.Steps, Loss: p.Loss})
	})
	return &start{s, r, warnings}, err
}

// warnOfMetadata warns of what is odd about the metadata, and of items without text or
// label. It returns the former, for the record, which has the latter in its counts.
func (s StartConfig) warnOfMetadata(data *datasets.Dataset, in pretrain.Input, out *emitter) ([]string, error) {
	meta, err := data.Metadata()
	if err != nil {
		return nil, err
	}
	withoutText, withoutLabels := 0, 0
	for v := 1; v <= data.NumItems; v++ {
		if !in.HasText[v] {
			withoutText++
		} else if s.learns() && !slices.ContainsFunc(in.Facets, func(f datasets.Facet) bool { return len(f.Labels[v]) > 0 }) {
			withoutLabels++
		}
	}
	warnings := slices.Clone(meta.Warnings)
	if withoutText > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d items have no text", withoutText, data.NumItems))
	}
	if withoutLabels > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d items have a text, but no label to learn from", withoutLabels, data.NumItems))
	}
	for _, w := range warnings {
		out.emit(Event{Kind: EventWarning, Message: w})
	}
	return meta.Warnings, nil
}

// encode gives what a start learns from: the vectors of the items' texts, and labels.
// All must be what the job's spec says.
func (j Job) encode(ctx context.Context, s StartConfig, data *datasets.Dataset, out *emitter) (in pretrain.Input, err error) {
	texts, facets, err := s.read(data)
	if err != nil {
		return in, err
	}
	if got := pretrain.TextsHash(texts); got != j.Spec.Start.Texts {
		return in, environmentError{fmt.Errorf("the texts of %s are not those of the run's spec: the metadata changed", j.Spec.Dataset.Name)}
	}
	if got := s.facetsHash(facets); got != j.Spec.Start.Facets {
		return in, environmentError{fmt.Errorf("the labels of %s are not those of the run's spec: the metadata changed", j.Spec.Dataset.Name)}
	}
	dir := j.Encoder
	if dir == "" { // a recorded run: the spec has the fingerprint only
		if dir, err = pretrain.DefaultEncoder(); err != nil {
			return in, err
		}
	}
	encoder, err := pretrain.OpenEncoder(dir)
	if err != nil {
		return in, err
	}
	if encoder.Fingerprint != j.Spec.Start.Encoder {
		return in, environmentError{fmt.Errorf("the encoder in %s has fingerprint %.8s, the run's is %.8s", dir, encoder.Fingerprint, j.Spec.Start.Encoder)}
	}
	pooling := pretrain.Pooling(s.Pooling)
	if j.Encoder == "" { // no plan has said how texts are encoded
		o, err := encoder.Follow(pretrain.EncodeOptions{})
		if err != nil || o.Pooling != pooling || o.Normalise != s.Normalise {
			o = pretrain.EncodeOptions{Pooling: pooling, Normalise: s.Normalise}
			out.emit(Event{Kind: EventWarning, Message: fmt.Sprintf("text encoder %s: %s", dir, encoder.Describe(pooling, "the record", o))})
		}
	}
	out.phase("encode")
	vectors, err := encoder.Encode(ctx, texts, pretrain.EncodeOptions{
		Pooling: pooling, Normalise: s.Normalise, MaxTokens: min(s.MaxTokens, encoder.MaxTokens),
		Threads: j.Spec.Threads, CacheDir: encodingsDir(), Processor: processor(),
		NotKept:  func(err error) { out.emit(Event{Kind: EventWarning, Message: err.Error()}) },
		Progress: func(done, total int) { out.progress(Progress{Step: done, Steps: total}) },
	})
	if err != nil {
		return in, err
	}
	in = pretrain.Input{Vectors: vectors, Size: encoder.Hidden, HasText: make([]bool, len(texts)), Facets: facets}
	for v, text := range texts {
		in.HasText[v] = text != ""
	}
	return in, nil
}

// addTo puts what pre-training came to into a record, and its pictures beside it.
func (s *start) addTo(r *record.Record, store record.Store) (err error) {
	r.Result.Pretrain = &s.Record
	if len(s.Pictures) > 0 {
		if err := store.WritePictures(r.ID, s.Pictures); err != nil {
			return err
		}
	}
	r.Resolved["pretrain"], err = record.All(s.config)
	return err
}

// encodingsDir is where vectors of texts are kept between runs; "" where the user
// has no cache folder.
func encodingsDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "famebench", "encodings")
}

// set puts the start into a model.
func (s *start) set(m *train.Replicas) error {
	return changeItems(m, func([]float32) []float32 { return s.Table })
}

// scaleItems multiplies a model's item table before it is trained.
func scaleItems(m *train.Replicas, scale float64) error {
	if scale == 1 {
		return nil
	}
	return changeItems(m, func(table []float32) []float32 {
		for i := range table {
			table[i] *= float32(scale)
		}
		return table
	})
}

// changeItems replaces a model's item table by what change makes of it.
func changeItems(m *train.Replicas, change func([]float32) []float32) error {
	all := m.Params().Tensors()
	old, ok := all[itemTable]
	if !ok {
		return fmt.Errorf("the model has no parameter %q", itemTable)
	}
	values, err := old.Float32s()
	if err != nil {
		return err
	}
	all[itemTable] = safetensors.FromFloat32s(old.Shape, change(values))
	return m.Params().Load(all)
}
