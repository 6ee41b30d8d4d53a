package datasets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
)

// Counts are the published ones, which embedded sets must match exactly.
// Titles, ASINs and cold targets were counted in the plain files with Python.
func TestEmbedded(t *testing.T) {
	for _, want := range []struct {
		name                       string
		users, items, interactions int
		longest                    int
		first                      string // ItemIDs[1]
		titles                     int    // that are not empty
		coldValid, coldTest        int
	}{
		{"amazon-beauty", 22363, 12101, 198502, 204, "B004756YJA", 12094, 51, 138},
		{"amazon-sports", 35598, 18357, 296337, 296, "1881509818", 0, 118, 317},
		{"amazon-toys", 19412, 11924, 167597, 550, "B005E7BDXW", 11865, 100, 279},
	} {
		t.Run(want.name, func(t *testing.T) {
			d, err := Open(Config{Name: want.name}, "")
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Warnings) > 0 {
				t.Errorf("warnings: %q", d.Warnings)
			}
			st := d.Stats()
			if st.Users != want.users || st.Items != want.items || st.Interactions != want.interactions || st.MaxLength != want.longest {
				t.Errorf("%d users, %d items, %d interactions, longest %d; want %d, %d, %d, %d",
					st.Users, st.Items, st.Interactions, st.MaxLength, want.users, want.items, want.interactions, want.longest)
			}
			if len(d.ItemIDs) != want.items+1 || d.ItemIDs[0] != "" || d.ItemIDs[1] != want.first {
				t.Errorf("%d item ids beginning %q", len(d.ItemIDs), d.ItemIDs[:2])
			}
			// The files are numbered as this package numbers, so ids do not
			// change.
			if got := fmt.Sprint(d.Seqs[0][:5]); got != "[1 2 3 4 5]" {
				t.Errorf("first user begins %s", got)
			}
			m, err := d.Metadata()
			if err != nil {
				t.Fatal(err)
			}
			titles := 0
			for _, s := range m.Title {
				if s != "" {
					titles++
				}
			}
			if titles != want.titles || len(m.Attributes) != want.items+1 || m.Missing != 0 {
				t.Errorf("%d titles, %d attribute lists, %d items missing", titles, len(m.Attributes), m.Missing)
			}
			s, err := NewSplit(d, "")
			if err != nil {
				t.Fatal(err)
			}
			if v, te := s.Cold(); v != want.coldValid || te != want.coldTest || len(s.Test) != want.users {
				t.Errorf("%d cases, cold: %d valid, %d test; want %d and %d", len(s.Test), v, te, want.coldValid, want.coldTest)
			}
		})
	}
}

// Every embedded file is the one that PROVENANCE.md describes.
func TestProvenance(t *testing.T) {
	doc, err := embedded.ReadFile("data/PROVENANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = fs.WalkDir(embedded, "data", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".gz") {
			return err
		}
		files++
		raw, err := embedded.ReadFile(path)
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			return err
		}
		for _, sum := range []string{fmt.Sprintf("`%x`", sha256.Sum256(raw)), fmt.Sprintf("`%x`", sha256.Sum256(plain))} {
			if !bytes.Contains(doc, []byte(sum)) {
				t.Errorf("%s: %s is not in PROVENANCE.md", path, sum)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != 9 {
		t.Errorf("%d embedded files, want 9", files)
	}
}

func BenchmarkOpenEmbedded(b *testing.B) {
	for _, name := range Embedded() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Open(Config{Name: name}, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
