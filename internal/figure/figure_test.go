package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/record"
)

func names(s *aggregate.Suite) []string {
	var out []string
	for _, f := range Of(s) {
		out = append(out, f.Name)
	}
	return out
}

// TestDataDecides: a suite has the figures that its rows have numbers for.
func TestDataDecides(t *testing.T) {
	suites := aggregatetest.Suites()
	full, sweep, tune, texts := suites[0], suites[1], suites[2], suites[3]
	change := func(s *aggregate.Suite, f func(*aggregate.Table)) *aggregate.Suite {
		c := *s
		c.Tables = []aggregate.Table{c.Tables[0]}
		c.Tables[0].Rows = slices.Clone(c.Tables[0].Rows)
		f(&c.Tables[0])
		return &c
	}
	for _, tt := range []struct {
		what  string
		suite *aggregate.Suite
		want  string
	}{
		{"comparison", full, "beauty-gains beauty-curves beauty-cost toys-gains toys-curves toys-cost"},
		{"grid, curves by heads", sweep, "beauty-gains beauty-fame-heads beauty-fame-experts beauty-fame-heads-fame-experts " +
			"beauty-curves-1 beauty-curves-2 beauty-curves-3 beauty-curves-4 beauty-curves-5 beauty-cost"},
		{"one axis at a time, no baseline", tune, "beauty-train-learning_rate beauty-train-loss beauty-curves beauty-cost"},
		{"floors only", change(full, func(t *aggregate.Table) { t.Rows = t.Rows[:2] }), ""},
		{"the baseline and floors", change(full, func(t *aggregate.Table) { t.Rows, t.Baseline = t.Rows[:3], "sasrec" }), "beauty-curves"},
		{"no curves", change(full, func(t *aggregate.Table) {
			for i := range t.Rows {
				t.Rows[i].Curve = nil
			}
		}), "beauty-gains beauty-cost"},
		{"a cross is no grid", change(sweep, func(t *aggregate.Table) {
			t.Rows = slices.DeleteFunc(t.Rows, func(r aggregate.Row) bool { return r.At != nil && r.At["fame.heads"] != 4 && r.At["fame.experts"] != 4 })
		}), "beauty-gains beauty-fame-heads beauty-fame-experts beauty-curves-1 beauty-curves-2 beauty-cost"},
		{"a name that is no file name", &aggregate.Suite{Name: "a/b", Tables: change(full, func(t *aggregate.Table) { t.Dataset = "../c d" }).Tables},
			"-c-d-gains -c-d-curves -c-d-cost"},
		{"one data set in two tables", &aggregate.Suite{Name: "x", Tables: []aggregate.Table{full.Tables[0], full.Tables[0]}},
			"beauty-gains beauty-curves beauty-cost beauty-2-gains beauty-2-curves beauty-2-cost"},
		{"starts from texts", texts, "beauty-gains beauty-curves beauty-cost beauty-facet-brand beauty-facet-category-1"},
		{"nothing", &aggregate.Suite{Name: "x", Tables: []aggregate.Table{{Dataset: "beauty"}}}, ""},
	} {
		if got := strings.Join(names(tt.suite), " "); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.what, got, tt.want)
		}
	}
}

// TestSVG: well-formed, the same each time, and with the labels that it is about,
// escaped.
func TestSVG(t *testing.T) {
	draw := func() map[string]string {
		s, texts := aggregatetest.Suites()[0], aggregatetest.Suites()[3]
		s.Tables[0].Rows[6].Label = "fame <b> & more words than fit on one line beside the bars"
		out := map[string]string{}
		texts.Tables[0].Dataset = "texts"
		for _, f := range append(Of(s), Of(texts)...) {
			svg, err := f.SVG()
			if err != nil {
				t.Fatal(err)
			}
			out[f.Name] = string(svg)
		}
		return out
	}
	first, second := draw(), draw()
	for name, svg := range first {
		if svg != second[name] {
			t.Errorf("%s: another document the second time", name)
		}
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	for name, want := range map[string][]string{
		"beauty-curves":     {">duorec (baseline)<", ">fame &lt;b&gt; &amp; more", ">validation NDCG@10, seen items removed<", ">epoch<"},
		"beauty-gains":      {">gain in NDCG@10, %<", ">over duorec:<", ">beauty, seen items kept<", ">fame &lt;b&gt; &amp; more words than fit on<", ">one line beside the bars<", ">significant<", ">\u2212"},
		"texts-facet-brand": {">text vectors<", ">head 1, which learned “brand”<", ">brand 0 &lt;&amp;&gt;<", ">other labels<"},
		"beauty-cost":       {">markov (counts only)<", ">training time in seconds, validation included (log scale)<"},
	} {
		for _, text := range want {
			if !strings.Contains(first[name], text) {
				t.Errorf("%s lacks %q", name, text)
			}
		}
	}
	if strings.Contains(first["beauty-cost"], "popularity") {
		t.Error("popularity, far below the rest, squeezes the cost figure")
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "figures")
	figures := Of(aggregatetest.Suites()[0])[:2]
	for range 2 {
		if err := Write(dir, figures); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, figures[0].Name)
	stat := func(path string) os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := []os.FileInfo{stat(path + ".svg"), stat(path + ".png")}
	picture, err := os.ReadFile(path + ".png")
	if err != nil {
		t.Fatal(err)
	}
	im, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil || im.Width != 1400 {
		t.Errorf("picture of %d dots, error %v; want 7 inches of 200", im.Width, err)
	}
	// One figure loses its picture, the other one has an old drawing.
	if err := os.Remove(path + ".png"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, figures[1].Name+".svg")
	if err := os.WriteFile(other, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, figures); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path + ".png"); err != nil || !bytes.Equal(again, picture) {
		t.Errorf("the picture came back different, error %v", err)
	}
	if !os.SameFile(before[0], stat(path+".svg")) {
		t.Error("an SVG that did not change was written again")
	}
	if text, err := os.ReadFile(other); err != nil || string(text) == "old" {
		t.Errorf("an old SVG stayed, error %v", err)
	}
	// What is drawn no more goes; what is none of ours stays.
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, figures[:1]); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 || entries[2].Name() != "notes.txt" {
		t.Errorf("%v, %v", entries, err)
	}
}

// labels gives the range of an axis and what is written at its marks.
func labels(a plot.Axis) string {
	var out []string
	for _, m := range a.Tick.Marker.Ticks(a.Min, a.Max) {
		out = append(out, m.Label)
	}
	return fmt.Sprintf("%.4g to %.4g: %s", a.Min, a.Max, strings.Join(out, " "))
}

func TestAxes(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		log       bool
		want      string
	}{
		{0, .0712, false, "0 to 0.08: 0 .02 .04 .06 .08"},
		{.0537, .061, false, "0.052 to 0.062: .052 .054 .056 .058 .060 .062"},
		{-8.2, 23, false, "-10 to 30: \u221210 0 10 20 30"},
		{0, 33, false, "0 to 40: 0 10 20 30 40"},
		{.05, .05, false, "0.044 to 0.056: .044 .046 .048 .050 .052 .054 .056"},
		{0, 0, false, "-0.001 to 0.001: \u2212.0010 \u2212.0005 0 .0005 .0010"},
		{290, 3900, true, "200 to 5000: 200 500 1000 2000 5000"},
		{.3, .3, true, "0.2 to 0.5: .2 .5"},
	} {
		var a plot.Axis
		if tt.log {
			spreadLog(&a, tt.low, tt.high)
		} else {
			spread(&a, tt.low, tt.high)
		}
		if got := labels(a); got != tt.want {
			t.Errorf("%v to %v: got %s, want %s", tt.low, tt.high, got, tt.want)
		}
	}
}

// Epochs are counted, so their axis has no half ones.
func TestWholeMarks(t *testing.T) {
	for high, want := range map[float64]string{3: "0 to 3: 0 1 2 3", 13: "0 to 15: 0 5 10 15", 33: "0 to 40: 0 10 20 30 40"} {
		var a plot.Axis
		spread(&a, 0, high)
		wholeMarks(&a)
		if got := labels(a); got != want {
			t.Errorf("to %v: got %s, want %s", high, got, want)
		}
	}
}

// TestLinesEndTogether: a mean goes no further than the first seed that stopped.
func TestLinesEndTogether(t *testing.T) {
	for _, r := range aggregatetest.Suites()[0].Tables[0].Rows {
		shortest := 0
		for i, run := range r.Runs {
			if i == 0 || run.Epochs < shortest {
				shortest = run.Epochs
			}
		}
		points := validated(&r)
		if r.NonNeural {
			if points != nil {
				t.Errorf("%s: a curve of a floor", r.Label)
			}
			continue
		}
		if last := points[len(points)-1].Epoch; last > shortest || last < shortest-1 { // bert4rec: every second epoch
			t.Errorf("%s ends at epoch %d, its first seed at %d", r.Label, last, shortest)
		}
	}
}

// TestStylesDiffer: no two rows look alike, as points or as lines, nor does one look
// like the baseline.
func TestStylesDiffer(t *testing.T) {
	points, lines := map[string]int{}, map[string]int{}
	for i := -1; i < 20; i++ {
		s := styleOf(i)
		point, line := fmt.Sprintf("%#v %v", s.glyph.Shape, s.glyph.Color), fmt.Sprint(s.line.Color, s.line.Dashes)
		if other, ok := points[point]; ok {
			t.Errorf("points %d and %d look alike: %s", other, i, point)
		}
		if other, ok := lines[line]; ok {
			t.Errorf("lines %d and %d look alike: %s", other, i, line)
		}
		if i >= 0 && s.glyph.Shape == styleOf(-1).glyph.Shape {
			t.Errorf("point %d has the baseline's shape", i)
		}
		points[point], lines[line] = i, i
	}
}

func BenchmarkSVG(b *testing.B) {
	for b.Loop() {
		for _, s := range aggregatetest.Suites() {
			if err := Each(Of(s), func(_ int, f *Figure) error { _, err := f.SVG(); return err }); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	figures := Of(aggregatetest.Suites()[0])
	for b.Loop() {
		if err := Each(figures, func(_ int, f *Figure) error { _, err := f.PNG(); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

// Data sets whose names differ in a dot have figures of their own, and names that come out
// equal get numbers.
func TestFileNamesDiffer(t *testing.T) {
	s := aggregatetest.Suites()[0]
	a, b, c := s.Tables[0], s.Tables[0], s.Tables[0]
	a.Dataset, b.Dataset, c.Dataset = "x.y", "x-y", "X-Y"
	seen := map[string]bool{}
	for _, name := range names(&aggregate.Suite{Name: "x", Tables: []aggregate.Table{a, b, c}}) {
		if name = strings.ToLower(name); seen[name] {
			t.Errorf("%s twice", name)
		}
		seen[name] = true
	}
	if !seen["x.y-gains"] || !seen["x-y-gains"] || !seen["x-y-gains-2"] {
		t.Errorf("got %v", seen)
	}
}

// Rows that a setting other than the axes tells apart have one place on an axis; a baseline
// of 0 leaves no gains; labels may hold anything. All of it draws numbers, in XML.
func TestDrawsNumbers(t *testing.T) {
	sweep := aggregatetest.Suites()[1]
	table := sweep.Tables[0]
	table.Rows = slices.Clone(table.Rows)
	for i := range table.Rows {
		r := &table.Rows[i]
		r.Label += "\x1b\x00\ufffe\u202e<"
		r.At = maps.Clone(r.At)
		if r.At != nil {
			r.At["fame.heads"] = 4.
		}
		for _, rule := range []*aggregate.Rule{&r.Removed, &r.Kept} {
			rule.Metrics = maps.Clone(rule.Metrics)
			for name, c := range rule.Metrics {
				c.Gain, c.Mean, c.SD = nil, 0, 0
				rule.Metrics[name] = c
			}
		}
	}
	table.Baseline += "\x1b\x00\ufffe\u202e<"
	table.Pictures = []record.Picture{{Facet: "brand"}}
	n := 0
	for _, f := range Of(&aggregate.Suite{Name: "x", Axes: sweep.Axes, Tables: []aggregate.Table{table}}) {
		svg, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(svg, new(struct{})); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		for _, bad := range []string{"NaN", "Inf"} {
			if strings.Contains(string(svg), bad) {
				t.Errorf("%s has %s", f.Name, bad)
			}
		}
		n++
	}
	if n < 4 {
		t.Errorf("%d figures", n)
	}
}

// Rows on several devices are not one line or one heat map.
func TestSweepsByDevice(t *testing.T) {
	var table aggregate.Table
	for _, device := range []string{"cpu", "cuda"} {
		for heads := range 2 {
			for experts := range 2 {
				table.Rows = append(table.Rows, aggregate.Row{Model: "fame", At: map[string]any{"heads": heads + 1, "experts": experts + 1}, Runs: []aggregate.Run{{Device: device}}})
			}
		}
	}
	axes := []string{"heads", "experts"}
	var lines, maps []string
	for _, l := range along(axes, "heads", &table) {
		lines = append(lines, fmt.Sprint(l.name, ": ", len(l.rows)))
	}
	for _, g := range grids(axes, "heads", "experts", &table) {
		maps = append(maps, fmt.Sprint(g.name, ": ", len(g.rows)))
	}
	if want := []string{"experts = 1, cpu: 2", "experts = 2, cpu: 2", "experts = 1, cuda: 2", "experts = 2, cuda: 2"}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, expected %q", lines, want)
	}
	if want := []string{"fame, cpu: 4", "fame, cuda: 4"}; !slices.Equal(maps, want) {
		t.Errorf("heat maps %q, expected %q", maps, want)
	}
	table.Rows = table.Rows[:4]
	if l := along(axes, "heads", &table); len(l) != 2 || l[0].name != "experts = 1" {
		t.Errorf("one device: %+v", l)
	}
}

// The cost of a model that begins with a trained one has that of its source, and of the one before it.
func TestCostsWithSources(t *testing.T) {
	table := aggregatetest.Suites()[0].Tables[0]
	table.Rows = []aggregate.Row{table.Rows[2], table.Rows[4], table.Rows[6]} // sasrec, core, fame
	for i := range table.Rows {
		table.Rows[i].Cost.TrainSeconds = []float64{100, 20, 3}[i]
	}
	before := costs(&table)[0].Caption
	table.Rows[1].Warm, table.Rows[1].Source = true, "sasrec"
	table.Rows[2].Warm, table.Rows[2].Source = true, "core"
	for i, want := range []float64{100, 120, 123} {
		if got := trainSeconds(&table, &table.Rows[i]); got != want {
			t.Errorf("%s: %v s, expected %v", table.Rows[i].Label, got, want)
		}
	}
	after := costs(&table)[0].Caption
	table.Rows[1].Source = ""
	unknown := costs(&table)[0].Caption
	const counted, missing = "has the time of that training, too", "its training is not counted"
	if strings.Contains(before, counted) || !strings.Contains(after, counted) || strings.Contains(after, missing) || !strings.Contains(unknown, missing) {
		t.Errorf("captions:\n%s\n%s\n%s", before, after, unknown)
	}
}

// The epochs of a model that begins with a trained one come after all epochs of that model,
// and of the one before it. Its line is preceded by theirs.
func TestCurvesAfterTheirSources(t *testing.T) {
	table := func(warm bool) *aggregate.Table {
		table := aggregatetest.Suites()[0].Tables[0]
		table.Rows = []aggregate.Row{table.Rows[2], table.Rows[4], table.Rows[6]} // sasrec, core, fame
		table.Baseline = "sasrec"
		for i := range table.Rows {
			table.Rows[i].Cost.Epochs = float64(10 * (i + 1))
		}
		if warm {
			table.Rows[1].Warm, table.Rows[1].Source = true, "sasrec"
			table.Rows[2].Warm, table.Rows[2].Source = true, "core"
		}
		return &table
	}
	cold, warm := table(false), table(true)
	points := validated(&warm.Rows[2])
	if got := lineage(warm, &warm.Rows[0]); got != nil {
		t.Errorf("%d rows before sasrec", len(got))
	}
	sources := lineage(warm, &warm.Rows[2])
	if want := []*aggregate.Row{&warm.Rows[0], &warm.Rows[1]}; !slices.Equal(sources, want) || epochs(sources) != 30 {
		t.Fatalf("%d rows before fame, with %v epochs", len(sources), epochs(sources))
	}
	for i, r := range append(slices.Clone(sources), &warm.Rows[2]) {
		line, want := shifted(validated(r), epochs(sources[:i])), validated(r)
		if first := line[0]; len(line) != len(want) || first.X != []float64{1, 11, 31}[i] || first.Y != want[0].Valid.Mean {
			t.Errorf("line %d begins with %v, want %v of %s", i, first, want[0].Valid.Mean, r.Label)
		}
	}
	before, after := curves(nil, cold)[0], curves(nil, warm)[0]
	last := 0
	for _, c := range points {
		last = max(last, c.Epoch)
	}
	if got, want := after.picture.panels[0].X.Max, float64(30+last); got != want {
		t.Errorf("the last epoch is %v, want %v", got, want)
	}
	if strings.Contains(before.Caption, "begins with") || !strings.Contains(after.Caption, "is drawn after all epochs of that model") || strings.Contains(after.Caption, "not in the table") {
		t.Errorf("captions:\n%s\n%s", before.Caption, after.Caption)
	}
	if got := after.picture.legend[1].text + "; " + after.picture.legend[2].text; got != "core, after sasrec; fame, after core" {
		t.Errorf("legend: %s", got)
	}
	// Two rows that begin with core, in another panel than core: one dotted line there, and its name.
	many := table(true)
	for i := range 7 {
		r := many.Rows[2]
		r.Label, r.Warm, r.Source = fmt.Sprint("fame-", i), i >= 5, ""
		if r.Warm {
			r.Source = "core"
		}
		many.Rows = append(many.Rows, r)
	}
	parts := curves(nil, many)
	for i, f := range parts {
		svg, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range f.picture.legend {
			names = append(names, e.text)
		}
		dotted, named := strokes(string(svg), "stroke-dasharray:1.5"), slices.Contains(names, "core, before others")
		if i == 0 && (dotted != 0 || named) || i == 1 && (dotted != 2 || !named) { // the curve and its sample in the legend
			t.Errorf("figure %d has %d dotted lines and the legend %q", i+1, dotted, names)
		}
	}
	if len(parts) != 2 {
		t.Errorf("%d figures, want 2", len(parts))
	}
	warm.Rows[1].Source = ""
	lost := curves(nil, warm)[0]
	if got := lost.picture.legend[1].text; got != "core, after another model" || !strings.Contains(lost.Caption, "its epochs are not counted") {
		t.Errorf("a source that is not in the table: %s\n%s", got, lost.Caption)
	}
}

// A row with few seeds has an interval, and neither of the two verdicts.
func TestGainsOfFewSeeds(t *testing.T) {
	table := aggregatetest.Suites()[0].Tables[0]
	for i := range table.Rows {
		for _, rule := range aggregate.SeenItemRules {
			if test := table.Rows[i].Under(rule).Test; test != nil {
				test.Significant, test.FewSeeds = false, true
			}
		}
	}
	f := gains(&table)[0]
	var legend []string
	for _, e := range f.picture.legend {
		legend = append(legend, e.text)
	}
	if want := []string{"over duorec:", "fewer than 3 seeds"}; !slices.Equal(legend, want) || !strings.Contains(f.Caption, "Whiskers") || strings.Contains(f.Caption, "Significant") {
		t.Errorf("legend %q, want %q; caption %s", legend, want, f.Caption)
	}
}

// An axis on several data sets is one figure, with a line for each data set and an error bar
// at every point that has seeds.
func TestInteractions(t *testing.T) {
	s := aggregatetest.Suites()[4]
	all := Of(s)
	f := all[len(all)-1]
	if f.Name != "fame-fame-experts" || f.Table != AllTables || f.Dataset != "3 data sets" || f.Title != "fame by fame.experts" || !strings.Contains(f.Caption, "± one standard deviation") {
		t.Errorf("%+v", f)
	}
	var legend []string
	for _, e := range f.picture.legend {
		legend = append(legend, e.text)
	}
	if want := []string{"world-preferred-1", "world-preferred-2", "world-preferred-4"}; !slices.Equal(legend, want) {
		t.Errorf("legend %q, want %q", legend, want)
	}
	svg, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">fame, seen items removed<", ">fame, seen items kept<", ">fame.experts (log scale)<", ">NDCG@10 in % of oracle<", ">8<"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the figure lacks %s", want)
		}
	}
	// Each of 3 data sets, 4 places and 2 rules has a bar with two caps.
	bars := func(f *Figure) int {
		svg, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		return strokes(string(svg), "stroke-width:0.9")
	}
	with := bars(f)
	for i := range s.Interactions {
		for k := range s.Interactions[i].Rows {
			row := &s.Interactions[i].Rows[k]
			row.Cells = slices.Clone(row.Cells)
			for j := range row.Cells {
				row.Cells[j].SD, row.Cells[j].N = 0, 1
			}
			row.Cells[0] = aggregate.Cell{} // no record
		}
	}
	bare := interactions(s.Interactions)[0]
	if got := with - bars(bare); got != 3*24 || strings.Contains(bare.Caption, "seeds") {
		t.Errorf("%d lines of error bars, want 72; caption without seeds: %s", got, bare.Caption)
	}
	s.Interactions[0].Rows, s.Interactions[1].Rows = s.Interactions[0].Rows[:1], s.Interactions[1].Rows[:1]
	if got := interactions(s.Interactions); got != nil {
		t.Errorf("one data set has the figure %s", got[0].Name)
	}
}

// As a limit on words, 0 means all, so it is not the least.
func TestLimits(t *testing.T) {
	var rows []*aggregate.Row
	for _, v := range []any{0, 2, 4, 8} {
		rows = append(rows, &aggregate.Row{At: map[string]any{"pretrain.max_words": v, "fame.balance": v}})
	}
	s := newScale("pretrain.max_words", rows)
	var axis plot.Axis
	s.axis(&axis)
	var labels []string
	for _, tick := range axis.Tick.Marker.Ticks(axis.Min, axis.Max) {
		labels = append(labels, tick.Label)
	}
	if got := strings.Join(labels, " "); got != "2 4 8 all" || s.numeric || s.at(0) <= s.at(8) {
		t.Errorf("%s, %+v", got, s)
	}
	if other := newScale("fame.balance", rows); !other.numeric || other.at(0) != 0 {
		t.Errorf("%+v", other)
	}
}

// Marks that are shifted stay within the panel, also where an axis has two values only.
func TestShiftedMarksStayInside(t *testing.T) {
	for _, values := range [][]any{{"float32", "bfloat16"}, {1, 2}, {1, 2, 4, 8, 16}, {1, 2, 100}, {3}} {
		s := scaleOf(values)
		var a plot.Axis
		s.axis(&a)
		first, last := s.at(s.values[0])+s.shift(0, 3), s.at(s.values[len(s.values)-1])+s.shift(2, 3)
		if first <= a.Min || last >= a.Max {
			t.Errorf("%v: marks from %g to %g, axis from %g to %g", values, first, last, a.Min, a.Max)
		}
	}
}

// strokes counts the marks whose style contains a text; a path may have several.
func strokes(svg, style string) int {
	n := 0
	for line := range strings.Lines(svg) {
		if path, is, ok := strings.Cut(line, `" style="`); ok && strings.Contains(is, style) {
			n += strings.Count(path, "M")
		}
	}
	return n
}

// Marks of one style that follow each other become one path, in their order and in the same places;
// all else stays as it is.
func TestMergeMarks(t *testing.T) {
	mark := func(d, style string) string { return `<path d="` + d + `" style="` + style + `" />` + "\n" }
	dot := mark("M14.4,9A2.2,2.2 0 1 1 10,9A2.2,2.2 0 1 1 14.4,9Z", "fill:#0072B2")
	small := mark("M12.2,9A1.1,1.1 0 1 1 10,9A1.1,1.1 0 1 1 12.2,9Z", "fill:#0072B2")
	square := mark("M301.25,9L303.35,9L303.35,6.9L301.25,6.9Z", "fill:#CC79A7")
	line := mark("M1,2L3,4", "fill:none;stroke:#1A1A1A;stroke-width:0.6")
	text := "<text x=\"1\">M1,2L3,4</text>\n"
	dots := func(d, width string) string {
		return mark(d, "fill:none;stroke:#0072B2;stroke-width:"+width+";stroke-linecap:round")
	}
	through, arc := mark("M1,2L3,4Z", "fill:#0072B2;fill-opacity:0.5"), mark("M1,2A3,3 0 1 1 5,6", "fill:#0072B2")
	open := mark("M1,2L3,4L5,6", "fill:none;stroke:#1A1A1A;stroke-width:0.6")
	for in, want := range map[string]string{
		"":                                    "",
		text + dot + text + square + line:     text + dot + text + square + line,
		line + dot + dot + dot:                line + dots("M12.2,9h0M12.2,9h0M12.2,9h0", "4.4"),
		dot + dot + small + small + text:      dots("M12.2,9h0M12.2,9h0", "4.4") + dots("M11.1,9h0M11.1,9h0", "2.2") + text,
		square + square:                       mark("M301.25,9l2.1,0 0,-2.1 -2.1,0zM301.25,9l2.1,0 0,-2.1 -2.1,0z", "fill:#CC79A7"),
		line + open + square + line:           mark("M1,2l2,2M1,2l2,2 2,2", "fill:none;stroke:#1A1A1A;stroke-width:0.6") + square + line,
		through + through + arc + arc:         through + through + arc + arc,
		dot + text + dot + dot + text + small: dot + text + dots("M12.2,9h0M12.2,9h0", "4.4") + text + small,
	} {
		if got := string(mergeMarks([]byte(in))); got != want {
			t.Errorf("%s\nbecame\n%s\nwant\n%s", in, got, want)
		}
	}
	texts := aggregatetest.Suites()[3]
	for _, f := range facets(&texts.Tables[0]) {
		svg, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if points, paths := strings.Count(string(svg), "h0"), strings.Count(string(svg), "<path"); points < 100 || paths > 60 {
			t.Errorf("%s: %d points and %d paths; want most dots in one path", f.Name, points, paths)
		}
	}
}
