package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeFiles puts files into a new folder and returns it.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openCSV reads a log of "user,item,rating,time" lines.
func openCSV(t testing.TB, c Config, log string) (*Dataset, error) {
	t.Helper()
	c.Name, c.Format, c.Path = "test", "csv", "log.csv"
	c.Header = new(bool)
	c.Columns = Columns{User: "1", Item: "2", Rating: "3", Time: "4"}
	return Open(c, writeFiles(t, map[string]string{"log.csv": log}))
}

// original writes the sequences with their original ids: "user: item item, …".
func original(d *Dataset) string {
	var users []string
	for u, seq := range d.Seqs {
		ids := make([]string, len(seq))
		for i, v := range seq {
			ids[i] = d.ItemIDs[v]
		}
		users = append(users, d.UserIDs[u]+": "+strings.Join(ids, " "))
	}
	return strings.Join(users, ", ")
}

func TestProcess(t *testing.T) {
	// Not in order of time; b and c are tied for ann, x and y for bob.
	const log = "ann,c,5,20\n" + "ann,b,1,20\n" + "bob,x,4,7\n" + "ann,a,3,10\n" + "bob,y,2,7\n" + "ann,b,4,30\n" + "cat,a,5,1\n"
	for _, tc := range []struct {
		name     string
		c        Config
		want     string
		filtered Filtered
	}{
		{"time, ties by file", Config{}, "ann: a c b b, bob: x y, cat: a", Filtered{Read: 7}},
		{"ties by item", Config{Ties: "item"}, "ann: a b c b, bob: x y, cat: a", Filtered{Read: 7}},
		{"rating", Config{MinRating: 3}, "ann: a c b, bob: x, cat: a", Filtered{Read: 7, BelowRating: 2}},
		{"first of duplicates", Config{Duplicates: "first", Ties: "item"}, "ann: a b c, bob: x y, cat: a", Filtered{Read: 7, Duplicates: 1}},
		{"last of duplicates", Config{Duplicates: "last", Ties: "item"}, "ann: a c b, bob: x y, cat: a", Filtered{Read: 7, Duplicates: 1}},
		{"first users", Config{MaxUsers: 2}, "ann: a c b b, bob: x y", Filtered{Read: 7, MaxUsers: 1}},
		{"more users than there are", Config{MaxUsers: 9}, "ann: a c b b, bob: x y, cat: a", Filtered{Read: 7}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := openCSV(t, tc.c, log)
			if err != nil {
				t.Fatal(err)
			}
			if got := original(d); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if d.Filtered != tc.filtered {
				t.Errorf("filtered %+v, want %+v", d.Filtered, tc.filtered)
			}
		})
	}
}

// Ids follow the order of the sequences, not of the file.
func TestNumbering(t *testing.T) {
	d, err := openCSV(t, Config{}, "u,late,1,9\nv,other,1,1\nu,early,1,2\nv,late,1,3\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(d.ItemIDs[1:], d.UserIDs, d.Seqs, d.Times, d.NumItems); got != "[early late other] [u v] [[1 2] [3 2]] [[2 9] [1 3]] 3" {
		t.Error(got)
	}
}

// The hash rule must never change, because results depend on it. The order was
// computed with a Python version of FNV-1a and the SplitMix64 finaliser.
func TestHashTies(t *testing.T) {
	var log strings.Builder
	for _, user := range []string{"1", "ann"} {
		for _, item := range []string{"10", "20", "30", "40", "50", "60"} {
			fmt.Fprintf(&log, "%s,%s,1,5\n", user, item)
		}
	}
	d, err := openCSV(t, Config{Ties: "hash"}, log.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := original(d), "1: 10 40 50 20 60 30, ann: 30 60 10 20 40 50"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Nor does it depend on the order of the file.
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	slices.Reverse(lines)
	reversed, err := openCSV(t, Config{Ties: "hash"}, strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := strings.Split(original(d), ", "), strings.Split(original(reversed), ", "); a[0] != b[1] || a[1] != b[0] {
		t.Errorf("%q and %q differ", a, b)
	}
}

func TestKCore(t *testing.T) {
	// e has one user, so it goes; then c has two interactions left and stays;
	// d goes with f (his other item, of one user), and so g, which only d and c
	// had, falls below 2 in the next round, and c with it.
	const log = "a,1,1,1\na,2,1,2\nb,1,1,1\nb,2,1,2\nc,g,1,1\nc,1,1,2\nd,g,1,1\nd,f,1,2\n"
	d, err := openCSV(t, Config{KCore: 2}, log)
	if err != nil {
		t.Fatal(err)
	}
	if got := original(d); got != "a: 1 2, b: 1 2" || d.Filtered.KCore != 4 {
		t.Errorf("%s, dropped %d", got, d.Filtered.KCore)
	}
	if _, err := openCSV(t, Config{KCore: 3}, log); err == nil || !strings.Contains(err.Error(), "nothing is left of 8 interactions") || !strings.Contains(err.Error(), "k_core = 3") {
		t.Errorf("everything filtered: %v", err)
	}
	// A data set that is already a 5-core does not change.
	d, err = Open(Config{Name: "amazon-beauty", KCore: 5}, "")
	if err != nil {
		t.Fatal(err)
	}
	if d.Filtered.KCore != 0 || d.Fingerprint() != knownSets["amazon-beauty"].fingerprints[""] {
		t.Errorf("the 5-core of Beauty drops %d", d.Filtered.KCore)
	}
}

func TestFingerprint(t *testing.T) {
	// printf '1 2 10\n3\n' | sha256sum
	d := &Dataset{Seqs: [][]int32{{1, 2, 10}, {3}}}
	if got := d.Fingerprint(); got != "c25490b6c3e97b746478f5ece2114fb473f4e76e617f4db276506ccab16ffd44" {
		t.Error(got)
	}
	// Ids that are joined or divided differently are another data set.
	other := &Dataset{Seqs: [][]int32{{1, 2}, {10, 3}}}
	if d.Fingerprint() == other.Fingerprint() {
		t.Error("two data sets with one fingerprint")
	}
}

func TestOrderWarning(t *testing.T) {
	var sorted, falling, mixed strings.Builder
	for u := range 30 {
		for i := range 5 {
			fmt.Fprintf(&sorted, "%d,%d,1,7\n", u, 10*i+u)
			fmt.Fprintf(&falling, "%d,%d,1,7\n", u, 90-10*i+u)
			fmt.Fprintf(&mixed, "%d,%d,1,7\n", u, (10*i+u)*7%53)
		}
	}
	for _, tc := range []struct {
		name, ties, log string
		want            string // "": no warning
	}{
		{"file in item order", "", sorted.String(), "120 of 120 tied neighbours by ascending item id"},
		{"file in the opposite order", "", falling.String(), "120 of 120 tied neighbours by descending item id"},
		{"file in another order", "", mixed.String(), ""},
		{"asked for", "item", sorted.String(), ""},
		{"hashed", "hash", sorted.String(), ""},
		{"too few to tell", "", strings.Join(strings.SplitAfter(sorted.String(), "\n")[:60], ""), ""},
	} {
		d, err := openCSV(t, Config{Ties: tc.ties}, tc.log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Warnings, "\n"); (got != "") != (tc.want != "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: warnings %q, expected %q", tc.name, got, tc.want)
		}
	}
	// Without times, the order of the file is that of the sequences.
	for log, want := range map[string]string{
		sorted.String(): "120 of 120 neighbours in the sequences are in the ascending order of their item ids", mixed.String(): "",
	} {
		file := writeFiles(t, map[string]string{"log.csv": log})
		d, err := Open(Config{Name: "log", Format: "csv", Path: "log.csv", Header: new(bool), Columns: Columns{User: "1", Item: "2"}}, file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Warnings, "\n"); (got != "") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("warnings %q, expected %q", got, want)
		}
	}
}

func TestCompareIDs(t *testing.T) {
	sorted := []string{"0", "2", "10", "99999999999999999999", "100000000000000000000", "", "B0", "a"}
	got := []string{"a", "10", "B0", "", "2", "100000000000000000000", "0", "99999999999999999999"}
	slices.SortFunc(got, compareIDs)
	if !slices.Equal(got, sorted) {
		t.Errorf("%q", got)
	}
}

func TestKnownWarnings(t *testing.T) {
	// The user's own Beauty, one item short of the known one.
	dir := writeFiles(t, map[string]string{"sequences.txt": "1 1 2 3\n2 1 2 3\n"})
	d, err := Open(Config{Name: "amazon-beauty", Format: "s3rec", Path: "."}, dir)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(d.Warnings, "\n")
	for _, want := range []string{"2 users, 3 items, 6 interactions; expected the published 22363, 12101, 198502", d.Fingerprint(), knownSets["amazon-beauty"].fingerprints[""]} {
		if !strings.Contains(all, want) {
			t.Errorf("%q lacks %q", all, want)
		}
	}
	// A filtered data set may differ.
	d, err = Open(Config{Name: "amazon-beauty", MaxUsers: 10}, "")
	if err != nil || len(d.Warnings) > 0 || len(d.Seqs) != 10 {
		t.Errorf("%d users, warnings %q, %v", len(d.Seqs), d.Warnings, err)
	}
}
