package record

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// Cells is the file of what a suite of kind "cost" that has the key steps has measured. All of
// it was measured on one machine in one way, so that its times can be compared. Like a Cost, a
// cell is not a record.
type Cells struct {
	Suite   string `json:"suite"`
	CPU     string `json:"cpu"` // or the GPU that computed
	Device  string `json:"device"`
	Threads int    `json:"threads"`
	Steps   int    `json:"steps"` // timed training steps of each cell
	Cells   []Cell `json:"cells"`
}

// Cell is a measurement of one model with its settings on one data set.
type Cell struct {
	ID           string    `json:"id"` // of the spec that was measured
	Model        string    `json:"model"`
	Dataset      string    `json:"dataset"`
	At           string    `json:"at,omitempty"`      // place on the suite's axes
	Heads        int       `json:"heads,omitempty"`   // H, N and d; 0: the model is no FAME
	Experts      int       `json:"experts,omitempty"` // (as above)
	Hidden       int       `json:"hidden,omitempty"`  // (as above)
	Items        int       `json:"items"`             // rows of the item table, without padding
	Loss         string    `json:"loss"`
	Negatives    int       `json:"negatives,omitempty"` // sampled for each target
	BatchTargets int       `json:"batch_targets"`
	Step         Quartiles `json:"step_ms"` // time of a training step
	Scoring      Scoring   `json:"scoring"`
	// Separate is Scoring with a score matrix for each head, weighted by the gate; nil for
	// models without facets.
	Separate   *Scoring `json:"separate,omitempty"`
	Parameters int64    `json:"parameters"`
	Seconds    float64  `json:"seconds"` // that the measurement took
	Code       string   `json:"code"`    // hash of the model's code
	Commit     string   `json:"commit,omitempty"`
	Dirty      bool     `json:"dirty,omitempty"` // uncommitted changes
}

// Quartiles are the median of some values, and the bounds of their middle half.
type Quartiles struct {
	P25 float64 `json:"p25"`
	P50 float64 `json:"p50"`
	P75 float64 `json:"p75"`
}

// Scoring is the cost of recommending.
type Scoring struct {
	UsersPerSecond float64 `json:"users_per_s"` // full ranking under both seen-item rules
	Latency        Latency `json:"latency_ms"`
	PeakRSSMB      float64 `json:"peak_rss_mb"` // of the process up to then, training included
}

// CellsPath is the file of a suite's cells.
func (s Store) CellsPath(suite string) string {
	return filepath.Join(s.Dir, cellsDir, suite+".json")
}

const cellsDir = "costs"

// ReadCells reads the cells of a suite; nil if nothing was measured yet. A file that was
// changed after it was written is an error.
func (s Store) ReadCells(suite string) (*Cells, error) {
	path := s.CellsPath(suite)
	c := &Cells{}
	whole, err := ReadSealed(path, c)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && !whole:
		err = fmt.Errorf("%s has no checksum", path)
	case err == nil && c.Suite != suite:
		err = fmt.Errorf("%s: expected the measurements of suite %s, got those of %.40q", path, suite, c.Suite)
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w; restore it, or delete it to measure again", err)
	}
	return c, nil
}

// WriteCells writes the cells of a suite.
func (s Store) WriteCells(c *Cells) error {
	if err := s.MakeFolder(cellsDir); err != nil {
		return err
	}
	return WriteSealed(s.CellsPath(c.Suite), c)
}

// Comparable reports whether cells of two files can be compared.
func (c *Cells) Comparable(d *Cells) bool {
	return c.CPU == d.CPU && c.Device == d.Device && c.Threads == d.Threads && c.Steps == d.Steps
}

// Find returns the cell of an id; nil if it was not measured yet.
func (c *Cells) Find(id string) *Cell {
	i := slices.IndexFunc(c.Cells, func(one Cell) bool { return one.ID == id })
	if i < 0 {
		return nil
	}
	return &c.Cells[i]
}

// Put adds a cell, or replaces the one of the same id.
func (c *Cells) Put(cell Cell) {
	if old := c.Find(cell.ID); old != nil {
		*old = cell
		return
	}
	c.Cells = append(c.Cells, cell)
}
