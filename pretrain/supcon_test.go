package pretrain

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/oracle"
	"famebench/internal/torch"
)

// run calls f with a CPU runtime.
func run(t testing.TB, f func(rt *torch.Runtime)) {
	t.Helper()
	if err := torch.Run(torch.Config{Threads: 1, Seed: 1}, func(rt *torch.Runtime) error { f(rt); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestOracleSupCon checks positives, losses and gradients against plain tensor
// operations (internal/oracle/testdata/PROVENANCE.md).
func TestOracleSupCon(t *testing.T) {
	oracle.OnDevices(t, checkOracle)
}

func checkOracle(t *testing.T, device string) {
	for _, c := range oracle.Cases(t, func(name string) bool { return strings.HasPrefix(name, "supcon_") }) {
		t.Run(c.Name, func(t *testing.T) {
			var config struct {
				N, Dim      int64
				Temperature float64
			}
			var in struct {
				Labels     []int32   // one per item
				Attributes [][]int32 // or any number
			}
			var out struct {
				Counts  []int      `json:"positives_count"`
				Losses  []*float64 `json:"loss_per_anchor"` // null: not an anchor
				Anchors int
				Mean    float64 `json:"loss_mean"`
			}
			c.Decode(t, &config, &in, &out)
			labels := in.Attributes
			for _, l := range in.Labels {
				labels = append(labels, []int32{l})
			}
			if int64(len(labels)) != config.N || len(out.Losses) != len(labels) {
				t.Fatalf("%d labels, %d losses, want %d", len(labels), len(out.Losses), config.N)
			}
			p := NewPositives(labels)
			if !slices.Equal(p.Counts, out.Counts) || p.Anchors != out.Anchors {
				t.Errorf("positives %v of %d anchors, want %v of %d", p.Counts, p.Anchors, out.Counts, out.Anchors)
			}
			want := make([]float64, len(out.Losses))
			for i, l := range out.Losses {
				if l != nil {
					want[i] = *l
				}
			}
			err := torch.Run(torch.Config{Device: device, Threads: 1}, func(rt *torch.Runtime) error {
				params := rt.NewParams()
				x := params.Normal("embeddings", 1, config.N, config.Dim)
				if err := params.Load(c.Tensors(t, "weights.safetensors")); err != nil {
					return err
				}
				oracle.Near(t, "loss of each anchor", anchorLosses(rt, x, p, config.Temperature).HostFloats(), want, 1e-5)
				loss := SupCon(rt, x, p, config.Temperature)
				if got := loss.Item(); !(math.Abs(got-out.Mean) <= 1e-5) {
					t.Errorf("loss = %v, want %v", got, out.Mean)
				}
				loss.Backward()
				oracle.NearGradient(t, "gradient", params.Grad("embeddings"), oracle.Floats(t, c.Tensors(t, "grads.safetensors")["embeddings"]))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The loss is finite at every temperature that the configuration allows,
// although e^(1/τ) would overflow.
func TestSupConStaysFinite(t *testing.T) {
	run(t, func(rt *torch.Runtime) {
		params := rt.NewParams()
		x := params.Normal("x", 1, 6, 3)
		p := NewPositives([][]int32{{0}, {0}, {1}, {1}, nil, {2}})
		for _, temperature := range []float64{1e-6, 1e-3, 1, 100} {
			params.ZeroGrad()
			loss := SupCon(rt, x, p, temperature)
			loss.Backward()
			for _, v := range append(params.Grad("x"), float32(loss.Item())) {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Errorf("temperature %v: loss %v, gradient %v", temperature, loss.Item(), params.Grad("x"))
					break
				}
			}
		}
	})
}

// Two views of an item are positives of each other; repeated labels of an item
// count once.
func TestPositives(t *testing.T) {
	for name, c := range map[string]struct {
		labels  [][]int32
		counts  []int
		anchors int
	}{
		"nothing":        {nil, []int{}, 0},
		"one item":       {[][]int32{{3}}, []int{0}, 0},
		"two views":      {[][]int32{{0}, {1}, {0}, {1}}, []int{1, 1, 1, 1}, 4},
		"shares two":     {[][]int32{{1, 2}, {2, 1}, {2}}, []int{2, 2, 2}, 3},
		"repeated label": {[][]int32{{1, 1}, {1, 1}}, []int{1, 1}, 2},
		"none in common": {[][]int32{{1}, {2}, nil}, []int{0, 0, 0}, 0},
	} {
		if p := NewPositives(c.labels); !slices.Equal(p.Counts, c.counts) || p.Anchors != c.anchors {
			t.Errorf("%s: %v, %d anchors; want %v, %d", name, p.Counts, p.Anchors, c.counts, c.anchors)
		}
	}
}

func BenchmarkSupCon(b *testing.B) {
	for _, n := range []int{256, 512, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			run(b, func(rt *torch.Runtime) {
				labels := make([][]int32, n)
				for i := range labels {
					labels[i] = []int32{int32(i % 40)}
				}
				params := rt.NewParams()
				x := params.Normal("x", 1, int64(n), 16)
				for b.Loop() {
					rt.Scope(func() {
						params.ZeroGrad()
						SupCon(rt, x, NewPositives(labels), .07).Backward()
					})
				}
			})
		})
	}
}
