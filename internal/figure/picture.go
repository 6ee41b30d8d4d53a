package figure

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"famebench/internal/escape"
)

// picture is what is drawn: a legend above one or two panels side by side.
type picture struct {
	panels []*plot.Plot
	legend []entry
	height vg.Length // of the panels
}

// entry is a line of the legend with its sample.
type entry struct {
	text   string
	sample func(draw.Canvas) // into a box of wide points by 9
	wide   vg.Length
}

const (
	width      = 504 * vg.Length(1) // points: 7 inches, the width of a page's text
	margin     = 4 * vg.Length(1)
	lineHeight = 13 * vg.Length(1) // of the legend
	gap        = 14 * vg.Length(1) // between entries and between panels
)

// Widths of samples in the legend: of lines and bars, and of points.
const (
	long  = 24 * vg.Length(1)
	short = 9 * vg.Length(1)
)

// Colours of Okabe and Ito, in an order that puts the most different ones first;
// black is kept for the baseline, and yellow is too light for lines on white.
var colours = []color.Color{
	color.NRGBA{0x00, 0x72, 0xb2, 0xff}, // blue
	color.NRGBA{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	color.NRGBA{0x00, 0x9e, 0x73, 0xff}, // bluish green
	color.NRGBA{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	color.NRGBA{0xe6, 0x9f, 0x00, 0xff}, // orange
	color.NRGBA{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	color.NRGBA{0x80, 0x80, 0x80, 0xff}, // grey
}

var (
	ink   = color.NRGBA{0x1a, 0x1a, 0x1a, 0xff}
	faint = color.NRGBA{0xdd, 0xdd, 0xdd, 0xff}
	pale  = color.NRGBA{0x66, 0x66, 0x66, 0xff} // reference lines
)

var dashes = [][]vg.Length{nil, {6, 2}, {2, 1.5}, {7, 2, 1.5, 2}, {4, 1.5}, {9, 2.5}, {5, 1.5, 1.5, 1.5, 1.5, 1.5}}

var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, diamond{}, star{3}, inverted{}, star{2}}

// style is how a row is drawn wherever it is.
type style struct {
	line  draw.LineStyle
	glyph draw.GlyphStyle
}

// styleOf is the i-th style; a negative one is the baseline's. The colours repeat
// with other dashes and glyphs, so that 49 styles differ.
func styleOf(i int) style {
	if i < 0 {
		return style{draw.LineStyle{Color: ink, Width: 1.4}, draw.GlyphStyle{Color: ink, Radius: 2.6, Shape: ring{}}}
	}
	c, k := colours[i%len(colours)], i+i/len(colours)
	return style{draw.LineStyle{Color: c, Width: 1.3, Dashes: dashes[k%len(dashes)]},
		draw.GlyphStyle{Color: c, Radius: 2.6, Shape: glyphs[k%len(glyphs)]}}
}

// entry is the style's line of the legend, with or without the line itself.
func (s style) entry(text string, line bool) entry {
	e := entry{text, func(c draw.Canvas) { c.DrawGlyph(s.glyph, c.Center()) }, short}
	if line {
		e.wide = long
		e.sample = func(c draw.Canvas) {
			strokeAcross(c, s.line)
			c.DrawGlyph(s.glyph, c.Center())
		}
	}
	return e
}

// strokeAcross draws a line through the middle of a legend's box.
func strokeAcross(c draw.Canvas, s draw.LineStyle) {
	y := c.Center().Y
	c.StrokeLine2(s, c.Min.X, y, c.Max.X, y)
}

type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	r := s.Radius * 1.15
	c.FillPolygon(s.Color, []vg.Point{{X: p.X, Y: p.Y + r}, {X: p.X + r, Y: p.Y}, {X: p.X, Y: p.Y - r}, {X: p.X - r, Y: p.Y}})
}

// ring is a circle with nothing in it, so that it is seen on a line.
type ring struct{}

func (ring) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	draw.CircleGlyph{}.DrawGlyph(c, s, p)
	c.SetColor(color.White)
	s.Radius -= 1.1
	draw.CircleGlyph{}.DrawGlyph(c, s, p)
}

// star is so many strokes through a point.
type star struct{ strokes int }

func (g star) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	style := draw.LineStyle{Color: s.Color, Width: 1.2}
	for i := range g.strokes {
		sin, cos := math.Sincos(math.Pi * (float64(i) + .5) / float64(g.strokes))
		dx, dy := 1.3*s.Radius*vg.Length(cos), 1.3*s.Radius*vg.Length(sin)
		c.StrokeLine2(style, p.X-dx, p.Y-dy, p.X+dx, p.Y+dy)
	}
}

// inverted is a triangle on its tip.
type inverted struct{}

func (inverted) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	r := s.Radius * 1.2
	c.FillPolygon(s.Color, []vg.Point{{X: p.X, Y: p.Y - r}, {X: p.X + .87*r, Y: p.Y + .5*r}, {X: p.X - .87*r, Y: p.Y + .5*r}})
}

// textStyle is Liberation Sans in a size.
func textStyle(size vg.Length) text.Style {
	return text.Style{Color: ink, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size), Handler: plot.DefaultTextHandler}
}

// newPanel returns an empty panel.
func newPanel(title, x, y string, lines lines) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the canvas is white
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 4
	p.Title.TextStyle = align(textStyle(9), draw.XCenter, draw.YTop)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = align(textStyle(9), draw.XCenter, draw.YBottom)
		a.Label.Padding = 3
		a.Tick.Label.Font = textStyle(8).Font
		a.Tick.Label.Color = ink
		a.Tick.Length, a.Padding = 3, 0
		a.LineStyle.Color, a.Tick.LineStyle.Color = ink, ink
	}
	grid := &plotter.Grid{}
	if style := (draw.LineStyle{Color: faint, Width: .5}); lines == horizontal {
		grid.Horizontal = style
	} else if lines == vertical {
		grid.Vertical = style
	}
	p.Add(grid)
	return p
}

// lines are those behind the data.
type lines int

const (
	none lines = iota
	horizontal
	vertical
)

func align(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

// write writes a line whose small letters have their middle at the height of a
// point: the middle of the line's box, descenders and all, looks too low.
func write(c draw.Canvas, s text.Style, x text.XAlignment, at vg.Point, line string) {
	at.Y += s.Font.Size / 9
	c.FillText(align(s, x, draw.YCenter), at, line)
}

// clean makes texts from data safe before their widths decide where things are: labels
// of items, and settings in the names of rows.
func (p *picture) clean() {
	for i := range p.legend {
		p.legend[i].text = escape.XML(p.legend[i].text)
	}
	for _, panel := range p.panels {
		panel.Title.Text = escape.XML(panel.Title.Text)
		for _, a := range []*plot.Axis{&panel.X, &panel.Y} {
			a.Label.Text = escape.XML(a.Label.Text)
			if m, ok := a.Tick.Marker.(marks); ok {
				for i := range m {
					m[i].Label = escape.Controls(m[i].Label) // may have two lines
				}
			}
		}
	}
}

// size of the picture in points.
func (p *picture) size() (w, h vg.Length) {
	return width, 2*margin + p.height + lineHeight*vg.Length(len(p.legendRows())) + p.belowLegend()
}

func (p *picture) belowLegend() vg.Length {
	if len(p.legend) == 0 {
		return 0
	}
	return 4
}

// legendRows breaks the legend into lines.
func (p *picture) legendRows() [][]entry {
	var rows [][]entry
	room := vg.Length(0)
	for _, e := range p.legend {
		w := e.width()
		if room < w {
			rows = append(rows, nil)
			room = width - 2*margin + gap
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		room -= w
	}
	return rows
}

func (e entry) width() vg.Length { return e.wide + 4 + textStyle(8.5).Width(e.text) + gap }

func (p *picture) draw(c draw.Canvas) {
	c = draw.Crop(c, margin, -margin, margin, -margin)
	for _, row := range p.legendRows() {
		total := -gap
		for _, e := range row {
			total += e.width()
		}
		x := c.Center().X - total/2
		y := c.Max.Y - lineHeight/2
		for _, e := range row {
			box := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x, Y: y - 4.5}, Max: vg.Point{X: x + e.wide, Y: y + 4.5}}}
			e.sample(box)
			write(c, textStyle(8.5), draw.XLeft, vg.Point{X: x + e.wide + 4, Y: y}, e.text)
			x += e.width()
		}
		c.Max.Y -= lineHeight
	}
	c.Max.Y -= p.belowLegend()
	tiles := draw.Tiles{Rows: 1, Cols: len(p.panels), PadX: gap}
	for i, canvas := range plot.Align([][]*plot.Plot{p.panels}, tiles, c)[0] {
		p.panels[i].Draw(canvas)
	}
}

// marks is an axis with marks where they are wanted.
type marks = plot.ConstantTicks

// spread sets a linear axis so that it begins and ends at a mark, with about five
// marks between low and high.
func spread(a *plot.Axis, low, high float64) {
	if low >= high { // one value
		d := max(math.Abs(low)*.1, 1e-3)
		low, high = low-d, high+d
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, m := range []float64{2, 2.5, 5, 10} {
		if (high-low)/step <= 6 {
			break
		}
		step = math.Pow(10, math.Floor(math.Log10((high-low)/4))) * m
	}
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	var m marks
	for i := first; i <= last; i++ {
		m = append(m, plot.Tick{Value: i * step, Label: number(i*step, step)})
	}
	a.Min, a.Max, a.Tick.Marker = first*step, last*step, m
}

// wholeMarks removes the marks of a linear axis between whole numbers, for what is counted.
func wholeMarks(a *plot.Axis) {
	var whole marks
	for _, m := range a.Tick.Marker.(marks) {
		if m.Value == math.Round(m.Value) {
			whole = append(whole, plot.Tick{Value: m.Value, Label: number(m.Value, 1)})
		}
	}
	a.Tick.Marker = whole
}

// spreadLog sets a logarithmic axis for positive values, with marks at 1, 2 and 5
// times powers of ten.
func spreadLog(a *plot.Axis, low, high float64) {
	var m marks
	for e := math.Floor(math.Log10(low)) - 1; e <= math.Ceil(math.Log10(high)); e++ {
		for _, k := range []float64{1, 2, 5} {
			v := k * math.Pow(10, e)
			if len(m) > 0 && m[len(m)-1].Value >= high*1.05 {
				continue
			}
			if v <= low/1.05 {
				m = m[:0]
			}
			m = append(m, plot.Tick{Value: v, Label: number(v, v)})
		}
	}
	a.Min, a.Max, a.Tick.Marker, a.Scale = m[0].Value, m[len(m)-1].Value, m, plot.LogScale{}
}

// number writes a mark with as many decimals as the step between marks needs, as
// the tables do: .05.
func number(v, step float64) string {
	decimals := 0
	for decimals < 9 && math.Abs(step-math.Round(step*math.Pow10(decimals))/math.Pow10(decimals)) > step*1e-6 {
		decimals++
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	if s = strings.TrimPrefix(s, "0"); strings.Trim(s, "0.") == "" {
		return "0"
	}
	if v < 0 {
		s = "\u2212" + s
	}
	return s
}

// xys are n points.
func xys(n int, at func(int) (x, y float64)) plotter.XYs {
	out := make(plotter.XYs, n)
	for i := range out {
		out[i].X, out[i].Y = at(i)
	}
	return out
}
