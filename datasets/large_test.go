package datasets

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Shape of MovieLens 20M.
const (
	largeUsers, largeItems, largeLines = 138493, 26744, 20000263
	leastPerUser, mostPerUser          = 20, 9254
)

// BenchmarkOpenMovieLens20M loads a generated ratings.csv of the size and shape
// of MovieLens 20M (about 0.5 GB, written first). The project's own limits are
// 30 s and 2 GB (peak-MB is that of the process, in MB).
func BenchmarkOpenMovieLens20M(b *testing.B) {
	if testing.Short() {
		b.Skip("writes and reads 0.5 GB")
	}
	dir := b.TempDir()
	if err := writeLarge(filepath.Join(dir, "ratings.csv")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := Open(Config{Name: "large", Format: "movielens-20m", Path: "."}, dir)
		if err != nil {
			b.Fatal(err)
		}
		if n := d.Filtered.Read; n != largeLines || len(d.Seqs) != largeUsers || d.NumItems != largeItems {
			b.Fatalf("%d users, %d items, %d interactions", len(d.Seqs), d.NumItems, n)
		}
	}
	b.ReportMetric(float64(peakMB(b)), "peak-MB")
}

// writeLarge writes a file like that of MovieLens 20M: users one after the
// other, each sorted by movie, many ratings entered within the same second.
func writeLarge(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprint(w, "userId,movieId,rating,timestamp\n")
	rng := rand.New(rand.NewPCG(20, 0))
	left, line := largeLines, []byte(nil)
	for u := range largeUsers {
		after := largeUsers - u - 1
		n := leastPerUser + int(rng.ExpFloat64()*float64(left/(after+1)-leastPerUser))
		n = max(min(n, mostPerUser, left-after*leastPerUser), left-after*mostPerUser, leastPerUser)
		if u == 0 {
			n = mostPerUser
		}
		if after == 0 {
			n = left
		}
		left -= n
		from := 800_000_000 + rng.Int64N(600_000_000)
		for i := range n {
			// n items spread over all, ascending; a random offset gives each a turn.
			item := (i*largeItems + rng.IntN(largeItems)) / n
			at := from + 30*rng.Int64N(int64(n)) // in any order, often equal
			line = strconv.AppendInt(line[:0], int64(u+1), 10)
			line = append(line, ',')
			line = strconv.AppendInt(line, int64(1+item*49/10), 10)
			line = append(line, ',')
			line = strconv.AppendFloat(line, 0.5+float64(rng.IntN(10))/2, 'f', 1, 64)
			line = append(line, ',')
			line = strconv.AppendInt(line, at, 10)
			line = append(line, '\n')
			w.Write(line)
		}
	}
	return w.Flush()
}

// peakMB returns the peak resident memory of the process, 0 if the system does
// not report it.
func peakMB(b *testing.B) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1000
		}
	}
	return 0
}
