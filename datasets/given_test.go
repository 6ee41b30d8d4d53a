package datasets

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sequenceText writes training sequences and cases with the ids of the source.
func sequenceText(d *Dataset, seq []int32) string {
	var ids []string
	for _, v := range seq {
		ids = append(ids, d.ItemIDs[v])
	}
	return strings.Join(ids, "")
}

func splitText(t *testing.T, d *Dataset) string {
	t.Helper()
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for u, seq := range s.Train {
		out = append(out, fmt.Sprintf("%s:%s", d.UserIDs[u], sequenceText(d, seq)))
	}
	for _, part := range [][]Case{s.Valid, s.Test} {
		out = append(out, "|")
		for _, c := range part {
			out = append(out, fmt.Sprintf("%s:%s>%s", d.UserIDs[c.User], sequenceText(d, c.History), d.ItemIDs[c.Target]))
		}
	}
	return strings.Join(out, " ")
}

const (
	trainCSV = "user,item,time\nu,b,2\nu,a,1\nv,a,1\nv,c,4\nw,a,3\n"
	validCSV = "user,item,time\nu,c,3\nv,b,5\nx,a,1\n"
	testCSV  = "time,user,item\n5,u,d\n4,u,a\n6,v,d\n2,x,b\n9,y,c\n"
)

var threeFiles = Config{Name: "test", Format: "csv", Train: "train.csv", Valid: "valid.csv", Test: "test.csv",
	Columns: Columns{User: "user", Item: "item", Time: "time"}}

// u has two test cases; x has a history from validation only, and y none.
const threeFilesSplit = "u:ab v:ac w:a x: y: | u:ab>c v:ac>b | u:abc>a u:abca>d v:acb>d x:a>b"

func TestThreeFiles(t *testing.T) {
	files := map[string]string{"train.csv": trainCSV, "valid.csv": validCSV, "test.csv": testCSV}
	d, err := Open(threeFiles, writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if got := splitText(t, d); got != threeFilesSplit {
		t.Errorf("got  %s\nwant %s", got, threeFilesSplit)
	}
	if d.Config.Split != GivenSplit {
		t.Errorf("split %q", d.Config.Split)
	}
	// Users only in training: w; in validation: none; in testing: y. Item d is in testing only.
	want := []string{
		"test: in one part of the given split only: 1 users and 0 items in training, 1 users and 1 items in testing, of 5 users and 4 items",
		"test: 2 interactions for validation or testing have no earlier one of their user and are no cases",
	}
	if !slices.Equal(d.Warnings, want) {
		t.Errorf("warnings %q\nwant %q", d.Warnings, want)
	}

	// The same as one file with a column of parts, in any order of lines and any spelling.
	var lines []string
	for name, part := range map[string]string{trainCSV: "Training", validCSV: "dev", testCSV: "TEST"} {
		for i, line := range strings.Split(strings.TrimSpace(name), "\n") {
			f := strings.Split(line, ",")
			if part == "TEST" {
				f = []string{f[1], f[2], f[0]}
			}
			if i > 0 {
				lines = append(lines, strings.Join(append(f, part), ","))
			}
		}
	}
	slices.Sort(lines)
	c := threeFiles
	c.Train, c.Valid, c.Test, c.Path, c.Columns.Part = "", "", "", "log.csv", "part"
	column, err := Open(c, writeFiles(t, map[string]string{"log.csv": "user,item,time,part\n" + strings.Join(lines, "\n") + "\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := splitText(t, column); got != threeFilesSplit || column.Fingerprint() != d.Fingerprint() {
		t.Errorf("a column: %s, fingerprint %.8s; expected the fingerprint %.8s", got, column.Fingerprint(), d.Fingerprint())
	}

	// The fingerprint covers the parts: the same sequences with one more item in training.
	files["train.csv"], files["valid.csv"] = trainCSV+"u,c,3\n", strings.Replace(validCSV, "u,c,3\n", "", 1)
	moved, err := Open(threeFiles, writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(moved.Seqs, d.Seqs, slices.Equal) || moved.Fingerprint() == d.Fingerprint() {
		t.Error("parts do not change the fingerprint")
	}
}

func TestGivenSplitReports(t *testing.T) {
	for _, tc := range []struct{ name, train, valid, test, want string }{
		{"overlap", "u,a,1\nu,b,2\nv,a,1\n", "u,b,2\nv,b,3\n", "u,b,2\nv,a,1\n",
			"the parts of the given split overlap: 1 interactions for validation are also in training, 2 interactions for testing are also in training (same user, item and time)"},
		{"leak", "u,a,1\nu,b,9\nv,a,1\n", "u,c,2\nv,b,3\n", "u,d,3\nv,c,4\n",
			"leak: 1 of 2 test cases are earlier than a training interaction of the same user, which is in their history"},
	} {
		const head = "user,item,time\n"
		d, err := Open(threeFiles, writeFiles(t, map[string]string{"train.csv": head + tc.train, "valid.csv": head + tc.valid, "test.csv": head + tc.test}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(d.Warnings, "test: "+tc.want) {
			t.Errorf("%s: %q\nexpected %q", tc.name, d.Warnings, tc.want)
		}
	}
	c := threeFiles
	c.Columns.Time = ""
	d, err := Open(c, writeFiles(t, map[string]string{"train.csv": "user,item\nu,a\nu,b\n", "valid.csv": "user,item\nu,c\n", "test.csv": "user,item\nu,c\n"}))
	want := "test: the parts of the given split overlap: 1 interactions for testing are also in validation (same user and item; without times, a repeat looks the same)"
	if err != nil || !slices.Contains(d.Warnings, want) {
		t.Errorf("%v, %q\nexpected %q", err, d.Warnings, want)
	}
}

// Users whose ids differ between the files have no history, and no case.
func TestUsersOfOtherParts(t *testing.T) {
	d, err := Open(threeFiles, writeFiles(t, map[string]string{"train.csv": trainCSV, "valid.csv": validCSV, "test.csv": "user,item,time\nU,d,5\nV,d,6\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSplit(d, ""); err == nil || !strings.Contains(err.Error(), "2 validation and 0 test cases; expected some of both: an interaction for validation or testing is a case if its user has an earlier one") {
		t.Errorf("%v", err)
	}
}

// The files decide between parts, and the rule for equal times within one of them. By hand: u has one
// test case, at the time of validation; of v's three, two share their time.
func TestTiesOfGivenSplit(t *testing.T) {
	const head = "user,item,time\n"
	d, err := Open(threeFiles, writeFiles(t, map[string]string{
		"train.csv": head + "u,a,1\nu,b,2\nv,a,1\n", "valid.csv": head + "u,c,3\n", "test.csv": head + "u,d,3\nv,b,1\nv,c,2\nv,d,2\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Test != 4 || st.Tied != 2 {
		t.Errorf("%d of %d test cases are tied, expected 2 of 4", st.Tied, st.Test)
	}
}

// RecBole's layout is found in a folder, with the metadata of NAME.item.
func TestBenchmarkLayout(t *testing.T) {
	const head = "user_id:token\titem_id:token\ttimestamp:float\n"
	files := map[string]string{"s.train.inter": head + "u\ta\t1\nu\tb\t2\n", "s.valid.inter": head + "u\tc\t3\n", "s.test.inter": head + "u\td\t4\n",
		"s.item": "item_id:token\titem_name:token_seq\na\tApple\nb\tPear\nc\tPlum\nd\tFig\n"}
	dir := writeFiles(t, files)
	c := Config{Name: "test", Format: "recbole", Path: dir}
	d, err := Open(c, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := splitText(t, d), "u:ab | u:ab>c | u:abc>d"; got != want || d.Config.Split != GivenSplit || len(d.Warnings) != 1 {
		t.Errorf("%s, split %q, warnings %q; expected %s", got, d.Config.Split, d.Warnings, want)
	}
	if m, err := d.Metadata(); err != nil || m.Title[1] != "Apple" {
		t.Errorf("titles: %v", err)
	}
	again := d.Config
	if same, err := Open(again, ""); err != nil || same.Fingerprint() != d.Fingerprint() {
		t.Errorf("as resolved: %v", err)
	}
	for _, change := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Split = TimeSplit }, `split = "time", but ` + dir + ` holds a given split (s.train.inter, …): remove split`},
		{func(c *Config) { c.KCore = 5 }, "k_core = 5 would change the parts of a given split"},
		{func(c *Config) { c.Duplicates = "last" }, `duplicates = "last" would change the parts of a given split`},
	} {
		bad := c
		change.change(&bad)
		_, err := Open(bad, "")
		if err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("got  %v\nwant %s", err, change.want)
		}
		oneLine(t, err)
	}
	for _, names := range [][]string{{"s.train.inter", "s.test.inter"}, {"s.train.inter", "s.valid.inter", "r.test.inter"}, {"s.train.inter", "s.valid.inter", "s.test.inter", "s.inter"}} {
		some := map[string]string{}
		for _, name := range names {
			some[name] = files["s.train.inter"]
		}
		_, err := Open(Config{Name: "test", Format: "recbole", Path: writeFiles(t, some)}, "")
		if err == nil || !strings.Contains(err.Error(), "expected NAME.train.inter, NAME.valid.inter and NAME.test.inter of one NAME and no other .inter file") {
			t.Errorf("%q: %v", names, err)
		}
		oneLine(t, err)
	}
}

// One part alone is read as a file of all interactions, with a warning.
func TestOnePartOfASplit(t *testing.T) {
	const log = "user_id:token\titem_id:token\nu\ta\nu\tb\n"
	dir := writeFiles(t, map[string]string{"s.train.inter": log, "s.valid.inter": log, "s.test.inter": log})
	d, err := Open(Config{Name: "test", Format: "recbole", Path: filepath.Join(dir, "s.train.inter")}, "")
	if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "so s.train.inter alone is read and split; for the given split, set train, valid and test") {
		t.Errorf("%v, %q", err, d.Warnings)
	}
	other := writeFiles(t, map[string]string{"a-test.inter": log, "b.inter": log})
	if _, err := Open(Config{Name: "test", Format: "recbole", Path: other}, ""); err == nil || !strings.Contains(err.Error(), "name one of them") {
		t.Error(err)
	}
	dir = writeFiles(t, map[string]string{"train.inter": log, "sequence.inter": sequenceHead + "u\ta b\tc\n"})
	if d, err = Open(Config{Name: "test", Format: "recbole", Path: filepath.Join(dir, "train.inter")}, ""); err != nil || len(d.Warnings) > 0 {
		t.Errorf("a file alone: %v", err)
	}
	if _, err = Open(Config{Name: "test", Format: "recbole", Path: filepath.Join(dir, "sequence.inter")}, ""); err == nil || !strings.Contains(err.Error(), "set train, valid and test") {
		t.Error(err)
	}
}

// A name of a set that is also that of a part: the last word says which part a file is.
func TestPartsOfASetNamedAfterAPart(t *testing.T) {
	const head = "user_id:token\titem_id:token\n"
	open := func(path string) *Dataset {
		t.Helper()
		d, err := Open(Config{Name: "test", Format: "recbole", Path: path}, "")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	files := func(set string) string {
		return writeFiles(t, map[string]string{set + ".train.inter": head + "u\ta\nu\tb\nv\ta\n", set + ".valid.inter": head + "u\tc\nv\tb\n", set + ".test.inter": head + "u\td\nv\tc\n"})
	}
	plain, dir := open(files("tickets")), files("train-tickets")
	if got := open(dir); got.Config.Split != GivenSplit || got.Fingerprint() != plain.Fingerprint() {
		t.Errorf("split %q, fingerprint %.8s; expected %q, %.8s", got.Config.Split, got.Fingerprint(), GivenSplit, plain.Fingerprint())
	}
	d, err := Open(Config{Name: "test", Format: "recbole", Path: filepath.Join(dir, "train-tickets.test.inter")}, "")
	if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "alone is read") {
		t.Errorf("%v", err)
	}
}

func TestGivenSplitKeys(t *testing.T) {
	for _, tc := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Test = "" }, "valid is set, but test is not"},
		{func(c *Config) { c.Path = "log.csv" }, "path is set, and so are train, valid and test"},
		{func(c *Config) { c.Columns.Part = "part" }, "columns.part names a column that says which part a line is in, but train, valid and test are files"},
		{func(c *Config) { c.Split = LeaveOneOut }, `split = "leave-one-out", but the parts are given: remove split`},
		{func(c *Config) { c.KCore = 2 }, "k_core = 2 would change the parts"},
		{func(c *Config) { c.Duplicates = "first" }, `duplicates = "first" would change the parts`},
		{func(c *Config) { c.ValidFrom = "2020-01-01" }, `valid_from belongs to split = "time", but split is "given"`},
		{func(c *Config) { c.TestShare = .1 }, `test_share belongs to split = "ratio"`},
		{func(c *Config) { c.Format = "s3rec"; c.Columns = Columns{} }, "train is not used by format s3rec"},
		{func(c *Config) { *c = Config{Name: "x", Format: "s3rec", Path: "x", Split: GivenSplit} }, `split = "given" needs files or a column with the parts`},
		{func(c *Config) { c.Train = strings.Repeat("x", 5000) }, "train has 5000 bytes"},
	} {
		c := threeFiles
		tc.change(&c)
		_, err := c.Resolve()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
		oneLine(t, err)
	}
	for _, c := range []Config{threeFiles, func() Config {
		c := threeFiles
		c.MinRating, c.Columns.Rating, c.MaxUsers, c.ColdItems, c.Ties = 3, "r", 5, .1, "hash"
		return c
	}()} {
		r, err := c.Resolve()
		if err != nil || r.Split != GivenSplit {
			t.Errorf("%v, split %q", err, r.Split)
		}
		if again, err := r.Resolve(); err != nil || again != r {
			t.Errorf("resolving twice gives %+v, %v", again, err)
		}
	}
}

func TestGivenSplitFiles(t *testing.T) {
	good := map[string]string{"train.csv": trainCSV, "valid.csv": validCSV, "test.csv": testCSV}
	for _, tc := range []struct{ name, file, text, want string }{
		{"a missing file", "test.csv", "", "test: DIR/test.csv: no such file"},
		{"no times in one", "test.csv", "user,item\nu,a\n", `test.csv:1: no column "time" for columns.time`},
		{"times of two kinds", "test.csv", "user,item,time\nu,d,5\nu,d,2020-01-01\n", "test.csv:3: the time is a date without a time of day, that of line 2 of train.csv is a number"},
		{"two units", "valid.csv", "user,item,time\nu,c,1600000000000\nu,c,1600000000\n", "valid.csv:3: the time looks like Unix seconds, that of line 2 of valid.csv like milliseconds"},
		{"an empty file", "valid.csv", "user,item,time\n", "the given split has 0 validation and 3 test cases"},
	} {
		files := maps.Clone(good)
		if files[tc.file] = tc.text; tc.text == "" {
			delete(files, tc.file)
		}
		dir := writeFiles(t, files)
		d, err := Open(threeFiles, dir)
		if err == nil {
			_, err = NewSplit(d, "")
		}
		if want := strings.ReplaceAll(tc.want, "DIR", dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, want)
		}
		oneLine(t, err)
	}
	// Files of one name in several folders.
	folders := threeFiles
	folders.Train, folders.Valid, folders.Test = "train/log.csv", "valid/log.csv", "test/log.csv"
	_, err := Open(folders, writeFiles(t, map[string]string{"train/log.csv": trainCSV, "valid/log.csv": "user,item,time\nu,c,2020-01-01\n", "test/log.csv": testCSV}))
	if err == nil || !strings.Contains(err.Error(), "valid/log.csv:2: ") || !strings.Contains(err.Error(), "that of line 2 of train/log.csv is a number") {
		t.Errorf("got %v", err)
	}
	// Warnings are in records, which are passed on: they name no folder.
	missing := maps.Clone(good)
	missing["train.csv"] = "user,item,time\nu,a,1600000000\nu,b,1600000001\nu,e,0\n"
	for _, name := range []string{"valid.csv", "test.csv"} {
		missing[name] = "user,item,time\nu,c,1600000002\n"
	}
	d, err := Open(threeFiles, writeFiles(t, missing))
	if all := fmt.Sprint(d.Warnings); err != nil || !strings.Contains(all, "(the first on line 4 of train.csv)") {
		t.Errorf("%v, %s", err, all)
	}
	c := threeFiles
	c.Valid = "train.csv"
	if _, err := Open(c, writeFiles(t, good)); err == nil || !strings.Contains(err.Error(), "is the file of another part too") {
		t.Error(err)
	}
	c = threeFiles
	c.Train, c.Valid, c.Test, c.Path, c.Columns.Part = "", "", "", "log.csv", "time"
	c.Columns.Time = ""
	if _, err := Open(c, writeFiles(t, map[string]string{"log.csv": trainCSV})); err == nil || !strings.Contains(err.Error(), `log.csv:2: part "2" is unknown; expected train, valid or test`) {
		t.Error(err)
	}
}

// Files of a given split, as a fuzzer changes them, are refused or give valid cases.
func FuzzGivenSplit(f *testing.F) {
	const head = "user_id:token\titem_id:token\ttimestamp:float\n"
	f.Add(head+"u\ta\t1\nu\tb\t2\n", head+"u\tc\t3\n", head+"u\ta\t2\nv\tb\t4\n")
	f.Add(sequenceHead+"u\ta b\tc\nu\ta\tb\n", sequenceHead+"u\ta b c\td\n", sequenceHead+"u\tb c\td\nu\ta b c d\ta\nv\t\ta\n")
	f.Fuzz(func(t *testing.T, train, valid, test string) {
		src := &source{fsys: fstest.MapFS{}, main: "s.train.inter"}
		for i, text := range []string{train, valid, test} {
			name := []string{"s.train.inter", "s.valid.inter", "s.test.inter"}[i]
			src.fsys.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(text)}
			src.parts = append(src.parts, src.file(name))
		}
		c, err := Config{Name: "fuzz", Format: "recbole", Path: ".", Split: GivenSplit}.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		d, err := load(c, src)
		if err != nil {
			return
		}
		s := &Split{Data: d, Kind: GivenSplit, Train: make([][]int32, len(d.Seqs))}
		s.asGiven()
		cases, trained := 0, 0
		for u, n := range d.parts {
			if all := n.train + n.valid + n.test; all == 0 || all > len(d.Seqs[u]) {
				t.Fatalf("%d of %d interactions are in a part", all, len(d.Seqs[u]))
			}
			cases, trained = cases+n.valid+n.test, trained+n.train
		}
		st := s.Stats()
		if st.Train != trained || st.Valid+st.Test > cases || st.Test < st.TestUsers || st.Tied > st.Test {
			t.Fatalf("%+v of %d cases and %d in training", st, cases, trained)
		}
		for _, c := range slices.Concat(s.Valid, s.Test) {
			if len(c.History) == 0 || c.Target < 1 || int(c.Target) > d.NumItems {
				t.Fatalf("case %+v", c)
			}
		}
	})
}
