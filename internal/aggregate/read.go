package aggregate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ReadAll reads the suites of a folder of aggregates (DIR/SUITE.json), by name.
// A folder that is not there holds none.
func ReadAll(dir string) ([]*Suite, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("aggregates: %w", err)
	}
	var suites []*Suite
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") { // a dot: half-written
			continue
		}
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("aggregates: %w", err)
		}
		s := new(Suite)
		if err := json.Unmarshal(text, s); err != nil {
			return nil, fmt.Errorf("aggregates: %s: %w; remove it and render its suite anew with -report", path, err)
		}
		suites = append(suites, s)
	}
	return suites, nil
}
