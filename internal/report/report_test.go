package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"famebench/datasets"
	"famebench/internal/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// records are small made-up records: two floors, three seeds of a model (two
// of them stopped at the budget), one seed of the same model with another
// setting, a run that its time limit stopped, and a floor on other data. Values
// are chosen so that means and deviations can be checked by hand: NDCG@10 of the
// three seeds, seen items removed, is .05, .06, .07: mean .06, deviation .01.
func records(t *testing.T) []*record.Record {
	t.Helper()
	metrics := func(v float64) record.Metrics {
		m := record.Metrics{}
		for i, name := range Columns {
			m[name] = v + float64(i)/1000
		}
		m["NDCG@10"] = v
		return m
	}
	make := func(data, model string, seed int64, v float64, status record.Status, change func(*record.Record)) *record.Record {
		r := &record.Record{Result: record.Result{
			Spec: record.Spec{Dataset: record.Dataset{Name: data, Fingerprint: data, Config: record.Settings{"name": json.RawMessage(`"amazon"`)}},
				Protocol: "leave-one-out", Model: model, Seed: seed, Device: "cpu", Threads: 2, Versions: record.Versions{Model: 1, Train: 1, Rank: 1}},
			Status: status, Epochs: 30, Users: 22363, Items: 12101,
			Test: record.Rules{Kept: metrics(v - .01), Removed: metrics(v)},
		}, Measured: record.Measured{Commit: "0123456789abcdef", Libtorch: "2.11.0"}}
		if change != nil {
			change(r)
		}
		id, err := r.Result.Spec.ID()
		if err != nil {
			t.Fatal(err)
		}
		r.ID = id
		return r
	}
	floor := func(r *record.Record) { r.Result.Spec.Floor = true }
	return []*record.Record{
		make("beauty", "popularity", 0, .0123, record.Done, floor),
		make("beauty", "markov", 0, .0438, record.Done, floor),
		make("beauty", "sasrec", 0, .05, record.Epochs, nil),
		make("beauty", "sasrec", 1, .06, record.Patience, nil),
		make("beauty", "sasrec", 2, .07, record.Epochs, func(r *record.Record) { r.Measured.Dirty = true }),
		make("beauty", "sasrec", 0, .055, record.Patience, func(r *record.Record) {
			r.Result.Spec.Params = record.Settings{"dropout": json.RawMessage("0.3"), "loss": json.RawMessage(`"bce"`)}
			r.Result.Spec.Train = record.Settings{"epochs": json.RawMessage("30")}
			r.Measured.Commit = "fedcba9876543210"
		}),
		make("beauty", "bert4rec", 0, .99, record.Time, nil),
		make("toys", "popularity", 0, .01, record.Done, func(r *record.Record) {
			floor(r)
			r.Result.Spec.Dataset.Config["max_users"] = json.RawMessage("500")
			r.Measured.Warnings = []string{"toys has another fingerprint"}
		}),
	}
}

var exampleStats = []datasets.Stats{
	{Name: "beauty", Users: 22363, Items: 12101, Interactions: 198502, Density: 198502. / 22363 / 12101, AvgLength: 198502. / 22363},
	{Name: "ml-100k", Users: 943, Items: 1682, Interactions: 100000, Density: 100000. / 943 / 1682, AvgLength: 100000. / 943,
		Timed: true, Ties: "file", Tied: 76000, TiedShare: .76, TiedTestUsers: 415, Leak: .456},
}

var exampleCosts = []record.Cost{
	{Model: "sasrec", Dataset: "beauty", BatchTargets: 1024, TargetsPerSecond: 9123.6, EvalUsersPerSec: 11888.4,
		Latency: record.Latency{P50: 1.234, P95: 2.345, P99: 10}, Parameters: 877824, PeakRSSMB: 812.3},
	{Model: "popularity", Dataset: "beauty", EvalUsersPerSec: 46000, Latency: record.Latency{P50: .0001, P95: .0002, P99: .01}, PeakRSSMB: 140},
}

func TestGolden(t *testing.T) {
	tables, err := Compare(records(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"comparison.txt", func(b *bytes.Buffer) error { return WriteComparisons(b, tables) }},
		{"comparison.md", func(b *bytes.Buffer) error { MarkdownComparisons(b, tables); return nil }},
		{"datasets.txt", func(b *bytes.Buffer) error { return WriteDatasets(b, exampleStats) }},
		{"datasets.md", func(b *bytes.Buffer) error { MarkdownDatasets(b, exampleStats); return nil }},
		{"cost.txt", func(b *bytes.Buffer) error { return WriteCosts(b, exampleCosts) }},
		{"cost.md", func(b *bytes.Buffer) error { MarkdownCosts(b, exampleCosts); return nil }},
	} {
		var b bytes.Buffer
		if err := tt.write(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", tt.name)
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, b.String(), want)
		}
		if strings.HasSuffix(tt.name, ".txt") {
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
					t.Errorf("%s: a line of %d columns, at most 100 fit:\n%s", tt.name, n, line)
				}
			}
		}
	}
}

func TestCompareByHand(t *testing.T) {
	tables, err := Compare(records(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) != 2 || len(tables[0].Rows) != 4 || len(tables[1].Rows) != 1 {
		t.Fatalf("got %d tables, %+v", len(tables), tables)
	}
	got := tables[0].Rows[2].Removed["NDCG@10"]
	if fmt.Sprintf("%.12f %.12f", got.Mean, got.SD) != "0.060000000000 0.010000000000" || got.N != 3 || !got.Best {
		t.Errorf("three seeds: %+v", got)
	}
	if c := tables[0].Rows[3].Removed["NDCG@10"]; c.Best || c.N != 1 || c.SD != 0 {
		t.Errorf("one seed: %+v", c)
	}
	if c := tables[1].Rows[0].Kept["MRR"]; c.Best {
		t.Error("the only row of a table is no best")
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 22363: "22,363", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
