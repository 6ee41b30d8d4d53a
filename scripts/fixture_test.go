//go:build linux && amd64

// Package scripts_test runs the set-up scripts as a user would, in a throw-away
// clone with a throw-away PATH, cache folder and home, on tiny stand-ins for the
// wheels; no network, no compiler run but for the empty shared libraries.
package scripts_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

const (
	torchWheel = "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl"
	cudaWheel  = "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
	cuptiWheel = "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl"
)

// What setup.sh may find on its PATH beside the stand-ins for go and python3.
var tools = []string{
	"ar", "awk", "bash", "cat", "chmod", "cmp", "cp", "cut", "df", "dirname", "env", "find", "flock",
	"g++", "gcc", "grep", "head", "id", "ldd", "make", "mkdir", "mktemp", "mv", "paste", "rm", "sed",
	"sh", "sha256sum", "sleep", "sort", "tee", "uname", "unzip", "wc", "xargs",
}

// Stands in for go: knows its version, finds gotch built, and leaves the flags
// that it was given in the "binary".
const fakeGo = `#!/bin/sh
case $1 in
env) echo "${FAKE_GOVERSION:-go1.26.3}" ;;
list) echo false ;;
build) mkdir -p "$(dirname "$3")" && echo "$CXX|$CGO_CXXFLAGS|$CGO_LDFLAGS" >"$3" ;;
esac
`

// Stands in for python3 with pip: "downloads" from $WHEELS and keeps a log.
// FAKE_PIP=cut leaves half a file, =fail fails, =kill kills the set-up.
const fakePython = `#!/bin/sh
[ "$1 $2" = "-m pip" ] || exit 9
[ "$3" = download ] || exit 0
asked=$*
while [ $# -gt 1 ]; do
	[ "$1" != -d ] || to=$2
	shift
done
file=$(cd "$WHEELS" && echo "${1%%==*}-${1##*==}"-*.whl)
echo "$asked" >>"$WHEELS/log"
: >"${TMPDIR:-/tmp}/scratch" # as pip does, but never cleaned up
case $FAKE_PIP-$file in
cut-nvidia_cuda_cupti*) head -c 99 "$WHEELS/$file" >"$to/$file" ;;
kill-nvidia_cuda_cupti*) head -c 99 "$WHEELS/$file" >"$to/$file"; kill -9 $PPID ;;
fail-*) exit 1 ;;
*) cp "$WHEELS/$file" "$to" ;;
esac
`

// machine is a clone with everything around it.
type machine struct {
	t                                           *testing.T
	clone, bin, cache, home, tmp, wheels, torch string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	root := t.TempDir()
	m := &machine{t: t}
	for name, dir := range map[string]*string{
		"clone": &m.clone, "bin": &m.bin, "cache": &m.cache, "home": &m.home, "tmp": &m.tmp, "wheels": &m.wheels,
	} {
		*dir = filepath.Join(root, name)
		must(t, os.Mkdir(*dir, 0o755))
	}
	m.torch = filepath.Join(m.cache, "famebench/libtorch-2.11.0")
	m.newClone(m.clone)
	for _, name := range tools {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%s is needed to test the set-up: %v", name, err)
		}
		must(t, os.Symlink(path, filepath.Join(m.bin, name)))
	}
	m.tool("go", fakeGo)
	m.tool("python3", fakePython)

	so := sharedLibrary(t)
	m.wheel(torchWheel, map[string]string{
		"torch/include/torch/headeronly/version.h":           "#define TORCH_VERSION \\\n  \"2.11.0\"\n",
		"torch/include/torch/csrc/api/include/torch/torch.h": "#pragma once\n",
		"torch/lib/libc10.so":                                so,
		"torch/lib/libtorch_cpu.so":                          so,
		"torch/lib/libgomp.so.1":                             so,
		"torch/lib/libtorch_cuda.so":                         "too big to unpack",
		"torch/__init__.py":                                  "",
	})
	m.wheel(cudaWheel, map[string]string{"nvidia/cu13/lib/libcudart.so.13": so, "nvidia/cu13/include/cuda.h": ""})
	m.wheel(cuptiWheel, map[string]string{"nvidia/cu13/lib/libcupti.so.13": so, "nvidia/cu13/lib/libcheckpoint.so": so})
	m.pin()
	return m
}

// newClone copies what set-up reads to dir; the sums are those of m's wheels.
func (m *machine) newClone(dir string) {
	m.t.Helper()
	must(m.t, os.MkdirAll(filepath.Join(dir, "scripts"), 0o755))
	must(m.t, os.MkdirAll(filepath.Join(dir, ".ci"), 0o755))
	for from, to := range map[string]string{
		"setup.sh": "scripts/setup.sh", "env.sh": "scripts/env.sh", "offline.sh": "scripts/offline.sh", "../.ci/run": ".ci/run",
		"libtorch/c++": "scripts/libtorch/c++", "libtorch/compat.h": "scripts/libtorch/compat.h",
		"libtorch/wheels.sha256": "scripts/libtorch/wheels.sha256",
	} {
		b, err := os.ReadFile(from)
		must(m.t, err)
		must(m.t, os.MkdirAll(filepath.Dir(filepath.Join(dir, to)), 0o755))
		must(m.t, os.WriteFile(filepath.Join(dir, to), b, 0o755))
	}
	must(m.t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module x\n\ngo 1.26.0\n"), 0o644))
}

func (m *machine) tool(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.bin, name)
	_ = os.Remove(path)
	must(m.t, os.WriteFile(path, []byte(text), 0o755))
}

func (m *machine) without(names ...string) {
	m.t.Helper()
	for _, n := range names {
		must(m.t, os.Remove(filepath.Join(m.bin, n)))
	}
}

func (m *machine) wheel(name string, files map[string]string) {
	m.t.Helper()
	writeZip(m.t, filepath.Join(m.wheels, name), files)
}

// pin writes the wheels' sums into the clone, in the order of the real file.
func (m *machine) pin() {
	m.t.Helper()
	var sums bytes.Buffer
	for _, name := range []string{torchWheel, cudaWheel, cuptiWheel} {
		b, err := os.ReadFile(filepath.Join(m.wheels, name))
		must(m.t, err)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), name)
	}
	must(m.t, os.WriteFile(filepath.Join(m.clone, "scripts/libtorch/wheels.sha256"), sums.Bytes(), 0o644))
}

// command is script (a path in the clone dir) on this machine, with more environment.
func (m *machine) command(dir, script string, env ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(m.bin, "bash"), filepath.Join(dir, script))
	cmd.Dir = m.home // not the clone: scripts must find it themselves
	cmd.Env = append([]string{
		"PATH=" + m.bin, "HOME=" + m.home, "XDG_CACHE_HOME=" + m.cache, "TMPDIR=" + m.tmp, "WHEELS=" + m.wheels,
	}, env...)
	return cmd
}

// setup runs set-up and returns its output and exit status (-1: killed).
func (m *machine) setup(env ...string) (string, int) {
	m.t.Helper()
	return m.run(m.command(m.clone, "scripts/setup.sh", env...))
}

func (m *machine) run(cmd *exec.Cmd) (string, int) {
	m.t.Helper()
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// mustSetup runs set-up, which must work, and returns its output.
func (m *machine) mustSetup(env ...string) string {
	m.t.Helper()
	out, code := m.setup(env...)
	if code != 0 {
		m.t.Fatalf("set-up failed with %d:\n%s", code, out)
	}
	return out
}

// refused runs set-up, which must fail with 1 and say every one of want.
func (m *machine) refused(env []string, want ...string) {
	m.t.Helper()
	out, code := m.setup(env...)
	if code != 1 {
		m.t.Errorf("exit status %d, want 1", code)
	}
	contains(m.t, out, want...)
}

// downloads counts what pip was asked for.
func (m *machine) downloads() int {
	b, _ := os.ReadFile(filepath.Join(m.wheels, "log"))
	return bytes.Count(b, []byte("\n"))
}

func (m *machine) remove(name string) {
	m.t.Helper()
	must(m.t, os.Remove(name))
}

// tree lists the files under dir, with their sizes.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		name, _ := filepath.Rel(dir, path)
		names = append(names, fmt.Sprintf("%s %d", name, info.Size()))
		return err
	}))
	sort.Strings(names)
	return names
}

func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// sharedLibrary returns a library that the dynamic linker loads.
var sharedLibraryOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "famebench-so")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	so := filepath.Join(dir, "empty.so")
	if out, err := exec.Command("gcc", "-shared", "-o", so, "-x", "c", "/dev/null").CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w: %s", err, out)
	}
	b, err := os.ReadFile(so)
	return string(b), err
})

func sharedLibrary(t *testing.T) string {
	t.Helper()
	so, err := sharedLibraryOnce()
	must(t, err)
	return so
}

func writeZip(t *testing.T, path string, files map[string]string) {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range files {
		f, err := w.Create(name)
		must(t, err)
		_, err = f.Write([]byte(text))
		must(t, err)
	}
	must(t, w.Close())
	must(t, os.WriteFile(path, buf.Bytes(), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
