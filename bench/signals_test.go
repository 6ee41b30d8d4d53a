package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"famebench/internal/plan"
)

// code is the exit code of a process that has ended, -1 if a signal ended it.
func code(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit == nil {
		return 0
	}
	return exit.ExitCode()
}

// A signal ends the process at once where there is nothing to lose, whatever it does: here it
// reads data that takes many seconds to unpack, or a pipe to which nobody writes.
func TestSignalWhileReadingEndsAtOnce(t *testing.T) {
	dir := tiny(t)
	if _, stderr, err := runBench(t, dir, "-models", "popularity"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	id := idsOf(t, dir)["popularity"]
	config := filepath.Join(dir, plan.FileName)
	slow := filepath.Join(dir, "tiny.csv")
	writeSlow(t, slow)
	pipe := filepath.Join(dir, "results", "published.toml")
	for _, tt := range []struct {
		reads  string
		signal os.Signal
		args   []string
	}{
		{slow, syscall.SIGTERM, []string{"-models", "popularity"}},
		{slow, os.Interrupt, []string{"-dry-run"}},
		{slow, syscall.SIGHUP, []string{"-report", "-models", "popularity"}},
		{slow, os.Interrupt, []string{"-trec", id}},
		{slow, syscall.SIGTERM, []string{"-verify", id}}, // a child process reads
		{pipe, syscall.SIGTERM, []string{"-list"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			if tt.reads == pipe {
				if err := syscall.Mkfifo(pipe, 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(pipe)
			} else {
				tt.args = append(tt.args, "-set", "datasets.tiny.unpack_limit=100")
			}
			cmd := built(t, dir, append([]string{"-config", config}, tt.args...)...)
			temporary := t.TempDir()
			cmd.Env = append(cmd.Env, "TMPDIR="+temporary)
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			giveUp := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer giveUp.Stop()
			if tt.reads == pipe {
				w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // until there is a reader
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
			} else {
				waitForReader(t, tt.reads)
			}
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			if got := code(t, cmd.Wait()); got != exitInterrupted || stdout.Len() > 0 || !strings.Contains(stderr.String(), "interrupted") {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and a message", got, &stdout, &stderr, exitInterrupted)
			}
			if files, err := os.ReadDir(temporary); err != nil || len(files) > 0 {
				t.Errorf("temporary files are left: %v, %v", files, err)
			}
		})
	}
}

// writeSlow writes a table that unpacks to 32 GB of empty lines.
func writeSlow(t *testing.T, path string) {
	t.Helper()
	pack := func(text []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	write(t, path, string(slices.Concat(pack([]byte("u,i\n")), bytes.Repeat(pack(bytes.Repeat([]byte("\n"), 16<<20)), 2000))))
}

// waitForReader returns once a process has a file open.
func waitForReader(t *testing.T, path string) {
	t.Helper()
	for range 3000 {
		links, err := filepath.Glob("/proc/[0-9]*/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && target == path {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody opened %s", path)
}

// whileTraining starts a run without an end, calls do for every line of its stderr with the
// number of epochs that are over, and returns the process with its stderr.
func whileTraining(t *testing.T, cmd *exec.Cmd, do func(line string)) (exitCode int, log string) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		do(lines.Text())
	}
	return code(t, cmd.Wait()), text.String()
}

var endless = []string{"-models", "sasrec", "-set", "train.epochs=1000000", "-set", "train.patience=1000000"}

// Each of the signals that ask to stop keeps a checkpoint, also when it comes twice in a
// moment, as timeout(1) sends it to the process and to its group; then no table is made.
func TestSignalsKeepACheckpoint(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		dir := tiny(t)
		cmd := built(t, dir, endless...)
		var stdout strings.Builder
		cmd.Stdout = &stdout
		sent := false
		got, log := whileTraining(t, cmd, func(line string) {
			if !sent && strings.Contains(line, "epoch 1/") {
				sent = true
				for range 2 {
					if err := cmd.Process.Signal(signal); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		if got != exitInterrupted || !strings.Contains(log, "stopped, checkpoint kept") {
			t.Errorf("%v: exit code %d\n%s", signal, got, log)
		}
		tables, _ := filepath.Glob(filepath.Join(dir, "results", "tables", "*"))
		if stdout.Len() > 0 || len(tables) > 0 || strings.Contains(log, "comparing") {
			t.Errorf("%v: a table was made: %v\n%s%s", signal, tables, &stdout, log)
		}
	}
}

// nohup ignores SIGHUP, and so do parent and child.
func TestNohup(t *testing.T) {
	dir := tiny(t)
	direct := built(t, dir, endless...)
	cmd := exec.Command("sh", slices.Concat([]string{"-c", `trap "" HUP; exec "$@"`, "sh"}, direct.Args)...)
	cmd.Dir, cmd.Env = direct.Dir, direct.Env
	got, log := whileTraining(t, cmd, func(line string) {
		var err error
		switch {
		case strings.Contains(line, "epoch 1/"):
			err = cmd.Process.Signal(syscall.SIGHUP)
		case strings.Contains(line, "epoch 20/"):
			err = cmd.Process.Signal(syscall.SIGTERM)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if got != exitInterrupted || !strings.Contains(log, "epoch 20/") || !strings.Contains(log, "stopped, checkpoint kept") {
		t.Errorf("exit code %d\n%s", got, log)
	}
}
