package experiment

import (
	"errors"
	"fmt"
	"slices"

	"famebench/internal/conf"
)

// readSuites decodes and checks all suites.
func (c *Config) readSuites() error {
	var errs []error
	var order []string
	for _, layer := range c.layers() {
		n, _ := layer.Sub("suites")
		for _, name := range n.Keys() {
			if !slices.Contains(order, name) {
				order = append(order, name)
			}
		}
	}
	for _, name := range order {
		s, err := c.readSuite(name)
		errs = append(errs, err)
		c.suites = append(c.suites, s)
	}
	return errors.Join(errs...)
}

func (c *Config) readSuite(name string) (Suite, error) {
	s := Suite{Name: name, Kind: KindCompare, Seeds: []int64{0}}
	place := c.set // where an error about the suite as a whole points
	for _, layer := range c.layers() {
		n, err := layer.Sub("suites", name)
		if err != nil {
			return s, err
		}
		if err := conf.Decode(n.Without(suiteSubtable...), &s); err != nil {
			return s, err
		}
		if n != nil && place == c.set {
			place = n
		}
	}
	if err := c.checkTrain("suites", name, "train"); err != nil {
		return s, err
	}
	at := func(key string) *conf.Node { // where an error about a key points
		for _, layer := range []*conf.Node{c.set, c.file} {
			if n, _ := layer.Sub("suites", name); n != nil && n.Table[key] != nil {
				return n.Table[key]
			}
		}
		return place
	}
	var errs []error
	if !slices.Contains([]string{KindCompare, KindCost}, s.Kind) {
		errs = append(errs, at("kind").Errorf("unknown kind %q%s", s.Kind, conf.Hint(s.Kind, []string{KindCompare, KindCost})))
	}
	errs = append(errs,
		checkNames(at("models"), "model", s.Models, names(c.registry)),
		checkNames(at("datasets"), "data set", s.Datasets, c.Datasets()),
		checkSeeds(at("seeds"), s.Seeds))
	return s, errors.Join(errs...)
}

func checkNames(n *conf.Node, what string, given, known []string) error {
	if len(given) == 0 {
		return n.Errorf("the suite has no %s: it would run nothing", what)
	}
	for i, name := range given {
		if !slices.Contains(known, name) {
			return n.Errorf("unknown %s %q%s", what, name, conf.Hint(name, known))
		}
		if slices.Contains(given[:i], name) {
			return n.Errorf("%s %q stands there twice", what, name)
		}
	}
	return nil
}

func checkSeeds(n *conf.Node, seeds []int64) error {
	if len(seeds) == 0 {
		return n.Errorf("the suite has no seed: it would run nothing")
	}
	for i, s := range seeds {
		if s < 0 {
			return n.Errorf("seed %d is negative", s)
		}
		if slices.Contains(seeds[:i], s) {
			return n.Errorf("seed %d stands there twice", s)
		}
	}
	return nil
}

// Suites lists the suites in the order of the file.
func (c *Config) Suites() []Suite { return c.suites }

// Suite returns a suite by name.
func (c *Config) Suite(name string) (Suite, error) {
	var known []string
	for _, s := range c.suites {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return Suite{}, fmt.Errorf("%s: unknown suite %q%s", c.Path, name, conf.Hint(name, known))
}

// Choose narrows or replaces what a suite runs by what the command line names;
// nil leaves the suite's own choice.
func (c *Config) Choose(s Suite, models, data []string, seeds []int64) (Suite, error) {
	flag := func(name string) *conf.Node { return &conf.Node{Where: "-" + name} }
	if models != nil {
		s.Models = models
	}
	if data != nil {
		s.Datasets = data
	}
	if seeds != nil {
		s.Seeds = seeds
	}
	return s, errors.Join(
		checkNames(flag("models"), "model", s.Models, names(c.registry)),
		checkNames(flag("datasets"), "data set", s.Datasets, c.Datasets()),
		checkSeeds(flag("seeds"), s.Seeds))
}
