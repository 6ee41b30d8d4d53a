//go:build linux && amd64

package scripts_test

import (
	"os"
	"path/filepath"
	"testing"
)

// What offline.sh makes on one machine is all that set-up needs on another, in another folder.
func TestOffline(t *testing.T) {
	m := newMachine(t)
	folder := filepath.Join(m.tmp, "folder")
	offline := func() (string, int) {
		cmd := m.command(m.clone, "scripts/offline.sh")
		cmd.Args = append(cmd.Args, folder)
		return m.run(cmd)
	}
	if out, code := offline(); code != 1 {
		t.Fatalf("before set-up: exit status %d\n%s", code, out)
	} else {
		contains(t, out, "is not set up in "+m.torch+". Run 'make setup'")
	}
	m.mustSetup()
	must(t, os.MkdirAll(filepath.Join(m.cache, "famebench/encoders/x"), 0o755))
	must(t, os.WriteFile(filepath.Join(m.cache, "famebench/encoders/x/config.json"), []byte("{}"), 0o644))
	// go keeps the modules where GOMODCACHE says, and takes those of this machine first.
	m.tool("go", `#!/bin/sh
case $* in
"env GOMODCACHE") echo /mods ;;
"env GOPROXY") echo https://proxy.example ;;
"mod download") mkdir -p "$GOMODCACHE"; echo "$GOPROXY $GOFLAGS" >"$GOMODCACHE/log" ;;
*) exit 9 ;;
esac
`)
	for range 2 { // safe to repeat
		if out, code := offline(); code != 0 {
			t.Fatalf("exit status %d\n%s", code, out)
		}
	}
	log, err := os.ReadFile(filepath.Join(folder, "modules/log"))
	must(t, err)
	contains(t, string(log), "file:///mods/cache/download,https://proxy.example -modcacherw")

	other := newMachine(t)
	other.without("python3", "unzip") // only a download needs them
	moved := filepath.Join(other.home, "moved")
	must(t, os.Rename(folder, moved))
	other.tool("go", `#!/bin/sh
[ "$GOMODCACHE $GOPROXY $GOTOOLCHAIN" = "`+moved+`/modules off local" ] || exit 9
`+fakeGo)
	cmd := other.command(other.clone, "scripts/setup.sh")
	cmd.Args = []string{"bash", "-c", `. "$1/env.sh" && "$2/scripts/setup.sh"`, "bash", moved, other.clone}
	out, code := other.run(cmd)
	if code != 0 {
		t.Fatalf("exit status %d\n%s", code, out)
	}
	contains(t, out, "libtorch 2.11.0 is in "+moved+"/cache/famebench/libtorch-2.11.0, sizes of ")
	if _, err := os.Stat(filepath.Join(moved, "cache/famebench/encoders/x/config.json")); err != nil {
		t.Error(err)
	}
	if left := tree(t, other.cache); len(left) > 0 {
		t.Errorf("the usual cache folder holds %q", left)
	}
}
