package experiment

import (
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
			job.Moved = d.Config
		}
	}
	if e, ok := find(c.registry, r.Result.Spec.Model); ok && r.Result.Spec.Start != nil {
		if s, err := c.Start(e, name, ""); err == nil && s.Encoder != "" {
			job.Encoder = c.Abs(s.Encoder)
		}
	}
	return job
}

// open opens the data of a job and makes sure that they are what the run is about.
func (j Job) open() (*datasets.Dataset, error) {
	data, err := j.openAt(j.Spec.Dataset.Config)
	if err == nil || j.Moved == nil || equalSettings(j.Moved, j.Spec.Dataset.Config) {
		return data, err
	}
	moved, err2 := j.openAt(j.Moved)
	if err2 != nil {
		return nil, fmt.Errorf("the data of the record are in neither place: as the record says: %w; as data set %s of %s says: %w",
			err, j.Spec.Dataset.Name, j.Config, err2)
	}
	return moved, nil
}

// openAt opens the data of a job by one configuration.
func (j Job) openAt(config record.Settings) (*datasets.Dataset, error) {
	var c datasets.Config
	if err := config.Apply(&c); err != nil {
		return nil, err
	}
	data, err := datasets.Open(c, j.Root)
	if err != nil {
		return nil, err
	}
	if got, want := data.Fingerprint(), j.Spec.Dataset.Fingerprint; got != want {
		where := c.Name
		if c.Path != "" {
			where = c.Path
		}
		return nil, fmt.Errorf("%s: data set %s has fingerprint %.8s, the run is about %.8s: the data changed; put the old data back, or run the suite again for a record of the new data",
			where, j.Spec.Dataset.Name, got, want)
	}
	return data, nil
}
