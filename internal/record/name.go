package record

import "fmt"

// Longest names, in bytes. A file name has at most 255 bytes, and around an id it
// needs up to 40 more, for ".ranks.tsv.gz" and while the file is being written.
const (
	longestName = 64
	longestID   = 200
)

// CheckName refuses a name that is not safe as a part of a path. kind says what it
// names, such as "data set". A name consists of ASCII letters, digits, "-", "_" and ".",
// begins with neither "-" nor ".", and has at most 64 bytes. So it never leaves its
// folder, is never hidden, and no command takes it for a flag.
func CheckName(kind, name string) error { return checkName(kind, name, longestName) }

// CheckID does the same for the id of a run, which is longer because it contains the
// names of a data set and a model.
func CheckID(id string) error { return checkName("run", id, longestID) }

func checkName(kind, name string, longest int) error {
	if name == "" {
		return fmt.Errorf("the %s has no name", kind)
	}
	if len(name) > longest {
		return fmt.Errorf("%s %.20q...: the name has %d bytes, expected at most %d", kind, name, len(name), longest)
	}
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '_' && (i == 0 || c != '-' && c != '.') {
			return fmt.Errorf(`%s %q: expected a name of letters, digits, "-", "_" and ".", not beginning with "-" or "."`, kind, name)
		}
	}
	return nil
}
