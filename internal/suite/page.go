package suite

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/figure"
	"famebench/internal/page"
	"famebench/internal/plan"
	"famebench/internal/registry"
)

// writePage draws the figures of a suite, and writes the page of all suites that have a
// summary. Files that would not change are left alone.
func (e Env) writePage(p Place, own *aggregate.Suite) error {
	if err := errors.Join(p.Store.NoLink("figures"), p.Store.NoLink("figures/"+p.Name)); err != nil {
		return err
	}
	drawn := figure.Write(p.Store.FiguresDir(p.Name), figure.Of(own))
	all, err := e.summaries(p)
	if err != nil {
		return err
	}
	key, err := pageKey(all)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(p.Store.PagePath()); err != nil || readKey(p) != key+hexSum(old) {
		if err := e.makePage(p, all, key); err != nil {
			return errors.Join(drawn, err)
		}
	}
	others := ""
	if len(all) > 1 {
		others = ", next to other suites"
	}
	if drawn == nil {
		fmt.Fprintf(e.Log, "with figures%s: %s\n", others, p.Store.PagePath())
	}
	return drawn
}

// makePage writes the page of summaries, and remembers that it is of those.
func (e Env) makePage(p Place, all []summaryFile, key string) error {
	var suites []*aggregate.Suite
	whole := true
	for _, f := range all {
		s, err := ReadSummary(f.path)
		if err == nil && s.Version != aggregate.Version { // it may lack what is shown now
			err = fmt.Errorf("%s is of version %d, expected %d", f.path, s.Version, aggregate.Version)
		}
		if err != nil {
			e.lacks(f.name, err)
			whole = false
		} else if len(s.Tables)+len(s.Trials) > 0 {
			suites = append(suites, s.Suite)
		}
	}
	var text bytes.Buffer
	results := ""
	if p.custom { // in custom/NAME
		results = "../../"
	}
	if err := page.Write(&text, suites, results); err != nil {
		return err
	}
	if err := atomicfile.Update(p.Store.PagePath(), text.Bytes()); err != nil {
		return err
	}
	if whole && p.Store.MakeFolder("aggregates") == nil {
		// Without the key, the same page is made again next time.
		_ = atomicfile.Update(p.keyPath(), []byte(key+hexSum(text.Bytes())))
	}
	return nil
}

// lacks says that the page does without a suite, and how to make its summary again.
func (e Env) lacks(name string, err error) {
	fmt.Fprintf(e.Log, "notice: the page lacks suite %s: %v; bench -suite %s -report makes it again\n", name, err, name)
}

// summaryFile is the file of a summary whose checksum fits.
type summaryFile struct{ name, path, sha256 string }

// summaries lists the summaries in the order of the page.
func (e Env) summaries(p Place) ([]summaryFile, error) {
	entries, err := os.ReadDir(p.Store.SummariesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("summaries: %w", err)
	}
	var all []summaryFile
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok || strings.HasPrefix(name, ".") { // a dot: half-written
			continue
		}
		f := summaryFile{name: name, path: filepath.Join(p.Store.SummariesDir(), entry.Name())}
		if f.sha256, _, err = readChecked(f.path); err != nil {
			e.lacks(name, err)
			continue
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(x, y summaryFile) int {
		return cmp.Or(cmp.Compare(e.order(x.name), e.order(y.name)), cmp.Compare(x.name, y.name))
	})
	return all, nil
}

// order is the position of a suite in experiments.toml; suites that are not there come
// last.
func (e Env) order(suite string) int {
	suites := e.Config.Suites()
	if i := slices.IndexFunc(suites, func(s plan.Suite) bool { return s.Name == suite }); i >= 0 {
		return i
	}
	return len(suites)
}

// A page takes longer than all tables, and is the same while its summaries and the program
// are. A file that git does not keep says which they were: the key, and the hash of the
// page.

// pageKey is a hash of what a page is made from.
func pageKey(all []summaryFile) (string, error) {
	program, err := registry.ProgramVersion()
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, program.Hash)
	for _, f := range all {
		fmt.Fprintln(&text, f.name, f.sha256)
	}
	return hexSum(text.Bytes()), nil
}

// keyPath is no suite's file: those are called NAME.json.
func (p Place) keyPath() string { return filepath.Join(p.Store.Dir, "aggregates", "page.key") }

func readKey(p Place) string {
	b, _ := os.ReadFile(p.keyPath())
	return string(b)
}
