package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
)

// Place is where the outputs of a plan go, and under which name.
type Place struct {
	Store   record.Store // for outputs: the results folder, or custom/NAME in it
	Name    string
	Summary string
	Plan    plan.Identity

	custom bool     // the plan is no suite's
	kept   *Summary // of that name, as it is; nil: there is none, or it is damaged
}

// Place decides where the outputs of a plan go. The files of a suite are replaced by
// outputs of the same plan only. It may have more data than the one before, not less.
// Another plan gets a name and a folder of its own, which a message names. flags are
// those of the command line that may change what the suite asks for.
func (e Env) Place(todo *plan.Plan, flags string) (Place, error) {
	s := todo.Suite
	p := Place{Store: e.Store, Name: s.Name, Summary: s.Summary}
	asked, err := e.Config.Asked(s)
	if err != nil {
		return p, err
	}
	if p.Plan, err = todo.Identity(asked); err != nil {
		return p, err
	}
	path := e.Store.SummaryPath(s.Name)
	p.kept, err = ReadSummary(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(e.Log, "notice: %v; it is written again\n", err)
	}
	replace := fmt.Sprintf("; to replace the files of the suite, delete %s and repeat the command", path)
	var what, why string
	switch {
	case flags != "" && !e.asConfigured(s.Name, asked):
		what, replace = "with "+flags, ""
		why = fmt.Sprintf("suite %s is not run as it is configured, but with %s", s.Name, flags)
	case err != nil:
		return p, nil
	case p.kept.Plan.Asked != asked:
		what = "as configured when this was written"
		why = fmt.Sprintf("the configuration of suite %s has changed since its files were written", s.Name)
	default:
		if what = otherInputs(p.kept.Plan.Inputs, p.Plan.Inputs); what == "" {
			return p, nil
		}
		why = fmt.Sprintf("not everything that the files of suite %s are made from is here (%s)", s.Name, what)
	}
	hash, err := p.Plan.Hash()
	if err != nil {
		return p, err
	}
	p.custom = true
	p.Name += "-" + hash
	p.Store.Dir = filepath.Join(e.Store.Dir, customDir, p.Name)
	p.kept, _ = ReadSummary(p.Store.SummaryPath(p.Name)) // it is made again if it is damaged
	p.Summary = fmt.Sprintf("suite %s, %s", s.Name, what)
	if s.Summary != "" && !strings.Contains(what, "-models ") && !strings.Contains(what, "-datasets ") { // which it may name
		p.Summary += ": " + s.Summary
	}
	fmt.Fprintf(e.Log, "note: %s, so its files go to %s%s\n", why, p.Store.Dir, replace)
	return p, nil
}

// customDir is the folder in the results folder for the outputs of plans that are no
// suite's.
const customDir = "custom"

// asConfigured reports whether a suite asks for what it asks for without the flags of the
// command line.
func (e Env) asConfigured(suite, asked string) bool {
	c, err := plan.Load(e.Config.Path, nil, registry.Models)
	if err != nil { // only the flags make it a configuration
		return false
	}
	s, err := c.Suite(suite)
	if err != nil {
		return false
	}
	own, err := c.Asked(s)
	return err == nil && own == asked
}

// otherInputs says which inputs a plan lacks, or has with other content than before; ""
// if there are none.
func otherInputs(before, now map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch sum, ok := now[name]; {
		case !ok:
			out = append(out, "without "+name)
		case sum != before[name]:
			out = append(out, "other content of "+name)
		}
	}
	return strings.Join(out, "; ")
}

// Check refuses a folder for the outputs that is a symbolic link, and removes what killed
// writers have left there.
func (p Place) Check() error {
	if p.custom {
		results := record.Store{Dir: filepath.Dir(filepath.Dir(p.Store.Dir))}
		for _, dir := range []string{customDir, filepath.Join(customDir, p.Name)} {
			if err := results.NoLink(dir); err != nil {
				return err
			}
		}
	}
	p.Store.Sweep()
	return nil
}
