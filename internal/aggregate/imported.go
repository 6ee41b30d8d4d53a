package aggregate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/record"
	"famebench/internal/stats"
)

// ListMetrics are the metrics that follow from the ranks in lists of a length: HR and NDCG up
// to it. What is beyond the end of a list is unknown, so MRR and coverage are not among them.
func ListMetrics(ranks []int32, length int) record.Metrics {
	m := record.Metrics{}
	for _, name := range []string{"HR", "NDCG"} {
		for _, k := range []int{1, 5, 10, 20} {
			if k <= length {
				metric := name + "@" + strconv.Itoa(k)
				m[metric], _ = stats.MeanSD(ofCases(metric, ranks))
			}
		}
	}
	return m
}

// CheckImported compares the metrics of an imported record with its ranks.
func CheckImported(m *record.Imported) error {
	want := ListMetrics(m.Ranks, m.Length)
	for name, v := range want {
		// Another kind of processor may round a logarithm in another way.
		if got, ok := m.Test[name]; !ok || !(math.Abs(got-v) <= 1e-12*v) {
			return fmt.Errorf("imported record %s contradicts its ranks: expected %s %v, got %v; delete it and import the run file again", m.ID, name, v, got)
		}
	}
	if len(m.Test) != len(want) {
		return fmt.Errorf("imported record %s: expected %d metrics of lists of %d items, got %d; delete it and import the run file again", m.ID, len(want), m.Length, len(m.Test))
	}
	return nil
}

// ofImport is dataKey for imported lists.
func ofImport(m *record.Imported) string {
	return dataKey(record.Spec{Dataset: m.Spec.Dataset, Protocol: m.Spec.Protocol})
}

// importedGroups are the rows of imported lists of one data set, one row for each name, in
// the order of the lists.
func importedGroups(all []*record.Imported, users, items int) ([]*group, error) {
	var groups []*group
	for _, m := range all {
		if err := CheckImported(m); err != nil {
			return nil, err
		}
		if m.Users != users || m.Items != items {
			return nil, fmt.Errorf("imported record %s has %d users and %d items, expected %d and %d as in the records of %s", m.ID, m.Users, m.Items, users, items, m.Spec.Dataset.Name)
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return g.Label == m.Spec.Name })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{Row: Row{Model: m.Spec.Name, Label: m.Spec.Name, Baseline: true}})
		}
		g := groups[i]
		for _, other := range g.imported {
			if other.Spec.Seed == m.Spec.Seed && other.Spec.Rule == m.Spec.Rule {
				return nil, fmt.Errorf("imported records %s and %s are of the same seed and seen-item rule: delete one of them", other.ID, m.ID)
			}
		}
		g.imported = append(g.imported, m)
	}
	for _, g := range groups {
		g.fillImported()
	}
	return groups, nil
}

// fillImported computes a row from imported lists. A metric that one of them is too short for
// is absent.
func (g *group) fillImported() {
	slices.SortStableFunc(g.imported, func(a, b *record.Imported) int { return int(a.Spec.Seed - b.Spec.Seed) })
	g.Notes = []string{}
	for _, rule := range SeenItemRules {
		values := map[string][]float64{}
		var ranks [][]int32
		for _, m := range g.imported {
			if m.Spec.Rule != rule {
				continue
			}
			ranks = append(ranks, m.Ranks)
			for metric, v := range m.Test {
				values[metric] = append(values[metric], v)
			}
			g.Imported = append(g.Imported, ImportedList{m.ID, m.File, m.Spec.SHA256, rule, m.Spec.Seed, m.Length})
			g.Notes = append(g.Notes, fmt.Sprintf("imported: seen items %s, seed %d: lists of %d items of another program, whose settings are not recorded here (%s, SHA-256 %s)",
				rule, m.Spec.Seed, m.Length, m.File, m.Spec.SHA256))
		}
		of := g.Under(rule)
		of.Metrics = map[string]Cell{}
		for _, metric := range Columns {
			if v := values[metric]; len(v) == len(ranks) && len(v) > 0 {
				of.Metrics[metric] = newCell(v)
			}
		}
		if rule == "kept" {
			g.kept = ranks
		} else {
			g.removed = ranks
		}
		if n := len(ranks); 0 < n && n < FewSeeds {
			g.Notes = append(g.Notes, fmt.Sprintf("imported lists of %d of the %d seeds that † needs, seen items %s", n, FewSeeds, rule))
		}
	}
}

// importedNotes names the imported rows that a suite asks for and no table has.
func (in Input) importedNotes(tables []Table) (notes []string) {
	for _, name := range in.ImportedNames {
		var without []string
		for _, t := range tables {
			if !slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Imported != nil && r.Label == name }) {
				without = append(without, t.Dataset)
			}
		}
		if without != nil {
			notes = append(notes, fmt.Sprintf("no lists of %s were imported for %s: bench -import imports them", name, strings.Join(without, ", ")))
		}
	}
	return notes
}
