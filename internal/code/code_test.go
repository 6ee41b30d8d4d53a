package code

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func files(texts map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range texts {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

// zoo has two packages of models: duo refers to base, and base to the package models.
func zoo() (models, shared []Package) {
	baselines := files(map[string]string{
		"base.go":      "package baselines\nimport \"m/models\"\ntype Base struct{ models.Layer }\nfunc NewBase() *Base { return &Base{} }\n",
		"basehelp.go":  "package baselines\nfunc (b *Base) Loss() float64 { return scale }\n",
		"scale.go":     "package baselines\nconst scale = 2\n",
		"duo.go":       "package baselines\ntype Duo struct{ *Base }\nfunc NewDuo() *Duo { return nil }\n",
		"other.go":     "package baselines\nfunc NewOther() int { return 1 }\n",
		"base_test.go": "package baselines\nvar _ = NewOther\n",
	})
	blocks := files(map[string]string{
		"layer.go": "package models\ntype Layer struct{}\n",
		"fame.go":  "package models\nfunc NewFAME() Layer { return Layer{} }\n",
	})
	train := files(map[string]string{"fit.go": "package train\n// Fit trains.\nfunc Fit() {}\n", "k.c": "/* a */ int f;"})
	return []Package{{"baselines", baselines}, {"models", blocks}}, []Package{{"internal/train", train}}
}

func TestFilesOfAModel(t *testing.T) {
	models, shared := zoo()
	for root, want := range map[string]string{
		"m/baselines.NewBase":  "baselines/base.go baselines/basehelp.go baselines/scale.go internal/train/fit.go internal/train/k.c models/layer.go",
		"m/baselines.NewDuo":   "baselines/base.go baselines/basehelp.go baselines/duo.go baselines/scale.go internal/train/fit.go internal/train/k.c models/layer.go",
		"m/baselines.NewOther": "baselines/other.go internal/train/fit.go internal/train/k.c",
		"m/models.NewFAME":     "internal/train/fit.go internal/train/k.c models/fame.go models/layer.go",
	} {
		v, err := Of([]string{root}, models, shared)
		if got := strings.Join(v.Files, " "); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", root, got, err, want)
		}
	}
	for _, root := range []string{"m/baselines.NewNone", "m/elsewhere.NewBase", ""} {
		if _, err := Of([]string{root}, models, shared); err == nil {
			t.Errorf("%q has a version", root)
		}
	}
}

// A new model's file is not part of the code of others just because it declares names
// of their local variables, fields or methods, or because both declare names that
// nothing can refer to. A type's methods in another file are part of it.
func TestNamesThatAreNoReferences(t *testing.T) {
	models, shared := zoo()
	zoo := models[0].Sources.(fstest.MapFS)
	zoo["base.go"] = &fstest.MapFile{Data: []byte(`package baselines
import "m/models"
type Base struct{ table models.Layer }
var _ interface{ Loss() float64 } = (*Base)(nil)
func init() {}
func NewBase() *Base { mean := 1; _ = mean; b := &Base{}; _ = b.table; return b }
`)}
	zoo["new.go"] = &fstest.MapFile{Data: []byte(`package baselines
var _ interface{} = (*New)(nil)
type New struct{}
func init() {}
func mean() int { return 1 }
func table() int { return 1 }
func Loss() int { return 1 }
`)}
	v, err := Of([]string{"m/baselines.NewBase"}, models, shared)
	want := "baselines/base.go baselines/basehelp.go baselines/scale.go internal/train/fit.go internal/train/k.c models/layer.go"
	if got := strings.Join(v.Files, " "); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestWhatChangesTheHash(t *testing.T) {
	hash := func(change func(models, shared fstest.MapFS), deps ...string) string {
		t.Helper()
		models, shared := zoo()
		change(models[0].Sources.(fstest.MapFS), shared[0].Sources.(fstest.MapFS))
		v, err := Of([]string{"m/baselines.NewBase"}, models, shared, deps...)
		if err != nil {
			t.Fatal(err)
		}
		return v.Hash
	}
	replace := func(fs fstest.MapFS, name, old, new string) {
		text := string(fs[name].Data)
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %q", name, old)
		}
		fs[name] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, new, 1))}
	}
	same := hash(func(_, _ fstest.MapFS) {})
	for name, tt := range map[string]struct {
		change func(models, shared fstest.MapFS)
		deps   []string
		equal  bool
	}{
		"a comment":           {func(_, s fstest.MapFS) { replace(s, "fit.go", "trains.", "does it.") }, nil, true},
		"white space":         {func(m, _ fstest.MapFS) { replace(m, "scale.go", "scale = 2", "scale  =  2 // two") }, nil, true},
		"a renamed file":      {func(m, _ fstest.MapFS) { m["factor.go"] = m["scale.go"]; delete(m, "scale.go") }, nil, true},
		"another model":       {func(m, _ fstest.MapFS) { replace(m, "other.go", "1", "2") }, nil, true},
		"a test":              {func(m, _ fstest.MapFS) { replace(m, "base_test.go", "NewOther", "NewDuo") }, nil, true},
		"a constant":          {func(m, _ fstest.MapFS) { replace(m, "scale.go", "2", "3") }, nil, false},
		"a string":            {func(m, _ fstest.MapFS) { replace(m, "scale.go", "= 2", `= 2; const s = "a  b"`) }, nil, false},
		"training":            {func(_, s fstest.MapFS) { replace(s, "fit.go", "{}", "{ panic(1) }") }, nil, false},
		"a comment in C":      {func(_, s fstest.MapFS) { replace(s, "k.c", "a", "b") }, nil, false},
		"version of a module": {func(_, _ fstest.MapFS) {}, []string{"gotch v1"}, false},
	} {
		if got := hash(tt.change, tt.deps...); (got == same) != tt.equal {
			t.Errorf("%s: equal hashes %v, want %v", name, got == same, tt.equal)
		}
	}
	cgo := func(flag string) []byte {
		return normalise("a.go", []byte("package a\n// #cgo CFLAGS: "+flag+"\nimport \"C\"\n"))
	}
	if slices.Equal(cgo("-O2"), cgo("-Ofast")) {
		t.Error("a compiler flag of cgo makes no difference")
	}
}
