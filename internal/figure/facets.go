package figure

import (
	"cmp"
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// facets draws held-out items before and after pre-training, one figure per facet. The
// most frequent labels are coloured, the others are dots behind them.
func facets(t *aggregate.Table) []*Figure {
	var out []*Figure
	for _, p := range t.Pictures {
		if len(p.Items) == 0 {
			continue
		}
		labels := common(p, len(colours)-1)
		pic := picture{height: 235}
		for _, side := range []struct {
			title string
			at    [][2]float32
		}{{"text vectors", p.Before}, {fmt.Sprintf("head %d, which learned “%s”", p.Head, p.Facet), p.After}} {
			pic.panels = append(pic.panels, plane(side.title, p.Labels, labels, side.at))
		}
		for i, label := range labels {
			pic.legend = append(pic.legend, dots(i).entry(label, false))
		}
		if slices.ContainsFunc(p.Labels, func(of []string) bool { return commonOf(of, labels) < 0 }) {
			pic.legend = append(pic.legend, dots(-1).entry("other labels", false))
		}
		names := ""
		if slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "#") }) {
			names = " The source gives numbers instead of names for its attributes."
		}
		out = append(out, &Figure{Name: "facet-" + p.Facet, Title: "Items by “" + p.Facet + "”, before and after pre-training", picture: pic,
			Caption: fmt.Sprintf("%d held-out items that pre-training never saw, in the first two principal components of their text vectors (left) and of the vectors that head %d of %s computes from them (right). "+
				"The most frequent labels are coloured.%s", len(p.Items), p.Head, t.PicturesOf, names)})
	}
	return out
}

// common lists the labels that most items of a picture have, at most n.
func common(p record.Picture, n int) []string {
	count := map[string]int{}
	for _, labels := range p.Labels {
		for _, l := range labels {
			count[l]++
		}
	}
	order := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(a, b))
	})
	return order[:min(n, len(order))]
}

// dots is how items of the i-th label are drawn; a negative one is any other label.
func dots(i int) style {
	s := styleOf(max(i, 0))
	s.glyph.Radius = 2.2
	if i < 0 {
		s.glyph = draw.GlyphStyle{Color: color.NRGBA{0xbb, 0xbb, 0xbb, 0xff}, Radius: 1.1, Shape: draw.CircleGlyph{}}
	}
	return s
}

// commonOf is the first of the common labels that an item has; -1: it has none of them.
func commonOf(of, labels []string) int {
	return slices.IndexFunc(labels, func(l string) bool { return slices.Contains(of, l) })
}

// plane has a dot for every item. An item of several common labels has the colour of
// the first.
func plane(title string, of [][]string, labels []string, at [][2]float32) *plot.Plot {
	p := newPanel(title, "first component", "second component", none)
	groups := make([]plotter.XYs, 1+len(labels))
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i, xy := range at {
		g := 1 + commonOf(of[i], labels)
		groups[g] = append(groups[g], plotter.XY{X: float64(xy[0]), Y: float64(xy[1])})
		for k, v := range xy {
			low[k], high[k] = min(low[k], float64(v)), max(high[k], float64(v))
		}
	}
	spread(&p.X, low[0], high[0])
	spread(&p.Y, low[1], high[1])
	for g, points := range groups {
		p.Add(&plotter.Scatter{XYs: points, GlyphStyle: dots(g - 1).glyph})
	}
	return p
}
