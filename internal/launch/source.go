package launch

import (
	"os/exec"
	"path/filepath"
	"strings"

	"famebench/internal/plan"
)

// ReadSource reads the state of the tree at root from git. If anything goes
// wrong, no commit is recorded, and nothing else changes.
func ReadSource(root, out string) plan.Source {
	git := func(args ...string) (string, error) {
		cmd := exec.Command("git", append([]string{"-C", root}, args...)...)
		b, err := cmd.Output()
		return strings.TrimRight(string(b), "\n"), err
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return plan.Source{}
	}
	// The harness's own output does not count as a change of the source,
	// wherever it goes.
	args := []string{"status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ":/", ":(top,exclude)results"}
	if top, err := git("rev-parse", "--show-toplevel"); err == nil {
		if abs, err := filepath.Abs(out); err == nil {
			if rel, err := filepath.Rel(top, abs); err == nil && rel != "." && !strings.HasPrefix(rel, "..") {
				args = append(args, ":(top,exclude,literal)"+filepath.ToSlash(rel))
			}
		}
	}
	changes, err := git(args...)
	s := plan.Source{Commit: commit, Dirty: err != nil || changes != ""}
	for entry := range strings.SplitSeq(changes, "\x00") {
		if len(entry) > 3 { // "XY path"
			s.Changed = append(s.Changed, entry[3:])
		}
	}
	return s
}
