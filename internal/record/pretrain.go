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

// Pretrain is what a pre-training came to. Package pretrain fills it in.
type Pretrain struct {
	Start         string `json:"start"`
	Items         int    `json:"items"`          // V
	WithoutText   int    `json:"without_text"`   // items whose row was drawn: they have no part in training
	WithoutLabels int    `json:"without_labels"` // items with text, but no label of any facet: negatives only
	HeldOut       int    `json:"held_out"`       // items with text and labels that were kept from training
	Heads         []Head `json:"heads,omitempty"`
}

// Head is what one head has learned. Counts are of training items, which have
// text and are not held out.
type Head struct {
	Facet     string    `json:"facet,omitempty"`   // on which Quality is measured; absent for a "dropout" head
	Learned   string    `json:"learned"`           // that facet, "any facet" or "dropout"
	Labels    int       `json:"labels"`            // labels that more than one item has
	Anchors   int       `json:"anchors"`           // items with a positive
	Negatives int       `json:"negatives_only"`    // items without one
	Loss      []float64 `json:"loss"`              // of each epoch, mean over anchors
	Quality   *Quality  `json:"quality,omitempty"` // absent where no held-out item shares a label with another item
}

// Quality says how well a facet is told apart, by the text vectors and by what its
// head makes of them, measured on held-out items: items that took part in no step
// of training. Each is compared with all items that have a label of the facet.
// Labels are the true ones, also where training had them shuffled.
type Quality struct {
	Items     int `json:"items"`     // held-out items that share a label with another item, at most 1,024
	Neighbors int `json:"neighbors"` // k of Purity: 10, or fewer where there are not so many
	// Chance is the Purity of neighbours drawn at random.
	Chance float64 `json:"chance"`
	Before Measure `json:"before"` // of the text vectors
	After  Measure `json:"after"`  // of the projections
}

// Measure is how vectors, normalised, lie on the unit sphere.
type Measure struct {
	// Alignment is the mean distance of an item to the others with a label in common
	// (Wang and Isola 2020, arXiv 2005.10242). 0 is best, 2 the farthest.
	Alignment float64 `json:"alignment"`
	// Uniformity is log mean exp(−2·distance²) over all pairs. 0 is one point for all;
	// lower is more even.
	Uniformity float64 `json:"uniformity"`
	// Purity is the share of an item's k nearest neighbours (by cosine, the lower item
	// id first where equal) that have a label in common with it.
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

// WritePictures stores what the heads of a run's start look like. The header of the
// compressed file names the run, and its end has a checksum.
func (s Store) WritePictures(id string, pictures []Picture) error {
	return atomicfile.Write(s.PicturesPath(id), func(w io.Writer) error {
		zip := gzip.NewWriter(w) // no time in its header
		zip.Comment = id
		return errors.Join(json.NewEncoder(zip).Encode(pictures), zip.Close())
	})
}

// ReadPictures reads what WritePictures wrote for the run of a record; a run that has
// no such file has none. Files of older versions name no run: their pictures must be
// those of the record's heads.
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
		return nil, fmt.Errorf("record: %s: %w; delete the file to do without the picture", path, err)
	}
	return pictures, nil
}

// check compares a picture with the result of its run.
func (p Picture) check(r Result) error {
	if n := len(p.Items); len(p.Labels) != n || len(p.Before) != n || len(p.After) != n {
		return fmt.Errorf("picture of %.40q: %d items with %d labels and %d and %d places", p.Facet, n, len(p.Labels), len(p.Before), len(p.After))
	}
	if r.Pretrain == nil || p.Head < 1 || p.Head > len(r.Pretrain.Heads) || r.Pretrain.Heads[p.Head-1].Facet != p.Facet {
		return fmt.Errorf("head %d with the facet %.40q is none of the record's", p.Head, p.Facet)
	}
	for _, item := range p.Items {
		if item < 1 || int(item) > r.Items {
			return fmt.Errorf("picture of %.40q: item %d, expected 1 to %d", p.Facet, item, r.Items)
		}
	}
	return nil
}
