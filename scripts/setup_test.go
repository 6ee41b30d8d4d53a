//go:build linux && amd64

package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestSetupFromNothing(t *testing.T) {
	m := newMachine(t)
	out := m.mustSetup()
	if last := lastLine(out); !strings.HasPrefix(last, "setup: done. Next: make bench ") {
		t.Errorf("last line: %s", last)
	}

	var names []string
	for _, line := range tree(t, m.torch) {
		names = append(names, strings.Fields(line)[0])
	}
	want := []string{
		"MANIFEST", "c++", "compat.h",
		"include/torch/csrc/api/include/torch/torch.h", "include/torch/headeronly/version.h",
		"lib/libc10.so", "lib/libcudart.so.13", "lib/libcupti.so.13", "lib/libgomp.so.1", "lib/libtorch_cpu.so",
		"stub/libc10_cuda.a", "stub/libcaffe2_nvrtc.a", "stub/libcublas.a", "stub/libcuda.a", "stub/libcudart.a",
		"stub/libcudnn.a", "stub/libnvToolsExt.a", "stub/libnvrtc-builtins.a", "stub/libnvrtc.a", "stub/libtorch.a",
		"stub/libtorch_cuda.a",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the library folder holds\n%q\nwant\n%q", names, want)
	}
	if b, err := os.ReadFile(filepath.Join(m.clone, ".bin/bench")); err != nil || !strings.Contains(string(b), "-L"+m.torch+"/lib") {
		t.Errorf(".bin/bench was not built with the library: %s %v", b, err)
	}

	// Any pip can get them: each by the platform and Python that the file is for.
	log, err := os.ReadFile(filepath.Join(m.wheels, "log"))
	must(t, err)
	for i, want := range []string{"manylinux_2_28_x86_64 torch==2.11.0", "manylinux2014_x86_64 nvidia_cuda_runtime==13.0.96", "manylinux_2_25_x86_64 nvidia_cuda_cupti==13.0.85"} {
		platform, name, _ := strings.Cut(want, " ")
		line := strings.Split(string(log), "\n")[i]
		contains(t, line, "--no-cache-dir --no-deps --only-binary=:all: ", "--python-version 3.11 ", "--platform "+platform+" -d ", " "+name)
	}

	// Nothing anywhere else: no wheels, no temporary files, nothing in the home.
	if got := tree(t, filepath.Dir(m.torch)); len(got) != len(want)+1 { // + setup.lock
		t.Errorf("left in the cache folder: %q", got)
	}
	for _, dir := range []string{m.home, m.tmp} {
		if got := tree(t, dir); len(got) > 0 {
			t.Errorf("left in %s: %q", dir, got)
		}
	}

	// Again: the same last line, no download, the library untouched.
	before := tree(t, m.torch)
	if again := m.mustSetup(); lastLine(again) != lastLine(out) || m.downloads() != 3 {
		t.Errorf("second run: %d downloads in all, want 3; output:\n%s", m.downloads(), again)
	}
	if after := tree(t, m.torch); !slices.Equal(before, after) {
		t.Errorf("second run changed the library: %q, was %q", after, before)
	}
	cmd := m.command(m.clone, "scripts/setup.sh")
	cmd.Args = append(cmd.Args, "--if-needed")
	if out, code := m.run(cmd); out != "" || code != 0 {
		t.Errorf("--if-needed on a set-up clone: %d, %q; want silence", code, out)
	}
}

func TestSetupUsage(t *testing.T) {
	m := newMachine(t)
	cmd := m.command(m.clone, "scripts/setup.sh")
	cmd.Args = append(cmd.Args, "-help")
	out, code := m.run(cmd)
	if code != 2 {
		t.Errorf("exit status %d, want 2", code)
	}
	contains(t, out, "--if-needed", "LIBTORCH=DIR", "VERIFY=1")
}

func TestSetupNamesAllThatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		without []string
		env     []string
		df      string            // free megabytes
		tools   map[string]string // commands of stand-ins
		want    []string
	}{
		"two tools":  {without: []string{"g++", "unzip"}, want: []string{"- g++ 10 or newer", "- unzip", "apt-get install -y g++ unzip\n"}},
		"many tools": {without: []string{"gcc", "make", "ar", "python3"}, want: []string{"- g++", "- make", "- ar", "- python3 with pip, which fetches libtorch; or a libtorch of your own: make setup LIBTORCH=DIR", "install -y g++ binutils make python3-pip\n"}},
		"go":         {without: []string{"go"}, want: []string{"- go 1.26.0 or newer: see https://go.dev/doc/install"}},
		"old go":     {env: []string{"FAKE_GOVERSION=go1.19.8"}, want: []string{"- go 1.26.0 or newer (found 1.19.8)"}},
		"odd go":     {env: []string{"FAKE_GOVERSION=go: no such tool"}, want: []string{"- go 1.26.0 or newer (found: go: no such tool)"}},
		"old g++":    {tools: map[string]string{"g++": "echo 9.4.0"}, want: []string{"- g++ 10 or newer (found 9.4.0)"}},
		"no AVX2":    {tools: map[string]string{"g++": "echo 11.4.0", "grep": "exit 1"}, want: []string{"- g++ 12 or newer (found 11.4.0): an older one is enough only for processors with AVX2", "install -y g++-12\n"}},
		"disk":       {df: "100", want: []string{"- 1500 MB of free disk in ", "(found 100 MB)"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.without(c.without...)
			if c.df != "" {
				m.tool("df", "#!/bin/sh\necho head\necho disk 9 9 "+c.df+" 9% /\n")
			}
			for name, command := range c.tools {
				m.tool(name, "#!/bin/sh\n"+command+"\n")
			}
			m.refused(c.env, append(c.want, "setup: missing:", "Then run this again.")...)
			if got := tree(t, m.cache); len(got) > 0 || m.downloads() > 0 {
				t.Errorf("work was done before the prerequisites were there: %q, %d downloads", got, m.downloads())
			}
		})
	}
	t.Run("new enough", func(t *testing.T) {
		newMachine(t).mustSetup("FAKE_GOVERSION=go1.27rc1")
		newMachine(t).mustSetup("FAKE_GOVERSION=go: downloading go1.26.0 (linux/amd64)\ngo1.26.0") // by an older go
	})
}

func TestSetupMendsDamagedDownload(t *testing.T) {
	m := newMachine(t)
	m.refused([]string{"FAKE_PIP=cut"}, cuptiWheel+": the download is damaged", "run this again")
	if _, err := os.Stat(m.torch); err == nil {
		t.Error("a library was made of a damaged download")
	}
	// The whole ones are kept: only the damaged one is fetched again.
	contains(t, m.mustSetup(), torchWheel+" is already there")
	if m.downloads() != 4 {
		t.Errorf("%d downloads, want 3 and 1", m.downloads())
	}
}

func TestSetupRefusesAnotherWheel(t *testing.T) {
	m := newMachine(t)
	m.wheel(cudaWheel, map[string]string{"nvidia/cu13/lib/libcudart.so.13": "evil"}) // after the sums were taken
	m.refused(nil, cudaWheel+": the download is damaged or is not the pinned file")
}

func TestSetupRefusesLibraryThatCannotLoad(t *testing.T) {
	m := newMachine(t)
	m.wheel(torchWheel, map[string]string{
		"torch/include/a.h": "", "torch/lib/libc10.so": "text", "torch/lib/libgomp.so.1": "text", "torch/lib/libtorch_cpu.so": "text",
	})
	m.pin()
	m.refused(nil, "is not a library for this machine")
	if _, err := os.Stat(m.torch); err == nil {
		t.Error("it was put in place all the same")
	}
}

func TestSetupMendsInterruption(t *testing.T) {
	m := newMachine(t)
	if out, code := m.setup("FAKE_PIP=kill"); code != -1 {
		t.Fatalf("not killed: %d\n%s", code, out)
	}
	if _, err := os.Stat(m.torch); err == nil {
		t.Error("a killed set-up left a library")
	}
	m.mustSetup()
	if _, err := os.Stat(m.torch + ".part"); err == nil {
		t.Error("the temporary folder of the killed run is still there")
	}
}

func TestSetupMendsDamagedLibrary(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(m *machine) error
		env    string
		want   string
	}{
		"truncated": {func(m *machine) error { return os.Truncate(m.torch+"/lib/libtorch_cpu.so", 7) }, "", "lib/libtorch_cpu.so has 7 bytes, not "},
		"missing":   {func(m *machine) error { return os.Remove(m.torch + "/include/torch/headeronly/version.h") }, "", "include/torch/headeronly/version.h is missing"},
		"emptied":   {func(m *machine) error { return os.RemoveAll(m.torch + "/lib") }, "", "is missing (and 4 more)"},
		"unstamped": {func(m *machine) error { return os.Remove(m.torch + "/MANIFEST") }, "", "has no manifest"},
		"same size": {func(m *machine) error {
			return os.WriteFile(m.torch+"/include/torch/csrc/api/include/torch/torch.h", []byte("#pragma twice"), 0o644)
		}, "VERIFY=1", "include/torch/csrc/api/include/torch/torch.h: FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.mustSetup()
			want := tree(t, m.torch)
			must(t, c.damage(m))
			contains(t, m.mustSetup(c.env), c.want)
			if got := tree(t, m.torch); !slices.Equal(got, want) {
				t.Errorf("mended folder:\n%q\nwant\n%q", got, want)
			}
			if m.downloads() != 6 {
				t.Errorf("%d downloads, want 3 and 3", m.downloads())
			}
			contains(t, m.mustSetup("VERIFY=1"), "SHA-256 of 7 files checked")
		})
	}
}

func TestSetupRestoresHelpers(t *testing.T) {
	m := newMachine(t)
	m.mustSetup()
	want := tree(t, m.torch)
	m.remove(m.torch + "/stub/libcuda.a")
	must(t, os.WriteFile(m.torch+"/compat.h", []byte("// from another version of the clone"), 0o644))
	m.mustSetup()
	if got := tree(t, m.torch); !slices.Equal(got, want) || m.downloads() != 3 {
		t.Errorf("got %q after %d downloads\nwant %q after 3", got, m.downloads(), want)
	}
}

func TestSetupTwoClonesAtOnce(t *testing.T) {
	m := newMachine(t)
	other := m.clone + "2"
	m.newClone(other)
	b, err := os.ReadFile(filepath.Join(m.clone, "scripts/libtorch/wheels.sha256"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(other, "scripts/libtorch/wheels.sha256"), b, 0o644))

	// Both wait for a set-up that is running (this test), then race.
	must(t, os.MkdirAll(filepath.Dir(m.torch), 0o755))
	lock, err := os.Create(filepath.Join(filepath.Dir(m.torch), "setup.lock"))
	must(t, err)
	must(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	first, second := m.command(m.clone, "scripts/setup.sh"), m.command(other, "scripts/setup.sh")
	for _, cmd := range []*exec.Cmd{first, second} {
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		line := make([]byte, len("setup: another set-up is running"))
		if _, err := out.Read(line); err != nil || string(line) != "setup: another set-up is running" {
			t.Errorf("first words: %q, %v", line, err)
		}
		go func() { _, _ = out.Read(make([]byte, 1<<16)) }()
	}
	if m.downloads() != 0 {
		t.Error("a download began while the lock was held")
	}
	must(t, lock.Close())
	for _, cmd := range []*exec.Cmd{first, second} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd.Path, err)
		}
	}
	if m.downloads() != 3 {
		t.Errorf("%d downloads by two clones, want 3", m.downloads())
	}
	contains(t, m.mustSetup("VERIFY=1"), "SHA-256 of 7 files checked")
}

func TestSetupOtherPlatforms(t *testing.T) {
	for _, uname := range []string{"Darwin", "aarch64"} {
		m := newMachine(t)
		m.tool("uname", "#!/bin/sh\n[ $1 = -s ] && echo Linux || echo "+uname+"\n")
		if uname == "Darwin" {
			m.tool("uname", "#!/bin/sh\n[ $1 = -s ] && echo Darwin || echo arm64\n")
		}
		m.refused(nil, "linux on x86-64 is supported", "LIBTORCH=DIR")
		contains(t, m.mustSetup("LIBTORCH="+m.libtorch("2.11.0")), "using libtorch 2.11.0")
	}
}

// Nothing is taken whose checksum is not pinned: where pip fails or is missing, set-up
// says what to do and asks no other site.
func TestSetupTakesPinnedFilesOnly(t *testing.T) {
	curl := func(m *machine) {
		m.tool("curl", "#!/bin/sh\necho \"$@\" >>\"$WHEELS/curl\"\nexit 1\n")
	}
	t.Run("pip fails", func(t *testing.T) {
		m := newMachine(t)
		curl(m)
		m.refused([]string{"FAKE_PIP=fail"}, "pip could not fetch libtorch", "run this again", "make setup LIBTORCH=DIR")
		m.askedNobody()
	})
	t.Run("no pip", func(t *testing.T) {
		m := newMachine(t)
		m.without("python3")
		curl(m)
		m.refused(nil, "- python3 with pip, which fetches libtorch", "make setup LIBTORCH=DIR", "install -y python3-pip")
		m.askedNobody()
	})
	t.Run("a library of the user's", func(t *testing.T) {
		m := newMachine(t)
		m.without("python3")
		curl(m)
		if out := m.mustSetup("LIBTORCH=" + m.libtorch("2.11.0")); strings.Contains(out, "SHA-256") {
			t.Errorf("a library that nobody checked is called checked:\n%s", out)
		}
		m.askedNobody()
	})
}

// askedNobody fails if curl was called, or a library was made.
func (m *machine) askedNobody() {
	m.t.Helper()
	if b, err := os.ReadFile(filepath.Join(m.wheels, "curl")); err == nil {
		m.t.Errorf("curl was called: %s", b)
	}
	if _, err := os.Stat(m.torch); err == nil {
		m.t.Error("a library was made")
	}
}
