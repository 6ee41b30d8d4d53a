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
	var markdown, latex bytes.Buffer
	report.MarkdownSuite(&markdown, s)
	report.LatexSuite(&latex, s)
	return errors.Join(e.writeTables(p, []tableFile{
		{".md", markdown.Bytes()},
		{".tex", latex.Bytes()},
		{".csv", report.ComparisonCSV(s)},
		{".datasets.csv", report.DatasetsCSV(s.Datasets)},
		{".published.csv", report.PublishedCSV(s.Checks)},
		{".claims.csv", report.ClaimsCSV(s.Claims)},
		{".contrasts.csv", report.ContrastsCSV(s.Contrasts)},
		{".equality.csv", report.EqualityCSV(s.Equality)},
		{".interaction.csv", report.InteractionCSV(s.Interactions)},
		{".breakdown.csv", report.BreakdownCSV(s)},
		{".complexity.csv", report.ComplexityCSV(s)},
		{".pretrain.csv", report.PretrainCSV(s)},
	}), e.writePage(p, s))
}

// WriteSearch writes the tables of a search and the page.
func (e Env) WriteSearch(p Place, s *aggregate.Suite) error {
	var markdown, latex bytes.Buffer
	report.MarkdownTrials(&markdown, s)
	report.LatexTrials(&latex, s)
	return errors.Join(
		e.writeTables(p, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.TrialsCSV(s.Trials)}}),
		e.writePage(p, s))
}

// WriteCosts writes what was measured, as JSON and as tables.
func (e Env) WriteCosts(p Place, costs []record.Cost) error {
	// Its summary has nothing for the page, but its plan.
	if err := e.keep(p, &aggregate.Suite{Name: p.Name, Summary: p.Summary}, ""); err != nil {
		return err
	}
	path := filepath.Join(p.Store.Dir, "cost.json")
	if err := record.WriteJSON(path, costs); err != nil {
		return err
	}
	fmt.Fprintf(e.Log, "written: %s\n", path)
	var markdown, latex bytes.Buffer
	report.MarkdownCosts(&markdown, p.Name, p.Summary, costs)
	report.LatexCosts(&latex, p.Name, costs)
	return e.writeTables(p, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.CostsCSV(costs)}})
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
	for _, f := range []tableFile{{".md", markdown.Bytes()}, {".csv", csv}} {
		if err == nil {
			err = atomicfile.Update(p.Store.AnalysesPath(p.Name, f.ext), append(bytes.TrimRight(f.text, "\n"), '\n'))
		}
	}
	if err == nil {
		fmt.Fprintf(e.Log, "the analyses as Markdown and CSV: %s\n", p.Store.AnalysesPath(p.Name, ".*"))
	}
	return err
}

// tableFile is one of the files of a suite's tables; without text there is none.
type tableFile struct {
	ext  string
	text []byte
}

func (e Env) writeTables(p Place, files []tableFile) error {
	err := p.Store.MakeFolder("tables")
	for _, f := range files {
		path := p.Store.TablePath(p.Name, f.ext)
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
		err = atomicfile.Update(path, append(bytes.TrimRight(f.text, "\n"), '\n'))
	}
	if err == nil {
		fmt.Fprintf(e.Log, "\nas Markdown, LaTeX and CSV: %s\n", p.Store.TablePath(p.Name, ".*"))
	}
	return err
}
