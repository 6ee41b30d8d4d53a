package plan

import (
	"errors"
	"slices"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/registry"
)

// allModels is the name of the tables whose settings apply to every model that has them, as
// if they were written for each model that is not a variant.
const allModels = "*"

// forData names the tables that apply to a data set, weaker first: those of groups, which
// end in "*", from "*" to its whole name with a "*", and its own.
func forData(dataset string) []string {
	var names []string
	for i := range len(dataset) + 1 {
		names = append(names, dataset[:i]+"*")
	}
	return append(names, dataset)
}

// tables returns the paths of the tables that apply to a model on a data set, weaker first, for
// each model of its lineage: a variant has those of its base and then its own. They are
// [models."*"], [models.M], [models."*".datasets.D], [models.M.datasets.D], each of the last
// two first for groups of data sets.
func tables(e registry.Entry, dataset string) [][][]string {
	var lineage [][][]string
	for i, model := range e.Lineage() {
		var paths [][]string
		models := []string{model}
		if i == 0 {
			models = []string{allModels, model}
		}
		for _, m := range models {
			paths = append(paths, []string{"models", m})
		}
		for _, m := range models {
			for _, d := range forData(dataset) {
				paths = append(paths, []string{"models", m, "datasets", d})
			}
		}
		lineage = append(lineage, paths)
	}
	return lineage
}

// place is a table with settings of a model.
type place struct {
	path  []string
	table *conf.Node
}

// places lists the tables with a model's settings on a data set in a suite, weaker first. sub is
// "train" or "pretrain", or empty for the model's hyper-parameters, which have no tables of
// their own and none in suites. Values that a search chose come after the tables of the file
// for the same model, so a variant's own tables are stronger than what was chosen for its base.
func (c *Config) places(e registry.Entry, dataset, suite, sub string) ([]place, error) {
	var out []place
	var errs []error
	add := func(layer *conf.Node, path ...string) {
		n, err := layer.Sub(path...)
		if errs = append(errs, err); n != nil {
			out = append(out, place{path, n})
		}
	}
	ofModel := func(layer *conf.Node, paths [][]string) {
		for _, path := range paths {
			if sub != "" {
				path = append(path, sub)
			}
			add(layer, path...)
		}
	}
	for _, layer := range []*conf.Node{c.file, c.set, c.point} {
		if sub != "" {
			add(layer, sub)
		}
		if sub == "pretrain" {
			for _, d := range forData(dataset) {
				add(layer, sub, "datasets", d)
			}
		}
		for _, paths := range tables(e, dataset) {
			ofModel(layer, paths)
			if layer == c.file {
				for _, chosen := range c.tuned {
					ofModel(chosen, paths)
				}
			}
		}
		if sub != "" {
			add(layer, "suites", suite, sub)
		}
	}
	return out, errors.Join(errs...)
}

// having leaves out those settings of a table for all models that this model does not
// have.
func having(e registry.Entry, n *conf.Node) *conf.Node {
	return n.Without(slices.DeleteFunc(n.Keys(), func(key string) bool { return slices.Contains(e.Settings(), key) })...)
}

// checkShared checks the settings in a table for all models: some model has each of them,
// and each has the right type for every model that has it.
func (c *Config) checkShared(n *conf.Node) error {
	var errs []error
	var known []string
	for _, e := range c.registry {
		if e.Defaults != nil {
			known = append(known, e.Settings()...)
			errs = append(errs, conf.Decode(having(e, n), clone(e.Defaults)))
		}
	}
	slices.Sort(known)
	for _, key := range n.Keys() {
		if !slices.Contains(known, key) {
			errs = append(errs, n.Table[key].Errorf("no model has this setting%s", conf.Hint(key, slices.Compact(known))))
		}
	}
	return errors.Join(errs...)
}

// checkDataTable makes sure that the configuration has the data set or the
// group of a table.
func (c *Config) checkDataTable(n *conf.Node, name string) error {
	prefix, group := strings.CutSuffix(name, "*")
	switch {
	case strings.Contains(prefix, "*"):
		return n.Errorf(`expected "*" at the end of the name only, as in "ml-*"`)
	case group && !slices.ContainsFunc(c.Datasets(), func(d string) bool { return strings.HasPrefix(d, prefix) }):
		return n.Errorf("no data set's name begins with %s%s", conf.Quote(prefix), conf.Hint(prefix, c.Datasets()))
	case !group && !c.knows(name):
		return n.Errorf("unknown data set%s", conf.Hint(name, c.Datasets()))
	}
	return nil
}
