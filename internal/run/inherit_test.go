package run

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// A model begins with exactly its source's values where names match, and with its own elsewhere.
// What was not taken from either side is listed; other shapes are refused.
func TestInherit(t *testing.T) {
	sasrec, _ := registry.Find(registry.Models, "sasrec")
	source := record.Spec{Dataset: record.Dataset{Name: "d"}, Model: "sasrec", Device: "cpu", Seed: 1}
	id, err := source.ID()
	if err != nil {
		t.Fatal(err)
	}
	job := plan.Job{Out: t.TempDir(), Spec: record.Spec{Dataset: record.Dataset{Name: "d"}, Model: "sasrec-continued", Device: "cpu", Seed: 1, Source: &record.Source{Model: "sasrec"}}}
	store := record.Store{Dir: job.Out}
	if err := store.MakeFolder("weights"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change      func(given map[string]safetensors.Tensor)
		new, unused []string
		want        string // in an error
	}{
		"all": {change: func(map[string]safetensors.Tensor) {}},
		"other names": {
			change: func(given map[string]safetensors.Tensor) {
				given["other"] = given[itemTable]
				delete(given, itemTable)
			},
			new: []string{itemTable}, unused: []string{"other"},
		},
		"another shape": {
			change: func(given map[string]safetensors.Tensor) {
				given[itemTable] = safetensors.FromFloat32s([]int64{2, 2}, []float32{1, 2, 3, 4})
			},
			want: "of shape [21 64], got [2 2]",
		},
		"nothing in common": {
			change: func(given map[string]safetensors.Tensor) {
				maps.DeleteFunc(given, func(string, safetensors.Tensor) bool { return true })
			},
			want: "no parameter in common",
		},
	} {
		err := torch.RunTeam(torch.Config{Threads: 2, Seed: 1}, func(team *torch.Team) error {
			m, err := replicas(team, sasrec, sasrec.Defaults, sasrec.TrainDefaults(), 20)
			if err != nil {
				return err
			}
			before, given := values(t, m), m.Params().Tensors()
			for name, tensor := range given {
				v, err := tensor.Float32s()
				if err != nil {
					return err
				}
				for i := range v {
					v[i] += 1 + float32(i%7)
				}
				given[name] = safetensors.FromFloat32s(tensor.Shape, v)
			}
			tt.change(given)
			if _, err := writeWeights(store.WeightsPath(id), id, given); err != nil {
				return err
			}
			in, err := inherit(m, job)
			if err != nil {
				return err
			}
			if in.ID != id || !slices.Equal(in.New, tt.new) || !slices.Equal(in.Unused, tt.unused) {
				t.Errorf("%s: %+v", name, in)
			}
			after := values(t, m)
			for param, own := range before {
				want := slices.Clone(own)
				for i := range want {
					if !slices.Contains(tt.new, param) {
						want[i] += 1 + float32(i%7)
					}
				}
				if !slices.Equal(after[param], want) {
					t.Errorf("%s: %s has other values than expected", name, param)
				}
			}
			return nil
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, expected %q", name, err, tt.want)
		}
	}
}

// Weights without a checksum are no use to a run that begins with them, so those that were trained
// again take their place.
func TestKeepWeightsWithoutAChecksum(t *testing.T) {
	store, again := record.Store{Dir: t.TempDir()}, record.Store{Dir: t.TempDir()}
	const id = "d-sasrec-s0-00000000"
	old := &safetensors.File{Tensors: map[string]safetensors.Tensor{"x": safetensors.FromFloat32s([]int64{1}, []float32{1})}, Metadata: map[string]string{weightsID: id}}
	for _, s := range []record.Store{store, again} {
		if err := s.Make(); err != nil {
			t.Fatal(err)
		}
	}
	if err := safetensors.Write(store.WeightsPath(id), old); err != nil {
		t.Fatal(err)
	}
	if _, err := writeWeights(again.WeightsPath(id), id, map[string]safetensors.Tensor{"x": safetensors.FromFloat32s([]int64{1}, []float32{2})}); err != nil {
		t.Fatal(err)
	}
	if HasWeights(store, id) {
		t.Fatal("weights without a checksum are used")
	}
	if err := KeepWeights(store, again, id); err != nil || !HasWeights(store, id) {
		t.Errorf("%v: the new weights are not there", err)
	}
}
