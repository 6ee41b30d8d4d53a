package datasets

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// coldest gives hand-made data of four items, a quarter of which is cold. The ids
// are such that item v has the lowest hash.
func coldest(t *testing.T, v int32, seqs [][]int32) *Dataset {
	t.Helper()
	d := &Dataset{Name: "test", Seqs: seqs, NumItems: 4, ItemIDs: []string{"", "a", "b", "c", "d"}, Config: Config{ColdItems: .25}}
	now := d.ColdItems()
	if len(now) != 1 {
		t.Fatalf("cold items %v, want one of four", now)
	}
	d.ItemIDs[v], d.ItemIDs[now[0]] = d.ItemIDs[now[0]], d.ItemIDs[v]
	if got := d.ColdItems(); !slices.Equal(got, []int32{v}) {
		t.Fatalf("cold items %v: it is the original id that decides", got)
	}
	return d
}

// Item 3 is cold. It is the test item of user 0, in the training sequence of user 1,
// the validation item of user 2, and all that user 3 has before validation. User 4
// has no interaction with it, and user 5 is in training only.
func TestColdLeaveOneOut(t *testing.T) {
	d := coldest(t, 3, [][]int32{{1, 2, 4, 3}, {1, 3, 2, 3, 4, 1}, {1, 2, 3, 4}, {3, 1, 2}, {4, 1, 2, 4}, {3, 1}})
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Train); got != "[[1 2] [1 2] [1 2] [] [4 1] [1]]" {
		t.Error("train", got)
	}
	if got := caseString(s.Valid); got != "0:[1 2]→4 1:[1 2]→4 4:[4 1]→2" {
		t.Error("valid", got)
	}
	if got := caseString(s.Test); got != "0:[1 2 4]→3 1:[1 3 2 3 4]→1 2:[1 2 3]→4 3:[3 1]→2 4:[4 1 2]→4" {
		t.Error("test", got)
	}
	if valid, test := s.Cold(); valid != 0 || test != 1 {
		t.Errorf("%d validation and %d test targets are never trained, want 0 and 1", valid, test)
	}
	// The fingerprint as documented.
	text := "1 2 4 3\n1 3 2 3 4 1\n1 2 3 4\n3 1 2\n4 1 2 4\n3 1\ncold 3\n"
	if got, want := d.Fingerprint(), fmt.Sprintf("%x", sha256.Sum256([]byte(text))); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	if got := fmt.Sprint(d.Seqs[1], d.Seqs[5]); got != "[1 3 2 3 4 1] [3 1]" {
		t.Error("the data itself was changed:", got)
	}
}

func TestColdTimeSplit(t *testing.T) {
	d := coldest(t, 2, [][]int32{{1, 2, 3, 2}, {2, 3}, {1, 3}, {1, 2}})
	d.Times = [][]int64{{1, 2, 8, 10}, {4, 8}, {3, 8}, {5, 6}} // boundaries 8 and 10
	s, err := NewSplit(d, TimeSplit)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Train); got != "[[1] [] [1] [1]]" {
		t.Error("train", got)
	}
	if got := caseString(s.Valid) + " | " + caseString(s.Test); got != "0:[1]→3 2:[1]→3 | 0:[1 2 3]→2" { // user 1 has no history left
		t.Error("cases", got)
	}
}

// Items 3 and 4 are cold, and 4 is for validation. It is the validation item of users 0 and 1,
// the test item of user 2, in the training sequence of user 3 and all that user 4 has before
// validation. Item 3 is the validation item of user 3.
func TestColdValidation(t *testing.T) {
	d := &Dataset{Name: "test", NumItems: 4, ItemIDs: []string{"", "a", "b", "c", "d"}, Config: Config{ColdItems: .25, ColdValidation: .25},
		Seqs: [][]int32{{1, 3, 4, 2}, {2, 1, 4, 3}, {2, 1, 1, 4}, {1, 4, 3, 2}, {4, 4, 1}, {1, 2, 1, 4, 2}}}
	order := []int32{3, 4} // by their hashes, as the ids below have them
	var ids []string
	for _, items := range [][]int32{d.ColdItems(), d.ColdValidationItems()} {
		if len(items) != 1 {
			t.Fatalf("items %v, want one of four", items)
		}
		ids = append(ids, d.ItemIDs[items[0]])
	}
	rest := slices.DeleteFunc(slices.Clone(d.ItemIDs[1:]), func(id string) bool { return slices.Contains(ids, id) })
	d.ItemIDs = slices.Concat([]string{""}, rest, ids)
	if a, b := d.ColdItems(), d.ColdValidationItems(); !slices.Equal(slices.Concat(a, b), order) {
		t.Fatalf("cold items %v and %v: it is the original ids that decide", a, b)
	}
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Train); got != "[[1] [2 1] [2 1] [1] [] [1 2 1]]" {
		t.Error("train", got)
	}
	if got := caseString(s.Valid); got != "2:[2 1]→1" {
		t.Error("valid", got)
	}
	if got := caseString(s.ColdValid); got != "0:[1]→4 1:[2 1]→4 5:[1 2 1]→4" { // user 4 has no history left
		t.Error("cold validation", got)
	}
	if got := caseString(s.Test); got != "0:[1 3 4]→2 1:[2 1 4]→3 3:[1 4 3]→2 4:[4 4]→1 5:[1 2 1 4]→2" {
		t.Error("test", got)
	}
	text := "1 3 4 2\n2 1 4 3\n2 1 1 4\n1 4 3 2\n4 4 1\n1 2 1 4 2\ncold 3\ncold validation 4\n"
	if got, want := d.Fingerprint(), fmt.Sprintf("%x", sha256.Sum256([]byte(text))); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	d.Seqs = [][]int32{{1, 2, 1, 2}, {2, 1, 2, 3}}
	if _, err := NewSplit(d, ""); err == nil || !strings.Contains(err.Error(), "cold_validation = 0.25 leaves no validation case") {
		t.Error(err)
	}
}

// A second part of the items changes neither the first one nor what it took out, and each test
// case that stays is as it was.
func TestColdValidationOfBeauty(t *testing.T) {
	first, one := coldBeauty(t, .05, 0)
	d, err := Open(Config{Name: "amazon-beauty", ColdItems: .05, ColdValidation: .05}, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	second := d.ColdValidationItems()
	if !slices.Equal(d.ColdItems(), first.ColdItems()) || len(second) != 605 {
		t.Errorf("%d items of the second part", len(second))
	}
	is := func(v int32) bool { _, ok := slices.BinarySearch(second, v); return ok }
	if slices.ContainsFunc(d.ColdItems(), is) {
		t.Error("an item is in both parts")
	}
	want := slices.DeleteFunc(slices.Clone(one.Test), func(c Case) bool { return is(c.Target) })
	if caseString(s.Test) != caseString(want) || len(want) == len(one.Test) {
		t.Error("the test cases are not those without the second part")
	}
	valid := len(slices.DeleteFunc(slices.Clone(one.Valid), func(c Case) bool { return is(c.Target) }))
	if n := len(s.ColdValid); n < len(one.Valid)/25 || n > len(one.Valid)/15 || len(s.Valid) > valid {
		t.Errorf("%d validation cases and %d of the second part, before %d", len(s.Valid), n, len(one.Valid))
	}
	for _, seq := range s.Train {
		if slices.ContainsFunc(seq, is) {
			t.Fatal("an item of the second part is trained")
		}
	}
}

func TestColdLeavesTooLittle(t *testing.T) {
	d := coldest(t, 3, [][]int32{{1, 3, 2}})
	if _, err := NewSplit(d, ""); err == nil || !strings.Contains(err.Error(), "0 validation and 1 test cases") {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "log.csv")
	if err := os.WriteFile(path, []byte("u,i\na,x\na,y\na,z\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := Config{Name: "mine", Format: "csv", Path: path, Columns: Columns{User: "u", Item: "i"}, ColdItems: .1}
	if _, err := Open(c, ""); err == nil || !strings.Contains(err.Error(), "mine: cold_items = 0.1 of 3 items is less than one item; raise it") {
		t.Error(err)
	}
}

// coldBeauty is Beauty with a share of cold items.
func coldBeauty(t *testing.T, share float64, seed int64) (*Dataset, *Split) {
	t.Helper()
	d, err := Open(Config{Name: "amazon-beauty", ColdItems: share, ColdSeed: seed}, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings) > 0 {
		t.Errorf("warnings %q", d.Warnings)
	}
	s, err := NewSplit(d, "")
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

// On Beauty: the share, and what becomes of the split.
func TestColdBeauty(t *testing.T) {
	whole, all := coldBeauty(t, 0, 0)
	d, s := coldBeauty(t, .05, 0)
	cold := d.ColdItems()
	if whole.ColdItems() != nil || len(cold) != 605 || !slices.IsSorted(cold) { // of 12,101
		t.Errorf("%d and %d cold items", len(whole.ColdItems()), len(cold))
	}
	is := make([]bool, d.NumItems+1)
	for _, v := range cold {
		is[v] = true
	}
	without := func(seq []int32) []int32 {
		var out []int32
		for _, v := range seq {
			if !is[v] {
				out = append(out, v)
			}
		}
		return out
	}
	for u := range s.Train {
		if !slices.Equal(s.Train[u], without(all.Train[u])) {
			t.Fatalf("user %d trains %v, with all items %v", u, s.Train[u], all.Train[u])
		}
	}
	valid := slices.DeleteFunc(slices.Clone(all.Valid), func(c Case) bool { return is[c.Target] || len(without(c.History)) == 0 })
	if len(valid) == len(all.Valid) || len(s.Valid) != len(valid) {
		t.Fatalf("%d validation cases, want %d of %d", len(s.Valid), len(valid), len(all.Valid))
	}
	for i, c := range s.Valid {
		if c.User != valid[i].User || c.Target != valid[i].Target || !slices.Equal(c.History, without(valid[i].History)) {
			t.Fatalf("validation case %+v, with all items %+v", c, valid[i])
		}
	}
	if caseString(s.Test) != caseString(all.Test) {
		t.Error("test cases differ")
	}
	targets := 0
	for _, c := range s.Test {
		if is[c.Target] {
			targets++
		}
	}
	_, before := all.Cold()
	_, now := s.Cold()
	// The items are selected whatever their frequency: about 5 % of the test
	// targets.
	if share := float64(targets) / float64(len(s.Test)); share < .04 || share > .06 || now < targets || now > targets+before {
		t.Errorf("%d of %d test targets are cold, %d never trained (%d before)", targets, len(s.Test), now, before)
	}
}

// On Beauty: what depends on share and seed, and the fingerprint.
func TestColdItemsOfBeauty(t *testing.T) {
	whole, _ := coldBeauty(t, 0, 0)
	d, _ := coldBeauty(t, .05, 0)
	again, _ := coldBeauty(t, .05, 0)
	more, _ := coldBeauty(t, .1, 0)
	other, _ := coldBeauty(t, .05, 1)
	cold := d.ColdItems()
	if !slices.Equal(again.ColdItems(), cold) || again.Fingerprint() != d.Fingerprint() {
		t.Error("the same configuration gives other items")
	}
	held := func(in []int32) (n int) {
		for _, v := range cold {
			if _, ok := slices.BinarySearch(in, v); ok {
				n++
			}
		}
		return n
	}
	if n := held(more.ColdItems()); n != len(cold) {
		t.Errorf("a larger share holds %d of %d", n, len(cold))
	}
	if n := held(other.ColdItems()); n > len(cold)/8 { // 30 by chance
		t.Errorf("another seed gives %d of the %d", n, len(cold))
	}
	prints := []string{whole.Fingerprint(), d.Fingerprint(), more.Fingerprint(), other.Fingerprint()}
	slices.Sort(prints)
	if len(slices.Compact(prints)) != 4 || d.Stats().Fingerprint != d.Fingerprint() {
		t.Error("two splits have one fingerprint")
	}
	// Records depend on both.
	if got := whole.Fingerprint(); got != "9c1a957d4ee50bd6f0cf2350fd1759e1e06b2b0484232fdbe0f13f458f408c9d" {
		t.Error("without cold items", got)
	}
	if got := d.Fingerprint(); got != "6ca8383ddf9db7d3986dca18672dd910d7ddbc7a14cbf70ddfd993bc0fd464e6" {
		t.Error("with cold items", got)
	}
}
