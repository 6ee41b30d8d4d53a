package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/experiment"
	"famebench/internal/figure"
	"famebench/internal/page"
)

// page draws the figures of a suite, and writes the page of all suites that have
// an aggregate. What would not change is left alone.
func (b *bench) page(suite string) error {
	b.remember()
	suites, err := aggregate.ReadAll(b.store.AggregatesDir())
	if err != nil || len(suites) == 0 {
		return err
	}
	for _, s := range suites {
		if s.Name == suite {
			if err := figure.Write(b.store.FiguresDir(suite), figure.Of(s)); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(suites, func(x, y *aggregate.Suite) int { return cmp.Compare(b.place(x.Name), b.place(y.Name)) })
	var text bytes.Buffer
	if err := page.Write(&text, suites); err != nil {
		return err
	}
	if err := atomicfile.Update(b.store.PagePath(), text.Bytes()); err != nil {
		return err
	}
	fmt.Fprintf(b.stderr, "with figures, beside other suites: %s\n", b.store.PagePath())
	return nil
}

// place of a suite in experiments.toml; behind all others if it is not there.
func (b *bench) place(suite string) int {
	suites := b.config.Suites()
	if i := slices.IndexFunc(suites, func(s experiment.Suite) bool { return s.Name == suite }); i >= 0 {
		return i
	}
	return len(suites)
}

// remember aggregates the suites that have tables but no aggregate. So it is in a
// clone: git keeps the tables and the records, from which the rest is made again.
func (b *bench) remember() {
	if len(b.sets) > 0 {
		return // with other settings they are other suites
	}
	for _, s := range b.config.Suites() {
		_, unmade := os.Stat(b.store.AggregatePath(s.Name))
		_, unseen := os.Stat(b.store.TablePath(s.Name, ".md"))
		if unmade == nil || unseen != nil || s.Kind == experiment.KindCost {
			continue
		}
		if err := b.again(s); err != nil {
			fmt.Fprintf(b.stderr, "warning: the page lacks suite %s: %v\n", s.Name, err)
		}
	}
}

// again aggregates the records of a suite.
func (b *bench) again(s experiment.Suite) error {
	o := experiment.Options{Device: b.device, Threads: b.threads, Out: b.store.Dir, Source: b.source, Recorded: sync.OnceValues(b.recorded)}
	if s.Kind == experiment.KindTune {
		first, err := b.config.PlanTrials(s, o)
		if err != nil {
			return err
		}
		trials, err := b.searchedBefore(s, o, first)
		if err != nil || len(trials) == 0 {
			return err
		}
		return searched(s, trials).Save(b.store.AggregatePath(s.Name))
	}
	plan, err := b.config.Plan(s, o)
	if err != nil {
		return err
	}
	records, stale, err := b.find(plan)
	if err != nil || len(records) == 0 {
		return err
	}
	_, err = b.aggregate(plan, records, stale)
	return err
}
