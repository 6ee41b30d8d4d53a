package main

import (
	"context"
	"errors"
	"fmt"
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

// changes are the flags that may change what a suite asks for, but for one.
func (o *options) changes(without string) string {
	var out []string
	for _, f := range []struct {
		name   string
		values []string
	}{{"models", o.models}, {"datasets", o.datasets}, {"seeds", strings.Fields(strings.Trim(fmt.Sprint(o.seeds), "[]"))}} {
		if len(f.values) > 0 && f.name != without {
			out = append(out, "-"+f.name+" "+strings.Join(f.values, ","))
		}
	}
	for _, s := range o.sets {
		if !saysWhere(s) {
			out = append(out, "-set "+s)
		}
	}
	return strings.Join(out, " ")
}

// saysWhere reports whether a value of -set only says where files are. Their content
// decides whether it is another plan.
func saysWhere(set string) bool {
	key, _, _ := strings.Cut(set, "=")
	key = strings.TrimSpace(key)
	file := slices.ContainsFunc([]string{".path", ".items", ".attributes", ".unpack_limit"}, func(end string) bool { return strings.HasSuffix(key, end) })
	return strings.HasPrefix(key, "datasets.") && file || strings.HasSuffix(key, "pretrain.encoder")
}

// suite does the runs of a plan that have no record, then renders.
func (b *bench) suite(ctx context.Context, todo *plan.Plan) error {
	if b.expect { // of more seeds than the suite compares
		if err := todo.CheckWhole(b.changes("seeds")); err != nil {
			return usageError{err}
		}
	}
	p, err := b.place(todo)
	if err != nil {
		return err
	}
	outcomes, err := b.runs(ctx, todo)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // an interrupted command renders nothing
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
		return nil // nothing finished
	}
	if err := errors.Join(report.WriteSuite(b.stdout, s), unwritten); err != nil {
		return err
	}
	return errors.Join(b.env.Write(p, s), report.WriteAnalyses(b.stdout, analysis.NewDigest(analyses)))
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
	if err := b.verdictOn(ctx, outcomes); err != nil {
		return err
	}
	if b.json {
		err = b.writeJSON(costs)
	} else {
		err = report.WriteCosts(b.stdout, costs)
	}
	return errors.Join(b.env.WriteCosts(place, costs), err)
}

// tune searches in rungs and writes the values that are best on the validation items
// to SUITE.toml, where suites with the key "tuned" find them.
func (b *bench) tune(ctx context.Context, s plan.Suite, o plan.Options) error {
	first, err := b.config.PlanRung(s, o, 0, nil)
	if err != nil {
		return usageError{err}
	}
	first.Announce(b.stderr, b.options.report)
	if b.options.dryRun {
		if err := b.dryRun(first); err != nil {
			return err
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
	if err := errors.Join(report.WriteTrials(b.stdout, result), failed); err != nil {
		return errors.Join(err, unwritten)
	}
	return errors.Join(b.env.WriteSearch(p, result), unwritten)
}
