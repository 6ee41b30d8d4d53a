package registry

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
)

var update = flag.Bool("update", false, "write the generated files in testdata")

// updateCommand is named by failing tests.
const updateCommand = "go test ./internal/registry -run ArePinned -update"

func readPins(t *testing.T, path string, pins any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(b, pins)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func writePins(t *testing.T, path string, pins any) {
	t.Helper()
	b, err := json.MarshalIndent(pins, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// numbers are the results of a short run, and the code that computed them.
type numbers struct {
	Versions string    `json:"versions"`
	CPU      string    `json:"cpu"`
	Loss     []float64 `json:"loss"` // of each epoch
	NDCG     float64   `json:"ndcg"` // validation NDCG@10 after the last
}

// differs compares a run with its pin. On the same kind of processor only the order of
// operations may differ. Another processor rounds differently, by about 1e-7 in the
// first step and more later. (Virtual machines with different processors may report
// the same model, so the first bound is not zero.)
func (n numbers) differs(pin numbers) bool {
	loss, ndcg := 1e-5, .005
	if n.CPU != pin.CPU {
		loss, ndcg = 2e-4, .02
	}
	if len(n.Loss) != len(pin.Loss) || math.Abs(n.NDCG-pin.NDCG) > ndcg {
		return true
	}
	for i := range n.Loss {
		if !(math.Abs(n.Loss[i]-pin.Loss[i]) <= loss*math.Abs(pin.Loss[i])) {
			return true
		}
	}
	return false
}

// TestNumbersArePinned trains every model of the registry for two epochs, in each
// objective, and the models that are not variants with every loss, and compares the
// numbers with those of the same versions. The file is generated: with -update, new runs
// are added and runs of a raised version replaced. Numbers that changed without a raised
// version remain an error, because records of old and new code would share an id.
func TestNumbersArePinned(t *testing.T) {
	path := filepath.Join("testdata", "numbers.json")
	pinned, now := map[string]numbers{}, map[string]numbers{}
	readPins(t, path, &pinned)
	s := basic.Cyclic(t, 60, 8)
	for _, e := range Models {
		if e.Neural == nil || e.Text {
			continue // a model initialised from texts trains as its base does
		}
		for i, objective := range e.Objectives {
			for j, loss := range models.LossKinds {
				if (i > 0 || e.Base != "") && j > 0 {
					continue
				}
				name := e.Name + " " + objective + " " + loss
				n := shortRun(t, e, s, objective, loss)
				now[name] = n
				pin, ok := pinned[name]
				switch {
				case !ok && !*update:
					t.Errorf("%s is new: pin its numbers with %s", name, updateCommand)
				case ok && pin.Versions != n.Versions && !*update:
					t.Errorf("%s: expected the numbers of %s, got %s: pin them with %s", name, pin.Versions, n.Versions, updateCommand)
				case ok && pin.Versions == n.Versions && n.differs(pin):
					t.Errorf("%s: expected %+v, got %+v: the code has changed what this model learns. If you intended that, raise its version in the registry, train.Version or rank.Version, then run %s", name, pin, n, updateCommand)
				case ok && pin.Versions == n.Versions:
					now[name] = pin
				}
			}
		}
	}
	if *update && !t.Failed() {
		writePins(t, path, now)
	}
}

// shortRun trains for two epochs on two threads.
func shortRun(t *testing.T, e Entry, s *datasets.Split, objective, loss string) numbers {
	t.Helper()
	c := shortTraining(e)
	c.Objective, c.Loss, c.Negatives = objective, loss, 8
	n := numbers{
		Versions: fmt.Sprintf("model %d, train %d, rank %d", e.Version, train.Version, rank.Version),
		CPU:      runtime.GOARCH + " " + cpuModel(),
	}
	err := torch.RunTeam(torch.Config{Threads: 2, Seed: 5}, func(team *torch.Team) error {
		m, err := replicas(e, team, copyOf(e.Defaults), c, s.Data.NumItems)
		if err != nil {
			return err
		}
		r, err := train.Fit(context.Background(), m, s, c, train.Options{Seed: 5})
		if err != nil {
			return err
		}
		for _, p := range r.Curve {
			n.Loss, n.NDCG = append(n.Loss, p.Loss), p.Valid["NDCG@10"]
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s, %s, %s: %v", e.Name, objective, loss, err)
	}
	return n
}

func shortTraining(e Entry) train.Config {
	c := e.TrainDefaults()
	c.BatchTargets, c.Epochs, c.MaxLen, c.Stride = 64, 2, 8, 4
	return c
}

// replicas builds a model on every member of a team.
func replicas(e Entry, team *torch.Team, params any, c train.Config, items int) (*train.Replicas, error) {
	return train.NewReplicas(team, func(rt *torch.Runtime) (models.Model, error) { return e.Neural(rt, params, c, items) })
}

func copyOf(config any) any {
	c := reflect.New(reflect.TypeOf(config).Elem())
	c.Elem().Set(reflect.ValueOf(config).Elem())
	return c.Interface()
}

// cpuModel is the processor's name, or "" where Linux does not report it.
func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(b), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(name, " \t:")
}
