package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"famebench/internal/export"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/torch/safetensors"
)

// scored is a line of a TREC run.
type scored struct {
	item  string
	score float64
}

// readRun reads a TREC run as an evaluator does: user → items by falling score. The
// rank that a line states is only compared with its place; ties would let every
// evaluator decide for itself, so there must be none.
func readRun(t *testing.T, path, tag string) map[string][]scored {
	t.Helper()
	lists := map[string][]scored{}
	for line := range strings.Lines(read(t, path)) {
		f := strings.Fields(line)
		if len(f) != 6 || f[1] != "Q0" || f[5] != tag {
			t.Fatalf("%s: line %q", path, line)
		}
		score, err := strconv.ParseFloat(f[4], 32) // trec_eval reads a float
		if err != nil {
			t.Fatal(err)
		}
		lists[f[0]] = append(lists[f[0]], scored{f[2], score})
		if f[3] != strconv.Itoa(len(lists[f[0]])) {
			t.Errorf("%s: line %q is number %d of its user", path, line, len(lists[f[0]]))
		}
	}
	for user, list := range lists {
		written := slices.Clone(list)
		slices.Reverse(list) // what is tied would change places
		slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
		if !slices.Equal(list, written) {
			t.Errorf("%s: user %s: the scores do not fall strictly: %v", path, user, written)
		}
	}
	return lists
}

func readQrels(t *testing.T, path string) map[string]string {
	t.Helper()
	relevant := map[string]string{}
	for line := range strings.Lines(read(t, path)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[1] != "0" || f[3] != "1" || relevant[f[0]] != "" {
			t.Fatalf("%s: line %q", path, line)
		}
		relevant[f[0]] = f[2]
	}
	return relevant
}

// evaluateRun gives HR@k, NDCG@k and MRR by their definitions.
func evaluateRun(lists map[string][]scored, relevant map[string]string, k int) (hr, ndcg, mrr float64) {
	for user, item := range relevant {
		place := 1 + slices.IndexFunc(lists[user], func(s scored) bool { return s.item == item })
		if place == 0 {
			continue
		}
		mrr += 1 / float64(place)
		if place <= k {
			hr++
			ndcg += math.Ln2 / math.Log(float64(place+1))
		}
	}
	n := float64(len(relevant))
	return hr / n, ndcg / n, mrr / n
}

// checkExport compares what the exported lists of a run give with its record.
func checkExport(t *testing.T, dir, id string, top int) {
	t.Helper()
	store := record.Store{Dir: filepath.Join(dir, "results")}
	r, err := store.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	relevant := readQrels(t, store.TRECPath(id, "qrels"))
	if len(relevant) != r.Result.Users {
		t.Errorf("%s: %d users in the qrels, %d in the record", id, len(relevant), r.Result.Users)
	}
	for rule, want := range map[string]record.Metrics{"kept": r.Result.Test.Kept, "removed": r.Result.Test.Removed} {
		lists := readRun(t, store.TRECPath(id, rule+".run"), id)
		if len(lists) != len(relevant) {
			t.Errorf("%s: %d users have lists, want %d", id, len(lists), len(relevant))
		}
		for user, list := range lists {
			// 20 items; a user has had 5 of them, some twice, before the target.
			if rule == "kept" && len(list) != min(top, 20) || rule == "removed" && len(list) < min(top, 15) || len(list) > top {
				t.Errorf("%s, %s: user %s has %d items, want %d", id, rule, user, len(list), top)
			}
		}
		for _, k := range []int{1, 5, 10, 20} {
			if k > top {
				continue
			}
			hr, ndcg, mrr := evaluateRun(lists, relevant, k)
			compare := map[string]float64{fmt.Sprintf("HR@%d", k): hr, fmt.Sprintf("NDCG@%d", k): ndcg}
			if top >= 20 { // the lists hold all candidates, so nothing is cut off
				compare["MRR"] = mrr
			}
			for name, got := range compare {
				if math.Abs(got-want[name]) > 1e-9 {
					t.Errorf("%s, seen items %s: the lists give %s %.12f, the record has %.12f", id, rule, name, got, want[name])
				}
			}
		}
	}
}

// idsOf lists the runs in a folder's results, by model.
func idsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	ids, err := record.Store{Dir: filepath.Join(dir, "results")}.IDs()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, id := range ids {
		_, model, _ := strings.Cut(id, "-") // after the data set
		out[model[:strings.LastIndex(model, "-s")]] = id
	}
	return out
}

func TestTREC(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	ids := idsOf(t, dir)
	for _, model := range []string{"popularity", "markov", "sasrec"} {
		id := ids[model]
		base := filepath.Join(dir, "results", "trec", id)
		for _, top := range []int{20, 7, 1000} {
			stdout, stderr, err := runBench(t, dir, "-trec", id, "-top", strconv.Itoa(top))
			if err != nil || strings.Contains(stderr, "warning") {
				t.Fatalf("%v\n%s", err, stderr)
			}
			if want := base + ".kept.run\n" + base + ".removed.run\n" + base + ".qrels\n"; stdout != want {
				t.Errorf("stdout %q, want %q", stdout, want)
			}
			checkExport(t, dir, id, top)
		}
	}
	// Popularity's seen items: those of the history are gone, but for a target among them.
	history := map[string][]string{}
	for line := range strings.Lines(read(t, filepath.Join(dir, "tiny.csv"))) {
		user, item, _ := strings.Cut(strings.TrimSpace(line), ",")
		history[user] = append(history[user], item)
	}
	for user, list := range readRun(t, filepath.Join(dir, "results", "trec", ids["popularity"]+".removed.run"), ids["popularity"]) {
		had := history[user]
		for _, s := range list {
			if slices.Contains(had[:len(had)-1], s.item) && s.item != had[len(had)-1] {
				t.Errorf("user %s is recommended %s, which is removed", user, s.item)
			}
		}
	}

	stdout, _, err := runBench(t, dir, "-trec", ids["markov"], "-json")
	var e export.Files
	if err != nil || json.Unmarshal([]byte(stdout), &e) != nil || e.Top != 20 || e.Users != 30 || !e.AsRecorded {
		t.Errorf("%v\n%s", err, stdout)
	}
	if !strings.HasSuffix(e.Removed, ids["markov"]+".removed.run") {
		t.Errorf("JSON: %s", stdout)
	}
}

// trecFolder has two runs of SASRec. export writes the lists of the first, and returns them.
func trecFolder(t *testing.T) (dir string, store record.Store, ids []string, export func() string) {
	t.Helper()
	dir = tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "sasrec", "-set", "train.epochs=1", "-seeds", "0,1"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	store = record.Store{Dir: filepath.Join(dir, "results")}
	var err error
	ids, err = store.IDs()
	if err != nil || len(ids) != 2 {
		t.Fatalf("%v, %v", ids, err)
	}
	id, files := ids[0], []string{"kept.run", "removed.run", "qrels"}
	return dir, store, ids, func() (text string) {
		t.Helper()
		if _, stderr, err := runBench(t, dir, "-trec", id); err != nil || strings.Contains(stderr, "warning") {
			t.Fatalf("%v\n%s", err, stderr)
		}
		for _, f := range files {
			text += read(t, store.TRECPath(id, f))
		}
		return text
	}
}

func TestTRECWithoutWeights(t *testing.T) {
	dir, store, ids, export := trecFolder(t)
	id := ids[0]
	before := export()
	if err := os.Remove(store.WeightsPath(id)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runBench(t, dir, "-trec", id); err == nil || !strings.Contains(err.Error(), "bench -verify "+id) {
		t.Errorf("without weights: %v", err)
	}
	if _, _, err := runBench(t, dir, "-verify", id); err != nil {
		t.Fatal(err)
	}
	if export() != before {
		t.Error("the lists are others after -verify put the weights back")
	}

	// Weights without a checksum, as older versions wrote them, get one when they fit.
	weights, err := safetensors.Read(store.WeightsPath(id))
	if err != nil {
		t.Fatal(err)
	}
	sum := weights.Metadata["sha256"]
	delete(weights.Metadata, "sha256")
	if err := safetensors.Write(store.WeightsPath(id), weights); err != nil {
		t.Fatal(err)
	}
	if export() != before {
		t.Error("the lists are others without a checksum")
	}
	if again, err := safetensors.Read(store.WeightsPath(id)); err != nil || sum == "" || again.Metadata["sha256"] != sum {
		t.Errorf("checksum %q, want %q", again.Metadata["sha256"], sum)
	}
}

func TestTRECWithOtherWeights(t *testing.T) {
	dir, store, ids, export := trecFolder(t)
	id := ids[0]
	before := export()
	// Damaged weights, and those of another run, are refused by name.
	bits := []byte(read(t, store.WeightsPath(id)))
	bits[len(bits)-9] ^= 1
	write(t, store.WeightsPath(id), string(bits))
	if _, _, err := runBench(t, dir, "-trec", id); exitCode(err) != exitFailed || !strings.Contains(err.Error(), store.WeightsPath(id)+": the file is damaged") {
		t.Errorf("damaged weights: %v", err)
	}
	others := read(t, store.WeightsPath(ids[1]))
	write(t, store.WeightsPath(id), others)
	if _, _, err := runBench(t, dir, "-trec", id); exitCode(err) != exitFailed || !strings.Contains(err.Error(), "expected "+id+", got \""+ids[1]) {
		t.Errorf("another run's weights: %v", err)
	}
	// -verify replaces what cannot be used.
	if _, stderr, err := runBench(t, dir, "-verify", id); err != nil || !strings.Contains(stderr, "replaced by those of the repeated run") {
		t.Errorf("verify with another run's weights: %v\n%s", err, stderr)
	}
	if export() != before {
		t.Error("the lists are others after -verify replaced the weights")
	}
	// Whole weights that rank otherwise, as on another kind of processor, are not passed over.
	foreign, err := safetensors.Decode([]byte(others))
	if err != nil {
		t.Fatal(err)
	}
	foreign.Metadata["id"] = id
	foreign.Seal()
	if err := safetensors.Write(store.WeightsPath(id), foreign); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := runBench(t, dir, "-trec", id, "-json")
	if err != nil || !strings.Contains(stdout, `"as_recorded": false`) || !strings.Contains(stderr, "do not give the ranks of the record") || !strings.Contains(stderr, "MRR, seen items removed: 0.") {
		t.Errorf("with other weights: %v\n%s%s", err, stdout, stderr)
	}
}

// Ids with white space are written so that evaluators see one field.
func TestTRECEscapesIDs(t *testing.T) {
	dir := tiny(t)
	log := read(t, filepath.Join(dir, "tiny.csv"))
	log = strings.NewReplacer("i1", "Toy\u00a0Story 1", "i2", "50%20", "\nu2", "\nthe user\t2").Replace(log)
	write(t, filepath.Join(dir, "tiny.csv"), log)
	if _, stderr, err := runBench(t, dir, "-models", "markov"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	id := idsOf(t, dir)["markov"]
	if _, stderr, err := runBench(t, dir, "-trec", id); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	checkExport(t, dir, id, 20)
	run := read(t, filepath.Join(dir, "results", "trec", id+".kept.run"))
	for _, want := range []string{"\nthe%20user%0923 Q0 ", " Toy%C2%A0Story%2015 ", " 50%2520 ", " i3 "} {
		if !strings.Contains(run, want) {
			t.Errorf("no %q in\n%.500s", want, run)
		}
	}
}

func TestTRECRefuses(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "popularity"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	id := idsOf(t, dir)["popularity"]
	store := record.Store{Dir: filepath.Join(dir, "results")}
	trial, err := store.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	trial.Result.Spec.ValidationOnly = true
	if err := store.Write(trial); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-trec", "tiny-x-s0-00000000"}, `no record "tiny-x-s0-00000000"`},
		{[]string{"-trec", trial.ID}, "ranks no test items"},
		{[]string{"-trec", id, "-verify", id}, "-verify and -trec exclude each other"},
		{[]string{"-trec", id, "-analyse"}, "-trec does not use -analyse"},
		{[]string{"-trec", id, "-top", "0"}, "-top: expected 1 to 1000 items, got 0"},
		{[]string{"-trec", id, "-top", "1001"}, "-top: expected 1 to 1000 items, got 1001"},
		{[]string{"-top", "5"}, "-top (it goes with -recommend or -trec)"},
	} {
		if _, _, err := runBench(t, dir, tt.args...); exitCode(err) != exitUsage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q and exit code 2", tt.args, err, tt.want)
		}
	}

	// Interrupted, it leaves no file behind.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	err = command(ctx, nil, []string{"-config", filepath.Join(dir, plan.FileName), "-trec", id}, &out, &out)
	if !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "results", "trec", "*")); len(files) != 0 {
		t.Errorf("files %v, want none", files)
	}
	// The data changed since: the lists would not be those of the record.
	write(t, filepath.Join(dir, "tiny.csv"), read(t, filepath.Join(dir, "tiny.csv"))+"u0,i19\n")
	if _, _, err := runBench(t, dir, "-trec", id); err == nil || !strings.Contains(err.Error(), "the data changed") {
		t.Errorf("other data: %v", err)
	}
}
