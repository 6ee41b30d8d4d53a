package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"famebench/internal/atomicfile"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
)

// A suite of kind "tune" searches the grid of its axes on the validation items, with
// the same number of trials for every model: Suite.Trials settings are trained for
// Suite.TrialEpochs epochs, the best Suite.Finalists of them and the configured
// values to the end, and the best of these is chosen. The configured values are one
// of the trials; the others are sampled from the grid without replacement, by a
// generator seeded with the suite's seed, the data set and the model. Without
// Suite.Grid the trials are the configured values and each value of each axis on its
// own. Without Suite.TrialEpochs every trial is trained to the end. The test items
// are never ranked.

// Trial is a setting that was tried, with its place on the axes.
type Trial struct {
	record.Trial
	point point
}

// TunedPath is the file that a search writes: DIR/SUITE.toml.
func TunedPath(dir, suite string) string { return filepath.Join(dir, suite+".toml") }

// trialEpochs is the axis that makes a run a trial.
const trialEpochs = "train.epochs"

// PlanTrials lists the first stage of a search.
func (c *Config) PlanTrials(s Suite, o Options) (*Plan, error) {
	short := Axis{Name: trialEpochs, where: "suites." + s.Name + ".trial_epochs"}
	return c.plan(s, o, func(e registry.Entry, dataset string) []point {
		points := c.points(s, e)
		if s.Grid {
			points = c.sample(s, e, dataset, points)
		}
		if s.TrialEpochs > 0 {
			epochs := s.TrialEpochs
			if t, err := c.Train(e, dataset, s.Name, 0); err == nil && s.shorten { // the plan reports the error
				epochs = min(epochs, t.Epochs)
			}
			for i, p := range points {
				points[i] = p.with(short, int64(epochs))
			}
		}
		return points
	})
}

// sample selects the trials of a model from the grid.
func (c *Config) sample(s Suite, e registry.Entry, dataset string, grid []point) []point {
	h := fnv.New64a()
	fmt.Fprint(h, dataset, "\x00", e.Name)
	r := rand.New(rand.NewPCG(uint64(s.Seeds[0]), h.Sum64()))
	r.Shuffle(len(grid), func(i, j int) { grid[i], grid[j] = grid[j], grid[i] })
	trials := []point{{}}
	for _, p := range grid {
		if len(trials) == s.Trials {
			break
		}
		if len(p.axes) > 0 && !c.configured(s, e, dataset, p) {
			trials = append(trials, p)
		}
	}
	return trials
}

// configured reports whether a point changes no configured value, or has values
// that the model refuses.
func (c *Config) configured(s Suite, e registry.Entry, dataset string, p point) bool {
	spec := func(p point) (string, error) {
		job := Job{Kind: s.Kind}
		here, err := c.at(s, e, p)
		if err == nil {
			err = here.fill(&job, e, dataset, s.Name)
		}
		if err == nil && e.Text {
			job.Spec.Dataset.Name = dataset
			_, err = here.fillStartSettings(&job.Spec, e, s.Name)
		}
		if err != nil {
			return "", err
		}
		return job.Spec.ID()
	}
	base, err1 := spec(point{})
	there, err2 := spec(p)
	return err1 != nil || err2 != nil || base == there
}

// A Finder returns the record of a run, nil if there is none.
type Finder func(Run) (*record.Record, error)

// FindIn finds the records of exactly these runs in a store.
func FindIn(store record.Store) Finder {
	return func(r Run) (*record.Record, error) { return r.Job.Record(store, r.ID) }
}

// FindLike finds the records of runs among some records, whatever the device and
// the number of threads.
func FindLike(all []*record.Record) (Finder, error) {
	byRunKey := map[string]*record.Record{}
	for _, r := range all {
		key, err := r.Result.Spec.RunKey()
		if err != nil {
			return nil, err
		}
		if byRunKey[key] == nil {
			byRunKey[key] = r
		}
	}
	return func(r Run) (*record.Record, error) {
		key, err := r.Job.Spec.RunKey()
		return byRunKey[key], err
	}, nil
}

// Trials reads the results of the first stage. It leaves out trials without a record.
// If trials were trained to the end, Choose reads their results.
func Trials(p *Plan, find Finder) ([]Trial, error) {
	var trials []Trial
	for _, r := range p.Runs {
		if r.For != "" { // a source, which is no trial
			continue
		}
		valid, rec, err := bestValid(find, r)
		if err != nil {
			return nil, err
		}
		if valid < 0 {
			continue
		}
		t := Trial{record.Trial{Dataset: r.Job.Spec.Dataset.Name, Model: r.Job.Spec.Model}, r.point}
		if p.Suite.TrialEpochs > 0 {
			n := len(t.point.axes) - 1 // without the number of epochs
			t.point = point{t.point.axes[:n], t.point.values[:n]}
			t.Short, t.ShortID = valid, rec.ID
		}
		t.At = t.point.String()
		trials = append(trials, t)
	}
	return trials, nil
}

// bestValid returns the best validation NDCG@10 of a run, with its record; -1 if
// it has none.
func bestValid(find Finder, r Run) (valid float64, rec *record.Record, err error) {
	rec, err = find(r)
	if err != nil || rec == nil {
		return -1, nil, err
	}
	if v, ok := rec.Result.BestValidation()[rank.Deciding]; ok {
		return v, rec, nil
	}
	return -1, nil, fmt.Errorf("record %s has no validation result of its best epoch", rec.ID)
}

// finalists are the best trials of a model on a data set, best first; equal ones
// keep their order. The configured settings are always among them, because short
// trials favour settings that learn fast, and a search must not end below the
// configured settings.
func finalists(trials []Trial, dataset, model string, n int) []*Trial {
	var of []*Trial
	for i := range trials {
		if t := &trials[i]; t.Dataset == dataset && t.Model == model {
			of = append(of, t)
		}
	}
	slices.SortStableFunc(of, func(a, b *Trial) int { return cmp.Compare(b.Short, a.Short) })
	last := of[:min(n, len(of))]
	for _, t := range of[len(last):] {
		if len(t.point.axes) == 0 {
			last = append(slices.Clone(last), t)
		}
	}
	return last
}

// PlanFinals lists the second stage of a search.
func (c *Config) PlanFinals(s Suite, o Options, trials []Trial) (*Plan, error) {
	return c.plan(s, o, func(e registry.Entry, dataset string) []point {
		var points []point
		for _, t := range finalists(trials, dataset, e.Name, s.Finalists) {
			points = append(points, t.point)
		}
		return points
	})
}

// Choose fills in the results of the second stage and marks the best of each
// model.
func Choose(trials []Trial, p *Plan, find Finder) error {
	best := map[string]*Trial{}
	for _, r := range p.Runs {
		valid, rec, err := bestValid(find, r)
		if err != nil {
			return err
		}
		for i := range trials {
			t := &trials[i]
			if valid < 0 || t.Dataset != r.Job.Spec.Dataset.Name || t.Model != r.Job.Spec.Model || t.At != r.At {
				continue
			}
			t.Full, t.FullID, t.Epochs = valid, rec.ID, rec.Result.Epochs
			key := t.Dataset + "\x00" + t.Model
			if b := best[key]; b == nil || t.Full > b.Full {
				best[key] = t
			}
		}
	}
	for _, t := range best {
		t.Chosen = true
	}
	return nil
}

// WriteTuned writes the chosen values where Suite.Tuned of other suites finds them,
// in the form of experiments.toml.
func (c *Config) WriteTuned(path string, s Suite, trials []Trial) error {
	models := map[string]any{}
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
		fmt.Fprintf(&why, "# %s on %s: %s; validation NDCG@10 %.4f after %d epochs (%s)\n", t.Model, t.Dataset, at, t.Full, t.Epochs, t.FullID)
		for i, a := range t.point.axes {
			path, _ := c.axisPath(s, e, a)
			if path[0] == "suites" { // a training setting of all models
				path = append([]string{"models", t.Model}, path[2:]...)
			}
			put(models, slices.Concat(path[1:2], []string{"datasets", t.Dataset}, path[2:]), t.point.values[i])
		}
	}
	text, err := tunedText(models)
	if err != nil {
		return err
	}
	how := "every trial was trained to the end"
	if s.TrialEpochs > 0 {
		how = fmt.Sprintf("of the trials of %d epochs each, the best %d and the configured\n# ones were trained to the end", s.TrialEpochs, s.Finalists)
	}
	var doc bytes.Buffer
	fmt.Fprintf(&doc, "# Written by bench -suite %s: %s, and the best of these on the validation items is taken. The test items were not ranked.\n%s\n%s", s.Name, how, why.String(), text)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, doc.Bytes()) {
		return nil // written by an older version, without a checksum, and still right
	}
	return atomicfile.Update(path, slices.Concat([]byte(tunedSum+tunedHash(doc.Bytes())+"\n"), doc.Bytes()))
}

// tunedText writes tables of values as TOML, each header with an empty line before it that
// comes after a value.
func tunedText(models map[string]any) ([]byte, error) {
	var text bytes.Buffer
	e := toml.NewEncoder(&text)
	e.Indent = ""
	err := e.Encode(map[string]any{"models": models})
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

// checkTuned refuses tuned values that were changed after they were written, because
// a changed digit would be a setting of every run. Files of older versions have no
// checksum.
func checkTuned(path string, text []byte) error {
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
