package aggregate

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// Interaction says whether the effect of an axis on a model depends on the data set, for
// instance whether the best number of experts does.
type Interaction struct {
	Axis     string `json:"axis"`
	Model    string `json:"model"`
	Rule     string `json:"rule"`                // of seen items
	OfOracle bool   `json:"of_oracle,omitempty"` // the values are Rule.OfOracle instead of NDCG@10
	Places   []any  `json:"places"`              // the values of the axis
	// Rows are the data sets, in the order of the suite.
	Rows []InteractionRow `json:"rows"`
	// Seeds is how many seeds all cells have in common. Only these are analysed, and cells are
	// means over them; where there are none, over those that the cells of a data set have in
	// common; where there are none either, over a cell's own.
	Seeds int `json:"seeds"`
	// Sources are those of a two-way analysis of variance of the logarithms of the values, with the
	// seeds as replicates: data set, axis, interaction, and residual. Of the values themselves,
	// effects that are equal in percent would be an interaction where data sets differ in level. If
	// there are none, Untested says why.
	Sources  []Variation `json:"sources,omitempty"`
	Untested string      `json:"untested,omitempty"`
	// Uneven says that Within differs by more than MaxUneven between data sets. The analysis
	// assumes that it does not, and its p is too small where the seeds of one of them vary most.
	Uneven bool `json:"uneven,omitempty"`
}

// MaxUneven is how many times larger the deviation within the cells of one data set may be than
// that of another. Without any interaction, three seeds of four data sets whose deviations are
// 1 : 1.6 : 2.4 : 4 have a p below .01 in 3 to 4 % of cases (simulation).
const MaxUneven = 2

// InteractionRow is a data set of an Interaction.
type InteractionRow struct {
	Dataset string `json:"dataset"`
	Cells   []Cell `json:"cells"` // by place on the axis; N is 0 where there is no record
	// Best is the place with the highest mean; nil if the cells have no seed in common. Low and
	// High are the lowest and the highest place that is best for a seed; nil if they have fewer
	// than two.
	Best any `json:"best,omitempty"`
	Low  any `json:"low,omitempty"`
	High any `json:"high,omitempty"`
	// Within is the standard deviation within cells of what is analysed, logarithms, in percent:
	// about that of the values in percent of their cell's mean. It is 0 without an analysis.
	Within float64 `json:"within,omitempty"`
}

// Variation is a source of variation, see stats.Effect.
type Variation struct {
	Source string  `json:"source"` // ByDataset, the name of the axis, ByInteraction or Residual
	DF     int     `json:"df"`
	SS     float64 `json:"ss"`
	F      float64 `json:"f"`
	P      float64 `json:"p"`
}

// Sources of variation.
const (
	ByDataset     = "data set"
	ByInteraction = "interaction"
	Residual      = "seeds" // within cells: F and P are 0
)

// interactions analyses, for each model that has the axis and under both seen-item rules,
// whether the effect of the axis depends on the data set.
func interactions(axis string, tables []Table) (out []Interaction) {
	var models []string
	for _, t := range tables {
		for _, r := range t.Rows {
			if r.At[axis] != nil {
				models = appendNew(models, r.Model)
			}
		}
	}
	for _, model := range models {
		for _, rule := range SeenItemRules {
			out = append(out, newInteraction(axis, model, rule, tables))
		}
	}
	return out
}

func newInteraction(axis, model, rule string, tables []Table) Interaction {
	in := Interaction{Axis: axis, Model: model, Rule: rule, OfOracle: true}
	var of []Table // those with rows of the model
	for _, t := range tables {
		has := false
		for _, r := range t.Rows {
			if r.Model == model && r.At[axis] != nil {
				has = true
				in.OfOracle = in.OfOracle && r.Under(rule).OfOracle != nil // see shareOfOracle
				if in.place(&r) < 0 {
					in.Places = append(in.Places, r.At[axis])
				}
			}
		}
		if has {
			of = append(of, t)
		}
	}
	slices.SortStableFunc(in.Places, func(a, b any) int {
		x, isNumber := a.(float64)
		y, too := b.(float64)
		if !isNumber || !too {
			return 0 // names stay in the order of the axis
		}
		return cmp.Compare(x, y)
	})
	var values [][]bySeed // by data set and place
	var code *record.Versions
	for i := range of {
		for _, r := range of[i].Rows {
			if r.Model != model || in.place(&r) < 0 || len(r.Runs) == 0 {
				continue
			}
			if code == nil {
				code = &r.Runs[0].Versions
			}
			if r.Runs[0].Versions != *code {
				in.untested("the runs are of several versions of the code (%s; %s), which may differ in their results", code, r.Runs[0].Versions)
			}
		}
		values = append(values, in.values(&of[i]))
	}
	seeds := common(slices.Concat(values...))
	for i := range of {
		in.Rows = append(in.Rows, in.row(of[i].Dataset, values[i], seeds))
	}
	in.analyse(values, seeds)
	return in
}

// place is the index of a row's place on the axis; -1 if it is not among those known. The
// value of a setting may be a list, which cannot be compared as it is.
func (in *Interaction) place(r *Row) int {
	return slices.IndexFunc(in.Places, func(v any) bool { return fmt.Sprint(v) == fmt.Sprint(r.At[in.Axis]) })
}

// bySeed has a value for each seed.
type bySeed map[int64]float64

// values are those of a data set's cells; nil where there is no record.
func (in *Interaction) values(t *Table) []bySeed {
	values := make([]bySeed, len(in.Places))
	scale := 1.
	if in.OfOracle {
		scale = 100 / t.oracle(in.Rule)
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		place := in.place(r)
		if r.Model != in.Model || place < 0 {
			continue
		}
		if values[place] != nil {
			in.untested("%s has several rows with %s = %v on %s, for instance of several devices", in.Model, in.Axis, in.Places[place], t.Dataset)
			continue
		}
		values[place] = bySeed{}
		for _, run := range r.Runs {
			values[place][run.Seed] = scale * run.tested(in.Rule)
		}
	}
	if missing := slices.IndexFunc(values, func(v bySeed) bool { return v == nil }); missing >= 0 {
		in.untested("no record of %s with %s = %v on %s", in.Model, in.Axis, in.Places[missing], t.Dataset)
	}
	return values
}

// row describes a data set by the seeds that all cells of all data sets have in common. Otherwise
// a cell that lacks a seed would be compared with cells that have it, and what is best need not be
// what is best for the seeds that are analysed.
func (in *Interaction) row(dataset string, values []bySeed, seeds []int64) InteractionRow {
	row := InteractionRow{Dataset: dataset, Cells: make([]Cell, len(in.Places))}
	if len(seeds) == 0 {
		seeds = common(values)
	}
	for i, v := range values {
		of := seeds
		if len(of) == 0 {
			of = slices.Sorted(maps.Keys(v))
		}
		var shown []float64
		for _, seed := range of {
			shown = append(shown, v[seed])
		}
		row.Cells[i] = newCell(shown)
	}
	if len(seeds) > 0 {
		row.Best = in.Places[best(row.Cells, func(c Cell) float64 { return c.Mean })]
	}
	if len(seeds) > 1 {
		low, high := len(in.Places), 0
		for _, seed := range seeds {
			at := best(values, func(v bySeed) float64 { return v[seed] })
			low, high = min(low, at), max(high, at)
		}
		row.Low, row.High = in.Places[low], in.Places[high]
	}
	return row
}

// untested says why there is no test, unless another reason was found before.
func (in *Interaction) untested(format string, args ...any) {
	in.Untested = cmp.Or(in.Untested, fmt.Sprintf(format, args...))
}

// best is the index of the highest value, the first one if several are equal.
func best[T any](all []T, value func(T) float64) int {
	at := 0
	for i := range all {
		if value(all[i]) > value(all[at]) {
			at = i
		}
	}
	return at
}

// common lists the seeds that all cells have.
func common(cells []bySeed) []int64 {
	var seeds []int64
	for seed := range cells[0] {
		if !slices.ContainsFunc(cells, func(c bySeed) bool { _, ok := c[seed]; return !ok }) {
			seeds = append(seeds, seed)
		}
	}
	slices.Sort(seeds)
	return seeds
}

// analyse tests the interaction. As many seeds in every cell make the effects independent
// of each other.
func (in *Interaction) analyse(values [][]bySeed, seeds []int64) {
	in.Seeds = len(seeds)
	switch {
	case len(values) < 2:
		in.untested("there are records of one data set only")
	case len(in.Places) < 2:
		in.untested("there are records of one place on the axis only")
	case in.Untested == "" && len(seeds) < 2:
		in.untested("it takes at least two seeds that all cells have in common, and there are %d", len(seeds))
	}
	if in.Untested != "" {
		return
	}
	y := make([][][]float64, len(values))
	for i, row := range values {
		for _, cell := range row {
			var replicates []float64
			for _, seed := range seeds {
				if cell[seed] == 0 {
					in.untested("an NDCG@10 is 0, and logarithms are analysed")
					return
				}
				replicates = append(replicates, math.Log(cell[seed]))
			}
			y[i] = append(y[i], replicates)
		}
	}
	two, ok := stats.AnalyseTwoWay(y)
	if !ok {
		in.untested("the results do not differ between seeds")
		return
	}
	var within []float64
	for i, row := range y {
		var squares float64
		for _, cell := range row {
			sd := newCell(cell).SD
			squares += float64(sd * sd)
		}
		in.Rows[i].Within = 100 * math.Sqrt(squares/float64(len(row)))
		within = append(within, in.Rows[i].Within)
	}
	in.Uneven = slices.Max(within) > MaxUneven*slices.Min(within)
	for _, s := range []struct {
		name string
		stats.Effect
	}{{ByDataset, two.A}, {in.Axis, two.B}, {ByInteraction, two.Interaction}, {Residual, two.Residual}} {
		in.Sources = append(in.Sources, Variation{s.name, s.DF, s.SS, s.F, s.P})
	}
}
