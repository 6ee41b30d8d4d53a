package baselines

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
)

// writeLog writes a generated log of 420 users as csv. The events of a user are a
// second apart, some items are repeated, one item has the id 0, and every user's newest
// event comes first or in the middle of the user's lines.
func writeLog(t *testing.T) string {
	state := int64(12345)
	next := func(n int64) int64 { // a linear congruential generator, the same in any language
		state = (state*1103515245 + 12345) % (1 << 31)
		return (state >> 16) % n
	}
	var rows []string
	for u := range 420 {
		n, start := 1+next(8), 893286600+next(1_000_000)
		for k := range n {
			rows = append(rows, fmt.Sprintf("u%d,%d,%d\n", u, min(next(50), next(50)), start+k))
		}
	}
	var log strings.Builder
	log.WriteString("user,item,time\n")
	for i := range rows {
		log.WriteString(rows[(len(rows)-1-i)*9%len(rows)])
	}
	if len(rows) != 1960 {
		t.Fatalf("%d lines, want 1960: this is another log", len(rows))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log.csv"), []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestProtocol follows a log from the file to the metrics. The expected values come
// from some sixty lines of Python that follow docs/datasets.md and the package
// comment of rank without this code: sort by time, filter, hold out the last item,
// count, count the items that do not score below the target.
//
// Other projects had each of these errors: metrics that depend on the size of a batch
// or leave out its last users (RUCAIBox/RecBole issues 1556 and 1844; here the 329
// cases are more than one block of 256), times a second apart that are equal as 32-bit
// floats (RecBole issue 2204: markov would have .1503 removed), logs that are not
// sorted (NVIDIA/recsys-examples issue 140), item 0 used as padding
// (rdevooght/sequence-based-recommendations issue 18), targets that the user had seen
// before and that were masked with the seen items (RecBole issue 1823), equal counts in
// the target's favour (elixir-nx/scholar issue 360), a k-core that is filtered once
// (RecBole issue 1079: 1492 interactions would stay, not 1477).
func TestProtocol(t *testing.T) {
	dir := writeLog(t)
	type want struct{ kept, removed, mrrKept, mrrRemoved float64 } // NDCG@10 and MRR
	for _, tc := range []struct {
		name                       string
		change                     func(*datasets.Config)
		users, items, lines, cases int
		popularity, markov         want
	}{
		{"all", func(*datasets.Config) {}, 420, 50, 1960, 329,
			want{0.1556454011383588, 0.17634639580671305, 0.1371169486533753, 0.15366065782722327},
			want{0.14318952138801957, 0.1628971314827116, 0.13331598533809338, 0.14516716564473162}},
		{"5-core", func(c *datasets.Config) { c.KCore = 5 }, 230, 46, 1477, 230,
			want{0.16837335717981616, 0.18805705240583248, 0.1462414695707834, 0.16418996390767898},
			want{0.14011387125901253, 0.15867080607287298, 0.1280354571181402, 0.1417041487205287}},
		{"first of duplicates", func(c *datasets.Config) { c.Duplicates = "first" }, 420, 50, 0, 323, want{},
			want{0.14635605359539056, 0.16262564069426172, 0.12971083269151035, 0.13982984315952884}},
		{"last of duplicates", func(c *datasets.Config) { c.Duplicates = "last" }, 420, 50, 0, 323, want{},
			want{0.1416639609578682, 0.1563624636800758, 0.124687702910597, 0.1375301979295495}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := datasets.Config{Name: "log", Format: "csv", Path: "log.csv", Columns: datasets.Columns{User: "user", Item: "item", Time: "time"}}
			tc.change(&c)
			data, err := datasets.Open(c, dir)
			if err != nil {
				t.Fatal(err)
			}
			split, err := datasets.NewSplit(data, "")
			if err != nil {
				t.Fatal(err)
			}
			if s := data.Stats(); s.Users != tc.users || s.Items != tc.items || tc.lines > 0 && s.Interactions != tc.lines || len(split.Test) != tc.cases {
				t.Errorf("%d users, %d items, %d interactions, %d test cases; want %d, %d, %d, %d", s.Users, s.Items, s.Interactions, len(split.Test), tc.users, tc.items, tc.lines, tc.cases)
			}
			for name, baseline := range map[string]struct {
				fit  func(*datasets.Split) (rank.Scorer, error)
				want want
			}{"popularity": {NewPopularity, tc.popularity}, "markov": {NewMarkov, tc.markov}} {
				if baseline.want == (want{}) {
					continue
				}
				for _, block := range []int{0, 1, 7, 1000} {
					s, err := baseline.fit(split)
					if err != nil {
						t.Fatal(err)
					}
					r, err := rank.Evaluate(context.Background(), s, split.Test, data.NumItems, rank.Options{Block: block})
					if err != nil {
						t.Fatal(err)
					}
					got := want{r.Kept["NDCG@10"], r.Removed["NDCG@10"], r.Kept["MRR"], r.Removed["MRR"]}
					for _, d := range []float64{got.kept - baseline.want.kept, got.removed - baseline.want.removed, got.mrrKept - baseline.want.mrrKept, got.mrrRemoved - baseline.want.mrrRemoved} {
						if math.Abs(d) > 1e-12 {
							t.Errorf("%s in blocks of %d: %+v, want %+v", name, block, got, baseline.want)
							break
						}
					}
				}
			}
		})
	}
}
