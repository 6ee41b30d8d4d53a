package view

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/rank"
)

// at is a row of fame at a place on the axes h and e.
func at(label string, h, e float64) aggregate.Row {
	return aggregate.Row{Model: "fame", Label: label, At: map[string]any{"h": h, "e": e}}
}

// Where each axis is varied on its own, the values of an axis stay together, and those that
// were configured come in their place on the first one. In a grid the first axis leads.
func TestByAxes(t *testing.T) {
	alone := []aggregate.Row{{Model: "sasrec", Label: "s"}, at("4,4", 4, 4), at("1,4", 1, 4), at("16,4", 16, 4), at("2,4", 2, 4), at("4,8", 4, 8), at("4,1", 4, 1), {Model: "core", Label: "c"}}
	list := func(label string, facets ...any) aggregate.Row {
		return aggregate.Row{Model: "fame-plus", Label: label, At: map[string]any{"facets": facets}}
	}
	lists := []aggregate.Row{list("brand", "brand"), list("both", "brand", "genre"), list("again", "brand")}
	grid := []aggregate.Row{at("2,4", 2, 4), at("1,4", 1, 4), at("2,1", 2, 1), at("1,1", 1, 1)}
	for _, tt := range []struct {
		rows []aggregate.Row
		axes []string
		want string
	}{
		{alone, []string{"h", "e"}, "s 1,4 2,4 4,4 16,4 4,1 4,8 c"},
		{alone, nil, "s 4,4 1,4 16,4 2,4 4,8 4,1 c"},
		{lists, []string{"facets"}, "brand both again"},
		{grid, []string{"h", "e"}, "1,1 1,4 2,1 2,4"},
	} {
		var got []string
		for _, r := range byAxes(tt.rows, tt.axes) {
			got = append(got, r.Label)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v: got %q, expected %q", tt.axes, got, tt.want)
		}
	}
}

// A note that several rows have is written once, with the rows that it is about.
func TestRowNotes(t *testing.T) {
	got := rowNotes(&aggregate.Table{Rows: []aggregate.Row{
		{Label: "p", NonNeural: true, Notes: []string{"x"}},
		{Label: "a", Notes: []string{"x", "seed", "one"}},
		{Label: "b", Notes: []string{"x", "seed", "two"}},
		{Label: "c", Notes: []string{"x", "seed", "two"}}}})
	if want := []string{"x (all models)", "seed (all trained models)", "one (a)", "two (b, c)"}; !slices.Equal(got, want) {
		t.Errorf("got %q, expected %q", got, want)
	}
}

// Chosen columns are shown in their order, on the page all. The mark of significance is at
// the gain, or else at the metric that is tested; without both there are no tests.
func TestChosenColumns(t *testing.T) {
	for _, tt := range []struct {
		names  []string
		titles string
		marked int // column of the mark of a row that differs significantly; 0: none
	}{
		{nil, "model|HR@5|HR@10|HR@20|NDCG@5|NDCG@10|NDCG@20|MRR|Cov@10|gain %|", 9},
		{[]string{"gain", "MRR"}, "model|gain %|MRR|", 1},
		{[]string{"MRR", "NDCG@10"}, "model|MRR|NDCG@10|", 2},
		{[]string{"HR@20", rank.Gini}, "model|HR@20|Gini@10|", 0},
	} {
		s := aggregatetest.Suites()[0]
		if err := s.Show(tt.names); err != nil {
			t.Fatal(err)
		}
		table := &s.Tables[0]
		sec := Comparison(table, nil, Terminal)
		first, _, _ := strings.Cut(text(sec.Tables[0]), "\n")
		better := slices.IndexFunc(table.Rows, func(r aggregate.Row) bool { return r.Removed.Test != nil && r.Removed.Test.Significant })
		marked := slices.IndexFunc(sec.Tables[0].Rows[better].Cells, func(c Cell) bool { return c.Mark != "" })
		if first != tt.titles || max(marked, 0) != tt.marked || (sec.Marks != "") != (tt.marked > 0) || (len(sec.Tables) == 3) != (tt.marked > 0) {
			t.Errorf("%q: columns %q, mark at %d, %q, %d tables", tt.names, first, marked, sec.Marks, len(sec.Tables))
		}
		if n := len(Comparison(table, nil, Page).Tables[0].Columns); n != 10 {
			t.Errorf("%q: the page has %d columns, expected all 10", tt.names, n)
		}
	}
}

// withBeyond has metrics beyond accuracy in the row of fame, and in some seeds of sasrec's.
func withBeyond() *aggregate.Table {
	t := &aggregatetest.Suites()[0].Tables[0]
	for row, seeds := range map[int]int{2: 1, 6: 3} {
		for _, rule := range aggregate.SeenItemRules {
			t.Rows[row].Under(rule).Beyond = map[string]aggregate.Cell{rank.Gini: {Mean: .4321, SD: .01, N: seeds}, rank.Popularity: {Mean: 12.34, SD: .5, N: seeds},
				aggregate.Lift: {Mean: -3.21, SD: 1.5, N: seeds}, rank.Novelty: {Mean: 10.256, N: seeds}}
		}
	}
	return t
}

func TestBeyond(t *testing.T) {
	if s := Beyond(&aggregatetest.Suites()[0].Tables[0]); s.Tables != nil {
		t.Errorf("a section of records without such metrics: %+v", s)
	}
	table := withBeyond()
	s := Beyond(table)
	if len(s.Tables) != 2 || !strings.Contains(text(s.Tables[0]), "model|Cov@10|Gini@10|popul.@10|lift@10 %|novelty@10|divers.@10|") || !strings.HasSuffix(text(s.Tables[1]), "|.4321|12.3|-3.2|10.26|–|") {
		t.Errorf("%d tables\n%s", len(s.Tables), text(s.Tables[0]))
	}
	if sd := s.Tables[0].Rows[6].Cells[4].SD; sd != "1.5" {
		t.Errorf("the deviation of the lift is %q", sd)
	}
	notes := strings.Join(s.Notes, "\n")
	if id := table.Rows[0].Runs[0].ID; !strings.Contains(notes, "(popularity, markov, sasrec, bert4rec, core, duorec)") || !strings.Contains(notes, "bench -trec ID, such as "+id) {
		t.Errorf("notes: %s", notes)
	}
}
