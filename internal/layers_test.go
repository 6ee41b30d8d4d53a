package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each package may use those before it, not those after it.
var layers = []string{
	"internal/aggregate", "internal/bert", "pretrain", "internal/registry", "internal/plan", "internal/run", "internal/launch",
	"internal/view", "internal/figure", "internal/report", "internal/page", "internal/suite", "internal/audit", "bench",
}

// What a package must not use: imports, and names of packages that it does import.
var foreign = map[string][]string{
	"internal/aggregate": {"datasets.Open", "datasets.NewSplit", "datasets.Dataset", "datasets.Split"},                   // tables come from records
	"internal/plan":      {"os/exec", "famebench/internal/torch"},                                                        // it starts no process and opens no tensor
	"internal/run":       {"os/exec", "plan.Suite", "plan.Config", "plan.Plan", "plan.Options", "plan.Run"},              // it knows jobs, not suites
	"internal/suite":     {"os/exec", "famebench/internal/run", "famebench/internal/launch", "famebench/internal/torch"}, // it renders records, and makes none

	// What is shown is computed before: none of them does statistics, looks into models or needs libtorch.
	"internal/view":   {"famebench/internal/stats", "famebench/internal/analysis", "famebench/internal/torch", "aggregate.Make"},
	"internal/figure": {"famebench/internal/stats", "famebench/internal/analysis", "famebench/internal/torch", "aggregate.Make"},
	"internal/page":   {"famebench/internal/stats", "famebench/internal/analysis", "famebench/internal/torch", "aggregate.Make"},
	"internal/report": {"famebench/internal/stats", "analysis.NewDigest", "analysis.Summarise", "aggregate.Make"},
}

func TestLayers(t *testing.T) {
	for i, dir := range layers {
		forbidden := slices.Clone(foreign[dir])
		for _, later := range layers[i+1:] {
			forbidden = append(forbidden, "famebench/"+later)
		}
		for file, uses := range usesOf(t, filepath.Join("..", dir)) {
			for _, use := range uses {
				if slices.Contains(forbidden, use) {
					t.Errorf("%s uses %s", file, use)
				}
			}
		}
	}
}

// usesOf lists the imports of each file of a package, except tests, and the names
// that it uses from imported packages, such as plan.Job.
func usesOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	uses := map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			uses[name] = append(uses[name], path)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					uses[name] = append(uses[name], x.Name+"."+s.Sel.Name)
				}
			}
			return true
		})
	}
	return uses
}
