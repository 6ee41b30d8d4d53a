//go:build linux && amd64

package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shells are those that users source env.sh in; zsh and dash where installed.
func shells() []string {
	found := []string{"bash", "sh"}
	for _, name := range []string{"dash", "zsh"} {
		if _, err := exec.LookPath(name); err == nil {
			found = append(found, name)
		}
	}
	return found
}

// source runs text in shell with env.sh at $ENV_SH, away from the clone.
func source(t *testing.T, m *machine, shell, text string, env ...string) string {
	t.Helper()
	cmd := exec.Command(shell, "-c", text)
	cmd.Dir = m.tmp
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + m.home, "XDG_CACHE_HOME=" + m.cache,
		"ENV_SH=" + filepath.Join(m.clone, "scripts/env.sh"),
	}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	return string(out)
}

func TestEnv(t *testing.T) {
	m := newMachine(t)
	const show = `. "$ENV_SH"; echo "$?|$CXX|$CGO_CXXFLAGS|$CGO_LDFLAGS|$CGO_ENABLED"`
	for _, shell := range shells() {
		t.Run("without library/"+shell, func(t *testing.T) {
			out := source(t, m, shell, show, "CXX=clang++", "CGO_ENABLED=0")
			contains(t, out, "libtorch 2.11.0 is not set up in "+m.torch, "make setup")
			// The shell lives, the status tells, nothing was changed.
			if last := lastLine(out); last != "1|clang++|||0" {
				t.Errorf("after sourcing: %s", last)
			}
		})
	}
	m.mustSetup()
	// Exactly these: they are part of the keys of Go's build cache.
	want := strings.ReplaceAll("0|$T/c++|-include $T/compat.h -I$T/include -I$T/include/torch/csrc/api/include|"+
		"-L$T/stub -L$T/lib -Wl,-rpath,$T/lib -Wl,--allow-shlib-undefined|1\n", "$T", m.torch)
	for _, shell := range shells() {
		t.Run(shell, func(t *testing.T) {
			if got := source(t, m, shell, show, "CXX=clang++", "CGO_ENABLED=0"); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if got := source(t, m, shell, "set -eu; . \"$ENV_SH\"; "+show); got != want {
				t.Errorf("twice, under set -eu: got\n%swant\n%s", got, want)
			}
		})
	}
	t.Run("home", func(t *testing.T) {
		out := source(t, m, "sh", show, "XDG_CACHE_HOME=")
		contains(t, out, "not set up in "+m.home+"/.cache/famebench/libtorch-2.11.0")
	})
}

func TestEnvRefusesOddPaths(t *testing.T) {
	m := newMachine(t)
	for cache, want := range map[string]string{
		"/tmp/a b": "no space or quote is allowed in the path",
		"/tmp/a'b": "no space or quote is allowed in the path",
		"here":     "is not an absolute path",
	} {
		for _, shell := range shells() {
			out := source(t, m, shell, `. "$ENV_SH"; echo "$?"`, "XDG_CACHE_HOME="+cache)
			contains(t, out, want)
			if lastLine(out) != "1" {
				t.Errorf("%s, %q: status %s, want 1", shell, cache, lastLine(out))
			}
		}
		m.refused([]string{"XDG_CACHE_HOME=" + cache}, want)
	}
}

// Without a home there is no place for helper files, not even with a library of the
// user's; /.cache is not made.
func TestEnvWithoutHome(t *testing.T) {
	m := newMachine(t)
	dir := m.libtorch("2.3.1")
	const want = "there is no cache folder, as neither HOME nor XDG_CACHE_HOME is set: set one of them"
	for _, env := range [][]string{nil, {"LIBTORCH=" + dir}} {
		for _, shell := range shells() {
			out := source(t, m, shell, `unset HOME XDG_CACHE_HOME; . "$ENV_SH"; echo "$?"`, env...)
			contains(t, out, want)
			if lastLine(out) != "1" {
				t.Errorf("%s: status %s, want 1", shell, lastLine(out))
			}
		}
		m.refused(append(env, "HOME=", "XDG_CACHE_HOME="), want)
	}
	if out := source(t, m, "sh", `unset HOME; . "$ENV_SH"; echo "$?"`); !strings.Contains(out, "not set up in "+m.torch) {
		t.Errorf("XDG_CACHE_HOME alone is not enough:\n%s", out)
	}
}

func TestEnvOfTheUsersLibtorch(t *testing.T) {
	m := newMachine(t)
	dir := m.libtorch("2.3.1")
	for _, shell := range shells() {
		out := source(t, m, shell, `. "$ENV_SH"; echo "$?"`, "LIBTORCH="+dir)
		contains(t, out, "libtorch 2.3.1 is not set up in "+dir, "make setup LIBTORCH="+dir)
	}
	m.mustSetup("LIBTORCH=" + dir)
	for _, shell := range shells() {
		// A relative path is as good, and so is a shell that stops at errors.
		got := source(t, m, shell, `set -eu; cd "$HOME/lib" && . "$ENV_SH" && echo "$CGO_LDFLAGS"`, "LIBTORCH=2.3.1/torch")
		contains(t, got, "-L"+m.cache+"/famebench/external-2.3.1/stub -L"+dir+"/lib ")
	}
}
