package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"famebench/internal/analysis"
)

// exampleAnalysis has H heads of N experts, facets with long labels, and values of
// many digits.
func exampleAnalysis(id, model string, H, N int) *analysis.Analysis {
	a := &analysis.Analysis{
		ID: id, Dataset: "beauty-8core", Model: model, Users: 22363, MoELayers: 1, GateEntropy: .93604, Imbalance: 1.00812,
		Reach: []int{22363, 22001, 16000, 9000, 5000}, ListUsers: 2048, ListLen: 20, HitRate: .1289,
	}
	for h := range H {
		head := analysis.Head{
			Gate: &analysis.Distribution{Mean: .2242 + float64(h)/1000, P10: .1266, P90: .2988}, Chosen: 1 / float64(H), RouterEntropy: .9947, Dead: h % 2,
			Attention: []float64{.13958, .2503, .26301, .12615, .07073}, Alone: &analysis.Alone{ModelOverlap: .0312, HitRate: .0123},
		}
		row := make([]float64, H)
		for i := range row {
			row[i] = .002 * float64(1+(i+h)%3)
		}
		row[h] = 1
		a.Overlap = append(a.Overlap, row)
		for e := range N {
			head.Experts = append(head.Experts, analysis.Expert{Load: (.9 + .2*float64(e)/float64(N)) / float64(N)})
		}
		a.Heads = append(a.Heads, head)
	}
	for i, name := range []string{"brand", "category 1", "category 2", "category 3"} {
		tested := func(p float64) analysis.Tested {
			return analysis.Tested{Value: .4414 / float64(1+i), Control: .41326 / float64(1+i), P: p, Holm: min(1, 20*p)}
		}
		f := analysis.Facet{Name: name, Labels: 435, MutualInformation: tested(.001)}
		for h := range H {
			f.Heads = append(f.Heads, analysis.Preference{Divergence: tested(.0123 + float64(h)/10), Prefers: []analysis.Prefer{
				{Label: "#1423", Share: 1, All: .2345}, {Label: "Professional Massage Equipment", Share: .0346, All: .0169}, {Label: "#7", Share: .1, All: .09},
			}[h%3 : 3]})
		}
		a.Facets = append(a.Facets, f)
	}
	return a
}

// exampleExplanation has long titles and labels, and a head that no router divides.
func exampleExplanation(H int) *analysis.Explanation {
	item := func(title string) analysis.Item { return analysis.Item{ID: "B000A11111", Title: title} }
	e := &analysis.Explanation{User: "17", History: []analysis.Item{item("Burt's Bees Beeswax Lip Balm with Vitamin E and Peppermint Oil, in a tin, for dry lips, three of them in one box"), {ID: "B000B22222"}}}
	for range H {
		e.Gate = append(e.Gate, 1/float64(H))
	}
	because := []analysis.Cause{{Item: e.History[0], Weight: .5123}, {Item: e.History[1], Weight: .25}}
	e.Items = []analysis.Recommendation{
		{Item: item("Neutrogena Norwegian Formula Hand Cream"), Score: 12.3456, Parts: make([]float64, H), Head: H, Expert: 16, Because: because, Shares: []string{"brand: #123", "category 3: #1423", "category 2: Makeup Brushes & Tools"}},
		{Item: analysis.Item{ID: "B000C33333"}, Score: -1.5, Parts: make([]float64, H), Head: 1, Because: because[:1], Shares: []string{}},
		{Item: item("Of a gate that joins the heads"), Score: 0, Because: []analysis.Cause{}, Shares: []string{}},
	}
	e.Items[0].Parts[H-1], e.Items[1].Parts[0] = 11.25, -1.25
	return e
}

// Goldens of analyses with a table of all, and of an explanation.
func TestAnalysisGolden(t *testing.T) {
	concat := exampleAnalysis("beauty-8core-fame-concat-s0-00000003", "fame-concat", 2, 1)
	concat.Overlap, concat.Facets, concat.GateEntropy = nil, nil, 0
	concat.MoELayers = 2
	for h := range concat.Heads {
		concat.Heads[h].Gate, concat.Heads[h].Alone = nil, nil
		concat.Heads[h].Attention = concat.Heads[h].Attention[:2]
	}
	concat.Reach = concat.Reach[:2]
	plain := exampleAnalysis("beauty-8core-fame-s0-00000001", "fame", 4, 4)
	other := exampleAnalysis("beauty-8core-fame-s1-00000002", "fame", 4, 4)
	other.Facets[1].MutualInformation.Holm = .06
	for name, write := range map[string]func(b *bytes.Buffer) error{
		"analyses.txt": func(b *bytes.Buffer) error {
			return WriteAnalyses(b, analysis.NewDigest([]*analysis.Analysis{plain, concat, other}))
		},
		"explanation.txt": func(b *bytes.Buffer) error { return WriteExplanation(b, exampleExplanation(4)) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name, b.String())
		checkWidth(t, name, b.String())
	}
}

// Labels keep their ids, and whatever the numbers of heads and experts, lines fit.
func TestAnalysisFits(t *testing.T) {
	for _, c := range []struct{ H, N int }{{1, 1}, {2, 16}, {16, 1}, {16, 16}} {
		var b bytes.Buffer
		a := exampleAnalysis("beauty-8core-fame-average-gate-s0-00000001", "fame-average-gate", c.H, c.N)
		a.At = fmt.Sprintf("fame.experts = %d", c.N)
		err := WriteAnalyses(&b, analysis.NewDigest([]*analysis.Analysis{a, a}))
		if err == nil {
			err = WriteExplanation(&b, exampleExplanation(c.H))
		}
		if err != nil {
			t.Fatal(err)
		}
		checkWidth(t, fmt.Sprint(c), b.String())
		if text := b.String(); !strings.Contains(text, "category 3: #1423") || !strings.Contains(text, "fame.experts") {
			t.Errorf("%v: got\n%s", c, text)
		}
	}
}
