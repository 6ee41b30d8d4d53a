package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/figure"
	"famebench/internal/page"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// page draws the figures of a suite, and writes the page of all suites that were
// rendered. What would not change is left alone.
func (b *bench) page(suite *aggregate.Suite) error {
	suites := []*aggregate.Suite{suite}
	names, err := aggregate.Saved(b.store.AggregatesDir())
	if err != nil {
		return err
	}
	for _, s := range b.config.Suites() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	recorded := sync.OnceValues(b.recorded)
	for _, name := range slices.Compact(names) {
		if name == suite.Name {
			continue
		}
		s, err := b.other(name, recorded)
		if err != nil {
			fmt.Fprintf(b.stderr, "warning: the page lacks suite %s: %v\n", name, err)
		}
		if s != nil {
			suites = append(suites, s)
		}
	}
	if err := errors.Join(b.store.NoLink("figures"), b.store.NoLink("figures/"+suite.Name)); err != nil {
		return err
	}
	drawn := figure.Write(b.store.FiguresDir(suite.Name), figure.Of(suite))
	slices.SortFunc(suites, func(x, y *aggregate.Suite) int {
		return cmp.Or(cmp.Compare(b.place(x.Name), b.place(y.Name)), cmp.Compare(x.Name, y.Name))
	})
	var text bytes.Buffer
	if err := page.Write(&text, suites); err != nil {
		return err
	}
	if err := errors.Join(drawn, atomicfile.Update(b.store.PagePath(), text.Bytes())); err != nil {
		return err
	}
	fmt.Fprintf(b.stderr, "with figures, beside other suites: %s\n", b.store.PagePath())
	return nil
}

// place of a suite in experiments.toml; behind all others if it is not there.
func (b *bench) place(suite string) int {
	suites := b.config.Suites()
	if i := slices.IndexFunc(suites, func(s plan.Suite) bool { return s.Name == suite }); i >= 0 {
		return i
	}
	return len(suites)
}

// other gives another suite as it was rendered last, if nothing that it was made from
// has changed since; otherwise it is made again. So it is in a clone: git keeps the
// tables and the records, from which the rest is made. nil: it was never rendered.
func (b *bench) other(name string, recorded func() ([]*record.Record, error)) (*aggregate.Suite, error) {
	s, origin, err := aggregate.Load(b.store.AggregatePath(name))
	if err == nil && origin.Current(b.store, b.published) {
		return s, nil
	}
	switch {
	case err == nil:
		err = errors.New("its records have changed since it was rendered")
	case errors.Is(err, fs.ErrNotExist):
		if _, unseen := os.Stat(b.store.TablePath(name, ".md")); unseen != nil || len(b.sets) > 0 {
			return nil, nil
		}
	default:
		fmt.Fprintf(b.stderr, "notice: %v; it is computed again from the records\n", err)
	}
	i := b.place(name)
	suites := b.config.Suites()
	if i == len(suites) || len(b.sets) > 0 { // with other settings it is another suite
		return nil, fmt.Errorf("%w; render it with -report", err)
	}
	if suites[i].Kind == plan.KindCost {
		return nil, nil
	}
	return b.again(suites[i], recorded)
}

// again aggregates the records of a suite; nil if it has none.
func (b *bench) again(s plan.Suite, recorded func() ([]*record.Record, error)) (*aggregate.Suite, error) {
	o := plan.Options{Device: b.device, Threads: b.threads, Out: b.store.Dir, Source: b.source, Recorded: recorded}
	if s.Kind == plan.KindTune {
		first, err := b.config.PlanTrials(s, o)
		if err != nil {
			return nil, err
		}
		trials, err := b.searchedBefore(s, o, first)
		if err != nil || len(trials) == 0 {
			return nil, err
		}
		suite := searched(s, trials)
		origin, err := b.origin(first)
		if err == nil {
			b.keep(suite, origin)
		}
		return suite, err
	}
	todo, err := b.config.Plan(s, o)
	if err != nil {
		return nil, err
	}
	records, stale, err := b.find(todo)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return b.aggregate(todo, records, stale)
}
