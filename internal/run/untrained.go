package run

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/train"
	"famebench/pretrain"
)

// nearest is the number of neighbours whose rows are averaged.
const nearest = 10

// penalties are those from which a ridge regression chooses, the strongest first.
var penalties = []float64{1, .1, .01, .001, .0001}

// untrained is what the rules for items that never occur in training read. Items without a
// text are in neither list and keep their rows.
type untrained struct {
	begin   []float32 // [V+1, d] the initial table
	texts   []float32 // [V+1, s] the vectors of the texts
	trained []int     // items with a text that occur in training
	missing []int     // items with a text that do not
	rows    int       // V+1
}

func (s *initial) untrained(split *datasets.Split) *untrained {
	u := &untrained{begin: s.Table, texts: s.vectors, rows: split.Data.NumItems + 1}
	counts := split.TrainingCounts()
	for v := 1; v < u.rows; v++ {
		switch {
		case !s.FromText[v]:
		case counts[v] > 0:
			u.trained = append(u.trained, v)
		default:
			u.missing = append(u.missing, v)
		}
	}
	return u
}

// fillUntrained applies a rule of package pretrain to a trained model. The penalty of a ridge
// regression is the one with the best Deciding metric on the cold validation cases; it is
// returned, and 0 for the other rules. No test case is looked at.
func (k *task) fillUntrained(ctx context.Context, from *initial, m *train.Replicas, s rank.Scorer) (penalty float64, err error) {
	u := from.untrained(k.split)
	if len(u.trained) == 0 || len(u.missing) == 0 {
		return 0, nil
	}
	if rule := from.config.Untrained; rule != pretrain.Ridge {
		return 0, changeItems(m, func(table []float32) []float32 { return u.apply(rule, table) })
	}
	var original []float32
	if err := changeItems(m, func(table []float32) []float32 { original = table; return table }); err != nil {
		return 0, err
	}
	fit, best, bestTable := u.regression(original), -1., original
	for _, candidate := range penalties {
		table, err := fit.apply(original, candidate)
		if err != nil {
			return 0, err
		}
		if err := changeItems(m, func([]float32) []float32 { return table }); err != nil {
			return 0, err
		}
		got, err := rank.Evaluate(ctx, s, k.split.ColdValid, k.split.Data.NumItems, rank.Options{})
		if err != nil {
			return 0, err
		}
		if value := got.Removed[rank.Deciding]; value > best {
			best, bestTable, penalty = value, table, candidate
		}
	}
	return penalty, changeItems(m, func([]float32) []float32 { return bestTable })
}

// apply returns the table [V+1, d] after a rule other than a regression.
func (u *untrained) apply(rule string, table []float32) []float32 {
	table = slices.Clone(table)
	switch rule {
	case pretrain.Nearest:
		u.fromNeighbours(table, 1)
		u.scale(table)
	case pretrain.Neighbours:
		u.fromNeighbours(table, nearest)
	case pretrain.ScaledNeighbours:
		u.fromNeighbours(table, nearest)
		u.scale(table)
	case pretrain.Projection:
		for _, v := range u.missing {
			copy(u.row(table, v), u.row(u.begin, v))
		}
		u.scale(table)
	}
	return table
}

// row is the row of an item in a table [V+1, ·].
func (u *untrained) row(table []float32, v int) []float32 {
	d := len(table) / u.rows
	return table[v*d : (v+1)*d]
}

// scale gives the missing items' rows the median norm of the trained items' rows. An average
// of rows that point in many directions is short, and so is the prediction of a regression,
// while scores are products with rows: without this step these items lose to almost all
// others, whatever their direction. The median is that of an ordinary item and depends on
// no item of its own, so only the directions order the missing items. A row that was only
// copied would have the score of its neighbour, for every user, and ties count against the target:
// each such copy would lower the rank of its trained neighbour.
func (u *untrained) scale(table []float32) {
	norms := make([]float64, len(u.trained))
	for i, v := range u.trained {
		norms[i] = norm(u.row(table, v))
	}
	slices.Sort(norms)
	n := len(norms)
	median := (norms[(n-1)/2] + norms[n/2]) / 2
	for _, v := range u.missing {
		row := u.row(table, v)
		if length := norm(row); length > 0 {
			for j := range row {
				row[j] = float32(float64(row[j]) * median / length)
			}
		}
	}
}

func norm(row []float32) float64 { return math.Sqrt(dot(row, row)) }

func dot(a, b []float32) (sum float64) {
	for j, x := range a {
		sum += float64(x) * float64(b[j])
	}
	return sum
}

// fromNeighbours overwrites the missing items' rows. Each becomes the mean row of k trained
// items: those whose initial rows have the highest cosine with its own, the lower item if
// cosines are equal.
func (u *untrained) fromNeighbours(table []float32, k int) {
	type neighbour struct {
		item   int
		cosine float64
	}
	length := func(v int) float64 { return max(norm(u.row(u.begin, v)), 1e-12) }
	lengths := make([]float64, len(u.trained))
	for i, v := range u.trained {
		lengths[i] = length(v)
	}
	near := make([]neighbour, len(u.trained))
	for _, v := range u.missing {
		own, ownLength := u.row(u.begin, v), length(v)
		for i, w := range u.trained {
			near[i] = neighbour{w, dot(u.row(u.begin, w), own) / (lengths[i] * ownLength)}
		}
		slices.SortFunc(near, func(a, b neighbour) int { return cmp.Or(cmp.Compare(b.cosine, a.cosine), a.item-b.item) })
		nearest := near[:min(k, len(near))]
		mean := make([]float64, len(own))
		for _, n := range nearest {
			for j, x := range u.row(table, n.item) {
				mean[j] += float64(x) / float64(len(nearest))
			}
		}
		for j, x := range mean {
			u.row(table, v)[j] = float32(x)
		}
	}
}

// regression is a linear map from text vectors to trained rows, before its penalty is known.
// Text vectors are centred, and divided by one number so that the mean square of their
// coordinates is 1.
type regression struct {
	*untrained
	meanText, meanRow []float64
	textScale         float64
	gram              *mat.SymDense // [s, s] XᵀX / n of the trained items
	right             *mat.Dense    // [s, d] XᵀE / n, E being their centred rows
}

func (u *untrained) regression(table []float32) *regression {
	n, s, d := len(u.trained), len(u.texts)/u.rows, len(table)/u.rows
	r := &regression{untrained: u, meanText: make([]float64, s), meanRow: make([]float64, d), textScale: 1}
	for _, v := range u.trained {
		add(r.meanText, u.row(u.texts, v), 1/float64(n))
		add(r.meanRow, u.row(table, v), 1/float64(n))
	}
	gram, right := mat.NewDense(s, s, nil), mat.NewDense(s, d, nil)
	const block = 1024 // bounds the memory
	for items := range slices.Chunk(u.trained, block) {
		x, e := mat.NewDense(len(items), s, nil), mat.NewDense(len(items), d, nil)
		for i, v := range items {
			x.SetRow(i, r.text(v))
			row := e.RawRowView(i)
			add(row, u.row(table, v), 1)
			for j := range row {
				row[j] -= r.meanRow[j]
			}
		}
		var g, b mat.Dense
		g.Mul(x.T(), x)
		b.Mul(x.T(), e)
		gram.Add(gram, &g)
		right.Add(right, &b)
	}
	if square := mat.Trace(gram) / float64(n*s); square > 0 {
		r.textScale = 1 / math.Sqrt(square)
	}
	gram.Scale(r.textScale*r.textScale/float64(n), gram)
	right.Scale(r.textScale/float64(n), right)
	r.gram, r.right = mat.NewSymDense(s, gram.RawMatrix().Data), right
	return r
}

// text is the centred and scaled vector of an item's text.
func (r *regression) text(v int) []float64 {
	x := make([]float64, len(r.meanText))
	for j, t := range r.row(r.texts, v) {
		x[j] = r.textScale * (float64(t) - r.meanText[j])
	}
	return x
}

// apply returns the table with the missing items' rows predicted under a penalty, and scaled.
func (r *regression) apply(table []float32, penalty float64) ([]float32, error) {
	s := len(r.meanText)
	system := mat.NewSymDense(s, nil)
	system.CopySym(r.gram)
	for j := range s {
		system.SetSym(j, j, system.At(j, j)+penalty)
	}
	var factors mat.Cholesky
	var weights mat.Dense // [s, d]
	if !factors.Factorize(system) {
		return nil, fmt.Errorf("the regression from text vectors to trained rows has no solution with penalty %v: expected finite vectors and rows", penalty)
	}
	if err := factors.SolveTo(&weights, r.right); err != nil {
		return nil, fmt.Errorf("the regression from text vectors to trained rows, with penalty %v: %w", penalty, err)
	}
	table = slices.Clone(table)
	for _, v := range r.missing {
		var predicted mat.VecDense
		predicted.MulVec(weights.T(), mat.NewVecDense(s, r.text(v)))
		for j := range r.meanRow {
			r.row(table, v)[j] = float32(r.meanRow[j] + predicted.AtVec(j))
		}
	}
	r.scale(table)
	return table, nil
}

// add adds factor·row to sum.
func add(sum []float64, row []float32, factor float64) {
	for j, x := range row {
		sum[j] += factor * float64(x)
	}
}

// validateCold ranks the cold validation cases, and the usual ones, as they are ranked after
// training. There are none in most data.
func (k *task) validateCold(ctx context.Context, s rank.Scorer, penalty float64) error {
	// Models that know the world need complete histories, and in those of validation cases the cold
	// items are left out.
	if len(k.split.ColdValid) == 0 || k.entry.KnowsWorld {
		return nil
	}
	c := &record.ColdValidation{Cases: len(k.split.ColdValid), Penalty: penalty}
	for _, part := range []struct {
		cases   []datasets.Case
		metrics *record.Metrics
	}{{k.split.ColdValid, &c.Cold}, {k.split.Valid, &c.Usual}} {
		got, err := rank.Evaluate(ctx, s, part.cases, k.split.Data.NumItems, rank.Options{})
		if err != nil {
			return err
		}
		*part.metrics = record.Metrics(got.Removed)
	}
	k.record.Result.ColdValidation = c
	return nil
}
