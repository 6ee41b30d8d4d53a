package aggregate

import (
	"errors"
	"fmt"
	"slices"

	"famebench/internal/conf"
	"famebench/internal/rank"
	"famebench/internal/record"
)

// Lift is how much more often the recommended items occur in training than those of the
// users' histories, in percent.
const Lift = "Lift@10"

// Beyond are the metrics beyond accuracy that not every record has.
var Beyond = []string{rank.Gini, rank.Popularity, Lift, rank.Novelty, rank.Diversity}

// Columns of the comparison table that are no metric: the gain over the baseline, and the
// name of several metrics.
const (
	GainColumn  = "gain"
	beyondGroup = "beyond" // Coverage@10 and Beyond
)

// Shown gives the columns of the comparison table for the names that a user chose. nil are
// those that every table has.
func Shown(names []string) ([]string, error) {
	if names == nil {
		return append(slices.Clone(Columns), GainColumn), nil
	}
	known := slices.Concat(Columns, Beyond, []string{GainColumn, beyondGroup})
	var out []string
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown metric %s%s", conf.Quote(name), conf.Hint(name, known))
		}
		columns := []string{name}
		if name == beyondGroup {
			columns = append([]string{rank.Coverage}, Beyond...)
		}
		for _, c := range columns {
			if slices.Contains(out, c) {
				return nil, fmt.Errorf("%s is listed twice", c)
			}
			out = append(out, c)
		}
	}
	if out == nil {
		return nil, errors.New("expected at least one metric")
	}
	return out, nil
}

// Show chooses the columns of the suite's comparisons, by the names of Shown. A summary does
// not keep them. Without names, tables have all that fits them, such as the share of the oracle.
func (s *Suite) Show(names []string) error {
	columns, err := Shown(names)
	if names == nil {
		columns = nil
	}
	for k := range s.Tables {
		s.Tables[k].Columns = columns
	}
	return err
}

// beyond reads the metrics beyond accuracy of the rows' records, as far as they have any. Where
// the items had other labels in some of the records, rows have no diversity, and a note says so.
func (in Input) beyond(groups []*group) (notes []string, err error) {
	var first *record.Beyond // that names the labels' hash, if any does
	var other string         // a record with other labels
	for _, g := range groups {
		values := map[string]map[string][]float64{} // [rule][metric], over seeds
		for _, rule := range SeenItemRules {
			values[rule] = map[string][]float64{}
		}
		for _, r := range g.records {
			b, err := in.Store.ReadBeyond(r)
			if err != nil {
				return nil, err
			}
			if b == nil {
				continue
			}
			switch {
			case first == nil || first.LabelsSHA256 == "" && first.SameLabels(b):
				first = b
			case !first.SameLabels(b):
				other = r.ID
			}
			for rule, of := range map[string]record.Metrics{"removed": b.Removed, "kept": b.Kept} {
				for _, metric := range Beyond {
					v, ok := of[metric]
					if metric == Lift && b.HistoryPopularity > 0 {
						v, ok = 100*(of[rank.Popularity]/b.HistoryPopularity-1), true
					}
					if ok {
						values[rule][metric] = append(values[rule][metric], v)
					}
				}
			}
		}
		for _, rule := range SeenItemRules {
			for metric, v := range values[rule] {
				of := g.Under(rule)
				if of.Beyond == nil {
					of.Beyond = map[string]Cell{}
				}
				of.Beyond[metric] = newCell(v)
			}
		}
	}
	if other == "" {
		return nil, nil
	}
	for _, g := range groups {
		for _, rule := range SeenItemRules {
			delete(g.Under(rule).Beyond, rank.Diversity)
		}
	}
	return []string{fmt.Sprintf("no %s: the labels of the items were others in %s than in %s; bench -trec ID computes it again for a run whose weights are here", rank.Diversity, other, first.ID)}, nil
}
