package rank

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"famebench/internal/atomicfile"
)

// ranksHeader is the first line of a ranks file.
const ranksHeader = "kept\tremoved"

// WriteRanks writes the ranks of every case to path, for significance tests and
// for whoever wants to look: a gzipped TSV of one header line and one line a
// case, in the order of the cases. It is atomic, and equal ranks give equal
// bytes. The sum is the SHA-256, in hex, of the uncompressed text, which stays
// the same should a compressor ever change; it belongs in the run's record.
func WriteRanks(path string, kept, removed []int32) (sum string, err error) {
	if len(kept) != len(removed) {
		return "", fmt.Errorf("rank: %s: %d ranks with seen items kept, %d with them removed", path, len(kept), len(removed))
	}
	hash := sha256.New()
	err = atomicfile.Write(path, func(w io.Writer) error {
		zip := gzip.NewWriter(w) // no name and no time in its header
		return errors.Join(writeRanks(io.MultiWriter(zip, hash), kept, removed), zip.Close())
	})
	if err != nil {
		return "", fmt.Errorf("rank: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// RanksSum gives the sum that WriteRanks gives, and writes nothing.
func RanksSum(kept, removed []int32) string {
	hash := sha256.New()
	_ = writeRanks(hash, kept, removed) // a hash never fails
	return hex.EncodeToString(hash.Sum(nil))
}

func writeRanks(w io.Writer, kept, removed []int32) error {
	text := bufio.NewWriter(w)
	text.WriteString(ranksHeader + "\n")
	var line []byte
	for i := range kept {
		line = strconv.AppendInt(line[:0], int64(kept[i]), 10)
		line = append(line, '\t')
		line = strconv.AppendInt(line, int64(removed[i]), 10)
		text.Write(append(line, '\n'))
	}
	return text.Flush() // a bufio.Writer keeps its first error
}

// ReadRanks reads what WriteRanks wrote, and gives the sum of what it read for
// comparison with the record's. A damaged file is an error that names the line.
func ReadRanks(path string) (kept, removed []int32, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, "", fmt.Errorf("rank: %w", err)
	}
	defer f.Close()
	kept, removed, sum, err = parseRanks(f)
	if err != nil {
		return nil, nil, "", fmt.Errorf("rank: %s: %w", path, err)
	}
	return kept, removed, sum, nil
}

func parseRanks(r io.Reader) (kept, removed []int32, sum string, err error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, nil, "", err
	}
	hash := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(zip, hash))
	number := 0
	for lines.Scan() {
		number++
		if number == 1 {
			if lines.Text() != ranksHeader {
				return nil, nil, "", fmt.Errorf("line 1: %.40q, expected the header %q", lines.Text(), ranksHeader)
			}
			continue
		}
		a, b, _ := strings.Cut(lines.Text(), "\t")
		k, errK := strconv.ParseInt(a, 10, 32)
		r, errR := strconv.ParseInt(b, 10, 32)
		// Taking candidates away cannot make a rank worse.
		if errK != nil || errR != nil || r < 1 || r > k {
			return nil, nil, "", fmt.Errorf("line %d: %.40q, expected two ranks from 1, the second not above the first", number, lines.Text())
		}
		kept, removed = append(kept, int32(k)), append(removed, int32(r))
	}
	if err := lines.Err(); err != nil {
		return nil, nil, "", fmt.Errorf("after line %d: %w", number, err)
	}
	if number == 0 {
		return nil, nil, "", errors.New("empty, expected a header line")
	}
	return kept, removed, hex.EncodeToString(hash.Sum(nil)), nil
}
