package main

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"

	"famebench/internal/audit"
	"famebench/internal/imported"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/report"
	"famebench/internal/suite"
)

// recorded reads the records of the results folder once, when a plan needs them.
func (b *bench) recorded() func() ([]*record.Record, error) {
	return sync.OnceValues(func() ([]*record.Record, error) { return suite.Recorded(b.store) })
}

// compare sets the second side of -compare against the first.
func (b *bench) compare() error {
	c, err := b.env.Compare(b.options.compare, b.second, plan.Options{Out: b.store.Dir, Source: b.source, Recorded: b.recorded()})
	switch {
	case errors.As(err, &suite.ArgumentError{}):
		return usageError{err}
	case err != nil:
		return err
	case b.json:
		return b.writeJSON(c)
	}
	return report.WriteComparison(b.stdout, c)
}

// importLists imports the lists of another program.
func (b *bench) importLists() error {
	name, file := b.imports, b.second
	if err := plan.CheckImportedName(name, registry.Models); err != nil {
		return usageError{fmt.Errorf("-import: %w", err)}
	}
	split, spec, err := b.config.Split(b.datasets[0])
	if err != nil {
		return usageError{fmt.Errorf("-import: %w", err)}
	}
	l := imported.Lists{Path: file, Split: split, Spec: record.ImportSpec{Name: name, Dataset: spec.Dataset, Protocol: spec.Protocol, Rule: b.seen}}
	if len(b.seeds) > 0 {
		l.Spec.Seed = b.seeds[0]
	}
	m, notices, err := l.Read()
	switch {
	case errors.As(err, &imported.Problems{}), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EISDIR):
		return usageError{fmt.Errorf("-import: %w", err)}
	case err != nil:
		return fmt.Errorf("-import: %w", err)
	}
	for i, text := range notices {
		if i == mostNotices {
			fmt.Fprintf(b.stderr, "notice: and %d more\n", len(notices)-i)
			break
		}
		fmt.Fprintf(b.stderr, "notice: %s, %s\n", file, text)
	}
	if err := imported.Store(b.store, m); err != nil {
		return usageError{fmt.Errorf("-import: %w", err)}
	}
	fmt.Fprintf(b.stderr, "tables show it in suites with imported = [%q], and -compare as imported/%s\n", name, name)
	if b.json {
		return b.writeJSON(m)
	}
	return report.WriteImported(b.stdout, m, b.store.ImportedPath(m.ID))
}

// mostNotices is how many notices about a file are printed.
const mostNotices = 10

// check checks a results folder. Exit code 1 means that something is wrong with it.
func (b *bench) check() error {
	r, err := audit.Folder(b.options.check, b.store)
	if err != nil {
		return usageError{fmt.Errorf("-check: %w", err)}
	}
	if b.json {
		err = b.writeJSON(r)
	} else {
		err = audit.Write(b.stdout, r)
	}
	if err == nil && !r.OK {
		err = fmt.Errorf("-check: %d problems in %s", len(r.Problems), r.Folder)
	}
	return err
}
