package imported

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/rank"
	"famebench/internal/record"
)

// Five items. The histories of users a and "b c" are items v1 and v2; "short" is in training only.
func fixture(rule string) Lists {
	d := &datasets.Dataset{UserIDs: []string{"a", "b c", "short"}, ItemIDs: []string{"", "v1", "v2", "v3", "v%4", "v5"}, NumItems: 5}
	return Lists{
		Split: &datasets.Split{Data: d, Kind: datasets.LeaveOneOut, Test: []datasets.Case{{User: 0, History: []int32{1}, Target: 3}, {User: 1, History: []int32{2, 1}, Target: 4}}},
		Spec:  record.ImportSpec{Name: "other", Dataset: record.Dataset{Name: "toy", Fingerprint: "0123456789"}, Protocol: datasets.LeaveOneOut, Rule: rule},
	}
}

func (l Lists) read(t *testing.T, text string) (*record.Imported, []string, error) {
	t.Helper()
	l.Path = filepath.Join(t.TempDir(), "other.run")
	if err := os.WriteFile(l.Path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return l.Read()
}

const good = "a Q0 v2 1 9.5 x\na Q0 v3 2 9 x\nb%20c Q0 v%254 1 3 x\nb%20c Q0 v5 2 1e-3 x\n"

func TestRead(t *testing.T) {
	m, ties, err := fixture("removed").read(t, good)
	if err != nil || len(ties) != 1 || !strings.Contains(ties[0], "lists have 2 items at most, and the tables' metrics begin at 5") {
		t.Fatal(err, ties)
	}
	if !slices.Equal(m.Ranks, []int32{2, 1}) || m.Length != 2 || m.Users != 2 || m.Items != 5 || m.File != "other.run" || len(m.Spec.SHA256) != 64 {
		t.Errorf("%+v", m)
	}
	if len(m.Test) != 2 || m.Test["HR@1"] != .5 || m.Test["NDCG@1"] != .5 {
		t.Errorf("two items give metrics at 1 only, got %v", m.Test)
	}
	// Ranks from 0 and empty lines are as good. An item that is not in the list is a miss.
	m, _, err = fixture("removed").read(t, "\ufeff\nb%20c Q0 v3 0 3 x\nb%20c Q0 v5 1 2 x\n\na Q0 v3 0 9.5 x\na Q0 v2 1 9 x\n")
	if err != nil || !slices.Equal(m.Ranks, []int32{1, record.Unlisted}) {
		t.Errorf("%v, %+v", err, m)
	}
	// Ties count against the item, wherever it is among them.
	m, ties, err = fixture("removed").read(t, "a Q0 v3 1 9 x\na Q0 v2 2 9 x\na Q0 v5 3 1 x\nb%20c Q0 v3 1 3 x\nb%20c Q0 v%254 2 3 x\nb%20c Q0 v5 3 2 x\n")
	if err != nil || !slices.Equal(m.Ranks, []int32{2, 2}) || len(ties) != 3 || !strings.Contains(ties[0], "line 1: the item of user a is tied with others: it counts as the last of them, rank 2") {
		t.Errorf("%v, %+v, %q", err, m, ties)
	}
	// Ties that reach the end of a list may go on after it, unless the list has all candidates.
	tied := "a Q0 v2 1 9 x\na Q0 v3 2 1 x\na Q0 v5 3 1 x\nb%20c Q0 v3 1 3 x\nb%20c Q0 v5 2 2 x\nb%20c Q0 v%254 3 2 x\n"
	m, ties, err = fixture("removed").read(t, tied)
	if err != nil || !slices.Equal(m.Ranks, []int32{record.Unlisted, 3}) || len(ties) != 3 || !strings.Contains(ties[0], "line 2: the item of user a is tied with others to the end of the list") || !strings.Contains(ties[1], "rank 3") {
		t.Errorf("%v, %+v, %q", err, m, ties)
	}
	// A user may have several sequences, only one of which has a test item.
	several := fixture("removed")
	several.Split.Data.UserIDs[2] = "a"
	if m, _, err = several.read(t, good); err != nil || !slices.Equal(m.Ranks, []int32{2, 1}) {
		t.Errorf("several sequences of a user: %v", err)
	}
	// With seen items removed, user "b c" has three candidates, and a list of all is not short.
	if m, _, err = fixture("removed").read(t, "a Q0 v2 1 4 x\na Q0 v3 2 3 x\na Q0 v5 3 2 x\na Q0 v%254 4 1 x\nb%20c Q0 v3 1 3 x\nb%20c Q0 v5 2 2 x\nb%20c Q0 v%254 3 1 x\n"); err != nil || m.Length != 4 {
		t.Errorf("all candidates: %v", err)
	}
}

func TestProblems(t *testing.T) {
	edit := func(line int, text string) string {
		lines := strings.SplitAfter(good, "\n")
		lines[line-1] = text
		return strings.Join(lines, "")
	}
	for _, tt := range []struct{ rule, text, want string }{
		{"removed", "", "end of the file: 2 of 2 test users have no list, such as \"a\": expected one for each"},
		{"removed", edit(4, ""), `line 3: the list of user "b c" has 1 items: expected 2, as in the longest list`},
		{"removed", edit(3, "nobody Q0 v5 1 3 x\n"), `line 3: unknown user "nobody"`},
		{"removed", edit(3, "short Q0 v5 1 3 x\n"), `line 3: user "short" has no test item`},
		{"removed", edit(2, "a Q0 v9 2 9 x\n"), `line 2: unknown item "v9": expected the ids of the data set`},
		{"removed", edit(3, "b%20c Q0 v%4 1 3 x\n"), `line 3: unknown item "v%4": expected the ids of the data set, with "%" written as %25`},
		{"removed", edit(2, "a Q0 v2 2 9 x\n"), `line 2: user "a": item "v2" is in the list already, at place 1`},
		{"removed", edit(2, "a Q0 v1 2 9 x\n"), `line 2: user "a": item "v1" is in the user's history: expected none of these with -seen removed`},
		{"removed", edit(2, "a Q0 v3 2 9.75 x\n"), `line 2: user "a": expected a score of at most 9.5, that of the item before, got 9.75`},
		{"removed", edit(2, "a Q0 v3 3 9 x\n"), `line 2: user "a": expected rank 2 after rank 1, got 3`},
		{"removed", edit(1, "a Q0 v2 5 9.5 x\n"), `line 1: user "a": expected the first rank to be 0 or 1, got 5`},
		{"removed", edit(2, "a Q0 v3 2 NaN x\n"), `line 2: expected a whole number as rank and a finite one as score, got "2" and "NaN"`},
		{"removed", edit(2, "a Q0 v3 2 9\n"), `line 2: expected 6 fields, user Q0 item rank score tag, got 5`},
		{"removed", good + "a Q0 v5 1 1 x\na Q0 v2 2 0 x\n", `line 5: user "a" again, whose lines begin at line 1: expected all lines of a user together`},
	} {
		_, _, err := fixture(tt.rule).read(t, tt.text)
		var p Problems
		if !errors.As(err, &p) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("expected %q, got %v", tt.want, err)
		}
	}
	if _, _, err := fixture("kept").read(t, edit(2, "a Q0 v1 2 9 x\n")); err != nil {
		t.Errorf("an item of the history is a candidate with seen items kept: %v", err)
	}
	many := strings.Repeat("a Q0 v9 1 9 x\n", 30)
	if _, _, err := fixture("kept").read(t, many); err == nil || strings.Count(err.Error(), "\n") != mostShown+1 || !strings.Contains(err.Error(), "more") {
		t.Errorf("many problems: %v", err)
	}
	several := fixture("kept")
	several.Split.Test = append(several.Split.Test, several.Split.Test[0])
	if _, _, err := several.read(t, good); err == nil || !strings.Contains(err.Error(), "several test items of user a") {
		t.Errorf("several cases of a user: %v", err)
	}
}

// Of a hundred lists, one has a seen item if these are candidates.
func TestKeptListsHaveSeenItems(t *testing.T) {
	l := fixture("kept")
	l.Split.Data.UserIDs, l.Split.Test = nil, nil
	var text strings.Builder
	for u := range int32(enough) {
		l.Split.Data.UserIDs = append(l.Split.Data.UserIDs, fmt.Sprintf("u%d", u))
		l.Split.Test = append(l.Split.Test, datasets.Case{User: u, History: []int32{1}, Target: 3})
		fmt.Fprintf(&text, "u%d Q0 v3 1 2 x\nu%d Q0 v2 2 1 x\n", u, u)
	}
	if _, _, err := l.read(t, text.String()); err == nil || !strings.Contains(err.Error(), "expected -seen removed") {
		t.Errorf("no list has a seen item: %v", err)
	}
	if _, _, err := l.read(t, strings.Replace(text.String(), "u7 Q0 v2", "u7 Q0 v1", 1)); err != nil {
		t.Error(err)
	}
	// If the items of training were no candidates, the one of validation still is, and lists have it.
	for u := range l.Split.Test {
		l.Split.Test[u].History = []int32{4, 1}
	}
	training := strings.Replace(text.String(), "u7 Q0 v2", "u7 Q0 v1", 1)
	if _, _, err := l.read(t, training); err == nil || !strings.Contains(err.Error(), "the items of training were no candidates") {
		t.Errorf("no list has an item of training: %v", err)
	}
	if _, _, err := l.read(t, strings.Replace(training, "u8 Q0 v2", "u8 Q0 v%254", 1)); err != nil {
		t.Error(err)
	}
	l.Split.Test = l.Split.Test[:20] // 20 lists of 2 items in 5: 8 by chance
	if _, _, err := l.read(t, strings.Join(strings.SplitAfter(training, "\n")[:40], "")); err != nil {
		t.Errorf("that may be chance: %v", err)
	}
}

// A test item that the user has seen remains a candidate when seen items are removed. By hand: of a
// hundred cases, half are new to their users and all of these are listed, so 50 of the others would
// be; of 10 others, 10; of 9, 9.
func TestRepeatedTargetsAreCandidates(t *testing.T) {
	for _, tt := range []struct {
		repeats, listed int
		problem, notice bool
	}{{50, 0, true, false}, {50, 1, false, false}, {10, 0, true, false}, {9, 0, false, true}, {0, 0, false, false}} {
		l := fixture("removed")
		l.Split.Data.UserIDs, l.Split.Test = nil, nil
		var text strings.Builder
		for u := range 50 + tt.repeats {
			c, place := datasets.Case{User: int32(u), History: []int32{1}, Target: 3}, "v3"
			if u < tt.repeats {
				c.History = []int32{3, 1}
				if u >= tt.listed {
					place = "v5"
				}
			}
			l.Split.Data.UserIDs = append(l.Split.Data.UserIDs, fmt.Sprintf("u%d", u))
			l.Split.Test = append(l.Split.Test, c)
			fmt.Fprintf(&text, "u%d Q0 %s 1 2 x\nu%d Q0 v2 2 1 x\n", u, place, u)
		}
		_, notices, err := l.read(t, text.String())
		if (err != nil) != tt.problem || tt.problem && !strings.Contains(err.Error(), "expected the test item to be a candidate") {
			t.Errorf("%+v: %v", tt, err)
		}
		if (len(notices) == 2) != tt.notice || tt.notice && !strings.Contains(notices[0], "9 test items are in their user's history") {
			t.Errorf("%+v: %q", tt, notices)
		}
	}
}

// scorer scores item v of user u by a formula with ties.
type scorer struct{ items int }

func (s scorer) Score(cases []datasets.Case, visit rank.Visit) error {
	for i, c := range cases {
		scores := make([]float32, s.items+1)
		for v := range scores {
			scores[v] = float32((v*7 + int(c.User)*3) % 5)
		}
		visit(i, scores)
	}
	return nil
}

// The lists that this program writes, read back, have the ranks and metrics of the ranking.
func TestOwnLists(t *testing.T) {
	const n, items, top = 40, 30, 12
	d := &datasets.Dataset{NumItems: items, ItemIDs: []string{""}}
	for v := 1; v <= items; v++ {
		d.ItemIDs = append(d.ItemIDs, fmt.Sprintf("i %d%%", v))
	}
	s := &datasets.Split{Data: d, Kind: datasets.LeaveOneOut}
	for u := range int32(n) {
		d.UserIDs = append(d.UserIDs, fmt.Sprintf("u\t%d", u))
		s.Test = append(s.Test, datasets.Case{User: u, History: []int32{1 + u%items, 1 + (u+4)%items}, Target: 1 + (u*11+2)%items})
	}
	got, err := rank.Evaluate(context.Background(), scorer{items}, s.Test, items, rank.Options{Top: top})
	if err != nil {
		t.Fatal(err)
	}
	for rule, of := range map[string]struct {
		lists [][]int32
		ranks []int32
		want  rank.Metrics
	}{"kept": {got.TopKept, got.RanksKept, got.Kept}, "removed": {got.TopRemoved, got.RanksRemoved, got.Removed}} {
		path := filepath.Join(t.TempDir(), "own.run")
		if err := (rank.Run{Tag: "t", Data: d, Cases: s.Test, Lists: of.lists}).Write(context.Background(), path, nil); err != nil {
			t.Fatal(err)
		}
		m, ties, err := Lists{Path: path, Split: s, Spec: record.ImportSpec{Name: "own", Rule: rule}}.Read()
		if err != nil || ties != nil || m.Length != top {
			t.Fatalf("%s: %v, %q", rule, err, ties)
		}
		for u, r := range of.ranks {
			if r > top {
				r = record.Unlisted
			}
			if m.Ranks[u] != r {
				t.Errorf("%s: user %d has rank %d, expected %d", rule, u, m.Ranks[u], r)
			}
		}
		if len(m.Test) != 6 {
			t.Errorf("%s: metrics %v, expected those up to 12", rule, m.Test)
		}
		for name, v := range m.Test {
			if v != of.want[name] {
				t.Errorf("%s: %s is %v, expected %v", rule, name, v, of.want[name])
			}
		}
	}
}

// A record is read as it was stored, is not replaced by other lists, and any changed byte of its
// files is noticed.
func TestStore(t *testing.T) {
	s := record.Store{Dir: t.TempDir()}
	m, _, err := fixture("removed").read(t, good)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same file again changes nothing
		if err := Store(s, m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ReadImported(m.ID)
	if err != nil || !slices.Equal(got.Ranks, m.Ranks) || got.Spec.SHA256 != m.Spec.SHA256 || aggregate.CheckImported(got) != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if !strings.HasPrefix(m.ID, "toy-other-removed-s0-") {
		t.Errorf("id %s", m.ID)
	}
	other, _, err := fixture("removed").read(t, strings.Replace(good, "9.5", "9.25", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := Store(s, other); err == nil || !strings.Contains(err.Error(), "has other lists of other with seed 0 and seen items removed") {
		t.Errorf("other lists: %v", err)
	}
	other.Spec.Seed = 1 // another score, or tag, makes no other lists
	if err := Store(s, other); err == nil || !strings.Contains(err.Error(), "has the same lists, with seed 0 and seen items removed") {
		t.Errorf("lists of the same ranks as another seed: %v", err)
	}
	if other, _, err = fixture("removed").read(t, strings.Replace(strings.Replace(good, "v2 1 9.5", "v3 1 9.5", 1), "v3 2 9 ", "v2 2 9 ", 1)); err != nil {
		t.Fatal(err)
	}
	other.Spec.Seed = 1
	if err := Store(s, other); err != nil {
		t.Error(err)
	}
	copied := *m
	copied.Spec.Seed = 2
	if err := Store(s, &copied); err == nil || !strings.Contains(err.Error(), "has the same lists, with seed 0 and seen items removed") {
		t.Errorf("the same lists as another seed: %v", err)
	}
	if ids, err := s.IDs(); err != nil || ids != nil {
		t.Errorf("imported records among the runs: %q, %v", ids, err)
	}
	for _, path := range []string{s.ImportedPath(m.ID), s.ImportedRanksPath(m.ID)} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 10; i < len(b); i++ { // a compressed file begins with ten bytes that are not content
			damaged := slices.Clone(b)
			damaged[i] ^= 1
			if err := os.WriteFile(path, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := s.ReadImported(m.ID); err == nil && !slices.Equal(got.Ranks, m.Ranks) {
				t.Errorf("%s: byte %d was changed: nothing is noticed", path, i)
			}
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
