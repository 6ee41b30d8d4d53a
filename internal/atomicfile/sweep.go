package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Abandoned is the age from which a temporary file has no writer any more: its last
// byte was written that long ago. It is long against the differences between the
// clocks of machines that share a folder.
const Abandoned = time.Hour

// Sweep removes from dir temporary files that Write has left there because its process
// was killed, if they are older than age. named chooses by the name of the file that
// was to be written; nil takes all. Nothing but a regular file is removed. A folder that does not
// exist has none, and what cannot be removed is left.
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
			return // a folder that cannot be changed
		}
	}
}

// target is the name of the file that a temporary file was for: ".NAME.tmpDIGITS".
func target(temporary string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(temporary, ".")
	i := strings.LastIndex(rest, tmp)
	if !ok || i < 1 {
		return "", false
	}
	digits := rest[i+len(tmp):]
	return rest[:i], digits != "" && strings.Trim(digits, "0123456789") == ""
}
