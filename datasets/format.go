package datasets

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// format says how one kind of source is found and read.
type format struct {
	keys  []string // optional keys that it uses
	main  []string // usual names (patterns) of the interactions
	ties  string   // default tie rule, "" if there are no times
	read  func(c Config, src *source, lg *interactions) error
	items func(c Config, src *source, m *metadataBuilder) error
}

var formats map[string]format

// An init function, because the readers refer to the table.
func init() {
	rated := []string{"path", "items", "min_rating", "ties"}
	formats = map[string]format{
		"embedded": {
			keys: []string{"items"}, main: []string{"sequences.txt"}, read: readS3Rec, items: s3recItems,
		},
		"s3rec": {
			keys: []string{"path", "items", "attributes"}, main: []string{"sequences.txt"}, read: readS3Rec, items: s3recItems,
		},
		"amazon": {
			keys: rated, main: []string{"reviews_*.json", "*_5.json", "*.jsonl"}, ties: "hash", read: readAmazon, items: amazonItems,
		},
		"movielens-20m": {
			keys: rated, main: []string{"ratings.csv"}, ties: "hash", read: readDelimited, items: delimitedItems,
		},
		"movielens-1m": {
			keys: rated, main: []string{"ratings.dat"}, ties: "file", read: readDelimited, items: delimitedItems,
		},
		"movielens-100k": {
			keys: rated, main: []string{"u.data"}, ties: "file", read: readDelimited, items: delimitedItems,
		},
		"recbole": {
			keys: append(rated, "train", "valid", "test", "columns", "item_columns"), main: []string{"*.inter"}, ties: "file", read: readDelimited, items: delimitedItems,
		},
		"csv": {
			keys: append(rated, "train", "valid", "test", "columns", "item_columns", "separator", "header"), ties: "file", read: readDelimited, items: delimitedItems,
		},
		worldFormat: {
			keys: []string{"world"}, read: readWorld, items: worldItems,
		},
	}
}

// Formats lists the names that Config.Format takes.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// locate finds the files of a resolved configuration.
func locate(c Config, root string) (*source, error) {
	src := &source{unpackLimit: c.UnpackLimit}
	if c.Format == "embedded" {
		sub, err := fs.Sub(embedded, "data/"+c.Name)
		if err != nil {
			return nil, fmt.Errorf("datasets: %s: %w", c.Name, err)
		}
		src.fsys, src.dir, src.main = sub, "embedded "+c.Name, "sequences.txt.gz"
	} else if c.Format == worldFormat {
		src.main = "generated data"
	} else if c.Train != "" {
		if err := src.locateParts(c, root); err != nil {
			return nil, err
		}
	} else if err := src.locateMain(c, root); err != nil {
		return nil, err
	} else {
		src.warnings = src.splitWarning()
	}
	for _, named := range []struct {
		path string
		at   **file
	}{{c.Items, &src.items}, {c.Attributes, &src.attrs}} {
		if named.path == "" {
			continue
		}
		p := under(root, named.path)
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("datasets: %s: %s: %w%s", c.Name, p, cause(err), fetchHint(c))
		}
		if info.IsDir() {
			return nil, fmt.Errorf("datasets: %s: %s is a folder; items and attributes need the path of a file", c.Name, p)
		}
		if what := notAFile(info.Mode()); what != "" {
			return nil, fmt.Errorf("datasets: %s: %s is %s; expected a regular file", c.Name, p, what)
		}
		*named.at = &file{os.DirFS(filepath.Dir(p)), filepath.Base(p), p, src}
	}
	return src, nil
}

// locateMain finds the file of the interactions on disk.
func (s *source) locateMain(c Config, root string) error {
	p := under(root, cmp.Or(c.Path, "data/"+c.Name)) // where scripts/fetch-data.sh puts it
	info, err := os.Stat(p)
	if err != nil {
		return fmt.Errorf("datasets: %s: %s: %w%s", c.Name, p, cause(err), fetchHint(c))
	}
	if !info.IsDir() {
		s.fsys, s.dir, s.main = os.DirFS(filepath.Dir(p)), filepath.Dir(p), filepath.Base(p)
		return nil
	}
	s.fsys, s.dir = os.DirFS(p), p
	patterns := formats[c.Format].main
	if len(patterns) == 0 {
		return fmt.Errorf("datasets: %s: %s is a folder; format %s needs the path of a file", c.Name, p, c.Format)
	}
	if c.Format == "recbole" && c.Columns.Part == "" {
		names, err := s.match(patterns...)
		if err == nil {
			err = s.benchmarkFiles(names)
		}
		if err != nil || s.parts != nil {
			return wrapped(c.Name, err)
		}
	}
	f, ok, err := s.find(patterns...)
	if err != nil {
		return wrapped(c.Name, err)
	}
	if !ok {
		return fmt.Errorf("datasets: %s: %s holds no %s (or .gz)%s", c.Name, p, strings.Join(patterns, ", "), fetchHint(c))
	}
	s.main = f.name
	return nil
}

// wrapped names the data set of an error; nil stays nil.
func wrapped(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("datasets: %s: %w", name, err)
}

// under resolves a path of the configuration: relative to its folder, except
// for paths in data/, which may be elsewhere.
func under(root, p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	if rest, ok := strings.CutPrefix(filepath.ToSlash(filepath.Clean(p)), "data/"); ok {
		if dir := os.Getenv("FAMEBENCH_DATA"); dir != "" {
			return filepath.Join(dir, rest)
		}
	}
	return filepath.Join(root, p)
}

// fetchHint says how to get missing files, if the project's script fetches
// files of that format.
func fetchHint(c Config) string {
	name := ""
	switch c.Format {
	case "embedded": // the metadata are missing
		name = c.Name
	case "amazon":
		name = "--list (it names the Amazon sets)"
		if slices.Contains(Embedded(), c.Name) {
			name = c.Name
		}
	case "movielens-20m", "movielens-1m", "movielens-100k":
		name = strings.Replace(c.Format, "movielens", "ml", 1)
	default:
		return ""
	}
	return "; to fetch it, run scripts/fetch-data.sh " + name
}
