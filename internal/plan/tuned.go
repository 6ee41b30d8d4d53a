package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"famebench/internal/atomicfile"
	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/registry"
)

// TunedPath is the file that a search writes: DIR/SUITE.toml.
func TunedPath(dir, suite string) string { return filepath.Join(dir, suite+".toml") }

// WriteTuned writes the chosen values where Suite.Tuned of other suites finds them,
// in the form of experiments.toml.
func (c *Config) WriteTuned(path string, s Suite, trials []Trial) error {
	c, err := c.withTuned(s)
	if err != nil {
		return err
	}
	chosen := map[string]any{"models": map[string]any{}}
	var why strings.Builder
	for _, t := range trials {
		if !t.Chosen {
			continue
		}
		e, _ := registry.Find(c.registry, t.Model)
		at := t.At
		if at == "" {
			at = "as configured"
		}
		last := t.Rungs[len(t.Rungs)-1]
		cases := ""
		if s.ByCold() {
			cases = "cold "
		}
		fmt.Fprintf(&why, "# %s on %s: %s; %svalidation NDCG@10 %.4f after %d epochs (%s)\n", t.Model, t.Dataset, at, cases, last.Valid, last.Epochs, last.ID)
		if err := c.putChosen(chosen, s, e, t); err != nil {
			return err
		}
	}
	text, err := tunedText(chosen)
	if err != nil {
		return err
	}
	how := "Every trial was trained to the end"
	switch {
	case len(s.Rungs) == 1 && s.Rungs[0] > 0:
		how = fmt.Sprintf("Every trial was trained for %d epochs at most", s.Rungs[0])
	case len(s.Rungs) > 1:
		how = fmt.Sprintf("After each rung but the last of %d epochs (0: to the end), half of the\n# trials survived, and the configured settings", s.Rungs)
	}
	var doc bytes.Buffer
	fmt.Fprintf(&doc, "# Written by bench -suite %s. %s.\n# The best trial of the last rung on the validation items is taken. The test items were not ranked.\n%s\n%s", s.Name, how, why.String(), text)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, doc.Bytes()) {
		return nil // written by an older version, without a checksum, and still right
	}
	return atomicfile.Update(path, slices.Concat([]byte(tunedSum+tunedHash(doc.Bytes())+"\n"), doc.Bytes()))
}

// alsoFor is the table with the values for the data sets of Suite.AlsoFor.
const alsoFor = "also_for"

// putChosen adds the values of a chosen trial to a file of tuned values: those of all axes, also
// where they are as configured. Otherwise a variant would have the values that were chosen for its
// base.
func (c *Config) putChosen(chosen map[string]any, s Suite, e registry.Entry, t Trial) error {
	for _, a := range s.Axes {
		path, ok := c.axisPath(s, e, a)
		if !ok {
			continue
		}
		value, err := c.valueAt(s, e, t, a, path)
		if err != nil {
			return err
		}
		setting := path[2:] // of a model, or of the suite for all models
		put(chosen, slices.Concat([]string{"models", t.Model, "datasets", t.Dataset}, setting), value)
		follows, err := c.follows(s, e, t, setting)
		if err != nil {
			return err
		}
		if follows { // on other data sets it follows from these
			continue
		}
		for _, dataset := range s.AlsoFor {
			put(chosen, slices.Concat([]string{alsoFor, t.Model, "datasets", dataset}, setting), value)
		}
	}
	return nil
}

// followers are settings that follow others or the number of items where they are not set.
var followers = []string{"train.negatives", "train.stride", "top_k"}

// follows reports whether a setting of a trial follows others: neither its place on the axes nor the
// configuration sets it.
func (c *Config) follows(s Suite, e registry.Entry, t Trial, setting []string) (bool, error) {
	if !slices.Contains(followers, strings.Join(setting, ".")) {
		return false, nil
	}
	here, err := c.at(s, e, t.point)
	if err != nil {
		return false, err
	}
	sub, key := "", setting[len(setting)-1]
	if len(setting) > 1 {
		sub = setting[0]
	}
	places, err := here.places(e, t.Dataset, s.Name, sub)
	return !slices.ContainsFunc(places, func(at place) bool { return at.table.Table[key] != nil }), err
}

// takeAlsoFor moves the values of [also_for] to [models]. They were chosen on another data set, so
// settings that the configuration has for this one are put in their place: left out, a variant
// would have what another search chose for its base.
func (c *Config) takeAlsoFor(n *conf.Node) (*conf.Node, error) {
	out := n.Without(alsoFor)
	var take func(n *conf.Node, path []string) error
	take = func(n *conf.Node, path []string) error {
		if n.Table == nil {
			if len(path) < 4 || path[1] != "datasets" {
				return n.Errorf("expected only values for models on data sets, as in %s.fame.datasets.toys.heads", alsoFor)
			}
			e, ok := registry.Find(c.registry, path[0])
			if !ok {
				return n.Errorf("unknown model %q", path[0])
			}
			own, err := c.own(e, path[2], path[3:])
			if err != nil {
				return err
			}
			if own != nil {
				n = own
			}
			return out.Put(slices.Concat([]string{"models"}, path), n.Where, n.Value)
		}
		var errs []error
		for _, key := range n.Keys() {
			errs = append(errs, take(n.Table[key], append(slices.Clone(path), key)))
		}
		return errors.Join(errs...)
	}
	if also := n.Table[alsoFor]; also != nil {
		if err := take(also, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// own is what the configuration, without tuned values, has for a setting of a model on a data set,
// nil if no table is for that data set.
func (c *Config) own(e registry.Entry, dataset string, setting []string) (*conf.Node, error) {
	bare, sub, key := *c, "", len(setting)-1
	if bare.tuned, bare.point = nil, nil; key > 0 {
		sub = setting[0]
	}
	places, err := bare.places(e, dataset, "", sub)
	var own *conf.Node
	ofData := false
	for _, at := range places {
		if n := at.table.Table[setting[key]]; n != nil {
			own, ofData = n, ofData || slices.Contains(at.path, "datasets")
		}
	}
	if !ofData {
		return nil, err
	}
	return own, err
}

// valueAt is the value of an axis in the settings of a trial, which may leave it as configured, or
// have it follow from others. A number without a fraction has the type of the axis.
func (c *Config) valueAt(s Suite, e registry.Entry, t Trial, a Axis, path []string) (any, error) {
	here, err := c.at(s, e, t.point)
	if err != nil {
		return nil, err
	}
	var settings any
	switch path[len(path)-2] {
	case "train":
		settings, err = here.Train(e, t.Dataset, s.Name, t.items)
	case "pretrain":
		settings, err = here.Init(e, t.Dataset, s.Name)
	default:
		settings, err = here.Params(e, t.Dataset)
	}
	if err != nil {
		return nil, err
	}
	all, err := record.All(settings)
	if err != nil {
		return nil, err
	}
	text := all[path[len(path)-1]]
	var n int64
	if _, ok := a.Values[0].(int64); ok && json.Unmarshal(text, &n) == nil {
		return n, nil
	}
	var v any
	err = json.Unmarshal(text, &v)
	return v, err
}

// tunedText writes tables of values as TOML, each header with an empty line before it that
// comes after a value.
func tunedText(values map[string]any) ([]byte, error) {
	var text bytes.Buffer
	e := toml.NewEncoder(&text)
	e.Indent = ""
	err := e.Encode(values)
	return valueThenHeader.ReplaceAll(text.Bytes(), []byte("$1\n\n[")), err
}

// A value has one line: the encoder writes line breaks in strings as \n.
var valueThenHeader = regexp.MustCompile(`(?m)^([^\[\n].*)\n\[`)

// tunedSum begins the first line of a file of tuned values; the hash of the rest
// follows.
const tunedSum = "# sha256 of the rest: "

func tunedHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// CheckTuned refuses tuned values that were changed after they were written, because
// a changed digit would be a setting of every run. Files of older versions have no
// checksum.
func CheckTuned(path string, text []byte) error {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	sum, ok := bytes.CutPrefix(first, []byte(tunedSum))
	if ok && string(sum) != tunedHash(rest) {
		return fmt.Errorf("%s was changed after it was written: write it again with bench -report and the suite that its comment names, or delete its first line to use the values as they are", path)
	}
	return nil
}

func put(tree map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		next, ok := tree[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[key] = next
		}
		tree = next
	}
	tree[path[len(path)-1]] = value
}

// withTuned adds the values that suites of kind "tune" chose, if the suite uses
// them.
func (c *Config) withTuned(s Suite) (*Config, error) {
	if len(s.Tuned) == 0 {
		return c, nil
	}
	tuned := *c
	for _, name := range s.Tuned {
		n, err := c.readTuned(c.Abs(name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("suite %s takes its settings from %s, which does not exist: run a suite of kind %q first, or use the configured ones with -set %s.tuned=[]", s.Name, c.Abs(name), KindTune, s.Name)
		}
		if err == nil && len(n.Keys()) == 0 {
			err = fmt.Errorf("%s has no values: write it again with a suite of kind %q, or use the configured ones with -set %s.tuned=[]", c.Abs(name), KindTune, s.Name)
		}
		if err != nil {
			return nil, err
		}
		tuned.tuned = append(tuned.tuned[:len(tuned.tuned):len(tuned.tuned)], n)
	}
	return &tuned, tuned.checkModels()
}

// unusedTuned says which values that searches wrote to a results folder a suite does not have,
// because its own files of the same names are elsewhere.
func (c *Config) unusedTuned(s Suite, out string) (lines []string) {
	for _, name := range s.Tuned {
		here := filepath.Join(out, filepath.Base(name))
		found, err := os.ReadFile(here)
		own, errOwn := os.ReadFile(c.Abs(name))
		if errors.Join(err, errOwn) == nil && !bytes.Equal(found, own) {
			lines = append(lines, fmt.Sprintf("suite %s takes its values from %s, and not from %s, which differs; -set %s.tuned changes that", s.Name, c.Abs(name), here, s.Name))
		}
	}
	return lines
}

// untuned says which models of a suite with tuned values have none on a data set; "" if all have
// some, or the suite has none.
func (c *Config) untuned(s Suite, dataset string) string {
	if len(s.Tuned) == 0 {
		return ""
	}
	var lack []string
	for _, model := range s.Models {
		e, _ := registry.Find(c.registry, model)
		has := slices.ContainsFunc(slices.Concat(tables(e, dataset)...), func(path []string) bool {
			return slices.ContainsFunc(c.tuned, func(chosen *conf.Node) bool {
				n, err := chosen.Sub(path...)
				return err == nil && n != nil && len(n.Without("datasets").Keys()) > 0
			})
		})
		if e.Neural != nil && !has {
			lack = append(lack, model)
		}
	}
	if lack == nil {
		return ""
	}
	return fmt.Sprintf("no tuned values of %s for %s: the configured ones are used", dataset, strings.Join(lack, ", "))
}

// readTuned reads a file that a suite of kind "tune" wrote.
func (c *Config) readTuned(path string) (*conf.Node, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := CheckTuned(path, src); err != nil {
		return nil, err
	}
	n, err := conf.Parse(filepath.Base(path), src)
	if err != nil {
		return nil, err
	}
	for _, key := range n.Keys() {
		if key != "models" && key != alsoFor {
			return nil, n.Table[key].Errorf("expected only models and %s in a file of tuned values", alsoFor)
		}
	}
	return c.takeAlsoFor(n)
}
