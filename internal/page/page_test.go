package page

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/record"
	"famebench/internal/view"
)

func html(t testing.TB, suites []*aggregate.Suite) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, suites, ""); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A page in another folder has its records and statistics in the results folder.
func TestPageElsewhere(t *testing.T) {
	search := &aggregate.Suite{Name: "search", Trials: []record.Trial{{Dataset: "beauty", Model: "sasrec", Rungs: []record.Rung{{Valid: .05, ID: "a", Epochs: 3}}}}}
	suites := append(aggregatetest.Suites(), search)
	var b bytes.Buffer
	if err := Write(&b, suites, "../../"); err != nil {
		t.Fatal(err)
	}
	here, there := html(t, suites), b.String()
	for _, folder := range []string{"runs/", "datasets/"} {
		n := strings.Count(here, `href="`+folder)
		if n == 0 || strings.Contains(there, `href="`+folder) || strings.Count(there, `href="../../`+folder) != n {
			t.Errorf("%s: %d links here, %d there", folder, n, strings.Count(there, `href="../../`+folder))
		}
	}
	if !strings.Contains(there, `"results":"../../"`) || !strings.Contains(there, "`${data.results}runs/") {
		t.Error("the panel of a number does not link to the results folder")
	}
}

func TestPageNeedsNothing(t *testing.T) {
	page := html(t, aggregatetest.Suites())
	if page != html(t, aggregatetest.Suites()) {
		t.Error("another page the second time")
	}
	link := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	allowed := regexp.MustCompile(`^(#|datasets/|figures/|runs/)`)
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if !allowed.MatchString(m[1]) {
			t.Errorf("link to %s", m[1])
		}
	}
	for _, word := range []string{"@import", "url(", "ZgotmplZ", "<no value>", "%!"} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q", word)
		}
	}
}

// TestPageEscapes: labels and texts come from configuration and records.
func TestPageEscapes(t *testing.T) {
	const evil = `</script><script>alert("x")</script>`
	s := aggregatetest.Suites()[0]
	s.Name, s.Summary, s.Notes = evil, evil, []string{evil}
	row := &s.Tables[0].Rows[6]
	row.Label, row.Notes = evil, []string{evil}
	row.Runs[0].Host, row.Runs[0].Settings = evil, map[string]any{evil: evil}
	s.Claims[0].Text, s.Checks[0].Source = evil, evil
	page := html(t, []*aggregate.Suite{s})
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts, want the page's 2", n)
	}
	_, text, _ := strings.Cut(page, `<script id="data" type="application/json">`)
	text, _, _ = strings.Cut(text, "</script>")
	var d data
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if got := d.Suites[0].Tables[0].Rows[6].Label; got != evil {
		t.Errorf("the label came out as %q", got)
	}
}

// TestPageSays: what the page must say, whatever it looks like.
func TestPageSays(t *testing.T) {
	suites := aggregatetest.Suites()
	page := html(t, suites)
	fame := suites[0].Tables[0].Rows[6]
	for _, want := range []string{
		"Suite full", "2 of 38 runs are missing", "22,363 test users, full ranking of 12,101 items, leave-one-out",
		`<th scope="row">bert4rec&nbsp;<sup>1</sup></th>`, "<li>non-default settings: train.batch_targets = 256, train.eval_every = 2, train.mask_ratio = 0.6</li>",
		`class="best"><span>` + view.Share(fame.Removed.Metrics["NDCG@10"].Mean) + `</span> <small>± `,
		"over duorec, %", ">(outside ±5 %)<", ">inside ±5 %<", ">other data<", ">not run<", "fame over duorec, %",
		`<b class="verdict open">undecided</b> FAME is better`, `toys, seen items kept: <b class="verdict bad">excluded</b>`, `sports, seen items kept: <b class="verdict open">not run</b></li>`,
		" over duorec, 3 seeds: fame is ahead, and significantly better in NDCG@10.", "3 seeds: sasrec is ahead, and fame is not significantly better in NDCG@10.",
		"<small>[\u22123.0, \u22121.0]</small>", "<small>fame gains over sasrec (no facets): &#43;12.0 % [&#43;9.0, &#43;15.0], 1 seed; controls without a row here: fame-long.</small>",
		"Excluded: the upper end of the gain&#39;s 95 % interval", "improves FAME &lt;further&gt;", "&#43;2.1 to &#43;12.3 %",
		`data-ref="0.0.6/kept/NDCG@10">&#43;`, `aria-label="Training curves, beauty"`, `href="figures/full/beauty-curves.png"`,
		`href="datasets/beauty-9c1a957d.json"`, ">train.learning_rate<", ">fame.heads<",
		">of oracle, %</button>", `<td data-sort="100">100.0</td>`, "<h3>Effect of fame.experts on fame by data set</h3>", "<caption>NDCG@10 in % of oracle by fame.experts, seen items kept</caption>",
		`<td data-sort="19.7">19.70</td><td>&lt;.001</td>`, `aria-label="fame by fame.experts, 3 data sets"`, "<h3>Pairs of rows that the suite compares</h3>", `<td class="text">fame experts=1 / fame experts=8</td>`, "<li>difference: B above A in percent of A", `href="figures/generated/fame-fame-experts.svg"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestPageOfLittle: suites with gaps make a page too.
func TestPageOfLittle(t *testing.T) {
	for name, suites := range map[string][]*aggregate.Suite{
		"nothing":     nil,
		"no table":    {{Name: "x"}},
		"no rows":     {{Name: "x", Tables: []aggregate.Table{{Dataset: "beauty"}}}},
		"empty row":   {{Name: "x", Axes: []string{"heads"}, Tables: []aggregate.Table{{Dataset: "beauty", Baseline: "b", Rows: []aggregate.Row{{Label: "a"}, {Label: "b"}}}}}},
		"other check": {{Name: "x", Checks: []aggregate.Check{{Dataset: "nowhere", Ours: aggregate.Cell{Mean: 1, N: 1}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if page := html(t, suites); !strings.Contains(page, `id="protocol"`) {
				t.Error("no protocol")
			}
		})
	}
}

// many is a suite of 300 rows with three seeds.
func many() []*aggregate.Suite {
	s := aggregatetest.Suites()[1]
	t := &s.Tables[0]
	rows := t.Rows[1:]
	for len(t.Rows) < 300 {
		t.Rows = append(t.Rows, rows...)
	}
	return []*aggregate.Suite{s}
}

func BenchmarkPage(b *testing.B) {
	for name, suites := range map[string][]*aggregate.Suite{"three suites": aggregatetest.Suites(), "300 rows": many()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(len(html(b, suites)))/1e3, "kB")
			}
		})
	}
}

// TestTrials: a search has trials, with links to their records, and nothing else.
func TestTrials(t *testing.T) {
	page := html(t, []*aggregate.Suite{{Name: "tune", Summary: "a search", Trials: []record.Trial{
		{Dataset: "beauty", Model: "sasrec", Rungs: []record.Rung{{Limit: 20, Valid: .0412, ID: "beauty-sasrec-s100-1", Epochs: 20}}},
		{Dataset: "beauty", Model: "sasrec", At: "dropout = 0.2", Rungs: []record.Rung{{Limit: 20, Valid: .0432, ID: "beauty-sasrec-s100-2", Epochs: 20}, {Valid: .0591, ID: "beauty-sasrec-s100-3", Epochs: 44}}, Chosen: true},
	}}})
	for _, want := range []string{"Suite tune", "as configured", `<a href="runs/beauty-sasrec-s100-1.json">.0412</a>`, `<a href="runs/beauty-sasrec-s100-3.json">.0591</a>`, ">44<", ">chosen<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "Tied: interactions") || strings.Contains(page, "Claims of the papers") {
		t.Error("a search has no data and no claims of its own")
	}
	if !strings.Contains(page, ">20 epochs<") {
		t.Error("the first rung has no column")
	}
	if !strings.Contains(page, "<p>A search.</p>") || !strings.Contains(page, "The better half of them") || strings.Contains(page, `class="text long"`) {
		t.Error("a search in rungs, with short settings")
	}
	page = html(t, []*aggregate.Suite{{Name: "tune", Summary: "the best?", Trials: []record.Trial{{Dataset: "beauty", Model: "sasrec", At: strings.Repeat("dropout = 0.2, ", 5), Rungs: []record.Rung{{Valid: .0591, ID: "x", Epochs: 44}}}}}})
	if !strings.Contains(page, "<p>The best?</p>") || strings.Contains(page, "The better half of them") || !strings.Contains(page, "All are trained to the end") || !strings.Contains(page, `<td class="text long">dropout`) {
		t.Error("a search to the end, with long settings")
	}
	page = html(t, []*aggregate.Suite{{Name: "tune", Trials: []record.Trial{{Dataset: "beauty", Model: "sasrec", Rungs: []record.Rung{{Valid: .0591, ID: "beauty-sasrec-s100-3", Epochs: 44}}}}}})
	if strings.Contains(page, ">20 epochs<") || !strings.Contains(page, ">.0591</a></td>") {
		t.Error("a column of short runs, and there were none")
	}
}

// TestGroupsAndHeads: what is behind a mean, and what pre-training learned.
func TestGroupsAndHeads(t *testing.T) {
	page := html(t, aggregatetest.Suites()[3:])
	for _, want := range []string{"What pre-training learned", ">purity, head<", ">0.520<", ">dropout<", "NDCG@10 by interactions of the target in training, seen items kept",
		`title="9,000 test users"`, "Items by “brand”, before and after pre-training", `href="figures/pretrain/beauty-facet-brand.png"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPageShows: what a browser would not show, or would let reorder the text, is written
// out; without a gain there is a dash.
func TestPageShows(t *testing.T) {
	const hidden = "a\x1b\u202eb\u200b\x00c\u009b"
	s := aggregatetest.Suites()[0]
	s.Summary = hidden
	row := &s.Tables[0].Rows[6]
	row.Runs[0].CPU = hidden
	for _, metrics := range []map[string]aggregate.Cell{row.Removed.Metrics, row.Kept.Metrics} {
		for name, c := range metrics {
			c.Gain = nil
			metrics[name] = c
		}
	}
	s.Claims[0].Found = []aggregate.ClaimEvidence{{Dataset: "beauty", Rule: "kept", Verdict: aggregate.Undecided, Label: "fame", Baseline: "duorec", Seeds: 3}}
	page := html(t, []*aggregate.Suite{s})
	for _, r := range page {
		if unicode.Is(unicode.C, r) && r != '\n' && r != '\t' {
			t.Fatalf("the page has %q", r)
		}
	}
	for _, want := range []string{`A\u001b\u202eb\u200b`, "duorec scores 0, so there is no gain"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "%!"} {
		if _, table, _ := strings.Cut(page, "<main"); strings.Contains(strings.SplitN(table, "<script", 2)[0], bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	_, text, _ := strings.Cut(page, `<script id="data" type="application/json">`)
	text, _, _ = strings.Cut(text, "</script>")
	var d data
	if err := json.Unmarshal([]byte(text), &d); err != nil || !strings.Contains(d.Runs[row.Runs[0].ID].Machine, hidden) {
		t.Errorf("%v: machine %q", err, d.Runs[row.Runs[0].ID].Machine)
	}
}

// Metrics beyond accuracy have a part of their own where records have them.
func TestPageBeyondAccuracy(t *testing.T) {
	s := aggregatetest.Suites()[0]
	s.Tables = s.Tables[:1]
	const part = "<details><summary>Beyond accuracy</summary>"
	if page := html(t, []*aggregate.Suite{s}); strings.Contains(page, part) {
		t.Error("the part is there without such metrics")
	}
	s.Tables[0].Rows[6].Kept.Beyond = map[string]aggregate.Cell{"Novelty@10": {Mean: 9.8765, N: 1}}
	s.Tables[0].Rows[6].Removed.Beyond = s.Tables[0].Rows[6].Kept.Beyond
	s.Tables[0].BaselineNamed = true
	page := html(t, []*aggregate.Suite{s})
	for what, n := range map[string]int{part: 1, ">9.88<": 2, "the baseline that the suite names": 2} { // the latter also below the figure of gains
		if got := strings.Count(page, what); got != n {
			t.Errorf("%q is there %d times, expected %d", what, got, n)
		}
	}
}

// A run in a suite of means over users and in one of means over cases has its own numbers in each,
// whichever comes last, and is one run.
func TestRunsByUser(t *testing.T) {
	suite := func(average string, hits float64) *aggregate.Suite {
		run := aggregate.Run{ID: "a", SHA256: "x", Removed: map[string]float64{"HR@10": hits}, Kept: map[string]float64{"HR@10": hits / 2}}
		return &aggregate.Suite{Tables: []aggregate.Table{{Average: average, Rows: []aggregate.Row{{Runs: []aggregate.Run{run}}}}}}
	}
	cases, users := suite("", .5), suite(aggregate.ByUser, .25)
	for _, order := range [][]*aggregate.Suite{{cases, users}, {users, cases}, {users, cases, users}} {
		d := newData(order)
		if len(d.Runs) != 1 || d.Runs["a"].Removed["HR@10"] != .5 || d.Runs["a"].Kept["HR@10"] != .25 || d.Runs["a"].SHA256 != "x" {
			t.Errorf("%+v", d.Runs)
		}
		for i, s := range order {
			row := d.Suites[i].Tables[0].Rows[0]
			switch {
			case s == cases && row.Averaged != nil:
				t.Errorf("means over cases: %+v", row)
			case s == users && (len(row.Averaged) != 1 || row.Averaged[0].Removed["HR@10"] != .25 || row.Averaged[0].Kept["HR@10"] != .125):
				t.Errorf("means over users: %+v", row)
			}
		}
	}
}
