package experiment

import (
	"cmp"
	"fmt"

	"famebench/datasets"
	"famebench/internal/record"
)

// RecordedJob is the job that uses a recorded run again. A record says where its data were
// on the machine that made it. Where they are not there, the data set of that name in the
// configuration is taken, and the encoder that the configuration names.
func (c *Config) RecordedJob(r *record.Record, out string, source Source) Job {
	job := RecordedJob(r, c.Root, out, source)
	job.Config = c.Path
	name := r.Result.Spec.Dataset.Name
	if dc, err := c.Dataset(name); err == nil { // the record's name may be unknown here
		if d, err := datasetSpec(name, dc, ""); err == nil {
			job.Moved, job.UnpackLimit = d.Config, dc.UnpackLimit
		}
	}
	if e, ok := find(c.registry, r.Result.Spec.Model); ok && r.Result.Spec.Start != nil {
		if s, err := c.Start(e, name, ""); err == nil && s.Encoder != "" {
			job.Encoder = c.Abs(s.Encoder)
		}
	}
	return job
}

// open opens and splits the data of a job, and makes sure that they are what the run is
// about.
func (j Job) open() (*datasets.Split, error) {
	split, err := j.openAt(j.Spec.Dataset.Config)
	if err == nil || j.Moved == nil || equalSettings(j.Moved, j.Spec.Dataset.Config) {
		return split, err
	}
	moved, err2 := j.openAt(j.Moved)
	if err2 != nil {
		return nil, fmt.Errorf("the data of the record are in neither place: as the record says: %w; as data set %s of %s says: %w",
			err, j.Spec.Dataset.Name, j.Config, err2)
	}
	return moved, nil
}

// openAt opens the data of a job by one configuration.
func (j Job) openAt(config record.Settings) (*datasets.Split, error) {
	var c datasets.Config
	if err := config.Apply(&c); err != nil {
		return nil, err
	}
	c.UnpackLimit = j.UnpackLimit
	data, err := datasets.Open(c, j.Root)
	if err != nil {
		return nil, err
	}
	changed := func(what, got, want string) error {
		return fmt.Errorf("%s: %s %s has fingerprint %.8s, the run is about %.8s: the data changed; put the old data back, or run the suite again for a record of the new data",
			cmp.Or(c.Path, c.Name), what, j.Spec.Dataset.Name, got, want)
	}
	if got, want := data.Fingerprint(), j.Spec.Dataset.Fingerprint; got != want {
		return nil, changed("data set", got, want)
	}
	split, err := datasets.NewSplit(data, j.Spec.Protocol)
	if err != nil {
		return nil, err
	}
	if got, want := split.Fingerprint(), j.Spec.Dataset.Split; got != want {
		return nil, changed("the time split of", got, cmp.Or(want, "none"))
	}
	return split, nil
}
