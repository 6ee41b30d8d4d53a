package run

import (
	"cmp"
	"fmt"

	"famebench/datasets"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// open opens and splits the data of a job, and makes sure that they are the data of the
// run.
func open(j plan.Job) (*datasets.Split, error) {
	split, err := openAt(j, j.Spec.Dataset.Config)
	if err == nil || j.Moved == nil || j.Moved.Equal(j.Spec.Dataset.Config) {
		return split, err
	}
	moved, err2 := openAt(j, j.Moved)
	if err2 != nil {
		return nil, fmt.Errorf("the data of the record are in neither place: according to the record: %w; according to data set %s of %s: %w",
			err, j.Spec.Dataset.Name, j.Config, err2)
	}
	return moved, nil
}

// openAt opens the data of a job by one configuration.
func openAt(j plan.Job, config record.Settings) (*datasets.Split, error) {
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
		return fmt.Errorf("%s: expected fingerprint %.8s of %s %s, got %.8s: the data changed; put the old data back, or run the suite again for a record of the new data",
			cmp.Or(c.Path, c.Name), want, what, j.Spec.Dataset.Name, got)
	}
	if got, want := data.Fingerprint(), j.Spec.Dataset.Fingerprint; got != want {
		return nil, changed("data set", got, want)
	}
	split, err := datasets.NewSplit(data, j.Spec.Protocol)
	if err != nil {
		return nil, err
	}
	if got, want := split.Fingerprint(), j.Spec.Dataset.Split; got != want {
		return nil, changed("the split of", got, cmp.Or(want, "none"))
	}
	return split, nil
}
