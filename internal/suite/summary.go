package suite

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"famebench/internal/aggregate"
	"famebench/internal/atomicfile"
	"famebench/internal/plan"
)

// Summary is all that is shown of a suite, and the plan that it is of.
type Summary struct {
	Version int           `json:"version"` // of package aggregate, which computed it
	Plan    plan.Identity `json:"plan"`
	*aggregate.Suite
	sha256 string // of the rest of the file
}

// The file of a summary begins with the checksum of the rest.
const (
	sumBegin = `{"sha256":"`
	sumEnd   = `",`
)

// Write writes the summary. A file that has the same content already is left alone.
func (s *Summary) Write(path string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("summary: %s: %w", path, err)
	}
	rest := append(b[1:], '\n') // without its brace
	s.sha256 = hexSum(rest)
	return atomicfile.Update(path, append([]byte(sumBegin+s.sha256+sumEnd), rest...))
}

// readChecked reads the file of a summary: its checksum, and the rest. A file that was
// changed after it was written is an error that names it.
func readChecked(path string) (sum string, rest []byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	stated, rest, ok := bytes.Cut(bytes.TrimPrefix(b, []byte(sumBegin)), []byte(sumEnd))
	if !ok || !bytes.HasPrefix(b, []byte(sumBegin)) || string(stated) != hexSum(rest) {
		return "", nil, fmt.Errorf("%s is damaged, or of another version: its checksum does not fit", path)
	}
	return string(stated), rest, nil
}

// ReadSummary reads the summary at path, see readChecked.
func ReadSummary(path string) (*Summary, error) {
	sum, rest, err := readChecked(path)
	if err != nil {
		return nil, err
	}
	s := &Summary{Suite: new(aggregate.Suite), sha256: sum}
	if err := json.Unmarshal(append([]byte("{"), rest...), s); err != nil {
		return nil, fmt.Errorf("%s is damaged, or of another version: %w", path, err)
	}
	if name := strings.TrimSuffix(filepath.Base(path), ".json"); s.Name != name {
		return nil, fmt.Errorf("%s: expected the summary of suite %s, got that of %.40q", path, name, s.Name)
	}
	return s, nil
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
