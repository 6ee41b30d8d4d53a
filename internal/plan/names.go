package plan

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/record"
)

// TableKinds are the files of a suite's tables besides SUITE.md, .tex and .csv, as in
// SUITE.claims.csv.
var TableKinds = []string{"beyond", "datasets", "published", "claims", "contrasts", "equality", "interaction", "pairs", "breakdown", "complexity", "pretrain", "growth"}

// checkFileNames makes sure that the names of data sets and suites, which become names of
// files, are the names of different files within the results folder.
func (c *Config) checkFileNames() error {
	var errs []error
	for _, of := range []struct{ section, kind string }{{"datasets", "data set"}, {"suites", "suite"}} {
		section, kind := of.section, of.kind
		places := map[string]string{} // by name
		folded := map[string]string{} // name by its lower case
		for _, layer := range c.layers() {
			n, _ := layer.Sub(section)
			for _, name := range n.Keys() {
				if places[name] != "" {
					continue
				}
				where := n.Table[name].Where
				places[name] = where
				if err := record.CheckName(kind, name); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", where, err))
					continue
				}
				lower := strings.ToLower(name)
				if other, ok := folded[lower]; ok {
					errs = append(errs, fmt.Errorf("%s: %s %q: expected a name that differs from %q (%s) by more than capital letters: some file systems ignore case",
						where, kind, name, other, places[other]))
				}
				folded[lower] = name
			}
		}
		if kind != "suite" {
			continue
		}
		for _, lower := range slices.Sorted(maps.Keys(folded)) {
			name := folded[lower]
			for _, table := range TableKinds {
				if other, ok := folded[strings.TrimSuffix(lower, "."+table)]; ok && other != name {
					errs = append(errs, fmt.Errorf("%s: suite %q: expected another name: %s.csv is a table of the suite %q", places[name], name, name, other))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// checkPath makes sure that a file that a suite names is in the configuration's
// folder. The file is read, and with -expect written, and the configuration may be
// somebody else's. A path given with -set is the user's own choice.
func checkPath(n *conf.Node, path string) error {
	if path == "" || filepath.IsLocal(path) {
		return nil
	}
	return n.Errorf("%q: expected a path within the folder of the configuration, such as results/tune.toml", path)
}
