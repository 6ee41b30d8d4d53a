package plan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// once joins errors so that one mistake gives one line. It drops equal lines, because a
// table is decoded for every layer and every suite that uses it. A misspelt model or
// data set gives one line, however many suites have it.
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

// unknownName matches the errors of checkNames.
var unknownName = regexp.MustCompile(`: unknown (model|data set) ".*`)

// invalidError is about settings that have the right type but invalid values.
type invalidError struct {
	what   string
	reason error
}

// invalid says where the first value is set that a reason names, such as "experiments.toml:8" or
// "-set train.epochs=0"; that is the file if none of the places, weaker first, sets one.
func invalid(file string, places []place, what string, reason error) error {
	at := file
named:
	for _, named := range namedSetting.FindAllStringSubmatch(reason.Error(), -1) {
		for _, p := range slices.Backward(places) {
			if n := p.table.Table[named[1]]; n != nil {
				at = n.Where
				break named
			}
		}
	}
	return invalidError{at + ": " + what, reason}
}

// namedSetting matches a setting with its value in an error, as in "train.epochs = 0".
var namedSetting = regexp.MustCompile(`(\w+) = `)

func (e invalidError) Error() string { return e.what + ": " + e.reason.Error() }
func (e invalidError) Unwrap() error { return e.reason }
