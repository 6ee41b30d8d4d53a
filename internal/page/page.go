// Package page writes results/index.html: all suites in one page that needs no
// network, with tables that sort, figures, published numbers and claims next to ours,
// the protocol, and behind every number the runs that it comes from.
//
// Like package report it only formats. The template page.html shows the tables of
// package view; page.js moves rows and opens the panel of a cell, which shows what is
// in a block of JSON, every run once.
package page

import (
	"bytes"
	"cmp"
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
	"famebench/internal/view"
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
		"css":   func() (template.CSS, error) { s, err := asset("page.css"); return template.CSS(s), err },
		"class": class, "columnTitle": columnTitle, "number": number, "sentences": sentences, "small": small, "upperFirst": upperFirst,
		"js": func() (template.JS, error) { s, err := asset("page.js"); return template.JS(s), err },
	}).ParseFS(files, "page.html")
}

// Write writes one page with all suites: tables that sort, figures, what the
// numbers mean, and behind every cell the runs that it comes from. The page is
// complete in itself, but links to records next to it (runs/ID.json), so it belongs
// in the results folder.
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

	// What is explained once for all suites.
	Reproduced string
}

type suite struct {
	*aggregate.Suite
	ID     string // of its heading
	Place  int
	Data   *section
	Trials *section // of a search
	Tables []table
	Checks *section
	Claims []view.Claim
}

type table struct {
	*aggregate.Table
	ID      string
	Main    *section // test metrics under both rules, training
	Figures []drawing
	Heads   *section
	Details []*section // groups of users, curves
}

// section is a view.Section in the page.
type section struct {
	view.Section
	Sheets []sheet
}

// sheet is a table of the page.
type sheet struct {
	*view.Table
	Suite int
	Place string // of the table in the data, as "0.1"
}

type drawing struct {
	*figure.Figure
	Suite string
	SVG   template.HTML
}

func newContent(suites []*aggregate.Suite) (*content, error) {
	p := &content{Data: newData(suites), Reproduced: view.ReproducedMeans}
	p.Runs = len(p.Data.Runs)
	for i, s := range suites {
		ps := suite{Suite: s, ID: fmt.Sprintf("suite-%d", i), Place: i, Claims: view.Claims(s),
			Data: newSection(titled(view.Data(s.Datasets)), i, 0), Trials: newSection(view.Trials(s.Trials), i, 0), Checks: newSection(view.Published(s, s.Checks, view.Page), i, 0)}
		drawn, err := drawAll(s)
		if err != nil {
			return nil, err
		}
		for k := range s.Tables {
			t := &s.Tables[k]
			pt := table{Table: t, ID: fmt.Sprintf("table-%d.%d", i, k), Main: newSection(view.Comparison(t, s.Axes, view.Page), i, k),
				Heads: newSection(titled(view.Heads(t)), i, k)}
			for _, s := range []view.Section{view.Groups(t, view.Page), view.Curves(t)} {
				if folded := newSection(s, i, k); folded != nil {
					pt.Details = append(pt.Details, folded)
				}
			}
			for _, f := range drawn {
				if f.Table == k {
					pt.Figures = append(pt.Figures, f)
				}
			}
			ps.Tables = append(ps.Tables, pt)
		}
		p.Suites = append(p.Suites, ps)
	}
	return p, nil
}

// newSection places a section of the k-th table of the i-th suite; nil if there is nothing in it.
func newSection(s view.Section, i, k int) *section {
	out := &section{Section: s}
	for n := range s.Tables {
		if t := &s.Tables[n]; len(t.Rows) > 0 || t.Rule != "" {
			out.Sheets = append(out.Sheets, sheet{t, i, fmt.Sprintf("%d.%d", i, k)})
		}
	}
	if out.Sheets == nil {
		return nil
	}
	return out
}

// titled puts the title of a section with one table above the table.
func titled(s view.Section) view.Section {
	for i := range s.Tables {
		s.Tables[i].Caption = s.Title
	}
	return s
}

// columnTitle is the title where there is room.
func columnTitle(c view.Column) string {
	return strings.NewReplacer("\n@", "@", "\n", " ").Replace(cmp.Or(c.Long, c.Title))
}

// number writes a cell's text: numbers with the minus of print.
func number(c view.Cell) string {
	if c.Sort == "" {
		return c.Text
	}
	return view.Minus(c.Text)
}

// small is what follows a number: its deviation or interval, and a word.
func small(c view.Cell) string {
	var parts []string
	if c.SD != "" {
		parts = append(parts, "± "+c.SD)
	}
	if c.After != "" {
		parts = append(parts, c.After)
	}
	if c.Low != "" {
		parts = append(parts, fmt.Sprintf("[%s, %s]", view.Minus(c.Low), view.Minus(c.High)))
	}
	return strings.Join(parts, " ")
}

// class is the style of a cell.
func class(c view.Cell, column view.Column) string {
	switch {
	case c.Best:
		return "best"
	case c.Second:
		return "second"
	case c.Verdict != "":
		return string(c.Verdict)
	case column.Text:
		return "text"
	}
	return ""
}

// sentences make a paragraph.
func sentences(texts []string) string {
	var out []string
	for _, t := range texts {
		out = append(out, upperFirst(t)+".")
	}
	return strings.Join(out, " ")
}

// drawAll draws a suite's figures for the page.
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

// inline makes an SVG document a part of a page: no prologue, a text for those
// who cannot see it, and the font from the page's style sheet, not from every text.
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
