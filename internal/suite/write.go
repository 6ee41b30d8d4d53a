package suite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"famebench/internal/aggregate"
	"famebench/internal/analysis"
	"famebench/internal/atomicfile"
	"famebench/internal/record"
	"famebench/internal/report"
)

// Write writes the tables and figures of a suite, and the page.
func (e Env) Write(p Place, s *aggregate.Suite) error {
	return errors.Join(e.writeTables(p, TableFiles(s, nil)), e.writePage(p, s))
}

// TableFiles are the files of a suite's tables: of a comparison, of a search, or else of costs,
// which its summary does not have.
func TableFiles(s *aggregate.Suite, costs []record.Cost) []TableFile {
	var markdown, latex bytes.Buffer
	switch {
	case len(s.Trials) > 0:
		report.MarkdownTrials(&markdown, s)
		report.LatexTrials(&latex, s)
		return newTableFiles(&markdown, &latex, report.TrialsCSV(s.Trials))
	case len(s.Tables) == 0:
		report.MarkdownCosts(&markdown, s.Name, s.Summary, costs)
		report.LatexCosts(&latex, s.Name, costs)
		return newTableFiles(&markdown, &latex, report.CostsCSV(costs))
	}
	report.MarkdownSuite(&markdown, s)
	report.LatexSuite(&latex, s)
	return append(newTableFiles(&markdown, &latex, report.ComparisonCSV(s, aggregate.Columns)), []TableFile{
		{".beyond.csv", report.ComparisonCSV(s, aggregate.Beyond)},
		{".datasets.csv", report.DatasetsCSV(s.Datasets)},
		{".published.csv", report.PublishedCSV(s.Checks)},
		{".claims.csv", report.ClaimsCSV(s.Claims)},
		{".contrasts.csv", report.ContrastsCSV(s.Contrasts)},
		{".equality.csv", report.EqualityCSV(s.Equality)},
		{".interaction.csv", report.InteractionCSV(s.Interactions)},
		{".pairs.csv", report.PairsCSV(s.Pairs)},
		{".breakdown.csv", report.BreakdownCSV(s)},
		{".complexity.csv", report.ComplexityCSV(s)},
		{".pretrain.csv", report.PretrainCSV(s)},
	}...)
}

func newTableFiles(markdown, latex *bytes.Buffer, csv []byte) []TableFile {
	return []TableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", csv}}
}

// Content is the text with one line break at its end.
func (f TableFile) Content() []byte { return append(bytes.TrimRight(f.Text, "\n"), '\n') }

// WriteSearch writes the tables of a search and the page.
func (e Env) WriteSearch(p Place, s *aggregate.Suite) error {
	return errors.Join(e.writeTables(p, TableFiles(s, nil)), e.writePage(p, s))
}

// WriteCosts writes what was measured, as JSON and as tables.
func (e Env) WriteCosts(p Place, costs []record.Cost) error {
	// Its summary has nothing for the page, but its plan.
	s := &aggregate.Suite{Name: p.Name, Summary: p.Summary}
	if err := e.keep(p, s, ""); err != nil {
		return err
	}
	path := filepath.Join(p.Store.Dir, "cost.json")
	if err := record.WriteJSON(path, costs); err != nil {
		return err
	}
	fmt.Fprintf(e.Log, "written: %s\n", path)
	return e.writeTables(p, TableFiles(s, costs))
}

// WriteAnalyses writes the table of all analyses of generated data, if there are several.
func (e Env) WriteAnalyses(p Place, d analysis.Digest) error {
	csv := report.TruthCSV(d)
	if csv == nil {
		return nil
	}
	var markdown bytes.Buffer
	report.MarkdownTruth(&markdown, p.Name, p.Summary, d)
	err := p.Store.MakeFolder("analysis")
	for _, f := range []TableFile{{".md", markdown.Bytes()}, {".csv", csv}} {
		if err == nil {
			err = atomicfile.Update(p.Store.AnalysesPath(p.Name, f.Ext), f.Content())
		}
	}
	if err == nil {
		fmt.Fprintf(e.Log, "the analyses as Markdown and CSV: %s\n", p.Store.AnalysesPath(p.Name, ".*"))
	}
	return err
}

// TableFile is one of the files of a suite's tables; without text there is none.
type TableFile struct {
	Ext  string
	Text []byte
}

func (e Env) writeTables(p Place, files []TableFile) error {
	err := p.Store.MakeFolder("tables")
	for _, f := range files {
		path := p.Store.TablePath(p.Name, f.Ext)
		if err != nil { // the others would say the same
			break
		}
		if f.Text == nil {
			// A read-only folder refuses to remove what does not exist, too.
			if _, missing := os.Lstat(path); missing == nil {
				err = os.Remove(path)
			}
			continue
		}
		err = atomicfile.Update(path, f.Content())
	}
	if err == nil {
		fmt.Fprintf(e.Log, "\nas Markdown, LaTeX and CSV: %s\n", p.Store.TablePath(p.Name, ".*"))
	}
	return err
}
