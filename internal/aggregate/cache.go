package aggregate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"famebench/datasets"
	"famebench/internal/atomicfile"
	"famebench/internal/record"
)

// Key is a hash of all that Make's result depends on. The files of the records are
// hashed with their ranks and pictures and the test cases of their data, so one that was damaged since is noticed by
// Make, which reads them; that takes milliseconds.
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
		path := in.Store.CasesPath(r.Result.Spec.Dataset, r.Result.Spec.Protocol)
		if name := filepath.Base(path); cases[name] == "" {
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
	for _, p := range in.Planned { // another machine's plan differs in these two; its records do not
		p.Spec.Device, p.Spec.Threads = "", 0
		planned = append(planned, p)
	}
	b, err := record.Canonical(struct {
		Version         int
		Name, Summary   string
		Axes, Proposals []string
		Planned         []Planned
		Sources         []source
		Cases           map[string]string
		Stale           []Stale
		Skipped         []string
		Datasets        []datasets.Stats
		Published       string
		Code            map[string]string
	}{Version, in.Name, in.Summary, in.Axes, in.Proposals, planned, sources, cases, in.Stale, in.Skipped, in.Datasets, in.Published.sum(), in.Code})
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
}

func newSource(store record.Store, id string) (s Source, err error) {
	s.ID = id
	for _, f := range []struct {
		path string
		sum  *string
	}{{store.RecordPath(id), &s.Record}, {store.RanksPath(id), &s.Ranks}, {store.PicturesPath(id), &s.Pictures}} {
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

// Origin is what a suite was made from, as far as it can be looked at without a plan,
// which opens data sets.
type Origin struct {
	Version   int      `json:"version"`
	Published string   `json:"published"` // hash of published.toml
	Stems     []string `json:"stems"`     // what the ids of the suite's runs begin with, see Stem
	Sources   []Source `json:"sources"`   // all records with these
	// Cases are hashes of the stored test cases, by file name, of all data sets that the
	// stems may be about: one whose name begins as another's is among them.
	Cases map[string]string `json:"cases"`
}

// Stem is an id without its hash.
func Stem(id string) string { return id[:strings.LastIndex(id, "-")+1] }

// NewOrigin looks at the records of the runs of a plan.
func NewOrigin(store record.Store, p *Published, runs []string) (Origin, error) {
	o := Origin{Version: Version, Published: p.sum(), Stems: []string{}}
	for _, id := range runs {
		o.Stems = append(o.Stems, Stem(id))
	}
	slices.Sort(o.Stems)
	o.Stems = slices.Compact(o.Stems)
	return o, o.look(store)
}

// look fills in the sources and the test cases.
func (o *Origin) look(store record.Store) error {
	o.Sources, o.Cases = []Source{}, map[string]string{}
	for _, path := range store.AllCases() {
		name := filepath.Base(path)
		if !slices.ContainsFunc(o.Stems, func(stem string) bool { return strings.HasPrefix(name, stem[:strings.Index(stem, "-")+1]) }) {
			continue
		}
		sum, err := fileSum(path)
		if err != nil {
			return err
		}
		o.Cases[name] = sum
	}
	ids, err := store.IDs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, ours := slices.BinarySearch(o.Stems, Stem(id)); !ours {
			continue
		}
		s, err := newSource(store, id)
		if err != nil {
			return err
		}
		o.Sources = append(o.Sources, s)
	}
	return nil
}

// Current says whether everything is as it was.
func (o Origin) Current(store record.Store, p *Published) bool {
	now := Origin{Stems: o.Stems}
	return o.Version == Version && o.Published == p.sum() && now.look(store) == nil && slices.Equal(now.Sources, o.Sources) && maps.Equal(now.Cases, o.Cases)
}

// saved is a suite in its file. The file begins with the checksum of the rest.
type saved struct {
	*Suite
	Origin Origin `json:"made_from"`
}

const (
	sumBegin = `{"sha256":"`
	sumEnd   = `",`
)

// Save writes the suite for Load.
func (s *Suite) Save(path string, o Origin) error {
	b, err := json.Marshal(saved{s, o})
	if err != nil {
		return fmt.Errorf("aggregates: %s: %w", path, err)
	}
	rest := append(b[1:], '\n') // without its brace
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, sumBegin+hexSum(rest)+sumEnd)
		if err == nil {
			_, err = w.Write(rest)
		}
		return err
	})
}

// Load reads the suite at path. What was changed since it was written is an error:
// whoever asks makes the suite again.
func Load(path string) (*Suite, Origin, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, Origin{}, err
	}
	sum, rest, ok := bytes.Cut(bytes.TrimPrefix(b, []byte(sumBegin)), []byte(sumEnd))
	if !ok || !bytes.HasPrefix(b, []byte(sumBegin)) || string(sum) != hexSum(rest) {
		return nil, Origin{}, fmt.Errorf("%s is damaged, or of another version: its checksum does not fit", path)
	}
	f := saved{Suite: new(Suite)}
	if err := json.Unmarshal(append([]byte("{"), rest...), &f); err != nil {
		return nil, Origin{}, fmt.Errorf("%s: %w", path, err)
	}
	if name := strings.TrimSuffix(filepath.Base(path), ".json"); f.Name != name {
		return nil, Origin{}, fmt.Errorf("%s: expected the suite %s, got %.40q", path, name, f.Name)
	}
	return f.Suite, f.Origin, nil
}
