package plan

import (
	"cmp"
	"strings"
	"testing"

	"famebench/internal/record"
)

// Files of tuned values are committed, so another layout of the same values would change
// committed files.
func TestTunedText(t *testing.T) {
	models := map[string]any{}
	put(models, []string{"fame", "datasets", "beauty", "pretrain", "scale"}, 4.0)
	put(models, []string{"fame", "datasets", "beauty", "heads"}, int64(4))
	put(models, []string{"fame", "datasets", "b.y", "train", "loss"}, "a\n[b]\n'\"")
	const want = `[models]
[models.fame]
[models.fame.datasets]
[models.fame.datasets."b.y"]
[models.fame.datasets."b.y".train]
loss = "a\n[b]\n'\""

[models.fame.datasets.beauty]
heads = 4

[models.fame.datasets.beauty.pretrain]
scale = 4.0
`
	if got, err := tunedText(models); err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if got, err := tunedText(map[string]any{}); err != nil || string(got) != "[models]\n" {
		t.Errorf("nothing chosen: %v, %q", err, got)
	}
}

// Half of the trials survive a rung, rounded up, and the configured settings in any case. Equal
// trials keep their order.
func TestSurvivors(t *testing.T) {
	a := Axis{Name: "dropout", Values: []any{.1}}
	trial := func(name string, valid ...float64) Trial {
		x := Trial{Trial: record.Trial{Dataset: "d", Model: "m", At: name}}
		if name != "" {
			x.point = point{}.with(a, name)
		}
		for _, v := range valid {
			x.Rungs = append(x.Rungs, record.Rung{Valid: v})
		}
		return x
	}
	names := func(trials []Trial, rung int) string {
		var out []string
		for _, t := range survivors(trials, "d", "m", rung) {
			out = append(out, cmp.Or(t.At, "configured"))
		}
		return strings.Join(out, " ")
	}
	trials := []Trial{trial("", .1), trial("a", .3), trial("b", .2), trial("c", .2), trial("d", .4)}
	if got := names(trials, 1); got != "d a b configured" {
		t.Errorf("survivors %s, expected d a b configured", got)
	}
	// Of those that reached the second rung, two of three.
	trials = []Trial{trial("", .1, .5), trial("a", .3, .4), trial("b", .2), trial("d", .4, .4)}
	if got := names(trials, 2); got != "configured a" {
		t.Errorf("survivors %s, expected configured a", got)
	}
	other := trials[1]
	other.Model = "another"
	if got := names([]Trial{other}, 2); got != "" {
		t.Errorf("survivors %s of another model", got)
	}
	trials[3].Rungs[1].Valid = .6
	Choose(trials, Suite{Rungs: []int{20, 0}})
	for i, want := range []bool{false, false, false, true} {
		if trials[i].Chosen != want {
			t.Errorf("trial %d: chosen %v, expected %v", i, trials[i].Chosen, want)
		}
	}
}
