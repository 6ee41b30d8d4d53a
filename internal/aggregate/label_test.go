package aggregate

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"famebench/internal/record"
)

func TestLabels(t *testing.T) {
	heads := func(n int) func(*record.Record) {
		return func(r *record.Record) {
			r.Resolved["params"]["heads"] = json.RawMessage(fmt.Sprint(n))
			r.Result.Spec.Params = record.Settings{"heads": json.RawMessage(fmt.Sprint(n)), "dropout": json.RawMessage("0.2")}
		}
	}
	f := newFixture(t)
	f.Axes = []string{"fame.heads", "train.epochs"}
	f.add("fame", 0, .1, .1, same(1), heads(1))
	f.add("fame", 0, .1, .1, same(1), heads(8))
	f.add("sasrec", 0, .1, .1, same(1), heads(2))
	f.add("core", 0, .1, .1, same(1), nil)
	f.add("core", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Params = record.Settings{"encoder": json.RawMessage(`"ave"`)} })
	f.add("core", 0, .1, .1, same(1), func(r *record.Record) { r.Result.Spec.Device = "cuda" })
	rows := f.make().Tables[0].Rows
	var got []string
	for _, r := range rows {
		got = append(got, r.Label)
	}
	want := []string{"fame heads=1", "fame heads=8", "sasrec", "core device=cpu", "core encoder=ave device=cpu", "core device=cuda"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !reflect.DeepEqual(rows[1].At, map[string]any{"fame.heads": 8.}) || rows[2].At != nil {
		t.Errorf("place on the axes: %v", rows[1].At)
	}
	// What the label tells is no footnote.
	if note := rows[1].Notes[0]; note != "non-default settings: dropout = 0.2" {
		t.Errorf("footnote %q", note)
	}
	if note := rows[2].Notes[0]; note != "non-default settings: dropout = 0.2, heads = 2" {
		t.Errorf("footnote %q", note)
	}
}

// Around one row, others say only what they change; its twin of another device does not
// pass for a row of its own. A grid has no such row.
func TestLabelsOneAtATime(t *testing.T) {
	at := func(heads, experts, device int) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Params = record.Settings{"heads": json.RawMessage(fmt.Sprint(heads)), "experts": json.RawMessage(fmt.Sprint(experts))}
			maps.Copy(r.Resolved["params"], r.Result.Spec.Params)
			r.Result.Spec.Device = []string{1: "cpu", 2: "cuda"}[device]
		}
	}
	for _, tt := range []struct {
		rows [][3]int
		want []string
	}{
		{[][3]int{{2, 4, 1}, {4, 4, 1}, {4, 1, 1}, {4, 4, 2}},
			[]string{"fame heads=2 device=cpu", "fame heads=4 experts=4 device=cpu", "fame experts=1 device=cpu", "fame heads=4 experts=4 device=cuda"}},
		{[][3]int{{2, 4, 1}, {4, 4, 1}, {4, 1, 1}},
			[]string{"fame heads=2", "fame heads=4 experts=4", "fame experts=1"}},
		{[][3]int{{2, 4, 1}, {4, 4, 1}, {4, 1, 1}, {2, 1, 1}},
			[]string{"fame heads=2 experts=4", "fame heads=4 experts=4", "fame heads=4 experts=1", "fame heads=2 experts=1"}},
		{[][3]int{{2, 4, 1}, {4, 4, 1}}, []string{"fame heads=2", "fame heads=4"}},
	} {
		f := newFixture(t)
		f.Axes = []string{"heads", "experts"}
		for _, r := range tt.rows {
			f.add("fame", 0, .1, .1, same(1), at(r[0], r[1], r[2]))
		}
		var got []string
		for _, r := range f.make().Tables[0].Rows {
			got = append(got, r.Label)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.rows, got, tt.want)
		}
	}
}
