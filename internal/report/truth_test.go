package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"famebench/internal/analysis"
)

// generatedAnalysis has H heads, and F facets of the items, the last ones without nouns.
func generatedAnalysis(id, model string, H, F int) *analysis.Analysis {
	a := exampleAnalysis(id, model, H, 4)
	a.Dataset = "two-labels"
	a.Facets = a.Facets[:1]
	truth := &analysis.Truth{Labels: 20, Shuffles: 199, Lists: analysis.Comparison{Value: 1.26804, Control: .243, SD: .0098, P: .005}, Heads: make([]analysis.HeadTruth, H)}
	for f := range F {
		truth.Facets = append(truth.Facets, []string{"colour", "material", "facet 64"}[min(f, 2)])
	}
	for h := range truth.Heads {
		head := &truth.Heads[h]
		for f := range F {
			head.Excess = append(head.Excess, .1*float64(f)-.0004)
		}
		if h < F {
			head.Facet = truth.Facets[h]
			head.List = &analysis.Comparison{Value: 1.5 - float64(h), Control: .225, SD: .025, P: .005 + float64(h)/10}
			head.Router = &analysis.Comparison{Value: .0123, Control: -.0001, SD: .002, P: .05, Constant: h == 1}
		}
	}
	if H > 1 && F > 1 {
		truth.Specialised = &analysis.Comparison{Value: .2345, Control: .0056, SD: .005, P: .005}
		truth.Gate = &analysis.GateTruth{Comparison: analysis.Comparison{Value: .31249, Control: -.0123, SD: .008, P: .005}, HalfWidth: .0251, Users: 10000, Known: .5712}
	}
	truth.Router = &analysis.Comparison{Value: .0123, Control: .004, SD: .001, P: .05}
	a.Truth = truth
	return a
}

// Goldens of analyses of generated data: of a gate that follows users and of a constant one.
func TestTruthGolden(t *testing.T) {
	plain, other := generatedAnalysis("two-labels-fame-s0-00000001", "fame", 4, 3), generatedAnalysis("two-labels-fame-s1-00000002", "fame", 4, 3)
	other.Truth.Lists.P, other.Truth.Lists.Value = .06, 1.1
	static := generatedAnalysis("two-labels-fame-static-gate-s0-00000003", "fame-static-gate", 2, 3)
	static.Truth.Gate.Comparison, static.Truth.Router = analysis.Comparison{P: 1, Constant: true}, nil
	for h := range static.Truth.Heads {
		static.Truth.Heads[h].Router = nil
	}
	var b, markdown bytes.Buffer
	d := analysis.NewDigest([]*analysis.Analysis{plain, other, static, exampleAnalysis("beauty-8core-fame-s0-00000004", "fame", 2, 1)})
	if err := WriteAnalyses(&b, d); err != nil {
		t.Fatal(err)
	}
	MarkdownTruth(&markdown, "heads", "Do heads find facets?", d)
	checkGolden(t, "truth.md", markdown.String())
	checkGolden(t, "truth.csv", string(TruthCSV(d)))
	text := b.String()
	text = text[:strings.Index(text, "two-labels-fame-s1")] + text[strings.Index(text, "two-labels-fame-static-gate-s0"):]
	checkGolden(t, "truth.txt", text)
	checkWidth(t, "truth.txt", b.String())
}

// Without generated data there is no table.
func TestNoTruth(t *testing.T) {
	a := exampleAnalysis("beauty-8core-fame-s0-00000004", "fame", 2, 1)
	var b bytes.Buffer
	d := analysis.NewDigest([]*analysis.Analysis{a, a})
	if MarkdownTruth(&b, "main", "", d); b.Len() > 0 || TruthCSV(d) != nil || TruthCSV(analysis.NewDigest(nil)) != nil {
		t.Errorf("%s%s", &b, TruthCSV(d))
	}
}

// Whatever the numbers of heads and facets, lines fit.
func TestTruthFits(t *testing.T) {
	for _, c := range []struct{ H, F int }{{1, 1}, {1, 64}, {16, 2}, {16, 64}} {
		var b bytes.Buffer
		a := generatedAnalysis("two-labels-fame-warm-average-gate-s0-00000001", "fame-warm-average-gate", c.H, c.F)
		a.At = "fame.experts = 16"
		if err := WriteAnalyses(&b, analysis.NewDigest([]*analysis.Analysis{a, a})); err != nil {
			t.Fatal(err)
		}
		checkWidth(t, fmt.Sprint(c), b.String())
	}
}

func TestSigned(t *testing.T) {
	for x, want := range map[float64]string{0: ".000", -.0004: ".000", -.0006: "-.001", .5: ".500", 4.32193: "4.322", 10.25: "10.250", -10.25: "-10.250"} {
		if got := signed(x); got != want {
			t.Errorf("%v is written as %q, expected %q", x, got, want)
		}
	}
}

// Ids are not mistaken for names.
func TestUnnamedFacets(t *testing.T) {
	a := exampleAnalysis("beauty-8core-fame-s0-00000001", "fame", 2, 2)
	write := func() string {
		var b bytes.Buffer
		if err := WriteAnalyses(&b, analysis.NewDigest([]*analysis.Analysis{a})); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if text := write(); strings.Contains(text, "no names") {
		t.Error(text)
	}
	a.Facets[0].Unnamed, a.Facets[2].Unnamed = true, true
	if text := write(); !strings.Contains(text, "The data have no names for the labels of brand, category 2: # and a number are ids.") {
		t.Errorf("ids are not said to be ids:\n%s", text)
	}
}
