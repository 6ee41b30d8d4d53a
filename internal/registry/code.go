package registry

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"famebench/baselines"
	"famebench/datasets"
	"famebench/internal"
	"famebench/internal/bert"
	"famebench/internal/code"
	"famebench/internal/facets"
	"famebench/internal/rank"
	"famebench/internal/torch"
	"famebench/internal/train"
	"famebench/models"
	"famebench/pretrain"
)

// constructors names the constructors of neural models by the type of their
// configuration. Constructor fills it in while the registry is built.
var constructors = map[reflect.Type][]string{}

func functionName(f any) string { return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name() }

var (
	codeMu    sync.Mutex
	codeCache = map[string]code.Version{}
)

// Code identifies the code of this program that decides the results of a model.
func (e Entry) Code() (code.Version, error) {
	codeMu.Lock()
	defer codeMu.Unlock()
	if v, ok := codeCache[e.Name]; ok {
		return v, nil
	}
	run, err := fs.Sub(internal.Sources, "run")
	if err != nil {
		return code.Version{}, err
	}
	roots, shared := constructors[reflect.TypeOf(e.Defaults)], []code.Package{
		{Dir: "internal/run", Sources: run}, {Dir: "internal/rank", Sources: rank.Sources}, {Dir: "datasets", Sources: datasets.Sources},
	}
	var libraries []string
	if e.Neural == nil {
		var constructor any = e.NonNeural
		if e.FromTexts != nil {
			constructor = e.FromTexts
		}
		roots = []string{functionName(constructor)}
		if e.KnowsWorld {
			shared = append(shared, code.Package{Dir: "datasets", Sources: datasets.WorldSources})
		}
	} else {
		shared = append(shared, code.Package{Dir: "internal/train", Sources: train.Sources})
	}
	if e.Neural != nil || e.Text {
		shared = append(shared, code.Package{Dir: "internal/torch", Sources: torch.Sources})
		libraries = append(libraries, "github.com/sugarme/gotch")
	}
	if e.Text {
		shared = append(shared, code.Package{Dir: "pretrain", Sources: pretrain.Sources}, code.Package{Dir: "internal/bert", Sources: bert.Sources})
		libraries = append(libraries, "github.com/sugarme/tokenizer", "gonum.org/v1/gonum")
	}
	v, err := code.Of(roots, []code.Package{{Dir: "baselines", Sources: baselines.Sources}, {Dir: "models", Sources: models.Sources}, {Dir: "internal/facets", Sources: facets.Sources}}, shared, versionsOf(libraries)...)
	if err != nil || len(roots) == 0 {
		// A model of another package, whose sources are not embedded: any change of
		// the program counts.
		if v, err = ProgramVersion(); err != nil {
			return v, err
		}
	}
	codeCache[e.Name] = v
	return v, nil
}

// versionsOf returns the versions of modules in this program.
func versionsOf(modules []string) []string {
	var out []string
	for _, m := range dependencies() {
		if path, _, _ := strings.Cut(m, " "); slices.Contains(modules, path) {
			out = append(out, m)
		}
	}
	return out
}

// dependencies lists the modules of this program, as "path version". A test replaces it,
// because test binaries do not know theirs.
var dependencies = func() (out []string) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			out = append(out, m.Path+" "+m.Version)
		}
	}
	return out
}

// ProgramVersion is the hash of the running program.
func ProgramVersion() (code.Version, error) {
	path, err := os.Executable()
	if err != nil {
		return code.Version{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return code.Version{}, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return code.Version{Hash: hex.EncodeToString(h.Sum(nil))}, err
}

//go:embed codes.json
var codesFile []byte

// Codes lists hashes of code that has computed the pinned numbers of a model
// (TestNumbersArePinned) in its present versions.
type Codes struct {
	Versions string   `json:"versions"`
	Hashes   []string `json:"hashes"` // oldest first
}

// pinnedVersions names all versions that decide a model's numbers.
func (e Entry) pinnedVersions() string {
	out := e.Versions().String()
	if e.Text {
		out += fmt.Sprintf(", pretrain %d", pretrain.Version)
	}
	return out
}

// CodesOf returns the hash of the code that decides a model's results, and those of other code
// that computes the same pinned numbers: a change of training that no number notices makes no
// record outdated. It returns nothing for a model that is not in the registry.
func CodesOf(entries []Entry, model string) ([]string, error) {
	e, ok := Find(entries, model)
	if !ok {
		return nil, nil
	}
	v, err := e.Code()
	if err != nil {
		return nil, fmt.Errorf("the code of %s: %w", model, err)
	}
	var known map[string]Codes
	if err := json.Unmarshal(codesFile, &known); err != nil {
		return nil, fmt.Errorf("internal/registry/codes.json: %w", err)
	}
	if k := known[model]; k.Versions == e.pinnedVersions() && slices.Contains(k.Hashes, v.Hash) {
		return k.Hashes, nil
	}
	return []string{v.Hash}, nil
}
