package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/analysis"
	"famebench/internal/atomicfile"
	"famebench/internal/launch"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/report"
)

// report renders a suite from the records of whatever machine made them: a record
// counts if it differs from a run of the plan in device and threads at most.
func (b *bench) report(todo *plan.Plan) error {
	records, stale, err := b.find(todo)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		err := fmt.Errorf("no records of suite %s in %s: run it first, without -report", todo.Suite.Name, b.store.Dir)
		if len(stale) > 0 {
			err = fmt.Errorf("%w\n(%d records are stale, such as %s: %s)", err, len(stale), stale[0].ID, stale[0].Reason)
		}
		return err
	}
	if err := b.makeStore(); err != nil {
		return err
	}
	unwritten := todo.WriteData(b.store)
	return errors.Join(b.render(todo, records, stale, nil, nil), unwritten)
}

// makeStore makes the results folder ready to be written. A report may find one that
// is read-only: what it has to change there is an error of its own.
func (b *bench) makeStore() error {
	err := b.store.Make()
	if errors.Is(err, record.ErrLink) {
		return usageError{err}
	}
	if err != nil && !b.options.report {
		return err
	}
	b.store.Sweep()
	return nil
}

// find reads the records of a plan's runs from whatever machine, and names the stale
// ones. Both have ids that differ from those of planned runs in the hash alone.
func (b *bench) find(todo *plan.Plan) ([]*record.Record, []aggregate.Stale, error) {
	stored, damaged := b.like(todo)
	planned, err := b.planned(todo)
	if err != nil {
		return nil, nil, err
	}
	found, stale, err := aggregate.Match(planned, stored)
	return found, stale, errors.Join(damaged, err)
}

// like reads the records whose ids differ from those of a plan's runs in the hash alone. A
// damaged one among them is an error: without it a table, or the choice of a search, would
// be another.
func (b *bench) like(todo *plan.Plan) ([]*record.Record, error) {
	wanted := map[string]bool{}
	for _, r := range todo.Runs {
		wanted[aggregate.Stem(r.ID)] = true
	}
	all, err := b.store.IDs()
	if err != nil {
		return nil, err
	}
	return b.records(slices.DeleteFunc(all, func(id string) bool { return !wanted[aggregate.Stem(id)] }))
}

func (b *bench) planned(todo *plan.Plan) ([]aggregate.Planned, error) {
	var out []aggregate.Planned
	for _, r := range todo.Runs {
		p := aggregate.Planned{Spec: r.Job.Spec}
		f, err := b.store.ReadFailure(r.ID)
		if err != nil {
			return nil, err
		}
		switch {
		case f != nil && f.Environment:
			// The reason may hold paths of that machine, which have no place in a table.
			p.Failure = "the machine kept it from ending, see runs/" + r.ID + ".failed.json; the same command tries it again"
		case f != nil:
			p.Failure = f.Reason
		}
		out = append(out, p)
	}
	return out, nil
}

// recorded reads all records of the results folder.
func (b *bench) recorded() ([]*record.Record, error) {
	ids, err := b.store.IDs()
	if err != nil {
		return nil, err
	}
	stored, _ := b.records(ids) // a damaged one is told where it is asked for
	return stored, nil
}

// aggregate computes all that is shown of a suite, or reads it if nothing behind it
// has changed since the last time.
func (b *bench) aggregate(todo *plan.Plan, records []*record.Record, stale []aggregate.Stale) (*aggregate.Suite, error) {
	planned, err := b.planned(todo)
	if err != nil {
		return nil, err
	}
	var stats []datasets.Stats
	var axes, skipped, proposals []string
	code := map[string]string{}
	for _, d := range todo.Data {
		stats = append(stats, d.Stats)
	}
	for _, a := range todo.Suite.Axes {
		axes = append(axes, a.Name)
	}
	for _, k := range todo.Skipped {
		if k.Missing { // the reason holds paths of this machine, which have no place in a table
			k.Reason = "not here, so its records were not looked for"
		}
		skipped = append(skipped, k.What+": "+k.Reason)
	}
	for _, name := range todo.Suite.Models {
		if code[name], err = registry.CodeOf(registry.Models, name); err != nil {
			return nil, err
		}
		if registry.Proposed(registry.Models, name) {
			proposals = append(proposals, name)
		}
	}
	in := aggregate.Input{
		Name: todo.Suite.Name, Summary: todo.Suite.Summary, Axes: axes, Proposals: proposals, Planned: planned, Records: records,
		Stale: stale, Skipped: skipped, Datasets: stats, Published: b.published, Store: b.store, Code: code,
	}
	b.announceCode(in)
	key, err := in.Key()
	if err != nil {
		return nil, err
	}
	origin, err := b.origin(todo)
	if err != nil {
		return nil, err
	}
	s, from, err := aggregate.Load(b.store.AggregatePath(in.Name))
	if err == nil && s.Key == key {
		if !reflect.DeepEqual(from, origin) { // other suites have new records
			b.keep(s, origin)
		}
		return s, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(b.stderr, "notice: %v; it is computed again from the records\n", err)
	}
	fmt.Fprintf(b.stderr, "comparing %d records: intervals and tests take some seconds once\n", len(records))
	if s, err = aggregate.Make(in); err != nil {
		return nil, err
	}
	b.keep(s, origin)
	return s, nil
}

// origin is what the runs of a plan were made from.
func (b *bench) origin(todo *plan.Plan) (aggregate.Origin, error) {
	var ids []string
	for _, r := range todo.Runs {
		ids = append(ids, r.ID)
	}
	return aggregate.NewOrigin(b.store, b.published, ids)
}

// keep saves an aggregate. Without it the same is computed again the next time, so
// that it cannot be saved is no failure.
func (b *bench) keep(s *aggregate.Suite, origin aggregate.Origin) {
	err := b.store.MakeFolder("aggregates")
	if err == nil {
		err = s.Save(b.store.AggregatePath(s.Name), origin)
	}
	if err != nil {
		fmt.Fprintf(b.stderr, "warning: the comparison of suite %s is not kept: %v\n", s.Name, err)
	}
}

// announceCode says, in one line, which records were made by other code.
func (b *bench) announceCode(in aggregate.Input) {
	var made []string
	models := map[string]bool{}
	for _, r := range in.Records {
		if c := r.Measured.Code; c != "" && c != in.Code[r.Result.Spec.Model] {
			made = append(made, r.ID)
			models[r.Result.Spec.Model] = true
		}
	}
	if made == nil {
		return
	}
	fmt.Fprintf(b.stderr, "note: the code of %s has changed since %d of %d records were made, such as %s; -again trains them again, -verify ID compares\n",
		strings.Join(slices.Sorted(maps.Keys(models)), ", "), len(made), len(in.Records), made[0])
}

// renderedRun is a run in the JSON that goes with a table.
type renderedRun struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// render writes the tables of a suite to stdout and to files, then the analyses to
// stdout; as JSON all of it is one document.
func (b *bench) render(todo *plan.Plan, records []*record.Record, stale []aggregate.Stale, outcomes []launch.Outcome, analyses []*analysis.Analysis) error {
	s, err := b.aggregate(todo, records, stale)
	if err != nil {
		return err
	}
	if b.json {
		var runs []renderedRun
		for _, o := range outcomes {
			runs = append(runs, renderedRun{o.Run.ID, o.Status, o.Reason})
		}
		return b.writeJSON(struct {
			*aggregate.Suite
			Runs     []renderedRun        `json:"runs,omitempty"`
			Analyses []*analysis.Analysis `json:"analyses,omitempty"`
		}{s, runs, analyses})
	}
	if len(s.Tables) == 0 {
		return nil // nothing finished
	}
	if err := report.WriteSuite(b.stdout, s); err != nil {
		return err
	}
	var markdown, latex bytes.Buffer
	report.MarkdownSuite(&markdown, s)
	report.LatexSuite(&latex, s)
	files := []tableFile{
		{".md", markdown.Bytes()},
		{".tex", latex.Bytes()},
		{".csv", report.ComparisonCSV(s)},
		{".datasets.csv", report.DatasetsCSV(s.Datasets)},
		{".published.csv", report.PublishedCSV(s.Checks)},
		{".claims.csv", report.ClaimsCSV(s.Claims)},
		{".breakdown.csv", report.BreakdownCSV(s)},
		{".pretrain.csv", report.PretrainCSV(s)},
	}
	return errors.Join(b.writeTables(s.Name, files), b.page(s), report.WriteAnalyses(b.stdout, analysis.NewDigest(analyses)))
}

// tableFile is one of the files of a suite's tables; without text there is none.
type tableFile struct {
	ext  string
	text []byte
}

func (b *bench) writeTables(suite string, files []tableFile) error {
	err := b.store.MakeFolder("tables")
	for _, f := range files {
		path := b.store.TablePath(suite, f.ext)
		if err != nil { // the others would say the same
			break
		}
		if f.text == nil {
			// A read-only folder refuses to remove what does not exist, too.
			if _, missing := os.Lstat(path); missing == nil {
				err = os.Remove(path)
			}
			continue
		}
		text := append(bytes.TrimRight(f.text, "\n"), '\n')
		err = atomicfile.Update(path, text)
	}
	if err == nil {
		fmt.Fprintf(b.stderr, "\nas Markdown, LaTeX and CSV: %s\n", b.store.TablePath(suite, ".*"))
	}
	return err
}

// cost measures the models of a suite and writes cost.json and a table.
func (b *bench) cost(ctx context.Context, todo *plan.Plan) error {
	if err := b.makeStore(); err != nil {
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
	var markdown, latex bytes.Buffer
	report.MarkdownCosts(&markdown, todo.Suite.Name, todo.Suite.Summary, costs)
	report.LatexCosts(&latex, todo.Suite.Name, costs)
	return b.writeTables(todo.Suite.Name, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.CostsCSV(costs)}})
}
