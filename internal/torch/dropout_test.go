package torch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDropout(t *testing.T) {
	const n, p = 200_000, .3
	run(t, func(rt *Runtime) {
		params := rt.NewParams()
		x := params.Fill("x", 2, n)
		if got := x.Dropout(p); got != x {
			t.Error("dropout changed its input outside training")
		}
		rt.SetTraining(true)
		rt.SetStream(1, 2)
		y := x.Dropout(p)
		y.Mul(y).Sum(0).Backward() // dy²/dx = 2y·mask/(1−p)
		out, grad := y.HostFloats(), params.Grad("x")
		zero, runs := 0, 0
		for i, v := range out {
			want := float32(2 / (1 - p))
			if v == 0 {
				zero++
				want = 0
			} else if math.Abs(float64(v-want)) > 1e-5 {
				t.Fatalf("element %d = %v, want 0 or %v", i, v, want)
			}
			if i > 0 && (v == 0) == (out[i-1] == 0) {
				runs++
			}
			if g := 2 * want / (1 - p); math.Abs(float64(grad[i]-g)) > 1e-4 {
				t.Fatalf("gradient %d = %v, want %v: the backward mask is another", i, grad[i], g)
			}
		}
		// Five standard deviations of the binomial counts.
		if share := float64(zero) / n; math.Abs(share-p) > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("share dropped %v, want %v", share, p)
		}
		same := p*p + (1-p)*(1-p)
		if share := float64(runs) / n; math.Abs(share-same) > 5*math.Sqrt(same*(1-same)/n) {
			t.Errorf("share of neighbours alike %v, want %v: elements are not independent", share, same)
		}
		if slices.Equal(x.Dropout(p).HostFloats(), out) {
			t.Error("two draws gave one mask")
		}
		rt.SetStream(1, 2)
		if !slices.Equal(x.Dropout(p).HostFloats(), out) {
			t.Error("one stream gave two masks")
		}
		rt.SetStream(2, 1)
		if slices.Equal(x.Dropout(p).HostFloats(), out) {
			t.Error("two streams gave one mask")
		}
	})
}

// A row's mask follows its name, wherever the row is and whatever the other rows are.
func TestDropoutByName(t *testing.T) {
	const width = 200
	run(t, func(rt *Runtime) {
		rt.SetTraining(true)
		mask := func(rows int64, items, at []int64) [][]float32 {
			rt.SetStream(7)
			rt.NameRows(items, at)
			values := rt.Full(1, rows, 2, width/2).Dropout(.5).HostFloats()
			// Attention to keys of zeros, whose values are the identity, shows the kept weights.
			kv, spans := make([]float32, 3*6), []int64{}
			for i := range 3 {
				kv[i*6+3+i] = 1
			}
			for range rows {
				spans = append(spans, 0, 3)
			}
			seen := rt.Zeros(rows, 30).Attend(rt.Floats(kv, 3, 6), rt.Ints(spans, rows, 2), 1, .5).HostFloats()
			var out [][]float32
			for i := range int(rows) {
				out = append(out, slices.Concat(values[i*width:][:width], seen[i*30:][:30]))
			}
			return out
		}
		const far = 1 << 40 // names have 64 bits
		all := mask(5, []int64{3, far, far + 1, 8, 9}, []int64{0, 2})
		for i, row := range all {
			for _, part := range [][]float32{row[:width], row[width:]} {
				for _, other := range all[:i] {
					if slices.Equal(part, other[width:]) || slices.Equal(part, other[:width]) {
						t.Errorf("row %d has the mask of another", i)
					}
				}
			}
		}
		some := mask(2, []int64{8, far}, nil)
		if !slices.Equal(some[0], all[3]) || !slices.Equal(some[1], all[1]) {
			t.Error("the mask of a row depends on the other rows")
		}
		some = mask(2, []int64{3, far, far + 1, 8, 9}, []int64{0, 2})
		if !slices.Equal(some[0], all[0]) || !slices.Equal(some[1], all[2]) {
			t.Error("the mask of a position is not that of its row")
		}
	})
}

// Rows that nobody has named are an error, not another mask.
func TestDropoutWithoutNames(t *testing.T) {
	named := func(rows int64) func(*Runtime) {
		return func(rt *Runtime) {
			rt.NameRows([]int64{1, 2, 3}, []int64{0, 2})
			rt.Zeros(rows, 4).Dropout(.5)
		}
	}
	for want, c := range map[string]struct {
		threads int
		f       func(*Runtime)
	}{
		"dropout([4×4]): expected the rows of the batch's 3 items or 2 positions": {1, named(4)},
		"dropout([2×4]): rows without names in a team":                            {2, func(rt *Runtime) { rt.Zeros(2, 4).Dropout(.5) }},
		"position 1 is row 2 of 3: expected ascending rows":                       {1, func(rt *Runtime) { rt.NameRows([]int64{1, 2, 3}, []int64{2, 2}) }},
		"": {2, func(rt *Runtime) { named(3)(rt); named(2)(rt); rt.Zeros(4, 4).DropoutTable(.5) }},
	} {
		err := RunTeam(Config{Threads: c.threads}, func(team *Team) error {
			return team.Each(func(k int, rt *Runtime) error {
				rt.SetTraining(true)
				rt.SetStream(1)
				c.f(rt)
				return nil
			})
		})
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
