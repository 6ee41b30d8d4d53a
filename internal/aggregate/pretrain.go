package aggregate

import "famebench/internal/record"

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
		out = append(out, Head{
			Facet: f.Facet, Learned: f.Learned, Labels: f.Labels,
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
