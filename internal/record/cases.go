package record

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"famebench/internal/atomicfile"
)

// Cases are the test cases of a data set under a split, in the order of the ranks.
// Breakdowns group users by them. Both numbers are known before anything is ranked.
type Cases struct {
	Dataset  Dataset // without its configuration
	Protocol string
	// Training is how often the target of each case occurs in the training part of the
	// split. Validation and test items do not count, since nothing is learned from them.
	Training []int32
	// History is the number of items before the target, including the validation item:
	// the history of a model before it is cut.
	History []int32
	// Users numbers the user of each case, from 0 in the order of first cases; nil: each case
	// is of another user.
	Users []int32
}

const (
	casesSum    = "# sha256 " // of all that follows the line
	casesHeader = "training\thistory\n"
	usersHeader = "training\thistory\tuser\n" // if a user has several cases
	casesEnd    = ".cases.tsv.gz"
)

// CasesPath is the path of the test cases of a data set under a split.
func (s Store) CasesPath(d Dataset, protocol string) string {
	name := fmt.Sprintf("%s-%.8s.%s", d.Name, d.Fingerprint, protocol)
	if d.Split != "" {
		name += fmt.Sprintf("-%.8s", d.Split)
	}
	return filepath.Join(s.Dir, "datasets", name+casesEnd)
}

// head names the data set and the split of the cases.
func (c *Cases) head() string {
	return fmt.Sprintf("# fingerprint %s\n# split %s\n", c.Dataset.Fingerprint, strings.TrimSpace(c.Protocol+" "+c.Dataset.Split))
}

// WriteCases stores test cases for ReadCases: a gzipped TSV with one line per case, after
// three lines with a checksum, the data's fingerprint and the split. A file that already
// has them is not changed. Equal cases give equal bytes.
func (s Store) WriteCases(c *Cases) error {
	path := s.CasesPath(c.Dataset, c.Protocol)
	if len(c.Training) != len(c.History) || len(c.Training) == 0 || c.Users != nil && len(c.Users) != len(c.Training) {
		return fmt.Errorf("record: %s: %d targets and %d histories, expected the same number, at least 1", path, len(c.Training), len(c.History))
	}
	if old, err := s.ReadCases(c.Dataset, c.Protocol, len(c.Training)); err == nil && slices.Equal(old.Training, c.Training) && slices.Equal(old.History, c.History) && slices.Equal(old.Users, c.Users) {
		return nil
	}
	header := casesHeader
	if c.Users != nil {
		header = usersHeader
	}
	text := append([]byte(c.head()), header...)
	for i := range c.Training {
		text = strconv.AppendInt(text, int64(c.Training[i]), 10)
		text = strconv.AppendInt(append(text, '\t'), int64(c.History[i]), 10)
		if c.Users != nil {
			text = strconv.AppendInt(append(text, '\t'), int64(c.Users[i]), 10)
		}
		text = append(text, '\n')
	}
	sum := sha256.Sum256(text)
	return atomicfile.Write(path, func(w io.Writer) error {
		zip, err := gzip.NewWriterLevel(w, gzip.BestCompression) // no name and no time in its header
		if err != nil {
			return err
		}
		_, err1 := io.WriteString(zip, casesSum+hex.EncodeToString(sum[:])+"\n")
		_, err2 := zip.Write(text)
		return errors.Join(err1, err2, zip.Close())
	})
}

// ReadCases reads so many test cases of a data set under a split. Without a file the error
// is fs.ErrNotExist. A file that is damaged, or of another data set, split or number of
// cases, is an error that says what to do.
func (s Store) ReadCases(d Dataset, protocol string, cases int) (*Cases, error) {
	c, err := s.ReadCasesUpTo(d, protocol, cases)
	if err == nil && len(c.Training) != cases {
		return nil, casesError(s.CasesPath(d, protocol), fmt.Errorf("expected %d test cases as in the records, got %d", cases, len(c.Training)))
	}
	return c, err
}

func casesError(path string, err error) error {
	return fmt.Errorf("record: %s: %w; restore the file, or delete it: the next report where the data is writes it again", path, err)
}

// ReadCasesUpTo is ReadCases where no record says how many test cases there are: some splits have
// fewer than users, others more.
func (s Store) ReadCasesUpTo(d Dataset, protocol string, most int) (*Cases, error) {
	path := s.CasesPath(d, protocol)
	f, err := os.Open(path)
	if errors.Is(err, syscall.ENOTDIR) { // there is something else in the place of the folder
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	c := &Cases{Dataset: Dataset{Name: d.Name, Fingerprint: d.Fingerprint, Split: d.Split}, Protocol: protocol}
	if err := c.parse(f, most); err != nil {
		return nil, casesError(path, err)
	}
	return c, nil
}

// parse reads the numbers of at most so many cases.
func (c *Cases) parse(r io.Reader, most int) error {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	in := bufio.NewReader(zip)
	first, err := in.ReadString('\n')
	sum, ok := strings.CutPrefix(strings.TrimSuffix(first, "\n"), casesSum)
	if err != nil || !ok {
		return fmt.Errorf("it is damaged: expected a checksum in line 1, got %.40q", first)
	}
	// The lines of a file of so many cases fit, so a larger one is not unpacked.
	limit := 1000 + 36*int64(most)
	text, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	if got := sha256.Sum256(text); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("it was changed after it was written, or is of more than %d test cases: it hashes to %x, not %.8q", most, got[:4], sum)
	}
	rest, ok := bytes.CutPrefix(text, []byte(c.head()+casesHeader))
	several := false
	if !ok {
		rest, ok = bytes.CutPrefix(text, []byte(c.head()+usersHeader))
		several = ok
	}
	if !ok {
		return fmt.Errorf("it is of other data: expected %q, got %.200q", c.head(), text[:min(len(text), len(c.head()))])
	}
	number := 4      // of the line with the names of the columns
	next := int64(0) // number of the next user
	for line := range strings.Lines(string(rest)) {
		number++
		a, b, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if several {
			var of string
			b, of, _ = strings.Cut(b, "\t")
			user, err := strconv.ParseInt(of, 10, 32)
			if err != nil || user < 0 || user > next {
				return fmt.Errorf("line %d: expected the number of a user, at most %d, got %.40q", number, next, line)
			}
			next = max(next, user+1)
			c.Users = append(c.Users, int32(user))
		}
		training, err1 := strconv.ParseInt(a, 10, 32)
		history, err2 := strconv.ParseInt(b, 10, 32)
		if err1 != nil || err2 != nil || training < 0 || history < 1 {
			return fmt.Errorf("line %d: expected a count from 0 and a length from 1, got %.40q", number, line)
		}
		c.Training, c.History = append(c.Training, int32(training)), append(c.History, int32(history))
	}
	return nil
}
