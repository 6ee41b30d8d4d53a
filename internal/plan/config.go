// Package plan turns experiments.toml into runs.
//
// Config holds the file and the command line's -set values, which are checked
// as a whole before anything runs. A Plan lists the runs of a suite, each with
// its Spec and the id that is hashed from it. Job.State and Job.Record say,
// from the records of a results folder, which runs remain to be done; package
// launch does them.
//
// This package starts no process and opens no tensor. It opens data sets, metadata
// and the folders of text encoders, because their fingerprints are part of the
// ids.
package plan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"famebench/datasets"
	"famebench/internal/bert"
	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/train"
	"famebench/models"
	"famebench/pretrain"
)

// FileName is what Find looks for.
const FileName = "experiments.toml"

// Config is a configuration file together with the command line's settings.
type Config struct {
	Path string // of the file
	Root string // its folder; relative paths in the file begin here

	registry []registry.Entry
	file     *conf.Node
	tuned    []*conf.Node // the same tree, chosen by suites of kind "tune", weaker first
	set      *conf.Node   // from -set; wins over the file and the tuned values
	point    *conf.Node   // a place on a suite's axes; wins over all; nil: none
	suites   []Suite
	encoders *encoders
}

// The sections of the file, and what is inside a section but no setting of its own.
var (
	sections      = []string{"train", "pretrain", "models", "datasets", "suites"}
	modelApart    = []string{"train", "pretrain", "datasets", initFromKey}
	suiteSubtable = []string{"train", "pretrain", "axes", seedsOfTable}
)

// Find returns the path of the nearest experiments.toml in dir or above it.
func Find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := start; ; d = filepath.Dir(d) {
		path := filepath.Join(d, FileName)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no %s in %s or any folder above it: change to the folder of your clone of famebench, or name a file with -config", FileName, start)
		}
	}
}

// Load reads a configuration file, adds the settings of the command line and
// checks all of it, used or not. All faults are reported, one per line.
func Load(path string, sets []string, entries []registry.Entry) (*Config, error) {
	if err := registry.Check(entries); err != nil {
		return nil, err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w; name another file with -config", err)
	}
	root, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	c := &Config{Path: path, Root: root, registry: entries, set: conf.NewTable("command line"), encoders: &encoders{folders: map[string]bert.Folder{}}}
	if c.file, err = conf.Parse(filepath.Base(path), src); err != nil {
		return nil, err
	}
	for _, s := range sets {
		if err := c.set.Set(s, c.expand); err != nil {
			return nil, err
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Abs returns a path that the configuration names; relative ones begin at its
// folder.
func (c *Config) Abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Root, path)
}

// expand lengthens "sasrec.dropout" to "models.sasrec.dropout" and "sweep.grid" to
// "suites.sweep.grid".
func (c *Config) expand(path []string) ([]string, error) {
	if slices.Contains(sections, path[0]) {
		return path, c.checkNamed(path)
	}
	if _, ok := registry.Find(c.registry, path[0]); ok {
		return append([]string{"models"}, path...), nil
	}
	suites, err := c.file.Sub("suites")
	if err != nil {
		return nil, err
	}
	if slices.Contains(suites.Keys(), path[0]) {
		return append([]string{"suites"}, path...), nil
	}
	known := slices.Concat(sections, registry.Names(c.registry), suites.Keys())
	return nil, fmt.Errorf("%q is not a section, model or suite%s", path[0], conf.Hint(path[0], known))
}

// checkNamed makes sure that -set changes a suite or a data set of the file.
func (c *Config) checkNamed(path []string) error {
	kind := map[string]string{"suites": "suite", "datasets": "data set"}[path[0]]
	if kind == "" || len(path) < 2 {
		return nil
	}
	n, err := c.file.Sub(path[0])
	if err == nil && !slices.Contains(n.Keys(), path[1]) {
		err = fmt.Errorf("unknown %s %q%s", kind, path[1], conf.Hint(path[1], n.Keys()))
	}
	return err
}

// layers are all sources of values, weaker first.
func (c *Config) layers() []*conf.Node {
	return slices.DeleteFunc(slices.Concat([]*conf.Node{c.file}, c.tuned, []*conf.Node{c.set, c.point}), func(n *conf.Node) bool { return n == nil })
}

// check decodes every table once, so that a fault in a table that this command
// does not use is found now and not in a week.
func (c *Config) check() error {
	var errs []error
	for _, layer := range c.layers() {
		for _, key := range layer.Keys() {
			if !slices.Contains(sections, key) {
				errs = append(errs, layer.Table[key].Errorf("unknown section%s", conf.Hint(key, sections)))
			} else if _, err := layer.Sub(key); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if errs != nil {
		return once(errs)
	}
	if err := c.checkFileNames(); err != nil {
		return err
	}
	errs = append(errs, c.checkTrain("train"), c.checkInits(), c.checkModels())
	for _, name := range c.Datasets() {
		_, err := c.Dataset(name)
		errs = append(errs, err)
	}
	if errs := errors.Join(errs...); errs != nil {
		return once([]error{errs}) // suites would repeat these, each in its way
	}
	return c.readSuites()
}

// checkTrain decodes a table of training settings in every layer.
func (c *Config) checkTrain(path ...string) error {
	var errs []error
	t := train.Defaults()
	for _, layer := range c.layers() {
		n, err := layer.Sub(path...)
		if err == nil {
			err = conf.Decode(n, &t)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) checkModels() error {
	var errs []error
	for _, layer := range c.layers() {
		models, _ := layer.Sub("models")
		for _, name := range models.Keys() {
			errs = append(errs, c.checkModel(layer, models.Table[name], name))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkModel(layer, n *conf.Node, name string) error {
	e, ok := registry.Find(c.registry, name)
	if !ok && name != allModels {
		if strings.Contains(name, "*") {
			return n.Errorf(`expected the name of a model, or "*" for all models`)
		}
		return n.Errorf("unknown model%s", conf.Hint(name, registry.Names(c.registry)))
	}
	own, err := layer.Sub("models", name)
	if err != nil {
		return err
	}
	if e.Defaults == nil && name != allModels {
		if keys := own.Keys(); len(keys) > 0 {
			if e.FromTexts != nil {
				return own.Table[keys[0]].Errorf("%s has no settings of its own: those of texts are in [pretrain] and [suites.S.pretrain]", name)
			}
			return own.Table[keys[0]].Errorf("%s has no settings: it only counts", name)
		}
		return nil
	}
	checkOwn := func(n *conf.Node, apart ...string) error {
		switch {
		case n == nil:
			return nil
		case name == allModels:
			return errors.Join(c.checkShared(n.Without(apart...)), c.checkInitFrom(name, n))
		}
		return errors.Join(conf.Decode(n.Without(apart...), clone(e.Defaults)), checkFixed(e, n), checkText(e, n), c.checkInitFrom(name, n))
	}
	errs := []error{checkOwn(own, modelApart...), c.checkTrain("models", name, "train"), c.checkInit("models", name, "pretrain")}
	byData, err := layer.Sub("models", name, "datasets")
	errs = append(errs, err)
	for _, data := range byData.Keys() {
		if err := c.checkDataTable(byData.Table[data], data); err != nil {
			errs = append(errs, err)
			continue
		}
		n, err := byData.Sub(data)
		errs = append(errs, err, checkOwn(n, "train", "pretrain", initFromKey), c.checkTrain("models", name, "datasets", data, "train"),
			c.checkInit("models", name, "datasets", data, "pretrain"))
	}
	return errors.Join(errs...)
}

// checkText makes sure that only models that are initialised from texts have
// pre-training settings, and that these leave out what the model's entry fixes.
func checkText(e registry.Entry, n *conf.Node) error {
	n = n.Table["pretrain"]
	if n == nil {
		return nil
	}
	if !e.Text {
		return n.Errorf("%s is not initialised from texts, so it has no pre-training settings", e.Name)
	}
	if e.FixInit == nil {
		return nil
	}
	changed := pretrain.InitDefaults()
	e.FixInit(&changed)
	if conf.Decode(n, &changed) != nil {
		return nil // reported elsewhere
	}
	fixed := changed
	e.FixInit(&fixed)
	return fixedBy(e, n, &fixed, &changed)
}

// checkFixed makes sure that a variant's own table does not change a setting
// that the variant fixes.
func checkFixed(e registry.Entry, n *conf.Node) error {
	if e.Fix == nil {
		return nil
	}
	changed := clone(e.Defaults)
	if err := conf.Decode(n.Without(modelApart...), changed); err != nil {
		return nil // reported elsewhere
	}
	fixed := clone(changed)
	e.Fix(fixed)
	return fixedBy(e, n, fixed, changed)
}

// fixedBy returns an error if a table of a variant changes a setting that the
// variant fixes.
func fixedBy(e registry.Entry, n *conf.Node, fixed, changed any) error {
	diff, err := record.Diff(fixed, changed)
	for key := range diff {
		return n.Table[key].Errorf("%s is %s with this setting fixed; set it in models.%s, or for another variant", e.Name, e.Base, e.Base)
	}
	return err
}

// Datasets lists the data sets that the configuration knows.
func (c *Config) Datasets() []string {
	var out []string
	seen := map[string]bool{}
	for _, layer := range c.layers() {
		n, _ := layer.Sub("datasets")
		for _, name := range n.Keys() {
			if !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}

// knows reports whether the configuration has a data set of that name.
func (c *Config) knows(name string) bool {
	return slices.ContainsFunc(c.layers(), func(layer *conf.Node) bool {
		n, _ := layer.Sub("datasets")
		return n != nil && n.Table[name] != nil
	})
}

// Dataset returns the configuration of a data set with every default filled in.
func (c *Config) Dataset(name string) (datasets.Config, error) {
	var d datasets.Config
	if !c.knows(name) {
		return d, fmt.Errorf("%s: unknown data set %q%s", c.Path, name, conf.Hint(name, c.Datasets()))
	}
	where := c.set
	for _, layer := range c.layers() {
		n, err := layer.Sub("datasets", name)
		if err == nil {
			err = conf.Decode(n, &d)
		}
		if err != nil {
			return d, err
		}
		if n != nil && len(where.Path) == 0 {
			where = n
		}
	}
	if d.Name == "" {
		d.Name = name
	}
	if _, err := d.Resolve(); err != nil {
		if at := c.atKey(name, err); at != err {
			return d, at
		}
		return d, where.Errorf("%w", err)
	}
	return d, nil
}

// atKey adds to an error about a key of a data set, such as "columns.part", the strongest
// place that sets it. Other errors stay as they are.
func (c *Config) atKey(name string, err error) error {
	of := (*datasets.KeyError)(nil)
	if !errors.As(err, &of) {
		return err
	}
	path := append([]string{"datasets", name}, strings.Split(of.Key, ".")...)
	last := len(path) - 1
	var at *conf.Node
	for _, layer := range c.layers() {
		if n, err := layer.Sub(path[:last]...); err == nil && n != nil && n.Table[path[last]] != nil {
			at = n.Table[path[last]]
		}
	}
	if at == nil {
		return err
	}
	return at.Errorf("%w", of)
}

// Params returns a model's hyper-parameters on a data set, as a pointer to its
// configuration struct; nil for non-neural baselines: the defaults, overridden by the tables
// that places lists.
func (c *Config) Params(e registry.Entry, dataset string) (any, error) {
	if e.Defaults == nil {
		return nil, nil
	}
	p := clone(e.Defaults)
	set := map[string]bool{}
	places, err := c.places(e, dataset, "", "")
	if err != nil {
		return nil, err
	}
	for _, at := range places {
		n := at.table.Without(modelApart...)
		if at.path[1] == allModels {
			n = having(e, n)
		}
		if err := conf.Decode(n, p); err != nil {
			return nil, err
		}
		addKeys(set, n)
	}
	if e.Fix != nil {
		e.Fix(p)
	}
	if f, ok := p.(*models.FAMEConfig); ok && !set["top_k"] {
		f.FollowExperts()
	}
	if v, ok := p.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, invalid(c.Path, places, fmt.Sprintf("models.%s on %s", e.Name, dataset), err)
		}
	}
	return p, nil
}

// addKeys adds the settings that a table names to set.
func addKeys(set map[string]bool, n *conf.Node) {
	for _, key := range n.Keys() {
		set[key] = true
	}
}

// Train returns a model's training settings on a data set in a suite: the defaults, overridden
// by the tables that places lists. Without a value there, some settings follow others or the
// data set's number of items (0: not known).
func (c *Config) Train(e registry.Entry, dataset, suite string, items int) (train.Config, error) {
	t := e.TrainDefaults()
	set := map[string]bool{}
	places, err := c.places(e, dataset, suite, "train")
	if err != nil {
		return t, err
	}
	for _, at := range places {
		if err := conf.Decode(at.table, &t); err != nil {
			return t, err
		}
		addKeys(set, at.table)
	}
	if !set["stride"] {
		t.FollowMaxLen()
	}
	if !set["negatives"] {
		t.FollowItems(items)
	}
	source, err := c.initFrom(e, dataset)
	if err != nil {
		return t, err
	}
	var scaled error
	if source != "" && t.ItemScale != 1 {
		scaled = fmt.Errorf("item_scale = %v: expected 1, because %s begins with the trained table of %s; set it for %s", t.ItemScale, e.Name, source, source)
	}
	if err := errors.Join(t.Validate(items), e.CheckObjective(t), scaled); err != nil {
		return t, invalid(c.Path, places, fmt.Sprintf("training settings of %s on %s in suite %s", e.Name, dataset, suite), err)
	}
	return t, nil
}

// clone copies the struct that p points to. Configuration structs contain only
// values, so a shallow copy is complete.
func clone(p any) any {
	c := reflect.New(reflect.TypeOf(p).Elem())
	c.Elem().Set(reflect.ValueOf(p).Elem())
	return c.Interface()
}
