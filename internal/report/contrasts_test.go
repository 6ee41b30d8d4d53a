package report

import (
	"bytes"
	"strings"
	"testing"

	"famebench/internal/aggregate"
)

// A contrast is shown with both gains, their difference and its interval; a part that was not run
// has no numbers.
func TestContrasts(t *testing.T) {
	s := &aggregate.Suite{Name: "s", Contrasts: []aggregate.Contrast{{
		Paper: "a paper", Text: "most with two words", Model: "fame-plus", Over: "fame", Metric: "NDCG@10", Axis: "pretrain.max_words", At: 2, Verdict: aggregate.Undecided,
		Found: []aggregate.ContrastEvidence{
			{Dataset: "beauty", Rule: "removed", Verdict: aggregate.Excluded, Label: "few", Than: "all", Gain: 1.25, GainAtZero: 4.5,
				Difference: aggregate.SeedMean{Seeds: 3, Mean: -3.25, Low: -5, High: -1.5}},
			{Dataset: "toys", Rule: "kept", Verdict: aggregate.NotRun},
		}}}}
	var b bytes.Buffer
	MarkdownSuite(&b, s)
	for _, want := range []string{
		"## Where do texts help most?",
		"| most with two words [1] | beauty | removed | +1.2 | +4.5 | -3.2 | -5.0 to -1.5 | 3 | excluded |",
		"| most with two words [1] | toys | kept | – | – | – | – | – | not run |",
		"a paper; gain of fame-plus over fame in NDCG@10, with pretrain.max_words = 2 and with 0; all parts: undecided",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	want := "paper,model,over,metric,axis,at,verdict,dataset,rule,part_verdict,label,label_at_zero,gain,gain_at_zero,difference,low,high,seeds\n" +
		"a paper,fame-plus,fame,NDCG@10,pretrain.max_words,2,undecided,beauty,removed,excluded,few,all,1.25,4.5,-3.25,-5,-1.5,3\n" +
		"a paper,fame-plus,fame,NDCG@10,pretrain.max_words,2,undecided,toys,kept,not run,,,,,,,,\n"
	if got := string(ContrastsCSV(s.Contrasts)); got != want {
		t.Errorf("%s", got)
	}
	if ContrastsCSV(nil) != nil {
		t.Error("a file without contrasts")
	}
}

// One seed has no interval in a CSV file.
func TestNoIntervalOfOneSeed(t *testing.T) {
	one := aggregate.SeedMean{Seeds: 1, Mean: .5, Low: .5, High: .5}
	part := aggregate.ContrastEvidence{Dataset: "beauty", Rule: "kept", Verdict: aggregate.Undecided, Label: "few", Than: "all", Gain: 1, GainAtZero: .5, Difference: one}
	if got, want := string(ContrastsCSV([]aggregate.Contrast{{Found: []aggregate.ContrastEvidence{part}}})), "few,all,1,0.5,0.5,,,1\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%s, expected the line to end in %s", got, want)
	}
	gains := aggregate.GroupGains{Groups: []*aggregate.GroupGain{{Than: .125, Difference: .25, Low: .1, High: .4}, nil}, Trend: one}
	s := &aggregate.Suite{Tables: []aggregate.Table{{Dataset: "beauty", Complexity: &aggregate.Complexity{Facet: "genre", Divisions: []aggregate.Division{{
		Groups: []aggregate.UserGroup{{Label: "low", Users: 9}, {Label: "high", Users: 1}},
		Rows:   []aggregate.ComplexityRow{{Model: "fame", Label: "two", Than: "one", Seeds: 1, Removed: gains}}},
		{EqualLength: true, Lengths: []float64{4.5}, Groups: []aggregate.UserGroup{{Label: "some", Users: 10}},
			Rows: []aggregate.ComplexityRow{{Model: "fame", Label: "two", Than: "one", Seeds: 1, Removed: aggregate.GroupGains{Groups: gains.Groups[:1]}}}}}}}}}
	want := "dataset,facet,among,rule,model,row,over,seeds,group,users,items,ndcg_of_over,gain,low,high\n" +
		"beauty,genre,all,removed,fame,two,one,1,low,9,,0.125,0.25,0.1,0.4\n" +
		"beauty,genre,all,removed,fame,two,one,1,high,1,,,,,\n" +
		"beauty,genre,all,removed,fame,two,one,1,last minus first,,,,0.5,,\n" +
		"beauty,genre,equal length,removed,fame,two,one,1,some,10,4.5,0.125,0.25,0.1,0.4\n"
	if got := string(ComplexityCSV(s)); got != want {
		t.Errorf("%s", got)
	}
}
