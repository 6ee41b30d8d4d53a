package rank

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/datasets"
)

// Fields of a line are separated by white space: an id must be one field, and
// readable back.
func TestTRECField(t *testing.T) {
	for id, want := range map[string]string{
		"A1YJEY40YUW4SE": "A1YJEY40YUW4SE",
		"Toy Story":      "Toy%20Story",
		" ":              "%20",
		"a\tb\r\nc":      "a%09b%0D%0Ac",
		"100%":           "100%25",
		"a%20b":          "a%2520b", // not the same as "a b"
		"a\u00a0b":       "a%C2%A0b",
		"a\u2028b":       "a%E2%80%A8b",
		"a\x1cb":         "a%1Cb", // white space to Python
		"a\xa0b":         "a%A0b", // not UTF-8
		"müsli/日本":       "müsli/日本",
		"\ufffd":         "\ufffd",
	} {
		got := trecField(id)
		if got != want {
			t.Errorf("%q is written as %q, want %q", id, got, want)
		}
		if back, err := url.PathUnescape(got); err != nil || back != id {
			t.Errorf("%q is read back as %q, %v", id, back, err)
		}
	}
}

func FuzzTRECField(f *testing.F) {
	f.Add("a b")
	f.Add("a%\xff")
	f.Fuzz(func(t *testing.T, id string) {
		got := trecField(id)
		if back, err := url.PathUnescape(got); err != nil || back != id {
			t.Errorf("%q is written as %q and read back as %q, %v", id, got, back, err)
		}
		if id != "" && len(strings.Fields(got)) != 1 {
			t.Errorf("%q is written as %q: not one field", id, got)
		}
	})
}

func TestTRECFiles(t *testing.T) {
	d := &datasets.Dataset{UserIDs: []string{"ann", "b o b"}, ItemIDs: []string{"", "x", "y z", "w"}}
	cases := []datasets.Case{{User: 1, Target: 2}, {User: 0, Target: 3}}
	dir := t.TempDir()
	run, qrels := filepath.Join(dir, "a.run"), filepath.Join(dir, "a.qrels")
	var told []int
	err := Run{"my run", d, cases, [][]int32{{3, 2}, {1, 2, 3}}}.Write(context.Background(), run, func(done, total int) { told = append(told, done, total) })
	if err := errors.Join(err, WriteQrels(qrels, d, cases)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		run: `b%20o%20b Q0 w 1 2 my%20run
b%20o%20b Q0 y%20z 2 1 my%20run
ann Q0 x 1 3 my%20run
ann Q0 y%20z 2 2 my%20run
ann Q0 w 3 1 my%20run
`,
		qrels: "b%20o%20b 0 y%20z 1\nann 0 w 1\n",
	} {
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, got, want)
		}
	}
	if len(told) != 2 || told[1] != 2 {
		t.Errorf("progress %v, want one call, of 2 cases", told)
	}

	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	other := filepath.Join(dir, "b.run")
	if err := (Run{"x", d, cases, make([][]int32, 2)}).Write(cancelled, other, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := (Run{"x", d, cases, make([][]int32, 3)}).Write(context.Background(), other, nil); err == nil || !strings.Contains(err.Error(), "3 lists for 2 cases") {
		t.Errorf("a list too many: %v", err)
	}
	if err := WriteQrels(filepath.Join(dir, "missing", "a.qrels"), d, cases); err == nil || !strings.Contains(err.Error(), "a.qrels") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("%d files, want 2", len(files))
	}
}

// If any user has several cases, every query has the number of its case: an id such as "a#1"
// is never that of a query of another user.
func TestQueryIDs(t *testing.T) {
	d := &datasets.Dataset{UserIDs: []string{"a", "a#1", "b c", "a"}} // the last: another sequence of a
	one := []datasets.Case{{User: 2}, {User: 1}}
	if got := strings.Join(queryIDs(d, one), " "); got != "b%20c a#1" {
		t.Errorf("one case each: %s", got)
	}
	several := append(one, datasets.Case{User: 0}, datasets.Case{User: 3}, datasets.Case{User: 2})
	if got := strings.Join(queryIDs(d, several), " "); got != "b%20c#1 a#1#1 a#1 a#2 b%20c#2" {
		t.Errorf("several cases: %s", got)
	}
}
