package suite

import (
	"bytes"
	"errors"
	"fmt"

	"famebench/internal/aggregate"
	"famebench/internal/figure"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/report"
)

// Cells are the stored measurements of a suite of kind "cost" with steps.
type Cells struct {
	store record.Store
	file  *record.Cells
}

// Cells reads what was measured for a plan. Measurements on another machine, or of another
// number of steps, cannot be compared with those of machine, so they are replaced, with a
// notice; a report takes them as they are.
func (e Env) Cells(p Place, machine record.Cells, report bool) (*Cells, error) {
	file, err := p.Store.ReadCells(p.Name)
	if err != nil {
		return nil, err
	}
	if report && file == nil {
		return nil, fmt.Errorf("suite %s: nothing is measured yet; bench -suite %[1]s measures it", p.Name)
	}
	if !report && (file == nil || !file.Comparable(&machine)) {
		if file != nil {
			was := aggregate.Cells{CPU: file.CPU, Device: file.Device, Threads: file.Threads}
			fmt.Fprintf(e.Log, "note: %s has measurements of %d steps on %s, which those of this command cannot be compared with; they are replaced\n",
				p.Store.CellsPath(p.Name), file.Steps, was.Machine())
		}
		machine.Suite, machine.Cells = p.Name, nil
		file = &machine
	}
	return &Cells{p.Store, file}, nil
}

// Seconds are the times that the measurements took, by id.
func (c *Cells) Seconds() map[string]float64 {
	all := map[string]float64{}
	for _, cell := range c.file.Cells {
		all[cell.ID] = cell.Seconds
	}
	return all
}

// Add stores a measurement.
func (c *Cells) Add(cell record.Cell) error {
	c.file.Put(cell)
	return c.store.WriteCells(c.file)
}

// Of computes what is shown of the measurements of a plan.
func (c *Cells) Of(p Place, todo *plan.Plan) (*aggregate.Cells, error) {
	var planned []aggregate.PlannedCell
	for _, r := range todo.Runs {
		what := r.Job.Spec.Model + " on " + r.Job.Spec.Dataset.Name
		if r.At != "" {
			what += " with " + r.At
		}
		planned = append(planned, aggregate.PlannedCell{ID: r.ID, What: what})
	}
	out := aggregate.MakeCells(c.file, planned)
	if len(out.Cells) == 0 {
		return nil, fmt.Errorf("suite %s: none of its %d cells is measured", todo.Suite.Name, len(planned))
	}
	out.Name, out.Summary, out.Hypothesis = p.Name, p.Summary, todo.Suite.Hypothesis
	return out, nil
}

// CellFiles are the files of the tables of measurements.
func CellFiles(c *aggregate.Cells) []TableFile {
	var markdown, latex bytes.Buffer
	report.MarkdownCells(&markdown, c)
	report.LatexCells(&latex, c)
	return append(newTableFiles(&markdown, &latex, report.CellsCSV(c)), TableFile{".growth.csv", report.GrowthCSV(c)})
}

// WriteCells writes the tables and figures of measurements.
func (e Env) WriteCells(p Place, c *aggregate.Cells) error {
	// Its summary has nothing for the page, but its plan.
	if err := e.keep(p, &aggregate.Suite{Name: p.Name, Summary: p.Summary}, ""); err != nil {
		return err
	}
	if err := errors.Join(p.Store.NoLink("figures"), p.Store.NoLink("figures/"+p.Name)); err != nil {
		return err
	}
	return errors.Join(
		e.writeTables(p, CellFiles(c)),
		figure.Write(p.Store.FiguresDir(p.Name), figure.OfCells(c)))
}
