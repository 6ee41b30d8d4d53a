package stats

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// fixture is testdata/scipy.json, which scripts/stats-fixture.py made: inputs, and
// the results of SciPy and statsmodels.
type fixture struct {
	Wilcoxon []struct {
		Name    string
		A, B    []float64
		W, Z, P float64
		N       int
	}
	Holm      []struct{ P, Adjusted []float64 }
	Bootstrap []struct {
		Name       string
		A, B       []float64
		Draws      int
		Lo, Hi, SE float64
	}
}

func readFixture(t *testing.T) fixture {
	t.Helper()
	b, err := os.ReadFile("testdata/scipy.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Wilcoxon) == 0 || len(f.Holm) == 0 || len(f.Bootstrap) == 0 {
		t.Fatal("testdata/scipy.json lacks cases")
	}
	return f
}

// near compares with a tolerance relative to want.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestMeanSD(t *testing.T) {
	for _, c := range []struct {
		values   []float64
		mean, sd float64
	}{
		{[]float64{7}, 7, 0},
		{[]float64{2, 2, 2}, 2, 0},
		{[]float64{1, 2, 3, 4}, 2.5, math.Sqrt(5.0 / 3)},
		{[]float64{1e9 + 1, 1e9 + 2, 1e9 + 3}, 1e9 + 2, 1}, // a sum of squares would lose it
	} {
		if mean, sd := MeanSD(c.values); mean != c.mean || math.Abs(sd-c.sd) > 1e-15 {
			t.Errorf("MeanSD(%v) = %v, %v, want %v, %v", c.values, mean, sd, c.mean, c.sd)
		}
	}
	if mean, sd := MeanSD(nil); !math.IsNaN(mean) || sd != 0 {
		t.Errorf("MeanSD of nothing is %v, %v, want NaN, 0", mean, sd)
	}
}

func TestHolm(t *testing.T) {
	for _, c := range readFixture(t).Holm {
		got, err := Holm(c.P)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(c.P) {
			t.Fatalf("%d values for %d", len(got), len(c.P))
		}
		for i := range got {
			near(t, "adjusted p-value", got[i], c.Adjusted[i], 1e-14)
		}
	}
	if got, err := Holm(nil); err != nil || len(got) != 0 {
		t.Errorf("an empty family gives %v, %v", got, err)
	}
}

func TestHolmRefuses(t *testing.T) {
	for _, bad := range []float64{math.NaN(), -1e-9, 1.0001, math.Inf(1)} {
		if _, err := Holm([]float64{0.5, bad}); err == nil || !strings.Contains(err.Error(), "p-value 1") {
			t.Errorf("%v: error %v, want one that names p-value 1", bad, err)
		}
	}
}
