package view

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
)

// A claim has a table of its parts, and a note of its controls for each part that was run.
func TestClaimParts(t *testing.T) {
	up, down := aggregate.ClaimEvidence{Dataset: "beauty", Rule: "removed", Verdict: aggregate.Reproduced, Label: "fame-warm", Baseline: "duorec", Gain: new(6.31), GainLow: new(4.44), GainHigh: new(8.2),
		Significant: true, Seeds: 5, Ahead: "fame-warm", Controls: []aggregate.Control{
			{Model: "sasrec-continued", Shares: "a", Label: "sasrec-continued", Gain: new(8.), GainLow: new(5.), GainHigh: new(11.), Seeds: 3},
			{Model: "fame-long", Shares: "b", Label: "fame-long heads=2", Gain: new(-.5), GainLow: new(-2.), GainHigh: new(.3), Seeds: 1},
			{Model: "duorec-warm", Shares: "c"}}},
		aggregate.ClaimEvidence{Dataset: "toys", Rule: "kept", Verdict: aggregate.Excluded, Label: "fame-warm heads=4", Baseline: "core", Gain: new(-6.), GainLow: new(-8.), GainHigh: new(-4.), Seeds: 3, Ahead: "core",
			Controls: []aggregate.Control{{Model: "fame-long", Shares: "b"}, {Model: "duorec-warm", Shares: "c"}}}
	level, few, zero := down, down, down
	level.Label, level.Ahead, level.GainHigh, level.Verdict, level.Controls = "fame-warm", "", new(1.), aggregate.Undecided, nil
	level.TableBaseline = "duorec-warm"
	few.Label, few.Seeds, few.Ahead, few.Verdict = "fame-warm", 1, "", aggregate.Undecided
	zero.Label, zero.Ahead, zero.Gain, zero.GainLow, zero.GainHigh, zero.Verdict = "fame-warm", "", nil, nil, nil, aggregate.Undecided
	open := aggregate.ClaimEvidence{Dataset: "sports", Rule: "kept", Verdict: aggregate.NotRun}
	all := []aggregate.ClaimEvidence{up, down, level, few, zero, open}
	sections := claims([]aggregate.Claim{{Paper: "P", Text: "T", Model: "fame-warm", Metric: "HR@20", Low: 4.2, High: 8.9, Verdict: aggregate.Undecided, Found: all},
		{Paper: "P", Text: "U", Model: "fame", Metric: "HR@20", Low: 4.2, High: 8.9, Verdict: aggregate.NotRun}})
	if len(sections) != 2 || text(sections[0].Tables[0]) != "claim|verdict|\nT|undecided|\nU|not run|" {
		t.Fatalf("%+v", sections)
	}
	got := sections[1]
	const want = `data set|seen items|over|gain %|95 % interval, %|seeds|ahead|signif. better|verdict|
beauty|removed|duorec|+6.3|+4.4 to +8.2|5|model|yes|reproduced|
toys|kept|core|-6.0|-8.0 to -4.0|3|baseline|no|excluded|
toys|kept|core|-6.0|-8.0 to +1.0|3|neither|no|undecided|
toys|kept|core|-6.0|-8.0 to -4.0|1|–|no|undecided|
toys|kept|core|–|–|3|–|no|undecided|
sports|kept|–|–|–|–|–|–|not run|`
	if text := text(got.Tables[0]); text != want || got.Tables[0].Caption != "fame-warm: gain in HR@20; claimed: +4.2 to +8.9 %" {
		t.Errorf("%s\n%s\nwant\n%s", got.Tables[0].Caption, text, want)
	}
	if !slices.Equal(got.Footnotes, []string{"the row fame-warm heads=4", "significance is that over duorec-warm, the baseline of the table, which is none of the claim's"}) {
		t.Errorf("footnotes %q", got.Footnotes)
	}
	if notes := strings.Join(got.Notes, "\n"); notes != `beauty, seen items removed: fame-warm gains over sasrec-continued (a): +8.0 % [+5.0, +11.0]; over fame-long heads=2 (b): -0.5 % [-2.0, +0.3], 1 seed; controls without a row here: duorec-warm
toys, seen items kept: controls without a row here: fame-long, duorec-warm
toys, seen items kept: controls without a row here: fame-long, duorec-warm
toys, seen items kept: controls without a row here: fame-long, duorec-warm` {
		t.Errorf("notes:\n%s", notes)
	}
	again := claims([]aggregate.Claim{{Text: "T", Model: "fame-warm", Found: []aggregate.ClaimEvidence{down, few, open}}})
	if notes := again[1].Notes; !slices.Equal(notes, []string{"controls without a row here: fame-long, duorec-warm"}) {
		t.Errorf("equal notes: %q", notes)
	}
	// What tuning gained is named for each part, also without controls.
	down.Tuning = []aggregate.Tuning{{Model: "fame-warm", Dataset: "beauty", Gain: 2.04}, {Model: "core", Dataset: "toys", Gain: 0}}
	level.Tuning = down.Tuning[:1]
	again = claims([]aggregate.Claim{{Text: "T", Model: "fame-warm", Found: []aggregate.ClaimEvidence{down, level}}})
	if notes := strings.Join(again[1].Notes, "\n"); notes != `toys, seen items kept: controls without a row here: fame-long, duorec-warm; tuning, in validation NDCG@10: fame-warm +2.0 % (on beauty), core as configured
toys, seen items kept: tuning, in validation NDCG@10: fame-warm +2.0 % (on beauty)` {
		t.Errorf("notes:\n%s", notes)
	}
	for i, want := range []string{"fame-warm is ahead, and significantly better in NDCG@10", "core is ahead, and fame-warm heads=4 is not significantly better in NDCG@10",
		"neither is ahead, and fame-warm is not significantly better in NDCG@10", "too few seeds to say which is ahead", "core scores 0, so there is no gain"} {
		if got := Result(all[i]); got != want {
			t.Errorf("result: got %s, want %s", got, want)
		}
	}
}

// A verdict that only lacks records says which.
func TestLacks(t *testing.T) {
	e := aggregate.ClaimEvidence{Label: "fame", Baseline: "sasrec", Lacks: []string{"core", "duorec"}, Verdict: aggregate.Undecided}
	if got, want := Controls(e), "undecided for want of records of core, duorec, which may be better than sasrec"; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
}

// Evidence leads to the cell with its gain, or nowhere.
func TestEvidenceRef(t *testing.T) {
	s := aggregatetest.Suites()[0]
	claim := s.Claims[0]
	if got := EvidenceRef(s, claim, claim.Found[1]); got == nil || got.String() != "1.6/kept/NDCG@10" {
		t.Errorf("got %v, expected fame on toys", got)
	}
	for i, e := range claim.Found[1:] {
		e.Label = []string{"no such row", ""}[i]
		if got := EvidenceRef(s, claim, e); got != nil {
			t.Errorf("a row that no table has leads to %v", got)
		}
	}
}
