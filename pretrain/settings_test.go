package pretrain

import (
	"reflect"
	"testing"

	"famebench/internal/record"
)

// Specs of older records may name a setting that is gone. One that never was is an error.
func TestFromSpec(t *testing.T) {
	named := record.Settings{"epochs": []byte("3"), "alternate": []byte(`"epoch"`)}
	want := SpecInit()
	want.Epochs = 3
	if got, err := FromSpec(named); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if len(named) != 2 {
		t.Error("the spec was changed, so its id would be another")
	}
	if got, err := FromSpec(nil); err != nil || !reflect.DeepEqual(got, SpecInit()) {
		t.Errorf("no settings: %+v, %v", got, err)
	}
	if _, err := FromSpec(record.Settings{"epohcs": []byte("3")}); err == nil {
		t.Error("an unknown setting was passed over")
	}
}
