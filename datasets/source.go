package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// source is the folder with a data set's files: on disk, embedded, or, in
// tests, in memory.
type source struct {
	fsys  fs.FS
	dir   string // the folder's name in messages
	main  string // file of the interactions, within fsys
	parts []file // files of a given split, for training, validation and testing; nil: none
	items *file  // metadata file that the configuration names, nil if none
	attrs *file  // attribute file that the configuration names, nil if none

	unpackLimit int      // Config.UnpackLimit
	warnings    []string // about the files, collected while they are read
}

// file is one file in some folder.
type file struct {
	fsys fs.FS
	name string
	show string // its name in messages
	src  *source
}

func (s *source) file(name string) file { return file{s.fsys, name, s.display(name), s} }

func (s *source) display(name string) string {
	if s.dir == "" {
		return name
	}
	return filepath.Join(s.dir, name)
}

// find returns the one file of the folder that matches any of the patterns, plain or
// with .gz added; ok is false if none does. A plain file is preferred to its own
// .gz. Metadata files are found only by a pattern for them.
func (s *source) find(patterns ...string) (f file, ok bool, err error) {
	names, err := s.match(patterns...)
	if err != nil || len(names) == 0 {
		return file{}, false, err
	}
	if len(names) > 1 {
		return file{}, false, fmt.Errorf("%s: %s all match; name one of them in the configuration", s.dir, strings.Join(names, ", "))
	}
	return s.file(names[0]), true, nil
}

// match lists the files of the folder that match any of the patterns, as find does.
func (s *source) match(patterns ...string) ([]string, error) {
	found := map[string]string{} // name without .gz → name
	var names []string
	for _, p := range patterns {
		for _, glob := range []string{p, p + ".gz"} {
			matches, err := fs.Glob(s.fsys, glob)
			if err != nil {
				return nil, err
			}
			for _, m := range matches {
				if strings.HasPrefix(m, "meta_") && !strings.HasPrefix(p, "meta_") {
					continue
				}
				plain := strings.TrimSuffix(m, ".gz")
				if _, dup := found[plain]; !dup {
					found[plain] = m
					names = append(names, m)
				}
			}
		}
	}
	return names, nil
}

// glob escapes a literal file name for use in a pattern.
func glob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// stem returns the base name without .gz and without suffix.
func stem(name, suffix string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".gz"), suffix)
}

// ParseError says where a file is malformed and how.
type ParseError struct {
	File string
	Line int // from 1; 0 if the error is about the whole file
	Msg  string
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// cause drops the file name that a PathError repeats.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

const excerptLimit = 60

// excerpt quotes the beginning of bad input in a message.
func excerpt(b []byte) string {
	if len(b) > excerptLimit {
		return fmt.Sprintf("%q…", b[:excerptLimit])
	}
	return fmt.Sprintf("%q", b)
}
