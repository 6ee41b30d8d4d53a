package run

import (
	"fmt"
	"reflect"

	"famebench/internal/record"
)

// compareGeometry says how the user vectors of an epoch differ from those of the same
// epoch in a record. They are the first values to change if sums are rounded
// differently.
func compareGeometry(a, b record.Point) string {
	for _, g := range []struct {
		what     string
		old, now float64
	}{{"alignment", a.Alignment, b.Alignment}, {"uniformity", a.Uniformity, b.Uniformity}} {
		if g.old != g.now {
			return fmt.Sprintf("the training curve first differs in epoch %d: %s of the user vectors %.9g, now %.9g", a.Epoch, g.what, g.old, g.now)
		}
	}
	return ""
}

func samePretraining(a, b *record.Pretrain) bool { return reflect.DeepEqual(a, b) }
