package plan

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// once joins errors so that one mistake is one line. Equal lines are: a table is decoded
// for every layer and every suite that it takes part in. And so is a model or a data set
// of a misspelt name, however many suites have it.
func once(errs []error) error {
	var lines []string
	more := map[string]int{}
	seen := map[string]bool{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if seen[line] {
				continue
			}
			seen[line] = true
			if name := unknownName.FindString(line); name != "" {
				if more[name]++; more[name] > 1 {
					continue
				}
			}
			lines = append(lines, line)
		}
	}
	if lines == nil {
		return nil
	}
	for i, line := range lines {
		if n := more[unknownName.FindString(line)]; n > 1 {
			lines[i] += fmt.Sprintf(" (and in %d more suites)", n-1)
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// unknownName is what checkNames says of a name.
var unknownName = regexp.MustCompile(`: unknown (model|data set) ".*`)

// invalidError is about settings of the right type that do not go together.
type invalidError struct {
	what   string
	reason error
}

func (e invalidError) Error() string { return e.what + ": " + e.reason.Error() }
func (e invalidError) Unwrap() error { return e.reason }
