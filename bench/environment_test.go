package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"famebench/internal/run"
)

// limited is built under a limit of the shell, such as "ulimit -v 1000000".
func limited(t *testing.T, limit, dir string, args ...string) *exec.Cmd {
	t.Helper()
	direct := built(t, dir, args...)
	cmd := exec.Command("sh", slices.Concat([]string{"-c", limit + ` && exec "$@"`, "sh"}, direct.Args)...)
	cmd.Dir, cmd.Env = direct.Dir, direct.Env
	return cmd
}

// eatMemory is the variable that makes the command allocate, before it does anything else,
// until there is no more.
const eatMemory = "BENCH_TEST_EAT_MEMORY"

func eat() {
	var all [1 << 20][]byte
	for i := range all {
		all[i] = make([]byte, 256<<20) // untouched: address space, no memory
	}
	runtime.KeepAlive(&all)
}

// Go's runtime would print a trace and end with exit code 2, "nothing ran".
func TestOutOfMemoryIsOneLine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux refuses address space")
	}
	cmd := limited(t, "ulimit -v 16000000", tiny(t), "-list")
	cmd.Env = append(cmd.Env, eatMemory+"=1")
	out, err := cmd.CombinedOutput()
	if got := code(t, err); got != exitFailed || bytes.Count(out, []byte("\n")) != 1 || !bytes.HasPrefix(out, []byte("bench: out of memory")) {
		t.Errorf("exit code %d, want %d and one line\n%s", got, exitFailed, out)
	}
}

// Under a limit that is not reached everything is as without, messages and exit codes too.
func TestLimitedMemoryChangesNothing(t *testing.T) {
	dir := tiny(t)
	for _, args := range [][]string{{"-list"}, {"-models", "nobody"}, {"-report", "-seeds", "77"}, {"-models", "popularity"}} {
		free, err := built(t, dir, args...).Output()
		want := code(t, err)
		cmd := limited(t, "ulimit -v 16000000", dir, args...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		if c := code(t, err); c != want || !bytes.Equal(got, free) || want != 0 && !strings.HasPrefix(stderr.String(), "bench: ") {
			t.Errorf("%v: exit code %d, want %d\n%s\n%s\nwant\n%s", args, c, want, &stderr, got, free)
		}
	}
}

// Go's runtime puts /dev/null in the place of a standard output that is closed.
func TestClosedStdoutIsAnError(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	dir := tiny(t)
	for _, args := range [][]string{{"-help"}, {"-list", "-json"}, {"-models", "popularity"}} {
		cmd := limited(t, "exec >&-", dir, args...)
		out, err := cmd.CombinedOutput()
		if got := code(t, err); got != exitFailed || !strings.Contains(string(out), "standard output is incomplete: write /dev/stdout: bad file descriptor") {
			t.Errorf("%v: exit code %d, want %d\n%s", args, got, exitFailed, out)
		}
	}
	if !strings.Contains(customTable(t, filepath.Join(dir, "results")), "popularity") {
		t.Error("the table was not written")
	}
}

// The words for memory that ran out are listed in two languages.
func TestWordsOfTheWatcher(t *testing.T) {
	source := read(t, "../internal/process/memory_linux.c")
	list := regexp.MustCompile(`(?s)words\[\] = \{(.*?)\};`).FindStringSubmatch(source)
	if list == nil {
		t.Fatal("no list of words")
	}
	words := regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list[1], -1)
	if len(words) < 5 {
		t.Fatalf("words %q", words)
	}
	for _, w := range words {
		if !run.OutOfMemory(w[1]) {
			t.Errorf("package run does not know %q", w[1])
		}
	}
}

// A file that cannot grow is like a full disk: every run that needs more is left, the table
// says so, and the same command does it when there is room.
func TestFullDisk(t *testing.T) {
	dir := tiny(t)
	args := []string{"-models", "popularity,sasrec", "-threads", "1"}
	cmd := limited(t, "ulimit -f 4", dir, args...) // 2 or 4 KB; SASRec's checkpoint has 20
	out, err := cmd.CombinedOutput()
	if got := code(t, err); got != exitFailed || !strings.Contains(string(out), "file too large") ||
		!strings.Contains(string(out), "could not be done here; the same command tries them again") || strings.Contains(string(out), "goroutine") {
		t.Fatalf("exit code %d\n%s", got, out)
	}
	report, stderr, err := runBench(t, dir, "-dry-run", "-models", "popularity,sasrec")
	if err != nil || !strings.Contains(report, "to run (last attempt: ") {
		t.Errorf("dry run: %v\n%s%s", err, report, stderr)
	}
	out, err = built(t, dir, args...).CombinedOutput()
	if err != nil || strings.Count(string(out), "│ sasrec") != 2 {
		t.Errorf("with room: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "results", "runs", "*.failed.json")); len(left) > 0 {
		t.Errorf("the failure stays after success: %v", left)
	}
}

// A failure of the environment is in the table's notes, without paths of the machine.
func TestTableTellsOfTheEnvironment(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "popularity"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	id := regexp.MustCompile(`tiny-markov-s0-[0-9a-f]{8}`).FindString(stderrOf(t, dir))
	write(t, filepath.Join(dir, "results", "runs", id+".failed.json"), `{"id": "`+id+`", "reason": "no space left in /home/me", "environment": true}`)
	stdout, _, err := runBench(t, dir, "-report", "-models", "popularity,markov")
	flat := strings.Join(strings.Fields(stdout), " ")
	if err != nil || !strings.Contains(flat, "the machine kept it from ending, see runs/"+id+".failed.json; the same command tries it again") || strings.Contains(flat, "/home/me") {
		t.Errorf("%v\n%s", err, stdout)
	}
	// One without the mark is from before, or the run's own: it is not tried again.
	write(t, filepath.Join(dir, "results", "runs", id+".failed.json"), `{"id": "`+id+`", "reason": "killed by signal 9"}`)
	if _, stderr, err := runBench(t, dir, "-models", "popularity,markov"); exitCode(err) != exitFailed || !strings.Contains(stderr, "failed before, see -retry-failed: killed by signal 9") {
		t.Errorf("an old failure: %v\n%s", err, stderr)
	}
}

// Two processes share the work of one folder and print the same tables.
func TestTwoProcesses(t *testing.T) {
	dir := tiny(t)
	var cmds []*exec.Cmd
	var outs [2]strings.Builder
	var logs [2]strings.Builder
	for i := range outs {
		cmd := built(t, dir, "-threads", "1", "-seeds", "0,1")
		cmd.Stdout, cmd.Stderr = &outs[i], &logs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i, err, &logs[i])
		}
	}
	if outs[0].String() != outs[1].String() || !strings.Contains(outs[0].String(), "│ sasrec") {
		t.Errorf("the tables differ:\n%s\n%s", &outs[0], &outs[1])
	}
}
