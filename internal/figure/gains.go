package figure

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"famebench/internal/aggregate"
	"famebench/internal/view"
)

// gain is a bar: the gain of a row in NDCG@10 over the baseline, in percent.
type gain struct {
	label            string
	value, low, high float64
	none             bool // the baseline has 0
	tested, sure     bool
	few              bool // tested, but with too few seeds for a verdict
}

// labelWidth is how wide the names next to the bars may be, in points: they take
// it from the panels.
const labelWidth = 130

// mostBars of a figure that fits a page.
const mostBars = 30

// gains draws a bar for the gain of every trained row over the baseline.
func gains(t *aggregate.Table) []*Figure {
	var base *aggregate.Row
	var rows []*aggregate.Row
	for i := range t.Rows {
		switch r := &t.Rows[i]; {
		case r.Label == t.Baseline:
			base = r
		case !r.NonNeural && r.Imported == nil: // imported rows may have no gain under one rule
			rows = append(rows, r)
		}
	}
	if base == nil || len(rows) == 0 {
		return nil
	}
	var out []*Figure
	n := (len(rows) + mostBars - 1) / mostBars
	for i := range n {
		pic := picture{}
		some := rows[i*len(rows)/n : (i+1)*len(rows)/n]
		tested, few, untested, none := false, false, false, false
		low, high, lines := 0., 0., 1
		for k, rule := range aggregate.SeenItemRules {
			b := bars{}
			for _, r := range some {
				own := r.Under(rule)
				g := gain{label: wrap(r.Label, labelWidth)}
				if v := own.Metrics[metric].Gain; v != nil {
					g.value = *v
				} else {
					g.none = true
				}
				lines = max(lines, 1+strings.Count(g.label, "\n"))
				if test := own.Test; test != nil && test.GainLow != nil && test.GainHigh != nil {
					g.low, g.high = *test.GainLow, *test.GainHigh
					g.tested, g.sure, g.few = true, test.Significant, test.FewSeeds
				}
				few, tested = few || g.few, tested || g.tested && !g.few
				untested, none = untested || !g.tested && !g.none, none || g.none
				b = append(b, g)
			}
			pic.panels = append(pic.panels, b.panel(panelTitle(t, rule), "gain in "+metric+", %", k == 0))
			low, high = min(low, pic.panels[k].X.Min), max(high, pic.panels[k].X.Max)
		}
		for _, p := range pic.panels { // one scale, so that bars compare across
			spread(&p.X, low, high)
		}
		pic.height = 42 + vg.Length(len(some))*(6+9*vg.Length(lines))
		f := &Figure{Name: part("gains", i, n), Title: "Gain over the baseline", picture: pic,
			Caption: fmt.Sprintf("Gain of every trained model in %s over %s, %s.", metric, base.Label, t.WhyBaseline())}
		f.picture.legend = []entry{{"over " + base.Label + ":", func(draw.Canvas) {}, 0}}
		if tested {
			f.picture.legend = append(f.picture.legend, gain{tested: true, sure: true}.entry("significant"), gain{tested: true}.entry("not significant"))
			f.Caption += fmt.Sprintf(" Significant: p < .05 by Wilcoxon's signed-rank test over users, after Holm's correction for all models of the table, the interval excludes 0, and both have %d seeds or more.", aggregate.FewSeeds)
		}
		if few {
			f.picture.legend = append(f.picture.legend, gain{tested: true, few: true}.entry(fmt.Sprintf("fewer than %d seeds", aggregate.FewSeeds)))
		}
		if tested || few {
			f.Caption += " Whiskers: 95 % bootstrap interval over users and seeds."
		}
		if none {
			f.Caption += fmt.Sprintf(" –: %s scores 0, and a percentage of 0 is undefined.", base.Label)
		}
		if untested {
			f.picture.legend = append(f.picture.legend, gain{}.entry("not tested"))
		}
		out = append(out, f)
	}
	return out
}

// bars are horizontal, so that names fit next to them; the first is on top.
type bars []gain

func (b bars) panel(title, x string, labels bool) *plot.Plot {
	p := newPanel(title, x, "", vertical)
	low, high := 0., 0.
	var m marks
	for i, g := range b {
		low, high = min(low, g.value, g.low), max(high, g.value, g.high)
		mark := plot.Tick{Value: b.at(i)}
		if labels {
			mark.Label = g.label
		}
		m = append(m, mark)
	}
	// Room for the values next to the bars.
	room := .2 * (high - low)
	if low < 0 {
		low -= room
	}
	if high > 0 {
		high += room
	}
	p.X.Min, p.X.Max = low, high
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = -.6, float64(len(b))-.4, m
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
	p.Y.Tick.Label.XAlign = draw.XRight
	p.Add(b)
	return p
}

func (b bars) at(i int) float64 { return float64(len(b) - 1 - i) }

// Plot draws the bars.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, g := range b {
		mid := y(b.at(i))
		if g.none {
			write(c, textStyle(8), draw.XLeft, vg.Point{X: x(0) + 4, Y: mid}, "–")
			continue
		}
		half := min(5, (y(1)-y(0))*.3)
		g.fill(c, x(0), x(g.value), mid-half, mid+half)
		end, start := max(g.value, 0), min(g.value, 0)
		if g.tested {
			whisker(c, x(g.low), mid, x(g.high), mid)
			end, start = max(end, g.high), min(start, g.low)
		}
		// The value is on the bar's side, behind the whisker.
		at, side := vg.Point{X: x(end) + 4, Y: mid}, draw.XLeft
		if g.value < 0 {
			at.X, side = x(start)-4, draw.XRight
		}
		write(c, textStyle(8), side, at, view.Minus(view.Percent(g.value)))
	}
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: .8}, x(0), c.Min.Y, x(0), c.Max.Y)
}

func (g gain) fill(c draw.Canvas, x0, x1, y0, y1 vg.Length) {
	var fill color.Color = color.White
	switch {
	case g.few: // stays white
	case g.sure:
		fill = colours[5]
	case g.tested:
		fill = color.NRGBA{0xe6, 0xf0, 0xf8, 0xff}
	}
	box := []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}, {X: x0, Y: y0}}
	c.FillPolygon(fill, box[:4])
	c.StrokeLines(draw.LineStyle{Color: ink, Width: .6}, box)
}

// entry is the legend's line of bars like this one.
func (g gain) entry(text string) entry {
	return entry{text, func(c draw.Canvas) { g.fill(c, c.Min.X, c.Max.X, c.Min.Y+.5, c.Max.Y-.5) }, long}
}

// whisker draws an error bar with caps.
func whisker(c draw.Canvas, x0, y0, x1, y1 vg.Length) {
	style := draw.LineStyle{Color: ink, Width: .9}
	c.StrokeLine2(style, x0, y0, x1, y1)
	dx, dy := capWidth, vg.Length(0)
	if y0 == y1 {
		dx, dy = 0, capWidth
	}
	c.StrokeLine2(style, x0-dx, y0-dy, x0+dx, y0+dy)
	c.StrokeLine2(style, x1-dx, y1-dy, x1+dx, y1+dy)
}

// wrap breaks a label at spaces into lines that are not wider than width, if it
// can.
func wrap(label string, width vg.Length) string {
	var out, line string
	for word := range strings.FieldsSeq(label) {
		if line != "" && textStyle(8).Width(line+" "+word) > width {
			out, line = out+line+"\n", ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return out + line
}
