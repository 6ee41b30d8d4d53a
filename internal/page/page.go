// Package page writes results/index.html: all suites in one page that needs no
// network, with tables that sort, figures, published numbers and claims beside ours,
// the protocol, and behind every number the runs that it comes from.
//
// Like package report it computes nothing. The template page.html shows sheets,
// tables whose cells are formatted in Go; page.js moves rows and opens the panel
// of a cell, which shows what stands in a block of JSON, every run once.
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/figure"
)

//go:embed page.html page.css page.js
var files embed.FS

// parse returns the template with its style sheet and its program.
func parse() (*template.Template, error) {
	asset := func(name string) (string, error) {
		text, err := files.ReadFile(name)
		return string(text), err
	}
	return template.New("page.html").Funcs(template.FuncMap{
		"css":        func() (template.CSS, error) { s, err := asset("page.css"); return template.CSS(s), err },
		"upperFirst": upperFirst,
		"js":         func() (template.JS, error) { s, err := asset("page.js"); return template.JS(s), err },
	}).ParseFS(files, "page.html")
}

// Write writes one page with all suites: tables that sort, figures, what the
// numbers mean, and behind every cell the runs that it comes from. The page is
// complete in itself, but links to records beside it (runs/ID.json), so it belongs
// into the results folder.
func Write(w io.Writer, suites []*aggregate.Suite) error {
	t, err := parse()
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	p, err := newContent(suites)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	// The template knows markup, but lets through what reorders or hides text.
	if _, err := io.WriteString(w, escape.Controls(b.String())); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// content is what the template shows.
type content struct {
	Suites []suite
	Runs   int // different ones
	Data   data
}

type suite struct {
	ID      string // of its heading
	Name    string
	Summary string
	Notes   []string
	Data    *sheet
	Trials  *sheet // of a search
	Tables  []table
	Checks  *sheet
	Claims  []claim
}

type table struct {
	ID        string
	Dataset   string
	About     string // users, items, protocol
	Baseline  string
	Sheets    []*sheet // test metrics under both rules, training
	Footnotes []string // of rows, numbered from 1
	Notes     []string // about the table
	Figures   []drawing
	Heads     *sheet   // what pre-training learned
	Curves    *sheet   // the numbers of the training curves
	Groups    []*sheet // NDCG@10 on groups of users
}

type drawing struct {
	*figure.Figure
	Suite string
	SVG   template.HTML
}

type claim struct {
	aggregate.Claim
	Claimed string
	Class   string
	Found   []evidence
}

type evidence struct {
	aggregate.ClaimEvidence
	Percent string
	Ref     string
}

func newContent(suites []*aggregate.Suite) (*content, error) {
	p := &content{Data: newData(suites)}
	p.Runs = len(p.Data.Runs)
	for i, s := range suites {
		ps := suite{ID: fmt.Sprintf("suite-%d", i), Name: s.Name, Summary: s.Summary, Notes: s.Notes, Data: dataSheet(s), Trials: trialSheet(s)}
		drawn, err := drawAll(s)
		if err != nil {
			return nil, err
		}
		for k := range s.Tables {
			t := &s.Tables[k]
			place := fmt.Sprintf("%d.%d", i, k)
			notes := newFootnotes(t)
			pt := table{ID: "table-" + place, Dataset: t.Dataset, Baseline: t.Baseline, Footnotes: notes.texts, Notes: t.Notes,
				About: fmt.Sprintf("%s test users, full ranking of %s items, %s", thousands(t.Users), thousands(t.Items), t.Protocol)}
			for _, rule := range seenRules {
				pt.Sheets = append(pt.Sheets, testSheet(s.Axes, t, place, rule.key, rule.title, rule.of, notes))
			}
			if training := trainingSheet(s.Axes, t, place, notes); len(training.Rows) > 0 {
				pt.Sheets = append(pt.Sheets, training)
			}
			for _, f := range drawn {
				if f.Table == k {
					pt.Figures = append(pt.Figures, f)
				}
			}
			pt.Heads, pt.Curves, pt.Groups = headSheet(t), curveSheet(t), breakdownSheets(t)
			ps.Tables = append(ps.Tables, pt)
		}
		ps.Checks = checkSheet(s, i)
		ps.Claims = claims(s, i)
		p.Suites = append(p.Suites, ps)
	}
	return p, nil
}

// drawAll draws a suite's figures to stand in the page.
func drawAll(s *aggregate.Suite) ([]drawing, error) {
	figures := figure.Of(s)
	out := make([]drawing, len(figures))
	err := figure.Each(figures, func(i int, f *figure.Figure) error {
		svg, err := f.SVG()
		out[i] = drawing{f, s.Name, inline(svg, f)}
		return err
	})
	return out, err
}

// inline makes an SVG document a part of a page: no prologue, a text for who
// cannot see it, and the font from the page's style sheet, not from every text.
func inline(svg []byte, f *figure.Figure) template.HTML {
	if i := bytes.Index(svg, []byte("<svg")); i > 0 {
		svg = svg[i:]
	}
	label := fmt.Sprintf(`<svg role="img" aria-label="%s, %s"`, template.HTMLEscapeString(f.Title), template.HTMLEscapeString(f.Dataset))
	text := strings.Replace(string(svg), "<svg", label, 1)
	text = strings.ReplaceAll(text, figure.Fonts+";font-variant:normal;font-weight:normal;font-style:normal;", "")
	return template.HTML(strings.ReplaceAll(text, "\n\t", " "))
}

func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
