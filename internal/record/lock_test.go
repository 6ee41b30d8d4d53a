package record

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// TestMain lets the test binary act as a second process, which takes a lock,
// says so, and waits to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_TEST_HOLD"); dir != "" {
		l, _, err := Store{Dir: dir}.Lock("run")
		if l == nil || err != nil {
			os.Exit(3)
		}
		os.Stdout.WriteString("held\n")
		bufio.NewReader(os.Stdin).ReadByte() // until the parent ends
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLockBetweenProcesses(t *testing.T) {
	s := makeStore(t)
	if busy, _, err := s.Busy("run"); busy || err != nil {
		t.Fatalf("busy before anything: %v, %v", busy, err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RECORD_TEST_HOLD="+s.Dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}

	l, holder, err := s.Lock("run")
	if l != nil || err != nil {
		t.Fatalf("took a lock that another process holds: %v", err)
	}
	if holder.PID != cmd.Process.Pid {
		t.Errorf("holder %v, want process %d", holder, cmd.Process.Pid)
	}
	// The lease of a process that is alive but was paused for long does not count, as the kernel's lock does.
	age(t, s, "run", time.Hour)
	if busy, _, err := s.Busy("run"); !busy || err != nil {
		t.Errorf("busy %v, %v while held", busy, err)
	}
	if other, _, err := s.Lock("other"); other == nil || err != nil {
		t.Errorf("lock of another run: %v", err)
	} else if err := other.Release(); err != nil {
		t.Error(err)
	}

	if err := cmd.Process.Kill(); err != nil { // as kill -9 does
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l, holder, err = s.Lock("run")
	if l == nil || err != nil {
		t.Fatalf("lock of a killed process is not free: %v, %v", holder, err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if busy, _, err := s.Busy("run"); busy || err != nil {
		t.Errorf("busy %v, %v after release", busy, err)
	}
}

// Locks of other file systems, because the kernel's own work.
var (
	alwaysGranted = kernel{granted, granted}
	missing       = kernel{refused(syscall.ENOSYS), refused(syscall.ENOSYS)}
)

func granted(f *flock.Flock) (bool, error) { return true, os.WriteFile(f.Path(), nil, 0o644) }

func refused(err error) func(*flock.Flock) (bool, error) {
	return func(f *flock.Flock) (bool, error) {
		return false, errors.Join(err, os.WriteFile(f.Path(), nil, 0o644))
	}
}

// Where locks do not work, a notice says that leases are used.
func TestLocksThatDoNotHold(t *testing.T) {
	s := makeStore(t)
	var notices []string
	s.Notice = func(text string) { notices = append(notices, text) }
	if err := s.CheckLocks(); err != nil || len(notices) > 0 {
		t.Fatalf("%v, %q", err, notices)
	}
	held, err := os.OpenFile(filepath.Join(s.Dir, "state", "probe.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckLocks(); err != nil || len(notices) > 0 { // another process checks at the same time
		t.Errorf("while another process checks: %v, %q", err, notices)
	}
	for name, k := range map[string]kernel{
		"no such call":   missing,
		"no server":      {refused(syscall.ENOLCK), nil},
		"not supported":  {refused(syscall.EOPNOTSUPP), nil},
		"always granted": alwaysGranted,
	} {
		notices = nil
		if err := s.checkLocks(k); err != nil || len(notices) != 1 || !strings.Contains(notices[0], "no working locks (flock): leases") {
			t.Errorf("%s: %v, notices %q", name, err, notices)
		}
	}
	if err := s.checkLocks(kernel{refused(syscall.EIO), nil}); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("another error: %v", err)
	}
	if entries, err := filepath.Glob(filepath.Join(globQuote(s.Dir), "state", "probe-*")); len(entries) > 0 || err != nil {
		t.Errorf("left behind: %q, %v", entries, err)
	}
}

// If a lock were a symbolic link, heartbeats would overwrite the file that it
// points to.
func TestLockFollowsNoLink(t *testing.T) {
	s := makeStore(t)
	target := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(target, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, s.lockPath("run")); err != nil {
		t.Fatal(err)
	}
	if l, _, err := s.Lock("run"); l != nil || err == nil || !strings.Contains(err.Error(), "is a symbolic link, expected a file: remove it") {
		t.Errorf("lock %v, %v", l, err)
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "mine" {
		t.Errorf("the file behind the link says %q, %v", b, err)
	}
}
