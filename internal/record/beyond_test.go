package record

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBeyond(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	r := &Record{ID: "d-m-s0-00000000", Result: Result{RanksSHA256: "aa", Test: Rules{Kept: Metrics{"Coverage@10": .5}, Removed: Metrics{"Coverage@10": .25}}}}
	if b, err := store.ReadBeyond(r); b != nil || err != nil {
		t.Errorf("without a file: %+v, %v", b, err)
	}
	good := func() *Beyond {
		return &Beyond{ID: r.ID, RanksSHA256: "aa", HistoryPopularity: 3, Kept: Metrics{"Coverage@10": .5, "Gini@10": .4}, Removed: Metrics{"Coverage@10": .25}}
	}
	if err := store.WriteBeyond(good()); err != nil { // it makes the folder
		t.Fatal(err)
	}
	for _, tt := range []struct {
		change func(*Beyond)
		want   string
	}{
		{func(*Beyond) {}, ""},
		{func(b *Beyond) { b.RanksSHA256 = "bb" }, `expected run d-m-s0-00000000, ranks aa, got "d-m-s0-00000000", "bb"`},
		{func(b *Beyond) { b.ID = "other" }, `got "other"`},
		{func(b *Beyond) { b.Removed["Coverage@10"] = .5 }, "seen items removed: Coverage@10 is 0.5, expected 0.25 as in the record"},
		{func(b *Beyond) { b.Kept["Gini@10"] = -1 }, `seen items kept: "Gini@10" is -1, expected 0 or more`},
		{func(b *Beyond) { b.HistoryPopularity = -math.Pi }, "history_popularity is -3.14"},
	} {
		b := good()
		tt.change(b)
		if err := WriteSealed(store.BeyondPath(r.ID), b); err != nil {
			t.Fatal(err)
		}
		got, err := store.ReadBeyond(r)
		if (err == nil) != (tt.want == "") || err != nil && !(strings.Contains(err.Error(), tt.want) && strings.Contains(err.Error(), "bench -trec "+r.ID)) {
			t.Errorf("got %v, expected %q", err, tt.want)
		}
		if tt.want == "" && (got == nil || got.Kept["Gini@10"] != .4 || got.HistoryPopularity != 3) {
			t.Errorf("got %+v", got)
		}
	}
	for text, want := range map[string]string{"{}": "has no checksum", "{": "is damaged", `{"sha256":"x"}`: "was changed after it was written"} {
		if err := os.WriteFile(filepath.Join(store.Dir, "beyond", r.ID+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.ReadBeyond(r); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), store.BeyondPath(r.ID)) {
			t.Errorf("%s: got %v, expected %q", text, err, want)
		}
	}
}
