package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"famebench/internal/record"
)

// sideTable is a side on one data set.
type sideTable struct {
	dataset, key string
	all          []*group // of the suite
	rows         []*group // those that are compared
	shown        map[*group][]string
}

// tables divides a side by data set and finds its rows.
func (s Side) tables(c *Comparison) ([]*sideTable, error) {
	var out []*sideTable
	byKey := map[string]*sideTable{}
	at := func(key, dataset string) *sideTable {
		if byKey[key] == nil {
			byKey[key] = &sideTable{dataset: dataset, key: key, shown: map[*group][]string{}}
			out = append(out, byKey[key])
		}
		return byKey[key]
	}
	records := map[string][]*record.Record{}
	lists := map[string][]*record.Imported{}
	for _, r := range s.Records {
		switch spec := r.Result.Spec; {
		case spec.ValidationOnly: // a trial of a search, which ranks no test items
		case r.Result.Status == record.Time:
			c.Notes = append(c.Notes, r.ID+" is left out: its time limit stopped it")
		default:
			t := at(dataKey(spec), spec.Dataset.Name)
			records[t.key] = append(records[t.key], r)
		}
	}
	for _, m := range s.Imported {
		t := at(ofImport(m), m.Spec.Dataset.Name)
		lists[t.key] = append(lists[t.key], m)
	}
	for _, t := range out {
		if rs := records[t.key]; len(rs) > 0 {
			if err := (Input{Store: s.Store}).checkSizes(rs); err != nil {
				return nil, err
			}
			var err error
			if t.all, err = groupBySeed(rs); err != nil {
				return nil, err
			}
			for i, shown := range label(t.all, s.Axes) {
				t.shown[t.all[i]] = shown
				t.all[i].fill(s.Axes, nil)
			}
		}
		if ms := lists[t.key]; len(ms) > 0 {
			imported, err := importedGroups(ms, ms[0].Users, ms[0].Items)
			if err != nil {
				return nil, err
			}
			t.all = append(t.all, imported...)
		}
		if err := t.choose(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// choose finds the rows that are compared: all, or the only one of a label or a model.
func (t *sideTable) choose(s Side) error {
	t.rows = t.all
	if s.Row == "" {
		return nil
	}
	for _, of := range []func(*group) string{func(g *group) string { return g.Label }, func(g *group) string { return g.Model }} {
		t.rows = slices.DeleteFunc(slices.Clone(t.all), func(g *group) bool { return of(g) != s.Row })
		if len(t.rows) > 0 {
			break
		}
	}
	if len(t.rows) > 1 {
		return SidesError{fmt.Errorf("%s: there are %d rows of %s on %s: name one of %s", s.Name, len(t.rows), s.Row, t.dataset, labels(t.rows, s.Suite+"/"))}
	}
	return nil
}

// labels lists rows as arguments of the command.
func labels(rows []*group, prefix string) string {
	var out []string
	for _, g := range rows {
		out = append(out, fmt.Sprintf("%q", prefix+g.Label))
	}
	return strings.Join(out, ", ")
}

// contents says what a side has.
func contents(tables []*sideTable) string {
	var out []string
	for _, t := range tables {
		var rows []string
		for _, g := range t.rows {
			rows = append(rows, g.Label)
		}
		if rows != nil {
			out = append(out, fmt.Sprintf("%s on %s", list(rows), t.dataset))
		}
	}
	if out == nil {
		return "no rows"
	}
	return strings.Join(out, "; ")
}

// match finds the pairs of rows. Two single rows are paired as they are. Rows of whole sides
// are paired if they have the same settings, first those of the same version of the code, or
// are the only ones of their model that are left. Rows without a partner are named.
func match(ta, tb []*sideTable, a, b Side, c *Comparison) (pairs []pair) {
	var partners []*sideTable
	for _, x := range ta {
		y := partner(x, ta, tb)
		if y == nil {
			continue
		}
		partners = append(partners, y)
		left, right := slices.Clone(x.rows), slices.Clone(y.rows)
		onlyOfModel := func(g, h *group) bool {
			return g.Model == h.Model && ofModel(left, g.Model) == 1 && ofModel(right, h.Model) == 1
		}
		sameKey := func(g, h *group) bool { return g.key != "" && g.key == h.key }
		single := func(*group, *group) bool { return !a.Whole && !b.Whole }
		for _, same := range []func(g, h *group) bool{sameKey, sameRow, onlyOfModel, single} {
			for _, g := range slices.Clone(left) {
				i := slices.IndexFunc(right, func(h *group) bool { return same(g, h) })
				if i < 0 {
					continue
				}
				p := pair{dataset: x.dataset, where: x.dataset, a: g, b: right[i], untested: untested(g, right[i])}
				if a.Suite != "" && a.Suite == b.Suite && a.Store.Dir == b.Store.Dir && x.key == y.key {
					p.table = x.all
				}
				if a.Whole {
					p.where = g.Label + " on " + x.dataset
				} else {
					p.named = slices.Concat(x.shown[g], y.shown[right[i]])
				}
				pairs = append(pairs, p)
				left = slices.DeleteFunc(slices.Clone(left), func(h *group) bool { return h == g })
				right = slices.Delete(slices.Clone(right), i, i+1)
			}
		}
		c.alone(a, left, x.dataset)
		c.alone(b, right, y.dataset)
	}
	for _, x := range ta {
		if partner(x, ta, tb) == nil {
			c.alone(a, x.rows, x.dataset)
		}
	}
	for _, y := range tb {
		if !slices.Contains(partners, y) {
			c.alone(b, y.rows, y.dataset)
		}
	}
	return pairs
}

// partner is the other side's table of the same data and split, of a data set with the same
// name, or, if both sides have one data set, that with the same fingerprint under another name.
func partner(x *sideTable, ta, tb []*sideTable) *sideTable {
	if i := slices.IndexFunc(tb, func(y *sideTable) bool { return y.key == x.key }); i >= 0 {
		return tb[i]
	}
	named := slices.DeleteFunc(slices.Clone(tb), func(y *sideTable) bool {
		return y.dataset != x.dataset || slices.ContainsFunc(ta, func(z *sideTable) bool { return z.key == y.key })
	})
	if len(named) == 1 {
		return named[0]
	}
	if len(ta) == 1 && len(tb) == 1 && len(x.rows) > 0 && len(tb[0].rows) > 0 && x.rows[0].dataset().Fingerprint == tb[0].rows[0].dataset().Fingerprint {
		return tb[0]
	}
	return nil
}

// sameRow reports whether two rows have the same model and settings. Versions, device and data
// may differ, which is then a warning.
func sameRow(g, h *group) bool {
	if g.imported != nil || h.imported != nil {
		return g.imported != nil && h.imported != nil && g.Label == h.Label
	}
	key := func(g *group) string {
		s := unversioned(g.records[0].Result.Spec)
		s.Device, s.Protocol = "", ""
		k, err := rowKey(s)
		if err != nil { // a spec that was read from JSON can be written
			return g.Label
		}
		return k
	}
	return key(g) == key(h)
}

// ofModel counts the rows of a model.
func ofModel(rows []*group, model string) (n int) {
	for _, g := range rows {
		if g.Model == model {
			n++
		}
	}
	return n
}

// alone notes rows that the other side does not have.
func (c *Comparison) alone(s Side, rows []*group, dataset string) {
	var names []string
	for _, g := range rows {
		names = append(names, g.Label)
	}
	if names != nil {
		c.Notes = append(c.Notes, fmt.Sprintf("only in %s: %s on %s", s.Name, list(names), dataset))
	}
}

// dataset describes the data of a row.
func (g *group) dataset() record.Dataset {
	if g.imported != nil {
		return g.imported[0].Spec.Dataset
	}
	return g.records[0].Result.Spec.Dataset
}

func (g *group) protocol() string {
	if g.imported != nil {
		return g.imported[0].Spec.Protocol
	}
	return g.records[0].Result.Spec.Protocol
}
