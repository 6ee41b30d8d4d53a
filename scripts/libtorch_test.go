//go:build linux && amd64

package scripts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// libtorch makes a library of the user's and returns its folder. The header
// that holds the version is the one of libtorch 2.1.
func (m *machine) libtorch(version string) string {
	m.t.Helper()
	dir := filepath.Join(m.home, "lib", version, "torch")
	api := filepath.Join(dir, "include/torch/csrc/api/include/torch")
	must(m.t, os.MkdirAll(api, 0o755))
	must(m.t, os.MkdirAll(filepath.Join(dir, "lib"), 0o755))
	must(m.t, os.WriteFile(filepath.Join(api, "torch.h"), nil, 0o644))
	must(m.t, os.WriteFile(filepath.Join(api, "version.h"),
		[]byte("/// Indicates the version.\n#define TORCH_VERSION \\\n  \""+version+"\"\n"), 0o644))
	for _, name := range []string{"libc10.so", "libtorch_cpu.so"} {
		must(m.t, os.WriteFile(filepath.Join(dir, "lib", name), []byte(sharedLibrary(m.t)), 0o755))
	}
	return dir
}

func TestLibtorchOfTheUser(t *testing.T) {
	m := newMachine(t)
	dir := m.libtorch("2.3.1")
	before := tree(t, dir)
	m.without("unzip", "python3") // nothing to fetch, so not needed
	out := m.mustSetup("LIBTORCH=" + dir)
	contains(t, out, "using libtorch 2.3.1 in "+dir)
	contains(t, lastLine(out), "Next: make bench LIBTORCH="+dir)
	if after := tree(t, dir); !slices.Equal(before, after) {
		t.Errorf("the user's folder was changed: %q", after)
	}
	helpers := filepath.Join(m.cache, "famebench/external-2.3.1")
	want := fmt.Sprintf("%s/c++|-include %s/compat.h -I%s/include -I%s/include/torch/csrc/api/include|"+
		"-L%s/stub -L%s/lib -Wl,-rpath,%s/lib -Wl,--allow-shlib-undefined\n", helpers, helpers, dir, dir, helpers, dir, dir)
	if b, _ := os.ReadFile(filepath.Join(m.clone, ".bin/bench")); string(b) != want {
		t.Errorf("built with\n%swant\n%s", b, want)
	}
	if m.downloads() != 0 {
		t.Error("something was fetched")
	}
	// The working folder of the test's machine is its home.
	contains(t, lastLine(m.mustSetup("LIBTORCH=lib/2.3.1/torch")), "Next: make bench LIBTORCH="+dir)
}

func TestLibtorchOldABI(t *testing.T) {
	m := newMachine(t)
	dir := m.libtorch("2.1.0")
	// c10::detail::torchCheckFail with the old std::string, as in the wheel of 2.1.0.
	so := sharedLibrary(t) + "\x00_ZN3c106detail14torchCheckFailEPKcS2_jRKSs\x00"
	must(t, os.WriteFile(dir+"/lib/libc10.so", []byte(so), 0o755))
	m.mustSetup("LIBTORCH=" + dir)
	b, err := os.ReadFile(filepath.Join(m.clone, ".bin/bench"))
	must(t, err)
	contains(t, string(b), "/include -D_GLIBCXX_USE_CXX11_ABI=0|")
}

func TestLibtorchRefused(t *testing.T) {
	m := newMachine(t)
	text := m.libtorch("2.2.0")
	must(t, os.WriteFile(text+"/lib/libtorch_cpu.so", []byte("text"), 0o755))
	headless := m.libtorch("2.4.0")
	must(t, os.RemoveAll(headless+"/include/torch"))
	unversioned := m.libtorch("2.5.0")
	m.remove(unversioned + "/include/torch/csrc/api/include/torch/version.h")
	lacking := m.libtorch("2.6.0")
	gcc := func(args ...string) {
		cmd := exec.Command("gcc", append([]string{"-shared"}, args...)...)
		cmd.Dir = lacking + "/lib"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v: %s", err, out)
		}
	}
	gcc("-o", "libgone.so", "-x", "c", "/dev/null")
	gcc("-o", "libtorch_cpu.so", "-Wl,--no-as-needed", "-L.", "-lgone")
	m.remove(lacking + "/lib/libgone.so")

	for name, c := range map[string]struct{ dir, want string }{
		"no folder":     {m.home + "/nowhere", "LIBTORCH=" + m.home + "/nowhere: no such folder"},
		"relative":      {"nowhere", "LIBTORCH=" + m.home + "/nowhere: no such folder"},
		"no libtorch":   {m.wheels, "has no include/ and lib/: give an unpacked libtorch"},
		"site-packages": {filepath.Dir(m.libtorch("2.7.0")), "did you mean LIBTORCH=" + m.home + "/lib/2.7.0/torch ?"},
		"too old":       {m.libtorch("2.0.1"), "is libtorch 2.0.1: 2.1 or newer is needed"},
		"no headers":    {headless, "has no include/torch/csrc/api/include/torch/torch.h"},
		"no version":    {unversioned, "no version in its headers"},
		"no library":    {text, "is not a library for this machine"},
		"lacking":       {lacking, "cannot be loaded, because these are missing: libgone.so => not found"},
	} {
		t.Run(name, func(t *testing.T) {
			(&machine{t: t, clone: m.clone, bin: m.bin, cache: m.cache, home: m.home, tmp: m.tmp, wheels: m.wheels}).
				refused([]string{"LIBTORCH=" + c.dir}, c.want)
		})
	}
}
