// Package suite turns the records of a suite into everything that is shown of it. It
// finds the suite's records, aggregates them, and writes the summary, tables, figures and
// the page. It decides under which name, so that a command that a user makes up replaces
// no file of a suite.
//
// A summary holds all that tables, figures and the page show of one suite. The page reads
// the summaries of all suites and nothing else.
package suite

import (
	"io"

	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// Env is what the outputs of a suite are made with.
type Env struct {
	Config    *plan.Config
	Store     record.Store
	Published *aggregate.Published // nil: there are no numbers to compare with
	Log       io.Writer            // gets notices
}
