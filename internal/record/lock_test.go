package record

import (
	"bufio"
	"encoding/json"
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
	// The first heartbeat may not be written yet; then the holder is empty.
	if holder.PID != 0 && holder.PID != cmd.Process.Pid {
		t.Errorf("holder %v, want process %d", holder, cmd.Process.Pid)
	}
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

// TestLocksThatDoNotHold simulates file systems, because the kernel's own locks
// work.
func TestLocksThatDoNotHold(t *testing.T) {
	s := makeStore(t)
	if err := s.CheckLocks(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, "state", "probe.lock")
	held, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckLocks(); err != nil { // another process checks at the same time
		t.Errorf("while another process checks: %v", err)
	}
	for _, tt := range []struct {
		name string
		ok   bool
		err  error
		want string
	}{
		{"no such call", false, syscall.ENOSYS, "function not implemented: the file system of the results folder has no working locks"},
		{"no server", false, syscall.ENOLCK, "no locks available: the file system"},
		{"not supported", false, syscall.EOPNOTSUPP, "name a folder on a local disk with -out"},
		{"always granted", true, nil, "taken twice at the same time: the file system"},
		{"another error", false, syscall.EIO, "input/output error"},
	} {
		err := checkLocks(path, func(*flock.Flock) (bool, error) { return tt.ok, tt.err })
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A holder on another host counts while its heartbeat is fresh, although the lock is free
// here: some file systems keep locks to one host.
func TestHolderOnAnotherHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		host string
		age  time.Duration
		busy bool
	}{
		{"alive elsewhere", "other", 5 * time.Second, true},
		{"its clock is ahead", "other", -5 * time.Second, true},
		{"dead elsewhere", "other", time.Minute, false},
		{"killed here", host, time.Second, false}, // the kernel has freed its lock
	} {
		s := makeStore(t)
		b, err := json.Marshal(Holder{Host: tt.host, PID: 17, Heartbeat: time.Now().Add(-tt.age)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.lockPath("run"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		busy, holder, err := s.Busy("run")
		if busy != tt.busy || err != nil || busy && holder.Host != tt.host {
			t.Errorf("%s: busy %v, %v, %v", tt.name, busy, holder, err)
		}
		l, holder, err := s.Lock("run")
		if (l == nil) != tt.busy || err != nil || l == nil && holder.PID != 17 {
			t.Errorf("%s: lock %v, %v, %v", tt.name, l, holder, err)
		}
		if l == nil {
			continue
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
		// The next process, on any host, need not wait.
		if b, err := os.ReadFile(s.lockPath("run")); err != nil || len(b) > 0 {
			t.Errorf("%s: a released lock says %q, %v", tt.name, b, err)
		}
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
