package aggregate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Saved lists the suites that a folder of aggregates (DIR/SUITE.json) has, by name. A
// folder that is not there has none.
func Saved(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("aggregates: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && !strings.HasPrefix(name, ".") { // a dot: half-written
			names = append(names, name)
		}
	}
	return names, nil
}
