// Package figure draws an aggregate.Suite: training curves, metrics along the
// axes of a sweep, heat maps, gains over the baseline, accuracy against cost, facets
// before and after pre-training, an axis on several data sets. Which figures a suite has is decided by what is in
// it. The package computes nothing but positions.
//
// The figures are made for papers: vector graphics and pictures of 200 dots an
// inch, 7 inches wide (two columns), the colours of Okabe and Ito, which the
// colour-blind can tell apart, and dashes and markers for those who print in black and
// white. The same suite gives the same bytes: nothing in a file says when or
// where it was drawn.
package figure

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/escape"
	"famebench/internal/record"
)

// AllTables is the Table of a figure that is drawn from all tables of a suite.
const AllTables = -1

// Figure is a picture of one data set of a suite, or of all.
type Figure struct {
	Name    string // of its files, without the ending: DATASET-KIND, or KIND for all data sets
	Dataset string // or how many there are
	Table   int    // index of the suite's table that it is drawn from, or AllTables
	Title   string // what it shows, in few words
	Caption string // how to read it
	picture picture
}

// Of returns the figures of a suite, data set by data set, in the order in which
// a reader wants them.
func Of(s *aggregate.Suite) []*Figure {
	var out []*Figure
	for i := range s.Tables {
		t := &s.Tables[i]
		figures := gains(t)
		figures = append(figures, sweeps(s.Axes, t)...)
		figures = append(figures, heatMaps(s.Axes, t)...)
		figures = append(figures, curves(s.Axes, t)...)
		figures = append(figures, costs(t)...)
		figures = append(figures, facets(t)...)
		name := t.Dataset
		if slices.ContainsFunc(s.Tables[:i], func(u aggregate.Table) bool { return u.Dataset == t.Dataset }) {
			name += fmt.Sprintf("-%d", i+1) // the same data, but cut in another way
		}
		for k, f := range figures {
			f.Name = name + "-" + unsafe.ReplaceAllString(f.Name, "-")
			if record.CheckName("data set", t.Dataset) != nil { // of no configuration of today
				f.Name = unsafe.ReplaceAllString(f.Name, "-")
			}
			f.Dataset, f.Table = t.Dataset, i
			f.picture.clean()
			// The names of data sets differ, also in lower case, but beauty-x-gains may be of
			// beauty-x, or of x-gains on beauty.
			f.unlike(append(out, figures[:k]...))
		}
		out = append(out, figures...)
	}
	for _, f := range interactions(s.Interactions) {
		f.Name, f.Table = unsafe.ReplaceAllString(f.Name, "-"), AllTables
		f.picture.clean()
		f.unlike(out)
		out = append(out, f)
	}
	return out
}

// unlike gives the figure a name that no other one has.
func (f *Figure) unlike(others []*Figure) {
	for n := 2; slices.ContainsFunc(others, func(g *Figure) bool { return strings.EqualFold(g.Name, f.Name) }); n++ {
		f.Name = fmt.Sprintf("%s-%d", strings.TrimSuffix(f.Name, fmt.Sprintf("-%d", n-1)), n)
	}
}

// unsafe is what a file name should not have, such as the space in a facet's name.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// part names the i-th of n figures of a kind.
func part(kind string, i, n int) string {
	if n == 1 {
		return kind
	}
	return fmt.Sprintf("%s-%d", kind, i+1)
}

// Fonts, in every text of an SVG, are those with the metrics of Liberation Sans, which places the text and
// which browsers mostly lack.
const Fonts = `font-family:'Liberation Sans',Arial,Helvetica,Arimo,'Nimbus Sans',sans-serif`

// SVG draws the figure as a document of its own.
func (f *Figure) SVG() ([]byte, error) {
	c := &svgCanvas{Canvas: vgsvg.New(f.picture.size())}
	c.SetColor(color.White)
	c.Fill(draw.New(c).Rectangle.Path())
	f.picture.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("figure %s: %w", f.Name, err)
	}
	text := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte(Fonts))
	return mergeMarks(c.setLengths(text)), nil
}

// svgCanvas notes how long every text is, so that another font than the one
// that places it does not make it run into its neighbours.
type svgCanvas struct {
	*vgsvg.Canvas
	lengths []vg.Length
}

// FillString writes a text.
func (c *svgCanvas) FillString(f font.Face, at vg.Point, text string) {
	text = escape.XML(text)
	c.lengths = append(c.lengths, f.Width(text))
	c.Canvas.FillString(f, at, text)
}

// setLengths gives the texts of the document their lengths.
func (c *svgCanvas) setLengths(svg []byte) []byte {
	parts := bytes.Split(svg, []byte("<text "))
	out := parts[0]
	for i, part := range parts[1:] {
		out = fmt.Appendf(out, `<text textLength="%.5g" lengthAdjust="spacingAndGlyphs" %s`, c.lengths[i].Points(), part)
	}
	return out
}

// mark is a path of straight lines, or a filled circle: where it begins, how it goes on, and its style.
var mark = regexp.MustCompile(`^<path d="M([-.0-9]+),([-.0-9]+)((?:L[-.0-9]+,[-.0-9]+)+Z?|A[^"]*Z)" style="([^"]*)" />\n$`)

// circle is how the path of a filled circle goes on: its radius, and its left end.
var circle = regexp.MustCompile(`^A([.0-9]+),[.0-9]+ 0 1 1 ([-.0-9]+),[-.0-9]+A[^A]*Z$`)

// mergeMarks makes one path of marks of the same style that follow each other. Thousands of
// them, one for each item of a picture, were most of the report's size. A circle becomes a
// point: a line without length and with round ends, which takes an eighth of its bytes.
func mergeMarks(svg []byte) []byte {
	var out, merged bytes.Buffer
	var style string // of the marks in merged
	var first []byte // the first of them, as it was
	n := 0
	end := func() {
		if n == 1 {
			out.Write(first)
		} else if n > 1 {
			fmt.Fprintf(&out, `<path d="%s" style="%s" />`+"\n", merged.Bytes(), style)
		}
		merged.Reset()
		n = 0
	}
	for line := range bytes.Lines(svg) {
		var path, of string
		m := mark.FindSubmatch(line)
		if m != nil {
			path, of = relative(string(m[1]), string(m[2]), string(m[3]), string(m[4]))
		}
		if path == "" || strings.Contains(of, "opacity") { // marks that are seen through others
			end()
			out.Write(line)
			continue
		}
		if of != style {
			end()
			style = of
		}
		if n == 0 {
			first = line
		}
		merged.WriteString(path)
		n++
	}
	end()
	return out.Bytes()
}

// relative returns a mark's path with short numbers, and its style. "": it is not one of the marks.
func relative(x, y, rest, style string) (path, of string) {
	number := func(s string) float64 {
		v, _ := strconv.ParseFloat(s, 64) // the patterns admit numbers only
		return v
	}
	short := func(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100+0, 'f', -1, 64) } // + 0: no -0
	if m := circle.FindStringSubmatch(rest); m != nil {
		colour, filled := strings.CutPrefix(style, "fill:")
		if !filled {
			return "", ""
		}
		return fmt.Sprintf("M%s,%sh0", short((number(x)+number(m[2]))/2), y),
			fmt.Sprintf("fill:none;stroke:%s;stroke-width:%s;stroke-linecap:round", colour, short(2*number(m[1])))
	}
	if rest[0] != 'L' {
		return "", ""
	}
	b := []byte("M" + x + "," + y + "l")
	points, closed := strings.CutSuffix(rest, "Z")
	at := [2]float64{number(x), number(y)}
	for i, point := range strings.Split(points[1:], "L") {
		px, py, _ := strings.Cut(point, ",")
		to := [2]float64{number(px), number(py)}
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, short(to[0]-at[0])+","+short(to[1]-at[1])...)
		at = to
	}
	if closed {
		b = append(b, 'z')
	}
	return string(b), style
}

// dpi of the pictures.
const dpi = 200

// PNG draws the figure as a picture.
func (f *Figure) PNG() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(f.picture.size()), vgimg.UseDPI(dpi))
	f.picture.draw(draw.New(c))
	var b bytes.Buffer
	if err := png.Encode(&b, c.Image()); err != nil {
		return nil, fmt.Errorf("figure %s: %w", f.Name, err)
	}
	return b.Bytes(), nil
}

// Write leaves a folder with the SVG and the PNG of a suite's figures, and no others; it
// creates the folder if there are figures. A figure whose SVG is there already,
// byte for byte, is left alone with its PNG, which takes twenty times as long to draw.
func Write(dir string, figures []*Figure) error {
	if err := removeOthers(dir, figures); err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	if len(figures) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	return Each(figures, func(_ int, f *Figure) error {
		vector, picture := filepath.Join(dir, f.Name+".svg"), filepath.Join(dir, f.Name+".png")
		svg, err := f.SVG()
		if err != nil {
			return err
		}
		_, missing := os.Stat(picture)
		if old, err := os.ReadFile(vector); err == nil && missing == nil && bytes.Equal(old, svg) {
			return nil
		}
		png, err := f.PNG()
		if err != nil {
			return err
		}
		// The picture first: should this be cut short, the old SVG says that it is not done.
		if err := atomicfile.Update(picture, png); err != nil {
			return err
		}
		return atomicfile.Update(vector, svg)
	})
}

// removeOthers removes what an earlier state of the suite had drawn into a folder.
func removeOthers(dir string, figures []*Figure) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		drawn := slices.ContainsFunc(figures, func(f *Figure) bool { return f.Name+ext == e.Name() })
		if drawn || ext != ".svg" && ext != ".png" {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Each calls do for every figure, as many at a time as there are cores, and
// returns the first error in the figures' order.
func Each(figures []*Figure, do func(int, *Figure) error) error {
	errs := make([]error, len(figures))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(figures)) {
		all.Go(func() {
			for i := range next {
				errs[i] = do(i, figures[i])
			}
		})
	}
	for i := range figures {
		next <- i
	}
	close(next)
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
