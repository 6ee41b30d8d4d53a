package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/internal/analysis"
)

// For the history of a test user, the items are those that -trec ranks for the user.
func TestRecommend(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids := idsOf(t, dir)
	sasrec := ids["sasrec"]
	ask := func(args ...string) (all []analysis.Recommended) {
		t.Helper()
		stdout, stderr, err := runBench(t, dir, append(args, "-recommend", "-json")...)
		if err != nil || json.Unmarshal([]byte(stdout), &all) != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		}
		return all
	}
	items := func(r analysis.Recommended) (out []string) {
		for _, s := range r.Items {
			out = append(out, s.Item.ID)
		}
		return out
	}
	if _, _, err := runBench(t, dir, "-trec", sasrec); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range readRun(t, filepath.Join(dir, "results", "trec", sasrec+".removed.run"), sasrec)["u7"] {
		want = append(want, s.item)
	}
	const history = "i1,i2,i5,i10,i17" // (7 * 3 + i * i) % 20
	one := ask("-run", sasrec, "-history", history)[0]
	if got := items(one); !slices.Equal(got, want) || len(got) != 15 {
		t.Errorf("recommended %q, ranked %q", got, want)
	}
	if !slices.IsSortedFunc(one.Items, func(a, b analysis.Scored) int {
		if a.Score < b.Score {
			return 1
		}
		return -1
	}) {
		t.Errorf("not best first: %+v", one.Items)
	}
	if got := ask("-run", sasrec, "-history", history, "-keep-seen", "-top", "1000"); len(got[0].Items) != 20 {
		t.Errorf("with seen items: %d items, expected all 20", len(got[0].Items))
	}
	// A file has a history in each line; an id may be quoted, and be in a history twice.
	file := filepath.Join(dir, "histories.csv")
	write(t, file, byteOrderMark+history+"\n\"i3\", i3\n")
	for _, model := range []string{"sasrec", "markov", "popularity"} {
		all := ask("-run", ids[model], "-histories", file, "-top", "3")
		if len(all) != 2 || len(all[1].History) != 2 || len(all[0].Items) != 3 || slices.Contains(items(all[1]), "i3") {
			t.Errorf("%s: %+v", model, all)
		}
		if model == "sasrec" && !slices.Equal(items(all[0]), want[:3]) {
			t.Errorf("from a file %q, expected %q", items(all[0]), want[:3])
		}
	}
	stdout, _, err := runBench(t, dir, "-recommend", "-run", sasrec, "-history", history, "-top", "2")
	if err != nil || !strings.Contains(stdout, sasrec+", 5 past items") || !strings.Contains(stdout, want[1]) || strings.Contains(stdout, "│ "+want[2]+" ") {
		t.Errorf("%v\n%s", err, stdout)
	}

	weights := filepath.Join(dir, "results", "weights", sasrec+".safetensors")
	if err := os.Remove(weights); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runBench(t, dir, "-recommend", "-run", sasrec, "-history", "i1"); err == nil || !strings.Contains(err.Error(), "bench -verify "+sasrec) {
		t.Errorf("without weights: %v", err)
	}
}

// What is wrong with a request is named, with the line of a file, and nothing is guessed.
func TestRecommendErrors(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "markov"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	id := idsOf(t, dir)["markov"]
	file := filepath.Join(dir, "h.csv")
	for _, tt := range []struct {
		text, want string
		args       []string
	}{
		{"", `-history: data set tiny has no item "i21"; did you mean`, []string{"-run", id, "-history", "i1,i21"}},
		{"", `-history: data set tiny has no item "nothing like it"; its first is "i0"`, []string{"-run", id, "-history", "nothing like it"}},
		{"", "and 2 more", []string{"-run", id, "-history", "a,b,c,d,e,f,g"}},
		{"", "-history: item 2 of 3 is empty", []string{"-run", id, "-history", "i1,,i2"}},
		{"", "-history: item 1 of 1 is empty", []string{"-run", id, "-history", " "}},
		{"i1\ni1,x\n", file + `:2: data set tiny has no item "x"`, []string{"-run", id, "-histories", file}},
		{"i1\n\ni2\n", file + ":2: the line is empty", []string{"-run", id, "-histories", file}},
		{"i1\n\"i2\n", file + ":2: ", []string{"-run", id, "-histories", file}},
		{"\n\n", file + ":1: expected items", []string{"-run", id, "-histories", file}},
		{"", "no such file", []string{"-run", id, "-histories", file + "x"}},
		{"", "-recommend goes with -run ID, and with", []string{"-run", id}},
		{"", "-recommend goes with -run ID, and with", []string{"-history", "i1"}},
		{"", "-recommend goes with -run ID, and with", []string{"-run", id, "-history", "i1", "-histories", file}},
		{"", "no record", []string{"-run", "tiny-markov-s9-00000000", "-history", "i1"}},
	} {
		write(t, file, tt.text)
		_, _, err := runBench(t, dir, append(tt.args, "-recommend")...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &usageError{}) {
			t.Errorf("%q, %q: %v, expected %q", tt.args, tt.text, err, tt.want)
		}
	}
}
