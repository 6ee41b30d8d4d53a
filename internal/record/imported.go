package record

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"famebench/internal/atomicfile"
)

// Imported is the file imported/ID.json: the lists that another program recommended to the
// test users of a data set. It is no Record, because nothing is known about the training
// behind the lists, and it is kept in another folder, so that nothing takes it for a run.
type Imported struct {
	ID     string     `json:"id"`
	Spec   ImportSpec `json:"spec"`
	File   string     `json:"file"` // the name that the file had
	Users  int        `json:"users"`
	Items  int        `json:"items"`
	Length int        `json:"length"` // of the lists; a user with fewer candidates has all of them
	// Test has HR and NDCG up to the length of the lists. Other metrics do not follow from
	// lists that are cut off.
	Test        Metrics `json:"test"`
	RanksSHA256 string  `json:"ranks_sha256"` // of the uncompressed text of the ranks file

	Ranks []int32 `json:"-"` // of every test user's item: its place in the list, or Unlisted
}

// ImportSpec is everything that decides an imported record. As for runs, the id has a hash of
// it, without the data set's name.
type ImportSpec struct {
	Name     string  `json:"name"` // of the row
	Dataset  Dataset `json:"dataset"`
	Protocol string  `json:"protocol"`
	Seed     int64   `json:"seed"`
	Rule     string  `json:"rule"`        // "removed" or "kept"
	SHA256   string  `json:"file_sha256"` // of the file
}

// Unlisted is the rank of an item that is not in the list: below the end of every list.
const Unlisted = math.MaxInt32

const importedDir = "imported"

// ImportedPath is the path of an imported record, and ImportedRanksPath that of its ranks.
func (s Store) ImportedPath(id string) string {
	return filepath.Join(s.Dir, importedDir, id+".json")
}
func (s Store) ImportedRanksPath(id string) string {
	return filepath.Join(s.Dir, importedDir, id+".ranks.tsv.gz")
}

// MakeID names an imported record: data set, row, rule and seed for people, and eight digits
// of the hash of its spec.
func (s ImportSpec) MakeID() (string, error) {
	hashed := s
	hashed.Dataset = Dataset{Fingerprint: s.Dataset.Fingerprint, Split: s.Dataset.Split}
	sum, err := hash(hashed)
	return fmt.Sprintf("%s-%s-%s-s%d-%.8s", s.Dataset.Name, s.Name, s.Rule, s.Seed, sum), err
}

// WriteImported stores an imported record and fills in its id and hashes. The ranks are
// written first, so that every existing record is complete.
func (s Store) WriteImported(m *Imported) (err error) {
	if m.ID, err = m.Spec.MakeID(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := s.MakeFolder(importedDir); err != nil {
		return err
	}
	text := listRanks(m.Spec.Rule, m.Ranks)
	sum := sha256.Sum256(text)
	m.RanksSHA256 = hex.EncodeToString(sum[:])
	if err := atomicfile.Write(s.ImportedRanksPath(m.ID), func(w io.Writer) error {
		zip := gzip.NewWriter(w) // no name and no time in its header
		_, err := zip.Write(text)
		return errors.Join(err, zip.Close())
	}); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return WriteSealed(s.ImportedPath(m.ID), m)
}

// listRanks is the text of a file of ranks: the seen-item rule, and a line for each test
// user, "-" if the item is not in the list.
func listRanks(rule string, ranks []int32) []byte {
	text := []byte(rule + "\n")
	for _, r := range ranks {
		if r == Unlisted {
			text = append(text, "-\n"...)
			continue
		}
		text = append(strconv.AppendInt(text, int64(r), 10), '\n')
	}
	return text
}

// ReadImported reads an imported record with its ranks. Both are refused if they were changed
// after they were written. Its metrics are compared with the ranks by package aggregate.
func (s Store) ReadImported(id string) (*Imported, error) {
	if err := CheckID(id); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	path := s.ImportedPath(id)
	var m Imported
	whole, err := ReadSealed(path, &m)
	if err == nil && !whole {
		err = fmt.Errorf("%s has no checksum", path)
	}
	if err == nil {
		if err = m.check(id); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err == nil {
		err = m.readRanks(s.ImportedRanksPath(id))
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w; restore it, or delete it and import the run file again", err)
	}
	return &m, nil
}

// check refuses content that no import writes.
func (m *Imported) check(id string) error {
	want, err := m.Spec.MakeID()
	if err != nil {
		return err
	}
	if m.ID != want || m.ID != id {
		return fmt.Errorf("expected the id %s, as its spec says, got %.99q", want, m.ID)
	}
	for _, name := range []struct{ kind, name string }{{"data set", m.Spec.Dataset.Name}, {"row", m.Spec.Name}} {
		if err := CheckName(name.kind, name.name); err != nil {
			return err
		}
	}
	if m.Spec.Rule != "removed" && m.Spec.Rule != "kept" {
		return fmt.Errorf("rule: expected removed or kept, got %.40q", m.Spec.Rule)
	}
	if m.Users < 1 || m.Items < 1 || m.Length < 1 || m.Length > m.Items || m.Spec.Seed < 0 {
		return fmt.Errorf("users = %d, items = %d, length = %d, seed = %d: expected lists of 1 to %d items", m.Users, m.Items, m.Length, m.Spec.Seed, m.Items)
	}
	return nil
}

// readRanks reads the ranks that belong to a record.
func (m *Imported) readRanks(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(zip, sum))
	for n := 0; lines.Scan(); n++ {
		text := lines.Text()
		if n == 0 {
			if text != m.Spec.Rule {
				return fmt.Errorf("%s, line 1: expected %q, the rule of the record, got %.40q", path, m.Spec.Rule, text)
			}
			continue
		}
		rank, err := strconv.ParseInt(text, 10, 32)
		switch {
		case text == "-":
			rank = Unlisted
		case err != nil || rank < 1 || int(rank) > m.Length:
			return fmt.Errorf(`%s, line %d: expected a rank from 1 to %d, or "-", got %.40q`, path, n+1, m.Length, text)
		}
		m.Ranks = append(m.Ranks, int32(rank))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.RanksSHA256 || len(m.Ranks) != m.Users {
		return fmt.Errorf("%s does not belong to its record: expected %d users and the hash %.8s, got %d and %.8s", path, m.Users, m.RanksSHA256, len(m.Ranks), got)
	}
	return nil
}

// ImportedIDs lists the imported records, sorted.
func (s Store) ImportedIDs() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, importedDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("record: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok && CheckID(id) == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// AllImported reads all imported records.
func (s Store) AllImported() ([]*Imported, error) {
	ids, err := s.ImportedIDs()
	if err != nil {
		return nil, err
	}
	var all []*Imported
	var errs []error
	for _, id := range ids {
		m, err := s.ReadImported(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, m)
	}
	return all, errors.Join(errs...)
}
