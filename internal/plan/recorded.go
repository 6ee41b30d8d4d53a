package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"famebench/datasets"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/train"
	"famebench/pretrain"
)

// A report needs only records. But a run's id is partly hashed from files: the
// fingerprints of the data, the texts and the encoder. If these files are missing,
// the records say what they were.

// open opens a data set and returns what it adds to a spec and to a plan. data is
// nil if the data set is known only from records.
func (c *Config) open(name string, dc datasets.Config, o Options) (data *datasets.Dataset, spec record.Spec, info Data, err error) {
	data, err = datasets.Open(dc, c.Root)
	if errors.Is(err, fs.ErrNotExist) {
		spec, info, err = o.recordedData(name, dc, err)
		return nil, spec, info, err
	}
	if err != nil {
		return nil, spec, info, c.atKey(name, err)
	}
	info = Data{Name: name, Stats: data.Stats(), Warnings: data.Warnings}
	info.Stats.Name = name
	spec.Protocol = data.Config.Split
	if spec.Dataset, err = datasetSpec(name, dc, info.Stats.Fingerprint); err != nil {
		return data, spec, info, err
	}
	split, err := datasets.NewSplit(data, "") // an impossible split is an error of the plan
	if err != nil {
		return data, spec, info, c.atKey(name, err)
	}
	spec.Dataset.Split = split.Fingerprint()
	if split.Kind != datasets.LeaveOneOut { // which the statistics of the data are about
		info.Stats.Split = new(split.Stats())
	}
	info.cases = newCases(spec.Dataset, split)
	return data, spec, info, nil
}

// Split opens a data set of the configuration and divides it. The spec describes both.
func (c *Config) Split(name string) (*datasets.Split, record.Spec, error) {
	dc, err := c.Dataset(name)
	if err != nil {
		return nil, record.Spec{}, err
	}
	data, spec, _, err := c.open(name, dc, Options{})
	if err != nil {
		return nil, spec, err
	}
	split, err := datasets.NewSplit(data, "")
	return split, spec, err
}

// lastRecorded returns the spec of the newest record for which is returns true; nil if
// there is none, or if records are not to be used. If a file was changed, there may be
// records of several of its states. Without the file, the newest record decides, and
// records of other states are reported as stale.
func (o Options) lastRecorded(is func(record.Spec) bool) (*record.Spec, error) {
	if o.Recorded == nil {
		return nil, nil
	}
	all, err := o.Recorded()
	if err != nil {
		return nil, err
	}
	var last *record.Record
	for _, r := range all {
		if is(r.Result.Spec) && (last == nil || r.Measured.Started.After(last.Measured.Started)) {
			last = r
		}
	}
	if last == nil {
		return nil, nil
	}
	return &last.Result.Spec, nil
}

// recordedData takes a missing data set from a record of its name and
// configuration. Without such a record it returns the original error.
func (o Options) recordedData(name string, dc datasets.Config, missing error) (spec record.Spec, info Data, err error) {
	want, err := datasetSpec(name, dc, "")
	if err != nil {
		return spec, info, err
	}
	found, err := o.lastRecorded(func(s record.Spec) bool {
		return s.Dataset.Name == name && s.Dataset.Config.Equal(want.Config)
	})
	if err != nil {
		return spec, info, err
	}
	if found == nil {
		return spec, info, missing
	}
	spec.Dataset, spec.Protocol = found.Dataset, found.Protocol
	info = Data{Name: name, Recorded: true}
	path := record.Store{Dir: o.Out}.DatasetPath(name, found.Dataset.Fingerprint)
	if info.Stats, err = ReadStats(path, name, found.Dataset.Fingerprint); err != nil {
		return spec, info, fmt.Errorf("the statistics of %s: %w; restore the file, or get the data, from which they are computed", name, err)
	}
	if of := info.Stats.Split; of != nil && (of.Kind != spec.Protocol || of.Fingerprint != spec.Dataset.Split) {
		info.Stats.Split = nil // the file is of the same data with another split
	}
	return spec, info, nil
}

// ReadStats reads the statistics of a data set. Files of older versions have no
// checksum; their numbers must be consistent.
func ReadStats(path, name, fingerprint string) (datasets.Stats, error) {
	var s datasets.Stats
	if _, err := record.ReadSealed(path, &s); err != nil {
		return s, err
	}
	if s.Name != name || s.Fingerprint != fingerprint {
		return s, fmt.Errorf("%s describes other data: expected %s, fingerprint %.8s, got %.40q, %.8q", path, name, fingerprint, s.Name, s.Fingerprint)
	}
	users, items, n := float64(s.Users), float64(s.Items), float64(s.Interactions)
	ok := s.Users > 0 && s.Items > 0 && s.Interactions >= s.Users && s.AvgLength == n/users && s.Density == n/users/items &&
		s.MaxLength >= int(s.AvgLength) && s.MedianLength >= 1 && s.MedianLength <= float64(s.MaxLength) &&
		s.ShortUsers >= 0 && s.ShortUsers <= s.Users && s.Repeats >= 0 && s.Repeats <= s.Interactions &&
		s.Tied >= 0 && s.Tied <= s.Interactions && s.TiedShare == float64(s.Tied)/n &&
		s.TiedTestUsers >= 0 && s.TiedTestUsers <= s.Users && s.Leak >= 0 && s.Leak <= 1
	if of := s.Split; of != nil {
		ok = ok && of.TestUsers > 0 && of.TestUsers <= of.Test && of.TestUsers <= s.Users && of.Tied >= 0 && of.Tied <= of.Test &&
			of.Train >= 0 && of.Train+of.Valid+of.Test <= s.Interactions && of.Leak >= 0 && of.Leak <= 1
	}
	if !ok {
		return s, fmt.Errorf("%s is damaged: its numbers contradict each other", path)
	}
	return s, nil
}

// recordedInit completes the initialisation of a spec for which a file is missing, as err
// says, from a record of the same data set and pre-training settings, whatever the version
// of its code: the version does not change what is in the files. Another data set with the
// same interactions may have other texts.
//
// A report that has no such record says that the runs are missing. It leaves out what the
// files hold, even if they are here, so that it is the same on every machine. A plan of runs
// that are to be done returns err.
func (o Options) recordedInit(spec *record.Spec, err error) error {
	if missing := (missingError{}); o.Recorded == nil || err != nil && !errors.As(err, &missing) {
		return err
	}
	settings := spec.AsTrained().Init.Settings // the rule for untrained items reads no file
	found, lookUp := o.lastRecorded(func(s record.Spec) bool {
		return s.Init != nil && s.Dataset.Name == spec.Dataset.Name && s.Dataset.Fingerprint == spec.Dataset.Fingerprint && s.AsTrained().Init.Settings.Equal(settings)
	})
	if lookUp != nil {
		return lookUp
	}
	switch {
	case found == nil:
		spec.Init = &record.Init{Settings: spec.Init.Settings, Version: spec.Init.Version}
	case err != nil:
		initial := *found.Init
		initial.Settings, initial.Version, spec.Init = spec.Init.Settings, spec.Init.Version, &initial
	}
	return nil
}

// Complete adds the settings that are newer than a record to it, at their defaults,
// which is how runs behaved before these settings existed, and leaves out those that are gone. Tables and figures
// distinguish rows by them.
func Complete(r *record.Record) error {
	e, ok := registry.Find(registry.Models, r.Result.Spec.Model)
	if !ok || r.Resolved == nil {
		return nil
	}
	defaults, err := Resolved(e.Defaults, e.TrainDefaults())
	if err != nil {
		return err
	}
	if r.Result.Spec.Init != nil {
		if defaults["pretrain"], err = record.All(e.InitDefaults()); err != nil {
			return err
		}
	}
	for section, settings := range defaults {
		maps.Copy(settings, r.Resolved[section])
		r.Resolved[section] = settings
	}
	for _, key := range pretrain.Gone {
		delete(r.Resolved["pretrain"], key)
	}
	return nil
}

// Resolved lists every setting of a run with its value.
func Resolved(params any, t train.Config) (map[string]record.Settings, error) {
	p, err1 := record.All(params)
	tr, err2 := record.All(t)
	return map[string]record.Settings{"params": p, "train": tr}, errors.Join(err1, err2)
}

// RecordedJob returns the job that uses a recorded run again. A record says where its data
// were on the machine that made it. If they are not there, the data set of that name in
// the configuration is used. The encoder is the one that the configuration names.
func (c *Config) RecordedJob(r *record.Record, out string, source Source) Job {
	job := RecordedJob(r, c.Root, out, source)
	job.Config = c.Path
	name := r.Result.Spec.Dataset.Name
	if dc, err := c.Dataset(name); err == nil { // the record's name may be unknown here
		if d, err := datasetSpec(name, dc, ""); err == nil {
			job.Moved, job.UnpackLimit = d.Config, dc.UnpackLimit
		}
	}
	if e, ok := registry.Find(c.registry, r.Result.Spec.Model); ok && r.Result.Spec.Init != nil {
		if s, err := c.Init(e, name, ""); err == nil && s.Encoder != "" {
			job.Encoder = c.Abs(s.Encoder)
		}
	}
	return job
}

// RecordedJob returns the job that repeats a record in another results folder, with as
// many threads.
func RecordedJob(r *record.Record, root, out string, source Source) Job {
	spec := r.Result.Spec
	return Job{Kind: KindCompare, Spec: spec, Device: spec.Device, Threads: r.Measured.Threads, Root: root, Out: out, Source: source}
}
