package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"famebench/internal/aggregate"
	"famebench/internal/analysis"
	"famebench/internal/launch"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/report"
	"famebench/internal/run"
	"famebench/internal/suite"
)

// place decides where the outputs of a plan go, and makes the results folder ready. A report may
// find a folder that is read-only: what it has to change there is an error of its own.
func (b *bench) place(todo *plan.Plan) (suite.Place, error) {
	err := b.store.Make()
	if err == nil || b.options.report && !errors.Is(err, record.ErrLink) {
		b.store.Sweep()
		var p suite.Place
		if p, err = b.env.Place(todo, b.changes("")); err == nil {
			err = p.Check()
		}
		if err == nil {
			return p, todo.WriteData(b.store)
		}
	}
	if errors.Is(err, record.ErrLink) {
		err = usageError{err}
	}
	return suite.Place{}, err
}

// findIdle finds the settings of the command line that change nothing of a suite, such as those of a
// model that it does not have, and says so: a title must not name them.
func (b *bench) findIdle(s plan.Suite) error {
	if len(b.sets) == 0 {
		return nil
	}
	asked, err := b.config.Asked(s)
	if err != nil {
		return err
	}
	left := slices.Clone(b.sets)
	for _, set := range b.sets {
		// What a suite shows, and when training saves, is no part of what it asks for.
		if b.config.SaysWhere(set) || slices.ContainsFunc(b.config.SetPaths(set), func(path []string) bool {
			return path[0] == "suites" || path[len(path)-1] == "checkpoint_every"
		}) {
			continue
		}
		// Idle ones are left out from then on: of two settings that say the same, only one is idle.
		others := slices.DeleteFunc(slices.Clone(left), func(other string) bool { return other == set })
		without, err := plan.Load(b.config.Path, others, registry.Models)
		if err != nil { // it is needed
			continue
		}
		other, err := without.Suite(s.Name)
		if err == nil {
			other, err = without.Choose(other, b.models, b.datasets, b.seeds)
		}
		if err != nil {
			continue
		}
		if same, err := without.Asked(other); err == nil && same == asked {
			left = others
			b.idle = append(b.idle, set)
			fmt.Fprintf(b.stderr, "note: -set %s changes nothing of suite %s\n", set, s.Name)
		}
	}
	return nil
}

// changes are the flags that may change what a suite asks for, but for one.
func (b *bench) changes(without string) string {
	var out []string
	for _, f := range []struct {
		name   string
		values []string
	}{{"models", b.models}, {"datasets", b.datasets}, {"seeds", strings.Fields(strings.Trim(fmt.Sprint(b.seeds), "[]"))}} {
		if len(f.values) > 0 && f.name != without {
			out = append(out, "-"+f.name+" "+strings.Join(f.values, ","))
		}
	}
	for _, s := range b.sets {
		if !b.config.SaysWhere(s) && !slices.Contains(b.idle, s) {
			out = append(out, "-set "+s)
		}
	}
	return strings.Join(out, " ")
}

// suite does the runs of a plan that have no record, then renders.
func (b *bench) suite(ctx context.Context, todo *plan.Plan) error {
	if b.expect { // of more seeds than the suite compares
		if err := todo.CheckWhole(b.changes("seeds")); err != nil {
			return usageError{err}
		}
	}
	if b.options.analyse && !slices.ContainsFunc(todo.Runs, func(r plan.Run) bool { return analysis.IsFAME(r.Job.Spec.Model, registry.Models) }) {
		return usageError{errors.New("-analyse: no run here is of FAME or a variant, which have heads to look into: leave it out, or choose such a model")}
	}
	p, err := b.place(todo)
	if err != nil {
		return err
	}
	outcomes, err := b.runs(ctx, todo)
	if err != nil {
		return err
	}
	if ctx.Err() != nil || b.worker { // an interrupted command renders nothing; a report follows the workers
		return b.verdictOn(ctx, outcomes)
	}
	b.env.RemoveShared(todo)
	at := map[string]string{} // place on the axes, by id
	for _, o := range outcomes {
		at[o.Run.ID] = o.Run.At
	}
	found, err := suite.Find(b.store, todo)
	found.Keep(at) // without those of other machines
	var analyses []*analysis.Analysis
	var failed error
	if b.options.analyse {
		analyses, failed = analysis.OfRuns(found.Records, at, b.recordedJob, registry.Models, b.stderr)
	}
	err = errors.Join(err, failed, b.render(p, todo, found, outcomes, analyses))
	if failed == nil && !b.json { // a table that lacks some runs must not replace a complete one
		err = errors.Join(err, b.env.WriteAnalyses(p, analysis.NewDigest(analyses)))
	}
	if verdict := b.verdictOn(ctx, outcomes); err != nil || verdict != nil {
		return errors.Join(err, verdict)
	}
	if todo.Suite.Kind != plan.KindCI {
		return nil
	}
	expected := todo.CheckExpected
	if b.expect {
		expected = todo.WriteExpected
	}
	text, err := expected(b.config.Abs(todo.Suite.Expected), b.store)
	if err == nil {
		fmt.Fprintln(b.stderr, text)
	}
	return err
}

// report renders a suite from the records of whatever machine made them: a record
// counts if it differs from a run of the plan in device and threads at most.
func (b *bench) report(todo *plan.Plan) error {
	found, err := suite.Find(b.store, todo)
	if err != nil {
		return err
	}
	if err := found.Check(todo.Suite.Name, b.store); err != nil {
		return err
	}
	if !slices.ContainsFunc(todo.Runs, func(r plan.Run) bool { // a run that may still need one
		if !r.Job.KeepCheckpoint && r.Job.ContinueFrom == "" {
			return false
		}
		done, err := r.Job.Record(b.store, r.ID)
		return err != nil || done == nil
	}) {
		b.env.RemoveShared(todo) // workers leave them to the report that follows them
	}
	p, unwritten := b.place(todo)
	if p.Name == "" {
		return unwritten
	}
	return errors.Join(b.render(p, todo, found, nil, nil), unwritten)
}

// renderedRun is a run in the JSON that goes with a table.
type renderedRun struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// render writes the tables of a suite to stdout and to files, then the analyses to
// stdout; as JSON all of it is one document.
func (b *bench) render(p suite.Place, todo *plan.Plan, found suite.Found, outcomes []launch.Outcome, analyses []*analysis.Analysis) error {
	s, unwritten, err := b.env.Aggregate(p, todo, found)
	if err != nil {
		return err
	}
	if b.json {
		var runs []renderedRun
		for _, o := range outcomes {
			runs = append(runs, renderedRun{o.Run.ID, o.Status, o.Reason})
		}
		return errors.Join(unwritten, b.writeJSON(struct {
			*aggregate.Suite
			Runs     []renderedRun        `json:"runs,omitempty"`
			Analyses []*analysis.Analysis `json:"analyses,omitempty"`
		}{s, runs, analyses}))
	}
	if len(s.Tables) == 0 {
		if len(found.Records) > 0 {
			return fmt.Errorf("suite %s has no table: train.time_limit stopped every run that has a record; raise it and repeat the command", s.Name)
		}
		return nil // nothing finished
	}
	if err := errors.Join(b.writeSuite(todo.Suite.Columns, s), unwritten); err != nil {
		return err
	}
	return errors.Join(b.env.Write(p, s), report.WriteAnalyses(b.stdout, analysis.NewDigest(analyses)))
}

// writeSuite writes the tables of a suite to stdout, with the columns of -metrics, and leaves
// the suite with its own, which its files have.
func (b *bench) writeSuite(own []string, s *aggregate.Suite) error {
	columns := own
	if b.metrics != nil {
		columns = b.metrics
	}
	if err := s.Show(columns); err != nil {
		return err
	}
	err := b.writeTables(tables{
		text:     func(w io.Writer) error { return report.WriteSuite(w, s) },
		markdown: func(w io.Writer) { report.MarkdownSuite(w, s) },
		latex:    func(w io.Writer) { report.LatexPaper(w, s) },
		csv:      func() []byte { return report.ComparisonCSV(s, csvMetrics(columns)) },
	})
	return errors.Join(err, s.Show(own))
}

// cells measures what is missing of a suite of kind "cost" with steps, and renders all that was
// measured.
func (b *bench) cells(ctx context.Context, todo *plan.Plan) error {
	place, unwritten := b.place(todo)
	if unwritten != nil && (place.Name == "" || !b.options.report) {
		return unwritten
	}
	cells, err := b.env.Cells(place, b.machine(todo), b.options.report)
	if err != nil {
		return err
	}
	var verdict error
	if !b.options.report {
		outcomes, err := b.measure(ctx, todo, cells)
		if err != nil {
			return err
		}
		if verdict = b.verdictOn(ctx, outcomes); ctx.Err() != nil { // an interrupted command renders nothing
			return verdict
		}
	}
	shown, err := cells.Of(place, todo)
	if err != nil {
		return errors.Join(verdict, err)
	}
	if b.json {
		err = b.writeJSON(shown)
	} else {
		err = b.writeTables(tables{
			text:     func(w io.Writer) error { return report.WriteCells(w, shown) },
			markdown: func(w io.Writer) { report.MarkdownCells(w, shown) },
			latex:    func(w io.Writer) { report.LatexCells(w, shown) },
			csv:      func() []byte { return report.CellsCSV(shown) },
		})
	}
	if unwritten == nil {
		unwritten = b.env.WriteCells(place, shown)
	}
	return errors.Join(err, unwritten, verdict)
}

// measure measures the cells of a plan that are missing, and stores each at once.
func (b *bench) measure(ctx context.Context, todo *plan.Plan, cells *suite.Cells) ([]launch.Outcome, error) {
	runner := b.runner(nil)
	runner.Jobs = 1 // two at a time would measure each other
	runner.Measured = b.measured(cells)
	left, err := runner.Remaining(todo)
	if err != nil {
		return nil, err
	}
	if left.Runs > 0 {
		fmt.Fprintln(b.stderr, left)
	}
	p := newProgress(b.stderr, b.store, left.Each, 1)
	defer p.finish()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	runner.Observe = func(index int, one plan.Run, e run.Event) {
		if e.Kind == run.EventCost && err == nil {
			if err = cells.Add(*e.Cell); err != nil {
				stop() // the others could not be stored either
			}
		}
		p.observe(index, one, e)
	}
	working.Lock()
	defer working.Unlock()
	outcomes := runner.Run(ctx, todo.Runs)
	return outcomes, err
}

// measured are the cells that are not measured again: all, unless -again is given.
func (b *bench) measured(cells *suite.Cells) map[string]float64 {
	if b.again {
		return nil
	}
	return cells.Seconds()
}

// machine describes how this command measures cells.
func (b *bench) machine(todo *plan.Plan) record.Cells {
	return record.Cells{CPU: run.Processor(b.device), Device: b.device, Threads: todo.Threads, Steps: todo.Suite.Steps}
}

// cost measures the models of a suite and writes cost.json and a table.
func (b *bench) cost(ctx context.Context, todo *plan.Plan) error {
	place, err := b.place(todo)
	if err != nil {
		return err
	}
	p := newProgress(b.stderr, b.store, make([]time.Duration, len(todo.Runs)), 1)
	runner := b.runner(p)
	runner.Jobs = 1 // two at a time would measure each other
	working.Lock()
	outcomes := runner.Run(ctx, todo.Runs)
	working.Unlock()
	p.finish()
	costs := []record.Cost{}
	for _, o := range outcomes {
		if o.Cost != nil {
			costs = append(costs, *o.Cost)
		}
	}
	verdict := b.verdictOn(ctx, outcomes)
	if errors.Is(verdict, errInterrupted) {
		verdict = stopped(fmt.Sprintf("interrupted after %d of %d measurements; the same command measures everything again", len(costs), len(outcomes)))
	}
	if verdict != nil && len(costs) == 0 {
		return verdict
	}
	if b.json {
		err = b.writeJSON(costs)
	} else {
		name, summary := place.Name, place.Summary
		err = b.writeTables(tables{
			text:     func(w io.Writer) error { return report.WriteCosts(w, costs) },
			markdown: func(w io.Writer) { report.MarkdownCosts(w, name, summary, costs) },
			latex:    func(w io.Writer) { report.LatexCosts(w, name, costs) },
			csv:      func() []byte { return report.CostsCSV(costs) },
		})
	}
	if verdict != nil { // files with some of the models would replace those with all
		return errors.Join(err, verdict)
	}
	return errors.Join(b.env.WriteCosts(place, costs), err)
}

// tune searches in rungs and writes the values that are best on the validation items
// to SUITE.toml, where suites with the key "tuned" find them.
func (b *bench) tune(ctx context.Context, s plan.Suite, o plan.Options) error {
	first, err := b.config.PlanRung(s, o, 0, nil)
	if err == nil {
		err = b.findIdle(s)
	}
	if err != nil {
		return usageError{err}
	}
	first.Announce(b.stderr, b.options.report)
	if b.engine != "" {
		return b.submit(ctx, first)
	}
	if b.options.dryRun {
		left, known, err := first.Unknown(plan.FindIn(b.store))
		if err != nil {
			return err
		}
		if err := b.dryRun(left); err != nil {
			return err
		}
		if known > 0 {
			fmt.Fprintf(b.stderr, "%d trials were trained to the end already\n", known)
		}
		if len(s.Rungs) > 1 {
			fmt.Fprintf(b.stderr, "then the better half of each model's trials on each data set, and the configured settings, continue to the next of the rungs %d (epochs; 0: to the end)\n", s.Rungs)
		}
		return nil
	}
	p, unwritten := b.place(first)
	if unwritten != nil && (p.Name == "" || !b.options.report) {
		return unwritten
	}
	var do func(*plan.Plan) error
	if !b.options.report {
		do = func(todo *plan.Plan) error {
			outcomes, err := b.runs(ctx, todo)
			return errors.Join(err, b.verdictOn(ctx, outcomes))
		}
	}
	result, failed, err := b.env.Search(p, suite.Search{Suite: s, Options: o, First: first}, do)
	if err != nil {
		return err
	}
	if b.json {
		return errors.Join(b.writeJSON(result.Trials), failed, unwritten)
	}
	err = b.writeTables(tables{
		text:     func(w io.Writer) error { return report.WriteTrials(w, result) },
		markdown: func(w io.Writer) { report.MarkdownTrials(w, result) },
		latex:    func(w io.Writer) { report.LatexTrials(w, result) },
		csv:      func() []byte { return report.TrialsCSV(result.Trials) },
	})
	if err := errors.Join(err, failed); err != nil {
		return errors.Join(err, unwritten)
	}
	return errors.Join(b.env.WriteSearch(p, result), unwritten)
}
