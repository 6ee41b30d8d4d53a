package aggregate

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// lists are imported lists of ten items for the fixture's users.
func lists(seed int64, rule string, ranks []int32, length int) *record.Imported {
	m := &record.Imported{
		Spec: record.ImportSpec{Name: "recbole-sasrec", Dataset: record.Dataset{Name: "beauty", Fingerprint: "0011223344"}, Protocol: "leave-one-out",
			Seed: seed, Rule: rule, SHA256: strings.Repeat("ab", 32)},
		File: "lists.run", Users: users, Items: 100, Length: length, Ranks: ranks, Test: ListMetrics(ranks, length),
	}
	m.ID, _ = m.Spec.MakeID()
	return m
}

// Half of the users have their item at rank 1, the others not in the list: HR is .5 and NDCG .5,
// and nothing is known beyond place 10.
func TestImportedRow(t *testing.T) {
	f := newFixture(t)
	half := slices.Concat(slices.Repeat([]int32{1}, users/2), slices.Repeat([]int32{record.Unlisted}, users/2))
	for seed := range int64(3) {
		f.add("sasrec", seed, .03, .01, same(90), nil)
		f.Imported = append(f.Imported, lists(seed, "removed", half, 10))
	}
	f.ImportedNames = []string{"recbole-sasrec", "absent"}
	f.Pairs = [][]string{{"sasrec", "recbole-sasrec"}}
	without := f.Input
	without.Imported, without.ImportedNames = nil, nil
	s := f.make()
	table := s.Tables[0]
	if len(table.Rows) != 2 || table.Baseline != "sasrec" {
		t.Fatalf("%+v", table)
	}
	row := table.Rows[1]
	for _, metric := range []string{"HR@5", "HR@10", "NDCG@5", "NDCG@10"} {
		if c := row.Removed.Metrics[metric]; c.Mean != .5 || c.N != 3 || !c.Best {
			t.Errorf("%s: %+v", metric, c)
		}
	}
	for _, metric := range []string{"HR@20", "NDCG@20", "MRR", "Coverage@10"} {
		if c, ok := row.Removed.Metrics[metric]; ok {
			t.Errorf("%s does not follow from ten items: %+v", metric, c)
		}
	}
	if test := row.Removed.Test; test == nil || !test.Significant || test.P != 2./64 {
		t.Errorf("six signs that agree: %+v", test)
	}
	if c := s.Pairs; len(c.Lines) != 1 || c.Lines[0].Rule != "removed" || c.Lines[0].Test == nil || c.Lines[0].Test.Low != row.Removed.Test.Low ||
		!slices.Contains(c.Notes, "no lists of recbole-sasrec on beauty were imported for seen items kept") {
		t.Errorf("the pair with the baseline has the interval of the table: %+v, %+v", c, row.Removed.Test)
	}
	if len(row.Kept.Metrics) > 0 || row.Kept.Test != nil || row.Runs != nil || len(row.Imported) != 3 {
		t.Errorf("%+v", row)
	}
	if notes := strings.Join(row.Notes, "\n"); !strings.Contains(notes, "imported: seen items removed, seed 0: lists of 10 items of another program") || !strings.Contains(notes, strings.Repeat("ab", 32)) {
		t.Errorf("notes: %s", notes)
	}
	if !slices.Contains(s.Notes, "no lists of absent were imported for beauty: bench -import imports them") {
		t.Errorf("notes: %q", s.Notes)
	}
	k1 := f.key()
	k2, err := without.Key()
	if err != nil || k1 == k2 {
		t.Errorf("imported lists do not change the key (%v)", err)
	}

	f.Imported[1] = lists(0, "removed", same(2), 10)
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), "are of the same seed and seen-item rule") {
		t.Errorf("two lists of a seed: %v", err)
	}
	f.Imported = f.Imported[:1]
	f.Imported[0].Test["HR@5"] = .75
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), "contradicts its ranks: expected HR@5 0.5, got 0.75") {
		t.Errorf("an edited metric: %v", err)
	}
}

// Two rows of one table, one of which has lists of five items: they are tested by what both have.
func TestCompareShortListsOfASuite(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .03, 0, same(3), nil)
	side := func(row string) Side {
		s := f.side("s/" + row)
		s.Suite, s.Row, s.Imported = "s", row, []*record.Imported{lists(0, "removed", same(1), 5)}
		return s
	}
	for _, rows := range [][2]string{{"sasrec", "recbole-sasrec"}, {"recbole-sasrec", "sasrec"}} {
		c, err := Compare(side(rows[0]), side(rows[1]))
		if err != nil {
			t.Fatal(err)
		}
		if l := line(t, c, "beauty", "removed", "NDCG@5"); l.Test == nil {
			t.Errorf("%q: %+v", rows, l)
		}
		if l := line(t, c, "beauty", "removed", "NDCG@10"); l.Test != nil {
			t.Errorf("%q: %+v", rows, l)
		}
	}
}

// Next to a run, imported lists are tested up to their length and under their rule.
func TestCompareImported(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .03, 0, same(3), nil)
	c, err := Compare(f.side("x"), Side{Name: "imported/recbole-sasrec", Imported: []*record.Imported{lists(0, "removed", same(1), 5)}, Store: f.Store})
	if err != nil {
		t.Fatal(err)
	}
	if l := line(t, c, "beauty", "removed", "NDCG@5"); l.Test == nil || *l.Percent != 100 || l.Test.Significant {
		t.Errorf("%+v", l)
	}
	if slices.ContainsFunc(c.Lines, func(l ComparedMetric) bool { return l.Rule == "kept" }) || !strings.Contains(strings.Join(c.Notes, "\n"), "no lists of recbole-sasrec on beauty were imported for seen items kept") {
		t.Errorf("lines under a rule without lists, or no note: %q", c.Notes)
	}
	for _, at := range [][2]string{{"removed", "NDCG@10"}, {"removed", "MRR"}} {
		if l := line(t, c, "beauty", at[0], at[1]); l.B != nil || l.Test != nil || l.Percent != nil || l.Untested == "" {
			t.Errorf("%s: %+v", at, l)
		}
	}
	if len(c.Warnings) != 1 || c.Warnings[0].What != "training" {
		t.Errorf("%+v", c.Warnings)
	}
}
