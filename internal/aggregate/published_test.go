package aggregate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// The committed file, with counts made by hand from its tables.
func TestPublishedFile(t *testing.T) {
	p, err := ReadPublished("../../results/published.toml")
	if err != nil || p == nil {
		t.Fatal(err)
	}
	byData := map[string]int{}
	for _, n := range p.numbers {
		byData[n.Dataset]++
	}
	for data, want := range map[string]int{"beauty": 43, "ml-100k": 4, "ml-1m": 47} {
		if byData[data] != want {
			t.Errorf("%d numbers on %s, want %d", byData[data], data, want)
		}
	}
	// On MovieLens 1M: of the 5-core, of other data, of data that no source describes.
	var core, other, unsaid int
	for _, n := range p.numbers {
		switch {
		case n.Dataset != "ml-1m":
		case n.otherData:
			other++
		case n.unknownData:
			unsaid++
		default:
			core++
		}
	}
	if core != 20 || other != 7 || unsaid != 20 || p.sizes["ml-1m"] != (size{6040, 3416}) {
		t.Errorf("MovieLens 1M, %+v: %d numbers of the 5-core, %d of other data, %d of unknown data", p.sizes["ml-1m"], core, other, unsaid)
	}
	var claims []string
	for _, c := range p.claimed {
		claims = append(claims, fmt.Sprintf("%s %s %v %v, %d controls", c.Model, c.Metric, c.Low, c.High, len(c.controls)))
	}
	if want := []string{"fame HR@20 4.2 8.9, 0 controls", "fame-warm HR@20 4.2 8.9, 4 controls",
		"fame-plus NDCG@20 3.98 12.97, 2 controls", "fame-plus-warm NDCG@20 3.98 12.97, 3 controls"}; !slices.Equal(claims, want) {
		t.Errorf("claims %q, want %q", claims, want)
	}
	if p, err := ReadPublished("no/such.toml"); p != nil || err != nil {
		t.Errorf("no file: %v, %v", p, err)
	}
}

const somePublished = `
[data.beauty]
users = 12
items = 100
[numbers.a]
model = "sasrec"
loss = "ce"
seen_items = "kept"
cold_items = "kept"
source = "A"
on.beauty = { "NDCG@10" = 0.1 }
[claims.c]
paper = "P"
text = "T"
model = "fame"
metric = "HR@20"
low = 4.2
high = 8.9
controls = { "core" = "no facets" }
baselines = ["sasrec"]
datasets = ["beauty"]
`

func TestPublishedIsStrict(t *testing.T) {
	if _, err := parsePublished("p.toml", []byte(somePublished)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{`loss = "ce"`, `lost = "ce"`, `p.toml:7: numbers.a.lost: unknown key; did you mean "loss"?`},
		{`loss = "ce"`, ``, `numbers.a: loss is missing`},
		{`loss = "ce"`, `loss = "crossentropy"`, `p.toml:7: numbers.a.loss: unknown value "crossentropy"`},
		{`seen_items = "kept"`, `seen_items = "keep"`, `did you mean "kept"?`},
		{`cold_items = "kept"`, `cold_items = 3`, `p.toml:9: numbers.a.cold_items: expected a string, got the integer 3`},
		{`on.beauty`, `on.toys`, `p.toml:11: numbers.a.on.toys: unknown data set: a table [data.toys]`},
		{`"NDCG@10" = 0.1`, `"NDCG@1O" = 0.1`, `unknown metric; did you mean "NDCG@10"?`},
		{`"NDCG@10" = 0.1`, `"NDCG@10" = 10.1`, `got 10.1`},
		{`"NDCG@10" = 0.1`, `"NDCG@10" = nan`, `got NaN`},
		{`on.beauty = { "NDCG@10" = 0.1 }`, ``, `numbers.a: there are no numbers`},
		{`source = "A"`, "source = \"A\"\nother_data = [\"toys\"]", `there are no numbers on "toys"`},
		{`source = "A"`, "source = \"A\"\nunknown_data = [\"toys\"]", `p.toml:11: numbers.a.unknown_data: there are no numbers on "toys"`},
		{`source = "A"`, "source = \"A\"\nother_data = [\"beauty\"]\nunknown_data = [\"beauty\"]", `p.toml:12: numbers.a.unknown_data: "beauty" is in other_data too`},
		{`users = 12`, `users = 0`, `data.beauty: expected users and items`},
		{`baselines = ["sasrec"]`, ``, `claims.c: baselines is missing: expected the models the best of which`},
		{`baselines = ["sasrec"]`, `baselines = ["fame"]`, `p.toml:20: claims.c.baselines: fame is the model of the claim`},
		{`datasets = ["beauty"]`, ``, `claims.c: datasets is missing: expected the data sets that the paper uses`},
		{`datasets = ["beauty"]`, `datasets = ["beaut"]`, `p.toml:21: claims.c.datasets: there is no [data.beaut] with its numbers of users and items; did you mean "beauty"?`},
		{`[claims.c]`, "[claim.c]", `p.toml:12: claim: unknown key; did you mean "claims"?`},
		{`metric = "HR@20"`, `metric = "HR@30"`, `claims.c.metric: unknown metric "HR@30"`},
		{`high = 8.9`, `high = 3`, `low not above high`},
		{`paper = "P"`, ``, `claims.c: paper is missing`},
		{`metric = "HR@20"`, `metric = "Coverage@10"`, `p.toml:16: claims.c.metric: Coverage@10 is of all users at once: expected a metric of single users`},
		{`"core" = "no facets"`, `"fame" = "itself"`, `p.toml:19: claims.c.controls.fame: fame is the model of the claim`},
		{`"core" = "no facets"`, `"core" = " "`, `p.toml:19: claims.c.controls.core: expected what core shares with fame`},
		{`"core" = "no facets"`, `"core" = 1`, `claims.c.controls.core: expected a string`},
		{`controls = { "core" = "no facets" }`, `controls = "core"`, `claims.c.controls: expected`},
		{`[numbers.a]`, `[[numbers.a]]`, `arrays of tables`},
	} {
		text := strings.Replace(somePublished, tt.old, tt.new, 1)
		if _, err := parsePublished("p.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.new, err, tt.want)
		}
	}
}

// Ours: NDCG@10 .11 with seen items removed and .099 with them kept.
func TestChecks(t *testing.T) {
	for _, tt := range []struct {
		name                     string
		edit                     func(string) string
		run                      func(*record.Record)
		rule                     string
		percent                  float64
		within, comparable, same bool
	}{
		{"same terms", nil, nil, "kept", -1, true, true, true},
		{"removed", replace(`"kept"`, `"removed"`), nil, "removed", 10, false, true, true},
		{"unknown rule, kept is nearer", replace(`"kept"`, `"unknown"`), nil, "kept", -1, true, true, false},
		{"unknown rule, removed is nearer", func(s string) string {
			return replace("0.1 ", "0.108 ")(replace(`"kept"`, `"unknown"`)(s))
		}, nil, "removed", 100 * (.11/.108 - 1), true, true, false},
		{"other loss", replace(`"ce"`, `"bce"`), nil, "kept", -1, true, true, false},
		{"cold items dropped", replace(`cold_items = "kept"`, `cold_items = "dropped"`), nil, "kept", -1, true, true, false},
		{"cold items unknown", replace(`cold_items = "kept"`, `cold_items = "unknown"`), nil, "kept", -1, true, true, false},
		{"their data", replace(`source = "A"`, "source = \"A\"\nother_data = [\"beauty\"]"), nil, "kept", 0, false, false, false},
		{"their data is unknown", replace(`source = "A"`, "source = \"A\"\nunknown_data = [\"beauty\"]"), nil, "kept", -1, true, true, false},
		{"our data is cut", nil, func(r *record.Record) { r.Result.Items = 99 }, "kept", 0, false, false, false},
		{"items taken out", nil, takeOut, "kept", 0, false, false, false},
		{"an epoch budget ended training", nil, func(r *record.Record) { r.Result.Status = record.Epochs }, "kept", -1, true, true, false},
		{"other split", nil, func(r *record.Record) { r.Result.Spec.Protocol = "time" }, "", 0, false, false, false},
	} {
		f := newFixture(t)
		text := somePublished
		if tt.edit != nil {
			text = tt.edit(text)
		}
		var err error
		if f.Published, err = parsePublished("p.toml", []byte(text)); err != nil {
			t.Fatal(err)
		}
		f.add("sasrec", 0, .1, .11, same(1), tt.run)
		s := f.make()
		if len(s.Checks) != 1 || s.Claims != nil {
			t.Fatalf("%s: %d checks, %d claims", tt.name, len(s.Checks), len(s.Claims))
		}
		c := s.Checks[0]
		if c.OurRule != tt.rule || math.Abs(c.Percent-tt.percent) > 1e-9 || c.Within != tt.within || c.Comparable != tt.comparable || c.Same != tt.same {
			t.Errorf("%s: got %+v", tt.name, c)
		}
		if (c.Ours.N > 0) != (tt.rule != "") {
			t.Errorf("%s: ours %+v", tt.name, c.Ours)
		}
	}
}

// A note says that the version of the data is unknown, next to the numbers on that data only.
func TestNoteOfUnknownData(t *testing.T) {
	const on = `on.beauty = { "NDCG@10" = 0.1 }`
	for _, tt := range []struct{ note, beauty, toys string }{
		{"", "the version of the data is unknown", ""},
		{"one seed", "one seed; the version of the data is unknown", "one seed"},
	} {
		text := replace("[numbers.a]", "[data.toys]\nusers = 1\nitems = 1\n[numbers.a]")(somePublished)
		text = replace(on, "note = \""+tt.note+"\"\nunknown_data = [\"beauty\"]\n"+on+"\n"+`on.toys = { "NDCG@10" = 0.1 }`)(text)
		p, err := parsePublished("p.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range p.numbers {
			if want := map[string]string{"beauty": tt.beauty, "toys": tt.toys}[n.Dataset]; n.Note != want {
				t.Errorf("%s: note %q, want %q", n.Dataset, n.Note, want)
			}
		}
	}
}

// takeOut makes a record one of a data set without some items in training.
func takeOut(r *record.Record) {
	r.Result.Spec.Dataset.Config = record.Settings{"cold_items": json.RawMessage("0.05")}
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

// The row with the published loss is compared, though another is better.
func TestCheckChoosesTheRow(t *testing.T) {
	f := newFixture(t)
	f.Published, _ = parsePublished("p.toml", []byte(strings.Replace(somePublished, `"ce"`, `"bce"`, 1)))
	bce := func(r *record.Record) {
		r.Result.Spec.Train = record.Settings{"loss": json.RawMessage(`"bce"`)}
		r.Resolved["train"]["loss"] = json.RawMessage(`"bce"`)
	}
	f.add("sasrec", 0, .3, .3, same(1), nil)
	f.add("sasrec", 0, .1, .1, same(1), func(r *record.Record) { bce(r); r.Result.Spec.Params = record.Settings{"heads": json.RawMessage("1")} })
	f.add("sasrec", 0, .2, .2, same(1), bce)
	f.add("core", 0, .9, .9, same(1), nil)
	if c := f.make().Checks[0]; c.OurLoss != "bce" || math.Abs(c.Ours.Mean-.18) > 1e-12 || !c.Same {
		t.Errorf("%+v", c)
	}
	f.Planned, f.Records = f.Planned[3:], f.Records[3:]
	if s := f.make(); s.Checks != nil {
		t.Errorf("nobody asked for sasrec: %+v", s.Checks)
	}
}

// What a source notes of other data is shown with these, and with no other data set.
func TestNoteOnOtherData(t *testing.T) {
	text := strings.NewReplacer(`source = "A"`, "source = \"A\"\nnote = \"more users\"\nother_data = [\"toys\"]\non.toys = { \"NDCG@10\" = 0.1 }",
		"[numbers.a]", "[data.toys]\nusers = 9\nitems = 9\n[numbers.a]").Replace(somePublished)
	p, err := parsePublished("p.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	notes := map[string]string{}
	for _, n := range p.numbers {
		notes[n.Dataset] = n.Note
	}
	if len(notes) != 2 || notes["toys"] != "more users" || notes["beauty"] != "" {
		t.Errorf("%q", notes)
	}
}
