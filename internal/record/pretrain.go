package record

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"famebench/internal/atomicfile"
)

// Pretrain is the outcome of pre-training. Package pretrain fills it in.
type Pretrain struct {
	Init          string `json:"start"`
	Items         int    `json:"items"`          // V
	WithoutText   int    `json:"without_text"`   // items whose row was initialised at random: they take no part in pre-training
	WithoutLabels int    `json:"without_labels"` // items with text, but without a label of any facet: negatives only
	HeldOut       int    `json:"held_out"`       // items with text and labels that were held out of pre-training
	Heads         []Head `json:"heads,omitempty"`
}

// Head describes what one head has learned. Counts are of training items, which
// have text and are not held out.
type Head struct {
	Facet     string    `json:"facet,omitempty"`   // the facet for which Quality is measured; absent for a "dropout" head
	Learned   string    `json:"learned"`           // that facet, "any facet" or "dropout"
	Labels    int       `json:"labels"`            // labels that more than one item has
	Anchors   int       `json:"anchors"`           // items with a positive
	Negatives int       `json:"negatives_only"`    // items without one
	Loss      []float64 `json:"loss"`              // of each epoch, mean over anchors
	Quality   *Quality  `json:"quality,omitempty"` // absent if no held-out item shares a label with another item
}

// Quality says how well the labels of a facet are separated by the text vectors
// and by the projections of its head. It is measured on held-out items, which took
// part in no step of training. Each is compared with all items that have a label
// of the facet. Labels are the true ones, even if training used shuffled ones.
type Quality struct {
	Items     int `json:"items"`     // held-out items that share a label with another item, at most 1,024
	Neighbors int `json:"neighbors"` // k of Purity: 10, or fewer if there are not enough items
	// Chance is the expected Purity of random neighbours.
	Chance float64 `json:"chance"`
	Before Measure `json:"before"` // of the text vectors
	After  Measure `json:"after"`  // of the projections
}

// Measure describes how normalised vectors are distributed on the unit sphere.
type Measure struct {
	// Alignment is the mean distance of an item to the others with a label in common
	// (Wang and Isola 2020, arXiv 2005.10242). 0 is best, 2 is worst.
	Alignment float64 `json:"alignment"`
	// Uniformity is log mean exp(−2·distance²) over all pairs. It is 0 if all vectors
	// are equal; lower is more even.
	Uniformity float64 `json:"uniformity"`
	// Purity is the share of an item's k nearest neighbours that have a label in
	// common with it. Neighbours are ordered by cosine; the lower item id comes first
	// if cosines are equal.
	Purity float64 `json:"purity"`
}

// Picture has held-out items in two dimensions: the first principal components of
// the text vectors, and of the projections of a facet's head.
type Picture struct {
	Head   int          `json:"head"` // from 1
	Facet  string       `json:"facet"`
	Items  []int32      `json:"items"`
	Labels [][]string   `json:"labels"` // of each item
	Before [][2]float32 `json:"before"`
	After  [][2]float32 `json:"after"`
}

// WritePictures stores the pictures of a run's pre-training heads. The header of
// the compressed file names the run, and its end has a checksum.
func (s Store) WritePictures(id string, pictures []Picture) error {
	return atomicfile.Write(s.PicturesPath(id), func(w io.Writer) error {
		zip := gzip.NewWriter(w) // without a time in its header
		zip.Comment = id
		return errors.Join(json.NewEncoder(zip).Encode(pictures), zip.Close())
	})
}

// ReadPictures reads the pictures that WritePictures wrote for the run of a record;
// without a file there are none. Files of older versions do not name their run; their
// pictures must be those of the record's heads.
func (s Store) ReadPictures(r *Record) (pictures []Picture, err error) {
	path := s.PicturesPath(r.ID)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err == nil {
		if zip.Comment != "" && zip.Comment != r.ID {
			err = fmt.Errorf("expected the pictures of %s, got those of %.99q", r.ID, zip.Comment)
		}
	}
	if err == nil {
		d := json.NewDecoder(zip)
		err = d.Decode(&pictures)
		if err == nil {
			_, err = io.Copy(io.Discard, io.MultiReader(d.Buffered(), zip)) // the checksum is at the end
		}
	}
	for _, p := range pictures {
		if err == nil {
			err = p.check(r.Result)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w; delete the file to render without the picture", path, err)
	}
	return pictures, nil
}

// check compares a picture with the result of its run.
func (p Picture) check(r Result) error {
	if n := len(p.Items); len(p.Labels) != n || len(p.Before) != n || len(p.After) != n {
		return fmt.Errorf("picture of %.40q: expected as many labels and points as items, got %d items, %d labels, %d and %d points", p.Facet, n, len(p.Labels), len(p.Before), len(p.After))
	}
	if r.Pretrain == nil || p.Head < 1 || p.Head > len(r.Pretrain.Heads) || r.Pretrain.Heads[p.Head-1].Facet != p.Facet {
		return fmt.Errorf("head %d with the facet %.40q is not one of the record's", p.Head, p.Facet)
	}
	for _, item := range p.Items {
		if item < 1 || int(item) > r.Items {
			return fmt.Errorf("picture of %.40q: item %d, expected 1 to %d", p.Facet, item, r.Items)
		}
	}
	return nil
}
