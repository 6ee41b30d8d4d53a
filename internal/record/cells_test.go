package record

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestCellsAreStored(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	if c, err := s.ReadCells("s"); c != nil || err != nil {
		t.Errorf("before anything is measured: %+v, %v", c, err)
	}
	c := &Cells{Suite: "s", CPU: "a", Device: "cpu", Threads: 2, Steps: 200}
	c.Put(Cell{ID: "1", Model: "fame", Separate: &Scoring{UsersPerSecond: 3}})
	c.Put(Cell{ID: "2", Model: "fame"})
	c.Put(Cell{ID: "1", Model: "sasrec"})
	if err := s.WriteCells(c); err != nil {
		t.Fatal(err)
	}
	read, err := s.ReadCells("s")
	if err != nil || !reflect.DeepEqual(read, c) {
		t.Errorf("%+v, %v", read, err)
	}
	if len(read.Cells) != 2 || read.Find("1").Model != "sasrec" || read.Find("3") != nil {
		t.Errorf("%+v", read.Cells)
	}
	whole, err := os.ReadFile(s.CellsPath("s"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		strings.Replace(string(whole), `"threads": 2`, `"threads": 4`, 1): "was changed after it was written",
		`{"suite": "s"}`:  "has no checksum",
		string(whole[1:]): "is damaged",
	} {
		if err := os.WriteFile(s.CellsPath("s"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadCells("s"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.CellsPath("s")) {
			t.Errorf("%s: %v", want, err)
		}
	}
	c.Suite = "other"
	if err := s.WriteCells(c); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.CellsPath("other"), s.CellsPath("s")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadCells("s"); err == nil || !strings.Contains(err.Error(), `got those of "other"`) {
		t.Errorf("of another suite: %v", err)
	}
}

// Times are compared on the same processor, device and number of threads only.
func TestComparableCells(t *testing.T) {
	a := Cells{Suite: "s", CPU: "a", Device: "cpu", Threads: 2, Steps: 200}
	for _, change := range []func(*Cells){func(c *Cells) { c.CPU = "b" }, func(c *Cells) { c.Device = "cuda" }, func(c *Cells) { c.Threads = 1 }, func(c *Cells) { c.Steps = 20 }} {
		b := a
		change(&b)
		if a.Comparable(&b) {
			t.Errorf("%+v and %+v", a, b)
		}
	}
	b := a
	b.Cells = []Cell{{ID: "1"}}
	if !a.Comparable(&b) {
		t.Error("what was measured makes no difference")
	}
}
