package record

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"syscall"
)

// Beyond has the metrics beyond accuracy of a run's lists of ten items. It is a file of its
// own, because they are newer than many records, whose hash must not change. They are
// computed where the lists are, since tables have neither lists nor training data.
type Beyond struct {
	ID          string   `json:"id"`
	RanksSHA256 string   `json:"ranks_sha256"` // of the run: a repeated run may have other lists
	Labels      []string `json:"labels"`       // facets whose labels Diversity@10 compares; none: the items have none
	// LabelsSHA256 is pretrain.FacetsHash of these facets; "": older than the key. No id covers
	// the labels, because most models do not read them.
	LabelsSHA256 string `json:"labels_sha256,omitempty"`
	// HistoryPopularity is how often the items of a user's history occur in training, averaged
	// over the history and then over users.
	HistoryPopularity float64 `json:"history_popularity"`
	Kept              Metrics `json:"kept"` // Coverage@10 is as in the record
	Removed           Metrics `json:"removed"`
}

// BeyondPath is the file of a run's metrics beyond accuracy.
func (s Store) BeyondPath(id string) string { return filepath.Join(s.Dir, "beyond", id+".json") }

// WriteBeyond stores the metrics beyond accuracy of a run.
func (s Store) WriteBeyond(b *Beyond) error {
	if err := s.MakeFolder("beyond"); err != nil {
		return err
	}
	return WriteSealed(s.BeyondPath(b.ID), b)
}

// ReadBeyond reads the metrics beyond accuracy of a recorded run; nil if there are none. A
// file that is damaged, or of other lists than the record's, is an error.
func (s Store) ReadBeyond(r *Record) (*Beyond, error) {
	path := s.BeyondPath(r.ID)
	var b Beyond
	whole, err := ReadSealed(path, &b)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR): // or there is something else in the place of the folder
		return nil, nil
	case err == nil && !whole:
		err = fmt.Errorf("%s has no checksum", path)
	case err == nil:
		if err = b.check(r); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w; restore the file, or delete it: bench -trec %s writes it again", err, r.ID)
	}
	return &b, nil
}

// SameLabels reports whether both have compared items by the same labels, as far as is known.
func (b *Beyond) SameLabels(other *Beyond) bool {
	return slices.Equal(b.Labels, other.Labels) && (b.LabelsSHA256 == other.LabelsSHA256 || b.LabelsSHA256 == "" || other.LabelsSHA256 == "")
}

// check refuses metrics that are not those of the record's lists.
func (b *Beyond) check(r *Record) error {
	if b.ID != r.ID || b.RanksSHA256 != r.Result.RanksSHA256 {
		return fmt.Errorf("it is of other lists than the record's: expected run %s, ranks %.8s, got %.99q, %.8q", r.ID, r.Result.RanksSHA256, b.ID, b.RanksSHA256)
	}
	const coverage = "Coverage@10"
	for _, rule := range []struct {
		name    string
		own, of Metrics
	}{{"kept", b.Kept, r.Result.Test.Kept}, {"removed", b.Removed, r.Result.Test.Removed}} {
		if rule.own[coverage] != rule.of[coverage] {
			return fmt.Errorf("seen items %s: %s is %v, expected %v as in the record", rule.name, coverage, rule.own[coverage], rule.of[coverage])
		}
		for _, name := range slices.Sorted(maps.Keys(rule.own)) {
			if v := rule.own[name]; !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("seen items %s: %.40q is %v, expected 0 or more", rule.name, name, v)
			}
		}
	}
	if !(b.HistoryPopularity >= 0) || math.IsInf(b.HistoryPopularity, 0) {
		return fmt.Errorf("history_popularity is %v, expected 0 or more", b.HistoryPopularity)
	}
	return nil
}
