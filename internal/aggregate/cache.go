package aggregate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"

	"famebench/datasets"
	"famebench/internal/record"
)

// Key is a hash of all that Make's result depends on. The results themselves stand
// in it by their own hashes, which cover the ranks too, so it takes no time.
func (in Input) Key() (string, error) {
	type source struct {
		ID, SHA256 string
		Measured   record.Measured
		Resolved   map[string]record.Settings
	}
	var sources []source
	for _, r := range in.Records {
		sources = append(sources, source{r.ID, r.ResultSHA256, r.Measured, r.Resolved})
	}
	var planned []Planned
	for _, p := range in.Planned { // another machine's plan differs in these two; its records do not
		p.Spec.Device, p.Spec.Threads = "", 0
		planned = append(planned, p)
	}
	var published string
	if in.Published != nil {
		published = in.Published.sha256
	}
	b, err := record.Canonical(struct {
		Version         int
		Name, Summary   string
		Axes, Proposals []string
		Planned         []Planned
		Sources         []source
		Stale           []Stale
		Skipped         []string
		Datasets        []datasets.Stats
		Published       string
		Code            map[string]string
	}{Version, in.Name, in.Summary, in.Axes, in.Proposals, planned, sources, in.Stale, in.Skipped, in.Datasets, published, in.Code})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Load reads the suite at path if it was made from what key is the hash of; nil if
// there is none such, whatever the reason: it can be made again.
func Load(path, key string) *Suite {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var s Suite
	if json.Unmarshal(b, &s) != nil || s.Key != key {
		return nil
	}
	return &s
}

// Save writes the suite for Load.
func (s *Suite) Save(path string) error { return record.WriteJSON(path, s) }
