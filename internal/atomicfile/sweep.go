package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Abandoned is the age at which a temporary file no longer has a writer, counted
// from its last write. It is much longer than the differences between the clocks of
// machines that share a folder.
const Abandoned = time.Hour

// Sweep removes temporary files of killed processes from dir if they are older than age.
// named selects them by the name of the target; nil selects all. Only regular files are
// removed. A missing folder has none, and files that cannot be removed are left.
func Sweep(dir string, age time.Duration, named func(name string) bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name, ok := target(e.Name())
		if !ok || !e.Type().IsRegular() || named != nil && !named(name) {
			continue
		}
		info, err := e.Info()
		if err != nil || age > 0 && time.Since(info.ModTime()) < age {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // a read-only folder
		}
	}
}

// target returns NAME for the name of a temporary file, ".NAME.tmpDIGITS".
func target(temporary string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(temporary, ".")
	i := strings.LastIndex(rest, tmp)
	if !ok || i < 1 {
		return "", false
	}
	digits := rest[i+len(tmp):]
	return rest[:i], digits != "" && strings.Trim(digits, "0123456789") == ""
}
