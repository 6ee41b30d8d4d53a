package registry

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/rank"
	"famebench/internal/tinytest/basic"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
	"famebench/internal/train"
	"famebench/models"
)

var update = flag.Bool("update", false, "write the generated files in testdata")

// updateCommand is named by failing tests.
const updateCommand = "go test ./internal/registry -run ArePinned -update"

// The hashes of code in codes.json are those of the program, which knows its modules.
func init() {
	dependencies = func() (out []string) {
		b, err := os.ReadFile("../../go.mod")
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) >= 2 && strings.HasPrefix(f[1], "v") {
				out = append(out, f[0]+" "+f[1])
			}
		}
		return out
	}
}

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
	if pin.Loss == nil { // counted, not trained: only sums are rounded
		ndcg = 1e-9
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
// objective, and the models that are not variants with every loss, ranks with those that
// are not trained, begins those that read texts with a small encoder, and compares the numbers with those of the same versions. The file is
// generated: with -update, new runs are added and runs of a raised version replaced. Numbers
// that changed without a raised version remain an error, because records of old and new code
// would share an id.
func TestNumbersArePinned(t *testing.T) {
	path := filepath.Join("testdata", "numbers.json")
	pinned, now := map[string]numbers{}, map[string]numbers{}
	readPins(t, path, &pinned)
	check := func(name string, n numbers) {
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
	s, w, small := basic.Cyclic(t, 60, 8), world(t, 300, 100), world(t, 60, 40)
	for _, e := range Models {
		switch {
		case e.Text:
			check(e.Name, fromTexts(t, e, small)) // few steps, because rounding grows in each
			continue
		case e.NonNeural != nil:
			scorer, err := e.NonNeural(w)
			if err != nil {
				t.Fatal(err)
			}
			check(e.Name, ranked(t, e, scorer, w))
			continue
		}
		for i, objective := range e.Objectives {
			for j, loss := range models.LossKinds {
				if (i > 0 || e.Base != "") && j > 0 {
					continue
				}
				check(e.Name+" "+objective+" "+loss, shortRun(t, e, s, objective, loss, nil))
			}
		}
	}
	if t.Failed() {
		return
	}
	if *update {
		writePins(t, path, now)
		updateCodes(t)
	} else if unlisted := unlistedCode(t); unlisted != nil {
		t.Errorf("the code of %s has changed and computes the same numbers; so that tables do not call its records outdated, run %s", strings.Join(unlisted, ", "), updateCommand)
	}
}

// world is generated data, which the references need.
func world(t *testing.T, users, items int) *datasets.Split {
	t.Helper()
	return basic.Split(t, datasets.Config{Name: "world", Format: "facets", World: datasets.WorldConfig{Users: users, Items: items, Labels: 10}}, "")
}

// ranked are the numbers of a model that is not trained.
func ranked(t *testing.T, e Entry, scorer rank.Scorer, s *datasets.Split) numbers {
	t.Helper()
	r, err := rank.Evaluate(context.Background(), scorer, s.Valid, s.Data.NumItems, rank.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return numbers{Versions: e.pinnedVersions(), CPU: runtime.GOARCH + " " + cpuModel(), NDCG: r.Removed["NDCG@10"]}
}

// unlistedCode names the models whose present code is not in codes.json.
func unlistedCode(t *testing.T) (names []string) {
	t.Helper()
	known := map[string]Codes{}
	readPins(t, "codes.json", &known)
	for _, e := range Models {
		v, err := e.Code()
		if err != nil {
			t.Fatal(err)
		}
		if c := known[e.Name]; c.Versions != e.pinnedVersions() || !slices.Contains(c.Hashes, v.Hash) {
			names = append(names, e.Name)
		}
	}
	return names
}

// updateCodes adds the present code to that which has computed the pinned numbers. Code of
// other versions is dropped.
func updateCodes(t *testing.T) {
	t.Helper()
	known, now := map[string]Codes{}, map[string]Codes{}
	readPins(t, "codes.json", &known)
	for _, e := range Models {
		v, err := e.Code()
		if err != nil {
			t.Fatal(err)
		}
		c := known[e.Name]
		if c.Versions != e.pinnedVersions() {
			c = Codes{Versions: e.pinnedVersions()}
		}
		if !slices.Contains(c.Hashes, v.Hash) {
			c.Hashes = append(c.Hashes, v.Hash)
		}
		now[e.Name] = c
	}
	writePins(t, "codes.json", now)
}

// Records of code that computes the same numbers are not outdated; those of other code are.
func TestCodesOf(t *testing.T) {
	e, _ := Find(Models, "sasrec")
	v, err := e.Code()
	if err != nil {
		t.Fatal(err)
	}
	saved := codesFile
	defer func() { codesFile = saved }()
	for _, c := range []struct {
		versions string
		hashes   []string
		want     int
	}{
		{e.pinnedVersions(), []string{"old", v.Hash, "new"}, 3},
		{e.pinnedVersions(), []string{"old"}, 1}, // nothing says that the present code computes the same
		{"model 1, train 1, rank 1", []string{"old", v.Hash}, 1},
	} {
		codesFile, err = json.Marshal(map[string]Codes{"sasrec": {c.versions, c.hashes}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := CodesOf(Models, "sasrec")
		if err != nil || len(got) != c.want || !slices.Contains(got, v.Hash) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// shortRun trains for two epochs on two threads. table, if not nil, is the initial item table.
func shortRun(t *testing.T, e Entry, s *datasets.Split, objective, loss string, table []float32, frozen ...string) numbers {
	t.Helper()
	c := shortTraining(e)
	c.Objective, c.Loss, c.Negatives = objective, loss, 8
	n := numbers{
		Versions: e.pinnedVersions(),
		CPU:      runtime.GOARCH + " " + cpuModel(),
	}
	err := torch.RunTeam(torch.Config{Threads: 2, Seed: 5}, func(team *torch.Team) error {
		m, err := replicas(e, team, copyOf(e.Defaults), c, s.Data.NumItems)
		if err != nil {
			return err
		}
		if table != nil {
			all := m.Params().Tensors()
			all[itemTable] = safetensors.FromFloat32s(all[itemTable].Shape, table)
			if err := m.Params().Load(all); err != nil {
				return err
			}
		}
		r, err := train.Fit(context.Background(), m, s, c, train.Options{Seed: 5, Frozen: frozen})
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
