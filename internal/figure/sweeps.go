package figure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"famebench/internal/aggregate"
	"famebench/internal/view"
)

// scale places the values of an axis: numbers by their size, by their logarithm
// where they span a factor of eight or more, and names side by side.
type scale struct {
	values  []any
	numeric bool
	log     bool
	limits  bool // the numbers are limits, and 0 is none: they are drawn as names, 0 last
}

func newScale(axis string, rows []*aggregate.Row) scale {
	var values []any
	for _, r := range rows {
		values = append(values, r.At[axis])
	}
	s := scaleOf(values)
	if i := s.index(0); i >= 0 && strings.HasSuffix(axis, "pretrain.max_words") {
		s.values = append(slices.Delete(s.values, i, i+1), 0)
		s.numeric, s.log, s.limits = false, false, true
	}
	return s
}

// show writes a value of the axis.
func (s scale) show(v any) string {
	if s.limits && same(v, 0) {
		return "all"
	}
	return show(v)
}

func scaleOf(values []any) scale {
	s := scale{numeric: true}
	for _, v := range values {
		if !slices.ContainsFunc(s.values, func(w any) bool { return same(v, w) }) {
			s.values = append(s.values, v)
		}
		if _, ok := value(v); !ok {
			s.numeric = false
		}
	}
	if s.numeric {
		slices.SortFunc(s.values, func(a, b any) int {
			x, _ := value(a)
			y, _ := value(b)
			return cmp.Compare(x, y)
		})
		low, _ := value(s.values[0])
		high, _ := value(s.values[len(s.values)-1])
		s.log = low > 0 && high/low >= 8
	}
	return s
}

// at is the place of a value on the panel's axis.
func (s scale) at(v any) float64 {
	x, _ := value(v)
	switch {
	case s.log:
		return math.Log2(x)
	case s.numeric:
		return x
	}
	return float64(s.index(v))
}

func (s scale) index(v any) int {
	return slices.IndexFunc(s.values, func(w any) bool { return same(v, w) })
}

// axis sets a panel's axis; with room at both ends for marks that are shifted.
func (s scale) axis(a *plot.Axis) {
	var m marks
	for _, v := range s.values {
		m = append(m, plot.Tick{Value: s.at(v), Label: s.show(v)})
	}
	room := max(.08*(m[len(m)-1].Value-m[0].Value), 1.5*mostShift*s.closest())
	if len(m) == 1 {
		room = 1
	}
	a.Min, a.Max, a.Tick.Marker = m[0].Value-room, m[len(m)-1].Value+room, m
}

// closest is the least distance of two values on the panel's axis; 1 where there is one
// value.
func (s scale) closest() float64 {
	if len(s.values) == 1 {
		return 1
	}
	d := math.Inf(1)
	for i := 1; i < len(s.values); i++ {
		d = min(d, s.at(s.values[i])-s.at(s.values[i-1]))
	}
	return d
}

// value reads a number, whether it comes from a plan or from JSON.
func value(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case json.Number:
		f, err := x.Float64()
		return f, err == nil
	}
	return 0, false
}

func same(a, b any) bool { return show(a) == show(b) }

// show writes a value as the tables do.
func show(v any) string {
	if x, ok := value(v); ok {
		return fmt.Sprint(x)
	}
	return fmt.Sprint(v)
}

// apart names what sets a row apart from others besides its place on the axes that a figure draws: its
// model, its place on other axes, and its device, if the table has several.
func apart(t *aggregate.Table, r *aggregate.Row, axes []string, drawn ...string) string {
	name := r.Model
	for _, axis := range axes {
		if !slices.Contains(drawn, axis) && r.At[axis] != nil {
			name += ", " + axis + " = " + show(r.At[axis])
		}
	}
	device := func(r *aggregate.Row) string {
		if len(r.Runs) == 0 { // of another program
			return ""
		}
		return r.Runs[0].Device
	}
	if slices.ContainsFunc(t.Rows, func(other aggregate.Row) bool { return device(&other) != "" && device(&other) != device(r) }) {
		name += ", " + device(r)
	}
	return name
}

// series is the rows that differ in one axis alone.
type series struct {
	name string
	rows []*aggregate.Row
}

// along groups the rows along an axis by model and all other axes. Groups of one
// row show nothing and are left out.
func along(axes []string, axis string, t *aggregate.Table) []series {
	var out []series
	models := map[string]bool{}
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.At[axis] == nil {
			continue
		}
		models[r.Model] = true
		text := apart(t, r, axes, axis)
		k := slices.IndexFunc(out, func(l series) bool { return l.name == text })
		if k < 0 {
			k = len(out)
			out = append(out, series{name: text})
		}
		out[k].rows = append(out[k].rows, r)
	}
	out = slices.DeleteFunc(out, func(l series) bool { return len(l.rows) < 2 })
	if len(models) == 1 {
		for i := range out {
			if _, rest, ok := strings.Cut(out[i].name, ", "); ok {
				out[i].name = rest
			}
		}
	}
	return out
}

// sweeps draws NDCG@10 along each axis, one line for each setting of the others.
func sweeps(axes []string, t *aggregate.Table) []*Figure {
	var base *aggregate.Row
	for i := range t.Rows {
		if t.Rows[i].Label == t.Baseline {
			base = &t.Rows[i]
		}
	}
	var out []*Figure
	for _, axis := range axes {
		all := along(axes, axis, t)
		n := (len(all) + most - 2) / (most - 1)
		for i := range n {
			out = append(out, sweep(axis, t, base, all[i*len(all)/n:(i+1)*len(all)/n], part(axis, i, n)))
		}
	}
	return out
}

func sweep(axis string, t *aggregate.Table, base *aggregate.Row, some []series, name string) *Figure {
	pic := picture{height: 190}
	var rows []*aggregate.Row
	for _, l := range some {
		rows = append(rows, l.rows...)
	}
	s := newScale(axis, rows)
	seeds := false
	for k, rule := range aggregate.SeenItemRules {
		p := newPanel(panelTitle(t, rule), s.label(axis), metric, horizontal)
		low, high := math.Inf(1), math.Inf(-1)
		s.axis(&p.X)
		if base != nil {
			m := base.Under(rule).Metrics[metric].Mean
			p.Add(&plotter.Line{XYs: plotter.XYs{{X: p.X.Min, Y: m}, {X: p.X.Max, Y: m}}, LineStyle: reference})
			low, high = m, m
		}
		for i, l := range some {
			slices.SortStableFunc(l.rows, func(a, b *aggregate.Row) int { return cmp.Compare(s.at(a.At[axis]), s.at(b.At[axis])) })
			var places []any
			var cells []aggregate.Cell
			for _, r := range l.rows {
				c := r.Under(rule).Metrics[metric]
				places, cells = append(places, r.At[axis]), append(cells, c)
				seeds = seeds || c.N > 1
				low, high = min(low, c.Mean-c.SD), max(high, c.Mean+c.SD)
			}
			st := styleOf(i)
			s.draw(p, st, s.shift(i, len(some)), places, cells)
			if k == 0 && (len(some) > 1 || base != nil) {
				pic.legend = append(pic.legend, st.entry(l.name, s.numeric))
			}
		}
		spread(&p.Y, low, high)
		pic.panels = append(pic.panels, p)
	}
	f := &Figure{Name: name, Title: metric + " by " + axis, picture: pic, Caption: metric + " by " + axis + ", with the other settings at the values named."}
	if seeds {
		f.Caption += " Mean over seeds; error bars are ± one standard deviation."
	}
	f.Caption += " The vertical axis does not begin at 0."
	if base != nil {
		f.picture.legend = append(f.picture.legend, entry{base.Label + " (baseline)", func(c draw.Canvas) { strokeAcross(c, reference) }, long})
	}
	return f
}

// label is that of a panel's axis.
func (s scale) label(axis string) string {
	if s.log {
		return axis + " (log scale)"
	}
	return axis
}

// mostShift is how far a line is shifted at most, of the least distance of two values.
const mostShift = .12

// shift moves the i-th of n lines a little, or error bars would overlap.
func (s scale) shift(i, n int) float64 {
	if n == 1 {
		return 0
	}
	return mostShift * s.closest() * (float64(i) - float64(n-1)/2) / max(1, float64(n-1)/2)
}

// draw adds cells with their error bars to a panel, and a line through them unless their
// places are names.
func (s scale) draw(p *plot.Plot, st style, shift float64, places []any, cells []aggregate.Cell) {
	pts := errorPoints{colour: st.line.Color}
	for i, c := range cells {
		pts.XYs = append(pts.XYs, plotter.XY{X: s.at(places[i]) + shift, Y: c.Mean})
		pts.sd = append(pts.sd, c.SD)
	}
	p.Add(pts)
	if s.numeric {
		p.Add(&plotter.Line{XYs: pts.XYs, LineStyle: st.line})
	}
	p.Add(&plotter.Scatter{XYs: pts.XYs, GlyphStyle: st.glyph})
}

// reference is the line of the baseline.
var reference = draw.LineStyle{Color: pale, Width: 1.1, Dashes: []vg.Length{3, 3}}

// errorPoints draws the error bars of points.
type errorPoints struct {
	plotter.XYs
	sd     []float64
	colour color.Color
}

// Plot draws them.
func (e errorPoints) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: e.colour, Width: .9}
	for i, at := range e.XYs {
		if e.sd[i] == 0 {
			continue
		}
		low, high := y(at.Y-e.sd[i]), y(at.Y+e.sd[i])
		c.StrokeLine2(style, x(at.X), low, x(at.X), high)
		for _, end := range []vg.Length{low, high} {
			c.StrokeLine2(style, x(at.X)-capWidth, end, x(at.X)+capWidth, end)
		}
	}
}

// heatMaps draws NDCG@10 over pairs of numeric axes whose values form a grid
// (at least three quarters of it, as cells may still be missing).
func heatMaps(axes []string, t *aggregate.Table) []*Figure {
	var out []*Figure
	for i, a := range axes {
		for _, b := range axes[i+1:] {
			grids := grids(axes, a, b, t)
			for k, g := range grids {
				f := g.figure(t)
				f.Name = part(a+"-"+b, k, len(grids))
				out = append(out, f)
			}
		}
	}
	return out
}

// grid is the rows of one model along two axes.
type grid struct {
	name string // model and other axes
	a, b string
	rows []*aggregate.Row
}

func grids(axes []string, a, b string, t *aggregate.Table) []grid {
	var out []grid
	for i := range t.Rows {
		r := &t.Rows[i]
		_, okA := value(r.At[a])
		_, okB := value(r.At[b])
		if !okA || !okB {
			continue
		}
		name := apart(t, r, axes, a, b)
		k := slices.IndexFunc(out, func(g grid) bool { return g.name == name })
		if k < 0 {
			k = len(out)
			out = append(out, grid{name: name, a: a, b: b})
		}
		out[k].rows = append(out[k].rows, r)
	}
	return slices.DeleteFunc(out, func(g grid) bool {
		na, nb := len(newScale(a, g.rows).values), len(newScale(b, g.rows).values)
		return na < 2 || nb < 2 || 4*len(g.rows) < 3*na*nb
	})
}

func (g grid) figure(t *aggregate.Table) *Figure {
	up, right := newScale(g.a, g.rows), newScale(g.b, g.rows)
	pic := picture{height: 46 + 30*vg.Length(len(up.values))}
	for _, rule := range aggregate.SeenItemRules {
		p := newPanel(panelTitle(t, rule), g.b, g.a, none)
		for _, at := range []struct {
			axis *plot.Axis
			of   scale
		}{{&p.X, right}, {&p.Y, up}} {
			var m marks
			for i, v := range at.of.values {
				m = append(m, plot.Tick{Value: float64(i), Label: at.of.show(v)})
			}
			at.axis.Min, at.axis.Max, at.axis.Tick.Marker = -.5, float64(len(m))-.5, m
			at.axis.Tick.Length, at.axis.LineStyle.Width = 0, 0
		}
		cells := heat{low: math.Inf(1), high: math.Inf(-1), columns: len(right.values)}
		cells.cells = make([]aggregate.Cell, len(up.values)*len(right.values))
		for _, r := range g.rows {
			c := r.Under(rule).Metrics[metric]
			cells.low, cells.high = min(cells.low, c.Mean), max(cells.high, c.Mean)
			cells.cells[up.index(r.At[g.a])*cells.columns+right.index(r.At[g.b])] = c
		}
		p.Add(cells)
		pic.panels = append(pic.panels, p)
	}
	return &Figure{Title: fmt.Sprintf("%s × %s", g.a, g.b), picture: pic,
		Caption: fmt.Sprintf("%s of %s by %s and %s. Within each panel, darker is better, and the best cell is framed. Below each mean is the standard deviation over seeds.", metric, g.name, g.a, g.b)}
}

// heat is a grid of cells, row by row from below.
type heat struct {
	cells     []aggregate.Cell
	columns   int
	low, high float64
}

// Plot draws the cells with their values.
func (h heat) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	box := func(i int, d float64) []vg.Point {
		cx, cy := float64(i%h.columns), float64(i/h.columns)
		return []vg.Point{{X: x(cx - d), Y: y(cy - d)}, {X: x(cx + d), Y: y(cy - d)}, {X: x(cx + d), Y: y(cy + d)}, {X: x(cx - d), Y: y(cy + d)}, {X: x(cx - d), Y: y(cy - d)}}
	}
	best := -1
	for i, cell := range h.cells {
		at := vg.Point{X: x(float64(i % h.columns)), Y: y(float64(i / h.columns))}
		if cell.N == 0 {
			write(c, textStyle(8), draw.XCenter, at, "–")
			c.StrokeLines(draw.LineStyle{Color: faint, Width: .8}, box(i, .48))
			continue
		}
		if best < 0 || cell.Mean > h.cells[best].Mean {
			best = i
		}
		share := .5
		if h.high > h.low {
			share = (cell.Mean - h.low) / (h.high - h.low)
		}
		c.FillPolygon(shade(share), box(i, .5)[:4])
		c.StrokeLines(draw.LineStyle{Color: color.White, Width: .8}, box(i, .5))
		st := textStyle(8)
		if share > .6 {
			st.Color = color.White
		}
		if cell.N > 1 {
			small := st
			small.Font.Size = 6.5
			write(c, small, draw.XCenter, vg.Point{X: at.X, Y: at.Y - 5.5}, "± "+view.Share(cell.SD))
			at.Y += 4
		}
		write(c, st, draw.XCenter, at, view.Share(cell.Mean))
	}
	if best >= 0 {
		c.StrokeLines(draw.LineStyle{Color: colours[1], Width: 1.8}, box(best, .47))
	}
}

// shade goes from nearly white to dark blue; its lightness falls evenly, so it is
// in order without colours too.
func shade(share float64) color.Color {
	from, to := [3]float64{0xee, 0xf4, 0xfa}, [3]float64{0x08, 0x40, 0x81}
	var c [3]uint8
	for i := range c {
		c[i] = uint8(math.Round(from[i] + share*(to[i]-from[i])))
	}
	return color.NRGBA{c[0], c[1], c[2], 0xff}
}
