package record

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// age makes the newest file of a lease older, as if its holder had been paused.
func age(t *testing.T, s Store, id string, by time.Duration) {
	t.Helper()
	l, err := readLease(s.leaseDir(id))
	if err != nil || l.number == 0 {
		t.Fatalf("lease %+v, %v", l, err)
	}
	when := l.renewed.Add(-by)
	if err := os.Chtimes(leasePath(s.leaseDir(id), l.number), when, when); err != nil {
		t.Fatal(err)
	}
}

// takeElsewhere puts a lease into the store that a process on another machine holds.
func takeElsewhere(t *testing.T, s Store, id string, on Holder) {
	t.Helper()
	b, err := json.Marshal(Holder{Host: on.Host, Boot: on.Boot, PID: 17, Heartbeat: time.Now()})
	if err == nil {
		err = os.MkdirAll(s.leaseDir(id), 0o755)
	}
	if err == nil {
		err = os.WriteFile(leasePath(s.leaseDir(id), 5), b, 0o644)
	}
	if err == nil {
		err = os.WriteFile(s.lockPath(id), nil, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A holder on another host counts until its lease expires, although the lock is free here:
// some file systems keep locks to one host.
func TestHolderOnAnotherHost(t *testing.T) {
	here, other := newHolder(), Holder{Host: "other"}
	for _, tt := range []struct {
		name string
		on   Holder
		age  time.Duration
		busy bool
	}{
		{"alive elsewhere", other, leaseExpires - 5*time.Second, true},
		{"dead elsewhere", other, leaseExpires + 5*time.Second, false},
		{"killed here", here, time.Second, false}, // the kernel has freed its lock
		{"alive on a machine of the same name", Holder{Host: here.Host, Boot: "another"}, leaseExpires - 5*time.Second, true},
	} {
		s := makeStore(t)
		takeElsewhere(t, s, "run", tt.on)
		age(t, s, "run", tt.age)
		busy, holder, err := s.Busy("run")
		if busy != tt.busy || err != nil || busy && holder.Host != tt.on.Host {
			t.Errorf("%s: busy %v, %v, %v", tt.name, busy, holder, err)
		}
		l, holder, err := s.Lock("run")
		if (l == nil) != tt.busy || err != nil || l == nil && holder.PID != 17 {
			t.Errorf("%s: lock %v, %v, %v", tt.name, l, holder, err)
		}
		if l == nil {
			continue
		}
		if l.From.Host != tt.on.Host || l.From.PID != 17 {
			t.Errorf("%s: taken over from %v", tt.name, l.From)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
		// The next process, on any host, need not wait.
		if busy, holder, err := s.Busy("run"); busy || err != nil || holder.PID != 0 {
			t.Errorf("%s: a released lock is busy %v, by %v, %v", tt.name, busy, holder, err)
		}
		if files, err := os.ReadDir(s.leaseDir("run")); len(files) != 1 || err != nil {
			t.Errorf("%s: files %v, %v, expected one", tt.name, files, err)
		}
	}
}

// Where the kernel's locks are always granted or missing, only one process holds a run, until
// its lease is released or expires.
func TestLeasesWithoutLocks(t *testing.T) {
	for name, k := range map[string]kernel{"always granted": alwaysGranted, "missing": missing} {
		s := makeStore(t)
		take := func() *Lock {
			t.Helper()
			l, holder, err := s.lock("run", k, time.Hour)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			busy, by, err := s.busy("run", k)
			if err != nil || !busy || by.PID != os.Getpid() || l == nil && holder.PID != os.Getpid() {
				t.Errorf("%s: busy %v, by %v and %v, %v", name, busy, by, holder, err)
			}
			return l
		}
		first := take()
		if first == nil {
			t.Fatalf("%s: a free run was refused", name)
		}
		if take() != nil {
			t.Fatalf("%s: a run was granted twice", name)
		}
		if err := first.Release(); err != nil {
			t.Error(err)
		}
		if busy, _, err := s.busy("run", k); busy || err != nil {
			t.Errorf("%s: busy %v, %v after release", name, busy, err)
		}
		second := take()
		if second == nil {
			t.Fatalf("%s: a released run was refused", name)
		}
		age(t, s, "run", 2*leaseExpires) // as if it were dead
		third := take()
		if third == nil {
			t.Fatalf("%s: an expired lease was not taken over", name)
		}
		if err := errors.Join(third.Confirm(), third.Release()); err != nil {
			t.Error(err)
		}
		if err := second.Confirm(); !errors.Is(err, ErrLost) {
			t.Errorf("%s: the old holder confirms its lease: %v", name, err)
		}
	}
}

// Of many processes that find an expired lease, one gets it, and they do it again and again.
func TestLeaseIsTakenOverOnce(t *testing.T) {
	s := makeStore(t)
	takeElsewhere(t, s, "run", Holder{Host: "other"})
	for round := range 20 {
		age(t, s, "run", 2*leaseExpires)
		var got []*Lock
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				l, _, err := s.lock("run", missing, time.Hour)
				if err != nil {
					t.Error(err)
				}
				if l != nil {
					mu.Lock()
					got = append(got, l)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(got) != 1 {
			t.Fatalf("round %d: %d holders, expected 1", round, len(got))
		}
		if err := got[0].Confirm(); err != nil {
			t.Fatal(err)
		}
	}
}

// A holder that was paused notices at its next heartbeat that its lease was taken over, also
// if the new holder has renewed it meanwhile or is gone again.
func TestPausedHolder(t *testing.T) {
	for name, then := range map[string]func(*Lock) error{
		"holds":    func(*Lock) error { return nil },
		"renewed":  func(l *Lock) error { return errors.Join(l.Confirm(), l.Confirm()) },
		"released": (*Lock).Release,
	} {
		s := makeStore(t)
		const beat = 50 * time.Millisecond
		paused, _, err := s.lock("run", missing, beat)
		if paused == nil || err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * beat)
		if l, err := readLease(s.leaseDir("run")); err != nil || l.number < 2 {
			t.Fatalf("%s: no heartbeat: %+v, %v", name, l, err)
		}
		paused.mu.Lock() // no heartbeat comes through
		age(t, s, "run", 2*leaseExpires)
		other, _, err := s.lock("run", missing, time.Hour)
		if other == nil || err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := then(other); err != nil {
			t.Fatal(err)
		}
		paused.mu.Unlock()
		select {
		case <-paused.Lost():
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the paused holder does not notice", name)
		}
		if err := paused.Confirm(); !errors.Is(err, ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
		before, err1 := readLease(s.leaseDir("run"))
		err2 := paused.Release()
		after, err3 := readLease(s.leaseDir("run"))
		if err := errors.Join(err1, err2, err3); err != nil || before.number != after.number {
			t.Errorf("%s: release changed a lease that was lost: %+v, %+v, %v", name, before, after, err)
		}
	}
}

// A worker finds out whether locks hold between it and another one.
func TestProbeOfWorkers(t *testing.T) {
	ctx := context.Background()
	s := makeStore(t)
	w, found, err := s.JoinWorkers(ctx)
	if err != nil || found != "" {
		t.Fatalf("alone: %q, %v", found, err)
	}
	probe := func(k kernel) string {
		t.Helper()
		found, err := s.probeWorkers(ctx, workerPrefix+"own", k, 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := probe(realKernel); !strings.HasPrefix(got, "locks (flock) hold between ") {
		t.Errorf("next to a worker: %q", got)
	}
	host := newHolder().Host
	takeElsewhere(t, s, workerPrefix+"dead", newHolder()) // the kernel grants its lock
	if got := probe(realKernel); got != "locks (flock) hold between "+host+" and "+host {
		t.Errorf("next to a dead worker: %q", got)
	}
	age(t, s, workerPrefix+"dead", 2*forgotten)
	// One on another host, with and without a sign of life.
	const other = workerPrefix + "other-1"
	takeElsewhere(t, s, other, Holder{Host: "other"})
	if got := probe(kernel{refused(nil), nil}); !strings.HasPrefix(got, "locks (flock) hold between other and ") {
		t.Errorf("held on another host: %q", got)
	}
	alive := make(chan error)
	go func() {
		time.Sleep(50 * time.Millisecond)
		_, err := follow(s.leaseDir(other), 5, Holder{Host: "other", PID: 17})
		alive <- err
	}()
	if got := probe(alwaysGranted); !strings.HasPrefix(got, "locks (flock) do not hold between other and ") {
		t.Errorf("not held on another host: %q", got)
	}
	if err := <-alive; err != nil {
		t.Fatal(err)
	}
	age(t, s, other, 2*forgotten)
	// One that starts has not written its lease yet: it is not one of long ago.
	starts := s.leaseDir(workerPrefix + "starts")
	if err := makeLeaseDir(starts); err != nil {
		t.Fatal(err)
	}
	probe(realKernel)
	if err := os.Remove(starts); err != nil {
		t.Errorf("the folder of a worker that starts: %v", err)
	}
	if err := w.Leave(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(globQuote(s.Dir), "state", "worker-*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
