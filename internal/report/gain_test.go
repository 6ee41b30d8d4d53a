package report

import (
	"testing"

	"famebench/internal/aggregate"
)

// A gain of nothing over nothing is not 0 %.
func TestGainOverZero(t *testing.T) {
	for want, c := range map[string]aggregate.Cell{
		"–":      {Mean: .1, NoGain: true},
		"+0.0":   {Mean: .1},
		"-100.0": {Gain: -100},
	} {
		if got := gain(aggregate.Rule{Metrics: map[string]aggregate.Cell{aggregate.Tested: c}}, false); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
