package aggregate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"famebench/datasets"
	"famebench/internal/record"
)

// Key is a hash of all that Make's result depends on. The files of the records are
// hashed with their ranks and pictures and the test cases of their data, so that a damaged
// one changes the key, and Make, which reads them, notices it.
func (in Input) Key() (string, error) {
	type source struct {
		Source
		SHA256   string
		Measured record.Measured
		Resolved map[string]record.Settings // completed with the defaults of this build
	}
	var sources []source
	cases := map[string]string{} // hashes of files; "": there is none
	for _, r := range in.Records {
		paths := []string{in.Store.CasesPath(r.Result.Spec.Dataset, r.Result.Spec.Protocol)}
		if in.ByEntropy {
			paths = append(paths, in.Store.EntropyPath(r.Result.Spec.Dataset, r.Result.Spec.Protocol))
		}
		for _, path := range paths {
			name := filepath.Base(path)
			if cases[name] != "" {
				continue
			}
			sum, err := fileSum(path)
			if err != nil {
				return "", err
			}
			cases[name] = sum
		}
		s, err := newSource(in.Store, r.ID)
		if err != nil {
			return "", err
		}
		sources = append(sources, source{s, r.ResultSHA256, r.Measured, r.Resolved})
	}
	var planned []Planned
	for _, p := range in.Planned { // a plan for another device finds the same records
		p.Spec.Device = ""
		planned = append(planned, p)
	}
	// A field gets another name in JSON when Make's result changes for the suites that set it only:
	// Version would change the keys of all suites, whose committed summaries stay right.
	b, err := record.Canonical(struct {
		Version         int
		Name, Summary   string
		Axes, Proposals []string
		Planned         []Planned
		Sources         []source
		Cases           map[string]string
		Stale           []Stale
		Older           map[string]string
		Skipped         []string
		MissingData     []string
		Datasets        []datasets.Stats
		Published       string
		Code            map[string][]string
		EqualWithin     float64             `json:"EqualOnDevice,omitempty"` // first rows: of the row's device
		Hypothesis      string              `json:",omitempty"`
		Average         string              `json:"AverageOfRuns,omitempty"` // in all metrics of the runs
		Interaction     string              `json:",omitempty"`
		ByEntropy       bool                `json:"ByEntropyOfHistories,omitempty"` // with those of equal length if one case of a user was left out
		Baseline        string              `json:",omitempty"`
		Own             bool                `json:",omitempty"`
		ImportedNames   []string            `json:",omitempty"`
		Imported        []*record.Imported  `json:",omitempty"`
		Tuning          map[string][]Tuning `json:",omitempty"`
		Pairs           [][]string          `json:",omitempty"`
	}{Version, in.Name, in.Summary, in.Axes, in.Proposals, planned, sources, cases, in.Stale, in.Older, in.Skipped, in.MissingData, in.Datasets, in.Published.sum(), in.Code, in.EqualWithin, in.Hypothesis, in.Average, in.Interaction, in.ByEntropy, in.Baseline, in.Own, in.ImportedNames, in.Imported, in.Tuning, in.Pairs})
	if err != nil {
		return "", err
	}
	return hexSum(b), nil
}

// sum is the hash of the file; "" without one.
func (p *Published) sum() string {
	if p == nil {
		return ""
	}
	return p.sha256
}

// Source is a record that something was made from: its id, and hashes of its files.
type Source struct {
	ID       string `json:"id"`
	Record   string `json:"record"`
	Ranks    string `json:"ranks,omitempty"`    // "": there is none
	Pictures string `json:"pictures,omitempty"` // "": there is none
	Beyond   string `json:"beyond,omitempty"`   // "": there is none
}

func newSource(store record.Store, id string) (s Source, err error) {
	s.ID = id
	for _, f := range []struct {
		path string
		sum  *string
	}{{store.RecordPath(id), &s.Record}, {store.RanksPath(id), &s.Ranks}, {store.PicturesPath(id), &s.Pictures}, {store.BeyondPath(id), &s.Beyond}} {
		if *f.sum, err = fileSum(f.path); err != nil {
			return s, err
		}
	}
	return s, nil
}

// fileSum is the hash of a file; "" if there is none.
func fileSum(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("aggregates: %w", err)
	}
	return hexSum(b), nil
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Stem is an id without its hash.
func Stem(id string) string { return id[:strings.LastIndex(id, "-")+1] }
