package pretrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/torch"
)

// synthetic has items whose text vectors contain two facets, "brand" and "genre",
// in 3 directions for each label, under much noise that a head must ignore. Every
// 7th item has no brand; an item has one or two genres; the last item has no text.
func synthetic(items int) Input {
	const size, brands, genres = 24, 5, 6
	r := rand.New(rand.NewPCG(5, 5))
	normal := func(n int, std float64) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(std * r.NormFloat64())
		}
		return out
	}
	brandVectors, genreVectors := normal(brands*size, .5), normal(genres*size, .5)
	in := Input{Size: size, Hidden: 16, Heads: 2, Facets: []datasets.Facet{
		{Name: "brand", Labels: make([][]int32, items+1), Values: make([]string, brands)},
		{Name: "genre", Labels: make([][]int32, items+1), Values: make([]string, genres)},
	}}
	for _, f := range in.Facets {
		for l := range f.Values {
			f.Values[l] = fmt.Sprintf("%s %d", f.Name, l)
		}
	}
	in.HasText = make([]bool, items+1)
	in.Vectors = make([]float32, size, (items+1)*size)
	for v := 1; v <= items; v++ {
		x := normal(size, 1)
		for j := range x {
			x[j] += 3 // the part that all texts share
		}
		add := func(vectors []float32, label int32) {
			for j := range x {
				x[j] += vectors[int(label)*size+j]
			}
		}
		if brand := int32(r.IntN(brands)); v%7 != 0 {
			in.Facets[0].Labels[v] = []int32{brand}
			add(brandVectors, brand)
		}
		for range 1 + v%2 {
			genre := int32(r.IntN(genres))
			if !slices.Contains(in.Facets[1].Labels[v], genre) {
				in.Facets[1].Labels[v] = append(in.Facets[1].Labels[v], genre)
				add(genreVectors, genre)
			}
		}
		in.HasText[v] = v < items
		in.Vectors = append(in.Vectors, x...)
	}
	return in
}

func quick() Config {
	c := Defaults()
	c.Epochs, c.Batch, c.LearningRate = 12, 64, 3e-3
	return c
}

func train(t *testing.T, in Input, c Config) *Result {
	t.Helper()
	r, err := Train(context.Background(), torch.Config{Threads: 1, Seed: 3}, in, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Training brings held-out items nearer to items with the same label, in every
// head, linear or MLP.
func TestTrainSeparatesLabels(t *testing.T) {
	for _, head := range []string{HeadLinear, HeadMLP} {
		c := quick()
		c.Head = head
		r := train(t, synthetic(600), c)
		if len(r.Record.Heads) != 2 {
			t.Fatalf("%d heads", len(r.Record.Heads))
		}
		for h, l := range r.Record.Heads {
			q := l.Quality
			if l.Facet != []string{"brand", "genre"}[h] || l.Learned != l.Facet || q == nil {
				t.Fatalf("%s head %d: %+v", head, h+1, l)
			}
			t.Logf("%s, %s: %+v, loss %.3f → %.3f", head, l.Facet, *q, l.Loss[0], l.Loss[len(l.Loss)-1])
			if len(l.Loss) != c.Epochs || !(l.Loss[c.Epochs-1] < l.Loss[0]) {
				t.Errorf("%s, %s: loss %v", head, l.Facet, l.Loss)
			}
			if !(q.After.Purity > q.Before.Purity+.05) || !(q.After.Purity > q.Chance+.1) {
				t.Errorf("%s, %s: purity %.3f before, %.3f after, %.3f by chance", head, l.Facet, q.Before.Purity, q.After.Purity, q.Chance)
			}
			if !(q.After.Alignment < q.Before.Alignment-.02) {
				t.Errorf("%s, %s: alignment %.3f before, %.3f after", head, l.Facet, q.Before.Alignment, q.After.Alignment)
			}
		}
	}
}

// The record accounts for every item.
func TestTrainCountsItems(t *testing.T) {
	in := synthetic(100)
	in.Facets[1].Labels[7] = nil // without any label now
	in.HasText[8], in.HasText[9] = false, false
	r := train(t, in, quick()).Record
	if r.Items != 100 || r.WithoutText != 3 || r.WithoutLabels != 1 || r.HeldOut != 9 {
		t.Errorf("%+v", r)
	}
	for _, l := range r.Heads {
		if l.Anchors+l.Negatives != 100-3-9 {
			t.Errorf("%s: %d anchors, %d negatives", l.Facet, l.Anchors, l.Negatives)
		}
	}
	if r.Heads[0].Labels != 5 || r.Heads[1].Labels != 6 || r.Heads[0].Negatives < 10 || r.Heads[1].Negatives != 1 {
		t.Errorf("%+v", r.Heads)
	}
	c := quick()
	c.DropText = .5
	if got := train(t, in, c).Record.WithoutText; got != 3+49 { // 97·.5, rounded
		t.Errorf("%d items without text, want 52", got)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"without_labels":1`) || !strings.Contains(string(text), `"purity"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// Rows have the norm of the models' own rows, with an equal share for each head.
// Items without text, and padding, are randomly initialised with every method.
func TestTable(t *testing.T) {
	in := synthetic(200)
	c := quick()
	c.Epochs = 2
	tables := map[string][]float32{}
	for _, start := range []string{InitContrast, InitOneFacet, InitPCA, InitRandom} {
		c.Init = start
		table := train(t, in, c).Table
		tables[start] = table
		if len(table) != 201*16 {
			t.Fatalf("%s: %d values", start, len(table))
		}
		for v := 1; v < 200 && start != InitRandom; v++ {
			row := table[v*16 : (v+1)*16]
			if got := length(row); math.Abs(got-.08) > 1e-6 { // .02·√16
				t.Fatalf("%s: item %d has norm %v", start, v, got)
			}
			if got := length(row[:8]); start != InitPCA && math.Abs(got-.08/math.Sqrt2) > 1e-6 {
				t.Fatalf("%s: item %d has norm %v in the first head", start, v, got)
			}
		}
	}
	c.Init, c.Scale = InitContrast, 3
	for i, x := range train(t, in, c).Table { // with the last item, which has no text
		if math.Abs(float64(x-3*tables[InitContrast][i])) > 1e-6 {
			t.Fatal("three times the scale is not three times the row")
		}
	}
	c.Init = InitRandom
	for i, x := range train(t, in, c).Table {
		if math.Abs(float64(x-3*tables[InitRandom][i])) > 1e-6 {
			t.Fatal("three times the scale is not three times the random row")
		}
	}
	random := tables[InitRandom]
	if got := length(random) / math.Sqrt(201*16); math.Abs(got-.02) > .002 {
		t.Errorf("random rows have a standard deviation of %v", got)
	}
	for start, table := range tables {
		for _, v := range []int{0, 200} {
			if row := table[v*16 : (v+1)*16]; !slices.Equal(row, random[v*16:(v+1)*16]) || length(row) == 0 {
				t.Errorf("%s: row %d is not random: %v", start, v, row)
			}
		}
		if start != InitRandom && slices.Equal(table[16:32], random[16:32]) {
			t.Errorf("%s: item 1 is random", start)
		}
	}
	if slices.Equal(tables[InitContrast], tables[InitOneFacet]) {
		t.Error("one facet for all gives the table of two")
	}
}

func length(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func TestTrainIsDeterministic(t *testing.T) {
	in := synthetic(150)
	in.Heads = 4
	c := quick()
	c.Epochs, c.ExtraHeads, c.DropText, c.ShuffledLabels = 3, ExtraDropout, .1, .2
	first, second := train(t, in, c), train(t, in, c)
	if !reflect.DeepEqual(first, second) {
		t.Error("one seed, two results")
	}
	other, err := Train(context.Background(), torch.Config{Threads: 1, Seed: 4}, in, c, nil)
	if err != nil || slices.Equal(first.Table, other.Table) {
		t.Errorf("two seeds, one table (%v)", err)
	}
}

// More heads than facets, and more facets than heads.
func TestHeadsAndFacets(t *testing.T) {
	for _, c := range []struct {
		heads        int
		start, extra string
		want         []string // what each head learned / the facet that evaluates it
	}{
		{1, InitContrast, ExtraCycle, []string{"brand/brand"}},
		{4, InitContrast, ExtraCycle, []string{"brand/brand", "genre/genre", "brand/brand", "genre/genre"}},
		{4, InitContrast, ExtraDropout, []string{"brand/brand", "genre/genre", "dropout/", "dropout/"}},
		{4, InitOneFacet, ExtraDropout, []string{"any facet/brand", "any facet/genre", "any facet/brand", "any facet/genre"}},
	} {
		in := synthetic(120)
		in.Heads = c.heads
		config := quick()
		config.Epochs, config.Init, config.ExtraHeads = 2, c.start, c.extra
		r := train(t, in, config)
		var got []string
		for h, l := range r.Record.Heads {
			got = append(got, l.Learned+"/"+l.Facet)
			if measured := l.Quality != nil; measured != (l.Facet != "") {
				t.Errorf("%+v, head %d: quality %v", c, h+1, l.Quality)
			}
			for h2 := range h { // heads of one facet differ
				width := 16 / c.heads
				if slices.Equal(r.Table[16+h*width:16+(h+1)*width], r.Table[16+h2*width:16+(h2+1)*width]) {
					t.Errorf("%+v: heads %d and %d are equal", c, h2+1, h+1)
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: heads learned %v", c, got)
		}
		if len(r.Pictures) != min(c.heads, 2) {
			t.Errorf("%+v: %d pictures", c, len(r.Pictures))
		}
		for _, p := range r.Pictures {
			n := len(p.Items)
			if n == 0 || len(p.Labels) != n || len(p.Before) != n || len(p.After) != n || p.Labels[0] == nil || p.Before[0] == p.Before[1] {
				t.Errorf("%+v: %+v", c, p)
			}
		}
	}
}

// A step on a head's loss reaches every parameter of the head and none of the others.
func TestGradientsReachTheirHead(t *testing.T) {
	in := synthetic(60)
	in.Heads = 4
	for _, head := range []string{HeadLinear, HeadMLP} {
		c := quick()
		c.Head, c.ExtraHeads = head, ExtraDropout
		run(t, func(rt *torch.Runtime) {
			tr := &training{in: in, config: c, seed: 3, items: 60, rt: rt, result: &Result{}}
			if err := errors.Join(tr.divide(), tr.load()); err != nil {
				t.Fatal(err)
			}
			p := rt.NewParams()
			heads, err := tr.newHeads(p)
			if err != nil {
				t.Fatal(err)
			}
			adam := torch.NewAdam(p, c.LearningRate, 0)
			live := rt.Live()
			for h, l := range heads {
				if l.batches = pairBatches(tr.train, c.Batch, tr.random(streamBatches, h, 1)); l.sampler != nil {
					l.batches = l.sampler.epoch(tr.random(streamBatches, h, 1))
				}
				tr.step(p, adam, h, l)
				for _, name := range p.Names() {
					g := p.Grad(name)
					own := strings.HasPrefix(name, fmt.Sprintf("heads.%d.", h))
					if reached := length(g) > 0; reached != own {
						t.Errorf("%s: head %d's step: gradient of %s has norm %v", head, h, name, length(g))
					}
				}
			}
			if rt.Live() != live {
				t.Errorf("%s: %d tensors live after the steps, %d before", head, rt.Live(), live)
			}
		})
	}
}

// Bad input is reported before training, with advice.
func TestTrainErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(in *Input, c *Config)
		want   string
	}{
		"all labels distinct": {func(in *Input, c *Config) {
			f := &in.Facets[0]
			f.Values = make([]string, len(f.Labels))
			for v := range f.Labels {
				f.Labels[v] = []int32{int32(v)}
			}
		}, `facet "brand": no two of the 36 labelled items with text in training have a label in common`},
		"all labels equal": {func(in *Input, c *Config) {
			for v := range in.Facets[1].Labels {
				in.Facets[1].Labels[v] = []int32{2}
			}
		}, `facet "genre": all 36 labelled items with text in training have the same label`},
		"no labels":        {func(in *Input, c *Config) { clear(in.Facets[0].Labels) }, `facet "brand": none of the 36 items with text in training has a label`},
		"no facets":        {func(in *Input, c *Config) { in.Facets = nil }, "no facet to learn"},
		"no items":         {func(in *Input, c *Config) { in.HasText = in.HasText[:1] }, "no items"},
		"one text":         {func(in *Input, c *Config) { clear(in.HasText); in.HasText[4] = true }, "1 of 40 items have a text"},
		"no text":          {func(in *Input, c *Config) { clear(in.HasText) }, "0 of 40 items have a text"},
		"one text, pca":    {func(in *Input, c *Config) { clear(in.HasText); in.HasText[4] = true; c.Init = InitPCA }, "1 of 40 items have a text"},
		"equal vectors":    {func(in *Input, c *Config) { clear(in.Vectors) }, "the text vectors of all items are equal"},
		"NaN":              {func(in *Input, c *Config) { in.Vectors[5*in.Size+2] = float32(math.NaN()) }, "the text vector of item 5 contains NaN"},
		"short vectors":    {func(in *Input, c *Config) { in.Vectors = in.Vectors[1:] }, "expected 41 rows"},
		"heads":            {func(in *Input, c *Config) { in.Heads = 3 }, "heads = 3: expected a divisor of hidden = 16"},
		"wide table":       {func(in *Input, c *Config) { in.Hidden = 32; c.Init = InitPCA }, "do not have 32 principal components"},
		"labels of others": {func(in *Input, c *Config) { in.Facets[1].Labels = in.Facets[1].Labels[1:] }, `facet "genre" has labels for 40 rows, expected 41`},
		"unknown label":    {func(in *Input, c *Config) { in.Facets[0].Labels[3] = []int32{5} }, `facet "brand": item 3 has label 5, expected 0 to 4`},
		"config":           {func(in *Input, c *Config) { c.Epochs = 0 }, "pretrain.epochs = 0"},
		"diverges":         {func(in *Input, c *Config) { c.Temperature = 1e-44; c.Epochs = 2 }, "a lower pretrain.learning_rate may help"},
	} {
		in, config := synthetic(40), quick()
		c.change(&in, &config)
		_, err := Train(context.Background(), torch.Config{Threads: 1}, in, config, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "pretrain") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestTrainIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	_, err := Train(ctx, torch.Config{Threads: 1}, synthetic(100), quick(), func(p Progress) {
		if steps++; p.Step < 1 || p.Step > p.Steps || p.Epochs != 12 || !(p.Loss > 0) {
			t.Errorf("%+v", p)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) || steps != 1 {
		t.Errorf("%v after %d steps", err, steps)
	}
}

// With shuffled labels the measured quality, which uses the true labels, is lost.
func TestShuffledLabelsLearnNothing(t *testing.T) {
	c := quick()
	c.ShuffledLabels = 1
	for _, l := range train(t, synthetic(600), c).Record.Heads {
		if q := l.Quality; q.After.Purity > q.Chance+.1 {
			t.Errorf("%s: purity %.3f with shuffled labels, %.3f by chance", l.Facet, q.After.Purity, q.Chance)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *Config){
		"pretrain.start = x: expected one of":        func(c *Config) { c.Init = "x" },
		"pretrain.epochs = -1":                       func(c *Config) { c.Epochs = -1 },
		"pretrain.batch = 3: expected at least 4":    func(c *Config) { c.Batch = 3 },
		"pretrain.temperature = 0":                   func(c *Config) { c.Temperature = 0 },
		"pretrain.temperature = NaN":                 func(c *Config) { c.Temperature = math.NaN() },
		"pretrain.learning_rate = +Inf":              func(c *Config) { c.LearningRate = math.Inf(1) },
		"pretrain.head = x":                          func(c *Config) { c.Head = "x" },
		"pretrain.extra_heads = x":                   func(c *Config) { c.ExtraHeads = "x" },
		"pretrain.view_dropout = 1":                  func(c *Config) { c.ViewDropout = 1 },
		"pretrain.drop_text = 1":                     func(c *Config) { c.DropText = 1 },
		"pretrain.shuffled_labels = 1.1: expected 0": func(c *Config) { c.ShuffledLabels = 1.1 },
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestChoose(t *testing.T) {
	facets := []datasets.Facet{{Name: "brand"}, {Name: "genre"}}
	got, err := Choose(facets, []string{"genre", "brand"})
	if err != nil || len(got) != 2 || got[0].Name != "genre" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Choose(facets, nil); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []struct {
		facets []datasets.Facet
		names  []string
		want   string
	}{
		{facets, []string{"brands"}, `no facet "brands"; the metadata has "brand", "genre"`},
		{nil, []string{"brand"}, "the metadata has none"},
	} {
		if _, err := Choose(c.facets, c.names); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.names, err, c.want)
		}
	}
}

// The hash depends on names, items and labels, not on the numbering of the
// labels.
func TestFacetsHash(t *testing.T) {
	hash := func(change func(*datasets.Facet)) string {
		f := datasets.Facet{Name: "brand", Labels: [][]int32{nil, {0}, {1, 0}}, Values: []string{"a", "b"}}
		change(&f)
		return FacetsHash([]datasets.Facet{f})
	}
	want := hash(func(*datasets.Facet) {})
	for what, change := range map[string]func(*datasets.Facet){
		"name":         func(f *datasets.Facet) { f.Name = "genre" },
		"label's name": func(f *datasets.Facet) { f.Values[1] = "c" },
		"item's label": func(f *datasets.Facet) { f.Labels[1] = []int32{1} },
		"other item":   func(f *datasets.Facet) { f.Labels[1], f.Labels[2] = f.Labels[2], f.Labels[1] },
		"boundary":     func(f *datasets.Facet) { f.Labels[1], f.Labels[2] = []int32{0, 1}, []int32{0} },
	} {
		if hash(change) == want {
			t.Errorf("%s: the same hash", what)
		}
	}
	if hash(func(f *datasets.Facet) {
		f.Labels, f.Values = [][]int32{nil, {1}, {0, 1}}, []string{"b", "a"}
	}) != want {
		t.Error("another numbering, another hash")
	}
}

// A catalogue of Beauty's size, vectors of MiniLM's size, d 64: the whole of
// Train.
func BenchmarkTrain(b *testing.B) {
	in := synthetic(12_101)
	for _, head := range []string{HeadLinear, HeadMLP} {
		b.Run(head, func(b *testing.B) {
			wide := in
			wide.Size, wide.Hidden, wide.Heads = 384, 64, 4
			wide.Vectors = make([]float32, len(in.HasText)*384)
			r := rand.New(rand.NewPCG(1, 1))
			for v := range in.HasText {
				row := wide.Vectors[v*384 : (v+1)*384]
				copy(row, in.Vectors[v*in.Size:(v+1)*in.Size])
				for j := in.Size; j < 384; j++ {
					row[j] = float32(r.NormFloat64())
				}
			}
			c := Defaults()
			c.Head = head
			for b.Loop() {
				if _, err := Train(context.Background(), torch.Config{Threads: 1, Seed: 1}, wide, c, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
