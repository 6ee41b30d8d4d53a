package record

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Entropy says how varied the training histories of a data set's test users are, in the order
// of the ranks: the entropy of the labels of one facet in each history. Tables group users by
// it. It is known before anything is ranked.
type Entropy struct {
	Facet string
	// Millibits are thousandths of a bit: whole numbers, so that equal histories have equal
	// values on every machine. −1: no item of the history has a label.
	Millibits []int32
}

// entropyFile is the file of an Entropy.
type entropyFile struct {
	Fingerprint string `json:"fingerprint"`
	Split       string `json:"split"`
	Facet       string `json:"facet"`
	Millibits   string `json:"millibits"` // joined by blanks
}

// EntropyPath is the path of the entropies of a data set under a split.
func (s Store) EntropyPath(d Dataset, protocol string) string {
	return strings.TrimSuffix(s.CasesPath(d, protocol), casesEnd) + ".entropy.json"
}

// WriteEntropy stores entropies for ReadEntropy. A file that already has them is not changed.
func (s Store) WriteEntropy(d Dataset, protocol string, e *Entropy) error {
	if old, err := s.ReadEntropy(d, protocol, len(e.Millibits)); err == nil && old.Facet == e.Facet && slices.Equal(old.Millibits, e.Millibits) {
		return nil
	}
	var text []byte
	for _, v := range e.Millibits {
		text = append(strconv.AppendInt(text, int64(v), 10), ' ')
	}
	return WriteSealed(s.EntropyPath(d, protocol), entropyFile{d.Fingerprint, strings.TrimSpace(protocol + " " + d.Split), e.Facet, strings.TrimSpace(string(text))})
}

// ReadEntropy reads the entropies of a data set under a split. Without a file the error is
// fs.ErrNotExist. A file that is damaged, or of another data set, split or number of users,
// is an error that says what to do.
func (s Store) ReadEntropy(d Dataset, protocol string, users int) (*Entropy, error) {
	path := s.EntropyPath(d, protocol)
	var f entropyFile
	whole, err := ReadSealed(path, &f)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("record: %w", fs.ErrNotExist)
	}
	e := &Entropy{Facet: f.Facet}
	split := strings.TrimSpace(protocol + " " + d.Split)
	switch {
	case err != nil:
	case !whole:
		err = fmt.Errorf("%s has no checksum", path)
	case f.Fingerprint != d.Fingerprint || f.Split != split:
		err = fmt.Errorf("%s is of other data: expected %.8s, %s, got %.8q, %.100q", path, d.Fingerprint, split, f.Fingerprint, f.Split)
	default:
		for i, text := range strings.Fields(f.Millibits) {
			v, failed := strconv.ParseInt(text, 10, 32)
			if failed != nil || v < -1 {
				err = fmt.Errorf("%s: number %d: expected thousandths of a bit, or -1, got %.40q", path, i+1, text)
				break
			}
			e.Millibits = append(e.Millibits, int32(v))
		}
		if err == nil && len(e.Millibits) != users {
			err = fmt.Errorf("%s: expected %d test users as in the records, got %d", path, users, len(e.Millibits))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w; restore the file, or delete it: the next report where the data is writes it again", err)
	}
	return e, nil
}
