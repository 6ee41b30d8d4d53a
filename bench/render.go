package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"famebench/datasets"
	"famebench/internal/atomicfile"
	"famebench/internal/experiment"
	"famebench/internal/record"
	"famebench/internal/report"
)

// report renders a suite from the records of whatever machine made them: a
// record counts if it differs from a run of the plan in device and threads at
// most.
func (b *bench) report(plan *experiment.Plan) error {
	place := map[string]int{} // of a run in the plan, by study and seed
	key := func(s record.Spec) (string, error) {
		study, err := s.Study()
		return fmt.Sprint(study, s.Seed), err
	}
	for i, r := range plan.Runs {
		k, err := key(r.Job.Spec)
		if err != nil {
			return err
		}
		place[k] = i
	}
	ids, err := b.store.IDs()
	if err != nil {
		return err
	}
	all, damaged := b.records(ids)
	type placed struct {
		*record.Record
		place int
	}
	var found []placed
	for _, r := range all {
		k, err := key(r.Result.Spec)
		if err != nil {
			return err
		}
		if i, ok := place[k]; ok {
			found = append(found, placed{r, i})
		}
	}
	slices.SortStableFunc(found, func(a, b placed) int { return a.place - b.place })
	var records []*record.Record
	for _, f := range found {
		records = append(records, f.Record)
	}
	if damaged != nil {
		return damaged
	}
	if len(records) == 0 {
		return fmt.Errorf("no records of suite %s in %s: run it first, without -report", plan.Suite.Name, b.store.Dir)
	}
	if err := errors.Join(b.store.Make(), plan.WriteData(b.store)); err != nil {
		return err
	}
	return b.render(plan, records, nil)
}

// readStats reads the statistics of the data sets that records are about, each
// once.
func (b *bench) readStats(records []*record.Record) ([]datasets.Stats, error) {
	stats := []datasets.Stats{}
	seen := map[string]bool{}
	for _, r := range records {
		d := r.Result.Spec.Dataset
		path := b.store.DatasetPath(d.Name, d.Fingerprint)
		if seen[path] {
			continue
		}
		seen[path] = true
		text, err := os.ReadFile(path)
		var s datasets.Stats
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		if err != nil {
			return nil, fmt.Errorf("statistics of %s: %w", d.Name, err)
		}
		stats = append(stats, s)
	}
	return stats, nil
}

// renderedRun is a run in the JSON that goes with a table.
type renderedRun struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// render writes the tables of a suite to stdout and as Markdown.
func (b *bench) render(plan *experiment.Plan, records []*record.Record, outcomes []experiment.Outcome) error {
	tables, err := report.Compare(records)
	if err != nil {
		return err
	}
	stats, err := b.readStats(records)
	if err != nil {
		return err
	}
	runs := []renderedRun{}
	missing := 0
	for _, o := range outcomes {
		runs = append(runs, renderedRun{o.Run.ID, o.Status, o.Reason})
		if o.Status == experiment.OutcomeFailed || o.Status == experiment.OutcomeInterrupted {
			missing++
		}
	}
	if b.json {
		return b.writeJSON(struct {
			Suite    string              `json:"suite"`
			Runs     []renderedRun       `json:"runs,omitempty"`
			Datasets []datasets.Stats    `json:"datasets"`
			Tables   []report.Comparison `json:"tables"`
		}{plan.Suite.Name, runs, stats, tables})
	}
	if len(tables) == 0 {
		return nil // nothing finished
	}
	if err := report.WriteDatasets(b.stdout, stats); err != nil {
		return err
	}
	if err := report.WriteComparisons(b.stdout, tables); err != nil {
		return err
	}
	if missing > 0 {
		fmt.Fprintf(b.stdout, "Note: %d of %d runs are missing.\n", missing, len(outcomes))
	}
	return b.writeMarkdown(plan.Suite, func(w io.Writer) {
		report.MarkdownDatasets(w, stats)
		report.MarkdownComparisons(w, tables)
		if missing > 0 {
			fmt.Fprintf(w, "%d of %d runs are missing.\n", missing, len(outcomes))
		}
	})
}

func (b *bench) writeMarkdown(s experiment.Suite, body func(io.Writer)) error {
	var doc bytes.Buffer
	fmt.Fprintf(&doc, "# Suite %s\n\n%s\n\n", s.Name, s.Summary)
	body(&doc)
	text := append(bytes.TrimRight(doc.Bytes(), "\n"), '\n')
	path := b.store.TablePath(s.Name)
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err == nil {
		fmt.Fprintf(b.stderr, "\nas Markdown: %s\n", path)
	}
	return err
}

// cost measures the models of a suite and writes cost.json and a table.
func (b *bench) cost(ctx context.Context, plan *experiment.Plan) error {
	if b.options.report {
		return usageError{fmt.Errorf("-report: a cost is measured, not recorded; run the suite without it")}
	}
	if err := b.store.Make(); err != nil {
		return err
	}
	p := newProgress(b.stderr, b.store, make([]time.Duration, len(plan.Runs)), 1)
	runner := b.runner(p)
	runner.Jobs = 1 // two at a time would measure each other
	outcomes := runner.Run(ctx, plan.Runs)
	p.finish()
	costs := []record.Cost{}
	for _, o := range outcomes {
		if o.Cost != nil {
			costs = append(costs, *o.Cost)
		}
	}
	if err := b.verdictOn(outcomes); err != nil {
		return err
	}
	path := filepath.Join(b.store.Dir, "cost.json")
	if err := record.WriteJSON(path, costs); err != nil {
		return err
	}
	fmt.Fprintf(b.stderr, "written: %s\n", path)
	if b.json {
		return b.writeJSON(costs)
	}
	if err := report.WriteCosts(b.stdout, costs); err != nil {
		return err
	}
	return b.writeMarkdown(plan.Suite, func(w io.Writer) { report.MarkdownCosts(w, costs) })
}
