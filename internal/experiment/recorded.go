package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"famebench/datasets"
	"famebench/internal/record"
)

// A report needs records and nothing else. What a run's id is hashed from is partly
// in files, though: the data's fingerprint, the texts', the encoder's. Where these
// are not here, the records say what they were.

// open opens a data set, and says what it adds to a spec and to a plan. data is nil
// where only records know it.
func (c *Config) open(name string, dc datasets.Config, o Options) (data *datasets.Dataset, spec record.Spec, info Data, err error) {
	data, err = datasets.Open(dc, c.Root)
	if errors.Is(err, fs.ErrNotExist) && o.Recorded != nil {
		found, spec, info, err2 := c.recordedData(name, dc, o)
		if found || err2 != nil {
			return nil, spec, info, err2
		}
	}
	if err != nil {
		return nil, spec, info, err
	}
	info = Data{Name: name, Stats: data.Stats(), Warnings: data.Warnings}
	info.Stats.Name = name
	spec.Protocol = data.Config.Split
	spec.Dataset, err = datasetSpec(name, dc, info.Stats.Fingerprint)
	return data, spec, info, err
}

// recordedData looks for a record of a data set of that name and configuration.
func (c *Config) recordedData(name string, dc datasets.Config, o Options) (found bool, spec record.Spec, info Data, err error) {
	want, err := datasetSpec(name, dc, "")
	if err != nil {
		return false, spec, info, err
	}
	all, err := o.Recorded()
	if err != nil {
		return false, spec, info, err
	}
	i := slices.IndexFunc(all, func(r *record.Record) bool {
		d := r.Result.Spec.Dataset
		return d.Name == name && equalSettings(d.Config, want.Config)
	})
	if i < 0 {
		return false, spec, info, nil
	}
	spec.Dataset, spec.Protocol = all[i].Result.Spec.Dataset, all[i].Result.Spec.Protocol
	path := record.Store{Dir: o.Out}.DatasetPath(name, spec.Dataset.Fingerprint)
	text, err := os.ReadFile(path)
	if err != nil {
		return false, spec, info, fmt.Errorf("the statistics of %s: %w", name, err)
	}
	info = Data{Name: name, Recorded: true}
	if err := json.Unmarshal(text, &info.Stats); err != nil {
		return false, spec, info, fmt.Errorf("%s: %w", path, err)
	}
	return true, spec, info, nil
}

// recordedStart completes the start of a spec from a record of the same data and
// settings of pre-training.
func (o Options) recordedStart(spec *record.Spec) (ok bool, err error) {
	if o.Recorded == nil || spec.Start == nil {
		return false, nil
	}
	all, err := o.Recorded()
	if err != nil {
		return false, err
	}
	for _, r := range all {
		s := r.Result.Spec
		if s.Start != nil && s.Dataset.Fingerprint == spec.Dataset.Fingerprint && s.Start.Version == spec.Start.Version && equalSettings(s.Start.Settings, spec.Start.Settings) {
			spec.Start = s.Start
			return true, nil
		}
	}
	return false, nil
}

func equalSettings(a, b record.Settings) bool {
	x, err1 := record.Canonical(a)
	y, err2 := record.Canonical(b)
	return err1 == nil && err2 == nil && (len(a) == 0 && len(b) == 0 || string(x) == string(y))
}
