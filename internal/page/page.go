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
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode/utf8"

	"famebench/internal/aggregate"
	"famebench/internal/escape"
	"famebench/internal/figure"
	"famebench/internal/view"
)

var (
	//go:embed page.html
	markup string
	//go:embed page.css
	style string
	//go:embed page.js
	program string
)

var functions = template.FuncMap{
	"css":          func() template.CSS { return template.CSS(style) },
	"js":           func() template.JS { return template.JS(program) },
	"class":        class,
	"controls":     view.Controls,
	"columnTitle":  func(c view.Column) string { return view.OneLine(cmp.Or(c.Long, c.Title)) },
	"evidence":     view.EvidenceRef,
	"number":       number,
	"onClaim":      view.OnClaim,
	"percent":      func(v float64) string { return view.Minus(view.Percent(v)) },
	"result":       view.Result,
	"seeds":        view.Seeds,
	"sentences":    sentences,
	"small":        small,
	"upperFirst":   view.Sentence,
	"isQuestion":   func(text string) bool { return strings.HasSuffix(text, "?") },
	"verdictsMean": func() []string { return view.VerdictsMean },
}

// Write writes one page with all suites: tables that sort, figures, what the
// numbers mean, and behind every cell the runs that it comes from. The page is
// complete in itself, but links to records and statistics (runs/ID.json) in the results
// folder. results is the way there from the page's folder, such as "../../"; "" if the page
// is in it.
func Write(w io.Writer, suites []*aggregate.Suite, results string) error {
	t, err := template.New("page").Funcs(functions).Funcs(template.FuncMap{
		"link": func(file string) string { return results + file },
	}).Parse(markup)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	p, err := newContent(suites)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	p.Data.Results = results
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
	*aggregate.Suite
	ID        string // of its heading
	Place     int
	Data      section
	Trials    section // of a search
	Halved    bool    // half of the trials survive each of several rungs
	Tables    []table
	Published section
	Equality  section

	Interactions []section
	Pairs        section
	Figures      []drawing // of all data sets together
	Contrasts    section
}

type table struct {
	*aggregate.Table
	ID      string
	Main    section // test metrics under both rules, training
	Figures []drawing
	Heads   section
	Details []section // groups of users, curves
}

// section is a view.Section and its place in the data: its table in a suite.
type section struct {
	view.Section
	Suite, Table int
}

type drawing struct {
	*figure.Figure
	Suite string
	SVG   template.HTML
}

func newContent(suites []*aggregate.Suite) (*content, error) {
	p := &content{Data: newData(suites)}
	p.Runs = len(p.Data.Runs)
	for i, s := range suites {
		place := func(sec view.Section, table int) section { return section{sec, i, table} }
		ps := suite{Suite: s, ID: fmt.Sprintf("suite-%d", i), Place: i,
			Data: place(view.Data(s.Datasets), 0), Trials: place(view.Trials(s), 0), Halved: len(view.Rungs(s.Trials)) > 1, Published: place(view.Published(s, s.Checks, view.Page), 0), Equality: place(view.Equality(s), 0), Contrasts: place(view.Contrasts(s), 0)}
		ps.Published.Title, ps.Equality.Title, ps.Contrasts.Title = "", "", "" // the headings say it
		ps.Trials.Notes = nil                                                  // they are above
		drawn, err := drawAll(s)
		if err != nil {
			return nil, err
		}
		for _, sec := range view.Interactions(s) {
			ps.Interactions = append(ps.Interactions, place(sec, 0))
		}
		if s.Pairs != nil {
			ps.Pairs = place(view.Pairs(s.Pairs), 0)
			ps.Pairs.Notes = append([]string{ps.Pairs.Marks}, ps.Pairs.Notes...)
		}
		for _, f := range drawn {
			if f.Table == figure.AllTables {
				ps.Figures = append(ps.Figures, f)
			}
		}
		for k := range s.Tables {
			t := &s.Tables[k]
			pt := table{Table: t, ID: fmt.Sprintf("table-%d.%d", i, k), Main: place(view.Comparison(t, s.Axes, view.Page), k), Heads: place(view.Heads(t), k),
				Details: []section{place(view.Complexity(t), k), place(view.Groups(t, view.Page), k), place(view.Beyond(t), k), place(view.Curves(t), k)}}
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
	case column.Text && utf8.RuneCountInString(c.Text) > longText:
		return "text long"
	case column.Text:
		return "text"
	}
	return ""
}

// longText is the number of characters from which a cell is broken into lines, so that the numbers
// next to it stay in view.
const longText = 50

// sentences make a paragraph.
func sentences(texts []string) string {
	var out []string
	for _, t := range texts {
		out = append(out, view.Sentence(t)+".")
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
