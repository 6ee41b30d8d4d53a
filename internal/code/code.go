// Package code identifies the source code that decides a model's results, so that a
// record says which code made it. The code is that of the running program: packages
// embed their sources.
//
// A model's code is the file of its constructor, every file that it refers to,
// directly or through others, and the shared code: training, ranking, tensors. Other
// models are left out, so that work on one does not make the records of another look
// outdated.
package code

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// Package is a package of this module with its embedded sources.
type Package struct {
	Dir     string // from the module's root, such as "internal/train"
	Sources fs.FS
}

// Version identifies the code of a model.
type Version struct {
	Hash  string   // SHA-256 in hexadecimal digits
	Files []string // slash-separated, from the module's root, sorted
}

// Of returns the version of a model's code: the files of the packages models that the
// functions named by roots need, and all files of the packages shared. A root is a
// function as runtime.Func.Name gives it, such as "famebench/baselines.NewSASRec". deps
// are further things that the code depends on, such as versions of libraries.
//
// Comments, blanks and line breaks of Go code are not part of the hash, nor is the
// name of a file.
func Of(roots []string, models, shared []Package, deps ...string) (Version, error) {
	files, err := closure(roots, models)
	if err != nil {
		return Version{}, err
	}
	for _, p := range shared {
		names, err := sources(p)
		if err != nil {
			return Version{}, err
		}
		for _, name := range names {
			files[path.Join(p.Dir, name)] = p.Sources
		}
	}
	v := Version{Files: slices.Sorted(maps.Keys(files))}
	sums := slices.Clone(deps)
	for _, file := range v.Files {
		src, err := fs.ReadFile(files[file], path.Base(file))
		if err != nil {
			return v, fmt.Errorf("code: %w", err)
		}
		sums = append(sums, sumOf(file, src))
	}
	slices.Sort(sums)
	sum := sha256.Sum256([]byte(strings.Join(sums, "\n")))
	v.Hash = hex.EncodeToString(sum[:])
	return v, nil
}

// sources lists the files of a package, without tests.
func sources(p Package) ([]string, error) {
	entries, err := fs.ReadDir(p.Sources, ".")
	if err != nil {
		return nil, fmt.Errorf("code: %s: %w", p.Dir, err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasSuffix(e.Name(), "_test.go") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// known caches the results of sumOf, and parsed those of parse, because models share most
// of their files.
var known, parsed sync.Map

// parse reads a Go file.
func parse(name string, src []byte) (*ast.File, error) {
	key := sha256.Sum256(src)
	if f, ok := parsed.Load(key); ok {
		return f.(*ast.File), nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
	if err == nil {
		parsed.Store(key, f)
	}
	return f, err
}

// sumOf is the SHA-256 of a normalised file in hexadecimal digits.
func sumOf(file string, src []byte) string {
	key := [2]any{path.Ext(file), sha256.Sum256(src)}
	if sum, ok := known.Load(key); ok {
		return sum.(string)
	}
	sum := sha256.Sum256(normalise(file, src))
	known.Store(key, hex.EncodeToString(sum[:]))
	return hex.EncodeToString(sum[:])
}

// normalise returns the tokens of a Go file. A file of another language is returned as
// it is, and so is one that uses cgo, because its comments contain code and compiler
// flags.
func normalise(name string, src []byte) []byte {
	if path.Ext(name) != ".go" || bytes.Contains(src, []byte(`import "C"`)) {
		return src
	}
	set := token.NewFileSet()
	var s scanner.Scanner
	s.Init(set.AddFile(name, -1, len(src)), src, nil, 0) // 0: comments are skipped
	var out bytes.Buffer
	for {
		_, tok, text := s.Scan()
		if tok == token.EOF {
			return out.Bytes()
		}
		if tok == token.SEMICOLON { // written or implied by a line break
			text = ";"
		}
		fmt.Fprintf(&out, "%s %s\n", tok, text)
	}
}

// symbol is a name declared at the top level of a package.
type symbol struct{ dir, name string }

// closure returns the files that declare the roots and everything that they refer to, by
// path. Names are resolved without types: the key of a composite literal that is named
// like a declaration counts as a reference to it, which may add a file but never leaves
// one out.
func closure(roots []string, packages []Package) (map[string]fs.FS, error) {
	from := map[string]fs.FS{}        // of each file
	declares := map[symbol][]string{} // files by what they declare; a type also by its methods
	refers := map[string][]symbol{}   // of each file
	for _, p := range packages {
		names, err := sources(p)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if path.Ext(name) != ".go" {
				continue
			}
			src, err := fs.ReadFile(p.Sources, name)
			if err != nil {
				return nil, fmt.Errorf("code: %w", err)
			}
			file := path.Join(p.Dir, name)
			f, err := parse(file, src)
			if err != nil {
				return nil, fmt.Errorf("code: %w", err)
			}
			from[file] = p.Sources
			for _, name := range declared(f) {
				s := symbol{p.Dir, name}
				declares[s] = append(declares[s], file)
			}
			refers[file] = references(f, p.Dir, packages)
		}
	}
	out := map[string]fs.FS{}
	var add func(s symbol)
	add = func(s symbol) {
		for _, file := range declares[s] {
			if out[file] != nil {
				continue
			}
			out[file] = from[file]
			for _, s := range refers[file] {
				add(s)
			}
		}
	}
	for _, root := range roots {
		s, ok := find(root, packages)
		if !ok || declares[s] == nil {
			return nil, fmt.Errorf("code: %s is not in %s", root, dirs(packages))
		}
		add(s)
	}
	return out, nil
}

// find splits "famebench/baselines.NewSASRec".
func find(root string, packages []Package) (symbol, bool) {
	for _, p := range packages {
		if before, name, ok := strings.Cut(root, p.Dir+"."); ok && (before == "" || strings.HasSuffix(before, "/")) {
			return symbol{p.Dir, name}, true
		}
	}
	return symbol{}, false
}

func dirs(packages []Package) string {
	var names []string
	for _, p := range packages {
		names = append(names, p.Dir)
	}
	return strings.Join(names, ", ")
}

// declared lists the names that a file declares at its top level, and the types whose
// methods it has. Nothing can refer to "_", as in "var _ Model = (*T)(nil)", or to init.
func declared(f *ast.File) []string {
	var names []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
				continue
			}
			ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					names = append(names, id.Name)
				}
				return true
			})
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name.Name)
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "_" || name == "init" })
}

// references lists what a file of the package in dir may refer to.
func references(f *ast.File, dir string, packages []Package) []symbol {
	imported := map[string]string{} // directory by the name in the file
	for _, spec := range f.Imports {
		for _, p := range packages {
			target := strings.Trim(spec.Path.Value, `"`)
			if target != p.Dir && !strings.HasSuffix(target, "/"+p.Dir) {
				continue
			}
			name := path.Base(p.Dir)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			imported[name] = p.Dir
		}
	}
	var out []symbol
	for _, name := range declared(f) { // a type may have methods in other files
		out = append(out, symbol{dir, name})
	}
	for _, id := range f.Unresolved { // neither local nor of this file
		out = append(out, symbol{dir, id.Name})
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && imported[x.Name] != "" {
				out = append(out, symbol{imported[x.Name], s.Sel.Name})
			}
		}
		return true
	})
	return out
}
