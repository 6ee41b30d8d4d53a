package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/suite"
)

// resultsOf reads the records of a folder by data set and model.
func resultsOf(t *testing.T, dir string) map[string]*record.Record {
	t.Helper()
	store := record.Store{Dir: filepath.Join(dir, "results")}
	ids, err := store.IDs()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*record.Record{}
	for _, id := range ids {
		r, err := store.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		out[r.Result.Spec.Dataset.Name+" "+r.Result.Spec.Model] = r
	}
	return out
}

// The same interactions as one file that is split by leave-one-out, as three files, as
// three files of sequences with targets, and as one file with a column of parts give the
// same records, but for what says which data and split they are of.
func TestGivenSplitIsLeaveOneOut(t *testing.T) {
	dir := tiny(t)
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(dir, "tiny.csv"))), "\n")[1:]
	parts := map[string]string{"train": "u,i\n", "valid": "u,i\n", "test": "u,i\n"}
	sequences := map[string]string{}
	column := "u,i,part\n"
	var history []string
	for i, line := range lines { // six of each user
		part := []string{"train", "train", "train", "train", "valid", "test"}[i%6]
		parts[part] += line + "\n"
		column += line + "," + part + "\n"
		user, item, _ := strings.Cut(line, ",")
		if i%6 == 0 {
			history = nil
		} else {
			sequences[part] += user + "\t" + strings.Join(history, " ") + "\t" + item + "\n"
		}
		history = append(history, item)
	}
	if err := os.Mkdir(filepath.Join(dir, "lines"), 0o755); err != nil {
		t.Fatal(err)
	}
	for part, text := range parts {
		write(t, filepath.Join(dir, part+".csv"), text)
		write(t, filepath.Join(dir, "lines", "shop."+part+".inter"), "user_id:token\titem_id_list:token_seq\titem_id:token\n"+sequences[part])
	}
	write(t, filepath.Join(dir, "column.csv"), column)
	write(t, filepath.Join(dir, plan.FileName), tinyConfig+`
[datasets.files]
format = "csv"
train = "train.csv"
valid = "valid.csv"
test = "test.csv"
columns = { user = "u", item = "i" }
[datasets.lines]
format = "recbole"
path = "lines"
[datasets.column]
format = "csv"
path = "column.csv"
columns = { user = "u", item = "i", part = "part" }
[suites.splits]
models = ["popularity", "markov", "sasrec"]
datasets = ["tiny", "files", "lines", "column"]
[suites.splits.train]
epochs = 1
`)
	stdout, stderr, err := runBench(t, dir, "-suite", "splits")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if !strings.Contains(stdout, "30 test users, full ranking of 20 items, given split") {
		t.Errorf("no table of the given split:\n%s", stdout)
	}
	found := resultsOf(t, dir)
	if len(found) != 12 {
		t.Fatalf("%d records, expected 12", len(found))
	}
	for _, model := range []string{"popularity", "markov", "sasrec"} {
		whole := found["tiny "+model].Result
		fingerprint := ""
		for _, data := range []string{"files", "lines", "column"} {
			given := found[data+" "+model].Result
			if given.Spec.Protocol != "given" || given.Spec.Dataset.Fingerprint == whole.Spec.Dataset.Fingerprint ||
				fingerprint != "" && given.Spec.Dataset.Fingerprint != fingerprint {
				t.Errorf("%s on %s: split %s, fingerprint %.8s", model, data, given.Spec.Protocol, given.Spec.Dataset.Fingerprint)
			}
			fingerprint = given.Spec.Dataset.Fingerprint
			given.Spec.Dataset, given.Spec.Protocol = whole.Spec.Dataset, whole.Spec.Protocol
			a, err1 := json.Marshal(whole)
			b, err2 := json.Marshal(given)
			if err1 != nil || err2 != nil || string(a) != string(b) {
				t.Errorf("%s on %s: the records differ:\n%s\n%s", model, data, a, b)
			}
		}
	}
}

// beautyUsers is how many users of Beauty TestGivenSplitIsPytrecEval takes.
const beautyUsers = 300

// beautySplit writes a split of the first users of Beauty that no split of ours gives: users
// of seven items and more have two items for validation and three for testing, others one
// and one.
func beautySplit(t *testing.T) (dir string) {
	t.Helper()
	d, err := datasets.Open(datasets.Config{Name: "amazon-beauty", MaxUsers: beautyUsers}, "")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	parts := [3]strings.Builder{}
	for u, seq := range d.Seqs {
		test, valid := len(seq)-1, len(seq)-2
		if len(seq) >= 7 {
			test, valid = len(seq)-3, len(seq)-5
		}
		for i, v := range seq {
			part := &parts[0]
			if i >= test {
				part = &parts[2]
			} else if i >= valid {
				part = &parts[1]
			}
			fmt.Fprintf(part, "%s\t%s\n", d.UserIDs[u], d.ItemIDs[v])
		}
	}
	for i, part := range []string{"train", "valid", "test"} {
		write(t, filepath.Join(dir, "beauty."+part+".inter"), "user_id:token\titem_id:token\n"+parts[i].String())
	}
	write(t, filepath.Join(dir, plan.FileName), `
[datasets.beauty]
format = "recbole"
path = "."
[suites.cases]
models = ["popularity", "markov"]
datasets = ["beauty"]
[suites.users]
models = ["popularity", "markov"]
datasets = ["beauty"]
average = "user"
`)
	return dir
}

// pytrec has the means that pytrec_eval (pytrec_eval-terrier 0.5.11, which uses trec_eval's
// C code) gives for the files of "bench -trec ID" on the data of beautySplit: over
// all queries, and over users of the mean over their queries ("7#1", "7#2"), with seen items
// kept and removed. They were made once with
//
//	qrels, run = pytrec_eval.parse_qrel(open(f"{ID}.qrels")), pytrec_eval.parse_run(open(f"{ID}.{rule}.run"))
//	of = pytrec_eval.RelevanceEvaluator(qrels, {"success.10", "ndcg_cut.10"}).evaluate(run)
//	by_user = collections.defaultdict(list)
//	for query, values in of.items():
//	    by_user[query.split("#")[0]].append(values["ndcg_cut_10"])
//	cases = numpy.mean([values["ndcg_cut_10"] for values in of.values()])
//	users = numpy.mean([numpy.mean(values) for values in by_user.values()])
var pytrec = map[string]struct{ cases, users float64 }{
	"markov kept HR@10":          {0.050139276, 0.057777778},
	"markov kept NDCG@10":        {0.025379526, 0.029167600},
	"markov removed HR@10":       {0.052924791, 0.060000000},
	"markov removed NDCG@10":     {0.026227402, 0.029844017},
	"popularity kept HR@10":      {0.047353760, 0.055555556},
	"popularity kept NDCG@10":    {0.024994711, 0.029680760},
	"popularity removed HR@10":   {0.048746518, 0.056666667},
	"popularity removed NDCG@10": {0.025475009, 0.030063931},
}

func TestGivenSplitIsPytrecEval(t *testing.T) {
	dir := beautySplit(t)
	tables := map[string]aggregate.Table{}
	for _, name := range []string{"cases", "users"} {
		if _, stderr, err := runBench(t, dir, "-suite", name); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		s, err := suite.ReadSummary(record.Store{Dir: filepath.Join(dir, "results")}.SummaryPath(name))
		if err != nil {
			t.Fatal(err)
		}
		tables[name] = s.Tables[0]
	}
	for name, table := range tables {
		if table.Cases != 718 || table.Users != beautyUsers || (table.Average == aggregate.ByUser) != (name == "users") {
			t.Errorf("%s: %d cases of %d users, average %q", name, table.Cases, table.Users, table.Average)
		}
	}
	found, store := resultsOf(t, dir), record.Store{Dir: filepath.Join(dir, "results")}
	for i, model := range []string{"popularity", "markov"} {
		r := found["beauty "+model]
		if _, stderr, err := runBench(t, dir, "-trec", r.ID); err != nil || strings.Contains(stderr, "warning") {
			t.Fatalf("%v\n%s", err, stderr)
		}
		for _, rule := range aggregate.SeenItemRules {
			hr, ndcg, _ := evaluateRun(readRun(t, store.TRECPath(r.ID, rule+".run"), r.ID), readQrels(t, store.TRECPath(r.ID, "qrels")), 10)
			for metric, exported := range map[string]float64{"HR@10": hr, "NDCG@10": ndcg} {
				want, ok := pytrec[model+" "+rule+" "+metric]
				cases, users := tables["cases"].Rows[i].Under(rule).Metrics[metric].Mean, tables["users"].Rows[i].Under(rule).Metrics[metric].Mean
				recorded := map[string]record.Metrics{"kept": r.Result.Test.Kept, "removed": r.Result.Test.Removed}[rule][metric]
				for what, got := range map[string]float64{"the lists": exported, "the record": recorded, "the table": cases} {
					if !ok || math.Abs(got-want.cases) > 1e-6 {
						t.Errorf("%s, seen items %s: %s of %s is %.9f, pytrec_eval gives %.9f", model, rule, metric, what, got, want.cases)
					}
				}
				if math.Abs(users-want.users) > 1e-6 {
					t.Errorf("%s, seen items %s: %s by user is %.9f, pytrec_eval gives %.9f", model, rule, metric, users, want.users)
				}
			}
		}
	}
}
