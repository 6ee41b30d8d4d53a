package record

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
)

func someCases() *Cases {
	return &Cases{Dataset: Dataset{Name: "tiny", Fingerprint: "0011223344"}, Protocol: "leave-one-out", Training: []int32{0, 7, 12}, History: []int32{2, 1, 300}}
}

func casesStore(t *testing.T) Store {
	t.Helper()
	s := Store{Dir: t.TempDir()}
	if err := s.MakeFolder("datasets"); err != nil {
		t.Fatal(err)
	}
	return s
}

func gunzip(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func gzipTo(t *testing.T, path, text string) {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, err := io.WriteString(zip, text)
	if err := errors.Join(err, zip.Close(), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestCasesAreKept(t *testing.T) {
	s := casesStore(t)
	c := someCases()
	if _, err := s.ReadCases(c.Dataset, c.Protocol, 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := s.WriteCases(c); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ReadCases(c.Dataset, c.Protocol, 3); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("got %+v, %v; want %+v", got, err, c)
	}
	path := s.CasesPath(c.Dataset, c.Protocol)
	if want := s.Dir + "/datasets/tiny-00112233.leave-one-out.cases.tsv.gz"; path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	// The sum was computed with sha256sum.
	want := "# sha256 d931894bfc1d6209ddba5d6990a092b7894a6edcd846c11eb18045e20928b1e1\n# fingerprint 0011223344\n# split leave-one-out\ntraining\thistory\n0\t2\n7\t1\n12\t300\n"
	if got := gunzip(t, path); got != want {
		t.Errorf("the file holds %q, want %q", got, want)
	}
	// Another compressor's file with the same numbers is left alone.
	gzipTo(t, path, gunzip(t, path))
	before, err1 := os.ReadFile(path)
	err2 := s.WriteCases(c)
	after, err3 := os.ReadFile(path)
	if err := errors.Join(err1, err2, err3); err != nil || !bytes.Equal(before, after) {
		t.Errorf("equal numbers were written again: %v", err)
	}
	c.History[2]++
	if err := s.WriteCases(c); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ReadCases(c.Dataset, c.Protocol, 3); err != nil || got.History[2] != 301 {
		t.Errorf("other numbers: %+v, %v", got, err)
	}
	// A time split depends on times, so its hash is part of the name.
	c.Protocol, c.Dataset.Split = "time", "5566778899"
	if got := s.CasesPath(c.Dataset, c.Protocol); !strings.HasSuffix(got, "/tiny-00112233.time-55667788.cases.tsv.gz") {
		t.Errorf("path of a time split: %s", got)
	}
	c.History = c.History[1:]
	if err := s.WriteCases(c); err == nil {
		t.Error("three targets and two histories were stored")
	}
}

// Every byte of a file is checked, and a file of other data is refused even if it is whole.
func TestDamagedCasesAreRefused(t *testing.T) {
	s := casesStore(t)
	c := someCases()
	if err := s.WriteCases(c); err != nil {
		t.Fatal(err)
	}
	path := s.CasesPath(c.Dataset, c.Protocol)
	refused := func(what, want string) {
		t.Helper()
		_, err := s.ReadCases(c.Dataset, c.Protocol, 3)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore the file, or delete it") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q with path and advice in one line", what, err, want)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for n := range whole {
		write(whole[:n])
		refused("cut", "damaged")
		if n < 10 { // gzip's header has bytes without meaning, such as the system
			continue
		}
		flipped := bytes.Clone(whole)
		flipped[n] ^= 1
		write(flipped)
		refused("a flipped bit", "")
	}
	write(append(bytes.Clone(whole), "more"...))
	refused("more bytes", "damaged")

	write(whole)
	text := gunzip(t, path)
	gzipTo(t, path, strings.Replace(text, "12\t300", "13\t300", 1))
	refused("an edited number", "it was changed after it was written")
	_, rest, _ := strings.Cut(text, "\n")
	gzipTo(t, path, rest)
	refused("no checksum", "expected a checksum in line 1")
	gzipTo(t, path, text+strings.Repeat("1\t1\n", 1000))
	refused("many users", "or is of more than 3 test cases")

	for what, change := range map[string]func(*Cases){
		"it is of other data: ":                            func(c *Cases) { c.Dataset.Fingerprint = "0011223355" },
		"it is of other data: expected \"# fingerprint 00": func(c *Cases) { c.Protocol = "time" },
		"expected 3 test cases as in the records, got 2":   func(c *Cases) { c.Training, c.History = c.Training[1:], c.History[1:] },
		"expected a count from 0 and a length from 1":      func(c *Cases) { c.History[1] = 0 },
	} {
		other := someCases()
		change(other)
		if err := errors.Join(s.WriteCases(other), os.Rename(s.CasesPath(other.Dataset, other.Protocol), path)); err != nil {
			t.Fatal(err)
		}
		refused("whole", what)
	}
}

func TestCasesOfUsersWithSeveral(t *testing.T) {
	s, c := casesStore(t), someCases()
	c.Protocol, c.Users = "given", []int32{0, 1, 0}
	if err := s.WriteCases(c); err != nil {
		t.Fatal(err)
	}
	path := s.CasesPath(c.Dataset, c.Protocol)
	text := gunzip(t, path)
	if !strings.HasSuffix(text, "training\thistory\tuser\n0\t2\t0\n7\t1\t1\n12\t300\t0\n") {
		t.Errorf("%q", text)
	}
	if got, err := s.ReadCases(c.Dataset, c.Protocol, 3); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	_, rest, _ := strings.Cut(text, "\n")
	for _, bad := range []string{"7\t1\t2\n", "7\t1\t-1\n", "7\t1\n", "7\t1\t1\t1\n"} {
		changed := strings.Replace(rest, "7\t1\t1\n", bad, 1)
		gzipTo(t, path, fmt.Sprintf("# sha256 %x\n%s", sha256.Sum256([]byte(changed)), changed))
		if _, err := s.ReadCases(c.Dataset, c.Protocol, 3); err == nil || !strings.Contains(err.Error(), "line 6: expected the number of a user, at most 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c.Users = c.Users[:2]
	if err := s.WriteCases(c); err == nil {
		t.Error("two users of three cases were written")
	}
}
