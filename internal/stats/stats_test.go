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

// Values of tables: t.975 with 4 degrees of freedom is 2.7764, with 1 it is 12.7062.
func TestHalfWidth(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{1, 2, 3, 4, 5}, 2.776445 * math.Sqrt(2.5) / math.Sqrt(5)},
		{[]float64{0, 2}, 12.706205},
		{[]float64{3, 3, 3}, 0},
	} {
		if got, ok := HalfWidth(c.values); !ok || math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%v: %v, expected %v", c.values, got, c.want)
		}
	}
	if _, ok := HalfWidth([]float64{1}); ok {
		t.Error("one value has an interval")
	}
}

// By hand: ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4.
func TestSpearman(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
		ok   bool
	}{
		{[]float64{1, 2, 3}, []float64{10, 20, 90}, 1, true},
		{[]float64{1, 2, 3}, []float64{9, 5, 1}, -1, true},
		{[]float64{.1, .5, .5, .9}, []float64{5, 2, 7, 9}, 3 / math.Sqrt(4.5*5), true},
		{[]float64{1, 1}, []float64{1, 2}, 0, false},
		{[]float64{1}, []float64{1}, 0, false},
	} {
		if got, ok := Spearman(c.a, c.b); ok != c.ok || ok && math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v, %v: %v %v, expected %v %v", c.a, c.b, got, ok, c.want, c.ok)
		}
	}
}
