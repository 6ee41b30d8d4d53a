//go:build linux && amd64

package scripts_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"famebench/datasets"
)

// site is a data site on this machine, and a clone that fetches from it.
type site struct {
	t        *testing.T
	url      string
	clone    string
	mu       sync.Mutex
	files    map[string][]byte
	requests []string // "FILE RANGE", as they came
	noRanges bool
	cut      int // bytes after which the next answer breaks off, 0: none
}

func newSite(t *testing.T) *site {
	s := &site{t: t, clone: t.TempDir(), files: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	for _, name := range []string{"fetch-data.sh", "data.md5"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s.write("scripts/"+name, b)
	}
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	s.requests = append(s.requests, strings.TrimSpace(name+" "+r.Header.Get("Range")))
	body, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.cut > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body[:s.cut])
		s.cut = 0
		return // shorter than announced: the server closes the connection
	}
	if s.noRanges {
		w.Write(body)
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}

func (s *site) write(name string, b []byte) {
	s.t.Helper()
	path := filepath.Join(s.clone, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.clone, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// fetch runs the script; it returns its output and how many requests it made.
func (s *site) fetch(wantCode int, args ...string) (string, []string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.clone, "scripts/fetch-data.sh"), args...)
	cmd.Env = append(os.Environ(), "FAMEBENCH_MIRROR="+s.url, "FAMEBENCH_DATA=", "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		s.t.Fatalf("exit status %d (%v), want %d:\n%s", code, err, wantCode, out)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return string(out), requests
}

func gz(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.Bytes()
}

const (
	reviews = "reviews_Toys_and_Games_5.json.gz"
	meta    = "meta_Toys_and_Games.json.gz"
	toys    = "data/amazon-toys/"
	trust   = "--trust-first-download"
)

func toySite(t *testing.T) *site {
	s := newSite(t)
	s.files[reviews], s.files[meta] = gz(strings.Repeat("reviews of toys ", 1000)+t.Name()), gz("metadata of toys")
	return s
}

func (s *site) wantToys() {
	s.t.Helper()
	for _, name := range []string{reviews, meta} {
		if s.read(toys+name) != string(s.files[name]) {
			s.t.Errorf("%s is not what the site has", name)
		}
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(s.files[name]), name); s.read(toys+name+".sha256") != want {
			s.t.Errorf("%s.sha256 holds %q, want %q", name, s.read(toys+name+".sha256"), want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.clone, toys, "*.part")); len(left) > 0 {
		s.t.Errorf("left behind: %q", left)
	}
}

func TestFetchData(t *testing.T) {
	s := toySite(t)
	out, requests := s.fetch(0, trust, "amazon-toys")
	if len(requests) != 2 || !strings.Contains(out, "no checksum is published for "+reviews) || !strings.Contains(out, "amazon-toys is complete in") {
		t.Errorf("%q:\n%s", requests, out)
	}
	s.wantToys()
	// Again: nothing to do.
	if out, requests = s.fetch(0, trust, "amazon-toys"); len(requests) != 0 || !strings.Contains(out, reviews+" is already there") {
		t.Errorf("%q:\n%s", requests, out)
	}
}

// Files without a published checksum are refused before anything is fetched, unless the
// user knows their checksums or takes them without.
func TestFetchDataWithoutChecksum(t *testing.T) {
	s := toySite(t)
	out, requests := s.fetch(1, "amazon-toys")
	if len(requests) != 0 || !strings.Contains(out, "expected a checksum of "+reviews+" "+meta) || !strings.Contains(out, trust) {
		t.Errorf("%q:\n%s", requests, out)
	}
	if _, err := os.Stat(filepath.Join(s.clone, toys, meta)); err == nil {
		t.Error("it was taken all the same")
	}
	sum := func(b []byte) []byte { return fmt.Appendf(nil, "%x\n", sha256.Sum256(b)) }
	s.write(toys+reviews+".sha256", sum(s.files[reviews]))
	if out, requests = s.fetch(1, "amazon-toys"); len(requests) != 0 || !strings.Contains(out, "expected a checksum of "+meta+",") {
		t.Errorf("one of two: %q:\n%s", requests, out)
	}
	s.write(toys+meta+".sha256", sum([]byte("another file")))
	if out, _ = s.fetch(1, "amazon-toys"); !strings.Contains(out, meta+" is damaged or not the published file") {
		t.Errorf("another checksum: %s", out)
	}
	s.write(toys+meta+".sha256", sum(s.files[meta]))
	if out, _ = s.fetch(0, "amazon-toys"); strings.Contains(out, "no checksum is published") || s.read(toys+meta) != string(s.files[meta]) {
		t.Errorf("known checksums: %s", out)
	}
	// A file that lies there already is no more trusted than one that is fetched.
	s = toySite(t)
	s.write(toys+reviews, gz("from somewhere"))
	if out, _ = s.fetch(1, "amazon-toys"); !strings.Contains(out, "expected a checksum of "+reviews) {
		t.Errorf("a file that is there: %s", out)
	}
}

// The official sites are asked by https alone, redirections too.
func TestFetchesByHTTPSOnly(t *testing.T) {
	bin := t.TempDir()
	log := filepath.Join(bin, "log")
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte("#!/bin/sh\necho \"$@\" >>"+log+"\nexit 6\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil { // no second source
		t.Fatal(err)
	}
	for _, c := range []struct{ mirror, want string }{
		{"", "--proto =https --proto-redir =https "},
		{"https://mirror.invalid", "--proto =https --proto-redir =https "},
		{"http://mirror.invalid", "--proto =http,https --proto-redir =http,https "},
	} {
		for _, args := range [][]string{{"fetch-data.sh", "ml-1m"}, {"fetch-encoder.sh"}} {
			cmd := exec.Command("bash", args...)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "FAMEBENCH_MIRROR="+c.mirror,
				"FAMEBENCH_DATA="+t.TempDir(), "FAMEBENCH_ENCODER="+filepath.Join(t.TempDir(), "e"))
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("%q succeeded without curl:\n%s", args, out)
			}
			asked, _ := os.ReadFile(log)
			if !strings.Contains(string(asked), c.want) {
				t.Errorf("%q, mirror %q: curl %s\n%s", args, c.mirror, asked, out)
			}
			os.Remove(log)
		}
	}
}

func TestFetchDataResumes(t *testing.T) {
	s := toySite(t)
	half := len(s.files[reviews]) / 2
	s.write(toys+reviews+".part", s.files[reviews][:half])
	if _, requests := s.fetch(0, trust, "amazon-toys"); len(requests) != 2 || requests[0] != fmt.Sprintf("%s bytes=%d-", reviews, half) {
		t.Errorf("%q", requests)
	}
	s.wantToys()

	t.Run("a connection that breaks off", func(t *testing.T) {
		s := toySite(t)
		s.cut = 20
		if _, requests := s.fetch(0, trust, "amazon-toys"); len(requests) != 3 || requests[1] != reviews+" bytes=20-" {
			t.Errorf("%q", requests)
		}
		s.wantToys()
	})
	t.Run("whole already", func(t *testing.T) {
		s := toySite(t)
		s.write(toys+reviews+".part", s.files[reviews])
		if _, requests := s.fetch(0, trust, "amazon-toys"); len(requests) != 1 || requests[0] != meta {
			t.Errorf("%q", requests)
		}
		s.wantToys()
	})
	t.Run("server without ranges", func(t *testing.T) {
		s := toySite(t)
		s.noRanges = true
		s.write(toys+reviews+".part", s.files[reviews][:half])
		if out, requests := s.fetch(0, trust, "amazon-toys"); len(requests) != 3 || !strings.Contains(out, "fetching it from the start") {
			t.Errorf("%q:\n%s", requests, out)
		}
		s.wantToys()
	})
	t.Run("longer than the file", func(t *testing.T) {
		s := toySite(t)
		s.write(toys+reviews+".part", append(bytes.Clone(s.files[reviews][:half]), make([]byte, 2*half)...))
		s.fetch(0, trust, "amazon-toys")
		s.wantToys()
	})
}

func TestFetchDataNoticesDamage(t *testing.T) {
	s := toySite(t)
	damaged := bytes.Clone(s.files[reviews][:30])
	damaged[20] ^= 0xff
	s.write(toys+reviews+".part", damaged)
	out, _ := s.fetch(1, "amazon-toys", "amazon-toys", trust)
	if !strings.Contains(out, "is damaged or not the published file") || !strings.Contains(out, "run this again") {
		t.Error(out)
	}
	s.fetch(0, trust, "amazon-toys")
	s.wantToys()

	// A file that changes on disk is fetched again.
	s.write(toys+meta, []byte("scribble"))
	if out, requests := s.fetch(0, trust, "amazon-toys"); len(requests) != 1 || !strings.Contains(out, "is not what it was") {
		t.Errorf("%q:\n%s", requests, out)
	}
	s.wantToys()

	// One that changes on the site is refused, and says how to accept it.
	before := s.read(toys + meta)
	s.write(toys+meta, []byte("scribble"))
	s.files[meta] = gz("another version")
	out, _ = s.fetch(1, trust, "amazon-toys")
	if !strings.Contains(out, "expected the SHA-256 in ") || !strings.Contains(out, "remove that file") {
		t.Error(out)
	}
	if err := os.Remove(filepath.Join(s.clone, toys, meta+".sha256")); err != nil {
		t.Fatal(err)
	}
	s.fetch(0, trust, "amazon-toys")
	if s.read(toys+meta) == before {
		t.Error("the new version was not taken")
	}
}

func TestFetchDataMovieLens(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"README", "ratings.dat", "movies.dat", "users.dat"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "ml-1m/" + name, Method: zip.Deflate, Modified: time.Unix(1e9, 0)})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(w, "this is", name)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.files["ml-1m.zip"] = b.Bytes()
	// Not the published archive.
	if out, _ := s.fetch(1, "ml-1m"); !strings.Contains(out, "ml-1m.zip is damaged or not the published file") || !strings.Contains(out, "not complete: ml-1m") {
		t.Error(out)
	}
	// The archive of a world in which it is.
	s.write("scripts/data.md5", fmt.Appendf(nil, "%x  ml-1m.zip\n", md5.Sum(b.Bytes())))
	s.fetch(0, "ml-1m")
	if got := s.read("data/ml-1m/ratings.dat") + s.read("data/ml-1m/movies.dat") + s.read("data/ml-1m/README"); got != "this is ratings.dat\nthis is movies.dat\nthis is README\n" {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(s.clone, "data/ml-1m/users.dat")); err == nil {
		t.Error("unpacked what nobody reads")
	}
	// A file that was lost is unpacked again, without a download.
	if err := os.Remove(filepath.Join(s.clone, "data/ml-1m/movies.dat")); err != nil {
		t.Fatal(err)
	}
	if out, requests := s.fetch(0, "ml-1m"); len(requests) != 0 || s.read("data/ml-1m/movies.dat") != "this is movies.dat\n" {
		t.Errorf("%q:\n%s", requests, out)
	}
}

func TestFetchDataUsage(t *testing.T) {
	s := newSite(t)
	for _, tc := range []struct {
		args []string
		code int
		want []string
	}{
		{nil, 2, []string{"fetch-data.sh NAME"}},
		{[]string{"ml-25m"}, 2, []string{"unknown name ml-25m", "--list"}},
		{[]string{"--help"}, 0, []string{"FAMEBENCH_DATA", "Exit status", trust}},
		{[]string{"--list"}, 0, append(datasets.Known(), "may not be passed on", "no checksums: "+trust)},
		{[]string{"ml-20m"}, 1, []string{"404", "not complete: ml-20m"}},
	} {
		out, _ := s.fetch(tc.code, tc.args...)
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q lacks %q:\n%s", tc.args, want, out)
			}
		}
	}
}
