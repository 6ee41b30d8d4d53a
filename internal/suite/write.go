package suite

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/figure"
	"famebench/internal/page"
	"famebench/internal/plan"
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
		{".breakdown.csv", report.BreakdownCSV(s)},
		{".pretrain.csv", report.PretrainCSV(s)},
	}), e.writePage(p, s))
}

// WriteSearch writes the summary and the tables of a search, the values that it chose, and
// the page.
func (e Env) WriteSearch(p Place, s *aggregate.Suite) error {
	var markdown, latex bytes.Buffer
	report.MarkdownTrials(&markdown, p.Name, p.Summary, s.Trials)
	report.LatexTrials(&latex, p.Name, s.Trials)
	return errors.Join(
		e.writeTables(p, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.TrialsCSV(s.Trials)}}),
		e.writePage(p, s))
}

// WriteCosts writes what was measured, as JSON and as tables.
func (e Env) WriteCosts(p Place, costs []record.Cost) error {
	path := filepath.Join(p.Store.Dir, "cost.json")
	if err := record.WriteJSON(path, costs); err != nil {
		return err
	}
	fmt.Fprintf(e.Log, "written: %s\n", path)
	// Its summary has nothing for the page, but its plan.
	if err := e.keep(p, &aggregate.Suite{Name: p.Name, Summary: p.Summary}, ""); err != nil {
		return err
	}
	var markdown, latex bytes.Buffer
	report.MarkdownCosts(&markdown, p.Name, p.Summary, costs)
	report.LatexCosts(&latex, p.Name, costs)
	return e.writeTables(p, []tableFile{{".md", markdown.Bytes()}, {".tex", latex.Bytes()}, {".csv", report.CostsCSV(costs)}})
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

// writePage draws the figures of a suite, and writes the page of all suites that have a
// summary. What would not change is left alone.
func (e Env) writePage(p Place, own *aggregate.Suite) error {
	suites, err := e.others(p)
	if err != nil {
		return err
	}
	suites = append(suites, own)
	if err := errors.Join(p.Store.NoLink("figures"), p.Store.NoLink("figures/"+p.Name)); err != nil {
		return err
	}
	drawn := figure.Write(p.Store.FiguresDir(p.Name), figure.Of(own))
	slices.SortFunc(suites, func(x, y *aggregate.Suite) int {
		return cmp.Or(cmp.Compare(e.order(x.Name), e.order(y.Name)), cmp.Compare(x.Name, y.Name))
	})
	var text bytes.Buffer
	if err := page.Write(&text, suites); err != nil {
		return err
	}
	if err := errors.Join(drawn, atomicfile.Update(p.Store.PagePath(), p.relink(text.Bytes()))); err != nil {
		return err
	}
	fmt.Fprintf(e.Log, "with figures, next to other suites: %s\n", p.Store.PagePath())
	return nil
}

// relink makes the links of a page lead to records and statistics: a page in custom/NAME
// has them two folders above it.
func (p Place) relink(page []byte) []byte {
	if !p.custom {
		return page
	}
	for _, link := range []string{`href="runs/`, `href="datasets/`, "href: `runs/"} {
		i := strings.IndexAny(link, "\"`") + 1 // where the path begins
		page = bytes.ReplaceAll(page, []byte(link), []byte(link[:i]+"../../"+link[i:]))
	}
	return page
}

// others reads the summaries of all suites but that of a place. The page does without a
// damaged one, and a notice says how to make it again.
func (e Env) others(p Place) ([]*aggregate.Suite, error) {
	entries, err := os.ReadDir(p.Store.SummariesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("summaries: %w", err)
	}
	var suites []*aggregate.Suite
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok || strings.HasPrefix(name, ".") || name == p.Name { // a dot: half-written
			continue
		}
		s, err := ReadSummary(filepath.Join(p.Store.SummariesDir(), entry.Name()))
		if err != nil {
			fmt.Fprintf(e.Log, "notice: the page lacks suite %s: %v; bench -suite %s -report makes it again\n", name, err, name)
			continue
		}
		if len(s.Tables)+len(s.Trials) > 0 {
			suites = append(suites, s.Suite)
		}
	}
	return suites, nil
}

// order is the position of a suite in experiments.toml; suites that are not there come
// last.
func (e Env) order(suite string) int {
	suites := e.Config.Suites()
	if i := slices.IndexFunc(suites, func(s plan.Suite) bool { return s.Name == suite }); i >= 0 {
		return i
	}
	return len(suites)
}
