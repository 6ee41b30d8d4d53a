package record

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

// TestMain lets the test binary play a second process: one that takes a lock,
// says so, and waits to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_TEST_HOLD"); dir != "" {
		l, _, err := Store{Dir: dir}.Lock("run")
		if l == nil || err != nil {
			os.Exit(3)
		}
		os.Stdout.WriteString("held\n")
		bufio.NewReader(os.Stdin).ReadByte() // until the parent goes
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
	// The first heartbeat may not be written yet; then nobody is named.
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
