package run

import (
	"errors"
	"io/fs"
	"os"

	"famebench/internal/record"
)

// HasWeights reports whether a run's weights can be used. Missing and damaged ones can not.
func HasWeights(store record.Store, id string) bool {
	_, sealed, err := readWeights(store.WeightsPath(id), id)
	return err == nil && sealed
}

// KeepWeights moves the weights of a run that was trained again, in a folder of its own, to
// where runs that begin with them read them, and removes what else it left.
func KeepWeights(store, again record.Store, id string) error {
	if !HasWeights(store, id) { // weights without a checksum are readable, and would stay
		if err := os.Remove(store.WeightsPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := keepWeights(store, again, id); err != nil {
		return err
	}
	if err := again.RemoveRecord(id); err != nil {
		return err
	}
	for _, path := range []string{again.RanksPath(id), again.CurvePath(id), again.WeightsPath(id), again.PicturesPath(id), again.BeyondPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
