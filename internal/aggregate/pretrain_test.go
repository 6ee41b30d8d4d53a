package aggregate

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"famebench/internal/record"
)

// Two seeds of a start with two heads, of which the second measured nothing.
func TestHeadsAndPictures(t *testing.T) {
	f := newFixture(t)
	f.add("sasrec", 0, .1, .1, same(2), nil)
	for seed, purity := range []float64{.2, .4} { // the seeds hold out other items, which leaves other labels to learn from
		f.add("fame", int64(seed), .1, .1, same(2), func(r *record.Record) {
			q := &record.Quality{Chance: .1, Before: record.Measure{Purity: purity, Alignment: 1, Uniformity: -2}, After: record.Measure{Purity: 2 * purity, Alignment: .5, Uniformity: -3}}
			r.Result.Pretrain = &record.Pretrain{Heads: []record.Head{{Facet: "brand", Learned: "brand", Labels: 7 + 2*seed, Quality: q}, {Learned: "dropout"}}}
		})
	}
	if table := f.make().Tables[0]; table.Pictures != nil || table.PicturesOf != "" {
		t.Errorf("no file has pictures, the table has those of %q", table.PicturesOf)
	}
	want := []record.Picture{{Head: 1, Facet: "brand", Items: []int32{3}, Labels: [][]string{{"a"}}, Before: [][2]float32{{1, 2}}, After: [][2]float32{{3, 4}}}}
	id := f.Records[1].ID
	if err := f.Store.WritePictures(id, want); err != nil {
		t.Fatal(err)
	}
	table := f.make().Tables[0]
	if table.PicturesOf != "fame" || !reflect.DeepEqual(table.Pictures, want) {
		t.Errorf("pictures of %q: %+v", table.PicturesOf, table.Pictures)
	}
	if table.Rows[0].Heads != nil || len(table.Rows[1].Heads) != 2 {
		t.Fatalf("heads %+v, %+v", table.Rows[0].Heads, table.Rows[1].Heads)
	}
	brand, dropout := table.Rows[1].Heads[0], table.Rows[1].Heads[1]
	near(t, "labels", brand.Labels, 8)
	for i, want := range []float64{.1, .3, .6, 1, .5, -2, -3} {
		near(t, "brand", brand.Cells()[i].Mean, want)
		if n := brand.Cells()[i].N; n != 2 {
			t.Errorf("cell %d over %d seeds", i, n)
		}
		if c := dropout.Cells()[i]; c != (Cell{}) {
			t.Errorf("dropout has %+v", c)
		}
	}

	if err := os.WriteFile(f.Store.PicturesPath(id), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(f.Input); err == nil || !strings.Contains(err.Error(), f.Store.PicturesPath(id)) {
		t.Errorf("a torn file of pictures: %v", err)
	}
}
