package main

import (
	"bytes"
	"fmt"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/figure"
	"famebench/internal/page"
)

// page draws the figures of a suite, and writes the page of all suites that have
// an aggregate. What would not change is left alone.
func (b *bench) page(suite string) error {
	suites, err := aggregate.ReadAll(b.store.AggregatesDir())
	if err != nil || len(suites) == 0 {
		return err
	}
	for _, s := range suites {
		if s.Name == suite {
			if err := figure.Write(b.store.FiguresDir(), figure.Of(s)); err != nil {
				return err
			}
		}
	}
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
