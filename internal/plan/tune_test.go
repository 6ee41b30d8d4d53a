package plan

import "testing"

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
