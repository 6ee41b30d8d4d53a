//go:build linux && amd64

package scripts_test

import (
	"os"
	"path/filepath"
	"testing"
)

// .ci/run must fail on a skipped test, whatever go test says of it.
func TestCIForbidsSkips(t *testing.T) {
	for name, c := range map[string]struct {
		output string // of make test, in lines
		status string
		code   int
		want   string
	}{
		"all ran":      {"--- PASS: TestA (0.00s)\nok  \tfamebench/x\t0.1s", "0", 0, ""},
		"CUDA skipped": {"--- SKIP: TestCUDA (0.00s)\nok  \tfamebench/x\t0.1s", "0", 0, ""},
		"skipped":      {"--- SKIP: TestB (0.00s)\nok  \tfamebench/x\t0.1s", "0", 1, "forbids:\n--- SKIP: TestB"},
		"subtest":      {"    --- SKIP: TestC/big (0.00s)\nok  \tfamebench/x\t0.1s", "0", 1, "--- SKIP: TestC/big"},
		"failed":       {"--- FAIL: TestD (0.00s)\nFAIL\tfamebench/x\t0.1s", "2", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.tool("chromium", "#!/bin/sh\n")
			for _, script := range []string{"fetch-encoder.sh", "slurm-check.sh"} {
				must(t, os.WriteFile(filepath.Join(m.clone, "scripts", script), []byte("#!/bin/sh\n"), 0o755))
			}
			m.tool("make", "#!/bin/sh\n[ \"$REQUIRE_ALL\" = 1 ] || exit 7\n"+
				"[ \"$1\" = test ] || { mkdir -p .bin; echo '#!/bin/sh' >.bin/bench; chmod +x .bin/bench; exit 0; }\n"+
				"cat <<'END'\n"+
				c.output+"\nEND\nexit "+c.status+"\n")
			out, code := m.run(m.command(m.clone, ".ci/run", "CI=true"))
			if code != c.code {
				t.Errorf("exit status %d, want %d:\n%s", code, c.code, out)
			}
			contains(t, out, c.output, c.want)
			if c.want == "" && lastLine(out) != lastLine(c.output) {
				t.Errorf("last line %q is not go test's", lastLine(out))
			}
			if left := tree(t, m.tmp); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
