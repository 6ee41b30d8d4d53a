package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"famebench/internal/conf"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/pretrain"
)

// Identity identifies the plan behind a suite's tables. The device, the number of threads,
// paths, and versions of the code are no part of it.
type Identity struct {
	// Asked is a hash of what the suite asks for. No data are needed to compute it, so
	// that it is the same on every machine.
	Asked string `json:"asked"`
	// Inputs are hashes of what the plan's runs read: of data sets, as "beauty", and of
	// texts, labels and encoder, as "the texts of fame-plus on beauty". An input that is
	// missing here has none.
	Inputs map[string]string `json:"inputs"`
}

// asked is everything in a suite that decides what its tables are about.
type asked struct {
	Suite Suite
	Runs  []askedRun
}

// askedRun is a run without its seed, before data are opened.
type askedRun struct {
	Dataset       string
	Data          record.Settings
	Model, At     string
	Params, Train record.Settings
	Pretrain      record.Settings
	TimeLimit     json.RawMessage // in no id, but a run that it stops is in no table
	// Idle and IdleInit are the settings that make no difference with the others, for a search only:
	// at another of its points they may.
	Idle     record.Settings `json:",omitempty"`
	IdleInit record.Settings `json:",omitempty"`
	Refused  bool            // the model takes no such settings
	Source   *record.Source  `json:",omitempty"` // without what only data say
}

// pathKeys are the settings of a data set that only say where its files are: which data
// they hold is an input.
var pathKeys = []string{"path", "train", "valid", "test", "items", "attributes"}

// SaysWhere reports whether an assignment of the command line only says where files are. Their
// content decides whether it is another plan.
func (c *Config) SaysWhere(assignment string) bool {
	return !slices.ContainsFunc(c.SetPaths(assignment), func(path []string) bool {
		last := path[len(path)-1]
		file := path[0] == "datasets" && len(path) == 3 && (slices.Contains(pathKeys, last) || last == "unpack_limit")
		encoder := last == "encoder" && len(path) > 1 && path[len(path)-2] == "pretrain"
		return !file && !encoder
	})
}

// SetPaths are the full paths of the settings that an assignment of the command line gives: of a
// value, or of those of a table.
func (c *Config) SetPaths(assignment string) (paths [][]string) {
	t := conf.NewTable("command line")
	if t.Set(assignment, c.expand) != nil {
		return nil // Load has refused it
	}
	for path := range t.Leaves() {
		paths = append(paths, path)
	}
	return paths
}

// Asked is the hash of what a suite asks for, see Identity.
func (c *Config) Asked(s Suite) (string, error) {
	c, err := c.withTuned(s)
	if err != nil {
		return "", err
	}
	a := asked{Suite: s}
	// Which file the values and the expectations are in makes no difference to the runs.
	a.Suite.Tuned, a.Suite.Expected = nil, ""
	a.Suite.Columns = nil // the same numbers, shown in another way
	for _, name := range s.Datasets {
		dc, err := c.Dataset(name)
		if err != nil {
			return "", err
		}
		data, err := datasetSpec(name, dc, "")
		if err != nil {
			return "", err
		}
		for _, key := range pathKeys {
			delete(data.Config, key)
		}
		for _, model := range s.Models {
			e, _ := registry.Find(c.registry, model)
			points := []point{{}}
			if s.Kind != KindTune { // a search samples its trials; the axes are in the suite
				points = c.points(s, e, name)
			}
			for _, at := range points {
				r, err := c.askedRun(s, e, name, at)
				if err != nil {
					return "", err
				}
				r.Data = data.Config
				a.Runs = append(a.Runs, r)
			}
		}
	}
	return hashOf(a)
}

// askedRun gives the settings of a model on a data set at a point of the axes.
func (c *Config) askedRun(s Suite, e registry.Entry, dataset string, at point) (askedRun, error) {
	r := askedRun{Dataset: dataset, Model: e.Name, At: at.String()}
	here, err := c.at(s, e, at)
	if err != nil {
		return r, err
	}
	job := Job{Kind: s.Kind}
	job.Spec.Dataset.Name = dataset
	err = here.fill(&job, e, dataset, s.Name)
	if err == nil && e.Text {
		var from pretrain.InitConfig
		from, err = here.fillInitSettings(&job.Spec, e, s.Name)
		if err == nil && s.Kind == KindTune {
			r.IdleInit, err = from.Idle()
		}
	}
	if err == nil {
		r.Source, err = c.askedSource(s, e, job, nil)
	}
	if errors.As(err, &invalidError{}) {
		r.Refused, err = true, nil
	}
	if s.Kind == KindTune {
		r.Idle = job.idle
	}
	r.Params, r.Train, r.TimeLimit = job.Spec.Params, job.Spec.Train, job.Local["time_limit"]
	if job.Spec.Init != nil {
		r.Pretrain = job.Spec.Init.Settings
	}
	return r, err
}

// Identity returns the identity of a plan whose suite asks for what has the hash asked.
func (p *Plan) Identity(asked string) (Identity, error) {
	read := map[string][]string{} // by the name of an input: what runs say of it
	for _, r := range p.Runs {
		s := r.Job.Spec
		read[s.Dataset.Name] = []string{s.Dataset.Fingerprint, s.Dataset.Split}
		if s.Init == nil {
			continue
		}
		what := TextsOf(s.Model, s.Dataset.Name)
		for _, sum := range []string{s.Init.Texts, s.Init.Facets, s.Init.Encoder} {
			if sum != "" && !slices.Contains(read[what], sum) { // each point of an axis may have its own
				read[what] = append(read[what], sum)
			}
		}
	}
	id := Identity{Asked: asked, Inputs: map[string]string{}}
	for name, sums := range read {
		sum, err := hashOf(sums)
		if err != nil {
			return id, err
		}
		id.Inputs[name] = sum[:16]
	}
	return id, nil
}

// TextsOf is the name of an input: what a model on a data set is initialised from.
func TextsOf(model, dataset string) string {
	return fmt.Sprintf("the texts of %s on %s", model, dataset)
}

// Hash is the identity in eight hexadecimal digits, for a name.
func (id Identity) Hash() (string, error) {
	sum, err := hashOf(id)
	if err != nil {
		return "", err
	}
	return sum[:8], nil
}

// hashOf is the SHA-256 of the canonical JSON of v.
func hashOf(v any) (string, error) {
	b, err := record.Canonical(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
