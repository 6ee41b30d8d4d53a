package aggregate

import "famebench/internal/record"

// Head says how well a head that was initialised from texts tells the labels of its facet
// apart on held-out items, by the text vectors (before) and by the head's vectors (after),
// see record.Quality. N is 0 where that could not be measured.
type Head struct {
	Facet      string  `json:"facet,omitempty"` // as record.Head
	Learned    string  `json:"learned"`
	Labels     float64 `json:"labels"` // mean over seeds, which hold out other items
	Chance     Cell    `json:"chance"` // purity of random neighbours
	Purity     Change  `json:"purity"`
	Alignment  Change  `json:"alignment"`
	Uniformity Change  `json:"uniformity"`
}

// Change is a measure before and after a head.
type Change struct {
	Before Cell `json:"before"`
	After  Cell `json:"after"`
}

// Cells lists the measures in the order of a table: chance, then before and after.
func (h Head) Cells() []Cell {
	return []Cell{h.Chance, h.Purity.Before, h.Purity.After, h.Alignment.Before, h.Alignment.After, h.Uniformity.Before, h.Uniformity.After}
}

// heads says what the heads of a row learned in pre-training, mean over its seeds; nil
// for a row without pre-training.
func (g *group) heads() []Head {
	first := g.records[0].Result.Pretrain
	if first == nil {
		return nil
	}
	var out []Head
	for h, f := range first.Heads {
		over := func(of func(*record.Quality) float64) Cell {
			var values []float64
			for _, r := range g.records {
				if p := r.Result.Pretrain; p != nil && h < len(p.Heads) && p.Heads[h].Quality != nil {
					values = append(values, of(p.Heads[h].Quality))
				}
			}
			return newCell(values)
		}
		change := func(of func(record.Measure) float64) Change {
			return Change{over(func(q *record.Quality) float64 { return of(q.Before) }), over(func(q *record.Quality) float64 { return of(q.After) })}
		}
		labels, seeds := 0., 0.
		for _, r := range g.records {
			if p := r.Result.Pretrain; p != nil && h < len(p.Heads) {
				labels, seeds = labels+float64(p.Heads[h].Labels), seeds+1
			}
		}
		out = append(out, Head{
			Facet: f.Facet, Learned: f.Learned, Labels: labels / seeds,
			Chance:     over(func(q *record.Quality) float64 { return q.Chance }),
			Purity:     change(func(m record.Measure) float64 { return m.Purity }),
			Alignment:  change(func(m record.Measure) float64 { return m.Alignment }),
			Uniformity: change(func(m record.Measure) float64 { return m.Uniformity }),
		})
	}
	return out
}

// pictures are those of the first row that has any, of its first seed: the other rows are
// initialised from the same texts.
func (in Input) pictures(t *Table, groups []*group) (err error) {
	for _, g := range groups {
		t.Pictures, err = in.Store.ReadPictures(g.records[0])
		if err != nil || len(t.Pictures) > 0 {
			t.PicturesOf = g.Label
			return err
		}
	}
	return nil
}
